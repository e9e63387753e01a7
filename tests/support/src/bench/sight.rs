//! How long it takes until a change of a role is seen and undone: by the interval alone, by the sweep, and by a message. Three controllers
//! with default settings, each with its own account, are watched at once: they mostly wait.

use std::time::{Duration, Instant};

use super::{
    figures::{Sight, rounded},
    fleet::calls,
    process::Controller,
    world::World,
};
use crate::{
    iam::FakeIam,
    sqs::{FakeSqs, message},
};

/// Changes that are made for each way.
const CHANGES: usize = 20;
/// Time between changes: no part of 45 s, so that they meet sweeps at all moments of their period.
const APART: Duration = Duration::from_secs(17);
/// Until then a new process has looked at all roles, and believes what it sees.
const WARM: Duration = Duration::from_secs(170);
/// The longest that a change may go unseen: the default interval, its tenth, and somewhat more.
const LONGEST: Duration = Duration::from_secs(700);

/// A controller that finds changes in one way.
struct Watcher {
    way: &'static str,
    iam: FakeIam,
    queue: Option<FakeSqs>,
    controller: Controller,
    /// Changes that are not undone yet: the number of the object, and when.
    open: Vec<(usize, Instant)>,
    times: Vec<f64>,
}

/// Measures with so many objects.
pub(super) fn measure(count: usize) -> Result<Vec<Sight>, String> {
    let world = World::start()?;
    let mut watchers = Vec::new();
    for way in ["interval", "sweep", "message"] {
        watchers.push(Watcher::start(&world, way, count)?);
    }
    std::thread::sleep(WARM);
    let started = Instant::now();
    for watcher in &watchers {
        watcher.iam.clear_calls();
    }
    let mut made = 0;
    while made < CHANGES || watchers.iter().any(|watcher| !watcher.open.is_empty()) {
        if made < CHANGES && started.elapsed() >= APART * u32::try_from(made).unwrap_or_default() {
            for watcher in &mut watchers {
                watcher.change(made, count);
            }
            made += 1;
        }
        for watcher in &mut watchers {
            watcher.look()?;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let seconds = started.elapsed().as_secs_f64();
    watchers
        .into_iter()
        .map(|watcher| watcher.sight(count, seconds))
        .collect()
}

impl Watcher {
    fn start(world: &World, way: &'static str, count: usize) -> Result<Self, String> {
        let iam = World::iam(count);
        made(world, &iam, way, count)?;
        let queue = (way == "message").then(FakeSqs::start);
        let mut run = world.controller(&iam, way)?;
        if way == "interval" {
            run.arg("--sweep-interval=0s");
        }
        if let Some(queue) = &queue {
            run.args(["--change-queue", queue.url()]);
        }
        Ok(Self {
            way,
            iam,
            queue,
            controller: Controller::start(run)?,
            open: Vec::new(),
            times: Vec::new(),
        })
    }

    /// Attaches a policy to another role each time, and sends the message of it where there is a queue.
    fn change(&mut self, nth: usize, count: usize) {
        let number = nth * (count / CHANGES);
        let role = format!("{}.r{number}", self.way);
        self.open.push((number, Instant::now()));
        self.iam.tamper(&role, |role| {
            role.attached.insert(admin());
        });
        if let Some(queue) = &self.queue {
            queue.send(message(&role, "AttachRolePolicy", &format!("change-{nth}")).to_string());
        }
    }

    /// Notes which changes are undone by now.
    fn look(&mut self) -> Result<(), String> {
        let (way, iam, times) = (self.way, &self.iam, &mut self.times);
        self.open.retain(|(number, since)| {
            let role = iam.role(&format!("{way}.r{number}"));
            let is_open = role.is_some_and(|role| role.attached.contains(&admin()));
            if !is_open {
                times.push(rounded(since.elapsed().as_secs_f64()));
            }
            is_open
        });
        match self.open.iter().find(|(_, since)| since.elapsed() > LONGEST) {
            Some((number, _)) => Err(format!("the change of {way}.r{number} was not seen")),
            None => Ok(()),
        }
    }

    fn sight(mut self, count: usize, seconds: f64) -> Result<Sight, String> {
        let by = if self.way == "interval" { "timer" } else { self.way };
        let seen = self
            .controller
            .counted(&format!("pir_drifts_seen_total{{by=\"{by}\"}}"));
        if seen != CHANGES {
            return Err(format!("{seen} of {CHANGES} changes were seen by the {}", self.way));
        }
        self.times.sort_by(f64::total_cmp);
        let made = calls(&self.iam).len();
        self.controller.kill()?;
        #[allow(clippy::cast_precision_loss, reason = "for people")]
        let calls_per_second = rounded(made as f64 / seconds);
        Ok(Sight {
            way: self.way.to_owned(),
            roles: count,
            times: self.times,
            calls_per_second,
        })
    }
}

/// Makes a namespace with so many objects, and their roles as fast as can be.
pub(super) fn made(world: &World, iam: &FakeIam, namespace: &str, count: usize) -> Result<(), String> {
    world.fill(namespace, count)?;
    let mut run = world.controller(iam, namespace)?;
    run.args(["--iam-calls-per-second=10000", "--iam-burst=10000"]);
    let making = Controller::start(run)?;
    making.wait("all objects to be Ready", Duration::from_millis(200), || {
        making.counted("pir_objects{reason=\"Reconciled\"}") == count
    })?;
    making.kill()
}

/// A policy that no object declares.
pub(super) fn admin() -> String {
    "arn:aws:iam::aws:policy/AdministratorAccess".to_owned()
}
