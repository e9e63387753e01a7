//! What a page of a sweep says of one object's role: that it is as declared, so that no look is due; that it differs, which is a hint to
//! look; or nothing.
//!
//! A sighting is made by the very functions of a pass, and has no plan: whatever a page shows, what is written follows a look at that role
//! alone. So pages may be late, cut short or wrong. One that shows too little costs a look, and one that shows too much hides a change
//! until the next sweep, or for [`LONGEST`] at most.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    ops::ControlFlow,
    time::Duration,
};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use super::{
    Account, DesiredRole, Head, ObservedRole,
    decision::{Decision, End, Situation, Subject, begin, foresee, subject},
    outcome::{Did, Outcome},
    ownership::Rival,
    status::{Learned, differs, has_open_drift, status},
};

/// Longest time without a look at a role by itself, whatever sweeps show: a bulk read may hide something for ever.
pub const LONGEST: Duration = Duration::from_hours(24);

/// So many answers are remembered that a look has found to be no news: IAM's servers may show several states in turn for a while.
const MOST_ANSWERS: usize = 8;

/// What a sweep says of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// A pass would find nothing to do, and nothing to say.
    AsDeclared,
    /// A pass might find something. What was shown, as a number: the same for the same.
    Differs(u64),
    /// Not all that is declared was in view, or what was shown may be older than a write of this process.
    Unclear,
}

/// What an object that a sweep may speak of is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its role is as declared, everything is said, and nobody asked for anything.
    AtRest,
    /// Others changed its role, and that is only reported.
    Reported,
}

/// How an object stands; none: its own timer decides, whatever a sweep shows. `request` is the value of the annotation "reconcile now".
///
/// At rest is an object whose status a pass that finds its role as declared would leave as it is.
#[must_use]
pub fn standing(situation: &Situation<'_>, account: &Account, request: Option<&str>) -> Option<Standing> {
    let desired = declared(situation, account)?;
    let learned = Learned {
        desired: Some(&desired),
        role: None,
        request,
    };
    let says = |outcome: &Outcome| is_said(situation, learned, outcome);
    if says(&Outcome::InPlace(Did::Nothing)) {
        return Some(Standing::AtRest);
    }
    let told = has_open_drift(situation.status) && situation.status.observed_generation == Some(situation.generation);
    let asked = request.is_some_and(|request| situation.status.last_handled_reconcile_at.as_deref() != Some(request));
    (told && !asked).then_some(Standing::Reported)
}

/// The role that an object declares which holds one already, and is to keep it.
fn declared(situation: &Situation<'_>, account: &Account) -> Option<DesiredRole> {
    if !situation.has_finalizer || situation.deleting || situation.status.role_id.is_none() {
        return None;
    }
    match (begin(situation), subject(situation, account)) {
        (ControlFlow::Continue(()), ControlFlow::Continue(Subject::Role(desired))) => Some(*desired),
        _ => None,
    }
}

/// Whether the status says already what it would say after this outcome.
fn is_said(situation: &Situation<'_>, learned: Learned<'_>, outcome: &Outcome) -> bool {
    // Conditions that stay keep their time, so that any will do.
    let now = Time(Timestamp::UNIX_EPOCH);
    let next = status(situation.status, situation.generation, learned, outcome, &now);
    !differs(situation.status, &next)
}

