//! What must hold at every write, judged by what nobody in the world knows but the laws: where a role came from, and what IAM did not
//! show.

use pinpoint_import_role_controller::{
    api::{
        EventReason, Reason, Tag,
        v1alpha1::{AdoptionPolicy, DeletionPolicy},
    },
    role::{
        DesiredRole, Head, ObservedRole, Owner, Premise, RolePath, Step, Surroundings,
        decision::{Aim, End, Subject, Work},
        events::Notice,
        outcome::Outcome,
        ownership::Rival,
        plan::plan,
        progress::Progress,
        recent::Settled,
    },
};

use crate::{
    power::{gained, permitted},
    world::{Model, Object, Pass, Replica, World},
};

/// A law that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(pub String);

fn broken(law: &str, how: impl std::fmt::Display) -> Result<(), Broken> {
    Err(Broken(format!("{law}: {how}")))
}

/// *Never wider*: no step makes possible what neither was possible when the pass looked, nor is declared. What others did after the look,
/// or what IAM did not show of it, nobody can take into account: then the same is asked of the role as the pass knows it.
///
/// # Errors
/// What somebody can do now.
pub fn never_wider(
    pass: &Pass,
    step: &Step,
    progress: &Progress,
    before: Option<&ObservedRole>,
    after: Option<&ObservedRole>,
) -> Result<(), Broken> {
    // One exception: where an undeclared policy can't be taken off, a stranger is put out all the same.
    if matches!(step, Step::UpdateTrust(_)) && !progress.holds(Premise::Removed) && takes_away(pass) {
        return Ok(());
    }
    let desired = pass.subject.as_ref().and_then(Subject::desired);
    let power = if pass.unseen {
        let after = pass.known.as_ref().map(|role| step.applied(role));
        let start = pass.known.as_ref();
        gained(start, after.as_ref(), &permitted(desired, start))
    } else {
        gained(before, after, &permitted(desired, pass.start.as_ref()))
    };
    match power {
        Some(power) => broken(
            "never wider",
            format_args!("{} makes possible {power:?}", step.action()),
        ),
        None => Ok(()),
    }
}

/// Whether the trust policy that a pass knows lets somebody in who is not declared.
fn takes_away(pass: &Pass) -> bool {
    pass.known
        .as_ref()
        .is_some_and(|role| !trusts_pinpoint_alone(&role.head))
}

/// *Foreign untouched*: a step goes to a role that is this object's, or that it may take over; and none but the tags go there first. None
/// goes anywhere for an object that was suspended when the pass began.
///
/// # Errors
/// Whose role is written to.
pub fn untouched(model: &Model, replica: &Replica, pass: &Pass, work: &Work, step: &Step) -> Result<(), Broken> {
    if model.spec(&pass.object).suspend {
        return broken("suspended", format_args!("{} is sent", step.action()));
    }
    if matches!(step, Step::CreateRole(_)) {
        return Ok(());
    }
    let Some(known) = &pass.known else {
        return broken(
            "foreign untouched",
            format_args!("{} upon a role that was never seen", step.action()),
        );
    };
    // A role that this pass made.
    let Some(head) = &pass.head else { return Ok(()) };
    if is_ours(model, replica, &pass.object, head) {
        return Ok(());
    }
    let ours = model.settings(replica).owner(pass.object.uid);
    let is_tagged = known.head.tag(Tag::Uid.key()) == Some(&ours.uid);
    let may = work.aim == Aim::Adopt && is_adoptable(model, replica, &pass.object, head);
    if may && (is_tagged || matches!(step, Step::TagRole(_))) {
        return Ok(());
    }
    broken("foreign untouched", format_args!("{} on {head:?}", step.action()))
}

/// *Late is what we wrote over*: nobody waits until IAM shows a write of his on a role to which he wrote nothing.
///
/// # Errors
/// Which role that is.
pub fn late_is_ours(world: &World, pass: &Pass, shown: &ObservedRole, settled: &Settled) -> Result<(), Broken> {
    let id = &shown.head.id;
    // Where the role was replaced during the look, id and policies are of two roles.
    if settled.late && !pass.unseen && !world.iam.is_written(id) {
        return broken("late is what we wrote over", id);
    }
    Ok(())
}

