//! Roles in other accounts: an object says which, the settings say who may, and no account waits for another.

use std::{fs, time::Duration};

use serde_json::json;
use test_support::iam::{Config, FakeIam, Fault, Rule};

use crate::world::World;

const OTHER: &str = "222233334444";
const DOOR: &str = "arn:aws:iam::222233334444:role/pinpoint-import-role-controller";

/// A world whose settings file lets its namespace into another account.
fn two_accounts(name: &str, namespaces: &str, external_id: &str, args: &[&str]) -> (World, FakeIam) {
    let mut world = World::without_controller(name);
    let other = FakeIam::start_with(Config {
        account_id: OTHER.to_owned(),
        ..Config::default()
    });
    world.iam.open_door(&other, DOOR, Some("pir"));
    let settings = format!(
        "iam-settle-time: 600s\nresync-interval: 30s\naccounts:\n  '{OTHER}':\n    role: {DOOR}\n    external-id: {external_id}\n    \
         namespaces: [{namespaces}]\n"
    );
    let path = world.folder().join("settings.yaml");
    fs::write(&path, settings).unwrap();
    world.add_args(&["--config", path.to_str().unwrap()]);
    world.add_args(args);
    world.start();
    (world, other)
}

#[test]
fn an_object_chooses_the_account_of_its_role() {
    let (world, other) = two_accounts("accounts", "t-accounts", "pir", &[]);
    world.apply("here", &json!({})).unwrap();
    world.apply("same", &json!({"accountId": "123456789012"})).unwrap();
    world
        .apply(
            "there",
            &json!({"accountId": OTHER, "trust": {"applications": [
                {"region": "us-east-1", "id": "0123456789abcdef0123456789abcdef"},
            ]}}),
        )
        .unwrap();
    for name in ["here", "same", "there"] {
        world.wait_reconciled(name);
    }
    let names = |iam: &FakeIam| iam.roles().into_iter().map(|role| role.name).collect::<Vec<_>>();
    assert_eq!(names(&world.iam), [world.role_name("here"), world.role_name("same")]);
    assert_eq!(names(&other), [world.role_name("there")]);
    let status = world.status("there");
    assert_eq!(status["accountId"], OTHER);
    assert!(status["roleArn"].as_str().unwrap().contains(OTHER));
    // "The role's account" is the other one.
    let trust = other.role(&world.role_name("there")).unwrap().trust_policy;
    assert!(
        trust.contains(&format!(r#""aws:SourceAccount":"{OTHER}""#)) && !trust.contains("123456789012"),
        "{trust}"
    );

    world.delete_and_wait("there");
    assert!(other.roles().is_empty());
    assert_eq!(world.iam.roles().len(), 2);
    // What flags and environment say comes before the file, and the file before the defaults.
    let log = world.log();
    assert!(log.contains("settle: 1s") && log.contains("resync: 30s"), "{log}");
    assert!(
        log.contains("external_id: Some((not shown))") && !log.contains("\"pir\""),
        "{log}"
    );
}

#[test]
fn a_namespace_that_is_not_let_in_is_refused_and_nothing_is_sent() {
    let (world, other) = two_accounts("accounts-refused", "somebody-else, team-*", "pir", &[]);
    world.apply("segments", &json!({"accountId": OTHER})).unwrap();
    let message = world.wait_ready("segments", "False", "PolicyNotAllowed");
    assert!(
        message.contains(OTHER) && message.contains(&world.namespace),
        "{message}"
    );
    world.apply("unknown", &json!({"accountId": "999999999999"})).unwrap();
    let message = world.wait_ready("unknown", "False", "PolicyNotAllowed");
    assert!(message.contains("have no role in 999999999999"), "{message}");
    assert_eq!((world.actions(), other.calls().len()), (vec![], 0));
    // What was never made keeps no object.
    world.kubectl(&["delete", "pir", "--all", "--timeout=60s"]).unwrap();
    let refusal = world.apply("segments", &json!({"accountId": "1"})).unwrap_err();
    assert!(refusal.contains("accountId"), "{refusal}");
}

#[test]
fn a_session_that_is_refused_says_which_role_and_why() {
    let (world, other) = two_accounts("accounts-denied", "'*'", "wrong", &[]);
    world.apply("segments", &json!({"accountId": OTHER})).unwrap();
    let message = world.wait_ready("segments", "False", "CredentialsUnavailable");
    for words in [DOOR, "AssumeRole", "AccessDenied", "not authorized"] {
        assert!(message.contains(words), "{words}: {message}");
    }
    assert_eq!(other.calls().len(), 0);
    // It is not the fault of the account beside it.
    world.apply("here", &json!({})).unwrap();
    world.wait_reconciled("here");
    world.iam.open_door(&other, DOOR, Some("wrong"));
    world.look("segments");
    world.wait_reconciled("segments");
}

#[test]
fn sessions_are_renewed_before_they_end() {
    let (world, other) = two_accounts("accounts-sessions", "'*'", "pir", &[]);
    // The SDK asks for the next session 10 s before the end of one.
    world.iam.set_session_length(Duration::from_secs(13));
    world.apply("segments", &json!({"accountId": OTHER})).unwrap();
    world.wait_reconciled("segments");
    let sessions = || {
        world
            .iam
            .calls()
            .iter()
            .filter(|call| call.action == "AssumeRole")
            .count()
    };
    world.wait("four sessions", || {
        world.look("segments");
        (sessions() >= 4).then_some(())
    });
    assert!(
        world
            .iam
            .calls()
            .iter()
            .chain(&other.calls())
            .all(|call| call.outcome != "ExpiredToken")
    );
    world.wait_reconciled("segments");
    // One session serves many calls.
    assert!(
        other.calls().len() > 3 * sessions(),
        "{} calls, {} sessions",
        other.calls().len(),
        sessions()
    );
}

#[test]
fn an_account_in_which_every_call_hangs_delays_no_other() {
    let (world, other) = two_accounts("accounts-isolation", "'*'", "pir", &["--concurrency=2"]);
    other.fault(Rule::new(Fault::HangBefore(Duration::from_mins(10))).times(usize::MAX));
    for n in 0..6 {
        world
            .apply(&format!("hanging-{n}"), &json!({"accountId": OTHER}))
            .unwrap();
    }
    world.wait("calls that hang", || (other.calls().len() >= 2).then_some(()));
    for n in 0..6 {
        world.apply(&format!("here-{n}"), &json!({})).unwrap();
    }
    // The first hanging call is given up after 10 s at the earliest, and two at a time are made.
    let before = other.calls().len();
    for n in 0..6 {
        world.wait_reconciled(&format!("here-{n}"));
    }
    assert!(other.calls().len() < 6, "{before} calls, then {}", other.calls().len());
    assert!(other.roles().is_empty());

    // Throttled is as good as hanging: the budget of one account is not the other's.
    other.clear_faults();
    other.fault(Rule::new(Fault::Throttle).times(usize::MAX));
    world.apply("late", &json!({})).unwrap();
    world.wait_reconciled("late");
    other.clear_faults();
    for n in 0..6 {
        world.wait_reconciled(&format!("hanging-{n}"));
    }
}

#[test]
fn a_settings_file_that_is_wrong_is_refused_with_all_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.yaml");
    fs::write(
        &path,
        "resync-intervall: 5m\niam-burst: none\naccounts: {'12': {role: x, namespaces: [a]}}\n",
    )
    .unwrap();
    let run = |config: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_pinpoint-import-role-controller"))
            .args(["run", "--role-path=x", "--config", config])
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = run(path.to_str().unwrap());
    assert_eq!(code, Some(2), "{said}");
    for words in [
        "did you mean resync-interval?",
        "--iam-burst \"none\"",
        "12 digits",
        "--role-path",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let (code, said) = run("/nowhere.yaml");
    assert_eq!(code, Some(2));
    assert!(
        said.contains("/nowhere.yaml") && said.contains("No such file"),
        "{said}"
    );
}
