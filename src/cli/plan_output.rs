//! The output of `plan`: for people, for a comment on a pull request, and for its lines.

use serde_json::Value;
use similar::TextDiff;

use super::{
    manifests::Node,
    medium::{Markdown, Rendered, Style, Terminal},
    report::{Action, Call, Note, ObjectPlan, Report},
    sarif::{self, Found, Kind, Level},
    validate::NOTED,
};
use crate::role::{FieldPath, difference::cut};

impl ObjectPlan {
    fn widens(&self) -> bool {
        self.calls.iter().any(|call| call.widens)
    }

    pub(super) fn title(&self) -> String {
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
            Action::Unwatched => "is not watched by this controller: nothing is done",
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

/// For people, with colours.
pub(super) fn text(report: &Report) -> Rendered {
    let mut text = Terminal::default();
    for object in report.objects.iter().filter(|object| object.action != Action::Nothing) {
        text.styled(Style::Bold, object.title())
            .line(format_args!(": {} {}", object.role(), object.verb()));
        text.line(format_args!("  whose it is: {}", object.owner));
        match (&object.reason, &object.message) {
            (Some(reason), Some(message)) => text
                .add("  ")
                .styled(Style::Red, reason)
                .line(format_args!(": {message}")),
            (None, Some(message)) => text.line(format_args!("  {message}")),
            (_, None) => {}
        }
        for call in &object.calls {
            text.add("  ").add(line(call));
            if call.widens {
                text.add("  ").styled(Style::Yellow, "WIDENS ACCESS");
            }
            text.end();
            for difference in &call.differences {
                text.line(format_args!(
                    "      now: {}; declared: {}",
                    difference.observed, difference.declared
                ));
            }
            for line in diff(call).lines() {
                text.add("      ");
                match line.chars().next() {
                    Some('+') => text.styled(Style::Green, line).end(),
                    Some('-') => text.styled(Style::Red, line).end(),
                    _ => text.line(line),
                }
            }
        }
        text.end();
    }
    for (note, objects) in report.notes() {
        text.styled(Style::Bold, "note")
            .line(format_args!(": {}: {}", objects.join(", "), words(note)));
    }
    text.line(format_args!("Plan: {}.", report.headline()));
    text.rendered()
}

fn words(note: &Note) -> String {
    format!("{}: {}", note.field, note.message)
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

/// Most bytes of a comment. GitHub takes 65,536 characters; a pipeline may want to add something.
const COMMENT: usize = 60_000;
/// Bytes of it that the table may take, so that something is left for what happens to each role.
const TABLE: usize = 20_000;
/// Bytes up to which there may be notes, which come after the table.
const NOTES: usize = 24_000;
/// Most bytes of what happens to one role, and of one difference of documents, so that no role takes the place of all others.
const ROLE: usize = 12_000;
const DIFF: usize = 4_000;
/// Most characters of a sentence.
const SENTENCE: usize = 300;

/// For a comment on a pull request. What does not fit is counted; what widens access and what is refused comes first.
pub(super) fn markdown(report: &Report) -> Rendered {
    let mut text = Markdown::default();
    text.markup("### Pinpoint import roles: ")
        .words(report.headline())
        .markup("\n\n");
    let mut shown: Vec<&ObjectPlan> = report
        .objects
        .iter()
        .filter(|object| object.action != Action::Nothing)
        .collect();
    shown.sort_by_key(|object| (!object.widens(), object.action != Action::Refused));
    if !shown.is_empty() {
        text.markup("| object | role | what happens | widens access |\n| --- | --- | --- | --- |\n");
    }
    let rows_left_out = fill(&mut text, TABLE, shown.iter(), |object| row(object));
    let notes = report.notes();
    if !notes.is_empty() {
        text.markup("\n");
    }
    let notes_left_out = fill(&mut text, NOTES, notes.iter(), |(note, objects)| remark(note, objects));
    let details = shown.iter().filter(|object| !object.calls.is_empty());
    let details_left_out = fill(&mut text, COMMENT, details, |object| details_of(object));
    if rows_left_out + notes_left_out + details_left_out > 0 {
        text.markup("\n**Not all is here**, since a comment may not be longer: ")
            .words(rows_left_out)
            .markup(" more objects are not in the table, and the calls for ")
            .words(details_left_out)
            .markup(" objects and ")
            .words(notes_left_out)
            .markup(" notes are left out. `plan` with `--output text` or `--output json` shows all of them.\n");
    }
    text.rendered()
}

/// Appends a part for each item as long as there is room, and counts the rest.
fn fill<T>(text: &mut Markdown, room: usize, items: impl Iterator<Item = T>, part: impl Fn(T) -> Markdown) -> usize {
    let mut items = items;
    while let Some(item) = items.next() {
        let part = part(item);
        if text.len() + part.len() > room {
            return 1 + items.count();
        }
        text.append(&part);
    }
    0
}

fn row(object: &ObjectPlan) -> Markdown {
    let mut row = Markdown::default();
    row.markup("| ")
        .code(object.title())
        .markup(" | ")
        .code(&object.role)
        .markup(" | ");
    match &object.message {
        Some(message) => row.code(cut(message.clone(), SENTENCE)),
        None => row.words(object.verb()),
    };
    let widens = if object.widens() { "**yes**" } else { "no" };
    row.markup(" | ").markup(widens).markup(" |\n");
    row
}

/// A note, and what it is about.
fn remark(note: &Note, objects: &[String]) -> Markdown {
    let mut remark = Markdown::default();
    remark
        .markup("- Note on ")
        .code(cut(objects.join(", "), SENTENCE))
        .markup(" (")
        .words(objects.len())
        .markup("): ")
        .words(cut(words(note), 2 * SENTENCE))
        .markup("\n");
    remark
}

/// The calls for an object, folded away.
fn details_of(object: &ObjectPlan) -> Markdown {
    let mut details = Markdown::default();
    details
        .markup("\n<details><summary>")
        .code_in_html(object.title())
        .markup(": ")
        .code_in_html(object.role())
        .markup(" ")
        .words(object.verb())
        .markup("</summary>\n\n");
    let left_out = fill(&mut details, ROLE, object.calls.iter(), details_of_call);
    if left_out > 0 {
        details.markup("- and ").words(left_out).markup(" more calls\n");
    }
    details.markup("\n</details>\n");
    details
}

fn details_of_call(call: &Call) -> Markdown {
    let mut details = Markdown::default();
    details.markup("- ").code(cut(line(call), SENTENCE));
    details.markup(if call.widens { " **widens access**\n" } else { "\n" });
    for difference in &call.differences {
        details.markup("  - ").code(&difference.observed).markup("\n");
    }
    let diff = diff(call);
    if !diff.is_empty() {
        // Whole lines, of which a single one may be too long as well.
        let lines: Vec<String> = diff.lines().map(|line| cut(line.to_owned(), DIFF / 8)).collect();
        let mut room = DIFF;
        let fits = |line: &&String| {
            room = room.saturating_sub(line.len() + 1);
            room > 0
        };
        let fitting: Vec<&str> = lines.iter().take_while(fits).map(String::as_str).collect();
        details.markup("\n").diff(&fitting.join("\n"));
        if fitting.len() < lines.len() {
            details
                .markup("\nand ")
                .words(lines.len() - fitting.len())
                .markup(" more lines\n");
        }
        details.markup("\n");
    }
    details
}

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

/// For places that show problems on the lines of a pull request: what is refused, what widens access, and notes. `places` are the objects'
/// manifests, in their order.
pub(super) fn sarif(report: &Report, places: &[Option<&Node>]) -> Result<Rendered, String> {
    let mut all = Vec::new();
    for (object, place) in report.objects.iter().zip(places) {
        let found = |kind: Kind, way: &FieldPath, message: String| Found {
            kind,
            message,
            file: match &object.file {
                Some(file) => file.clone(),
                // It is in no file, but places that show findings ask for one.
                None => format!("pinpointimportroles/{}", object.title()),
            },
            line: place.map_or(1, |node| node.line_of(way)),
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
    sarif::sarif(&[WIDENS, REFUSED, NOTED], &all)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::report::Difference, role::Problem};

    fn call(n: usize, text: &str) -> Call {
        Call {
            action: "AttachRolePolicy".to_owned(),
            subject: Some(format!("arn:aws:iam::123456789012:policy/{n}{text}")),
            widens: n % 2 == 1,
            differences: vec![Difference {
                field: "managedPolicyArns".to_owned(),
                observed: format!("managed policy {n} is missing {text}"),
                declared: "attached".to_owned(),
            }],
            before: Some(format!("{{\"Statement\": [{n}]}}")),
            after: Some(
                serde_json::json!({"Version": "2012-10-17", "Statement": [{"Sid": text, "Resource": n}]}).to_string(),
            ),
        }
    }

    fn object(n: usize, calls: Vec<Call>, message: Option<&str>) -> ObjectPlan {
        ObjectPlan {
            namespace: "team".to_owned(),
            name: format!("segments-{n}"),
            file: None,
            account: Some("123456789012".to_owned()),
            role: format!("team.segments-{n}"),
            owner: "there is no such role yet".to_owned(),
            action: if message.is_some() {
                Action::Refused
            } else {
                Action::Create
            },
            reason: message.map(|_| "InvalidSpec".to_owned()),
            message: message.map(str::to_owned),
            notes: Vec::new(),
            calls,
        }
    }

    /// As GitHub counts, and as those may that count less kindly.
    fn fits(markdown: &str) {
        assert!(
            markdown.chars().count() < 65_536 && markdown.encode_utf16().count() < 65_536 && markdown.len() < 65_536
        );
    }

    #[test]
    fn a_comment_is_never_too_long_and_what_is_left_out_is_counted() {
        let hostile = "`|\u{2028}\u{1f600}<".repeat(1000);
        let ours = |n| object(n, vec![call(0, ""), call(2, "")], None);
        let noted = |n| ObjectPlan {
            notes: vec![Problem::new(FieldPath::of(&["spec"]), format!("{n}{hostile}")).into()],
            ..ours(n)
        };
        let mut largest = 0;
        for (count, each) in [
            (60, &(|n| ours(n)) as &dyn Fn(usize) -> ObjectPlan),
            (1000, &|n| ours(n)),
            (1000, &noted),
            (60, &|n| object(n, (0..60).map(|m| call(m, &hostile)).collect(), None)),
            (1, &|n| object(n, vec![call(n, &hostile)], None)),
            (300, &|n| object(n, Vec::new(), Some(&hostile))),
        ] {
            let report = Report::new((0..count).map(each));
            let text = markdown(&report);
            fits(text.as_str());
            largest = largest.max(text.as_str().chars().count());
            let rows = text.as_str().lines().filter(|line| line.starts_with("| `")).count();
            let details = text.as_str().matches("<details>").count();
            assert_eq!(details, text.as_str().matches("</details>").count());
            let with_calls = report.objects.iter().filter(|object| !object.calls.is_empty()).count();
            if rows < count || details < with_calls {
                let told = format!(
                    "{} more objects are not in the table, and the calls for {} objects and ",
                    count - rows,
                    with_calls - details
                );
                assert!(text.as_str().contains(&told), "{told}: {}", text.as_str());
            }
        }
    }

    #[test]
    fn what_is_dangerous_comes_first() {
        let mut all: Vec<ObjectPlan> = (0..500).map(|n| object(n, vec![call(0, "")], None)).collect();
        all.push(object(998, Vec::new(), Some("no")));
        all.push(object(999, vec![call(1, "")], None));
        let text = markdown(&Report::new(all.into_iter()));
        let at = |words: &str| text.as_str().find(words).unwrap_or_else(|| panic!("{words}"));
        assert!(at("segments-999") < at("segments-998") && at("segments-998") < at("segments-0`"));
    }

    #[test]
    fn widenings_and_refusals_have_their_lines() {
        let text = "apiVersion: x\nkind: y\nspec:\n  buckets: []\n  managedPolicyArns:\n  - a\n";
        let node = crate::cli::manifests::parse("roles/a.yaml", text).0.remove(0).node;
        let mut widens = object(1, vec![call(0, ""), call(1, "")], None);
        widens.file = Some("roles/a.yaml".to_owned());
        let refused = object(2, Vec::new(), Some("no"));
        let report = Report::new([widens, refused].into_iter());
        let text = sarif(&report, &[Some(&node), None]).unwrap();
        let value: Value = serde_json::from_str(text.as_str()).unwrap();
        let results = value["runs"][0]["results"].as_array().unwrap();
        assert_eq!(results.len(), 2);
        let place = |n: usize| &results[n]["locations"][0]["physicalLocation"];
        assert_eq!(place(0)["artifactLocation"]["uri"], "roles/a.yaml");
        assert_eq!(place(0)["region"]["startLine"], 5);
        assert_eq!(
            place(1)["artifactLocation"]["uri"],
            "pinpointimportroles/team/segments-2"
        );
        assert_eq!(
            (&results[0]["ruleId"], &results[1]["ruleId"]),
            (&"widens-access".into(), &"refused".into())
        );
    }
}
