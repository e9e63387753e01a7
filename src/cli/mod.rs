//! The command line: one file per command.

mod audit;
mod audit_output;
mod check;
mod cloud;
mod crd;
mod export;
mod management;
mod manifests;
mod medium;
mod metadata;
mod node;
mod plan;
mod plan_output;
mod reference;
mod report;
mod run;
mod sarif;
mod scalar;
mod schema;
mod validate;
mod watched;
mod yaml;

use std::process::ExitCode;

use clap::{Args as _, CommandFactory, FromArgMatches, Parser, Subcommand};

use self::medium::{print, say};
use crate::{
    aws::check_environment,
    config::{Args, File, RoleArgs},
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
    /// Print what the controller would do to IAM, for manifests or for the cluster's objects. Reads only. Exit code 0: nothing to do,
    /// 2: changes, 1: error
    Plan(Box<plan::PlanArgs>),
    /// List every role of the account that trusts Pinpoint: who manages it, when it was last used, how wide it is. Reads only
    Audit(audit::AuditArgs),
    /// Print manifests that adopt existing roles as they are. Reads only
    Export(Box<export::ExportArgs>),
    /// Print completions for a shell
    Completions(reference::CompletionsArgs),
    /// Print the manual page, or with --markdown a reference of all commands
    Manual(reference::ManualArgs),
}

/// Flags of commands that judge manifests as the controller would.
#[derive(clap::Args, Clone, Debug)]
struct RuleArgs {
    #[command(flatten)]
    roles: RoleArgs,

    /// Namespace of manifests that name none; for export, of those that it prints
    #[arg(
        short = 'n',
        long,
        env = "PIR_NAMESPACE",
        value_name = "NAME",
        default_value = "default"
    )]
    namespace: String,
}

impl RuleArgs {
    fn check(&self, file: File) -> Result<check::Rules, Vec<String>> {
        match self.roles.check() {
            Ok((role_path, guards)) if file.problems.is_empty() => Ok(check::Rules {
                role_path,
                guards,
                namespace: self.namespace.clone(),
            }),
            roles => Err([file.problems, roles.err().unwrap_or_default()].concat()),
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
    let talks_to_aws = match &command {
        Command::Run(_) | Command::Plan(_) | Command::Audit(_) | Command::Export(_) => true,
        Command::Crd | Command::Validate(_) | Command::Completions(_) | Command::Manual(_) => false,
    };
    if talks_to_aws && let Err(problems) = check_environment() {
        return refuse(&problems);
    }
    match command {
        Command::Run(args) => run::run(&args, file),
        Command::Crd => crd::crd(),
        Command::Validate(args) => validate::validate(&args, file),
        Command::Plan(args) => plan::plan(&args, file),
        Command::Audit(args) => audit::audit(&args),
        Command::Export(args) => export::export(&args, file),
        Command::Completions(args) => reference::completions(&args),
        Command::Manual(args) => reference::manual(&args),
    }
}

/// Says why nothing is done.
fn refuse(problems: &[String]) -> ExitCode {
    for problem in problems {
        say(problem);
    }
    ExitCode::from(wrong_usage())
}

/// The exit code for wrong arguments and settings: 2 as usual, but 1 where 2 has a meaning of its own.
fn wrong_usage() -> u8 {
    let command = std::env::args_os().nth(1);
    let has_meaning = command.is_some_and(|command| {
        ["plan", "audit", "validate", "export"]
            .iter()
            .any(|name| command == *name)
    });
    if has_meaning { 1 } else { 2 }
}

/// Ends with what clap has to say: help on standard output, what is wrong on standard error.
fn exit(why: &clap::Error) -> ! {
    // Nobody is left to be told that this can't be written.
    let _ = why.print();
    std::process::exit(if why.use_stderr() { wrong_usage().into() } else { 0 })
}

/// The command line. Where it names a settings file, what that says is the default of what flags and environment leave out.
fn command() -> Result<(Command, File), String> {
    let line = Line::try_parse().unwrap_or_else(|why| exit(&why)).command;
    let (name, path) = match &line {
        Command::Run(args) => ("run", &args.roles.config),
        Command::Validate(args) => ("validate", &args.rules.roles.config),
        Command::Plan(args) => ("plan", &args.rules.roles.config),
        Command::Export(args) => ("export", &args.rules.roles.config),
        Command::Crd | Command::Audit(_) | Command::Completions(_) | Command::Manual(_) => {
            return Ok((line, File::default()));
        }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::CommandFactory;

    use super::Line;

    /// And one that two commands share means the same in both: it is declared once.
    #[test]
    fn every_flag_has_an_environment_variable() {
        let mut meanings = BTreeMap::new();
        let mut line = Line::command();
        line.build();
        line.clone().debug_assert();
        for command in line
            .get_subcommands()
            .filter(|command| !["manual", "help"].contains(&command.get_name()))
        {
            for arg in command
                .get_arguments()
                .filter(|arg| arg.get_long().is_some() && arg.get_id() != "help")
            {
                let name = arg.get_env().and_then(|name| name.to_str()).unwrap_or_default();
                assert!(name.starts_with("PIR_"), "{} --{}", command.get_name(), arg.get_id());
                let meaning = arg.get_help().map(ToString::to_string);
                let first = meanings.entry(name.to_owned()).or_insert_with(|| meaning.clone());
                assert_eq!(*first, meaning, "{} --{}", command.get_name(), arg.get_id());
            }
        }
    }
}
