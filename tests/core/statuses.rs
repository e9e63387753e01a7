//! The status after any sequence of outcomes.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use pinpoint_import_role_controller::{
    api::{ConditionType, Reason, v1alpha1::PinpointImportRoleStatus},
    role::{
        Class, Difference, Failure, Field,
        outcome::{Did, Outcome},
        status::{differs, events, find, status},
    },
};
use proptest::{collection::vec, prelude::*, sample::select};

const CLASSES: [Class; 8] = [
    Class::Throttled,
    Class::Retryable,
    Class::Ambiguous,
    Class::Denied,
    Class::Invalid,
    Class::Blocked,
    Class::Limited,
    Class::Credentials,
];

fn difference(what: &str) -> Difference {
    Difference::new(
        Field::TrustPolicy,
        format!("trust policy also allows {what}"),
        "nothing",
    )
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        select(vec![
            Did::Nothing,
            Did::Created,
            Did::Adopted,
            Did::Updated,
            Did::Repaired
        ])
        .prop_map(Outcome::InPlace),
        vec(select(vec!["a", "b", "c"]).prop_map(difference), 1..30).prop_map(Outcome::Reported),
        Just(Outcome::Waiting),
        select(vec![
            Reason::InvalidSpec,
            Reason::RoleNotOwned,
            Reason::PolicyNotAllowed
        ])
        .prop_map(|reason| Outcome::Refused(reason, format!("{reason} it is"))),
        select(CLASSES.to_vec()).prop_map(|class| Outcome::Failed(Failure {
            class,
            message: format!("{class:?} it is; ü{}", "x".repeat(2000)),
        })),
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
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_outcomes_keeps_the_promises(outcomes in vec((outcome(), 0_i64..2), 1..8)) {
        let mut now = PinpointImportRoleStatus::default();
        let mut generation = 1;
        for (step, (outcome, more)) in (0_i64..).zip(&outcomes) {
            generation += more;
            let before = now.clone();
            now = status(&before, generation, outcome, &at(step * 10));

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
            let again = status(&now, generation, outcome, &at(step * 10 + 5));
            prop_assert!(!differs(&now, &again), "{:?}\n{:?}", now, again);
            let told: Vec<_> = events(&now, &again, Some(outcome))
                .into_iter()
                .filter(|_| !matches!(outcome, Outcome::InPlace(_)))
                .collect();
            prop_assert_eq!(told, vec![]);

            // What tools make of it.
            let expected = match outcome {
                Outcome::InPlace(_) => Some("Current"),
                Outcome::Reported(_) | Outcome::Refused(..) => Some("Failed"),
                Outcome::Deleting(_) => Some("InProgress"),
                Outcome::Failed(failure) => Some(match failure.class {
                    Class::Throttled | Class::Retryable | Class::Ambiguous => "InProgress",
                    _ => "Failed",
                }),
                Outcome::Waiting | Outcome::Suspended => None,
            };
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

/// Every class has a reason that the contract names.
#[test]
fn every_class_has_its_reason() {
    let reasons = CLASSES.map(|class| class.reason().as_str());
    assert_eq!(
        reasons,
        [
            "Throttled",
            "AwsUnavailable",
            "AwsUnavailable",
            "AccessDenied",
            "InvalidSpec",
            "DeletionBlocked",
            "LimitExceeded",
            "CredentialsUnavailable"
        ]
    );
}
