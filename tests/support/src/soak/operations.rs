//! The two controllers, and what operations does to them, to the API server and to IAM.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use fastrand::Rng;

use super::{
    declared::{ANY_POLICY, CLUSTER, READ_ONLY_POLICIES, Settings},
    specs::BOUNDARIES,
    world::{Count, SYSTEM, World},
};
use crate::{control_plane::ControlPlane, guarded::Guarded};

/// `--iam-settle-time`: longer than the fake's answers are ever late.
const SETTLE: &str = "10s";

/// A controller, which may have many lives.
struct Replica {
    name: &'static str,
    lives: usize,
    process: Option<Guarded>,
    since: Instant,
}

/// The controllers.
pub(super) struct Replicas {
    folder: PathBuf,
    kubeconfig: PathBuf,
    endpoint: String,
    all: Mutex<[Replica; 2]>,
    /// When a process was let go on after a stop, by its access key.
    continued: Mutex<HashMap<String, Instant>>,
}

/// A controller's process, for those who measure it.
#[derive(Clone, Debug)]
pub(super) struct Process {
    /// Name of this life, which is its access key too.
    pub life: String,
    pub pid: u32,
    pub age: Duration,
}

impl Replicas {
    pub fn new(folder: &Path, kubeconfig: &Path, endpoint: String) -> Self {
        let replica = |name| Replica {
            name,
            lives: 0,
            process: None,
            since: Instant::now(),
        };
        Self {
            folder: folder.to_owned(),
            kubeconfig: kubeconfig.to_owned(),
            endpoint,
            all: Mutex::new([replica("a"), replica("b")]),
            continued: Mutex::default(),
        }
    }

    fn all(&self) -> MutexGuard<'_, [Replica; 2]> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a process was last let go on after a stop.
    pub fn continued(&self, life: &str) -> Option<Instant> {
        self.continued
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(life)
            .copied()
    }

