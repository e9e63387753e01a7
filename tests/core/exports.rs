//! What a manifest says of a role that exists, what it can't say, and what the guards would refuse.

use std::collections::BTreeMap;

use pinpoint_import_role_controller::{
    api::INLINE_POLICY,
    role::{
        Guards, Head, ObservedRole, Patterns, PolicyArn,
        review::export::{Exported, Purpose, export},
    },
};
use serde_json::{Value, json};

use crate::generated::{account, all_allowed};

const GUIDE: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
const S3: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
const BOUNDARY: &str = "arn:aws:iam::123456789012:policy/b";

fn role(change: impl FnOnce(&mut ObservedRole)) -> ObservedRole {
    let mut role = ObservedRole {
        head: Head {
            name: "Role".to_owned(),
            arn: "arn:aws:iam::123456789012:role/Role".to_owned(),
            path: "/".to_owned(),
            trust: GUIDE.to_owned(),
            max_session_duration: Some(3600),
            ..Head::default()
        },
        attached: [S3.to_owned()].into(),
        ..ObservedRole::default()
    };
    change(&mut role);
    role
}

fn exported(role: &ObservedRole, guards: impl FnOnce(&mut Guards), without: &[&str]) -> Result<Exported, String> {
    let mut all = all_allowed();
    guards(&mut all);
    let without = without
        .iter()
        .map(|field| ((*field).to_owned(), "it is odd".to_owned()));
    let purpose = Purpose {
        account: &account(),
        guards: &all,
        namespace: "marketing",
        without: without.collect::<BTreeMap<_, _>>(),
    };
    export(role, &purpose)
}

fn well(role: &ObservedRole) -> Exported {
    exported(role, |_| {}, &[]).expect("it can be adopted")
}

/// A trust policy with these conditions.
fn guarded(conditions: &Value) -> String {
    let mut document: Value = serde_json::from_str(GUIDE).unwrap();
    document["Statement"]["Condition"] = conditions.clone();
    document.to_string()
}

fn bucket_policy(statements: &Value) -> ObservedRole {
    let document = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    role(|role| {
        role.attached.clear();
        role.inline.insert(INLINE_POLICY.to_owned(), Some(document));
    })
}

