//! The role that an object declares, parsed once: after this nothing about it can be invalid.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    name::{Account, PolicyArn, RoleName, RolePath},
    ownership::Owner,
    s3::BucketPolicy,
    trust::TrustPolicy,
};
use crate::api::{
    CONTROLLER, OWNERSHIP_TAGS,
    v1alpha1::{PinpointImportRoleSpec, UndeclaredPolicies},
};

/// What a declaration means depends on.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Account of the controller's credentials.
    pub account: Account,
    /// The controller's `--role-path`.
    pub role_path: RolePath,
}

/// A role as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredRole {
    /// The object that the role belongs to.
    pub owner: Owner,
    /// Name.
    pub name: RoleName,
    /// Path; none: that which the role has.
    pub path: Option<RolePath>,
    /// Path of a new role whose object declares none.
    pub default_path: RolePath,
    /// Description; none: left as it is.
    pub description: Option<String>,
    /// Longest session in seconds; none: left as it is.
    pub max_session_duration: Option<i32>,
    /// Permissions boundary; none: left as it is.
    pub boundary: Option<PolicyArn>,
    /// `spec.tags`, without the ownership tags.
    pub tags: BTreeMap<String, String>,
    /// Trust policy.
    pub trust: TrustPolicy,
    /// Managed policies.
    pub attached: BTreeSet<PolicyArn>,
    /// The inline policy for `spec.buckets`.
    pub buckets: Option<BucketPolicy>,
    /// What becomes of other policies.
    pub undeclared: UndeclaredPolicies,
}

/// The role's name, which deletion needs even where the rest of the spec is not valid.
///
/// # Errors
/// Says why IAM can't have the name.
pub fn role_name(spec: &PinpointImportRoleSpec, owner: &Owner) -> Result<RoleName, String> {
    match &spec.role_name {
        Some(declared) => RoleName::parse(declared),
        None => RoleName::of_object(&owner.namespace, &owner.name),
    }
}

impl DesiredRole {
    /// Parses a spec.
    ///
    /// # Errors
    /// Everything that is wrong with it, one sentence each.
    pub fn declare(spec: &PinpointImportRoleSpec, owner: Owner, around: &Surroundings) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let name = keep(role_name(spec, &owner), &mut problems);
        let path = keep(spec.path.as_deref().map(RolePath::parse).transpose(), &mut problems);
        let boundary = spec
            .permissions_boundary
            .as_deref()
            .map(|arn| PolicyArn::parse("permissionsBoundary", arn));
        let boundary = keep(boundary.transpose(), &mut problems);
        let trust = spec.trust.clone().unwrap_or_default();
        let trust = keep(TrustPolicy::declare(&trust, &around.account), &mut problems);
        let attached = keep(attached(spec, &around.account), &mut problems);
        let buckets = keep(buckets(spec, &around.account), &mut problems);
        problems.extend(problems_of_plain_fields(spec));

        match (name, path, boundary, trust, attached, buckets) {
            (Some(name), Some(path), Some(boundary), Some(trust), Some(attached), Some(buckets))
                if problems.is_empty() =>
            {
                Ok(Self {
                    owner,
                    name,
                    path,
                    default_path: around.role_path.clone(),
                    description: spec.description.clone(),
                    max_session_duration: spec.max_session_duration,
                    boundary,
                    tags: spec.tags.clone(),
                    trust,
                    attached,
                    buckets,
                    undeclared: spec.undeclared_policies,
                })
            }
            _ => Err(problems),
        }
    }

    /// The path of a new role.
    #[must_use]
    pub fn first_path(&self) -> &RolePath {
        self.path.as_ref().unwrap_or(&self.default_path)
    }

    /// A short hash of the whole declaration, of spec and settings together: what of a role differs under the same one, others changed.
    /// The first 8 bytes of a SHA-256, as hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> String {
        let Self {
            owner,
            name,
            path,
            default_path: _,
            description,
            max_session_duration,
            boundary,
            tags,
            trust,
            attached,
            buckets,
            undeclared,
        } = self;
        let whole = json!([
            owner.tags(),
            name.as_str(),
            path.as_ref().map(RolePath::as_str),
            description,
            max_session_duration,
            boundary.as_ref().map(PolicyArn::as_str),
            tags,
            trust.document(),
            attached.iter().map(PolicyArn::as_str).collect::<Vec<_>>(),
            buckets.as_ref().map(BucketPolicy::document),
            undeclared,
        ]);
        let digest = Sha256::digest(whole.to_string());
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// All tags that the role should bear.
    #[must_use]
    pub fn all_tags(&self) -> BTreeMap<String, String> {
        let mut tags = self.tags.clone();
        tags.extend(self.owner.tags());
        tags
    }

    /// The description of a new role.
    #[must_use]
    pub fn first_description(&self) -> String {
        self.description.clone().unwrap_or_else(|| {
            format!(
                "Amazon Pinpoint imports segments with this role. Managed by PinpointImportRole {}/{} ({CONTROLLER}).",
                self.owner.namespace, self.owner.name
            )
        })
    }
}

