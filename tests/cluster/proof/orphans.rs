//! No role is left behind, and no object is kept for a role that never was.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::json;
use test_support::iam::{Config, FakeIam, Fault, Gate, Rule};

use super::{delete, suspended};
use crate::world::{PATIENCE, PROMPTLY, S3_READ_ONLY, World};

/// At the default settle time, which is waited out: absence is no proof until a process has seen it for so long.
///
/// Regression: a deletion after a restart took a role that IAM did not show yet for gone. The object went, and its role stayed in IAM.
#[test]
fn a_role_that_reads_do_not_show_yet_is_left_behind_by_no_restart() {
    let mut world = World::at_default_settle_time("unseen-role", &[]);
    world.wait_healthy();
    world.iam.set_read_lag(Duration::from_secs(25));
    world.apply("pinned", &json!({})).unwrap();
    world.apply("retained", &json!({"deletionPolicy": "Retain"})).unwrap();
    world.wait_reconciled("pinned");
    world.wait_reconciled("retained");
    // And one whose answer never came, so that no status has its id.
    let lost = Rule::new(Fault::HangAfter(Duration::from_mins(10))).action("CreateRole");
    world.iam.fault(lost.role(&world.role_name("lost")));
    world.apply("lost", &json!({})).unwrap();
    world.wait("the role to be made", || world.role("lost"));
    world.kill();
    let names = ["pinned", "retained", "lost"];
    for name in names {
        delete(&world, name);
    }
    world.start();
    for name in names {
        world.wait_gone(name);
        match world.role(name) {
            None => assert_ne!(name, "retained", "what is to stay stays"),
            Some(role) => assert!(
                name == "retained" && role.tags.is_empty(),
                "the object {name} is gone, and its role is left: {role:?}\n{}",
                world.log()
            ),
        }
    }
}

const OTHER: &str = "222233334444";

const DOOR: &str = "arn:aws:iam::222233334444:role/pinpoint-import-role-controller";

#[test]
fn an_account_that_is_refused_later_keeps_the_object_as_long_as_a_role_may_be_there() {
    let mut world = World::without_controller("refused-later");
    let other = FakeIam::start_with(Config {
        account_id: OTHER.to_owned(),
        ..Config::default()
    });
    world.iam.open_door(&other, DOOR, None);
    let path = world.folder().join("settings.yaml");
    let let_in = |namespace: &str| {
        let text = format!("accounts:\n  '{OTHER}':\n    role: {DOOR}\n    namespaces: ['{namespace}']\n");
        fs::write(&path, text).unwrap();
    };
    let_in("*");
    world.add_args(&["--config", path.to_str().unwrap()]);
    world.start();
    world.wait_healthy();
    other.fault(Rule::new(Fault::HangAfter(Duration::from_mins(10))).action("CreateRole"));
    world.apply("segments", &json!({"accountId": OTHER})).unwrap();
    world.wait("the role to be made", || (other.roles().len() == 1).then_some(()));
    world.kill();
    let_in("somebody-else");
    world.start();
    world.wait_ready("segments", "False", "PolicyNotAllowed");
    // One that was refused from the very beginning goes at once, and nothing is asked of IAM.
    world.apply("never", &json!({"accountId": OTHER})).unwrap();
    world.wait_ready("never", "False", "PolicyNotAllowed");
    other.clear_calls();
    world.kubectl(&["delete", "pir", "never", "--timeout=20s"]).unwrap();
    assert_eq!(other.calls().len(), 0);

    delete(&world, "segments");
    let message = world.wait("the object to say why it stays", || {
        let object = world.object("segments");
        assert!(
            !object.is_null(),
            "the object is gone, and its role is left\n{}",
            world.log()
        );
        let current = object["status"]["observedGeneration"] == object["metadata"]["generation"];
        let ready = world.condition("segments", "Ready").filter(|_| current);
        ready
            .filter(|(status, reason, _)| status == "False" && reason == "PolicyNotAllowed")
            .map(|(_, _, message)| message)
    });
    assert!(message.contains(OTHER), "{message}");
    world.looks("segments", 3);
    assert_eq!((other.calls().len(), other.roles().len()), (0, 1));

    let_in("*");
    world.kill_and_restart();
    world.wait_gone("segments");
    assert_eq!(other.roles(), []);
}

