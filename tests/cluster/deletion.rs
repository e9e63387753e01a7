//! Deletion leaves nothing behind and touches nothing foreign.

use serde_json::json;
use test_support::iam::{Fault, RoleBuilder, Rule};

use crate::world::{ADMIN, GUIDE_TRUST, World};

fn delete(world: &World) {
    world.delete("segments");
}

#[test]
fn deleting_the_object_deletes_the_role_and_all_that_hangs_on_it() {
    let world = World::in_place("delete", &json!({}));
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::added-by-hand"}]}"#;
    world.iam.tamper(&world.role_name("segments"), |role| {
        role.attached.insert(ADMIN.to_owned());
        role.inline.insert("by-hand".to_owned(), document.to_owned());
    });
    delete(&world);
    world.wait_gone("segments");
    assert_eq!(world.role("segments"), None);
    assert_eq!(
        world.actions(),
        [
            "GetRole",
            "ListAttachedRolePolicies",
            "ListRolePolicies",
            "GetRolePolicy",
            "DetachRolePolicy",
            "DetachRolePolicy",
            "DeleteRolePolicy",
            "DeleteRole"
        ]
    );
    assert!(
        world
            .wait_event("segments", "RoleDeleted")
            .contains("deleted role arn:aws:iam::")
    );
    assert!(
        world.log().contains("arn:aws:s3:::added-by-hand"),
        "what is removed is logged whole"
    );
}

#[test]
fn retain_leaves_the_role_and_its_policies_and_takes_the_ownership_tags_off() {
    let world = World::in_place("retain", &json!({"deletionPolicy": "Retain", "tags": {"team": "a"}}));
    let before = world.role("segments").unwrap();
    delete(&world);
    world.wait_gone("segments");
    let after = world.role("segments").expect("the role stays");
    assert_eq!(
        (&after.id, &after.attached, &after.trust_policy),
        (&before.id, &before.attached, &before.trust_policy)
    );
    assert_eq!(after.tags, [("team".to_owned(), "a".to_owned())].into());
    assert_eq!(world.writes(), ["UntagRole"]);
    world.wait_event("segments", "RoleRetained");
}

#[test]
fn a_role_that_is_gone_already_does_not_hold_the_object() {
    let world = World::in_place("gone", &json!({}));
    world.iam.remove_role(&world.role_name("segments"));
    delete(&world);
    world.wait_gone("segments");
    assert_eq!(world.writes(), Vec::<String>::new());
    world.wait_event("segments", "RoleDeleted");
}

#[test]
fn an_instance_profile_blocks_deletion_which_resumes_by_itself() {
    let world = World::in_place("profile", &json!({}));
    let role = world.role_name("segments");
    world.call_iam("CreateInstanceProfile", &[("InstanceProfileName", "web")]);
    world.call_iam(
        "AddRoleToInstanceProfile",
        &[("InstanceProfileName", "web"), ("RoleName", &role)],
    );
    delete(&world);
    let message = world.wait_ready("segments", "False", "DeletionBlocked");
    assert!(
        message.contains("instance profile web") && message.contains("remove-role-from-instance-profile"),
        "{message}"
    );
    assert_eq!(world.condition("segments", "Stalled").unwrap().0, "True");
    world.wait_event("segments", "DeletionBlocked");
    assert!(world.role("segments").is_some());

    world.call_iam(
        "RemoveRoleFromInstanceProfile",
        &[("InstanceProfileName", "web"), ("RoleName", &role)],
    );
    world.wait_gone("segments");
    assert_eq!(world.role("segments"), None);
}

#[test]
fn an_outage_of_iam_delays_deletion_and_orphans_nothing() {
    let world = World::in_place("outage", &json!({}));
    let fault = Fault::Error {
        status: 503,
        code: "ServiceUnavailable".to_owned(),
        message: "down".to_owned(),
    };
    world.iam.fault(Rule::new(fault).times(usize::MAX));
    delete(&world);
    world.wait_ready("segments", "False", "AwsUnavailable");
    assert!(world.role("segments").is_some());
    world.iam.clear_faults();
    world.wait_gone("segments");
    assert_eq!(world.role("segments"), None);
}

#[test]
fn a_suspended_object_waits_with_its_deletion() {
    let world = World::in_place("suspended", &json!({"suspend": false}));
    world.patch("segments", &json!({"suspend": true}));
    world.wait("suspension", || world.condition("segments", "Suspended"));
    world.iam.clear_calls();
    delete(&world);
    let message = world.wait_ready("segments", "False", "Deleting");
    assert!(message.contains("suspend"), "{message}");
    assert_eq!(world.actions(), Vec::<String>::new());
    assert!(world.role("segments").is_some());
    world.patch("segments", &json!({"suspend": false}));
    world.wait_gone("segments");
    assert_eq!(world.role("segments"), None);
}

#[test]
fn a_finalizer_taken_off_by_hand_comes_back() {
    let world = World::in_place("by-hand", &json!({}));
    world.take_finalizer_off("segments");
    world.look("segments");
    assert_eq!(
        world.object("segments")["metadata"]["finalizers"],
        json!(["pinpoint-import.dev/iam-role"])
    );
    assert_eq!(world.writes(), Vec::<String>::new());
}

#[test]
fn an_object_torn_from_its_finalizer_leaves_a_role_that_the_next_one_does_not_touch_unless_told() {
    let mut world = World::in_place("torn", &json!({}));
    let before = world.role("segments").unwrap();
    world.kill();
    delete(&world);
    world.take_finalizer_off("segments");
    world.wait_gone("segments");
    world.start();
    world.wait_healthy();
    world.apply("segments", &json!({})).unwrap();
    let message = world.wait_ready("segments", "False", "RoleNotOwned");
    assert!(message.contains("Adopt"), "{message}");
    assert_eq!(world.role("segments").unwrap(), before);

    world.patch("segments", &json!({"adoptionPolicy": "Adopt"}));
    world.wait_reconciled("segments");
    delete(&world);
    world.wait_gone("segments");
    assert_eq!(world.role("segments"), None, "adopted, so deleted with its object");
}

#[test]
fn an_object_whose_role_is_foreign_goes_and_leaves_it() {
    let world = World::new("foreign");
    let role = world
        .iam
        .put_role(RoleBuilder::new(&world.role_name("segments")).trust_policy(GUIDE_TRUST));
    world.apply("segments", &json!({})).unwrap();
    world.wait_ready("segments", "False", "RoleNotOwned");
    delete(&world);
    world.wait_gone("segments");
    assert_eq!(world.role("segments").unwrap(), role);
    assert_eq!(world.writes(), Vec::<String>::new());
}

#[test]
fn an_object_that_never_could_have_a_role_goes_at_once() {
    let world = World::new("never");
    let long = "x".repeat(60);
    world.apply(&long, &json!({})).unwrap();
    world.wait_ready(&long, "False", "InvalidSpec");
    world.delete_and_wait(&long);
    assert_eq!(world.actions(), Vec::<String>::new());
}
