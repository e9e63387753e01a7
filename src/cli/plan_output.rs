//! The output of `plan`: for people, for programs, and for a comment on a pull request.

use std::fmt::Write as _;

use serde_json::Value;
use similar::TextDiff;

use super::report::{Action, Call, ObjectPlan, Report};

impl ObjectPlan {
    fn title(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    fn role(&self) -> String {
        match &self.account {
            Some(account) => format!("role {} in account {account}", self.role),
            None => format!("role {}", self.role),
        }
    }

    fn verb(&self) -> &'static str {
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
        }
    }
}

impl Report {
    fn headline(&self) -> String {
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

/// JSON; the schema is `deploy/pipeline/plan.schema.json`.
pub(super) fn json(report: &Report) -> Result<String, String> {
    let text = serde_json::to_string_pretty(report).map_err(|why| why.to_string())?;
    Ok(text + "\n")
}

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const PLAIN: &str = "\x1b[0m";

/// For people, with colours.
pub(super) fn text(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string can't fail.
    let _ = write_text(&mut text, report);
    text
}

fn write_text(text: &mut String, report: &Report) -> std::fmt::Result {
    for object in report.objects.iter().filter(|object| object.action != Action::Nothing) {
        writeln!(
            text,
            "{BOLD}{}{PLAIN}: {} {}",
            object.title(),
            object.role(),
            object.verb()
        )?;
        writeln!(text, "  whose it is: {}", object.owner)?;
        if let (Some(reason), Some(message)) = (&object.reason, &object.message) {
            writeln!(text, "  {RED}{reason}{PLAIN}: {message}")?;
        }
        for call in &object.calls {
            let mark = if call.widens {
                "  \x1b[33mWIDENS ACCESS\x1b[0m"
            } else {
                ""
            };
            writeln!(text, "  {}{mark}", line(call))?;
            for difference in &call.differences {
                writeln!(
                    text,
                    "      now: {}; declared: {}",
                    difference.observed, difference.declared
                )?;
            }
            for line in diff(call).lines() {
                let colour = match line.chars().next() {
                    Some('+') => GREEN,
                    Some('-') => RED,
                    _ => "",
                };
                writeln!(text, "      {colour}{line}{PLAIN}")?;
            }
        }
        writeln!(text)?;
    }
    writeln!(text, "Plan: {}.", report.headline())
}

fn line(call: &Call) -> String {
    match &call.subject {
        Some(subject) => format!("{} {subject}", call.action),
        None => call.action.clone(),
    }
}

/// A text diff of the documents, each written the same way first.
fn diff(call: &Call) -> String {
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

/// For a comment on a pull request.
pub(super) fn markdown(report: &Report) -> String {
    let mut text = format!("### Pinpoint import roles: {}\n\n", report.headline());
    let shown: Vec<&ObjectPlan> = report
        .objects
        .iter()
        .filter(|object| object.action != Action::Nothing)
        .collect();
    if shown.is_empty() {
        return text;
    }
    text += "| object | role | what happens | widens access |\n| --- | --- | --- | --- |\n";
    for object in &shown {
        let widens = if object.calls.iter().any(|call| call.widens) {
            "**yes**"
        } else {
            "no"
        };
        let what = object.message.as_deref().unwrap_or(object.verb());
        let _ = writeln!(
            text,
            "| `{}` | `{}` | {} | {widens} |",
            object.title(),
            object.role,
            cell(what)
        );
    }
    for object in shown.iter().filter(|object| !object.calls.is_empty()) {
        let _ = write!(
            text,
            "\n<details><summary>{}: {} {}</summary>\n\n",
            object.title(),
            object.role(),
            object.verb()
        );
        for call in &object.calls {
            let _ = writeln!(
                text,
                "- `{}`{}",
                line(call),
                if call.widens { " **widens access**" } else { "" }
            );
            for difference in &call.differences {
                let _ = writeln!(text, "  - {}", cell(&difference.observed));
            }
            let diff = diff(call);
            if !diff.is_empty() {
                // A fence longer than any run of backquotes in it.
                let fence = "`".repeat(3.max(1 + longest_run(&diff)));
                let _ = writeln!(text, "\n{fence}diff\n{diff}{fence}\n");
            }
        }
        text += "\n</details>\n";
    }
    text
}

fn cell(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('|', "\\|")
        .replace('\n', " ")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_cell_breaks_the_table() {
        assert_eq!(cell("a|b\nc <d>"), "a\\|b c &lt;d>");
        assert_eq!(longest_run("a``b````"), 4);
    }
}
