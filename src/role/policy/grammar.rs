//! The grammar of a policy document: JSON in, grants out.
//!
//! Source: IAM user guide, "Grammar of the IAM JSON policy language" and its notes. Names of elements are taken as they are written
//! there; one in another case is an unknown element.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    budget::{Budget, Heap, nodes},
    grant::{ConditionBlock, Effect, Folded, Grant, Principal, Scope},
    json,
};
use crate::role::name::{is_account_id, is_partition};

const ELEMENTS: [&str; 3] = ["Version", "Id", "Statement"];

const ELEMENTS_OF_STATEMENT: [&str; 9] = [
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

const PRINCIPALS: [&str; 4] = ["AWS", "Federated", "Service", "CanonicalUser"];

/// Operators under which several values are alternatives: "a or b" is the same as one grant for a and one for b. That holds with
/// `ForAnyValue:` and `IfExists` too, but not for a negated operator, `ForAllValues:` and `Null`; an operator that is not known is
/// not split either. Source: IAM user guide, "IAM JSON policy elements: Condition operators".
const ALTERNATIVES: [&str; 18] = [
    "stringequals",
    "stringequalsignorecase",
    "stringlike",
    "numericequals",
    "numericlessthan",
    "numericlessthanequals",
    "numericgreaterthan",
    "numericgreaterthanequals",
    "dateequals",
    "datelessthan",
    "datelessthanequals",
    "dategreaterthan",
    "dategreaterthanequals",
    "bool",
    "binaryequals",
    "ipaddress",
    "arnequals",
    "arnlike",
];

/// Reads a document: whether `${…}` are variables in it, which its `Version` says, and its grants.
///
/// # Errors
/// Says why the text is not a policy document, or that the budget is spent.
pub(super) fn document(text: &str, budget: &mut Budget) -> Result<(bool, BTreeSet<Grant>), String> {
    let document = json::read(text, budget)?;
    let document = document.as_object().ok_or("not a JSON object")?;
    known(document, &ELEMENTS, "")?;
    text_or_none(document, "Id")?;
    let variables = match text_or_none(document, "Version")? {
        Some("2012-10-17") => true,
        Some("2008-10-17") | None => false,
        Some(_) => return Err("Version is neither 2012-10-17 nor 2008-10-17".to_owned()),
    };
    let statements = match document.get("Statement") {
        Some(Value::Array(many)) => many.as_slice(),
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => return Err("no Statement".to_owned()),
    };
    let mut grants = BTreeSet::new();
    for statement in statements {
        let statement = statement.as_object().ok_or("a Statement is not an object")?;
        Parts::read(statement)?.multiply(budget, &mut grants)?;
    }
    Ok((variables, grants))
}

fn known(object: &Map<String, Value>, names: &[&str], of: &str) -> Result<(), String> {
    match object.keys().find(|key| !names.contains(&key.as_str())) {
        Some(unknown) => Err(format!("unknown element {unknown}{of}")),
        None => Ok(()),
    }
}

fn text_or_none<'a>(object: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, String> {
    match object.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{name} is not a string")),
    }
}

/// A statement, before each of its lists is multiplied by each other one.
struct Parts {
    effect: Effect,
    principals: Vec<Option<Scope<Principal>>>,
    actions: Vec<Scope<Folded>>,
    resources: Vec<Option<Scope<String>>>,
    /// Those whose values belong together.
    conditions: ConditionBlock,
    /// Those of whose values each grant has one.
    alternatives: Vec<((Folded, Folded), Vec<String>)>,
}

