//! Sweeps: each account that has objects is read in bulk, again and again, and each page is judged by the functions of a pass. What comes of
//! it is that a role needs no look, or a hint to look at it; never a write.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use kube::ResourceExt;
use tokio::sync::Semaphore;
use tracing::{info, warn};

use super::context::Context;
use crate::{
    api::{REQUEST_ANNOTATION, v1alpha1::PinpointImportRole},
    aws::{Details, Iam, Page, Paging, Place},
    backoff,
    metrics::{Shown, SweepResult},
    role::{
        Class, Failure, ObservedRole,
        recent::Clock,
        sighting::{Sighting, Standing, Use, sighting, standing},
    },
};

/// How accounts are swept.
#[derive(Clone, Copy, Debug)]
pub struct SweepSettings {
    /// Time between starts of sweeps of an account; zero: there are none.
    pub interval: Duration,
    /// Most calls of sweeps per minute and account.
    pub calls_per_minute: u32,
}

/// How long objects at rest wait for the first sweep of their account.
const FIRST: Duration = Duration::from_mins(1);
/// Time between starts of sweeps when a flood of messages asks for one, at least.
const SOONEST: Duration = Duration::from_secs(15);
/// How long an account is not swept after IAM has denied it.
const DENIED: Duration = Duration::from_hours(1);
/// How much longer the period becomes, at most, while IAM throttles sweeps.
const LONGEST: u32 = 16;
/// Pages that are asked for and judged at once, of all accounts: each may have megabytes, and one that hangs keeps no others waiting.
const AT_ONCE: usize = 4;

/// What is known of the sweeps of all accounts.
#[derive(Debug)]
pub(super) struct Sweeps {
    /// Accounts whose first sweep has ended, however it ended.
    begun: Mutex<HashSet<Option<String>>>,
    pages: Semaphore,
}

impl Default for Sweeps {
    fn default() -> Self {
        Self {
            begun: Mutex::default(),
            pages: Semaphore::new(AT_ONCE),
        }
    }
}

impl Sweeps {
    fn has_begun(&self, key: Option<&str>) -> bool {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.contains(&key.map(str::to_owned))
    }

    fn begin(&self, key: Option<&str>) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.insert(key.map(str::to_owned));
    }
}

/// When sweeps start.
#[derive(Clone, Copy, Debug)]
struct Pace {
    settings: SweepSettings,
    /// How much longer than by the settings, because of throttling.
    longer: u32,
    /// Calls of the last sweep, and roles of ours in it.
    calls: u32,
    own: usize,
}

impl Pace {
    fn new(settings: SweepSettings) -> Self {
        Self {
            settings,
            longer: 1,
            calls: 1,
            own: 1,
        }
    }

    fn take(&mut self, result: SweepResult, calls: u32, own: usize) {
        (self.calls, self.own) = (calls.max(1), own.max(1));
        self.longer = match result {
            SweepResult::Throttled => (self.longer * 2).min(LONGEST),
            SweepResult::Whole => (self.longer / 2).max(1),
            _ => self.longer,
        };
    }

    /// Time between starts: no more calls a minute than the settings allow, and none dearer than looks at each role as often would be, at
    /// three calls each.
    fn period(self) -> Duration {
        let SweepSettings {
            interval,
            calls_per_minute,
        } = self.settings;
        let paid = Duration::from_mins(1) * self.calls / calls_per_minute.max(1);
        let looks = u32::try_from(self.own.saturating_mul(3)).unwrap_or(u32::MAX);
        let worth = interval.saturating_mul(self.calls) / looks;
        interval.max(paid).max(worth) * self.longer
    }
}

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
        let started = Instant::now();
        context.metrics.sweeping(key, started, pace.period());
        let (result, own) = match context.accounts.place(key).await {
            Ok(place) => sweep(context, key, &place, &mut paging).await,
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
            context.metrics.whole(key, started);
        }
        context.hints.swept(key, (kind == SweepResult::Whole).then_some(calls));
        if context.hints.since(key).is_none() {
            context.metrics.sweeps_rest(key);
        }
        tokio::select! {
            () = tokio::time::sleep_until((started + pace.period()).into()) => {}
            () = context.hints.flood(key) => tokio::time::sleep_until((started + SOONEST).into()).await,
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
        if !judge.page(page, &details, &mut missing) {
            // Some role can't be read and has no name: any of those that are missing may be it.
            missing.clear();
        }
    }
    for role in missing {
        judge.role(&role, None, true);
        tokio::task::consume_budget().await;
    }
    (Ok(true), all)
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

    /// Takes what a page shows off what is missing. Whether all of it could be told from one another.
    fn page(&self, page: Page, details: &HashMap<String, Details>, missing: &mut HashSet<String>) -> bool {
        for mut swept in page.roles {
            let name = swept.role.head.name.to_lowercase();
            missing.remove(&name);
            let details = details.get(&name).filter(|details| details.id == swept.role.head.id);
            if let Some(details) = details {
                swept.role.head.description.clone_from(&details.description);
                swept.role.head.max_session_duration = details.max_session_duration;
            }
            self.role(&name, Some(&swept.role), details.is_some());
        }
        let mut known = true;
        for (name, _) in page.unread {
            match name {
                Some(name) => drop(missing.remove(&name.to_lowercase())),
                None => known = false,
            }
            self.context.metrics.sighting(Shown::Unclear);
        }
        known
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
                context.metrics.looked(&uid, context.instant(began).into_std());
            }
            Use::Hints(shown) => context.hints.seen(self.key, object, shown),
            Use::Known | Use::None => {}
        }
    }
}

