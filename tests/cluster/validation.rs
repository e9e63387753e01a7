//! What can't be a role is refused at `kubectl apply`, with a message that says what to write instead; nothing reaches IAM.

use pinpoint_import_role_controller::api::v1alpha1::PinpointImportRoleSpec;
use serde_json::{Value, json};

use crate::world::World;

/// Specs that the API server refuses, and words of its answer.
pub fn refused() -> Vec<(Value, &'static str)> {
    let key = "k".repeat(129);
    let long_name = "n".repeat(65);
    let arn = |n: usize| format!("arn:aws:iam::aws:policy/P{n}");
    let arns: Vec<String> = (0..21).map(arn).collect();
    let many_tags: serde_json::Map<String, Value> = (0..41).map(|n| (format!("k{n}"), json!("v"))).collect();
    vec![
        (json!({"roleName": ""}), "roleName"),
        (json!({"roleName": "a b"}), "roleName"),
        (json!({"roleName": "a/b"}), "roleName"),
        (json!({"roleName": "rôle"}), "roleName"),
        (json!({"roleName": long_name}), "roleName"),
        (json!({"path": "x"}), "path"),
        (json!({"path": "/x"}), "path"),
        (json!({"path": "/a b/"}), "path"),
        (
            json!({"path": "/aws-service-role/"}),
            "which AWS keeps for its own roles",
        ),
        (
            json!({"path": "/aws-service-role/pinpoint.amazonaws.com/"}),
            "which AWS keeps for its own roles",
        ),
        (json!({"description": "d".repeat(1001)}), "description"),
        (json!({"description": "日本"}), "description"),
        (json!({"maxSessionDuration": 3599}), "maxSessionDuration"),
        (json!({"maxSessionDuration": 43201}), "maxSessionDuration"),
        (json!({"maxSessionDuration": "1h"}), "maxSessionDuration"),
        (
            json!({"permissionsBoundary": "AdministratorAccess"}),
            "permissionsBoundary",
        ),
        (json!({"tags": {"aws:x": "y"}}), "can't begin with aws:"),
        (json!({"tags": {"AWS:x": "y"}}), "can't begin with aws:"),
        (
            json!({"tags": {"pinpoint-import.dev/uid": "y"}}),
            "set by the controller",
        ),
        (
            json!({"tags": {"Team": "a", "team": "b"}}),
            "differ by more than upper and lower case",
        ),
        (json!({"tags": {key: "a"}}), "1 to 128 characters"),
        (json!({"tags": {"a,b": "a"}}), "letters, digits"),
        (json!({"tags": {"a": "v".repeat(257)}}), "spec.tags"),
        (json!({"tags": many_tags}), "spec.tags"),
        (
            json!({"managedPolicyArns": ["AmazonS3ReadOnlyAccess"]}),
            "managedPolicyArns",
        ),
        (
            json!({"managedPolicyArns": ["arn:aws:iam::aws:role/x"]}),
            "managedPolicyArns",
        ),
        (json!({"managedPolicyArns": [arn(1), arn(1)]}), "Duplicate"),
        (json!({"managedPolicyArns": arns}), "managedPolicyArns"),
        (
            json!({"trust": {"applications": [{"region": "us-east-1", "id": "abc"}]}}),
            "applications[0].id",
        ),
        (
            json!({"trust": {"applications": [{"region": "us-east-1", "id": "*".repeat(32)}]}}),
            "applications[0].id",
        ),
        (
            json!({"trust": {"applications": [{"region": "us-east-*", "id": "a".repeat(32)}]}}),
            "applications[0].region",
        ),
        (json!({"trust": {"applications": [{"id": "a".repeat(32)}]}}), "region"),
        (json!({"trust": {"sourceAccount": "12345"}}), "sourceAccount"),
        (json!({"buckets": []}), "spec.buckets"),
        (json!({"buckets": [{"name": "Upper"}]}), "buckets[0].name"),
        (json!({"buckets": [{"name": "a*b"}]}), "buckets[0].name"),
        (json!({"buckets": [{"name": "bucket", "prefix": ""}]}), "prefix"),
        (
            json!({"buckets": [{"name": "bucket", "kmsKeyArn": "arn:aws:kms:us-east-1:123456789012:alias/x"}]}),
            "kmsKeyArn",
        ),
        (json!({"undeclaredPolicies": "Ignore"}), "undeclaredPolicies"),
        (json!({"driftPolicy": "repair"}), "driftPolicy"),
        (json!({"adoptionPolicy": "Always"}), "adoptionPolicy"),
        (json!({"deletionPolicy": "Orphan"}), "deletionPolicy"),
        (json!({"accountId": "1234"}), "accountId"),
        (json!({"suspend": "yes"}), "suspend"),
        (json!({"interval": "29s"}), "between 30s and 24h"),
        (json!({"interval": "25h"}), "between 30s and 24h"),
        (json!({"interval": "soon"}), "interval"),
    ]
}

