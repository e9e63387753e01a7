//! What is decided by a look.

use super::*;

#[test]
fn what_is_decided_before_iam_is_asked() {
    let name_is = |name: &str| Some(name.to_owned());
    check(vec![
        (
            "suspended",
            Case::in_place(|case| case.spec.suspend = true),
            "suspended",
        ),
        (
            "deleted while suspended",
            Case::in_place(|case| (case.deleting, case.spec.suspend) = (true, true)),
            "suspended",
        ),
        (
            "deleted without the finalizer",
            Case::in_place(|case| (case.deleting, case.held) = (true, false)),
            "let go",
        ),
        (
            "deleted without the finalizer while suspended",
            Case::in_place(|case| (case.deleting, case.held, case.spec.suspend) = (true, false, true)),
            "let go",
        ),
        (
            "a name that IAM can't have",
            Case::in_place(|case| case.spec.role_name = name_is("a/b")),
            "refused, InvalidSpec: spec.roleName…",
        ),
        (
            "the same on deletion: nothing was ever made",
            Case::without_role(|case| {
                case.deleting = true;
                (case.spec.role_name, case.status.role_name) = (name_is("a/b"), None);
            }),
            "let go",
        ),
        (
            "the same, and a role was made",
            Case::in_place(|case| {
                case.deleting = true;
                (case.spec.role_name, case.status.role_name) = (name_is("a/b"), None);
            }),
            "refused, InvalidSpec: …",
        ),
        (
            "the same, and the status knows its name",
            Case::in_place(|case| {
                case.deleting = true;
                case.spec.role_name = name_is("a/b");
            }),
            "Delete: DetachRolePolicy DeleteRole",
        ),
        (
            "credentials of another account",
            Case::in_place(|case| case.status.account_id = name_is("210987654321")),
            "failed, Credentials: the role was made in account 210987654321, but the controller's credentials are of account 123456789012…",
        ),
        (
            "the same on deletion",
            Case::in_place(|case| (case.deleting, case.status.account_id) = (true, name_is("210987654321"))),
            "failed, Credentials: …",
        ),
    ]);
}

#[test]
fn what_is_decided_without_a_role() {
    check(vec![
        (
            "never made",
            Case::without_role(|_| {}),
            "Create: CreateRole AttachRolePolicy",
        ),
        (
            "gone",
            Case::in_place(|case| case.shown = None),
            "Repair: CreateRole AttachRolePolicy",
        ),
        (
            "gone, and drift is reported",
            Case::in_place(|case| (case.shown, case.spec.drift_policy) = (None, DriftPolicy::Report)),
            "Report: CreateRole AttachRolePolicy",
        ),
        (
            "gone, and the declaration is another",
            Case::in_place(|case| (case.shown, case.generation) = (None, 2)),
            "Create: CreateRole AttachRolePolicy",
        ),
        (
            "just made by this process",
            Case::without_role(|case| {
                let desired = case.desired();
                sent_create(&mut case.recent, &desired, Ok(()), NOW - 1);
            }),
            "waiting",
        ),
        (
            "made by this process, a settle time ago",
            Case::without_role(|case| {
                let desired = case.desired();
                sent_create(&mut case.recent, &desired, Ok(()), NOW - SETTLE);
            }),
            "Create: CreateRole AttachRolePolicy",
        ),
        (
            "pinned by the process before this one, a moment ago",
            Case::in_place(|case| {
                case.shown = None;
                case.young();
            }),
            "waiting",
        ),
        (
            "not pinned by the process before this one",
            Case::without_role(Case::young),
            "Create: CreateRole AttachRolePolicy",
        ),
        (
            "deleted, and nobody ever made one",
            Case::without_role(|case| (case.deleting, case.recent) = (true, Recent::meeting(false, clock(NOW)))),
            "let go",
        ),
        (
            "deleted, and seen for the first time that it is gone",
            Case::in_place(|case| (case.deleting, case.shown) = (true, None)),
            "deleting: IAM shows no role namespace.name; looking again, since it may be late",
        ),
        (
            "deleted, and gone for a settle time",
            Case::in_place(|case| {
                (case.deleting, case.shown) = (true, None);
                case.recent.saw(None, clock(NOW - SETTLE));
            }),
            "let go, RoleDeleted: role namespace.name is gone",
        ),
        (
            "the same, of a role that was about to be made anew",
            Case::in_place(|case| {
                (case.deleting, case.shown) = (true, None);
                case.status.former_role_id = case.status.role_id.take();
                case.recent.saw(None, clock(NOW - SETTLE));
            }),
            "let go, RoleDeleted: role namespace.name is gone",
        ),
        (
            "the same, and no status knows a role",
            Case::without_role(|case| {
                case.deleting = true;
                case.recent.saw(None, clock(NOW - SETTLE));
            }),
            "let go",
        ),
    ]);
}