impl Context {
    /// How long an object needs no pass, since it is at rest and a sweep has seen its role as declared, or is about to; none where a pass is
    /// due.
    pub(super) async fn rests(&self, object: &PinpointImportRole) -> Option<Duration> {
        let interval = self.settings.sweeps.interval;
        if interval.is_zero() || object.status.is_none() {
            return None;
        }
        let namespace = object.namespace().unwrap_or_default();
        let place = self
            .accounts
            .choose(&namespace, object.spec.account_id.as_deref())
            .await
            .ok()?;
        let known = self.known(object);
        let situation = self.situation(object, &known);
        if standing(&situation, &place.account, request(object)) != Some(Standing::AtRest) {
            return None;
        }
        let (now, generation) = (self.clock().now, situation.generation);
        let interval = self.interval(object);
        let (until, is_new) = self.memory(object, |memory| match memory.is_hinted() {
            true => (None, false),
            false => {
                let until = memory.sightings.rests_until(generation, interval, now);
                (until, memory.sightings.is_new())
            }
        });
        if let Some(until) = until {
            // Never later than that, and not all at once.
            return Some(until.saturating_sub(now).mul_f64(0.9 + 0.1 * fastrand::f64()));
        }
        let key = self.key(object);
        let waits = || self.hints.since(key).is_some_and(|since| since.elapsed() < FIRST);
        (is_new && !self.sweeps.has_begun(key) && waits()).then(|| backoff::jittered(Duration::from_secs(5)))
    }

    /// Time between full checks of an object's role.
    pub(super) fn interval(&self, object: &PinpointImportRole) -> Duration {
        object.spec.interval().ok().flatten().unwrap_or(self.settings.resync)
    }
}

/// The value of the annotation "reconcile now".
fn request(object: &PinpointImportRole) -> Option<&str> {
    object.annotations().get(REQUEST_ANNOTATION).map(String::as_str)
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

    fn pace(interval: u64, calls_per_minute: u32, calls: u32, own: usize) -> Duration {
        let mut pace = Pace::new(SweepSettings {
            interval: Duration::from_secs(interval),
            calls_per_minute,
        });
        pace.take(SweepResult::Whole, calls, own);
        pace.period()
    }

    #[test]
    fn sweeps_cost_no_more_than_they_may_and_than_they_are_worth() {
        let seconds = Duration::from_secs;
        assert_eq!(pace(45, 30, 2, 1000), seconds(45));
        assert_eq!(pace(45, 30, 20, 1000), seconds(45));
        assert_eq!(pace(45, 30, 100, 5000), seconds(200), "so many calls a minute");
        assert_eq!(pace(45, 30, 10, 1), seconds(150), "one role among 5,000");
        assert_eq!(pace(45, 30, 0, 0), seconds(45));
        assert!(pace(3600, 1, u32::MAX, usize::MAX) > seconds(3600));
    }

    #[test]
    fn throttling_makes_sweeps_rarer_and_whole_ones_bring_them_back() {
        let mut pace = Pace::new(SweepSettings {
            interval: Duration::from_secs(45),
            calls_per_minute: 30,
        });
        let mut after = |result| {
            pace.take(result, 1, 1);
            pace.period().as_secs() / 45
        };
        let throttled: Vec<u64> = (0..6).map(|_| after(SweepResult::Throttled)).collect();
        assert_eq!(throttled, [2, 4, 8, 16, 16, 16]);
        assert_eq!(after(SweepResult::Partial), 16);
        let whole: Vec<u64> = (0..5).map(|_| after(SweepResult::Whole)).collect();
        assert_eq!(whole, [8, 4, 2, 1, 1]);
    }

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
}
