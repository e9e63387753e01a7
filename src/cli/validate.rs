//! `validate`: checks manifests offline, as API server and controller would.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};

use super::{
    RuleArgs,
    check::check,
    manifests,
    medium::{Terminal, say},
    sarif::{self, Found, Kind, Level},
};
use crate::config::File;

/// Flags of `validate`.
#[derive(Args, Clone, Debug)]
pub(super) struct ValidateArgs {
    /// Files of YAML or JSON, folders with all that lies below them, or - for standard input
    #[arg(short = 'f', long = "file", env = "PIR_FILE", value_name = "PATH", num_args = 1.., required = true)]
    file: Vec<PathBuf>,

    /// Form of the output
    #[arg(short, long, env = "PIR_VALIDATE_OUTPUT", value_enum, default_value_t = Output::Text)]
    output: Output,

    #[command(flatten)]
    pub(super) rules: RuleArgs,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    /// For people: a problem a line
    Text,
    /// SARIF 2.1.0, for places that show problems on the lines of a pull request
    Sarif,
}

/// A problem in SARIF.
const INVALID: Kind = Kind {
    id: "invalid-manifest",
    means: "The API server or the controller would refuse this manifest.",
    level: Level::Error,
};

/// Prints every problem, one a line: file, line, field and what to write instead.
pub(super) fn validate(args: &ValidateArgs, file: File) -> ExitCode {
    let rules = match args.rules.check(file) {
        Ok(rules) => rules,
        Err(problems) => return super::refuse(&problems),
    };
    let (found, unread) = manifests::read(&args.file);
    let checked = check(&found, &rules);
    let text = match args.output {
        Output::Text => {
            let mut text = Terminal::default();
            for line in checked.problems.iter().map(ToString::to_string).chain(unread.clone()) {
                text.line(line);
            }
            Ok(text.rendered())
        }
        Output::Sarif => {
            let problems = checked.problems.iter().map(|problem| Found {
                kind: INVALID,
                message: format!("{}: {}", problem.field, problem.message),
                file: problem.file.clone(),
                line: problem.line,
                about: None,
            });
            let unread = unread.iter().map(|why| Found::unread(INVALID, why));
            sarif::sarif(&[INVALID], &problems.chain(unread).collect::<Vec<_>>())
        }
    };
    if let Err(why) = text.and_then(|text| super::print(&text)) {
        return super::refuse(&[why]);
    }
    let problems = checked.problems.len() + unread.len();
    say(format_args!(
        "{} PinpointImportRoles checked, {problems} problems; {} objects of other kinds passed over",
        checked.ours, checked.others
    ));
    if problems == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