#[test]
fn bad_values_are_refused_by_the_api_server() {
    let world = World::without_controller("refused-values");
    for (spec, words) in refused() {
        let refusal = world.apply("bad", &spec).expect_err(&spec.to_string());
        assert!(refusal.contains(words), "{spec}: {refusal}");
    }
    assert!(
        world
            .apply("bad", &json!({"roleNames": "x"}))
            .unwrap_err()
            .contains("unknown field")
    );
}

#[test]
fn the_controller_takes_the_intervals_that_the_api_server_takes() {
    let world = World::without_controller("intervals");
    let table = [
        ("30s", true),
        ("30000ms", true),
        ("0.5m", true),
        ("1h30m", true),
        ("1m1h1m", true),
        ("24h", true),
        ("23h59m59.999s", true),
        // Regression: so many digits panicked.
        ("0000000000000000000000000030s", true),
        ("29.9999999999s", false),
        ("29.99999999999999999999999999s", true),
        ("24h0.0000000001s", true),
        ("24h0.000000001s", false),
        ("24h1ms", false),
        ("29999ms", false),
        ("0s", false),
        ("9999999999999999999999999999s", false),
        ("99999999999999999999999999999h", false),
        ("9223372036854775807h", false),
        ("9223372036s9223372036s", false),
        ("5", false),
        ("-5m", false),
        ("+5m", false),
        ("5us", false),
        ("300000000000ns", false),
        ("5.m", false),
        (".5h", false),
        ("5 m", false),
        ("5M", false),
        ("1d", false),
    ];
    for (interval, sound) in table {
        let spec = PinpointImportRoleSpec {
            interval: Some(interval.to_owned()),
            ..PinpointImportRoleSpec::default()
        };
        let ours = spec.interval();
        assert_eq!(ours.is_ok(), sound, "{interval}: {ours:?}");
        let theirs = world.apply("interval", &json!({"interval": interval}));
        assert_eq!(theirs.is_ok(), sound, "{interval}: {theirs:?}");
    }
}

#[test]
fn what_is_immutable_can_neither_change_nor_come_nor_go() {
    let world = World::without_controller("immutable");
    for (field, one, other) in [
        ("roleName", "a", "b"),
        ("path", "/a/", "/b/"),
        ("accountId", "111111111111", "222222222222"),
    ] {
        let name = format!("x-{}", field.to_lowercase());
        world.apply(&name, &json!({field: one})).unwrap();
        let refusal = world.apply(&name, &json!({field: other})).unwrap_err();
        assert!(
            refusal.contains(&format!("{field} can't be changed, added or removed")),
            "{refusal}"
        );
        assert!(world.apply(&name, &json!({})).is_err());
        world.apply(&format!("{name}-2"), &json!({})).unwrap();
        assert!(world.apply(&format!("{name}-2"), &json!({field: one})).is_err());
    }
}

#[test]
fn what_only_the_controller_can_know_becomes_a_condition() {
    let world = World::new("invalid");
    let long = format!("n{}", "x".repeat(62));
    world.apply(&long, &json!({})).unwrap();
    let message = world.wait_ready(&long, "False", "InvalidSpec");
    assert!(message.contains("a shorter spec.roleName"), "{message}");
    assert_eq!(world.condition(&long, "Stalled").unwrap().1, "InvalidSpec");
    world.wait_event(&long, "InvalidSpec");
    world.apply("elsewhere", &json!({"accountId": "999999999999"})).unwrap();
    let message = world.wait_ready("elsewhere", "False", "PolicyNotAllowed");
    assert!(
        message.contains("999999999999") && message.contains("123456789012"),
        "{message}"
    );
    assert_eq!(world.calls().len(), 0);
    // Objects that never had a role go at once.
    for name in [long.as_str(), "elsewhere"] {
        world.delete_and_wait(name);
    }
    assert_eq!(world.calls().len(), 0);
}

