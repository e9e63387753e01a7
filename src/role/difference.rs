//! One difference between a role and its declaration, in words.

use std::fmt;

use crate::{api::v1alpha1::DriftDifference, plain::plain};

/// Longest text of a difference, in characters (contract, section 5).
const LONGEST: usize = 300;

/// The part of a role that differs. The text is `field` in `status.lastDrift.differences`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The role itself.
    Role,
    /// The trust policy.
    TrustPolicy,
    /// The attached managed policies.
    ManagedPolicyArns,
    /// Inline policies other than the one for `spec.buckets`.
    InlinePolicies,
    /// The inline policy for `spec.buckets`.
    Buckets,
    /// The permissions boundary.
    PermissionsBoundary,
    /// The description.
    Description,
    /// The longest session.
    MaxSessionDuration,
    /// The tags.
    Tags,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Role,
        Self::TrustPolicy,
        Self::ManagedPolicyArns,
        Self::InlinePolicies,
        Self::Buckets,
        Self::PermissionsBoundary,
        Self::Description,
        Self::MaxSessionDuration,
        Self::Tags,
    ];

    /// The name that users read.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::TrustPolicy => "trustPolicy",
            Self::ManagedPolicyArns => "managedPolicyArns",
            Self::InlinePolicies => "inlinePolicies",
            Self::Buckets => "buckets",
            Self::PermissionsBoundary => "permissionsBoundary",
            Self::Description => "description",
            Self::MaxSessionDuration => "maxSessionDuration",
            Self::Tags => "tags",
        }
    }
}

/// One difference: what was found, as a sentence, and what is declared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// The part of the role.
    pub field: Field,
    /// What was found in IAM, as a sentence without a full stop.
    pub observed: String,
    /// What the spec declares.
    pub declared: String,
}

impl Difference {
    /// A difference with both texts made plain, since others wrote what they quote, and cut to what a status may hold.
    #[must_use]
    pub fn new(field: Field, observed: impl Into<String>, declared: impl Into<String>) -> Self {
        Self {
            field,
            observed: cut(observed.into(), LONGEST),
            declared: cut(declared.into(), LONGEST),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.observed)
    }
}

impl From<&Difference> for DriftDifference {
    fn from(difference: &Difference) -> Self {
        Self {
            field: difference.field.as_str().to_owned(),
            observed: difference.observed.clone(),
            declared: difference.declared.clone(),
        }
    }
}

/// Makes a text plain, and shortens it to at most `longest` characters, never within one. All that a status or an event says goes this
/// way.
#[must_use]
#[allow(
    clippy::needless_pass_by_value,
    reason = "texts are made for this, and not needed any more"
)]
pub fn cut(text: String, longest: usize) -> String {
    let text = plain(&text);
    if text.chars().count() <= longest {
        return text.into_owned();
    }
    text.chars().take(longest - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut("äöü".to_owned(), 3), "äöü");
        assert_eq!(cut("äöüß".to_owned(), 3), "äö…");
    }

    /// A status and an event show what others wrote, and do nothing that others want.
    #[test]
    fn others_words_are_made_plain() {
        let found = Difference::new(Field::Tags, "tag a\u{2028}b\u{1b}[2J", "\u{202e}x\n");
        assert_eq!(found.observed, "tag a\\u{2028}b\\u{1b}[2J");
        assert_eq!(found.declared, "\\u{202e}x\\n");
        assert_eq!(cut("a\nb".to_owned(), 4), "a\\nb");
    }
}
