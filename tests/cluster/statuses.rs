//! A status that tools can trust: kstatus reads it right in each state, and fields of others are left alone.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use test_support::iam::{Fault, RoleBuilder, Rule};

use crate::world::{ADMIN, GUIDE_TRUST, World};

/// What kstatus, the library that Flux and others use, makes of the objects of a namespace: lines of name and status.
fn kstatus(world: &World) -> Vec<String> {
    read_by("kstatus", &[], world)
}

/// What Argo CD makes of them by the shipped script: lines of name, health, and whether there is a message.
fn argo_cd(world: &World) -> Vec<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/gitops/argocd-health.lua");
    read_by("argocd-health", &[script], world)
}

fn read_by(program: &str, arguments: &[&str], world: &World) -> Vec<String> {
    let objects = world.kubectl(&["get", "pir", "-o", "json"]).unwrap();
    let mut child = Command::new("go")
        .args(["run", "."])
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools").join(program))
        .env("GOFLAGS", "-mod=readonly")
        .env("GOTOOLCHAIN", "local")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("go runs");
    child.stdin.take().unwrap().write_all(objects.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "tests/tools/{program} failed");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// Regression: kstatus takes an object without a status for one that is done, so Flux said that a role is there before anybody had seen it.
#[test]
fn an_object_that_nobody_has_seen_is_not_done() {
    let world = World::without_controller("unseen");
    world.apply("unseen", &json!({})).unwrap();
    assert_eq!(kstatus(&world), ["unseen InProgress"]);
    assert_eq!(argo_cd(&world), ["unseen Progressing true"]);
    let waited = world.kubectl(&["wait", "--for=condition=Ready", "pir/unseen", "--timeout=1s"]);
    assert!(waited.is_err());
}

#[test]
fn kstatus_and_argo_cd_read_every_state_right() {
    let world = World::new("kstatus");
    world.wait_healthy();
    world.iam.put_role(RoleBuilder::new("theirs").trust_policy(GUIDE_TRUST));
    let throttled = Rule::new(Fault::Throttle)
        .role(&world.role_name("throttled"))
        .times(usize::MAX);
    world.iam.fault(throttled);
    let long = "l".repeat(64);
    for (name, spec) in [
        ("ready", json!({})),
        ("foreign", json!({"roleName": "theirs"})),
        ("throttled", json!({})),
        ("report", json!({"driftPolicy": "Report"})),
        ("suspended", json!({})),
        ("blocked", json!({})),
        (long.as_str(), json!({})),
    ] {
        world.apply(name, &spec).unwrap();
    }
    for name in ["ready", "report", "suspended", "blocked"] {
        world.wait_reconciled(name);
    }
    World::pass_settle_time();

    world.patch("suspended", &json!({"suspend": true}));
    world.wait("suspension", || world.condition("suspended", "Suspended"));
    world.iam.tamper(&world.role_name("report"), |role| {
        role.attached.insert(ADMIN.to_owned());
    });
    world.look("report");
    world.wait_ready("report", "False", "DriftDetected");
    let role = world.role_name("blocked");
    world.call_iam("CreateInstanceProfile", &[("InstanceProfileName", "p")]);
    world.call_iam(
        "AddRoleToInstanceProfile",
        &[("InstanceProfileName", "p"), ("RoleName", &role)],
    );
    world.delete("blocked");
    world.wait_ready("blocked", "False", "DeletionBlocked");
    world.wait_ready("foreign", "False", "RoleNotOwned");
    world.wait_ready("throttled", "False", "Throttled");
    world.wait_ready(&long, "False", "InvalidSpec");

    let mut found = kstatus(&world);
    found.sort();
    let mut expected = vec![
        "blocked Terminating".to_owned(),
        "foreign Failed".to_owned(),
        format!("{long} Failed"),
        "ready Current".to_owned(),
        "report Failed".to_owned(),
        "suspended Current".to_owned(),
        "throttled InProgress".to_owned(),
    ];
    expected.sort();
    assert_eq!(found, expected);

    let mut found = argo_cd(&world);
    found.sort();
    let mut expected = vec![
        "blocked Degraded true".to_owned(),
        "foreign Degraded true".to_owned(),
        format!("{long} Degraded true"),
        "ready Healthy true".to_owned(),
        "report Degraded true".to_owned(),
        "suspended Suspended true".to_owned(),
        "throttled Progressing true".to_owned(),
    ];
    expected.sort();
    assert_eq!(found, expected);
}

/// What a pass made of an object that has changed since replaces nothing, least of all a pin: a fresh pass sees to it, and nobody hears of a
/// conflict. What no status depends on keeps it from nothing.
#[test]
fn a_stale_pass_replaces_no_status() {
    let world = World::in_place("stale-pass", &json!({}));
    let pinned = world.status("segments")["roleId"].clone();
    let hanging = |request: &str, begun: &dyn Fn()| {
        world.iam.tamper(&world.role_name("segments"), |role| {
            role.attached.insert(ADMIN.to_owned());
        });
        world.iam.clear_calls();
        let late = Rule::new(Fault::HangAfter(Duration::from_secs(3))).action("ListRolePolicies");
        world.iam.fault(late.role(&world.role_name("segments")));
        let request = format!("pinpoint-import.dev/reconcile-requested-at={request}");
        world
            .kubectl(&["annotate", "pir", "segments", "--overwrite", &request])
            .unwrap();
        world.wait("the look", || {
            (world.calls_on("segments", "ListRolePolicies") > 0).then_some(())
        });
        begun();
    };
    hanging("first", &|| {
        drop(world.kubectl(&["label", "pir", "segments", "team=a"]).unwrap());
    });
    world.wait_event("segments", "DriftRepaired");
    assert_eq!(world.status("segments")["roleId"], pinned);

    hanging("second", &|| {
        let other = json!({"status": {"roleId": "AROAOTHER"}}).to_string();
        let patch = [
            "patch",
            "pir",
            "segments",
            "--type=merge",
            "--subresource=status",
            "-p",
            &other,
        ];
        let people = [
            "--as=admin",
            "--as-group=system:masters",
            "--as-group=pinpoint-import.dev:break-glass",
        ];
        world.kubectl(&[&patch[..], &people[..]].concat()).unwrap();
    });
    world.wait_ready("segments", "False", "RoleNotOwned");
    assert_eq!(world.status("segments")["roleId"], "AROAOTHER");
    assert!(
        world.role("segments").unwrap().attached.contains(ADMIN),
        "the stale pass writes nothing"
    );
    assert!(world.told("segments", "AwsUnavailable").is_empty());
}

#[test]
fn conditions_of_others_stay_and_only_our_fields_are_ours() {
    let world = World::in_place("others", &json!({}));
    let theirs = json!({
        "apiVersion": "pinpoint-import.dev/v1alpha1",
        "kind": "PinpointImportRole",
        "metadata": {"name": "segments", "namespace": world.namespace},
        "status": {"conditions": [{
            "type": "Audited", "status": "True", "reason": "Reviewed", "message": "by security",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]},
    });
    let arguments = [
        "apply",
        "--server-side",
        "--subresource=status",
        "--field-manager=audit",
        "--as=auditor",
        "--as-group=system:masters",
        "--as-group=pinpoint-import.dev:break-glass",
        "-f",
        "-",
    ];
    world.plane().feed(&arguments, &theirs.to_string()).unwrap();

    world.iam.tamper(&world.role_name("segments"), |role| {
        role.attached.insert(ADMIN.to_owned());
    });
    world.look("segments");
    world.wait_reconciled("segments");
    let audited = world
        .condition("segments", "Audited")
        .expect("the condition of another controller stays");
    assert_eq!(audited.2, "by security");

    let fields = world
        .kubectl(&["get", "pir", "segments", "-o", "json", "--show-managed-fields"])
        .unwrap();
    let fields: Value = serde_json::from_str(&fields).unwrap();
    let ours: Vec<&Value> = fields["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["manager"] == "pinpoint-import-role-controller")
        .collect();
    assert!(!ours.is_empty());
    for entry in ours {
        let owned = entry["fieldsV1"].to_string();
        assert!(!owned.contains("f:spec") && !owned.contains("Audited"), "{owned}");
        if entry["subresource"] == "status" {
            assert!(!owned.contains("f:metadata"), "{owned}");
        } else {
            assert_eq!(
                entry["fieldsV1"]["f:metadata"]
                    .as_object()
                    .unwrap()
                    .keys()
                    .collect::<Vec<_>>(),
                ["f:finalizers"]
            );
        }
    }
}

#[test]
fn a_transition_time_moves_only_with_its_status() {
    let world = World::in_place("times", &json!({}));
    let time = || {
        world.status("segments")["conditions"]
            .as_array()
            .unwrap()
            .iter()
            .find(|condition| condition["type"] == "Ready")
            .unwrap()["lastTransitionTime"]
            .clone()
    };
    let first = time();
    // Another generation, still ready.
    world.patch("segments", &json!({"maxSessionDuration": 7200}));
    world.wait_reconciled("segments");
    assert_eq!(time(), first);
    world.look("segments");
    assert_eq!(time(), first);
}
