//! How commands end: exit codes, and what is said before.

use std::{future::Future, process::ExitCode};

use super::medium::say;

/// Runs a command to its end. An error is said in a line or two.
pub(super) fn finish(work: impl Future<Output = Result<ExitCode, String>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => return refuse(&[format!("can't start: {why}")]),
    };
    runtime.block_on(work).unwrap_or_else(|why| {
        say(format_args!("error: {why}"));
        ExitCode::FAILURE
    })
}

/// Says why nothing is done.
pub(super) fn refuse(problems: &[String]) -> ExitCode {
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
pub(super) fn exit(why: &clap::Error) -> ! {
    // Nobody is left to be told that this can't be written.
    let _ = why.print();
    std::process::exit(if why.use_stderr() { wrong_usage().into() } else { 0 })
}
