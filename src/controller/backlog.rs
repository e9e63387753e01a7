//! Hints of an account that no pass has been told of: one for each object, and when it may be told.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use kube::runtime::reflector::ObjectRef;
use tokio::time::Instant;

use super::memory::Hint;
use crate::{api::v1alpha1::PinpointImportRole, metrics::Why};

/// Shortest time between looks at one role upon messages.
const APART: Duration = Duration::from_secs(10);
/// So many messages may wait, or as many as a sweep takes calls, before a sweep takes their place.
const FLOOD: usize = 20;

/// An object that a watch shows.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Number of the watch.
    pub watch: usize,
    /// The object.
    pub object: ObjectRef<PinpointImportRole>,
    /// Its uid.
    pub uid: String,
}

/// A hint that waits.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    /// The object to look at.
    pub target: Target,
    /// Why.
    pub hint: Hint,
    not_before: Instant,
}

/// The hints that wait.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Those to be told, one for each object.
    waiting: VecDeque<Waiting>,
    /// Uids of the objects that wait.
    queued: HashSet<String>,
    /// Second looks, by their time. They keep no other hint from waiting.
    later: VecDeque<Waiting>,
    /// Objects looked at upon a message, and when, for [`APART`].
    messages: HashMap<String, Instant>,
    /// Calls of a sweep, where there are sweeps that can take the place of messages.
    sweep: Option<usize>,
}

impl Backlog {
    /// Adds a hint. Whether it was not there already.
    pub(super) fn add(&mut self, target: Target, hint: Hint, now: Instant) -> bool {
        if !self.queued.insert(target.uid.clone()) {
            return false;
        }
        let not_before = match (hint.why, self.messages.get(&target.uid)) {
            (Why::Message, Some(last)) => now.max(*last + APART),
            _ => now,
        };
        self.waiting.push_back(Waiting {
            target,
            hint,
            not_before,
        });
        true
    }

    /// Adds a second look, at that time.
    pub(super) fn add_later(&mut self, target: Target, hint: Hint, at: Instant) {
        self.later.push_back(Waiting {
            target,
            hint,
            not_before: at,
        });
    }

    /// Where more messages wait than a sweep takes calls, it is cheaper, and takes their place. How many were folded into it.
    pub(super) fn fold(&mut self) -> Option<usize> {
        let is_message = |waiting: &Waiting| waiting.hint.why == Why::Message;
        let most = self.sweep?.max(FLOOD);
        let messages = self.waiting.iter().filter(|waiting| is_message(waiting)).count();
        if messages <= most {
            return None;
        }
        self.waiting.retain(|waiting| !is_message(waiting));
        self.queued = self.waiting.iter().map(|waiting| waiting.target.uid.clone()).collect();
        Some(messages)
    }

    /// When the next hint may be told; none waits otherwise.
    pub(super) fn due(&self) -> Option<Instant> {
        let all = self.waiting.iter().chain(self.later.front());
        all.map(|waiting| waiting.not_before).min()
    }

    /// Takes the first hint that may be told.
    pub(super) fn take(&mut self, now: Instant) -> Option<Waiting> {
        while self.later.front().is_some_and(|second| second.not_before <= now) {
            if let Some(second) = self.later.pop_front() {
                self.add(second.target, second.hint, now);
            }
        }
        let first = self.waiting.iter().position(|waiting| waiting.not_before <= now)?;
        let next = self.waiting.remove(first)?;
        self.queued.remove(&next.target.uid);
        self.messages
            .retain(|_, last| now.saturating_duration_since(*last) < APART);
        if next.hint.why == Why::Message {
            self.messages.insert(next.target.uid.clone(), now);
        }
        Some(next)
    }

    /// An object went.
    pub(super) fn forget(&mut self, uid: &str) {
        if self.queued.remove(uid) {
            self.waiting.retain(|waiting| waiting.target.uid != uid);
        }
        self.later.retain(|waiting| waiting.target.uid != uid);
        self.messages.remove(uid);
    }

    /// Says how many calls a sweep takes; none: there are no sweeps.
    pub(super) fn swept(&mut self, calls: Option<usize>) {
        self.sweep = calls;
    }

