//! What a spec declares, what a role makes possible, and whether the one is the other: judged without any code of the controller's.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::iam::RoleState;

/// The account of the fake.
pub(super) const ACCOUNT: &str = "123456789012";
/// The controllers' `--cluster-id`.
pub(super) const CLUSTER: &str = "soak";
/// What the guide attaches.
pub(super) const S3_READ_ONLY: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
/// The inline policy of `spec.buckets`.
const BUCKETS: &str = "PinpointImportBuckets";
const PINPOINT: &str = "pinpoint.amazonaws.com";
const OWNERSHIP: &str = "pinpoint-import.dev/";

/// What operators set, which may change between two lives of the controllers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// `--resync-interval`.
    pub resync: &'static str,
    /// `--allowed-policy-arns`.
    pub allowed: &'static str,
    /// `--permissions-boundary`.
    pub boundary: Option<&'static str>,
    /// `--concurrency`.
    pub concurrency: &'static str,
}

/// The patterns of `--allowed-policy-arns` that are used here.
pub(super) const ANY_POLICY: &str = "*";
pub(super) const READ_ONLY_POLICIES: &str = "arn:aws:iam::aws:policy/*ReadOnlyAccess";

impl Settings {
    /// Whether they keep an object from having its role.
    pub fn refuse(&self, spec: &Value) -> bool {
        let not_allowed = |arn: &String| self.allowed == READ_ONLY_POLICIES && !arn.ends_with("ReadOnlyAccess");
        let other = |declared: &str| self.boundary.is_some_and(|forced| forced != declared);
        managed(spec).iter().any(not_allowed) || spec["permissionsBoundary"].as_str().is_some_and(other)
    }

    fn boundary(&self, spec: &Value) -> Option<String> {
        let forced = self.boundary.map(str::to_owned);
        forced.or_else(|| spec["permissionsBoundary"].as_str().map(str::to_owned))
    }
}

/// Name of an object's role, in lower case as IAM compares names.
pub(super) fn role_name(namespace: &str, name: &str, spec: &Value) -> String {
    let default = format!("{namespace}.{name}");
    spec["roleName"].as_str().unwrap_or(&default).to_ascii_lowercase()
}

/// The managed policies that a spec declares.
fn managed(spec: &Value) -> BTreeSet<String> {
    let texts = |list: &Vec<Value>| list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    match (spec["managedPolicyArns"].as_array(), spec["buckets"].is_array()) {
        (Some(declared), _) => texts(declared),
        (None, true) => BTreeSet::new(),
        (None, false) => BTreeSet::from([S3_READ_ONLY.to_owned()]),
    }
}

/// The resources of the bucket policy; none without buckets.
fn resources(spec: &Value) -> Option<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for bucket in spec["buckets"].as_array()? {
        let name = bucket["name"].as_str().unwrap_or_default();
        all.insert(format!("arn:aws:s3:::{name}"));
        all.insert(format!(
            "arn:aws:s3:::{name}/{}*",
            bucket["prefix"].as_str().unwrap_or_default()
        ));
    }
    Some(all)
}

/// Whether an inline policy is that of the declared buckets.
fn is_bucket_policy(document: &str, spec: &Value) -> bool {
    let Ok(document) = serde_json::from_str::<Value>(document) else {
        return false;
    };
    let statements = list(&document["Statement"]);
    let actions: BTreeSet<String> = statements
        .iter()
        .flat_map(|statement| texts(&statement["Action"]))
        .collect();
    let found: BTreeSet<String> = statements
        .iter()
        .flat_map(|statement| texts(&statement["Resource"]))
        .collect();
    let reads = ["s3:ListBucket", "s3:GetObject"].map(str::to_owned);
    resources(spec) == Some(found) && actions == BTreeSet::from(reads)
}

/// Who may assume a role: principal and action, and the conditions, all of which are positive ones here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Grant {
    who: String,
    conditions: BTreeMap<String, BTreeSet<String>>,
}

impl Grant {
    /// Whether whoever may by this may by the other one too.
    fn is_within(&self, other: &Self) -> bool {
        let narrows = |(key, values): (&String, &BTreeSet<String>)| {
            self.conditions.get(key).is_some_and(|own| own.is_subset(values))
        };
        self.who == other.who && other.conditions.iter().all(narrows)
    }
}

