//! The status: what users read with `kubectl`, and what the controller remembers over a restart.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the controller found and did.
// Until it has looked, the status speaks of no generation that there is: kstatus, by which Flux and helm wait, takes an object without any
// status for one that is done.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = serde_json::json!({ "observedGeneration": -1 })))]
pub struct PinpointImportRoleStatus {
    /// Generation of the object that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Last generation that was wholly in place in IAM. What differs from it since is drift.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_generation: Option<i64>,

    /// Short hash of the declaration that was wholly in place: of this object's spec and the controller's settings together. What
    /// differs under another one is an update, not drift.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_declaration: Option<String>,

    /// Name of the role in IAM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_name: Option<String>,

    /// ARN of the role: what Pinpoint's import asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,

    /// IAM's unique id of the role. A role of the same name with another id is another role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_id: Option<String>,

    /// IAM's unique id of the role that was gone when another was about to be made in its place; only until that one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_role_id: Option<String>,

    /// AWS account of the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,

    /// Keys of the tags that the controller set for `spec.tags`, so that it can remove those that are taken out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub tag_keys: Vec<String>,

    /// Value of the annotation `pinpoint-import.dev/reconcile-requested-at` at the last look at the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,

    /// Conditions: `Ready` always; `Reconciling`, `Stalled`, `Drifted` and `Suspended` only while they are true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,

    /// The last change that others made to the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_drift: Option<Drift>,
}

/// A change that others made to the role.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// When it was found.
    pub detected_at: Time,

    /// When the role was as declared again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repaired_at: Option<Time>,

    /// What differed, the most dangerous first, at most 20.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub differences: Vec<DriftDifference>,

    /// How many more differences there were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<i32>,
}

impl Drift {
    /// What was found, the most dangerous first.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.differences.iter().map(|difference| difference.observed.as_str())
    }

    /// How many differences there were beyond those listed.
    #[must_use]
    pub fn unlisted(&self) -> usize {
        self.more
            .and_then(|more| usize::try_from(more).ok())
            .unwrap_or_default()
    }
}

/// One difference between the role in IAM and the spec.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DriftDifference {
    /// The part of the role that differs.
    pub field: String,
    /// What was found in IAM.
    pub observed: String,
    /// What the spec declares.
    pub declared: String,
}
