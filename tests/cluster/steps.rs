//! A step that fails or is late keeps back what would give access without it, and nothing else; and it is made up for as soon as it can be.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_support::iam::{Fault, RoleBuilder, RoleState, Rule};

use crate::world::{ADMIN, GUIDE_TRUST, S3_READ_ONLY, WIDE_TRUST, World};

/// A policy that is nobody's business.
const OTHER: &str = "arn:aws:iam::aws:policy/PowerUserAccess";
/// A boundary.
const BOUNDARY: &str = "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess";
/// "Seconds, not the settle time", with room for a machine that is busy.
const PROMPTLY: Duration = Duration::from_secs(30);
/// For as long as the test lasts.
const ALWAYS: usize = usize::MAX;

fn error(status: u16, code: &str) -> Fault {
    Fault::Error {
        status,
        code: code.to_owned(),
        message: format!("{code} it is"),
    }
}

fn denied() -> Fault {
    error(403, "AccessDenied")
}

fn busy() -> Fault {
    error(409, "ConcurrentModification")
}

/// What others do to a role, and whether it was undone.
type Tamper = fn(&mut RoleState);
type Seen = fn(&RoleState) -> bool;

/// A role that others change while IAM does not do everything.
struct Case {
    name: &'static str,
    spec: Value,
    tamper: Tamper,
    fault: Rule,
    /// What must not be called while the fault lasts.
    kept_back: &'static [&'static str],
    /// What must come true all the same.
    done: Seen,
    /// What `Ready` says then.
    reason: &'static str,
}

fn narrow(role: &RoleState) -> bool {
    !role.trust_policy.contains("999999999999")
}

fn widen(role: &mut RoleState) {
    WIDE_TRUST.clone_into(&mut role.trust_policy);
}

/// A stranger is let in, and the declared policy is gone.
fn widen_and_detach(role: &mut RoleState) {
    widen(role);
    role.attached.remove(S3_READ_ONLY);
}

/// A stranger is let in and given everything.
fn widen_and_attach(role: &mut RoleState) {
    widen(role);
    role.attached.insert(ADMIN.to_owned());
}

fn trust_fails(name: &'static str, fault: Fault, times: usize, reason: &'static str) -> Case {
    Case {
        name,
        spec: json!({}),
        tamper: widen_and_detach,
        fault: Rule::new(fault).action("UpdateAssumeRolePolicy").times(times),
        kept_back: &["AttachRolePolicy"],
        done: |_| true,
        reason,
    }
}

/// The trust policy can't be narrowed: nothing is given to whom it lets in.
fn failing_trust() -> Vec<Case> {
    let denied_trust = || Rule::new(denied()).action("UpdateAssumeRolePolicy").times(ALWAYS);
    vec![
        trust_fails("trust-denied", denied(), ALWAYS, "AccessDenied"),
        trust_fails("trust-busy", busy(), ALWAYS, "AwsUnavailable"),
        trust_fails("trust-500", error(500, "ServiceFailure"), ALWAYS, "AwsUnavailable"),
        trust_fails("trust-throttled", Fault::Throttle, ALWAYS, "Throttled"),
        trust_fails("trust-reset", Fault::ResetBefore, ALWAYS, "AwsUnavailable"),
        Case {
            name: "trust-bucket",
            spec: json!({"buckets": [{"name": "segments"}]}),
            tamper: |role| {
                widen(role);
                role.inline.clear();
            },
            fault: denied_trust(),
            kept_back: &["PutRolePolicy"],
            done: |_| true,
            reason: "AccessDenied",
        },
        Case {
            name: "trust-swapped",
            spec: json!({}),
            tamper: |role| {
                role.trust_policy = WIDE_TRUST.replace("pinpoint.amazonaws.com", "ec2.amazonaws.com");
                role.attached = [ADMIN.to_owned()].into();
            },
            fault: denied_trust(),
            kept_back: &["AttachRolePolicy"],
            done: |role| role.attached.is_empty(),
            reason: "AccessDenied",
        },
    ]
}

