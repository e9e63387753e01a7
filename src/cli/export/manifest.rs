//! The manifest that adopts a role.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{
    cli::{
        manifests::{self, Rules, check},
        medium::{Rendered, Yaml},
    },
    plain::is_hidden,
    role::{
        Account, Guards, ObservedRole, Patterns, Problem, Segment,
        review::export::{Exported, Purpose, export as exported},
    },
};

/// A manifest, and what has to be said about it beyond itself.
pub(super) struct AdoptingManifest {
    pub text: Rendered,
    pub remarks: Vec<String>,
}

/// The manifest that adopts a role, checked by what `validate` checks with. What a manifest can't hold is left out.
pub(super) fn manifest(
    role: &ObservedRole,
    account: &Account,
    rules: &Rules,
    names: &mut BTreeSet<String>,
) -> Result<AdoptingManifest, String> {
    let name = object_name(&role.head.name, names);
    let mut purpose = Purpose {
        account,
        guards: &rules.guards,
        namespace: &rules.namespace,
        without: BTreeMap::new(),
    };
    let (exported, object) = loop {
        let exported = exported(role, &purpose)?;
        let object = json!({
            "apiVersion": "pinpoint-import.dev/v1alpha1",
            "kind": "PinpointImportRole",
            "metadata": {"name": name, "namespace": rules.namespace},
            "spec": exported.spec,
        });
        match unfit(&object, rules)? {
            None => break (exported, object),
            Some((field, why)) if purpose.without.contains_key(&field) || field == "roleName" => {
                return Err(format!("a manifest can't have its {field}: {why}"));
            }
            Some((field, why)) => {
                purpose.without.insert(field, why);
            }
        }
    };
    let remarks = remarks(&exported, &object, rules)?;
    let mut yaml = Yaml::default();
    for comment in std::iter::once(&role.head.arn).chain(&exported.left).chain(&remarks) {
        yaml.comment(comment);
    }
    Ok(AdoptingManifest {
        text: yaml.document(Some(&object))?,
        remarks,
    })
}

/// The first field of a spec that no manifest may have so, whatever the settings, and why.
fn unfit(object: &Value, rules: &Rules) -> Result<Option<(String, String)>, String> {
    let fields = object["spec"].as_object().into_iter().flatten();
    if let Some((field, _)) = fields.into_iter().find(|(_, value)| hides(value)) {
        return Ok(Some((field.clone(), "it has characters that can't be seen".to_owned())));
    }
    let all_allowed = Rules {
        guards: Guards {
            policy_arns: Patterns::new(&["*".to_owned()]),
            boundary: None,
            name_prefix: String::new(),
            adoption_namespaces: Patterns::new(&["*".to_owned()]),
        },
        ..rules.clone()
    };
    let problems = problems(object, &all_allowed)?;
    Ok(problems.into_iter().next().map(|problem| {
        let field = match problem.path.segments() {
            [Segment::Key(top), Segment::Key(field), ..] if top == "spec" => field.clone(),
            _ => problem.path.to_string(),
        };
        (field, problem.message)
    }))
}

fn hides(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(is_hidden),
        Value::Array(items) => items.iter().any(hides),
        Value::Object(fields) => fields
            .iter()
            .any(|(key, field)| key.contains(is_hidden) || hides(field)),
        _ => false,
    }
}

/// What `validate` says of an object.
fn problems(object: &Value, rules: &Rules) -> Result<Vec<Problem>, String> {
    let text = Yaml::default().document(Some(object))?;
    let (read, unread) = manifests::parse("(export)", text.as_str());
    if !unread.is_empty() {
        return Err(unread.join("; "));
    }
    let found = check(&read, rules).problems.into_iter();
    Ok(found.map(|found| found.problem).collect())
}

/// What applying the manifest would end, and what the settings would refuse.
fn remarks(exported: &Exported, object: &Value, rules: &Rules) -> Result<Vec<String>, String> {
    let mut remarks: Vec<String> = exported
        .unsaid
        .iter()
        .map(|unsaid| format!("NOT AS IT IS, so suspended until you decide; applying it would end this: {unsaid}"))
        .collect();
    let mut refused = exported.refused.clone();
    if refused.is_empty() {
        // What the core knows no setting for.
        refused.extend(problems(object, rules)?.iter().map(ToString::to_string));
    }
    let said = refused
        .iter()
        .map(|why| format!("NOT ALLOWED by these settings of the controller: {why}"));
    remarks.extend(said);
    Ok(remarks)
}

