//! The status after any sequence of outcomes.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use pinpoint_import_role_controller::{
    api::{
        ConditionType, Reason,
        v1alpha1::{PinpointImportRoleSpec, PinpointImportRoleStatus},
    },
    role::{
        Change, Class, DesiredRole, Difference, Failure, Field, Head, Step,
        events::events,
        outcome::{Did, Failures, Outcome},
        plan::{Plan, plan},
        status::{Intent, Learned, applied, differs, find, has_open_drift, intent, ready_reason, status},
    },
};
use proptest::{collection::vec, prelude::*, sample::select};
use strum::VariantArray;

use crate::generated::{cases, declare, failure};

fn difference(what: &str) -> Difference {
    Difference::new(
        Field::TrustPolicy,
        format!("trust policy also allows {what}"),
        "nothing",
    )
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        select(Did::VARIANTS).prop_map(Outcome::InPlace),
        vec(select(vec!["a", "b", "c"]).prop_map(difference), 1..30).prop_map(Outcome::Reported),
        Just(Outcome::Waiting),
        select(vec![
            Reason::InvalidSpec,
            Reason::RoleNotOwned,
            Reason::PolicyNotAllowed
        ])
        .prop_map(|reason| Outcome::Refused(reason, format!("{reason} it is"))),
        vec(select(Class::VARIANTS), 1..4).prop_map(|classes| {
            let failures = classes.into_iter().map(|class| Failure {
                class,
                message: format!("{class:?} it is; ü{}", "x".repeat(2000)),
            });
            Outcome::Failed(Failures::of(failures.collect()).expect("a failure"))
        }),
        Just(Outcome::Hindered("the API server refuses".to_owned())),
        Just(Outcome::DeletionSuspended),
        Just(Outcome::Suspended),
        Just(Outcome::Deleting("waiting".to_owned())),
    ]
}

fn at(second: i64) -> Time {
    Time(Timestamp::from_second(1_790_000_000 + second).unwrap())
}

