//! The manifest that adopts an existing role as it is.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    api::{
        INLINE_POLICY,
        v1alpha1::{
            AdoptionPolicy, Application, Bucket, DeletionPolicy, DriftPolicy, PinpointImportRoleSpec, Trust,
            UndeclaredPolicies,
        },
    },
    role::{
        Account, DesiredRole, Guards, ObservedRole, Owner, RolePath, Step, Surroundings,
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
    let (mut spec, left) = declaration(role, purpose);
    let without = purpose.without.iter().filter(|(field, _)| is_enforced(field));
    let mut unsaid: Vec<String> = without.map(|(field, why)| format!("{field}, of which {why}")).collect();
    unsaid.extend(changes(&spec, role, purpose));
    spec.suspend = !unsaid.is_empty();
    Ok(Exported {
        refused: refused(&spec, role, purpose),
        spec: written(&spec),
        left,
        unsaid,
    })
}

/// The spec that says of a role what a spec can, and what it leaves as it is. Every field is named, so that a new one doesn't compile
/// before somebody has thought of it.
fn declaration(role: &ObservedRole, purpose: &Purpose<'_>) -> (PinpointImportRoleSpec, Vec<String>) {
    let has = |field: &str| !purpose.without.contains_key(field);
    let ObservedRole { head, attached, inline } = role;
    let bucket_policy = inline.get(INLINE_POLICY).and_then(Option::as_deref);
    let mut kept: Vec<&str> = inline.keys().map(String::as_str).collect();
    kept.retain(|name| *name != INLINE_POLICY);
    let mut left = left_out(&kept, role, purpose);
    let mut arns: Vec<String> = attached.iter().cloned().collect();
    if !has("managedPolicyArns") {
        left.push(format!(
            "managed policies that are not declared are kept: {}",
            arns.join(", ")
        ));
        kept.extend(attached.iter().map(String::as_str));
        arns.clear();
    }
    let spec = PinpointImportRoleSpec {
        role_name: Some(head.name.clone()).filter(|_| has("roleName")),
        path: Some(head.path.clone()).filter(|_| has("path")),
        // Where a spec has none, the role keeps its own.
        description: None,
        tags: BTreeMap::new(),
        // Any role that nobody changed has 3600.
        max_session_duration: head
            .max_session_duration
            .filter(|seconds| *seconds != 3600 && has("maxSessionDuration")),
        permissions_boundary: head.boundary.clone().filter(|_| has("permissionsBoundary")),
        trust: trust(&head.trust, purpose.account).filter(|_| has("trust")),
        managed_policy_arns: Some(arns),
        buckets: bucket_policy.map(buckets).filter(|_| has("buckets")),
        undeclared_policies: if kept.is_empty() {
            UndeclaredPolicies::Remove
        } else {
            UndeclaredPolicies::Keep
        },
        drift_policy: DriftPolicy::Repair,
        adoption_policy: AdoptionPolicy::Adopt,
        // Whoever tries the manifest and takes it back has lost nothing.
        deletion_policy: DeletionPolicy::Retain,
        // The controller's own account is the one that was read.
        account_id: None,
        suspend: false,
        interval: None,
    };
    (spec, left)
}

/// The spec as a manifest has it: without what says no more than leaving it out does.
fn written(spec: &PinpointImportRoleSpec) -> Value {
    let mut fields = json!(spec);
    let defaults = json!(PinpointImportRoleSpec::default());
    if let Some(fields) = fields.as_object_mut() {
        fields.retain(|field, value| defaults.get(field) != Some(value));
    }
    fields
}

/// Whether leaving a field out changes the role.
fn is_enforced(field: &str) -> bool {
    ["trust", "buckets"].contains(&field)
}

/// What is left as it is, but for managed policies. `kept` are the inline policies of others.
fn left_out(kept: &[&str], role: &ObservedRole, purpose: &Purpose<'_>) -> Vec<String> {
    let mut left: Vec<String> = purpose
        .without
        .iter()
        .filter(|(field, _)| !is_enforced(field))
        .map(|(field, why)| format!("{field} is left out, and what it is about as it is: {why}"))
        .collect();
    if !kept.is_empty() {
        left.push(format!(
            "inline policies that a spec can't declare are kept: {}",
            kept.join(", ")
        ));
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
fn changes(spec: &PinpointImportRoleSpec, role: &ObservedRole, purpose: &Purpose<'_>) -> Vec<String> {
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
    let mut desired = match DesiredRole::declare(spec, owner, &around) {
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
fn refused(spec: &PinpointImportRoleSpec, role: &ObservedRole, purpose: &Purpose<'_>) -> Vec<String> {
    let guards = purpose.guards;
    let arns = spec.managed_policy_arns.iter().flatten();
    let mut refused: Vec<String> = arns
        .filter(|arn| !guards.policy_arns.fit(arn))
        .map(|arn| format!("managed policy {arn} may not be attached; --allowed-policy-arns would have to name it"))
        .collect();
    if let (Some(forced), Some(found)) = (&guards.boundary, &role.head.boundary)
        && forced.as_str() != found
        && spec.permissions_boundary.is_some()
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

/// `spec.trust` for a trust policy, as far as it can say it; none where it needs none.
fn trust(document: &str, account: &Account) -> Option<Trust> {
    let meaning = Meaning::parse(document).ok()?;
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
    let trust = Trust {
        applications: Some(applications).filter(|applications| !applications.is_empty()),
        source_account: source.filter(|_| !implied),
    };
    (trust != Trust::default()).then_some(trust)
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
fn buckets(document: &str) -> Vec<Bucket> {
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
    buckets.collect()
}
