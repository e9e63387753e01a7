//! `deploy/iam-policy.json`: the controller can do all its work with it, and whoever steals its session can do little beside.
//! `cargo test --test cluster rights -- --nocapture` prints the tables.

use std::fs;

use serde_json::json;
use test_support::{
    iam::{Call, RoleBuilder},
    policy::{Decision, Policy, Request},
};

use crate::world::{ADMIN, GUIDE_TRUST, S3_READ_ONLY, WIDE_TRUST, World};

const ACCOUNT: &str = "123456789012";
const BOUNDARY: &str = "arn:aws:iam::123456789012:policy/pinpoint-import-boundary";
const OTHER_BOUNDARY: &str = "arn:aws:iam::123456789012:policy/wide";
const PATH: &str = "/pinpoint-import/";
const CLUSTER: &str = "pinpoint-import.dev/cluster";
const UID: &str = "pinpoint-import.dev/uid";
const THEIRS: &str = "arn:aws:iam::222233334444:role/pinpoint-import-role-controller";
const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/1";

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
    world.delete("segments");
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
    // Where a role of the name is there already, IAM may judge `CreateRole` by that one: the look that follows tells whose it is.
    let is_met = |call: &Call| call.action == "CreateRole" && call.role() == Some("Foreign");
    let denied: Vec<_> = world
        .calls()
        .into_iter()
        .filter(|call| call.outcome == "AccessDenied" && !is_met(call))
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

/// Parameters of a call.
type Params = &'static [(&'static str, &'static str)];

/// What somebody tries who has stolen the controller's AWS session: what it is, the action, the role, and the other parameters. `own` is a
/// role that an object has.
// A row is a line.
#[rustfmt::skip]
const ATTEMPTS: &[(&str, &str, &str, Params)] = &[
    ("make a role without the boundary", "CreateRole", "New", &[NEW_PATH, TRUST, BY_CLUSTER, TO_US, BY_UID, UID_1]),
    ("make a role with another boundary", "CreateRole", "New", &[NEW_PATH, TRUST, BOUND_WIDE, BY_CLUSTER, TO_US, BY_UID, UID_1]),
    ("make a role outside the path", "CreateRole", "New", &[ROOT, TRUST, BOUND, BY_CLUSTER, TO_US, BY_UID, UID_1]),
    ("make a role for another cluster", "CreateRole", "New", &[NEW_PATH, TRUST, BOUND, BY_CLUSTER, TO_ANOTHER, BY_UID, UID_1]),
    ("attach another policy to an own role", "AttachRolePolicy", "own", &[POLICY_ADMIN]),
    ("attach the allowed policy to a foreign role", "AttachRolePolicy", "Admin", &[POLICY_S3]),
    ("attach to an own role that lost its boundary", "AttachRolePolicy", "Loose", &[POLICY_S3]),
    ("write an inline policy to an own role that lost its boundary", "PutRolePolicy", "Loose", &[POLICY_NAME, DOCUMENT]),
    ("open an administrator's role", "UpdateAssumeRolePolicy", "Admin", &[DOCUMENT]),
    ("open an unowned role in the path", "UpdateAssumeRolePolicy", "InPath", &[DOCUMENT]),
    ("open another cluster's role", "UpdateAssumeRolePolicy", "OtherCluster", &[DOCUMENT]),
    ("delete a foreign role", "DeleteRole", "Admin", &[]),
    ("detach a foreign role's policy", "DetachRolePolicy", "Admin", &[POLICY_ADMIN]),
    ("claim a role outside the path", "TagRole", "Admin", &[BY_CLUSTER, TO_US, BY_UID, UID_1]),
    ("claim another cluster's role", "TagRole", "OtherCluster", &[BY_CLUSTER, TO_US, BY_UID, UID_1]),
    ("give an own role another owner", "TagRole", "own", &[("Tags.member.1.Key", UID), ("Tags.member.1.Value", "1")]),
    ("give an own role to another cluster", "TagRole", "own", &[BY_CLUSTER, TO_ANOTHER]),
    ("take the tags off another cluster's role", "UntagRole", "OtherCluster", &[("TagKeys.member.1", UID)]),
    ("set another boundary", "PutRolePermissionsBoundary", "own", &[BOUND_WIDE]),
    ("take the boundary off", "DeleteRolePermissionsBoundary", "own", &[]),
    ("write a policy", "CreatePolicy", "", &[POLICY_NAME, DOCUMENT]),
    ("list all roles", "ListRoles", "", &[]),
    ("read the whole account", "GetAccountAuthorizationDetails", "", &[]),
];

