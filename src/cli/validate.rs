//! `validate`: checks manifests offline, as API server and controller would.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::{RuleArgs, check::check, manifests};
use crate::config::File;

/// Flags of `validate`.
#[derive(Args, Clone, Debug)]
pub(super) struct ValidateArgs {
    /// Files of YAML or JSON, folders with all that lies below them, or - for standard input
    #[arg(short = 'f', long = "file", env = "PIR_FILE", value_name = "PATH", num_args = 1.., required = true)]
    file: Vec<PathBuf>,

    #[command(flatten)]
    pub(super) rules: RuleArgs,
}

/// Prints every problem, one a line: file, line, field and what to write instead; and then notes, which are no problems.
pub(super) fn validate(args: &ValidateArgs, file: File) -> ExitCode {
    let rules = match args.rules.check(file) {
        Ok(rules) => rules,
        Err(problems) => return super::refuse(&problems),
    };
    let (found, unread) = manifests::read(&args.file);
    let checked = check(&found, &rules);
    let problems = checked.problems.iter().map(ToString::to_string).chain(unread.clone());
    let notes = checked
        .notes
        .iter()
        .map(|note| format!("{}:{}: note: {}", note.file, note.line, note.problem));
    let text: String = problems.chain(notes).map(|line| line + "\n").collect();
    if let Err(why) = super::print(&text) {
        return super::refuse(&[why]);
    }
    let problems = checked.problems.len() + unread.len();
    eprintln!(
        "{} PinpointImportRoles checked, {problems} problems; {} objects of other kinds passed over; {} notes",
        checked.ours,
        checked.others,
        checked.notes.len()
    );
    if problems == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
