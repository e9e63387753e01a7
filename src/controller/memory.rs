//! What is remembered of the objects that are there, by uid; it comes and goes with their entries in the watch's store.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    metrics::{Followed, Why},
    role::{
        outcome::{Did, Outcome},
        recent::Recent,
        sighting::Sightings,
    },
};

/// A hint to look at a role before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hint {
    /// Where it comes from.
    pub why: Why,
    /// What a sweep showed, where it was one: see [`Sightings::answered`].
    pub shown: Option<u64>,
    /// Whether it is for a second look upon a message.
    pub is_second: bool,
}

/// What is remembered of one object.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// What was lately done to its role.
    pub recent: Recent,
    /// What sweeps have shown of its role.
    pub sightings: Sightings,
    /// A hint that no pass has begun to follow.
    pub hinted: Option<Hint>,
    /// The hint that the pass under way follows, or the last one if it came to no end.
    following: Option<Hint>,
}

impl Memory {
    /// A pass begins.
    pub(super) fn begin(&mut self) {
        self.following = self.hinted.take().or(self.following);
    }

    /// Whether a look is due whatever was seen before.
    pub(super) fn is_hinted(&self) -> bool {
        self.hinted.is_some() || self.following.is_some()
    }

    /// Why the pass under way is made.
    pub(super) fn why(&self) -> Why {
        self.following.map_or(Why::Timer, |hint| hint.why)
    }

    /// A pass has ended that began then. `news`: the status says something else than before. What came of the hint that it followed.
    pub(super) fn end(
        &mut self,
        outcome: &Outcome,
        news: bool,
        began: Duration,
        share: f64,
    ) -> Option<(Hint, Followed)> {
        let nothing = *outcome == Outcome::InPlace(Did::Nothing) && !news;
        match outcome {
            // IAM may be late: the next pass answers.
            Outcome::Waiting => return None,
            Outcome::InPlace(_) | Outcome::Reported(_) => {
                let news = news || !matches!(outcome, Outcome::InPlace(Did::Nothing) | Outcome::Reported(_));
                self.sightings.looked(began, news, share);
            }
            _ => {}
        }
        let hint = self.following.take()?;
        // What was repaired is news again when it comes again.
        if let Some(shown) = hint
            .shown
            .filter(|_| nothing || matches!(outcome, Outcome::Reported(_)))
        {
            self.sightings.answered(shown);
        }
        Some((hint, if nothing { Followed::Futile } else { Followed::Looked }))
    }
}

/// All of it; none of objects that this process has not met in a pass or a sweep.
#[derive(Debug, Default)]
pub(super) struct Memories(Mutex<HashMap<String, Option<Box<Memory>>>>);

impl Memories {
    /// Works on what is remembered of an object. What is kept of one that is gone is lost.
    pub(super) fn of<T>(&self, uid: &str, meeting: impl FnOnce() -> Recent, work: impl FnOnce(&mut Memory) -> T) -> T {
        let meeting = || {
            Box::new(Memory {
                recent: meeting(),
                ..Memory::default()
            })
        };
        match self.locked().get_mut(uid) {
            Some(memory) => work(memory.get_or_insert_with(meeting)),
            None => work(&mut meeting()),
        }
    }

    /// Asks what is remembered of an object, if it was met.
    pub(super) fn met(&self, uid: &str, question: impl FnOnce(&Memory) -> bool) -> bool {
        let all = self.locked();
        all.get(uid).and_then(Option::as_deref).is_some_and(question)
    }

    /// An object came.
    pub(super) fn came(&self, uid: &str) {
        self.locked().entry(uid.to_owned()).or_default();
    }

