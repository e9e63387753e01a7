//! A queue full of messages that tell of nothing: what they cost, and whom they keep waiting.

use std::time::{Duration, Instant};

use super::{
    figures::{Flood, rounded},
    process::Controller,
    sight::{admin, made},
    world::World,
};
use crate::{
    iam::FakeIam,
    sqs::{FakeSqs, message},
};

const NAMESPACE: &str = "flood";
/// Until then a new process has swept, and believes what it sees.
const WARM: Duration = Duration::from_secs(80);
/// How often somebody makes an object, and changes a role without a message, before the flood and in it.
const TRIES: usize = 6;
/// Time between those. Before the flood they meet the default period of sweeps at all of its moments; the flood is short.
const APART: [Duration; 2] = [Duration::from_millis(7500), Duration::from_secs(3)];
/// How long the flood's calls are counted at least: what it asked for may be looked at after it.
const COUNTED: Duration = Duration::from_mins(1);
/// A stretch of time, for the busiest one.
const BUSY: Duration = Duration::from_secs(10);
/// Time between looks at what is waited for.
const OFTEN: Duration = Duration::from_millis(20);

/// Measures with so many objects and messages.
pub(super) fn measure(count: usize, messages: usize) -> Result<Flood, String> {
    let world = World::start()?;
    let iam = World::iam(count + 2 * TRIES);
    made(&world, &iam, NAMESPACE, count)?;
    let queue = FakeSqs::start();
    let mut run = world.controller(&iam, NAMESPACE)?;
    run.args(["--change-queue", queue.url()]);
    let controller = Controller::start(run)?;
    std::thread::sleep(WARM);
    let mut scene = Scene {
        world: &world,
        iam: &iam,
        controller: &controller,
        next: count,
        victim: 0,
        peak: 0.0,
    };
    let quiet = scene.tries(APART[0]);
    let memory = controller.memory();
    scene.peak = memory;
    iam.clear_calls();
    let started = Instant::now();
    // All at once: sending must not be slower than reading.
    for number in 0..messages {
        queue.send(junk(number, count));
    }
    let (busy, emptied) = std::thread::scope(|scope| {
        let emptied = scope.spawn(|| {
            while queue.waiting() > 0 {
                std::thread::sleep(OFTEN);
            }
            started.elapsed()
        });
        let busy = scene.tries(APART[1]);
        (busy, emptied.join())
    });
    let emptied = emptied.map_err(|_| "the queue was not emptied")?;
    std::thread::sleep((started + COUNTED).saturating_duration_since(Instant::now()));
    let peak = scene.peak;
    let (calls_per_second, busiest) = rate(&iam, started);
    controller.kill()?;
    Ok(Flood {
        roles: count,
        messages,
        seconds: rounded(emptied.as_secs_f64()),
        calls_per_second,
        busiest,
        created: [quiet.created, busy.created],
        repaired: [quiet.repaired, busy.repaired],
        memory: rounded(memory),
        peak: rounded(peak),
    })
}

/// What is measured in.
struct Scene<'a> {
    world: &'a World,
    iam: &'a FakeIam,
    controller: &'a Controller,
    /// Numbers of the next object that is made, and of the next whose role is changed.
    next: usize,
    victim: usize,
    /// Most memory seen.
    peak: f64,
}

/// How long it took.
#[derive(Default)]
struct Tries {
    created: Vec<f64>,
    repaired: Vec<f64>,
}

impl Scene<'_> {
    /// Makes objects and changes roles, so far apart, and waits until all are made and undone.
    fn tries(&mut self, apart: Duration) -> Tries {
        let (started, mut tries) = (Instant::now(), Tries::default());
        let (mut begun, mut making, mut changed) = (0, Vec::new(), Vec::new());
        while begun < TRIES || !making.is_empty() || !changed.is_empty() {
            if begun < TRIES && started.elapsed() >= apart * u32::try_from(begun).unwrap_or_default() {
                making.extend(self.create());
                changed.push(self.change());
                begun += 1;
            }
            settle(&mut making, &mut tries.created, |n| self.world.is_ready(NAMESPACE, n));
            settle(&mut changed, &mut tries.repaired, |n| self.is_undone(n));
            self.peak = self.peak.max(self.controller.memory());
            std::thread::sleep(OFTEN);
        }
        tries
    }

    fn create(&mut self) -> Option<(usize, Instant)> {
        let number = self.next;
        self.next += 1;
        let since = Instant::now();
        self.world.create(NAMESPACE, number).ok().map(|()| (number, since))
    }

    fn change(&mut self) -> (usize, Instant) {
        let number = self.victim;
        // One that another junk message names, too.
        self.victim += 7;
        self.iam.tamper(&format!("{NAMESPACE}.r{number}"), |role| {
            role.attached.insert(admin());
        });
        (number, Instant::now())
    }

    fn is_undone(&self, number: usize) -> bool {
        let role = self.iam.role(&format!("{NAMESPACE}.r{number}"));
        role.is_some_and(|role| !role.attached.contains(&admin()))
    }
}

/// Takes those out that are done, and notes how long they took.
fn settle(open: &mut Vec<(usize, Instant)>, times: &mut Vec<f64>, is_done: impl Fn(usize) -> bool) {
    open.retain(|(number, since)| {
        let done = is_done(*number);
        if done {
            times.push(rounded(since.elapsed().as_secs_f64()));
        }
        !done
    });
}

/// Messages that tell of nothing: half of them are forged, of roles that are there.
fn junk(number: usize, count: usize) -> String {
    let role = format!("{NAMESPACE}.r{}", number / 2 % count);
    match number % 8 {
        0 => "no JSON".to_owned(),
        2 => message("another-role", "AttachRolePolicy", "junk").to_string(),
        4 => message(&role, "GetRole", "junk").to_string(),
        6 => {
            let mut other = message(&role, "AttachRolePolicy", "junk");
            other["detail"]["recipientAccountId"] = "999999999999".into();
            other.to_string()
        }
        _ => message(&role, "AttachRolePolicy", "junk").to_string(),
    }
}

/// IAM calls in a second since then, on the average and in the busiest stretch. What new objects and repairs need is among them.
#[allow(clippy::cast_precision_loss, reason = "for people")]
fn rate(iam: &FakeIam, since: Instant) -> (f64, f64) {
    let times: Vec<Instant> = iam.calls().iter().map(|call| call.at).collect();
    let within = |start: &Instant| times.iter().filter(|at| *at >= start && **at < *start + BUSY).count();
    let busiest = times.iter().map(within).max().unwrap_or_default();
    let average = times.len() as f64 / since.elapsed().as_secs_f64();
    (rounded(average), rounded(busiest as f64 / BUSY.as_secs_f64()))
}
