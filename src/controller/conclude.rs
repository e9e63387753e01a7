//! The end of a pass: the status if it changed, then the events, then when to look again; or the object is let go.

use std::time::{Duration, Instant};

use kube::{ResourceExt, runtime::controller::Action};

use super::{context::Context, objects};
use crate::{
    api::{
        EventReason, REQUEST_ANNOTATION,
        v1alpha1::{PinpointImportRole, PinpointImportRoleStatus},
    },
    backoff,
    cluster::ApiError,
    metrics::Pass,
    role::{
        decision::End,
        events::{Notice, events},
        outcome::Outcome,
        status::{self, Learned},
        waits::{Wait, wait},
    },
};

/// What is learned from an object alone.
pub(super) fn learned(object: &PinpointImportRole) -> Learned<'_> {
    Learned {
        request: object.annotations().get(REQUEST_ANNOTATION).map(String::as_str),
        ..Learned::default()
    }
}

/// Ends a pass.
pub(super) async fn conclude(
    context: &Context,
    object: &PinpointImportRole,
    learned: Learned<'_>,
    end: End,
    started: Instant,
) -> Result<Action, ApiError> {
    let outcome = match end {
        End::Say(outcome) => outcome,
        End::LetGo(notice) => match let_go(context, object, notice).await {
            Err(error) if error.is_refusal() => Outcome::Hindered(error.to_string()),
            gone => return gone.map(|()| Action::await_change()),
        },
    };
    say(context, object, learned, &outcome, started).await?;
    Ok(next_look(context, object, Some(&outcome)))
}

/// Lets the object go, and then says what became of the role: a finalizer that can't be taken off makes no second event.
async fn let_go(context: &Context, object: &PinpointImportRole, notice: Option<Notice>) -> Result<(), ApiError> {
    objects::remove_finalizer(context, object).await?;
    objects::publish(context, object, notice.into_iter().collect()).await;
    context.forget(&object.uid().unwrap_or_default());
    Ok(())
}

async fn say(
    context: &Context,
    object: &PinpointImportRole,
    learned: Learned<'_>,
    outcome: &Outcome,
    started: Instant,
) -> Result<(), ApiError> {
    let before = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or_default();
    let next = status::status(&before, generation, learned, outcome, &objects::now());
    let news = status::differs(&before, &next);
    if news {
        objects::write_status(context, object, &next).await?;
        tell(context, object, &before, &next, Some(outcome)).await;
    }
    let began = context.clock().now.saturating_sub(started.elapsed());
    let followed = context.memory(object, |memory| memory.end(outcome, news, began, fastrand::f64()));
    if let Some((why, followed)) = followed {
        context.metrics.hint(why, followed);
    }
    context.metrics.pass(Pass {
        uid: &object.uid().unwrap_or_default(),
        outcome: outcome.as_str(),
        complete: matches!(outcome, Outcome::InPlace(_) | Outcome::Reported(_)),
        took: started.elapsed(),
    });
    Ok(())
}

/// Tells of a transition: in events, and in the metrics of drift.
pub(super) async fn tell(
    context: &Context,
    object: &PinpointImportRole,
    before: &PinpointImportRoleStatus,
    next: &PinpointImportRoleStatus,
    outcome: Option<&Outcome>,
) {
    let events = events(before, next, outcome);
    if events.iter().any(|(reason, _)| *reason == EventReason::DriftDetected) {
        for difference in next.last_drift.iter().flat_map(|drift| &drift.differences) {
            context.metrics.drift(&difference.field);
        }
        context
            .metrics
            .drift_seen(context.memory(object, |memory| memory.why()));
    }
    objects::publish(context, object, events).await;
}

/// Time between full checks of an object's role.
pub(super) fn interval(context: &Context, object: &PinpointImportRole) -> Duration {
    object.spec.interval().ok().flatten().unwrap_or(context.settings.resync)
}

/// When to look again; without an outcome the API server did not let the pass come to one.
pub(super) fn next_look(context: &Context, object: &PinpointImportRole, outcome: Option<&Outcome>) -> Action {
    let wait = wait(outcome, interval(context, object), context.settings.settle);
    let tries = context.recent(object, |recent| {
        recent.tidy(context.clock());
        recent.tries.count(wait)
    });
    match wait {
        Wait::ForChange => Action::await_change(),
        Wait::For(time) => Action::requeue(backoff::jittered(time)),
        Wait::Backoff(first, longest) => Action::requeue(backoff::after_failures(tries, first, longest)),
    }
}