/// What kstatus makes of the conditions of an object whose generation was observed (cli-utils, `pkg/kstatus`).
fn kstatus(conditions: &[Condition]) -> &'static str {
    let is = |type_, status| find(conditions, type_).is_some_and(|condition| condition.status == status);
    if is(ConditionType::Reconciling, "True") {
        "InProgress"
    } else if is(ConditionType::Stalled, "True") {
        "Failed"
    } else if is(ConditionType::Ready, "True") {
        "Current"
    } else {
        "InProgress"
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases(2000)) })]

    #[test]
    fn any_sequence_of_outcomes_keeps_the_promises(outcomes in vec((outcome(), 0_i64..2), 1..8)) {
        let desired = declare(&PinpointImportRoleSpec::default());
        let learned = Learned { desired: Some(&desired), ..Learned::default() };
        let mut now = PinpointImportRoleStatus::default();
        let mut generation = 1;
        for (step, (outcome, more)) in (0_i64..).zip(&outcomes) {
            generation += more;
            let before = now.clone();
            let ready = find(&before.conditions, ConditionType::Ready);
            let was_failing = ready.is_some_and(|ready| ready.status == "False" && ready.observed_generation == Some(generation))
                && ready_reason(&before).is_some_and(Reason::is_failing)
                && find(&before.conditions, ConditionType::Suspended).is_none();
            now = status(&before, generation, learned, outcome, &at(step * 10));

            // Always Ready; the others only while they are true, and never both Reconciling and Stalled.
            prop_assert_eq!(now.conditions.iter().filter(|one| one.type_ == "Ready").count(), 1);
            prop_assert!(now.conditions.iter().all(|one| one.type_ == "Ready" || one.status == "True"), "{:?}", now.conditions);
            let has = |type_| find(&now.conditions, type_).is_some();
            prop_assert!(!(has(ConditionType::Reconciling) && has(ConditionType::Stalled)));
            let mut types: Vec<&str> = now.conditions.iter().map(|one| one.type_.as_str()).collect();
            types.sort_unstable();
            types.dedup();
            prop_assert_eq!(types.len(), now.conditions.len());

            // A time moves only with its status.
            for condition in &now.conditions {
                let same = before.conditions.iter().find(|one| one.type_ == condition.type_ && one.status == condition.status);
                if let Some(same) = same {
                    prop_assert_eq!(&same.last_transition_time, &condition.last_transition_time);
                }
            }

            // Bounds, and no text cut within a character.
            prop_assert!(now.conditions.iter().all(|one| one.message.chars().count() <= 1000 && !one.reason.is_empty()));
            prop_assert!(now.last_drift.as_ref().is_none_or(|drift| drift.differences.len() <= 20));

            // The same again, later: nothing to write, nothing to tell.
            let again = status(&now, generation, learned, outcome, &at(step * 10 + 5));
            prop_assert!(!differs(&now, &again), "{:?}\n{:?}", now, again);
            let told: Vec<_> = events(&now, &again, Some(outcome))
                .into_iter()
                .filter(|_| !matches!(outcome, Outcome::InPlace(_)))
                .collect();
            prop_assert_eq!(told, vec![]);

            // What tools make of it.
            let expected = match outcome {
                Outcome::InPlace(_) => Some("Current"),
                Outcome::Deleting(_) | Outcome::Hindered(_) | Outcome::DeletionSuspended => Some("InProgress"),
                // A failure that may pass by itself says nothing about one that lasts: of that the status goes on to speak.
                Outcome::Failed(failures) if failures.worst.class.passes_by_itself() && was_failing => None,
                Outcome::Failed(failures) if failures.worst.class.passes_by_itself() => Some("InProgress"),
                Outcome::Reported(_) | Outcome::Refused(..) | Outcome::Failed(_) => Some("Failed"),
                Outcome::Waiting | Outcome::Suspended => None,
            };
            if was_failing && expected.is_none() && !matches!(outcome, Outcome::Suspended) {
                prop_assert_eq!(&now.conditions, &before.conditions);
            }
            if let Some(expected) = expected {
                prop_assert_eq!(kstatus(&now.conditions), expected, "{:?}", outcome);
                prop_assert_eq!(now.observed_generation, Some(generation));
            }
            if let Outcome::InPlace(_) = outcome {
                prop_assert!(now.last_drift.as_ref().is_none_or(|drift| drift.repaired_at.is_some()));
                prop_assert!(!has(ConditionType::Drifted) && !has(ConditionType::Suspended));
            }
        }
    }
}

/// Every class has a reason that is there (contract, section 5).
#[test]
fn every_class_has_its_reason() {
    let reasons: Vec<_> = Class::VARIANTS.iter().map(|class| class.reason().as_str()).collect();
    assert_eq!(
        reasons,
        [
            "Throttled",
            "AwsUnavailable",
            "AwsUnavailable",
            "AwsUnavailable",
            "AccessDenied",
            "InvalidSpec",
            "DeletionBlocked",
            "LimitExceeded",
            "CredentialsUnavailable",
            "RoleNotOwned"
        ]
    );
}

/// A role in place, and its declaration.
fn in_place() -> (DesiredRole, Head, PinpointImportRoleStatus) {
    let desired = declare(&PinpointImportRoleSpec::default());
    let head = Head {
        arn: "arn:aws:iam::123456789012:role/namespace.name".to_owned(),
        id: "AROA1".to_owned(),
        ..Head::default()
    };
    let learned = Learned {
        desired: Some(&desired),
        role: Some(&head),
        request: Some("first"),
    };
    let outcome = Outcome::InPlace(Did::Created);
    let status = status(&PinpointImportRoleStatus::default(), 1, learned, &outcome, &at(0));
    (desired, head, status)
}

/// Types, statuses and reasons.
fn words(status: &PinpointImportRoleStatus) -> String {
    let words = status
        .conditions
        .iter()
        .map(|one| format!("{}={} {}", one.type_, one.status, one.reason));
    words.collect::<Vec<_>>().join(", ")
}

fn message(status: &PinpointImportRoleStatus) -> &str {
    &find(&status.conditions, ConditionType::Ready).expect("Ready").message
}

