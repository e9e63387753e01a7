//! The day on which IAM no longer takes Pinpoint as a principal: what can still be done is done, and what can't is said once.

use serde_json::json;

use crate::{
    commands::{run, run_with},
    world::{ADMIN, S3_READ_ONLY, WIDE_TRUST, World},
};

const PINPOINT: &str = "pinpoint.amazonaws.com";

/// What condition, event and commands say.
fn says_that_it_ended(said: &str) -> bool {
    said.contains("AWS ended Amazon Pinpoint's support on 2026-10-30") && said.contains("deploy/guides.md")
}

#[test]
fn the_rest_of_a_repair_still_happens_and_the_way_out_is_named() {
    let world = World::in_place("ended-repair", &json!({"tags": {"team": "a"}}));
    world.iam.retire_service(PINPOINT);
    let role = world.role_name("segments");
    world.iam.tamper(&role, |role| {
        role.trust_policy = WIDE_TRUST.to_owned();
        role.attached = [ADMIN.to_owned()].into();
        role.tags.insert("team".to_owned(), "b".to_owned());
        role.inline.insert(
            "Backdoor".to_owned(),
            r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned(),
        );
    });
    world.look("segments");
    let message = world.wait_ready("segments", "False", "InvalidSpec");
    assert!(
        says_that_it_ended(&message)
            && message.contains(&format!("\"SERVICE\":\"{PINPOINT}\""))
            && message.contains("delete the object")
            && !message.contains("change the spec"),
        "{message}"
    );
    assert!(world.condition("segments", "Stalled").is_some());
    let role = world.role("segments").unwrap();
    assert_eq!(role.tags["team"], "a");
    assert!(role.inline.is_empty());
    assert!(
        role.attached.is_empty(),
        "others' policy is gone, and the declared one waits for the trust policy: {:?}",
        role.attached
    );
    assert_eq!(role.trust_policy, WIDE_TRUST);
    world.looks("segments", 2);
    let told = world.told("segments", "InvalidSpec");
    assert!(told.len() == 1 && says_that_it_ended(&told[0]), "told once: {told:?}");

    // The commands, too.
    world.iam.clear_calls();
    let plan = run(&world, &["plan", "--namespaces", &world.namespace]);
    assert!(
        plan.code == 2 && plan.out.contains("UpdateAssumeRolePolicy") && says_that_it_ended(&plan.out),
        "{}",
        plan.out
    );
    assert!(says_that_it_ended(&plan.err), "{}", plan.err);
    let audit = run(&world, &["audit"]);
    assert!(says_that_it_ended(&audit.err), "{}", audit.err);

    // The way out.
    world.delete_and_wait("segments");
    assert!(world.role("segments").is_none());
}

#[test]
fn what_is_there_is_kept_or_retained_and_nothing_new_is_made() {
    let world = World::in_place("ended-rest", &json!({"deletionPolicy": "Retain"}));
    world.iam.retire_service(PINPOINT);
    world.look("segments");
    world.wait_reconciled("segments");
    assert_eq!(world.writes(), Vec::<String>::new(), "at rest as before");
    world.delete_and_wait("segments");
    let role = world.role("segments").expect("retained");
    assert!(role.attached.contains(S3_READ_ONLY));
    assert!(!role.tags.keys().any(|key| key.starts_with("pinpoint-import.dev/")));

    world.apply("new", &json!({})).unwrap();
    let message = world.wait_ready("new", "False", "InvalidSpec");
    assert!(
        message.contains("CreateRole") && says_that_it_ended(&message),
        "{message}"
    );
    let plan = run_with(&world, &["plan", "--namespaces", &world.namespace], &[]);
    assert!(
        plan.code == 2 && says_that_it_ended(&plan.out),
        "{}{}",
        plan.out,
        plan.err
    );
    world.delete_and_wait("new");
}