    /// Whether there are sweeps, which find what a look missed.
    pub(super) fn is_swept(&self) -> bool {
        self.sweep.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(uid: &str) -> Target {
        Target {
            watch: 0,
            object: ObjectRef::new(uid),
            uid: uid.to_owned(),
        }
    }

    fn hint(why: Why) -> Hint {
        Hint {
            why,
            shown: None,
            is_second: false,
        }
    }

    /// What may be told now, and how many there were.
    fn told(backlog: &mut Backlog, now: Instant) -> Vec<(String, Why)> {
        let next = || backlog.take(now).map(|next| (next.target.uid, next.hint.why));
        std::iter::from_fn(next).collect()
    }

    fn is(told: &[(String, Why)], expected: &[(&str, Why)]) -> bool {
        let told = told.iter().map(|(uid, why)| (uid.as_str(), *why));
        told.eq(expected.iter().copied())
    }

    #[test]
    fn a_hint_waits_once_for_each_object_in_the_order_of_arrival() {
        let (mut backlog, now) = (Backlog::default(), Instant::now());
        for (uid, why, is_new) in [
            ("a", Why::Message, true),
            ("b", Why::Sweep, true),
            ("a", Why::Message, false),
            ("b", Why::Message, false),
        ] {
            assert_eq!(backlog.add(target(uid), hint(why), now), is_new, "{uid}");
        }
        assert!(is(&told(&mut backlog, now), &[("a", Why::Message), ("b", Why::Sweep)]));
        assert_eq!(backlog.due(), None);
        // Once told, it may come again.
        assert!(backlog.add(target("b"), hint(Why::Sweep), now));
        backlog.forget("b");
        assert_eq!((backlog.due(), told(&mut backlog, now).len()), (None, 0));
    }

    #[test]
    fn looks_at_one_role_upon_messages_are_ten_seconds_apart() {
        let (mut backlog, start) = (Backlog::default(), Instant::now());
        let mut looks = Vec::new();
        // Ten messages a second, for a minute.
        for tenth in 0..600 {
            let now = start + Duration::from_millis(100) * tenth;
            backlog.add(target("a"), hint(Why::Message), now);
            looks.extend(told(&mut backlog, now).iter().map(|_| now - start));
        }
        let seconds: Vec<u64> = looks.iter().map(Duration::as_secs).collect();
        assert_eq!(seconds, [0, 10, 20, 30, 40, 50]);
        // What a sweep shows waits for nobody, nor does another role.
        let now = start + Duration::from_secs(61);
        told(&mut backlog, now);
        backlog.add(target("a"), hint(Why::Sweep), now);
        backlog.add(target("b"), hint(Why::Message), now);
        assert!(is(&told(&mut backlog, now), &[("a", Why::Sweep), ("b", Why::Message)]));
        assert!(backlog.messages.len() <= 2);
    }

    #[test]
    fn looks_at_other_roles_make_none_sooner() {
        let (mut backlog, start) = (Backlog::default(), Instant::now());
        let mut looks = Vec::new();
        for second in 0..30 {
            let now = start + Duration::from_secs(second);
            for role in ["a", "b"] {
                backlog.add(target(role), hint(Why::Message), now);
            }
            looks.extend(told(&mut backlog, now).into_iter().map(|(uid, _)| (uid, second)));
        }
        for role in ["a", "b"] {
            let looks = looks.iter().filter(|(uid, _)| uid == role);
            let seconds: Vec<u64> = looks.map(|(_, second)| *second).collect();
            assert_eq!(seconds, [0, 10, 20], "{role}");
        }
    }

    #[test]
    fn more_messages_than_a_sweep_has_calls_are_folded_into_one() {
        for (calls, most) in [(None, 1000), (Some(2), FLOOD), (Some(50), 50)] {
            let (mut backlog, now) = (Backlog::default(), Instant::now());
            backlog.swept(calls);
            backlog.add(target("sweep"), hint(Why::Sweep), now);
            for number in 1..=1000 {
                assert!(backlog.add(target(&number.to_string()), hint(Why::Message), now));
                let folded = backlog.fold();
                if number > most {
                    assert_eq!(folded, Some(most + 1), "{calls:?}: number {number}");
                    break;
                }
                assert_eq!(folded, None, "{calls:?}: number {number}");
            }
            let left = told(&mut backlog, now);
            if calls.is_some() {
                assert!(is(&left, &[("sweep", Why::Sweep)]), "{calls:?}: {left:?}");
                // What was folded may come again.
                assert!(backlog.add(target("1"), hint(Why::Message), now));
            } else {
                assert_eq!(left.len(), 1001);
            }
        }
    }

    #[test]
    fn a_second_look_keeps_no_other_waiting_and_goes_with_its_object() {
        let (mut backlog, start) = (Backlog::default(), Instant::now());
        let second = Hint {
            is_second: true,
            ..hint(Why::Message)
        };
        let later = start + Duration::from_secs(15);
        backlog.add_later(target("a"), second, later);
        backlog.add_later(target("b"), second, later);
        assert_eq!(backlog.due(), Some(later));
        assert!(backlog.add(target("a"), hint(Why::Message), start));
        assert_eq!(backlog.take(start).map(|next| next.hint.is_second), Some(false));
        assert!(backlog.take(start).is_none());
        backlog.forget("b");
        let next = backlog.take(later).expect("a second look");
        assert!(next.hint.is_second && next.target.uid == "a");
        assert!(backlog.take(later).is_none() && backlog.due().is_none());
    }

    #[test]
    fn who_goes_takes_only_its_own_hints_along() {
        let (mut backlog, now) = (Backlog::default(), Instant::now());
        let later = now + APART;
        for uid in ["goes", "stays"] {
            backlog.add(target(uid), hint(Why::Message), now);
            backlog.add_later(target(uid), hint(Why::Sweep), later);
        }
        backlog.forget("goes");
        assert!(is(&told(&mut backlog, now), &[("stays", Why::Message)]));
        assert!(is(&told(&mut backlog, later), &[("stays", Why::Sweep)]));
        assert!(
            backlog.messages.is_empty(),
            "what was looked at {APART:?} ago is forgotten"
        );
    }

    #[test]
    fn sweeps_are_there_while_they_say_so() {
        let mut backlog = Backlog::default();
        assert!(!backlog.is_swept());
        backlog.swept(Some(2));
        assert!(backlog.is_swept());
        backlog.swept(None);
        assert!(!backlog.is_swept());
    }
}
