//! Version `v1alpha1` of the custom resource.
//!
//! The doc comments of the fields are what `kubectl explain pir.spec` prints: they speak to the cluster's user.

#![allow(
    clippy::duplicated_attributes,
    reason = "each printer column has its own name and type"
)]
#![allow(
    unreachable_pub,
    reason = "KubeSchema puts a copy of the spec into a block, as public as the spec is"
)]

mod status;

use std::{collections::BTreeMap, time::Duration};

use kube::{CustomResource, CustomResourceExt, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::VariantArray;

pub use status::{Drift, DriftDifference, PinpointImportRoleStatus};

use super::{FINALIZER, bounds, duration};

/// The IAM role through which Amazon Pinpoint imports segments from S3.
///
/// What the spec declares is enforced; what it leaves out is left as it is in AWS, with two exceptions that are always enforced: the
/// trust policy and the set of policies. `spec: {}` gives the role of the AWS guide: Pinpoint may assume it, and it may read S3.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "pinpoint-import.dev",
    version = "v1alpha1",
    kind = "PinpointImportRole",
    plural = "pinpointimportroles",
    shortname = "pir",
    category = "aws",
    category = "pinpoint",
    namespaced,
    derive = "PartialEq",
    status = "PinpointImportRoleStatus",
    doc = "An IAM role through which Amazon Pinpoint imports segments from S3, kept in AWS as declared here.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Role", type_ = "string", json_path = ".status.roleName"),
    printcolumn(name = "ARN", type_ = "string", json_path = ".status.roleArn", priority = 1),
    printcolumn(
        name = "Drifted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Drifted\")].status",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("has(self.roleName) == has(oldSelf.roleName) && (!has(self.roleName) || self.roleName == oldSelf.roleName)")
        .message("roleName can't be changed, added or removed: create another object with the new name, and delete this one")
        .field_path(".roleName"),
    validation = Rule::new("has(self.path) == has(oldSelf.path) && (!has(self.path) || self.path == oldSelf.path)")
        .message("path can't be changed, added or removed, since IAM can't move a role: create another object with the new path, and delete this one")
        .field_path(".path"),
    validation = Rule::new("has(self.accountId) == has(oldSelf.accountId) && (!has(self.accountId) || self.accountId == oldSelf.accountId)")
        .message("accountId can't be changed, added or removed: create another object for the other account, and delete this one")
        .field_path(".accountId")
)]
#[serde(rename_all = "camelCase")]
pub struct PinpointImportRoleSpec {
    /// Name of the role in IAM. Default: `<namespace>.<name>` of this object. Can't be changed, added or removed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = bounds::ROLE_NAME))]
    pub role_name: Option<String>,

