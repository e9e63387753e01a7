//! What a document as a whole permits.

use std::collections::BTreeSet;

use super::{
    budget::Budget,
    grammar::document,
    grant::{Effect, Grant},
};
use crate::role::difference::cut;

/// Longest reason why a document is none, in characters. Reasons quote from it.
const LONGEST_REASON: usize = 200;

/// What a document permits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// All grants.
    pub grants: BTreeSet<Grant>,
    /// Whether `${…}` are variables (`Version` 2012-10-17) or plain text; none where the document has no `${`, so that nothing depends
    /// on it.
    variables: Option<bool>,
}

impl Meaning {
    /// Reads a document.
    ///
    /// # Errors
    /// Says why the text is not a policy document, or that taking it apart would cost more than a document may.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (variables, grants) = document(text, &mut Budget::of_document()).map_err(|why| cut(why, LONGEST_REASON))?;
        Ok(Self {
            variables: grants.iter().any(Grant::has_variables).then_some(variables),
            grants,
        })
    }

    /// Whether some `${…}` is a variable.
    #[must_use]
    pub fn has_variables(&self) -> bool {
        self.variables == Some(true)
    }

    /// Whether `${…}` are variables in one of the two, and plain text in the other.
    pub(in crate::role) fn is_read_otherwise(&self, other: &Self) -> bool {
        matches!((self.variables, other.variables), (Some(here), Some(there)) if here != there)
    }

    /// How an observed document differs from this declared one, as clauses: "also allows …", "does not allow …". Empty if both permit
    /// the same.
    #[must_use]
    pub fn differences(&self, observed: &Self) -> Vec<String> {
        let verb = |grant: &Grant, allow: &str, deny: &str| match grant.effect {
            Effect::Allow => allow.to_owned(),
            Effect::Deny => deny.to_owned(),
        };
        let mut found: Vec<String> = observed
            .grants
            .difference(&self.grants)
            .map(|extra| {
                format!(
                    "{} {}",
                    verb(extra, "also allows", "also denies"),
                    extra.words(&self.grants)
                )
            })
            .collect();
        found.extend(self.grants.difference(&observed.grants).map(|missing| {
            format!(
                "{} {}",
                verb(missing, "does not allow", "does not deny"),
                missing.words(&observed.grants)
            )
        }));
        if found.is_empty() && self.variables != observed.variables {
            found.push("has another Version, by which ${…} means something else".to_owned());
        }
        found
    }

    /// All grants as words, for people.
    #[must_use]
    pub fn words(&self) -> String {
        let none = BTreeSet::new();
        let say = |grant: &Grant| match grant.effect {
            Effect::Allow => format!("allows {}", grant.words(&none)),
            Effect::Deny => format!("denies {}", grant.words(&none)),
        };
        self.grants.iter().map(say).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(statements: &str) -> Meaning {
        Meaning::parse(&format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)).expect("a document")
    }

    #[test]
    fn what_is_permitted_in_words() {
        let allow = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*"}"#;
        let deny = r#"{"Effect":"Deny","Action":"s3:ListBucket","Resource":"arn:aws:s3:::a"}"#;
        let (both, one) = (meaning(&format!("{allow},{deny}")), meaning(allow));
        assert_eq!(
            both.words(),
            "allows s3:GetObject on arn:aws:s3:::a/*; denies s3:ListBucket on arn:aws:s3:::a"
        );
        assert_eq!(one.differences(&both), ["also denies s3:ListBucket on arn:aws:s3:::a"]);
        assert_eq!(
            both.differences(&one),
            ["does not deny s3:ListBucket on arn:aws:s3:::a"]
        );
        assert_eq!(
            meaning(deny).differences(&one),
            [
                "also allows s3:GetObject on arn:aws:s3:::a/*",
                "does not deny s3:ListBucket on arn:aws:s3:::a"
            ]
        );
        assert_eq!(
            meaning(deny).differences(&both),
            ["also allows s3:GetObject on arn:aws:s3:::a/*"]
        );
        assert_eq!(one.differences(&one), [""; 0]);
    }

    #[test]
    fn variables_depend_on_the_version() {
        let text =
            r#"{"Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/${aws:username}"}}"#;
        let plain = Meaning::parse(text).expect("a document");
        let variable = Meaning::parse(&text.replacen('{', r#"{"Version":"2012-10-17","#, 1)).expect("a document");
        assert!(variable.has_variables() && !plain.has_variables());
        assert!(variable.is_read_otherwise(&plain) && !variable.is_read_otherwise(&variable));
        let none = Meaning::parse(&text.replace("${aws:username}", "b")).expect("a document");
        assert!(!none.has_variables() && !none.is_read_otherwise(&plain) && !plain.is_read_otherwise(&none));
        assert_eq!(
            variable.differences(&plain),
            ["has another Version, by which ${…} means something else"]
        );
    }
}
