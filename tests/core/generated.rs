//! Generated declarations and roles, small in their choices so that they meet each other often.

use std::{collections::BTreeMap, time::Duration};

use pinpoint_import_role_controller::{
    api::{
        INLINE_POLICY,
        v1alpha1::{
            AdoptionPolicy, Application, Bucket, DeletionPolicy, DriftPolicy, PinpointImportRoleSpec, Trust,
            UndeclaredPolicies,
        },
    },
    role::{
        Account, Class, DesiredRole, Failure, Guards, Head, ObservedRole, Owner, Patterns, RolePath, Surroundings,
        recent::Clock,
    },
};
use proptest::{
    collection::{btree_map, btree_set, vec},
    option,
    prelude::*,
    sample::{select, subsequence},
};
use strum::VariantArray;

const ARNS: [&str; 4] = [
    "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    "arn:aws:iam::aws:policy/AdministratorAccess",
    "arn:aws:iam::123456789012:policy/a",
    "arn:aws:iam::123456789012:policy/b",
];
const INLINE: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;

/// How many inputs are tried: so many, if `PROPTEST_CASES` asks for no other number.
pub fn cases(usual: u32) -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked.and_then(|cases| cases.parse().ok()).unwrap_or(usual)
}

pub fn owner() -> Owner {
    Owner {
        cluster: "cluster".to_owned(),
        namespace: "namespace".to_owned(),
        name: "name".to_owned(),
        uid: "uid".to_owned(),
    }
}

/// The account of all roles.
pub fn account() -> Account {
    Account {
        id: "123456789012".to_owned(),
        partition: "aws".to_owned(),
    }
}

pub fn around() -> Surroundings {
    Surroundings {
        account: account(),
        role_path: RolePath::default(),
    }
}

pub fn declare(spec: &PinpointImportRoleSpec) -> DesiredRole {
    DesiredRole::declare(spec, owner(), &around()).expect("a generated spec is valid")
}

/// Operators who allow all.
pub fn all_allowed() -> Guards {
    let all = || Patterns::new(&["*".to_owned()]);
    Guards {
        policy_arns: all(),
        boundary: None,
        name_prefix: String::new(),
        adoption_namespaces: all(),
    }
}

/// Seconds for which IAM may be late, by [`clock`].
pub const SETTLE: u64 = 60;

/// So many seconds after a process began.
pub fn clock(now: u64) -> Clock {
    Clock {
        now: Duration::from_secs(now),
        settle: Duration::from_secs(SETTLE),
    }
}

/// A call that failed.
pub fn failure(class: Class) -> Failure {
    Failure {
        class,
        message: format!("{class:?} it is"),
    }
}

fn arn() -> impl Strategy<Value = String> {
    select(ARNS.to_vec()).prop_map(str::to_owned)
}

fn tags() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map(
        select(vec!["a", "b", "team"]).prop_map(str::to_owned),
        select(vec!["1", "2"]).prop_map(str::to_owned),
        0..3,
    )
}

fn trust() -> impl Strategy<Value = Trust> {
    let application = select(vec!["us-east-1", "eu-west-1"]).prop_map(|region| Application {
        region: region.to_owned(),
        id: "0123456789abcdef".repeat(2),
    });
    (vec(application, 0..3), option::of(Just("210987654321".to_owned()))).prop_map(|(applications, source_account)| {
        Trust {
            applications: Some(applications).filter(|applications| !applications.is_empty()),
            source_account,
        }
    })
}

fn bucket() -> impl Strategy<Value = Bucket> {
    let key = "arn:aws:kms:us-east-1:123456789012:key/k".to_owned();
    (
        select(vec!["one", "two"]),
        option::of(select(vec!["p/", "a*${x}?"])),
        option::of(Just(key)),
    )
        .prop_map(|(name, prefix, kms_key_arn)| Bucket {
            name: name.to_owned(),
            prefix: prefix.map(str::to_owned),
            kms_key_arn,
        })
}