#[test]
fn whose_the_role_is() {
    check(vec![
        ("ours by its id", Case::in_place(|_| {}), "in place, Nothing"),
        (
            "ours by its id, without tags: drift",
            Case::in_place(Case::strip),
            "Repair: TagRole",
        ),
        (
            "ours by its id, with the tags of another",
            Case::in_place(claim),
            "refused, RoleNotOwned: role namespace.name belongs to PinpointImportRole namespace/name (uid uid-of-rival, cluster cluster)…",
        ),
        (
            "ours by its id, with another's cluster alone",
            Case::in_place(|case| case.tag(Tag::Cluster, "another")),
            "Repair: TagRole",
        ),
        (
            "another id",
            Case::in_place(|case| case.head().id = "AROATHEIRS".to_owned()),
            "refused, RoleNotOwned: role namespace.name is not the role AROANEW that this object had…",
        ),
        (
            "another id, and roles are taken over",
            Case::in_place(|case| {
                adopt(case);
                case.head().id = "AROATHEIRS".to_owned();
            }),
            "in place, Adopted",
        ),
        ("ours by tags and trust", Case::unpinned(|_| {}), "in place, Created"),
        (
            "our tags, open to others",
            Case::unpinned(Case::open),
            "refused, RoleNotOwned: role namespace.name bears this object's ownership tags, but the object's status does not know it and…",
        ),
        (
            "our uid, another cluster",
            Case::unpinned(|case| case.tag(Tag::Cluster, "another")),
            "refused, RoleNotOwned: role namespace.name belongs to PinpointImportRole namespace/name (uid uid, cluster another)…",
        ),
        (
            "no tags",
            Case::unpinned(Case::strip),
            "refused, RoleNotOwned: role namespace.name exists in IAM and bears no ownership tags…",
        ),
    ]);
}

#[test]
fn what_is_taken_over() {
    check(vec![
        (
            "no tags, and roles are taken over",
            Case::unpinned(|case| {
                adopt(case);
                case.strip();
            }),
            "Adopt: TagRole",
        ),
        (
            "no tags, open to others, and roles are taken over",
            Case::unpinned(|case| {
                adopt(case);
                case.strip();
                case.open();
            }),
            "refused, RoleNotOwned: role namespace.name can't be adopted: …",
        ),
        (
            "no tags, and roles are taken over, but the object goes",
            Case::unpinned(|case| {
                adopt(case);
                case.strip();
                case.deleting = true;
            }),
            "let go",
        ),
        (
            "a live owner's, and roles are taken over",
            Case::unpinned(|case| {
                adopt(case);
                claim(case);
            }),
            "refused, RoleNotOwned: role namespace.name belongs to PinpointImportRole namespace/name (uid uid-of-rival, cluster cluster): \
             choose…",
        ),
        (
            "an unknown owner's, and roles are taken over",
            Case::unpinned(|case| {
                adopt(case);
                claim(case);
                case.rival = Rival::Unknown("no rights".to_owned());
            }),
            "refused, RoleNotOwned: role namespace.name belongs to PinpointImportRole namespace/name (uid uid-of-rival, cluster cluster), \
             which can't be looked up and so counts as existing (no rights)…",
        ),
        (
            "a gone owner's, and roles are taken over",
            Case::unpinned(|case| {
                adopt(case);
                claim(case);
                case.rival = Rival::Gone;
            }),
            "Adopt: TagRole",
        ),
    ]);
}

#[test]
fn whose_owner_is_looked_up() {
    let rival = |change: fn(&mut Case)| {
        let case = Case::unpinned(|case| {
            adopt(case);
            claim(case);
            change(case);
        });
        let head = case.shown.as_ref().map(|role| &role.head);
        case.ask(|situation| situation.rival(head)).map(|owner| owner.uid)
    };
    assert_eq!(rival(|_| {}).as_deref(), Some("uid-of-rival"));
    assert_eq!(
        rival(|case| case.spec.adoption_policy = AdoptionPolicy::Never),
        None,
        "nothing is taken over"
    );
    assert_eq!(
        rival(|case| case.deleting = true),
        None,
        "nothing is taken over by an object that goes"
    );
    assert_eq!(rival(|case| case.shown = None), None, "there is no role");
    assert_eq!(rival(Case::strip), None, "it names nobody");
    let ours = rival(|case| {
        case.tag(Tag::Uid, "uid");
        case.tag(Tag::Cluster, "another");
        case.status.role_id = Some("AROANEW".to_owned());
    });
    assert_eq!(ours, None, "it is ours by its id");
    let left = rival(|case| {
        case.strip();
        case.tag(Tag::Cluster, "cluster");
    });
    assert_eq!(left.as_deref(), Some(""), "a cluster alone may be anybody's");
    let left = rival(|case| {
        case.head().tags.remove(Tag::Uid.key());
    });
    assert_eq!(left, None, "of this name there is no other");
}

