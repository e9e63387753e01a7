//! An upgrade is a restart with an older status: objects and roles as a version before left them are taken over as they are.
//!
//! `upgrade/objects-0.1.0.json` was recorded from version 0.1.0 at work, each object with its role beside it; `UID`, `CLUSTER` and
//! `NAMESPACE` stand for what differs from cluster to cluster.

use std::{collections::BTreeMap, time::Duration};

use http::Request;
use serde_json::{Value, json};
use test_support::iam::{Fault, RoleBuilder, RoleState, Rule};

use crate::world::{ACCOUNT, SYSTEM, WIDE_TRUST, World, install};

const RECORDED: &str = include_str!("upgrade/objects-0.1.0.json");
const CRD: &str = include_str!("upgrade/crd-0.1.0.yaml");
const NEW_CRD: &str = include_str!("../../crds/pinpointimportroles.yaml");

/// Objects whose role is in place.
const IN_PLACE: [&str; 5] = ["guide", "whole", "repaired", "adopted", "changed"];
/// Objects about which there is something to do as soon as IAM lets it be done.
const HELD_UP: [&str; 2] = ["failing", "denied"];

/// A world without a controller, with the recorded objects of some names and their roles.
fn recorded(name: &str, wanted: impl Fn(&str) -> bool) -> World {
    let mut world = World::without_controller(name);
    // The default, under which they were recorded.
    world.add_env("PIR_ALLOWED_POLICY_ARNS", "");
    put(&world, wanted);
    world
}

fn put(world: &World, wanted: impl Fn(&str) -> bool) {
    let cases: Vec<Value> = serde_json::from_str(RECORDED).unwrap();
    for case in cases {
        if wanted(case["metadata"]["name"].as_str().unwrap()) {
            put_one(world, &case);
        }
    }
}

/// Makes an object as it was recorded: its generation, its finalizer, its status by the controller's own account, its deletion.
fn put_one(world: &World, case: &Value) {
    let name = case["metadata"]["name"].as_str().unwrap();
    let filled = |text: String, uid: &str, cluster: &str| -> Value {
        let text = text.replace("NAMESPACE", &world.namespace);
        serde_json::from_str(&text.replace("UID", uid).replace("CLUSTER", cluster)).unwrap()
    };
    let spec = filled(case["spec"].to_string(), "", "");
    let deleted = case["metadata"]["deleted"] == true;
    for _ in 1..case["metadata"]["generation"].as_i64().unwrap() - i64::from(deleted) {
        let mut before = spec.clone();
        before["interval"] = json!("1h");
        world.apply(name, &before).unwrap();
    }
    world.apply(name, &spec).unwrap();
    for (key, value) in case["metadata"]["annotations"].as_object().into_iter().flatten() {
        world.annotate(name, key, value.as_str().unwrap()).unwrap();
    }
    world.patch_metadata(name, &json!({"finalizers": case["metadata"]["finalizers"]}));
    if deleted {
        world.delete(name);
    }
    let object = world.object(name);
    assert_eq!(
        object["metadata"]["generation"], case["metadata"]["generation"],
        "{name}"
    );
    let uid = object["metadata"]["uid"].as_str().unwrap();
    write_status(world, name, &filled(case["status"].to_string(), uid, ""));
    put_role(world, &filled(case["role"].to_string(), uid, &world.cluster()));
}

/// Writes a status as the controller does: by server-side apply, as its own account.
fn write_status(world: &World, name: &str, status: &Value) {
    let object = json!({
        "apiVersion": "pinpoint-import.dev/v1alpha1",
        "kind": "PinpointImportRole",
        "metadata": {"name": name, "namespace": world.namespace},
        "status": status,
    });
    let path = format!("{}/{name}/status", world.objects_path());
    let request = Request::patch(format!(
        "{path}?fieldManager={ACCOUNT}&force=true&fieldValidation=Ignore"
    ))
    .header("impersonate-user", format!("system:serviceaccount:{SYSTEM}:{ACCOUNT}"));
    world.send(request, "application/apply-patch+yaml", &object).unwrap();
}

fn put_role(world: &World, role: &Value) {
    let Some(name) = role["name"].as_str() else { return };
    let text = |key: &str| role[key].as_str().map(str::to_owned);
    let texts = |key: &str| -> BTreeMap<String, String> { serde_json::from_value(role[key].clone()).unwrap() };
    world
        .iam
        .put_role(RoleBuilder::new(name).path(role["path"].as_str().unwrap()));
    world.iam.tamper(name, |state| {
        state.id = text("id").unwrap();
        state.trust_policy = text("trustPolicy").unwrap();
        state.description = text("description");
        state.max_session_duration = role["maxSessionDuration"].as_u64().unwrap().try_into().unwrap();
        state.permissions_boundary = text("permissionsBoundary");
        state.tags = texts("tags");
        state.attached = serde_json::from_value(role["attached"].clone()).unwrap();
        state.inline = texts("inline");
        assert_eq!(state.arn, role["arn"].as_str().unwrap());
    });
}

