//! What a process remembers of its writes, and for how long: each answer of [`Recent`] just before and just after the settle time.

use std::collections::BTreeSet;

use pinpoint_import_role_controller::role::{
    Class, Failure, Head, NewRole, ObservedRole, PolicyArn, Premise, RolePath, Step,
    recent::{Recent, Settled},
};

use crate::generated::{clock, failure};

const S3: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";

fn create() -> Step {
    Step::CreateRole(Box::new(NewRole {
        path: RolePath::default(),
        trust: "pinpoint".to_owned(),
        description: String::new(),
        max_session_duration: None,
        boundary: None,
        tags: [].into(),
    }))
}

fn attach(arn: &str) -> Step {
    Step::AttachPolicy(PolicyArn::parse(arn).unwrap())
}

fn role() -> ObservedRole {
    ObservedRole {
        head: Head {
            id: "AROA1".to_owned(),
            trust: "open".to_owned(),
            max_session_duration: Some(3600),
            ..Head::default()
        },
        ..ObservedRole::default()
    }
}

/// A process that is alone, in which this step was answered at 100 s.
fn after(step: &Step, before: Option<&ObservedRole>, answer: Result<(), &Failure>) -> Recent {
    let mut recent = Recent::meeting(false, clock(0));
    recent.did(step, before, answer, clock(100));
    recent
}

#[test]
fn what_is_asked_of_a_role_that_was_made() {
    let recent = after(&create(), None, Ok(()));
    assert!(recent.may_have_created() && recent.just_created(clock(159)) && !recent.just_created(clock(160)));
    assert!(recent.may_lack_tags(clock(159)) && !recent.may_lack_tags(clock(160)));
    assert!(recent.may_be_late(clock(159)) && !recent.may_be_late(clock(160)));
    // What was asked as the settle time ended may have been answered before.
    assert!(recent.may_be_older_than_a_write(clock(160)) && !recent.may_be_older_than_a_write(clock(161)));
    assert!(!recent.may_show_another(clock(101)), "there is one alone");
    assert!(!recent.is_unsure(clock(101)) && !recent.is_name_taken(clock(1000)));

    let mut twice = recent;
    twice.did(&create(), None, Ok(()), clock(120));
    assert!(twice.may_show_another(clock(179)) && !twice.may_show_another(clock(180)));
}

#[test]
fn what_is_asked_of_a_process_that_did_nothing() {
    let new = Recent::meeting(false, clock(0));
    assert!(!new.may_have_created() && new.is_surely_absent(clock(0)));
    assert!(!new.may_be_older_than_a_write(clock(0)) && !new.may_be_late(clock(0)) && !new.may_lack_tags(clock(0)));
    assert!(!new.is_unsure(clock(0)) && !new.may_show_another(clock(0)) && !new.just_created(clock(0)));

    let mut second = Recent::meeting(true, clock(0));
    assert!(
        !second.may_have_created() && !second.is_surely_absent(clock(1000)),
        "the one before may have made it"
    );
    for asked in [
        Recent::is_unsure,
        Recent::may_lack_tags,
        Recent::may_be_late,
        Recent::may_show_another,
    ] {
        assert!(asked(&second, clock(59)) && !asked(&second, clock(60)));
    }
    second.saw(None, clock(100));
    second.saw(None, clock(150));
    assert!(
        !second.is_surely_absent(clock(159)) && second.is_surely_absent(clock(160)),
        "since it was first seen so"
    );
    second.saw(Some(&role().head), clock(170));
    assert!(!second.is_surely_absent(clock(300)));
}

#[test]
fn a_name_is_taken_once_iam_says_so_for_a_settle_time_and_shows_nothing() {
    let exists = failure(Class::Exists);
    let mut recent = after(&create(), None, Err(&exists));
    recent.did(&create(), None, Err(&exists), clock(150));
    recent.saw(None, clock(155));
    assert!(!recent.is_name_taken(clock(159)) && recent.is_name_taken(clock(160)));
    assert!(recent.may_have_created(), "the SDK's first try may have made it");
    assert!(
        !recent.may_be_older_than_a_write(clock(101)),
        "nothing was written by what IAM refused"
    );
    recent.saw(Some(&role().head), clock(170));
    assert!(!recent.is_name_taken(clock(1000)), "it is shown");
}

#[test]
fn a_call_that_failed_for_sure_leaves_nothing() {
    for class in [
        Class::Throttled,
        Class::Denied,
        Class::Invalid,
        Class::Retryable,
        Class::Unseen,
    ] {
        let recent = after(&create(), None, Err(&failure(class)));
        assert!(
            !recent.may_have_created() && !recent.may_be_older_than_a_write(clock(100)),
            "{class:?}"
        );
    }
    let lost = after(&create(), None, Err(&failure(Class::Ambiguous)));
    assert!(lost.may_have_created() && lost.may_be_older_than_a_write(clock(100)) && lost.may_lack_tags(clock(159)));
    assert!(!lost.just_created(clock(101)), "it may not have been");
    let tags = after(
        &Step::TagRole([].into()),
        Some(&role()),
        Err(&failure(Class::Ambiguous)),
    );
    assert!(tags.may_lack_tags(clock(159)) && !tags.may_have_created());
    let other = after(&attach(S3), Some(&role()), Ok(()));
    assert!(!other.may_lack_tags(clock(101)) && other.may_be_late(clock(159)) && !other.may_be_late(clock(160)));
}

