//! `deploy/iam-policy.json`: the controller can do all its work with it, and whoever steals its session can do little beside.

use std::fs;

use serde_json::json;
use test_support::{
    iam::RoleBuilder,
    policy::{Decision, Policy, Request},
};

use crate::world::{ADMIN, GUIDE_TRUST, S3_READ_ONLY, WIDE_TRUST, World};

const ACCOUNT: &str = "123456789012";
const BOUNDARY: &str = "arn:aws:iam::123456789012:policy/pinpoint-import-boundary";
const OTHER_BOUNDARY: &str = "arn:aws:iam::123456789012:policy/wide";
const PATH: &str = "/pinpoint-import/";
const CLUSTER: &str = "pinpoint-import.dev/cluster";
const UID: &str = "pinpoint-import.dev/uid";

/// A document of `deploy`, for the account of the fake.
fn document(file: &str) -> String {
    let path = format!("{}/deploy/{file}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(path).unwrap().replace("111122223333", ACCOUNT)
}

/// A world whose controller has just the rights of the shipped policy, with the settings that go with it.
fn limited(name: &str) -> World {
    let mut world = World::without_controller(name);
    for policy in ["pinpoint-import-boundary", "wide"] {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
        world.call_iam("CreatePolicy", &[("PolicyName", policy), ("PolicyDocument", document)]);
    }
    world.iam.enforce(Some(&document("iam-policy.json")));
    let flags = [
        "--cluster-id=CLUSTER_ID",
        "--role-path",
        PATH,
        "--permissions-boundary",
        BOUNDARY,
    ];
    world.add_args(&flags);
    world.add_args(&["--allowed-policy-arns", S3_READ_ONLY]);
    world.start();
    world
}

#[test]
fn the_shipped_policy_is_enough_for_all_that_the_controller_does() {
    let world = limited("aws-rights");
    // Create, with everything that can be declared.
    let everything = json!({
        "description": "a", "maxSessionDuration": 7200, "tags": {"team": "a", "cost": "b"}, "permissionsBoundary": BOUNDARY,
        "managedPolicyArns": [S3_READ_ONLY],
        "buckets": [{"name": "my-bucket", "prefix": "a/"}],
        "trust": {"applications": [{"region": "us-east-1", "id": "0123456789abcdef0123456789abcdef"}]},
    });
    world.apply("segments", &everything).unwrap();
    world.wait_reconciled("segments");
    World::pass_settle_time();
    // Change all of it.
    let patch = json!({
        "description": "b", "maxSessionDuration": 3600, "tags": {"team": "b", "cost": null}, "managedPolicyArns": [],
        "buckets": [{"name": "other-bucket"}], "trust": null,
    });
    world.patch("segments", &patch);
    world.wait_reconciled("segments");
    World::pass_settle_time();
    // Repair all that others can do to it.
    let name = world.role_name("segments");
    world.iam.tamper(&name, |role| {
        role.trust_policy = WIDE_TRUST.to_owned();
        role.attached.insert(ADMIN.to_owned());
        role.inline.insert("Backdoor".to_owned(), "{}".to_owned());
        role.permissions_boundary = None;
        role.tags.remove("pinpoint-import.dev/name");
        role.tags.insert("team".to_owned(), "x".to_owned());
    });
    world.look("segments");
    world.wait_reconciled("segments");
    world.wait_event("segments", "DriftRepaired");
    // Adopt.
    let by_hand = RoleBuilder::new("ByHand")
        .path(PATH)
        .trust_policy(GUIDE_TRUST)
        .attached(ADMIN);
    world.iam.put_role(by_hand);
    let adopt = json!({"roleName": "ByHand", "adoptionPolicy": "Adopt", "deletionPolicy": "Retain"});
    world.apply("adopted", &adopt).unwrap();
    world.wait_reconciled("adopted");
    // Find a foreign one.
    world
        .iam
        .put_role(RoleBuilder::new("Foreign").trust_policy(GUIDE_TRUST));
    world.apply("foreign", &json!({"roleName": "Foreign"})).unwrap();
    world.wait_ready("foreign", "False", "RoleNotOwned");
    // One that is in use, so that it can't be deleted until it is free.
    world.iam.enforce(None);
    world.call_iam("CreateInstanceProfile", &[("InstanceProfileName", "p")]);
    world.call_iam(
        "AddRoleToInstanceProfile",
        &[("InstanceProfileName", "p"), ("RoleName", &name)],
    );
    world.iam.enforce(Some(&document("iam-policy.json")));
    // Delete and retain.
    world
        .kubectl(&["delete", "pir", "adopted", "foreign", "--timeout=60s"])
        .unwrap();
    world.kubectl(&["delete", "pir", "segments", "--wait=false"]).unwrap();
    let message = world.wait_ready("segments", "False", "DeletionBlocked");
    assert!(message.contains("instance profile p"), "{message}");
    world.iam.enforce(None);
    world.call_iam(
        "RemoveRoleFromInstanceProfile",
        &[("InstanceProfileName", "p"), ("RoleName", &name)],
    );
    world.iam.enforce(Some(&document("iam-policy.json")));
    world.look_or_gone("segments");
    world.wait_gone("segments");

    let left: Vec<_> = world.iam.roles().into_iter().map(|role| role.name).collect();
    assert_eq!(left, ["ByHand", "Foreign"]);
    let denied: Vec<_> = world
        .calls()
        .into_iter()
        .filter(|call| call.outcome == "AccessDenied")
        .collect();
    assert!(denied.is_empty(), "{denied:#?}");
    // Each call that the controller knows was among them.
    let policy = document("iam-policy.json");
    let made: std::collections::BTreeSet<_> = world.actions().into_iter().collect();
    for right in policy.split('"').filter_map(|text| text.strip_prefix("iam:")) {
        let condition = ["PermissionsBoundary", "PolicyARN"].contains(&right);
        assert!(condition || made.contains(right), "iam:{right} is never used");
    }
}

/// What somebody tries who has stolen the controller's AWS session.
#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn a_stolen_session_is_denied_everything_else() {
    let mut world = limited("aws-stolen");
    world.apply("segments", &json!({})).unwrap();
    world.wait_reconciled("segments");
    world.kill();
    let own = world.role_name("segments");
    let boundary = BOUNDARY;
    world.iam.put_role(RoleBuilder::new("Admin").attached(ADMIN));
    world
        .iam
        .put_role(RoleBuilder::new("InPath").path(PATH).attached(ADMIN));
    let other = RoleBuilder::new("OtherCluster")
        .path(PATH)
        .permissions_boundary(boundary);
    world.iam.put_role(other.tag(CLUSTER, "another").tag(UID, "1"));
    let loose = RoleBuilder::new("Loose")
        .path(PATH)
        .tag(CLUSTER, "CLUSTER_ID")
        .tag(UID, "2");
    world.iam.put_role(loose);
    let tag = |n: usize, key: &str, value: &str| {
        [
            (format!("Tags.member.{n}.Key"), key.to_owned()),
            (format!("Tags.member.{n}.Value"), value.to_owned()),
        ]
    };
    let new = |path: &str, boundary: Option<&str>, cluster: &str| {
        let mut params = vec![
            ("RoleName".to_owned(), "New".to_owned()),
            ("Path".to_owned(), path.to_owned()),
            ("AssumeRolePolicyDocument".to_owned(), GUIDE_TRUST.to_owned()),
        ];
        params.extend(boundary.map(|arn| ("PermissionsBoundary".to_owned(), arn.to_owned())));
        params.extend(tag(1, CLUSTER, cluster));
        params.extend(tag(2, UID, "1"));
        params
    };
    let on = |role: &str, more: &[(&str, &str)]| {
        let mut params = vec![("RoleName".to_owned(), role.to_owned())];
        params.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        params
    };
    let with_tags = |role: &str, tags: &[(&str, &str)]| {
        let mut params = on(role, &[]);
        for (n, (key, value)) in tags.iter().enumerate() {
            params.extend(tag(n + 1, key, value));
        }
        params
    };
    let trust = [("PolicyDocument", WIDE_TRUST)];
    let attempts = [
        (
            "make a role without the boundary",
            "CreateRole",
            new(PATH, None, "CLUSTER_ID"),
        ),
        (
            "make a role with another boundary",
            "CreateRole",
            new(PATH, Some(OTHER_BOUNDARY), "CLUSTER_ID"),
        ),
        (
            "make a role outside the path",
            "CreateRole",
            new("/", Some(boundary), "CLUSTER_ID"),
        ),
        (
            "make a role for another cluster",
            "CreateRole",
            new(PATH, Some(boundary), "another"),
        ),
        (
            "attach another policy to an own role",
            "AttachRolePolicy",
            on(&own, &[("PolicyArn", ADMIN)]),
        ),
        (
            "attach the allowed policy to a foreign role",
            "AttachRolePolicy",
            on("Admin", &[("PolicyArn", S3_READ_ONLY)]),
        ),
        (
            "attach to an own role that lost its boundary",
            "AttachRolePolicy",
            on("Loose", &[("PolicyArn", S3_READ_ONLY)]),
        ),
        (
            "write an inline policy to an own role that lost its boundary",
            "PutRolePolicy",
            on("Loose", &[("PolicyName", "x"), trust[0]]),
        ),
        (
            "open an administrator's role",
            "UpdateAssumeRolePolicy",
            on("Admin", &trust),
        ),
        (
            "open an unowned role in the path",
            "UpdateAssumeRolePolicy",
            on("InPath", &trust),
        ),
        (
            "open another cluster's role",
            "UpdateAssumeRolePolicy",
            on("OtherCluster", &trust),
        ),
        ("delete a foreign role", "DeleteRole", on("Admin", &[])),
        (
            "detach a foreign role's policy",
            "DetachRolePolicy",
            on("Admin", &[("PolicyArn", ADMIN)]),
        ),
        (
            "claim a role outside the path",
            "TagRole",
            with_tags("Admin", &[(CLUSTER, "CLUSTER_ID"), (UID, "1")]),
        ),
        (
            "claim another cluster's role",
            "TagRole",
            with_tags("OtherCluster", &[(CLUSTER, "CLUSTER_ID"), (UID, "1")]),
        ),
        (
            "give an own role another owner",
            "TagRole",
            with_tags(&own, &[(UID, "1")]),
        ),
        (
            "give an own role to another cluster",
            "TagRole",
            with_tags(&own, &[(CLUSTER, "another")]),
        ),
        (
            "take the tags off another cluster's role",
            "UntagRole",
            on("OtherCluster", &[("TagKeys.member.1", UID)]),
        ),
        (
            "set another boundary",
            "PutRolePermissionsBoundary",
            on(&own, &[("PermissionsBoundary", OTHER_BOUNDARY)]),
        ),
        ("take the boundary off", "DeleteRolePermissionsBoundary", on(&own, &[])),
        (
            "write a policy",
            "CreatePolicy",
            on("", &[("PolicyName", "x"), trust[0]]),
        ),
        ("list all roles", "ListRoles", vec![]),
        ("read the whole account", "GetAccountAuthorizationDetails", vec![]),
    ];
    let before = world.iam.roles();
    println!("| tried with the controller's AWS session | call | answer |\n| --- | --- | --- |");
    for (what, action, params) in &attempts {
        let params: Vec<(&str, &str)> = params
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        let answer = world.try_iam(action, &params);
        assert!(answer.contains("AccessDenied"), "{what}: {answer}");
        let how = if answer.contains("explicit deny") {
            "denied by a statement"
        } else {
            "not allowed"
        };
        println!("| {what} | {action} | {how} |");
    }
    assert_eq!(world.iam.roles(), before);

    // What the fake has no call for.
    let policy = Policy::parse(&document("iam-policy.json"));
    for action in [
        "iam:PassRole",
        "iam:CreateUser",
        "iam:CreateAccessKey",
        "iam:CreatePolicyVersion",
        "sts:AssumeRole",
        "s3:GetObject",
    ] {
        let request = Request {
            action: action.to_owned(),
            resource: format!("arn:aws:iam::{ACCOUNT}:role{PATH}{own}"),
            context: [].into(),
        };
        assert_eq!(policy.decide(&request), Decision::NotAllowed, "{action}");
    }
}

