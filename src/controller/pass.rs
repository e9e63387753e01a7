//! One pass: read the object afresh, look at its role, do what is decided, say what came of it. What is decided is `role::decision`'s.
//!
//! IAM waits for these calls to the API server, and for no others:
//!
//! | call | when | why it can't be later |
//! | --- | --- | --- |
//! | the object is read | before the first call to IAM, if the object bears the finalizer | the watch may not have shown what the last pass pinned |
//! | the finalizer | before the first call to IAM, once | a role that is made must not be forgotten; it also proves that the object is as the watch showed it |
//! | the owner that the role's tags name is read | after `GetRole`, where the object may adopt | a live owner's role is not looked into |
//! | the status | before the first write, where there is a drift, tags to set, or an id to give up | this process may die in the middle |
//!
//! Events are told while IAM works, or once the pass has given its seat to the next.

use std::{
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join;
use kube::{Resource, ResourceExt, runtime::controller::Action};
use tracing::{Instrument, debug, info_span, warn};

use super::{
    conclude::{Concluded, conclude, learned, next_look},
    context::Context,
    look::{self, Aimed, Sight},
    memory::Memory,
    objects, work,
};
use crate::{
    api::{ConditionType, REQUEST_ANNOTATION, v1alpha1::PinpointImportRole},
    aws::{Lane, PassLane},
    backoff,
    cluster::ApiError,
    role::{
        decision::{Decision, End},
        outcome::Outcome,
        plan::differences,
        status::{Learned, find},
    },
};

/// Time until the fresh pass over an object that changed during one: each conflict is a write of somebody else, so they end by themselves.
const AGAIN: Duration = Duration::from_millis(200);

/// One pass over an object.
pub(super) async fn reconcile(cached: Arc<PinpointImportRole>, context: Arc<Context>) -> Result<Action, ApiError> {
    if let Some(rest) = context.rests(&cached).await {
        return Ok(Action::requeue(rest));
    }
    let seats = context.accounts.seats(cached.spec.account_id.as_deref());
    let namespace = cached.namespace().unwrap_or_default();
    let lane = if context.memory(&cached, |memory| memory.is_hinted()) {
        Lane::Asked
    } else {
        lane(&cached)
    };
    let Some(seat) = seats.take(&namespace, &cached.uid().unwrap_or_default(), lane).await else {
        return Ok(Action::await_change());
    };
    // From here on there are as many as there are seats. Thousands wait, each without a span, and without room for what comes after.
    let span = info_span!(
        "pass",
        namespace,
        name = cached.name_any(),
        generation = cached.metadata.generation
    );
    let pass = async {
        let Concluded { action, told } = seated(&context, &cached, seat.lane()).await?;
        drop(seat);
        objects::publish(&context, &cached, told).await;
        Ok(action)
    };
    Box::pin(pass.instrument(span)).await
}

/// A pass that has its seat.
async fn seated(context: &Context, cached: &PinpointImportRole, lane: PassLane) -> Result<Concluded, ApiError> {
    let started = Instant::now();
    let untold = |action| Concluded {
        action,
        told: Vec::new(),
    };
    let object = if cached.has_finalizer() {
        let Some(object) = objects::fresh(context, cached).await? else {
            context.forget(&cached.uid().unwrap_or_default());
            return Ok(untold(Action::await_change()));
        };
        object
    } else {
        // Whatever is done to it begins with a write that the API server refuses if the object is not as it was shown.
        cached.clone()
    };
    context.memory(&object, Memory::begin);
    match Box::pin(pass(context, object, lane, started)).await {
        Err(error) if error.is_conflict() => {
            debug!("{error}: somebody else wrote the object, so a fresh pass looks at it");
            Ok(untold(Action::requeue(backoff::jittered(AGAIN))))
        }
        answer => answer,
    }
}

/// Whether somebody asked for this pass: the object says so as long as no pass has answered, and, if the answer was that it is under way,
/// as long as it is.
fn lane(object: &PinpointImportRole) -> Lane {
    let generation = object.metadata.generation;
    let answered = object.status.as_ref().filter(|status| {
        let request = object.annotations().get(REQUEST_ANNOTATION);
        let handled = request.is_none_or(|request| status.last_handled_reconcile_at.as_ref() == Some(request));
        let is_under_way = find(&status.conditions, ConditionType::Reconciling).is_some();
        let is_done = status.applied_generation == generation || !is_under_way;
        handled && status.observed_generation == generation && is_done
    });
    match answered {
        Some(_) if object.meta().deletion_timestamp.is_none() => Lane::Due,
        _ => Lane::Asked,
    }
}

/// The wait after a pass in which the API server failed.
#[allow(clippy::needless_pass_by_value, reason = "kube calls it so")]
pub(super) fn after_error(object: Arc<PinpointImportRole>, error: &ApiError, context: Arc<Context>) -> Action {
    warn!(
        namespace = object.namespace(),
        name = object.name_any(),
        "{error}; it is tried again"
    );
    next_look(&context, &object, None)
}

/// The stages.
async fn pass(
    context: &Context,
    object: PinpointImportRole,
    lane: PassLane,
    started: Instant,
) -> Result<Concluded, ApiError> {
    let Aimed {
        iam,
        subject,
        mut at_once,
    } = match look::aim(context, &object, lane).await {
        ControlFlow::Continue(found) => found,
        ControlFlow::Break(end) => return conclude(context, &object, learned(&object), end, started).await,
    };
    let changed = match objects::add_finalizer(context, &object).await {
        Err(error) if error.is_refusal() => {
            let end = End::Say(Outcome::Hindered(error.to_string()));
            return conclude(context, &object, learned(&object), end, started).await;
        }
        changed => changed?,
    };
    let mut object = changed.unwrap_or(object);
    let (end, role) = loop {
        let Sight { decision, role } = match at_once.take() {
            Some(work) => work.into(),
            None => look::look(context, &iam, &object, &subject).await?,
        };
        match decision {
            Decision::End(end) => break (end, role),
            Decision::Report(plan) => break (End::Say(Outcome::Reported(differences(&plan))), role),
            Decision::Act(work) => {
                let (declared, told) = work::declare(context, object, &subject, &work).await?;
                object = declared;
                let working = work::carry_out(context, &iam, &object, &subject, &work);
                let telling = objects::publish(context, &object, told);
                let (ended, ()) = join(Box::pin(working), Box::pin(telling)).await;
                // Work without a look goes on with one, if the role could not be made.
                if let ControlFlow::Break(ended) = ended {
                    break ended;
                }
            }
        }
    };
    let learned = Learned {
        desired: subject.desired(),
        role: role.as_ref(),
        ..learned(&object)
    };
    conclude(context, &object, learned, end, started).await
}