    /// Path of the role in IAM, `/` or `/…/`. Default: the controller's `--role-path`, itself `/`. Can't be changed, added or
    /// removed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = bounds::ROLE_PATH))]
    #[x_kube(validation = Rule::new("!self.startsWith('/aws-service-role/')")
        .message("path can't begin with /aws-service-role/, which AWS keeps for its own roles: write another, such as /pinpoint/"))]
    pub path: Option<String>,

    /// Description of the role in IAM. Left out, a new role gets one that names this object, and an existing description stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000), regex(pattern = bounds::DESCRIPTION))]
    pub description: Option<String>,

    /// Longest session that may be opened with the role, in seconds, 3600 to 43200. Left out, it stays as it is in AWS (3600 on a
    /// new role).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 3600, max = 43200))]
    pub max_session_duration: Option<i32>,

    /// ARN of the policy that bounds what the role may do. Left out, a boundary that somebody else set stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 20, max = 2048), regex(pattern = bounds::POLICY_ARN))]
    pub permissions_boundary: Option<String>,

    /// Tags of the role. Tags that others put there are left alone; a tag taken out of here is removed from the role. Keys are unique
    /// ignoring case, don't begin with `aws:` and are none of the ownership tags `pinpoint-import.dev/…`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::tags")]
    pub tags: BTreeMap<String, String>,

    /// Whom the role trusts. Left out, Pinpoint as a whole, as in the AWS guide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<Trust>,

    /// ARNs of the managed policies that are attached. Default: `AmazonS3ReadOnlyAccess`, or none where `buckets` is set. An explicit
    /// `[]` attaches none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::policy_arns")]
    pub managed_policy_arns: Option<Vec<String>>,

    /// Least privilege: the buckets from which segments are imported. They become one inline policy, `PinpointImportBuckets`, that
    /// lets the role list the prefix and read the objects below it, and decrypt with the key. Left out, the role may read by
    /// `managedPolicyArns` alone; an empty list is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20))]
    pub buckets: Option<Vec<Bucket>>,

    /// What becomes of attached and inline policies that this spec does not declare: `Remove` takes them off, `Keep` leaves them.
    #[serde(default)]
    pub undeclared_policies: UndeclaredPolicies,

    /// What becomes of changes that others make to the role in AWS: `Repair` undoes them; `Report` applies a
    /// declaration, of this object's spec and the controller's settings, until it is in place, and from then on only reports changes.
    #[serde(default)]
    pub drift_policy: DriftPolicy,

    /// Whether an existing role of that name may be taken over: `Adopt` takes it if it has no other live owner and already trusts
    /// Pinpoint and nobody else; `Never` leaves it.
    #[serde(default)]
    pub adoption_policy: AdoptionPolicy,

    /// What becomes of the role when this object is deleted: `Delete` removes it, `Retain` leaves it and its policies and takes the
    /// ownership tags off.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// AWS account of the role, 12 digits. Default: the account of the controller's own credentials. Can't be changed, added or
    /// removed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 12, max = 12), regex(pattern = bounds::ACCOUNT_ID))]
    pub account_id: Option<String>,

    /// While true no call to IAM is made for this object; its deletion waits, too.
    #[serde(default)]
    pub suspend: bool,

    /// Time between full checks of this role, 30s to 24h, such as `5m` or `1h30m`. Default: the controller's `--resync-interval`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 32), regex(pattern = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"))]
    #[x_kube(validation = Rule::new("duration(self) >= duration('30s') && duration(self) <= duration('24h')")
        .message("interval must be between 30s and 24h"))]
    pub interval: Option<String>,
}

impl PinpointImportRole {
    /// Whether the object bears the finalizer.
    #[must_use]
    pub fn has_finalizer(&self) -> bool {
        let finalizers = self.metadata.finalizers.iter().flatten();
        finalizers.into_iter().any(|finalizer| finalizer == FINALIZER)
    }
}

impl PinpointImportRoleSpec {
    /// `interval` as a time; none where it is left out.
    ///
    /// # Errors
    /// It is not a duration between 30s and 24h.
    pub fn interval(&self) -> Result<Option<Duration>, String> {
        let Some(text) = &self.interval else {
            return Ok(None);
        };
        let bounds = Duration::from_secs(30)..=Duration::from_hours(24);
        let parsed = duration(text).filter(|parsed| bounds.contains(parsed));
        parsed
            .map(Some)
            .ok_or_else(|| format!("{text:?} is not a duration between 30s and 24h, such as 5m or 1h30m"))
    }
}

/// The custom resource definition as YAML, as `crds/pinpointimportroles.yaml` holds it.
///
/// # Errors
/// It can't be written as YAML.
pub fn crd_yaml() -> Result<String, String> {
    serde_saphyr::to_string(&PinpointImportRole::crd()).map_err(|error| error.to_string())
}

/// Whom the role trusts: always Pinpoint, and with these fields only on behalf of some of its projects or of one account.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Trust {
    /// Pinpoint projects (applications) that may use the role; left out, any; an empty list is refused. Each becomes an allowed
    /// `aws:SourceArn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["region", "id"]))]
    pub applications: Option<Vec<Application>>,

    /// Account on whose behalf Pinpoint may use the role (`aws:SourceAccount`), 12 digits. Default: the role's own account where
    /// `applications` is set, else no such condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 12, max = 12), regex(pattern = bounds::ACCOUNT_ID))]
    pub source_account: Option<String>,
}

