//! A failure that lasts is told once: one status, one event, whatever comes between.

use serde_json::{Value, json};
use test_support::iam::{Fault, Rule};

use super::settled;
use crate::world::{ADMIN, ALWAYS, Tamper, World, widen};

/// What is wrong with how a failure that lasts was told: it is the last thing that the status says, said in one write, told in one event.
fn badly_told(world: &World, name: &str, reason: &str) -> Vec<String> {
    let reasons = world.reasons_of(name);
    let statuses = world.statuses_of(name);
    let says = |status: &Value| {
        let conditions = status["conditions"].as_array().into_iter().flatten();
        conditions
            .into_iter()
            .any(|condition| condition["type"] == "Ready" && condition["reason"] == reason)
    };
    let mut wrong = Vec::new();
    if reasons.last().map(String::as_str) != Some(reason)
        || reasons.iter().filter(|found| *found == reason).count() != 1
    {
        wrong.push(format!("{name}: reasons {reasons:?}, not {reason} once and last"));
    }
    let since = statuses.iter().position(says).map_or(0, |first| statuses.len() - first);
    if since != 1 {
        wrong.push(format!("{name}: {since} statuses were written since it failed"));
    }
    if world.told(name, reason).len() != 1 {
        wrong.push(format!("{name}: {} events {reason}", world.told(name, reason).len()));
    }
    wrong
}

#[test]
fn a_repair_that_keeps_failing_is_told_once() {
    let trust = "UpdateAssumeRolePolicy";
    let denied = || Fault::error(403, "AccessDenied");
    let cases: [(&str, Tamper, &str, Fault, &str); 10] = [
        ("trust", widen, trust, denied(), "AccessDenied"),
        (
            "invalid",
            widen,
            trust,
            Fault::error(400, "MalformedPolicyDocument"),
            "InvalidSpec",
        ),
        (
            "busy",
            widen,
            trust,
            Fault::error(409, "ConcurrentModification"),
            "AwsUnavailable",
        ),
        (
            "failing",
            widen,
            trust,
            Fault::error(500, "ServiceFailure"),
            "AwsUnavailable",
        ),
        ("throttled", widen, trust, Fault::Throttle, "Throttled"),
        (
            "detach",
            |role| role.attached.extend([ADMIN.to_owned()]),
            "DetachRolePolicy",
            denied(),
            "AccessDenied",
        ),
        (
            "attach",
            |role| role.attached.clear(),
            "AttachRolePolicy",
            denied(),
            "AccessDenied",
        ),
        (
            "quota",
            |role| role.attached.clear(),
            "AttachRolePolicy",
            Fault::error(409, "LimitExceeded"),
            "LimitExceeded",
        ),
        ("tags", |role| role.tags.clear(), "TagRole", denied(), "AccessDenied"),
        (
            "all",
            |role| {
                widen(role);
                role.attached = [ADMIN.to_owned()].into();
                role.tags.insert("pinpoint-import.dev/name".to_owned(), "x".to_owned());
            },
            "DetachRolePolicy",
            denied(),
            "AccessDenied",
        ),
    ];
    let names = cases.each_ref().map(|(name, ..)| *name);
    let world = settled("told-once", &names.map(|name| (name, json!({}))));
    for (name, tamper, action, fault, _) in &cases {
        let role = world.role_name(name);
        world
            .iam
            .fault(Rule::new(fault.clone()).action(action).role(&role).times(ALWAYS));
        world.iam.tamper(&role, tamper);
    }
    world.looks_at_each(&names, 7);
    let mut wrong = Vec::new();
    for (name, _, action, _, reason) in &cases {
        wrong.extend(badly_told(&world, name, reason));
        let drifts = world.told(name, "DriftDetected").len();
        if drifts != 1 {
            wrong.push(format!("{name}: {drifts} events DriftDetected"));
        }
        if !world.told(name, "DriftRepaired").is_empty() {
            wrong.push(format!("{name}: told as repaired"));
        }
        if world.calls_on(name, action) < 5 {
            wrong.push(format!("{name}: tried {} times only", world.calls_on(name, action)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    world.iam.clear_faults();
    world.looks_at_each(&names, 1);
    for name in names {
        world.wait_reconciled(name);
        world.wait_event(name, "DriftRepaired");
        let told = ["DriftDetected", "DriftRepaired"].map(|reason| world.told(name, reason).len());
        if told != [1, 1] {
            wrong.push(format!("{name}: {told:?} events of drift at the end"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What passes by itself says nothing while something lasts that doesn't.
#[test]
fn a_failure_that_lasts_is_not_interrupted_by_one_that_passes() {
    let denied = |action: &str| {
        Rule::new(Fault::error(403, "AccessDenied"))
            .action(action)
            .times(ALWAYS)
    };
    let (trust, create, get) = ("UpdateAssumeRolePolicy", "CreateRole", "GetRole");
    // The object, what lasts, and upon which call something passes by.
    let cases = [
        ("write", trust, trust),
        ("read", trust, get),
        ("policies", trust, "ListAttachedRolePolicies"),
        ("create", create, create),
        ("create-read", create, get),
        ("only-read", get, get),
    ];
    let names = cases.each_ref().map(|(name, ..)| *name);
    let world = settled(
        "told-mixed",
        &["write", "read", "policies", "only-read"].map(|name| (name, json!({}))),
    );
    for name in ["write", "read", "policies"] {
        world.iam.tamper(&world.role_name(name), widen);
    }
    let passing = [
        Fault::Throttle,
        Fault::error(500, "ServiceFailure"),
        Fault::error(409, "ConcurrentModification"),
        Fault::ResetBefore,
    ];
    for round in 0..=passing.len() {
        world.iam.clear_faults();
        for (name, lasting, _) in &cases {
            world.iam.fault(denied(lasting).role(&world.role_name(name)));
        }
        if round == 0 {
            for name in ["create", "create-read"] {
                world.apply(name, &json!({})).unwrap();
            }
            for name in names {
                world.look_or_gone(name);
                world.wait_ready(name, "False", "AccessDenied");
            }
        }
        world.looks_at_each(&names, 2);
        let Some(fault) = passing.get(round) else { break };
        world.iam.clear_faults();
        for (name, lasting, action) in &cases {
            let role = world.role_name(name);
            // The first rule that matches is used.
            world
                .iam
                .fault(Rule::new(fault.clone()).action(action).role(&role).times(ALWAYS));
            world.iam.fault(denied(lasting).role(&role));
        }
        world.looks_at_each(&names, 2);
    }
    let mut wrong = Vec::new();
    for name in names {
        wrong.extend(badly_told(&world, name, "AccessDenied"));
        for reason in ["Throttled", "AwsUnavailable"] {
            if !world.told(name, reason).is_empty() {
                wrong.push(format!("{name}: an event {reason}"));
            }
        }
        let drifts = usize::from(["write", "read", "policies"].contains(&name));
        if world.told(name, "DriftDetected").len() != drifts {
            wrong.push(format!("{name}: {:?}", world.told(name, "DriftDetected")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
