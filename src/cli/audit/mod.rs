//! `audit`: every role of the account that trusts Pinpoint in any form, whose it is, and what it lets happen.

mod html;
mod management;
mod output;
mod report;

use std::{process::ExitCode, sync::Arc};

use clap::{Args, ValueEnum, builder::FalseyValueParser};

use self::report::report;
use super::{
    ending::finish,
    iam::{Calls, iam, progress},
    medium::{Rendered, print, say},
    objects::Cluster,
};
use crate::{
    config::{BudgetArgs, ClusterArgs},
    role::{
        policy::trust::{ENDED, WAY_OUT},
        review::exposure::Severity,
    },
};

/// Flags of `audit`.
#[derive(Args, Clone, Debug)]
pub(super) struct AuditArgs {
    /// Form of the output
    #[arg(short, long, env = "PIR_AUDIT_OUTPUT", value_enum, default_value_t = AuditOutput::Table)]
    output: AuditOutput,

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
enum AuditOutput {
    /// For people
    Table,
    /// For programs
    Json,
    /// For spreadsheets
    Csv,
    /// SARIF 2.1.0, for places that collect findings
    Sarif,
    /// A page that is whole by itself, to read in a browser, to send and to print
    Html,
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
        print(&match args.output {
            AuditOutput::Table => output::table(&report),
            AuditOutput::Json => Rendered::json(&report)?,
            AuditOutput::Csv => output::csv(&report)?,
            AuditOutput::Sarif => output::sarif(&report)?,
            AuditOutput::Html => html::html(&report)?,
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
