//! By which name the program was started: by its own, or by a link that makes it a plugin of kubectl. Kubernetes documentation, "Extend
//! kubectl with plugins".

use std::{ffi::OsString, path::Path};

use clap::Command;
use clap_complete::{CompletionCandidate, engine};

/// The file that `kubectl pir` starts.
const PLUGIN: &str = "kubectl-pir";

/// The file that kubectl asks how the words after `kubectl pir` may go on.
const COMPLETION: &str = "kubectl_complete-pir";

/// Cobra's directives for the shell, which kubectl hands on: what follows is not a file, and no space comes after it.
const NO_FILES: u8 = 4;
const NO_SPACE: u8 = 2;

/// How the program was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Called {
    /// By its own name, or whichever people gave it.
    Itself,
    /// `kubectl pir …`
    Plugin,
    /// By kubectl, for completions.
    Completion,
}

impl Called {
    /// How this process was.
    pub(super) fn now() -> Self {
        Self::by(&std::env::args_os().next().unwrap_or_default())
    }

    fn by(program: &OsString) -> Self {
        let name = Path::new(program).file_name().unwrap_or_default();
        if name == PLUGIN {
            Self::Plugin
        } else if name == COMPLETION {
            Self::Completion
        } else {
            Self::Itself
        }
    }

    /// The command line as people write it: help and errors name the program so.
    pub(super) fn name(self, line: Command) -> Command {
        match self {
            Self::Itself => line,
            Self::Plugin | Self::Completion => line.bin_name("kubectl pir").display_name(PLUGIN),
        }
    }
}

/// How the words of a command line may go on, of which the last is not whole, as kubectl reads it: a line each, and one with directives.
pub(super) fn completions(line: &mut Command, words: Vec<OsString>) -> String {
    let last = words.len().saturating_sub(1);
    let here = std::env::current_dir().ok();
    // Words that can't be gone on from are no error to whoever types them.
    let found = engine::complete(line, words, last, here.as_deref()).unwrap_or_default();
    let shown: Vec<&CompletionCandidate> = found.iter().filter(|candidate| !candidate.is_hide_set()).collect();
    let is_folder = |candidate: &&CompletionCandidate| candidate.get_value().to_string_lossy().ends_with('/');
    let directives = match shown.as_slice() {
        [] => 0,
        shown if shown.iter().any(is_folder) => NO_FILES | NO_SPACE,
        _ => NO_FILES,
    };
    let mut text = String::new();
    for candidate in shown {
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        text += &candidate.get_value().to_string_lossy();
        if let Some(first) = help.lines().next() {
            text.push('\t');
            text += first;
        }
        text.push('\n');
    }
    text + &format!(":{directives}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_makes_it_a_plugin() {
        for (program, called) in [
            ("/usr/local/bin/kubectl-pir", Called::Plugin),
            ("kubectl-pir", Called::Plugin),
            ("./kubectl_complete-pir", Called::Completion),
            ("kubectl-pir/pinpoint-import-role-controller", Called::Itself),
            ("", Called::Itself),
        ] {
            assert_eq!(Called::by(&OsString::from(program)), called, "{program}");
        }
    }
}
