//! Sweeps: each account that has objects is read in bulk, again and again, and each page is judged by the functions of a pass. What comes of
//! it is that a role needs no look, or a hint to look at it; never a write.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use kube::ResourceExt;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    context::Context,
    pace::Pace,
    rest::{FIRST, request},
};
use crate::{
    api::v1alpha1::PinpointImportRole,
    aws::{Details, Iam, Page, Paging, Place},
    metrics::{Shown, SweepResult},
    role::{
        Class, Failure, ObservedRole,
        recent::Clock,
        sighting::{Sighting, Use, sighting, standing},
    },
};

/// Time between starts of sweeps when a flood of messages asks for one, at least.
const SOONEST: Duration = Duration::from_secs(15);
/// How long an account is not swept after IAM has denied it.
const DENIED: Duration = Duration::from_hours(1);

/// Sweeps an account, for ever. `share`, from 0 to 1, keeps the accounts apart.
pub(super) async fn sweep_for_ever(context: &Context, key: Option<&str>, share: f64) {
    let settings = context.settings.sweeps;
    let (mut pace, mut paging, mut last) = (Pace::new(settings), Paging::in_background(), None);
    let mut wait = settings.interval.min(FIRST / 2).mul_f64(share);
    loop {
        tokio::time::sleep(wait).await;
        // An account whose last object went costs nothing until there is one again.
        if context.hints.has_objects(key).await.is_none() {
            return;
        }
        if last.is_none() {
            context.sweeps.all_listed().await;
        }
        let started = Instant::now();
        context.metrics.sweeping(key, started.into_std(), pace.period());
        let (result, own) = match context.accounts.place(key).await {
            Ok(there) => sweep(context, key, &there, &mut paging).await,
            Err(failure) => (Err(failure), 0),
        };
        let calls = std::mem::take(&mut paging.calls);
        let kind = kind(&result);
        pace.take(kind, calls, own);
        context.sweeps.begin(key);
        context.metrics.swept(kind, started.elapsed());
        tell(key, kind, result.err(), &mut last);
        if kind == SweepResult::Denied {
            context.metrics.sweeps_rest(key);
            context.hints.swept(key, None);
            wait = DENIED;
            continue;
        }
        if kind == SweepResult::Whole {
            context.metrics.whole(key, started.into_std());
        }
        context.hints.swept(key, (kind == SweepResult::Whole).then_some(calls));
        if context.hints.since(key).is_none() {
            context.metrics.sweeps_rest(key);
        }
        tokio::select! {
            () = tokio::time::sleep_until(started + pace.period()) => {}
            () = context.hints.flood(key) => tokio::time::sleep_until(started + SOONEST).await,
        }
        wait = Duration::ZERO;
    }
}

fn kind(result: &Result<bool, Failure>) -> SweepResult {
    match result {
        Ok(true) => SweepResult::Whole,
        Ok(false) => SweepResult::Partial,
        Err(failure) => match failure.class {
            Class::Throttled => SweepResult::Throttled,
            Class::Denied => SweepResult::Denied,
            _ => SweepResult::Failed,
        },
    }
}

/// Says once what sweeps have come to.
fn tell(key: Option<&str>, kind: SweepResult, failure: Option<Failure>, last: &mut Option<SweepResult>) {
    if last.replace(kind) == Some(kind) {
        return;
    }
    let account = key.unwrap_or("that of the controller's credentials");
    let why = failure.map(|failure| failure.message).unwrap_or_default();
    match kind {
        SweepResult::Whole => info!(account, "the account is swept"),
        SweepResult::Partial => warn!(
            account,
            "a sweep broke off; what it did not show is looked at by itself"
        ),
        SweepResult::Throttled => info!(account, "IAM throttles sweeps, so there are fewer: {why}"),
        SweepResult::Denied => info!(
            account,
            "the account is not swept for an hour, and each role is looked at by itself at its interval (--sweep-interval=0s says so \
             for good, deploy/iam-policy-sweep.json gives the right): {why}"
        ),
        SweepResult::Failed => warn!(
            account,
            "the account can't be swept; each role is looked at by itself: {why}"
        ),
    }
}

