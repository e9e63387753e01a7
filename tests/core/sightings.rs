//! What a page of a sweep says of a role is what a pass would say, and whatever it says, nothing is written upon it.

use std::{collections::HashSet, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use pinpoint_import_role_controller::{
    api::v1alpha1::{Drift, DriftPolicy, PinpointImportRoleSpec, PinpointImportRoleStatus},
    role::{
        Class, Failure, Guards, ObservedRole, Owner, Ownership, Patterns, RolePath, Step,
        decision::{Decision, End, Situation, foresee},
        outcome::{Did, Outcome},
        ownership::{Claim, Rival, ownership},
        plan::{differences, plan},
        recent::{Clock, Recent},
        sighting::{LONGEST, Sighting, Sightings, Standing, Use, sighting, standing},
        status::{Learned, differs, status},
    },
};
use proof::iam::after;
use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::generated::{account, all_allowed, declare, owner, role, spec};

/// A change of an object, and its name.
type Change<'a> = (&'a str, &'a dyn Fn(&mut Object));

const NOW: Duration = Duration::from_secs(1000);

/// An object that was brought to rest, in a process that is no longer young.
struct Object {
    spec: PinpointImportRoleSpec,
    owner: Owner,
    status: PinpointImportRoleStatus,
    recent: Recent,
    guards: Guards,
    role_path: RolePath,
    request: Option<String>,
    has_finalizer: bool,
    deleting: bool,
    generation: i64,
}

impl Object {
    /// An object at rest, and its role.
    fn at_rest(spec: PinpointImportRoleSpec) -> (Self, ObservedRole) {
        let desired = declare(&spec);
        let mut role = after(None, &plan(&desired, None, &[])).expect("it is made");
        role.head.name = desired.name.to_string();
        let learned = Learned {
            desired: Some(&desired),
            role: Some(&role.head),
            request: None,
        };
        let object = Self {
            status: status(
                &PinpointImportRoleStatus::default(),
                1,
                learned,
                &Outcome::InPlace(Did::Created),
                &Time(Timestamp::UNIX_EPOCH),
            ),
            spec,
            owner: owner(),
            recent: Recent::default(),
            guards: all_allowed(),
            role_path: RolePath::default(),
            request: None,
            has_finalizer: true,
            deleting: false,
            generation: 1,
        };
        (object, role)
    }

    fn situation(&self) -> Situation<'_> {
        Situation {
            spec: &self.spec,
            owner: &self.owner,
            status: &self.status,
            generation: self.generation,
            deleting: self.deleting,
            has_finalizer: self.has_finalizer,
            guards: &self.guards,
            role_path: &self.role_path,
            recent: &self.recent,
            clock: Clock {
                now: NOW,
                settle: Duration::from_mins(1),
            },
        }
    }

    fn standing(&self) -> Option<Standing> {
        standing(&self.situation(), &account(), self.request.as_deref())
    }

    fn sighting(&self, shown: Option<&ObservedRole>, whole: bool) -> Sighting {
        sighting(&self.situation(), &account(), self.request.as_deref(), shown, whole)
    }

    /// What a pass decides.
    fn pass(&self, role: Option<&ObservedRole>) -> Decision {
        foresee(&self.situation(), &account(), role, &Rival::Live)
    }

    /// What a pass that only reports says.
    fn report(&mut self, role: &ObservedRole) {
        let Decision::Report(plan) = self.pass(Some(role)) else {
            panic!("no drift")
        };
        let desired = declare(&self.spec);
        let learned = Learned {
            desired: Some(&desired),
            role: Some(&role.head),
            request: None,
        };
        let outcome = Outcome::Reported(differences(&plan));
        self.status = status(&self.status, 1, learned, &outcome, &Time(Timestamp::UNIX_EPOCH));
    }
}

/// The object's own role, whatever became of it; its own as it was made, with one thing about it changed; or none.
fn shown() -> impl Strategy<Value = Shown> {
    let id = select(vec![None, Some("AROAOTHER")]);
    let uid = select(vec![None, Some("another uid")]);
    prop_oneof![
        2 => Just(Shown::Made),
        3 => (0_u8..9).prop_map(Shown::Touched),
        4 => (role(), option::weighted(0.2, id), option::weighted(0.2, uid)).prop_map(|(role, id, uid)| {
            Shown::Other(Box::new(role), id.flatten(), uid.flatten())
        }),
        1 => Just(Shown::Gone),
    ]
}

