//! What came of a pass.

use super::Difference;
use crate::api::Reason;

/// Class of a failed call: what it means for the object, whatever code AWS gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// AWS asks to slow down.
    Throttled,
    /// It did not work, had no effect, and may work later.
    Retryable,
    /// It is not known whether it had an effect. The next pass looks before it writes again.
    Ambiguous,
    /// AWS denies the call.
    Denied,
    /// AWS finds the call's content wrong.
    Invalid,
    /// Something else in AWS is in the way (`DeleteConflict`).
    Blocked,
    /// A quota is used up.
    Limited,
    /// There are no credentials, or AWS does not take them.
    Credentials,
}

impl Class {
    /// The class in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Retryable => "retryable",
            Self::Ambiguous => "ambiguous",
            Self::Denied => "denied",
            Self::Invalid => "invalid",
            Self::Blocked => "blocked",
            Self::Limited => "limited",
            Self::Credentials => "credentials",
        }
    }

    /// Reason of `Ready=False`.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Throttled => Reason::Throttled,
            Self::Retryable | Self::Ambiguous => Reason::AwsUnavailable,
            Self::Denied => Reason::AccessDenied,
            Self::Invalid => Reason::InvalidSpec,
            Self::Blocked => Reason::DeletionBlocked,
            Self::Limited => Reason::LimitExceeded,
            Self::Credentials => Reason::CredentialsUnavailable,
        }
    }
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its class.
    pub class: Class,
    /// What was attempted, on what, what AWS answered, and what to do. The same for the same failure: no times, no request ids.
    pub message: String,
}

/// What became of the role in a pass that ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Did {
    /// Nothing had to be done.
    Nothing,
    /// The role was made.
    Created,
    /// An existing role was taken over.
    Adopted,
    /// A change of the object was carried to the role.
    Updated,
    /// A change that others made was undone.
    Repaired,
}

/// What came of a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// IAM is as declared.
    InPlace(Did),
    /// Others changed the role, and `driftPolicy: Report` leaves it at that.
    Reported(Vec<Difference>),
    /// IAM still answers with what was before a write of ours: look again.
    Waiting,
    /// Nothing may be done.
    Refused(Reason, String),
    /// A call failed.
    Failed(Failure),
    /// `spec.suspend`.
    Suspended,
    /// The object is being deleted, and this is what is waited for.
    Deleting(String),
}

impl Outcome {
    /// The outcome in metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::InPlace(Did::Nothing) => "unchanged",
            Self::InPlace(Did::Created) => "created",
            Self::InPlace(Did::Adopted) => "adopted",
            Self::InPlace(Did::Updated) => "updated",
            Self::InPlace(Did::Repaired) => "repaired",
            Self::Reported(_) => "reported",
            Self::Waiting => "waiting",
            Self::Refused(..) => "refused",
            Self::Failed(failure) => failure.class.as_str(),
            Self::Suspended => "suspended",
            Self::Deleting(_) => "deleting",
        }
    }
}
