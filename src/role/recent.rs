//! What this process lately did to a role and saw of it, as far as IAM may answer with what was before ("Changes that I make are not
//! always immediately visible", IAM user guide).
//!
//! Remembered is what happened, not what was tried: a call that definitely failed had no effect. Of a write is remembered what it
//! overwrote, since an answer is late only if it shows exactly that; anything else is new. A restart loses all of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Class, Failure, Head, ObservedRole, Premise, Step, waits::Tries};

/// The time, as decisions have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Since this process began, by a clock that nobody sets.
    pub now: Duration,
    /// How long after a write IAM may answer with what was before it (`--iam-settle-time`).
    pub settle: Duration,
}

impl Clock {
    /// Whether a time is less than the settle time ago.
    #[must_use]
    fn is_fresh(self, at: Duration) -> bool {
        self.now.saturating_sub(at) < self.settle
    }
}

/// An answer of IAM that a write of ours made an old one. Each has the role's id: of a role that others made in its place nothing is late.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Overwritten {
    Head(Box<Head>),
    Attached(String, BTreeSet<String>),
    Inline(String, BTreeMap<String, Option<String>>),
}

impl Overwritten {
    /// The same after a step.
    fn after(self, step: &Step) -> Self {
        let of = |role: ObservedRole| step.applied(&role);
        match self {
            Self::Head(head) => Self::Head(Box::new(of((*head).into()).head)),
            Self::Attached(id, attached) => {
                let role = ObservedRole {
                    attached,
                    ..ObservedRole::default()
                };
                Self::Attached(id, of(role).attached)
            }
            Self::Inline(id, inline) => {
                let role = ObservedRole {
                    inline,
                    ..ObservedRole::default()
                };
                Self::Inline(id, of(role).inline)
            }
        }
    }
}

/// A write whose answer was lost.
#[derive(Clone, Debug)]
struct Doubtful {
    step: Step,
    /// The answer that it made an old one, if it had its effect.
    overwrote: Overwritten,
    at: Duration,
}

/// A role without what is late about it.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The role, with the writes of this process in it that are not shown yet.
    pub role: ObservedRole,
    /// Whether there are such.
    pub late: bool,
    /// What does not hold for sure until they are shown.
    pub unproven: BTreeSet<Premise>,
}

/// What is remembered of one object's role.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    /// Looks in vain, in a row.
    pub tries: Tries,
    /// When this process met the object, if another one may have worked on it before: it bore the finalizer then.
    inherited: Option<Duration>,
    /// Answers that would be late, and when the write was that makes them so.
    overwritten: Vec<(Overwritten, Duration)>,
    /// The role after the last write.
    written: Option<Box<ObservedRole>>,
    /// The last `CreateRole` that had its effect.
    created: Option<Duration>,
    /// The last write of tags, which may have had its effect.
    tagged: Option<Duration>,
    /// The last write that may have had its effect.
    wrote: Option<Duration>,
    /// How many `CreateRole`s may have had their effect.
    creations: u32,
    /// Writes whose answers were lost, and whose effect no look has shown so far.
    doubtful: Vec<Doubtful>,
    /// Since when IAM has shown no role without a break.
    absent_since: Option<Duration>,
    /// Since when IAM has refused `CreateRole`, without showing a role, because there is one.
    taken_since: Option<Duration>,
}

impl Recent {
    /// What is remembered of an object that this process meets. `has_finalizer`: it bears the finalizer already.
    #[must_use]
    pub fn meeting(has_finalizer: bool, clock: Clock) -> Self {
        Self {
            inherited: has_finalizer.then_some(clock.now),
            ..Self::default()
        }
    }

    /// Takes note of what `GetRole` shows.
    pub fn saw(&mut self, role: Option<&Head>, clock: Clock) {
        if role.is_some() {
            self.absent_since = None;
            self.taken_since = None;
        } else {
            self.absent_since.get_or_insert(clock.now);
        }
    }

    /// Takes note of a role that was wholly read: a write whose answer was lost had its effect, if that is shown. From then on what was
    /// before it is late, as with any other write; with the effects of those before it, since they came in this order.
    pub fn saw_whole(&mut self, shown: &ObservedRole, clock: Clock) {
        let (done, left) = std::mem::take(&mut self.doubtful)
            .into_iter()
            .partition::<Vec<_>, _>(|write| write.step.applied(shown) == *shown);
        self.doubtful = left;
        if done.is_empty() {
            return;
        }
        let before = |at: Duration| done.iter().take_while(move |write| write.at <= at);
        let under =
            |answer: &Overwritten, at| before(at).fold(answer.clone(), |answer, write| answer.after(&write.step));
        let mut late: Vec<_> = self
            .overwritten
            .iter()
            .map(|(answer, at)| (under(answer, *at), *at))
            .collect();
        for (nth, write) in done.iter().enumerate() {
            let earlier = done.iter().take(nth);
            let answer = earlier.fold(write.overwrote.clone(), |answer, write| answer.after(&write.step));
            late.extend([(answer, clock.now), (write.overwrote.clone(), clock.now)]);
        }
        self.note_late(late);
        let written = self.written.take().map_or_else(|| shown.clone(), |written| *written);
        let written = done.iter().fold(written, |role, write| write.step.applied(&role));
        self.written = Some(Box::new(written));
    }

