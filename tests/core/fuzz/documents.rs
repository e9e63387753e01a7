//! Documents that are made up, edits of them, and requests that tell them apart. Small in their choices, so that they meet each other.

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};
use serde_json::{Map, Value, json};
use test_support::policy::{Context, Request};

/// The account of the role.
pub const OWN: &str = "123456789012";
const STRANGER: &str = "999999999999";

const SERVICES: [&str; 4] = [
    "pinpoint.amazonaws.com",
    "pinpoint.us-east-1.amazonaws.com",
    "Pinpoint.amazonaws.com",
    "ec2.amazonaws.com",
];
const AWS: [&str; 6] = [
    "*",
    OWN,
    "arn:aws:iam::123456789012:root",
    "arn:aws-cn:iam::123456789012:root",
    "arn:aws:iam::999999999999:user/eve",
    STRANGER,
];
const ACTIONS: [&str; 9] = [
    "sts:AssumeRole",
    "STS:assumerole",
    "sts:*",
    "sts:Assume?ole",
    "sts:AssumeRole*",
    "sts:AssumeRoleWithWebIdentity",
    "sts:TagSession",
    "s\u{17f}ts:AssumeRole",
    "*",
];
const OPERATORS: [&str; 16] = [
    "StringEquals",
    "stringequals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "ArnLike",
    "ArnEquals",
    "ArnNotLike",
    "NumericEquals",
    "NumericLessThan",
    "Bool",
    "Null",
    "StringEqualsIfExists",
    "ArnLikeIfExists",
    "StringNotEqualsIfExists",
];
/// Keys that a request has once at most.
const KEYS: [&str; 8] = [
    "aws:SourceAccount",
    "AWS:sourceaccount",
    "aws:SourceArn",
    "aws:SourceOrgID",
    "aws:PrincipalOrgID",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "sts:ExternalId",
];
/// A key that a request may have several times, to be asked for with these operators alone.
const KEY_OF_MANY: &str = "aws:TagKeys";
const OPERATORS_OF_MANY: [&str; 8] = [
    "ForAnyValue:StringEquals",
    "ForAllValues:StringEquals",
    "forallvalues:stringlike",
    "ForAnyValue:StringNotEquals",
    "ForAllValues:StringNotEquals",
    "ForAnyValue:StringLikeIfExists",
    "ForAllValues:ArnLike",
    "Null",
];

fn values() -> Vec<Value> {
    let texts = [
        OWN,
        STRANGER,
        "12345678901?",
        "*",
        "",
        "true",
        "1",
        "1.0",
        "o-a1b2c3d4e5",
        "${aws:PrincipalAccount}",
        "${*}",
        "a",
        "A",
        "arn:aws:mobiletargeting:us-east-1:123456789012:apps/0123456789abcdef0123456789abcdef",
        "arn:aws:mobiletargeting:us-east-1:123456789012:*",
        "arn:aws:mobiletargeting:*:123456789012:*",
        "arn:aws:mobiletargeting:us-east-1:999999999999:apps/*",
        "arn:*:123456789012:*",
    ];
    let mut all: Vec<Value> = texts.into_iter().map(Value::from).collect();
    all.extend([json!(123_456_789_012_u64), json!(true), json!(1), json!(1.0)]);
    all
}

/// One of these, or a list of some.
fn one_or_many(of: Vec<Value>) -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => select(of.clone()),
        1 => vec(select(of), 1..4).prop_map(Value::from)
    ]
}

fn texts(of: &[&str]) -> Vec<Value> {
    of.iter().map(|text| Value::from(*text)).collect()
}

fn principal() -> impl Strategy<Value = Value> {
    let kinds = |kind: &'static str, of: &[&str]| one_or_many(texts(of)).prop_map(move |names| json!({ kind: names }));
    prop_oneof![
        3 => kinds("Service", &SERVICES),
        2 => kinds("AWS", &AWS),
        1 => Just(json!("*")),
        1 => Just(json!({"Service": "*"})),
        1 => Just(json!({"Federated": "accounts.google.com"})),
        1 => (one_or_many(texts(&SERVICES)), one_or_many(texts(&AWS))).prop_map(|(services, accounts)| {
            json!({"Service": services, "AWS": accounts})
        }),
    ]
}

fn condition() -> impl Strategy<Value = (String, String, Value)> {
    prop_oneof![
        4 => (select(OPERATORS.to_vec()), select(KEYS.to_vec()), one_or_many(values())),
        1 => (select(OPERATORS_OF_MANY.to_vec()), Just(KEY_OF_MANY), one_or_many(values())),
    ]
    .prop_map(|(operator, key, values)| (operator.to_owned(), key.to_owned(), values))
}

