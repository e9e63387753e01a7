//! The end of a pass: the status if it changed, then when to look again; or the object is let go. And the events of that.

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
    metrics::{Followed, Pass, Why},
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

/// The end of a pass.
pub(super) struct Concluded {
    /// When to look again.
    pub action: Action,
    /// What is told in events.
    pub told: Vec<Notice>,
}

/// Ends a pass.
pub(super) async fn conclude(
    context: &Context,
    object: &PinpointImportRole,
    learned: Learned<'_>,
    end: End,
    started: Instant,
) -> Result<Concluded, ApiError> {
    let outcome = match end {
        End::Say(outcome) => outcome,
        End::LetGo(notice) => match let_go(context, object).await {
            Err(error) if error.is_refusal() => Outcome::Hindered(error.to_string()),
            // Only now: a finalizer that can't be taken off makes no second event.
            gone => {
                return gone.map(|()| Concluded {
                    action: Action::await_change(),
                    told: notice.into_iter().collect(),
                });
            }
        },
    };
    let told = say(context, object, learned, &outcome, started).await?;
    Ok(Concluded {
        action: next_look(context, object, Some(&outcome)),
        told,
    })
}

/// Lets the object go.
async fn let_go(context: &Context, object: &PinpointImportRole) -> Result<(), ApiError> {
    objects::remove_finalizer(context, object).await?;
    context.forget(&object.uid().unwrap_or_default());
    Ok(())
}

async fn say(
    context: &Context,
    object: &PinpointImportRole,
    learned: Learned<'_>,
    outcome: &Outcome,
    started: Instant,
) -> Result<Vec<Notice>, ApiError> {
    let before = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or_default();
    let next = status::status(&before, generation, learned, outcome, &objects::now());
    let is_news = status::differs(&before, &next);
    let mut told = Vec::new();
    if is_news {
        objects::write_status(context, object, &next).await?;
        told = news(context, object, &before, &next, Some(outcome));
    }
    let began = context.clock().now.saturating_sub(started.elapsed());
    let followed = context.memory(object, |memory| memory.end(outcome, is_news, began, fastrand::f64()));
    if let Some((hint, followed)) = followed {
        context.metrics.hint(hint.why, followed);
        if (hint.why, hint.is_second, followed) == (Why::Message, false, Followed::Futile) {
            context
                .hints
                .looked_in_vain(context.key(object), object, context.settings.settle);
        }
    }
    context.metrics.pass(Pass {
        uid: &object.uid().unwrap_or_default(),
        outcome: outcome.as_str(),
        complete: matches!(outcome, Outcome::InPlace(_) | Outcome::Reported(_)),
        took: started.elapsed(),
    });
    Ok(told)
}

/// What is told of a transition: by these events, and in the metrics of drift.
pub(super) fn news(
    context: &Context,
    object: &PinpointImportRole,
    before: &PinpointImportRoleStatus,
    next: &PinpointImportRoleStatus,
    outcome: Option<&Outcome>,
) -> Vec<Notice> {
    let events = events(before, next, outcome);
    if events.iter().any(|(reason, _)| *reason == EventReason::DriftDetected) {
        for difference in next.last_drift.iter().flat_map(|drift| &drift.differences) {
            context.metrics.drift(&difference.field);
        }
        context
            .metrics
            .drift_seen(context.memory(object, |memory| memory.why()));
    }
    events
}

/// Time between full checks of an object's role.
pub(super) fn interval(context: &Context, object: &PinpointImportRole) -> Duration {
    object.spec.interval().ok().flatten().unwrap_or(context.settings.resync)
}

/// When to look again; without an outcome the API server did not let the pass come to one.
pub(super) fn next_look(context: &Context, object: &PinpointImportRole, outcome: Option<&Outcome>) -> Action {
    // What looks may cost is known of the account as a whole.
    let interval = interval(context, object).mul_f64(context.stretch(context.key(object)));
    let wait = wait(outcome, interval, context.settings.settle);
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
