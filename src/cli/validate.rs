//! `validate`: checks manifests offline, as API server and controller would.

use std::process::ExitCode;

use clap::Args;

use super::{ManifestArgs, RuleArgs, check::check, manifests};
use crate::config::File;

/// Flags of `validate`.
#[derive(Args, Clone, Debug)]
pub(super) struct ValidateArgs {
    #[command(flatten)]
    manifests: ManifestArgs,
    #[command(flatten)]
    pub(super) rules: RuleArgs,
}

/// Prints every problem, one a line: file, line, field and what to write instead.
pub(super) fn validate(args: &ValidateArgs, file: File) -> ExitCode {
    let rules = match args.rules.check(&args.manifests, file) {
        Ok(rules) => rules,
        Err(problems) => return super::refuse(&problems),
    };
    let (found, unread) = manifests::read(&args.manifests.file);
    let checked = check(&found, &rules);
    for problem in &checked.problems {
        println!("{problem}");
    }
    for problem in &unread {
        println!("{problem}");
    }
    let problems = checked.problems.len() + unread.len();
    eprintln!(
        "{} PinpointImportRoles checked, {problems} problems; {} objects of other kinds passed over",
        checked.ours, checked.others
    );
    if problems == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
