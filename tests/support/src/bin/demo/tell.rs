//! What the demo prints.

use test_support::control_plane::ControlPlane;

/// Why the demo failed, for people.
pub(super) type Result<T> = std::result::Result<T, String>;

/// Begins a chapter.
pub(super) fn say(what: &str) {
    println!("\n▸ {what}");
}

/// Runs a kubectl command, and shows it and what it prints.
pub(super) fn command(plane: &ControlPlane, arguments: &[&str]) -> Result<()> {
    show(arguments, &plane.run(arguments)?);
    Ok(())
}

/// Shows a kubectl command and what it printed.
pub(super) fn show(arguments: &[&str], printed: &str) {
    println!("   $ kubectl {}\n{}", arguments.join(" "), indented(printed));
}

pub(super) fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("   {line}")).collect();
    lines.join("\n")
}

/// Ends the demo unless something holds.
pub(super) fn check(holds: bool, otherwise: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}

/// An error with its causes: the SDK's own words say little.
pub(super) fn text(error: impl std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
