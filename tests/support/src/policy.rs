//! Evaluates an identity-based policy or a trust policy as AWS does, as far as the policies of this project need it: IAM user guide,
//! "Policy evaluation logic", "IAM JSON policy elements: Condition operators", "… Principal" and "… Variables and tags".

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Values of condition keys; a key that is absent is not in the request. Keys in lower case, since they are compared ignoring case.
pub type Context = BTreeMap<String, Vec<String>>;

/// One call, as a policy sees it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Such as `iam:GetRole`.
    pub action: String,
    /// ARN.
    pub resource: String,
    /// Condition keys.
    pub context: Context,
}

/// Who makes a call, as a trust policy sees it.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// Such as `Service` or `AWS`.
    pub kind: &'a str,
    /// Such as `ec2.amazonaws.com`, or an ARN.
    pub name: &'a str,
}

/// What a policy says of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows it, and none denies it.
    Allowed,
    /// No statement speaks of it.
    NotAllowed,
    /// A statement denies it, whatever others say.
    Denied,
}

/// A policy.
#[derive(Clone, Debug)]
pub struct Policy {
    statements: Vec<Map<String, Value>>,
    /// Whether `${…}` are variables in it.
    variables: bool,
}

const ELEMENTS: [&str; 9] = [
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

impl Policy {
    /// Reads a policy document.
    ///
    /// # Panics
    /// It has an element or operator that is not evaluated here: nothing is passed over in silence.
    #[must_use]
    pub fn parse(document: &str) -> Self {
        let document: Value = serde_json::from_str(document).expect("JSON");
        let statements: Vec<Map<String, Value>> = list(&document["Statement"])
            .into_iter()
            .map(|statement| statement.as_object().expect("a statement").clone())
            .collect();
        for key in statements.iter().flat_map(Map::keys) {
            assert!(ELEMENTS.contains(&key.as_str()), "{key} is not evaluated");
        }
        Self {
            statements,
            variables: document["Version"] == "2012-10-17",
        }
    }

    /// What an identity-based policy says of a call.
    #[must_use]
    pub fn decide(&self, request: &Request) -> Decision {
        self.decision(|statement| self.applies(statement, request))
    }

    /// What a trust policy says of somebody's call.
    #[must_use]
    pub fn decide_for(&self, caller: Caller<'_>, request: &Request) -> Decision {
        self.decision(|statement| is_meant(statement, caller) && self.applies(statement, request))
    }

    fn decision(&self, applies: impl Fn(&Map<String, Value>) -> bool) -> Decision {
        let speaks = |effect: &str| {
            let mut of = self.statements.iter().filter(|statement| statement["Effect"] == effect);
            of.any(&applies)
        };
        match (speaks("Deny"), speaks("Allow")) {
            (true, _) => Decision::Denied,
            (false, true) => Decision::Allowed,
            (false, false) => Decision::NotAllowed,
        }
    }
}

/// Whether a caller is among the principals of a statement.
fn is_meant(statement: &Map<String, Value>, caller: Caller<'_>) -> bool {
    match (statement.get("Principal"), statement.get("NotPrincipal")) {
        (Some(these), None) => is_one_of(these, caller),
        (None, Some(but)) => !is_one_of(but, caller),
        _ => panic!("a statement has Principal or NotPrincipal"),
    }
}

/// Everybody is `"*"`, or `{"AWS": "*"}`; an account, by its id or its root, is all who belong to it.
fn is_one_of(principals: &Value, caller: Caller<'_>) -> bool {
    let Some(by_kind) = principals.as_object() else {
        return principals == "*";
    };
    by_kind.iter().any(|(kind, names)| {
        texts(names).iter().any(|name| match (kind.as_str(), name.as_str()) {
            ("AWS", "*") => true,
            (_, "*") => kind == caller.kind,
            ("AWS", account) if caller.kind == "AWS" => {
                let id = account.strip_suffix(":root").and_then(|root| root.split(':').nth(4));
                account == caller.name || caller.name.split(':').nth(4) == Some(id.unwrap_or(account))
            }
            (_, name) => kind == caller.kind && name == caller.name,
        })
    })
}

impl Policy {
    fn applies(&self, statement: &Map<String, Value>, request: &Request) -> bool {
        let context = self.variables.then_some(&request.context);
        let any = |values: &Value, text: &str, fold: bool| {
            texts(values).iter().any(|pattern| {
                let pattern = if fold { pattern.to_lowercase() } else { pattern.clone() };
                compile(&pattern, context).is_some_and(|pattern| glob(&pattern, text))
            })
        };
        let action = request.action.to_lowercase();
        let acts = match (statement.get("Action"), statement.get("NotAction")) {
            (Some(these), None) => any(these, &action, true),
            (None, Some(but)) => !any(but, &action, true),
            _ => panic!("a statement has Action or NotAction"),
        };
        // A trust policy has neither.
        let on = match (statement.get("Resource"), statement.get("NotResource")) {
            (Some(these), None) => any(these, &request.resource, false),
            (None, Some(but)) => !any(but, &request.resource, false),
            _ => true,
        };
        acts && on
            && statement.get("Condition").is_none_or(|condition| {
                let operators = condition.as_object().expect("Condition is an object");
                operators.iter().all(|(operator, keys)| {
                    let keys = keys.as_object().expect("an object of keys");
                    let mut keys = keys.iter();
                    keys.all(|(key, values)| {
                        holds(&operator.to_lowercase(), key, values, &request.context, self.variables)
                    })
                })
            })
    }
}

/// One operator, in lower case, on one key. Several values are alternatives, but for negated operators, which ask for none of them.
fn holds(operator: &str, key: &str, values: &Value, context: &Context, variables: bool) -> bool {
    let present = context.get(&key.to_lowercase());
    let (set, operator) = match operator.split_once(':') {
        Some((set, operator)) => (Some(set), operator),
        None => (None, operator),
    };
    if operator == "null" {
        return texts(values)
            .iter()
            .any(|wanted| (wanted == "true") == present.is_none());
    }
    let (operator, if_exists) = operator
        .strip_suffix("ifexists")
        .map_or((operator, false), |name| (name, true));
    let negated = operator.contains("not");
    let Some(found) = present else {
        // "If the key is not present, the condition does not match", but a negated one does, and `ForAllValues` of nothing;
        // `ForAnyValue` of nothing never does.
        return if_exists || set == Some("forallvalues") || negated && set.is_none();
    };
    let one = |found: &String| {
        let variables = variables.then_some(context);
        let matches = texts(values)
            .iter()
            .any(|wanted| compare(operator, wanted, found, variables));
        matches != negated
    };
    match set {
        Some("forallvalues") => found.iter().all(one),
        Some("foranyvalue") => found.iter().any(one),
        None => {
            assert_eq!(
                found.len(),
                1,
                "{key} has several values: ForAnyValue or ForAllValues is needed"
            );
            one(&found[0])
        }
        Some(other) => panic!("{other} is not evaluated"),
    }
}

fn compare(operator: &str, wanted: &str, found: &str, context: Option<&Context>) -> bool {
    let Some(pattern) = compile(wanted, context) else {
        return false;
    };
    let text = || pattern.iter().map(|token| token.text()).collect::<String>();
    let numbers = || Some((found.parse::<f64>().ok()?, text().parse::<f64>().ok()?));
    match operator {
        "stringequals" | "stringnotequals" => text() == found,
        "stringequalsignorecase" | "stringnotequalsignorecase" => text().to_lowercase() == found.to_lowercase(),
        "stringlike" | "stringnotlike" => glob(&pattern, found),
        // Both take wildcards, within each of the six parts of an ARN.
        "arnequals" | "arnlike" | "arnnotequals" | "arnnotlike" => {
            let parts: Vec<&str> = found.splitn(6, ':').collect();
            let patterns: Vec<&str> = wanted.splitn(6, ':').collect();
            parts.len() == 6
                && patterns.len() == 6
                && patterns
                    .iter()
                    .zip(&parts)
                    .all(|(pattern, part)| compile(pattern, context).is_some_and(|pattern| glob(&pattern, part)))
        }
        "numericequals" | "numericnotequals" => {
            numbers().is_some_and(|(found, wanted)| found.total_cmp(&wanted).is_eq())
        }
        "numericlessthan" => numbers().is_some_and(|(found, wanted)| found < wanted),
        "numericgreaterthanequals" => numbers().is_some_and(|(found, wanted)| found >= wanted),
        "bool" => wanted.eq_ignore_ascii_case(found),
        other => panic!("{other} is not evaluated"),
    }
}

#[derive(Clone, Copy, Debug)]
enum Token {
    One,
    Any,
    Char(char),
}

impl Token {
    fn text(self) -> char {
        match self {
            Self::One => '?',
            Self::Any => '*',
            Self::Char(c) => c,
        }
    }
}

/// A pattern with its variables filled in, whose values are no patterns. None where a variable has no value: then nothing matches.
/// Without a context it has no variables.
fn compile(pattern: &str, context: Option<&Context>) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let variable = rest.strip_prefix("${").and_then(|inside| inside.split_once('}'));
        if let (Some((name, after)), Some(context)) = (variable, context) {
            let value = match name {
                "*" | "?" | "$" => name.to_owned(),
                key => match context.get(&key.to_lowercase()).map(Vec::as_slice) {
                    Some([one]) => one.clone(),
                    _ => return None,
                },
            };
            tokens.extend(value.chars().map(Token::Char));
            rest = after;
            continue;
        }
        tokens.push(match c {
            '*' => Token::Any,
            '?' => Token::One,
            c => Token::Char(c),
        });
        rest = &rest[c.len_utf8()..];
    }
    Some(tokens)
}

