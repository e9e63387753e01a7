//! Whether the caller may make a call: what a test denies, and what a policy allows. Condition keys are those that the service
//! authorization reference, "Actions, resources, and condition keys for AWS IAM", names for each action.

use std::collections::BTreeMap;

use super::params::Params;
use super::state::{Account, ApiError};
use crate::policy::{Context, Decision, Request};

/// Refuses a call that the caller may not make.
pub(crate) fn authorize(account: &Account, action: &str, params: &Params) -> Result<(), ApiError> {
    let sts = ["GetCallerIdentity", "AssumeRole"].contains(&action);
    let service = if sts { "sts" } else { "iam" };
    let role = params.optional("RoleName");
    let refuse = |action: &str, why: &str| {
        let resource = role.map_or_else(
            || format!("arn:{}:iam::{}:role/", account.partition, account.id),
            |name| format!("role {name}"),
        );
        let message = format!(
            "User: {} is not authorized to perform: {service}:{action} on resource: {resource} {why}",
            caller(account)
        );
        Err(ApiError::new(403, "AccessDenied", message))
    };
    let nothing = |action: &str| {
        refuse(
            action,
            &format!("because no identity-based policy allows the {service}:{action} action"),
        )
    };
    if account.denied.contains(action) {
        return nothing(action);
    }
    // `GetCallerIdentity` needs no permission.
    let Some(rights) = account.rights.as_ref().filter(|_| action != "GetCallerIdentity") else {
        return Ok(());
    };
    let mut actions = vec![action];
    if action == "CreateRole" && !params.tags()?.is_empty() {
        // "To tag a role at its creation, both rights are needed": IAM user guide, "Tags for IAM resources".
        actions.push("TagRole");
    }
    for action in actions {
        let request = Request {
            action: format!("{service}:{action}"),
            resource: resource(account, params),
            context: context(account, action, params)?,
        };
        match rights.decide(&request) {
            Decision::Allowed => {}
            Decision::NotAllowed => return nothing(action),
            Decision::Denied => return refuse(action, "with an explicit deny in an identity-based policy"),
        }
    }
    Ok(())
}

/// The ARN that the call is about. IAM does not know the path of a role that does not exist.
fn resource(account: &Account, params: &Params) -> String {
    if let Some(arn) = params.optional("RoleArn") {
        return arn.to_owned();
    }
    let Some(name) = params.optional("RoleName") else {
        return "*".to_owned();
    };
    match account.role(name) {
        Some(role) => role.arn.clone(),
        None => account.role_arn(params.optional("Path").unwrap_or("/"), name),
    }
}

fn context(account: &Account, action: &str, params: &Params) -> Result<Context, ApiError> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut put = |key: String, value: &str| all.entry(key.to_lowercase()).or_default().push(value.to_owned());
    for (key, value) in params.tags()? {
        put(format!("aws:RequestTag/{key}"), &value);
        put("aws:TagKeys".to_owned(), &key);
    }
    for key in params.tag_keys()? {
        put("aws:TagKeys".to_owned(), key);
    }
    for (param, key) in [
        ("PolicyArn", "iam:PolicyARN"),
        ("ExternalId", "sts:ExternalId"),
        ("PermissionsBoundary", "iam:PermissionsBoundary"),
    ] {
        if let Some(value) = params.optional(param) {
            put(key.to_owned(), value);
        }
    }
    if let Some(role) = params.optional("RoleName").and_then(|name| account.role(name)) {
        for (key, value) in &role.tags {
            put(format!("aws:ResourceTag/{key}"), value);
            put(format!("iam:ResourceTag/{key}"), value);
        }
        if let Some(boundary) = role
            .permissions_boundary
            .as_ref()
            .filter(|_| action != "PutRolePermissionsBoundary")
        {
            put("iam:PermissionsBoundary".to_owned(), boundary);
        }
    }
    Ok(all)
}

/// Who calls.
pub(crate) fn caller(account: &Account) -> String {
    format!(
        "arn:{}:sts::{}:assumed-role/controller/session",
        account.partition, account.id
    )
}