#[test]
fn what_iam_may_be_late_to_show() {
    check(vec![
        (
            "the id that was given up, without tags",
            Case::unpinned(|case| {
                give_up(case);
                case.strip();
            }),
            "Update: TagRole",
        ),
        (
            "the id that was given up, shown while IAM may be late",
            Case::unpinned(|case| {
                give_up(case);
                case.young();
            }),
            "waiting",
        ),
        (
            "the id that was given up, shown by a process that has just made another",
            Case::unpinned(|case| {
                give_up(case);
                alone_and_just_made(case);
            }),
            "waiting",
        ),
        (
            "another id than was given up, just made",
            Case::unpinned(|case| {
                case.status.former_role_id = Some("AROAOLD".to_owned());
                alone_and_just_made(case);
            }),
            "in place, Created",
        ),
        (
            "ours by tags, shown to a young process: another may have been made since",
            Case::unpinned(Case::young),
            "waiting",
        ),
        (
            "ours by its id, shown to a young process",
            Case::in_place(Case::young),
            "in place, Nothing",
        ),
        (
            "no tags, shown to a young process: they may be on their way",
            Case::unpinned(|case| {
                case.strip();
                case.young();
            }),
            "waiting",
        ),
        (
            "the same on deletion",
            Case::unpinned(|case| {
                case.strip();
                case.young();
                case.deleting = true;
            }),
            "deleting: what IAM shows of role namespace.name may be late; looking again",
        ),
        (
            "elsewhere than declared",
            Case::in_place(|case| case.spec.path = Some("/elsewhere/".to_owned())),
            "refused, InvalidSpec: role n.o has the path /, but /elsewhere/ is declared…",
        ),
        (
            "elsewhere than declared, and the object goes",
            Case::in_place(|case| (case.deleting, case.spec.path) = (true, Some("/elsewhere/".to_owned()))),
            "Delete: DetachRolePolicy DeleteRole",
        ),
    ]);
}

#[test]
fn what_is_told_of_a_foreign_role_when_the_object_goes() {
    check(vec![
        (
            "another id",
            Case::in_place(|case| (case.deleting, case.head().id) = (true, "AROATHEIRS".to_owned())),
            "let go, Failing(RoleNotOwned): role arn:aws:iam::123456789012:role/n.o is left in AWS: …",
        ),
        (
            "our tags, open to others",
            Case::unpinned(|case| {
                case.deleting = true;
                case.open();
            }),
            "let go, Failing(RoleNotOwned): role arn:aws:iam::123456789012:role/n.o is left in AWS: …",
        ),
        (
            "no tags: nobody takes it for this object's",
            Case::unpinned(|case| {
                case.deleting = true;
                case.strip();
            }),
            "let go",
        ),
    ]);
}

#[test]
fn what_is_done_about_a_difference() {
    let attach = Case::attach;
    let reports = |case: &mut Case| case.spec.drift_policy = DriftPolicy::Report;
    check(vec![
        ("drift", Case::in_place(attach), "Repair: DetachRolePolicy"),
        (
            "drift that is reported",
            Case::in_place(|case| {
                attach(case);
                reports(case);
            }),
            "Report: DetachRolePolicy",
        ),
        (
            "of a new generation",
            Case::in_place(|case| {
                attach(case);
                reports(case);
                case.generation = 2;
            }),
            "Update: DetachRolePolicy",
        ),
        (
            "nobody is let in before the other boundary is off",
            Case::in_place(|case| {
                other_boundary(case);
                GUARDED.clone_into(&mut case.head().trust);
            }),
            "Update: PutRolePermissionsBoundary UpdateAssumeRolePolicy",
        ),
        (
            "others are put out before the other boundary is off",
            Case::in_place(|case| {
                other_boundary(case);
                case.open();
            }),
            "Update: UpdateAssumeRolePolicy PutRolePermissionsBoundary",
        ),
        (
            "of new settings",
            Case::in_place(|case| {
                attach(case);
                reports(case);
                case.status.applied_declaration = Some("another".to_owned());
            }),
            "Update: DetachRolePolicy",
        ),
        (
            "drift that version 0.1.0 would have seen, which noted no declaration",
            Case::in_place(|case| {
                attach(case);
                case.status.applied_declaration = None;
            }),
            "Repair: DetachRolePolicy",
        ),
        (
            "what a young process takes for drift may be older than its predecessor's repair",
            Case::in_place(|case| {
                attach(case);
                case.young();
            }),
            "waiting",
        ),
        (
            "a drift that is noted is one",
            Case::in_place(|case| {
                attach(case);
                case.young();
                case.status.last_drift = Some(drift(None));
            }),
            "Repair: DetachRolePolicy",
        ),
        (
            "one that was repaired is none",
            Case::in_place(|case| {
                attach(case);
                case.young();
                case.status.last_drift = Some(drift(Some(time())));
            }),
            "waiting",
        ),
        (
            "drift of a role whose tags go over another's: it is ours by its id",
            Case::in_place(|case| {
                case.strip();
                attach(case);
            }),
            "Repair: TagRole DetachRolePolicy",
        ),
        (
            "taken over, and drift is reported: that is for what was in place",
            Case::in_place(|case| {
                (case.spec.adoption_policy, case.head().id) = (AdoptionPolicy::Adopt, "AROATHEIRS".to_owned());
                attach(case);
                reports(case);
            }),
            "Adopt: DetachRolePolicy",
        ),
    ]);
}