impl Parts {
    fn read(statement: &Map<String, Value>) -> Result<Self, String> {
        known(statement, &ELEMENTS_OF_STATEMENT, " in a Statement")?;
        text_or_none(statement, "Sid")?;
        let effect = match statement.get("Effect").and_then(Value::as_str) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            _ => return Err("Effect is neither Allow nor Deny".to_owned()),
        };
        let actions = scopes(statement, "Action", "NotAction", |value| {
            Ok(strings(value)?.into_iter().map(Folded::new).collect())
        })?;
        if actions.is_empty() {
            return Err("a Statement without Action".to_owned());
        }
        let (alternatives, conditions): (ConditionBlock, _) = conditions(statement.get("Condition"))?
            .into_iter()
            .partition(|((operator, _), _)| are_alternatives(operator));
        Ok(Self {
            effect,
            principals: optional(scopes(statement, "Principal", "NotPrincipal", principals)?),
            actions,
            resources: optional(scopes(statement, "Resource", "NotResource", strings)?),
            conditions,
            alternatives: alternatives
                .into_iter()
                .map(|(key, values)| (key, values.into_iter().collect()))
                .collect(),
        })
    }

    /// How many choices there are of one value from each list of alternatives.
    fn choices(&self) -> usize {
        let lists = self.alternatives.iter().map(|(_, values)| values.len());
        lists.fold(1, usize::saturating_mul)
    }

    /// The conditions with the `n`th choice.
    fn choice(&self, mut n: usize) -> ConditionBlock {
        let mut all = self.conditions.clone();
        for (key, values) in &self.alternatives {
            all.insert(key.clone(), BTreeSet::from([values[n % values.len()].clone()]));
            n /= values.len();
        }
        all
    }

    /// Bytes that the grants will take: their number times what the largest of them takes.
    fn price(&self) -> usize {
        fn largest<T: Heap>(all: &[T]) -> usize {
            all.iter().map(Heap::heap).max().unwrap_or_default()
        }
        let alternatives = self.alternatives.iter();
        let choice = alternatives.map(|(key, values)| key.heap() + nodes::<String>(1) + largest(values));
        // Three times the grant itself: the tree that it goes into is half full at worst.
        let each = 3 * size_of::<Grant>()
            + largest(&self.principals)
            + largest(&self.actions)
            + largest(&self.resources)
            + self.conditions.heap()
            + nodes::<((Folded, Folded), BTreeSet<String>)>(self.alternatives.len())
            + choice.sum::<usize>();
        [
            self.principals.len(),
            self.actions.len(),
            self.resources.len(),
            self.choices(),
        ]
        .into_iter()
        .fold(each, usize::saturating_mul)
    }

    /// Adds the grants, once they are paid for.
    fn multiply(&self, budget: &mut Budget, grants: &mut BTreeSet<Grant>) -> Result<(), String> {
        budget.spend(self.price())?;
        for principal in &self.principals {
            for action in &self.actions {
                for resource in &self.resources {
                    grants.extend((0..self.choices()).map(|n| Grant {
                        effect: self.effect,
                        principal: principal.clone(),
                        action: action.clone(),
                        resource: resource.clone(),
                        conditions: self.choice(n),
                    }));
                }
            }
        }
        Ok(())
    }
}

/// An element that may be missing is one choice: none.
fn optional<T>(scopes: Vec<Scope<T>>) -> Vec<Option<Scope<T>>> {
    if scopes.is_empty() {
        vec![None]
    } else {
        scopes.into_iter().map(Some).collect()
    }
}

/// Reads an element and its negation, of which a statement has at most one. "Arrays can take one or more values": an empty one, which
/// would mean nobody and nothing, or everybody and everything, is refused, also in a condition.
fn scopes<T: Ord>(
    statement: &Map<String, Value>,
    is: &str,
    all_but: &str,
    read: impl Fn(&Value) -> Result<BTreeSet<T>, String>,
) -> Result<Vec<Scope<T>>, String> {
    let items = |name: &str, value| {
        let items = read(value)?;
        if items.is_empty() {
            return Err(format!("an empty {name}"));
        }
        Ok(items)
    };
    match (statement.get(is), statement.get(all_but)) {
        (Some(_), Some(_)) => Err(format!("both {is} and {all_but} in a Statement")),
        (Some(value), None) => Ok(items(is, value)?.into_iter().map(Scope::Is).collect()),
        (None, Some(value)) => Ok(vec![Scope::AllBut(items(all_but, value)?)]),
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
    known(by_kind, &PRINCIPALS, " in a Principal")?;
    let mut all = BTreeSet::new();
    for (kind, values) in by_kind {
        let values = strings(values)?;
        if values.is_empty() {
            return Err(format!("an empty {kind} in a Principal"));
        }
        all.extend(values.into_iter().map(|value| Principal {
            kind: kind.clone(),
            value: account_root(kind, value),
        }));
    }
    Ok(all)
}

/// `123456789012` and `arn:aws:iam::123456789012:root` are the same principal. The bare id does not say its partition; since both
/// documents lie in one partition, leaving it out of the comparison loses nothing.
fn account_root(kind: &str, value: String) -> String {
    if kind != "AWS" {
        return value;
    }
    if is_account_id(&value) {
        return format!("arn:aws:iam::{value}:root");
    }
    let parts: Vec<&str> = value.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", partition, "iam", "", account, "root"] if is_partition(partition) && is_account_id(account) => {
            format!("arn:aws:iam::{account}:root")
        }
        _ => value,
    }
}

