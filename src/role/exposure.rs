//! What a role that trusts Pinpoint lets happen: who else may assume it, what it reads, and what is to be said about it.

use std::collections::BTreeSet;

use serde::Serialize;
use wildmatch::WildMatch;

use super::{
    name::is_account_id,
    observed::{Sweep, SweptRole},
    policy::{Effect, Grant, Meaning, Scope},
    trust::PINPOINT,
};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a look when there is time.
    Low,
    /// Wider than it needs to be.
    Medium,
    /// Somebody may use the role who should not.
    High,
}

impl Severity {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Something to be said about a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, and what to do.
    pub message: String,
}

impl Finding {
    /// A finding.
    #[must_use]
    pub fn new(severity: Severity, message: impl Into<String>) -> Self {
        Self {
            severity,
            message: message.into(),
        }
    }
}

/// Whether Pinpoint is kept from using the role for somebody else ("the confused deputy", IAM user guide).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Guarded {
    /// By `aws:SourceArn` or `aws:SourceAccount`, wherever Pinpoint is allowed.
    Yes,
    /// In some statements.
    Partly,
    /// Not at all.
    No,
}

/// What a role may read of S3.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reach {
    /// Every bucket.
    pub every_bucket: bool,
    /// Just these, or what these patterns match.
    pub buckets: BTreeSet<String>,
    /// Policies of which it is not known, since their documents are not the account's.
    pub unknown: BTreeSet<String>,
}

/// What a role lets happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exposure {
    /// Who else than Pinpoint may assume it.
    pub others: BTreeSet<String>,
    /// Whether Pinpoint is kept from using it for somebody else.
    pub guarded: Guarded,
    /// What it reads.
    pub reach: Reach,
}

/// AWS' own policies by which every bucket may be read (AWS managed policy reference).
const READ_EVERY_BUCKET: [&str; 5] = [
    "AmazonS3ReadOnlyAccess",
    "AmazonS3FullAccess",
    "AdministratorAccess",
    "PowerUserAccess",
    "ReadOnlyAccess",
];

/// Whether a policy is one of AWS' own by which every bucket may be read.
#[must_use]
pub fn reads_every_bucket(arn: &str) -> bool {
    let name = arn.rsplit('/').next().unwrap_or_default();
    arn.contains(":iam::aws:policy/") && READ_EVERY_BUCKET.contains(&name)
}

/// What a role lets happen, if it trusts Pinpoint in any form: also a regional principal of old, and wildcards that include it. A trust
/// policy that can't be read counts if it names Pinpoint.
#[must_use]
pub fn exposure(swept: &SweptRole, all: &Sweep) -> Option<Exposure> {
    let trust = &swept.role.head.trust;
    let reach = || reach(swept, all);
    let Ok(meaning) = Meaning::parse(trust) else {
        return trust.contains("pinpoint").then(|| Exposure {
            others: BTreeSet::from(["(the trust policy can't be read)".to_owned()]),
            guarded: Guarded::No,
            reach: reach(),
        });
    };
    let assumes = |grant: &&Grant| grant.effect == Effect::Allow && acts(grant, "sts:AssumeRole");
    let (pinpoint, others): (Vec<&Grant>, Vec<&Grant>) = meaning
        .grants
        .iter()
        .filter(assumes)
        .partition(|grant| names_pinpoint(grant));
    let everybody: Vec<&Grant> = others
        .iter()
        .copied()
        .filter(|grant| includes_pinpoint(grant))
        .collect();
    if pinpoint.is_empty() && everybody.is_empty() {
        return None;
    }
    let guards = |grant: &&&Grant| {
        grant
            .conditions
            .iter()
            .any(|((operator, key), values)| is_guard(&operator.to_string(), &key.to_string(), values))
    };
    let all_of: Vec<&Grant> = pinpoint.iter().chain(&everybody).copied().collect();
    let guarded = match all_of.iter().filter(guards).count() {
        0 => Guarded::No,
        some if some == all_of.len() => Guarded::Yes,
        _ => Guarded::Partly,
    };
    Some(Exposure {
        others: others
            .iter()
            .filter_map(|grant| grant.principal.as_ref())
            .map(ToString::to_string)
            .collect(),
        guarded,
        reach: reach(),
    })
}

