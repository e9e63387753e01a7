//! Many objects: from the controller's start to all `Ready`, at rest, and after a restart.

use std::{process::Command, time::Duration};

use super::{
    figures::{Fleet, Rest, Restart, rounded},
    process::Controller,
    world::World,
};
use crate::iam::FakeIam;

/// For how long the controller is watched at rest: two sweeps' time.
const WATCHED: Duration = Duration::from_secs(90);
/// Until then nothing is believed of what IAM shows of the writes before (the default settle time), and somewhat more.
const SETTLED: Duration = Duration::from_secs(65);
const NAMESPACE: &str = "fleet";

/// Measures so many objects.
pub(super) fn measure(count: usize) -> Result<Fleet, String> {
    let world = World::start()?;
    let iam = World::iam(count);
    // The objects are there first: the controller is faster than whoever makes them.
    world.fill(NAMESPACE, count)?;
    let before = world.requests()?;
    // No budget: how fast it can be is asked.
    let mut run = world.controller(&iam, NAMESPACE)?;
    run.args(["--iam-calls-per-second=10000", "--iam-burst=10000"]);
    let controller = Controller::start(run)?;
    let often = Duration::from_millis(5);
    controller.wait("the first call", often, || !calls(&iam).is_empty())?;
    let first_call = controller.started.elapsed();
    let is_done = || controller.counted("pir_objects{reason=\"Reconciled\"}") == count;
    controller.wait("all objects to be Ready", pause(count), is_done)?;
    let to_ready = controller.started.elapsed();
    let (cpu, peak) = (controller.cpu(), controller.peak());
    let ready = world.ready(NAMESPACE)?;
    if ready != count {
        return Err(format!(
            "the controller says that {count} are Ready, the API server {ready}"
        ));
    }
    let made = calls(&iam).len();
    let after = world.requests()?;
    std::thread::sleep(SETTLED);
    let at_rest = rest(&world, &iam, &controller)?;
    controller.kill()?;
    Ok(Fleet {
        roles: count,
        to_ready: rounded(to_ready.as_secs_f64()),
        first_call: rounded(first_call.as_secs_f64()),
        calls: per(made, count),
        writes: per(after.writes - before.writes, count),
        cpu: rounded(cpu),
        peak: rounded(peak),
        rest: at_rest,
        restart: restart(&world, &iam, count, world.controller(&iam, NAMESPACE)?)?,
    })
}

/// The controller started again, now with the default budget, over objects at rest.
fn restart(world: &World, iam: &FakeIam, count: usize, run: Command) -> Result<Restart, String> {
    let before = world.requests()?;
    iam.clear_calls();
    let controller = Controller::start(run)?;
    let seen = || controller.counted(SEEN) >= count;
    controller.wait("all roles to be seen as declared", pause(count), seen)?;
    let known = controller.started.elapsed();
    let (peak, made) = (controller.peak(), calls(iam).len());
    let reads = world.requests()?.reads - before.reads;
    std::thread::sleep(SETTLED);
    let at_rest = rest(world, iam, &controller)?;
    controller.kill()?;
    Ok(Restart {
        known: rounded(known.as_secs_f64()),
        calls: made,
        reads,
        peak: rounded(peak),
        rest: at_rest,
    })
}

const SEEN: &str = "pir_sightings_total{result=\"as_declared\"}";

fn rest(world: &World, iam: &FakeIam, controller: &Controller) -> Result<Rest, String> {
    let before = (world.requests()?, controller.counted(SEEN), controller.cpu());
    iam.clear_calls();
    std::thread::sleep(WATCHED);
    let (cpu, looks) = (controller.cpu() - before.2, controller.counted(SEEN) - before.1);
    let requests = world.requests()?;
    Ok(Rest {
        seconds: WATCHED.as_secs_f64(),
        calls: calls(iam).len(),
        looks,
        requests: requests.reads + requests.writes - before.0.reads - before.0.writes,
        cpu: rounded(cpu / WATCHED.as_secs_f64()),
        memory: rounded(controller.memory()),
    })
}

/// The actions that were called, but for the one that asks whose the credentials are.
pub(super) fn calls(iam: &FakeIam) -> Vec<String> {
    let actions = iam.calls().into_iter().map(|call| call.action);
    actions.filter(|action| action != "GetCallerIdentity").collect()
}

/// Time between looks at a metric, for which the controller goes through all objects.
fn pause(count: usize) -> Duration {
    Duration::from_millis(if count > 1000 { 500 } else { 50 })
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn per(what: usize, count: usize) -> f64 {
    rounded(what as f64 / count as f64)
}
