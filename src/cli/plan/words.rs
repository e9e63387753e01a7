//! The words in which every output of `plan` says the same.

use serde_json::Value;
use similar::TextDiff;

use super::report::{Action, Call, Note, ObjectPlan, PlanReport};

impl ObjectPlan {
    pub(super) fn widens(&self) -> bool {
        self.calls.iter().any(|call| call.widens)
    }

    pub(super) fn role(&self) -> String {
        match &self.account {
            Some(account) => format!("role {} in account {account}", self.role),
            None => format!("role {}", self.role),
        }
    }

    pub(super) fn verb(&self) -> &'static str {
        match self.action {
            Action::Nothing => "is as declared",
            Action::Suspended => "is suspended: nothing is done",
            Action::Refused => "is refused",
            Action::Reported => "has drifted, which is reported and not repaired",
            Action::Create => "is created",
            Action::Adopt => "is taken over",
            Action::Change => "is changed",
            Action::Delete => "is deleted",
            Action::Retain => "stays in AWS, without ownership tags",
            Action::Unwatched => "is not watched by this controller: nothing is done",
        }
    }
}

impl PlanReport {
    /// The objects for which there is something to say; what widens access and what is refused comes first.
    pub(super) fn shown(&self) -> Vec<&ObjectPlan> {
        let mut shown: Vec<&ObjectPlan> = self
            .objects
            .iter()
            .filter(|object| object.action != Action::Nothing)
            .collect();
        shown.sort_by_key(|object| (!object.widens(), object.action != Action::Refused));
        shown
    }

    pub(super) fn headline(&self) -> String {
        let summary = &self.summary;
        let counts = [
            (summary.create, "to create"),
            (summary.adopt, "to take over"),
            (summary.change, "to change"),
            (summary.delete, "to delete"),
            (summary.retain, "to leave behind"),
            (summary.reported, "drifted and reported"),
            (summary.refused, "refused"),
            (summary.suspended, "suspended"),
            (summary.unwatched, "not watched by this controller"),
            (summary.nothing, "as declared"),
        ];
        let words: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, words)| format!("{count} {words}"))
            .collect();
        let widening = match summary.widening {
            0 => "no change widens access".to_owned(),
            1 => "1 change WIDENS ACCESS".to_owned(),
            more => format!("{more} changes WIDEN ACCESS"),
        };
        let words = if words.is_empty() {
            "no objects".to_owned()
        } else {
            words.join(", ")
        };
        format!("{words}; {widening}")
    }
}

pub(super) fn words(note: &Note) -> String {
    format!("{}: {}", note.field, note.message)
}

pub(super) fn line(call: &Call) -> String {
    match &call.subject {
        Some(subject) => format!("{} {subject}", call.action),
        None => call.action.clone(),
    }
}

/// A text diff of the documents, each written the same way first.
pub(super) fn diff(call: &Call) -> String {
    let pretty = |text: &Option<String>| {
        let text = text.as_deref().unwrap_or_default();
        let value = serde_json::from_str::<Value>(text);
        value
            .ok()
            .and_then(|value| serde_json::to_string_pretty(&value).ok())
            .unwrap_or_else(|| text.to_owned())
            + "\n"
    };
    if call.before.is_none() && call.after.is_none() {
        return String::new();
    }
    let (before, after) = (pretty(&call.before), pretty(&call.after));
    let (before, after) = (before.trim_start_matches('\n'), after.trim_start_matches('\n'));
    TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(2)
        .header("in IAM", "declared")
        .to_string()
}