/// One sweep: whether it was whole, and how many roles of ours it showed.
async fn sweep(
    context: &Context,
    key: Option<&str>,
    place: &Place,
    paging: &mut Paging,
) -> (Result<bool, Failure>, usize) {
    let judge = Judge {
        context,
        key,
        place,
        clock: context.clock(),
    };
    // Before the first request: who comes later can't be missed by it.
    let mut missing = context.hints.roles(key);
    let all = missing.len();
    let details = match judge.details(&place.iam, paging).await {
        Ok(details) => details,
        Err(failure) if failure.class == Class::Throttled => return (Err(failure), all),
        // What can't be seen is looked at by itself.
        Err(_) => HashMap::new(),
    };
    let (mut pages, mut read) = (place.iam.roles(paging), 0);
    loop {
        let Ok(_one) = context.sweeps.pages.acquire().await else {
            return (Ok(false), all);
        };
        let page = match pages.next().await {
            Ok(Some(page)) => page,
            Ok(None) => break,
            Err(failure) if read == 0 || failure.class == Class::Throttled => return (Err(failure), all),
            Err(_) => return (Ok(false), all),
        };
        read += 1;
        found(&page, &mut missing);
        judge.page(page, &details);
    }
    for role in missing {
        judge.role(&role, None, true);
        tokio::task::consume_budget().await;
    }
    (Ok(true), all)
}

/// Takes what a page has, readable or not, off what is missing.
fn found(page: &Page, missing: &mut HashSet<String>) {
    for swept in &page.roles {
        missing.remove(&swept.role.head.name.to_lowercase());
    }
    for (name, _) in &page.unread {
        match name {
            Some(name) => drop(missing.remove(&name.to_lowercase())),
            // Any of those that are missing may be it.
            None => missing.clear(),
        }
    }
}

/// Judges what a sweep shows.
struct Judge<'a> {
    context: &'a Context,
    key: Option<&'a str>,
    place: &'a Place,
    /// When the sweep began.
    clock: Clock,
}

impl Judge<'_> {
    /// Descriptions and session lengths, where objects declare some.
    async fn details(&self, iam: &Iam, paging: &mut Paging) -> Result<HashMap<String, Details>, Failure> {
        let mut wanted = HashMap::new();
        for role in self.context.hints.roles(self.key) {
            for object in self.context.hints.objects(self.key, &role) {
                let arn = object.status.as_ref().and_then(|status| status.role_arn.clone());
                if let Some(arn) = arn.filter(|_| declares_details(&object)) {
                    wanted.insert(role.clone(), path(&arn).to_owned());
                }
            }
        }
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        let path = common_path(wanted.values().map(String::as_str));
        iam.details(paging, path, |name| wanted.contains_key(name)).await
    }

    /// Judges what a page shows.
    fn page(&self, page: Page, details: &HashMap<String, Details>) {
        for mut swept in page.roles {
            let name = swept.role.head.name.to_lowercase();
            let details = details.get(&name).filter(|details| details.id == swept.role.head.id);
            if let Some(details) = details {
                swept.role.head.description.clone_from(&details.description);
                swept.role.head.max_session_duration = details.max_session_duration;
            }
            self.role(&name, Some(&swept.role), details.is_some());
        }
        for _ in page.unread {
            self.context.metrics.sighting(Shown::Unclear);
        }
    }

    /// Judges a role that is shown, or, of a whole sweep, not shown.
    fn role(&self, name: &str, shown: Option<&ObservedRole>, whole: bool) {
        for object in self.context.hints.objects(self.key, name) {
            self.object(&object, shown, whole);
        }
    }

    fn object(&self, object: &PinpointImportRole, shown: Option<&ObservedRole>, whole: bool) {
        let context = self.context;
        let account = &self.place.account;
        let known = context.known_at(object, self.clock);
        let situation = context.situation(object, &known);
        let request = request(object);
        context.recent(object, |recent| recent.tidy(context.clock()));
        let Some(standing) = standing(&situation, account, request) else {
            return;
        };
        let sighting = sighting(&situation, account, request, shown, whole);
        let (generation, began) = (situation.generation, self.clock.now);
        let good_for = context.memory(object, |memory| {
            let sightings = &mut memory.sightings;
            sightings.take(sighting, standing, generation, began, fastrand::f64())
        });
        context.metrics.sighting(match sighting {
            Sighting::AsDeclared => Shown::AsDeclared,
            Sighting::Differs(_) => Shown::Differs,
            Sighting::Unclear => Shown::Unclear,
        });
        match good_for {
            Use::Renews => {
                let uid = object.uid().unwrap_or_default();
                context.metrics.looked(&uid, context.instant(began));
            }
            Use::Hints(shown) => context.hints.seen(self.key, object, shown),
            Use::Known | Use::None => {}
        }
    }
}

