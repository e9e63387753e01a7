//! The command line: one file per command.

mod crd;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Args;

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
        Command::Run(args) => run::run(&args),
        Command::Crd => crd::crd(),
    }
}