    /// An object went.
    pub(super) fn forget(&self, uid: &str) {
        self.locked().remove(uid);
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<String, Option<Box<Memory>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::{
        sighting::{Sighting, Standing, Use},
        waits::Wait,
    };

    #[test]
    fn only_objects_that_are_there_are_remembered() {
        let memories = Memories::default();
        let failed = Wait::Backoff(Duration::from_secs(1), Duration::from_secs(9));
        let fail = |uid| memories.of(uid, Recent::default, |memory| memory.recent.tries.count(failed));
        fail("never came");
        memories.came("a");
        fail("a");
        memories.came("a");
        assert_eq!(fail("a"), 2);
        memories.forget("a");
        assert_eq!(fail("a"), 1);
        assert!(memories.locked().is_empty());
    }

    const HINT: Hint = Hint {
        why: Why::Sweep,
        shown: Some(7),
        is_second: false,
    };

    #[test]
    fn a_hint_holds_until_a_pass_has_an_answer() {
        let mut memory = Memory {
            hinted: Some(HINT),
            ..Memory::default()
        };
        for _ in 0..2 {
            memory.begin();
            assert!(memory.is_hinted() && memory.why() == Why::Sweep);
            assert_eq!(memory.end(&Outcome::Waiting, false, Duration::ZERO, 0.0), None);
        }
        // One that comes while a pass is at work is followed by the next.
        let message = Hint {
            why: Why::Message,
            shown: None,
            is_second: false,
        };
        memory.hinted = Some(message);
        let end = memory.end(&Outcome::InPlace(Did::Nothing), false, Duration::ZERO, 0.0);
        assert_eq!(end, Some((HINT, Followed::Futile)));
        memory.begin();
        let end = memory.end(&Outcome::InPlace(Did::Repaired), true, Duration::ZERO, 0.0);
        assert_eq!(end, Some((message, Followed::Looked)));
        assert!(!memory.is_hinted() && memory.why() == Why::Timer);
    }

    /// What came of a look upon a sweep's hint, and whether the same answer would be a hint again.
    #[test]
    fn only_a_look_that_found_nothing_new_makes_an_answer_known() {
        let failed = Outcome::Refused(crate::api::Reason::RoleNotOwned, String::new());
        for (outcome, news, is_known) in [
            (Outcome::InPlace(Did::Nothing), false, true),
            (Outcome::InPlace(Did::Nothing), true, false),
            (Outcome::InPlace(Did::Repaired), true, false),
            (Outcome::Reported(Vec::new()), true, true),
            (Outcome::Reported(Vec::new()), false, true),
            (failed, true, false),
            (Outcome::Waiting, false, false),
        ] {
            let mut memory = Memory {
                hinted: Some(HINT),
                ..Memory::default()
            };
            memory.begin();
            memory.end(&outcome, news, Duration::ZERO, 0.0);
            let shown = Sighting::Differs(7);
            let again = memory.sightings.take(shown, Standing::AtRest, 1, Duration::ZERO, 0.0);
            assert_eq!(again == Use::Known, is_known, "{outcome:?} {news}: {again:?}");
        }
    }

    /// Which passes count as a look, so that what sweeps see is enough again, and which make what was answered news again.
    #[test]
    fn a_whole_look_counts_and_news_makes_old_answers_news() {
        let failed = Outcome::Refused(crate::api::Reason::RoleNotOwned, String::new());
        for (outcome, news, counts, is_known) in [
            (Outcome::InPlace(Did::Nothing), false, true, true),
            (Outcome::InPlace(Did::Nothing), true, true, false),
            (Outcome::InPlace(Did::Repaired), false, true, false),
            (Outcome::Reported(Vec::new()), false, true, true),
            (Outcome::Reported(Vec::new()), true, true, false),
            (Outcome::Waiting, true, false, true),
            (failed, true, false, true),
        ] {
            let (now, hour) = (Duration::ZERO, Duration::from_hours(1));
            let mut memory = Memory::default();
            let sightings = &mut memory.sightings;
            // Its first look is due at once.
            sightings.take(Sighting::AsDeclared, Standing::AtRest, 1, now, 0.0);
            sightings.answered(7);
            assert_eq!(sightings.rests_until(1, hour, now), None);
            memory.end(&outcome, news, now, 0.0);
            let rests = memory.sightings.rests_until(1, hour, now).is_some();
            let again = memory
                .sightings
                .take(Sighting::Differs(7), Standing::AtRest, 1, now, 0.0);
            assert_eq!((rests, again == Use::Known), (counts, is_known), "{outcome:?} {news}");
        }
    }

    #[test]
    fn an_object_is_met_with_what_was_known_of_it_and_once() {
        let memories = Memories::default();
        let fail = |recent: &mut Recent| {
            recent
                .tries
                .count(Wait::Backoff(Duration::from_secs(1), Duration::from_secs(9)))
        };
        let failed_once = || {
            let mut recent = Recent::default();
            fail(&mut recent);
            recent
        };
        memories.came("a");
        memories.came("b");
        assert!(!memories.met("a", |_| true), "not yet");
        assert_eq!(memories.of("a", failed_once, |memory| fail(&mut memory.recent)), 2);
        assert_eq!(memories.of("a", failed_once, |memory| fail(&mut memory.recent)), 3);
        assert!(memories.met("a", |_| true) && !memories.met("a", Memory::is_hinted));
        assert!(!memories.met("b", |_| true) && !memories.met("never came", |_| true));
    }
}