// The words of that table.
const NEW_PATH: (&str, &str) = ("Path", PATH);
const ROOT: (&str, &str) = ("Path", "/");
const TRUST: (&str, &str) = ("AssumeRolePolicyDocument", GUIDE_TRUST);
const BOUND: (&str, &str) = ("PermissionsBoundary", BOUNDARY);
const BOUND_WIDE: (&str, &str) = ("PermissionsBoundary", OTHER_BOUNDARY);
const BY_CLUSTER: (&str, &str) = ("Tags.member.1.Key", CLUSTER);
const TO_US: (&str, &str) = ("Tags.member.1.Value", "CLUSTER_ID");
const TO_ANOTHER: (&str, &str) = ("Tags.member.1.Value", "another");
const BY_UID: (&str, &str) = ("Tags.member.2.Key", UID);
const UID_1: (&str, &str) = ("Tags.member.2.Value", "1");
const POLICY_ADMIN: (&str, &str) = ("PolicyArn", ADMIN);
const POLICY_S3: (&str, &str) = ("PolicyArn", S3_READ_ONLY);
const POLICY_NAME: (&str, &str) = ("PolicyName", "x");
const DOCUMENT: (&str, &str) = ("PolicyDocument", WIDE_TRUST);

/// Actions that the fake has no call for.
const NEVER: &[&str] = &[
    "iam:PassRole",
    "iam:CreateUser",
    "iam:CreateAccessKey",
    "iam:CreatePolicyVersion",
    "sts:AssumeRole",
    "s3:GetObject",
];

#[test]
fn a_stolen_session_is_denied_everything_else() {
    let mut world = limited("aws-stolen");
    world.apply("segments", &json!({})).unwrap();
    world.wait_reconciled("segments");
    world.kill();
    let own = world.role_name("segments");
    let in_path = |name: &str| RoleBuilder::new(name).path(PATH);
    for role in [
        RoleBuilder::new("Admin").attached(ADMIN),
        in_path("InPath").attached(ADMIN),
        in_path("OtherCluster")
            .permissions_boundary(BOUNDARY)
            .tag(CLUSTER, "another")
            .tag(UID, "1"),
        in_path("Loose").tag(CLUSTER, "CLUSTER_ID").tag(UID, "2"),
    ] {
        world.iam.put_role(role);
    }
    let before = world.iam.roles();
    println!("| tried with the controller's AWS session | call | answer |\n| --- | --- | --- |");
    for (what, action, role, more) in ATTEMPTS {
        let role = if *role == "own" { own.as_str() } else { role };
        let params = [&[("RoleName", role)][..], more].concat();
        let params = if role.is_empty() { more } else { &params[..] };
        let answer = world.try_iam(action, params);
        assert!(answer.contains("AccessDenied"), "{what}: {answer}");
        let how = if answer.contains("explicit deny") {
            "denied by a statement"
        } else {
            "not allowed"
        };
        println!("| {what} | {action} | {how} |");
    }
    assert_eq!(world.iam.roles(), before);

    let policy = Policy::parse(&document("iam-policy.json"));
    for action in NEVER {
        let role = format!("arn:aws:iam::{ACCOUNT}:role{PATH}{own}");
        assert_eq!(decide(&policy, action, &role), Decision::NotAllowed, "{action}");
    }
}

/// The verdict of a policy upon a request that S3 makes for somebody, or somebody himself.
fn decide(policy: &Policy, action: &str, resource: &str) -> Decision {
    policy.decide(&Request {
        action: action.to_owned(),
        resource: resource.to_owned(),
        context: [(
            "kms:viaservice".to_owned(),
            vec!["s3.us-east-1.amazonaws.com".to_owned()],
        )]
        .into(),
    })
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
    let boundary = Policy::parse(&document("iam-boundary.json"));
    let object = "arn:aws:s3:::a/b";
    let role = "arn:aws:iam::222233334444:role/Admin";
    let verdicts = [
        // The way into an account, and no other.
        (&assume, "sts:AssumeRole", THEIRS, Decision::Allowed),
        (&assume, "sts:AssumeRole", role, Decision::NotAllowed),
        // Under the boundary a role reads S3 and decrypts, whatever is attached to it.
        (&boundary, "s3:GetObject", object, Decision::Allowed),
        (&boundary, "s3:ListBucket", "arn:aws:s3:::a", Decision::Allowed),
        (&boundary, "kms:Decrypt", KEY, Decision::Allowed),
        (&boundary, "s3:PutObject", object, Decision::NotAllowed),
        (&boundary, "s3:DeleteObject", object, Decision::NotAllowed),
        (&boundary, "iam:PassRole", role, Decision::NotAllowed),
        (&boundary, "sts:AssumeRole", role, Decision::NotAllowed),
        (&boundary, "kms:Encrypt", KEY, Decision::NotAllowed),
    ];
    for (policy, action, resource, verdict) in verdicts {
        assert_eq!(decide(policy, action, resource), verdict, "{action} on {resource}");
    }

    let service_account = "pinpoint-import-system";
    for file in ["iam-trust-irsa.json", "iam-trust-pod-identity.json"] {
        assert!(document(file).contains(service_account), "{file}");
    }
    assert!(document("iam-trust-account.json").contains("sts:ExternalId"));
}
