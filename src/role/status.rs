//! The status and the events that say what came of a pass (contract, section 5).

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::{
    DesiredRole, Difference, Head, Step,
    difference::cut,
    outcome::{Class, Did, Outcome},
    plan::Plan,
};
use crate::api::{
    ConditionType, EventReason, Reason,
    v1alpha1::{Drift, PinpointImportRoleStatus},
};

/// Most differences in a status (contract, section 5).
const MOST_DIFFERENCES: usize = 20;
/// Longest message of a condition, in characters. The API server takes 32768; people read less.
const LONGEST_MESSAGE: usize = 1000;

/// Conditions to be, without their times.
type Conditions = BTreeMap<ConditionType, (&'static str, Reason, String)>;

/// Reason of `Suspended`.
const SUSPENDED: &str = "Suspended";

/// The status after a pass. Equal to `previous` where nothing but time went by.
#[must_use]
pub fn status(
    previous: &PinpointImportRoleStatus,
    generation: i64,
    outcome: &Outcome,
    now: &Time,
) -> PinpointImportRoleStatus {
    let mut next = previous.clone();
    next.observed_generation = Some(generation);
    let mut conditions = Conditions::new();
    let mut say = |ready: &'static str, beside: Option<ConditionType>, reason: Reason, message: String| {
        let message = cut(message, LONGEST_MESSAGE);
        conditions.extend(beside.map(|beside| (beside, ("True", reason, message.clone()))));
        conditions.insert(ConditionType::Ready, (ready, reason, message));
    };
    match outcome {
        Outcome::InPlace(_) => {
            next.applied_generation = Some(generation);
            if let Some(drift) = next.last_drift.as_mut().filter(|drift| drift.repaired_at.is_none()) {
                drift.repaired_at = Some(now.clone());
            }
            let name = next.role_name.as_deref().unwrap_or_default();
            say("True", None, Reason::Reconciled, format!("role {name} is as declared"));
        }
        Outcome::Reported(differences) => {
            drifted(&mut next, differences, now);
            say(
                "False",
                Some(ConditionType::Stalled),
                Reason::DriftDetected,
                drift_message(differences),
            );
        }
        Outcome::Waiting if applied(previous, generation) => return ours(previous),
        Outcome::Waiting => {
            let message = "waiting for IAM to show the last change, which can take a minute".to_owned();
            say("False", Some(ConditionType::Reconciling), Reason::Progressing, message);
        }
        Outcome::Refused(reason, message) => say("False", Some(ConditionType::Stalled), *reason, message.clone()),
        Outcome::Failed(failure) => {
            let beside = match failure.class {
                Class::Throttled | Class::Retryable | Class::Ambiguous => ConditionType::Reconciling,
                Class::Denied | Class::Invalid | Class::Limited | Class::Credentials | Class::Blocked => {
                    ConditionType::Stalled
                }
            };
            say("False", Some(beside), failure.class.reason(), failure.message.clone());
        }
        Outcome::Deleting(message) => say(
            "False",
            Some(ConditionType::Reconciling),
            Reason::Deleting,
            message.clone(),
        ),
        Outcome::Suspended => {
            next.conditions = suspended(previous, generation, now);
            return next;
        }
    }
    if next
        .last_drift
        .as_ref()
        .is_some_and(|drift| drift.repaired_at.is_none())
    {
        let differences: Vec<&str> = next
            .last_drift
            .iter()
            .flat_map(|drift| &drift.differences)
            .map(|difference| difference.observed.as_str())
            .collect();
        let message = cut(
            format!("others changed the role: {}", differences.join("; ")),
            LONGEST_MESSAGE,
        );
        conditions.insert(ConditionType::Drifted, ("True", Reason::DriftDetected, message));
    }
    next.conditions = timed(&previous.conditions, conditions, generation, now);
    next
}

/// The status before the first write of a pass: what must not be forgotten if the controller dies in the middle.
///
/// * A drift, so that it is told even if its repair is the last thing that this process does.
/// * The keys of tags about to be set, so that they can be removed later.
/// * That the pinned role is gone, so that the one made in its place is taken for ours.
#[must_use]
pub fn intent(
    previous: &PinpointImportRoleStatus,
    generation: i64,
    desired: &DesiredRole,
    plan: &Plan,
    now: &Time,
) -> PinpointImportRoleStatus {
    let mut next = previous.clone();
    for change in plan {
        match &change.step {
            Step::CreateRole(_) => {
                next.role_id = None;
                next.role_arn = None;
                remember_tags(&mut next, desired);
            }
            Step::TagRole(_) => remember_tags(&mut next, desired),
            _ => {}
        }
    }
    if applied(previous, generation) {
        let differences = differences(plan);
        drifted(&mut next, &differences, now);
        let message = cut(drift_message(&differences), LONGEST_MESSAGE);
        let conditions = [ConditionType::Reconciling, ConditionType::Drifted]
            .map(|beside| (beside, ("True", Reason::DriftDetected, message.clone())));
        let ready = (ConditionType::Ready, ("False", Reason::DriftDetected, message.clone()));
        next.conditions = timed(
            &previous.conditions,
            conditions.into_iter().chain([ready]).collect(),
            generation,
            now,
        );
    }
    next
}

