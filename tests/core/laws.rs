//! The laws of the plan, over generated declarations and roles.

use std::collections::BTreeSet;

use pinpoint_import_role_controller::{
    api::{
        INLINE_POLICY,
        v1alpha1::{AdoptionPolicy, Bucket, PinpointImportRoleSpec, UndeclaredPolicies},
    },
    role::{
        Change, Field, Head, ObservedRole, Owner, Ownership, Step,
        ownership::{Claim, Rival, ownership},
        plan::{plan, retention, teardown},
        policy::trust::obstacle_to_adoption,
    },
};
use proof::{
    iam::{after, apply},
    power::{beyond, lets_in_all_of, powers, powers_by_policies, who},
};
use proptest::{option, prelude::*, sample::select};
use serde_json::json;

use crate::generated::{cases, declare, owner, remembered, role, spec};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases(2000)) })]

    /// After executing its plan, the next plan is empty; so nothing is written at rest.
    #[test]
    fn fixpoint(spec in spec(), role in option::of(role()), ours in remembered()) {
        let desired = declare(&spec);
        let end = after(role.as_ref(), &plan(&desired, role.as_ref(), &ours));
        prop_assert_eq!(plan(&desired, end.as_ref(), &ours), vec![]);
    }

    /// What is declared is there after the plan, by what IAM then has, and not by what the plan finds to do.
    #[test]
    fn what_is_declared_comes(spec in spec(), role in option::of(role()), ours in remembered()) {
        let desired = declare(&spec);
        let end = after(role.as_ref(), &plan(&desired, role.as_ref(), &ours)).unwrap();
        let made = after(None, &plan(&desired, None, &ours)).unwrap();
        prop_assert_eq!(who(Some(&end)), who(Some(&made)));
        if let Some(declared) = &spec.description {
            prop_assert_eq!(&end.head.description.clone().unwrap_or_default(), declared);
        }
        if spec.max_session_duration.is_some() {
            prop_assert_eq!(end.head.max_session_duration, spec.max_session_duration);
        }
        if spec.permissions_boundary.is_some() {
            prop_assert_eq!(&end.head.boundary, &spec.permissions_boundary);
        }
        for (key, value) in spec.tags.iter().chain(&owner().tags()) {
            prop_assert_eq!(end.head.tags.get(key), Some(value));
        }
        for key in ours.iter().filter(|key| !spec.tags.contains_key(*key)) {
            prop_assert!(!end.head.tags.contains_key(key), "{key} stays");
        }
        let guide = || vec!["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess".to_owned()];
        let by_default = || if spec.buckets.is_none() { guide() } else { Vec::new() };
        let attached: BTreeSet<String> = spec.managed_policy_arns.clone().unwrap_or_else(by_default).into_iter().collect();
        prop_assert_eq!(end.inline.contains_key(INLINE_POLICY), spec.buckets.is_some());
        prop_assert!(end.attached.is_superset(&attached), "{:?}", end.attached);
        if spec.undeclared_policies == UndeclaredPolicies::Remove {
            prop_assert_eq!(&end.attached, &attached);
            prop_assert_eq!(end.inline.len(), usize::from(spec.buckets.is_some()));
        }
    }

    /// What a change writes over is in it whole, so that it can be logged: nothing of others is lost.
    #[test]
    fn what_is_overwritten_is_kept(spec in spec(), role in role(), ours in remembered()) {
        let mut now = Some(role.clone());
        for change in plan(&declare(&spec), Some(&role), &ours) {
            let before = now.clone().unwrap();
            apply(&mut now, &change.step);
            let after = now.as_ref().unwrap();
            let kept = change.overwrites.clone().unwrap_or_default();
            if after.head.trust != before.head.trust {
                prop_assert_eq!(&kept, &before.head.trust);
            }
            if after.head.boundary != before.head.boundary {
                prop_assert_eq!(&kept, before.head.boundary.as_deref().unwrap_or_default());
            }
            if after.head.description != before.head.description {
                prop_assert!(kept.contains(&json!(before.head.description).to_string()), "{kept}");
            }
            if after.head.max_session_duration != before.head.max_session_duration {
                prop_assert!(kept.contains(&before.head.max_session_duration.unwrap().to_string()), "{kept}");
            }
            for (key, value) in &before.head.tags {
                prop_assert!(after.head.tags.get(key) == Some(value) || kept.contains(&format!("{key:?}:{value:?}")), "{kept}");
            }
            for arn in before.attached.difference(&after.attached) {
                prop_assert_eq!(change.step.subject(), Some(arn.as_str()));
            }
            for (name, document) in &before.inline {
                match after.inline.get(name) {
                    None => prop_assert_eq!((change.step.subject(), &change.step.content()), (Some(name.as_str()), document)),
                    Some(other) => prop_assert!(other == document || change.overwrites == *document),
                }
            }
        }
    }

    /// Stopped after any step, with the answer to the last one lost, so that it may be sent again: the next plan brings the same end.
    #[test]
    fn convergence(spec in spec(), role in option::of(role()), ours in remembered(), resent in any::<bool>()) {
        let desired = declare(&spec);
        let whole = plan(&desired, role.as_ref(), &ours);
        let end = after(role.as_ref(), &whole);
        for stop in 0..=whole.len() {
            let mut reached = after(role.as_ref(), &whole[..stop]);
            if resent && let Some(last) = stop.checked_sub(1) && !matches!(whole[last].step, Step::CreateRole(_)) {
                apply(&mut reached, &whole[last].step);
            }
            let rest = plan(&desired, reached.as_ref(), &ours);
            prop_assert_eq!(after(reached.as_ref(), &rest), end.clone(), "stopped after {} of {:?}", stop, whole);
        }
    }

    /// At no moment can anybody do what he could not before and what is not declared; nor is a boundary ever lifted.
    #[test]
    fn never_wider(spec in spec(), role in option::of(role()), ours in remembered()) {
        let desired = declare(&spec);
        let plan = plan(&desired, role.as_ref(), &ours);
        let end = after(role.as_ref(), &plan);
        // One that lets somebody in and puts another out at once is judged by policies alone.
        let comes_or_goes = lets_in_all_of(role.as_ref(), end.as_ref()) || lets_in_all_of(end.as_ref(), role.as_ref());
        let powers = if comes_or_goes { powers } else { powers_by_policies };
        let mut allowed = powers(role.as_ref());
        allowed.extend(powers(end.as_ref()));
        let boundary = |role: &Option<_>| role.as_ref().and_then(|role: &pinpoint_import_role_controller::role::ObservedRole| role.head.boundary.clone());
        let mut now = role.clone();
        for change in &plan {
            let before = boundary(&now);
            apply(&mut now, &change.step);
            let more = beyond(powers(now.as_ref()), &allowed);
            prop_assert!(more.is_none(), "{:?} allows {:?}", change.step, more);
            prop_assert!(before.is_none() || boundary(&now).is_some(), "{:?} lifts the boundary", change.step);
            // Nothing undeclared may be left when the boundary becomes another one.
            if let Step::PutBoundary(_) = change.step && before.is_some() && desired.undeclared == UndeclaredPolicies::Remove {
                let left = beyond(powers_by_policies(now.as_ref()), &powers_by_policies(end.as_ref()));
                prop_assert_eq!(left, None);
            }
        }
    }

    /// What the spec leaves out is left as it is, but for the trust policy and the set of policies.
    #[test]
    fn left_out_is_left_alone(spec in spec(), role in role(), ours in remembered()) {
        let desired = declare(&spec);
        let end = after(Some(&role), &plan(&desired, Some(&role), &ours)).unwrap();
        if spec.description.is_none() {
            prop_assert_eq!(&end.head.description, &role.head.description);
        }
        if spec.max_session_duration.is_none() {
            prop_assert_eq!(end.head.max_session_duration, role.head.max_session_duration);
        }
        if spec.permissions_boundary.is_none() {
            prop_assert_eq!(&end.head.boundary, &role.head.boundary);
        }
        for (key, value) in &role.head.tags {
            if !spec.tags.contains_key(key) && !ours.contains(key) && !owner().tags().contains_key(key) {
                prop_assert_eq!(end.head.tags.get(key), Some(value));
            }
        }
        if spec.undeclared_policies == UndeclaredPolicies::Keep {
            prop_assert!(role.attached.is_subset(&end.attached));
        }
    }

    /// Every step of a plan mends something that it names, or is part of a creation; and all that differs is named once.
    #[test]
    fn differences_are_told_once(spec in spec(), role in option::of(role()), ours in remembered()) {
        let plan = plan(&declare(&spec), role.as_ref(), &ours);
        let mut told: Vec<_> = plan.iter().flat_map(|change| change.differences.clone()).collect();
        prop_assert_eq!(told.is_empty(), plan.is_empty());
        // But for a bucket policy that is taken off first and put on again, and what follows `CreateRole`.
        let is_taken_off = plan.iter().any(|change| matches!(&change.step, Step::DeleteInlinePolicy { name, .. } if name == INLINE_POLICY));
        let is_part = |change: &Change| role.is_none() || is_taken_off && matches!(change.step, Step::PutBucketPolicy(_));
        prop_assert!(plan.iter().all(|change| !change.differences.is_empty() || is_part(change)), "{plan:?}");
        // A role that does not exist lacks all else, too.
        prop_assert!(role.is_some() || told.iter().all(|difference| difference.field == Field::Role), "{:?}", told);
        let all = told.len();
        told.sort();
        told.dedup();
        prop_assert_eq!(told.len(), all);
        prop_assert!(told.iter().all(|difference| difference.observed.chars().count() <= 300 && difference.declared.chars().count() <= 300));
    }

    /// Deletion leaves nothing, however often it is interrupted, and gives nobody anything on its way.
    #[test]
    fn deletion_is_complete(role in role(), stops in proptest::collection::vec(0_usize..4, 0..4)) {
        let allowed = powers(Some(&role));
        let mut now = Some(role);
        for stop in stops {
            if let Some(left) = now.clone() {
                for change in teardown(&left).iter().take(stop) {
                    apply(&mut now, &change.step);
                    prop_assert!(powers(now.as_ref()).is_subset(&allowed));
                }
            }
        }
        if let Some(left) = now.clone() {
            prop_assert_eq!(after(now.as_ref(), &teardown(&left)), None);
        }
    }

    /// A retained role is nobody's, and is otherwise as it was.
    #[test]
    fn retention_takes_off_the_ownership_alone(role in role()) {
        let end = after(Some(&role), &retention(&role.head)).unwrap();
        prop_assert_eq!(Owner::of(&end.head), None);
        prop_assert!(end.head.tags.keys().all(|key| !key.starts_with("pinpoint-import.dev/")));
        prop_assert_eq!(powers(Some(&end)), powers(Some(&role)));
        prop_assert_eq!(retention(&end.head), vec![]);
    }

    /// The table of ownership (contract, section 4): the pinned id is the proof, tags are a claim; and adoptable is only what was asked for,
    /// trusts Pinpoint and nobody else, and has no other live owner.
    #[test]
    fn foreign_is_never_taken_for_ours(
        role in role(),
        cluster in option::of(select(vec!["cluster", "other"])),
        uid in option::of(select(vec!["uid", "other"])),
        upper in any::<bool>(),
        pinned in option::of(select(vec!["AROA1", "AROA2"])),
        former in option::of(select(vec!["AROA1", "AROA2"])),
        adopt in any::<bool>(),
        rival in select(vec![Rival::Gone, Rival::Live, Rival::Unknown("no answer".to_owned())]),
    ) {
        let mut head: Head = role.head;
        for (key, value) in [("pinpoint-import.dev/cluster", cluster), ("pinpoint-import.dev/uid", uid)] {
            head.set_tag(key, None);
            let key = if upper { key.to_uppercase() } else { key.to_owned() };
            head.set_tag(&key, value.map(str::to_owned));
        }
        let owner = owner();
        let adoption = if adopt { AdoptionPolicy::Adopt } else { AdoptionPolicy::Never };
        let claim = Claim { owner: &owner, pinned, former, adoption };
        let trusts_pinpoint_alone = obstacle_to_adoption(&head.trust).is_none();
        let ours = match (pinned, cluster, uid) {
            (Some(pinned), _, uid) => pinned == head.id && uid != Some("other"),
            (None, _, uid) if former == Some(head.id.as_str()) => uid != Some("other"),
            (None, Some("cluster"), Some("uid")) => trusts_pinpoint_alone,
            (None, ..) => false,
        };
        let verdict = ownership(Some(&head), claim, &rival);
        prop_assert_eq!(verdict == Ownership::Owned, ours);
        // What others left of our own tags names no rival: of our namespace and name there is no other object.
        let names_rival = cluster == Some("other") || uid == Some("other")
            || cluster == Some("cluster") && uid.is_none() && head.tag("pinpoint-import.dev/name").is_none();
        let takeable = adopt && trusts_pinpoint_alone && (!names_rival || rival == Rival::Gone);
        prop_assert_eq!(verdict == Ownership::Adoptable, takeable && !ours);
        prop_assert_eq!(ownership(None, claim, &rival), Ownership::Absent);
    }
}

