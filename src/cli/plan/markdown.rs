//! `plan` for a comment on a pull request.

use super::{
    report::{Call, Note, ObjectPlan, PlanReport},
    words::{diff, line, words},
};
use crate::{
    cli::medium::{Markdown, Rendered},
    role::difference::cut,
};

/// Most bytes of a comment. GitHub takes 65,536 characters; a pipeline may want to add something.
const COMMENT: usize = 60_000;
/// Bytes of it that the table may take, so that something is left for what happens to each role.
const TABLE: usize = 20_000;
/// Bytes up to which there may be notes, which come after the table.
const NOTES: usize = 24_000;
/// Most bytes of what happens to one role, and of one difference of documents, so that no role takes the place of all others.
const ROLE: usize = 12_000;
const DIFF: usize = 4_000;
/// Most characters of a sentence: a difference has no more in the status either (contract, section 5).
const SENTENCE: usize = 300;

/// For a comment on a pull request. What does not fit is counted; what widens access and what is refused comes first.
pub(super) fn markdown(report: &PlanReport) -> Rendered {
    let mut text = Markdown::default();
    text.markup("### Pinpoint import roles: ")
        .words(report.headline())
        .markup("\n\n");
    let shown = report.shown();
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
