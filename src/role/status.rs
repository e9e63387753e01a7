//! The status that says what came of a pass (contract, section 5). It is built once, from the one before, what the pass learned, and its
//! outcome.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use strum::VariantArray;

use super::{
    Account, DesiredRole, Difference, Field, Head, Step,
    difference::{cut, list},
    outcome::Outcome,
    plan::Plan,
};
use crate::api::{
    ConditionType, Reason,
    v1alpha1::{Drift, PinpointImportRoleStatus},
};

/// Most differences in a status (contract, section 5).
const MOST_DIFFERENCES: usize = 20;
/// Longest message of a condition. The API server takes 32768 characters; people read less.
const LONGEST_MESSAGE: usize = 1000;

/// Conditions to be, without their times.
type Conditions = BTreeMap<ConditionType, (&'static str, Reason, String)>;

/// Reason of `Suspended`.
const SUSPENDED: &str = "Suspended";

/// What a pass is about to do.
#[derive(Clone, Debug)]
pub struct Intent<'a> {
    /// The declaration.
    pub desired: &'a DesiredRole,
    /// The changes.
    pub changes: &'a Plan,
    /// The drift that they undo.
    pub drift: Vec<Difference>,
}

/// What a pass learned, whatever came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Learned<'a> {
    /// The declaration, where it is a sound one.
    pub desired: Option<&'a DesiredRole>,
    /// The role, where it is this object's.
    pub role: Option<&'a Head>,
    /// The value of the annotation "reconcile now".
    pub request: Option<&'a str>,
}

/// The status after a pass. Equal to `previous` where nothing but time went by.
#[must_use]
pub fn status(
    previous: &PinpointImportRoleStatus,
    generation: i64,
    learned: Learned<'_>,
    outcome: &Outcome,
    now: &Time,
) -> PinpointImportRoleStatus {
    let mut next = previous.clone();
    learn(&mut next, learned);
    match outcome {
        Outcome::InPlace(_) => settle(&mut next, generation, learned.desired, now),
        Outcome::Reported(differences) => note_drift(&mut next, differences, now),
        // What `CreateRole` was about to set on it never came: if it is adopted one day, tags of these keys are others'.
        Outcome::Refused(Reason::RoleNotOwned, _) if next.role_id.is_none() && next.former_role_id.is_none() => {
            next.tag_keys.clear();
        }
        Outcome::Suspended => {
            next.observed_generation = Some(generation);
            next.conditions = suspended(previous, generation, now);
            return next;
        }
        _ => {}
    }
    if !matches!(outcome, Outcome::Waiting) {
        next.last_handled_reconcile_at = learned.request.map(str::to_owned).or(next.last_handled_reconcile_at);
    }
    if says_enough(previous, generation, learned.desired, outcome) {
        return ours(&next);
    }
    next.observed_generation = Some(generation);
    let mut conditions = conditions(outcome, next.role_name.as_deref().unwrap_or_default());
    if let Some(message) = open_drift(&next) {
        conditions.insert(ConditionType::Drifted, ("True", Reason::DriftDetected, message));
    }
    next.conditions = timed(&previous.conditions, conditions, generation, now);
    next
}

/// Notes what is known of the role, whatever came of the pass.
fn learn(status: &mut PinpointImportRoleStatus, learned: Learned<'_>) {
    if let Some(desired) = learned.desired {
        status.role_name = Some(desired.name.to_string());
    }
    if let Some(role) = learned.role {
        status.role_arn = Some(role.arn.clone());
        status.role_id = Some(role.id.clone());
        status.former_role_id = None;
        status.account_id = Account::of_arn(&role.arn)
            .ok()
            .map(|account| account.id)
            .or(status.account_id.take());
    }
}

/// Notes that IAM is as declared.
fn settle(status: &mut PinpointImportRoleStatus, generation: i64, desired: Option<&DesiredRole>, now: &Time) {
    status.applied_generation = Some(generation);
    if let Some(desired) = desired {
        status.applied_declaration = Some(desired.hash());
        status.tag_keys = desired.tags.keys().cloned().collect();
    }
    if let Some(drift) = status.last_drift.as_mut().filter(|drift| drift.repaired_at.is_none()) {
        drift.repaired_at = Some(now.clone());
    }
}

/// Whether the status says already what an outcome without news would make it say. IAM being late is no news for a role that is in place,
/// nor for one that is failing; and a call that may succeed a moment later says nothing about a failure that lasts.
fn says_enough(
    previous: &PinpointImportRoleStatus,
    generation: i64,
    desired: Option<&DesiredRole>,
    outcome: &Outcome,
) -> bool {
    let failing = find(&previous.conditions, ConditionType::Ready).is_some_and(|ready| {
        let told = ready.observed_generation == Some(generation) && ready.status == "False";
        told && ready_reason(previous).is_some_and(Reason::is_failing)
    });
    match outcome {
        Outcome::Waiting => failing || desired.is_some_and(|desired| applied(previous, generation, desired)),
        Outcome::Failed(failures) => failing && failures.worst.class.passes_by_itself(),
        _ => false,
    }
}

