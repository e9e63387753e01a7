//! IAM's checks of policy documents, with its messages.

use serde_json::{Map, Value};

use super::state::{Account, ApiError};

/// Service principals that IAM knows. It refuses a trust policy with another one.
const SERVICES: &[&str] = &[
    "apigateway.amazonaws.com",
    "cloudformation.amazonaws.com",
    "codebuild.amazonaws.com",
    "ec2.amazonaws.com",
    "ec2.amazonaws.com.cn",
    "ecs-tasks.amazonaws.com",
    "eks.amazonaws.com",
    "events.amazonaws.com",
    "firehose.amazonaws.com",
    "glue.amazonaws.com",
    "lambda.amazonaws.com",
    "pinpoint.amazonaws.com",
    "s3.amazonaws.com",
    "sagemaker.amazonaws.com",
    "sns.amazonaws.com",
    "ssm.amazonaws.com",
    "states.amazonaws.com",
];

const OPERATORS: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    "Null",
];

type Object = Map<String, Value>;
type Checked = Result<(), ApiError>;

fn refuse<T>(message: impl Into<String>) -> Result<T, ApiError> {
    Err(ApiError::malformed(message))
}

/// The size that counts against IAM's quotas: characters without white space.
pub(crate) fn size(document: &str) -> usize {
    document.chars().filter(|c| !c.is_whitespace()).count()
}

/// Checks a trust policy.
pub(crate) fn trust(document: &str, account: &Account) -> Checked {
    let Ok(Value::Object(policy)) = serde_json::from_str(document) else {
        return refuse("This policy contains invalid Json");
    };
    match policy.get("Version") {
        None => {}
        Some(Value::String(v)) if v == "2012-10-17" || v == "2008-10-17" => {}
        Some(_) => return refuse("The policy must contain a valid version string"),
    }
    elements(&policy, &["Version", "Id", "Statement"])?;
    let Some(statements) = statements(&policy) else {
        return refuse("Missing required field Statement");
    };
    for statement in statements {
        let Some(statement) = statement.as_object() else {
            return refuse("This policy contains invalid Json");
        };
        trust_statement(statement, account)?;
    }
    unique_sids(&policy)?;
    let max = account.quotas.trust_policy;
    if size(document) > max {
        return Err(ApiError::limit(format!(
            "Cannot exceed quota for ACLSizePerRole: {max}"
        )));
    }
    Ok(())
}

fn trust_statement(statement: &Object, account: &Account) -> Checked {
    for field in ["Resource", "NotResource", "NotPrincipal"] {
        if statement.contains_key(field) {
            return refuse(format!("Has prohibited field {field}"));
        }
    }
    for field in ["Effect", "Principal"] {
        if !statement.contains_key(field) {
            return refuse(format!("Missing required field {field}"));
        }
    }
    elements(
        statement,
        &["Sid", "Effect", "Principal", "Action", "NotAction", "Condition"],
    )?;
    effect(statement, || ApiError::malformed("Invalid effect"))?;
    principal(&statement["Principal"], account)?;
    let Some(actions) = statement.get("Action").and_then(strings) else {
        return refuse("Missing required field Action");
    };
    if actions.is_empty() {
        return refuse("Missing required field Action");
    }
    for action in actions {
        if !action.to_ascii_lowercase().starts_with("sts:") {
            return refuse("AssumeRole policy may only specify STS AssumeRole actions.");
        }
    }
    condition(statement)
}

fn principal(principal: &Value, account: &Account) -> Checked {
    let object = match principal {
        Value::String(star) if star == "*" => return Ok(()),
        Value::Object(object) if !object.is_empty() => object,
        _ => return refuse("Invalid principal in policy"),
    };
    for (kind, names) in object {
        let Some(names) = strings(names).filter(|names| !names.is_empty()) else {
            return refuse("Invalid principal in policy");
        };
        for name in names {
            let good = match kind.as_str() {
                "Service" => SERVICES.contains(&name) && !account.retired.contains(name),
                "AWS" => aws_principal(name, account),
                "Federated" => !name.is_empty(),
                "CanonicalUser" => name.len() == 64,
                _ => return refuse("Invalid principal in policy"),
            };
            if !good {
                let kind = kind.to_ascii_uppercase();
                return refuse(format!("Invalid principal in policy: \"{kind}\":\"{name}\""));
            }
        }
    }
    Ok(())
}

/// An account not known is accepted; a role of this account has to exist.
fn aws_principal(name: &str, account: &Account) -> bool {
    let is_account = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    if name == "*" || is_account(name) {
        return true;
    }
    let parts: Vec<&str> = name.splitn(6, ':').collect();
    let ["arn", partition, service, "", owner, resource] = parts[..] else {
        return false;
    };
    if partition != account.partition || !is_account(owner) {
        return false;
    }
    match (service, resource.split_once('/')) {
        ("iam", None) => resource == "root",
        ("iam", Some(("role", path))) => {
            let role = path.rsplit('/').next().unwrap_or_default();
            owner != account.id || account.role(role).is_some_and(|role| role.arn == name)
        }
        ("iam", Some(("user", path))) | ("sts", Some(("assumed-role" | "federated-user", path))) => !path.is_empty(),
        _ => false,
    }
}