/// The findings that follow from what a role lets happen.
#[must_use]
pub fn findings(exposure: &Exposure) -> Vec<Finding> {
    let mut found = Vec::new();
    if !exposure.others.is_empty() {
        let others: Vec<&str> = exposure.others.iter().map(String::as_str).collect();
        let message = format!(
            "not only Pinpoint may assume it, but also {}: narrow the trust policy",
            others.join(", ")
        );
        found.push(Finding::new(Severity::High, message));
    }
    if exposure.guarded != Guarded::Yes {
        let message = "Pinpoint could be made to use it for another account (no aws:SourceArn or aws:SourceAccount): set spec.trust";
        found.push(Finding::new(Severity::Medium, message));
    }
    if exposure.reach.every_bucket {
        found.push(Finding::new(
            Severity::Medium,
            "it reads every bucket: set spec.buckets",
        ));
    }
    if !exposure.reach.unknown.is_empty() {
        let unknown: Vec<&str> = exposure.reach.unknown.iter().map(String::as_str).collect();
        let message = format!(
            "what it may read is not known because of {}: look at these policies",
            unknown.join(", ")
        );
        found.push(Finding::new(Severity::Low, message));
    }
    found
}

/// Whether a condition keeps Pinpoint to some account: it asks for one, and an absent key does not pass.
fn is_guard(operator: &str, key: &str, values: &BTreeSet<String>) -> bool {
    let asks = !operator.contains("Not")
        && !operator.ends_with("IfExists")
        && !operator.starts_with("ForAllValues")
        && operator != "Null";
    let account = |value: &String| match key.to_lowercase().as_str() {
        "aws:sourceaccount" => is_account_id(value),
        "aws:sourcearn" => value.split(':').nth(4).is_some_and(is_account_id),
        _ => false,
    };
    asks && values.iter().all(account)
}

/// Whether the principal is Pinpoint by name, of today or of a region.
fn names_pinpoint(grant: &Grant) -> bool {
    match &grant.principal {
        Some(Scope::Is(who)) => who.kind == "Service" && is_pinpoint(&who.value),
        _ => false,
    }
}

fn is_pinpoint(service: &str) -> bool {
    let name = service.strip_suffix(".cn").unwrap_or(service);
    let region = name
        .strip_prefix("pinpoint.")
        .and_then(|rest| rest.strip_suffix("amazonaws.com"));
    region.is_some_and(|region| region.is_empty() || region.ends_with('.'))
}

/// Whether Pinpoint is among those who are meant without being named.
fn includes_pinpoint(grant: &Grant) -> bool {
    match &grant.principal {
        Some(Scope::Is(who)) => {
            who.value == "*" && ["AWS", "*"].contains(&who.kind.as_str())
                || who.kind == "Service"
                    && who.value.contains(['*', '?'])
                    && WildMatch::new(&who.value).matches(PINPOINT)
        }
        Some(Scope::AllBut(these)) => !these.iter().any(|who| who.kind == "Service" && is_pinpoint(&who.value)),
        None => false,
    }
}

fn acts(grant: &Grant, action: &str) -> bool {
    let matches = |pattern: &str| WildMatch::new(&pattern.to_lowercase()).matches(&action.to_lowercase());
    match &grant.action {
        Scope::Is(one) => matches(&one.to_string()),
        Scope::AllBut(these) => !these.iter().any(|one| matches(&one.to_string())),
    }
}

fn reach(swept: &SweptRole, all: &Sweep) -> Reach {
    let mut reach = Reach::default();
    for arn in &swept.role.attached {
        if reads_every_bucket(arn) {
            reach.every_bucket = true;
        } else if let Some(document) = all.policies.get(arn) {
            add(&mut reach, document, arn);
        } else {
            reach.unknown.insert(arn.clone());
        }
    }
    for (name, document) in &swept.role.inline {
        add(&mut reach, document.as_deref().unwrap_or_default(), name);
    }
    reach
}

