//! What is decided without a look, and after the work.

use super::*;

#[test]
fn a_role_is_made_without_a_look_once() {
    let is_at_once = |case: &Case| {
        let work = case.ask(|situation| at_once(situation, &case.subject()));
        work.map(|work| work_words(&work))
    };
    let new = |change: fn(&mut Case)| {
        Case::without_role(|case| {
            (case.held, case.status.role_name) = (false, None);
            change(case);
        })
    };
    let words = is_at_once(&new(|_| {}));
    assert_eq!(words.as_deref(), Some("CreateAtOnce: CreateRole AttachRolePolicy"));
    for (what, change) in [
        ("it bears the finalizer", (|case| case.held = true) as fn(&mut Case)),
        ("a pass came so far", |case| {
            case.status.role_name = Some("namespace.name".to_owned());
        }),
        ("a role is pinned", |case| case.status.role_id = Some("AROA".to_owned())),
        ("it may take one over", |case| {
            case.spec.adoption_policy = AdoptionPolicy::Adopt;
        }),
        ("it goes", |case| case.deleting = true),
    ] {
        assert_eq!(is_at_once(&new(change)), None, "{what}");
    }
}

#[derive(PartialEq)]
enum Role {
    WasThere,
    WasMade,
    IsMissing,
}

/// Some work, and how it went.
struct Done {
    aim: Aim,
    role: Role,
    failures: &'static [Class],
    incomplete: bool,
    late: bool,
}

impl Done {
    /// On a role that was there, and without a failure.
    const WELL: Self = Self {
        aim: Aim::Repair,
        role: Role::WasThere,
        failures: &[],
        incomplete: false,
        late: false,
    };
    /// On a role that was not there, without success.
    const NOT_MADE: Self = Self {
        aim: Aim::Create,
        role: Role::IsMissing,
        ..Self::WELL
    };

    /// What comes of it.
    fn says(self, case: &Case) -> String {
        let role = case.shown.clone().expect("a role");
        let mut progress = Progress::default();
        progress.failures = self.failures.iter().copied().map(failure).collect();
        progress.made = (self.role == Role::WasMade).then(|| role.head.clone());
        progress.incomplete = self.incomplete;
        let work = Work {
            aim: self.aim,
            changes: Vec::new(),
            before: (self.role == Role::WasThere).then(|| Box::new(role)),
            unproven: [].into(),
            late: self.late,
        };
        match case.ask(|situation| after(situation, &case.subject(), &work, progress)) {
            ControlFlow::Continue(()) => "look".to_owned(),
            ControlFlow::Break(end) => end_words(&end),
        }
    }
}

#[rustfmt::skip]
#[test]
fn what_comes_of_work_that_fails() {
    let (old, young) = (Case::in_place(|_| {}), Case::in_place(Case::young));
    let leaving = Case::in_place(|case| {
        case.deleting = true;
        case.young();
    });
    let failed = |failures| Done { failures, ..Done::WELL };
    let not_made = |failures| Done { failures, ..Done::NOT_MADE };
    let at_once = |failures| Done { aim: Aim::CreateAtOnce, ..not_made(failures) };
    let late = "deleting: what IAM shows of role namespace.name may be late; looking again";
    for (what, found, words) in [
        ("not made at once, for good", at_once(&[Class::Exists]).says(&old), "look"),
        ("not made at once, for now", at_once(&[Class::Throttled]).says(&old), "failed, Throttled: Throttled it is"),
        ("made at once, and a policy is refused", Done { role: Role::WasMade, ..at_once(&[Class::Denied]) }.says(&old), "failed, Denied: Denied it is"),
        ("not made after a look, for good", not_made(&[Class::Denied]).says(&old), "failed, Denied: Denied it is"),
        ("the tags came long ago", failed(&[Class::Denied]).says(&old), "failed, Denied: Denied it is"),
        ("the tags may be on their way", failed(&[Class::Denied]).says(&young), "waiting"),
        ("CreateRole brings its own tags", not_made(&[Class::Denied]).says(&young), "failed, Denied: Denied it is"),
        ("tags of CreateRole may be on their way", Done { role: Role::WasMade, ..not_made(&[Class::Denied]) }.says(&young), "waiting"),
        ("the same on deletion", Done { aim: Aim::Delete, ..failed(&[Class::Denied]) }.says(&leaving), late),
        ("tags have nothing to do with it", failed(&[Class::Invalid]).says(&young), "failed, Invalid: Invalid it is"),
        ("shown and not known, for now", failed(&[Class::Unseen]).says(&young), "waiting"),
        ("shown and not known, at last", failed(&[Class::Unseen]).says(&old), "failed, Unseen: Unseen it is"),
        ("there and not shown", not_made(&[Class::Exists]).says(&old), "waiting"),
        ("one that lasts comes first", failed(&[Class::Throttled, Class::Invalid]).says(&old), "failed, Invalid: Invalid it is"),
        ("two that last", failed(&[Class::Limited, Class::Invalid]).says(&old), "failed, Limited: Limited it is; and 1 more call failed"),
    ] {
        assert_eq!(found, words, "{what}");
    }
}