/// Whether an object declares what pages of roles leave out.
fn declares_details(object: &PinpointImportRole) -> bool {
    object.spec.description.is_some() || object.spec.max_session_duration.is_some()
}

/// The path in the ARN of a role: `/` or `/a/b/`.
fn path(arn: &str) -> &str {
    let path = arn.find(":role/").map_or("/", |at| &arn[at + ":role".len()..]);
    path.rfind('/').map_or("/", |end| &path[..=end])
}

/// The longest path below which all of these lie.
fn common_path<'a>(mut paths: impl Iterator<Item = &'a str>) -> &'a str {
    let Some(mut common) = paths.next() else {
        return "/";
    };
    for path in paths {
        while !path.starts_with(common) {
            let above = common.trim_end_matches('/');
            common = above.rfind('/').map_or("/", |end| &common[..=end]);
            if common == "/" {
                return common;
            }
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::{Head, SweptRole};

    #[test]
    fn descriptions_are_asked_for_below_the_path_of_those_who_declare_some() {
        assert_eq!(path("arn:aws:iam::123456789012:role/a/b/name"), "/a/b/");
        assert_eq!(path("arn:aws:iam::123456789012:role/name"), "/");
        assert_eq!(path("nonsense"), "/");
        let common = |paths: &[&'static str]| common_path(paths.iter().copied());
        assert_eq!(common(&["/a/b/", "/a/b/"]), "/a/b/");
        assert_eq!(common(&["/a/b/", "/a/bc/"]), "/a/");
        assert_eq!(common(&["/a/b/", "/a/"]), "/a/");
        assert_eq!(common(&["/a/", "/b/"]), "/");
        assert_eq!(common(&[]), "/");
    }

    /// A role is gone only if no page has anything that may be it.
    #[test]
    fn what_a_page_has_is_not_missing_even_if_it_cannot_be_read() {
        let shown = |name: &str| SweptRole {
            role: ObservedRole {
                head: Head {
                    name: name.to_owned(),
                    ..Head::default()
                },
                ..ObservedRole::default()
            },
            ..SweptRole::default()
        };
        let unread = |name: Option<&str>| (name.map(str::to_owned), String::new());
        let rows = [
            (Page::default(), vec!["a", "b"]),
            (
                Page {
                    roles: vec![shown("A"), shown("other")],
                    ..Page::default()
                },
                vec!["b"],
            ),
            (
                Page {
                    unread: vec![unread(Some("A"))],
                    ..Page::default()
                },
                vec!["b"],
            ),
            (
                Page {
                    unread: vec![unread(None)],
                    ..Page::default()
                },
                vec![],
            ),
        ];
        for (page, left) in rows {
            let mut missing = HashSet::from(["a", "b"].map(str::to_owned));
            found(&page, &mut missing);
            assert_eq!(missing, left.into_iter().map(str::to_owned).collect(), "{page:?}");
        }
    }
}
