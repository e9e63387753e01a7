//! What is measured, as it is kept (JSON, one file a part) and shown. Times are in seconds, memory is in MiB and resident, processor time
//! is a share of one core.

use std::{fs, path::Path, process::Command};

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Where the figures are that the page shows.
pub const SHOWN: &str = "docs/performance";
/// Numbers of objects, if none are given, and those that the page shows.
pub const COUNTS: [usize; 3] = [100, 1000, 10_000];

/// Figures, and where they come from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured<T> {
    /// What was measured, and on what.
    pub origin: Origin,
    /// The figures.
    pub figures: T,
}

/// Where figures come from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Origin {
    /// Git's id of the controller's sources, `git rev-parse HEAD:src`: it stays the same where commits are rewritten.
    pub source: String,
    /// The commit, with a `+` where the sources were changed since.
    pub commit: String,
    /// Day, UTC.
    pub day: String,
    /// The machine's processors.
    pub cores: usize,
    /// Its memory, GiB.
    pub memory: u64,
    /// Whether bench and controller were built for release, as `make bench` does.
    pub release: bool,
}

/// Objects of one number, from the first start to a restart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fleet {
    /// How many objects, each with its role.
    pub roles: usize,
    /// From the controller's start to all `Ready`.
    pub to_ready: f64,
    /// From the controller's start to its first call of IAM.
    pub first_call: f64,
    /// IAM calls for each role until then.
    pub calls: f64,
    /// Writes to Kubernetes for each object until then; one of them is an event.
    pub writes: f64,
    /// Seconds of a core until then.
    pub cpu: f64,
    /// Most memory until then.
    pub peak: f64,
    /// After that.
    pub rest: Rest,
    /// The controller killed and started again.
    pub restart: Restart,
}

/// Nothing changes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rest {
    /// For how long that was watched.
    pub seconds: f64,
    /// IAM calls in that time.
    pub calls: usize,
    /// Roles seen as declared in that time.
    pub looks: usize,
    /// Requests to Kubernetes about the objects in that time, beside the watch.
    pub requests: usize,
    /// Share of a core.
    pub cpu: f64,
    /// Memory at the end.
    pub memory: f64,
}

impl Rest {
    /// IAM calls for a look at one role; none where there was no look.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "for people")]
    pub fn calls_per_look(&self) -> Option<f64> {
        (self.looks > 0).then(|| self.calls as f64 / self.looks as f64)
    }
}

/// A new process over objects whose roles are as declared.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Restart {
    /// From its start to all roles seen as declared.
    pub known: f64,
    /// IAM calls until then.
    pub calls: usize,
    /// Objects read one by one until then.
    pub reads: usize,
    /// Most memory until then.
    pub peak: f64,
    /// After that.
    pub rest: Rest,
}

/// Times in which changes were seen, by the way in which.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sight {
    /// `interval`, `sweep` or `message`.
    pub way: String,
    /// How many roles there were.
    pub roles: usize,
    /// From each change to its repair, the shortest first.
    pub times: Vec<f64>,
    /// IAM calls in a second, all the while.
    pub calls_per_second: f64,
}

/// A flood of messages that tell of nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Flood {
    /// How many roles there were.
    pub roles: usize,
    /// How many messages.
    pub messages: usize,
    /// How long it took to read and delete them all.
    pub seconds: f64,
    /// IAM calls in a second, on the average.
    pub calls_per_second: f64,
    /// The same in the busiest 10 s.
    pub busiest: f64,
    /// Times from an object's creation to `Ready` before the flood, and in it.
    pub created: [Vec<f64>; 2],
    /// Times from a change to its repair, without a message of it, before the flood and in it.
    pub repaired: [Vec<f64>; 2],
    /// Memory before the flood.
    pub memory: f64,
    /// Most memory in it.
    pub peak: f64,
}

/// A command that runs once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Once {
    /// Which.
    pub what: String,
    /// How long it ran.
    pub seconds: f64,
    /// IAM calls.
    pub calls: usize,
    /// Most memory.
    pub peak: f64,
}

