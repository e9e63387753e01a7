//! Memory and open files of the controllers, and the summary.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    operations::Process,
    world::{Count, World},
};

/// Steepest growth of memory of a process over its quiet windows, in KiB per hour, that counts as none.
const STEEPEST: f64 = 8.0 * 1024.0;
/// Youngest age of a process, in seconds, from which on its memory is compared: before that it fills its buffers and caches.
const WARM: f64 = 300.0;
/// Fewest samples and shortest time, in seconds, that make a trend.
const FEWEST: usize = 4;
const SHORTEST: f64 = 600.0;
/// Most open files of a controller at rest.
const MOST_FILES: usize = 100;

/// A process at rest.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    life: String,
    age: f64,
    kib: u64,
    files: usize,
}

/// Measures processes.
pub(super) fn samples(processes: Vec<Process>) -> Vec<Sample> {
    let measure = |process: Process| Sample {
        kib: kib(process.pid),
        files: fs::read_dir(format!("/proc/{}/fd", process.pid)).map_or(0, Iterator::count),
        life: process.life,
        age: process.age.as_secs_f64(),
    };
    processes.into_iter().map(measure).collect()
}

/// What a process holds of memory, `VmRSS` of `proc(5)`.
fn kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}

/// The slope of the line through points, by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a few points")]
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let both: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let square: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    both / square
}

/// The trend of a life's memory.
#[derive(Clone, Debug)]
pub(super) struct Trend {
    life: String,
    samples: usize,
    minutes: f64,
    kib_per_hour: f64,
}

/// The trends of the lives that were long enough for one.
pub(super) fn trends(samples: &[Sample]) -> Vec<Trend> {
    let mut lives: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    #[allow(clippy::cast_precision_loss, reason = "KiB of a process")]
    for sample in samples.iter().filter(|sample| sample.age >= WARM) {
        lives
            .entry(&sample.life)
            .or_default()
            .push((sample.age / 3600.0, sample.kib as f64));
    }
    let trend = |(life, points): (&str, Vec<(f64, f64)>)| {
        let hours = points.last()?.0 - points.first()?.0;
        (points.len() >= FEWEST && hours * 3600.0 >= SHORTEST).then(|| Trend {
            life: life.to_owned(),
            samples: points.len(),
            minutes: hours * 60.0,
            kib_per_hour: slope(&points),
        })
    };
    lives.into_iter().filter_map(trend).collect()
}

/// What is wrong with the figures.
pub(super) fn leaks(samples: &[Sample], trends: &[Trend]) -> Vec<String> {
    let steep = trends.iter().filter(|trend| trend.kib_per_hour > STEEPEST);
    let grows = |trend: &Trend| {
        format!(
            "{} grows by {:.0} KiB per hour; {STEEPEST:.0} are allowed",
            trend.life, trend.kib_per_hour
        )
    };
    let many = samples.iter().filter(|sample| sample.files > MOST_FILES);
    let holds = |sample: &Sample| {
        format!(
            "{} has {} open files; {MOST_FILES} are allowed",
            sample.life, sample.files
        )
    };
    steep.map(grows).chain(many.map(holds)).collect()
}

/// Prints the summary and writes it to a file.
pub(super) fn summary(
    world: &World,
    (seed, objects): (u64, usize),
    samples: &[Sample],
    trends: &[Trend],
    broken: &[String],
) {
    let took = world.started.elapsed();
    let rows: Vec<(&str, usize)> = Count::ALL
        .into_iter()
        .map(|what| (what.words(), world.counted(what)))
        .collect();
    println!(
        "\n| soak with seed {seed}, {objects} objects | {} |\n| --- | --- |",
        time(took)
    );
    for (words, count) in &rows {
        println!("| {words} | {count} |");
    }
    let last: BTreeMap<&str, &Sample> = samples.iter().map(|sample| (sample.life.as_str(), sample)).collect();
    for sample in last.values().filter(|sample| sample.age >= WARM) {
        println!(
            "| {}, {:.0} min old: memory and open files at rest | {} KiB, {} |",
            sample.life,
            sample.age / 60.0,
            sample.kib,
            sample.files
        );
    }
    for trend in trends {
        println!(
            "| {}: trend of memory over {} quiet windows in {:.0} min | {:.0} KiB per hour |",
            trend.life, trend.samples, trend.minutes, trend.kib_per_hour
        );
    }
    println!("| laws broken | {} |", broken.len());
    let figures = json!({
        "seed": seed,
        "objects": objects,
        "seconds": took.as_secs(),
        "counts": rows.iter().map(|(words, count)| ((*words).to_owned(), json!(count))).collect::<serde_json::Map<_, _>>(),
        "memory": samples.iter().map(|sample| json!({"life": sample.life, "age": sample.age, "kib": sample.kib, "files": sample.files})).collect::<Vec<Value>>(),
        "kibPerHour": trends.iter().map(|trend| (trend.life.clone(), json!(trend.kib_per_hour))).collect::<serde_json::Map<_, _>>(),
        "broken": broken,
    });
    let path = Path::new("target/soak.json");
    match fs::write(path, format!("{figures:#}")) {
        Ok(()) => println!("\nThe figures are in {}.", path.display()),
        Err(error) => println!("\nThe figures can't be written to {}: {error}.", path.display()),
    }
}

/// A time for people.
pub(super) fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{} h {} min {} s", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// The end of the time that a soak may take.
pub(super) fn is_over(started: Instant, duration: Duration) -> bool {
    started.elapsed() >= duration
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(growth: u64, files: usize) -> Vec<Sample> {
        let sample = |minute: u64| Sample {
            life: "a-1".to_owned(),
            age: f64::from(u32::try_from(minute * 60).unwrap()),
            kib: 50_000 + growth * minute,
            files,
        };
        (5..30).step_by(4).map(sample).collect()
    }

    #[test]
    fn a_leak_is_told_and_noise_is_not() {
        let trends = trends(&life(1000, 20));
        assert!((trends[0].kib_per_hour - 60_000.0).abs() < 1.0, "{trends:?}");
        assert_eq!(leaks(&life(1000, 20), &trends).len(), 1);
        let quiet = life(10, 20);
        assert_eq!(leaks(&quiet, &super::trends(&quiet)), Vec::<String>::new());
        let open = life(0, 1000);
        assert_eq!(leaks(&open, &super::trends(&open)).len(), open.len());
        assert!(
            super::trends(&life(1000, 20)[..2]).is_empty(),
            "two samples make no trend"
        );
    }
}
