//! How often accounts are swept, how far their sweeps are, and how much longer looks wait than they should.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};

use crate::metrics::SweepResult;

/// How accounts are swept.
#[derive(Clone, Copy, Debug)]
pub struct SweepSettings {
    /// Time between starts of sweeps of an account; zero: there are none.
    pub interval: Duration,
    /// Most calls of sweeps per minute and account.
    pub calls_per_minute: u32,
}

/// How long the first sweep waits for all objects to be listed.
const LISTING: Duration = Duration::from_secs(10);
/// How much longer the period becomes, at most, while IAM throttles sweeps.
const LONGEST: u32 = 16;
/// Pages that are asked for and judged at once, of all accounts: each may have megabytes, and one that hangs keeps no others waiting.
const AT_ONCE: usize = 4;

/// What is known of the sweeps of all accounts.
#[derive(Debug)]
pub(super) struct Sweeps {
    /// Accounts whose first sweep has ended, however it ended.
    begun: Mutex<HashSet<Option<String>>>,
    /// Whether all objects were listed once.
    listed: watch::Sender<bool>,
    pub(super) pages: Semaphore,
}

impl Default for Sweeps {
    fn default() -> Self {
        Self {
            begun: Mutex::default(),
            listed: watch::Sender::default(),
            pages: Semaphore::new(AT_ONCE),
        }
    }
}

impl Sweeps {
    /// All objects were listed once.
    pub(super) fn listed(&self) {
        self.listed.send_replace(true);
    }

    /// Waits until all objects are listed, though not for ever: a sweep judges those that are there when it begins, and a namespace that
    /// can't be listed keeps no other waiting.
    pub(super) async fn all_listed(&self) {
        let mut listed = self.listed.subscribe();
        let _ = tokio::time::timeout(LISTING, listed.wait_for(|listed| *listed)).await;
    }

    pub(super) fn has_begun(&self, key: Option<&str>) -> bool {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.contains(&key.map(str::to_owned))
    }

    pub(super) fn begin(&self, key: Option<&str>) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.insert(key.map(str::to_owned));
    }
}

/// When sweeps start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    settings: SweepSettings,
    /// How much longer than by the settings, because of throttling.
    longer: u32,
    /// Calls of the last sweep, and roles of ours in it.
    calls: u32,
    own: usize,
}

impl Pace {
    pub(super) fn new(settings: SweepSettings) -> Self {
        Self {
            settings,
            longer: 1,
            calls: 1,
            own: 1,
        }
    }

    pub(super) fn take(&mut self, result: SweepResult, calls: u32, own: usize) {
        (self.calls, self.own) = (calls.max(1), own.max(1));
        self.longer = match result {
            SweepResult::Throttled => (self.longer * 2).min(LONGEST),
            SweepResult::Whole => (self.longer / 2).max(1),
            _ => self.longer,
        };
    }

    /// Time between starts: no more calls a minute than the settings allow, and none dearer than looks at each role as often would be, at
    /// three calls each.
    pub(super) fn period(self) -> Duration {
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

/// How long a factor holds before it is reckoned anew: objects come and go.
const HOLDS: Duration = Duration::from_secs(10);
/// What looks may take of the budget: what people do has the rest.
const SHARE: f64 = 0.8;
/// The least that looks have of it, whatever sweeps take.
const LEAST: f64 = 0.1;

/// The factors of the accounts, by their names in `Accounts`.
#[derive(Debug, Default)]
pub(super) struct Stretches(Mutex<HashMap<Option<String>, (Instant, f64)>>);

/// Calls per second that an object's looks take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    /// Calls of a look.
    pub calls: u32,
    /// Time between looks.
    pub every: Duration,
}

/// How many times as long as by their intervals all of these looks wait, under a budget of so many calls a second, of which sweeps take so
/// many. 1: all are paid for in time.
pub(super) fn stretch(demands: impl Iterator<Item = Demand>, budget: f64, sweeps: f64) -> f64 {
    let needed: f64 = demands
        .map(|demand| f64::from(demand.calls) / demand.every.as_secs_f64().max(1.0))
        .sum();
    let left = (budget * SHARE - sweeps).max(budget * LEAST);
    (needed / left).max(1.0)
}

impl Stretches {
    /// The factor of an account, or what it was before where it is to be reckoned anew.
    pub(super) fn of(&self, key: Option<&str>, now: Instant) -> Result<f64, f64> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((at, factor)) = known.get(&key.map(str::to_owned)).copied() else {
            return Err(1.0);
        };
        let holds = now.saturating_duration_since(at) < HOLDS;
        if holds { Ok(factor) } else { Err(factor) }
    }

    pub(super) fn note(&self, key: Option<&str>, now: Instant, factor: f64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(key.map(str::to_owned), (now, factor));
    }
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

    fn looks(count: usize, calls: u32, seconds: u64) -> impl Iterator<Item = Demand> {
        let every = Duration::from_secs(seconds);
        std::iter::repeat_n(Demand { calls, every }, count)
    }

    #[test]
    fn intervals_are_stretched_by_what_the_budget_lacks() {
        let is = |factor: f64, expected: f64| (factor - expected).abs() < 1e-9;
        // 1,000 roles every ten minutes are 5 calls a second.
        assert!(is(stretch(looks(1000, 3, 600), 20.0, 0.0), 1.0));
        // 10,000 are 50, of which 16 are paid for.
        assert!(is(stretch(looks(10_000, 3, 600), 20.0, 0.0), 50.0 / 16.0));
        assert!(is(stretch(looks(10_000, 3, 600), 20.0, 0.5), 50.0 / 15.5));
        // Those who ask for more take their part of it.
        let mixed = looks(100, 3, 30).chain(looks(100, 4, 600));
        assert!(is(stretch(mixed, 10.0, 0.0), (10.0 + 400.0 / 600.0) / 8.0));
        // Seen by sweeps, they hardly take anything.
        assert!(is(stretch(looks(10_000, 3, 86_400), 20.0, 0.5), 1.0));
        // Sweeps never take all of it, and nobody divides by nothing.
        assert!(is(stretch(looks(10, 3, 30), 1.0, 10.0), 10.0));
        assert!(is(stretch(looks(0, 3, 30), 1.0, 0.0), 1.0));
        assert!(is(stretch(looks(8, 1, 0), 10.0, 0.0), 1.0));
    }

    #[test]
    fn a_factor_holds_for_ten_seconds_and_for_its_account() {
        let (stretches, now) = (Stretches::default(), Instant::now());
        assert_eq!(stretches.of(None, now), Err(1.0));
        stretches.note(None, now, 2.5);
        assert_eq!(stretches.of(None, now + Duration::from_secs(9)), Ok(2.5));
        assert_eq!(stretches.of(None, now + HOLDS), Err(2.5));
        assert_eq!(stretches.of(Some("other"), now), Err(1.0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_sweep_waits_for_all_objects_but_not_for_ever() {
        let (sweeps, start) = (Sweeps::default(), Instant::now());
        sweeps.all_listed().await;
        assert_eq!(start.elapsed().as_secs(), LISTING.as_secs());
        let waiting = sweeps.all_listed();
        let listing = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            sweeps.listed();
        };
        tokio::join!(waiting, listing);
        assert_eq!(start.elapsed().as_secs(), LISTING.as_secs() + 3);

        assert!(!sweeps.has_begun(None));
        sweeps.begin(None);
        assert!(sweeps.has_begun(None) && !sweeps.has_begun(Some("other")));
    }
}