impl Origin {
    /// Of this work tree, on this machine.
    #[must_use]
    pub fn here() -> Self {
        let git = |arguments: &[&str]| {
            let output = Command::new("git").args(arguments).output().ok();
            output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let is_changed =
            git(&["status", "--porcelain", "src", "Cargo.lock"]).is_some_and(|changes| !changes.is_empty());
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory = memory
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
        Self {
            source: git(&["rev-parse", "--short=12", "HEAD:src"]).unwrap_or_default(),
            commit: git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_default() + if is_changed { "+" } else { "" },
            day: Timestamp::now().to_string().chars().take(10).collect(),
            cores: std::thread::available_parallelism().map_or(1, Into::into),
            memory: memory.map_or(0, |kib: u64| kib.div_ceil(1024 * 1024)),
            release: !cfg!(debug_assertions),
        }
    }
}

/// Keeps figures in a folder.
///
/// # Errors
/// They can't be written.
pub fn keep<T: Serialize>(folder: &Path, part: &str, figures: T) -> Result<(), String> {
    let measured = Measured {
        origin: Origin::here(),
        figures,
    };
    let text = serde_json::to_string_pretty(&measured).map_err(|error| error.to_string())? + "\n";
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let file = folder.join(part).with_extension("json");
    fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))
}

/// Reads figures that were kept; none if there are none.
///
/// # Errors
/// They can't be read.
pub fn kept<T: DeserializeOwned>(folder: &Path, part: &str) -> Result<Option<Measured<T>>, String> {
    read(&folder.join(part).with_extension("json"))
}

/// Reads a file of figures; none if there is no such file.
///
/// # Errors
/// It can't be read.
pub fn read<T: DeserializeOwned>(file: &Path) -> Result<Option<T>, String> {
    if !file.exists() {
        return Ok(None);
    }
    let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", file.display());
    let text = fs::read_to_string(file).map_err(|error| wrong(&error))?;
    serde_json::from_str(&text).map(Some).map_err(|error| wrong(&error))
}

/// So many digits as are worth something.
#[must_use]
pub fn rounded(number: f64) -> f64 {
    let digits = if number.abs() < 1.0 { 10_000.0 } else { 100.0 };
    (number * digits).round() / digits
}

/// All that was measured.
pub struct Figures {
    /// By the number of objects.
    pub(super) fleets: Vec<Measured<Fleet>>,
    pub(super) sight: Option<Measured<Vec<Sight>>>,
    pub(super) flood: Option<Measured<Flood>>,
    pub(super) once: Option<Measured<Vec<Once>>>,
    /// The best-known other controller for such roles.
    pub(super) peer: Option<Peer>,
}

/// What another controller needs.
#[derive(Clone, Debug, Deserialize)]
pub struct Peer {
    /// Name and version.
    pub name: String,
    /// When and where, in words.
    pub measured: String,
    /// Seconds from its start to 1,000 roles `Ready`.
    pub to_ready: f64,
    /// Seconds of a core until then.
    pub cpu: f64,
    /// Most memory until then, MiB.
    pub peak: f64,
    /// IAM calls for a look at one role, and writes to Kubernetes.
    pub look: [f64; 2],
    /// IAM calls and writes to Kubernetes until a role of the guide is there and at rest.
    pub made: [f64; 2],
    /// Hours within which a change is seen, with default settings.
    pub seen_within: f64,
}

impl Figures {
    /// Reads those of a folder; parts may be missing.
    ///
    /// # Errors
    /// Some can't be read.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let fleets: Result<Vec<_>, _> = COUNTS.iter().map(|count| kept(folder, &fleet_of(*count))).collect();
        Ok(Self {
            fleets: fleets?.into_iter().flatten().collect(),
            sight: kept(folder, "sight")?,
            flood: kept(folder, "flood")?,
            once: kept(folder, "once")?,
            peer: read(&Path::new(SHOWN).join("peer.json"))?,
        })
    }
}

/// The name of a fleet's figures.
pub(super) fn fleet_of(count: usize) -> String {
    format!("fleet-{count}")
}

/// A number with three digits that count.
#[must_use]
pub fn short(number: f64) -> String {
    let text = match number.abs() {
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        size if size >= 0.1 => format!("{number:.2}"),
        _ => format!("{number:.4}"),
    };
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}
