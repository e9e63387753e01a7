//! A controller that is measured: what the system and the process itself tell of it.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use crate::{guarded::Guarded, product};

/// Clock ticks in a second of a core (`proc(5)`: `sysconf(_SC_CLK_TCK)`, 100 on Linux).
const TICKS: f64 = 100.0;

/// A running controller.
pub(super) struct Controller {
    process: Guarded,
    log: PathBuf,
    _folder: tempfile::TempDir,
    /// When it was started.
    pub(super) started: Instant,
}

impl Controller {
    /// Starts one.
    pub(super) fn start(mut command: Command) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("bench-").tempdir();
        let folder = folder.map_err(|error| error.to_string())?;
        let log = folder.path().join("controller.log");
        let started = Instant::now();
        let process = Guarded::start(&mut command, &log, None).map_err(|error| error.to_string())?;
        Ok(Self {
            process,
            log,
            _folder: folder,
            started,
        })
    }

    /// Ends it at once.
    pub(super) fn kill(mut self) -> Result<(), String> {
        self.process.kill_9().map(drop).map_err(|error| error.to_string())
    }

    /// The sum of the metrics whose lines begin so.
    pub(super) fn counted(&self, metric: &str) -> usize {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let text = product::port(&log, "metrics on").and_then(|port| product::get(port, "/metrics"));
        let (_, text) = text.unwrap_or_default();
        let lines = text.lines().filter(|line| line.starts_with(metric));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok())
            .sum()
    }

    /// Waits until something holds of it, and looks so often: looking costs it a little.
    pub(super) fn wait(&self, what: &str, pause: Duration, mut holds: impl FnMut() -> bool) -> Result<(), String> {
        let longest = Duration::from_mins(15);
        let start = Instant::now();
        while !holds() {
            if start.elapsed() > longest {
                let log = fs::read_to_string(&self.log).unwrap_or_default();
                let end: Vec<&str> = log.lines().rev().take(5).collect();
                return Err(format!(
                    "waited {longest:?} in vain for {what}; the log ends, backwards:\n{}",
                    end.join("\n")
                ));
            }
            std::thread::sleep(pause);
        }
        Ok(())
    }

    /// Seconds of a core that it used so far.
    pub(super) fn cpu(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.pid())).unwrap_or_default();
        // Fields 14 and 15 of proc(5), utime and stime; the third is the first after the name.
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok());
        (ticks(11).unwrap_or_default() + ticks(12).unwrap_or_default()) / TICKS
    }

    /// Its memory, MiB.
    pub(super) fn memory(&self) -> f64 {
        memory(self.process.pid(), "VmRSS:")
    }

    /// The most memory that it had so far, MiB.
    pub(super) fn peak(&self) -> f64 {
        memory(self.process.pid(), "VmHWM:")
    }
}

/// A line of `/proc/<pid>/status`, in MiB.
pub(super) fn memory(pid: u32, line: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|found| found.strip_prefix(line)?.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}
