//! `make bench`: what the controller needs, on a real API server and the fake IAM, with 20 ms a call. Counts and memory say more than
//! seconds, which depend on the machine.
//!
//! Figures are kept as JSON, a file a part. The page `docs/performance.md` and its pictures are made of them, and nothing in them is typed.

#![allow(unreachable_pub, reason = "pub is what these modules share")]

pub mod figures;
mod fleet;
mod flood;
mod goals;
mod once;
pub mod page;
mod pictures;
mod process;
mod sight;
mod world;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

pub use figures::COUNTS;
use figures::{Figures, SHOWN, fleet_of, keep, kept};

/// Where a run leaves its figures and pictures.
pub const RUN: &str = "target/bench";
/// The page.
pub const PAGE: &str = "docs/performance.md";

/// The parts that can be measured.
pub const PARTS: [&str; 4] = ["fleet", "sight", "flood", "once"];

/// Measures some parts, fleets of so many objects, and prints what came of them.
///
/// # Errors
/// What could not be started, or did not happen.
pub fn run(parts: &[String], counts: &[usize]) -> Result<(), String> {
    let folder = Path::new(RUN);
    for part in parts {
        eprintln!("bench: {part}");
        match part.as_str() {
            "fleet" => {
                for count in counts {
                    let fleet = fleet::measure(*count)?;
                    eprintln!("{}", serde_json::to_string(&fleet).unwrap_or_default());
                    keep(folder, &fleet_of(*count), fleet)?;
                }
            }
            "sight" => keep(folder, part, sight::measure(1000)?)?,
            "flood" => keep(folder, part, flood::measure(1000, 100_000)?)?,
            "once" => keep(folder, part, once::measure(5000, 1000)?)?,
            other => return Err(format!("{other:?} is no part: {}", PARTS.join(", "))),
        }
    }
    let figures = Figures::read(folder)?;
    for (name, picture) in pictures::pictures(&figures)? {
        fs::write(folder.join(name), picture).map_err(|error| error.to_string())?;
    }
    for (_, table) in page::tables(&figures) {
        println!("{table}\n");
    }
    Ok(())
}

/// Brings the figures of the last runs into the page. Parts that were not measured stay as they are.
///
/// # Errors
/// Something can't be read or written.
pub fn publish() -> Result<(), String> {
    let (from, to) = (Path::new(RUN), Path::new(SHOWN));
    let fleets = COUNTS.map(fleet_of).into_iter();
    for part in fleets.chain(PARTS.map(str::to_owned)) {
        let Some(measured) = kept::<Value>(from, &part)? else {
            continue;
        };
        if !measured.origin.release {
            return Err(format!(
                "{part} was measured with a debug build, which says little of seconds: measure it by `make bench`"
            ));
        }
        let name = format!("{part}.json");
        fs::copy(from.join(&name), to.join(&name)).map_err(|error| format!("{name}: {error}"))?;
    }
    for (file, text) in made()? {
        fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}

/// The page and its pictures, as they are to be by the figures that are shown.
///
/// # Errors
/// Figures or page can't be read.
pub fn made() -> Result<Vec<(PathBuf, String)>, String> {
    let shown = Path::new(SHOWN);
    let figures = Figures::read(shown)?;
    let page = fs::read_to_string(PAGE).map_err(|error| format!("{PAGE}: {error}"))?;
    let pictures = pictures::pictures(&figures)?.into_iter();
    let mut made: Vec<_> = pictures.map(|(name, picture)| (shown.join(name), picture)).collect();
    made.push((PAGE.into(), page::renewed(&page, &figures)?));
    Ok(made)
}
