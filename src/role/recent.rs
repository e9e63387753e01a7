//! What this process lately did to a role and saw of it, as far as IAM may answer with what was before ("Changes that I make are not
//! always immediately visible", IAM user guide).
//!
//! Remembered is what happened, not what was tried: a call that definitely failed had no effect. Of a write is remembered what it
//! overwrote, since an answer is late only if it shows exactly that; anything else is new. A restart loses all of it.

use std::{collections::BTreeSet, time::Duration};

use super::{Class, Failure, Head, ObservedRole, Premise, Step};
use crate::api::INLINE_POLICY;

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

/// A part of a role that a write sets.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Trust,
    Boundary,
    Description,
    SessionLength,
    Attached(String),
    Inline(String),
    Tag(String),
}

/// A part as it is: none where the role does not have it.
type Fact = Option<String>;

/// A write that had its effect.
#[derive(Clone, Debug)]
struct Write {
    part: Part,
    before: Fact,
    after: Fact,
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
    /// Failed passes in a row.
    pub failures: u32,
    /// When this process met the object, if another one may have worked on it before: it bore the finalizer then.
    inherited: Option<Duration>,
    writes: Vec<Write>,
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
    /// What is remembered of an object that this process meets. `held`: it bears the finalizer already.
    #[must_use]
    pub fn meeting(held: bool, clock: Clock) -> Self {
        Self {
            inherited: held.then_some(clock.now),
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
        if answer.is_ok() {
            if matches!(step, Step::CreateRole(_)) {
                self.created = Some(clock.now);
            }
            self.writes.retain(|write| clock.is_fresh(write.at));
            self.writes
                .extend(facts(step, before).into_iter().map(|(part, before, after)| Write {
                    part,
                    before,
                    after,
                    at: clock.now,
                }));
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

    /// The role as it is behind late answers: a part that shows exactly what this process overwrote within the settle time is as it was
    /// written.
    #[must_use]
    pub fn settled(&self, shown: &ObservedRole, clock: Clock) -> Settled {
        let mut settled = Settled {
            role: shown.clone(),
            late: false,
            unproven: BTreeSet::new(),
        };
        for write in self.writes.iter().filter(|write| clock.is_fresh(write.at)) {
            if write.before != write.after && write.part.fact(&settled.role) == write.before {
                write.part.set(&mut settled.role, write.after.as_ref());
                settled.late = true;
                settled.unproven.extend(write.premise());
            }
        }
        settled
    }

    /// Forgets what is older than the settle time.
    pub fn tidy(&mut self, clock: Clock) {
        self.writes.retain(|write| clock.is_fresh(write.at));
        self.writes.shrink_to_fit();
    }
}

/// What a step sets: the part, as it was, and as it is then.
fn facts(step: &Step, before: Option<&ObservedRole>) -> Vec<(Part, Fact, Fact)> {
    let sets: Vec<(Part, Fact)> = match step {
        Step::CreateRole(new) => {
            let tags = new
                .tags
                .iter()
                .map(|(key, value)| (Part::Tag(key.clone()), Some(value.clone())));
            tags.chain([(Part::Boundary, new.boundary.as_ref().map(ToString::to_string))])
                .collect()
        }
        Step::TagRole(tags) => tags
            .iter()
            .map(|(key, value)| (Part::Tag(key.clone()), Some(value.clone())))
            .collect(),
        Step::UntagRole(keys) => keys.iter().map(|key| (Part::Tag(key.clone()), None)).collect(),
        Step::PutBoundary(arn) => vec![(Part::Boundary, Some(arn.to_string()))],
        Step::UpdateTrust(document) => vec![(Part::Trust, Some(document.clone()))],
        Step::UpdateRole {
            description,
            max_session_duration,
        } => vec![
            (Part::Description, description.clone()),
            (
                Part::SessionLength,
                max_session_duration.map(|seconds| seconds.to_string()),
            ),
        ],
        Step::DetachPolicy(arn) => vec![(Part::Attached(arn.clone()), None)],
        Step::AttachPolicy(arn) => vec![(Part::Attached(arn.to_string()), Some(String::new()))],
        Step::DeleteInlinePolicy { name, .. } => vec![(Part::Inline(name.clone()), None)],
        Step::PutBucketPolicy(document) => vec![(Part::Inline(INLINE_POLICY.to_owned()), Some(document.clone()))],
        Step::DeleteRole => Vec::new(),
    };
    sets.into_iter()
        .map(|(part, after)| {
            let before = before.and_then(|role| part.fact(role));
            (part, before, after)
        })
        .collect()
}

impl Part {
    fn fact(&self, role: &ObservedRole) -> Fact {
        let head = &role.head;
        match self {
            Self::Trust => Some(head.trust.clone()),
            Self::Boundary => head.boundary.clone(),
            Self::Description => head.description.clone(),
            Self::SessionLength => head.max_session_duration.map(|seconds| seconds.to_string()),
            Self::Attached(arn) => role.attached.contains(arn).then(String::new),
            Self::Inline(name) => role
                .inline
                .get(name)
                .map(|document| document.clone().unwrap_or_default()),
            Self::Tag(key) => head.tag(key).map(str::to_owned),
        }
    }

    fn set(&self, role: &mut ObservedRole, fact: Option<&String>) {
        let head = &mut role.head;
        match self {
            Self::Trust => head.trust = fact.cloned().unwrap_or_default(),
            Self::Boundary => head.boundary = fact.cloned(),
            Self::Description => head.description = fact.cloned(),
            Self::SessionLength => head.max_session_duration = fact.and_then(|seconds| seconds.parse().ok()),
            Self::Attached(arn) => {
                role.attached.remove(arn);
                role.attached.extend(fact.map(|_| arn.clone()));
            }
            Self::Inline(name) => {
                role.inline.remove(name);
                role.inline
                    .extend(fact.map(|document| (name.clone(), Some(document.clone()))));
            }
            Self::Tag(key) => head.set_tag(key, fact.cloned()),
        }
    }
}

impl Write {
    /// What does not hold for sure while this write is not shown.
    const fn premise(&self) -> Option<Premise> {
        match (&self.part, &self.after) {
            (Part::Trust, _) => Some(Premise::Trust),
            (Part::Boundary, _) => Some(Premise::Boundary),
            (Part::Attached(_) | Part::Inline(_), None) => Some(Premise::Removed),
            _ => None,
        }
    }
}
