//! The role that an object declares, parsed once: after this nothing about it can be invalid.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use sha2::{Digest, Sha256};
use strum::VariantArray;

use super::{
    name::{Account, PolicyArn, RoleName, RolePath},
    ownership::Owner,
    policy::{buckets::BucketPolicy, trust::TrustPolicy},
    problem::{FieldPath, Problem},
};
use crate::api::{
    CONTROLLER, Tag,
    bounds::{self, fits},
    v1alpha1::{PinpointImportRoleSpec, Trust, UndeclaredPolicies},
};

/// What a declaration means depends on.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Account in which the role lies: the ARNs of its conditions and of the default policy name it or its partition.
    pub account: Account,
    /// The controller's `--role-path`.
    pub role_path: RolePath,
}

/// What a role should be: the spec with its defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredRole {
    /// The object that the role belongs to.
    pub owner: Owner,
    /// `spec.roleName`, or `<namespace>.<name>` of the object.
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
    /// Who may assume it, and under which conditions; always enforced.
    pub trust: TrustPolicy,
    /// The managed policies to be attached, the default one included.
    pub attached: BTreeSet<PolicyArn>,
    /// The inline policy for `spec.buckets`.
    pub buckets: Option<BucketPolicy>,
    /// What becomes of policies that are neither in `attached` nor the one of `buckets`.
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

/// What a spec allows and its author should know: a role that Pinpoint may use on anybody's behalf (the confused deputy). AWS' page of
/// the import role shows both conditions; the guide that `spec: {}` stands for has none.
#[must_use]
pub fn advice(spec: &PinpointImportRoleSpec) -> Option<Problem> {
    // Each field of `trust` is such a condition.
    if spec.trust.as_ref().is_some_and(|trust| *trust != Trust::default()) {
        return None;
    }
    let path = FieldPath::of(&["spec"]);
    let account = spec.account_id.as_deref().unwrap_or("<id of the role's account>");
    let message = format!(
        "no condition guards this role, so Pinpoint may use it on behalf of any AWS account. Two lines below spec guard it: `trust:` and, \
         indented below that, `sourceAccount: \"{account}\"`"
    );
    Some(Problem::new(path, message))
}

impl DesiredRole {
    /// Parses a spec.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn declare(spec: &PinpointImportRoleSpec, owner: Owner, around: &Surroundings) -> Result<Self, Vec<Problem>> {
        let PinpointImportRoleSpec {
            // Parsed by functions that others ask too.
            role_name: _,
            managed_policy_arns: _,
            buckets: _,
            path,
            description,
            max_session_duration,
            permissions_boundary,
            tags,
            trust,
            undeclared_policies,
            // How the controller goes about it, not what the role is: the decision reads these.
            drift_policy: _,
            adoption_policy: _,
            deletion_policy: _,
            account_id: _,
            suspend: _,
            interval: _,
        } = spec;
        let mut problems = Vec::new();
        let name = keep(at("roleName", role_name(spec, &owner)), &mut problems);
        let path = path.as_deref().map(RolePath::parse);
        let path = keep(at("path", path.transpose()), &mut problems);
        let boundary = permissions_boundary.as_deref().map(PolicyArn::parse);
        let boundary = keep(at("permissionsBoundary", boundary.transpose()), &mut problems);
        let trust = trust.clone().unwrap_or_default();
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
                    description: description.clone(),
                    max_session_duration: *max_session_duration,
                    boundary,
                    tags: tags.clone(),
                    trust,
                    attached,
                    buckets,
                    undeclared: *undeclared_policies,
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
        let beginning: [u8; 8] = std::array::from_fn(|n| digest[n]);
        format!("{:016x}", u64::from_be_bytes(beginning))
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

/// A field whose value is all that can be wrong with it.
fn at<T>(field: &str, result: Result<T, String>) -> Result<T, Vec<Problem>> {
    result.map_err(|message| vec![Problem::new(FieldPath::spec(field), message)])
}

fn keep<T>(result: Result<T, Vec<Problem>>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|found| problems.extend(found)).ok()
}

fn attached(spec: &PinpointImportRoleSpec, account: &Account) -> Result<BTreeSet<PolicyArn>, Vec<Problem>> {
    let Some(declared) = &spec.managed_policy_arns else {
        let guide = spec.buckets.is_none().then(|| PolicyArn::s3_read_only(account));
        return Ok(guide.into_iter().collect());
    };
    let field = FieldPath::spec("managedPolicyArns");
    let (mut arns, mut problems) = (BTreeSet::new(), Vec::new());
    for (index, arn) in declared.iter().enumerate() {
        match PolicyArn::parse(arn) {
            Ok(arn) => drop(arns.insert(arn)),
            Err(message) => problems.push(Problem::new(field.item(index), message)),
        }
    }
    if problems.is_empty() { Ok(arns) } else { Err(problems) }
}

/// The schema refuses an empty list, but has not always done so: one from before is not taken for one that is left out.
fn buckets(spec: &PinpointImportRoleSpec, account: &Account) -> Result<Option<BucketPolicy>, Vec<Problem>> {
    match spec.buckets.as_deref() {
        Some([]) => {
            let message = "is an empty list, which could mean every bucket or none: name the buckets, or leave the field out, and write \
                 managedPolicyArns: [] too if the role is to read nothing";
            Err(vec![Problem::new(FieldPath::spec("buckets"), message)])
        }
        declared => BucketPolicy::declare(declared.unwrap_or_default(), account),
    }
}