/// Who may assume a role by its trust policy.
pub(super) fn trusted(document: &str) -> BTreeSet<Grant> {
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    let mut grants = BTreeSet::new();
    for statement in list(&document["Statement"]) {
        let mut conditions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
            for (key, values) in keys.as_object().into_iter().flatten() {
                conditions.insert(format!("{operator} {key}"), texts(values).into_iter().collect());
            }
        }
        for (kind, names) in statement["Principal"].as_object().into_iter().flatten() {
            for name in texts(names) {
                for action in texts(&statement["Action"]) {
                    let who = format!("{kind} {name} {action}");
                    let conditions = conditions.clone();
                    grants.insert(Grant { who, conditions });
                }
            }
        }
    }
    grants
}

/// Whether a trust policy lets Pinpoint in and nobody else.
pub(super) fn trusts_pinpoint_alone(document: &str) -> bool {
    let who = format!("Service {PINPOINT} sts:AssumeRole");
    let grants = trusted(document);
    !grants.is_empty() && grants.iter().all(|grant| grant.who == who)
}

/// The one grant that a spec declares.
fn declared_grant(spec: &Value) -> Grant {
    let mut conditions = BTreeMap::new();
    let applications = spec["trust"]["applications"].as_array();
    if let Some(applications) = applications {
        let arn = |application: &Value| {
            let part = |key: &str| application[key].as_str().unwrap_or_default().to_owned();
            format!(
                "arn:aws:mobiletargeting:{}:{ACCOUNT}:apps/{}",
                part("region"),
                part("id")
            )
        };
        conditions.insert(
            "ArnLike aws:SourceArn".to_owned(),
            applications.iter().map(arn).collect(),
        );
    }
    let source = spec["trust"]["sourceAccount"].as_str();
    if let Some(account) = source.or(applications.map(|_| ACCOUNT)) {
        conditions.insert(
            "StringEquals aws:SourceAccount".to_owned(),
            BTreeSet::from([account.to_owned()]),
        );
    }
    let who = format!("Service {PINPOINT} sts:AssumeRole");
    Grant { who, conditions }
}

/// How a role differs from what an object declares, part by part; empty if it does not.
pub(super) fn differences(role: &RoleState, spec: &Value, settings: &Settings, uid: &str) -> Vec<String> {
    let keeps = spec["undeclaredPolicies"] == "Keep";
    let attached = managed(spec);
    let mut found = Vec::new();
    let mut check = |holds: bool, what: &str, part: &str| {
        if !holds {
            found.push(format!("{what} {part}"));
        }
    };
    let (grants, declared) = (trusted(&role.trust_policy), declared_grant(spec));
    for grant in &grants {
        check(*grant == declared, "trusts", &format!("{grant:?}"));
    }
    check(grants.contains(&declared), "does not trust", &format!("{declared:?}"));
    for arn in &role.attached {
        check(keeps || attached.contains(arn), "has", arn);
    }
    for arn in &attached {
        check(role.attached.contains(arn), "has not", arn);
    }
    for (name, document) in role.inline.iter().filter(|(name, _)| *name != BUCKETS) {
        check(keeps, "has the inline policy", &format!("{name} {document}"));
    }
    if let Some(document) = role.inline.get(BUCKETS) {
        check(is_bucket_policy(document, spec), "has the inline policy", document);
    } else {
        check(!spec["buckets"].is_array(), "has not", BUCKETS);
    }
    let boundary = settings.boundary(spec);
    let bound = boundary.is_none() || role.permissions_boundary == boundary;
    check(bound, "has the boundary", &format!("{:?}", role.permissions_boundary));
    if let Some(description) = spec["description"].as_str() {
        let is_same = role.description.as_deref() == Some(description);
        check(is_same, "has the description", &format!("{:?}", role.description));
    }
    if let Some(seconds) = spec["maxSessionDuration"].as_u64() {
        let is_same = u64::from(role.max_session_duration) == seconds;
        check(is_same, "has sessions of", &role.max_session_duration.to_string());
    }
    for (key, value) in spec["tags"].as_object().into_iter().flatten() {
        let found = role.tags.get(key).map(String::as_str);
        check(found == value.as_str(), "has the tag", &format!("{key} {found:?}"));
    }
    for (name, declared) in [("uid", uid), ("cluster", CLUSTER)] {
        let found = tag(role, name);
        check(found == Some(declared), "has the owner's", &format!("{name} {found:?}"));
    }
    found
}

/// An ownership tag.
pub(super) fn tag<'a>(role: &'a RoleState, name: &str) -> Option<&'a str> {
    let found = role
        .tags
        .iter()
        .find(|(key, _)| key.strip_prefix(OWNERSHIP) == Some(name));
    found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

/// Whether a role bears any ownership tag.
pub(super) fn is_tagged(role: &RoleState) -> bool {
    role.tags.keys().any(|key| key.starts_with(OWNERSHIP))
}

