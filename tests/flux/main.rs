//! `make flux`: the real Flux applies the shipped file of it, and what happens to a role is what is in Git.
//!
//! It is no part of `make test`, since Flux is built for ten minutes.

#![allow(
    unreachable_pub,
    reason = "nothing outside uses a test binary: pub is what its modules share"
)]

mod world;

use serde_json::Value;
use test_support::iam::RoleState;

use crate::world::{CONTROLLER, ROLES, TEAM, World, condition};

const FILE: &str = "roles/segment-import.yaml";
const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
/// The field that keeps the role to one application, and what IAM then has of it.
const NARROW: &str = "{trust: {applications: [{region: us-east-1, id: 0123456789abcdef0123456789abcdef}]}}";
/// See [`NARROW`].
const APPLICATION: &str = "apps/0123456789abcdef0123456789abcdef";

/// The manifest of a role.
fn manifest(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: pinpoint-import.dev/v1alpha1\nkind: PinpointImportRole\nmetadata: {{name: {name}, namespace: {TEAM}}}\nspec: {spec}\n"
    )
}

fn say(what: &str) {
    println!("▸ {what}");
}

fn role(world: &World) -> RoleState {
    world.iam.role("marketing.segment-import").expect("the role")
}

/// What Flux would change of an object, and whether anything did.
fn versions(object: &Value) -> (Value, Value) {
    let metadata = &object["metadata"];
    (metadata["generation"].clone(), metadata["resourceVersion"].clone())
}

fn assert_ready(world: &World, revision: &str) {
    let (status, _, message) = world.ended(ROLES, revision);
    assert_eq!(status, "True", "{message}");
    let (status, _, message) = condition(&world.object("segment-import"), "Ready").expect("a condition");
    assert_eq!(
        status, "True",
        "the Kustomization is ready, the object is not: {message}"
    );
}

/// Flux names the object that is not ready, and nothing of its message.
fn assert_names_the_object(ready: (String, String, String)) {
    let (status, reason, message) = ready;
    assert_eq!(
        (status.as_str(), reason.as_str()),
        ("False", "HealthCheckFailed"),
        "{message}"
    );
    assert!(
        message.contains("PinpointImportRole/marketing/segment-import status: 'Failed'"),
        "{message}"
    );
}

#[test]
fn what_is_in_git_is_what_is_in_iam() {
    let guide = manifest("segment-import", "{}");
    let mut world = World::start(&[(FILE, &guide), ("roles/other.yaml", &manifest("other", "{}"))]);
    first_commit(&mut world);
    at_rest(&world);
    narrowed(&world);
    refused_and_reverted(&world);
    drift_repaired(&world);
    drift_reported(&world);
    pruned(&world);
}

fn first_commit(world: &mut World) {
    say("The first commit: the controller, then the roles; nothing is ready before the role is");
    world.wait("Flux has applied the controller's manifests", || {
        condition(&world.kustomization(CONTROLLER), "Ready").filter(|(status, ..)| status == "True")
    });
    // Nobody works on the object yet.
    let message = world.wait("Flux waits for the role", || {
        let kustomization = world.kustomization(ROLES);
        let (status, ..) = condition(&kustomization, "Ready")?;
        assert_ne!(status, "True", "ready before the role is");
        let (_, _, message) = condition(&kustomization, "Reconciling")?;
        message.contains("health checks").then_some(message)
    });
    println!("   Flux says: {message}");
    assert!(!world.object("segment-import").is_null());
    world.start_controller();
    assert_ready(world, &world.revision());
    assert!(
        role(world)
            .attached
            .contains("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    );
}

fn at_rest(world: &World) {
    say("At rest, Flux writes nothing to the object, and the controller nothing to IAM");
    let before = versions(&world.object("segment-import"));
    world.iam.clear_calls();
    let (status, ..) = world.reconcile_roles();
    assert_eq!(status, "True");
    assert_eq!(versions(&world.object("segment-import")), before);
    assert!(world.iam.writes().is_empty(), "{:?}", world.iam.writes());
}

fn narrowed(world: &World) {
    say("A commit narrows the role");
    assert!(!role(world).trust_policy.contains(APPLICATION));
    let revision = world.commit(&[(FILE, &manifest("segment-import", NARROW))]);
    world.fetch();
    assert_ready(world, &revision);
    assert!(role(world).trust_policy.contains(APPLICATION));
}

fn refused_and_reverted(world: &World) {
    say("A commit that the settings refuse, and its revert");
    world.iam.clear_calls();
    let wide = format!("{{managedPolicyArns: ['{ADMIN}']}}");
    let revision = world.commit(&[(FILE, &manifest("segment-import", &wide))]);
    world.fetch();
    let ready = world.ended(ROLES, &revision);
    println!("   Flux says: {}", ready.2);
    assert_names_the_object(ready);
    let (_, reason, message) = condition(&world.object("segment-import"), "Ready").expect("a condition");
    println!("   the object says: {message}");
    assert_eq!(reason, "PolicyNotAllowed");

    let revision = world.revert();
    world.fetch();
    assert_ready(world, &revision);
    assert!(role(world).trust_policy.contains(APPLICATION));
    assert!(
        world.iam.writes().is_empty(),
        "refused and taken back: {:?}",
        world.iam.writes()
    );
}

fn drift_repaired(world: &World) {
    say("What somebody changes by hand is repaired, and Flux notices nothing");
    let kustomization = versions(&world.kustomization(ROLES));
    let generation = versions(&world.object("segment-import")).0;
    attach_admin(world);
    world.wait("repaired", || (!role(world).attached.contains(ADMIN)).then_some(()));
    world.wait("told", || {
        let events = world.run(&[
            "get",
            "events.events.k8s.io",
            "-n",
            TEAM,
            "-o",
            "jsonpath={.items[*].reason}",
        ]);
        events.contains("DriftRepaired").then_some(())
    });
    world.wait("ready again", || {
        condition(&world.object("segment-import"), "Ready").filter(|(status, ..)| status == "True")
    });
    assert_eq!(versions(&world.object("segment-import")).0, generation);
    assert_eq!(versions(&world.kustomization(ROLES)), kustomization);
}

fn drift_reported(world: &World) {
    say("With driftPolicy: Report, Flux' health shows it");
    let spec = NARROW.replacen('{', "{driftPolicy: Report, ", 1);
    let revision = world.commit(&[(FILE, &manifest("segment-import", &spec))]);
    world.fetch();
    assert_ready(world, &revision);
    attach_admin(world);
    world.wait("found", || {
        condition(&world.object("segment-import"), "Drifted").filter(|(status, ..)| status == "True")
    });
    assert_names_the_object(world.reconcile_roles());
    assert!(role(world).attached.contains(ADMIN), "only reported");

    let revision = world.revert();
    world.fetch();
    assert_ready(world, &revision);
    assert!(!role(world).attached.contains(ADMIN));
}

fn pruned(world: &World) {
    say("A file that goes from Git takes its object and the role in IAM with it");
    let revision = world.commit(&[(FILE, "")]);
    world.fetch();
    let (status, _, message) = world.ended(ROLES, &revision);
    assert_eq!(status, "True", "{message}");
    world.wait("the object and its role are gone", || {
        let gone = world.object("segment-import").is_null() && world.iam.role("marketing.segment-import").is_none();
        gone.then_some(())
    });
    assert!(world.iam.role("marketing.other").is_some(), "the other one stays");
}

fn attach_admin(world: &World) {
    world.iam.tamper("marketing.segment-import", |role| {
        role.attached.insert(ADMIN.to_owned());
    });
}