/// What a process makes of a role that is shown as it was before its write, and which premises it does not believe then.
fn late(step: &Step, shown: &ObservedRole) -> BTreeSet<Premise> {
    let recent = after(step, Some(shown), Ok(()));
    let written = step.applied(shown);
    let Settled { role, late, unproven } = recent.settled(shown, clock(159));
    assert_eq!((&role, late), (&written, true), "{step:?}");
    let as_written = recent.settled(&written, clock(159));
    assert_eq!(
        (as_written.role, as_written.late, as_written.unproven),
        (written, false, [].into())
    );
    let later = recent.settled(shown, clock(160));
    assert_eq!(
        (&later.role, later.late),
        (shown, false),
        "a settle time later it is drift"
    );
    unproven
}

#[test]
fn what_is_shown_as_it_was_before_a_write_stands_for_what_was_written() {
    let mut full = role();
    full.attached.insert(S3.to_owned());
    full.inline.insert("theirs".to_owned(), None);
    let session = |seconds| Step::UpdateRole {
        description: None,
        max_session_duration: Some(seconds),
    };
    let long = session(7200).applied(&role());
    let boundary = Step::PutBoundary(PolicyArn::parse(S3).unwrap());
    let rows: [(&str, Step, &ObservedRole, &[Premise]); 8] = [
        (
            "trust",
            Step::UpdateTrust("closed".to_owned()),
            &full,
            &[Premise::Trust],
        ),
        ("boundary", boundary, &full, &[Premise::Boundary]),
        ("a shorter session", session(3600), &long, &[Premise::Removed]),
        ("a longer session", session(7200), &full, &[]),
        (
            "a policy detached",
            Step::DetachPolicy(S3.to_owned()),
            &full,
            &[Premise::Removed],
        ),
        ("a policy attached", attach(S3), &role(), &[]),
        (
            "a policy deleted",
            Step::DeleteInlinePolicy {
                name: "theirs".to_owned(),
                document: None,
            },
            &full,
            &[Premise::Removed],
        ),
        (
            "the bucket policy put",
            Step::PutBucketPolicy("{}".to_owned()),
            &full,
            &[],
        ),
    ];
    for (what, step, shown, unproven) in rows {
        assert_eq!(late(&step, shown), unproven.iter().copied().collect(), "{what}");
    }
}

#[test]
fn a_write_of_unknown_fate_counts_once_it_is_shown() {
    let step = attach(S3);
    let mut recent = after(&step, Some(&role()), Err(&failure(Class::Ambiguous)));
    assert!(!recent.settled(&role(), clock(110)).late, "it may not have been");
    recent.saw_whole(&step.applied(&role()), clock(120));
    assert!(recent.settled(&role(), clock(179)).late && !recent.settled(&role(), clock(180)).late);

    let mut forgotten = after(&step, Some(&role()), Err(&failure(Class::Ambiguous)));
    forgotten.tidy(clock(160));
    forgotten.saw_whole(&step.applied(&role()), clock(161));
    assert!(
        !forgotten.settled(&role(), clock(162)).late,
        "a settle time later it is no news"
    );
}

/// The first write may have had its effect between the role that the second was sent for and the second.
#[test]
fn what_a_write_of_unknown_fate_made_is_late_once_another_took_its_place() {
    let (first, second) = (
        Step::UpdateTrust("closed".to_owned()),
        Step::UpdateTrust("closed again".to_owned()),
    );
    let mut recent = after(&first, Some(&role()), Err(&failure(Class::Ambiguous)));
    recent.did(&second, Some(&role()), Ok(()), clock(101));
    for shown in [role(), first.applied(&role())] {
        let settled = recent.settled(&shown, clock(160));
        assert_eq!((&settled.role, settled.late), (&second.applied(&role()), true));
        assert!(!recent.settled(&shown, clock(161)).late);
    }
}

/// Two writes, of which the first had no answer and is shown to have had its effect: then so was the role before the second.
#[test]
fn what_was_before_a_write_had_the_effect_of_the_one_before_it() {
    let mut full = role();
    full.attached.insert(S3.to_owned());
    full.inline.insert("theirs".to_owned(), None);
    let other = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    let delete = Step::DeleteInlinePolicy {
        name: "theirs".to_owned(),
        document: None,
    };
    for (first, second) in [
        (attach(other), Step::DetachPolicy(S3.to_owned())),
        (Step::PutBucketPolicy("{}".to_owned()), delete),
        (
            Step::UpdateTrust("closed".to_owned()),
            Step::PutBoundary(PolicyArn::parse(S3).unwrap()),
        ),
    ] {
        let mut recent = after(&first, Some(&full), Err(&failure(Class::Ambiguous)));
        recent.did(&second, Some(&full), Ok(()), clock(101));
        let truth = second.applied(&first.applied(&full));
        recent.saw_whole(&truth, clock(102));
        for late in [full.clone(), first.applied(&full)] {
            let settled = recent.settled(&late, clock(103));
            assert_eq!((&settled.role, settled.late), (&truth, true), "{first:?}");
        }
        assert!(!recent.settled(&truth, clock(103)).late);
    }
}

#[test]
fn what_is_forgotten() {
    let mut recent = after(&attach(S3), Some(&role()), Ok(()));
    recent.tidy(clock(159));
    assert!(recent.settled(&role(), clock(159)).late);
    recent.tidy(clock(160));
    assert!(!recent.settled(&role(), clock(159)).late);
}
