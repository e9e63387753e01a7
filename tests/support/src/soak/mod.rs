//! `make soak`: many objects for a long time, on a real API server and the fake IAM, while a user, an adversary, the weather and operations
//! do what they like, by chance from one seed. The laws are judged all the while, by what the fake saw and the watch showed; now and then
//! all stop, and everything must come to rest.

#![allow(unreachable_pub, reason = "pub is what these modules share")]

mod actors;
mod declared;
mod figures;
mod laws;
mod ledger;
mod operations;
mod rest;
mod specs;
mod watch;
mod weather;
mod world;

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use fastrand::Rng;
use kube::Client;

use crate::{control_plane::ControlPlane, iam::FakeIam};
use figures::Sample;
use laws::Broken;
use operations::Replicas;
use world::{CONTROLLER, SYSTEM, World};

/// Time between two quiet windows.
const BUSY: Duration = Duration::from_secs(150);
/// Most broken laws that are told.
const MOST: usize = 10;

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// For how long; the last quiet window may take longer.
    pub duration: Duration,
    /// Whence all chance comes.
    pub seed: u64,
    /// How many objects.
    pub objects: usize,
}

/// Soaks the controller, and prints what came of it.
///
/// # Errors
/// What could not be started, or that a law was broken.
pub async fn run(options: Options) -> Result<(), String> {
    println!(
        "soak: SEED={} OBJECTS={} DURATION={}s",
        options.seed,
        options.objects,
        options.duration.as_secs()
    );
    let folder = Path::new("target/soak");
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let plane = ControlPlane::start()?;
    install(&plane)?;
    let kubeconfig = folder.join("kubeconfig");
    limit(&plane, &kubeconfig)?;
    let iam = FakeIam::start();
    iam.set_quotas(|quotas| quotas.roles = 10 * options.objects + 100);
    iam.keep_journal();
    let replicas = Arc::new(Replicas::new(folder, &kubeconfig, iam.endpoint()));
    let world = Arc::new(World::new(iam, client(&plane).await?));
    let soak = Soak {
        plane: Arc::new(Mutex::new(plane)),
        replicas,
        world,
        options,
        samples: Vec::new(),
        logs: [0; 2],
    };
    soak.run().await
}

struct Soak {
    // First, so that the controllers end before what they stand on.
    replicas: Arc<Replicas>,
    world: Arc<World>,
    plane: Arc<Mutex<ControlPlane>>,
    options: Options,
    samples: Vec<Sample>,
    /// How far the controllers' logs were read.
    logs: [usize; 2],
}

