//! `make bench`: what the controller needs for many objects, on a real API server and the fake IAM. Counts and memory say more than
//! seconds, which depend on the machine.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use test_support::{
    control_plane::ControlPlane,
    guarded::Guarded,
    iam::{FakeIam, RoleBuilder},
    product,
    waiting::until,
};

/// Time of each IAM call, as in the measurements of the best-known peer.
const LATENCY: Duration = Duration::from_millis(20);
/// For how long the controller is watched at rest.
const REST: Duration = Duration::from_secs(20);
/// For how long it is watched while it sweeps: a sweep and more.
const SWEPT: Duration = Duration::from_secs(50);

fn main() -> Result<(), String> {
    let counts: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|count| count.parse().ok())
        .collect();
    let counts = if counts.is_empty() {
        vec![100, 200, 1000]
    } else {
        counts
    };
    println!(
        "| objects | to Ready | IAM calls per object | start to the first IAM call | peak memory | memory at rest | CPU at rest |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for count in counts {
        measure(count)?;
    }
    println!("\n| command | time | IAM calls | peak memory |\n| --- | --- | --- | --- |");
    audit(5000)?;
    plan(1000)
}

/// `audit` of an account, of which each tenth role trusts Pinpoint.
fn audit(count: usize) -> Result<(), String> {
    let iam = FakeIam::start();
    iam.set_latency(LATENCY);
    iam.set_page_size(1000);
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    for n in 0..count {
        let role = RoleBuilder::new(&format!("role-{n}")).attached("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess");
        iam.put_role(if n % 10 == 0 { role.trust_policy(trust) } else { role });
    }
    command(
        &format!("audit of {count} roles"),
        &iam,
        &["audit", "--no-cluster", "--output=json"],
    )
}

/// `plan` of manifests whose roles are not there yet.
fn plan(count: usize) -> Result<(), String> {
    let iam = FakeIam::start();
    iam.set_latency(LATENCY);
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    fs::write(folder.path().join("roles.yaml"), objects(count)).map_err(|error| error.to_string())?;
    let path = folder.path().display().to_string();
    command(
        &format!("plan of {count} manifests"),
        &iam,
        &["plan", "-f", &path, "--cluster-id=bench", "--output=json"],
    )
}