/// IAM takes 2,048 and 10,240 characters of policy, and none beyond U+00FF.
#[test]
fn documents_that_iam_would_not_take_are_never_sent() {
    let world = World::new("long-documents");
    let application = |n: usize| json!({"region": "ap-southeast-1", "id": format!("{n:032x}")});
    let applications: Vec<Value> = (0..20).map(application).collect();
    world
        .apply("wide", &json!({"trust": {"applications": applications}}))
        .unwrap();
    let message = world.wait_ready("wide", "False", "InvalidSpec");
    assert!(
        message.starts_with("spec.trust.applications: the trust policy would have 2")
            && message.contains("IAM takes 2048"),
        "{message}"
    );
    let bucket = |n: usize| json!({"name": format!("bucket-{n:02}"), "prefix": "p".repeat(200)});
    let buckets: Vec<Value> = (0..20).map(bucket).collect();
    world.apply("long", &json!({"buckets": buckets})).unwrap();
    let message = world.wait_ready("long", "False", "InvalidSpec");
    assert!(
        message.starts_with("spec.buckets: ") && message.contains("IAM takes 10240"),
        "{message}"
    );
    assert_eq!(world.calls().len(), 0);

    world
        .apply("far", &json!({"buckets": [{"name": "my-bucket", "prefix": "セグ/é𝄞"}]}))
        .unwrap();
    world.wait_reconciled("far");
    let policy = world.role("far").unwrap().inline["PinpointImportBuckets"].clone();
    assert!(policy.is_ascii() && policy.contains(r"\u30bb\u30b0/"), "{policy}");
    World::pass_settle_time();
    world.iam.clear_calls();
    world.look("far");
    assert_eq!(
        world.writes(),
        Vec::<String>::new(),
        "what IAM has means what is declared"
    );
    // The same in other spelling, as somebody's console would save it.
    let role = world.role_name("far");
    world.iam.tamper(&role, |role| {
        let policy = role.inline.get_mut("PinpointImportBuckets").unwrap();
        *policy = serde_json::from_str::<Value>(policy).unwrap().to_string();
    });
    world.look("far");
    assert_eq!(world.writes(), Vec::<String>::new());
}

#[test]
fn an_arn_of_another_partition_is_refused_and_nothing_is_sent() {
    let world = World::in_partition("partition-arns", "aws-cn", "cn-north-1");
    let key = "arn:aws:kms:us-east-1:123456789012:key/k";
    let table = [
        (
            "attached",
            json!({"managedPolicyArns": ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]}),
        ),
        (
            "bounded",
            json!({"permissionsBoundary": "arn:aws-us-gov:iam::123456789012:policy/b"}),
        ),
        ("keyed", json!({"buckets": [{"name": "segments", "kmsKeyArn": key}]})),
    ];
    for (name, spec) in &table {
        world.apply(name, spec).unwrap();
        let message = world.wait_ready(name, "False", "InvalidSpec");
        assert!(
            message.contains("in aws-cn") && message.contains("begins with arn:aws-cn:"),
            "{name}: {message}"
        );
    }
    assert_eq!(world.calls().len(), 0);
}

#[test]
fn an_empty_list_from_before_is_refused_and_changes_nothing() {
    let mut world = World::on_own_plane("empty-buckets");
    let crd = concat!(env!("CARGO_MANIFEST_DIR"), "/crds/pinpointimportroles.yaml");
    let today = std::fs::read_to_string(crd).unwrap();
    let before = today.replace("minItems: 1\n", "minItems: 0\n");
    assert_ne!(before, today);
    world.plane().apply(&before).unwrap();
    world.wait("the CRD to be served", || {
        world.apply("segments", &json!({"buckets": []})).ok()
    });
    let anybody = json!({"trust": {"applications": []}});
    world.apply("anybody", &anybody).unwrap();
    world.plane().apply(&today).unwrap();
    for spec in [json!({"buckets": []}), anybody] {
        world.wait("the schema of today", || world.apply("other", &spec).err());
    }
    world.start();
    for (name, words) in [("segments", "name the buckets"), ("anybody", "name the projects")] {
        let message = world.wait_ready(name, "False", "InvalidSpec");
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(world.calls().len(), 0);
    assert_eq!(world.object("segments")["spec"]["buckets"], json!([]));
}

#[test]
fn kubectl_explains_every_field() {
    let world = World::without_controller("explain");
    let explained = world.kubectl(&["explain", "pir.spec", "--recursive"]).unwrap();
    for field in [
        "roleName",
        "path",
        "managedPolicyArns",
        "trust",
        "applications",
        "sourceAccount",
        "deletionPolicy",
        "buckets",
        "interval",
    ] {
        assert!(explained.contains(field), "{field}: {explained}");
    }
    assert!(
        world
            .kubectl(&["explain", "pir.spec.managedPolicyArns"])
            .unwrap()
            .contains("AmazonS3ReadOnlyAccess")
    );
}
