//! Repairs while IAM does not do everything: what must be kept back, and what must be done all the same.

use serde_json::{Value, json};
use test_support::iam::{Fault, RoleState, Rule};

use super::{busy, denied};
use crate::world::{ADMIN, ALWAYS, BOUNDARY, OTHER, S3_READ_ONLY, Tamper, WIDE_TRUST, widen};

/// Whether what should be done is done.
pub type Seen = fn(&RoleState) -> bool;

/// A role that others change while IAM does not do everything.
pub struct Case {
    pub name: &'static str,
    pub spec: Value,
    pub tamper: Tamper,
    pub fault: Rule,
    /// What must not be called while the fault lasts.
    pub kept_back: &'static [&'static str],
    /// What must come true all the same.
    pub done: Seen,
    /// What `Ready` says then.
    pub reason: &'static str,
}

fn narrow(role: &RoleState) -> bool {
    !role.trust_policy.contains("999999999999")
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
pub fn failing_trust() -> Vec<Case> {
    let denied_trust = || Rule::new(denied()).action("UpdateAssumeRolePolicy").times(ALWAYS);
    vec![
        trust_fails("trust-denied", denied(), ALWAYS, "AccessDenied"),
        trust_fails("trust-busy", busy(), ALWAYS, "AwsUnavailable"),
        trust_fails(
            "trust-500",
            Fault::error(500, "ServiceFailure"),
            ALWAYS,
            "AwsUnavailable",
        ),
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
pub fn failing_boundary() -> Vec<Case> {
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
pub fn failing_beside() -> Vec<Case> {
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
        tagged("tag-limited", Fault::error(409, "LimitExceeded"), "LimitExceeded"),
        tagged("tag-busy", busy(), "AwsUnavailable"),
        settings("settings-denied", denied(), "AccessDenied"),
        settings("settings-refused", Fault::error(400, "ValidationError"), "InvalidSpec"),
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
pub fn passing() -> Vec<Case> {
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

pub const DOCUMENT: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;