/// The next status of an object of generation 1 whose role is in place.
fn next(before: &PinpointImportRoleStatus, outcome: &Outcome, second: i64) -> PinpointImportRoleStatus {
    let (desired, ..) = in_place();
    let learned = Learned {
        desired: Some(&desired),
        ..Learned::default()
    };
    status(before, 1, learned, outcome, &at(second))
}

fn failed(classes: &[Class]) -> Outcome {
    let failures = classes.iter().copied().map(failure);
    Outcome::Failed(Failures::of(failures.collect()).expect("a failure"))
}

#[test]
fn what_is_noted_of_a_role_in_place() {
    let (desired, _, status) = in_place();
    assert_eq!(words(&status), "Ready=True Reconciled");
    assert_eq!(message(&status), "role namespace.name is as declared");
    assert_eq!(status.role_name.as_deref(), Some("namespace.name"));
    assert_eq!(status.role_id.as_deref(), Some("AROA1"));
    assert_eq!(
        status.role_arn.as_deref(),
        Some("arn:aws:iam::123456789012:role/namespace.name")
    );
    assert_eq!(status.account_id.as_deref(), Some("123456789012"));
    assert_eq!(
        (status.observed_generation, status.applied_generation),
        (Some(1), Some(1))
    );
    assert_eq!(status.applied_declaration, Some(desired.hash()));
    assert_eq!(status.tag_keys, desired.tags.keys().cloned().collect::<Vec<_>>());
    assert_eq!(status.last_handled_reconcile_at.as_deref(), Some("first"));
    assert!(applied(&status, 1, &desired) && !applied(&status, 2, &desired));
    let tagged = declare(&PinpointImportRoleSpec {
        tags: [("team".to_owned(), "a".to_owned())].into(),
        ..PinpointImportRoleSpec::default()
    });
    assert!(!applied(&status, 1, &tagged), "of another declaration");
    let of_first_version = PinpointImportRoleStatus {
        applied_declaration: None,
        ..status
    };
    assert!(applied(&of_first_version, 1, &tagged), "only the generation was noted");
}

#[test]
fn what_each_outcome_says() {
    let (.., before) = in_place();
    let rows = [
        (
            Outcome::InPlace(Did::Nothing),
            "Ready=True Reconciled",
            "role namespace.name is as declared",
        ),
        (
            Outcome::Waiting,
            "Ready=True Reconciled",
            "role namespace.name is as declared",
        ),
        (
            Outcome::Reported(vec![difference("a"), difference("b")]),
            "Drifted=True DriftDetected, Ready=False DriftDetected, Stalled=True DriftDetected",
            "others changed the role: trust policy also allows a; trust policy also allows b",
        ),
        (
            Outcome::Refused(Reason::InvalidSpec, "why".to_owned()),
            "Ready=False InvalidSpec, Stalled=True InvalidSpec",
            "why",
        ),
        (
            failed(&[Class::Denied]),
            "Ready=False AccessDenied, Stalled=True AccessDenied",
            "Denied it is",
        ),
        (
            failed(&[Class::Throttled, Class::Denied, Class::Limited, Class::Invalid]),
            "Ready=False AccessDenied, Stalled=True AccessDenied",
            "Denied it is; and 2 more calls failed",
        ),
        (
            failed(&[Class::Throttled]),
            "Ready=False Throttled, Reconciling=True Throttled",
            "Throttled it is",
        ),
        (
            Outcome::Hindered("the API server refuses".to_owned()),
            "Ready=False Progressing, Reconciling=True Progressing",
            "the API server refuses",
        ),
        (
            Outcome::Deleting("looking again".to_owned()),
            "Ready=False Deleting, Reconciling=True Deleting",
            "looking again",
        ),
        (
            Outcome::DeletionSuspended,
            "Ready=False Deleting, Reconciling=True Deleting",
            "spec.suspend is set: the role stays until it is lifted, and so does this object",
        ),
        (
            Outcome::Suspended,
            "Ready=True Reconciled, Suspended=True Suspended",
            "role namespace.name is as declared",
        ),
    ];
    for (outcome, conditions, text) in rows {
        let after = next(&before, &outcome, 10);
        let mut found: Vec<String> = words(&after).split(", ").map(str::to_owned).collect();
        found.sort();
        assert_eq!(found.join(", "), conditions, "{outcome:?}");
        assert_eq!(message(&after), text, "{outcome:?}");
    }
    let new = next(&PinpointImportRoleStatus::default(), &Outcome::Waiting, 0);
    assert_eq!(words(&new), "Ready=False Progressing, Reconciling=True Progressing");
    assert_eq!(
        message(&new),
        "waiting for IAM to show the last change, which can take a minute"
    );
    let new = next(&PinpointImportRoleStatus::default(), &Outcome::Suspended, 0);
    assert_eq!(words(&new), "Ready=Unknown Progressing, Suspended=True Suspended");
    assert_eq!(message(&new), "spec.suspend is set: no look at IAM was taken yet");
}

