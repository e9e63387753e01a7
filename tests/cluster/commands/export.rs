//! `export` prints manifests that adopt roles as they are; what a manifest can't say, it says beside it, and suspends the object.

use std::{collections::BTreeMap, fs};

use serde_json::json;
use test_support::iam::RoleBuilder;

use super::{run, run_with};
use crate::world::{ADMIN, GUIDE_TRUST, S3_READ_ONLY, WIDE_TRUST, World};

#[test]
fn export_adopts_roles_as_they_are() {
    let world = World::without_controller("export");
    let guarded = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole",
        "Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:mobiletargeting:us-east-1:123456789012:apps/0123456789abcdef0123456789abcdef"},
        "StringEquals":{"aws:SourceAccount":"123456789012"}}}}"#;
    let account = guarded.replace(r#""ArnLike":{"aws:SourceArn":"arn:aws:mobiletargeting:us-east-1:123456789012:apps/0123456789abcdef0123456789abcdef"},"#, "");
    world.iam.put_role(
        RoleBuilder::new("Guide")
            .trust_policy(GUIDE_TRUST)
            .attached(S3_READ_ONLY)
            .description("by hand\n--- # {")
            .tag("team", "a"),
    );
    world.iam.put_role(
        RoleBuilder::new("Guarded_Role")
            .path("/teams/")
            .trust_policy(guarded)
            .max_session_duration(7200)
            .permissions_boundary(ADMIN),
    );
    world.iam.put_role(
        RoleBuilder::new("Account")
            .trust_policy(&account)
            .inline("Mine", r#"{"Version":"2012-10-17","Statement":[]}"#),
    );
    let buckets = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::my-bucket","Condition":{"StringLike":{"s3:prefix":"a${*}/*"}}},{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::my-bucket/a${*}/*"}]}"#;
    world.iam.put_role(
        RoleBuilder::new("Buckets")
            .trust_policy(GUIDE_TRUST)
            .inline("PinpointImportBuckets", buckets),
    );
    world.iam.put_role(RoleBuilder::new("Unrelated"));

    let said = run(&world, &["export", "--all", "--namespace", &world.namespace]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    for words in [
        "# arn:aws:iam::123456789012:role/Guide",
        "kept: Mine",
        "tags are left as they are: team",
        "left as it is: \"by hand",
    ] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    assert!(!said.out.contains("Unrelated"));
    let before: BTreeMap<String, _> = world
        .iam
        .roles()
        .into_iter()
        .map(|role| (role.name.clone(), role))
        .collect();
    let mut world = world;
    world.plane().apply(&said.out).unwrap();
    world.iam.clear_calls();
    world.start();
    for name in ["guide", "guarded-role", "account", "buckets"] {
        world.wait_reconciled(name);
    }
    assert_eq!(world.writes(), ["TagRole"; 4]);
    for (name, mut role) in world.iam.roles().into_iter().map(|role| (role.name.clone(), role)) {
        role.tags.retain(|key, _| !key.starts_with("pinpoint-import.dev/"));
        assert_eq!(role, before[&name], "{name} is as it was, but for tags");
    }
    // Now they are managed, and are not exported again.
    let said = run_with(&world, &["export", "--all"], &[]);
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
    let said = run_with(&world, &["export", "Guide"], &[]);
    assert!(
        said.code == 1 && said.err.contains(&format!("{}/guide", world.namespace)),
        "{}",
        said.err
    );
}

#[test]
fn what_a_manifest_cannot_say_is_said_and_suspended() {
    let world = World::without_controller("export-unsaid");
    let strange = GUIDE_TRUST.replace(
        r#""Action":"#,
        r#""Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}},"Action":"#,
    );
    world.iam.put_role(RoleBuilder::new("Strange").trust_policy(&strange));
    world.iam.put_role(RoleBuilder::new("Wide").trust_policy(WIDE_TRUST));
    let said = run(&world, &["export", "--all", "--namespace", &world.namespace]);
    assert_eq!(said.code, 1);
    assert!(
        said.out.contains("# NOT AS IT IS")
            && said.out.contains("aws:PrincipalOrgID")
            && said.out.contains("suspend: true"),
        "{}",
        said.out
    );
    assert!(
        said.out.contains("# Wide is not exported: it also trusts") && said.err.contains("role Wide can't be exported"),
        "{}{}",
        said.out,
        said.err
    );
    let before = world.iam.roles();
    world.plane().apply(&said.out).unwrap();
    let mut world = world;
    world.start();
    world.wait("the suspension to be seen", || world.condition("strange", "Suspended"));
    assert_eq!(world.iam.roles(), before);
}

/// From roles that nobody knows of to none: audit, export, review in Git, report, narrow, delete.
#[test]
fn the_way_out_from_audit_to_the_last_role_deleted() {
    let world = World::new("way-out");
    world.iam.put_role(
        RoleBuilder::new("PinpointSegmentImport")
            .trust_policy(GUIDE_TRUST)
            .attached(S3_READ_ONLY),
    );
    let audit = run(&world, &["audit", "--fail-on=medium"]);
    assert!(
        audit.code == 2 && audit.out.contains("PinpointSegmentImport") && audit.out.contains("see `export`"),
        "{}",
        audit.out
    );

    // What export prints goes into Git, where a pipeline checks it, and a person reads the plan.
    let exported = run(
        &world,
        &["export", "PinpointSegmentImport", "--namespace", &world.namespace],
    )
    .out;
    let reviewed = exported.replace("adoptionPolicy: Adopt", "adoptionPolicy: Adopt\n  driftPolicy: Report");
    let path = world.folder().join("roles.yaml");
    fs::write(&path, &reviewed).unwrap();
    let file = path.to_str().unwrap();
    assert_eq!(run(&world, &["validate", "-f", file]).code, 0);
    let plan = run(&world, &["plan", "-f", file, "--fail-on-widening"]);
    assert!(
        plan.code == 2 && plan.out.contains("TagRole") && plan.out.contains("1 to take over"),
        "{}{}",
        plan.out,
        plan.err
    );
    world.plane().apply(&reviewed).unwrap();
    let name = "pinpointsegmentimport";
    world.wait_reconciled(name);
    assert_eq!(world.writes(), ["TagRole"]);
    World::pass_settle_time();

    // Reported, not repaired.
    world.iam.tamper("PinpointSegmentImport", |role| {
        role.attached.insert(ADMIN.to_owned());
    });
    world.look(name);
    assert!(
        world
            .wait_ready(name, "False", "DriftDetected")
            .contains("AdministratorAccess")
    );
    assert_eq!(world.writes(), ["TagRole"]);

    // Narrowed to one bucket: a change like any other, which takes the rest away.
    world.iam.clear_calls();
    world.patch(name, &json!({"managedPolicyArns": null, "buckets": [{"name": "my-bucket"}], "trust": {"sourceAccount": "123456789012"}}));
    world.wait_reconciled(name);
    let role = world.iam.role("PinpointSegmentImport").unwrap();
    assert!(role.attached.is_empty() && role.inline.contains_key("PinpointImportBuckets"));
    assert_eq!(run_with(&world, &["audit", "--fail-on=medium"], &[]).code, 0);

    // Retired: the object goes from Git, and the role with it.
    world.patch(name, &json!({"deletionPolicy": "Delete"}));
    world.wait_reconciled(name);
    world.delete_and_wait(name);
    assert!(world.iam.roles().is_empty());
    let audit = run_with(&world, &["audit"], &[]);
    assert!(audit.code == 0 && audit.err.contains("0 of 0 roles"), "{}", audit.err);
}
