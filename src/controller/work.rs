//! What a pass writes to IAM.

use std::ops::ControlFlow;

use super::{conclude::news, context::Context, objects};
use crate::{
    api::v1alpha1::PinpointImportRole,
    aws::Iam,
    cluster::ApiError,
    role::{
        Change, Class, Failure, Head, Step,
        decision::{End, Subject, Work, after, blocked},
        events::Notice,
        progress::Progress,
        status,
    },
};

/// Writes to the status what must not be forgotten if this process dies in the middle of the work. Returns the object as it is then, and
/// what is to be told of that.
pub(super) async fn declare(
    context: &Context,
    mut object: PinpointImportRole,
    subject: &Subject,
    work: &Work,
) -> Result<(PinpointImportRole, Vec<Notice>), ApiError> {
    let mut told = Vec::new();
    let Some(desired) = subject.desired() else {
        return Ok((object, told));
    };
    let before = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or_default();
    let next = status::intent(&before, generation, &work.intent(desired), &objects::now());
    if status::differs(&before, &next) {
        let written = objects::write_status(context, &object, &next).await?;
        told = news(context, &object, &before, &next, None);
        object.metadata.resource_version = written.metadata.resource_version;
        object.status = Some(next);
    }
    Ok((object, told))
}

/// Carries out what may be carried out. Returns how the pass ends, and the role where it is this object's now; or a look is asked for.
pub(super) async fn carry_out(
    context: &Context,
    iam: &Iam,
    object: &PinpointImportRole,
    subject: &Subject,
    work: &Work,
) -> ControlFlow<(End, Option<Head>)> {
    let name = subject.name().as_str();
    let mut progress = Progress::without(&work.unproven);
    let mut role = work.before.as_deref().cloned();
    for change in &work.changes {
        if !progress.may(change) {
            continue;
        }
        let answer = execute(iam, name, change).await;
        let outcome = answer.as_ref().map(drop);
        context.recent(object, |recent| {
            recent.did(&change.step, role.as_ref(), outcome, context.clock());
        });
        role = match &answer {
            Ok(Some(made)) => Some(made.clone().into()),
            Ok(None) => role.map(|role| change.step.applied(&role)),
            Err(_) => role,
        };
        progress.take(change, answer);
    }
    let known = context.known(object);
    let role = work.role(&progress);
    after(&context.situation(object, &known), subject, work, progress).map_break(|end| (end, role))
}

/// Makes one change. Where a conflict keeps a role from being deleted, what is in the way is asked for.
async fn execute(iam: &Iam, role: &str, change: &Change) -> Result<Option<Head>, Failure> {
    match iam.execute(role, change).await {
        Err(failure) if failure.class == Class::Blocked && change.step == Step::DeleteRole => {
            Err(match iam.instance_profiles(role).await {
                Ok(profiles) => blocked(role, &profiles, failure),
                Err(_) => failure,
            })
        }
        answer => answer,
    }
}
