//! Objects don't delay each other, calls stay within the budget, and a stale cache does no harm.

use std::{process::Command, time::Duration};

use serde_json::json;
use test_support::iam::{Fault, Rule};

use crate::world::{WIDE_TRUST, World};

#[test]
fn calls_stay_within_the_budget() {
    let (rate, burst) = (10_u32, 5_u32);
    let world = World::with("budget", &["--iam-calls-per-second=10", "--iam-burst=5"], &[]);
    world.wait_healthy();
    for n in 0..12 {
        world.apply(&format!("r{n}"), &json!({})).unwrap();
    }
    for n in 0..12 {
        world.wait_reconciled(&format!("r{n}"));
    }
    let calls = world.calls();
    assert_eq!(calls.len(), 24);
    // Between a call and the n-th after the burst lie n / rate seconds, but for what the network shifts.
    let slack = Duration::from_millis(300);
    for (first, call) in calls.iter().enumerate() {
        for (n, later) in (1_u32..).zip(calls.iter().skip(first + burst as usize)) {
            let least = Duration::from_secs(1) * n / rate;
            assert!(
                later.at - call.at + slack >= least,
                "{n} calls beyond the burst after {:?}",
                later.at - call.at
            );
        }
    }
}

#[test]
fn objects_that_hang_leave_room_for_others_and_never_more_work_than_set() {
    let world = World::with("hanging", &["--concurrency=3"], &[]);
    world.wait_healthy();
    for name in ["h0", "h1"] {
        let hang = Fault::HangBefore(Duration::from_mins(10));
        world
            .iam
            .fault(Rule::new(hang).role(&world.role_name(name)).times(usize::MAX));
        world.apply(name, &json!({})).unwrap();
    }
    world.wait("both to hang", || (world.actions().len() >= 2).then_some(()));
    // The third place is left; a failing object gives its place back at once.
    world.iam.fault(
        Rule::new(Fault::Throttle)
            .role(&world.role_name("failing"))
            .times(usize::MAX),
    );
    world.apply("failing", &json!({})).unwrap();
    for n in 0..5 {
        world.apply(&format!("r{n}"), &json!({})).unwrap();
    }
    for n in 0..5 {
        world.wait_reconciled(&format!("r{n}"));
    }
    assert_eq!(world.iam.roles().len(), 5);
}

/// The controller is stopped as by SIGSTOP while the object goes and comes again under its name: when it wakes, its cache speaks of the
/// old one.
#[test]
fn an_object_made_anew_is_not_taken_for_the_old_one_in_a_stale_cache() {
    let world = World::in_place("stale", &json!({"deletionPolicy": "Delete"}));
    let before = world.role("segments").unwrap();
    let signal = |name: &str| {
        let pid = world.controller.as_ref().unwrap().pid().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    };
    signal("-STOP");
    world.delete("segments");
    world.take_finalizer_off("segments");
    world.wait_gone("segments");
    world.apply("segments", &json!({})).unwrap();
    signal("-CONT");
    world.wait_ready("segments", "False", "RoleNotOwned");
    assert_eq!(
        world.role("segments").unwrap(),
        before,
        "neither deleted under the old uid nor taken under the new one"
    );
    assert_eq!(world.writes(), Vec::<String>::new());
}

#[test]
fn a_repair_that_iam_shows_late_is_made_and_told_once() {
    let world = World::with("late-repair", &["--iam-settle-time=60s"], &[]);
    world.apply("segments", &json!({})).unwrap();
    world.wait_reconciled("segments");
    world.iam.tamper(&world.role_name("segments"), |role| {
        role.trust_policy = WIDE_TRUST.to_owned();
    });
    world.iam.clear_calls();
    world.iam.set_read_lag(Duration::from_secs(4));
    world.wait("the repair", || {
        world.look("segments");
        (!world.writes().is_empty()).then_some(())
    });
    world.wait("IAM to show it", || {
        world.look("segments");
        world.status("segments")["lastDrift"]["repairedAt"]
            .is_string()
            .then_some(())
    });
    assert_eq!(world.writes(), ["UpdateAssumeRolePolicy"]);
    for _ in 0..5 {
        world.look("segments");
    }
    world.wait_reconciled("segments");
    assert_eq!(world.writes(), ["UpdateAssumeRolePolicy"]);
    let told: Vec<_> = world.events("segments").into_iter().map(|(reason, _)| reason).collect();
    assert_eq!(told, ["RoleCreated", "DriftDetected", "DriftRepaired"]);
}
