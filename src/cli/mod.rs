//! The command line: one file per command.

mod check;
mod crd;
mod manifests;
mod run;
mod validate;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args as _, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::{
    config::{Args, File, GuardArgs},
    role::RolePath,
};

/// Keeps the IAM roles through which Amazon Pinpoint imports segments from S3 as Kubernetes objects declare them
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the controller. Nothing else writes to AWS or Kubernetes
    Run(Box<Args>),
    /// Print the custom resource definition, as crds/pinpointimportroles.yaml holds it
    Crd,
    /// Check manifests offline, as API server and controller would. Exit code 0: sound, 1: problems
    Validate(validate::ValidateArgs),
}

/// Which manifests.
#[derive(clap::Args, Clone, Debug)]
struct ManifestArgs {
    /// Files of YAML or JSON, folders with all that lies below them, or - for standard input
    #[arg(short = 'f', long = "file", value_name = "PATH", num_args = 1.., required = true)]
    file: Vec<PathBuf>,

    /// Namespace of objects that name none
    #[arg(short = 'n', long, value_name = "NAME", default_value = "default")]
    namespace: String,
}

/// The controller's settings, as far as they say what a role may be.
#[derive(clap::Args, Clone, Debug)]
struct RuleArgs {
    /// The controller's settings file, whose rules then hold here too
    #[arg(long, env = "PIR_CONFIG", value_name = "FILE")]
    config: Option<String>,

    /// The controller's --role-path
    #[arg(long, env = "PIR_ROLE_PATH", value_name = "PATH", default_value = "/")]
    role_path: String,

    #[command(flatten)]
    guards: GuardArgs,
}

impl RuleArgs {
    fn check(&self, manifests: &ManifestArgs, file: File) -> Result<check::Rules, Vec<String>> {
        let role_path = RolePath::parse(&self.role_path).map_err(|why| vec![format!("--role-path: {why}")]);
        match (role_path, self.guards.check()) {
            (Ok(role_path), Ok(guards)) if file.problems.is_empty() => Ok(check::Rules {
                role_path,
                guards,
                namespace: manifests.namespace.clone(),
            }),
            (path, guards) => Err([
                file.problems,
                path.err().unwrap_or_default(),
                guards.err().unwrap_or_default(),
            ]
            .concat()),
        }
    }
}

/// Parses the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    let (command, file) = match command() {
        Ok(found) => found,
        Err(why) => return refuse(&[why]),
    };
    match command {
        Command::Run(args) => run::run(&args, file),
        Command::Crd => crd::crd(),
        Command::Validate(args) => validate::validate(&args, file),
    }
}

/// Says why nothing is done.
fn refuse(problems: &[String]) -> ExitCode {
    for problem in problems {
        eprintln!("{problem}");
    }
    // The exit code of clap for wrong arguments.
    ExitCode::from(2)
}

/// The command line. Where it names a settings file, what that says is the default of what flags and environment leave out.
fn command() -> Result<(Command, File), String> {
    let line = Line::parse().command;
    let (name, path) = match &line {
        Command::Run(args) => ("run", &args.config),
        Command::Validate(args) => ("validate", &args.rules.config),
        Command::Crd => return Ok((line, File::default())),
    };
    let Some(path) = path else {
        return Ok((line, File::default()));
    };
    // The file is the controller's, so it may have all flags of `run`.
    let file = File::read(path, &Args::augment_args(clap::Command::new("run")))?;
    let with_defaults = Line::command().mut_subcommand(name, |command| file.as_defaults(command));
    let line = Line::from_arg_matches(&with_defaults.get_matches()).map_err(|why| why.to_string())?;
    Ok((line.command, file))
}