fn conditions() -> impl Strategy<Value = Value> {
    vec(condition(), 0..3).prop_map(|all| {
        let mut operators = Map::new();
        for (operator, key, values) in all {
            let keys = operators.entry(operator).or_insert_with(|| json!({}));
            keys[key] = values;
        }
        Value::from(operators)
    })
}

fn element(is: &'static str, all_but: &'static str) -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just(is), 1 => Just(all_but)]
}

/// A statement of a trust policy.
pub fn trust_statement() -> impl Strategy<Value = Value> {
    let allow = prop_oneof![5 => Just("Allow"), 1 => Just("Deny")];
    let whom = (element("Principal", "NotPrincipal"), principal());
    let what = (element("Action", "NotAction"), one_or_many(texts(&ACTIONS)));
    (allow, whom, what, conditions()).prop_map(|(effect, (whom, principal), (what, action), condition)| {
        json!({"Effect": effect, whom: principal, what: action, "Condition": condition})
    })
}

/// Patterns of resources.
const RESOURCES: [&str; 17] = [
    "arn:aws:s3:::o${aws:PrincipalTag/x}/p/*",
    "*",
    "arn:aws:s3:::one",
    "arn:aws:s3:::one/*",
    "arn:aws:s3:::one/p/*",
    "arn:aws:s3:::one/${*}/*",
    "arn:aws:s3:::one/${aws:PrincipalAccount}/*",
    "arn:aws:s3:::o*",
    "arn:aws:s3:::o*e/x",
    "arn:aws:s3:::o?e/p/*",
    "arn:aws:s3:::*/p/*",
    "arn:aws:s3:::?*",
    "arn:aws:s3:*:one/*",
    "arn:aws:s3:*:*:one/*",
    "arn:*:s3:::two/*",
    "arn:aws:s3:::*-logs/*",
    "arn:aws:kms:us-east-1:123456789012:key/k",
];
const ACTIONS_ON_S3: [&str; 8] = [
    "s3:GetObject",
    "S3:getobject",
    "s3:Get*",
    "s3:Get?bject",
    "s3:ListBucket",
    "s3:PutObject",
    "kms:Decrypt",
    "*",
];

/// A statement of a policy that says what a role may do.
pub fn identity_statement() -> impl Strategy<Value = Value> {
    let allow = prop_oneof![5 => Just("Allow"), 1 => Just("Deny")];
    let what = (element("Action", "NotAction"), one_or_many(texts(&ACTIONS_ON_S3)));
    let on = (element("Resource", "NotResource"), one_or_many(texts(&RESOURCES)));
    (allow, what, on, conditions()).prop_map(|(effect, (what, action), (on, resource), condition)| {
        json!({"Effect": effect, what: action, on: resource, "Condition": condition})
    })
}

/// A document of such statements, of any Version.
pub fn document(statement: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let version = select(vec![Some("2012-10-17"), Some("2012-10-17"), Some("2008-10-17"), None]);
    (version, vec(statement, 1..4)).prop_map(|(version, statements)| {
        let mut document = json!({ "Statement": statements });
        if let Some(version) = version {
            document["Version"] = version.into();
        }
        document
    })
}

/// Says the same in other words.
#[derive(Clone, Copy, Debug)]
pub enum Rewrite {
    OneAsList,
    ListOfOne,
    Reverse,
    Repeat,
    Split,
    Case,
    Account,
    Sid,
    Scalar,
    NoCondition,
}

