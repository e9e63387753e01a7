//! `make bench`: see [`test_support::bench`].

use std::process::ExitCode;

use test_support::bench::{COUNTS, PARTS, publish, run};

const USAGE: &str = "bench [PART… | NUMBER OF OBJECTS…], such as bench 10000; or bench publish";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = if arguments == ["publish"] {
        publish()
    } else {
        measure(&arguments)
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("FAILED: {why}\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}

/// Numbers alone are fleets of so many objects; nothing is everything.
fn measure(arguments: &[String]) -> Result<(), String> {
    let number = |text: &String| text.parse::<usize>().ok();
    let counts: Vec<usize> = arguments.iter().filter_map(number).collect();
    let mut parts: Vec<String> = arguments
        .iter()
        .filter(|text| number(text).is_none())
        .cloned()
        .collect();
    if parts.is_empty() {
        parts = if counts.is_empty() {
            PARTS.map(str::to_owned).to_vec()
        } else {
            vec!["fleet".to_owned()]
        };
    }
    run(&parts, if counts.is_empty() { &COUNTS } else { &counts })
}
