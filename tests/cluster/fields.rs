//! Every field of the spec, set, changed and unset: what is declared is enforced, what is left out stays as it is in AWS.

use serde_json::{Value, json};

use crate::world::{ADMIN, S3_READ_ONLY, World};

const BOUNDARY: &str = "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess";
const OTHER_BOUNDARY: &str = "arn:aws:iam::aws:policy/AmazonRDSReadOnlyAccess";

/// Applies a spec and returns the writes that it took.
fn apply(world: &World, spec: &Value) -> Vec<String> {
    world.iam.clear_calls();
    world.apply("segments", spec).unwrap();
    world.wait_reconciled("segments");
    world.writes()
}

const NONE: [&str; 0] = [];

#[test]
fn description_and_session_length() {
    let world = World::in_place(
        "description",
        &json!({"description": "first", "maxSessionDuration": 7200}),
    );
    let role = || {
        let role = world.role("segments").unwrap();
        (role.description.unwrap_or_default(), role.max_session_duration)
    };
    assert_eq!(role(), ("first".to_owned(), 7200));
    assert_eq!(
        apply(&world, &json!({"description": "second", "maxSessionDuration": 7200})),
        ["UpdateRole"]
    );
    assert_eq!(role(), ("second".to_owned(), 7200));
    assert_eq!(
        apply(&world, &json!({"description": "second", "maxSessionDuration": 3600})),
        ["UpdateRole"]
    );
    assert_eq!(role(), ("second".to_owned(), 3600));
    // Left out, they stay, whoever sets them.
    assert_eq!(apply(&world, &json!({})), NONE);
    world.iam.tamper(&world.role_name("segments"), |role| {
        role.description = Some("by others".to_owned());
        role.max_session_duration = 4000;
    });
    world.look("segments");
    assert_eq!(role(), ("by others".to_owned(), 4000));
    // One that is set does not unset the other.
    assert_eq!(apply(&world, &json!({"maxSessionDuration": 5000})), ["UpdateRole"]);
    assert_eq!(role(), ("by others".to_owned(), 5000));
    assert_eq!(apply(&world, &json!({"description": ""})), ["UpdateRole"]);
    assert_eq!(role(), (String::new(), 5000));
}

#[test]
fn permissions_boundary() {
    let world = World::in_place("boundary", &json!({"permissionsBoundary": BOUNDARY}));
    let boundary = || world.role("segments").unwrap().permissions_boundary.unwrap_or_default();
    assert_eq!(boundary(), BOUNDARY);
    assert_eq!(
        apply(&world, &json!({"permissionsBoundary": OTHER_BOUNDARY})),
        ["PutRolePermissionsBoundary"]
    );
    assert_eq!(boundary(), OTHER_BOUNDARY);
    assert_eq!(apply(&world, &json!({})), NONE, "unset never removes a boundary");
    assert_eq!(boundary(), OTHER_BOUNDARY);

    // A boundary that does not exist is the spec's to mend.
    world
        .apply(
            "segments",
            &json!({"permissionsBoundary": "arn:aws:iam::123456789012:policy/none"}),
        )
        .unwrap();
    let message = world.wait_ready("segments", "False", "InvalidSpec");
    assert!(message.contains("policy/none"), "{message}");
}

#[test]
fn tags() {
    let world = World::in_place("tags", &json!({"tags": {"team": "a", "cost": "1"}}));
    let tag = |key: &str| world.role("segments").unwrap().tags.get(key).cloned();
    world.iam.tamper(&world.role_name("segments"), |role| {
        role.tags.insert("theirs".to_owned(), "x".to_owned());
    });
    assert_eq!(apply(&world, &json!({"tags": {"team": "b", "cost": "1"}})), ["TagRole"]);
    assert_eq!(tag("team").as_deref(), Some("b"));
    assert_eq!(world.status("segments")["tagKeys"], json!(["cost", "team"]));
    assert_eq!(apply(&world, &json!({"tags": {"team": "b"}})), ["UntagRole"]);
    assert_eq!((tag("cost"), tag("theirs").as_deref()), (None, Some("x")));
    assert_eq!(world.status("segments")["tagKeys"], json!(["team"]));
    assert_eq!(apply(&world, &json!({})), ["UntagRole"]);
    assert_eq!((tag("team"), tag("theirs").as_deref()), (None, Some("x")));
    assert_eq!(
        world.role("segments").unwrap().tags.len(),
        5,
        "four of ownership, one of theirs"
    );
}