fn glob(pattern: &[Token], text: &str) -> bool {
    let Some((first, rest)) = pattern.split_first() else {
        return text.is_empty();
    };
    let mut chars = text.chars();
    match first {
        Token::Any => glob(rest, text) || chars.next().is_some_and(|_| glob(pattern, chars.as_str())),
        Token::One => chars.next().is_some_and(|_| glob(rest, chars.as_str())),
        Token::Char(c) => chars.next() == Some(*c) && glob(rest, chars.as_str()),
    }
}

fn list(value: &Value) -> Vec<&Value> {
    value
        .as_array()
        .map_or_else(|| vec![value], |many| many.iter().collect())
}

fn texts(value: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    list(value).into_iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decide(statements: &Value, action: &str, resource: &str, context: &[(&str, &[&str])]) -> Decision {
        let policy = Policy::parse(&json!({"Version": "2012-10-17", "Statement": statements}).to_string());
        let context = context.iter().map(|(key, values)| {
            let values = values.iter().map(ToString::to_string).collect();
            (key.to_lowercase(), values)
        });
        policy.decide(&Request {
            action: action.to_owned(),
            resource: resource.to_owned(),
            context: context.collect(),
        })
    }

    /// IAM user guide, "Policy evaluation logic": implicit deny, allow, explicit deny.
    #[test]
    fn without_an_allow_it_is_denied_and_a_deny_beats_every_allow() {
        let allow = json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"});
        let deny = json!({"Effect": "Deny", "Action": "s3:Delete*", "Resource": "arn:aws:s3:::a/*"});
        let both = json!([deny, allow]);
        assert_eq!(
            decide(&json!([]), "s3:GetObject", "arn:aws:s3:::a/b", &[]),
            Decision::NotAllowed
        );
        assert_eq!(
            decide(&both, "s3:GetObject", "arn:aws:s3:::a/b", &[]),
            Decision::Allowed
        );
        assert_eq!(
            decide(&both, "s3:DeleteObject", "arn:aws:s3:::a/b", &[]),
            Decision::Denied
        );
        assert_eq!(
            decide(&both, "s3:DeleteObject", "arn:aws:s3:::c/b", &[]),
            Decision::Allowed
        );
        assert_eq!(decide(&both, "iam:GetRole", "*", &[]), Decision::NotAllowed);
    }

    /// "IAM JSON policy elements: Action": ignoring case, `*` and `?`. Resources keep their case.
    #[test]
    fn actions_ignore_case_and_resources_do_not() {
        let one = json!({"Effect": "Allow", "Action": "IAM:getrole?olicy", "Resource": "arn:aws:iam::1:role/a/*"});
        assert_eq!(
            decide(&one, "iam:GetRolePolicy", "arn:aws:iam::1:role/a/b/c", &[]),
            Decision::Allowed
        );
        assert_eq!(
            decide(&one, "iam:GetRolePolicy", "arn:aws:iam::1:role/A/b", &[]),
            Decision::NotAllowed
        );
        assert_eq!(
            decide(&one, "iam:GetRole", "arn:aws:iam::1:role/a/b", &[]),
            Decision::NotAllowed
        );
        let but = json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"});
        assert_eq!(decide(&but, "s3:GetObject", "x", &[]), Decision::Allowed);
        assert_eq!(decide(&but, "iam:GetRole", "x", &[]), Decision::NotAllowed);
    }

    /// "Conditions with multiple context keys or values": all operators and keys, any value; negated ones none of the values.
    #[test]
    fn conditions_are_all_of_any() {
        let one = json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {
            "StringEquals": {"a": ["1", "2"], "b": "3"}, "StringNotEquals": {"c": ["4", "5"]},
        }});
        let allowed = |context: &[(&str, &[&str])]| decide(&one, "x:y", "z", context) == Decision::Allowed;
        assert!(allowed(&[("A", &["2"]), ("b", &["3"]), ("c", &["6"])]));
        assert!(
            allowed(&[("a", &["1"]), ("b", &["3"])]),
            "a negated operator matches an absent key"
        );
        for wrong in [
            &[("a", &["2"][..])][..],
            &[("a", &["3"]), ("b", &["3"])],
            &[("a", &["1"]), ("b", &["3"]), ("c", &["5"])],
        ] {
            assert!(!allowed(wrong), "{wrong:?}");
        }
    }

    /// "Condition operators": `Null`, `…IfExists`, ARN operators; "Set operators for multi-valued context keys".
    #[test]
    fn operators() {
        let holds = |condition: Value, context: &[(&str, &[&str])]| {
            let one = json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition});
            decide(&one, "x:y", "z", context) == Decision::Allowed
        };
        assert!(holds(json!({"Null": {"k": "true"}}), &[]) && !holds(json!({"Null": {"k": "true"}}), &[("k", &["1"])]));
        assert!(holds(json!({"Null": {"k": false}}), &[("k", &["1"])]) && !holds(json!({"Null": {"k": "false"}}), &[]));
        assert!(holds(json!({"StringEqualsIfExists": {"k": "1"}}), &[]));
        assert!(!holds(json!({"StringEqualsIfExists": {"k": "1"}}), &[("k", &["2"])]));
        assert!(!holds(json!({"StringEquals": {"k": "1*"}}), &[("k", &["12"])]));
        assert!(holds(json!({"StringLike": {"k": "1*"}}), &[("k", &["12"])]));
        let arn: &[&str] = &["arn:aws:iam::1:role/x"];
        assert!(holds(
            json!({"ArnEquals": {"k": "arn:aws:iam::*:role/?"}}),
            &[("k", arn)]
        ));
        assert!(
            !holds(json!({"ArnLike": {"k": "arn:aws:*:role/x"}}), &[("k", arn)]),
            "a wildcard stays within its part"
        );
        let keys: &[&str] = &["a", "b"];
        assert!(holds(
            json!({"ForAnyValue:StringEquals": {"k": ["b", "c"]}}),
            &[("k", keys)]
        ));
        assert!(!holds(
            json!({"ForAllValues:StringEquals": {"k": ["b", "c"]}}),
            &[("k", keys)]
        ));
        assert!(
            holds(json!({"ForAllValues:StringEquals": {"k": "b"}}), &[]),
            "of nothing, all are"
        );
        assert!(!holds(json!({"ForAnyValue:StringEquals": {"k": "b"}}), &[]));
        assert!(
            !holds(json!({"ForAnyValue:StringNotEquals": {"k": "b"}}), &[]),
            "of nothing, none is"
        );
        assert!(holds(json!({"stringequals": {"k": "b"}}), &[("k", &["b"])]));
        assert!(holds(json!({"NumericEquals": {"k": 1}}), &[("k", &["1.0"])]));
    }

    /// "IAM policy elements: Variables and tags": the value is no pattern; without a value the statement does not apply.
    #[test]
    fn variables() {
        let one = json!({"Effect": "Allow", "Action": "*", "Resource": "arn:${aws:username}/*"});
        assert_eq!(
            decide(&one, "x:y", "arn:bob/1", &[("aws:username", &["bob"])]),
            Decision::Allowed
        );
        assert_eq!(
            decide(&one, "x:y", "arn:bob/1", &[("aws:username", &["*"])]),
            Decision::NotAllowed
        );
        assert_eq!(decide(&one, "x:y", "arn:bob/1", &[]), Decision::NotAllowed);
        let literal = json!({"Effect": "Allow", "Action": "*", "Resource": "a${*}b"});
        assert_eq!(decide(&literal, "x:y", "a*b", &[]), Decision::Allowed);
        assert_eq!(decide(&literal, "x:y", "acb", &[]), Decision::NotAllowed);
    }

    /// "IAM JSON policy elements: Principal": whole accounts, everybody, all but some.
    #[test]
    fn principals() {
        let decide = |principal: Value, kind: &str, name: &str| {
            let mut statement = json!({"Effect": "Allow", "Action": "sts:AssumeRole"});
            statement
                .as_object_mut()
                .unwrap()
                .append(&mut principal.as_object().unwrap().clone());
            let request = Request {
                action: "sts:AssumeRole".to_owned(),
                resource: String::new(),
                context: Context::new(),
            };
            let policy = Policy::parse(&json!({"Statement": statement}).to_string());
            policy.decide_for(Caller { kind, name }, &request) == Decision::Allowed
        };
        let eve = "arn:aws:iam::999999999999:user/eve";
        for account in ["999999999999", "arn:aws:iam::999999999999:root", eve, "*"] {
            assert!(
                decide(json!({"Principal": {"AWS": [account]}}), "AWS", eve),
                "{account}"
            );
            assert!(
                !decide(json!({"NotPrincipal": {"AWS": account}}), "AWS", eve),
                "{account}"
            );
        }
        assert!(!decide(json!({"Principal": {"AWS": "111111111111"}}), "AWS", eve));
        assert!(decide(json!({"Principal": "*"}), "Service", "ec2.amazonaws.com"));
        let ec2 = json!({"Principal": {"Service": "ec2.amazonaws.com"}});
        assert!(decide(ec2.clone(), "Service", "ec2.amazonaws.com") && !decide(ec2, "Service", "s3.amazonaws.com"));
    }
}