impl Soak {
    async fn run(mut self) -> Result<(), String> {
        let stream = |nth: u64| Rng::with_seed(self.options.seed.wrapping_add(nth.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let world = Arc::clone(&self.world);
        let settings = operations::settings(&mut stream(0));
        world.ledger().set(settings.clone(), Instant::now());
        let foreign = actors::old_roles(&world);
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(watch::objects(Arc::clone(&world)));
        tasks.spawn(watch::journal(Arc::clone(&world), Arc::clone(&self.replicas)));
        for which in 0..2 {
            self.replicas.start(which, &settings)?;
        }
        let mut rng = stream(1);
        for n in 0..self.options.objects {
            actors::create(&world, &mut rng, n).await;
        }
        tasks.spawn(operations::keep_running(Arc::clone(&world), Arc::clone(&self.replicas)));
        for nth in 2..5 {
            tasks.spawn(actors::user(Arc::clone(&world), stream(nth), self.options.objects));
        }
        for nth in 5..7 {
            tasks.spawn(actors::adversary(Arc::clone(&world), stream(nth)));
        }
        tasks.spawn(weather::weather(Arc::clone(&world), stream(7)));
        let spared = Arc::new(Mutex::new(None));
        tasks.spawn(operations::operate(
            Arc::clone(&world),
            Arc::clone(&self.replicas),
            stream(8),
            Arc::clone(&spared),
        ));
        let restarts = tasks.spawn(operations::restart_api_server(
            Arc::clone(&world),
            Arc::clone(&self.plane),
            stream(9),
        ));
        while !figures::is_over(world.started, self.options.duration) && self.is_well() {
            // In the second half one process lives on, so that its memory has a trend.
            if world.started.elapsed() > self.options.duration / 2 {
                restarts.abort();
                let leader = world.ledger().holders.last().map(|(_, life)| life.clone());
                let mut spared = spared.lock().unwrap_or_else(PoisonError::into_inner);
                *spared = spared.take().or(leader);
            }
            self.busy().await;
            if self.is_well() {
                rest::quiet(&world, &foreign).await;
                self.samples.extend(figures::samples(self.replicas.processes()));
            }
        }
        tasks.shutdown().await;
        self.end()
    }

    /// Lets all act for a while.
    async fn busy(&mut self) {
        let began = Instant::now();
        let time = BUSY.min(self.options.duration / 3);
        while began.elapsed() < time && self.is_well() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.read_logs();
        }
    }

    fn read_logs(&mut self) {
        for which in 0..2 {
            let (lines, end) = operations::unexpected(&self.replicas.log_path(which), self.logs[which]);
            self.logs[which] = end;
            self.world.accuse(lines.into_iter().map(|how| Broken {
                law: "no panic and no error in the log",
                at: Instant::now(),
                role: String::new(),
                how,
            }));
        }
    }

    fn is_well(&self) -> bool {
        self.world.broken().is_empty()
    }

    fn end(self) -> Result<(), String> {
        let broken = self.world.broken();
        for broken in broken.iter().take(MOST) {
            self.tell(broken);
        }
        let trends = figures::trends(&self.samples);
        let told = broken
            .iter()
            .map(|broken| format!("{}: role {}: {}", broken.law, broken.role, broken.how));
        let told: Vec<String> = told.chain(figures::leaks(&self.samples, &trends)).collect();
        figures::summary(
            &self.world,
            (self.options.seed, self.options.objects),
            &self.samples,
            &trends,
            &told,
        );
        match told.first() {
            None => Ok(()),
            Some(first) => Err(format!(
                "{first}\n(SEED={}; the controllers' logs are in target/soak)",
                self.options.seed
            )),
        }
    }

    /// Tells of a broken law, with the calls about the role and its object's last version.
    fn tell(&self, broken: &Broken) {
        let world = &self.world;
        println!(
            "\nBROKEN at {} s, seed {}: {}\n  role {}: {}",
            world.at(broken.at),
            self.options.seed,
            broken.law,
            broken.role,
            broken.how
        );
        let ledger = world.ledger();
        for (_, object) in ledger.objects.iter().filter(|(_, object)| object.role == broken.role) {
            println!(
                "  object, seen since {}, gone {:?}: {}",
                world.at(object.first_seen),
                object.gone.map(|at| world.at(at)),
                object.last
            );
        }
        let from = broken.at.checked_sub(Duration::from_mins(2)).unwrap_or(world.started);
        for (slot, declaration) in ledger.declarations(&broken.role, from, broken.at) {
            println!(
                "  declared by {}/{} from {}: {}",
                slot.0,
                slot.1,
                world.at(declaration.from),
                declaration.spec
            );
        }
        for moment in ledger.moments(&broken.role).filter(|moment| moment.at >= from) {
            let call = &moment.call;
            let mut params = call.params.clone();
            params.remove("RoleName");
            let (at, fault) = (world.at(moment.at), call.fault.unwrap_or_default());
            println!(
                "  {at} {:6} {} {params:?} {} {fault}",
                call.caller, call.action, call.outcome
            );
            if let Some(role) = moment.after.as_deref().filter(|_| call.caller.is_empty()) {
                println!(
                    "           now {} {} attached {:?} inline {:?} boundary {:?} tags {:?}",
                    role.id, role.trust_policy, role.attached, role.inline, role.permissions_boundary, role.tags
                );
            }
        }
    }
}

fn install(plane: &ControlPlane) -> Result<(), String> {
    plane.run(&["apply", "--server-side", "-k", "deploy"])?;
    plane.run(&[
        "wait",
        "--for=condition=Established",
        "crd/pinpointimportroles.pinpoint-import.dev",
    ])?;
    for namespace in specs::NAMESPACES {
        plane.run(&["create", "namespace", namespace])?;
    }
    Ok(())
}

/// A kubeconfig of the controller's service account, with just the rights that `deploy` gives it.
fn limit(plane: &ControlPlane, kubeconfig: &Path) -> Result<(), String> {
    let token = plane.run(&["create", "token", CONTROLLER, "-n", SYSTEM, "--duration=48h"])?;
    let text = fs::read_to_string(plane.kubeconfig()).map_err(|error| error.to_string())?;
    let line = |line: &str| match line.split_once("token: ") {
        Some((before, _)) => format!("{before}token: {}\n", token.trim()),
        None => format!("{line}\n"),
    };
    fs::write(kubeconfig, text.lines().map(line).collect::<String>()).map_err(|error| error.to_string())
}

/// An admin's client.
async fn client(plane: &ControlPlane) -> Result<Client, String> {
    let mut config = plane.config().await?;
    config.default_retry = false;
    Client::try_from(config).map_err(|error| error.to_string())
}
