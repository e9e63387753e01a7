//! `plan` for the lines of a pull request.

use super::{
    report::{Action, PlanReport},
    words::{line, words},
};
use crate::{
    cli::{
        manifests::{NOTED, Node},
        medium::Rendered,
        sarif::{Alert, Kind, Level, sarif as written},
    },
    role::FieldPath,
};

/// A change that widens access, in SARIF.
const WIDENS: Kind = Kind {
    id: "widens-access",
    means: "Somebody can do more with the role afterwards.",
    level: Level::Warning,
};

/// An object that would not be Ready, in SARIF.
const REFUSED: Kind = Kind {
    id: "refused",
    means: "The controller would refuse this object.",
    level: Level::Error,
};

/// For places that show problems on the lines of a pull request: what is refused, what widens access, and notes. `nodes` are the objects'
/// manifests, in their order.
pub(super) fn sarif(report: &PlanReport, nodes: &[Option<&Node>]) -> Result<Rendered, String> {
    let mut all = Vec::new();
    for (object, node) in report.objects.iter().zip(nodes) {
        let found = |kind: Kind, way: &FieldPath, message: String| Alert {
            kind,
            message,
            file: match &object.file {
                Some(file) => file.clone(),
                // It is in no file, but places that show findings ask for one.
                None => format!("pinpointimportroles/{}", object.title()),
            },
            line: node.map_or(1, |node| node.line_of(way)),
            about: Some(object.title()),
        };
        if object.action == Action::Refused {
            let message = [&object.reason, &object.message].map(|text| text.clone().unwrap_or_default());
            all.push(found(
                REFUSED,
                &way(None),
                format!("{}: {}", object.role(), message.join(": ")),
            ));
        }
        for call in object.calls.iter().filter(|call| call.widens) {
            let differences: Vec<&str> = call.differences.iter().map(|found| found.observed.as_str()).collect();
            let message = format!(
                "{}: {} widens access; now: {}",
                object.role(),
                line(call),
                differences.join("; ")
            );
            let field = call.differences.first().map(|difference| difference.field.as_str());
            all.push(found(WIDENS, &way(field), message));
        }
        for note in &object.notes {
            all.push(found(NOTED, &note.path, words(note)));
        }
    }
    written(&[WIDENS, REFUSED, NOTED], &all)
}

/// The way to what declares a part of the role.
fn way(field: Option<&str>) -> FieldPath {
    let field = match field {
        Some("trustPolicy") => Some("trust"),
        Some("inlinePolicies") => Some("undeclaredPolicies"),
        other => other,
    };
    field.map_or_else(|| FieldPath::of(&["spec"]), FieldPath::spec)
}