#[derive(Clone, Debug)]
enum Shown {
    Made,
    Touched(u8),
    Other(Box<ObservedRole>, Option<&'static str>, Option<&'static str>),
    Gone,
}

impl Shown {
    fn of(&self, made: &ObservedRole) -> Option<ObservedRole> {
        let mut role = made.clone();
        match self {
            Self::Made => {}
            Self::Gone => return None,
            Self::Touched(0) => {
                role.head.trust =
                    String::from(r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}"#);
            }
            Self::Touched(1) => drop(
                role.attached
                    .insert("arn:aws:iam::aws:policy/AdministratorAccess".to_owned()),
            ),
            Self::Touched(2) => drop(role.attached.pop_first()),
            Self::Touched(3) => drop(role.inline.insert("x".to_owned(), Some("{}".to_owned()))),
            Self::Touched(4) => drop(role.inline.pop_first()),
            Self::Touched(5) => role.head.boundary = None,
            Self::Touched(6) => drop(role.head.tags.pop_first()),
            Self::Touched(7) => role.head.description = Some("of others".to_owned()),
            Self::Touched(_) => role.head.max_session_duration = Some(43200),
            Self::Other(other, id, uid) => {
                role = (**other).clone();
                role.head.id = String::from(id.unwrap_or(&made.head.id));
                if let Some(uid) = uid {
                    role.head
                        .tags
                        .insert("pinpoint-import.dev/uid".to_owned(), (*uid).to_owned());
                }
                role.head.arn.clone_from(&made.head.arn);
            }
        }
        Some(role)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// A role is seen as declared if and only if a pass would find it this object's, and nothing to do.
    #[test]
    fn sighting_and_pass_agree(spec in spec(), shown in shown()) {
        let (object, made) = Object::at_rest(spec);
        prop_assert_eq!(object.standing(), Some(Standing::AtRest));
        let shown = shown.of(&made);
        let desired = declare(&object.spec);
        let claim = Claim {
            owner: &object.owner,
            pinned: object.status.role_id.as_deref(),
            former: None,
            adoption: object.spec.adoption_policy,
        };
        let owned = ownership(shown.as_ref().map(|role| &role.head), claim, &Rival::Live) == Ownership::Owned;
        let rests = owned && plan(&desired, shown.as_ref(), &object.status.tag_keys).is_empty();
        let seen = object.sighting(shown.as_ref(), true);
        prop_assert_eq!(seen == Sighting::AsDeclared, rests, "{:?}", seen);
        prop_assert_ne!(seen, Sighting::Unclear);
    }

    /// What is not in view is not believed: a page without descriptions shows a role as declared only where none are declared; and what it
    /// shows all the same is a hint.
    #[test]
    fn what_is_not_in_view_decides_nothing(spec in spec(), shown in shown()) {
        let (object, made) = Object::at_rest(spec);
        let declares = object.spec.description.is_some() || object.spec.max_session_duration.is_some();
        let Some(true_role) = shown.of(&made) else { return Ok(()) };
        let mut page = true_role.clone();
        page.head.description = None;
        page.head.max_session_duration = None;
        match object.sighting(Some(&page), false) {
            Sighting::AsDeclared => {
                prop_assert!(!declares);
                let quiet = matches!(object.pass(Some(&true_role)), Decision::End(End::Say(Outcome::InPlace(Did::Nothing))));
                prop_assert!(quiet, "a pass would do something");
            }
            Sighting::Unclear => prop_assert!(declares),
            Sighting::Differs(_) => {
                let quiet = matches!(object.pass(Some(&true_role)), Decision::End(End::Say(Outcome::InPlace(_))));
                prop_assert!(!quiet, "a hint for nothing");
            }
        }
    }

    /// Sweeps that lie, about a role that is as declared: looks, at most one for each lie, which find nothing to write.
    #[test]
    fn a_lying_sweep_costs_a_look_for_each_lie(spec in spec(), lies in vec((shown(), any::<bool>()), 1..20)) {
        let (object, made) = Object::at_rest(spec);
        let (mut sightings, mut told, mut looks) = (Sightings::default(), HashSet::new(), 0);
        for (number, (lie, whole)) in (1..).zip(&lies) {
            let page = lie.of(&made);
            let seen = object.sighting(page.as_ref(), *whole);
            let began = NOW * number;
            if let Use::Hints(shown) = sightings.take(seen, Standing::AtRest, 1, began, 0.5) {
                looks += 1;
                let pass = object.pass(Some(&made));
                let quiet = matches!(pass, Decision::End(End::Say(Outcome::InPlace(Did::Nothing))));
                prop_assert!(quiet, "{:?}", pass);
                prop_assert!(told.len() >= 8 || told.insert(shown), "the same lie twice");
                sightings.looked(began, false, 0.5);
                sightings.answered(shown);
            }
        }
        prop_assert!(looks <= lies.len());
    }

    /// However often a role is seen as declared, it is looked at by itself within a day; and within its interval where it is not seen.
    #[test]
    fn no_sighting_lasts(
        every in 1_u64..7200, interval in 30_u64..90_000, shares in vec(0.0..1.0_f64, 1..40), looked in option::of(0.0..1.0_f64),
    ) {
        let mut sightings = Sightings::default();
        if let Some(share) = looked {
            sightings.looked(NOW, false, share);
        }
        let (mut last, interval) = (NOW, Duration::from_secs(interval));
        for (number, share) in (0..).zip(shares) {
            last = NOW + Duration::from_secs(every) * number;
            sightings.take(Sighting::AsDeclared, Standing::AtRest, 1, last, share);
            if let Some(until) = sightings.rests_until(1, interval, last) {
                prop_assert!(until <= last + interval && until <= NOW + LONGEST);
            }
        }
        prop_assert_eq!(sightings.rests_until(1, interval, last + interval), None);
        prop_assert_eq!(sightings.rests_until(1, interval, NOW + LONGEST), None);
        prop_assert_eq!(sightings.rests_until(2, interval, last), None, "seen for another generation");
    }
}

/// A drift that nobody has repaired.
fn drift() -> Drift {
    Drift {
        detected_at: Time(Timestamp::UNIX_EPOCH),
        repaired_at: None,
        differences: Vec::new(),
        more: None,
    }
}

/// Each thing that keeps an object from being at rest.
#[test]
fn at_rest_is_who_has_nothing_to_do_to_say_and_to_answer() {
    let rests = |change: &dyn Fn(&mut Object)| {
        let (mut object, made) = Object::at_rest(PinpointImportRoleSpec::default());
        change(&mut object);
        let seen = object.sighting(Some(&made), true);
        (
            object.standing() == Some(Standing::AtRest),
            seen == Sighting::AsDeclared,
        )
    };
    assert_eq!(rests(&|_| {}), (true, true));
    let beside = |object: &mut Object, kind: &str| {
        let mut condition = object.status.conditions[0].clone();
        (condition.type_, condition.status) = (kind.to_owned(), "True".to_owned());
        object.status.conditions.push(condition);
    };
    let changes: [Change<'_>; 18] = [
        ("without the finalizer", &|object| object.has_finalizer = false),
        ("deleting", &|object| object.deleting = true),
        ("suspended", &|object| object.spec.suspend = true),
        ("asked", &|object| object.request = Some("now".to_owned())),
        ("generation", &|object| object.generation = 2),
        ("not pinned", &|object| object.status.role_id = None),
        ("another pinned", &|object| {
            object.status.role_id = Some("AROAOTHER".to_owned());
        }),
        ("not applied", &|object| object.status.applied_generation = None),
        ("by other settings", &|object| {
            object.status.applied_declaration = Some("0".to_owned());
        }),
        ("by no settings", &|object| object.status.applied_declaration = None),
        ("forbidden now", &|object| {
            object.guards.policy_arns = Patterns::default();
        }),
        ("tag keys", &|object| object.status.tag_keys.push("a".to_owned())),
        ("no condition", &|object| object.status.conditions.clear()),
        ("not Ready", &|object| {
            object.status.conditions[0].status = String::from("False");
        }),
        ("Drifted", &|object| beside(object, "Drifted")),
        ("Stalled", &|object| beside(object, "Stalled")),
        ("Reconciling", &|object| beside(object, "Reconciling")),
        ("a drift that is not repaired", &|object| {
            object.status.last_drift = Some(drift());
        }),
    ];
    for (what, change) in changes {
        let (at_rest, as_declared) = rests(change);
        // The pinned id is the role's affair.
        assert!(!at_rest || what == "another pinned", "{what}");
        assert!(!as_declared, "{what}");
    }
}

/// What IAM shows within the settle time after a write of ours, or of the process before this one, is no sighting and no hint.
#[test]
fn what_may_be_late_says_nothing() {
    let (mut object, made) = Object::at_rest(PinpointImportRoleSpec::default());
    let mut bare = made.clone();
    bare.attached.clear();
    assert!(matches!(object.sighting(Some(&bare), true), Sighting::Differs(_)));
    let clock = |now| Clock {
        now,
        settle: Duration::from_mins(1),
    };
    let step = Step::UntagRole(vec!["a".to_owned()]);
    let failure = |class| Failure {
        class,
        message: String::new(),
    };
    for (seconds, answer, late) in [
        (60, Ok(()), true),
        (0, Ok(()), true),
        (61, Ok(()), false),
        (10, Err(failure(Class::Ambiguous)), true),
        (10, Err(failure(Class::Denied)), false),
    ] {
        let mut recent = Recent::default();
        let at = clock(NOW.saturating_sub(Duration::from_secs(seconds)));
        recent.did(&step, Some(&made), answer.as_ref().copied(), at);
        let object = Object {
            recent,
            ..Object::at_rest(PinpointImportRoleSpec::default()).0
        };
        assert_eq!(
            object.sighting(Some(&bare), true) == Sighting::Unclear,
            late,
            "{seconds} {answer:?}"
        );
        assert_eq!(
            object.sighting(None, true) == Sighting::Unclear,
            late,
            "{seconds} {answer:?}"
        );
        assert_eq!(
            object.sighting(Some(&made), true) == Sighting::Unclear,
            late,
            "{seconds} {answer:?}"
        );
    }
    // A write after the sweep began.
    let mut recent = Recent::default();
    recent.did(&step, Some(&made), Ok(()), clock(NOW + Duration::from_secs(5)));
    object.recent = recent;
    assert_eq!(object.sighting(Some(&bare), true), Sighting::Unclear);
    // A young process hints at nothing, and agrees with its passes on what is as declared.
    object.recent = Recent::meeting(true, clock(NOW.saturating_sub(Duration::from_secs(10))));
    assert_eq!(object.sighting(Some(&bare), true), Sighting::Unclear);
    assert_eq!(object.sighting(None, true), Sighting::Unclear);
    assert_eq!(object.sighting(Some(&made), true), Sighting::AsDeclared);
}

/// A drift that is only reported keeps the object's own timer, and is a hint when it grows, and when it is undone.
#[test]
fn a_reported_drift_is_a_hint_when_it_changes() {
    let spec = PinpointImportRoleSpec {
        drift_policy: DriftPolicy::Report,
        ..PinpointImportRoleSpec::default()
    };
    let (mut object, made) = Object::at_rest(spec);
    let mut drifted = made.clone();
    drifted
        .attached
        .insert("arn:aws:iam::aws:policy/AdministratorAccess".to_owned());
    object.report(&drifted);
    assert_eq!(object.standing(), Some(Standing::Reported));
    let mut sightings = Sightings::default();
    let mut take = |object: &Object, shown: &ObservedRole| {
        let seen = object.sighting(Some(shown), true);
        let good_for = sightings.take(seen, Standing::Reported, 1, NOW, 0.5);
        if let Use::Hints(shown) = good_for {
            sightings.answered(shown);
        }
        assert_eq!(sightings.rests_until(1, LONGEST, NOW), None);
        matches!(good_for, Use::Hints(_))
    };
    assert!(take(&object, &drifted));
    assert!(!take(&object, &drifted), "told once");
    let mut grown = drifted.clone();
    grown.head.tags.clear();
    assert!(take(&object, &grown));
    assert!(take(&object, &made), "undone");
    object.request = Some("now".to_owned());
    assert_eq!(object.standing(), None);
    // What was reported of another generation says nothing of this one.
    (object.request, object.generation) = (None, 2);
    assert_eq!(object.standing(), None);
}

/// What a sweep may say and what a look found, in order, and what that was good for: sweeps, unless "looked" or "answered" is said.
#[test]
fn what_was_no_news_neither_hints_nor_counts_as_a_look() {
    use Sighting::{AsDeclared, Differs, Unclear};
    use Standing::{AtRest, Reported};
    let (hour, day) = (Duration::from_hours(1), LONGEST);
    let take = |sightings: &mut Sightings, sighting, standing, began| sightings.take(sighting, standing, 1, began, 0.5);

    // The same answer never hints again, and is not taken for a sight of the role as declared.
    let mut sightings = Sightings::default();
    sightings.answered(7);
    assert_eq!(take(&mut sightings, Differs(7), AtRest, NOW), Use::Known);
    assert!(sightings.is_new(), "a futile hint is no sighting");
    assert_eq!(take(&mut sightings, AsDeclared, AtRest, NOW), Use::Renews);
    assert_eq!(take(&mut sightings, Differs(7), AtRest, NOW + hour), Use::Known);
    let until = sightings.rests_until(1, 2 * hour, NOW + hour);
    assert_eq!(
        until,
        Some(NOW + 2 * hour),
        "counted from the sweep that saw it as declared"
    );
    // A look that found nothing forgets none of it; one that found something forgets all.
    sightings.looked(NOW, false, 0.5);
    assert_eq!(take(&mut sightings, Differs(7), AtRest, NOW), Use::Known);
    sightings.looked(NOW, true, 0.5);
    assert_eq!(
        take(&mut sightings, Differs(7), AtRest, NOW),
        Use::Hints(7),
        "it came again"
    );

    // Who is only reported has his own timer, whatever is seen.
    for (sighting, good_for) in [
        (AsDeclared, Use::None),
        (Unclear, Use::None),
        (Differs(9), Use::Hints(9)),
    ] {
        let mut sightings = Sightings::default();
        assert_eq!(take(&mut sightings, sighting, Reported, NOW), good_for, "{sighting:?}");
        assert_eq!(sightings.rests_until(1, hour, NOW), None, "{sighting:?}");
    }

    // The first look is due within a day of the first sweep, at a time of its own; each look puts the next one off; no sweep does.
    for (share, looked, due) in [
        (0.25, None, day / 4),
        (1.0, None, day),
        (0.25, Some(0.0), day),
        (0.25, Some(1.0), day.mul_f64(0.9)),
    ] {
        let mut sightings = Sightings::default();
        if let Some(share) = looked {
            sightings.looked(NOW, false, share);
        }
        for began in [NOW, NOW + hour] {
            sightings.take(AsDeclared, AtRest, 1, began, share);
        }
        assert_eq!(
            sightings.rests_until(1, 2 * day, NOW + hour),
            Some(NOW + due),
            "{share} {looked:?}"
        );
    }
}

/// What is shown is the same for the same role, and for the same declaration alone.
#[test]
fn another_declaration_makes_the_same_answer_news() {
    let (object, mut shown) = Object::at_rest(PinpointImportRoleSpec::default());
    shown
        .attached
        .insert("arn:aws:iam::aws:policy/AdministratorAccess".to_owned());
    let seen = object.sighting(Some(&shown), true);
    assert!(matches!(seen, Sighting::Differs(_)), "{seen:?}");
    assert_eq!(object.sighting(Some(&shown), true), seen);
    let (mut other, _) = Object::at_rest(PinpointImportRoleSpec::default());
    other.generation = 2;
    assert_ne!(other.sighting(Some(&shown), true), seen);
}

/// A status that a pass would not touch is one that `differs` finds the same.
#[test]
fn rest_writes_nothing() {
    let (object, made) = Object::at_rest(PinpointImportRoleSpec::default());
    let desired = declare(&object.spec);
    let learned = Learned {
        desired: Some(&desired),
        role: Some(&made.head),
        request: None,
    };
    let next = status(
        &object.status,
        1,
        learned,
        &Outcome::InPlace(Did::Nothing),
        &Time(Timestamp::MAX),
    );
    assert!(!differs(&object.status, &next));
}

#[test]
fn an_object_is_new_until_a_sweep_has_shown_its_role_as_declared() {
    let mut sightings = Sightings::default();
    let mut take = |sighting, standing| {
        sightings.take(sighting, standing, 1, NOW, 0.5);
        sightings.is_new()
    };
    assert!(take(Sighting::Differs(1), Standing::AtRest) && take(Sighting::Unclear, Standing::AtRest));
    assert!(
        take(Sighting::AsDeclared, Standing::Reported),
        "what was reported is there to be seen"
    );
    assert!(!take(Sighting::AsDeclared, Standing::AtRest) && !take(Sighting::Differs(1), Standing::AtRest));
}
