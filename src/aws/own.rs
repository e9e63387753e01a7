//! The controller's own writes, known again when a change message tells of them.
//!
//! By AWS' id of the call, which nobody else can choose. Not by user agent or session, which whoever holds the controller's credentials
//! can take on.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How many calls are remembered, and how long: `CloudTrail` delivers "typically within an average of about 5 minutes" of a call, and a
/// message that comes later costs a look.
const MOST: usize = 2000;
const KEPT: Duration = Duration::from_mins(15);

/// Ids of the last writes.
#[derive(Debug, Default)]
pub(super) struct OwnWrites(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    in_order: VecDeque<(Instant, String)>,
    ids: HashSet<String>,
}

impl OwnWrites {
    /// A write was answered at `now`.
    pub(super) fn note(&self, id: &str, now: Instant) {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        own.forget(now);
        if own.ids.insert(id.to_owned()) {
            own.in_order.push_back((now, id.to_owned()));
        }
    }

    /// Whether the call of this id was one of ours.
    pub(super) fn knows(&self, id: &str, now: Instant) -> bool {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        own.forget(now);
        own.ids.contains(id)
    }
}

impl Remembered {
    fn forget(&mut self, now: Instant) {
        while let Some((noted, id)) = self.in_order.front() {
            if self.in_order.len() < MOST && now.saturating_duration_since(*noted) < KEPT {
                return;
            }
            self.ids.remove(id);
            self.in_order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_writes_are_known_for_a_while_and_so_many_at_most() {
        let (own, start) = (OwnWrites::default(), Instant::now());
        own.note("first", start);
        assert!(own.knows("first", start) && !own.knows("", start) && !own.knows("FIRST", start));
        own.note("first", start);
        assert!(!own.knows("first", start + KEPT));
        for number in 0..=MOST {
            own.note(&number.to_string(), start + KEPT);
        }
        assert!(!own.knows("0", start + KEPT) && own.knows(&MOST.to_string(), start + KEPT));
        assert!(own.0.lock().unwrap().in_order.len() <= MOST);
    }
}
