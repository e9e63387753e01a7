//! What a pass does: decided here, once, for the controller and for `plan`.
//!
//! Pure questions with a read between each, so that no call is spent that is not needed:
//!
//! ```text
//! begin ─▶ (the account) ─▶ subject ─▶ at_once ─▶ (GetRole) ─▶ whose ─▶ (the policies) ─▶ decide ─▶ (the changes) ─▶ after
//!                                          └──────────── no look ─────────────▶ (the changes) ─▶ after ─▶ (GetRole) …
//! ```
//!
//! Each of them may decide ([`ControlFlow::Break`]) or ask for the next read.

use std::{collections::BTreeSet, ops::ControlFlow};

pub use super::situation::{Aim, Decision, End, Situation, Subject, Work};
use super::{
    Account, Class, DesiredRole, Failure, Head, ObservedRole, Ownership, RoleName, Surroundings,
    desired::role_name,
    events::Notice,
    outcome::{Did, Failures, Outcome},
    ownership::{Foreign, Rival, ownership},
    plan::{adoption, plan, retention, teardown},
    progress::Progress,
    status::{applied, has_open_drift},
};
use crate::api::{
    EventReason, Reason,
    v1alpha1::{AdoptionPolicy, DeletionPolicy, DriftPolicy},
};

/// First question: is there anything to look at? The next is about the account.
pub fn begin(situation: &Situation<'_>) -> ControlFlow<End> {
    ControlFlow::Break(match (situation.deleting, situation.spec.suspend) {
        (true, _) if !situation.has_finalizer => End::LetGo(None),
        (true, true) => End::Say(Outcome::DeletionSuspended),
        (false, true) => End::Say(Outcome::Suspended),
        (_, false) => return ControlFlow::Continue(()),
    })
}

/// The end of a pass over an object that may not have its role in the account that it declares, or whose account is not known.
#[must_use]
pub fn without_account(situation: &Situation<'_>, outcome: Outcome) -> End {
    let name = match leaving(situation) {
        ControlFlow::Break(end) => return end,
        ControlFlow::Continue(name) => name,
    };
    End::Say(match (outcome, name) {
        // Settings can change: `CreateRole` may have been sent while they let the object in.
        (Outcome::Refused(reason, why), Some(name)) => Outcome::Refused(
            reason,
            format!(
                "the role {name} may be there, and can't be looked at: {why}; this object stays until that account is allowed again, or \
                 somebody of the group pinpoint-import.dev:break-glass takes the finalizer off"
            ),
        ),
        (outcome, _) => outcome,
    })
}

/// Second question: which role? `account` is that which the object declares.
pub fn subject(situation: &Situation<'_>, account: &Account) -> ControlFlow<End, Subject> {
    let name = leaving(situation)?;
    let id = &account.id;
    if let Some(pinned) = situation.status.account_id.as_ref().filter(|pinned| *pinned != id) {
        let message = format!(
            "the role was made in account {pinned}, but the controller's credentials are of account {id} now: give it credentials of \
             {pinned} again"
        );
        let class = Class::Credentials;
        return ControlFlow::Break(End::Say(Failure { class, message }.into()));
    }
    if let Some(name) = name {
        return ControlFlow::Continue(Subject::Leaving(name));
    }
    let around = Surroundings {
        account: account.clone(),
        role_path: situation.role_path.clone(),
    };
    match situation
        .guards
        .declare(situation.spec, situation.owner.clone(), &around)
    {
        Ok(desired) => ControlFlow::Continue(Subject::Role(Box::new(desired))),
        Err((reason, message)) => ControlFlow::Break(End::Say(Outcome::Refused(reason, message))),
    }
}

/// The name of a role that is to go; none if it is to stay. It is needed even where the rest of the spec is not valid.
fn leaving(situation: &Situation<'_>) -> ControlFlow<End, Option<RoleName>> {
    if !situation.deleting {
        return ControlFlow::Continue(None);
    }
    let noted = situation
        .status
        .role_name
        .as_deref()
        .and_then(|name| RoleName::parse(name).ok());
    match (role_name(situation.spec, situation.owner), noted) {
        (Ok(name), _) | (Err(_), Some(name)) => ControlFlow::Continue(Some(name)),
        // A name that IAM can't have: nothing was ever made.
        (Err(_), None) if situation.status.role_id.is_none() => ControlFlow::Break(End::LetGo(None)),
        (Err(why), None) => ControlFlow::Break(End::Say(Outcome::Refused(Reason::InvalidSpec, why))),
    }
}

