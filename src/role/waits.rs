//! When to look again: every wait and every cap of retries, in one table.

use std::time::Duration;

use super::outcome::{Class, Outcome};

/// First and longest wait after what may pass by itself: an object in trouble costs its account at most a look in five minutes.
const PASSING: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));
/// First wait after what only people can mend: they rarely do so within a second.
const PEOPLE: Duration = Duration::from_secs(5);
/// Longest wait where people will wait for the result: a deletion that is blocked, credentials that are missing.
const WATCHED: Duration = Duration::from_mins(1);
/// Shortest and longest wait for IAM to show a write: it mostly does within seconds, and may take a minute.
const SETTLING: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// When to look at an object's role again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Once the object changes.
    ForChange,
    /// After this time.
    For(Duration),
    /// After the first time, doubled for each failure in a row, up to the second.
    Backoff(Duration, Duration),
}

/// How often an object's role was looked at in vain, in a row: what may pass by itself and what only people can mend are counted apart.
/// A role that is another's is looked at for days, and one failed call must not then wait as long as the last of many would.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    passing: u32,
    people: u32,
}

impl Tries {
    /// Takes note of a wait. How many of its kind there were in a row; 0 where it is none for a failure.
    pub fn count(&mut self, wait: Wait) -> u32 {
        match wait {
            Wait::ForChange | Wait::For(_) => {
                *self = Self::default();
                0
            }
            Wait::Backoff(first, _) if first == PASSING.0 => {
                self.passing = self.passing.saturating_add(1);
                self.passing
            }
            // A refusal is the end of a whole look: its calls were answered. A failed call says nothing of what was refused before it.
            Wait::Backoff(..) => {
                self.passing = 0;
                self.people = self.people.saturating_add(1);
                self.people
            }
        }
    }
}

/// The wait after an outcome, or after a pass that the API server did not let come to one. `interval` is the time between full checks of
/// the role, `settle` how long IAM may be late.
#[must_use]
pub fn wait(outcome: Option<&Outcome>, interval: Duration, settle: Duration) -> Wait {
    let passing = Wait::Backoff(PASSING.0, PASSING.1);
    match outcome {
        None | Some(Outcome::Hindered(_)) => passing,
        Some(Outcome::InPlace(_) | Outcome::Reported(_)) => Wait::For(interval),
        Some(Outcome::Suspended | Outcome::DeletionSuspended) => Wait::ForChange,
        Some(Outcome::Waiting | Outcome::Deleting(_)) => Wait::For((settle / 4).clamp(SETTLING.0, SETTLING.1)),
        Some(Outcome::Failed(failures)) if failures.may_pass() => passing,
        Some(Outcome::Failed(failures)) if matches!(failures.worst.class, Class::Blocked | Class::Credentials) => {
            Wait::Backoff(PEOPLE, WATCHED)
        }
        Some(Outcome::Failed(_) | Outcome::Refused(..)) => Wait::Backoff(PEOPLE, interval.max(PEOPLE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Reason;
    use crate::role::{
        Failure,
        outcome::{Did, Failures},
    };

    fn failed(classes: &[Class]) -> Outcome {
        let failures = classes.iter().map(|class| Failure {
            class: *class,
            message: String::new(),
        });
        Outcome::Failed(Failures::of(failures.collect()).unwrap())
    }

    /// Regression: one 503 kept an object that had been `RoleNotOwned` for a while, even one being deleted, from its next look for five
    /// minutes, since refusals and waiting counted as failures before it.
    #[test]
    fn a_failed_call_waits_no_longer_for_what_was_refused_or_awaited_before_it() {
        let (passing, people) = (Wait::Backoff(PASSING.0, PASSING.1), Wait::Backoff(PEOPLE, WATCHED));
        let mut tries = Tries::default();
        for before in [people, Wait::For(PEOPLE)] {
            for _ in 0..30 {
                tries.count(before);
            }
            assert_eq!([(); 3].map(|()| tries.count(passing)), [1, 2, 3]);
        }
        let mut tries = Tries::default();
        assert_eq!(
            [people, passing, people, passing].map(|wait| tries.count(wait)),
            [1, 1, 2, 1]
        );
        tries.count(Wait::ForChange);
        assert_eq!(tries, Tries::default());
    }

    #[test]
    fn every_outcome_has_its_wait() {
        let seconds = Duration::from_secs;
        let (interval, settle) = (seconds(600), seconds(60));
        let passing = Wait::Backoff(seconds(1), seconds(300));
        let people = Wait::Backoff(seconds(5), interval);
        let watched = Wait::Backoff(seconds(5), seconds(60));
        let table = [
            (Outcome::InPlace(Did::Nothing), Wait::For(interval)),
            (Outcome::Reported(vec![]), Wait::For(interval)),
            (Outcome::Waiting, Wait::For(seconds(5))),
            (Outcome::Deleting(String::new()), Wait::For(seconds(5))),
            (Outcome::Suspended, Wait::ForChange),
            (Outcome::DeletionSuspended, Wait::ForChange),
            (Outcome::Hindered(String::new()), passing),
            (Outcome::Refused(Reason::InvalidSpec, String::new()), people),
            (failed(&[Class::Throttled]), passing),
            (failed(&[Class::Retryable]), passing),
            (failed(&[Class::Ambiguous]), passing),
            (failed(&[Class::Denied]), people),
            (failed(&[Class::Invalid]), people),
            (failed(&[Class::Limited]), people),
            (failed(&[Class::Exists]), people),
            (failed(&[Class::Blocked]), watched),
            (failed(&[Class::Credentials]), watched),
            // The one that may pass is tried soon, whatever the other one is.
            (failed(&[Class::Denied, Class::Retryable]), passing),
        ];
        for (outcome, expected) in table {
            assert_eq!(wait(Some(&outcome), interval, settle), expected, "{outcome:?}");
        }
        assert_eq!(wait(None, interval, settle), passing);
        assert_eq!(
            wait(Some(&Outcome::Waiting), interval, seconds(1)),
            Wait::For(Duration::from_millis(250))
        );
        assert_eq!(
            wait(Some(&Outcome::Waiting), interval, Duration::ZERO),
            Wait::For(Duration::from_millis(200))
        );
    }
}
