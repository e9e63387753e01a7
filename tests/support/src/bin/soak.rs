//! `make soak`: see [`test_support::soak`].

use std::{process::ExitCode, time::Duration};

use test_support::soak::{Options, run};

const USAGE: &str = "soak [DURATION [OBJECTS [SEED]]], such as soak 1h 300 42";

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("can't start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("\nFAILED: {why}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let number = |text: Option<String>, default: u64| match text.filter(|text| !text.is_empty()) {
        Some(text) => text.parse::<u64>().map_err(|error| format!("{text:?}: {error}")),
        None => Ok(default),
    };
    let duration = duration(&args.next().unwrap_or_else(|| "10m".to_owned()))?;
    let objects = number(args.next(), 300)?;
    Ok(Options {
        duration,
        objects: usize::try_from(objects).map_err(|error| error.to_string())?,
        seed: number(args.next(), fastrand::u64(..1_000_000))?,
    })
}

/// A number and its unit: s, m or h.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration, such as 90s, 10m or 1h");
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}
