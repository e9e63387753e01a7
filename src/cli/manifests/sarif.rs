//! What was found in manifests, as SARIF.

use super::check::{Checked, LocatedProblem};
use crate::cli::{
    medium::Rendered,
    sarif::{Alert, Kind, Level, sarif as written},
};

/// A problem in SARIF.
const INVALID: Kind = Kind {
    id: "invalid-manifest",
    means: "The API server or the controller would refuse this manifest.",
    level: Level::Error,
};

/// A note in SARIF.
pub(in crate::cli) const NOTED: Kind = Kind {
    id: "manifest-note",
    means: "This manifest is allowed, and something about it should be known.",
    level: Level::Note,
};

/// Problems and notes, each at its line.
pub(in crate::cli) fn sarif(checked: &Checked, unread: &[String]) -> Result<Rendered, String> {
    let found = |kind: Kind, finding: &LocatedProblem| Alert {
        kind,
        message: finding.problem.to_string(),
        file: finding.file.clone(),
        line: finding.line,
        about: None,
    };
    let problems = checked.problems.iter().map(|problem| found(INVALID, problem));
    let unread = unread.iter().map(|why| Alert::unread(INVALID, why));
    let notes = checked.notes.iter().map(|note| found(NOTED, note));
    let all: Vec<Alert> = problems.chain(unread).chain(notes).collect();
    written(&[INVALID, NOTED], &all)
}
