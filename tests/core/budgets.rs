//! What a document of others can make us spend has a bound that does not depend on the document.

use std::fmt::Write;

use pinpoint_import_role_controller::{
    api::v1alpha1::{Application, Bucket, PinpointImportRoleSpec, Trust},
    role::policy::{Grant, Meaning, Scope, trust::obstacle_to_adoption},
};
use proptest::{prelude::*, sample::select};

use crate::generated::{cases, declare};

/// Bytes that a document's grants and the words about them may take.
const MOST: usize = 4 << 20;
/// Grants that a document may have.
const MOST_GRANTS: usize = 10_000;
/// IAM's longest document in characters (IAM API reference, `UpdateAssumeRolePolicy`).
const LONGEST: usize = 131_072;

/// `n` texts in a JSON list.
fn list(n: usize, text: impl Fn(usize) -> String) -> String {
    let items: Vec<String> = (0..n).map(|n| format!("\"{}\"", text(n))).collect();
    format!("[{}]", items.join(","))
}

fn allow(principal: &str, actions: &str, condition: &str) -> String {
    format!(r#"{{"Effect":"Allow",{principal},"Action":{actions},"Condition":{condition}}}"#)
}

fn document(statements: &[String]) -> String {
    format!(r#"{{"Statement":[{}]}}"#, statements.join(","))
}

/// What a grant takes at least: itself and its texts.
fn bytes(grant: &Grant) -> usize {
    let principal = match &grant.principal {
        Some(Scope::Is(one)) => one.value.len(),
        Some(Scope::AllBut(these)) => these.iter().map(|one| one.value.len()).sum(),
        None => 0,
    };
    let conditions = grant.conditions.values().flatten();
    size_of::<Grant>() + principal + conditions.map(|value| value.len() + size_of::<String>()).sum::<usize>()
}

/// Checks that a document stays within the bounds: its grants, and what is said of it beside another.
fn bounded(text: &str) -> Result<bool, TestCaseError> {
    let Ok(meaning) = Meaning::parse(text) else {
        return Ok(false);
    };
    let taken: usize = meaning.grants.iter().map(bytes).sum();
    prop_assert!(
        taken <= MOST && meaning.grants.len() <= MOST_GRANTS,
        "{} grants, {taken} bytes",
        meaning.grants.len()
    );
    let other = Meaning::parse(&text.replace("Allow", "Deny")).expect("as good");
    let words: usize = meaning.differences(&other).iter().map(String::len).sum();
    prop_assert!(words <= 2 * MOST, "{words} bytes of words");
    prop_assert!(obstacle_to_adoption(text).is_none_or(|why| why.len() < 1000));
    Ok(true)
}

/// Regression: lists within a statement multiply. A trust policy of 995 characters could take 460 MB.
#[test]
fn lists_that_multiply_are_refused_at_any_length() {
    let services = format!(r#""Principal":{{"Service":{}}}"#, list(10, |n| format!("s{n}")));
    let actions = list(5, |n| format!("a:{n}"));
    let values = list(64, |n| n.to_string());
    let issue = allow(
        &services,
        &actions,
        &format!(r#"{{"StringEquals":{{"a":{values},"b":{values}}}}}"#),
    );
    assert!(document(std::slice::from_ref(&issue)).len() < 1100);
    let with_empty = issue.replacen(r#""a":["#, r#""c":[],"a":["#, 1);
    let unsplit = issue.replace("StringEquals", "StringNotEquals");
    let long = allow(
        &services,
        &list(1000, |n| format!("a:{n}")),
        &format!(r#"{{"StringNotEquals":{{"a":{}}}}}"#, list(5000, |n| n.to_string())),
    );
    let all_but = allow(
        &format!(r#""NotPrincipal":{{"AWS":{}}}"#, list(5000, |n| n.to_string())),
        &list(1000, |n| format!("a:{n}")),
        "{}",
    );
    let many = vec![unsplit.clone(); 120];
    for statements in [vec![issue], vec![with_empty], vec![long], vec![all_but], many] {
        let text = document(&statements);
        assert!(text.len() <= LONGEST, "{}", text.len());
        let why = Meaning::parse(&text).expect_err("hostile");
        assert!(why.contains("too large") || why.contains("no value"), "{why}");
        assert!(
            obstacle_to_adoption(&text)
                .expect("none adopts it")
                .contains("can't be read")
        );
    }
    assert!(
        Meaning::parse(&document(&[unsplit])).is_ok(),
        "50 grants of two lists are few"
    );
}

#[test]
fn deep_and_huge_texts_are_refused() {
    let deep = format!(r#"{{"Statement":{}{}}}"#, "[".repeat(60_000), "]".repeat(60_000));
    let keys: String = (0..10_000).fold(String::new(), |mut text, n| {
        write!(text, r#""k{n}":1,"#).expect("memory");
        text
    });
    let condition = format!(r#"{{"StringEquals":{{{}}}}}"#, keys.trim_end_matches(','));
    let objects = format!(r#"{{"Statement":[{}{{}}]}}"#, r#"{"":{}},"#.repeat(14_000));
    let spaces = format!("{}{{}}", " ".repeat(8 << 20));
    for text in [
        deep,
        document(&[allow(r#""Principal":"*""#, r#""a:b""#, &condition)]),
        objects,
        spaces,
    ] {
        let why = Meaning::parse(&text).expect_err("hostile");
        assert!(why.len() < 300, "{why}");
    }
}

#[test]
fn sound_documents_at_the_limits_of_iam_are_read() {
    let application = |n: usize| Application {
        region: "us-east-1".to_owned(),
        id: format!("{n:032x}"),
    };
    let bucket = |n: usize| Bucket {
        name: format!("a-bucket-with-a-name-of-some-length-{n}"),
        prefix: Some("a/prefix/of/some/length/".to_owned()),
        kms_key_arn: Some(format!("arn:aws:kms:us-east-1:123456789012:key/{n}")),
    };
    let ours = declare(&PinpointImportRoleSpec {
        trust: Some(Trust {
            applications: Some((0..20).map(application).collect()),
            ..Trust::default()
        }),
        buckets: Some((0..20).map(bucket).collect()),
        ..PinpointImportRoleSpec::default()
    });
    let buckets = ours.buckets.expect("buckets");
    // A trust policy of 2,048 characters: roles of thirty accounts, from some networks.
    let accounts = list(30, |n| format!("arn:aws:iam::{:012}:role/deploy", 100_000_000_000 + n));
    let networks = list(20, |n| format!("203.0.113.{n}/32"));
    let trust = document(&[allow(
        &format!(r#""Principal":{{"AWS":{accounts}}}"#),
        r#"["sts:AssumeRole","sts:TagSession"]"#,
        &format!(r#"{{"IpAddress":{{"aws:SourceIp":{networks}}}}}"#),
    )]);
    // An inline policy of 10,240: many actions on many resources.
    let resources = list(100, |n| format!("arn:aws:s3:::a-bucket-of-some-length-{n:03}/*"));
    let actions = list(60, |n| format!("s3:GetSomeObjectOrOther{n:02}"));
    let inline = format!(r#"{{"Statement":{{"Effect":"Allow","Action":{actions},"Resource":{resources}}}}}"#);
    for (text, grants) in [
        (ours.trust.document(), 20),
        (buckets.document(), 60),
        (&trust, 1200),
        (&inline, 6000),
    ] {
        let meaning = Meaning::parse(text).unwrap_or_else(|why| panic!("{why}: {text}"));
        assert_eq!(meaning.grants.len(), grants, "{text}");
        assert!(matches!(bounded(text), Ok(true)));
    }
}

/// A list of up to so many texts that the whole document stays within IAM's own bound.
fn hostile_list() -> impl Strategy<Value = String> {
    (
        select(vec![1_usize, 2, 5, 20, 64, 300, 3000]),
        select(vec![1_usize, 8, 200]),
    )
        .prop_map(|(n, width)| list(n.min(20_000 / width), |n| format!("{n:0width$}")))
}

fn hostile_statement() -> impl Strategy<Value = String> {
    let principal = (
        select(vec!["Principal", "NotPrincipal"]),
        select(vec!["AWS", "Service"]),
        hostile_list(),
    )
        .prop_map(|(element, kind, list)| format!(r#""{element}":{{"{kind}":{list}}}"#));
    let action = (select(vec!["Action", "NotAction"]), hostile_list())
        .prop_map(|(element, list)| format!(r#""{element}":{list}"#));
    let resource = (select(vec!["Resource", "NotResource"]), hostile_list())
        .prop_map(|(element, list)| format!(r#","{element}":{list}"#));
    let operator = select(vec![
        "StringEquals",
        "StringNotEquals",
        "ForAllValues:StringLike",
        "ForAnyValue:ArnLike",
        "Unknown",
    ]);
    let condition = proptest::collection::btree_map(operator, proptest::collection::vec(hostile_list(), 1..4), 0..3)
        .prop_map(|operators| {
            let each = operators.iter().map(|(operator, lists)| {
                let keys: Vec<String> = lists
                    .iter()
                    .enumerate()
                    .map(|(n, list)| format!(r#""k{n}":{list}"#))
                    .collect();
                format!(r#""{operator}":{{{}}}"#, keys.join(","))
            });
            each.collect::<Vec<_>>().join(",")
        });
    (principal, action, proptest::option::of(resource), condition).prop_map(
        |(principal, action, resource, condition)| {
            let resource = resource.unwrap_or_default();
            format!(r#"{{"Effect":"Allow",{principal},{action}{resource},"Condition":{{{condition}}}}}"#)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases(300)) })]

    #[test]
    fn no_shape_gets_past_the_bound(statements in proptest::collection::vec(hostile_statement(), 1..8)) {
        let mut statements = statements;
        while document(&statements).len() > LONGEST {
            statements.pop();
        }
        bounded(&document(&statements))?;
    }
}
