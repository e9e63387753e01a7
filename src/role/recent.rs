//! What this process lately did to a role and saw of it, as far as IAM may answer with what was before ("Changes that I make are not
//! always immediately visible", IAM user guide).
//!
//! Remembered is what happened, not what was tried: a call that definitely failed had no effect. Of a write is remembered what it
//! overwrote, since an answer is late only if it shows exactly that; anything else is new. A restart loses all of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Class, Failure, Head, ObservedRole, Premise, Step};

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

/// An answer of IAM that a write of ours made an old one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Overwritten {
    Head(Box<Head>),
    Attached(BTreeSet<String>),
    Inline(BTreeMap<String, Option<String>>),
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
    /// Failed passes in a row.
    pub failures: u32,
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
    /// Whether a `CreateRole` ever may have had its effect.
    may_have_created: bool,
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

    /// Takes note of what came of a step. `before` is the role as it was before it.
    pub fn did(&mut self, step: &Step, before: Option<&ObservedRole>, answer: Result<(), &Failure>, clock: Clock) {
        if let (Step::CreateRole(_), Err(failure)) = (step, answer)
            && failure.class == Class::Exists
        {
            self.taken_since.get_or_insert(clock.now);
            self.absent_since = None;
        }
        if answer.is_err_and(|failure| failure.class != Class::Ambiguous) {
            return;
        }
        if matches!(step, Step::CreateRole(_)) {
            self.may_have_created = true;
            self.absent_since = None;
        }
        if matches!(step, Step::CreateRole(_) | Step::TagRole(_)) {
            self.tagged = Some(clock.now);
        }
        // A write of unknown fate is not waited for: to send it again does no harm, and if it had its effect there is nothing to send.
        if answer.is_err() {
            return;
        }
        if matches!(step, Step::CreateRole(_)) {
            self.created = Some(clock.now);
        }
        if let Some(before) = before {
            self.tidy(clock);
            self.overwritten
                .extend(overwrites(step, before).map(|answer| (answer, clock.now)));
            self.written = Some(Box::new(step.applied(before)));
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

    /// Whether what IAM shows may be older than a write of the process before this one, of which nothing is remembered. So a restart
    /// makes nobody more certain.
    #[must_use]
    pub fn is_unsure(&self, clock: Clock) -> bool {
        self.inherited.is_some_and(|met| clock.is_fresh(met))
    }

    /// Whether the role's absence is proven: seen for a settle time, or nobody can have made one.
    #[must_use]
    pub fn is_surely_absent(&self, clock: Clock) -> bool {
        let never_made = self.inherited.is_none() && !self.may_have_created;
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
        let role = &mut settled.role;
        if shown.head != written.head && is_late(&Overwritten::Head(Box::new(shown.head.clone()))) {
            settled.late = true;
            let trust = (shown.head.trust != written.head.trust).then_some(Premise::Trust);
            let boundary = (shown.head.boundary != written.head.boundary).then_some(Premise::Boundary);
            settled.unproven.extend(trust.into_iter().chain(boundary));
            role.head.clone_from(&written.head);
        }
        if shown.attached != written.attached && is_late(&Overwritten::Attached(shown.attached.clone())) {
            settled.late = true;
            let extra = (!shown.attached.is_subset(&written.attached)).then_some(Premise::Removed);
            settled.unproven.extend(extra);
            role.attached.clone_from(&written.attached);
        }
        if shown.inline != written.inline && is_late(&Overwritten::Inline(shown.inline.clone())) {
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
        Some(Overwritten::Attached(before.attached.clone()))
    } else if after.inline != before.inline {
        Some(Overwritten::Inline(before.inline.clone()))
    } else {
        None
    }
}