#[test]
fn what_a_failure_that_lasts_is_not_hidden_by() {
    let (.., before) = in_place();
    let denied = next(&before, &failed(&[Class::Denied]), 10);
    for outcome in [failed(&[Class::Throttled]), Outcome::Waiting] {
        assert_eq!(words(&next(&denied, &outcome, 20)), words(&denied), "{outcome:?}");
    }
    assert!(
        words(&next(&denied, &failed(&[Class::Limited]), 20)).contains("LimitExceeded"),
        "another that lasts"
    );
    let (desired, ..) = in_place();
    let learned = Learned {
        desired: Some(&desired),
        ..Learned::default()
    };
    let edited = status(&denied, 2, learned, &failed(&[Class::Throttled]), &at(20));
    assert!(words(&edited).contains("Throttled"), "it spoke of another generation");
    let drifted = next(&before, &Outcome::Reported(vec![difference("a")]), 10);
    assert!(
        words(&next(&drifted, &failed(&[Class::Throttled]), 20)).contains("Throttled"),
        "drift is no failure"
    );
}

#[test]
fn a_request_is_handled_by_a_look_that_is_not_in_vain() {
    let (desired, _, before) = in_place();
    let learned = Learned {
        desired: Some(&desired),
        role: None,
        request: Some("second"),
    };
    let handled = |outcome: &Outcome| status(&before, 1, learned, outcome, &at(10)).last_handled_reconcile_at;
    assert_eq!(handled(&Outcome::InPlace(Did::Nothing)).as_deref(), Some("second"));
    assert_eq!(handled(&failed(&[Class::Denied])).as_deref(), Some("second"));
    assert_eq!(
        handled(&Outcome::Waiting).as_deref(),
        Some("first"),
        "IAM has yet to answer"
    );
    assert_eq!(handled(&Outcome::Suspended).as_deref(), Some("first"), "nobody looked");
    let again = next(&before, &Outcome::InPlace(Did::Nothing), 10);
    assert_eq!(
        again.last_handled_reconcile_at.as_deref(),
        Some("first"),
        "nothing was asked"
    );
}

#[test]
fn keys_of_tags_that_were_never_set_are_forgotten() {
    let refused = Outcome::Refused(Reason::RoleNotOwned, "theirs".to_owned());
    let keys = |change: fn(&mut PinpointImportRoleStatus), outcome: &Outcome| {
        let mut before = PinpointImportRoleStatus {
            tag_keys: vec!["team".to_owned()],
            ..PinpointImportRoleStatus::default()
        };
        change(&mut before);
        next(&before, outcome, 0).tag_keys.len()
    };
    assert_eq!(keys(|_| {}, &refused), 0);
    assert_eq!(
        keys(|status| status.role_id = Some("AROA1".to_owned()), &refused),
        1,
        "a role of ours may bear them"
    );
    assert_eq!(
        keys(|status| status.former_role_id = Some("AROA1".to_owned()), &refused),
        1
    );
    assert_eq!(
        keys(|_| {}, &Outcome::Refused(Reason::InvalidSpec, "wrong".to_owned())),
        1
    );
}

