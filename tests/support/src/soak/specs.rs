//! Objects as a user writes them, and what others do to roles: drawn by chance.

use fastrand::Rng;
use serde_json::{Value, json};

use super::declared::S3_READ_ONLY;
use crate::iam::RoleState;

/// Namespaces of the objects.
pub(super) const NAMESPACES: [&str; 3] = ["team-a", "team-b", "team-c"];
/// Roles that several objects declare.
const SHARED: usize = 6;
/// Roles that were there before: of each kind so many.
pub(super) const OLD: usize = 8;

const MANAGED: [&str; 4] = [
    S3_READ_ONLY,
    "arn:aws:iam::aws:policy/AmazonS3FullAccess",
    "arn:aws:iam::aws:policy/CloudWatchReadOnlyAccess",
    "arn:aws:iam::aws:policy/AmazonSNSReadOnlyAccess",
];
pub(super) const BOUNDARIES: [&str; 2] = [
    "arn:aws:iam::aws:policy/PowerUserAccess",
    "arn:aws:iam::aws:policy/ReadOnlyAccess",
];
const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// A trust policy for Pinpoint, as the guide has it.
pub(super) const GUIDE_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const TRUSTS: [&str; 4] = [
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com","AWS":"arn:aws:iam::999999999999:root"},"Action":"sts:AssumeRole"}]}"#,
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#,
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
    GUIDE_TRUST,
];
const INLINE: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// The role that object number `n` declares by name; none: that of its default name. Some declare one that is there already, or that
/// another object declares too.
fn role_of(n: usize) -> Option<String> {
    match n % 10 {
        7 => Some(format!("shared-{}", n / 10 % SHARED)),
        8 => Some(format!("legacy-{}", n / 10 % OLD)),
        9 => Some(format!("foreign-{}", n / 10 % OLD)),
        _ => None,
    }
}

/// Whether several objects may declare a role, by its name.
pub(super) fn is_shared(role: &str) -> bool {
    ["shared-", "legacy-", "foreign-"]
        .iter()
        .any(|shared| role.starts_with(shared))
}

/// A spec for object number `n`.
pub(super) fn spec(rng: &mut Rng, n: usize) -> Value {
    let mut spec = json!({
        "undeclaredPolicies": if chance(rng, 15) { "Keep" } else { "Remove" },
        "driftPolicy": if chance(rng, 20) { "Report" } else { "Repair" },
        "deletionPolicy": if chance(rng, 20) { "Retain" } else { "Delete" },
        "adoptionPolicy": if chance(rng, 30) { "Adopt" } else { "Never" },
        "suspend": chance(rng, 5),
    });
    if let Some(name) = role_of(n) {
        spec["roleName"] = json!(name);
    }
    if chance(rng, 30) {
        let count = rng.usize(0..4);
        spec["managedPolicyArns"] = json!(rng.choose_multiple(MANAGED, count));
    }
    if chance(rng, 25) {
        let bucket = |rng: &mut Rng| json!({"name": format!("bucket-{}", rng.u8(0..3)), "prefix": format!("p{}/", rng.u8(0..3))});
        spec["buckets"] = json!([bucket(rng)]);
    }
    if chance(rng, 20) {
        spec["permissionsBoundary"] = json!(BOUNDARIES[rng.usize(0..BOUNDARIES.len())]);
    }
    if chance(rng, 30) {
        spec["tags"] = json!({"team": format!("t{}", rng.u8(0..3)), "Stage": format!("s{}", rng.u8(0..3))});
    }
    if chance(rng, 30) {
        spec["description"] = json!(format!("description {}", rng.u8(0..5)));
    }
    if chance(rng, 20) {
        spec["maxSessionDuration"] = json!([3600, 7200, 43200][rng.usize(0..3)]);
    }
    if chance(rng, 30) {
        let application = |rng: &mut Rng| json!({"region": "us-east-1", "id": format!("{:032x}", rng.u8(0..4))});
        spec["trust"] = json!({"applications": [application(rng)]});
    }
    if chance(rng, 20) {
        spec["interval"] = json!(if rng.bool() { "30s" } else { "45s" });
    }
    spec
}

/// True so many times of a hundred.
pub(super) fn chance(rng: &mut Rng, of_hundred: u8) -> bool {
    rng.u8(0..100) < of_hundred
}

/// What somebody does to a role.
type Change = Box<dyn FnOnce(&mut RoleState)>;

/// What somebody does to a role that is there; `tags` are those of another role, to be copied.
pub(super) fn tamper(rng: &mut Rng, tags: Option<Vec<(String, String)>>) -> (&'static str, Change) {
    let boundary = BOUNDARIES[rng.usize(0..BOUNDARIES.len())];
    let trust = TRUSTS[rng.usize(0..TRUSTS.len())];
    let managed = MANAGED[rng.usize(0..MANAGED.len())];
    let name = if rng.bool() {
        "PinpointImportBuckets"
    } else {
        "backdoor"
    };
    match rng.u8(0..12) {
        0..=2 => (
            "widens the trust policy",
            Box::new(move |role| trust.clone_into(&mut role.trust_policy)),
        ),
        3 => (
            "attaches AdministratorAccess",
            Box::new(|role| {
                role.attached.insert(ADMIN.to_owned());
            }),
        ),
        4 => (
            "attaches a policy",
            Box::new(move |role| {
                role.attached.insert(managed.to_owned());
            }),
        ),
        5 => ("detaches all", Box::new(|role| role.attached.clear())),
        6 => (
            "puts an inline policy",
            Box::new(move |role| drop(role.inline.insert(name.to_owned(), INLINE.to_owned()))),
        ),
        7 => (
            "sets the boundary",
            Box::new(move |role| role.permissions_boundary = Some(boundary.to_owned())),
        ),
        8 => (
            "takes the boundary off",
            Box::new(|role| role.permissions_boundary = None),
        ),
        9 => ("takes all tags off", Box::new(|role| role.tags.clear())),
        10 if tags.is_some() => (
            "copies another's tags",
            Box::new(move |role| role.tags.extend(tags.unwrap_or_default())),
        ),
        _ => (
            "changes session and description",
            Box::new(|role| {
                role.max_session_duration = 43_200;
                role.description = Some("changed by hand".to_owned());
            }),
        ),
    }
}
