//! What `kubectl apply -k deploy` installs: accepted by a real API server, enough for the controller, and no more than it needs.

use std::{collections::BTreeSet, process::Command, time::Duration};

use serde_json::{Value, json};

use crate::world::{ACCOUNT, ADMIN, SYSTEM, World, install, plane};

const FINALIZER_OFF: &str = r#"{"metadata":{"finalizers":null}}"#;

fn folder(path: &str) -> String {
    format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))
}

/// Starts the controller on installed manifests, with their lease and just the rights of its service account.
fn started(mut world: World) -> World {
    world.add_args(&["--leader-election", "--leader-election-namespace", SYSTEM]);
    world.start();
    world.wait_healthy();
    world
}

fn can(world: &World, arguments: &[&str]) -> bool {
    let who = format!("system:serviceaccount:{SYSTEM}:{ACCOUNT}");
    world
        .plane()
        .run(&[&["auth", "can-i", "--as", &who], arguments].concat())
        .is_ok()
}

#[test]
fn the_shipped_rights_are_enough_and_no_more() {
    let world = started(World::without_controller("deploy"));
    world.apply("segments", &json!({})).unwrap();
    world.wait_reconciled("segments");
    World::pass_settle_time();
    world.iam.tamper(&world.role_name("segments"), |role| {
        role.attached.insert(ADMIN.to_owned());
    });
    world.look("segments");
    world.wait_event("segments", "DriftRepaired");

    // The finalizer stays while there is a role, whoever asks, but for the break-glass group.
    let patch = ["patch", "pir", "segments", "--type=merge", "-p", FINALIZER_OFF];
    let refusal = world.kubectl(&patch).unwrap_err();
    assert!(
        refusal.contains("keeps this object until its role in AWS is gone"),
        "{refusal}"
    );
    let glass = [
        "--as=someone",
        "--as-group=pinpoint-import.dev:break-glass",
        "--as-group=system:masters",
        "--dry-run=server",
    ];
    world.kubectl(&[&patch[..], &glass[..]].concat()).unwrap();

    // Nor does anybody but these write the status, which proves whose the role is.
    let forged = r#"{"status":{"roleId":"AROAFORGED"}}"#;
    let forge = [
        "patch",
        "pir",
        "segments",
        "--subresource=status",
        "--type=merge",
        "-p",
        forged,
    ];
    let refusal = world.kubectl(&forge).unwrap_err();
    assert!(refusal.contains("the status is the controller's to write"), "{refusal}");
    world.kubectl(&[&forge[..], &glass[..]].concat()).unwrap();

    // The controller's own account can't change what users declare.
    let who = format!("--as=system:serviceaccount:{SYSTEM}:{ACCOUNT}");
    for change in [
        r#"{"spec":{"suspend":true}}"#,
        r#"{"metadata":{"labels":{"a":"b"}}}"#,
        r#"{"metadata":{"annotations":{"a":"b"}}}"#,
    ] {
        let refusal = world
            .kubectl(&["patch", "pir", "segments", "--type=merge", "-p", change, &who])
            .unwrap_err();
        assert!(
            refusal.contains("may change finalizers and status only"),
            "{change}: {refusal}"
        );
    }

    world.kubectl(&["delete", "pir", "segments", "--timeout=60s"]).unwrap();
    assert!(world.iam.roles().is_empty());
    assert!(!world.log().contains("orbidden"), "a right is missing\n{}", world.log());

    for needless in [
        &["create", "pinpointimportroles"][..],
        &["delete", "pinpointimportroles"],
        &["get", "secrets"],
        &["create", "pods"],
        &["list", "namespaces"],
        &["get", "leases", "-n", "default"],
        &["delete", "leases", "-n", SYSTEM],
        &["impersonate", "users"],
        &["patch", "clusterroles"],
    ] {
        assert!(!can(&world, needless), "{needless:?} is allowed");
    }
}

