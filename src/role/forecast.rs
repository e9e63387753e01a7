//! What the controller would do to an object's role, without doing it: the same functions in the same order.

use super::{
    Account, Guards, Head, ObservedRole, Owner, Ownership, RolePath, Surroundings,
    desired::{DesiredRole, role_name},
    ownership::{Claim, ownership},
    plan::{Plan, plan, release, teardown},
};
use crate::api::{
    Reason,
    v1alpha1::{AdoptionPolicy, DeletionPolicy, DriftPolicy, PinpointImportRoleSpec, PinpointImportRoleStatus},
};

/// What the decision needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The declaration.
    pub spec: &'a PinpointImportRoleSpec,
    /// The object.
    pub owner: &'a Owner,
    /// Its status; empty for an object that is not in the cluster yet.
    pub status: &'a PinpointImportRoleStatus,
    /// Whether this very spec was wholly in place before, so that a difference is drift.
    pub applied: bool,
    /// Whether the object is being deleted.
    pub deleting: bool,
    /// The account of the role.
    pub account: &'a Account,
    /// The controller's `--role-path`.
    pub role_path: &'a RolePath,
    /// What operators allow.
    pub guards: &'a Guards,
    /// The role as IAM has it.
    pub observed: Option<&'a ObservedRole>,
    /// Whether the owner that the role's tags name is there still, where it is not this object.
    pub rival_lives: bool,
}

/// What would happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forecast {
    /// Nothing: IAM is as declared.
    Nothing,
    /// Nothing: `spec.suspend`.
    Suspended,
    /// Nothing, and the object would say why.
    Refused(Reason, String),
    /// Nothing, and the drift would be reported (`driftPolicy: Report`).
    Reported(Plan),
    /// The role is made.
    Create(Plan),
    /// The role is taken over.
    Adopt(Plan),
    /// The role is changed.
    Change(Plan),
    /// The role goes with the object.
    Delete(Plan),
    /// The object goes, the role stays.
    Retain(Plan),
}

impl Forecast {
    /// The IAM calls that write, in order.
    #[must_use]
    pub fn plan(&self) -> &[super::Change] {
        match self {
            Self::Nothing | Self::Suspended | Self::Refused(..) | Self::Reported(_) => &[],
            Self::Create(plan) | Self::Adopt(plan) | Self::Change(plan) | Self::Delete(plan) | Self::Retain(plan) => {
                plan
            }
        }
    }
}

/// Why a role can't be brought to what is declared, whatever its policies are.
#[must_use]
pub fn obstacle(desired: &DesiredRole, head: Option<&Head>, ownership: &Ownership) -> Option<(Reason, String)> {
    if let Ownership::Foreign(foreign) = ownership {
        return Some((Reason::RoleNotOwned, foreign.message(desired.name.as_str())));
    }
    let head = head.filter(|head| head.path != desired.path.as_str())?;
    let message = format!(
        "role {} has the path {}, but {} is declared, and IAM can't move a role: make the object again with spec.path: {}",
        head.name, head.path, desired.path, head.path
    );
    Some((Reason::InvalidSpec, message))
}

/// What would happen.
#[must_use]
pub fn forecast(known: Known<'_>) -> Forecast {
    let head = known.observed.map(|observed| &observed.head);
    let claim = |adoption| Claim {
        owner: known.owner,
        pinned: known.status.role_id.as_deref(),
        adoption,
        rival_lives: known.rival_lives,
    };
    if known.spec.suspend {
        return Forecast::Suspended;
    }
    if known.deleting {
        return deletion(known, &ownership(head, claim(AdoptionPolicy::Never)));
    }
    let around = Surroundings {
        account: known.account.clone(),
        role_path: known.role_path.clone(),
    };
    let desired = match known.guards.declare(known.spec, known.owner.clone(), &around) {
        Ok(desired) => desired,
        Err((reason, message)) => return Forecast::Refused(reason, message),
    };
    let ownership = ownership(head, claim(known.spec.adoption_policy));
    if let Some((reason, message)) = obstacle(&desired, head, &ownership) {
        return Forecast::Refused(reason, message);
    }
    let plan = plan(&desired, known.observed, &known.status.tag_keys);
    match ownership {
        _ if plan.is_empty() => Forecast::Nothing,
        _ if known.applied && known.spec.drift_policy == DriftPolicy::Report => Forecast::Reported(plan),
        Ownership::Absent => Forecast::Create(plan),
        Ownership::Adoptable => Forecast::Adopt(plan),
        Ownership::Owned | Ownership::Foreign(_) => Forecast::Change(plan),
    }
}

fn deletion(known: Known<'_>, ownership: &Ownership) -> Forecast {
    let named = role_name(known.spec, known.owner).is_ok();
    match (ownership, known.observed.filter(|_| named)) {
        (Ownership::Owned, Some(observed)) if known.spec.deletion_policy == DeletionPolicy::Retain => {
            Forecast::Retain(release(&observed.head))
        }
        (Ownership::Owned, Some(observed)) => Forecast::Delete(teardown(observed)),
        _ => Forecast::Nothing,
    }
}