/// Beside the second question: what is done without a look, since nobody can have made the role for this object. `CreateRole` does no harm
/// to a role that is there: IAM refuses it, and [`after`] asks for the look. Once in an object's life: it bears the finalizer before
/// anything is made, and where somebody took that off, the status knows that a pass came so far.
#[must_use]
pub fn at_once(situation: &Situation<'_>, subject: &Subject) -> Option<Work> {
    let desired = subject.desired()?;
    let status = situation.status;
    let is_first = !situation.has_finalizer && status.role_name.is_none() && status.role_id.is_none();
    let is_new = is_first && situation.spec.adoption_policy == AdoptionPolicy::Never;
    is_new.then(|| creation(Aim::CreateAtOnce, desired))
}

/// Third question: whose is the role that `GetRole` shows? `rival` is what is known of the owner that [`Situation::rival`] asks for.
/// The next is about its policies.
pub fn whose(
    situation: &Situation<'_>,
    subject: &Subject,
    head: Option<&Head>,
    rival: &Rival,
) -> ControlFlow<Decision, Ownership> {
    let name = subject.name();
    match (ownership(head, situation.claim(), rival), subject) {
        (Ownership::Absent, Subject::Role(desired)) => ControlFlow::Break(create(situation, desired)),
        (Ownership::Absent, Subject::Leaving(_)) if situation.recent.is_surely_absent(situation.clock) => {
            let status = situation.status;
            let was_there = status.role_id.is_some() || status.former_role_id.is_some();
            let gone = (EventReason::RoleDeleted, format!("role {name} is gone"));
            let_go(was_there.then_some(gone))
        }
        (Ownership::Absent, Subject::Leaving(_)) => {
            let message = format!("IAM shows no role {name}; looking again, since it may be late");
            rest(Outcome::Deleting(message))
        }
        // The tags that would make it ours may be on their way, and the id of a role made anew.
        (Ownership::Foreign(_), _) if situation.recent.may_lack_tags(situation.clock) => rest(situation.waiting(name)),
        (Ownership::Foreign(foreign), Subject::Role(_)) => {
            rest(Outcome::Refused(Reason::RoleNotOwned, foreign.message(name.as_str())))
        }
        (Ownership::Foreign(foreign), Subject::Leaving(_)) => let_go(left(situation, head, &foreign)),
        // A role of ours, in an answer that may be older than the one made since: pinned now, it would make that one another's.
        (Ownership::Owned, _) if situation.may_be_another(head) => rest(situation.waiting(name)),
        (whose @ (Ownership::Owned | Ownership::Adoptable), _) => match elsewhere(subject, head) {
            Some(outcome) => rest(outcome),
            None => ControlFlow::Continue(whose),
        },
    }
}

/// What is told of a foreign role when the object goes: something, where it may be taken for this object's.
fn left(situation: &Situation<'_>, head: Option<&Head>, foreign: &Foreign) -> Option<Notice> {
    let told = situation.status.role_id.is_some() || matches!(foreign, Foreign::Copied(_));
    let head = head.filter(|_| told)?;
    let note = format!("role {} is left in AWS: {}", head.arn, foreign.message(&head.name));
    Some((EventReason::Failing(Reason::RoleNotOwned), note))
}

/// A role that lies elsewhere than declared can't be brought there.
fn elsewhere(subject: &Subject, head: Option<&Head>) -> Option<Outcome> {
    let (declared, head) = (subject.desired()?.path.as_ref()?, head?);
    let message = format!(
        "role {} has the path {}, but {declared} is declared, and IAM can't move a role: make the object again with spec.path: {}",
        head.name, head.path, head.path
    );
    (head.path != declared.as_str()).then_some(Outcome::Refused(Reason::InvalidSpec, message))
}

/// There is no role of the name.
fn create(situation: &Situation<'_>, desired: &DesiredRole) -> Decision {
    let (recent, clock) = (situation.recent, situation.clock);
    // That a role is gone must be certain before its id is given up; `CreateRole` itself does no harm to a role that is there. One whose
    // `CreateRole` had no answer may have been seen already, and not be shown again.
    let doubtful = situation.status.role_id.is_some() && recent.may_lack_tags(clock) && !recent.is_surely_absent(clock);
    if recent.just_created(clock) || doubtful {
        return say(Outcome::Waiting);
    }
    by_policy(situation, desired, creation(Aim::Create, desired))
}