#[rustfmt::skip]
#[test]
fn what_comes_of_work_that_does_not_fail() {
    let (old, leaving) = (Case::in_place(|_| {}), Case::in_place(|case| case.deleting = true));
    let new = Case::unpinned(|case| case.status.applied_declaration = None);
    let of = |aim| Done { aim, ..Done::WELL };
    let late = "deleting: what IAM shows of role namespace.name may be late; looking again";
    let arn = "arn:aws:iam::123456789012:role/n.o";
    for (what, found, words) in [
        ("made", Done { role: Role::WasMade, ..Done::NOT_MADE }.says(&new), "in place, Created"),
        ("made at once", Done { role: Role::WasMade, aim: Aim::CreateAtOnce, ..Done::NOT_MADE }.says(&new), "in place, Created"),
        ("mended", of(Aim::Repair).says(&old), "in place, Repaired"),
        ("taken over", of(Aim::Adopt).says(&old), "in place, Adopted"),
        ("something was left out", Done { incomplete: true, ..Done::WELL }.says(&old), "waiting"),
        ("IAM is late to show the rest", Done { late: true, ..Done::WELL }.says(&old), "waiting"),
        ("deleted in part", Done { incomplete: true, ..of(Aim::Delete) }.says(&leaving), late),
        ("deleted", of(Aim::Delete).says(&leaving), &format!("let go, RoleDeleted: deleted role {arn}")),
        ("let go", of(Aim::Retain).says(&leaving), &format!("let go, RoleRetained: role {arn} stays in AWS, without ownership tags")),
    ] {
        assert_eq!(found, words, "{what}");
    }
}

#[test]
fn a_name_that_is_taken_by_what_is_not_shown_is_told_after_a_settle_time() {
    let case = Case::in_place(|case| {
        let desired = case.desired();
        let exists = failure(Class::Exists);
        sent_create(&mut case.recent, &desired, Err(&exists), NOW - SETTLE);
    });
    let words = Done {
        failures: &[Class::Exists],
        ..Done::NOT_MADE
    }
    .says(&case);
    assert!(
        words.starts_with("refused, RoleNotOwned: IAM says that a role namespace.name exists and does not show it"),
        "{words}"
    );
}

#[test]
fn policies_that_can_t_be_read() {
    let words =
        |case: &Case, class| outcome_words(&case.ask(|situation| unread(situation, &case.subject(), failure(class))));
    let (old, young) = (Case::in_place(|_| {}), Case::in_place(Case::young));
    assert_eq!(words(&old, Class::Unseen), "failed, Unseen: Unseen it is");
    assert_eq!(words(&young, Class::Unseen), "waiting");
    assert_eq!(words(&young, Class::Denied), "failed, Denied: Denied it is");
}

#[test]
fn an_account_that_is_not_to_be_had() {
    let refused = || Outcome::Refused(Reason::PolicyNotAllowed, "why".to_owned());
    let words = |case: &Case, outcome| end_words(&case.ask(|situation| without_account(situation, outcome)));
    let stays = Case::in_place(|_| {});
    let goes = Case::in_place(|case| case.deleting = true);
    let never = Case::without_role(|case| {
        case.deleting = true;
        (case.spec.role_name, case.status.role_name) = (Some("a/b".to_owned()), None);
    });
    assert_eq!(words(&stays, refused()), "refused, PolicyNotAllowed: why");
    let message = words(&goes, refused());
    assert!(
        message.starts_with("refused, PolicyNotAllowed: the role namespace.name may be there, and can't be looked at: why; this object stays"),
        "{message}"
    );
    assert_eq!(
        words(&goes, failure(Class::Credentials).into()),
        "failed, Credentials: Credentials it is"
    );
    assert_eq!(words(&never, refused()), "let go", "nothing was ever made");
}

#[test]
fn what_keeps_a_role_from_being_deleted() {
    let words = |profiles: &[&str]| {
        let profiles: Vec<String> = profiles.iter().map(|&name| name.to_owned()).collect();
        let found = blocked("role", &profiles, failure(Class::Blocked));
        (found.class, found.message)
    };
    assert_eq!(
        words(&[]),
        (Class::Unseen, "Blocked it is".to_owned()),
        "it came after the look"
    );
    let (class, message) = words(&["one", "two"]);
    assert_eq!(class, Class::Blocked);
    assert_eq!(
        message,
        "role role can't be deleted while it is in instance profile one, two: take it out (aws iam remove-role-from-instance-profile \
         --role-name role --instance-profile-name one)"
    );
}

#[test]
fn what_the_status_learns_of_work() {
    let case = Case::in_place(|case| {
        case.role().attached.insert(ADMIN.to_owned());
    });
    let Decision::Act(work) = case.ask(|situation| foresee(situation, &account(), case.shown.as_ref(), &Rival::Live))
    else {
        panic!("drift")
    };
    let desired = case.desired();
    let drift = |aim| {
        let work = Work { aim, ..work.clone() };
        work.intent(&desired).drift.len()
    };
    assert_eq!((drift(Aim::Repair), drift(Aim::Update), drift(Aim::Adopt)), (1, 0, 0));

    let id = |aim, adopted: bool, made: bool| {
        let mut work = Work { aim, ..work.clone() };
        if made {
            work.before = None;
        }
        let mut progress = Progress::without(&(!adopted).then_some(Premise::Ours).into_iter().collect());
        progress.made = made.then(|| Head {
            id: "AROAMADE".to_owned(),
            ..Head::default()
        });
        work.role(&progress).map(|role| role.id)
    };
    assert_eq!(id(Aim::Repair, false, false).as_deref(), Some("AROANEW"));
    assert_eq!(id(Aim::Adopt, true, false).as_deref(), Some("AROANEW"));
    assert_eq!(id(Aim::Adopt, false, false), None, "it does not bear the tags yet");
    assert_eq!(id(Aim::Create, false, true).as_deref(), Some("AROAMADE"));
}
