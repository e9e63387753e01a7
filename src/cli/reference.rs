//! Completions, manual page and reference, all from the definitions behind `--help`.

use std::{fmt::Write as _, process::ExitCode};

use clap::{Args, Command};
use clap_complete::Shell;

use super::{
    called,
    ending::refuse,
    medium::{Rendered, print},
};

/// Flags of `completions`.
#[derive(Args, Clone, Debug)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Flags of `manual`.
#[derive(Args, Clone, Debug)]
pub(super) struct ManualArgs {
    /// Markdown instead of a manual page: every command with all its flags
    #[arg(long)]
    markdown: bool,
}

pub(super) fn completions(args: &CompletionsArgs, mut line: Command) -> ExitCode {
    let name = line.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut line, name, &mut text);
    told(String::from_utf8(text).map_err(|why| why.to_string()))
}

/// How the words of this process' own arguments may go on, for kubectl.
pub(super) fn candidates(mut line: Command) -> ExitCode {
    told(Ok(called::completions(&mut line, std::env::args_os().collect())))
}

pub(super) fn manual(args: &ManualArgs, line: Command) -> ExitCode {
    told(if args.markdown { Ok(markdown(line)) } else { pages(line) })
}

fn told(text: Result<String, String>) -> ExitCode {
    match text.and_then(|text| print(&Rendered::of_ours(text))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => refuse(&[why]),
    }
}

/// The page of the program and, after it, those of its commands.
fn pages(mut line: Command) -> Result<String, String> {
    line.build();
    let mut text = Vec::new();
    let commands = line.get_subcommands().filter(|command| command.get_name() != "help");
    for page in std::iter::once(&line).chain(commands) {
        clap_mangen::Man::new(page.clone())
            .render(&mut text)
            .map_err(|why| why.to_string())?;
    }
    String::from_utf8(text).map_err(|why| why.to_string())
}

fn markdown(mut line: Command) -> String {
    line.build();
    let mut text = "# Commands\n\nMade by `pinpoint-import-role-controller manual --markdown`.\n".to_owned();
    for command in line.get_subcommands().filter(|command| command.get_name() != "help") {
        let _ = write!(
            text,
            "\n## {}\n\n{}.\n\n",
            command.get_name(),
            command.get_about().map(ToString::to_string).unwrap_or_default()
        );
        text += &flags(command);
    }
    text
}

fn flags(command: &Command) -> String {
    let mut text = "| argument | environment | default | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for arg in command.get_arguments().filter(|arg| arg.get_id() != "help") {
        let name = match (arg.get_long(), arg.get_short()) {
            (Some(long), Some(short)) => format!("`-{short}`, `--{long}`"),
            (Some(long), None) => format!("`--{long}`"),
            _ => format!("`{}`", arg.get_id().as_str().to_uppercase()),
        };
        let environment = arg
            .get_env()
            .map(|name| format!("`{}`", name.display()))
            .unwrap_or_default();
        let defaults: Vec<_> = arg
            .get_default_values()
            .iter()
            .map(|value| value.display().to_string())
            .collect();
        let default = defaults.join(",");
        let takes = arg.get_action().takes_values();
        let default = if takes && !default.is_empty() {
            format!("`{default}`")
        } else {
            String::new()
        };
        let help = arg
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default()
            .replace('|', "\\|")
            .replace('\n', " ");
        let _ = writeln!(text, "| {name} | {environment} | {default} | {help} |");
    }
    text
}