fn creation(aim: Aim, desired: &DesiredRole) -> Work {
    Work {
        aim,
        changes: plan(desired, None, &[]),
        before: None,
        unproven: BTreeSet::new(),
        late: false,
    }
}

/// Fourth question: what is to be done about a role that is ours or may be taken over, and has these policies?
#[must_use]
pub fn decide(situation: &Situation<'_>, subject: &Subject, whose: &Ownership, shown: &ObservedRole) -> Decision {
    let desired = match subject {
        Subject::Leaving(_) => return leave(situation, shown),
        Subject::Role(desired) => desired,
    };
    let settled = situation.recent.settled(shown, situation.clock);
    let keys = &situation.status.tag_keys;
    let (aim, changes) = match whose {
        Ownership::Adoptable => (Aim::Adopt, adoption(desired, &settled.role, keys)),
        _ => (Aim::Update, plan(desired, Some(&settled.role), keys)),
    };
    let work = Work {
        aim,
        changes,
        before: Some(Box::new(settled.role)),
        unproven: settled.unproven,
        late: settled.late,
    };
    match (work.changes.is_empty(), work.late) {
        (true, true) => say(Outcome::Waiting),
        (true, false) => say(Outcome::InPlace(did(situation, desired, &work))),
        (false, _) => by_policy(situation, desired, work),
    }
}

/// What differs from a declaration that was in place is drift, and the object says what becomes of that.
fn by_policy(situation: &Situation<'_>, desired: &DesiredRole, work: Work) -> Decision {
    if work.aim == Aim::Adopt || !applied(situation.status, situation.generation, desired) {
        return Decision::Act(work);
    }
    // Nothing is remembered of what the process before this one wrote: what looks like drift may be older than that. A drift that is
    // noted already is one.
    if situation.recent.is_unsure(situation.clock) && !has_open_drift(situation.status) {
        return say(Outcome::Waiting);
    }
    match situation.spec.drift_policy {
        DriftPolicy::Report => Decision::Report(work.changes),
        DriftPolicy::Repair => Decision::Act(Work {
            aim: Aim::Repair,
            ..work
        }),
    }
}

fn leave(situation: &Situation<'_>, shown: &ObservedRole) -> Decision {
    // What this process wrote, and what is shown beside it: what is not there is taken away without harm, and what is there though it is
    // not shown would keep the role from going.
    let mut role = situation.recent.settled(shown, situation.clock).role;
    role.attached.extend(shown.attached.iter().cloned());
    for (name, document) in &shown.inline {
        role.inline.entry(name.clone()).or_insert_with(|| document.clone());
    }
    let (aim, changes) = match situation.spec.deletion_policy {
        DeletionPolicy::Delete => (Aim::Delete, teardown(&role)),
        DeletionPolicy::Retain => (Aim::Retain, retention(&role.head)),
    };
    Decision::Act(Work {
        aim,
        changes,
        before: Some(Box::new(role)),
        unproven: BTreeSet::new(),
        late: false,
    })
}

/// What was done once the role is as declared, for its event: told by the status, which says what was in place before. An earlier pass may
/// have done the work, and not known it or not got to say so: an answer was lost, the status could not be written, the process was killed.
fn did(situation: &Situation<'_>, desired: &DesiredRole, work: &Work) -> Did {
    let status = situation.status;
    let is_first = status.applied_generation.is_none();
    let is_new = status
        .applied_declaration
        .as_ref()
        .is_some_and(|hash| *hash != desired.hash());
    // Of a role that was there already when this process first saw it the spec tells where it came from.
    let is_found = situation.spec.adoption_policy == AdoptionPolicy::Adopt && !situation.recent.may_have_created();
    match work.aim {
        Aim::Repair => Did::Repaired,
        Aim::Adopt => Did::Adopted,
        Aim::Update if is_first && is_found => Did::Adopted,
        Aim::Create | Aim::CreateAtOnce | Aim::Update if is_first => Did::Created,
        _ if work.changes.is_empty() && !is_new => Did::Nothing,
        _ => Did::Updated,
    }
}

/// Last question: what came of the work? `situation` is that after it. Where a role could not be made at once, and that won't pass by
/// itself, it asks for a look: the role may be another's, and what is said then is what will be said of each look from now on.
pub fn after(situation: &Situation<'_>, subject: &Subject, work: &Work, progress: Progress) -> ControlFlow<End> {
    let mut failures = progress.failures.iter();
    let lasts = failures.any(|failure| !failure.class.passes_by_itself());
    if work.aim == Aim::CreateAtOnce && progress.made.is_none() && lasts {
        return ControlFlow::Continue(());
    }
    ControlFlow::Break(ended(situation, subject, work, progress))
}

