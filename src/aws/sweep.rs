//! All roles of an account, by IAM's bulk reads: a call for hundreds of roles instead of three for each.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use aws_sdk_iam::{
    config::{Builder, retry::RetryConfig},
    primitives::{DateTime, DateTimeFormat},
    types::{EntityType, ManagedPolicyDetail, Role, RoleDetail},
};

use super::{
    Iam, error,
    observe::{boundary, decoded, tags},
    pages::Pages,
};
use crate::{
    backoff,
    role::{Class, Failure, Head, ObservedRole, SweptRole, observed::Sweep},
};

/// Items of a page at first. IAM takes 1,000 (API reference, `GetAccountAuthorizationDetails` and `ListRoles`), but may then take longer
/// than anybody waits.
const PAGE: i32 = 500;
/// Fewest items of a page that was made smaller: 1,000 roles are then 20 pages.
const SMALLEST: i32 = 50;
/// Tries of one page that somebody waits for, before the whole is given up, beside those that made it smaller: some four minutes.
const TRIES: u32 = 10;
/// First and longest wait between them.
const PAUSE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(32));

/// How the pages of bulk reads are asked for. Kept from one read to the next, it remembers what size of page IAM is fast enough for.
#[derive(Clone, Debug)]
pub struct Paging {
    /// Items of the next page, from [`SMALLEST`] to [`PAGE`].
    size: i32,
    /// Tries of one page before the reading is given up.
    tries: u32,
    /// Whether nobody waits for it, so that it is paid for from the smaller budget of the sweeps.
    in_background: bool,
    /// Pages asked for so far.
    pub calls: u32,
}

impl Paging {
    /// For somebody who waits for the whole.
    #[must_use]
    pub fn at_once() -> Self {
        Self {
            size: PAGE,
            tries: TRIES,
            in_background: false,
            calls: 0,
        }
    }

    /// For reads that come again by themselves: one that fails is left until then.
    #[must_use]
    pub fn in_background() -> Self {
        Self {
            tries: 1,
            in_background: true,
            ..Self::at_once()
        }
    }
}

/// A page of roles.
#[derive(Debug, Default)]
pub struct Page {
    /// The roles, without description and session length.
    pub roles: Vec<SweptRole>,
    /// Names of roles that can't be read, as far as they have any, and why.
    pub unread: Vec<(Option<String>, String)>,
    /// Documents of the account's own managed policies, by ARN, where they were asked for.
    pub policies: BTreeMap<String, String>,
}

/// All roles of an account, page by page in one unbroken chain.
pub struct RolePages<'a> {
    iam: &'a Iam,
    paging: &'a mut Paging,
    filter: &'static [EntityType],
    pages: Pages,
    marker: Option<String>,
    whole: bool,
}

impl RolePages<'_> {
    /// The next page; none once the last one, which IAM calls so, was read.
    ///
    /// # Errors
    /// The page could not be read, or does not say where the next one is. The chain ends there.
    pub async fn next(&mut self) -> Result<Option<Page>, Failure> {
        const ACTION: &str = "GetAccountAuthorizationDetails";
        let attempt = "reading all roles of the account (GetAccountAuthorizationDetails)";
        if self.whole {
            return Ok(None);
        }
        let (iam, marker) = (self.iam, self.marker.as_ref());
        let read = |size| {
            let call = iam.client.get_account_authorization_details();
            let call = call.set_filter(Some(self.filter.to_vec()));
            let call = call.max_items(size).set_marker(marker.cloned());
            let send = call.customize().config_override(iam.for_pages()).send();
            async move {
                let page = iam.call(ACTION, send).await;
                page.map_err(|failed| error::failure(attempt, &failed))
            }
        };
        let answer = iam.patiently(ACTION, self.paging, read).await?;
        let mut page = Page::default();
        for role in answer.role_detail_list() {
            match swept(role) {
                Ok(swept) => page.roles.push(swept),
                Err(why) => page.unread.push((role.role_name().map(str::to_owned), why)),
            }
        }
        page.policies.extend(answer.policies().iter().filter_map(policy));
        self.marker = self.pages.next(attempt, answer.is_truncated(), answer.marker())?;
        self.whole = self.marker.is_none();
        Ok(Some(page))
    }
}

/// What bulk reads of policies leave out of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// IAM's unique id of the role.
    pub id: String,
    /// Description.
    pub description: Option<String>,
    /// Longest session, in seconds.
    pub max_session_duration: Option<i32>,
}

impl From<&Role> for Details {
    fn from(role: &Role) -> Self {
        Self {
            id: role.role_id().to_owned(),
            description: role.description().map(str::to_owned),
            max_session_duration: role.max_session_duration(),
        }
    }
}

impl Iam {
    /// All roles of the account, page by page.
    pub fn roles<'a>(&'a self, paging: &'a mut Paging) -> RolePages<'a> {
        self.pages_of(paging, &[EntityType::Role])
    }