/// A name for the object: the role's, as far as Kubernetes takes it, and not twice.
fn object_name(role: &str, names: &mut BTreeSet<String>) -> String {
    let lower = role.to_lowercase();
    let dashed: String = lower
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let trimmed = dashed.trim_matches('-');
    // With a number behind it, it is no longer than a label may be.
    let trimmed = trimmed.get(..58).unwrap_or(trimmed).trim_end_matches('-');
    let base = if trimmed.is_empty() { "role" } else { trimmed };
    let mut name = base.to_owned();
    let mut count = 2;
    while !names.insert(name.clone()) {
        name = format!("{base}-{count}");
        count += 1;
    }
    name
}

#[cfg(test)]
mod tests {
    use proptest::{
        collection::{btree_map, btree_set, vec},
        option,
        prelude::*,
    };

    use super::*;
    use crate::role::{Head, PolicyArn, RolePath};

    #[test]
    fn names_of_objects_are_names_and_differ() {
        let mut names = BTreeSet::new();
        let all: Vec<String> = ["Team_A.Import", "team-a-import", "+++", "x"]
            .map(|role| object_name(role, &mut names))
            .into();
        assert_eq!(all, ["team-a-import", "team-a-import-2", "role", "x"]);
        assert_eq!(object_name(&"x".repeat(64), &mut names).len(), 58);
    }

    fn account() -> Account {
        Account::of_arn("arn:aws:iam::111122223333:root").unwrap()
    }

    fn rules(patterns: &[&str]) -> Rules {
        let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        Rules {
            role_path: RolePath::default(),
            guards: Guards {
                policy_arns: Patterns::new(&patterns),
                boundary: None,
                name_prefix: String::new(),
                adoption_namespaces: Patterns::new(&["*".to_owned()]),
            },
            namespace: "default".to_owned(),
        }
    }

    const GUIDE: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    const READ: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";

    fn role(change: impl FnOnce(&mut ObservedRole)) -> ObservedRole {
        let mut role = ObservedRole {
            head: Head {
                name: "ByHand".to_owned(),
                arn: "arn:aws:iam::111122223333:role/ByHand".to_owned(),
                path: "/".to_owned(),
                trust: GUIDE.to_owned(),
                max_session_duration: Some(3600),
                ..Head::default()
            },
            attached: BTreeSet::from([READ.to_owned()]),
            ..ObservedRole::default()
        };
        change(&mut role);
        role
    }

    fn written(role: &ObservedRole, rules: &Rules) -> Result<AdoptingManifest, String> {
        manifest(role, &account(), rules, &mut BTreeSet::new())
    }

    fn read(text: &str) -> Vec<Value> {
        let (found, unread) = manifests::parse("x", text);
        assert!(unread.is_empty(), "{unread:?}: {text}");
        found.iter().map(|manifest| manifest.node.value()).collect()
    }

    /// What `validate` says of it.
    fn refused(text: &str, rules: &Rules) -> Vec<String> {
        let problems = check(&manifests::parse("x", text).0, rules).problems;
        problems.iter().map(ToString::to_string).collect()
    }

    fn spec(manifest: &AdoptingManifest) -> Value {
        let read = read(manifest.text.as_str());
        assert_eq!(read.len(), 1, "{}", manifest.text.as_str());
        read[0]["spec"].clone()
    }