/// The conditions of an outcome, apart from `Drifted`.
fn conditions(outcome: &Outcome, role: &str) -> Conditions {
    use ConditionType::{Reconciling, Stalled};
    let (ready, beside, reason, message) = match outcome {
        Outcome::InPlace(_) => ("True", None, Reason::Reconciled, format!("role {role} is as declared")),
        Outcome::Reported(differences) => {
            let words = differences.iter().map(|difference| difference.observed.as_str());
            ("False", Some(Stalled), Reason::DriftDetected, drift_message(words, 0))
        }
        Outcome::Waiting => {
            let message = "waiting for IAM to show the last change, which can take a minute".to_owned();
            ("False", Some(Reconciling), Reason::Progressing, message)
        }
        Outcome::Refused(reason, message) => ("False", Some(Stalled), *reason, message.clone()),
        Outcome::Failed(failures) => {
            let class = failures.worst.class;
            let beside = if class.passes_by_itself() { Reconciling } else { Stalled };
            ("False", Some(beside), class.reason(), failures.message())
        }
        Outcome::Hindered(message) => ("False", Some(Reconciling), Reason::Progressing, message.clone()),
        Outcome::Deleting(message) => ("False", Some(Reconciling), Reason::Deleting, message.clone()),
        Outcome::Suspended | Outcome::DeletionSuspended => {
            let message = "spec.suspend is set: the role stays until it is lifted, and so does this object";
            ("False", Some(Reconciling), Reason::Deleting, message.to_owned())
        }
    };
    let message = cut(message, LONGEST_MESSAGE);
    let beside = beside.map(|beside| (beside, ("True", reason, message.clone())));
    beside
        .into_iter()
        .chain([(ConditionType::Ready, (ready, reason, message.clone()))])
        .collect()
}

/// The status before the first write of a pass: what must not be forgotten if the controller dies in the middle.
///
/// * A drift, so that it is told even if its repair is the last thing that this process does.
/// * The keys of tags about to be set, so that they can be removed later.
/// * That the pinned role is gone, so that the one made in its place is taken for ours; with its id, should it be there after all.
#[must_use]
pub fn intent(
    previous: &PinpointImportRoleStatus,
    generation: i64,
    intent: &Intent<'_>,
    now: &Time,
) -> PinpointImportRoleStatus {
    let Intent {
        desired,
        changes,
        drift,
    } = intent;
    let mut next = previous.clone();
    for change in *changes {
        match &change.step {
            Step::CreateRole(_) => {
                next.former_role_id = next.role_id.take().or(next.former_role_id);
                next.role_arn = None;
                remember_tags(&mut next, desired);
            }
            Step::TagRole(_) => remember_tags(&mut next, desired),
            _ => {}
        }
    }
    if drift.is_empty() {
        return next;
    }
    note_drift(&mut next, drift, now);
    let Some(message) = open_drift(&next).filter(|_| next.last_drift != previous.last_drift) else {
        return next;
    };
    let drifted = ("True", Reason::DriftDetected, message.clone());
    let conditions = Conditions::from([
        (ConditionType::Ready, ("False", Reason::DriftDetected, message)),
        (ConditionType::Reconciling, drifted.clone()),
        (ConditionType::Drifted, drifted),
    ]);
    next.conditions = timed(&previous.conditions, conditions, generation, now);
    next
}

/// Whether this declaration was wholly in place, so that any difference since is drift. Objects of version 0.1.0 have no hash of it; of
/// them the generation is believed.
#[must_use]
pub fn applied(status: &PinpointImportRoleStatus, generation: i64, desired: &DesiredRole) -> bool {
    let declaration = status.applied_declaration.as_ref();
    status.applied_generation == Some(generation) && declaration.is_none_or(|hash| *hash == desired.hash())
}

/// Whether a drift is noted that was not repaired.
#[must_use]
pub fn has_open_drift(status: &PinpointImportRoleStatus) -> bool {
    status
        .last_drift
        .as_ref()
        .is_some_and(|drift| drift.repaired_at.is_none())
}

fn open_drift(status: &PinpointImportRoleStatus) -> Option<String> {
    let drift = status.last_drift.as_ref().filter(|drift| drift.repaired_at.is_none())?;
    Some(drift_message(drift.words(), drift.unlisted()))
}

fn remember_tags(status: &mut PinpointImportRoleStatus, desired: &DesiredRole) {
    status.tag_keys.extend(desired.tags.keys().cloned());
    status.tag_keys.sort();
    status.tag_keys.dedup();
}

