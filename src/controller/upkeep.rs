//! The pass over an object that is to have a role.

use std::time::Instant;

use kube::{ResourceExt, runtime::controller::Action};

use super::{
    accounts::Place,
    context::Context,
    objects::{self, ApiError},
    pass::{Stop, conclude, tell},
};
use crate::{
    api::{
        ConditionType, INLINE_POLICY,
        v1alpha1::{AdoptionPolicy, DriftPolicy, PinpointImportRole, PinpointImportRoleStatus, UndeclaredPolicies},
    },
    aws::Iam,
    role::{
        Account, Class, DesiredRole, Failure, Head, ObservedRole, Owner, Ownership, Plan, Surroundings,
        forecast::obstacle,
        outcome::{Did, Outcome},
        ownership::{Claim, ownership},
        plan::plan,
        status,
    },
};

/// One pass.
pub(super) async fn pass(context: &Context, object: PinpointImportRole, started: Instant) -> Result<Action, ApiError> {
    let mut found = object.status.clone().unwrap_or_default();
    if object.spec.suspend {
        return conclude(context, &object, found, &Outcome::Suspended, started).await;
    }
    let mut object = objects::hold(context, object).await?;
    match bring_there(context, &mut object, &mut found).await {
        Ok(outcome) | Err(Stop::With(outcome)) => conclude(context, &object, found, &outcome, started).await,
        Err(Stop::Api(error)) => Err(error),
    }
}

/// The stages of a pass. `found` gathers what is learned for the status.
async fn bring_there(
    context: &Context,
    object: &mut PinpointImportRole,
    found: &mut PinpointImportRoleStatus,
) -> Result<Outcome, Stop> {
    let Place { account, iam } = place(context, object, found).await?;
    let desired = declare(context, object, account, found)?;
    let (observed, ownership) = observe(context, &iam, object, &desired, found).await?;
    let (plan, late) = settled(
        context,
        object,
        plan(&desired, observed.as_ref(), &found.tag_keys),
        found,
    );
    if plan.is_empty() && late {
        return Ok(Outcome::Waiting);
    }
    let drifted = !plan.is_empty() && status::applied(found, generation(object));
    if drifted && object.spec.drift_policy == DriftPolicy::Report {
        return Ok(Outcome::Reported(status::differences(&plan)));
    }
    let did = deed(found, &ownership, &plan, drifted);
    if !plan.is_empty() {
        declare_intent(context, object, &desired, &plan, found).await?;
        execute(context, &iam, object, &desired, &plan, found).await?;
    }
    if let (Ownership::Adoptable, Some(observed)) = (&ownership, &observed) {
        remember(found, &observed.head)?;
    }
    if late {
        return Ok(Outcome::Waiting);
    }
    found.tag_keys = desired.tags.keys().cloned().collect();
    Ok(Outcome::InPlace(did))
}

fn generation(object: &PinpointImportRole) -> i64 {
    object.metadata.generation.unwrap_or_default()
}

/// Where the role lies, which must be where it was made.
pub(super) async fn place(
    context: &Context,
    object: &PinpointImportRole,
    found: &PinpointImportRoleStatus,
) -> Result<Place, Stop> {
    let namespace = object.namespace().unwrap_or_default();
    let place = context
        .accounts
        .choose(&namespace, object.spec.account_id.as_deref())
        .await?;
    let id = &place.account.id;
    if let Some(pinned) = found.account_id.as_ref().filter(|pinned| *pinned != id) {
        let message = format!(
            "the role was made in account {pinned}, but the controller's credentials are of account {id} now: give it credentials of \
             {pinned} again"
        );
        return Err(Failure {
            class: Class::Credentials,
            message,
        }
        .into());
    }
    Ok(place)
}

/// The role as declared; after this nothing about it can be invalid.
fn declare(
    context: &Context,
    object: &PinpointImportRole,
    account: Account,
    found: &mut PinpointImportRoleStatus,
) -> Result<DesiredRole, Stop> {
    let around = Surroundings {
        account,
        role_path: context.settings.role_path.clone(),
    };
    let declared = context
        .settings
        .guards
        .declare(&object.spec, objects::owner(context, object), &around);
    let desired = declared.map_err(|(reason, message)| Outcome::Refused(reason, message))?;
    found.role_name = Some(desired.name.to_string());
    Ok(desired)
}

