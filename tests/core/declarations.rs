//! What a spec declares: each field arrives, and what is wrong with one is said with its name.

use std::collections::{BTreeMap, BTreeSet};

use pinpoint_import_role_controller::{
    api::{
        Reason,
        v1alpha1::{AdoptionPolicy, Bucket, PinpointImportRoleSpec, Trust, UndeclaredPolicies},
    },
    role::{DesiredRole, Guards, Owner, Patterns, PolicyArn, desired::advice},
};

use crate::generated::{all_allowed, around, declare, owner};

const OURS: &str = "arn:aws:iam::123456789012:policy/ours";

fn spec(change: impl FnOnce(&mut PinpointImportRoleSpec)) -> PinpointImportRoleSpec {
    let mut spec = PinpointImportRoleSpec::default();
    change(&mut spec);
    spec
}

fn tagged(key: &str, value: &str) -> PinpointImportRoleSpec {
    spec(|spec| drop(spec.tags.insert(key.to_owned(), value.to_owned())))
}

/// What is wrong with a spec, a problem a line.
fn problems(spec: &PinpointImportRoleSpec) -> String {
    let found = DesiredRole::declare(spec, owner(), &around()).err().unwrap_or_default();
    let lines: Vec<_> = found.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[test]
fn what_is_wrong_is_said_with_its_field() {
    let bucket = |name: &str| Bucket {
        name: name.to_owned(),
        prefix: None,
        kms_key_arn: None,
    };
    let rows = [
        (spec(|spec| spec.role_name = Some("a/b".to_owned())), "spec.roleName: "),
        (spec(|spec| spec.path = Some("a".to_owned())), "spec.path: "),
        (
            spec(|spec| spec.permissions_boundary = Some("a".to_owned())),
            "spec.permissionsBoundary: ",
        ),
        (
            spec(|spec| spec.managed_policy_arns = Some(vec![OURS.to_owned(), "a".to_owned()])),
            "spec.managedPolicyArns[1]: ",
        ),
        (
            spec(|spec| spec.buckets = Some(Vec::new())),
            "spec.buckets: is an empty list",
        ),
        (
            spec(|spec| spec.buckets = Some(vec![bucket("fine"), bucket("NOT")])),
            "spec.buckets[1].name: ",
        ),
        (spec(|spec| spec.interval = Some("soon".to_owned())), "spec.interval: "),
        (
            spec(|spec| spec.description = Some("x".repeat(1001))),
            "spec.description: has more than 1000 characters",
        ),
        (
            spec(|spec| spec.description = Some("\u{2028}".to_owned())),
            "spec.description: ",
        ),
        (
            spec(|spec| spec.max_session_duration = Some(3599)),
            "spec.maxSessionDuration: 3599 is not between 3600 and 43200",
        ),
        (
            spec(|spec| spec.max_session_duration = Some(43201)),
            "spec.maxSessionDuration: 43201 is not",
        ),
        (
            tagged("AWS:a", "b"),
            "spec.tags[\"AWS:a\"]: is kept for AWS or for the controller",
        ),
        (
            tagged("Pinpoint-Import.dev/uid", "b"),
            "spec.tags[\"Pinpoint-Import.dev/uid\"]: is kept for",
        ),
        (tagged("", "b"), "spec.tags.: is empty or longer than 128 characters"),
        (
            tagged(&"k".repeat(129), "b"),
            &format!("spec.tags.{}: is empty or longer", "k".repeat(129)),
        ),
        (
            tagged("a,b", "b"),
            "spec.tags[\"a,b\"]: has characters that IAM refuses",
        ),
        (
            tagged("a", &"v".repeat(257)),
            "spec.tags.a: has a value of more than 256 characters",
        ),
        (
            tagged("a", "b,c"),
            "spec.tags.a: has a value with characters that IAM refuses",
        ),
        (
            spec(|spec| spec.tags = (0..41).map(|n| (n.to_string(), String::new())).collect()),
            "spec.tags: has 41 entries: at most 40",
        ),
        (
            spec(|spec| spec.tags = ["Team", "team"].map(|key| (key.to_owned(), String::new())).into()),
            "spec.tags.team: is there twice",
        ),
    ];
    for (spec, words) in rows {
        let found = problems(&spec);
        assert!(
            found.starts_with(words) && found.lines().count() == 1,
            "expected {words}\nfound    {found}"
        );
    }
    let two = spec(|spec| (spec.path, spec.max_session_duration) = (Some("a".to_owned()), Some(0)));
    assert_eq!(problems(&two).lines().count(), 2, "all is said at once");
}

#[test]
fn who_guards_the_role_by_nothing_is_told_how() {
    let told = |spec: &PinpointImportRoleSpec| advice(spec).map(|problem| problem.to_string());
    let unguarded = "spec: no condition guards this role, so Pinpoint may use it on behalf of any AWS account. Two lines below spec guard it: \
                     `trust:` and, indented below that, `sourceAccount: ";
    let empty = spec(|spec| spec.trust = Some(Trust::default()));
    for spec in [spec(|_| {}), empty] {
        assert_eq!(told(&spec), Some(format!("{unguarded}\"<id of the role's account>\"`")));
    }
    let elsewhere = spec(|spec| spec.account_id = Some("210987654321".to_owned()));
    assert_eq!(told(&elsewhere), Some(format!("{unguarded}\"210987654321\"`")));
    let source_account = Some("123456789012".to_owned());
    let guarded = spec(|spec| {
        spec.trust = Some(Trust {
            source_account,
            ..Trust::default()
        });
    });
    assert_eq!(told(&guarded), None);
}

#[test]
fn what_is_just_right() {
    for right in [
        spec(|spec| spec.description = Some("x".repeat(1000))),
        spec(|spec| spec.max_session_duration = Some(3600)),
        spec(|spec| spec.max_session_duration = Some(43200)),
        tagged(&"k".repeat(128), &"v".repeat(256)),
        tagged("a", ""),
        spec(|spec| spec.tags = (0..40).map(|n| (n.to_string(), String::new())).collect()),
    ] {
        assert_eq!(problems(&right), "");
    }
}

#[test]
fn each_field_arrives_and_makes_another_declaration() {
    let guide = declare(&PinpointImportRoleSpec::default());
    assert_eq!(guide.name.as_str(), "namespace.name");
    assert_eq!(guide.first_path().as_str(), "/");
    assert!(
        guide
            .first_description()
            .contains("Managed by PinpointImportRole namespace/name (")
    );
    let arns = |role: &DesiredRole| role.attached.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(arns(&guide), ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]);

    let bucket = Bucket {
        name: "segments".to_owned(),
        prefix: None,
        kms_key_arn: None,
    };
    let all = spec(|spec| {
        spec.role_name = Some("role".to_owned());
        spec.path = Some("/a/".to_owned());
        spec.description = Some("one".to_owned());
        spec.max_session_duration = Some(7200);
        spec.permissions_boundary = Some(OURS.to_owned());
        spec.tags.insert("team".to_owned(), "a".to_owned());
        spec.managed_policy_arns = Some(vec![OURS.to_owned()]);
        spec.buckets = Some(vec![bucket.clone()]);
        spec.undeclared_policies = UndeclaredPolicies::Keep;
    });
    let role = declare(&all);
    assert_eq!((role.name.as_str(), role.first_path().as_str()), ("role", "/a/"));
    assert_eq!(role.first_description(), "one");
    assert_eq!(role.max_session_duration, Some(7200));
    assert_eq!(role.boundary.as_ref().map(PolicyArn::as_str), Some(OURS));
    assert_eq!(arns(&role), [OURS]);
    assert_eq!(role.undeclared, UndeclaredPolicies::Keep);
    assert_eq!(role.all_tags().len(), 1 + owner().tags().len());
    assert!(
        role.buckets
            .is_some_and(|policy| policy.document().contains("arn:aws:s3:::segments"))
    );
    let none = declare(&spec(|spec| spec.buckets = Some(vec![bucket.clone()])));
    assert_eq!(arns(&none), [""; 0], "who names buckets gets no policy for all of them");

    let one_each: [fn(&mut PinpointImportRoleSpec, &PinpointImportRoleSpec); 9] = [
        |spec, all| spec.role_name.clone_from(&all.role_name),
        |spec, all| spec.path.clone_from(&all.path),
        |spec, all| spec.description.clone_from(&all.description),
        |spec, all| spec.max_session_duration = all.max_session_duration,
        |spec, all| spec.permissions_boundary.clone_from(&all.permissions_boundary),
        |spec, all| spec.tags.clone_from(&all.tags),
        |spec, all| spec.managed_policy_arns.clone_from(&all.managed_policy_arns),
        |spec, all| spec.buckets.clone_from(&all.buckets),
        |spec, all| spec.undeclared_policies = all.undeclared_policies,
    ];
    let mut hashes: BTreeSet<String> = one_each
        .iter()
        .map(|change| declare(&spec(|spec| change(spec, &all))).hash())
        .collect();
    assert!(hashes.insert(guide.hash()));
    assert_eq!(hashes.len(), 10, "each has a hash of its own");
    assert!(
        hashes
            .iter()
            .all(|hash| hash.len() == 16 && hash.chars().all(|digit| digit.is_ascii_hexdigit()))
    );
    // Statuses bear it: another for the same declaration would make every role's next drift an update.
    assert_eq!(guide.hash(), declare(&PinpointImportRoleSpec::default()).hash());
}

