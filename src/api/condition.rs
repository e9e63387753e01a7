//! Condition types, their reasons, and the reasons of events.

use std::fmt;

use strum::VariantArray;

/// Types of `status.conditions`. All but `Ready` are present only while they are true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray)]
pub enum ConditionType {
    /// At the last complete look IAM was as declared.
    Ready,
    /// Work is under way or will be retried.
    Reconciling,
    /// Only a change of the object, the controller's settings or AWS can help.
    Stalled,
    /// Others changed the role, and it has not been repaired.
    Drifted,
    /// `spec.suspend` is set.
    Suspended,
}

impl ConditionType {
    /// The `type` in `status.conditions`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::Drifted => "Drifted",
            Self::Suspended => "Suspended",
        }
    }
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reasons of the `Ready` condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray)]
pub enum Reason {
    /// IAM is as declared.
    Reconciled,
    /// Work is under way.
    Progressing,
    /// Others changed the role.
    DriftDetected,
    /// The spec can't be a role.
    InvalidSpec,
    /// The controller's settings forbid what the spec declares.
    PolicyNotAllowed,
    /// A role of that name exists and is not this object's.
    RoleNotOwned,
    /// AWS denies a call that is needed.
    AccessDenied,
    /// A quota of the AWS account is used up.
    LimitExceeded,
    /// AWS asks to slow down.
    Throttled,
    /// AWS does not answer, or not sensibly.
    AwsUnavailable,
    /// The controller has no AWS credentials that work.
    CredentialsUnavailable,
    /// The object is being deleted.
    Deleting,
    /// Something in AWS keeps the role from being deleted.
    DeletionBlocked,
}

impl Reason {
    /// Whether it says that something failed, rather than how things go on.
    #[must_use]
    pub const fn is_failing(self) -> bool {
        match self {
            Self::Reconciled | Self::Progressing | Self::DriftDetected | Self::Deleting => false,
            Self::InvalidSpec
            | Self::PolicyNotAllowed
            | Self::RoleNotOwned
            | Self::AccessDenied
            | Self::LimitExceeded
            | Self::Throttled
            | Self::AwsUnavailable
            | Self::CredentialsUnavailable
            | Self::DeletionBlocked => true,
        }
    }

    /// The `reason` in `status.conditions`; failing reasons are reasons of events too.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reconciled => "Reconciled",
            Self::Progressing => "Progressing",
            Self::DriftDetected => "DriftDetected",
            Self::InvalidSpec => "InvalidSpec",
            Self::PolicyNotAllowed => "PolicyNotAllowed",
            Self::RoleNotOwned => "RoleNotOwned",
            Self::AccessDenied => "AccessDenied",
            Self::LimitExceeded => "LimitExceeded",
            Self::Throttled => "Throttled",
            Self::AwsUnavailable => "AwsUnavailable",
            Self::CredentialsUnavailable => "CredentialsUnavailable",
            Self::Deleting => "Deleting",
            Self::DeletionBlocked => "DeletionBlocked",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reasons of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventReason {
    /// Normal: the role was created.
    RoleCreated,
    /// Normal: a change of the object was carried to the role.
    RoleUpdated,
    /// Normal: an existing role was taken over.
    RoleAdopted,
    /// Normal: the role is as declared again after others had changed it.
    DriftRepaired,
    /// Normal: the role is gone.
    RoleDeleted,
    /// Normal: the object goes, the role stays.
    RoleRetained,
    /// Warning: others changed the role.
    DriftDetected,
    /// Warning: the reason for which `Ready` became False.
    Failing(Reason),
}

impl EventReason {
    /// The `reason` of the event.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RoleCreated => "RoleCreated",
            Self::RoleUpdated => "RoleUpdated",
            Self::RoleAdopted => "RoleAdopted",
            Self::DriftRepaired => "DriftRepaired",
            Self::RoleDeleted => "RoleDeleted",
            Self::RoleRetained => "RoleRetained",
            Self::DriftDetected => Reason::DriftDetected.as_str(),
            Self::Failing(reason) => reason.as_str(),
        }
    }

    /// Whether the event is a Warning.
    #[must_use]
    pub const fn is_warning(self) -> bool {
        matches!(self, Self::DriftDetected | Self::Failing(_))
    }
}