prop_compose! {
    /// A spec that is valid.
    pub fn spec()(
        description in option::of(select(vec!["", "one", "two"]).prop_map(str::to_owned)),
        max_session_duration in option::of(select(vec![3600, 7200])),
        permissions_boundary in option::of(arn()),
        tags in tags(),
        trust in option::of(trust()),
        managed_policy_arns in option::of(subsequence(ARNS.map(str::to_owned).to_vec(), 0..=4)),
        buckets in option::of(vec(bucket(), 1..3)),
        undeclared_policies in select(UndeclaredPolicies::VARIANTS),
    ) -> PinpointImportRoleSpec {
        PinpointImportRoleSpec {
            description,
            max_session_duration,
            permissions_boundary,
            tags,
            trust,
            managed_policy_arns,
            buckets,
            undeclared_policies,
            // These say which role it is, and how the controller goes about it; `passes.rs` sets them where it matters.
            role_name: None,
            path: None,
            drift_policy: DriftPolicy::default(),
            adoption_policy: AdoptionPolicy::default(),
            deletion_policy: DeletionPolicy::default(),
            account_id: None,
            suspend: false,
            interval: None,
        }
    }
}

/// Trust policies that a role may have: those of some spec, rewritten ones, widened ones, foreign ones, unreadable ones.
fn trust_document() -> impl Strategy<Value = String> {
    let of_spec = trust().prop_map(|trust| {
        let spec = PinpointImportRoleSpec {
            trust: Some(trust),
            ..PinpointImportRoleSpec::default()
        };
        declare(&spec).trust.document().to_owned()
    });
    let rewritten = of_spec.prop_map(|document| {
        document
            .replace("sts:AssumeRole", "STS:assumeRole")
            .replace("AllowUser", "X")
    });
    let principal = select(vec![
        r#"{"Service":"pinpoint.amazonaws.com"}"#,
        r#"{"Service":["ec2.amazonaws.com","pinpoint.amazonaws.com"]}"#,
        r#"{"AWS":"999999999999"}"#,
        r#""*""#,
    ]);
    let other = principal.prop_map(|principal| {
        format!(r#"{{"Statement":{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}}}"#)
    });
    prop_oneof![rewritten, other, Just("nonsense".to_owned())]
}

/// Documents that the bucket policy of a role may have.
fn bucket_document() -> impl Strategy<Value = String> {
    let of_spec = vec(bucket(), 1..3).prop_map(|buckets| {
        let spec = PinpointImportRoleSpec {
            buckets: Some(buckets),
            ..PinpointImportRoleSpec::default()
        };
        declare(&spec).buckets.expect("buckets").document().to_owned()
    });
    prop_oneof![of_spec, Just(INLINE.to_owned())]
}

prop_compose! {
    /// A role in IAM that bears the owner's tags, whatever else became of it.
    pub fn role()(
        trust in trust_document(),
        description in option::of(select(vec!["one", "three"]).prop_map(str::to_owned)),
        max_session_duration in select(vec![3600, 7200, 43200]),
        boundary in option::of(arn()),
        mut tags in tags(),
        stripped in any::<bool>(),
        attached in btree_set(arn(), 0..4),
        theirs in btree_map(select(vec!["x", "y"]).prop_map(str::to_owned), Just(Some(INLINE.to_owned())), 0..2),
        ours in option::of(bucket_document()),
    ) -> ObservedRole {
        tags.extend(owner().tags());
        if stripped {
            tags.remove("pinpoint-import.dev/name");
        }
        let mut inline = theirs;
        inline.extend(ours.map(|document| (INLINE_POLICY.to_owned(), Some(document))));
        ObservedRole {
            head: Head {
                name: "namespace.name".to_owned(),
                arn: "arn:aws:iam::123456789012:role/namespace.name".to_owned(),
                id: "AROA1".to_owned(),
                path: "/".to_owned(),
                trust,
                description,
                max_session_duration: Some(max_session_duration),
                boundary,
                tags,
            },
            attached,
            inline,
        }
    }
}

/// Tag keys that the status remembers.
pub fn remembered() -> impl Strategy<Value = Vec<String>> {
    subsequence(["a", "b", "team"].map(str::to_owned).to_vec(), 0..=3)
}
