//! `audit`: every role of the account that trusts Pinpoint in any form, whose it is, and what it lets happen.

use std::{collections::BTreeSet, process::ExitCode, sync::Arc};

use clap::{Args, ValueEnum, builder::FalseyValueParser};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    cloud::{Calls, Cluster, IamArgs, finish},
    export::progress,
    management::Management,
};
use crate::role::{
    Account, Owner, SweptRole,
    difference::cut,
    exposure::{Exposure, Finding, Guarded, Severity, exposure, findings},
    observed::Sweep,
};

/// A role that was not used for so long is called unused.
const UNUSED: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Widest cell of the table, in characters: one role must not make the lines of all others long. JSON and CSV have it whole.
const WIDEST: usize = 100;

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

    /// Identity of the cluster in the ownership tags. Default: the uid of its namespace kube-system
    #[arg(long, env = "PIR_CLUSTER_ID", value_name = "ID")]
    cluster_id: Option<String>,

    #[command(flatten)]
    iam: IamArgs,
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
struct Row {
    name: String,
    arn: String,
    management: Management,
    /// `namespace/name` of the object that the tags name.
    object: Option<String>,
    cluster: Option<String>,
    created: Option<String>,
    last_used: Option<String>,
    last_used_region: Option<String>,
    #[serde(flatten)]
    exposure: Exposure,
    findings: Vec<Finding>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    version: u8,
    account: String,
    /// Roles in the account, of which those below trust Pinpoint.
    roles_read: usize,
    roles: Vec<Row>,
}

pub(super) fn audit(args: &AuditArgs) -> ExitCode {
    finish(async {
        let calls = Arc::new(Calls::default());
        let iam = args.iam.iam(&calls).await;
        let account = iam.account().await.map_err(|failure| failure.message)?;
        let cluster = if args.no_cluster {
            None
        } else {
            let read = Cluster::read(args.cluster_id.as_deref()).await;
            Some(read.map_err(|why| format!("{why}; or give --no-cluster"))?)
        };
        let sweep = iam.sweep(progress).await.map_err(|failure| failure.message)?;
        let report = report(&account, &sweep, cluster.as_ref());
        super::print(&match args.output {
            Output::Table => table(&report),
            Output::Json => serde_json::to_string_pretty(&report).map_err(|why| why.to_string())? + "\n",
            Output::Csv => csv(&report)?,
        })?;
        let unreadable = report.roles.iter().any(|row| row.exposure.unreadable.is_some());
        eprintln!(
            "{} of {} roles in account {} trust Pinpoint{}, whose support AWS ended on 2026-10-30; {} IAM calls",
            report.roles.len(),
            report.roles_read,
            report.account,
            if unreadable { " or can't be read" } else { "" },
            calls.count()
        );
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

impl Row {
    fn managed_by(&self) -> String {
        self.management.words(self.object.as_deref().unwrap_or_default())
    }

    fn reads(&self) -> String {
        let reach = &self.exposure.reach;
        if reach.every_bucket {
            return "every bucket".to_owned();
        }
        let mut all: Vec<&str> = reach.buckets.iter().map(String::as_str).collect();
        if !reach.unknown.is_empty() {
            all.push("unknown");
        }
        if all.is_empty() {
            "nothing".to_owned()
        } else {
            all.join(" ")
        }
    }

    /// The worst beside reading S3.
    fn beyond(&self) -> &'static str {
        let beyond = self.exposure.beyond.as_ref();
        beyond.map_or("-", |beyond| beyond.power.as_str())
    }

    fn guarded(&self) -> String {
        if self.exposure.unreadable.is_some() {
            return "unknown".to_owned();
        }
        let guarded = match self.exposure.guarded {
            Guarded::Yes => "yes",
            Guarded::Partly => "partly",
            Guarded::No => "no",
        };
        let strangers = joined(&self.exposure.strangers, " ");
        if strangers.is_empty() {
            guarded.to_owned()
        } else {
            format!("{guarded}, for {strangers}")
        }
    }

    fn others(&self) -> String {
        let others = joined(&self.exposure.others, ", ");
        match (&self.exposure.unreadable, others.as_str()) {
            (Some(_), _) => "unknown".to_owned(),
            (None, "") => "-".to_owned(),
            (None, _) => others,
        }
    }

    fn worst(&self) -> &'static str {
        self.findings.first().map_or("-", |finding| finding.severity.as_str())
    }

    fn day(time: Option<&String>) -> String {
        time.map_or("never".to_owned(), |time| time.chars().take(10).collect())
    }
}

fn joined(texts: &BTreeSet<String>, separator: &str) -> String {
    texts.iter().map(String::as_str).collect::<Vec<_>>().join(separator)
}

fn table(report: &Report) -> String {
    let head = [
        "ROLE",
        "WORST",
        "MANAGED BY",
        "CREATED",
        "LAST USED",
        "READS",
        "BEYOND",
        "GUARDED",
        "OTHERS",
    ]
    .map(str::to_owned);
    let mut rows = vec![head];
    rows.extend(report.roles.iter().map(|row| {
        [
            row.name.clone(),
            row.worst().to_owned(),
            row.managed_by(),
            Row::day(row.created.as_ref()),
            Row::day(row.last_used.as_ref()),
            row.reads(),
            row.beyond().to_owned(),
            row.guarded(),
            row.others(),
        ]
        .map(|cell| cut(cell, WIDEST))
    }));
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let mut lines = Vec::new();
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        lines.push(cells.join("  ").trim_end().to_owned());
    }
    for row in report.roles.iter().filter(|row| !row.findings.is_empty()) {
        lines.push(format!("\n{}", row.name));
        for finding in &row.findings {
            lines.push(format!("  {}: {}", finding.severity.as_str(), finding.message));
        }
    }
    lines.join("\n") + "\n"
}

fn csv(report: &Report) -> Result<String, String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = [
        "role",
        "arn",
        "worst",
        "management",
        "object",
        "cluster",
        "created",
        "lastUsed",
        "lastUsedRegion",
        "reads",
        "beyond",
        "guarded",
        "others",
        "findings",
    ];
    let write = |writer: &mut csv::Writer<_>, row: &[String]| {
        writer
            .write_record(row.iter().map(|cell| harmless(cell)))
            .map_err(|why| why.to_string())
    };
    write(&mut writer, &head.map(str::to_owned))?;
    for row in &report.roles {
        let findings: Vec<String> = row
            .findings
            .iter()
            .map(|finding| format!("{}: {}", finding.severity.as_str(), finding.message))
            .collect();
        let optional = |text: &Option<String>| text.clone().unwrap_or_default();
        let cells = [
            row.name.clone(),
            row.arn.clone(),
            row.worst().to_owned(),
            row.managed_by(),
            optional(&row.object),
            optional(&row.cluster),
            optional(&row.created),
            optional(&row.last_used),
            optional(&row.last_used_region),
            row.reads(),
            row.beyond().to_owned(),
            row.guarded(),
            row.others(),
            findings.join("; "),
        ];
        write(&mut writer, &cells)?;
    }
    let written = writer.into_inner().map_err(|why| why.to_string())?;
    String::from_utf8(written).map_err(|why| why.to_string())
}

/// Spreadsheets take some beginnings for formulas, and names of roles may have them.
fn harmless(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@']) && cell.len() > 1 {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}