#[test]
fn what_is_noted_before_the_first_write() {
    let (_, _, before) = in_place();
    let desired = declare(&PinpointImportRoleSpec {
        tags: [("team".to_owned(), "a".to_owned()), ("a".to_owned(), "b".to_owned())].into(),
        ..PinpointImportRoleSpec::default()
    });
    let about = |before: &PinpointImportRoleStatus, changes: &Plan, drift: Vec<Difference>| {
        let intended = Intent {
            desired: &desired,
            changes,
            drift,
        };
        intent(before, 1, &intended, &at(10))
    };
    let creation = plan(&desired, None, &[]);
    let made_anew = about(&before, &creation, Vec::new());
    assert_eq!((made_anew.role_id.as_ref(), made_anew.role_arn.as_ref()), (None, None));
    assert_eq!(made_anew.former_role_id.as_deref(), Some("AROA1"));
    assert_eq!(made_anew.tag_keys, ["a", "team"]);
    assert_eq!(made_anew.conditions, before.conditions, "nothing is told yet");
    let again = about(&made_anew, &creation, Vec::new());
    assert_eq!(again, made_anew, "the id that was given up stays noted");

    let tags: Plan = vec![Change::plain(Step::TagRole(desired.tags.clone()))];
    assert_eq!(about(&before, &tags, Vec::new()).tag_keys, ["a", "team"]);
    let trust: Plan = vec![Change::plain(Step::UpdateTrust(String::new()))];
    assert_eq!(about(&before, &trust, Vec::new()), before);

    let drifted = about(&before, &trust, vec![difference("a")]);
    assert_eq!(
        words(&drifted),
        "Ready=False DriftDetected, Reconciling=True DriftDetected, Drifted=True DriftDetected"
    );
    assert_eq!(message(&drifted), "others changed the role: trust policy also allows a");
    assert_eq!(
        about(&drifted, &trust, vec![difference("a")]),
        drifted,
        "it is noted already"
    );
}

#[test]
fn which_drift_is_a_new_one() {
    let (.., before) = in_place();
    let report = |before: &PinpointImportRoleStatus, differences: &[Difference], second| {
        next(before, &Outcome::Reported(differences.to_vec()), second)
    };
    let since = |status: &PinpointImportRoleStatus| status.last_drift.clone().map(|drift| drift.detected_at);
    let (a, b) = (difference("a"), difference("b"));
    let attached = Difference::new(Field::ManagedPolicyArns, "managed policy x is attached", "not attached");
    let missing = Difference::new(Field::ManagedPolicyArns, "managed policy y is not attached", "attached").lack();
    let gone = Difference::new(Field::Role, "role namespace.name does not exist", "the role exists");

    let first = report(&before, &[a.clone(), b.clone()], 10);
    assert_eq!(since(&first), Some(at(10)));
    assert!(has_open_drift(&first) && !has_open_drift(&before));
    assert_eq!(
        since(&report(&first, std::slice::from_ref(&b), 20)),
        Some(at(10)),
        "what is left of it"
    );
    assert_eq!(
        since(&report(&first, std::slice::from_ref(&attached), 20)),
        Some(at(20)),
        "another"
    );
    let more = [a.clone(), b.clone(), attached.clone()];
    assert_eq!(since(&report(&first, &more, 20)), Some(at(20)), "more than it was");

    let undone = next(&first, &Outcome::InPlace(Did::Repaired), 20);
    assert_eq!(
        undone.last_drift.clone().and_then(|drift| drift.repaired_at),
        Some(at(20))
    );
    assert!(!has_open_drift(&undone));
    let later = next(&undone, &Outcome::InPlace(Did::Nothing), 30);
    assert_eq!(later.last_drift, undone.last_drift, "it was undone then");
    assert_eq!(
        since(&report(&undone, &[a.clone(), b], 30)),
        Some(at(30)),
        "the same again"
    );

    let was_gone = report(&before, &[gone], 10);
    assert_eq!(
        since(&report(&was_gone, &[missing.clone(), missing.clone()], 20)),
        Some(at(10)),
        "a role made anew lacks things"
    );
    assert_eq!(
        since(&report(&was_gone, std::slice::from_ref(&attached), 20)),
        Some(at(20)),
        "it has nothing by itself"
    );

    let many: Vec<_> = (0..30).map(|n| difference(&n.to_string())).collect();
    let listed = report(&before, &many, 10);
    let drift = listed.last_drift.clone().expect("a drift");
    assert_eq!((drift.differences.len(), drift.more), (20, Some(10)));
    assert!(message(&listed).chars().count() <= 1000);
    assert_eq!(
        since(&report(&listed, &many[25..], 20)),
        Some(at(10)),
        "it may be one of those that are not listed"
    );
    let sooner = Difference::new(Field::Role, "role namespace.name does not exist", "the role exists");
    assert_eq!(
        since(&report(&listed, &[sooner], 20)),
        Some(at(20)),
        "which come after those that are"
    );
    assert_eq!(
        report(&before, &many[..20], 10).last_drift.and_then(|drift| drift.more),
        None
    );
}

