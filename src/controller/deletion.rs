//! The pass over an object that is being deleted: the finalizer goes only once the role is known gone, or never was ours.

use std::time::Instant;

use kube::{ResourceExt, runtime::controller::Action};

use super::{
    context::Context,
    objects::{self, ApiError},
    pass::{Stop, conclude},
    upkeep::place,
};
use crate::{
    api::{
        EventReason, INLINE_POLICY, Reason,
        v1alpha1::{AdoptionPolicy, DeletionPolicy, PinpointImportRole, PinpointImportRoleStatus},
    },
    aws::Iam,
    role::{
        Class, Failure, Head, Ownership, RoleName, Step,
        desired::role_name,
        outcome::Outcome,
        ownership::{Claim, ownership},
        plan::{release, teardown},
    },
};

/// One pass.
pub(super) async fn pass(context: &Context, object: PinpointImportRole, started: Instant) -> Result<Action, ApiError> {
    if !objects::is_held(&object) {
        context.forget(&object.uid().unwrap_or_default());
        return Ok(Action::await_change());
    }
    let found = object.status.clone().unwrap_or_default();
    match clean_up(context, &object, &found).await {
        Ok(event) => {
            objects::publish(context, &object, event.into_iter().collect()).await;
            objects::release(context, &object).await?;
            context.forget(&object.uid().unwrap_or_default());
            Ok(Action::await_change())
        }
        Err(Stop::With(outcome)) => conclude(context, &object, found, &outcome, started).await,
        Err(Stop::Api(error)) => Err(error),
    }
}

/// The stages. Ends well once nothing of ours is left, with the event that says so.
async fn clean_up(
    context: &Context,
    object: &PinpointImportRole,
    found: &PinpointImportRoleStatus,
) -> Result<Option<(EventReason, String)>, Stop> {
    if object.spec.suspend {
        let message = "spec.suspend is set: the role stays until it is lifted, and so does this object";
        return Err(Outcome::Deleting(message.to_owned()).into());
    }
    // A name that IAM can't have, or an account that is not ours: nothing was ever made.
    let Ok(name) = role_name(&object.spec, &objects::owner(context, object)) else {
        return Ok(None);
    };
    let iam = match place(context, object, found).await {
        Err(Stop::With(Outcome::Refused(..))) if found.role_id.is_none() => return Ok(None),
        other => other?.iam,
    };
    let head = iam.head(name.as_str()).await?;
    match whose(context, object, found, head.as_ref()) {
        (Ownership::Absent, _) => absent(context, object, found, &name).map(Some),
        (Ownership::Owned, Some(head)) if object.spec.deletion_policy == DeletionPolicy::Retain => {
            retain(&iam, head).await.map(Some)
        }
        (Ownership::Owned, Some(head)) => delete(&iam, head.clone()).await.map(Some),
        (Ownership::Foreign(foreign), Some(head)) => {
            if context.memory(&object.uid().unwrap_or_default(), |memory| {
                memory.just_tagged(context.settings.settle)
            }) {
                return Err(Outcome::Waiting.into());
            }
            let note = format!("role {} is left in AWS: {}", head.arn, foreign.message(name.as_str()));
            Ok(found
                .role_id
                .is_some()
                .then_some((EventReason::Failing(Reason::RoleNotOwned), note)))
        }
        (Ownership::Owned | Ownership::Foreign(_) | Ownership::Adoptable, _) => Ok(None),
    }
}

fn whose<'a>(
    context: &Context,
    object: &PinpointImportRole,
    found: &PinpointImportRoleStatus,
    head: Option<&'a Head>,
) -> (Ownership, Option<&'a Head>) {
    let owner = objects::owner(context, object);
    let claim = Claim {
        owner: &owner,
        pinned: found.role_id.as_deref(),
        adoption: AdoptionPolicy::Never,
        rival_lives: true,
    };
    (ownership(head, claim), head)
}

/// IAM shows no role. That counts only if none can have been made so lately that IAM does not show it yet, by this process or the one
/// before it.
fn absent(
    context: &Context,
    object: &PinpointImportRole,
    found: &PinpointImportRoleStatus,
    name: &RoleName,
) -> Result<(EventReason, String), Stop> {
    let just_created = context.memory(&object.uid().unwrap_or_default(), |memory| {
        memory.just_created(context.settings.settle)
    });
    let unknown = context.is_young() && found.role_id.is_none();
    if just_created || unknown {
        return Err(Outcome::Deleting(format!("IAM shows no role {name}; looking again, since it may be late")).into());
    }
    Ok((EventReason::RoleDeleted, format!("role {name} is gone")))
}

async fn retain(iam: &Iam, head: &Head) -> Result<(EventReason, String), Stop> {
    let note = format!("role {} stays in AWS, without ownership tags", head.arn);
    for change in release(head) {
        iam.execute(&head.name, &change).await?;
    }
    Ok((EventReason::RoleRetained, note))
}

async fn delete(iam: &Iam, head: Head) -> Result<(EventReason, String), Stop> {
    let (name, arn) = (head.name.clone(), head.arn.clone());
    // Documents of inline policies are read so that the log has them whole before they go; our own can be made again from the spec.
    let observed = iam.policies(head, |policy| policy != INLINE_POLICY).await?;
    for change in teardown(&observed) {
        match iam.execute(&name, &change).await {
            Ok(_) => {}
            Err(failure) if failure.class == Class::Blocked && change.step == Step::DeleteRole => {
                return Err(blocked(iam, &name, failure).await.into());
            }
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok((EventReason::RoleDeleted, format!("deleted role {arn}")))
}

/// Says what is in the way of `DeleteRole`: an instance profile, or a policy that came after we looked.
async fn blocked(iam: &Iam, role: &str, failure: Failure) -> Failure {
    match iam.instance_profiles(role).await {
        Ok(profiles) if !profiles.is_empty() => Failure {
            class: Class::Blocked,
            message: format!(
                "role {role} can't be deleted while it is in instance profile {0}: take it out (aws iam \
                 remove-role-from-instance-profile --role-name {role} --instance-profile-name {1})",
                profiles.join(", "),
                profiles[0]
            ),
        },
        Ok(_) => Failure {
            class: Class::Retryable,
            ..failure
        },
        Err(_) => failure,
    }
}
