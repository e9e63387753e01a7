//! The events that say what came of a pass, each once per transition (contract, section 5).

use super::{
    difference::{cut_bytes, list},
    outcome::{Did, Outcome},
    status::find,
};
use crate::api::{ConditionType, EventReason, v1alpha1::PinpointImportRoleStatus};

/// Longest note of an event, in bytes (Kubernetes API reference, `events.k8s.io/v1`: 1 kB).
const LONGEST_NOTE: usize = 1024;

/// An event: its reason and its note.
pub type Notice = (EventReason, String);

/// The events that go with a step from one status to the next.
#[must_use]
pub fn events(
    previous: &PinpointImportRoleStatus,
    next: &PinpointImportRoleStatus,
    outcome: Option<&Outcome>,
) -> Vec<Notice> {
    let mut events = drift(previous, next);
    events.extend(outcome.and_then(|outcome| done(previous, next, outcome)));
    events
        .into_iter()
        .map(|(reason, note)| (reason, cut_bytes(&note, LONGEST_NOTE)))
        .collect()
}

/// A drift that is new, and the end of one.
fn drift(previous: &PinpointImportRoleStatus, next: &PinpointImportRoleStatus) -> Vec<Notice> {
    let Some(drift) = &next.last_drift else {
        return Vec::new();
    };
    let role = next.role_name.as_deref().unwrap_or_default();
    let note = |beginning: String| {
        let words = list(drift.words(), drift.unlisted(), LONGEST_NOTE - beginning.len());
        beginning + &words
    };
    let before = previous.last_drift.as_ref();
    let mut events = Vec::new();
    if before.is_none_or(|before| before.detected_at != drift.detected_at || before.differences != drift.differences) {
        events.push((EventReason::DriftDetected, note(format!("role {role}: "))));
    }
    if drift.repaired_at.is_some() && before.is_none_or(|before| before.repaired_at.is_none()) {
        let beginning = format!("role {role} is as declared again; it was: ");
        events.push((EventReason::DriftRepaired, note(beginning)));
    }
    events
}

/// What was done, or what failed for the first time.
fn done(previous: &PinpointImportRoleStatus, next: &PinpointImportRoleStatus, outcome: &Outcome) -> Option<Notice> {
    let role = next.role_name.as_deref().unwrap_or_default();
    let arn = next.role_arn.as_deref().unwrap_or(role);
    match outcome {
        Outcome::InPlace(Did::Created) => Some((EventReason::RoleCreated, format!("created role {arn}"))),
        Outcome::InPlace(Did::Adopted) => Some((EventReason::RoleAdopted, format!("took over role {arn}"))),
        Outcome::InPlace(Did::Updated) => {
            let generation = next.observed_generation.unwrap_or_default();
            let note = if previous.applied_generation == Some(generation) {
                format!("brought role {arn} to the controller's settings as they are now")
            } else {
                format!("brought role {arn} to generation {generation}")
            };
            Some((EventReason::RoleUpdated, note))
        }
        Outcome::Refused(reason, message) if is_news(previous, next) => {
            Some((EventReason::Failing(*reason), message.clone()))
        }
        Outcome::Failed(failures) if is_news(previous, next) => {
            Some((EventReason::Failing(failures.worst.class.reason()), failures.message()))
        }
        _ => None,
    }
}

/// Whether `Ready` has another reason than before, or speaks of another generation.
fn is_news(previous: &PinpointImportRoleStatus, next: &PinpointImportRoleStatus) -> bool {
    let ready = |status: &PinpointImportRoleStatus| {
        find(&status.conditions, ConditionType::Ready).map(|ready| (ready.reason.clone(), ready.observed_generation))
    };
    ready(previous) != ready(next)
}
