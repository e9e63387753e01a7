//! `plan` for people.

use super::{
    report::{Action, PlanReport},
    words::{diff, line, words},
};
use crate::cli::medium::{Rendered, Style, Terminal};

/// For people, with colours.
pub(super) fn text(report: &PlanReport) -> Rendered {
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
