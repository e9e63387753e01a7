//! Changes that others make are found, told and undone.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use test_support::iam::{Call, RoleState};

use crate::world::{ADMIN, S3_READ_ONLY, Tamper, WIDE_TRUST, World};

#[test]
fn a_widened_trust_policy_and_an_attached_policy_are_undone_and_told() {
    let world = World::in_place("drift", &json!({}));
    world.iam.tamper(&world.role_name("segments"), |role| {
        role.trust_policy = WIDE_TRUST.to_owned();
        role.attached.insert(ADMIN.to_owned());
        role.attached.remove(S3_READ_ONLY);
        role.inline.insert(
            "backdoor".to_owned(),
            r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned(),
        );
    });
    world.look("segments");
    world.wait_reconciled("segments");

    let role = world.role("segments").unwrap();
    assert!(
        role.trust_policy.contains("AllowUserToImportEndpointDefinitions")
            && !role.trust_policy.contains("999999999999")
    );
    assert!(role.attached.contains(S3_READ_ONLY) && !role.attached.contains(ADMIN) && role.inline.is_empty());
    // What is overwritten is in the log whole.
    let log = world.log();
    let line = log
        .lines()
        .find(|line| line.contains("UpdateAssumeRolePolicy role="))
        .expect("an audit line");
    assert!(
        line.split("overwrites=")
            .nth(1)
            .is_some_and(|lost| lost.contains("999999999999")),
        "{line}"
    );
    // What narrows comes before what widens.
    let writes = world.writes();
    assert_eq!(
        writes,
        [
            "DetachRolePolicy",
            "DeleteRolePolicy",
            "UpdateAssumeRolePolicy",
            "AttachRolePolicy"
        ]
    );

    let note = world.wait_event("segments", "DriftDetected");
    for words in [
        "trust policy also allows arn:aws:iam::999999999999:root to sts:AssumeRole",
        "managed policy arn:aws:iam::aws:policy/AdministratorAccess is attached",
        "inline policy backdoor exists",
    ] {
        assert!(note.contains(words), "{note}");
    }
    world.wait_event("segments", "DriftRepaired");
    let drift = world.status("segments")["lastDrift"].take();
    assert!(
        drift["detectedAt"].is_string() && drift["repairedAt"].is_string(),
        "{drift}"
    );
    assert_eq!(drift["differences"].as_array().unwrap().len(), 4, "{drift}");
    assert!(drift["differences"].as_array().unwrap().iter().any(|difference| {
        difference["field"] == "trustPolicy"
            && difference["observed"] == "trust policy also allows arn:aws:iam::999999999999:root to sts:AssumeRole"
            && difference["declared"] == "trust policy allows pinpoint.amazonaws.com to sts:AssumeRole"
    }));
    assert_eq!(world.condition("segments", "Drifted"), None);
}

