//! The command line: one file or folder per command, and what they share.

mod audit;
mod called;
mod crd;
mod ending;
mod export;
mod iam;
mod manifests;
mod medium;
mod objects;
mod page;
mod plan;
mod reference;
mod rules;
mod run;
mod sarif;
mod validate;

use std::process::ExitCode;

use clap::{Args as _, CommandFactory, FromArgMatches, Parser, Subcommand};

use self::{
    called::Called,
    ending::{exit, refuse},
};
use crate::{
    aws::check_environment,
    config::{Args, File},
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
    /// Print the custom resource definition, or a JSON Schema by which editors and kubeconform check manifests
    Crd(crd::CrdArgs),
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

/// Parses the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    let called = Called::now();
    if called == Called::Completion {
        return reference::candidates(called.name(Line::command()));
    }
    let (command, file) = match command(called) {
        Ok(found) => found,
        Err(why) => return refuse(&[why]),
    };
    let talks_to_aws = match &command {
        Command::Run(_) | Command::Plan(_) | Command::Audit(_) | Command::Export(_) => true,
        Command::Crd(_) | Command::Validate(_) | Command::Completions(_) | Command::Manual(_) => false,
    };
    if talks_to_aws && let Err(problems) = check_environment() {
        return refuse(&problems);
    }
    match command {
        Command::Run(args) => run::run(&args, file),
        Command::Crd(args) => crd::crd(&args),
        Command::Validate(args) => validate::validate(&args, file),
        Command::Plan(args) => plan::plan(&args, file),
        Command::Audit(args) => audit::audit(&args),
        Command::Export(args) => export::export(&args, file),
        Command::Completions(args) => reference::completions(&args, Line::command()),
        Command::Manual(args) => reference::manual(&args, Line::command()),
    }
}

/// The command line. Where it names a settings file, what that says is the default of what flags and environment leave out.
fn command(called: Called) -> Result<(Command, File), String> {
    let line = || called.name(Line::command());
    let parsed = line()
        .try_get_matches()
        .and_then(|matches| Line::from_arg_matches(&matches).map_err(|why| why.format(&mut line())));
    let command = parsed.unwrap_or_else(|why| exit(&why)).command;
    let (name, path) = match &command {
        Command::Run(args) => ("run", &args.roles.config),
        Command::Validate(args) => ("validate", &args.rules.roles.config),
        Command::Plan(args) => ("plan", &args.rules.roles.config),
        Command::Export(args) => ("export", &args.rules.roles.config),
        Command::Crd(_) | Command::Audit(_) | Command::Completions(_) | Command::Manual(_) => {
            return Ok((command, File::default()));
        }
    };
    let Some(path) = path else {
        return Ok((command, File::default()));
    };
    // The file is the controller's, so it may have all flags of `run`.
    let file = File::read(path, &Args::augment_args(clap::Command::new("run")))?;
    let with_defaults = line().mut_subcommand(name, |command| file.as_defaults(command));
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