/// What is not declared goes before the trust policy is put right, and what is comes after it; in between nothing is written over.
#[test]
fn a_bucket_policy_that_differs_goes_first_where_the_frame_changes() {
    const OTHER: &str = r#"{"Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::other/*"}}"#;
    const OPEN: &str =
        r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"sts:AssumeRole"}}"#;
    let desired = declare(&PinpointImportRoleSpec {
        buckets: Some(vec![Bucket {
            name: "segments".to_owned(),
            prefix: None,
            kms_key_arn: None,
        }]),
        ..PinpointImportRoleSpec::default()
    });
    let mut role = after(None, &plan(&desired, None, &[])).unwrap();
    role.inline.insert(INLINE_POLICY.to_owned(), Some(OTHER.to_owned()));
    let told = |role: &ObservedRole| {
        let plan = plan(&desired, Some(role), &[]);
        let told = |change: &Change| {
            (
                change.step.action(),
                change.overwrites.clone(),
                change.differences.len(),
            )
        };
        plan.iter().map(told).collect::<Vec<_>>()
    };
    assert_eq!(told(&role), [("PutRolePolicy", Some(OTHER.to_owned()), 3)]);
    let trust = std::mem::replace(&mut role.head.trust, OPEN.to_owned());
    assert_eq!(
        told(&role),
        [
            ("DeleteRolePolicy", None, 3),
            ("UpdateAssumeRolePolicy", Some(OPEN.to_owned()), 2),
            ("PutRolePolicy", None, 0)
        ]
    );
    role.head.trust = trust;
    role.inline.insert(INLINE_POLICY.to_owned(), None);
    assert_eq!(told(&role), [("PutRolePolicy", None, 1)], "its document was not read");
}