/// What a declaration permits.
pub(super) struct Permitted<'a> {
    pub spec: &'a Value,
    pub settings: &'a Settings,
}

/// A policy of a role: the ARN of a managed one, or name and document of an inline one.
type Rights<'a> = (&'a str, &'a str);

fn rights(role: &RoleState) -> impl Iterator<Item = Rights<'_>> {
    let inline = role
        .inline
        .iter()
        .map(|(name, document)| (name.as_str(), document.as_str()));
    role.attached.iter().map(|arn| (arn.as_str(), "")).chain(inline)
}

impl Permitted<'_> {
    fn grants(&self, grant: &Grant) -> bool {
        grant.is_within(&declared_grant(self.spec))
    }

    fn rights(&self, (name, document): Rights<'_>) -> bool {
        // Kept policies are declared to stay.
        self.spec["undeclaredPolicies"] == "Keep" && name != BUCKETS
            || (document.is_empty() && managed(self.spec).contains(name))
            || (name == BUCKETS && is_bucket_policy(document, self.spec))
    }

    fn boundary(&self, boundary: Option<&String>) -> bool {
        let declared = self.settings.boundary(self.spec);
        declared.is_none() || declared.as_ref() == boundary
    }
}

fn bounds(before: &RoleState, boundary: Option<&String>) -> bool {
    before.permissions_boundary.is_none() || before.permissions_boundary.as_ref() == boundary
}

