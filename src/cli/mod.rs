//! The command line: one file per command.

mod crd;
mod run;

use std::process::ExitCode;

use clap::{Args as _, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{Args, File};

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
}

/// Parses the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    match Line::parse().command {
        Command::Run(args) => match with_file(*args) {
            Ok((args, file)) => run::run(&args, file),
            Err(why) => {
                eprintln!("{why}");
                ExitCode::from(2)
            }
        },
        Command::Crd => crd::crd(),
    }
}

/// Reads the settings file, where there is one: what it says is the default of what flags and environment leave out.
fn with_file(args: Args) -> Result<(Args, File), String> {
    let Some(path) = &args.config else {
        return Ok((args, File::default()));
    };
    let run = Args::augment_args(clap::Command::new("run"));
    let file = File::read(path, &run)?;
    let line = Line::command().mut_subcommand("run", |run| file.as_defaults(run));
    match Line::from_arg_matches(&line.get_matches())
        .map_err(|why| why.to_string())?
        .command
    {
        Command::Run(args) => Ok((*args, file)),
        Command::Crd => Ok((args, file)),
    }
}
