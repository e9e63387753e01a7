//! Whether a change lets anybody do more with the role than before: what reviewers want to see first.

use std::collections::BTreeSet;

use super::exposure::reads_every_bucket;
use crate::{
    api::INLINE_POLICY,
    role::{
        Change, ObservedRole, Step,
        policy::{Effect, Grant, Meaning, Scope},
    },
};

/// Whether a change widens access. In doubt it does.
#[must_use]
pub fn widens(change: &Change, observed: Option<&ObservedRole>) -> bool {
    match &change.step {
        Step::CreateRole(_) | Step::AttachPolicy(_) => true,
        Step::UpdateTrust(declared) => observed.is_none_or(|role| permits_more(declared, &role.head.trust, |_| false)),
        Step::PutBucketPolicy(declared) => observed.is_none_or(|role| {
            let found = role
                .inline
                .get(INLINE_POLICY)
                .and_then(Option::as_deref)
                .unwrap_or(EMPTY);
            // In place of a policy that reads every bucket, a bucket policy narrows.
            let reads = role.attached.iter().any(|arn| reads_every_bucket(arn));
            permits_more(declared, found, |grant| reads && is_read_of_s3(grant))
        }),
        // Another boundary may allow what the one before did not.
        Step::PutBoundary(_) => observed.is_some_and(|role| role.head.boundary.is_some()),
        Step::UpdateRole {
            max_session_duration, ..
        } => {
            let found = observed.and_then(|role| role.head.max_session_duration);
            max_session_duration.unwrap_or_default() > found.unwrap_or_default()
        }
        Step::TagRole(_)
        | Step::UntagRole(_)
        | Step::DetachPolicy(_)
        | Step::DeleteInlinePolicy { .. }
        | Step::DeleteRole => false,
    }
}

/// A document that permits nothing.
const EMPTY: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;

fn is_read_of_s3(grant: &Grant) -> bool {
    matches!(&grant.action, Scope::Is(action) if ["s3:GetObject", "s3:ListBucket"].contains(&action.to_string().as_str()))
}

/// Whether a document permits something that another one does not, nor whatever else `covered` knows of.
fn permits_more(declared: &str, found: &str, covered: impl Fn(&Grant) -> bool) -> bool {
    let (Ok(declared), Ok(found)) = (Meaning::parse(declared), Meaning::parse(found)) else {
        return true;
    };
    // Then texts that are equal don't mean the same.
    if declared.is_read_otherwise(&found) {
        return true;
    }
    let of = |meaning: &Meaning, effect: Effect| -> BTreeSet<Grant> {
        meaning
            .grants
            .iter()
            .filter(|grant| grant.effect == effect)
            .cloned()
            .collect()
    };
    let allowed = of(&found, Effect::Allow);
    let more = of(&declared, Effect::Allow)
        .iter()
        .any(|grant| !covered(grant) && !allowed.iter().any(|other| covers(other, grant)));
    let denied = of(&declared, Effect::Deny);
    let less_denied = of(&found, Effect::Deny).iter().any(|grant| !denied.contains(grant));
    more || less_denied
}

/// Whether all that one grant permits is permitted by another.
fn covers(wide: &Grant, narrow: &Grant) -> bool {
    let resource = match (&wide.resource, &narrow.resource) {
        (Some(Scope::Is(wide)), Some(Scope::Is(narrow))) => pattern_covers(wide, narrow),
        (wide, narrow) => wide == narrow,
    };
    let conditions = wide.conditions.iter().all(|(key, values)| {
        let prefix = key.0.lower() == "stringlike";
        narrow.conditions.get(key).is_some_and(|narrow| {
            narrow.iter().all(|value| {
                values
                    .iter()
                    .any(|wide| wide == value || prefix && pattern_covers(wide, value))
            })
        })
    });
    wide.principal == narrow.principal && wide.action == narrow.action && resource && conditions
}