/// Notes a drift, unless it is the one that is noted already, or what is left of that.
fn note_drift(status: &mut PinpointImportRoleStatus, differences: &[Difference], now: &Time) {
    let known = status.last_drift.as_ref().is_some_and(|drift| {
        let total = drift.differences.len() + drift.unlisted();
        // What was not listed comes after what was.
        let unlisted = |difference: &Difference| {
            let last = drift.differences.last().map(|last| last.field.as_str());
            let last = Field::VARIANTS
                .iter()
                .copied()
                .find(|field| Some(field.as_str()) == last);
            drift.unlisted() > 0 && last.is_none_or(|last| difference.field >= last)
        };
        // A role that was gone and is made anew has nothing of what was on it.
        let was_gone = drift
            .differences
            .iter()
            .any(|difference| difference.field == Field::Role.as_str());
        let is_left_of_it = |difference: &Difference| {
            drift.differences.contains(&difference.into()) || unlisted(difference) || was_gone && difference.is_lack
        };
        drift.repaired_at.is_none() && (was_gone || differences.len() <= total) && differences.iter().all(is_left_of_it)
    });
    if !known {
        status.last_drift = Some(Drift {
            detected_at: now.clone(),
            repaired_at: None,
            differences: differences.iter().take(MOST_DIFFERENCES).map(Into::into).collect(),
            more: i32::try_from(differences.len().saturating_sub(MOST_DIFFERENCES))
                .ok()
                .filter(|more| *more > 0),
        });
    }
}

fn drift_message<'a>(words: impl IntoIterator<Item = &'a str>, more: usize) -> String {
    const WHAT: &str = "others changed the role: ";
    format!("{WHAT}{}", list(words, more, LONGEST_MESSAGE - WHAT.len()))
}

/// While suspended, no look is taken: `Ready` keeps what the last one found, and speaks of the generation that it was taken for.
fn suspended(previous: &PinpointImportRoleStatus, generation: i64, now: &Time) -> Vec<Condition> {
    let message = "spec.suspend is set: no call to IAM is made for this object";
    let mut conditions: Vec<Condition> = previous
        .conditions
        .iter()
        .filter(|condition| {
            [ConditionType::Ready, ConditionType::Drifted]
                .iter()
                .any(|kept| kept.as_str() == condition.type_)
        })
        .cloned()
        .collect();
    if find(&conditions, ConditionType::Ready).is_none() {
        let never = (
            "Unknown",
            Reason::Progressing,
            "spec.suspend is set: no look at IAM was taken yet".to_owned(),
        );
        conditions.extend(timed(
            &[],
            Conditions::from([(ConditionType::Ready, never)]),
            generation,
            now,
        ));
    }
    let since =
        find(&previous.conditions, ConditionType::Suspended).map_or(now, |condition| &condition.last_transition_time);
    conditions.push(Condition {
        type_: ConditionType::Suspended.as_str().to_owned(),
        status: "True".to_owned(),
        reason: SUSPENDED.to_owned(),
        message: message.to_owned(),
        last_transition_time: since.clone(),
        observed_generation: Some(generation),
    });
    conditions
}

/// Reason of `Ready`.
#[must_use]
pub fn ready_reason(status: &PinpointImportRoleStatus) -> Option<Reason> {
    let ready = find(&status.conditions, ConditionType::Ready)?;
    Reason::VARIANTS
        .iter()
        .copied()
        .find(|reason| reason.as_str() == ready.reason)
}

/// The condition of a type.
#[must_use]
pub fn find(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == type_.as_str())
}

/// Gives conditions their times: that of the last change of their status.
fn timed(previous: &[Condition], conditions: Conditions, generation: i64, now: &Time) -> Vec<Condition> {
    conditions
        .into_iter()
        .map(|(type_, (status, reason, message))| {
            let since = find(previous, type_)
                .filter(|condition| condition.status == status)
                .map_or(now, |condition| &condition.last_transition_time);
            Condition {
                type_: type_.as_str().to_owned(),
                status: status.to_owned(),
                reason: reason.as_str().to_owned(),
                message,
                last_transition_time: since.clone(),
                observed_generation: Some(generation),
            }
        })
        .collect()
}

/// Whether two statuses differ in what this controller writes: order and conditions of others don't count.
#[must_use]
pub fn differs(one: &PinpointImportRoleStatus, other: &PinpointImportRoleStatus) -> bool {
    ours(one) != ours(other)
}

fn ours(status: &PinpointImportRoleStatus) -> PinpointImportRoleStatus {
    let conditions = ConditionType::VARIANTS
        .iter()
        .filter_map(|type_| find(&status.conditions, *type_).cloned())
        .collect();
    PinpointImportRoleStatus {
        conditions,
        ..status.clone()
    }
}
