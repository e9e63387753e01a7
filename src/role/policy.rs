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

use serde_json::{Map, Value};

/// Most grants into which the condition values of one statement are split; beyond it they stay lists. IAM's own limit on a document's
/// size keeps sound ones far below.
const MOST_SPLITS: usize = 4096;

/// A text that IAM compares ignoring case: an action or the key of a condition.
#[derive(Clone, Debug)]
pub struct Folded(String);

impl Folded {
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
type Conditions = BTreeMap<(String, Folded), BTreeSet<String>>;

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
            words.push_str(&format!(" on {resource}"));
        }
        let like = |other: &Grant| {
            (
                other.effect,
                &other.principal,
                &other.action,
                &other.resource,
            ) == (self.effect, &self.principal, &self.action, &self.resource)
        };
        if !self.conditions.is_empty() {
            let all: Vec<String> = self
                .conditions
                .iter()
                .map(|((operator, key), values)| format!("{key} {operator} {}", list(values)))
                .collect();
            words.push_str(&format!(" when {}", all.join(" and ")));
        } else if against
            .iter()
            .any(|other| like(other) && !other.conditions.is_empty())
        {
            words.push_str(" without conditions");
        }
        words
    }
}

fn list<T: fmt::Display>(items: &BTreeSet<T>) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" or ")
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
        let document: Value =
            serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
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
                statement
                    .as_object()
                    .ok_or("a Statement is not an object")?,
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

/// Splits a statement into its grants.
fn statement_grants(statement: &Map<String, Value>) -> Result<Vec<Grant>, String> {
    const KNOWN: [&str; 9] = [
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    ];
    if let Some(unknown) = statement.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(format!("unknown element {unknown} in a Statement"));
    }
    let effect = match statement.get("Effect").and_then(Value::as_str) {
        Some("Allow") => Effect::Allow,
        Some("Deny") => Effect::Deny,
        _ => return Err("Effect is neither Allow nor Deny".to_owned()),
    };
    let principals = optional(scopes(statement, "Principal", "NotPrincipal", principals)?);
    let actions = scopes(statement, "Action", "NotAction", |value| {
        Ok(strings(value)?.into_iter().map(Folded).collect())
    })?;
    if actions.is_empty() {
        return Err("a Statement without Action".to_owned());
    }
    let resources = optional(scopes(statement, "Resource", "NotResource", strings)?);
    let conditions = split(conditions(statement.get("Condition"))?);

    let mut grants = Vec::new();
    for principal in &principals {
        for action in &actions {
            for resource in &resources {
                grants.extend(conditions.iter().map(|conditions| Grant {
                    effect,
                    principal: principal.clone(),
                    action: action.clone(),
                    resource: resource.clone(),
                    conditions: conditions.clone(),
                }));
            }
        }
    }
    Ok(grants)
}

/// An element that may be missing is one choice: none.
fn optional<T>(scopes: Vec<Scope<T>>) -> Vec<Option<Scope<T>>> {
    if scopes.is_empty() {
        vec![None]
    } else {
        scopes.into_iter().map(Some).collect()
    }
}

/// Reads an element and its negation, of which a statement has at most one.
fn scopes<T: Ord>(
    statement: &Map<String, Value>,
    is: &str,
    all_but: &str,
    read: impl Fn(&Value) -> Result<BTreeSet<T>, String>,
) -> Result<Vec<Scope<T>>, String> {
    match (statement.get(is), statement.get(all_but)) {
        (Some(_), Some(_)) => Err(format!("both {is} and {all_but} in a Statement")),
        (Some(value), None) => {
            let items = read(value)?;
            if items.is_empty() {
                return Err(format!("an empty {is}"));
            }
            Ok(items.into_iter().map(Scope::Is).collect())
        }
        (None, Some(value)) => Ok(vec![Scope::AllBut(read(value)?)]),
        (None, None) => Ok(Vec::new()),
    }
}

/// A string or a list of strings.
fn strings(value: &Value) -> Result<BTreeSet<String>, String> {
    let one = |value: &Value| {
        value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| format!("{value} is not a string"))
    };
    match value {
        Value::Array(many) => many.iter().map(one).collect(),
        single => Ok(BTreeSet::from([one(single)?])),
    }
}

fn principals(value: &Value) -> Result<BTreeSet<Principal>, String> {
    let by_kind = match value {
        // "*" and {"AWS": "*"} mean the same: IAM user guide, "AWS JSON policy elements: Principal".
        Value::String(all) if all == "*" => {
            return Ok(BTreeSet::from([Principal {
                kind: "AWS".to_owned(),
                value: all.clone(),
            }]));
        }
        Value::Object(by_kind) => by_kind,
        other => return Err(format!("Principal {other} is neither \"*\" nor an object")),
    };
    let mut all = BTreeSet::new();
    for (kind, values) in by_kind {
        all.extend(strings(values)?.into_iter().map(|value| Principal {
            kind: kind.clone(),
            value: account_root(kind, value),
        }));
    }
    Ok(all)
}

/// `123456789012` and `arn:aws:iam::123456789012:root` are the same principal. The bare id does not say its partition; since both
/// documents lie in one partition, leaving it out of the comparison loses nothing.
fn account_root(kind: &str, value: String) -> String {
    if kind == "AWS" && super::name::is_account_id(&value) {
        return format!("arn:aws:iam::{value}:root");
    }
    let parts: Vec<&str> = value.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "iam", "", account, "root"] if kind == "AWS" => {
            format!("arn:aws:iam::{account}:root")
        }
        _ => value,
    }
}

fn conditions(value: Option<&Value>) -> Result<Conditions, String> {
    let mut all = Conditions::new();
    let Some(value) = value else { return Ok(all) };
    for (operator, keys) in value.as_object().ok_or("Condition is not an object")? {
        for (key, values) in keys
            .as_object()
            .ok_or_else(|| format!("Condition {operator} is not an object"))?
        {
            let values = match values {
                Value::Array(many) => many.iter().map(scalar).collect::<Result<_, _>>()?,
                single => BTreeSet::from([scalar(single)?]),
            };
            if all
                .insert((operator.clone(), Folded(key.clone())), values)
                .is_some()
            {
                return Err(format!("Condition {operator} has {key} twice"));
            }
        }
    }
    Ok(all)
}

/// IAM takes `true` for `"true"` and `1` for `"1"`.
fn scalar(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        other => Err(format!("{other} is not the value of a condition")),
    }
}

/// "a or b" under one condition is the same as one grant for a and one for b, unless the operator negates or asks for all values.
fn split(conditions: Conditions) -> Vec<Conditions> {
    let splits = |operator: &str| {
        !operator.contains("Not") && !operator.starts_with("ForAllValues") && operator != "Null"
    };
    let product = conditions
        .iter()
        .filter(|((operator, _), _)| splits(operator))
        .try_fold(1_usize, |product, (_, values)| {
            product.checked_mul(values.len())
        });
    if product.is_none_or(|product| product > MOST_SPLITS) {
        return vec![conditions];
    }
    let mut all = vec![Conditions::new()];
    for ((operator, key), values) in conditions {
        let choices: Vec<BTreeSet<String>> = if splits(&operator) && !values.is_empty() {
            values
                .into_iter()
                .map(|value| BTreeSet::from([value]))
                .collect()
        } else {
            vec![values]
        };
        all = all
            .into_iter()
            .flat_map(|so_far| {
                let (operator, key) = (&operator, &key);
                choices.iter().map(move |choice| {
                    let mut next = so_far.clone();
                    next.insert((operator.clone(), key.clone()), choice.clone());
                    next
                })
            })
            .collect();
    }
    all
}