#[test]
fn trust() {
    let id = "0123456789abcdef0123456789abcdef";
    let app = |region: &str| json!({"trust": {"applications": [{"region": region, "id": id}]}});
    let world = World::in_place("trust", &app("us-east-1"));
    let trust = || -> Value { serde_json::from_str(&world.role("segments").unwrap().trust_policy).unwrap() };
    let condition = |region: &str, account: &str| {
        json!({
            "ArnLike": {"aws:SourceArn": [format!("arn:aws:mobiletargeting:{region}:123456789012:apps/{id}")]},
            "StringEquals": {"aws:SourceAccount": account},
        })
    };
    assert_eq!(
        trust()["Statement"][0]["Condition"],
        condition("us-east-1", "123456789012")
    );
    assert_eq!(apply(&world, &app("eu-west-1")), ["UpdateAssumeRolePolicy"]);
    assert_eq!(
        trust()["Statement"][0]["Condition"],
        condition("eu-west-1", "123456789012")
    );

    let only_account = json!({"trust": {"sourceAccount": "210987654321"}});
    assert_eq!(apply(&world, &only_account), ["UpdateAssumeRolePolicy"]);
    assert_eq!(
        trust()["Statement"][0]["Condition"],
        json!({"StringEquals": {"aws:SourceAccount": "210987654321"}})
    );
    assert_eq!(apply(&world, &json!({})), ["UpdateAssumeRolePolicy"]);
    assert_eq!(trust()["Statement"][0]["Condition"], Value::Null);
}

#[test]
fn managed_policies() {
    let world = World::in_place("managed", &json!({}));
    let attached = || world.role("segments").unwrap().attached;
    let two = json!({"managedPolicyArns": [S3_READ_ONLY, BOUNDARY]});
    assert_eq!(apply(&world, &two), ["AttachRolePolicy"]);
    assert_eq!(attached(), [S3_READ_ONLY.to_owned(), BOUNDARY.to_owned()].into());
    assert_eq!(
        apply(&world, &json!({"managedPolicyArns": [BOUNDARY]})),
        ["DetachRolePolicy"]
    );
    assert_eq!(apply(&world, &json!({"managedPolicyArns": []})), ["DetachRolePolicy"]);
    assert_eq!(attached(), [].into());
    assert_eq!(apply(&world, &json!({})), ["AttachRolePolicy"]);
    assert_eq!(attached(), [S3_READ_ONLY.to_owned()].into());

    world
        .apply(
            "segments",
            &json!({"managedPolicyArns": ["arn:aws:iam::aws:policy/NoSuchPolicy"]}),
        )
        .unwrap();
    let message = world.wait_ready("segments", "False", "InvalidSpec");
    assert!(message.contains("NoSuchPolicy"), "{message}");
}

#[test]
fn buckets() {
    let world = World::in_place("buckets", &json!({}));
    let role = || world.role("segments").unwrap();
    let bucket = json!({"buckets": [{"name": "segments", "prefix": "a*${b}/"}]});
    assert_eq!(apply(&world, &bucket), ["DetachRolePolicy", "PutRolePolicy"]);
    let policy = role().inline["PinpointImportBuckets"].clone();
    assert!(policy.contains("arn:aws:s3:::segments/a${*}${$}{b}/*"), "{policy}");
    assert_eq!(role().attached, [].into());

    // A pass at rest reads the policy too, and writes nothing.
    world.iam.clear_calls();
    world.look("segments");
    assert_eq!(
        world.actions(),
        [
            "GetRole",
            "ListAttachedRolePolicies",
            "ListRolePolicies",
            "GetRolePolicy"
        ]
    );

    world.iam.tamper(&role().name, |role| {
        let wide = policy.replace("a${*}${$}{b}/*", "*");
        role.inline.insert("PinpointImportBuckets".to_owned(), wide);
    });
    World::pass_settle_time();
    world.iam.clear_calls();
    world.look("segments");
    world.wait_reconciled("segments");
    assert_eq!(world.writes(), ["PutRolePolicy"]);
    assert_eq!(role().inline["PinpointImportBuckets"], policy);
    assert!(
        world
            .wait_event("segments", "DriftDetected")
            .contains("arn:aws:s3:::segments/*")
    );

    let with_key = json!({"buckets": [{"name": "segments", "kmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/k"}]});
    assert_eq!(apply(&world, &with_key), ["PutRolePolicy"]);
    assert!(role().inline["PinpointImportBuckets"].contains("kms:Decrypt"));
    assert_eq!(apply(&world, &json!({})), ["DeleteRolePolicy", "AttachRolePolicy"]);
    assert!(role().inline.is_empty());
}