/// At the default settle time, which is not waited out.
#[test]
fn an_object_that_was_refused_from_the_beginning_goes_at_once() {
    let world = World::at_default_settle_time("proof-refused", &["--role-name-prefix=pinpoint-"]);
    world.apply("segments", &json!({})).unwrap();
    world.wait_ready("segments", "False", "PolicyNotAllowed");
    suspended(&world, "suspended", &json!({"roleName": "pinpoint-x"}));
    world.wait("suspension", || world.condition("suspended", "Suspended"));
    for name in ["segments", "suspended"] {
        let deleted = world.kubectl(&["delete", "pir", name, "--timeout=20s"]);
        assert!(deleted.is_ok(), "{name}: {deleted:?}\n{}", world.log());
    }
    assert_eq!(world.actions(), Vec::<String>::new());
}

/// Regression: a missing policy whose ARN has the word `role` in it was taken for a missing role, and tried for ever instead of saying
/// `InvalidSpec`.
#[test]
fn what_the_spec_names_and_iam_does_not_have_is_the_specs_fault() {
    let policy = |name: &str| format!("arn:aws:iam::aws:policy/{name}");
    let own = |name: &str| format!("arn:aws:iam::123456789012:policy/{name}");
    let cases = [
        (
            "path",
            json!({"managedPolicyArns": [policy("service-role/NoSuch")]}),
            "AttachRolePolicy",
        ),
        (
            "name",
            json!({"managedPolicyArns": [own("the-role-with-name-x")]}),
            "AttachRolePolicy",
        ),
        (
            "found",
            json!({"managedPolicyArns": [own("Role.cannot.be.found")]}),
            "AttachRolePolicy",
        ),
        (
            "boundary",
            json!({"permissionsBoundary": own("role-boundary")}),
            "CreateRole",
        ),
    ];
    let world = World::new("no-such-policy");
    for (name, spec, _) in &cases {
        world.apply(name, spec).unwrap();
    }
    let (until, mut wrong) = (Instant::now() + PROMPTLY, Vec::new());
    for (name, _, action) in &cases {
        let ready = || world.condition(name, "Ready");
        let told = |ready: (String, String, String)| ready.1 == "InvalidSpec" && ready.2.contains(action);
        if !World::by(until, || ready().is_some_and(told)) {
            wrong.push(format!("{name}: {:?}", ready()));
            continue;
        }
        world.looks_at_each(&[name], 3);
        let (reason, stalled) = (ready().unwrap().1, world.condition(name, "Stalled"));
        if reason != "InvalidSpec" || stalled.is_none() || world.told(name, "InvalidSpec").len() != 1 {
            wrong.push(format!("{name}: {reason}, {stalled:?}, {:?}", world.events(name)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // They are mended as any other.
    for (name, ..) in &cases {
        world.patch(name, &json!({"managedPolicyArns": null, "permissionsBoundary": null}));
        world.wait_reconciled(name);
    }
}

/// The same code, and this time it is the role that is gone.
#[test]
fn a_role_that_goes_in_the_middle_of_a_pass_comes_back() {
    for action in ["AttachRolePolicy", "ListAttachedRolePolicies"] {
        let world = World::in_place(
            &format!("vanishes-{}", action.to_lowercase()),
            &json!({"roleName": format!("policy-{action}")}),
        );
        let role = format!("policy-{action}");
        let number = if action == "AttachRolePolicy" { 4 } else { 2 };
        world.iam.tamper(&role, |role| role.attached.clear());
        world.iam.clear_calls();
        let gate = world.iam.gate(number, Gate::Before);
        world.look_or_gone("segments");
        assert!(gate.reached(PATIENCE), "{:?}", world.actions());
        assert_eq!(world.actions().last().unwrap(), action);
        world.iam.remove_role(&role);
        gate.release();
        world.wait("the role to be back", || {
            let role = world.iam.role(&role)?;
            let pinned = world.status("segments")["roleId"] == role.id.as_str();
            (pinned && role.attached.contains(S3_READ_ONLY)).then_some(())
        });
        world.wait_reconciled("segments");
        assert!(!world.reasons_of("segments").contains(&"InvalidSpec".to_owned()));
    }
}