/// Each right that is shipped is one that the controller uses, and it asks for nothing that it may not do.
#[test]
fn every_right_is_used_and_none_is_missing() {
    // Others' controllers must not be in the audit log.
    let world = World::on_own_plane("rights-used");
    install(world.plane());
    world.limit_rights();
    let mut world = started(world);
    world.apply("segments", &json!({})).unwrap();
    world.wait_reconciled("segments");
    world.kubectl(&["delete", "pir", "segments", "--timeout=60s"]).unwrap();
    let controller = world.controller.as_mut().unwrap();
    controller.terminate().unwrap();
    controller.wait(Duration::from_secs(30)).unwrap();

    let who = format!("system:serviceaccount:{SYSTEM}:{ACCOUNT}");
    let mut used = BTreeSet::new();
    for line in world.plane().audit_log().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        if event["user"]["username"] != who {
            continue;
        }
        assert_ne!(event["responseStatus"]["code"], 403, "{event}");
        let text = |key: &str| event["objectRef"][key].as_str().unwrap_or_default().to_owned();
        let resource = match text("subresource") {
            none if none.is_empty() => text("resource"),
            sub => format!("{}/{sub}", text("resource")),
        };
        used.insert((text("apiGroup"), resource, event["verb"].as_str().unwrap().to_owned()));
    }
    let mut shipped = BTreeSet::new();
    for (kind, scope) in [("clusterrole", &[][..]), ("role", &["-n", SYSTEM])] {
        let role = world
            .plane()
            .run(&[&["get", kind, ACCOUNT, "-o", "json"], scope].concat())
            .unwrap();
        let role: Value = serde_json::from_str(&role).unwrap();
        for rule in role["rules"].as_array().unwrap() {
            let all = |key: &str| {
                rule[key]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|one| one.as_str().unwrap().to_owned())
            };
            for (group, resource) in all("apiGroups").zip(all("resources")) {
                shipped.extend(all("verbs").map(|verb| (group.clone(), resource.clone(), verb)));
            }
        }
    }
    assert_eq!(used, shipped);
}

#[test]
fn the_manifests_are_accepted_and_the_pod_fits_the_restricted_standard() {
    // They are installed on it.
    let plane = plane();
    let deployment = plane
        .run(&["get", "deployment", ACCOUNT, "-n", SYSTEM, "-o", "json"])
        .unwrap();
    let deployment: Value = serde_json::from_str(&deployment).unwrap();
    let mut pod = deployment["spec"]["template"].clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!("as-in-the-deployment");
    let create = ["create", "-n", SYSTEM, "--dry-run=server", "-f", "-"];
    plane.feed(&create, &pod.to_string()).unwrap();
    // The namespace does refuse one that does not fit.
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = json!(true);
    let refusal = plane.feed(&create, &pod.to_string()).unwrap_err();
    assert!(refusal.contains("restricted"), "{refusal}");

    for overlay in ["irsa", "pod-identity"] {
        let path = folder(&format!("deploy/overlays/{overlay}"));
        plane
            .run(&[
                "apply",
                "--server-side",
                "--dry-run=server",
                "--force-conflicts",
                "-k",
                &path,
            ])
            .unwrap();
    }
    let account = plane.run(&["kustomize", &folder("deploy/overlays/irsa")]).unwrap();
    assert!(account.contains("eks.amazonaws.com/role-arn"));
}

/// Probes, ports and flags of the manifest are those of the binary.
#[test]
fn the_deployment_starts_the_binary_as_it_is() {
    let manifest = std::fs::read_to_string(folder("deploy/base/deployment.yaml")).unwrap();
    let help = Command::new(env!("CARGO_BIN_EXE_pinpoint-import-role-controller"))
        .args(["run", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let mut manifests = manifest.clone();
    for overlay in ["irsa", "pod-identity"] {
        manifests +=
            &std::fs::read_to_string(folder(&format!("deploy/overlays/{overlay}/kustomization.yaml"))).unwrap();
    }
    for name in manifests.split("name: PIR_").skip(1) {
        let name = name
            .split(|c: char| !c.is_ascii_uppercase() && c != '_')
            .next()
            .unwrap();
        assert!(
            help.contains(&format!("PIR_{name}=")),
            "PIR_{name} is no setting of run"
        );
    }
    // The settings file is sound: what is wrong here is the flag alone.
    let refused = Command::new(env!("CARGO_BIN_EXE_pinpoint-import-role-controller"))
        .args([
            "run",
            "--concurrency=0",
            "--config",
            &folder("deploy/base/settings.yaml"),
        ])
        .output()
        .unwrap();
    let refused = String::from_utf8(refused.stderr).unwrap();
    assert!(
        refused.lines().count() == 1 && refused.contains("--concurrency"),
        "{refused}"
    );
    for port in ["8080", "9090"] {
        assert!(manifest.contains(&format!("containerPort: {port}")) && help.contains(&format!("[::]:{port}")));
    }
}