    /// A document of ours for buckets.
    fn bucket_policy(prefix: &str) -> String {
        let resource = json!(format!("arn:aws:s3:::my-bucket/{prefix}*"));
        let listed = json!(format!("{prefix}*"));
        format!(
            r#"{{"Version":"2012-10-17","Statement":[
                {{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::my-bucket","Condition":{{"StringLike":{{"s3:prefix":{listed}}}}}}},
                {{"Effect":"Allow","Action":"s3:GetObject","Resource":{resource}}}]}}"#
        )
    }

    fn with_buckets(document: String) -> ObservedRole {
        role(|role| {
            role.attached.clear();
            role.inline.insert("PinpointImportBuckets".to_owned(), Some(document));
        })
    }

    /// What the CRD would refuse is left out and said; applying what is printed changes nothing but tags.
    #[test]
    fn what_no_manifest_may_have_is_left_out_and_kept() {
        let many: Vec<String> = (0..21)
            .map(|n| format!("arn:aws:iam::111122223333:policy/p{n}"))
            .collect();
        for (case, role, field, words) in [
            (
                "too many policies",
                role(|role| role.attached.extend(many)),
                "managedPolicyArns",
                "20 items",
            ),
            (
                "an ARN of no policy",
                role(|role| {
                    role.attached.insert("arn:nonsense".to_owned());
                }),
                "managedPolicyArns",
                "does not fit",
            ),
            (
                "a boundary of no policy",
                role(|role| role.head.boundary = Some("x\u{2028}y".to_owned())),
                "permissionsBoundary",
                "can't be seen",
            ),
            (
                "a session that no role has",
                role(|role| role.head.max_session_duration = Some(99_999)),
                "maxSessionDuration",
                "more than",
            ),
            (
                "a path that no role has",
                role(|role| role.head.path = "/a b/".to_owned()),
                "path",
                "does not fit",
            ),
        ] {
            let manifest = written(&role, &rules(&["*"])).unwrap_or_else(|why| panic!("{case}: {why}"));
            let spec = spec(&manifest);
            assert!(manifest.remarks.is_empty(), "{case}: {:?}", manifest.remarks);
            let text = manifest.text.as_str();
            assert!(
                text.contains(&format!("# {field} is left out")) && text.contains(words),
                "{case}: {text}"
            );
            let declared = field == "managedPolicyArns" && spec[field] == json!([]);
            assert!(spec.get(field).is_none() || declared, "{case}: {text}");
            assert_eq!(spec.get("suspend"), None, "{case}: {text}");
        }
        assert_eq!(
            spec(&written(&with_buckets(bucket_policy("a/")), &rules(&[])).unwrap())["buckets"][0]["prefix"],
            "a/"
        );
    }

    /// A trust policy that a manifest can't declare is said, and the object suspended.
    #[test]
    fn a_trust_that_no_manifest_may_have_is_said() {
        for condition in [
            r#"{"StringEquals":{"aws:SourceAccount":"1"}}"#,
            r#"{"ArnLike":{"aws:SourceArn":"arn:aws:mobiletargeting:nowhere:111122223333:apps/*"}}"#,
            "{\"StringEquals\":{\"aws:SourceAccount\":\"1\u{2028}2\"}}",
        ] {
            let trust = GUIDE.replace(r#""Action""#, &format!(r#""Condition":{condition},"Action""#));
            let manifest = written(&role(|role| role.head.trust = trust), &rules(&["*"])).unwrap();
            assert_eq!(spec(&manifest)["suspend"], true, "{}", manifest.text.as_str());
            assert!(
                manifest.remarks[0].starts_with("NOT AS IT IS"),
                "{:?}",
                manifest.remarks
            );
        }
    }

    /// So are buckets, whose policy the controller would write anew or take off.
    #[test]
    fn buckets_that_no_manifest_may_have_are_said() {
        for (document, words) in [
            (bucket_policy("a\u{202e}b/"), "can't be seen"),
            (bucket_policy("a/").replace("my-bucket", "M"), "does not fit"),
            (
                bucket_policy("a/").replace("GetObject", "PutObject"),
                "PinpointImportBuckets",
            ),
        ] {
            let manifest = written(&with_buckets(document), &rules(&["*"])).unwrap();
            assert_eq!(spec(&manifest)["suspend"], true, "{}", manifest.text.as_str());
            assert!(manifest.remarks.concat().contains(words), "{:?}", manifest.remarks);
        }
    }

    /// What `validate` refuses under the same settings is said, with the setting that would allow it; nothing else is.
    #[test]
    fn what_the_settings_refuse_is_said_and_what_would_allow_it() {
        let customers = "arn:aws:iam::111122223333:policy/s3-import";
        let other = "arn:aws:iam::111122223333:policy/boundary";
        let by_customer = role(|role| role.attached = BTreeSet::from([customers.to_owned()]));
        let bounded = role(|role| role.head.boundary = Some(other.to_owned()));
        let guard = |change: fn(&mut Guards)| {
            let mut rules = rules(&[READ]);
            change(&mut rules.guards);
            rules
        };
        for (role, rules, flag) in [
            (&by_customer, guard(|_| {}), "--allowed-policy-arns"),
            (
                &bounded,
                guard(|guards| guards.boundary = PolicyArn::parse(READ).ok()),
                "--permissions-boundary",
            ),
            (
                &bounded,
                guard(|guards| guards.name_prefix = "team-".to_owned()),
                "--role-name-prefix",
            ),
            (
                &bounded,
                guard(|guards| guards.adoption_namespaces = Patterns::default()),
                "--adoption-namespaces",
            ),
        ] {
            let manifest = written(role, &rules).unwrap();
            assert!(
                manifest.remarks.len() == 1 && manifest.remarks[0].contains(flag),
                "{flag}: {:?}",
                manifest.remarks
            );
            assert!(manifest.text.as_str().contains(&format!("# {}", manifest.remarks[0])));
            assert_eq!(spec(&manifest).get("suspend"), None);
            let refused = refused(manifest.text.as_str(), &rules);
            assert_eq!(refused.len(), 1, "{flag}: `validate` agrees");
        }
        assert!(written(&bounded, &guard(|_| {})).unwrap().remarks.is_empty());
        // A boundary that would come upon the role is no adoption as it is.
        let forced = guard(|guards| guards.boundary = PolicyArn::parse(READ).ok());
        let manifest = written(&self::role(|_| {}), &forced).unwrap();
        assert!(
            manifest.remarks[0].contains("no permissions boundary"),
            "{:?}",
            manifest.remarks
        );
        assert_eq!(spec(&manifest)["suspend"], true);
    }

    fn others() -> impl Strategy<Value = String> {
        prop_oneof![
            vec(
                prop_oneof![
                    prop::sample::select(
                        "\n\r\t\u{85}\u{2028}\u{2029}\u{1b}\u{9b}\u{202e}\u{feff}\0#:-?'\"\\{}[]&*!|>%@` "
                            .chars()
                            .collect::<Vec<_>>()
                    ),
                    any::<char>(),
                ],
                0..12,
            )
            .prop_map(|chars| chars.into_iter().collect()),
            prop::sample::select(vec![
                "yes",
                "y",
                "NO",
                "0123",
                "1e3",
                "0x1F",
                "1:30",
                "2026-11-25",
                "~",
                "null",
                ".inf",
                "=",
                "<<",
                "---",
                "...",
                "1_0"
            ])
            .prop_map(str::to_owned),
            "[a-z0-9+=,.@-]{1,64}",
            "/[!-~]{1,20}/",
        ]
    }

    fn hostile() -> impl Strategy<Value = ObservedRole> {
        let head = (
            others(),
            others(),
            others(),
            option::of(others()),
            option::of(any::<i32>()),
            option::of(others()),
            btree_map(others(), others(), 0..5),
        );
        let policies = (
            btree_set(others(), 0..4),
            btree_map(others(), option::of(others()), 0..4),
        );
        (head, policies, others(), any::<bool>()).prop_map(|(head, (mut attached, mut inline), part, read)| {
            let (name, arn, path, description, max_session_duration, boundary, tags) = head;
            let source = json!(part);
            let condition = format!(r#""Condition":{{"StringEquals":{{"aws:SourceAccount":{source}}}}},"Action""#);
            if read {
                attached.insert(READ.to_owned());
                inline.insert("PinpointImportBuckets".to_owned(), Some(bucket_policy(&part)));
            }
            ObservedRole {
                head: Head {
                    name,
                    arn,
                    path,
                    trust: if read {
                        GUIDE.to_owned()
                    } else {
                        GUIDE.replace(r#""Action""#, &condition)
                    },
                    description,
                    max_session_duration,
                    boundary,
                    tags,
                    ..Head::default()
                },
                attached,
                inline,
            }
        })
    }

    proptest! {
        /// Whatever is in IAM: one document, of which every line that is not the object's is a comment, and `validate` takes it but for
        /// what is said.
        #[test]
        fn any_role_gives_a_manifest_that_is_what_is_meant(role in hostile(), allowed in any::<bool>()) {
            let rules = rules(if allowed { &["*"] } else { &[] });
            if let Ok(manifest) = written(&role, &rules) {
                let text = manifest.text.as_str();
                prop_assert!(!text.contains(|c| c != '\n' && is_hidden(c)), "{:?}", text);
                let read = read(text);
                prop_assert_eq!(read.len(), 1);
                let spec = read[0]["spec"].clone();
                prop_assert_eq!(&spec["roleName"], &json!(role.head.name));
                prop_assert!(text.lines().filter(|line| line.starts_with("apiVersion:")).count() == 1);
                let problems = refused(text, &rules);
                prop_assert!(problems.is_empty() || !manifest.remarks.is_empty(), "{problems:?}");
            }
        }
    }
}