/// Runs a command to its end, and prints what it took.
fn command(what: &str, iam: &FakeIam, arguments: &[&str]) -> Result<(), String> {
    let started = Instant::now();
    let mut child = product::command(&product::beside_this_binary()?, &iam.endpoint(), "bench")
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut peak = 0;
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        peak = peak.max(memory(child.id(), "VmHWM:"));
        std::thread::sleep(Duration::from_millis(5));
    }
    let calls = iam
        .calls()
        .iter()
        .filter(|call| call.action != "GetCallerIdentity")
        .count();
    println!(
        "| {what} | {:.2} s | {calls} | {peak} MiB |",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Manifests for one `kubectl` at a time.
fn batches(count: usize) -> Vec<String> {
    const BATCH: usize = 500;
    let starts = (0..count).step_by(BATCH);
    starts.map(|start| numbered(start..count.min(start + BATCH))).collect()
}

/// Manifests of the shortest kind.
fn objects(count: usize) -> String {
    numbered(0..count)
}

fn numbered(numbers: std::ops::Range<usize>) -> String {
    let objects: Vec<String> = numbers
        .map(|n| {
            format!(
                "{{apiVersion: pinpoint-import.dev/v1alpha1, kind: PinpointImportRole, metadata: {{name: r{n}}}, spec: {{}}}}"
            )
        })
        .collect();
    objects.join("\n---\n")
}

fn measure(count: usize) -> Result<(), String> {
    let plane = ControlPlane::start()?;
    let iam = FakeIam::start();
    iam.set_latency(LATENCY);
    iam.set_quotas(|quotas| quotas.roles = count + 1);
    plane.install(&["-f", "crds/pinpointimportroles.yaml"])?;
    let log = plane.folder().join("controller.log");
    let binary = product::beside_this_binary()?;
    let mut run = product::controller(&binary, &plane.kubeconfig(), &iam.endpoint(), "bench");
    run.args(["--iam-calls-per-second=10000", "--iam-burst=10000"]);
    // The objects are there first: kubectl would take longer to make them than the controller to bring their roles there.
    for batch in batches(count) {
        plane.feed(&["create", "-f", "-"], &batch)?;
    }
    let started = Instant::now();
    let mut controller = Guarded::start(&mut run, &log, None).map_err(|error| error.to_string())?;
    wait("the first call", || !iam.calls().is_empty())?;
    let start = started.elapsed();
    wait("all objects to be Ready", || ready(&plane) == count)?;
    let to_ready = started.elapsed();
    #[allow(clippy::cast_precision_loss, reason = "small numbers, for people")]
    let calls = iam
        .calls()
        .iter()
        .filter(|call| call.action != "GetCallerIdentity")
        .count() as f64
        / count as f64;

    let before = cpu_ticks(controller.pid());
    std::thread::sleep(REST);
    let ticks = cpu_ticks(controller.pid()).saturating_sub(before);
    println!(
        "| {count} | {:.2} s | {calls:.1} | {:.2} s | {} MiB | {} MiB | {:.2} % of a core |",
        to_ready.as_secs_f64(),
        start.as_secs_f64(),
        memory(controller.pid(), "VmHWM:"),
        memory(controller.pid(), "VmRSS:"),
        // 100 ticks are a second of a core.
        f64::from(u32::try_from(ticks).unwrap_or(u32::MAX)) / REST.as_secs_f64(),
    );
    controller.kill_9().map_err(|error| error.to_string())?;
    restart(count, &iam, run)
}

/// The controller started again over objects at rest: what it costs until all are known to be as declared, and then in a minute.
fn restart(count: usize, iam: &FakeIam, mut run: Command) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let log = folder.path().join("controller.log");
    iam.clear_calls();
    let started = Instant::now();
    let controller = Guarded::start(&mut run, &log, None).map_err(|error| error.to_string())?;
    let metrics = || {
        let log = fs::read_to_string(&log).unwrap_or_default();
        product::port(&log, "metrics on").and_then(|port| product::get(port, "/metrics"))
    };
    let counted = |name: &str| -> usize {
        let (_, text) = metrics().unwrap_or_default();
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok())
            .sum()
    };
    wait("all roles to be seen as declared", || {
        counted("pir_sightings_total{result=\"as_declared\"}") + counted("pir_passes_total") >= count
    })?;
    let known = started.elapsed();
    std::thread::sleep(SWEPT);
    let before = cpu_ticks(controller.pid());
    std::thread::sleep(SWEPT);
    let ticks = cpu_ticks(controller.pid()).saturating_sub(before);
    println!(
        "| {count}, restarted | {:.2} s | {} IAM calls, {} passes in all | | {} MiB | {} MiB | {:.2} % of a core |",
        known.as_secs_f64(),
        iam.calls()
            .iter()
            .filter(|call| call.action != "GetCallerIdentity")
            .count(),
        counted("pir_passes_total"),
        memory(controller.pid(), "VmHWM:"),
        memory(controller.pid(), "VmRSS:"),
        f64::from(u32::try_from(ticks).unwrap_or(u32::MAX)) / SWEPT.as_secs_f64(),
    );
    Ok(())
}

/// How many objects are Ready.
fn ready(plane: &ControlPlane) -> usize {
    let path = "-o=jsonpath={.items[*].status.conditions[?(@.type==\"Ready\")].status}";
    let all = plane.run(&["get", "pir", path, "--chunk-size=0"]).unwrap_or_default();
    all.split(' ').filter(|status| *status == "True").count()
}

fn wait(what: &str, mut there: impl FnMut() -> bool) -> Result<(), String> {
    until(Duration::from_mins(5), || there().then_some(())).ok_or_else(|| format!("waited in vain for {what}"))
}

/// A line of `/proc/<pid>/status`, in MiB.
fn memory(pid: u32, line: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|found| found.strip_prefix(line)?.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}

/// Clock ticks that a process used (`proc(5)`, utime and stime).
fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let tick = |at: usize| {
        fields
            .get(at)
            .and_then(|ticks| ticks.parse::<u64>().ok())
            .unwrap_or_default()
    };
    tick(11) + tick(12)
}
