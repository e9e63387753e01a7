//! All roles of an account, by IAM's bulk reads: a call for hundreds of roles instead of three for each.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_iam::{
    config::{Builder, retry::RetryConfig},
    primitives::{DateTime, DateTimeFormat},
    types::{EntityType, ManagedPolicyDetail, RoleDetail},
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
/// Fewest items of a page that was made smaller.
const SMALLEST: i32 = 50;
/// Tries of one page before the whole is given up, beside those that made it smaller: some four minutes.
const TRIES: u32 = 10;
/// First and longest wait between them.
const PAUSE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(32));

impl Iam {
    /// All roles of the account, with their policies, and the documents of its own managed policies. `progress` is told how many roles
    /// were read so far.
    ///
    /// # Errors
    /// A page could not be read, after waiting for IAM for minutes. Nothing partly read is returned.
    pub async fn sweep(&self, progress: impl Fn(usize)) -> Result<Sweep, Failure> {
        const ACTION: &str = "GetAccountAuthorizationDetails";
        let attempt = "reading all roles of the account (GetAccountAuthorizationDetails)";
        let mut sweep = Sweep::default();
        let (mut pages, mut marker, mut size) = (Pages::default(), None, PAGE);
        loop {
            let read = async |size| {
                let call = self.client.get_account_authorization_details();
                let call = call.filter(EntityType::Role).filter(EntityType::LocalManagedPolicy);
                let call = call.max_items(size).set_marker(marker.clone());
                let send = call.customize().config_override(self.for_pages()).send();
                let page = self.call(ACTION, send).await;
                page.map_err(|failed| error::failure(attempt, &failed))
            };
            let page = self.patiently(ACTION, &mut size, read).await?;
            for role in page.role_detail_list() {
                let swept = swept(role).map_err(|why| error::nonsense(attempt, &why))?;
                sweep.roles.insert(swept.role.head.name.to_lowercase(), swept);
            }
            sweep.policies.extend(page.policies().iter().filter_map(policy));
            progress(sweep.roles.len());
            marker = pages.next(attempt, page.is_truncated(), page.marker())?;
            if marker.is_none() {
                return Ok(sweep);
            }
        }
    }

    /// Adds what a sweep can't know of the roles: descriptions and session lengths.
    ///
    /// # Errors
    /// As [`Iam::sweep`].
    pub async fn complete(&self, sweep: &mut Sweep) -> Result<(), Failure> {
        const ACTION: &str = "ListRoles";
        let attempt = "reading the descriptions of all roles (ListRoles)";
        let (mut pages, mut marker, mut size) = (Pages::default(), None, PAGE);
        loop {
            let read = async |size| {
                let call = self.client.list_roles().max_items(size).set_marker(marker.clone());
                let send = call.customize().config_override(self.for_pages()).send();
                let page = self.call(ACTION, send).await;
                page.map_err(|failed| error::failure(attempt, &failed))
            };
            let page = self.patiently(ACTION, &mut size, read).await?;
            for role in page.roles() {
                if let Some(swept) = sweep.roles.get_mut(&role.role_name().to_lowercase()) {
                    swept.role.head.description = role.description().map(str::to_owned);
                    swept.role.head.max_session_duration = role.max_session_duration();
                }
            }
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
    async fn patiently<T>(
        &self,
        action: &'static str,
        size: &mut i32,
        read: impl AsyncFn(i32) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut tries = 1;
        loop {
            match read(*size).await {
                Err(failure) if failure.class == Class::Ambiguous && *size > SMALLEST => {
                    *size = (*size / 2).max(SMALLEST);
                    self.watch.smaller_pages(action, *size);
                }
                Err(failure)
                    if tries < TRIES
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
        let (fake, iam) = account(600, Duration::from_millis(400)).await;
        // 500 take 1 s, and 125 take 250 ms.
        fake.set_latency_per_item(Duration::from_millis(2));
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
