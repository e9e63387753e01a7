//! `reasons`: prints each reason of `Ready`, and whether it is failing.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;
use strum::VariantArray;

use super::{
    ending::refuse,
    medium::{Rendered, Terminal, print},
};
use crate::api::Reason;

/// Flags of `reasons`.
#[derive(Args, Clone, Debug)]
pub(super) struct ReasonsArgs {
    /// Form of the output
    #[arg(short, long, env = "PIR_REASONS_OUTPUT", value_enum, default_value_t = ReasonsOutput::Table)]
    output: ReasonsOutput,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ReasonsOutput {
    /// For people
    Table,
    /// For programs
    Json,
}

#[derive(Serialize)]
struct ReasonsReport {
    reasons: Vec<ReasonRow>,
}

#[derive(Serialize)]
struct ReasonRow {
    reason: &'static str,
    failing: bool,
}

pub(super) fn reasons(args: &ReasonsArgs) -> ExitCode {
    let row = |reason: &Reason| ReasonRow {
        reason: reason.as_str(),
        failing: reason.is_failing(),
    };
    let report = ReasonsReport {
        reasons: Reason::VARIANTS.iter().map(row).collect(),
    };
    let printed = match args.output {
        ReasonsOutput::Table => Ok(table(&report)),
        ReasonsOutput::Json => Rendered::json(&report),
    };
    match printed.and_then(|text| print(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => refuse(&[why]),
    }
}

fn table(report: &ReasonsReport) -> Rendered {
    const HEAD: &str = "REASON";
    let lengths = report.reasons.iter().map(|row| row.reason.len());
    let width = lengths.chain([HEAD.len()]).max().unwrap_or_default();
    let mut text = Terminal::default();
    text.line(format_args!("{HEAD:<width$}  FAILING"));
    for ReasonRow { reason, failing } in &report.reasons {
        text.line(format_args!(
            "{reason:<width$}  {}",
            if *failing { "yes" } else { "no" }
        ));
    }
    text.rendered()
}