fn ended(situation: &Situation<'_>, subject: &Subject, work: &Work, progress: Progress) -> End {
    let name = subject.name();
    let incomplete = progress.incomplete || work.late;
    let is_there = work.before.is_some() || progress.made.is_some();
    match Failures::of(progress.failures) {
        // IAM may judge by tags, and they may not have arrived yet. `CreateRole` brings its own.
        Some(failures)
            if failures.worst.class == Class::Denied && is_there && situation.recent.may_lack_tags(situation.clock) =>
        {
            End::Say(situation.waiting(name))
        }
        Some(failures) if failures.worst.class == Class::Unseen => End::Say(unseen(situation, name, failures)),
        Some(failures) if failures.worst.class == Class::Exists => End::Say(taken(situation, name)),
        Some(failures) => End::Say(Outcome::Failed(failures)),
        None if incomplete => End::Say(situation.waiting(name)),
        None => match (work.aim, &work.before) {
            (Aim::Delete, Some(role)) => {
                let note = format!("deleted role {}", role.head.arn);
                End::LetGo(Some((EventReason::RoleDeleted, note)))
            }
            (Aim::Retain, Some(role)) => {
                let note = format!("role {} stays in AWS, without ownership tags", role.head.arn);
                End::LetGo(Some((EventReason::RoleRetained, note)))
            }
            _ => End::Say(Outcome::InPlace(match subject {
                Subject::Role(desired) => did(situation, desired, work),
                Subject::Leaving(_) => Did::Nothing,
            })),
        },
    }
}

/// The outcome of a look in which the role was shown, and its policies could not be read.
#[must_use]
pub fn unread(situation: &Situation<'_>, subject: &Subject, failure: Failure) -> Outcome {
    match failure.class {
        Class::Unseen => unseen(situation, subject.name(), failure.into()),
        _ => failure.into(),
    }
}

/// IAM answers by something that it does not show: no failure as long as it may be late.
fn unseen(situation: &Situation<'_>, name: &RoleName, failures: Failures) -> Outcome {
    if situation.recent.may_be_late(situation.clock) {
        return situation.waiting(name);
    }
    Outcome::Failed(failures)
}

/// IAM has a role of the name, and does not show it.
fn taken(situation: &Situation<'_>, name: &RoleName) -> Outcome {
    if !situation.recent.is_name_taken(situation.clock) {
        return situation.waiting(name);
    }
    let message = format!(
        "IAM says that a role {name} exists and does not show it, so it can't be told whose it is: see to it that the controller may \
         read it, or that it goes, or make the object again with another spec.roleName"
    );
    Outcome::Refused(Reason::RoleNotOwned, message)
}

/// Why `DeleteRole` met a conflict: an instance profile, or something that came after the look.
#[must_use]
pub fn blocked(role: &str, profiles: &[String], failure: Failure) -> Failure {
    let Some(first) = profiles.first() else {
        return Failure {
            class: Class::Unseen,
            ..failure
        };
    };
    Failure {
        class: Class::Blocked,
        message: format!(
            "role {role} can't be deleted while it is in instance profile {}: take it out (aws iam remove-role-from-instance-profile \
             --role-name {role} --instance-profile-name {first})",
            profiles.join(", ")
        ),
    }
}

/// All questions at once, for a role that has been read already.
#[must_use]
pub fn foresee(situation: &Situation<'_>, account: &Account, role: Option<&ObservedRole>, rival: &Rival) -> Decision {
    let questions = || {
        begin(situation).map_break(Decision::End)?;
        let subject = subject(situation, account).map_break(Decision::End)?;
        let whose = whose(situation, &subject, role.map(|role| &role.head), rival)?;
        // Nobody's role is read by a question that goes on: one that is not there was decided upon.
        let role = role.cloned().unwrap_or_default();
        ControlFlow::Break::<_, std::convert::Infallible>(decide(situation, &subject, &whose, &role))
    };
    match questions() {
        ControlFlow::Break(decision) => decision,
    }
}

fn say(outcome: Outcome) -> Decision {
    Decision::End(End::Say(outcome))
}

fn rest<T>(outcome: Outcome) -> ControlFlow<Decision, T> {
    ControlFlow::Break(say(outcome))
}

fn let_go<T>(notice: Option<Notice>) -> ControlFlow<Decision, T> {
    ControlFlow::Break(Decision::End(End::LetGo(notice)))
}
