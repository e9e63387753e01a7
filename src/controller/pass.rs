//! One pass: read the object afresh, bring IAM there (or clean up), say what came of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kube::{Resource, ResourceExt, runtime::controller::Action};
use tracing::{Instrument, info_span, warn};

use super::{
    backoff,
    context::Context,
    deletion,
    objects::{self, ApiError},
    upkeep,
};
use crate::{
    api::{
        EventReason, REQUEST_ANNOTATION,
        v1alpha1::{PinpointImportRole, PinpointImportRoleStatus},
    },
    metrics::Pass,
    role::{Class, Failure, outcome::Outcome, status},
};

/// Longest wait after a failure that may pass by itself.
const LONGEST_BACKOFF: Duration = Duration::from_mins(5);
/// First wait after a failure that only people can mend: they rarely do so within a second.
const PEOPLE: Duration = Duration::from_secs(5);

/// Why a stage of a pass ends it.
#[derive(Debug)]
pub(super) enum Stop {
    /// With an outcome, which the status shows.
    With(Outcome),
    /// The API server does not do as asked, so that nothing can be shown either.
    Api(ApiError),
}

impl From<Outcome> for Stop {
    fn from(outcome: Outcome) -> Self {
        Self::With(outcome)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::With(Outcome::Failed(failure))
    }
}

impl From<ApiError> for Stop {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

/// One pass over an object.
pub(super) async fn reconcile(cached: Arc<PinpointImportRole>, context: Arc<Context>) -> Result<Action, ApiError> {
    let span = info_span!(
        "pass",
        namespace = cached.namespace(),
        name = cached.name_any(),
        generation = cached.metadata.generation
    );
    async {
        let Ok(_place) = context
            .accounts
            .places(cached.spec.account_id.as_deref())
            .acquire()
            .await
        else {
            return Ok(Action::await_change());
        };
        let started = Instant::now();
        let Some(object) = objects::fresh(&context, &cached).await? else {
            context.forget(&cached.uid().unwrap_or_default());
            return Ok(Action::await_change());
        };
        if object.meta().deletion_timestamp.is_some() {
            Box::pin(deletion::pass(&context, object, started)).await
        } else {
            Box::pin(upkeep::pass(&context, object, started)).await
        }
    }
    .instrument(span)
    .await
}

/// The wait after a pass in which the API server failed.
#[allow(clippy::needless_pass_by_value, reason = "kube calls it so")]
pub(super) fn after_error(object: Arc<PinpointImportRole>, error: &ApiError, context: Arc<Context>) -> Action {
    warn!(
        namespace = object.namespace(),
        name = object.name_any(),
        "{error}; it is tried again"
    );
    Action::requeue(wait(&context, &object, Duration::from_secs(1), LONGEST_BACKOFF))
}

/// Says what came of a pass: the status if it changed, then the events, then when to look again. `found` is the status with what the
/// pass learned of the role.
pub(super) async fn conclude(
    context: &Context,
    object: &PinpointImportRole,
    found: PinpointImportRoleStatus,
    outcome: &Outcome,
    started: Instant,
) -> Result<Action, ApiError> {
    let before = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or_default();
    let mut next = status::status(&found, generation, outcome, &objects::now());
    if !matches!(outcome, Outcome::Suspended | Outcome::Waiting)
        && let Some(request) = object.annotations().get(REQUEST_ANNOTATION)
    {
        next.last_handled_reconcile_at = Some(request.clone());
    }
    if status::differs(&before, &next) {
        objects::write_status(context, object, &next).await?;
        tell(context, object, &before, &next, Some(outcome)).await;
    }
    let state = match outcome {
        Outcome::Suspended => None,
        _ => status::ready_reason(&next),
    };
    let complete = matches!(outcome, Outcome::InPlace(_) | Outcome::Reported(_));
    context.metrics.pass(Pass {
        uid: &object.uid().unwrap_or_default(),
        outcome: outcome.as_str(),
        state,
        complete,
        interval: interval(context, object),
        took: started.elapsed(),
    });
    Ok(next_look(context, object, outcome))
}

/// Tells of a transition: in events, and in the metrics of drift.
pub(super) async fn tell(
    context: &Context,
    object: &PinpointImportRole,
    before: &PinpointImportRoleStatus,
    next: &PinpointImportRoleStatus,
    outcome: Option<&Outcome>,
) {
    let events = status::events(before, next, outcome);
    if events.iter().any(|(reason, _)| *reason == EventReason::DriftDetected) {
        for difference in next.last_drift.iter().flat_map(|drift| &drift.differences) {
            context.metrics.drift(&difference.field);
        }
    }
    objects::publish(context, object, events).await;
}

/// Time between full checks of an object's role.
fn interval(context: &Context, object: &PinpointImportRole) -> Duration {
    object.spec.interval().ok().flatten().unwrap_or(context.settings.resync)
}

/// When to look again.
fn next_look(context: &Context, object: &PinpointImportRole, outcome: &Outcome) -> Action {
    let interval = interval(context, object);
    let uid = object.uid().unwrap_or_default();
    match outcome {
        Outcome::InPlace(_) | Outcome::Reported(_) => {
            context.memory(&uid, |memory| memory.failures = 0);
            Action::requeue(backoff::jittered(interval))
        }
        Outcome::Suspended => Action::await_change(),
        Outcome::Waiting | Outcome::Deleting(_) => {
            let settle = context.settings.settle;
            Action::requeue(backoff::jittered(
                (settle / 4).clamp(Duration::from_millis(200), Duration::from_secs(5)),
            ))
        }
        Outcome::Failed(failure) => match failure.class {
            Class::Throttled | Class::Retryable | Class::Ambiguous => {
                Action::requeue(wait(context, object, Duration::from_secs(1), LONGEST_BACKOFF))
            }
            Class::Blocked | Class::Credentials => {
                Action::requeue(wait(context, object, PEOPLE, Duration::from_mins(1)))
            }
            Class::Denied | Class::Invalid | Class::Limited => Action::requeue(wait(context, object, PEOPLE, interval)),
        },
        Outcome::Refused(..) => Action::requeue(wait(context, object, PEOPLE, interval)),
    }
}

/// Counts a failure of the object and returns how long to wait.
fn wait(context: &Context, object: &PinpointImportRole, base: Duration, cap: Duration) -> Duration {
    let failures = context.memory(&object.uid().unwrap_or_default(), |memory| {
        memory.failures = memory.failures.saturating_add(1);
        memory.failures
    });
    backoff::after_failures(failures, base, cap)
}