/// The role as IAM has it, wholly read, and whose it is. A foreign one ends the pass.
async fn observe(
    context: &Context,
    iam: &Iam,
    object: &PinpointImportRole,
    desired: &DesiredRole,
    found: &mut PinpointImportRoleStatus,
) -> Result<(Option<ObservedRole>, Ownership), Stop> {
    let head = iam.head(desired.name.as_str()).await?;
    let rival_lives = rival_lives(context, &desired.owner, head.as_ref(), object.spec.adoption_policy).await?;
    let claim = Claim {
        owner: &desired.owner,
        pinned: found.role_id.as_deref(),
        adoption: object.spec.adoption_policy,
        rival_lives,
    };
    let ownership = ownership(head.as_ref(), claim);
    let just_tagged = || context.memory(&desired.owner.uid, |memory| memory.just_tagged(context.settings.settle));
    if matches!(ownership, Ownership::Foreign(_)) && just_tagged() {
        return Err(Outcome::Waiting.into());
    }
    if let Some((reason, message)) = obstacle(desired, head.as_ref(), &ownership) {
        return Err(Outcome::Refused(reason, message).into());
    }
    let Some(head) = head else {
        return Ok((None, ownership));
    };
    if ownership == Ownership::Owned {
        remember(found, &head)?;
    }
    let remove = object.spec.undeclared_policies == UndeclaredPolicies::Remove;
    let observed = iam.policies(head, |name| remove || name == INLINE_POLICY).await?;
    Ok((Some(observed), ownership))
}

/// Whether the owner that the role's tags name is there still. Asked only where the answer matters.
async fn rival_lives(
    context: &Context,
    ours: &Owner,
    head: Option<&Head>,
    adoption: AdoptionPolicy,
) -> Result<bool, ApiError> {
    match head.and_then(|head| Owner::of(&head.tags)) {
        Some(rival) if adoption == AdoptionPolicy::Adopt && rival.cluster == ours.cluster && rival.uid != ours.uid => {
            objects::lives(context, &rival).await
        }
        _ => Ok(true),
    }
}

/// What the status keeps of a role that is ours.
fn remember(found: &mut PinpointImportRoleStatus, head: &Head) -> Result<(), Stop> {
    let account = Account::of_arn(&head.arn).map_err(|why| Failure {
        class: Class::Ambiguous,
        message: format!("reading role {}: {why}", head.name),
    })?;
    found.account_id = Some(account.id);
    status::remember_role(found, head);
    Ok(())
}

/// Leaves out what IAM would show as done if it were not late.
fn settled(
    context: &Context,
    object: &PinpointImportRole,
    plan: Plan,
    found: &PinpointImportRoleStatus,
) -> (Plan, bool) {
    let settle = context.settings.settle;
    // What the process before this one wrote is not remembered; but it cannot have been long before `Ready` became true.
    let just_ready = status::find(&found.conditions, ConditionType::Ready).is_some_and(|ready| {
        let age = objects::now().0.duration_since(ready.last_transition_time.0);
        ready.status == "True" && age.unsigned_abs() < settle
    });
    if context.is_young() && just_ready && !plan.is_empty() && status::applied(found, generation(object)) {
        return (Plan::new(), true);
    }
    context.memory(&object.uid().unwrap_or_default(), |memory| memory.settled(plan, settle))
}

/// What the pass is about to do, for its event.
fn deed(found: &PinpointImportRoleStatus, ownership: &Ownership, plan: &Plan, drifted: bool) -> Did {
    let first = found.applied_generation.is_none();
    match ownership {
        _ if drifted => Did::Repaired,
        Ownership::Adoptable => Did::Adopted,
        _ if first => Did::Created,
        _ if plan.is_empty() => Did::Nothing,
        _ => Did::Updated,
    }
}

/// Writes to the status what must not be forgotten if this process dies in the middle.
async fn declare_intent(
    context: &Context,
    object: &mut PinpointImportRole,
    desired: &DesiredRole,
    plan: &Plan,
    found: &mut PinpointImportRoleStatus,
) -> Result<(), ApiError> {
    let next = status::intent(found, generation(object), desired, plan, &objects::now());
    if status::differs(found, &next) {
        objects::write_status(context, object, &next).await?;
        let before = object.status.replace(next.clone()).unwrap_or_default();
        tell(context, object, &before, &next, None).await;
    }
    *found = next;
    Ok(())
}

/// Carries out a plan, up to the first step that fails.
async fn execute(
    context: &Context,
    iam: &Iam,
    object: &PinpointImportRole,
    desired: &DesiredRole,
    plan: &Plan,
    found: &mut PinpointImportRoleStatus,
) -> Result<(), Stop> {
    let settle = context.settings.settle;
    let uid = object.uid().unwrap_or_default();
    for change in plan {
        let before = context.memory(&uid, |memory| {
            let before = memory.just_tagged(settle);
            memory.attempt(&change.step, settle);
            before
        });
        match iam.execute(desired.name.as_str(), change).await {
            Ok(Some(head)) => remember(found, &head)?,
            Ok(None) => {}
            // IAM may judge by tags, and they may not have arrived yet.
            Err(failure) if failure.class == Class::Denied && before => {
                return Err(Outcome::Waiting.into());
            }
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(())
}
