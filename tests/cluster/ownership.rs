//! Whose role it is: every sentence of it.

use serde_json::json;
use test_support::iam::RoleBuilder;

use crate::world::{GUIDE_TRUST, S3_READ_ONLY, WIDE_TRUST, World};

const ADOPT: &str = "Adopt";

#[test]
fn a_foreign_role_is_never_written_to_and_the_object_says_whose_it_is() {
    let world = World::new("untagged");
    let role = world.iam.put_role(RoleBuilder::new("theirs").trust_policy(GUIDE_TRUST));
    world.apply("segments", &json!({"roleName": "theirs"})).unwrap();
    let message = world.wait_ready("segments", "False", "RoleNotOwned");
    for words in ["theirs", "no ownership tags", "spec.adoptionPolicy: Adopt"] {
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(world.condition("segments", "Stalled").unwrap().0, "True");
    assert_eq!(world.condition("segments", "Reconciling"), None);
    world.wait_event("segments", "RoleNotOwned");
    world.look("segments");
    assert_eq!(world.iam.role("theirs").unwrap(), role);
    assert_eq!(world.writes(), Vec::<String>::new());
}

#[test]
fn a_role_made_by_hand_after_the_guide_is_adopted_by_its_tags_alone() {
    let world = World::new("adopted");
    let role = RoleBuilder::new("ByHand")
        .trust_policy(GUIDE_TRUST)
        .attached(S3_READ_ONLY)
        .tag("team", "a");
    let role = world.iam.put_role(role);
    world
        .apply("segments", &json!({"roleName": "ByHand", "adoptionPolicy": ADOPT}))
        .unwrap();
    world.wait_reconciled("segments");
    assert_eq!(world.writes(), ["TagRole"]);
    assert_eq!(world.status("segments")["roleId"], role.id.as_str());
    assert_eq!(world.iam.role("ByHand").unwrap().tags["team"], "a");
    assert!(world.wait_event("segments", "RoleAdopted").contains(&role.arn));
}

#[test]
fn only_roles_that_trust_pinpoint_and_nobody_else_can_be_adopted() {
    let world = World::new("obstacles");
    let statement = |principal: &str, more: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"{more}}}]}}"#
        )
    };
    let trusts = [
        ("account", WIDE_TRUST.to_owned()),
        ("ec2", statement(r#"{"Service":"ec2.amazonaws.com"}"#, "")),
        ("both", statement(r#"{"Service":["pinpoint.amazonaws.com","lambda.amazonaws.com"]}"#, "")),
        ("everybody", statement(r#""*""#, "")),
        ("admin", statement(r#"{"AWS":"arn:aws:iam::123456789012:user/admin"}"#, "")),
        ("nobody", r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned()),
        (
            "not",
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotPrincipal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#.to_owned(),
        ),
        ("federated", statement(r#"{"Federated":"cognito-identity.amazonaws.com"}"#, "")),
    ];
    for (name, trust) in &trusts {
        let role = world.iam.put_role(RoleBuilder::new(name).trust_policy(trust));
        world
            .apply(name, &json!({"roleName": name, "adoptionPolicy": ADOPT}))
            .unwrap();
        let message = world.wait_ready(name, "False", "RoleNotOwned");
        assert!(message.contains("can't be adopted"), "{name}: {message}");
        assert_eq!(world.iam.role(name).unwrap(), role, "{name}");
    }
    assert_eq!(world.writes(), Vec::<String>::new());
}

#[test]
fn a_role_with_another_live_owner_is_not_adopted() {
    let world = World::in_place("rival", &json!({"roleName": "shared"}));
    world
        .apply("second", &json!({"roleName": "shared", "adoptionPolicy": ADOPT}))
        .unwrap();
    let message = world.wait_ready("second", "False", "RoleNotOwned");
    assert!(message.contains(&format!("{}/segments", world.namespace)), "{message}");

    // Of an owner in another cluster nobody here can know whether it lives.
    let other = RoleBuilder::new("abroad")
        .trust_policy(GUIDE_TRUST)
        .tag("pinpoint-import.dev/cluster", "another")
        .tag("pinpoint-import.dev/namespace", "n")
        .tag("pinpoint-import.dev/name", "o")
        .tag("pinpoint-import.dev/uid", "11111111-1111-1111-1111-111111111111");
    world.iam.put_role(other);
    world
        .apply("third", &json!({"roleName": "abroad", "adoptionPolicy": ADOPT}))
        .unwrap();
    let message = world.wait_ready("third", "False", "RoleNotOwned");
    assert!(message.contains("cluster another"), "{message}");
    assert_eq!(world.writes(), Vec::<String>::new());
}

#[test]
fn of_two_objects_with_one_role_the_first_keeps_it() {
    let world = World::in_place("two", &json!({"roleName": "Shared"}));
    // Names of roles are the same ignoring case.
    world.apply("second", &json!({"roleName": "sHARED"})).unwrap();
    let message = world.wait_ready("second", "False", "RoleNotOwned");
    assert!(
        message.contains(&format!("belongs to PinpointImportRole {}/segments", world.namespace)),
        "{message}"
    );
    world.look("segments");
    assert_eq!(world.condition("segments", "Ready").unwrap().0, "True");
    assert_eq!(world.writes(), Vec::<String>::new());

    // Once the first is gone, the second has the name to itself.
    world.delete_and_wait("segments");
    world.look("second");
    world.wait_reconciled("second");
    assert_eq!(
        world.iam.role("shared").unwrap().tags["pinpoint-import.dev/uid"],
        world.uid("second")
    );
}

#[test]
fn a_role_that_others_deleted_and_made_anew_is_theirs() {
    let world = World::in_place("replaced", &json!({}));
    let ours = world.role("segments").unwrap();
    let mut copy = RoleBuilder::new(&ours.name).trust_policy(GUIDE_TRUST);
    for (key, value) in &ours.tags {
        copy = copy.tag(key, value);
    }
    // With our tags, but under another id.
    let theirs = world.iam.put_role(copy);
    assert_ne!(theirs.id, ours.id);
    world.look("segments");
    let message = world.wait_ready("segments", "False", "RoleNotOwned");
    assert!(message.contains(&ours.id), "{message}");

    // And without.
    let theirs = world
        .iam
        .put_role(RoleBuilder::new(&ours.name).trust_policy(GUIDE_TRUST));
    world.look("segments");
    world.wait_ready("segments", "False", "RoleNotOwned");
    assert_eq!(world.role("segments").unwrap(), theirs);
    assert_eq!(world.writes(), Vec::<String>::new());

    // Deletion does not touch it either.
    world.delete_and_wait("segments");
    assert_eq!(world.role("segments").unwrap(), theirs);
    assert_eq!(world.writes(), Vec::<String>::new());
}

#[test]
fn a_retained_role_is_foreign_to_the_next_object_of_the_name_until_it_adopts() {
    let world = World::in_place("again", &json!({"deletionPolicy": "Retain"}));
    let before = world.role("segments").unwrap();
    world.delete_and_wait("segments");
    world.apply("segments", &json!({})).unwrap();
    world.wait_ready("segments", "False", "RoleNotOwned");
    world.patch("segments", &json!({"adoptionPolicy": ADOPT}));
    world.wait_reconciled("segments");
    let after = world.role("segments").unwrap();
    assert_eq!(after.id, before.id);
    assert_eq!(after.tags["pinpoint-import.dev/uid"], world.uid("segments"));
}

#[test]
fn a_role_whose_tags_were_stripped_is_ours_by_its_id_and_gets_them_back() {
    let world = World::in_place("stripped", &json!({}));
    let name = world.role_name("segments");
    let before = world.role("segments").unwrap();
    world.iam.tamper(&name, |role| role.tags.clear());
    world.look("segments");
    world.wait_reconciled("segments");
    assert_eq!(world.writes(), ["TagRole"]);
    assert_eq!(world.role("segments").unwrap(), before);
    let note = world.wait_event("segments", "DriftDetected");
    assert!(note.contains("tag pinpoint-import.dev/uid is missing"), "{note}");
}

#[test]
fn cluster_and_uid_decide_and_the_other_tags_are_put_right() {
    let world = World::in_place("renamed", &json!({}));
    world.iam.tamper(&world.role_name("segments"), |role| {
        role.tags
            .insert("pinpoint-import.dev/name".to_owned(), "other".to_owned());
    });
    world.look("segments");
    world.wait_reconciled("segments");
    assert_eq!(world.writes(), ["TagRole"]);
    assert!(
        world
            .wait_event("segments", "DriftDetected")
            .contains("tag pinpoint-import.dev/name is \"other\"")
    );
}

#[test]
fn the_cluster_can_be_named() {
    let world = World::with("cluster-id", &["--cluster-id", "prod-eu-1"], &[]);
    world.apply("segments", &json!({})).unwrap();
    world.wait_reconciled("segments");
    assert_eq!(
        world.role("segments").unwrap().tags["pinpoint-import.dev/cluster"],
        "prod-eu-1"
    );
}