/// Says something else, or may.
#[derive(Clone, Debug)]
pub enum Change {
    Text(Value),
    Rename(&'static str, &'static str),
    Remove,
    Operator(String),
    /// Patterns for plain values, and the other way: what differs least.
    Likeness,
    Statement(Value),
    Version(Option<&'static str>),
}

/// An edit, and which of the places where it could be made.
pub type Edits<E> = Vec<(E, Index)>;

pub fn rewrites() -> impl Strategy<Value = Edits<Rewrite>> {
    use Rewrite::{Account, Case, ListOfOne, NoCondition, OneAsList, Repeat, Reverse, Scalar, Sid, Split};
    let all = vec![
        OneAsList,
        ListOfOne,
        Reverse,
        Repeat,
        Split,
        Case,
        Account,
        Sid,
        Scalar,
        NoCondition,
    ];
    vec((select(all), any::<Index>()), 0..6)
}

pub fn changes(statement: impl Strategy<Value = Value>) -> impl Strategy<Value = Edits<Change>> {
    let names = vec![
        ("Principal", "NotPrincipal"),
        ("NotPrincipal", "Principal"),
        ("Action", "NotAction"),
        ("NotAction", "Action"),
        ("Resource", "NotResource"),
        ("NotResource", "Resource"),
    ];
    let leaves = [
        texts(&SERVICES),
        texts(&AWS),
        texts(&ACTIONS),
        texts(&RESOURCES),
        values(),
    ]
    .concat();
    let change = prop_oneof![
        4 => select(leaves).prop_map(Change::Text),
        1 => select(names).prop_map(|(from, to)| Change::Rename(from, to)),
        2 => Just(Change::Remove),
        2 => select(OPERATORS.to_vec()).prop_map(|name| Change::Operator(name.to_owned())),
        2 => Just(Change::Likeness),
        1 => statement.prop_map(Change::Statement),
        1 => select(vec![Some("2012-10-17"), Some("2008-10-17"), None]).prop_map(Change::Version),
    ];
    vec((change, any::<Index>()), 0..3)
}

/// Pointers (RFC 6901) to all values below a value that are `wanted` there.
fn places(value: &Value, at: &str, wanted: &impl Fn(&str, &Value) -> bool, found: &mut Vec<String>) {
    if wanted(at, value) {
        found.push(at.to_owned());
    }
    let below = |key: &str| format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
    match value {
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                places(item, &below(&n.to_string()), wanted, found);
            }
        }
        Value::Object(entries) => {
            for (key, entry) in entries {
                places(entry, &below(key), wanted, found);
            }
        }
        _ => {}
    }
}

fn pick(document: &mut Value, which: Index, wanted: impl Fn(&str, &Value) -> bool) -> Option<&mut Value> {
    let mut found = Vec::new();
    places(document, "", &wanted, &mut found);
    let at = found.get(which.index(found.len().max(1)))?.clone();
    document.pointer_mut(&at)
}

/// Whether IAM takes one value for a list of one there: the statements, and the lowest values but `Effect`, `Sid` and `"*"` for everybody.
fn may_be_list(at: &str) -> bool {
    let end = |name: &str| at.ends_with(&format!("/{name}"));
    let leaf = [
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Service",
        "AWS",
        "Federated",
    ];
    leaf.iter().any(|name| end(name)) || at.contains("/Condition/") && at.matches('/').count() == depth_of_values(at)
}

/// `/Statement/0/Condition/<operator>/<key>` has five.
fn depth_of_values(at: &str) -> usize {
    let before = at.split("/Condition/").next().unwrap_or_default();
    before.matches('/').count() + 3
}

fn is_statement(at: &str, value: &Value) -> bool {
    value.get("Effect").is_some() && at.starts_with("/Statement")
}

impl Rewrite {
    fn edit(self, document: &mut Value, which: Index) {
        match self {
            Self::OneAsList => {
                let one = pick(document, which, |at, value| may_be_list(at) && !value.is_array());
                if let Some(one) = one {
                    *one = json!([one.take()]);
                }
            }
            Self::ListOfOne => {
                let list = pick(document, which, |at, value| {
                    (may_be_list(at) || at == "/Statement") && value.as_array().is_some_and(|list| list.len() == 1)
                });
                if let Some(list) = list {
                    *list = list[0].take();
                }
            }
            Self::Reverse => {
                let list = pick(document, which, |_, value| value.is_array());
                if let Some(list) = list.and_then(Value::as_array_mut) {
                    list.reverse();
                }
            }
            Self::Repeat => {
                let list = pick(document, which, |_, value| {
                    value.as_array().is_some_and(|list| !list.is_empty())
                });
                if let Some(list) = list.and_then(Value::as_array_mut) {
                    list.push(list[0].clone());
                }
            }
            Self::Split => split(document, which),
            Self::Case => {
                let action = pick(document, which, |at, value| {
                    value.is_string() && at.contains("Action") && !at.contains("Condition")
                });
                if let Some(action) = action {
                    *action = action.as_str().unwrap_or_default().to_ascii_uppercase().into();
                } else if let Some(Value::Object(keys)) = pick(document, which, |at, value| {
                    at.contains("/Condition/") && value.is_object()
                }) {
                    *keys = keys
                        .iter()
                        .map(|(key, value)| (key.to_ascii_uppercase(), value.clone()))
                        .collect();
                }
            }
            Self::Account => {
                let account = pick(document, which, |at, value| {
                    (at.contains("/AWS/") || at.ends_with("/AWS")) && value == OWN
                });
                if let Some(account) = account {
                    *account = "arn:aws:iam::123456789012:root".into();
                }
            }
            Self::Sid => {
                let statement = pick(document, which, is_statement);
                if let Some(statement) = statement {
                    statement["Sid"] = "${x}".into();
                }
                document["Id"] = "other".into();
            }
            Self::Scalar => {
                let scalar = pick(document, which, |at, value| {
                    at.contains("/Condition/") && (value.is_number() || value.is_boolean())
                });
                if let Some(scalar) = scalar {
                    *scalar = scalar.to_string().into();
                }
            }
            Self::NoCondition => {
                let statement = pick(document, which, |_, value| value.get("Condition") == Some(&json!({})));
                statement
                    .and_then(Value::as_object_mut)
                    .map(|statement| statement.remove("Condition"));
            }
        }
    }
}