fn keep<T>(result: Result<T, String>, problems: &mut Vec<String>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

fn attached(spec: &PinpointImportRoleSpec, account: &Account) -> Result<BTreeSet<PolicyArn>, String> {
    match &spec.managed_policy_arns {
        Some(declared) => declared
            .iter()
            .map(|arn| PolicyArn::parse("managedPolicyArns", arn))
            .collect(),
        None if spec.buckets.is_none() => Ok(BTreeSet::from([PolicyArn::s3_read_only(account)])),
        None => Ok(BTreeSet::new()),
    }
}

/// The schema refuses an empty list, but has not always done so: one from before is not taken for one that is left out.
fn buckets(spec: &PinpointImportRoleSpec, account: &Account) -> Result<Option<BucketPolicy>, String> {
    match spec.buckets.as_deref() {
        Some([]) => Err(
            "buckets is an empty list, which could mean every bucket or none: name the buckets, or leave the field out, and write \
             managedPolicyArns: [] too if the role is to read nothing"
                .to_owned(),
        ),
        declared => BucketPolicy::declare(declared.unwrap_or_default(), account),
    }
}

/// ARNs of a spec that lie in another partition than the role's account, where IAM can't find what they name; one sentence each.
#[must_use]
pub fn in_other_partitions(spec: &PinpointImportRoleSpec, account: &Account) -> Vec<String> {
    let policies = spec.managed_policy_arns.iter().flatten();
    let keys = spec
        .buckets
        .iter()
        .flatten()
        .filter_map(|bucket| bucket.kms_key_arn.as_ref());
    let fields = policies
        .map(|arn| ("managedPolicyArns", arn))
        .chain(spec.permissions_boundary.iter().map(|arn| ("permissionsBoundary", arn)))
        .chain(keys.map(|arn| ("buckets: kmsKeyArn", arn)));
    fields
        .filter_map(|(field, arn)| in_partition(field, arn, account).err())
        .collect()
}

/// Whether an ARN lies in the partition of an account.
///
/// # Errors
/// Says which is which, and what to write. `field` begins the error.
pub fn in_partition(field: &str, arn: &str, account: &Account) -> Result<(), String> {
    let partition = arn.split(':').nth(1).unwrap_or_default();
    if partition == account.partition {
        return Ok(());
    }
    Err(format!(
        "{field} {arn:?} lies in partition {partition}, and the role's account {} in {}: write an ARN that begins with arn:{}:",
        account.id, account.partition, account.partition
    ))
}

/// What the CRD's schema refuses already, checked again: an object may be older than the schema, and its defaults may be off.
fn problems_of_plain_fields(spec: &PinpointImportRoleSpec) -> Vec<String> {
    let mut problems = Vec::new();
    problems.extend(spec.interval().err());
    if let Some(description) = &spec.description {
        let sound = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{a1}'..='\u{ff}');
        if description.chars().count() > 1000 || !description.chars().all(sound) {
            problems.push(
                "description has more than 1000 characters, or some beyond Latin-1, which IAM refuses".to_owned(),
            );
        }
    }
    if let Some(seconds) = spec
        .max_session_duration
        .filter(|seconds| !(3600..=43200).contains(seconds))
    {
        problems.push(format!(
            "maxSessionDuration {seconds} is not between 3600 and 43200 seconds"
        ));
    }
    let mut seen = BTreeSet::new();
    for (key, value) in &spec.tags {
        let folded = key.to_lowercase();
        if folded.starts_with("aws:") || OWNERSHIP_TAGS.iter().any(|tag| tag.key() == folded) {
            problems.push(format!("tags: {key:?} is kept for AWS or for the controller"));
        }
        let allowed = |text: &str| {
            text.chars()
                .all(|c| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+@-".contains(c))
        };
        if !allowed(key) || !allowed(value) {
            problems.push(format!("tags: {key:?} or its value has characters that IAM refuses: letters, digits, spaces and _ . : / = + @ -"));
        }
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            problems.push(format!(
                "tags: {key:?} is longer than 128 characters, or its value than 256, or it is empty"
            ));
        }
        if !seen.insert(folded) {
            problems.push(format!(
                "tags: {key:?} is there twice: IAM takes upper and lower case for the same"
            ));
        }
    }
    problems
}