/// Reads the conditions. None is the same as an empty object; an operator without keys and a key without values are refused, since what
/// they ask is not said anywhere.
fn conditions(value: Option<&Value>) -> Result<ConditionBlock, String> {
    let mut all = ConditionBlock::new();
    let Some(value) = value else { return Ok(all) };
    for (operator, keys) in value.as_object().ok_or("Condition is not an object")? {
        let keys = keys
            .as_object()
            .ok_or_else(|| format!("Condition {operator} is not an object"))?;
        if keys.is_empty() {
            return Err(format!("Condition {operator} is empty"));
        }
        for (key, values) in keys {
            let values: BTreeSet<String> = match values {
                Value::Array(many) => many.iter().map(scalar).collect::<Result<_, _>>()?,
                single => BTreeSet::from([scalar(single)?]),
            };
            if values.is_empty() {
                return Err(format!("Condition {operator} has no value for {key}"));
            }
            all.insert((Folded::new(operator.clone()), Folded::new(key.clone())), values);
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

fn are_alternatives(operator: &Folded) -> bool {
    let operator = operator.lower();
    let operator = operator.strip_prefix("foranyvalue:").unwrap_or(&operator);
    let operator = operator.strip_suffix("ifexists").unwrap_or(operator);
    ALTERNATIVES.contains(&operator)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is paid for is more than what the grants take, and not much more: neither is memory given away, nor a sound document refused.
    #[test]
    fn the_price_of_grants_is_what_they_take() {
        let texts = |count: usize, kind: &str| -> Vec<String> {
            let text = |n| format!("{kind}{n}{}", "x".repeat(150));
            (0..count).map(text).collect()
        };
        let plain = json!({
            "Effect": "Allow",
            "Principal": {"Federated": texts(3, "p")},
            "Action": texts(4, "s3:a"),
            "Resource": texts(5, "arn:aws:s3:::r"),
        });
        let mut conditional = plain.clone();
        conditional["Condition"] = json!({
            "StringEquals": {"aws:a": texts(2, "a"), "aws:b": texts(3, "b")},
            "StringNotEquals": {"aws:c": texts(2, "c")},
        });
        let mut long = plain.clone();
        long["Condition"] = json!({"StringEquals": {"aws:a": texts(2, &"a".repeat(2000))}});
        let held = |grant: &Grant| {
            grant.principal.heap() + grant.action.heap() + grant.resource.heap() + grant.conditions.heap()
        };
        for (statement, number, tenths) in [(plain, 60, 1), (conditional, 360, 3), (long, 120, 1)] {
            let parts = Parts::read(statement.as_object().expect("an object")).expect("a statement");
            let mut grants = BTreeSet::new();
            parts
                .multiply(&mut Budget::of_document(), &mut grants)
                .expect("it is cheap");
            assert_eq!(grants.len(), number);
            let taken = nodes::<Grant>(number) + grants.iter().map(held).sum::<usize>();
            let price = parts.price();
            assert!(
                (taken..taken + taken * tenths / 10).contains(&price),
                "{price} for {taken}"
            );
        }
    }
}
