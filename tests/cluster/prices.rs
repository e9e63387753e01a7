//! What each flow costs: IAM calls, and writes to the object. `cargo test --test cluster prices -- --nocapture` prints the table.

use serde_json::{Value, json};
use test_support::iam::{RoleBuilder, RoleState};

use crate::{
    told::settled,
    world::{ADMIN, GUIDE_TRUST, S3_READ_ONLY, WIDE_TRUST, World},
};

/// Calls of a look that finds the role of the guide.
const LOOK: [&str; 3] = ["GetRole", "ListAttachedRolePolicies", "ListRolePolicies"];

struct Price {
    flow: &'static str,
    calls: Vec<String>,
    writes: usize,
}

/// Runs a flow on an object at rest, and notes its price.
fn price(name: &str, flow: &'static str, spec: &Value, run: impl FnOnce(&World)) -> Price {
    let world = World::in_place(&format!("price-{name}"), spec);
    let before = world.versions_of("segments").len();
    world.iam.clear_calls();
    run(&world);
    let calls = world.actions();
    let writes = world.versions_of("segments").len() - before;
    println!("| {flow} | {} | {writes} | {} |", calls.len(), calls.join(", "));
    Price { flow, calls, writes }
}

fn drift(name: &str, flow: &'static str, spec: &Value, tamper: impl FnOnce(&mut RoleState)) -> Price {
    price(name, flow, spec, |world| {
        world.iam.tamper(&world.role_name("segments"), tamper);
        world.look("segments");
        world.wait_reconciled("segments");
    })
}

/// A price is a look, and what must be done besides.
fn check(price: &Price, besides: &[&str], writes: usize) {
    let expected: Vec<&str> = LOOK.iter().chain(besides).copied().collect();
    assert_eq!(price.calls, expected, "{}", price.flow);
    assert_eq!(price.writes, writes, "{}: writes to the object", price.flow);
}

/// Each drift: a look, one call to mend it; the user's request for the look, the drift noted before it is mended, and the end.
#[test]
fn each_single_drift() {
    let table = [
        (
            drift("trust", "trust policy widened", &json!({}), |role| {
                role.trust_policy = WIDE_TRUST.to_owned();
            }),
            &["UpdateAssumeRolePolicy"][..],
        ),
        (
            drift("extra", "policy attached", &json!({}), |role| {
                role.attached.insert(ADMIN.to_owned());
            }),
            &["DetachRolePolicy"],
        ),
        (
            drift("missing", "policy detached", &json!({}), |role| {
                role.attached.remove(S3_READ_ONLY);
            }),
            &["AttachRolePolicy"],
        ),
        (
            // Its document is read, so that the log has it whole.
            drift("inline", "inline policy put", &json!({}), |role| {
                role.inline
                    .insert("x".to_owned(), r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned());
            }),
            &["GetRolePolicy", "DeleteRolePolicy"],
        ),
        (
            drift(
                "description",
                "description changed",
                &json!({"description": "a"}),
                |role| {
                    role.description = Some("b".to_owned());
                },
            ),
            &["UpdateRole"],
        ),
        (
            drift(
                "session",
                "session length changed",
                &json!({"maxSessionDuration": 7200}),
                |role| {
                    role.max_session_duration = 43200;
                },
            ),
            &["UpdateRole"],
        ),
        (
            drift(
                "boundary",
                "boundary removed",
                &json!({"permissionsBoundary": S3_READ_ONLY}),
                |role| {
                    role.permissions_boundary = None;
                },
            ),
            &["PutRolePermissionsBoundary"],
        ),
        (
            drift("tag", "tag changed", &json!({"tags": {"team": "a"}}), |role| {
                role.tags.insert("team".to_owned(), "b".to_owned());
            }),
            &["TagRole"],
        ),
    ];
    for (price, besides) in &table {
        check(price, besides, 3);
    }
}

#[test]
fn a_role_deleted_by_hand() {
    let price = price("gone", "role deleted", &json!({}), |world| {
        world.iam.remove_role(&world.role_name("segments"));
        world.look("segments");
        world.wait_reconciled("segments");
    });
    assert_eq!(price.calls, ["GetRole", "CreateRole", "AttachRolePolicy"]);
    assert_eq!(price.writes, 3);
}