#[test]
fn a_suspended_object_keeps_what_its_last_look_found() {
    let (.., before) = in_place();
    let drifted = next(&before, &Outcome::Reported(vec![difference("a")]), 10);
    let suspended = next(&drifted, &Outcome::Suspended, 20);
    assert_eq!(
        words(&suspended),
        "Ready=False DriftDetected, Drifted=True DriftDetected, Suspended=True Suspended"
    );
    let later = next(&suspended, &Outcome::Suspended, 30);
    assert!(!differs(&suspended, &later), "since 20 s");
    let since = find(&later.conditions, ConditionType::Suspended).map(|one| one.last_transition_time.clone());
    assert_eq!(since, Some(at(20)));
    assert_eq!(
        words(&next(&later, &Outcome::InPlace(Did::Repaired), 40)),
        "Ready=True Reconciled"
    );
}

#[test]
fn what_others_put_into_the_status_is_no_difference() {
    let (.., before) = in_place();
    let mut other = before.clone();
    other.conditions.push(Condition {
        type_: "TheirOwn".to_owned(),
        ..before.conditions[0].clone()
    });
    assert!(!differs(&before, &other) && !differs(&other, &before));
    other.conditions[0].message = "another".to_owned();
    assert!(differs(&before, &other));
}

#[test]
fn words_of_metrics() {
    let of = |outcome: Outcome| outcome.as_str();
    let found: Vec<_> = Did::VARIANTS.iter().map(|did| of(Outcome::InPlace(*did))).collect();
    assert_eq!(found, ["unchanged", "created", "adopted", "updated", "repaired"]);
    let rest = [
        Outcome::Reported(Vec::new()),
        Outcome::Waiting,
        Outcome::Refused(Reason::InvalidSpec, String::new()),
        Outcome::Hindered(String::new()),
        Outcome::Suspended,
        Outcome::DeletionSuspended,
        Outcome::Deleting(String::new()),
    ];
    let words = [
        "reported",
        "waiting",
        "refused",
        "hindered",
        "suspended",
        "suspended",
        "deleting",
    ];
    assert_eq!(rest.map(of), words);
    let classes: Vec<_> = Class::VARIANTS.iter().map(|class| of(failed(&[*class]))).collect();
    assert_eq!(
        classes,
        [
            "throttled",
            "retryable",
            "ambiguous",
            "unseen",
            "denied",
            "invalid",
            "blocked",
            "limited",
            "credentials",
            "exists"
        ]
    );
}

#[test]
fn which_failure_is_told() {
    let of = |classes: &[Class]| match failed(classes) {
        Outcome::Failed(failures) => failures,
        outcome => panic!("{outcome:?}"),
    };
    let both = of(&[Class::Throttled, Class::Denied, Class::Invalid]);
    assert_eq!(both.worst.class, Class::Denied, "one that lasts, the first of them");
    assert_eq!(both.others, [Class::Throttled, Class::Invalid]);
    assert_eq!(both.message(), "Denied it is; and 1 more call failed");
    let passing = of(&[Class::Retryable, Class::Throttled]);
    assert_eq!(
        (passing.worst.class, passing.message().as_str()),
        (Class::Retryable, "Retryable it is")
    );
    assert!(both.may_pass() && passing.may_pass());
    assert!(!of(&[Class::Denied]).may_pass() && !of(&[Class::Denied, Class::Invalid]).may_pass());
    assert!(of(&[Class::Denied, Class::Throttled]).may_pass());
    assert_eq!(Failures::of(Vec::new()), None);
}

