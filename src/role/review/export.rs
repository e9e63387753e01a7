//! The manifest that adopts an existing role as it is.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    api::{
        INLINE_POLICY,
        v1alpha1::{Application, Bucket, PinpointImportRoleSpec},
    },
    role::{
        Account, DesiredRole, FieldPath, Guards, ObservedRole, Owner, Problem, RolePath, Step, Surroundings,
        plan::plan,
        policy::{Effect, Meaning, Scope, trust::obstacle_to_adoption},
    },
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
    /// What the guards would refuse, with the setting that would allow it, one sentence each.
    pub refused: Vec<String>,
}

/// What a spec is made for.
#[derive(Clone, Debug)]
pub struct Purpose<'a> {
    /// Account of the role.
    pub account: &'a Account,
    /// What operators allow.
    pub guards: &'a Guards,
    /// Namespace of the object.
    pub namespace: &'a str,
    /// Fields that a manifest can't have with what the role has there, and why: the CRD would refuse it.
    pub without: BTreeMap<String, String>,
}

/// The spec that adopts a role as it is. Applying it changes nothing but tags, which is checked by planning it.
///
/// # Errors
/// Why the role can't be adopted.
pub fn export(role: &ObservedRole, purpose: &Purpose<'_>) -> Result<Exported, String> {
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
    let trust = trust(&role.head.trust, purpose.account);
    if !trust.is_null() {
        spec.insert("trust".to_owned(), trust);
    }
    if let Some(Some(document)) = role.inline.get(INLINE_POLICY) {
        spec.insert("buckets".to_owned(), buckets(document));
    }
    spec.insert("managedPolicyArns".to_owned(), role.attached.iter().cloned().collect());
    spec.retain(|field, _| !purpose.without.contains_key(field));
    let left = leave(&mut spec, role, purpose);
    spec.insert("adoptionPolicy".to_owned(), "Adopt".into());
    spec.insert("deletionPolicy".to_owned(), "Retain".into());
    let without = purpose.without.iter().filter(|(field, _)| is_enforced(field));
    let mut unsaid: Vec<String> = without.map(|(field, why)| format!("{field}, of which {why}")).collect();
    unsaid.extend(changes(&spec, role, purpose));
    if !unsaid.is_empty() {
        spec.insert("suspend".to_owned(), true.into());
    }
    Ok(Exported {
        refused: refused(&spec, role, purpose),
        spec: Value::Object(spec),
        left,
        unsaid,
    })
}

/// Whether leaving a field out changes the role.
fn is_enforced(field: &str) -> bool {
    ["trust", "buckets"].contains(&field)
}

/// Says what is left as it is, and lets the spec leave it.
fn leave(spec: &mut Map<String, Value>, role: &ObservedRole, purpose: &Purpose<'_>) -> Vec<String> {
    let mut left: Vec<String> = purpose
        .without
        .iter()
        .filter(|(field, _)| !is_enforced(field))
        .map(|(field, why)| format!("{field} is left out, and what it is about as it is: {why}"))
        .collect();
    let mut kept: Vec<&str> = role
        .inline
        .keys()
        .map(String::as_str)
        .filter(|name| *name != INLINE_POLICY)
        .collect();
    if !kept.is_empty() {
        left.push(format!(
            "inline policies that a spec can't declare are kept: {}",
            kept.join(", ")
        ));
    }
    if !spec.contains_key("managedPolicyArns") {
        spec.insert("managedPolicyArns".to_owned(), Value::Array(Vec::new()));
        let arns: Vec<&str> = role.attached.iter().map(String::as_str).collect();
        left.push(format!(
            "managed policies that are not declared are kept: {}",
            arns.join(", ")
        ));
        kept.extend(arns);
    }
    if !kept.is_empty() {
        spec.insert("undeclaredPolicies".to_owned(), "Keep".into());
    }
    if let Some(description) = role.head.description.as_ref().filter(|text| !text.is_empty()) {
        left.push(format!("the description is left as it is: {description:?}"));
    }
    if !role.head.tags.is_empty() {
        let keys: Vec<&str> = role.head.tags.keys().map(String::as_str).collect();
        left.push(format!("tags are left as they are: {}", keys.join(", ")));
    }
    left
}

/// What the controller would change beside tags.
fn changes(spec: &Map<String, Value>, role: &ObservedRole, purpose: &Purpose<'_>) -> Vec<String> {
    let owner = Owner {
        cluster: "cluster".to_owned(),
        namespace: "namespace".to_owned(),
        name: "name".to_owned(),
        uid: "uid".to_owned(),
    };
    let around = Surroundings {
        account: purpose.account.clone(),
        // The role is there, and stays where it is.
        role_path: RolePath::parse(&role.head.path).unwrap_or_default(),
    };
    let spec = serde_json::from_value::<PinpointImportRoleSpec>(Value::Object(spec.clone()))
        .map_err(|why| vec![Problem::new(FieldPath::of(&["spec"]), why.to_string())]);
    let mut desired = match spec.and_then(|spec| DesiredRole::declare(&spec, owner, &around)) {
        Ok(desired) => desired,
        Err(problems) => return problems.iter().map(ToString::to_string).collect(),
    };
    if desired.boundary.is_none() {
        desired.boundary.clone_from(&purpose.guards.boundary);
    }
    plan(&desired, Some(role), &[])
        .iter()
        .filter(|change| !matches!(change.step, Step::TagRole(_)))
        .flat_map(|change| change.differences.iter().map(ToString::to_string))
        .collect()
}

/// What the guards would refuse, with the setting that would allow it.
fn refused(spec: &Map<String, Value>, role: &ObservedRole, purpose: &Purpose<'_>) -> Vec<String> {
    let guards = purpose.guards;
    let declared = spec.get("managedPolicyArns").and_then(Value::as_array);
    let arns = declared.into_iter().flatten().filter_map(Value::as_str);
    let mut refused: Vec<String> = arns
        .filter(|arn| !guards.policy_arns.fit(arn))
        .map(|arn| format!("managed policy {arn} may not be attached; --allowed-policy-arns would have to name it"))
        .collect();
    if let (Some(forced), Some(found)) = (&guards.boundary, &role.head.boundary)
        && forced.as_str() != found
        && spec.contains_key("permissionsBoundary")
    {
        refused.push(format!(
            "permissions boundary {found} is not {forced}, which every role gets; --permissions-boundary would have to name it, or nothing"
        ));
    }
    if !role.head.name.starts_with(&guards.name_prefix) {
        refused.push(format!(
            "the role's name does not begin with {}; --role-name-prefix would have to be a beginning of it, or empty",
            guards.name_prefix
        ));
    }
    if !guards.adoption_namespaces.fit(purpose.namespace) {
        refused.push(format!(
            "objects in namespace {} may not adopt; --adoption-namespaces would have to name it",
            purpose.namespace
        ));
    }
    refused
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