/// The other documents say what they should, and nothing is too long for IAM.
#[test]
fn the_other_documents_are_as_narrow() {
    let policy = document("iam-policy.json");
    let written: usize = policy.chars().filter(|c| !c.is_whitespace()).count();
    assert!(
        written <= 6144,
        "IAM takes 6144 characters of a managed policy, without white space: {written}"
    );
    assert!(!policy.contains("PassRole"));

    let assume = Policy::parse(&document("iam-policy-accounts.json"));
    let decide = |policy: &Policy, action: &str, resource: &str| {
        policy.decide(&Request {
            action: action.to_owned(),
            resource: resource.to_owned(),
            context: [(
                "kms:viaservice".to_owned(),
                vec!["s3.us-east-1.amazonaws.com".to_owned()],
            )]
            .into(),
        })
    };
    let theirs = "arn:aws:iam::222233334444:role/pinpoint-import-role-controller";
    assert_eq!(decide(&assume, "sts:AssumeRole", theirs), Decision::Allowed);
    assert_eq!(
        decide(&assume, "sts:AssumeRole", "arn:aws:iam::222233334444:role/Admin"),
        Decision::NotAllowed
    );

    // Under the boundary a role reads S3 and decrypts, whatever is attached to it.
    let boundary = Policy::parse(&document("iam-boundary.json"));
    let key = format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/1");
    for (action, resource) in [
        ("s3:GetObject", "arn:aws:s3:::a/b"),
        ("s3:ListBucket", "arn:aws:s3:::a"),
        ("kms:Decrypt", &key),
    ] {
        assert_eq!(decide(&boundary, action, resource), Decision::Allowed, "{action}");
    }
    for action in [
        "s3:PutObject",
        "s3:DeleteObject",
        "iam:PassRole",
        "sts:AssumeRole",
        "kms:Encrypt",
    ] {
        assert_eq!(decide(&boundary, action, &key), Decision::NotAllowed, "{action}");
    }

    let service_account = "pinpoint-import-system";
    for file in ["iam-trust-irsa.json", "iam-trust-pod-identity.json"] {
        assert!(document(file).contains(service_account), "{file}");
    }
    assert!(document("iam-trust-account.json").contains("sts:ExternalId"));
}