/// Checks an inline or managed policy.
pub(crate) fn identity(document: &str) -> Checked {
    const SYNTAX: &str = "Syntax errors in policy.";
    let syntax = || ApiError::malformed(SYNTAX);
    let Ok(Value::Object(policy)) = serde_json::from_str(document) else {
        return refuse(SYNTAX);
    };
    elements(&policy, &["Version", "Id", "Statement"]).map_err(|_| syntax())?;
    match policy.get("Version") {
        Some(Value::String(v)) if v == "2012-10-17" => {}
        None => return refuse("Policy document must be version 2012-10-17 or greater."),
        Some(Value::String(v)) if v == "2008-10-17" => {
            return refuse("Policy document must be version 2012-10-17 or greater.");
        }
        Some(_) => return refuse(SYNTAX),
    }
    for statement in statements(&policy).ok_or_else(syntax)? {
        identity_statement(statement.as_object().ok_or_else(syntax)?)?;
    }
    unique_sids(&policy)
}

fn identity_statement(statement: &Object) -> Checked {
    let syntax = || ApiError::malformed("Syntax errors in policy.");
    if statement.contains_key("Principal") || statement.contains_key("NotPrincipal") {
        return refuse("Policy document should not specify a principal.");
    }
    let known = [
        "Sid",
        "Effect",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    ];
    elements(statement, &known).map_err(|_| syntax())?;
    effect(statement, syntax)?;
    for (field, nothing) in [
        ("Action", "Policy statement must contain actions."),
        ("Resource", "Policy statement must contain resources."),
    ] {
        let not = format!("Not{field}");
        let values = match (statement.get(field), statement.get(&not)) {
            (Some(_), Some(_)) => return Err(syntax()),
            (Some(value), None) | (None, Some(value)) => strings(value).ok_or_else(syntax)?,
            (None, None) => return refuse(nothing),
        };
        if values.is_empty() {
            return refuse(nothing);
        }
        for value in values {
            if field == "Action" {
                action(value)?;
            } else {
                resource(value)?;
            }
        }
    }
    condition(statement).map_err(|_| syntax())
}

fn action(action: &str) -> Checked {
    if action == "*" {
        return Ok(());
    }
    match action.split(':').collect::<Vec<_>>()[..] {
        [_] => refuse("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
        [vendor, _] => {
            if vendor
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
            {
                return Ok(());
            }
            refuse(format!("Vendor {vendor} is not valid"))
        }
        _ => refuse("Actions/Condition can contain only one colon."),
    }
}

fn resource(resource: &str) -> Checked {
    if resource == "*" {
        return Ok(());
    }
    let parts: Vec<&str> = resource.splitn(6, ':').collect();
    let ["arn", partition, service, region, _, _] = parts[..] else {
        return refuse(format!("Resource {resource} must be in ARN format or \"*\"."));
    };
    if !["*", "aws", "aws-cn", "aws-us-gov"].contains(&partition) {
        let rest = parts[2..].join(":");
        return refuse(format!(
            "Partition \"{partition}\" is not valid for resource \"arn:{partition}:{rest}\"."
        ));
    }
    if service == "s3" && !region.is_empty() && !parts[5].starts_with("accesspoint/") {
        return refuse(format!("Resource {resource} can not contain region information."));
    }
    Ok(())
}

fn effect(statement: &Object, wrong: impl Fn() -> ApiError) -> Checked {
    match statement.get("Effect").and_then(Value::as_str) {
        Some("Allow" | "Deny") => Ok(()),
        _ => Err(wrong()),
    }
}

fn condition(statement: &Object) -> Checked {
    let Some(condition) = statement.get("Condition") else {
        return Ok(());
    };
    let Some(condition) = condition.as_object() else {
        return refuse("Syntax error in policy: Condition");
    };
    for (operator, keys) in condition {
        let bare = operator
            .strip_prefix("ForAnyValue:")
            .or_else(|| operator.strip_prefix("ForAllValues:"))
            .unwrap_or(operator);
        let bare = bare.strip_suffix("IfExists").unwrap_or(bare);
        if !OPERATORS.contains(&bare) {
            return refuse(format!("Invalid Condition type : {operator}"));
        }
        let Some(keys) = keys.as_object() else {
            return refuse("Syntax error in policy: Condition");
        };
        for (key, value) in keys {
            if !key.contains(':') {
                return refuse("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
            }
            if value.is_object() || value.is_null() {
                return refuse("Syntax error in policy: Condition");
            }
        }
    }
    Ok(())
}

fn elements(object: &Object, known: &[&str]) -> Checked {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => refuse(format!("Syntax error in policy: unknown element {key}")),
    }
}

/// The statements, of which there is at least one.
fn statements(policy: &Object) -> Option<Vec<&Value>> {
    match policy.get("Statement")? {
        Value::Array(list) if !list.is_empty() => Some(list.iter().collect()),
        one @ Value::Object(_) => Some(vec![one]),
        _ => None,
    }
}

/// A string, or a list of strings.
fn strings(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(one) => Some(vec![one]),
        Value::Array(list) => list.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

fn unique_sids(policy: &Object) -> Checked {
    let mut seen = std::collections::BTreeSet::new();
    for statement in statements(policy).unwrap_or_default() {
        let Some(sid) = statement.get("Sid") else {
            continue;
        };
        let Some(sid) = sid.as_str() else {
            return refuse("Syntax errors in policy.");
        };
        if !sid.chars().all(|c| c.is_ascii_alphanumeric()) {
            return refuse(
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
            );
        }
        if !sid.is_empty() && !seen.insert(sid) {
            return refuse("Statement IDs (SID) in a single policy must be unique.");
        }
    }
    Ok(())
}