/// One statement becomes two: for the first of its actions, and for the others.
fn split(document: &mut Value, which: Index) {
    let Some(statements) = document["Statement"].as_array_mut() else {
        return;
    };
    let at = which.index(statements.len().max(1));
    let Some(Value::Array(actions)) = statements.get(at).and_then(|one| one.get("Action").cloned()) else {
        return;
    };
    if let Some((first, rest)) = actions.split_first().filter(|(_, rest)| !rest.is_empty()) {
        let mut other = statements[at].clone();
        other["Action"] = rest.into();
        statements[at]["Action"] = first.clone();
        statements.push(other);
    }
}

impl Change {
    fn edit(self, document: &mut Value, which: Index) {
        match self {
            Self::Text(text) => {
                let leaf = pick(document, which, |at, value| {
                    !(value.is_array() || value.is_object() || at.ends_with("/Effect") || at == "/Version")
                });
                if let Some(leaf) = leaf {
                    *leaf = text;
                }
            }
            Self::Rename(from, to) => {
                let statement = pick(document, which, |_, value| value.get(from).is_some());
                if let Some(statement) = statement.and_then(Value::as_object_mut) {
                    let value = statement.remove(from).unwrap_or_default();
                    statement.insert(to.to_owned(), value);
                }
            }
            Self::Remove => {
                let of = pick(document, which, |at, value| {
                    at.contains("/Condition") && value.is_object()
                });
                if let Some(of) = of.and_then(Value::as_object_mut) {
                    let keys: Vec<String> = of.keys().cloned().collect();
                    keys.first().map(|first| of.remove(first));
                }
            }
            Self::Operator(name) => {
                let of = pick(document, which, |at, value| {
                    at.ends_with("/Condition") && value.is_object()
                });
                if let Some(of) = of.and_then(Value::as_object_mut) {
                    let known = of.iter().find(|(_, keys)| keys.get(KEY_OF_MANY).is_none());
                    if let Some(known) = known.map(|(known, _)| known.clone()) {
                        let keys = of.remove(&known).unwrap_or_default();
                        of.insert(name, keys);
                    }
                }
            }
            Self::Likeness => {
                let sibling = |name: &str| {
                    let both = [name.replace("Like", "Equals"), name.replace("Equals", "Like")];
                    let known = |other: &String| {
                        other != name && (OPERATORS.contains(&other.as_str()) || other.starts_with("For"))
                    };
                    both.into_iter().find(known).unwrap_or_else(|| name.to_owned())
                };
                let of = pick(document, which, |at, value| {
                    let mut names = value.as_object().into_iter().flat_map(Map::keys);
                    at.ends_with("/Condition") && names.any(|name| sibling(name) != *name)
                });
                if let Some(of) = of.and_then(Value::as_object_mut) {
                    *of = of.iter().map(|(name, keys)| (sibling(name), keys.clone())).collect();
                }
            }
            Self::Statement(more) => match &mut document["Statement"] {
                Value::Array(all) => all.push(more),
                one => *one = json!([one.take(), more]),
            },
            Self::Version(Some(version)) => document["Version"] = version.into(),
            Self::Version(None) => {
                document.as_object_mut().map(|document| document.remove("Version"));
            }
        }
    }
}

/// The document after rewrites.
pub fn rewritten(document: &Value, edits: Edits<Rewrite>) -> Value {
    let mut document = document.clone();
    for (edit, which) in edits {
        edit.edit(&mut document, which);
    }
    document
}

/// The document after changes.
pub fn changed(document: &Value, edits: Edits<Change>) -> Value {
    let mut document = document.clone();
    for (edit, which) in edits {
        edit.edit(&mut document, which);
    }
    document
}

/// Who calls: kind and name.
pub type Caller = (&'static str, &'static str);