/// The boundary can't be put: nothing is given without it, and the rest is done.
fn failing_boundary() -> Vec<Case> {
    let bounded = || json!({"permissionsBoundary": BOUNDARY});
    let put = |fault| Rule::new(fault).action("PutRolePermissionsBoundary").times(ALWAYS);
    vec![
        Case {
            name: "boundary-denied",
            spec: bounded(),
            tamper: |role| {
                widen_and_detach(role);
                role.permissions_boundary = None;
            },
            fault: put(denied()),
            kept_back: &["AttachRolePolicy"],
            done: narrow,
            reason: "AccessDenied",
        },
        Case {
            name: "boundary-busy",
            spec: bounded(),
            tamper: |role| {
                widen_and_detach(role);
                role.permissions_boundary = None;
            },
            fault: put(busy()),
            kept_back: &["AttachRolePolicy"],
            done: narrow,
            reason: "AwsUnavailable",
        },
        Case {
            name: "boundary-other",
            spec: bounded(),
            tamper: |role| {
                widen_and_detach(role);
                role.permissions_boundary = Some(ADMIN.to_owned());
                role.attached.insert(OTHER.to_owned());
            },
            // Under the other boundary an undeclared policy may do nothing, under the declared one it might.
            fault: Rule::new(denied())
                .action("DetachRolePolicy")
                .param("PolicyArn", OTHER)
                .times(ALWAYS),
            kept_back: &["PutRolePermissionsBoundary", "AttachRolePolicy"],
            done: narrow,
            reason: "AccessDenied",
        },
    ]
}

/// Something beside fails: what can be narrowed is narrowed, and what is declared comes back.
fn failing_beside() -> Vec<Case> {
    let whole: Seen = |role| narrow(role) && role.attached == [S3_READ_ONLY.to_owned()].into();
    let tagged = |name, fault, reason| Case {
        name,
        spec: json!({"tags": {"team": "a"}}),
        tamper: |role| {
            widen_and_attach(role);
            role.tags.insert("team".to_owned(), "b".to_owned());
        },
        fault: Rule::new(fault).action("TagRole").times(ALWAYS),
        kept_back: &[],
        done: whole,
        reason,
    };
    let settings = |name, fault, reason| Case {
        name,
        spec: json!({"description": "a", "maxSessionDuration": 7200}),
        tamper: |role| {
            widen_and_detach(role);
            role.attached.insert(ADMIN.to_owned());
            role.description = Some("another".to_owned());
            role.max_session_duration = 43200;
        },
        fault: Rule::new(fault).action("UpdateRole").times(ALWAYS),
        kept_back: &[],
        done: whole,
        reason,
    };
    vec![
        tagged("tag-denied", denied(), "AccessDenied"),
        tagged("tag-limited", error(409, "LimitExceeded"), "LimitExceeded"),
        tagged("tag-busy", busy(), "AwsUnavailable"),
        settings("settings-denied", denied(), "AccessDenied"),
        settings("settings-refused", error(400, "ValidationError"), "InvalidSpec"),
        Case {
            name: "one-of-two",
            spec: json!({}),
            tamper: |role| {
                widen_and_detach(role);
                role.attached.extend([ADMIN, OTHER].map(str::to_owned));
                role.inline.insert("theirs".to_owned(), DOCUMENT.to_owned());
            },
            fault: Rule::new(denied())
                .action("DetachRolePolicy")
                .param("PolicyArn", ADMIN)
                .times(ALWAYS),
            kept_back: &[],
            done: |role| {
                narrow(role)
                    && role.inline.is_empty()
                    && role.attached == [S3_READ_ONLY, ADMIN].map(str::to_owned).into()
            },
            reason: "AccessDenied",
        },
        Case {
            name: "one-inline",
            spec: json!({}),
            tamper: |role| {
                widen_and_attach(role);
                let theirs = ["one", "two"].map(|name| (name.to_owned(), DOCUMENT.to_owned()));
                role.inline.extend(theirs);
            },
            fault: Rule::new(denied())
                .action("DeleteRolePolicy")
                .param("PolicyName", "one")
                .times(ALWAYS),
            kept_back: &[],
            done: |role| narrow(role) && !role.attached.contains(ADMIN) && role.inline.len() == 1,
            reason: "AccessDenied",
        },
        Case {
            name: "attach-denied",
            spec: json!({"managedPolicyArns": [S3_READ_ONLY, OTHER]}),
            tamper: |role| {
                widen(role);
                role.attached.clear();
            },
            fault: Rule::new(denied())
                .action("AttachRolePolicy")
                .param("PolicyArn", S3_READ_ONLY)
                .times(ALWAYS),
            kept_back: &[],
            done: |role| narrow(role) && role.attached == [OTHER.to_owned()].into(),
            reason: "AccessDenied",
        },
    ]
}