    /// Starts a controller that does not run.
    pub fn start(&self, which: usize, settings: &Settings) -> Result<(), String> {
        let mut all = self.all();
        let replica = &mut all[which];
        if replica.process.is_some() {
            return Ok(());
        }
        replica.lives += 1;
        replica.since = Instant::now();
        let life = format!("{}-{}", replica.name, replica.lives);
        let here = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(here.with_file_name("pinpoint-import-role-controller"));
        command
            .env_clear()
            .args(["run", "--leader-election", "--leader-election-namespace", SYSTEM])
            .args(["--cluster-id", CLUSTER, "--iam-settle-time", SETTLE])
            .args(["--iam-calls-per-second", "200", "--iam-burst", "400"])
            .args(["--health-address", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0"])
            .args([
                "--resync-interval",
                settings.resync,
                "--concurrency",
                settings.concurrency,
            ])
            .args(["--allowed-policy-arns", settings.allowed])
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HOSTNAME", &life)
            .env("AWS_ENDPOINT_URL_IAM", &self.endpoint)
            .env("AWS_ENDPOINT_URL_STS", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", &life)
            .env("AWS_SECRET_ACCESS_KEY", "soak")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_REGION", "us-east-1");
        if let Some(boundary) = settings.boundary {
            command.args(["--permissions-boundary", boundary]);
        }
        let process = Guarded::start(&mut command, &self.log_path(which), None).map_err(|error| error.to_string())?;
        replica.process = Some(process);
        Ok(())
    }

    pub fn log_path(&self, which: usize) -> PathBuf {
        self.folder.join(["a.log", "b.log"][which])
    }

    /// The processes that run.
    pub fn processes(&self) -> Vec<Process> {
        let all = self.all();
        let running = all.iter().filter_map(|replica| {
            Some(Process {
                life: format!("{}-{}", replica.name, replica.lives),
                pid: replica.process.as_ref()?.pid(),
                age: replica.since.elapsed(),
            })
        });
        running.collect()
    }

    /// Kills a controller as `kill -9`.
    fn kill(&self, which: usize) {
        if let Some(mut process) = self.all()[which].process.take() {
            let _ = process.kill_9();
        }
    }

    /// Asks a controller to end, and waits until it has.
    fn terminate(&self, which: usize) {
        let process = self.all()[which].process.take();
        drop(process);
    }

    /// Controllers that ended by themselves: which, and how.
    fn reap(&self) -> Vec<(usize, String)> {
        let mut ended = Vec::new();
        for (which, replica) in self.all().iter_mut().enumerate() {
            let status = replica
                .process
                .as_mut()
                .and_then(|process| process.ended().ok().flatten());
            if let Some(status) = status {
                replica.process = None;
                ended.push((which, status.to_string()));
            }
        }
        ended
    }

    fn signal(&self, which: usize, signal: &str) {
        let all = self.all();
        let Some(process) = &all[which].process else { return };
        let pid = process.pid().to_string();
        let _ = Command::new("kill").args([signal, &pid]).status();
        if signal == "-CONT" {
            let life = format!("{}-{}", all[which].name, all[which].lives);
            let mut continued = self.continued.lock().unwrap_or_else(PoisonError::into_inner);
            continued.insert(life, Instant::now());
        }
    }

    fn index_of(&self, life: &str) -> Option<usize> {
        self.all()
            .iter()
            .position(|replica| life.starts_with(&format!("{}-", replica.name)))
    }
}

/// Starts controllers again that ended by themselves, as Kubernetes does. A panic is a broken law.
pub(super) async fn keep_running(world: Arc<World>, replicas: Arc<Replicas>) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        for (which, status) in replicas.reap() {
            world.count(Count::Restarts);
            println!(
                "{}  controller {which} ended by itself: {status}",
                world.at(Instant::now())
            );
            let settings = world.ledger().current_settings();
            if let Err(why) = replicas.start(which, &settings) {
                println!("a controller can't be started: {why}");
            }
        }
    }
}

/// Does something to a controller every now and then. While `spared` holds a life, nothing is done to that.
pub(super) async fn operate(
    world: Arc<World>,
    replicas: Arc<Replicas>,
    mut rng: Rng,
    spared: Arc<Mutex<Option<String>>>,
) {
    loop {
        tokio::time::sleep(Duration::from_millis(rng.u64(8_000..30_000))).await;
        let turn = world.turn.read().await;
        let which = rng.usize(0..2);
        let deed = rng.u8(0..10);
        let pause = Duration::from_millis(rng.u64(0..8_000));
        let settings = settings(&mut rng);
        let spared = spared.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let leader = world
            .ledger()
            .holders
            .last()
            .map(|(_, life)| life.clone())
            .unwrap_or_default();
        let is_spared = |which: usize| {
            spared
                .as_ref()
                .is_some_and(|life| replicas.index_of(life) == Some(which))
        };
        match deed {
            0..=3 if !is_spared(which) => {
                world.count(Count::Killed);
                replicas.kill(which);
                tokio::time::sleep(pause).await;
            }
            4..=6 if !is_spared(which) => {
                world.count(Count::Terminated);
                blocking(&replicas, move |replicas| replicas.terminate(which)).await;
                tokio::time::sleep(pause).await;
            }
            7 if spared.is_none() => {
                world.count(Count::SettingsChanged);
                world.ledger().set(settings, Instant::now());
                for which in 0..2 {
                    blocking(&replicas, move |replicas| replicas.terminate(which)).await;
                    start(&world, &replicas, which);
                }
            }
            _ if spared.is_none() => {
                if let Some(which) = replicas.index_of(&leader) {
                    world.count(Count::Stopped);
                    replicas.signal(which, "-STOP");
                    tokio::time::sleep(Duration::from_secs(18) + pause).await;
                    replicas.signal(which, "-CONT");
                }
            }
            _ => {}
        }
        for which in 0..2 {
            start(&world, &replicas, which);
        }
        drop(turn);
    }
}

async fn blocking(replicas: &Arc<Replicas>, work: impl FnOnce(&Replicas) + Send + 'static) {
    let replicas = Arc::clone(replicas);
    let _ = tokio::task::spawn_blocking(move || work(&replicas)).await;
}

fn start(world: &World, replicas: &Replicas, which: usize) {
    let settings = world.ledger().current_settings();
    if let Err(why) = replicas.start(which, &settings) {
        println!("a controller can't be started: {why}");
    }
}

/// Settings by chance.
pub(super) fn settings(rng: &mut Rng) -> Settings {
    Settings {
        resync: ["30s", "40s"][rng.usize(0..2)],
        allowed: if rng.u8(0..3) == 0 {
            READ_ONLY_POLICIES
        } else {
            ANY_POLICY
        },
        boundary: (rng.u8(0..4) == 0).then_some(BOUNDARIES[1]),
        concurrency: ["5", "10", "20"][rng.usize(0..3)],
    }
}

/// Restarts the API server every now and then; its data stays.
pub(super) async fn restart_api_server(world: Arc<World>, plane: Arc<Mutex<ControlPlane>>, mut rng: Rng) {
    loop {
        tokio::time::sleep(Duration::from_secs(rng.u64(100..220))).await;
        let pause = Duration::from_millis(rng.u64(0..12_000));
        let turn = world.turn.read().await;
        world.count(Count::ApiRestarts);
        let plane = Arc::clone(&plane);
        let restarted = tokio::task::spawn_blocking(move || {
            let mut plane = plane.lock().unwrap_or_else(PoisonError::into_inner);
            plane.stop_api_server();
            std::thread::sleep(pause);
            plane.start_api_server()
        });
        if let Ok(Err(why)) = restarted.await {
            println!("the API server did not come back: {why}");
        }
        drop(turn);
    }
}

/// Errors that are expected: what the AWS SDK says of an answer that it can't read, what the Kubernetes client says while the API server
/// is down, and a leader that lost its lease.
const EXPECTED: [&str; 3] = [
    "orchestrator context received an error",
    "failed with ",
    "this process ends, to begin anew as a candidate",
];

/// Lines of a log that nobody expects, from a place in it on; and where it ends now.
pub(super) fn unexpected(log: &Path, from: usize) -> (Vec<String>, usize) {
    let text = fs::read(log).unwrap_or_default();
    let new = String::from_utf8_lossy(text.get(from..).unwrap_or_default()).into_owned();
    let is_wrong = |line: &&str| {
        line.contains("panicked at")
            || line.contains(" ERROR ") && !EXPECTED.iter().any(|expected| line.contains(expected))
    };
    (new.lines().filter(is_wrong).map(str::to_owned).collect(), text.len())
}
