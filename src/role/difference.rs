//! One difference between a role and its declaration, in words.

use std::fmt;

use strum::VariantArray;

use crate::{api::v1alpha1::DriftDifference, plain::plain};

/// Longest text of a difference, in characters (contract, section 5).
const LONGEST: usize = 300;

/// The part of a role that differs. The order of the variants is the order of their danger, the most dangerous first: it sorts what is
/// told, and where there is no room for all it says what is left out. The text is `field` in `status.lastDrift.differences`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, VariantArray)]
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
    /// The longest session.
    MaxSessionDuration,
    /// The tags.
    Tags,
    /// The description.
    Description,
}

impl Field {
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
    /// Whether it is only that IAM lacks something. A role that was made anew lacks what is put on it next.
    pub is_lack: bool,
}

impl Difference {
    /// A difference with both texts made plain, since others wrote what they quote, and cut to what a status may hold.
    #[must_use]
    pub fn new(field: Field, observed: impl Into<String>, declared: impl Into<String>) -> Self {
        Self {
            field,
            observed: cut(observed.into(), LONGEST),
            declared: cut(declared.into(), LONGEST),
            is_lack: false,
        }
    }

    /// The same, for something that IAM only lacks.
    #[must_use]
    pub fn lack(self) -> Self {
        Self { is_lack: true, ..self }
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

/// As many of the items as have room in `longest` bytes, and how many more there are. A single one that is too long is cut. They are made
/// plain first, since that makes them longer.
#[must_use]
pub fn list<'a>(items: impl IntoIterator<Item = &'a str>, more: usize, longest: usize) -> String {
    // Room for "; and 4294967295 more".
    const ROOM: usize = 24;
    let items: Vec<_> = items.into_iter().map(plain).collect();
    let mut text = String::new();
    for (index, item) in items.iter().enumerate() {
        let left = items.len() - index - 1 + more;
        let separator = if text.is_empty() { "" } else { "; " };
        let reserved = if left == 0 { 0 } else { ROOM };
        if !text.is_empty() && text.len() + separator.len() + item.len() + reserved > longest {
            return format!("{text}; and {} more", left + 1);
        }
        text.push_str(separator);
        text.push_str(&cut_bytes(item, longest.saturating_sub(text.len() + reserved)));
    }
    if more > 0 {
        return format!("{text}; and {more} more");
    }
    text
}

/// Makes a text plain, and shortens it to at most `longest` bytes, never within a character. All that an event says goes this way.
#[must_use]
pub fn cut_bytes(text: &str, longest: usize) -> String {
    let text = plain(text);
    if text.len() <= longest {
        return text.into_owned();
    }
    let end = text.floor_char_boundary(longest.saturating_sub('…'.len_utf8()));
    format!("{}…", &text[..end])
}

/// Makes a text plain, and shortens it to at most `longest` characters, never within one. All that a status says goes this way.
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
        assert_eq!(cut_bytes("a\nb", 4), "a\\nb");
        assert_eq!(list(["a\nb"], 0, 4), "a\\nb");
    }

    #[test]
    fn as_many_items_are_listed_as_have_room() {
        let (a, b, c) = ("a".repeat(20), "b".repeat(12), "c".repeat(12));
        let all = [a.as_str(), &b, &c];
        let whole = format!("{a}; {b}; {c}");
        assert_eq!(list(all, 0, 100), whole);
        assert_eq!(list(all, 3, 100), format!("{whole}; and 3 more"));
        // Beside the second, 24 bytes are for "; and … more".
        assert_eq!(list(all, 0, 58), whole);
        assert_eq!(list(all, 0, 57), format!("{a}; and 2 more"));
        assert_eq!(list(all, 3, 57), format!("{a}; and 5 more"));
        assert_eq!(list(all, 3, 71), format!("{a}; {b}; and 4 more"));
        assert_eq!(list(all, 3, 72), format!("{whole}; and 3 more"));
        assert_eq!(list([a.as_str()], 0, 10), format!("{}…", "a".repeat(7)));
        assert_eq!(list([a.as_str()], 1, 34), format!("{}…; and 1 more", "a".repeat(7)));
        assert_eq!(list([], 0, 10), "");
    }

    /// Bounds are of what is shown, which is longer than what was written.
    #[test]
    fn what_is_made_plain_has_its_bounds() {
        let hostile = "\u{202e}".repeat(100);
        assert_eq!(cut(hostile.clone(), 20), "\\u{202e}\\u{202e}\\u{…");
        assert!(cut_bytes(&hostile, 20).len() <= 20);
        assert!(list([hostile.as_str(), &hostile], 3, 200).len() <= 200);
        let short = "\u{202e}".repeat(5);
        assert!(list([short.as_str(); 40], 3, 200).len() <= 200);
    }
}