#[test]
fn a_spec_says_what_the_role_is() {
    let base = |more: Value| {
        let mut spec = json!({
            "roleName": "Role", "path": "/", "managedPolicyArns": [S3], "adoptionPolicy": "Adopt", "deletionPolicy": "Retain",
        });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    let id = "0123456789abcdef0123456789abcdef";
    let project = |region: &str| format!("arn:aws:mobiletargeting:{region}:123456789012:apps/{id}");
    let by_project = |account: &str| {
        let of = [project("us-east-1"), project("eu-west-1")];
        guarded(&json!({"ArnLike": {"aws:SourceArn": of}, "StringEquals": {"aws:SourceAccount": account}}))
    };
    let projects = json!([{"region": "eu-west-1", "id": id}, {"region": "us-east-1", "id": id}]);
    let rows = [
        (role(|_| {}), json!({})),
        (
            role(|role| role.head.max_session_duration = Some(7200)),
            json!({"maxSessionDuration": 7200}),
        ),
        (
            role(|role| role.head.boundary = Some(BOUNDARY.to_owned())),
            json!({"permissionsBoundary": BOUNDARY}),
        ),
        (
            role(|role| role.head.path = "/teams/".to_owned()),
            json!({"path": "/teams/"}),
        ),
        (role(|role| role.attached.clear()), json!({"managedPolicyArns": []})),
        (
            role(|role| drop(role.inline.insert("theirs".to_owned(), None))),
            json!({"undeclaredPolicies": "Keep"}),
        ),
        (
            role(|role| role.head.trust = guarded(&json!({"StringEquals": {"aws:SourceAccount": "123456789012"}}))),
            json!({"trust": {"sourceAccount": "123456789012"}}),
        ),
        (
            role(|role| role.head.trust = by_project("123456789012")),
            json!({"trust": {"applications": projects}}),
        ),
        (
            bucket_policy(&json!([
                {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::one", "Condition": {"StringLike": {"s3:prefix": "a${*}${?}${$}/*"}}},
                {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::one/a${*}${?}${$}/*"},
            ])),
            json!({"managedPolicyArns": [], "buckets": [{"name": "one", "prefix": "a*?$/"}]}),
        ),
        (
            bucket_policy(&json!([
                {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": ["arn:aws:s3:::one", "arn:aws:s3:::two"]},
                {"Effect": "Allow", "Action": "s3:GetObject", "Resource": ["arn:aws:s3:::one/*", "arn:aws:s3:::two/*"]},
            ])),
            json!({"managedPolicyArns": [], "buckets": [{"name": "one"}, {"name": "two"}]}),
        ),
        (
            bucket_policy(&json!([
                {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::one"},
                {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::one/*"},
                {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "arn:aws:kms:us-east-1:123456789012:key/k"},
            ])),
            json!({
                "managedPolicyArns": [],
                "buckets": [{"name": "one", "kmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/k"}],
            }),
        ),
    ];
    for (role, more) in rows {
        let exported = well(&role);
        assert_eq!(exported.spec, base(more), "{:?}", exported.unsaid);
        assert_eq!((exported.unsaid, exported.refused), (Vec::new(), Vec::new()));
    }
}

#[test]
fn what_a_spec_leaves_as_it_is_is_said() {
    let left = |change: fn(&mut ObservedRole), without: &[&str]| {
        exported(&role(change), |_| {}, without)
            .expect("it can be adopted")
            .left
    };
    assert_eq!(left(|_| {}, &[]), [""; 0]);
    assert_eq!(left(|role| role.head.description = Some(String::new()), &[]), [""; 0]);
    assert_eq!(
        left(|role| role.head.description = Some("by hand\n".to_owned()), &[]),
        [r#"the description is left as it is: "by hand\n""#]
    );
    assert_eq!(
        left(
            |role| role.head.tags = ["a", "b"].map(|key| (key.to_owned(), "1".to_owned())).into(),
            &[]
        ),
        ["tags are left as they are: a, b"]
    );
    assert_eq!(
        left(
            |role| role.inline = ["x", "y"].map(|name| (name.to_owned(), None)).into(),
            &[]
        ),
        ["inline policies that a spec can't declare are kept: x, y"]
    );
    assert_eq!(
        left(|_| {}, &["path"]),
        ["path is left out, and what it is about as it is: it is odd"]
    );
    assert_eq!(
        left(|_| {}, &["managedPolicyArns"]),
        [
            "managedPolicyArns is left out, and what it is about as it is: it is odd".to_owned(),
            format!("managed policies that are not declared are kept: {S3}"),
        ]
    );
    let kept = exported(&role(|_| {}), |_| {}, &["managedPolicyArns"]).unwrap().spec;
    assert_eq!(
        (&kept["managedPolicyArns"], &kept["undeclaredPolicies"]),
        (&json!([]), &json!("Keep"))
    );
}

#[test]
fn each_field_that_a_manifest_can_t_have_is_left_out() {
    let full = role(|role| {
        role.head.path = "/a/".to_owned();
        role.head.boundary = Some(BOUNDARY.to_owned());
        role.head.max_session_duration = Some(7200);
        role.head.trust = guarded(&json!({"StringEquals": {"aws:SourceAccount": "123456789012"}}));
        let buckets =
            json!({"Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::one/*"}});
        role.inline.insert(INLINE_POLICY.to_owned(), Some(buckets.to_string()));
    });
    for field in [
        "roleName",
        "path",
        "permissionsBoundary",
        "maxSessionDuration",
        "trust",
        "buckets",
    ] {
        assert!(well(&full).spec.get(field).is_some(), "{field}");
        let exported = exported(&full, |_| {}, &[field]).unwrap();
        assert!(exported.spec.get(field).is_none(), "{field}");
        // What the controller would then change: it must not begin to.
        let enforced = ["trust", "buckets"].contains(&field);
        let unsaid = exported
            .unsaid
            .iter()
            .any(|said| *said == format!("{field}, of which it is odd"));
        assert_eq!(unsaid, enforced, "{field}: {:?}", exported.unsaid);
        assert!(!enforced || exported.spec["suspend"] == json!(true));
    }
}

#[test]
fn what_applying_it_would_change_suspends_it() {
    let open = guarded(&json!({"StringEquals": {"aws:PrincipalTag/a": "b"}}));
    let exported = well(&role(|role| role.head.trust = open));
    assert_eq!(exported.spec["suspend"], json!(true));
    assert!(
        exported.unsaid.iter().any(|said| said.starts_with("trust policy ")),
        "{:?}",
        exported.unsaid
    );
    let invalid = well(&role(|role| role.attached = ["nonsense".to_owned()].into()));
    assert!(
        invalid
            .unsaid
            .iter()
            .any(|said| said.starts_with("spec.managedPolicyArns[0]: ")),
        "{:?}",
        invalid.unsaid
    );
    assert_eq!(invalid.spec["suspend"], json!(true));
}

#[test]
fn what_can_t_be_adopted() {
    let owned = role(|role| {
        for (key, value) in [("cluster", "c"), ("namespace", "n"), ("name", "o"), ("uid", "u")] {
            role.head
                .tags
                .insert(format!("pinpoint-import.dev/{key}"), value.to_owned());
        }
    });
    let why = |role: &ObservedRole| exported(role, |_| {}, &[]).unwrap_err();
    assert_eq!(why(&owned), "it belongs to PinpointImportRole n/o (cluster c) already");
    let open = role(|role| role.head.trust = GUIDE.replace("pinpoint", "ec2"));
    assert!(
        why(&open).ends_with("so narrow its trust policy first"),
        "{}",
        why(&open)
    );
}

#[test]
fn what_the_guards_would_refuse() {
    let bounded = role(|role| role.head.boundary = Some(BOUNDARY.to_owned()));
    let refused = |role: &ObservedRole, guards: fn(&mut Guards)| exported(role, guards, &[]).unwrap().refused;
    let plain = role(|_| {});
    assert_eq!(refused(&plain, |_| {}), [""; 0]);
    assert_eq!(
        refused(&plain, |guards| guards.policy_arns = Patterns::default()),
        [format!(
            "managed policy {S3} may not be attached; --allowed-policy-arns would have to name it"
        )]
    );
    let force = |guards: &mut Guards| guards.boundary = PolicyArn::parse("arn:aws:iam::123456789012:policy/f").ok();
    assert_eq!(
        refused(&bounded, force),
        [format!(
            "permissions boundary {BOUNDARY} is not arn:aws:iam::123456789012:policy/f, which every role gets; --permissions-boundary \
             would have to name it, or nothing"
        )]
    );
    assert_eq!(
        refused(&bounded, |guards| guards.boundary = PolicyArn::parse(BOUNDARY).ok()),
        [""; 0]
    );
    assert_eq!(
        exported(&bounded, force, &["permissionsBoundary"]).unwrap().refused,
        [""; 0]
    );
    assert_eq!(
        refused(&plain, |guards| guards.name_prefix = "pinpoint-".to_owned()),
        [
            "the role's name does not begin with pinpoint-; --role-name-prefix would have to be a beginning of it, or empty"
        ]
    );
    assert_eq!(refused(&plain, |guards| guards.name_prefix = "Ro".to_owned()), [""; 0]);
    assert_eq!(
        refused(&plain, |guards| guards.adoption_namespaces =
            Patterns::new(&["other".to_owned()])),
        ["objects in namespace marketing may not adopt; --adoption-namespaces would have to name it"]
    );
}