/// What a role makes possible that neither one of the roles before did nor a declaration permits. `apart`: parts of it may come from
/// different ones, since others changed the role while it was worked on.
pub(super) fn gained(
    after: &RoleState,
    before: &[&RoleState],
    permitted: &[Permitted<'_>],
    apart: bool,
) -> Option<String> {
    let boundary = after.permissions_boundary.as_ref();
    // Trust policy and boundary are two calls. Where the one lets somebody in and puts another out, until the second call the boundary before
    // holds whom it lets in.
    let lets_in = |role: &RoleState, other: &RoleState| {
        let who = trusted(&role.trust_policy);
        trusted(&other.trust_policy)
            .iter()
            .all(|grant| who.iter().any(|wide| grant.is_within(wide)))
    };
    let between = before
        .last()
        .filter(|role| !lets_in(role, after) && !lets_in(after, role))
        .map(|role| role.permissions_boundary.as_ref());
    let permits = |p: &Permitted<'_>| p.boundary(boundary) || between == Some(boundary);
    for grant in trusted(&after.trust_policy) {
        for right in rights(after) {
            let was_granted = |role: &&&RoleState| trusted(&role.trust_policy).iter().any(|old| grant.is_within(old));
            let was_right = |role: &&&RoleState| rights(role).any(|old| old == right);
            let was_bound = |role: &&&RoleState| bounds(role, boundary);
            let is_possible = if apart {
                (before.iter().any(|role| was_granted(&role)) || permitted.iter().any(|p| p.grants(&grant)))
                    && (before.iter().any(|role| was_right(&role)) || permitted.iter().any(|p| p.rights(right)))
                    && (before.iter().any(|role| was_bound(&role)) || permitted.iter().any(permits))
            } else {
                before
                    .iter()
                    .any(|role| was_granted(&role) && was_right(&role) && was_bound(&role))
                    || permitted
                        .iter()
                        .any(|p| p.grants(&grant) && p.rights(right) && permits(p))
            };
            if !is_possible {
                return Some(format!(
                    "{} may use {} under the boundary {boundary:?}",
                    grant.who, right.0
                ));
            }
        }
    }
    None
}

fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

fn texts(value: &Value) -> Vec<String> {
    list(value)
        .into_iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use serde_json::json;

    use super::*;

    const STRANGER: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"sts:AssumeRole"}]}"#;
    const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

    fn role(trust: &str, attached: &[&str]) -> RoleState {
        let tags =
            [("uid", "u"), ("cluster", CLUSTER)].map(|(key, value)| (format!("{OWNERSHIP}{key}"), value.to_owned()));
        RoleState {
            name: "r".to_owned(),
            path: "/".to_owned(),
            id: "AROA".to_owned(),
            arn: String::new(),
            created: SystemTime::UNIX_EPOCH,
            trust_policy: trust.to_owned(),
            description: None,
            max_session_duration: 3600,
            permissions_boundary: None,
            tags: tags.into(),
            attached: attached.iter().map(ToString::to_string).collect(),
            inline: BTreeMap::new(),
            last_used: None,
        }
    }

    fn settings() -> Settings {
        Settings {
            resync: "30s",
            allowed: READ_ONLY_POLICIES,
            boundary: None,
            concurrency: "5",
        }
    }

    fn gains(after: &RoleState, before: &[&RoleState], spec: &Value, apart: bool) -> bool {
        let settings = settings();
        let permitted = Permitted {
            spec,
            settings: &settings,
        };
        gained(after, before, &[permitted], apart).is_some()
    }

    #[test]
    fn a_role_is_as_declared_or_the_part_is_named_that_is_not() {
        let spec = json!({});
        let differs = |role: &RoleState, spec: &Value| differences(role, spec, &settings(), "u");
        let declared = role(super::super::specs::GUIDE_TRUST, &[S3_READ_ONLY]);
        assert_eq!(differs(&declared, &spec), Vec::<String>::new());
        let widened = role(super::super::specs::GUIDE_TRUST, &[S3_READ_ONLY, ADMIN]);
        assert_eq!(differs(&widened, &spec), [format!("has {ADMIN}")]);
        assert_eq!(
            differs(&widened, &json!({"undeclaredPolicies": "Keep"})),
            Vec::<String>::new()
        );
        assert_eq!(differs(&role(STRANGER, &[S3_READ_ONLY]), &spec).len(), 2);
        let tagged = json!({"tags": {"team": "a"}, "description": "d", "maxSessionDuration": 7200, "permissionsBoundary": ADMIN});
        assert_eq!(differs(&declared, &tagged).len(), 4);
        assert_eq!(differences(&declared, &spec, &settings(), "another").len(), 1);
    }

    #[test]
    fn what_neither_was_possible_nor_is_declared_is_gained() {
        let spec = json!({"trust": {"applications": [{"region": "us-east-1", "id": "1"}]}});
        let guide = super::super::specs::GUIDE_TRUST;
        let (bare, stranger) = (role(guide, &[]), role(STRANGER, &[]));
        // Pinpoint without conditions is neither declared, nor was it possible; a stranger gets no policy.
        assert!(gains(&role(guide, &[S3_READ_ONLY]), &[&stranger], &spec, false));
        assert!(gains(&role(STRANGER, &[S3_READ_ONLY]), &[&stranger], &spec, false));
        assert!(gains(&role(guide, &[ADMIN]), &[&bare], &json!({}), false));
        assert!(!gains(&role(guide, &[S3_READ_ONLY]), &[&bare], &json!({}), false));
        assert!(!gains(
            &role(STRANGER, &[ADMIN]),
            &[&role(STRANGER, &[ADMIN])],
            &spec,
            false
        ));
        // Where the trust policy lets in and puts out, it is the first, else the last; a policy comes under the declared boundary alone.
        let bounded = json!({"permissionsBoundary": ADMIN});
        let before = |trust, attached| RoleState {
            permissions_boundary: Some(S3_READ_ONLY.to_owned()),
            ..role(trust, attached)
        };
        let (closed, bare) = (before(STRANGER, &[S3_READ_ONLY]), before(guide, &[]));
        assert!(!gains(&before(guide, &[S3_READ_ONLY]), &[&closed], &bounded, false));
        let narrow = guide.replace(
            "\"sts:AssumeRole\"",
            "\"sts:AssumeRole\",\"Condition\":{\"StringEquals\":{\"aws:SourceAccount\":\"1\"}}",
        );
        let narrowed = before(&narrow, &[S3_READ_ONLY]);
        assert!(gains(&before(guide, &[S3_READ_ONLY]), &[&narrowed], &bounded, false));
        assert!(gains(&before(guide, &[S3_READ_ONLY]), &[&bare], &bounded, false));
        // Conditions narrow; a boundary narrows, and goes without a word only where it was never declared.
        let declared = declared_grant(&spec);
        assert!(
            trusted(guide)
                .iter()
                .all(|open| declared.is_within(open) && !open.is_within(&declared))
        );
        let bound = RoleState {
            permissions_boundary: Some(S3_READ_ONLY.to_owned()),
            ..role(guide, &[ADMIN])
        };
        assert!(!gains(&bound, &[&role(guide, &[ADMIN])], &json!({}), false));
        assert!(gains(&role(guide, &[ADMIN]), &[&bound], &json!({}), false));
        // What others did apart from each other may come together.
        let (one, other) = (role(STRANGER, &[]), role(guide, &[ADMIN]));
        let both = role(STRANGER, &[ADMIN]);
        assert!(gains(&both, &[&one, &other], &spec, false) && !gains(&both, &[&one, &other], &spec, true));
    }
}