    /// Takes note of what came of a step. `before` is the role as it was before it.
    pub fn did(&mut self, step: &Step, before: Option<&ObservedRole>, answer: Result<(), &Failure>, clock: Clock) {
        if let (Step::CreateRole(_), Err(failure)) = (step, answer)
            && failure.class == Class::Exists
        {
            self.taken_since.get_or_insert(clock.now);
            self.absent_since = None;
            // The SDK tries again by itself: the role that is in the way may be the one that its first try made.
            self.creations = self.creations.max(1);
        }
        if answer.is_err_and(|failure| failure.class != Class::Ambiguous) {
            return;
        }
        self.wrote = Some(clock.now);
        if matches!(step, Step::CreateRole(_)) {
            self.creations = self.creations.saturating_add(1);
            self.absent_since = None;
        }
        if matches!(step, Step::CreateRole(_) | Step::TagRole(_)) {
            self.tagged = Some(clock.now);
        }
        // A write of unknown fate is not waited for: to send it again does no harm, and if it had its effect there is nothing to send.
        if answer.is_err() {
            let overwrote = before.and_then(|before| overwrites(step, before));
            self.doubtful.extend(overwrote.map(|overwrote| Doubtful {
                step: step.clone(),
                overwrote,
                at: clock.now,
            }));
            return;
        }
        if matches!(step, Step::CreateRole(_)) {
            self.created = Some(clock.now);
        }
        if let Some(before) = before {
            self.tidy(clock);
            self.write_over(step, before, clock);
            self.note_late(overwrites(step, before).map(|answer| (answer, clock.now)));
            self.written = Some(Box::new(step.applied(before)));
        }
    }

    /// Takes note that a write took the place of others whose answers were lost, so that no look will tell what came of them.
    fn write_over(&mut self, step: &Step, before: &ObservedRole, clock: Clock) {
        let after = step.applied(before);
        let (over, left) = std::mem::take(&mut self.doubtful)
            .into_iter()
            .partition::<Vec<_>, _>(|write| step.applied(&write.step.applied(before)) == after);
        self.doubtful = left;
        let late = over.into_iter().flat_map(|write| {
            let made = overwrites(step, &write.step.applied(before));
            made.into_iter().chain([write.overwrote])
        });
        self.note_late(late.map(|answer| (answer, clock.now)));
    }

    /// Notes answers that are old from these times on, each once.
    fn note_late(&mut self, late: impl IntoIterator<Item = (Overwritten, Duration)>) {
        for answer in late {
            if !self.overwritten.contains(&answer) {
                self.overwritten.push(answer);
            }
        }
    }

    /// Whether a role that was made within the settle time may not be shown yet.
    #[must_use]
    pub fn just_created(&self, clock: Clock) -> bool {
        self.created.is_some_and(|at| clock.is_fresh(at))
    }

    /// Whether tags that this process or the one before it wrote may not have arrived yet, neither in answers nor where IAM judges by
    /// them.
    #[must_use]
    pub fn may_lack_tags(&self, clock: Clock) -> bool {
        self.tagged.is_some_and(|at| clock.is_fresh(at)) || self.is_unsure(clock)
    }

    /// Whether what was asked of IAM at the clock's time may be older than the last write, which may have come after it.
    #[must_use]
    pub fn may_be_older_than_a_write(&self, clock: Clock) -> bool {
        self.wrote.is_some_and(|at| clock.now <= at + clock.settle)
    }

    /// Whether what IAM shows may be older than a write of the process before this one, of which nothing is remembered. So a restart
    /// makes nobody more certain.
    #[must_use]
    pub fn is_unsure(&self, clock: Clock) -> bool {
        self.inherited.is_some_and(|met| clock.is_fresh(met))
    }

    /// Whether a role that is shown as made for the object may be an older one than the last that was: more than one may have been made,
    /// and IAM may be late to show the last.
    #[must_use]
    pub fn may_show_another(&self, clock: Clock) -> bool {
        (self.inherited.is_some() || self.creations > 1) && self.may_lack_tags(clock)
    }

    /// Whether IAM may answer with what was before a write of this process, or of the one before it.
    #[must_use]
    pub fn may_be_late(&self, clock: Clock) -> bool {
        let mut writes = self.overwritten.iter().map(|(_, at)| *at);
        writes.any(|at| clock.is_fresh(at)) || self.just_created(clock) || self.may_lack_tags(clock)
    }