#[test]
fn what_is_told() {
    let (.., before) = in_place();
    let tell = |before: &PinpointImportRoleStatus, outcome: &Outcome, generation: i64| {
        let (desired, ..) = in_place();
        let learned = Learned {
            desired: Some(&desired),
            ..Learned::default()
        };
        let next = status(before, generation, learned, outcome, &at(10));
        let told = events(before, &next, Some(outcome));
        let words: Vec<_> = told
            .iter()
            .map(|(reason, note)| format!("{reason:?}: {note}"))
            .collect();
        (words.join("\n"), next)
    };
    let arn = "arn:aws:iam::123456789012:role/namespace.name";
    for (outcome, generation, words) in [
        (Outcome::InPlace(Did::Nothing), 1, String::new()),
        (
            Outcome::InPlace(Did::Created),
            1,
            format!("RoleCreated: created role {arn}"),
        ),
        (
            Outcome::InPlace(Did::Adopted),
            1,
            format!("RoleAdopted: took over role {arn}"),
        ),
        (Outcome::InPlace(Did::Repaired), 1, String::new()),
        (
            Outcome::InPlace(Did::Updated),
            2,
            format!("RoleUpdated: brought role {arn} to generation 2"),
        ),
        (
            Outcome::InPlace(Did::Updated),
            1,
            format!("RoleUpdated: brought role {arn} to the controller's settings as they are now"),
        ),
        (Outcome::Waiting, 1, String::new()),
        (
            Outcome::Refused(Reason::InvalidSpec, "why".to_owned()),
            1,
            "Failing(InvalidSpec): why".to_owned(),
        ),
        (
            failed(&[Class::Denied]),
            1,
            "Failing(AccessDenied): Denied it is".to_owned(),
        ),
        (
            Outcome::Reported(vec![difference("a")]),
            1,
            "DriftDetected: role namespace.name: trust policy also allows a".to_owned(),
        ),
    ] {
        assert_eq!(tell(&before, &outcome, generation).0, words, "{outcome:?}");
    }
    for outcome in [
        failed(&[Class::Denied]),
        Outcome::Refused(Reason::InvalidSpec, "why".to_owned()),
        Outcome::Reported(vec![difference("a")]),
    ] {
        let (_, after) = tell(&before, &outcome, 1);
        assert_eq!(tell(&after, &outcome, 1).0, "", "once: {outcome:?}");
    }
    let (_, denied) = tell(&before, &failed(&[Class::Denied]), 1);
    assert_ne!(
        tell(&denied, &failed(&[Class::Denied]), 2).0,
        "",
        "of another generation"
    );
    assert_ne!(tell(&denied, &failed(&[Class::Limited]), 1).0, "", "for another reason");

    let (_, drifted) = tell(&before, &Outcome::Reported(vec![difference("a")]), 1);
    let (words, repaired) = tell(&drifted, &Outcome::InPlace(Did::Repaired), 1);
    let end = "DriftRepaired: role namespace.name is as declared again; it was: trust policy also allows a";
    assert_eq!(words, end);
    assert_eq!(
        tell(&repaired, &Outcome::InPlace(Did::Nothing), 1).0,
        "",
        "that was told"
    );
    let (words, _) = tell(&drifted, &Outcome::Reported(vec![difference("a"), difference("b")]), 1);
    assert_eq!(
        words,
        "DriftDetected: role namespace.name: trust policy also allows a; trust policy also allows b"
    );

    for width in 30..70 {
        let many: Vec<_> = (0..40)
            .map(|n| difference(&format!("{n:02}{}", "x".repeat(width))))
            .collect();
        let (words, _) = tell(&before, &Outcome::Reported(many), 1);
        let note = words.strip_prefix("DriftDetected: ").expect("a drift");
        assert!(
            (900..=1024).contains(&note.len()) && note.ends_with(" more"),
            "{} {note}",
            note.len()
        );
    }
}
