//! `spec: {}` is the role of the AWS guide, at the price that is promised (contract, section 6).

use std::collections::BTreeSet;

use serde_json::json;

use crate::world::{GUIDE_TRUST, S3_READ_ONLY, World, plane};

#[test]
fn an_empty_spec_becomes_the_role_of_the_guide() {
    let world = World::new("guide");
    world.wait_healthy();
    world.apply("segments", &json!({})).unwrap();
    world.wait_reconciled("segments");

    let role = world.role("segments").expect("the role exists");
    assert_eq!(role.trust_policy, GUIDE_TRUST);
    assert_eq!(role.path, "/");
    assert_eq!(role.attached, BTreeSet::from([S3_READ_ONLY.to_owned()]));
    assert!(role.inline.is_empty() && role.permissions_boundary.is_none());
    let object = world.object("segments");
    let cluster = world.cluster();
    for (key, value) in [
        ("cluster", cluster.as_str()),
        ("namespace", world.namespace.as_str()),
        ("name", "segments"),
        ("uid", object["metadata"]["uid"].as_str().unwrap()),
    ] {
        assert_eq!(
            role.tags.get(&format!("pinpoint-import.dev/{key}")).map(String::as_str),
            Some(value),
            "{key}"
        );
    }
    assert!(
        role.description
            .unwrap()
            .contains(&format!("{}/segments", world.namespace))
    );

    let status = &object["status"];
    assert_eq!(status["roleId"], role.id.as_str());
    assert_eq!(status["roleArn"], role.arn.as_str());
    assert_eq!(status["accountId"], "123456789012");
    assert_eq!(status["observedGeneration"], 1);
    assert_eq!(
        object["metadata"]["finalizers"],
        json!(["pinpoint-import.dev/iam-role"])
    );
    assert!(world.wait_event("segments", "RoleCreated").contains(&role.arn));
    let shown = world.kubectl(&["get", "pir", "segments"]).unwrap();
    assert!(shown.contains("Reconciled") && shown.contains(&role.name), "{shown}");
    world
        .kubectl(&["wait", "--for=condition=Ready", "pir/segments", "--timeout=10s"])
        .unwrap();
}

#[test]
fn creation_takes_three_iam_calls_and_two_writes_to_the_object() {
    let world = World::new("price");
    world.wait_healthy();
    world.iam.clear_calls();
    // The API server's own version of the object counts its writes: each one leaves an entry of ours with its time and operation.
    world.apply("segments", &json!({})).unwrap();
    world.wait_reconciled("segments");
    assert_eq!(world.actions(), ["CreateRole", "AttachRolePolicy"]);

    assert_eq!(
        world.versions_of("segments").len(),
        1 + 2,
        "the object as it was made, finalizer, status"
    );
}

#[test]
fn at_rest_a_pass_reads_three_times_and_nothing_is_written() {
    let world = World::new("rest");
    world.apply("segments", &json!({})).unwrap();
    world.wait_reconciled("segments");
    world.look("segments");
    let events = world.events("segments");
    let version = world.version("segments");
    world.iam.clear_calls();

    // Two further passes, each by a restart, which changes nothing of the object.
    let mut world = world;
    for _ in 0..2 {
        world.iam.clear_calls();
        world.kill_and_restart();
        world.wait("a pass", || (world.actions().len() >= 3).then_some(()));
        world.wait_healthy();
        assert_eq!(
            world.actions(),
            ["GetRole", "ListAttachedRolePolicies", "ListRolePolicies"]
        );
    }
    assert_eq!(world.version("segments"), version, "the object was written");
    assert_eq!(world.events("segments"), events, "an event was made");

    // Labels and annotations of others are no reason to look.
    world.iam.clear_calls();
    world.kubectl(&["label", "pir", "segments", "team=a"]).unwrap();
    world.kubectl(&["annotate", "pir", "segments", "note=b"]).unwrap();
    world.apply("other", &json!({})).unwrap();
    world.wait_reconciled("other");
    let about_segments = world
        .calls()
        .into_iter()
        .filter(|call| call.role() == Some(&world.role_name("segments")))
        .count();
    assert_eq!(about_segments, 0);
}

#[test]
fn two_hundred_objects_become_ready_at_two_calls_each() {
    let world = World::with("many", &["--iam-calls-per-second=1000", "--iam-burst=1000"], &[]);
    world.wait_healthy();
    world.iam.clear_calls();
    let objects: Vec<String> = (0..200)
        .map(|n| {
            format!(
                "apiVersion: pinpoint-import.dev/v1alpha1\nkind: PinpointImportRole\nmetadata: {{name: r{n}, namespace: {}}}\nspec: {{}}\n",
                world.namespace
            )
        })
        .collect();
    plane().apply(&objects.join("---\n")).unwrap();
    world
        .kubectl(&["wait", "--for=condition=Ready", "pir", "--all", "--timeout=90s"])
        .unwrap_or_else(|error| panic!("{error}\n{}", world.log()));
    assert_eq!(world.iam.roles().len(), 200);
    assert_eq!(world.calls().len(), 400);
}
