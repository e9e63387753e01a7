//! `validate`: checks manifests offline, as API server and controller would.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::{
    ending::refuse,
    manifests::{self, Checked, ManifestArgs, check},
    medium::{Rendered, Terminal, print, say},
    rules::RuleArgs,
};
use crate::config::File;

/// Flags of `validate`.
#[derive(Args, Clone, Debug)]
#[command(mut_group("ManifestArgs", |group| group.required(true)))]
pub(super) struct ValidateArgs {
    #[command(flatten)]
    manifests: ManifestArgs,

    /// Form of the output
    #[arg(short, long, env = "PIR_VALIDATE_OUTPUT", value_enum, default_value_t = Output::Text)]
    output: Output,

    #[command(flatten)]
    pub(super) rules: RuleArgs,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    /// For people: a problem or a note a line
    Text,
    /// SARIF 2.1.0, for places that show problems on the lines of a pull request
    Sarif,
}

/// Prints every problem, one a line: file, line, field and what to write instead; and then notes, which are no problems.
pub(super) fn validate(args: &ValidateArgs, file: File) -> ExitCode {
    let rules = match args.rules.check(file) {
        Ok(rules) => rules,
        Err(problems) => return refuse(&problems),
    };
    let (found, unread) = manifests::read(&args.manifests.file);
    let checked = check(&found, &rules);
    let output = match args.output {
        Output::Text => Ok(text(&checked, &unread)),
        Output::Sarif => manifests::sarif(&checked, &unread),
    };
    if let Err(why) = output.and_then(|output| print(&output)) {
        return refuse(&[why]);
    }
    let problems = checked.problems.len() + unread.len();
    say(format_args!(
        "{} PinpointImportRoles checked, {problems} problems; {} objects of other kinds passed over; {} notes",
        checked.ours,
        checked.others,
        checked.notes.len()
    ));
    if problems == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn text(checked: &Checked, unread: &[String]) -> Rendered {
    let mut text = Terminal::default();
    for problem in &checked.problems {
        text.line(problem);
    }
    for why in unread {
        text.line(why);
    }
    for note in &checked.notes {
        text.line(format_args!("{}:{}: note: {}", note.file, note.line, note.problem));
    }
    text.rendered()
}