    /// Whether this process may have made the role.
    #[must_use]
    pub const fn may_have_created(&self) -> bool {
        self.creations > 0
    }

    /// Whether the role's absence is proven: seen for a settle time, or nobody can have made one.
    #[must_use]
    pub fn is_surely_absent(&self, clock: Clock) -> bool {
        let never_made = self.inherited.is_none() && self.creations == 0;
        never_made || self.absent_since.is_some_and(|since| !clock.is_fresh(since))
    }

    /// Whether IAM holds the name but does not show the role, for longer than it may be late.
    #[must_use]
    pub fn is_name_taken(&self, clock: Clock) -> bool {
        self.taken_since.is_some_and(|since| !clock.is_fresh(since))
    }

    /// The role as it is behind late answers: one that shows exactly what this process overwrote within the settle time stands for what
    /// was written.
    #[must_use]
    pub fn settled(&self, shown: &ObservedRole, clock: Clock) -> Settled {
        let mut settled = Settled {
            role: shown.clone(),
            late: false,
            unproven: BTreeSet::new(),
        };
        let Some(written) = &self.written else {
            return settled;
        };
        let is_late = |answer: &Overwritten| {
            let mut fresh = self.overwritten.iter().filter(|(_, at)| clock.is_fresh(*at));
            fresh.any(|(overwritten, _)| overwritten == answer)
        };
        let id = || shown.head.id.clone();
        let role = &mut settled.role;
        if shown.head != written.head && is_late(&Overwritten::Head(Box::new(shown.head.clone()))) {
            settled.late = true;
            let trust = (shown.head.trust != written.head.trust).then_some(Premise::Trust);
            let boundary = (shown.head.boundary != written.head.boundary).then_some(Premise::Boundary);
            let longer = shown.head.max_session_duration > written.head.max_session_duration;
            let session = longer.then_some(Premise::Removed);
            settled
                .unproven
                .extend(trust.into_iter().chain(boundary).chain(session));
            role.head.clone_from(&written.head);
        }
        if shown.attached != written.attached && is_late(&Overwritten::Attached(id(), shown.attached.clone())) {
            settled.late = true;
            let extra = (!shown.attached.is_subset(&written.attached)).then_some(Premise::Removed);
            settled.unproven.extend(extra);
            role.attached.clone_from(&written.attached);
        }
        if shown.inline != written.inline && is_late(&Overwritten::Inline(id(), shown.inline.clone())) {
            settled.late = true;
            let extra = shown.inline.keys().any(|name| !written.inline.contains_key(name));
            settled.unproven.extend(extra.then_some(Premise::Removed));
            role.inline.clone_from(&written.inline);
        }
        settled
    }

    /// Forgets what is older than the settle time.
    pub fn tidy(&mut self, clock: Clock) {
        self.overwritten.retain(|(_, at)| clock.is_fresh(*at));
        self.overwritten.shrink_to_fit();
        self.doubtful.retain(|write| clock.is_fresh(write.at));
        self.doubtful.shrink_to_fit();
        if self.overwritten.is_empty() {
            self.written = None;
        }
    }
}

/// The answer that a step makes an old one; none if it makes no difference.
fn overwrites(step: &Step, before: &ObservedRole) -> Option<Overwritten> {
    let after = step.applied(before);
    if after.head != before.head {
        Some(Overwritten::Head(Box::new(before.head.clone())))
    } else if after.attached != before.attached {
        Some(Overwritten::Attached(before.head.id.clone(), before.attached.clone()))
    } else if after.inline != before.inline {
        Some(Overwritten::Inline(before.head.id.clone(), before.inline.clone()))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::{NewRole, RolePath};

    /// The SDK tries `CreateRole` again by itself: after a lost answer it is told that the role exists.
    #[test]
    fn a_role_that_exists_may_have_been_made_by_the_try_before() {
        let settle = Duration::from_mins(1);
        let clock = |seconds| Clock {
            now: Duration::from_secs(seconds),
            settle,
        };
        let mut recent = Recent::meeting(false, clock(0));
        recent.saw(None, clock(0));
        assert!(recent.is_surely_absent(clock(0)), "nobody made one");

        let exists = Failure {
            class: Class::Exists,
            message: String::new(),
        };
        let create = Step::CreateRole(Box::new(NewRole {
            path: RolePath::default(),
            trust: String::new(),
            description: String::new(),
            max_session_duration: None,
            boundary: None,
            tags: BTreeMap::new(),
        }));
        recent.did(&create, None, Err(&exists), clock(1));
        recent.saw(None, clock(2));
        assert!(!recent.is_surely_absent(clock(3)));
        assert!(recent.is_surely_absent(clock(63)));
    }
}
