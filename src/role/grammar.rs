//! The grammar of a policy's statement: JSON in, grants out.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    name::is_account_id,
    policy::{Conditions, Effect, Folded, Grant, Principal, Scope},
};

/// Most grants into which the condition values of one statement are split; beyond it they stay lists. IAM's own limit on a document's
/// size keeps sound ones far below.
const MOST_SPLITS: usize = 4096;

/// Splits a statement into its grants.
pub(super) fn statement_grants(statement: &Map<String, Value>) -> Result<Vec<Grant>, String> {
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
        Ok(strings(value)?.into_iter().map(Folded::new).collect())
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
    if kind == "AWS" && is_account_id(&value) {
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
                .insert((operator.clone(), Folded::new(key.clone())), values)
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
    let splits =
        |operator: &str| !operator.contains("Not") && !operator.starts_with("ForAllValues") && operator != "Null";
    let product = conditions
        .iter()
        .filter(|((operator, _), _)| splits(operator))
        .try_fold(1_usize, |product, (_, values)| product.checked_mul(values.len()));
    if product.is_none_or(|product| product > MOST_SPLITS) {
        return vec![conditions];
    }
    let mut all = vec![Conditions::new()];
    for ((operator, key), values) in conditions {
        let choices: Vec<BTreeSet<String>> = if splits(&operator) && !values.is_empty() {
            values.into_iter().map(|value| BTreeSet::from([value])).collect()
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