/// What a sweep says of an object's role. `shown` is the role, or none where the whole sweep shows none of the name; `whole` tells that
/// description and session length are in it too, which bulk reads of policies leave out. The situation's time is that at which the sweep
/// began.
#[must_use]
pub fn sighting(
    situation: &Situation<'_>,
    account: &Account,
    request: Option<&str>,
    shown: Option<&ObservedRole>,
    whole: bool,
) -> Sighting {
    let Some(desired) = declared(situation, account) else {
        return Sighting::Unclear;
    };
    if situation.recent.may_be_older_than_a_write(situation.clock) {
        return Sighting::Unclear;
    }
    let mut shown = shown.cloned();
    let mut in_view = true;
    if let Some(role) = shown.as_mut().filter(|_| !whole) {
        in_view = fill_in(&mut role.head, &desired);
    }
    let hash = || hash(situation.generation, shown.as_ref());
    // Whether another owner is there still is a question for a look.
    match foresee(situation, account, shown.as_ref(), &Rival::Live) {
        Decision::End(End::Say(outcome @ Outcome::InPlace(_))) => {
            let learned = Learned {
                desired: Some(&desired),
                role: shown.as_ref().map(|role| &role.head),
                request,
            };
            let is_pinned = situation.status.role_id.as_ref() == shown.as_ref().map(|role| &role.head.id);
            match (is_pinned && is_said(situation, learned, &outcome), in_view) {
                (_, false) => Sighting::Unclear,
                (true, true) => Sighting::AsDeclared,
                // A drift that was reported, and is undone; or something to write down.
                (false, true) => Sighting::Differs(hash()),
            }
        }
        Decision::End(End::Say(Outcome::Waiting)) => Sighting::Unclear,
        _ => Sighting::Differs(hash()),
    }
}

/// Takes what was not in view as declared, so that all else is still judged. Whether nothing of it is declared.
fn fill_in(head: &mut Head, desired: &DesiredRole) -> bool {
    head.description.clone_from(&desired.description);
    head.max_session_duration = desired.max_session_duration;
    desired.description.is_none() && desired.max_session_duration.is_none()
}

fn hash(generation: i64, shown: Option<&ObservedRole>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (generation, shown).hash(&mut hasher);
    hasher.finish()
}

/// What a sighting is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The role was seen as declared: no look is due.
    Renews,
    /// A hint to look at it; the number is for [`Sightings::answered`].
    Hints(u64),
    /// A look at the very same has found nothing new.
    Known,
    /// Nothing: the object's own timer decides.
    None,
}

/// What sweeps have shown of one object's role.
#[derive(Clone, Debug, Default)]
pub struct Sightings {
    /// The generation that the role was seen to be as declared in, and when the sweep began.
    seen: Option<(i64, Duration)>,
    /// What was shown when a look found no news, the latest last.
    answered: Vec<u64>,
    /// When a look at the role by itself is due, whatever was seen.
    due: Option<Duration>,
}

impl Sightings {
    /// Takes a sighting in, of a sweep that `began` then. `share`, from 0 to 1, spreads the first looks of a process evenly: many objects
    /// are met at once.
    pub fn take(
        &mut self,
        sighting: Sighting,
        standing: Standing,
        generation: i64,
        began: Duration,
        share: f64,
    ) -> Use {
        match (sighting, standing) {
            (Sighting::AsDeclared, Standing::AtRest) => {
                self.seen = Some((generation, began));
                self.due.get_or_insert(began + LONGEST.mul_f64(share));
                Use::Renews
            }
            (Sighting::Differs(shown), _) if self.answered.contains(&shown) => Use::Known,
            (Sighting::Differs(shown), _) => Use::Hints(shown),
            _ => Use::None,
        }
    }

    /// Until when no look is due, for a role that is looked at every `interval`.
    #[must_use]
    pub fn rests_until(&self, generation: i64, interval: Duration, now: Duration) -> Option<Duration> {
        let (seen, at) = self.seen?;
        let until = (at + interval).min(self.due?);
        (seen == generation && now < until).then_some(until)
    }

    /// Whether a sweep has ever shown the role as declared.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.seen.is_none()
    }

    /// A look upon a hint found nothing that was not known.
    pub fn answered(&mut self, shown: u64) {
        self.answered.retain(|known| *known != shown);
        if self.answered.len() == MOST_ANSWERS {
            self.answered.remove(0);
        }
        self.answered.push(shown);
    }

    /// A look at the role by itself was whole at that time. `news`: it found something, so that what was no news before may be some now.
    /// `share`, from 0 to 1, keeps those apart that were looked at together.
    pub fn looked(&mut self, now: Duration, news: bool, share: f64) {
        self.due = Some(now + LONGEST.mul_f64(1.0 - share / 10.0));
        if news {
            self.answered = Vec::new();
        }
    }
}