    fn pages_of<'a>(&'a self, paging: &'a mut Paging, filter: &'static [EntityType]) -> RolePages<'a> {
        RolePages {
            iam: self,
            paging,
            filter,
            pages: Pages::default(),
            marker: None,
            whole: false,
        }
    }

    /// All roles of the account, with their policies, and the documents of its own managed policies. `progress` is told how many roles
    /// were read so far.
    ///
    /// # Errors
    /// A page could not be read, after waiting for IAM for minutes. Nothing partly read is returned.
    pub async fn sweep(&self, progress: impl Fn(usize)) -> Result<Sweep, Failure> {
        let mut paging = Paging::at_once();
        let mut pages = self.pages_of(&mut paging, &[EntityType::Role, EntityType::LocalManagedPolicy]);
        let mut sweep = Sweep::default();
        while let Some(page) = pages.next().await? {
            if let Some((_, why)) = page.unread.first() {
                return Err(error::nonsense(
                    "reading all roles of the account (GetAccountAuthorizationDetails)",
                    why,
                ));
            }
            let by_name = |swept: SweptRole| (swept.role.head.name.to_lowercase(), swept);
            sweep.roles.extend(page.roles.into_iter().map(by_name));
            sweep.policies.extend(page.policies);
            progress(sweep.roles.len());
        }
        Ok(sweep)
    }

    /// Adds what a sweep can't know of the roles: descriptions and session lengths.
    ///
    /// # Errors
    /// As [`Iam::sweep`].
    pub async fn complete(&self, sweep: &mut Sweep) -> Result<(), Failure> {
        let take = |role: &Role| {
            if let Some(swept) = sweep.roles.get_mut(&role.role_name().to_lowercase()) {
                let details = Details::from(role);
                swept.role.head.description = details.description;
                swept.role.head.max_session_duration = details.max_session_duration;
            }
        };
        self.each_role(&mut Paging::at_once(), None, take).await
    }

    /// What bulk reads of policies leave out of roles, by name in lower case, of those below a path whose name is `wanted`.
    ///
    /// # Errors
    /// A page could not be read. Nothing partly read is returned.
    pub async fn details(
        &self,
        paging: &mut Paging,
        path: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<HashMap<String, Details>, Failure> {
        let mut found = HashMap::new();
        let take = |role: &Role| {
            let name = role.role_name().to_lowercase();
            if wanted(&name) {
                found.insert(name, role.into());
            }
        };
        self.each_role(paging, Some(path), take).await?;
        Ok(found)
    }

    /// `ListRoles`, to its end.
    async fn each_role(
        &self,
        paging: &mut Paging,
        path: Option<&str>,
        mut take: impl FnMut(&Role),
    ) -> Result<(), Failure> {
        const ACTION: &str = "ListRoles";
        let attempt = "reading the descriptions of all roles (ListRoles)";
        let (mut pages, mut marker) = (Pages::default(), None);
        loop {
            let read = |size| {
                let call = self.client.list_roles().set_path_prefix(path.map(str::to_owned));
                let call = call.max_items(size).set_marker(marker.clone());
                let send = call.customize().config_override(self.for_pages()).send();
                async move {
                    let page = self.call(ACTION, send).await;
                    page.map_err(|failed| error::failure(attempt, &failed))
                }
            };
            let page = self.patiently(ACTION, paging, read).await?;
            page.roles().iter().for_each(&mut take);
            marker = pages.next(attempt, page.is_truncated(), page.marker())?;
            if marker.is_none() {
                return Ok(());
            }
        }
    }

    /// What is different for a page: it takes long, and what is tried again is a smaller one, so the SDK tries once.
    fn for_pages(&self) -> Builder {
        let limits = self.page_timeouts.clone();
        Builder::new()
            .timeout_config(limits)
            .retry_config(RetryConfig::disabled())
    }

    /// Reads a page until it succeeds or waiting is of no use. A page that IAM is too slow for, or fails at, is asked for again in half
    /// the size, from the same marker, and those after it are no bigger.
    async fn patiently<T, R>(
        &self,
        action: &'static str,
        paging: &mut Paging,
        read: impl Fn(i32) -> R,
    ) -> Result<T, Failure>
    where
        R: Future<Output = Result<T, Failure>>,
    {
        let mut tries = 1;
        loop {
            if paging.in_background {
                self.sweeps.until_ready().await;
            }
            paging.calls += 1;
            match read(paging.size).await {
                Err(failure) if failure.class == Class::Ambiguous && paging.size > SMALLEST => {
                    paging.size = (paging.size / 2).max(SMALLEST);
                    self.watch.smaller_pages(action, paging.size);
                }
                Err(failure)
                    if tries < paging.tries
                        && matches!(failure.class, Class::Throttled | Class::Retryable | Class::Ambiguous) =>
                {
                    tokio::time::sleep(backoff::after_failures(tries, PAUSE.0, PAUSE.1)).await;
                    tries += 1;
                }
                answer => return answer,
            }
        }
    }
}

