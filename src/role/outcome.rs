//! What came of a pass.

use strum::VariantArray;

use super::Difference;
use crate::api::Reason;

/// Class of a failed call: what it means for the object, whatever code AWS gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray)]
pub enum Class {
    /// AWS asks to slow down.
    Throttled,
    /// It did not work, had no effect, and may work later.
    Retryable,
    /// It is not known whether it had an effect. The next pass looks before it writes again.
    Ambiguous,
    /// It had no effect, for the sake of something that IAM does not show (yet, or any more): a role that was shown and is not known, or
    /// what keeps a role from being deleted. The next pass looks again.
    Unseen,
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
    /// IAM has an entity of the name (`EntityAlreadyExists`). Whose it is, a look tells.
    Exists,
}

impl Class {
    /// The class in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Retryable => "retryable",
            Self::Ambiguous => "ambiguous",
            Self::Unseen => "unseen",
            Self::Denied => "denied",
            Self::Invalid => "invalid",
            Self::Blocked => "blocked",
            Self::Limited => "limited",
            Self::Credentials => "credentials",
            Self::Exists => "exists",
        }
    }

    /// Reason of `Ready=False`.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Throttled => Reason::Throttled,
            Self::Retryable | Self::Ambiguous | Self::Unseen => Reason::AwsUnavailable,
            Self::Denied => Reason::AccessDenied,
            Self::Invalid => Reason::InvalidSpec,
            Self::Blocked => Reason::DeletionBlocked,
            Self::Limited => Reason::LimitExceeded,
            Self::Credentials => Reason::CredentialsUnavailable,
            Self::Exists => Reason::RoleNotOwned,
        }
    }

    /// Whether the same call may succeed a moment later, though nobody does anything about it.
    #[must_use]
    pub const fn passes_by_itself(self) -> bool {
        match self {
            Self::Throttled | Self::Retryable | Self::Ambiguous | Self::Unseen => true,
            Self::Denied | Self::Invalid | Self::Blocked | Self::Limited | Self::Credentials | Self::Exists => false,
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

/// The calls of a pass that failed: at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failures {
    /// The one that people should hear of: one that does not pass by itself comes first, then the one that came first.
    pub worst: Failure,
    /// The classes of the others.
    pub others: Vec<Class>,
}

impl Failures {
    /// The failures of a pass, in order; none if there are none.
    #[must_use]
    pub fn of(mut failures: Vec<Failure>) -> Option<Self> {
        let lasting = failures.iter().position(|failure| !failure.class.passes_by_itself());
        if failures.is_empty() {
            return None;
        }
        let worst = failures.remove(lasting.unwrap_or_default());
        let others = failures.into_iter().map(|failure| failure.class).collect();
        Some(Self { worst, others })
    }

    /// What the worst is, and how many others people must see to. Those that pass by themselves come and go, and are not told.
    #[must_use]
    pub fn message(&self) -> String {
        let lasting = self.others.iter().filter(|class| !class.passes_by_itself()).count();
        match (lasting, &self.worst.message) {
            (0, message) => message.clone(),
            (1, message) => format!("{message}; and 1 more call failed"),
            (more, message) => format!("{message}; and {more} more calls failed"),
        }
    }

    /// Whether one of them may succeed a moment later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        self.worst.class.passes_by_itself() || self.others.iter().any(|class| class.passes_by_itself())
    }
}

impl From<Failure> for Failures {
    fn from(worst: Failure) -> Self {
        Self {
            worst,
            others: Vec::new(),
        }
    }
}

/// What became of the role in a pass that ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
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
    /// Calls failed.
    Failed(Failures),
    /// The API server refuses what must come before any call to IAM, or after the last one.
    Hindered(String),
    /// `spec.suspend`.
    Suspended,
    /// The object is being deleted, and this is what is waited for.
    Deleting(String),
    /// The object is being deleted, which waits until `spec.suspend` is lifted.
    DeletionSuspended,
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure.into())
    }
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
            Self::Failed(failures) => failures.worst.class.as_str(),
            Self::Hindered(_) => "hindered",
            Self::Suspended | Self::DeletionSuspended => "suspended",
            Self::Deleting(_) => "deleting",
        }
    }
}
