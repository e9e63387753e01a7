//! What `audit` finds, as data: the types are the JSON form.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::management::Management;
use crate::{
    cli::objects::Cluster,
    role::{
        Account, Owner, SweptRole,
        observed::Sweep,
        review::exposure::{Exposure, Finding, Severity, exposure, findings},
    },
};

/// A role that was not used for so long is called unused.
const UNUSED: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A role in the report.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) management: Management,
    /// `namespace/name` of the object that the tags name.
    pub(super) object: Option<String>,
    pub(super) cluster: Option<String>,
    pub(super) created: Option<String>,
    pub(super) last_used: Option<String>,
    pub(super) last_used_region: Option<String>,
    #[serde(flatten)]
    pub(super) exposure: Exposure,
    pub(super) findings: Vec<Finding>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuditReport {
    pub(super) version: u8,
    pub(super) account: String,
    /// Roles in the account, of which those below trust Pinpoint.
    pub(super) roles_read: usize,
    pub(super) roles: Vec<Row>,
}

pub(super) fn report(account: &Account, sweep: &Sweep, cluster: Option<&Cluster>) -> AuditReport {
    let rows = sweep
        .roles
        .values()
        .filter_map(|swept| exposure(swept, sweep).map(|exposure| row(swept, exposure, cluster)));
    let mut roles: Vec<Row> = rows.collect();
    let worst = |row: &Row| row.findings.iter().map(|finding| finding.severity).max();
    // The worst first.
    roles.sort_by(|a, b| worst(b).cmp(&worst(a)).then_with(|| a.name.cmp(&b.name)));
    AuditReport {
        version: 1,
        account: account.id.clone(),
        roles_read: sweep.roles.len(),
        roles,
    }
}

fn row(swept: &SweptRole, exposure: Exposure, cluster: Option<&Cluster>) -> Row {
    let head = &swept.role.head;
    let (management, object) = Management::of(head, cluster);
    let mut findings = findings(&exposure);
    findings.extend(management.finding());
    findings.extend(disuse(swept, Timestamp::now()));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Row {
        name: head.name.clone(),
        arn: head.arn.clone(),
        management,
        object,
        cluster: Owner::of(head).map(|owner| owner.cluster),
        created: swept.created.clone(),
        last_used: swept.last_used.clone(),
        last_used_region: swept.last_used_region.clone(),
        exposure,
        findings,
    }
}

/// Whether a role lies unused. One that was made of late had no time to be used.
fn disuse(swept: &SweptRole, now: Timestamp) -> Option<Finding> {
    let long_ago = |time: &Option<String>| {
        let time = time.as_ref()?.parse::<Timestamp>().ok()?;
        Some(now.duration_since(time) > UNUSED)
    };
    let message = match (long_ago(&swept.last_used), long_ago(&swept.created)) {
        (Some(true), _) => "it was not used in the last 90 days: retire it",
        (None, Some(true) | None) => "it was not used in the last 400 days, or never: retire it",
        (Some(false), _) | (None, Some(false)) => return None,
    };
    Some(Finding::new(Severity::Low, message))
}