/// ARNs of a spec that lie in another partition than the role's account, where IAM can't find what they name.
#[must_use]
pub fn in_other_partitions(spec: &PinpointImportRoleSpec, account: &Account) -> Vec<Problem> {
    let keys = spec.buckets.iter().flatten().enumerate().filter_map(|(index, bucket)| {
        let path = FieldPath::spec("buckets").item(index).key("kmsKeyArn");
        Some((path, bucket.kms_key_arn.as_ref()?))
    });
    policies(spec)
        .chain(keys)
        .filter_map(|(path, arn)| Some(Problem::new(path, in_partition(arn, account).err()?)))
        .collect()
}

/// Policies of a spec that belong to another account than the role, which IAM never finds. (A key of another account can be used.)
#[must_use]
pub fn of_other_accounts(spec: &PinpointImportRoleSpec, account: &Account) -> Vec<Problem> {
    policies(spec)
        .filter_map(|(path, arn)| Some(Problem::new(path, of_account(arn, account).err()?)))
        .collect()
}

/// The policies that a spec names, and where.
fn policies(spec: &PinpointImportRoleSpec) -> impl Iterator<Item = (FieldPath, &String)> {
    let attached = spec.managed_policy_arns.iter().flatten().enumerate();
    let attached = attached.map(|(index, arn)| (FieldPath::spec("managedPolicyArns").item(index), arn));
    let boundary = spec.permissions_boundary.iter();
    attached.chain(boundary.map(|arn| (FieldPath::spec("permissionsBoundary"), arn)))
}

/// The account that a customer's policy belongs to; none for one of AWS' own.
#[must_use]
pub fn account_of(policy_arn: &str) -> Option<&str> {
    policy_arn.split(':').nth(4).filter(|owner| *owner != "aws")
}

/// Whether a role of an account can have a policy: one of AWS, or of the account's own.
///
/// # Errors
/// Says which is which, and what to write.
pub fn of_account(policy_arn: &str, account: &Account) -> Result<(), String> {
    match account_of(policy_arn) {
        Some(other) if other != account.id => Err(format!(
            "{policy_arn:?} belongs to account {other}, and the role to {}: IAM takes policies of AWS and of the role's own account, so \
             make the policy there, and name that",
            account.id
        )),
        _ => Ok(()),
    }
}

/// Whether an ARN lies in the partition of an account.
///
/// # Errors
/// Says which is which, and what to write.
pub fn in_partition(arn: &str, account: &Account) -> Result<(), String> {
    let partition = arn.split(':').nth(1).unwrap_or_default();
    if partition == account.partition {
        return Ok(());
    }
    Err(format!(
        "{arn:?} lies in partition {partition}, and the role's account {} in {}: write an ARN that begins with arn:{}:",
        account.id, account.partition, account.partition
    ))
}

/// What the CRD's schema refuses already, checked again: an object may be older than the schema, and its defaults may be off.
fn problems_of_plain_fields(spec: &PinpointImportRoleSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    problems.extend(at("interval", spec.interval()).err().unwrap_or_default());
    if let Some(description) = &spec.description
        && !fits(description, bounds::DESCRIPTION, 0..=1000)
    {
        let message = "has more than 1000 characters, or some beyond Latin-1, which IAM refuses";
        problems.push(Problem::new(FieldPath::spec("description"), message));
    }
    if let Some(seconds) = spec
        .max_session_duration
        .filter(|seconds| !(3600..=43200).contains(seconds))
    {
        let message = format!("{seconds} is not between 3600 and 43200 seconds");
        problems.push(Problem::new(FieldPath::spec("maxSessionDuration"), message));
    }
    problems.extend(problems_of_tags(&spec.tags));
    problems
}

/// Most tags of a spec: IAM takes 50, and leaves others and the ownership tags some.
const MOST_TAGS: usize = 40;

fn problems_of_tags(tags: &BTreeMap<String, String>) -> Vec<Problem> {
    let field = FieldPath::spec("tags");
    let mut problems = Vec::new();
    if tags.len() > MOST_TAGS {
        let message = format!("has {} entries: at most {MOST_TAGS}", tags.len());
        problems.push(Problem::new(field.clone(), message));
    }
    let mut seen = BTreeSet::new();
    for (key, value) in tags {
        let mut tell = |message: &str| problems.push(Problem::new(field.key(key), message));
        let folded = key.to_lowercase();
        if folded.starts_with("aws:") || Tag::VARIANTS.iter().any(|tag| tag.key() == folded) {
            tell("is kept for AWS or for the controller");
        }
        if !(1..=128).contains(&key.chars().count()) {
            tell("is empty or longer than 128 characters");
        } else if !fits(key, bounds::TAG, 1..=128) {
            tell("has characters that IAM refuses: letters, digits, spaces and _ . : / = + @ -");
        }
        if value.chars().count() > 256 {
            tell("has a value of more than 256 characters");
        } else if !fits(value, bounds::TAG, 0..=256) {
            tell("has a value with characters that IAM refuses: letters, digits, spaces and _ . : / = + @ -");
        }
        if !seen.insert(folded) {
            tell("is there twice: IAM takes upper and lower case for the same");
        }
    }
    problems
}
