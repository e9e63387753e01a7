//! Commands that run once.

use std::{
    fs,
    process::Stdio,
    time::{Duration, Instant},
};

use super::{
    figures::{Once, rounded},
    fleet::calls,
    process::memory,
    world::{LATENCY, World},
};
use crate::{
    iam::{FakeIam, RoleBuilder},
    product,
};

/// Measures `audit` of so many roles, of which each tenth trusts Pinpoint, and `plan` of so many manifests whose roles are not there yet.
pub(super) fn measure(roles: usize, manifests: usize) -> Result<Vec<Once>, String> {
    Ok(vec![audit(roles)?, plan(manifests)?])
}

fn audit(count: usize) -> Result<Once, String> {
    let iam = World::iam(count);
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    for n in 0..count {
        let role = RoleBuilder::new(&format!("role-{n}")).attached("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess");
        iam.put_role(if n % 10 == 0 { role.trust_policy(trust) } else { role });
    }
    let arguments = ["audit", "--no-cluster", "--output=json"];
    command(&format!("`audit` of {count} roles"), &iam, &arguments)
}

fn plan(count: usize) -> Result<Once, String> {
    let iam = FakeIam::start();
    iam.set_latency(LATENCY);
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let objects: Vec<String> = (0..count)
        .map(|n| {
            format!(
                "{{apiVersion: pinpoint-import.dev/v1alpha1, kind: PinpointImportRole, metadata: {{name: r{n}}}, spec: {{}}}}"
            )
        })
        .collect();
    fs::write(folder.path().join("roles.yaml"), objects.join("\n---\n")).map_err(|error| error.to_string())?;
    let path = folder.path().display().to_string();
    let arguments = ["plan", "-f", &path, "--cluster-id=bench", "--output=json"];
    command(&format!("`plan` of {count} manifests"), &iam, &arguments)
}

/// Runs a command to its end.
fn command(what: &str, iam: &FakeIam, arguments: &[&str]) -> Result<Once, String> {
    let started = Instant::now();
    let mut child = product::command(&product::beside_this_binary()?, &iam.endpoint(), "bench")
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut peak: f64 = 0.0;
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        peak = peak.max(memory(child.id(), "VmHWM:"));
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(Once {
        what: what.to_owned(),
        seconds: rounded(started.elapsed().as_secs_f64()),
        calls: calls(iam).len(),
        peak: rounded(peak),
    })
}