/// A Pinpoint project.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    /// AWS region of the project, such as `us-east-1`.
    #[schemars(length(min = 9, max = 32), regex(pattern = bounds::REGION))]
    pub region: String,

    /// Id of the project: 32 hexadecimal digits in lower case.
    #[schemars(length(min = 32, max = 32), regex(pattern = bounds::APPLICATION_ID))]
    pub id: String,
}

/// A bucket, or a part of it, that the role may read.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Bucket {
    /// Name of the S3 bucket.
    #[schemars(length(min = 3, max = 63), regex(pattern = bounds::BUCKET_NAME))]
    pub name: String,

    /// Only keys that begin with this, such as `segments/`. `*`, `?` and `${` stand for themselves. Left out, the whole bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = bounds::PREFIX))]
    pub prefix: Option<String>,

    /// ARN of the KMS key with which the objects are encrypted (an ARN of a key, not of an alias).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 20, max = 256), regex(pattern = bounds::KEY_ARN))]
    pub kms_key_arn: Option<String>,
}

/// What becomes of policies that the spec does not declare.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, VariantArray)]
pub enum UndeclaredPolicies {
    /// They are taken off.
    #[default]
    Remove,
    /// They are left.
    Keep,
}

/// What becomes of changes that others make to the role.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, VariantArray)]
pub enum DriftPolicy {
    /// They are undone.
    #[default]
    Repair,
    /// They are reported.
    Report,
}

/// Whether an existing role may be taken over.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, VariantArray)]
pub enum AdoptionPolicy {
    /// It stays whose it is.
    #[default]
    Never,
    /// It is taken over, under conditions.
    Adopt,
}

/// What becomes of the role when the object is deleted.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, VariantArray)]
pub enum DeletionPolicy {
    /// It is deleted.
    #[default]
    Delete,
    /// It is left.
    Retain,
}

/// Schemas that attributes can't say.
mod schema {
    use schemars::{Schema, SchemaGenerator, json_schema};
    use strum::VariantArray;

    use crate::api::{Tag, bounds};

    /// A set: server-side apply merges it by item, and the API server refuses repeats.
    pub(super) fn policy_arns(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "nullable": true,
            "maxItems": 20,
            "x-kubernetes-list-type": "set",
            "items": {"type": "string", "minLength": 20, "maxLength": 2048, "pattern": bounds::POLICY_ARN},
        })
    }

    /// A map whose values have a schema, and whose keys have rules: structural schemas have no word for keys.
    pub(super) fn tags(_: &mut SchemaGenerator) -> Schema {
        let ownership: Vec<String> = Tag::VARIANTS.iter().map(|tag| format!("'{}'", tag.key())).collect();
        json_schema!({
            "type": "object",
            "maxProperties": 40,
            "additionalProperties": {"type": "string", "maxLength": 256, "pattern": bounds::TAG},
            "x-kubernetes-validations": [
                {
                    "rule": "self.all(k, size(k) >= 1 && size(k) <= 128)",
                    "message": "keys of tags have 1 to 128 characters",
                },
                {
                    "rule": format!("self.all(k, k.matches(r'{}'))", bounds::TAG),
                    "message": "keys of tags have letters, digits, spaces and _ . : / = + @ - only",
                },
                {
                    "rule": "self.all(k, !k.matches('^[aA][wW][sS]:'))",
                    "message": "keys of tags can't begin with aws:, which AWS keeps for itself",
                },
                {
                    "rule": format!("self.all(k, !(k.lowerAscii() in [{}]))", ownership.join(", ")),
                    "message": "the ownership tags pinpoint-import.dev/cluster, /namespace, /name and /uid are set by the controller",
                },
                {
                    "rule": "self.all(k, self.exists_one(j, j.lowerAscii() == k.lowerAscii()))",
                    "message": "keys of tags must differ by more than upper and lower case: IAM takes them for the same",
                },
            ],
        })
    }
}