/// Adds what a document lets be read. What it denies is not taken off: that would be hoping.
fn add(reach: &mut Reach, document: &str, policy: &str) {
    let Ok(meaning) = Meaning::parse(document) else {
        reach.unknown.insert(policy.to_owned());
        return;
    };
    for grant in meaning
        .grants
        .iter()
        .filter(|grant| grant.effect == Effect::Allow && acts(grant, "s3:GetObject"))
    {
        match &grant.resource {
            Some(Scope::Is(resource)) => {
                let path = if resource == "*" {
                    Some("*")
                } else {
                    resource.splitn(6, ':').nth(5)
                };
                let bucket = path.and_then(|path| path.split('/').next()).unwrap_or("*");
                if bucket == "*" {
                    reach.every_bucket = true;
                } else {
                    reach.buckets.insert(bucket.to_owned());
                }
            }
            Some(Scope::AllBut(_)) | None => reach.every_bucket = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::{Head, ObservedRole};

    fn with_trust(principal: &str, more: &str) -> Option<Exposure> {
        let trust = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{principal},"Action":"sts:AssumeRole"{more}}}]}}"#
        );
        let swept = SweptRole {
            role: ObservedRole {
                head: Head {
                    trust,
                    ..Head::default()
                },
                ..ObservedRole::default()
            },
            ..SweptRole::default()
        };
        exposure(&swept, &Sweep::default())
    }

    #[test]
    fn pinpoint_is_found_in_every_form() {
        for (principal, others) in [
            (r#""Principal":{"Service":"pinpoint.amazonaws.com"}"#, 0),
            (r#""Principal":{"Service":"pinpoint.us-east-1.amazonaws.com"}"#, 0),
            (
                r#""Principal":{"Service":["pinpoint.amazonaws.com","ec2.amazonaws.com"]}"#,
                1,
            ),
            (r#""Principal":"*""#, 1),
            (r#""Principal":{"AWS":"*"}"#, 1),
            (r#""Principal":{"Service":"*.amazonaws.com"}"#, 1),
            (r#""NotPrincipal":{"AWS":"111111111111"}"#, 1),
        ] {
            let found = with_trust(principal, "").unwrap_or_else(|| panic!("{principal}"));
            assert_eq!(
                (found.others.len(), found.guarded),
                (others, Guarded::No),
                "{principal}"
            );
        }
        for principal in [
            r#""Principal":{"Service":"ec2.amazonaws.com"}"#,
            r#""Principal":{"AWS":"111111111111"}"#,
            r#""Principal":{"Service":"notpinpoint.amazonaws.com"}"#,
            r#""NotPrincipal":{"Service":"pinpoint.amazonaws.com"}"#,
        ] {
            assert_eq!(with_trust(principal, ""), None, "{principal}");
        }
        assert_eq!(
            with_trust(r#""Principal":{"Service":"pinpoint.amazonaws.com","AWS":1}"#, "")
                .unwrap()
                .others
                .len(),
            1
        );
    }

    #[test]
    fn conditions_against_the_confused_deputy_are_seen() {
        let pinpoint = r#""Principal":{"Service":"pinpoint.amazonaws.com"}"#;
        let guarded = |condition: &str| {
            with_trust(pinpoint, &format!(r#","Condition":{condition}"#))
                .unwrap()
                .guarded
        };
        assert_eq!(
            guarded(r#"{"StringEquals":{"aws:sourceaccount":"111111111111"}}"#),
            Guarded::Yes
        );
        let arn = r#"{"ArnLike":{"aws:SourceArn":"arn:aws:mobiletargeting:us-east-1:111111111111:apps/*"}}"#;
        assert_eq!(guarded(arn), Guarded::Yes);
        for loose in [
            r#"{"ArnLike":{"aws:SourceArn":"arn:aws:mobiletargeting:us-east-1:*:apps/*"}}"#,
            r#"{"ArnLike":{"aws:SourceArn":"*"}}"#,
            r#"{"StringLike":{"aws:SourceAccount":"*"}}"#,
            r#"{"Null":{"aws:SourceAccount":"false"}}"#,
            r#"{"StringEqualsIfExists":{"aws:SourceAccount":"111111111111"}}"#,
        ] {
            assert_eq!(guarded(loose), Guarded::No, "{loose}");
        }
        assert_eq!(guarded(r#"{"StringNotEquals":{"aws:SourceAccount":"1"}}"#), Guarded::No);
        assert_eq!(guarded(r#"{"StringEquals":{"aws:PrincipalTag/a":"1"}}"#), Guarded::No);
    }

    #[test]
    fn what_it_reads_is_told() {
        let document = |action: &str, resource: &str| {
            format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"{action}","Resource":"{resource}"}}]}}"#
            )
        };
        let read = |action: &str, resource: &str| {
            let mut reach = Reach::default();
            add(&mut reach, &document(action, resource), "x");
            (
                reach.every_bucket,
                reach.buckets.into_iter().collect::<Vec<_>>().join(","),
            )
        };
        assert_eq!(read("s3:GetObject", "arn:aws:s3:::a/b/*"), (false, "a".to_owned()));
        assert_eq!(read("s3:*", "arn:aws:s3:::team-*/x"), (false, "team-*".to_owned()));
        assert_eq!(read("*", "*"), (true, String::new()));
        assert_eq!(read("s3:Get*", "arn:aws:s3:::*"), (true, String::new()));
        assert_eq!(read("s3:PutObject", "*"), (false, String::new()));
    }
}