/// Whether a pattern matches all that another one does: equal, or a plain beginning with `*` after it.
fn pattern_covers(wide: &str, narrow: &str) -> bool {
    let beginning = wide
        .strip_suffix('*')
        .filter(|beginning| !beginning.contains(['*', '?', '$']));
    wide == narrow || beginning.is_some_and(|beginning| narrow.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::{Head, PolicyArn};

    fn bucket(resource: &str, condition: &str) -> String {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"s3:GetObject","Resource":"{resource}"{condition}}}]}}"#
        )
    }

    #[test]
    fn more_is_told_from_less() {
        let all = bucket("arn:aws:s3:::a/*", "");
        let part = bucket("arn:aws:s3:::a/b/*", "");
        let conditional = bucket(
            "arn:aws:s3:::a/*",
            r#","Condition":{"StringEquals":{"aws:SourceAccount":"1"}}"#,
        );
        let prefix = |prefix: &str| {
            bucket(
                "arn:aws:s3:::a",
                &format!(r#","Condition":{{"StringLike":{{"s3:prefix":"{prefix}"}}}}"#),
            )
        };
        for (declared, found, more) in [
            (&all, &all, false),
            (&part, &all, false),
            (&all, &part, true),
            (&conditional, &all, false),
            (&all, &conditional, true),
            (&prefix("x/y/*"), &prefix("x/*"), false),
            (&prefix("x/*"), &prefix("x/y/*"), true),
            (&bucket("arn:aws:s3:::b/*", ""), &all, true),
            (&all, &"nonsense".to_owned(), true),
        ] {
            assert_eq!(
                permits_more(declared, found, |_| false),
                more,
                "{declared} after {found}"
            );
        }
        let literal = bucket("arn:aws:s3:::a/${*}*", "");
        let more = |found: &str| permits_more(&literal, found, |_| false);
        assert!(
            more(&literal.replace("2012", "2008")),
            "there ${{*}} is text and a wildcard"
        );
        assert!(!more(&literal) && !more(&all));
    }

    #[test]
    fn each_call_widens_or_not() {
        let trust = |who: &str| {
            format!(
                r#"{{"Statement":{{"Effect":"Allow","Principal":{{"Service":"{who}"}},"Action":"sts:AssumeRole"}}}}"#
            )
        };
        let role = ObservedRole {
            head: Head {
                trust: trust("pinpoint.amazonaws.com"),
                max_session_duration: Some(7200),
                ..Head::default()
            },
            ..ObservedRole::default()
        };
        let mut bounded = role.clone();
        bounded.head.boundary = Some("arn:aws:iam::aws:policy/a".to_owned());
        let arn = || PolicyArn::parse("arn:aws:iam::aws:policy/ReadOnlyAccess").expect("an ARN");
        let session = |seconds| Step::UpdateRole {
            description: None,
            max_session_duration: seconds,
        };
        let delete = Step::DeleteInlinePolicy {
            name: "a".to_owned(),
            document: None,
        };
        let rows = [
            (Step::AttachPolicy(arn()), &role, true),
            (Step::DetachPolicy(arn().to_string()), &role, false),
            (delete, &role, false),
            (Step::DeleteRole, &role, false),
            (Step::TagRole([].into()), &role, false),
            (Step::UntagRole(Vec::new()), &role, false),
            (Step::PutBoundary(arn()), &role, false),
            (Step::PutBoundary(arn()), &bounded, true),
            (session(Some(7201)), &role, true),
            (session(Some(7200)), &role, false),
            (session(Some(3600)), &role, false),
            (session(None), &role, false),
            (Step::UpdateTrust(trust("pinpoint.amazonaws.com")), &role, false),
            (Step::UpdateTrust(trust("ec2.amazonaws.com")), &role, true),
            (Step::PutBucketPolicy(bucket("arn:aws:s3:::a/*", "")), &role, true),
            (Step::PutBucketPolicy(EMPTY.to_owned()), &role, false),
        ];
        for (step, role, wider) in rows {
            assert_eq!(widens(&Change::plain(step.clone()), Some(role)), wider, "{step:?}");
        }
        for (step, wider) in [
            (Step::UpdateTrust(trust("pinpoint.amazonaws.com")), true),
            (Step::PutBucketPolicy(EMPTY.to_owned()), true),
            (session(Some(3600)), true),
            (Step::PutBoundary(arn()), false),
        ] {
            assert_eq!(
                widens(&Change::plain(step.clone()), None),
                wider,
                "{step:?} on what is not known"
            );
        }
    }

    #[test]
    fn a_pattern_covers_what_begins_with_it() {
        for (wide, narrow, covered) in [
            ("a/*", "a/b", true),
            ("a/*", "a/*", true),
            ("a/*", "a/b/*", true),
            ("a/*", "b/a/*", false),
            ("a/b", "a/b", true),
            ("a/b", "a/bc", false),
            ("a*/*", "a1/b", false),
            ("a?/*", "a?/b", false),
            ("${a}/*", "${a}/b", false),
        ] {
            assert_eq!(pattern_covers(wide, narrow), covered, "{wide} {narrow}");
        }
    }

    #[test]
    fn a_deny_that_goes_is_more() {
        let allow = r#"{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}"#;
        let deny = r#"{"Effect":"Deny","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}"#;
        let with = format!(r#"{{"Version":"2012-10-17","Statement":[{allow},{deny}]}}"#);
        let without = format!(r#"{{"Version":"2012-10-17","Statement":[{allow}]}}"#);
        let more = |declared, found| permits_more(declared, found, |_| false);
        assert!(more(&without, &with) && !more(&with, &without));
    }

    #[test]
    fn a_bucket_in_place_of_every_bucket_is_less() {
        let role = |attached: &[&str]| ObservedRole {
            head: Head::default(),
            attached: attached.iter().map(ToString::to_string).collect(),
            ..ObservedRole::default()
        };
        let put = |document: String| Change::plain(Step::PutBucketPolicy(document));
        let read_only = role(&["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]);
        let part = bucket("arn:aws:s3:::a/b/*", "");
        assert!(!widens(&put(part.clone()), Some(&read_only)));
        assert!(widens(&put(part.clone()), Some(&role(&[]))));
        assert!(widens(
            &put(part.clone()),
            Some(&role(&["arn:aws:iam::111122223333:policy/AmazonS3ReadOnlyAccess"]))
        ));
        assert!(
            widens(&put(part.replace("s3:GetObject", "kms:Decrypt")), Some(&read_only)),
            "that it could not do"
        );
    }
}
