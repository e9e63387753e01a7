//! What labels may say: closed sets.

/// One label.
pub(super) type Label = [(&'static str, &'static str); 1];
/// Two labels.
pub(super) type CallLabels = [(&'static str, &'static str); 2];

/// Why a pass is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its time has come, or people asked for it.
    Timer,
    /// A sweep showed something.
    Sweep,
    /// A message told of a change.
    Message,
}

impl Why {
    /// In labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timer => "timer",
            Self::Sweep => "sweep",
            Self::Message => "message",
        }
    }
}

/// What came of a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// A look that found something, or could not tell.
    Looked,
    /// Nothing: another hint at the same role was there already, or a sweep took its place.
    Folded,
    /// A look that found nothing.
    Futile,
}

/// What a sweep showed of an object's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The role as declared.
    AsDeclared,
    /// Something else.
    Differs,
    /// Not enough to tell.
    Unclear,
}

/// How a sweep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepResult {
    /// All pages were read.
    Whole,
    /// It broke off.
    Partial,
    /// IAM asked to slow down.
    Throttled,
    /// IAM denied it.
    Denied,
    /// No page could be read.
    Failed,
}
