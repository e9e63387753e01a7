//! The manifest that adopts an existing role as it is.

use serde_json::{Map, Value, json};

use super::{
    Account, DesiredRole, ObservedRole, Owner, RolePath, Step, Surroundings,
    plan::plan,
    policy::{Effect, Meaning, Scope},
    trust::obstacle_to_adoption,
};
use crate::api::{
    INLINE_POLICY,
    v1alpha1::{Application, Bucket, PinpointImportRoleSpec},
};

/// A spec, and what it can't say.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported {
    /// The spec.
    pub spec: Value,
    /// What is left as it is although the spec does not declare it, one sentence each.
    pub left: Vec<String>,
    /// What applying the spec would change although it should not, one sentence each. Then the spec is suspended.
    pub unsaid: Vec<String>,
}

/// The spec that adopts a role as it is. Applying it changes nothing but tags, which is checked by planning it.
///
/// # Errors
/// Why the role can't be adopted.
pub fn export(role: &ObservedRole, account: &Account) -> Result<Exported, String> {
    if let Some(owner) = Owner::of(&role.head) {
        return Err(format!(
            "it belongs to PinpointImportRole {}/{} (cluster {}) already",
            owner.namespace, owner.name, owner.cluster
        ));
    }
    if let Some(obstacle) = obstacle_to_adoption(&role.head.trust) {
        return Err(format!(
            "{obstacle}; adoption takes only roles that trust Pinpoint and nobody else, so narrow its trust policy first"
        ));
    }
    let mut spec = Map::new();
    spec.insert("roleName".to_owned(), role.head.name.clone().into());
    spec.insert("path".to_owned(), role.head.path.clone().into());
    if let Some(seconds) = role.head.max_session_duration.filter(|seconds| *seconds != 3600) {
        spec.insert("maxSessionDuration".to_owned(), seconds.into());
    }
    if let Some(boundary) = &role.head.boundary {
        spec.insert("permissionsBoundary".to_owned(), boundary.clone().into());
    }
    let trust = trust(&role.head.trust, account);
    if !trust.is_null() {
        spec.insert("trust".to_owned(), trust);
    }
    spec.insert("managedPolicyArns".to_owned(), role.attached.iter().cloned().collect());
    let mut left = Vec::new();
    if let Some(Some(document)) = role.inline.get(INLINE_POLICY) {
        spec.insert("buckets".to_owned(), buckets(document));
    }
    let others: Vec<&str> = role
        .inline
        .keys()
        .map(String::as_str)
        .filter(|name| *name != INLINE_POLICY)
        .collect();
    if !others.is_empty() {
        spec.insert("undeclaredPolicies".to_owned(), "Keep".into());
        left.push(format!(
            "inline policies that a spec can't declare are kept: {}",
            others.join(", ")
        ));
    }
    if let Some(description) = role.head.description.as_ref().filter(|text| !text.is_empty()) {
        left.push(format!("the description is left as it is: {description:?}"));
    }
    if !role.head.tags.is_empty() {
        let keys: Vec<&str> = role.head.tags.keys().map(String::as_str).collect();
        left.push(format!("tags are left as they are: {}", keys.join(", ")));
    }
    spec.insert("adoptionPolicy".to_owned(), "Adopt".into());
    spec.insert("deletionPolicy".to_owned(), "Retain".into());
    let unsaid = unsaid(&spec, role, account);
    if !unsaid.is_empty() {
        spec.insert("suspend".to_owned(), true.into());
    }
    Ok(Exported {
        spec: Value::Object(spec),
        left,
        unsaid,
    })
}

/// What the controller would change beside tags.
fn unsaid(spec: &Map<String, Value>, role: &ObservedRole, account: &Account) -> Vec<String> {
    let owner = Owner {
        cluster: "cluster".to_owned(),
        namespace: "namespace".to_owned(),
        name: "name".to_owned(),
        uid: "uid".to_owned(),
    };
    let around = Surroundings {
        account: account.clone(),
        role_path: RolePath::default(),
    };
    let spec = serde_json::from_value::<PinpointImportRoleSpec>(Value::Object(spec.clone()))
        .map_err(|why| vec![why.to_string()]);
    let desired = spec.and_then(|spec| DesiredRole::declare(&spec, owner, &around));
    match desired {
        Ok(desired) => plan(&desired, Some(role), &[])
            .iter()
            .filter(|change| !matches!(change.step, Step::TagRole(_)))
            .flat_map(|change| change.differences.iter().map(ToString::to_string))
            .collect(),
        Err(problems) => problems,
    }
}

/// `spec.trust` for a trust policy, as far as it can say it; null where it needs none.
fn trust(document: &str, account: &Account) -> Value {
    let Ok(meaning) = Meaning::parse(document) else {
        return Value::Null;
    };
    let mut applications: Vec<Application> = Vec::new();
    let mut source = None;
    for (key, values) in meaning.grants.iter().flat_map(|grant| &grant.conditions) {
        for value in values {
            match key.1.to_string().to_lowercase().as_str() {
                "aws:sourcearn" => applications.extend(application(value)),
                "aws:sourceaccount" => source = Some(value.clone()),
                _ => {}
            }
        }
    }
    applications.sort();
    applications.dedup();
    let implied = !applications.is_empty() && source.as_deref() == Some(account.id.as_str());
    let mut trust = Map::new();
    if !applications.is_empty() {
        trust.insert("applications".to_owned(), json!(applications));
    }
    if let Some(source) = source.filter(|_| !implied) {
        trust.insert("sourceAccount".to_owned(), source.into());
    }
    if trust.is_empty() {
        Value::Null
    } else {
        Value::Object(trust)
    }
}

/// `arn:<partition>:mobiletargeting:<region>:<account>:apps/<id>`
fn application(arn: &str) -> Option<Application> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        [_, _, "mobiletargeting", region, _, resource] => Some(Application {
            region: (*region).to_owned(),
            id: resource.strip_prefix("apps/")?.to_owned(),
        }),
        _ => None,
    }
}

/// `spec.buckets` for a document that may be one of ours. Which key belongs to which bucket is known for one bucket only.
fn buckets(document: &str) -> Value {
    let grants = Meaning::parse(document)
        .map(|meaning| meaning.grants)
        .unwrap_or_default();
    let resources = |action: &str| -> Vec<String> {
        let of = grants.iter().filter(|grant| {
            grant.effect == Effect::Allow && matches!(&grant.action, Scope::Is(one) if one.to_string() == action)
        });
        of.filter_map(|grant| match &grant.resource {
            Some(Scope::Is(resource)) => Some(resource.clone()),
            _ => None,
        })
        .collect()
    };
    let keys = resources("kms:Decrypt");
    let objects = resources("s3:GetObject");
    let buckets = objects.iter().filter_map(|resource| {
        let (name, pattern) = resource.splitn(6, ':').nth(5)?.split_once('/')?;
        let prefix = pattern.strip_suffix('*')?;
        // Escapes back to what they stand for.
        let prefix = prefix.replace("${*}", "*").replace("${?}", "?").replace("${$}", "$");
        Some(Bucket {
            name: name.to_owned(),
            prefix: Some(prefix).filter(|prefix| !prefix.is_empty()),
            kms_key_arn: keys.first().cloned().filter(|_| objects.len() == 1),
        })
    });
    json!(buckets.collect::<Vec<_>>())
}