/// A change of what operators allow.
type Change = Box<dyn Fn(&mut Guards)>;

fn guarded(change: impl FnOnce(&mut Guards), spec: &PinpointImportRoleSpec) -> Result<DesiredRole, (Reason, String)> {
    let mut guards = all_allowed();
    change(&mut guards);
    guards.declare(spec, owner(), &around())
}

#[test]
fn what_operators_do_not_allow() {
    let only = |pattern: &str| Patterns::new(&[pattern.to_owned(), String::new()]);
    let (guide, adopts) = (spec(|_| {}), spec(|spec| spec.adoption_policy = AdoptionPolicy::Adopt));
    let two = spec(|spec| {
        let s3 = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess".to_owned();
        spec.managed_policy_arns = Some(vec![s3, OURS.to_owned()]);
    });
    let bounded = spec(|spec| spec.permissions_boundary = Some(OURS.to_owned()));
    let other = "arn:aws:iam::123456789012:policy/other";
    let force = |arn: &'static str| move |guards: &mut Guards| guards.boundary = PolicyArn::parse(arn).ok();
    let rows: [(&PinpointImportRoleSpec, Change, &str); 10] = [
        (&guide, Box::new(|_| {}), ""),
        (
            &guide,
            Box::new(move |guards| guards.policy_arns = only("arn:aws:iam::aws:policy/*")),
            "",
        ),
        (
            &guide,
            Box::new(move |guards| guards.policy_arns = only("arn:aws:iam::1*")),
            "spec.managedPolicyArns: arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess is not among the policies that this controller may \
             attach (arn:aws:iam::1*): ",
        ),
        (
            &two,
            Box::new(|guards| guards.policy_arns = Patterns::default()),
            "spec.managedPolicyArns[1]: arn:aws:iam::123456789012:policy/ours is not among the policies that this controller may attach \
             (none): ",
        ),
        (&bounded, Box::new(force(OURS)), ""),
        (
            &bounded,
            Box::new(force(other)),
            "spec.permissionsBoundary: this controller puts arn:aws:iam::123456789012:policy/other on every",
        ),
        (
            &guide,
            Box::new(|guards| "namespace.".clone_into(&mut guards.name_prefix)),
            "",
        ),
        (
            &guide,
            Box::new(|guards| "pinpoint-".clone_into(&mut guards.name_prefix)),
            "spec.roleName: the names of this controller's roles begin with pinpoint-, and namespace.name does not",
        ),
        (
            &adopts,
            Box::new(move |guards| guards.adoption_namespaces = only("name*")),
            "",
        ),
        (
            &adopts,
            Box::new(move |guards| guards.adoption_namespaces = only("other")),
            "spec.adoptionPolicy: this controller adopts no roles for namespace namespace (it does for other): ",
        ),
    ];
    for (spec, change, words) in rows {
        match guarded(change, spec) {
            Ok(_) => assert_eq!(words, "", "it is allowed"),
            Err((reason, message)) => {
                assert_eq!(reason, Reason::PolicyNotAllowed, "{message}");
                assert!(
                    !words.is_empty() && message.starts_with(words),
                    "expected {words}\nfound    {message}"
                );
            }
        }
    }
    let forced = guarded(force(OURS), &guide).unwrap();
    assert_eq!(forced.boundary.as_ref().map(PolicyArn::as_str), Some(OURS));
    assert_ne!(
        forced.hash(),
        declare(&guide).hash(),
        "another setting is another declaration"
    );
    let never = guarded(|guards| guards.adoption_namespaces = Patterns::default(), &guide);
    assert!(never.is_ok(), "it adopts nothing");
}

#[test]
fn owners_of_one_name_are_told_apart() {
    let tags = |change: fn(&mut Owner)| {
        let mut owner = owner();
        change(&mut owner);
        owner.tags()
    };
    let all: BTreeSet<BTreeMap<String, String>> = [
        tags(|_| {}),
        tags(|owner| owner.cluster.push('2')),
        tags(|owner| owner.namespace.push('2')),
        tags(|owner| owner.name.push('2')),
        tags(|owner| owner.uid.push('2')),
    ]
    .into();
    assert_eq!(all.len(), 5);
}
