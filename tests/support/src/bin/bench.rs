//! `make bench`: what the controller needs for many objects, on a real API server and the fake IAM. Counts and memory say more than
//! seconds, which depend on the machine.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use test_support::{control_plane::ControlPlane, guarded::Guarded, iam::FakeIam};

/// Time of each IAM call, as in the measurements of the best-known peer.
const LATENCY: Duration = Duration::from_millis(20);
/// For how long the controller is watched at rest.
const REST: Duration = Duration::from_secs(20);

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
    Ok(())
}

fn measure(count: usize) -> Result<(), String> {
    let plane = ControlPlane::start()?;
    let iam = FakeIam::start();
    iam.set_latency(LATENCY);
    iam.set_quotas(|quotas| quotas.roles = count + 1);
    plane.run(&["apply", "-f", "crds/pinpointimportroles.yaml"])?;
    plane.run(&[
        "wait",
        "--for=condition=Established",
        "crd/pinpointimportroles.pinpoint-import.dev",
    ])?;
    let log = plane.folder().join("controller.log");
    let binary = std::env::current_exe()
        .map_err(|error| error.to_string())?
        .with_file_name("pinpoint-import-role-controller");
    let mut run = Command::new(binary);
    run.args([
        "run",
        "--health-address=127.0.0.1:0",
        "--metrics-address=127.0.0.1:0",
        "--iam-calls-per-second=10000",
        "--iam-burst=10000",
    ])
    .env("KUBECONFIG", plane.kubeconfig())
    .env("AWS_ENDPOINT_URL_IAM", iam.endpoint())
    .env("AWS_ENDPOINT_URL_STS", iam.endpoint())
    .env("AWS_ACCESS_KEY_ID", "bench")
    .env("AWS_SECRET_ACCESS_KEY", "bench")
    .env("AWS_REGION", "us-east-1");
    // The objects are there first: kubectl would take longer to make them than the controller to bring their roles there.
    let objects: Vec<String> = (0..count)
        .map(|n| {
            format!(
                "{{apiVersion: pinpoint-import.dev/v1alpha1, kind: PinpointImportRole, metadata: {{name: r{n}}}, spec: {{}}}}"
            )
        })
        .collect();
    plane.feed(&["create", "-f", "-"], &objects.join("\n---\n"))?;
    let started = Instant::now();
    let controller = Guarded::start(&mut run, &log, None).map_err(|error| error.to_string())?;
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
    Ok(())
}

/// How many objects are Ready.
fn ready(plane: &ControlPlane) -> usize {
    let path = "-o=jsonpath={.items[*].status.conditions[?(@.type==\"Ready\")].status}";
    let all = plane.run(&["get", "pir", path, "--chunk-size=0"]).unwrap_or_default();
    all.split(' ').filter(|status| *status == "True").count()
}

fn wait(what: &str, mut there: impl FnMut() -> bool) -> Result<(), String> {
    let start = Instant::now();
    while !there() {
        if start.elapsed() > Duration::from_mins(5) {
            return Err(format!("waited in vain for {what}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
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