/// *Nothing in vain*: no call is made that can only fail, whose answer would stand in the place of the true reason.
///
/// # Errors
/// What keeps the role from being deleted.
pub fn not_in_vain(pass: &Pass, step: &Step) -> Result<(), Broken> {
    let known = pass.known.as_ref().filter(|_| *step == Step::DeleteRole);
    match known.filter(|role| !role.attached.is_empty() || !role.inline.is_empty()) {
        Some(role) => broken("nothing in vain", format_args!("DeleteRole under {:?}", role.attached)),
        None => Ok(()),
    }
}

/// *At once, once*: `CreateRole` goes before a look no more than once a generation, or a role of others would cost a call each try.
///
/// # Errors
/// For which generation it goes again.
pub fn at_once_once(world: &mut World, pass: &Pass, work: &Work) -> Result<(), Broken> {
    let this = Some((pass.object.uid, pass.object.generation));
    if work.aim != Aim::CreateAtOnce || pass.known.is_some() {
        return Ok(());
    }
    if std::mem::replace(&mut world.at_once, this) == this {
        return broken(
            "at once, once",
            format_args!("again for generation {}", pass.object.generation),
        );
    }
    Ok(())
}

/// The table of ownership (contract, section 4).
fn is_ours(model: &Model, replica: &Replica, object: &Object, head: &Head) -> bool {
    let owner = model.settings(replica).owner(object.uid);
    let uid = head.tag(Tag::Uid.key());
    let status = &object.status;
    let former = status.former_role_id.as_ref().filter(|former| **former == head.id);
    if let Some(pinned) = status.role_id.as_ref().or(former) {
        return *pinned == head.id && uid.is_none_or(|uid| uid == owner.uid);
    }
    let tagged = head.tag(Tag::Cluster.key()) == Some(&owner.cluster) && uid == Some(&owner.uid);
    tagged && trusts_pinpoint_alone(head)
}

fn is_adoptable(model: &Model, replica: &Replica, object: &Object, head: &Head) -> bool {
    let owner = model.settings(replica).owner(object.uid);
    let other = Owner::of(head).filter(|other| other.uid != owner.uid || other.cluster != owner.cluster);
    let is_live = other.is_some_and(|other| other.cluster != owner.cluster || model.scene.rival != Rival::Gone);
    let adopts = model.spec(object).adoption_policy == AdoptionPolicy::Adopt && !object.deleting;
    adopts && trusts_pinpoint_alone(head) && !is_live
}

/// Of the trust policies of this world.
fn trusts_pinpoint_alone(head: &Head) -> bool {
    head.trust.contains("pinpoint.amazonaws.com") && !head.trust.contains("\"AWS\"")
}

/// *No orphan*: no role that was made for an object stays when that is gone, unless it is to.
///
/// # Errors
/// Which role stays.
pub fn orphan(model: &Model, world: &World) -> Result<(), Broken> {
    let Some(role) = world.iam.truth() else { return Ok(()) };
    let is_there = |uid| world.object.as_ref().is_some_and(|object| object.uid == uid);
    let retained = model
        .scene
        .specs
        .iter()
        .any(|spec| spec.deletion_policy == DeletionPolicy::Retain);
    match role.maker {
        Some(uid) if !role.spoiled && !is_there(uid) && !retained => broken("no orphan", &role.shown.head.id),
        _ => Ok(()),
    }
}

