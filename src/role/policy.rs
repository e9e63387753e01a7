//! What a policy document permits, apart from how it is written.
//!
//! A document is taken apart into [`Grant`]s: one effect, one principal, one action, one resource, under some conditions. Two documents
//! that permit the same have the same grants, whatever their order, lists, repeats, `Sid`s and white space, and whether one statement
//! or several say it (contract, section 3). Grammar: IAM user guide, "Grammar of the IAM JSON policy language".

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::Value;

use super::grammar::statement_grants;

/// A text that IAM compares ignoring case: an action or the key of a condition.
#[derive(Clone, Debug)]
pub struct Folded(String);

impl Folded {
    /// The text, in the case in which people read it.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl PartialEq for Folded {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Folded {}

impl PartialOrd for Folded {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Folded {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl fmt::Display for Folded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A principal: its kind (`AWS`, `Service`, `Federated`, `CanonicalUser`) and value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Principal {
    /// Kind.
    pub kind: String,
    /// Value. An account is always `arn:<partition>:iam::<id>:root`.
    pub value: String,
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.value == "*" {
            "everybody (*)"
        } else {
            &self.value
        })
    }
}

/// An element that names what it means, or what it does not mean (`NotPrincipal`, `NotAction`, `NotResource`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope<T> {
    /// This one.
    Is(T),
    /// Everything but these. They can't be split: each further one narrows.
    AllBut(BTreeSet<T>),
}

impl<T: fmt::Display> fmt::Display for Scope<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(one) => write!(f, "{one}"),
            Self::AllBut(these) => write!(f, "everything but {}", list(these)),
        }
    }
}

/// `Allow` or `Deny`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Allow.
    Allow,
    /// Deny.
    Deny,
}

/// Conditions: operator and key to values.
pub(super) type Conditions = BTreeMap<(String, Folded), BTreeSet<String>>;

/// The smallest thing that a statement says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// Allow or deny.
    pub effect: Effect,
    /// Who; none in an identity policy.
    pub principal: Option<Scope<Principal>>,
    /// To do what.
    pub action: Scope<Folded>,
    /// On what; none in a trust policy.
    pub resource: Option<Scope<String>>,
    /// Under which conditions.
    pub conditions: Conditions,
}

impl Grant {
    /// `Allow`, and for nobody but this service.
    #[must_use]
    pub fn is_only_service(&self, service: &str) -> bool {
        matches!(&self.principal, Some(Scope::Is(who)) if who.kind == "Service" && who.value == service)
    }

    /// The grant as words: `arn:… to sts:AssumeRole when …`. Says "without conditions" where `against` has the like with conditions.
    fn words(&self, against: &BTreeSet<Grant>) -> String {
        let mut words = match &self.principal {
            Some(who) => format!("{who} to {}", self.action),
            None => self.action.to_string(),
        };
        if let Some(resource) = &self.resource {
            words.extend([" on ", &resource.to_string()]);
        }
        let like = |other: &Grant| {
            (other.effect, &other.principal, &other.action, &other.resource)
                == (self.effect, &self.principal, &self.action, &self.resource)
        };
        if !self.conditions.is_empty() {
            let all: Vec<String> = self
                .conditions
                .iter()
                .map(|((operator, key), values)| format!("{key} {operator} {}", list(values)))
                .collect();
            words.extend([" when ", &all.join(" and ")]);
        } else if against.iter().any(|other| like(other) && !other.conditions.is_empty()) {
            words.push_str(" without conditions");
        }
        words
    }
}

fn list<T: fmt::Display>(items: &BTreeSet<T>) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

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
    /// Says why the text is not a policy document.
    pub fn parse(text: &str) -> Result<Self, String> {
        let document: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        let document = document.as_object().ok_or("not a JSON object")?;
        let variables = match document.get("Version").map(Value::as_str) {
            Some(Some("2012-10-17")) => true,
            Some(Some("2008-10-17")) | None => false,
            Some(_) => return Err("Version is neither 2012-10-17 nor 2008-10-17".to_owned()),
        };
        if let Some(unknown) = document
            .keys()
            .find(|key| !["Version", "Id", "Statement"].contains(&key.as_str()))
        {
            return Err(format!("unknown element {unknown}"));
        }
        let statements = match document.get("Statement") {
            Some(Value::Array(many)) => many.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => return Err("no Statement".to_owned()),
        };
        let mut grants = BTreeSet::new();
        for statement in statements {
            grants.extend(statement_grants(
                statement.as_object().ok_or("a Statement is not an object")?,
            )?);
        }
        let depends = document
            .get("Statement")
            .is_some_and(|statement| statement.to_string().contains("${"));
        Ok(Self {
            grants,
            variables: depends.then_some(variables),
        })
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