/// What passes by itself, and answers that are lost: the SDK tries a call three times, so four times is more than it bears.
fn passing() -> Vec<Case> {
    let repaired: Seen = |role| narrow(role) && role.attached == [S3_READ_ONLY.to_owned()].into();
    let once = |name, tamper, action, fault, times| Case {
        name,
        spec: json!({}),
        tamper,
        fault: Rule::new(fault).action(action).times(times),
        kept_back: &[],
        done: repaired,
        reason: "Reconciled",
    };
    let (trust, attach, detach) = ("UpdateAssumeRolePolicy", "AttachRolePolicy", "DetachRolePolicy");
    vec![
        once("once-trust", widen_and_detach, trust, busy(), 1),
        once("once-attach", widen_and_detach, attach, busy(), 1),
        once("once-detach", widen_and_attach, detach, busy(), 1),
        once("once-denied", widen_and_detach, trust, denied(), 1),
        once("lost-trust", widen_and_detach, trust, Fault::ResetAfter, 4),
        once("lost-attach", widen_and_detach, attach, Fault::TruncatedBody, 1),
        once("lost-detach", widen_and_attach, detach, Fault::ResetAfter, 4),
        once("nonsense", widen_and_detach, trust, Fault::Nonsense, 1),
        once("unsent-trust", widen_and_detach, trust, Fault::ResetBefore, 4),
    ]
}

const DOCUMENT: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;