fn swept(role: &RoleDetail) -> Result<SweptRole, String> {
    let text = |text: Option<&str>| text.map(str::to_owned).ok_or("a role without name, id, ARN or path");
    let mut inline = BTreeMap::new();
    for policy in role.role_policy_list() {
        let document = policy.policy_document().map(decoded).transpose()?;
        inline.insert(text(policy.policy_name())?, document);
    }
    let used = role.role_last_used();
    Ok(SweptRole {
        role: ObservedRole {
            head: Head {
                name: text(role.role_name())?,
                arn: text(role.arn())?,
                id: text(role.role_id())?,
                path: text(role.path())?,
                trust: decoded(role.assume_role_policy_document().unwrap_or_default())?,
                description: None,
                max_session_duration: None,
                boundary: boundary(role.permissions_boundary()),
                tags: tags(role.tags()),
            },
            attached: role
                .attached_managed_policies()
                .iter()
                .filter_map(|policy| policy.policy_arn().map(str::to_owned))
                .collect(),
            inline,
        },
        created: role.create_date().and_then(written),
        last_used: used.and_then(|used| used.last_used_date()).and_then(written),
        last_used_region: used.and_then(|used| used.region()).map(str::to_owned),
    })
}

fn policy(detail: &ManagedPolicyDetail) -> Option<(String, String)> {
    let version = detail
        .policy_version_list()
        .iter()
        .find(|version| version.is_default_version())?;
    Some((detail.arn()?.to_owned(), decoded(version.document()?).ok()?))
}

fn written(time: &DateTime) -> Option<String> {
    time.fmt(DateTimeFormat::DateTime).ok()
}

#[cfg(test)]
mod tests {
    use test_support::iam::{FakeIam, Fault, RoleBuilder, Rule};

    use super::{super::client::page_timeouts, *};

    async fn account(roles: usize, limit: Duration) -> (FakeIam, Iam) {
        let fake = FakeIam::start();
        for n in 0..roles {
            fake.put_role(RoleBuilder::new(&format!("r{n}")).description(&format!("{n}")));
        }
        fake.set_page_size(1000);
        let mut iam = Iam::for_test(&fake.endpoint()).await;
        iam.page_timeouts = page_timeouts().to_builder().read_timeout(limit).build();
        (fake, iam)
    }

    fn sizes(fake: &FakeIam, action: &str) -> Vec<i32> {
        let calls = fake.calls().into_iter().filter(|call| call.action == action);
        calls
            .map(|call| call.params["MaxItems"].parse().expect("a number"))
            .collect()
    }

    #[tokio::test]
    async fn pages_that_take_too_long_are_asked_for_in_halves_and_stay_small() {
        let (fake, iam) = account(600, Duration::from_secs(2)).await;
        for size in ["500", "250"] {
            let hangs = Fault::HangBefore(Duration::from_mins(1));
            fake.fault(Rule::new(hangs).param("MaxItems", size).times(usize::MAX));
        }
        let told = std::cell::RefCell::new(Vec::new());
        let mut sweep = iam
            .sweep(|roles| told.borrow_mut().push(roles))
            .await
            .expect("all roles");
        assert_eq!(sweep.roles.len(), 600);
        assert_eq!(*told.borrow(), [125, 250, 375, 500, 600]);
        assert_eq!(
            sizes(&fake, "GetAccountAuthorizationDetails"),
            [500, 250, 125, 125, 125, 125, 125]
        );
        iam.complete(&mut sweep).await.expect("all descriptions");
        assert_eq!(sweep.roles["r599"].role.head.description.as_deref(), Some("599"));
        assert_eq!(sizes(&fake, "ListRoles")[..3], [500, 250, 125]);
    }

    #[tokio::test]
    async fn a_page_that_fails_goes_on_from_the_same_marker() {
        let (fake, iam) = account(1200, Duration::from_secs(30)).await;
        fake.fault(
            Rule::new(Fault::Html500)
                .action("GetAccountAuthorizationDetails")
                .nth(2)
                .times(2),
        );
        let sweep = iam.sweep(|_| {}).await.expect("all roles");
        assert_eq!(sweep.roles.len(), 1200);
        let sizes = sizes(&fake, "GetAccountAuthorizationDetails");
        assert_eq!(sizes[..4], [500, 500, 250, 125]);
        let calls = fake.calls();
        assert_eq!(calls[1].params["Marker"], calls[3].params["Marker"]);
    }

    #[tokio::test]
    async fn no_page_is_smaller_than_it_need_be_and_what_fails_for_good_is_said() {
        let (fake, iam) = account(1, Duration::from_secs(30)).await;
        fake.deny("GetAccountAuthorizationDetails");
        let failure = iam.sweep(|_| {}).await.expect_err("denied");
        assert_eq!((failure.class, fake.calls().len()), (Class::Denied, 1));
        fake.allow("GetAccountAuthorizationDetails");
        fake.clear_calls();
        fake.fault(Rule::new(Fault::Html500).times(5));
        iam.sweep(|_| {}).await.expect("all roles");
        assert_eq!(
            sizes(&fake, "GetAccountAuthorizationDetails"),
            [500, 250, 125, 62, 50, 50]
        );
    }
}
