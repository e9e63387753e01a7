//! What a decision depends on, and what can be decided.

use std::collections::BTreeSet;

use super::{
    DesiredRole, Guards, Head, ObservedRole, Owner, Plan, Premise, RoleName, RolePath,
    events::Notice,
    outcome::Outcome,
    ownership::Claim,
    plan::differences,
    progress::Progress,
    recent::{Clock, Recent},
    status::Intent,
};
use crate::api::v1alpha1::{AdoptionPolicy, PinpointImportRoleSpec, PinpointImportRoleStatus};

/// What is known of an object beside IAM.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The spec, as the API server has it.
    pub spec: &'a PinpointImportRoleSpec,
    /// The object, as ownership tags name it.
    pub owner: &'a Owner,
    /// Its status; empty for an object that is not in the cluster yet.
    pub status: &'a PinpointImportRoleStatus,
    /// `metadata.generation`.
    pub generation: i64,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Whether it bears the finalizer.
    pub has_finalizer: bool,
    /// What operators allow.
    pub guards: &'a Guards,
    /// The controller's `--role-path`.
    pub role_path: &'a RolePath,
    /// What this process lately did to the role.
    pub recent: &'a Recent,
    /// When this is asked; the core has no clock of its own.
    pub clock: Clock,
}

/// What the object asks for.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A role as declared; nothing about it can be invalid.
    Role(Box<DesiredRole>),
    /// That the role of this name goes, or is let go.
    Leaving(RoleName),
}

/// How a pass ends.
#[derive(Clone, Debug)]
pub enum End {
    /// The status says this.
    Say(Outcome),
    /// Nothing of ours is left: the finalizer goes, with this event.
    LetGo(Option<Notice>),
}

/// What a pass does.
#[derive(Clone, Debug)]
pub enum Decision {
    /// No write to IAM.
    End(End),
    /// Others changed the role, and these changes, which would undo it, are not made (`driftPolicy: Report`).
    Report(Plan),
    /// These changes are carried out.
    Act(Work),
}

/// Changes, and what they are for.
#[derive(Clone, Debug)]
pub struct Work {
    /// What they are for.
    pub aim: Aim,
    /// The changes, in order.
    pub changes: Plan,
    /// The role as it is before them; none where there is none.
    pub before: Option<Box<ObservedRole>>,
    /// What does not hold for sure, since IAM is late to show it.
    pub unproven: BTreeSet<Premise>,
    /// Whether IAM is late to show a write, so that the work is not done with these changes.
    pub late: bool,
}

/// What changes are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// To make the role, which a look did not find.
    Create,
    /// To make the role, before any look.
    CreateAtOnce,
    /// To take an existing role over.
    Adopt,
    /// To carry a change of the declaration to the role.
    Update,
    /// To undo what others changed.
    Repair,
    /// To leave the role without ownership tags.
    Retain,
    /// To make the role go.
    Delete,
}

impl Situation<'_> {
    pub(super) fn claim(&self) -> Claim<'_> {
        Claim {
            owner: self.owner,
            pinned: self.status.role_id.as_deref(),
            former: self.status.former_role_id.as_deref(),
            adoption: if self.deleting {
                AdoptionPolicy::Never
            } else {
                self.spec.adoption_policy
            },
        }
    }

    /// Whether a role that is ours by its tags, or by the id that was given up, may be shown by an answer that is older than another role
    /// of ours. Nothing is pinned then that would tell them apart.
    pub(super) fn may_be_another(&self, head: Option<&Head>) -> bool {
        let claim = self.claim();
        let gave_up = claim.former.is_some() && claim.former == head.map(|head| head.id.as_str());
        let may_be_late = gave_up && self.recent.may_lack_tags(self.clock);
        claim.pinned.is_none() && (may_be_late || self.recent.may_show_another(self.clock))
    }

    /// The outcome of waiting until IAM shows more.
    pub(super) fn waiting(&self, name: &RoleName) -> Outcome {
        if self.deleting {
            Outcome::Deleting(format!("what IAM shows of role {name} may be late; looking again"))
        } else {
            Outcome::Waiting
        }
    }

    /// The other owner whose fate decides whose the role is.
    #[must_use]
    pub fn rival(&self, head: Option<&Head>) -> Option<Owner> {
        self.claim().rival(head?)
    }
}

impl Work {
    /// What is about to be done, for the status.
    #[must_use]
    pub fn intent<'a>(&'a self, desired: &'a DesiredRole) -> Intent<'a> {
        Intent {
            desired,
            changes: &self.changes,
            drift: match self.aim {
                Aim::Repair => differences(&self.changes),
                _ => Vec::new(),
            },
        }
    }

    /// The role that is this object's after the work.
    #[must_use]
    pub fn role(&self, progress: &Progress) -> Option<Head> {
        let before = self.before.as_ref().map(|role| &role.head);
        let is_ours = self.aim != Aim::Adopt || progress.holds(Premise::Ours);
        progress.made.as_ref().or(before.filter(|_| is_ours)).cloned()
    }
}

impl Subject {
    /// Name of the role.
    #[must_use]
    pub fn name(&self) -> &RoleName {
        match self {
            Self::Role(desired) => &desired.name,
            Self::Leaving(name) => name,
        }
    }

    /// The role as declared, unless it is to go.
    #[must_use]
    pub fn desired(&self) -> Option<&DesiredRole> {
        match self {
            Self::Role(desired) => Some(desired),
            Self::Leaving(_) => None,
        }
    }
}