/// All differences of a plan.
#[must_use]
pub fn differences(plan: &Plan) -> Vec<Difference> {
    plan.iter().flat_map(|change| change.differences.clone()).collect()
}

/// Whether this generation was wholly in place, so that any difference since is drift.
#[must_use]
pub fn applied(status: &PinpointImportRoleStatus, generation: i64) -> bool {
    status.applied_generation == Some(generation)
}

/// Notes in the status what is known of a role that is this object's.
pub fn remember_role(status: &mut PinpointImportRoleStatus, role: &Head) {
    status.role_arn = Some(role.arn.clone());
    status.role_id = Some(role.id.clone());
}

fn remember_tags(status: &mut PinpointImportRoleStatus, desired: &DesiredRole) {
    status.tag_keys.extend(desired.tags.keys().cloned());
    status.tag_keys.sort();
    status.tag_keys.dedup();
}

/// Notes a drift, unless it is the one that is noted already, or what is left of that.
fn drifted(status: &mut PinpointImportRoleStatus, differences: &[Difference], now: &Time) {
    let differences: Vec<_> = differences.iter().take(MOST_DIFFERENCES).map(Into::into).collect();
    let known = status.last_drift.as_ref().is_some_and(|drift| {
        drift.repaired_at.is_none()
            && differences
                .iter()
                .all(|difference| drift.differences.contains(difference))
    });
    if !known {
        status.last_drift = Some(Drift {
            detected_at: now.clone(),
            repaired_at: None,
            differences,
        });
    }
}

fn drift_message(differences: &[Difference]) -> String {
    let all: Vec<String> = differences.iter().map(ToString::to_string).collect();
    format!("others changed the role: {}", all.join("; "))
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
    Reason::ALL.into_iter().find(|reason| reason.as_str() == ready.reason)
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

/// The events that go with a step from one status to the next: each once per transition.
#[must_use]
pub fn events(
    previous: &PinpointImportRoleStatus,
    next: &PinpointImportRoleStatus,
    outcome: Option<&Outcome>,
) -> Vec<(EventReason, String)> {
    let mut events = Vec::new();
    let role = next.role_name.as_deref().unwrap_or_default();
    let arn = next.role_arn.as_deref().unwrap_or(role);
    if let Some(drift) = &next.last_drift {
        let words: Vec<&str> = drift
            .differences
            .iter()
            .map(|difference| difference.observed.as_str())
            .collect();
        let words = words.join("; ");
        let before = previous.last_drift.as_ref();
        if before
            .is_none_or(|before| before.detected_at != drift.detected_at || before.differences != drift.differences)
        {
            events.push((EventReason::DriftDetected, format!("role {role}: {words}")));
        }
        if drift.repaired_at.is_some() && before.is_none_or(|before| before.repaired_at.is_none()) {
            events.push((
                EventReason::DriftRepaired,
                format!("role {role} is as declared again; it was: {words}"),
            ));
        }
    }
    match outcome {
        Some(Outcome::InPlace(Did::Created)) => events.push((EventReason::RoleCreated, format!("created role {arn}"))),
        Some(Outcome::InPlace(Did::Adopted)) => {
            events.push((EventReason::RoleAdopted, format!("took over role {arn}")));
        }
        Some(Outcome::InPlace(Did::Updated)) => {
            events.push((
                EventReason::RoleUpdated,
                format!(
                    "brought role {arn} to generation {}",
                    next.observed_generation.unwrap_or_default()
                ),
            ));
        }
        Some(Outcome::Refused(reason, message)) if is_news(previous, next) => {
            events.push((EventReason::Failing(*reason), message.clone()));
        }
        Some(Outcome::Failed(failure)) if is_news(previous, next) => {
            events.push((EventReason::Failing(failure.class.reason()), failure.message.clone()));
        }
        _ => {}
    }
    events
}

/// Whether two statuses differ in what this controller writes: order and conditions of others don't count.
#[must_use]
pub fn differs(one: &PinpointImportRoleStatus, other: &PinpointImportRoleStatus) -> bool {
    ours(one) != ours(other)
}

fn ours(status: &PinpointImportRoleStatus) -> PinpointImportRoleStatus {
    let conditions = ConditionType::ALL
        .iter()
        .filter_map(|type_| find(&status.conditions, *type_).cloned())
        .collect();
    PinpointImportRoleStatus {
        conditions,
        ..status.clone()
    }
}

/// Whether `Ready` has another reason than before, or speaks of another generation.
fn is_news(previous: &PinpointImportRoleStatus, next: &PinpointImportRoleStatus) -> bool {
    let ready = |status: &PinpointImportRoleStatus| {
        find(&status.conditions, ConditionType::Ready).map(|ready| (ready.reason.clone(), ready.observed_generation))
    };
    ready(previous) != ready(next)
}
