//! A role as IAM has it.

use std::collections::{BTreeMap, BTreeSet};

/// What `GetRole` answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Head {
    /// Name, in the case in which the role was created.
    pub name: String,
    /// `arn:<partition>:iam::<account>:role<path><name>`.
    pub arn: String,
    /// IAM's unique id of the role (`AROA…`); a role made anew under the same name has another.
    pub id: String,
    /// `/` or `/…/`. IAM has no call that changes it.
    pub path: String,
    /// The trust policy: JSON, percent-decoded.
    pub trust: String,
    /// Free text of others, at most 1000 characters (IAM API reference, `CreateRole`).
    pub description: Option<String>,
    /// Longest session, in seconds: 3600 to 43200 (IAM API reference, `CreateRole`).
    pub max_session_duration: Option<i32>,
    /// ARN of the permissions boundary.
    pub boundary: Option<String>,
    /// Everybody's tags, the ownership tags among them, with keys in the case in which they were set.
    pub tags: BTreeMap<String, String>,
}

impl Head {
    /// The value of a tag. IAM takes keys that differ by case for the same ("Tagging IAM resources", IAM user guide).
    #[must_use]
    pub fn tag(&self, key: &str) -> Option<&str> {
        // The very key first: of letters beyond ASCII IAM does not say which are one, so a role may have both.
        let like = || self.tags.iter().find(|(found, _)| same_key(found, key));
        let found = self.tags.get_key_value(key).or_else(like);
        found.map(|(_, value)| value.as_str())
    }

    /// Sets a tag, or takes it off.
    pub fn set_tag(&mut self, key: &str, value: Option<String>) {
        self.tags.retain(|found, _| !same_key(found, key));
        self.tags.extend(value.map(|value| (key.to_owned(), value)));
    }
}

/// Whether two tag keys are one key to IAM.
#[must_use]
pub fn same_key(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// A role and its policies, wholly read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct ObservedRole {
    /// All but the policies, which take calls of their own.
    pub head: Head,
    /// ARNs of the attached managed policies.
    pub attached: BTreeSet<String>,
    /// Names of the inline policies, with their documents (JSON, percent-decoded) where they were read.
    pub inline: BTreeMap<String, Option<String>>,
}

impl From<Head> for ObservedRole {
    /// A role without policies.
    fn from(head: Head) -> Self {
        Self {
            head,
            ..Self::default()
        }
    }
}

/// A role as a sweep over the account finds it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SweptRole {
    /// The role, without description and session length.
    pub role: ObservedRole,
    /// When it was made (ISO 8601).
    pub created: Option<String>,
    /// When it was last used (ISO 8601), as far as IAM keeps track: 400 days.
    pub last_used: Option<String>,
    /// In which region.
    pub last_used_region: Option<String>,
}

/// All roles of an account.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Sweep {
    /// By name in lower case: names differ by more than case.
    pub roles: BTreeMap<String, SweptRole>,
    /// Documents of the account's own managed policies, by ARN.
    pub policies: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_by_its_very_key_first() {
        let tags = [("Ä", "1"), ("ä", "2"), ("Team", "3")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let head = Head {
            tags: tags.into(),
            ..Head::default()
        };
        assert_eq!(
            (head.tag("ä"), head.tag("Ä"), head.tag("team")),
            (Some("2"), Some("1"), Some("3"))
        );
    }

    #[test]
    fn a_tag_takes_the_place_of_one_that_differs_by_case() {
        let mut head = Head::default();
        let of = |text: &str| Some(text.to_owned());
        head.set_tag("Team", of("1"));
        head.set_tag("other", of("2"));
        head.set_tag("team", of("3"));
        assert_eq!(head.tags.len(), 2);
        assert_eq!(
            (head.tag("TEAM"), head.tag("other"), head.tag("none")),
            (Some("3"), Some("2"), None)
        );
        head.set_tag("tEAM", None);
        assert_eq!((head.tag("team"), head.tag("other")), (None, Some("2")));
        let id = || "AROA".to_owned();
        let role = ObservedRole::from(Head {
            id: id(),
            ..Head::default()
        });
        assert_eq!((role.head.id, role.attached.len(), role.inline.len()), (id(), 0, 0));
    }
}
