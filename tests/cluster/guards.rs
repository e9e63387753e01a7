//! What operators forbid is refused as `PolicyNotAllowed`, and nothing is sent to IAM.

use serde_json::json;
use test_support::iam::RoleBuilder;

use crate::world::{ADMIN, GUIDE_TRUST, S3_READ_ONLY, World};

fn refused(world: &World, name: &str, words: &[&str]) {
    let message = world.wait_ready(name, "False", "PolicyNotAllowed");
    for word in words {
        assert!(message.contains(word), "{message}");
    }
    assert_eq!(world.condition(name, "Stalled").unwrap().0, "True");
    world.wait_event(name, "PolicyNotAllowed");
    assert_eq!(world.actions(), Vec::<String>::new());
}

#[test]
fn by_default_only_the_policy_of_the_guide_may_be_attached() {
    let world = World::with("guard-default", &[], &[("PIR_ALLOWED_POLICY_ARNS", "")]);
    world.apply("segments", &json!({"managedPolicyArns": [ADMIN]})).unwrap();
    refused(
        &world,
        "segments",
        &[ADMIN, "AmazonS3ReadOnlyAccess", "--allowed-policy-arns"],
    );
    world.patch("segments", &json!({"managedPolicyArns": null}));
    world.wait_reconciled("segments");
}

#[test]
fn patterns_say_which_policies_may_be_attached() {
    let world = World::with(
        "guard-patterns",
        &["--allowed-policy-arns=arn:aws:iam::aws:policy/AmazonS3*,arn:aws:iam::aws:policy/?dmin"],
        &[],
    );
    world
        .apply("segments", &json!({"managedPolicyArns": [ADMIN, S3_READ_ONLY]}))
        .unwrap();
    refused(&world, "segments", &[ADMIN]);
    world.patch("segments", &json!({"managedPolicyArns": [S3_READ_ONLY]}));
    world.wait_reconciled("segments");
}

#[test]
fn a_forced_boundary_is_on_every_role() {
    let world = World::with("guard-boundary", &["--permissions-boundary", S3_READ_ONLY], &[]);
    world.apply("other", &json!({"permissionsBoundary": ADMIN})).unwrap();
    refused(&world, "other", &[S3_READ_ONLY]);
    world.apply("plain", &json!({})).unwrap();
    world
        .apply("same", &json!({"permissionsBoundary": S3_READ_ONLY}))
        .unwrap();
    for name in ["plain", "same"] {
        world.wait_reconciled(name);
        assert_eq!(
            world.role(name).unwrap().permissions_boundary.as_deref(),
            Some(S3_READ_ONLY)
        );
    }
}

#[test]
fn names_begin_with_the_prefix() {
    let world = World::with("guard-prefix", &["--role-name-prefix=pinpoint-"], &[]);
    world.apply("plain", &json!({})).unwrap();
    refused(&world, "plain", &["pinpoint-", "spec.roleName"]);
    world.apply("named", &json!({"roleName": "pinpoint-segments"})).unwrap();
    world.wait_reconciled("named");
}

#[test]
fn adoption_can_be_kept_to_some_namespaces_or_forbidden() {
    for (name, flag) in [
        ("guard-adopt", "--adoption-namespaces=platform-*"),
        ("guard-none", "--adoption-namespaces="),
    ] {
        let world = World::with(name, &[flag], &[]);
        let role = world.iam.put_role(RoleBuilder::new("ByHand").trust_policy(GUIDE_TRUST));
        world
            .apply("segments", &json!({"roleName": "ByHand", "adoptionPolicy": "Adopt"}))
            .unwrap();
        refused(&world, "segments", &["--adoption-namespaces"]);
        assert_eq!(world.iam.role("ByHand").unwrap(), role);
    }
}

#[test]
fn a_selector_leaves_other_objects_to_other_controllers() {
    let world = World::with("guard-selector", &["--selector=shard=a"], &[]);
    world.wait_healthy();
    world.apply("other", &json!({})).unwrap();
    world.apply("ours", &json!({})).unwrap();
    world.kubectl(&["label", "pir", "ours", "shard=a"]).unwrap();
    world.wait_reconciled("ours");
    assert!(world.status("other")["conditions"].is_null(), "nobody has looked at it");
}

#[test]
fn several_namespaces_can_be_watched() {
    let mut world = World::without_controller("several");
    let second = format!("{}-2", world.namespace);
    world.plane().run(&["create", "namespace", &second]).unwrap();
    world.add_args(&["--namespaces", &second]);
    world.start();
    world.wait_healthy();
    world.apply("one", &json!({})).unwrap();
    world.wait_reconciled("one");
    let manifest =
        "{apiVersion: pinpoint-import.dev/v1alpha1, kind: PinpointImportRole, metadata: {name: two}, spec: {}}";
    world
        .plane()
        .feed(&["apply", "-n", &second, "-f", "-"], manifest)
        .unwrap();
    world
        .plane()
        .run(&[
            "wait",
            "-n",
            &second,
            "--for=condition=Ready",
            "pir/two",
            "--timeout=60s",
        ])
        .unwrap();
}

#[test]
fn metrics_tell_what_was_done_without_naming_anybody() {
    let world = World::in_place("metrics", &json!({}));
    world.iam.tamper(&world.role_name("segments"), |role| {
        role.attached.insert(ADMIN.to_owned());
    });
    world.look("segments");
    world.wait_event("segments", "DriftRepaired");
    let (status, text) = world.metrics().unwrap();
    assert_eq!(status, 200);
    // The gauges tell of the object as the watch shows it, a moment later.
    world.wait("the gauge", || {
        let (_, text) = world.metrics()?;
        text.contains("pir_objects{reason=\"Reconciled\"} 1").then_some(())
    });
    for line in [
        "pir_passes_total{outcome=\"created\"} 1",
        "pir_passes_total{outcome=\"repaired\"} 1",
        "pir_iam_calls_total{action=\"CreateRole\",result=\"ok\"} 1",
        "pir_drifts_total{field=\"managedPolicyArns\"} 1",
        "pir_leading 1",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let age = text
        .lines()
        .find_map(|line| line.strip_prefix("pir_oldest_look_age_seconds "));
    assert!(age.unwrap().parse::<f64>().unwrap() > 0.0, "{text}");
    assert!(!text.contains(&world.namespace) && !text.contains("segments"), "{text}");
}
