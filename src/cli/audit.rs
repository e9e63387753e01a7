//! `audit`: every role of the account that trusts Pinpoint in any form, whose it is, and what it lets happen.

use std::{process::ExitCode, sync::Arc};

use clap::{Args, ValueEnum, builder::FalseyValueParser};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    audit_output as output,
    cloud::{Calls, Cluster, finish, iam, progress},
    management::Management,
    medium::{Rendered, say},
};
use crate::{
    config::{BudgetArgs, ClusterArgs},
    role::{
        Account, Owner, SweptRole,
        exposure::{Exposure, Finding, Severity, exposure, findings},
        observed::Sweep,
        trust::{ENDED, WAY_OUT},
    },
};

/// A role that was not used for so long is called unused.
const UNUSED: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Flags of `audit`.
#[derive(Args, Clone, Debug)]
pub(super) struct AuditArgs {
    /// Form of the output
    #[arg(short, long, env = "PIR_AUDIT_OUTPUT", value_enum, default_value_t = Output::Table)]
    output: Output,

    /// Exit code 2 if there is a finding of this severity or a worse one
    #[arg(long, env = "PIR_FAIL_ON", value_enum, default_value_t = FailOn::None)]
    fail_on: FailOn,

    /// Ask no cluster: then it is not known whether the objects that the roles' tags name are there
    #[arg(long, env = "PIR_NO_CLUSTER", value_parser = FalseyValueParser::new())]
    no_cluster: bool,

    #[command(flatten)]
    cluster: ClusterArgs,

    #[command(flatten)]
    budget: BudgetArgs,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// For programs
    Json,
    /// For spreadsheets
    Csv,
    /// SARIF 2.1.0, for places that collect findings
    Sarif,
}

/// From which severity on the exit code tells.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum FailOn {
    /// Never
    None,
    /// Any finding
    Low,
    /// Medium and high
    Medium,
    /// High
    High,
}

impl FailOn {
    fn severity(self) -> Option<Severity> {
        match self {
            Self::None => None,
            Self::Low => Some(Severity::Low),
            Self::Medium => Some(Severity::Medium),
            Self::High => Some(Severity::High),
        }
    }
}

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
pub(super) struct Report {
    pub(super) version: u8,
    pub(super) account: String,
    /// Roles in the account, of which those below trust Pinpoint.
    pub(super) roles_read: usize,
    pub(super) roles: Vec<Row>,
}

pub(super) fn audit(args: &AuditArgs) -> ExitCode {
    finish(async {
        let calls = Arc::new(Calls::default());
        let iam = iam(&args.budget, &calls).await?;
        let account = iam.account().await.map_err(|failure| failure.message)?;
        let cluster = if args.no_cluster {
            None
        } else {
            let read = Cluster::read(args.cluster.cluster_id.as_deref()).await;
            Some(read.map_err(|why| format!("{why}; or give --no-cluster"))?)
        };
        let sweep = iam.sweep(progress()).await.map_err(|failure| failure.message)?;
        let report = report(&account, &sweep, cluster.as_ref());
        super::print(&match args.output {
            Output::Table => output::table(&report),
            Output::Json => Rendered::json(&report)?,
            Output::Csv => output::csv(&report)?,
            Output::Sarif => output::sarif(&report)?,
        })?;
        let unreadable = report.roles.iter().any(|row| row.exposure.unreadable.is_some());
        say(format_args!(
            "{} of {} roles in account {} trust Pinpoint{}; {} IAM calls",
            report.roles.len(),
            report.roles_read,
            report.account,
            if unreadable { " or can't be read" } else { "" },
            calls.count()
        ));
        say(format_args!("{ENDED}: {WAY_OUT}"));
        let worst = report
            .roles
            .iter()
            .flat_map(|row| &row.findings)
            .map(|finding| finding.severity)
            .max();
        let fails = args.fail_on.severity().is_some_and(|from| worst >= Some(from));
        Ok(if fails { ExitCode::from(2) } else { ExitCode::SUCCESS })
    })
}

fn report(account: &Account, sweep: &Sweep, cluster: Option<&Cluster>) -> Report {
    let rows = sweep
        .roles
        .values()
        .filter_map(|swept| exposure(swept, sweep).map(|exposure| row(swept, exposure, cluster)));
    let mut roles: Vec<Row> = rows.collect();
    let worst = |row: &Row| row.findings.iter().map(|finding| finding.severity).max();
    // The worst first.
    roles.sort_by(|a, b| worst(b).cmp(&worst(a)).then_with(|| a.name.cmp(&b.name)));
    Report {
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