/// A call to assume the role. Only those who are in an organization or an account send its keys, and only services act for somebody.
pub fn assuming() -> impl Strategy<Value = (Caller, Request)> {
    let services = prop_oneof![3 => Just(SERVICES[0]), 1 => select(SERVICES.to_vec())];
    let source = |key: &'static str, of: Vec<&'static str>| {
        let value = prop_oneof![1 => Just(None), 4 => select(of).prop_map(Some)];
        value.prop_map(move |value| value.map(|value| (key, value)))
    };
    let sources = (
        source("aws:sourceaccount", vec![OWN, STRANGER, "123456789013", ""]),
        source(
            "aws:sourcearn",
            vec![
                "arn:aws:mobiletargeting:us-east-1:123456789012:apps/0123456789abcdef0123456789abcdef",
                "arn:aws:mobiletargeting:us-east-1:999999999999:apps/0123456789abcdef0123456789abcdef",
                "arn:aws:mobiletargeting:us-east-1:999999999999:apps/a:123456789012:b",
                "a",
            ],
        ),
        source("aws:sourceorgid", vec!["o-a1b2c3d4e5", "o-z1b2c3d4e5"]),
    )
        .prop_map(|(a, b, c)| vec![a, b, c]);
    let principals = (
        source("aws:principalaccount", vec![OWN, STRANGER]),
        source("aws:principalorgid", vec!["o-a1b2c3d4e5", "o-z1b2c3d4e5"]),
        source("sts:externalid", vec!["a", "A", "1", "1.0", "true", "*", "${*}", OWN]),
    )
        .prop_map(|(a, b, c)| vec![a, b, c]);
    let others = select(vec![
        ("AWS", "arn:aws:iam::123456789012:root"),
        ("AWS", "arn:aws:iam::123456789012:user/a"),
        ("AWS", "arn:aws:iam::999999999999:user/eve"),
        ("Federated", "accounts.google.com"),
    ]);
    let who = prop_oneof![
        2 => (services.prop_map(|name| ("Service", name)), sources),
        1 => (others, principals),
    ];
    let action = prop_oneof![
        3 => Just("sts:AssumeRole"),
        1 => select(vec!["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "s3:GetObject"]),
    ];
    (who, action, tag_keys()).prop_map(|((caller, context), action, tag_keys)| {
        let mut context: Context = context
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.to_owned(), vec![value.to_owned()]))
            .collect();
        context.extend(tag_keys);
        let request = Request {
            action: action.to_owned(),
            resource: String::new(),
            context,
        };
        (caller, request)
    })
}

/// A key with several values, if any.
fn tag_keys() -> impl Strategy<Value = Option<(String, Vec<String>)>> {
    let some = vec(select(vec!["a", "A", "1", "true", OWN]).prop_map(str::to_owned), 1..3);
    prop::option::of(some.prop_map(|values| (KEY_OF_MANY.to_lowercase(), values)))
}

/// A call on something in S3. No object has a colon in its name: whether a wildcard in one part of a `Resource` stands for the beginning of
/// the next, IAM's documents leave open.
pub fn using() -> impl Strategy<Value = Request> {
    let action = select(vec![
        "s3:GetObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
        "kms:Decrypt",
    ]);
    let resource = select(vec![
        "arn:aws:s3:::one",
        "arn:aws:s3:::one/x",
        "arn:aws:s3:::one/p/x",
        "arn:aws:s3:::one/*/x",
        "arn:aws:s3:::one/${*}/x",
        "arn:aws:s3:::one/123456789012/x",
        "arn:aws:s3:::o/e/x",
        "arn:aws:s3:::o/e/p/x",
        "arn:aws:s3:::ove/x",
        "arn:aws:s3:::two/x",
        "arn:aws:s3:::two/p/x",
        "arn:aws:s3:::zzz/a-logs/x",
        "arn:aws:kms:us-east-1:123456789012:key/k",
    ]);
    let prefix = prop::option::of(select(vec!["p/", "p/x", "a*${x}?b", "ab", ""]));
    (action, resource, prefix, tag_keys()).prop_map(|(action, resource, prefix, tag_keys)| {
        let mut context = Context::from([
            ("aws:principalaccount".to_owned(), vec![OWN.to_owned()]),
            ("aws:principaltag/x".to_owned(), vec!["ne".to_owned()]),
        ]);
        context.extend(prefix.map(|prefix| ("s3:prefix".to_owned(), vec![prefix.to_owned()])));
        context.extend(tag_keys);
        Request {
            action: action.to_owned(),
            resource: resource.to_owned(),
            context,
        }
    })
}