#[test]
fn a_removed_inline_policy_is_in_the_log_whole_before_it_goes() {
    let world = World::in_place("logged", &json!({}));
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::their-bucket/*"}]}"#;
    world.iam.tamper(&world.role_name("segments"), |role| {
        role.inline.insert("theirs".to_owned(), document.to_owned());
    });
    world.look("segments");
    assert!(world.role("segments").unwrap().inline.is_empty());
    assert!(world.log().contains("arn:aws:s3:::their-bucket/*"), "{}", world.log());
}

#[test]
fn another_text_with_the_same_meaning_is_no_drift() {
    let world = World::in_place("same", &json!({}));
    world.iam.tamper(&world.role_name("segments"), |role| {
        role.trust_policy = r#"{ "Statement": { "Action": ["STS:assumerole"], "Principal": {"Service": ["pinpoint.amazonaws.com"]}, "Effect": "Allow" } }"#.to_owned();
    });
    world.look("segments");
    assert_eq!(world.writes(), Vec::<String>::new());
    assert_eq!(world.status("segments")["lastDrift"], Value::Null);
}

#[test]
fn a_role_deleted_by_hand_comes_back() {
    let world = World::in_place("comeback", &json!({}));
    let before = world.role("segments").unwrap();
    world.iam.remove_role(&before.name);
    world.look("segments");
    world.wait_reconciled("segments");
    let after = world.role("segments").expect("the role is back");
    assert_ne!(after.id, before.id);
    assert_eq!(world.status("segments")["roleId"], after.id.as_str());
    assert!(world.wait_event("segments", "DriftDetected").contains("does not exist"));
    assert!(after.attached.contains(S3_READ_ONLY));
}

#[test]
fn drift_is_found_by_itself_within_the_interval() {
    let world = World::in_place("interval", &json!({"interval": "30s"}));
    world.iam.tamper(&world.role_name("segments"), |role| {
        role.trust_policy = WIDE_TRUST.to_owned();
    });
    world.wait_event("segments", "DriftRepaired");
    assert!(!world.role("segments").unwrap().trust_policy.contains("999999999999"));
}

#[test]
fn a_report_only_object_reports_and_leaves_until_its_next_generation() {
    let world = World::in_place("report", &json!({"driftPolicy": "Report"}));
    world.iam.tamper(&world.role_name("segments"), |role| {
        role.attached.insert(ADMIN.to_owned());
    });
    world.look("segments");
    let message = world.wait_ready("segments", "False", "DriftDetected");
    assert!(message.contains("AdministratorAccess is attached"), "{message}");
    assert_eq!(world.condition("segments", "Drifted").unwrap().0, "True");
    assert_eq!(world.condition("segments", "Stalled").unwrap().0, "True");
    assert_eq!(world.writes(), Vec::<String>::new());
    let (version, events) = (world.version("segments"), world.events("segments"));
    world.kubectl(&["annotate", "pir", "segments", "unrelated=1"]).unwrap();
    assert_ne!(world.version("segments"), version);
    assert_eq!(world.events("segments"), events);

    world.patch("segments", &json!({"maxSessionDuration": 7200}));
    world.wait_reconciled("segments");
    let role = world.role("segments").unwrap();
    assert!(!role.attached.contains(ADMIN));
    assert_eq!(role.max_session_duration, 7200);
    assert_eq!(world.condition("segments", "Drifted"), None);
    assert!(world.status("segments")["lastDrift"]["repairedAt"].is_string());
}

#[test]
fn late_reads_of_iam_are_not_taken_for_drift() {
    let world = World::with("late", &["--iam-settle-time=60s"], &[]);
    world.iam.set_read_lag(std::time::Duration::from_secs(4));
    world.apply("segments", &json!({})).unwrap();
    world.wait_reconciled("segments");
    // Each of these looks sees less than there is.
    for _ in 0..3 {
        world.look("segments");
    }
    world.wait("IAM to show the role", || {
        (world
            .actions()
            .iter()
            .filter(|action| *action == "ListRolePolicies")
            .count()
            > 0)
        .then_some(())
    });
    assert_eq!(world.writes(), ["CreateRole", "AttachRolePolicy"]);
    assert!(
        world
            .events("segments")
            .iter()
            .all(|(reason, _)| reason == "RoleCreated"),
        "{:?}",
        world.events("segments")
    );
    assert_eq!(world.condition("segments", "Ready").unwrap().0, "True");
}

/// Who may assume a role, and what it may then do, as far as these tests name it.
fn powers(role: &RoleState) -> BTreeSet<(String, String)> {
    let who = ["pinpoint.amazonaws.com", "999999999999", "ec2.amazonaws.com"];
    let who = who.iter().filter(|who| role.trust_policy.contains(**who));
    let what: Vec<String> = role
        .attached
        .iter()
        .cloned()
        .chain(role.inline.iter().map(|(name, document)| format!("{name} {document}")))
        .collect();
    who.flat_map(|who| what.iter().map(|what| ((*who).to_owned(), what.clone())))
        .collect()
}

/// Does to a role what a call in the log did.
fn replay(role: &mut RoleState, call: &Call) {
    let param = |name: &str| call.params[name].clone();
    match call.action.as_str() {
        "UpdateAssumeRolePolicy" => role.trust_policy = param("PolicyDocument"),
        "DetachRolePolicy" => drop(role.attached.remove(&param("PolicyArn"))),
        "AttachRolePolicy" => drop(role.attached.insert(param("PolicyArn"))),
        "DeleteRolePolicy" => drop(role.inline.remove(&param("PolicyName"))),
        "PutRolePolicy" => drop(role.inline.insert(param("PolicyName"), param("PolicyDocument"))),
        "PutRolePermissionsBoundary" => role.permissions_boundary = Some(param("PermissionsBoundary")),
        "TagRole" | "UntagRole" | "UpdateRole" => {}
        other => panic!("{other} has no place in a repair"),
    }
}

#[test]
fn no_call_of_a_repair_leaves_a_role_wider_than_before_or_than_declared() {
    let bucket = "PinpointImportBuckets";
    let tampers: [(&str, Tamper); 5] = [
        ("swapped", |role| {
            role.trust_policy = WIDE_TRUST.replace("pinpoint.amazonaws.com", "ec2.amazonaws.com");
            role.attached = [ADMIN.to_owned()].into();
        }),
        ("widened", |role| {
            role.trust_policy = WIDE_TRUST.to_owned();
            role.attached.insert(ADMIN.to_owned());
            role.permissions_boundary = None;
        }),
        ("other-bucket", |role| {
            role.trust_policy = WIDE_TRUST.to_owned();
            let policy = role.inline["PinpointImportBuckets"].replace("segments", "secrets");
            role.inline.insert("PinpointImportBuckets".to_owned(), policy);
        }),
        ("other-boundary", |role| {
            role.permissions_boundary = Some(ADMIN.to_owned());
            role.inline.insert(
                "theirs".to_owned(),
                r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned(),
            );
        }),
        ("emptied", |role| {
            role.attached.clear();
            role.inline.clear();
        }),
    ];
    let spec = json!({
        "permissionsBoundary": S3_READ_ONLY, "managedPolicyArns": [S3_READ_ONLY], "buckets": [{"name": "segments"}],
    });
    let world = World::in_place("never-wider", &spec);
    let name = world.role_name("segments");
    let declared = world.role("segments").unwrap();
    assert!(declared.inline.contains_key(bucket));
    for (what, tamper) in tampers {
        world.iam.tamper(&name, tamper);
        let mut now = world.role("segments").unwrap();
        let allowed: BTreeSet<_> = powers(&now).union(&powers(&declared)).cloned().collect();
        world.iam.clear_calls();
        world.look("segments");
        world.wait_reconciled("segments");
        assert!(!world.writes().is_empty(), "{what}: nothing was repaired");
        for call in world.iam.writes() {
            let bounded = now.permissions_boundary.is_some();
            replay(&mut now, &call);
            let more: Vec<_> = powers(&now).difference(&allowed).cloned().collect();
            assert!(more.is_empty(), "{what}: {} lets {more:?}", call.action);
            assert!(
                !bounded || now.permissions_boundary.is_some(),
                "{what}: {} lifts the boundary",
                call.action
            );
        }
        let end = world.role("segments").unwrap();
        assert_eq!(
            (&end.attached, &end.inline, &end.permissions_boundary),
            (&declared.attached, &declared.inline, &declared.permissions_boundary),
            "{what}"
        );
        // The same repair again so soon would count as IAM being late.
        World::pass_settle_time();
    }
}

/// A trust policy of a thousand characters that multiplies to 204,800 grants, and one that says another thing to those who read only the
/// last of two keys.
#[test]
fn documents_that_multiply_or_hide_are_undone() {
    let world = World::in_place("documents", &json!({}));
    let list = |n: usize| json!((0..n).map(|n| n.to_string()).collect::<Vec<_>>());
    let services: Vec<String> = (0..10).map(|n| format!("s{n}.amazonaws.com")).collect();
    let many = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Service": services},
        "Action": ["sts:A", "sts:B", "sts:C", "sts:D", "sts:E"],
        "Condition": {"StringEquals": {"a": list(64), "b": list(64)}},
    }]});
    let declared = world.role("segments").unwrap().trust_policy;
    let hidden = declared.replace(r#""Effect""#, r#""principal":"*","Effect""#);
    for (document, words) in [(many.to_string(), "too large"), (hidden, "given twice")] {
        world.iam.tamper(&world.role_name("segments"), |role| {
            role.trust_policy.clone_from(&document);
        });
        world.look("segments");
        world.wait_reconciled("segments");
        assert_eq!(world.role("segments").unwrap().trust_policy, declared);
        let drift = world.status("segments")["lastDrift"]["differences"].to_string();
        assert!(
            drift.contains("can't be read as a policy") && drift.contains(words),
            "{drift}"
        );
        World::pass_settle_time();
    }
}