/// A new generation: a look, the calls that it needs, and one write beside the user's own.
#[test]
fn a_change_of_the_spec() {
    let price = price("change", "spec changed", &json!({}), |world| {
        world.patch(
            "segments",
            &json!({"maxSessionDuration": 7200, "managedPolicyArns": []}),
        );
        world.wait_reconciled("segments");
    });
    check(&price, &["DetachRolePolicy", "UpdateRole"], 2);
}

#[test]
fn creation_with_everything() {
    let world = World::new("price-everything");
    world.wait_healthy();
    world.iam.clear_calls();
    let spec = json!({
        "description": "all of it", "maxSessionDuration": 7200, "permissionsBoundary": S3_READ_ONLY, "tags": {"team": "a"},
        "trust": {"applications": [{"region": "us-east-1", "id": "0123456789abcdef0123456789abcdef"}]},
        "managedPolicyArns": [S3_READ_ONLY], "buckets": [{"name": "segments"}],
    });
    world.apply("segments", &spec).unwrap();
    world.wait_reconciled("segments");
    let calls = world.actions();
    let writes = world.versions_of("segments").len() - 1;
    println!(
        "| created with everything | {} | {writes} | {} |",
        calls.len(),
        calls.join(", ")
    );
    assert_eq!(calls, ["CreateRole", "PutRolePolicy", "AttachRolePolicy"]);
    // The keys of the tags are noted before they are set, so that none is forgotten.
    assert_eq!(writes, 3);
}

/// A role of others: `CreateRole` is refused once, and never sent again, whatever becomes of the process.
#[test]
fn a_role_of_others() {
    let mut world = World::new("price-foreign");
    world.wait_healthy();
    world
        .iam
        .put_role(RoleBuilder::new("Foreign").trust_policy(GUIDE_TRUST));
    world.iam.clear_calls();
    let spec = json!({"roleName": "FOREIGN", "tags": {"team": "a"}});
    world.apply("segments", &spec).unwrap();
    world.wait_ready("segments", "False", "RoleNotOwned");
    let calls = world.actions();
    println!("| a role of others | {} | 3 | {} |", calls.len(), calls.join(", "));
    assert_eq!(calls, ["CreateRole", "GetRole"]);
    assert_eq!(
        world.versions_of("segments").len(),
        1 + 3,
        "finalizer, keys of tags, status"
    );
    let version = world.version("segments");
    world.kill_and_restart();
    world.wait("further looks", || (world.actions().len() >= 4).then_some(()));
    assert_eq!(world.actions()[2..], vec!["GetRole"; world.actions().len() - 2]);
    assert_eq!(world.version("segments"), version);
}

#[test]
fn deletion() {
    let world = World::in_place("price-delete", &json!({}));
    world.delete_and_wait("segments");
    let calls = world.actions();
    println!("| deleted | {} | 1 | {} |", calls.len(), calls.join(", "));
    assert_eq!(
        calls,
        [
            "GetRole",
            "ListAttachedRolePolicies",
            "ListRolePolicies",
            "DetachRolePolicy",
            "DeleteRole"
        ]
    );
}

#[test]
fn a_suspended_object_that_is_being_deleted_costs_nothing_while_it_waits() {
    let world = settled("told-suspended", &[("segments", json!({})), ("beside", json!({}))]);
    world.patch("segments", &json!({"suspend": true}));
    world.wait("suspension", || world.condition("segments", "Suspended"));
    world.delete("segments");
    world.wait_ready("segments", "False", "Deleting");
    let (passes, looks) = (world.passes(), 20);
    for _ in 0..looks {
        world.look("beside");
    }
    let more = world.passes() - passes;
    assert!(
        more <= looks + 1,
        "{more} passes, {looks} of them over the other object"
    );
    assert_eq!(world.calls_on("segments", "GetRole"), 0);
    world.patch("segments", &json!({"suspend": false}));
    world.wait_gone("segments");
    assert_eq!(world.role("segments"), None);
}