/// All at the default settle time, which is waited out once, so that what others do can't be a late answer.
#[test]
fn a_failed_step_of_a_repair_keeps_back_what_needs_it_and_no_more() {
    let cases: Vec<Case> = [failing_trust(), failing_boundary(), failing_beside(), passing()]
        .into_iter()
        .flatten()
        .collect();
    let names: Vec<&str> = cases.iter().map(|case| case.name).collect();
    let world = World::at_default_settle_time("steps", &[]);
    for case in &cases {
        world.apply(case.name, &case.spec).unwrap();
    }
    for name in &names {
        world.wait_reconciled(name);
    }
    let declared: Vec<RoleState> = names.iter().map(|name| world.role(name).unwrap()).collect();
    World::pass_default_settle_time();

    world.iam.clear_calls();
    for case in &cases {
        let role = world.role_name(case.name);
        world.iam.fault(case.fault.clone().role(&role));
        world.iam.tamper(&role, case.tamper);
    }
    world.looks_at_each(&names, 4);
    let (until, mut wrong) = (Instant::now() + PROMPTLY, Vec::new());
    for case in &cases {
        if !World::by(until, || (case.done)(&world.role(case.name).unwrap())) {
            wrong.push(format!("{}: not done: {:?}", case.name, world.role(case.name)));
        }
        let ready = || world.condition(case.name, "Ready").map(|(_, reason, _)| reason);
        if !World::by(until, || ready().as_deref() == Some(case.reason)) {
            wrong.push(format!("{}: {:?}, not {}", case.name, ready(), case.reason));
        }
        for action in case.kept_back {
            if world.calls_on(case.name, action) > 0 {
                wrong.push(format!("{}: {action} was called", case.name));
            }
        }
    }

    world.iam.clear_faults();
    let until = Instant::now() + PROMPTLY;
    world.looks_at_each(&names, 1);
    for (name, declared) in names.iter().zip(&declared) {
        let right = || {
            let ready = world.condition(name, "Ready");
            ready.is_some_and(|(status, ..)| status == "True") && world.role(name).as_ref() == Some(declared)
        };
        if !World::by(until, right) {
            wrong.push(format!(
                "{name}: not repaired promptly once it could be: {:?}",
                world.condition(name, "Ready")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), world.log());
}

/// A role that is taken over under a boundary that others forgot: the fault, and what must not be called while it lasts.
#[test]
fn an_adopted_role_is_given_nothing_before_its_tags_and_its_boundary_are_on() {
    let boundary = "PutRolePermissionsBoundary";
    let cases = [
        ("boundary-denied", boundary, denied()),
        ("boundary-busy", boundary, busy()),
        ("boundary-500", boundary, error(500, "ServiceFailure")),
        ("boundary-throttled", boundary, Fault::Throttle),
        ("boundary-reset", boundary, Fault::ResetBefore),
        ("tags-denied", "TagRole", denied()),
        ("tags-busy", "TagRole", busy()),
        ("tags-500", "TagRole", error(500, "ServiceFailure")),
    ];
    let names = cases.each_ref().map(|(name, ..)| *name);
    let world = World::at_default_settle_time("steps-adopted", &["--permissions-boundary", BOUNDARY]);
    for (name, action, fault) in &cases {
        let role = world.role_name(name);
        world.iam.put_role(RoleBuilder::new(&role).trust_policy(GUIDE_TRUST));
        world
            .iam
            .fault(Rule::new(fault.clone()).action(action).role(&role).times(ALWAYS));
        world.apply(name, &json!({"adoptionPolicy": "Adopt"})).unwrap();
    }
    world.looks_at_each(&names, 4);
    let mut wrong = Vec::new();
    for (name, action, _) in &cases {
        let kept_back: &[&str] = if *action == boundary {
            &["AttachRolePolicy"]
        } else {
            &["AttachRolePolicy", boundary]
        };
        for action in kept_back.iter().filter(|action| world.calls_on(name, action) > 0) {
            wrong.push(format!("{name}: {action} was called"));
        }
        if world.calls_on(name, action) < 2 {
            wrong.push(format!("{name}: {action} was not tried again"));
        }
    }

    world.iam.clear_faults();
    let until = Instant::now() + PROMPTLY;
    world.looks_at_each(&names, 1);
    for name in names {
        let right = || {
            world.role(name).is_some_and(|role| {
                role.permissions_boundary.as_deref() == Some(BOUNDARY) && role.attached.contains(S3_READ_ONLY)
            })
        };
        if !World::by(until, right) {
            wrong.push(format!(
                "{name}: not promptly as declared: {:?}",
                world.condition(name, "Ready")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), world.log());
}

#[test]
fn what_passes_by_itself_delays_creation_and_deletion_by_seconds() {
    let create = [
        ("create-busy", "CreateRole", busy(), 1),
        ("create-throttled", "CreateRole", Fault::Throttle, 4),
        ("create-reset", "CreateRole", Fault::ResetBefore, 4),
        ("create-500", "CreateRole", error(500, "ServiceFailure"), 4),
        ("attach-busy", "AttachRolePolicy", busy(), 1),
        ("attach-throttled", "AttachRolePolicy", Fault::Throttle, 4),
        ("attach-reset", "AttachRolePolicy", Fault::ResetBefore, 4),
        ("attach-lost", "AttachRolePolicy", Fault::ResetAfter, 4),
        ("bucket-busy", "PutRolePolicy", busy(), 1),
        ("bucket-lost", "PutRolePolicy", Fault::Nonsense, 1),
    ];
    let world = World::at_default_settle_time("steps-passing", &[]);
    let fault = |name: &str, action: &str, fault: &Fault, times| {
        let rule = Rule::new(fault.clone()).action(action).role(&world.role_name(name));
        world.iam.fault(rule.times(times));
    };
    let spec = json!({"managedPolicyArns": [S3_READ_ONLY], "buckets": [{"name": "segments"}]});
    for (name, action, effect, times) in &create {
        fault(name, action, effect, *times);
        world.apply(name, &spec).unwrap();
    }
    let until = Instant::now() + PROMPTLY;
    let mut wrong = Vec::new();
    for (name, ..) in &create {
        let ready = || world.condition(name, "Ready");
        let is_ready = || ready().is_some_and(|(status, ..)| status == "True");
        if !World::by(until, is_ready) {
            wrong.push(format!("{name}: not promptly made: {:?}", ready()));
        }
    }
    let delete = [
        ("create-busy", "DetachRolePolicy", busy(), 1),
        ("create-throttled", "DeleteRole", busy(), 1),
        ("attach-busy", "DeleteRolePolicy", Fault::ResetAfter, 4),
        ("bucket-busy", "DeleteRole", Fault::ResetAfter, 4),
        ("attach-lost", "DetachRolePolicy", Fault::Throttle, 4),
    ];
    for (name, action, effect, times) in &delete {
        fault(name, action, effect, *times);
        world.kubectl(&["delete", "pir", name, "--wait=false"]).unwrap();
    }
    let until = Instant::now() + PROMPTLY;
    for (name, ..) in &delete {
        if !World::by(until, || world.role(name).is_none()) {
            wrong.push(format!(
                "{name}: not promptly deleted: {:?}",
                world.condition(name, "Ready")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), world.log());
}

/// What can't be made stays what it is: no waiting for IAM to show a role that was refused.
#[test]
fn a_role_that_may_not_be_made_says_so_once_and_comes_once_it_may() {
    for (name, fault, reason) in [
        ("denied", denied(), "AccessDenied"),
        ("quota", error(409, "LimitExceeded"), "LimitExceeded"),
        ("malformed", error(400, "MalformedPolicyDocument"), "InvalidSpec"),
    ] {
        let world = World::at_default_settle_time(&format!("unmade-{name}"), &[]);
        world.iam.fault(Rule::new(fault).action("CreateRole").times(ALWAYS));
        world.apply("segments", &json!({})).unwrap();
        world.wait_ready("segments", "False", reason);
        world.looks("segments", 6);
        world.wait_ready("segments", "False", reason);
        assert!(
            world.calls_on("segments", "CreateRole") >= 4,
            "{name}: it is tried again"
        );
        assert_eq!(world.reasons_of("segments"), [reason], "{name}");
        assert_eq!(
            world.told("segments", reason).len(),
            1,
            "{name}: {:?}",
            world.events("segments")
        );
        assert_eq!(
            world.statuses_of("segments").len(),
            1,
            "{name}: {:#?}",
            world.statuses_of("segments")
        );
        world.iam.clear_faults();
        world.look_or_gone("segments");
        let until = Instant::now() + PROMPTLY;
        assert!(
            World::by(until, || world
                .condition("segments", "Ready")
                .is_some_and(|(status, ..)| status == "True")),
            "{name}: {:?}",
            world.condition("segments", "Ready")
        );
    }
}

#[test]
fn deletion_takes_off_what_it_can_and_says_what_it_may_not() {
    let detach = Rule::new(denied())
        .action("DetachRolePolicy")
        .param("PolicyArn", BOUNDARY);
    let delete = Rule::new(denied()).action("DeleteRolePolicy").param("PolicyName", "a");
    let untag = Rule::new(denied()).action("UntagRole");
    let cases: [(&str, &str, Rule, Seen); 3] = [
        ("detach", "Delete", detach, |role| {
            role.attached == [BOUNDARY.to_owned()].into() && role.inline.is_empty()
        }),
        ("inline", "Delete", delete, |role| {
            role.attached.is_empty() && role.inline.keys().eq(["a"])
        }),
        ("retain", "Retain", untag, |role| {
            role.attached.len() == 3 && role.tags.len() == 4
        }),
    ];
    let world = World::new("steps-deleted");
    for (name, policy, ..) in &cases {
        let spec = json!({"managedPolicyArns": [BOUNDARY, S3_READ_ONLY], "deletionPolicy": policy});
        world.apply(name, &spec).unwrap();
    }
    for (name, ..) in &cases {
        world.wait_reconciled(name);
    }
    World::pass_settle_time();
    for (name, _, rule, _) in &cases {
        let role = world.role_name(name);
        world.iam.tamper(&role, |role| {
            role.attached.insert(OTHER.to_owned());
            role.inline
                .extend(["a", "b"].map(|name| (name.to_owned(), DOCUMENT.to_owned())));
        });
        world.iam.fault(rule.clone().role(&role).times(ALWAYS));
        world.kubectl(&["delete", "pir", name, "--wait=false"]).unwrap();
    }
    for (name, _, _, seen) in &cases {
        let message = world.wait_ready(name, "False", "AccessDenied");
        assert!(message.contains(&world.role_name(name)), "{name}: {message}");
        let role = world.role(name).expect("the role is there");
        assert!(seen(&role), "{name}: {role:?}");
    }
    world.looks_at_each(&cases.each_ref().map(|(name, ..)| *name), 4);
    for (name, ..) in &cases {
        assert_eq!(world.told(name, "AccessDenied").len(), 1, "{name}");
        let reasons = world.reasons_of(name);
        assert_eq!(reasons.last().map(String::as_str), Some("AccessDenied"), "{name}");
        assert_eq!(
            reasons.iter().filter(|reason| *reason == "AccessDenied").count(),
            1,
            "{name}: {reasons:?}"
        );
    }
    world.iam.clear_faults();
    for (name, policy, ..) in &cases {
        world.look_or_gone(name);
        world.wait_gone(name);
        let role = world.role(name);
        assert_eq!(role.is_some(), *policy == "Retain", "{name}");
        assert!(
            role.is_none_or(|role| role.tags.is_empty() && role.attached.len() == 3),
            "{name}"
        );
    }
}