fn names(world: &World) -> Vec<String> {
    let list = world.read(&world.objects_path()).unwrap();
    let objects = list["items"].as_array().unwrap().iter();
    objects
        .map(|object| object["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

/// The version of the list of all objects.
fn list_version(world: &World) -> String {
    let list = world.read(&world.objects_path()).unwrap();
    list["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
}

/// How often each object was written since a version of the list.
fn writes_since(world: &World, version: &str) -> BTreeMap<String, usize> {
    let path = format!(
        "{}?watch=true&timeoutSeconds=2&resourceVersion={version}",
        world.objects_path()
    );
    let mut writes = BTreeMap::new();
    for line in world.plane().run(&["get", "--raw", &path]).unwrap().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let name = event["object"]["metadata"]["name"].as_str().unwrap().to_owned();
        *writes.entry(name).or_default() += 1;
    }
    writes
}

/// Waits until each of so many objects had a pass, and a little longer: what a pass puts off comes then.
fn wait_passes(world: &World, objects: usize) {
    world.wait("a pass over each object", || {
        let (_, text) = world.metrics()?;
        let passes = text.lines().filter(|line| line.starts_with("pir_passes_total"));
        let passes: usize = passes
            .filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok())
            .sum();
        (passes >= objects).then_some(())
    });
    std::thread::sleep(Duration::from_secs(3));
}

/// Nothing was written to IAM. The object under deletion tries again to delete its role, and is refused as before.
fn assert_no_write_to_iam(world: &World) {
    let writes: Vec<_> = world
        .iam
        .writes()
        .into_iter()
        .filter(|call| call.action != "GetCallerIdentity" && call.outcome != "DeleteConflict")
        .collect();
    assert!(writes.is_empty(), "{writes:?}");
}

fn put_profile(world: &World) {
    let role = world.role_name("deleting");
    world.call_iam("CreateInstanceProfile", &[("InstanceProfileName", "web")]);
    world.call_iam(
        "AddRoleToInstanceProfile",
        &[("InstanceProfileName", "web"), ("RoleName", &role)],
    );
    world.iam.clear_calls();
}

/// Deletes all objects, and lifts what keeps some of them: the instance profile, and the suspension.
fn delete_all(world: &World) {
    let role = world.role_name("deleting");
    world.call_iam(
        "RemoveRoleFromInstanceProfile",
        &[("InstanceProfileName", "web"), ("RoleName", &role)],
    );
    world.patch("suspended", &json!({"suspend": false}));
    world.kubectl(&["delete", "pir", "--all", "--wait=false"]).unwrap();
    world.wait("all objects are gone", || names(world).is_empty().then_some(()));
}

#[test]
fn objects_of_the_version_before_are_taken_over_as_they_are() {
    let mut world = recorded("upgrade", |name| !HELD_UP.contains(&name));
    put_profile(&world);
    let (roles, objects, version) = (world.iam.roles(), names(&world), list_version(&world));
    world.start();
    wait_passes(&world, objects.len());
    assert_no_write_to_iam(&world);
    assert_eq!(world.iam.roles(), roles);
    for name in &objects {
        assert_eq!(world.events(name), [], "{name}");
    }
    let writes = writes_since(&world, &version);
    assert!(writes.values().all(|count| *count <= 1), "{writes:?}");
    for name in IN_PLACE {
        world.wait_reconciled(name);
    }
    for (name, reason) in [
        ("reported", "DriftDetected"),
        ("foreign", "RoleNotOwned"),
        ("refused", "PolicyNotAllowed"),
        ("deleting", "DeletionBlocked"),
    ] {
        world.wait_ready(name, "False", reason);
    }
}

#[test]
fn a_drift_made_while_no_controller_ran_is_still_a_drift() {
    let drifted = |name: &str| IN_PLACE.contains(&name) || name == "reported";
    let mut world = recorded("upgrade-drift", drifted);
    let roles = world.iam.roles();
    for role in roles.iter().filter(|role| !role.name.ends_with("reported")) {
        world
            .iam
            .tamper(&role.name, |role| role.trust_policy = WIDE_TRUST.to_owned());
    }
    world.start();
    for name in IN_PLACE {
        world.wait_event(name, "DriftRepaired");
        world.wait_reconciled(name);
        let drifts: Vec<_> = world
            .events(name)
            .into_iter()
            .filter(|(reason, _)| reason == "DriftDetected")
            .collect();
        assert!(
            drifts.len() == 1 && drifts[0].1.contains("999999999999"),
            "{name}: {drifts:?}"
        );
        assert!(world.status(name)["lastDrift"]["repairedAt"].is_string(), "{name}");
    }
    let narrow = |roles: &[RoleState]| {
        roles
            .iter()
            .filter(|role| !role.trust_policy.contains("999999999999"))
            .count()
    };
    assert_eq!(narrow(&world.iam.roles()), narrow(&roles));
    // What is only reported was told by the version before.
    assert_eq!(world.events("reported"), []);
    assert_eq!(
        world.iam.role(&world.role_name("reported")),
        roles.iter().find(|role| role.name.ends_with("reported")).cloned()
    );
}

#[test]
fn what_was_held_up_goes_on_and_is_not_told_again() {
    let mut world = recorded("upgrade-held", |name| HELD_UP.contains(&name));
    world.start();
    for name in HELD_UP {
        world.wait_reconciled(name);
    }
    world.wait_event("denied", "RoleCreated");
    world.wait_event("failing", "DriftRepaired");
    let told = world.events("failing");
    assert!(told.iter().all(|(reason, _)| reason == "DriftRepaired"), "{told:?}");
    assert!(!world.role("failing").unwrap().trust_policy.contains("999999999999"));
}

#[test]
fn a_failure_that_lasts_is_not_told_again() {
    let mut world = recorded("upgrade-failing", |name| HELD_UP.contains(&name));
    for (name, action) in [("failing", "UpdateAssumeRolePolicy"), ("denied", "CreateRole")] {
        let role = world.role_name(name);
        let on = match name {
            "failing" => format!("role {role}"),
            _ => format!("arn:aws:iam::123456789012:role/{role}"),
        };
        let session = "arn:aws:sts::123456789012:assumed-role/controller/session";
        let fault = Fault::Error {
            status: 403,
            code: "AccessDenied".to_owned(),
            message: format!("User: {session} is not authorized to perform: iam:{action} on resource: {on}"),
        };
        world
            .iam
            .fault(Rule::new(fault).action(action).role(&role).times(usize::MAX));
    }
    let version = list_version(&world);
    world.start();
    wait_passes(&world, 4);
    for name in HELD_UP {
        assert_eq!(world.events(name), [], "{name}");
        world.wait_ready(name, "False", "AccessDenied");
    }
    let writes = writes_since(&world, &version);
    assert!(writes.values().all(|count| *count <= 1), "{writes:?}");
}

/// Objects without a role that never had one are left out: whether they may go before a settle time is over is not the upgrade's matter.
#[test]
fn deletion_of_what_the_version_before_left_orphans_nothing() {
    let mut world = recorded("upgrade-deletion", |name| name != "refused");
    put_profile(&world);
    world.start();
    delete_all(&world);
    let left: Vec<String> = world.iam.roles().into_iter().map(|role| role.name).collect();
    assert_eq!(left, [format!("{}-theirs", world.namespace)]);
}

/// The way back: the older version's CRD prunes what the newer one's status has besides, and that version writes its own status.
#[test]
fn the_version_before_and_then_this_one_again_orphan_nothing() {
    let mut world = World::on_own_plane("upgrade-back");
    install(world.plane());
    world.limit_rights();
    world.add_env("PIR_ALLOWED_POLICY_ARNS", "");
    put(&world, |name| !HELD_UP.contains(&name) && name != "refused");
    put_profile(&world);
    world.start();
    world.apply("newer", &json!({"tags": {"team": "a"}})).unwrap();
    world.wait_reconciled("newer");
    let objects = names(&world);
    wait_passes(&world, objects.len());
    world.kill();

    apply_crd(&world, CRD);
    for name in &objects {
        let object = world.object(name);
        assert!(object["status"]["conditions"].is_array(), "{name}: {object}");
        world.annotate(name, "example.com/still", "valid").unwrap();
        write_status(&world, name, &object["status"]);
    }

    apply_crd(&world, NEW_CRD);
    World::pass_settle_time();
    world.iam.clear_calls();
    let (roles, version) = (world.iam.roles(), list_version(&world));
    let told: Vec<_> = objects.iter().map(|name| world.events(name)).collect();
    world.start();
    wait_passes(&world, objects.len());
    assert_no_write_to_iam(&world);
    assert_eq!(world.iam.roles(), roles);
    let writes = writes_since(&world, &version);
    assert!(writes.values().all(|count| *count <= 1), "{writes:?}");
    assert_eq!(objects.iter().map(|name| world.events(name)).collect::<Vec<_>>(), told);
    delete_all(&world);
    let left: Vec<String> = world.iam.roles().into_iter().map(|role| role.name).collect();
    assert_eq!(left, [format!("{}-theirs", world.namespace)]);
}

fn apply_crd(world: &World, crd: &str) {
    world
        .plane()
        .feed(&["apply", "--server-side", "--force-conflicts", "-f", "-"], crd)
        .unwrap();
    let name = "crd/pinpointimportroles.pinpoint-import.dev";
    world
        .plane()
        .run(&["wait", "--for=condition=Established", name])
        .unwrap();
    // The API server takes a moment to serve the new schema.
    std::thread::sleep(Duration::from_secs(2));
}
