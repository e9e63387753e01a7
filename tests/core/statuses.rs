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
        Class, Difference, Failure, Field,
        events::events,
        outcome::{Did, Failures, Outcome},
        status::{Learned, differs, find, ready_reason, status},
    },
};
use proptest::{collection::vec, prelude::*, sample::select};
use strum::VariantArray;

use crate::generated::{cases, declare};

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