#[test]
fn what_was_done_is_told_by_what_was_in_place() {
    let adopts = |case: &mut Case| case.spec.adoption_policy = AdoptionPolicy::Adopt;
    let is_first = |case: &mut Case| case.status.applied_generation = None;
    check(vec![
        (
            "for the first time",
            Case::in_place(|case| {
                is_first(case);
                case.status.applied_declaration = None;
            }),
            "in place, Created",
        ),
        (
            "for the first time, and it was there",
            Case::in_place(|case| {
                adopts(case);
                is_first(case);
            }),
            "in place, Adopted",
        ),
        (
            "for the first time, and this process may have made it",
            Case::in_place(|case| {
                adopts(case);
                is_first(case);
                let desired = case.desired();
                sent_create(&mut case.recent, &desired, Ok(()), 0);
            }),
            "in place, Created",
        ),
        (
            "another declaration",
            Case::in_place(|case| case.status.applied_declaration = Some("another".to_owned())),
            "in place, Updated",
        ),
        (
            "no declaration was noted by version 0.1.0",
            Case::in_place(|case| case.status.applied_declaration = None),
            "in place, Nothing",
        ),
        (
            "another generation, the same role",
            Case::in_place(|case| case.generation = 2),
            "in place, Nothing",
        ),
    ]);
}

#[test]
fn what_a_deletion_does() {
    check(vec![
        (
            "the role goes, with what others attached",
            Case::in_place(|case| {
                case.deleting = true;
                case.attach();
                case.role().inline.insert("theirs".to_owned(), None);
            }),
            "Delete: DetachRolePolicy DetachRolePolicy DeleteRolePolicy DeleteRole",
        ),
        (
            "the role stays",
            Case::in_place(|case| (case.deleting, case.spec.deletion_policy) = (true, DeletionPolicy::Retain)),
            "Retain: UntagRole",
        ),
        (
            "the role stays, and bears no tags",
            Case::in_place(|case| {
                (case.deleting, case.spec.deletion_policy) = (true, DeletionPolicy::Retain);
                case.strip();
            }),
            "Retain: ",
        ),
    ]);
    // What this process wrote and what is shown beside it are both taken away.
    let case = Case::in_place(|case| {
        case.deleting = true;
        let bare = ObservedRole {
            head: case.head().clone(),
            ..ObservedRole::default()
        };
        let attach = Step::AttachPolicy(PolicyArn::parse("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess").unwrap());
        case.recent.did(&attach, Some(&bare), Ok(()), clock(NOW - 1));
        case.shown = Some(bare);
    });
    assert_eq!(case.says(), "Delete: DetachRolePolicy DeleteRole");
}

fn adopt(case: &mut Case) {
    case.spec.adoption_policy = AdoptionPolicy::Adopt;
}

fn claim(case: &mut Case) {
    case.tag(Tag::Uid, "uid-of-rival");
}

fn give_up(case: &mut Case) {
    case.status.former_role_id = Some("AROANEW".to_owned());
}

/// The role has another boundary than the declared one.
fn other_boundary(case: &mut Case) {
    case.spec.permissions_boundary = Some("arn:aws:iam::aws:policy/PowerUserAccess".to_owned());
    case.head().boundary = Some(ADMIN.to_owned());
}

/// No process was there before this one, and it made a role a moment ago.
fn alone_and_just_made(case: &mut Case) {
    case.recent = Recent::meeting(false, clock(0));
    let desired = case.desired();
    sent_create(&mut case.recent, &desired, Ok(()), NOW - 1);
}

fn time() -> Time {
    Time(Timestamp::from_second(1_790_000_000).unwrap())
}

fn drift(repaired_at: Option<Time>) -> Drift {
    Drift {
        detected_at: time(),
        repaired_at,
        differences: Vec::new(),
        more: None,
    }
}