/// *Ready is true*: what is said to be as declared is, as far as the pass knows; and in truth, if IAM hid nothing of what others did.
///
/// # Errors
/// What differs.
pub fn ready_is_true(model: &Model, replica: &Replica, pass: &Pass, end: &End, world: &World) -> Result<(), Broken> {
    if !matches!(end, End::Say(Outcome::InPlace(_))) {
        return Ok(());
    }
    let desired = declared(model, replica, &pass.object);
    let truth = world.iam.role().filter(|_| !pass.unseen && model.scene.replicas == 1);
    for role in [pass.known.as_ref(), truth].into_iter().flatten() {
        let left = plan(&desired, Some(role), &[]);
        if let Some(change) = left.first() {
            return broken(
                "ready is true",
                format_args!("it says so before {}", change.step.action()),
            );
        }
    }
    Ok(())
}

/// *A refusal is true*: nobody says of a role that was made for his object, and that others left alone, that it is not his.
///
/// # Errors
/// Of which role it is said.
pub fn refusal_is_true(world: &World, pass: &Pass, end: &End) -> Result<(), Broken> {
    let is_refusal = matches!(end, End::Say(Outcome::Refused(Reason::RoleNotOwned, _)));
    match world.iam.truth() {
        Some(role) if is_refusal && role.maker == Some(pass.object.uid) && !role.spoiled => {
            broken("a refusal is true", &role.shown.head.id)
        }
        _ => Ok(()),
    }
}

/// *Told once*: nothing is told that did not happen, and nothing twice. Two replicas that look at once both tell.
///
/// # Errors
/// What is told too often.
pub fn tell(model: &Model, world: &mut World, events: &[Notice]) -> Result<(), Broken> {
    for (reason, note) in events {
        let untold = match reason {
            EventReason::DriftDetected => &mut world.untold.drifts,
            EventReason::Failing(_) => &mut world.untold.failures,
            _ => continue,
        };
        match untold.checked_sub(1) {
            Some(_) if *untold == u8::MAX => {}
            Some(left) => *untold = left,
            None if model.scene.replicas > 1 => {}
            None => return broken("told once", format_args!("{reason:?} {note}")),
        }
    }
    Ok(())
}

/// The role that an object declares.
///
/// # Panics
/// A scene's declaration is not valid.
#[must_use]
pub fn declared(model: &Model, replica: &Replica, object: &Object) -> DesiredRole {
    let settings = model.settings(replica);
    let around = Surroundings {
        account: Model::account(),
        role_path: RolePath::default(),
    };
    let declared = settings
        .guards()
        .declare(model.spec(object), settings.owner(object.uid), &around);
    declared.expect("a scene's declarations are valid")
}

/// The trust policy that an object declares.
#[must_use]
pub fn declared_trust(model: &Model, replica: &Replica, object: &Object) -> String {
    declared(model, replica, object).trust.document().to_owned()
}

/// *Eventually*: what rests is gone, or as declared, or refused for a reason; and what it says is so.
///
/// # Errors
/// What it rests at instead.
pub fn rests_well(model: &Model, world: &World) -> Result<(), Broken> {
    orphan(model, world)?;
    let Some(object) = &world.object else { return Ok(()) };
    let replica = &world.replicas[0];
    let reason = pinpoint_import_role_controller::role::status::ready_reason(&object.status);
    let left = plan(
        &declared(model, replica, object),
        world.iam.role(),
        &object.status.tag_keys,
    );
    let role = world.iam.truth();
    let is_made = role.is_some_and(|role| role.maker == Some(object.uid) && !role.spoiled);
    let may_adopt = role.is_some_and(|role| is_adoptable(model, replica, object, &role.shown.head));
    let is_well = match reason {
        // Whatever the role is: nobody looks.
        _ if model.spec(object).suspend => true,
        _ if object.deleting => reason == Some(Reason::DeletionBlocked) && role.is_some_and(|role| role.in_profile),
        Some(Reason::Reconciled) => left.is_empty(),
        Some(Reason::DriftDetected) => {
            let reports = pinpoint_import_role_controller::api::v1alpha1::DriftPolicy::Report;
            model.spec(object).drift_policy == reports && !left.is_empty()
        }
        Some(Reason::RoleNotOwned) => role.is_some() && !is_made && !may_adopt,
        _ => false,
    };
    if is_well {
        return Ok(());
    }
    broken("eventually", format_args!("it rests at {world:?}"))
}