#[test]
fn undeclared_policies() {
    let world = World::in_place("undeclared", &json!({"undeclaredPolicies": "Keep"}));
    let document = r#"{"Version":"2012-10-17","Statement":[]}"#;
    world.iam.tamper(&world.role_name("segments"), |role| {
        role.attached.insert(ADMIN.to_owned());
        role.inline.insert("theirs".to_owned(), document.to_owned());
    });
    world.look("segments");
    assert_eq!(world.writes(), NONE);
    assert_eq!(
        apply(&world, &json!({"undeclaredPolicies": "Remove"})),
        ["DetachRolePolicy", "DeleteRolePolicy"]
    );
    let role = world.role("segments").unwrap();
    assert_eq!(
        (role.attached, role.inline),
        ([S3_READ_ONLY.to_owned()].into(), [].into())
    );
}

#[test]
fn suspend() {
    let world = World::in_place("suspend", &json!({}));
    world.iam.clear_calls();
    world
        .apply("segments", &json!({"suspend": true, "maxSessionDuration": 7200}))
        .unwrap();
    world.wait("suspension", || world.condition("segments", "Suspended"));
    let object = world.object("segments");
    assert_eq!(object["status"]["observedGeneration"], object["metadata"]["generation"]);
    world.iam.tamper(&world.role_name("segments"), |role| {
        role.attached.insert(ADMIN.to_owned());
    });
    world
        .kubectl(&[
            "annotate",
            "pir",
            "segments",
            "pinpoint-import.dev/reconcile-requested-at=now",
        ])
        .unwrap();
    World::pass_settle_time();
    assert_eq!(world.actions(), NONE);
    world
        .apply("segments", &json!({"suspend": false, "maxSessionDuration": 7200}))
        .unwrap();
    world.wait_reconciled("segments");
    assert_eq!(world.condition("segments", "Suspended"), None);
    let role = world.role("segments").unwrap();
    assert!(role.max_session_duration == 7200 && !role.attached.contains(ADMIN));
}

#[test]
fn name_and_path() {
    let world = World::with("path", &["--role-path=/pinpoint/"], &[]);
    world
        .apply("segments", &json!({"roleName": "Named", "path": "/own/"}))
        .unwrap();
    world.wait_reconciled("segments");
    assert_eq!(world.iam.role("Named").unwrap().path, "/own/");
    world.apply("plain", &json!({})).unwrap();
    world.wait_reconciled("plain");
    let role = world.role("plain").unwrap();
    assert_eq!(role.path, "/pinpoint/");
    assert_eq!(
        role.arn,
        format!("arn:aws:iam::123456789012:role/pinpoint/{}", role.name)
    );
}

#[test]
fn account() {
    let world = World::new("account");
    world.apply("ours", &json!({"accountId": "123456789012"})).unwrap();
    world.wait_reconciled("ours");
    world.iam.clear_calls();
    world.apply("theirs", &json!({"accountId": "210987654321"})).unwrap();
    let message = world.wait_ready("theirs", "False", "PolicyNotAllowed");
    assert!(
        message.contains("210987654321") && message.contains("123456789012"),
        "{message}"
    );
    assert_eq!(world.actions(), NONE);
    world.delete_and_wait("theirs");
    assert_eq!(world.actions(), NONE);
}

#[test]
fn arns_are_of_the_partition_of_the_account() {
    let world = World::in_partition("china", "aws-cn", "cn-north-1");
    let spec = json!({"trust": {"applications": [{"region": "cn-north-1", "id": "0123456789abcdef0123456789abcdef"}]}});
    world.apply("segments", &spec).unwrap();
    world.wait_reconciled("segments");
    let role = world.role("segments").unwrap();
    assert_eq!(
        role.attached,
        ["arn:aws-cn:iam::aws:policy/AmazonS3ReadOnlyAccess".to_owned()].into()
    );
    assert!(
        role.trust_policy
            .contains("arn:aws-cn:mobiletargeting:cn-north-1:123456789012:apps/"),
        "{}",
        role.trust_policy
    );
}
