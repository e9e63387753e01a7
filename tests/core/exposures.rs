//! What `audit` answers: who may assume a role, on whose behalf Pinpoint may, and what the role may do. Tables of documents and the right
//! answers.

use std::collections::BTreeMap;

use pinpoint_import_role_controller::role::{
    Head, ObservedRole, SweptRole,
    observed::Sweep,
    review::exposure::{Exposure, Guarded, Power, Severity, exposure, findings},
};

const PINPOINT: &str = r#""Principal":{"Service":"pinpoint.amazonaws.com"}"#;
const ASSUME: &str = r#""Action":"sts:AssumeRole""#;
/// The role's own account.
const OWN: &str = "111111111111";

fn role(trust: String, inline: &[&str], attached: &[&str]) -> SweptRole {
    let documents = inline.iter().enumerate();
    SweptRole {
        role: ObservedRole {
            head: Head {
                arn: format!("arn:aws:iam::{OWN}:role/x"),
                trust,
                ..Head::default()
            },
            attached: attached.iter().map(ToString::to_string).collect(),
            inline: documents
                .map(|(n, text)| (format!("inline{n}"), Some((*text).to_owned())))
                .collect(),
        },
        ..SweptRole::default()
    }
}

fn document(statements: &[String]) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}

fn allow(elements: &[&str]) -> String {
    format!(r#"{{"Effect":"Allow",{}}}"#, elements.join(","))
}

fn with_trust(statements: &[String]) -> Option<Exposure> {
    exposure(&role(document(statements), &[], &[]), &Sweep::default())
}

fn severities(exposure: &Exposure) -> Vec<Severity> {
    findings(exposure).iter().map(|finding| finding.severity).collect()
}

#[test]
fn who_else_may_assume_it() {
    let others = [
        (PINPOINT, ASSUME, ""),
        (
            r#""Principal":{"Service":"pinpoint.us-east-1.amazonaws.com"}"#,
            ASSUME,
            "",
        ),
        (r#""Principal":{"Service":"pinpoint.amazonaws.com.cn"}"#, ASSUME, ""),
        (r#""Principal":{"Service":"Pinpoint.amazonaws.com"}"#, ASSUME, ""),
        (
            r#""Principal":{"Service":["pinpoint.amazonaws.com","ec2.amazonaws.com"]}"#,
            ASSUME,
            "ec2.amazonaws.com",
        ),
        (
            r#""Principal":{"Service":["pinpoint.amazonaws.com","notpinpoint.amazonaws.com"]}"#,
            ASSUME,
            "notpinpoint.amazonaws.com",
        ),
        (
            r#""Principal":{"Service":"pinpoint.amazonaws.com","AWS":"999999999999"}"#,
            ASSUME,
            "arn:aws:iam::999999999999:root",
        ),
        (r#""Principal":"*""#, ASSUME, "everybody (*)"),
        (r#""Principal":{"AWS":["*"]}"#, ASSUME, "everybody (*)"),
        (r#""Principal":{"Service":"*"}"#, ASSUME, "every Service principal (*)"),
        (
            r#""Principal":{"Service":"*.amazonaws.com"}"#,
            ASSUME,
            "*.amazonaws.com",
        ),
        (
            r#""NotPrincipal":{"AWS":"999999999999"}"#,
            ASSUME,
            "everything but arn:aws:iam::999999999999:root",
        ),
        (r#""Principal":"*""#, r#""Action":"sts:*""#, "everybody (*)"),
        (r#""Principal":"*""#, r#""Action":"*""#, "everybody (*)"),
        (r#""Principal":"*""#, r#""Action":"STS:assumer?le""#, "everybody (*)"),
        (r#""Principal":"*""#, r#""NotAction":"sts:TagSession""#, "everybody (*)"),
        (
            r#""NotPrincipal":{"Service":"pinpoint.us-east-1.amazonaws.com"}"#,
            ASSUME,
            "everything but pinpoint.us-east-1.amazonaws.com",
        ),
    ];
    let mut cases = 0;
    for (principal, action, right) in others {
        let found = with_trust(&[allow(&[principal, action])]).unwrap_or_else(|| panic!("{principal}"));
        assert_eq!(Vec::from_iter(found.others).join(", "), right, "{principal} {action}");
        assert_eq!(found.guarded, Guarded::No, "{principal}");
        cases += 1;
    }
    for theirs in [
        r#""Principal":{"Service":"ec2.*"}"#,
        r#""Principal":{"Service":"?.amazonaws.com"}"#,
        r#""Principal":{"AWS":"999999999999"}"#,
        r#""Principal":{"Federated":"*"}"#,
        r#""NotPrincipal":{"Service":"pinpoint.amazonaws.com"}"#,
    ] {
        assert_eq!(with_trust(&[allow(&[theirs, ASSUME])]), None, "{theirs}");
        cases += 1;
    }
    println!("audit, who else may assume it: {cases} cases right");
}

#[test]
fn who_else_may_assume_it_beside_pinpoint() {
    let beside = [
        (
            r#""Principal":{"AWS":"999999999999"}"#,
            r#""Action":"sts:*""#,
            "arn:aws:iam::999999999999:root",
        ),
        (
            r#""Principal":{"AWS":"999999999999"}"#,
            r#""Action":"sts:Assume*""#,
            "arn:aws:iam::999999999999:root",
        ),
        (
            r#""Principal":{"AWS":"999999999999"}"#,
            r#""NotAction":"sts:AssumeRole""#,
            "arn:aws:iam::999999999999:root",
        ),
        (
            r#""Principal":{"AWS":"999999999999"}"#,
            r#""Action":"sts:TagSession""#,
            "",
        ),
        (r#""Principal":{"AWS":"999999999999"}"#, r#""NotAction":"sts:*""#, ""),
        (
            r#""Principal":{"Federated":"accounts.google.com"}"#,
            r#""Action":"sts:AssumeRoleWithWebIdentity""#,
            "accounts.google.com",
        ),
        (
            r#""Principal":{"Federated":"arn:aws:iam::111111111111:saml-provider/okta"}"#,
            r#""Action":"sts:AssumeRoleWithSAML""#,
            "arn:aws:iam::111111111111:saml-provider/okta",
        ),
        (
            r#""Principal":{"Federated":"*"}"#,
            r#""Action":"sts:AssumeRoleWith*""#,
            "every Federated principal (*)",
        ),
        (
            r#""NotPrincipal":{"Service":"pinpoint.amazonaws.com"}"#,
            ASSUME,
            "everything but pinpoint.amazonaws.com",
        ),
        (r#""Principal":{"CanonicalUser":"abc"}"#, ASSUME, "abc"),
    ];
    let mut cases = 0;
    for (principal, action, right) in beside {
        let found = with_trust(&[allow(&[PINPOINT, ASSUME]), allow(&[principal, action])]).expect("Pinpoint");
        assert_eq!(
            Vec::from_iter(found.others.clone()).join(", "),
            right,
            "{principal} {action}"
        );
        assert_eq!(
            severities(&found).contains(&Severity::High),
            !right.is_empty(),
            "{principal} {action}"
        );
        cases += 1;
    }
    println!("audit, who else, beside Pinpoint: {cases} cases right");
}

#[test]
fn roles_that_do_not_trust_pinpoint_are_none_of_ours() {
    let mut cases = 0;
    for (principal, action) in [
        (r#""Principal":{"Service":"ec2.amazonaws.com"}"#, ASSUME),
        (r#""Principal":{"AWS":"111111111111"}"#, ASSUME),
        (r#""Principal":{"AWS":"pinpoint.amazonaws.com"}"#, ASSUME),
        (r#""Principal":{"Service":"notpinpoint.amazonaws.com"}"#, ASSUME),
        (r#""Principal":{"Federated":"*"}"#, ASSUME),
        (r#""NotPrincipal":{"Service":"pinpoint.amazonaws.com"}"#, ASSUME),
        (PINPOINT, r#""Action":"sts:TagSession""#),
        (PINPOINT, r#""Action":"sts:AssumeRoleWithSAML""#),
        (PINPOINT, r#""NotAction":"sts:Assume*""#),
    ] {
        assert_eq!(with_trust(&[allow(&[principal, action])]), None, "{principal} {action}");
        cases += 1;
    }
    let in_organization = r#""Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}"#;
    assert_eq!(
        with_trust(&[allow(&[r#""Principal":"*""#, ASSUME, in_organization])]),
        None,
        "a service is in no organization"
    );
    let denied = allow(&[PINPOINT, ASSUME]).replace("Allow", "Deny");
    assert_eq!(with_trust(&[denied]), None);
    println!("audit, roles that are none of ours: {cases} cases right");
}

#[test]
fn everybody_of_an_organization_is_not_everybody() {
    let mut cases = 0;
    for (condition, right) in [
        (
            r#"{"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}"#,
            "everybody in organization o-a1b2c3d4e5",
        ),
        (
            r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-a1b2c3d4e5/r-ab12/*"}}"#,
            "everybody in organization o-a1b2c3d4e5",
        ),
        (
            r#"{"StringEquals":{"aws:PrincipalAccount":"999999999999"}}"#,
            "everybody in account 999999999999",
        ),
        (
            r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::999999999999:role/*"}}"#,
            "everybody in account 999999999999",
        ),
        (
            r#"{"StringEquals":{"aws:SourceAccount":"111111111111"}}"#,
            "everybody that acts for account 111111111111",
        ),
        (
            r#"{"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}"#,
            "everybody (*)",
        ),
        (
            r#"{"ForAllValues:StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}"#,
            "everybody (*)",
        ),
        (
            r#"{"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}"#,
            "everybody (*)",
        ),
        (r#"{"StringLike":{"aws:PrincipalOrgID":"o-*"}}"#, "everybody (*)"),
        (
            r#"{"StringLike":{"aws:PrincipalAccount":"9999999999*"}}"#,
            "everybody (*)",
        ),
        (
            r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/a"}}"#,
            "everybody (*)",
        ),
        (
            r#"{"StringEquals":{"aws:PrincipalOrgID":"${aws:ResourceOrgID}"}}"#,
            "everybody (*)",
        ),
        (r#"{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#, "everybody (*)"),
    ] {
        let everybody = allow(&[r#""Principal":"*""#, ASSUME, &format!(r#""Condition":{condition}"#)]);
        let found = with_trust(&[allow(&[PINPOINT, ASSUME]), everybody]).expect("Pinpoint");
        assert_eq!(Vec::from_iter(found.others).join(", "), right, "{condition}");
        cases += 1;
    }
    let all_but = allow(&[
        r#""NotPrincipal":{"AWS":"999999999999"}"#,
        ASSUME,
        r#""Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}"#,
    ]);
    let found = with_trust(&[allow(&[PINPOINT, ASSUME]), all_but]).expect("Pinpoint");
    let right = "everything but arn:aws:iam::999999999999:root in organization o-a1b2c3d4e5";
    assert_eq!(Vec::from_iter(found.others), [right]);
    println!("audit, organizations: {cases} cases right");
}

#[test]
fn guarded_for_whom() {
    const OURS: (Guarded, &str) = (Guarded::Yes, "");
    const NOT: (Guarded, &str) = (Guarded::No, "");
    const STRANGER: (Guarded, &str) = (Guarded::No, "999999999999");
    let mut cases = 0;
    for (condition, right) in [
        (r#"{"StringEquals":{"aws:SourceAccount":"111111111111"}}"#, OURS),
        (r#"{"stringequals":{"AWS:sourceaccount":"111111111111"}}"#, OURS),
        (r#"{"StringEquals":{"aws:SourceAccount":111111111111}}"#, OURS),
        (r#"{"StringLike":{"aws:SourceAccount":"111111111111"}}"#, OURS),
        (
            r#"{"ForAnyValue:StringEquals":{"aws:SourceAccount":"111111111111"}}"#,
            OURS,
        ),
        (
            r#"{"ArnLike":{"aws:SourceArn":"arn:aws:mobiletargeting:us-east-1:111111111111:apps/*"}}"#,
            OURS,
        ),
        (
            r#"{"ArnEquals":{"aws:SourceArn":"arn:aws:mobiletargeting:*:111111111111:apps/0123"}}"#,
            OURS,
        ),
        (
            r#"{"StringLike":{"aws:SourceArn":"arn:aws:mobiletargeting:us-east-1:111111111111:*"}}"#,
            OURS,
        ),
        (r#"{"StringEquals":{"aws:SourceOrgID":"o-a1b2c3d4e5"}}"#, OURS),
        (
            r#"{"ForAnyValue:StringLike":{"aws:SourceOrgPaths":"o-a1b2c3d4e5/r-ab12/ou-1/*"}}"#,
            OURS,
        ),
        (
            r#"{"StringEquals":{"aws:SourceAccount":"111111111111","aws:SourceOrgID":"o-a1b2c3d4e5"}}"#,
            OURS,
        ),
        (r#"{"StringEquals":{"aws:SourceAccount":"999999999999"}}"#, STRANGER),
        (
            r#"{"ArnLike":{"aws:SourceArn":"arn:aws:mobiletargeting:us-east-1:999999999999:apps/*"}}"#,
            STRANGER,
        ),
        (
            r#"{"StringEquals":{"aws:SourceAccount":"999999999999","aws:SourceOrgID":"o-a1b2c3d4e5"}}"#,
            STRANGER,
        ),
        (
            r#"{"StringEquals":{"aws:SourceAccount":["111111111111","999999999999"]}}"#,
            (Guarded::Partly, "999999999999"),
        ),
        (
            r#"{"ArnLike":{"aws:SourceArn":"arn:aws:mobiletargeting:us-east-1:*:apps/*"}}"#,
            NOT,
        ),
        (r#"{"ArnLike":{"aws:SourceArn":"*"}}"#, NOT),
        (
            r#"{"StringLike":{"aws:SourceArn":"arn:aws:mobiletargeting:*:111111111111:*"}}"#,
            NOT,
        ),
        (
            r#"{"ArnLike":{"aws:SourceArn":"arn:aws:mobiletargeting:${aws:RequestedRegion}:111111111111:*"}}"#,
            NOT,
        ),
        (r#"{"StringLike":{"aws:SourceArn":"*:111111111111:*"}}"#, NOT),
        (r#"{"StringLike":{"aws:SourceAccount":"*"}}"#, NOT),
        (r#"{"StringLike":{"aws:SourceAccount":"11111111111?"}}"#, NOT),
        (r#"{"StringLike":{"aws:SourceOrgID":"*"}}"#, NOT),
        (r#"{"StringLike":{"aws:SourceOrgID":"o-*"}}"#, NOT),
        (r#"{"ForAnyValue:StringLike":{"aws:SourceOrgPaths":"*/r-ab12/*"}}"#, NOT),
        (r#"{"Null":{"aws:SourceAccount":"false"}}"#, NOT),
        (r#"{"StringEqualsIfExists":{"aws:SourceAccount":"111111111111"}}"#, NOT),
        (
            r#"{"ForAllValues:StringEquals":{"aws:SourceAccount":"111111111111"}}"#,
            NOT,
        ),
        (
            r#"{"forallvalues:stringequals":{"aws:SourceAccount":"111111111111"}}"#,
            NOT,
        ),
        (r#"{"StringNotEquals":{"aws:SourceAccount":"111111111111"}}"#, NOT),
        (r#"{"StringNotLike":{"aws:SourceAccount":"999999999999"}}"#, NOT),
        (r#"{"StringEquals":{"aws:PrincipalAccount":"111111111111"}}"#, NOT),
        (r#"{"StringEquals":{"sts:ExternalId":"111111111111"}}"#, NOT),
        (r#"{"StringEquals":{"aws:PrincipalTag/a":"1"}}"#, NOT),
    ] {
        let statement = allow(&[PINPOINT, ASSUME, &format!(r#""Condition":{condition}"#)]);
        let found = with_trust(&[statement]).unwrap_or_else(|| panic!("{condition}"));
        let strangers = Vec::from_iter(found.strangers.clone()).join(", ");
        assert_eq!((found.guarded, strangers.as_str()), right, "{condition}");
        let worst = severities(&found).into_iter().max();
        let should = match right {
            OURS => None,
            NOT => Some(Severity::Medium),
            _ => Some(Severity::High),
        };
        assert_eq!(worst, should, "{condition}");
        cases += 1;
    }
    let own = r#""Condition":{"StringEquals":{"aws:SourceAccount":"111111111111"}}"#;
    let both = with_trust(&[allow(&[PINPOINT, ASSUME, own]), allow(&[PINPOINT, ASSUME])]).expect("Pinpoint");
    assert_eq!(
        (both.guarded, severities(&both)),
        (Guarded::Partly, vec![Severity::Medium])
    );
    let everybody = with_trust(&[allow(&[r#""Principal":"*""#, ASSUME, own])]).expect("Pinpoint");
    assert_eq!(everybody.guarded, Guarded::Yes);
    println!("audit, guarded for whom: {cases} cases right");
}

/// Reads of one statement: `*` for every bucket.
fn reads(statement: &str) -> String {
    let text = document(&[statement.to_owned()]);
    reads_of(&text)
}

fn reads_of(text: &str) -> String {
    let swept = role(document(&[allow(&[PINPOINT, ASSUME])]), &[text], &[]);
    let reach = exposure(&swept, &Sweep::default()).expect("Pinpoint").reach;
    assert!(reach.unknown.is_empty(), "{text}");
    if reach.every_bucket {
        "*".to_owned()
    } else {
        Vec::from_iter(reach.buckets).join(" ")
    }
}

#[test]
fn no_partition_has_every_bucket_but_one_of_aws() {
    let every = |resource: &str| {
        let may = allow(&[r#""Action":"s3:GetObject""#, &format!(r#""Resource":"{resource}""#)]);
        let swept = role(document(&[allow(&[PINPOINT, ASSUME])]), &[&document(&[may])], &[]);
        exposure(&swept, &Sweep::default())
            .expect("Pinpoint")
            .reach
            .every_bucket
    };
    for (resource, is_every) in [
        ("arn:aws:s3:::*/*", true),
        ("arn:aws-us-gov:s3:::*/*", true),
        ("arn:*:s3:::*/*", true),
        ("arn:gcp:s3:::*/*", false),
        ("arn:AWS:s3:::*/*", false),
    ] {
        assert_eq!(every(resource), is_every, "{resource}");
    }
}

#[test]
fn what_it_reads() {
    let mut cases = 0;
    for (action, resource, right) in [
        ("s3:GetObject", "arn:aws:s3:::a/b/*", "a"),
        ("s3:*", "arn:aws:s3:::team-*/x", "team-*"),
        ("s3:GetObjectVersion", "arn:aws:s3:::a/*", "a"),
        ("*", "*", "*"),
        ("s3:Get*", "arn:aws:s3:::*", "*"),
        ("s3:GetObject", "arn:aws:s3:::*/*", "*"),
        ("s3:GetObject", "arn:aws:s3:::?*", "*"),
        ("s3:GetObject", "arn:aws:s3:::?*/*", "*"),
        ("s3:GetObject", "arn:aws:s3:::**", "*"),
        ("s3:GetObject", "arn:aws:s3:::***/*", "*"),
        ("s3:GetObject", "arn:aws:s3:::???*", "*"),
        ("s3:GetObject", "arn:aws:s3:*", "*"),
        ("s3:GetObject", "arn:*", "*"),
        ("s3:GetObject", "**", "*"),
        ("s3:GetObject", "?*", "*"),
        ("s3:GetObject", "arn:aws-cn:s3:::*/*", "*"),
        ("s3:GetObject", "arn:*:s3:::*/*", "*"),
        ("s3:GetObject", "arn:aws:s3:::a*", "a*"),
        ("s3:GetObject", "arn:aws:s3:::*-logs/*", "*-logs/*"),
        ("s3:GetObject", "arn:aws:s3:::a*b/c", "a*b/c"),
        ("s3:GetObject", "arn:aws:s3:::a?b/c/*", "a?b/c/*"),
        ("s3:GetObject", "arn:aws:s3:::a?/c/*", "a?/c/*"),
        ("s3:GetObject", "arn:aws:s3*logs/x", "arn:aws:s3*logs/x"),
        ("s3:GetObject", "arn:aws:s3-logs/x", ""),
        (
            "s3:GetObject",
            "arn:aws:s3:::${aws:PrincipalTag/x}-a/*",
            "${aws:PrincipalTag/x}-a/*",
        ),
        (
            "s3:GetObject",
            "arn:aws:s3:::data-${aws:PrincipalTag/x}/*",
            "data-${aws:PrincipalTag/x}",
        ),
        ("s3:GetObject", "arn:aws:s3:::${aws:PrincipalTag/bucket}/*", "*"),
        ("s3:GetObject", "arn:aws:s3:::${aws:PrincipalTag/bucket, 'x'}/*", "*"),
        (
            "s3:GetObject",
            "arn:aws:s3:::data-${aws:PrincipalAccount}/*",
            "data-${aws:PrincipalAccount}",
        ),
        ("s3:GetObject", "arn:aws:s3:::a/${aws:username}/*", "a"),
        ("s3:GetObject", "arn:aws:s3:::a/${*}/*", "a"),
        ("s3:GetObject", "arn:aws:s3:::${*}/*", ""),
        ("s3:GetObject", "arn:aws:s3:::a", ""),
        (
            "s3:GetObject",
            "arn:aws:s3:us-east-1:111111111111:accesspoint/mine/object/*",
            "accesspoint/mine",
        ),
        (
            "s3:GetObject",
            "arn:aws:s3:*:111111111111:accesspoint/*",
            "accesspoint/*",
        ),
        ("s3:GetObject", "arn:aws:s3:::accesspoint/*", "accesspoint"),
        ("*", "arn:aws:dynamodb:us-east-1:111111111111:table/x", ""),
        ("s3:GetObject", "nonsense", ""),
        ("s3:PutObject", "*", ""),
        ("s3:ListBucket", "arn:aws:s3:::a", ""),
    ] {
        let statement = allow(&[
            &format!(r#""Action":"{action}""#),
            &format!(r#""Resource":"{resource}""#),
        ]);
        assert_eq!(reads(&statement), right, "{action} {resource}");
        cases += 1;
    }
    let get = r#""Action":"s3:GetObject""#;
    assert_eq!(reads(&allow(&[get, r#""NotResource":"arn:aws:s3:::a/*""#])), "*");
    assert_eq!(
        reads(&allow(&[get, r#""NotResource":["arn:aws:s3:::a/*","arn:aws:s3:::*"]"#])),
        ""
    );
    let old = document(&[allow(&[get, r#""Resource":"arn:aws:s3:::${aws:username}/*""#])]).replace("2012", "2008");
    assert_eq!(reads_of(&old), "", "no bucket has such a name");
    assert_eq!(reads(&allow(&[r#""NotAction":"iam:*""#, r#""Resource":"*""#])), "*");
    assert_eq!(reads(&allow(&[r#""NotAction":"s3:*""#, r#""Resource":"*""#])), "");
    println!("audit, what it reads: {cases} cases right");
}

#[test]
fn what_it_may_do_beyond_reading() {
    const KEY: &str = "arn:aws:kms:us-east-1:111111111111:key/0123";
    let mut cases = 0;
    for (action, resource, right) in [
        ("s3:GetObject", "*", None),
        ("s3:Get*", "*", None),
        ("s3:List*", "*", None),
        ("s3-object-lambda:Get*", "*", None),
        ("kms:Decrypt", KEY, None),
        ("kms:Decrypt", "*", Some(Power::ReadMore)),
        (
            "kms:Decrypt",
            "arn:aws:kms:us-east-1:111111111111:alias/a",
            Some(Power::ReadMore),
        ),
        ("dynamodb:GetItem", "*", Some(Power::ReadMore)),
        ("*:Get*", "*", Some(Power::ReadMore)),
        ("iam:ListRoles", "*", Some(Power::ReadMore)),
        ("secretsmanager:GetSecretValue", "*", Some(Power::ReadMore)),
        ("s3:PutObject", "*", Some(Power::WriteS3)),
        ("s3:*", "arn:aws:s3:::a/*", Some(Power::WriteS3)),
        ("S3:deleteobject", "*", Some(Power::WriteS3)),
        ("s3:?et*", "*", Some(Power::WriteS3)),
        ("kinesis:PutRecords", "*", Some(Power::Write)),
        ("mobiletargeting:*", "*", Some(Power::Write)),
        ("s3*", "*", Some(Power::Write)),
        ("kms:*", KEY, Some(Power::Write)),
        ("iam:PutRolePolicy", "*", Some(Power::Grant)),
        ("iam:*", "*", Some(Power::Grant)),
        ("i?m:P*", "*", Some(Power::Grant)),
        ("*PassRole", "*", Some(Power::Grant)),
        ("sts:AssumeRole", "*", Some(Power::Grant)),
        ("organizations:LeaveOrganization", "*", Some(Power::Grant)),
        ("*", "*", Some(Power::Everything)),
        ("*:*", "*", Some(Power::Everything)),
        ("**", "*", Some(Power::Everything)),
        ("?*", "arn:aws:s3:::a/*", Some(Power::Everything)),
    ] {
        let statement = allow(&[
            &format!(r#""Action":"{action}""#),
            &format!(r#""Resource":"{resource}""#),
        ]);
        assert_eq!(beyond(&[&document(&[statement])], &[]), right, "{action} {resource}");
        cases += 1;
    }
    let not = |action: &str| document(&[allow(&[&format!(r#""NotAction":{action}"#), r#""Resource":"*""#])]);
    assert_eq!(beyond(&[&not(r#""s3:*""#)], &[]), Some(Power::Everything));
    assert_eq!(
        beyond(&[&not(r#"["iam:*","organizations:*"]"#)], &[]),
        Some(Power::Write)
    );
    let denied = not(r#""s3:*""#).replace("Allow", "Deny");
    assert_eq!(beyond(&[&denied], &[]), None);
    for (arn, right) in [
        ("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess", None),
        ("arn:aws:iam::aws:policy/ReadOnlyAccess", Some(Power::ReadMore)),
        ("arn:aws:iam::aws:policy/AmazonS3FullAccess", Some(Power::WriteS3)),
        ("arn:aws:iam::aws:policy/PowerUserAccess", Some(Power::Write)),
        ("arn:aws:iam::aws:policy/AdministratorAccess", Some(Power::Everything)),
        ("arn:aws:iam::111111111111:policy/AdministratorAccess", None),
    ] {
        assert_eq!(beyond(&[], &[arn]), right, "{arn}");
        cases += 1;
    }
    // The worst of all counts.
    let get = document(&[allow(&[r#""Action":"s3:GetObject""#, r#""Resource":"*""#])]);
    let write = document(&[allow(&[
        r#""Action":["s3:Get*","s3:PutObject","sqs:SendMessage"]"#,
        r#""Resource":"*""#,
    ])]);
    assert_eq!(
        beyond(&[&get, &write], &["arn:aws:iam::aws:policy/AmazonS3FullAccess"]),
        Some(Power::Write)
    );
    println!("audit, what it may do beyond: {cases} cases right");
}

fn beyond(inline: &[&str], attached: &[&str]) -> Option<Power> {
    let swept = role(document(&[allow(&[PINPOINT, ASSUME])]), inline, attached);
    let exposure = exposure(&swept, &Sweep::default()).expect("Pinpoint");
    let told = findings(&exposure)
        .iter()
        .find(|finding| finding.message.contains("more than read S3"))
        .map(|found| found.severity);
    let should = exposure.beyond.as_ref().map(|beyond| {
        if beyond.power >= Power::Grant {
            Severity::High
        } else {
            Severity::Medium
        }
    });
    assert_eq!(told, should, "{inline:?}");
    exposure.beyond.map(|beyond| beyond.power)
}

#[test]
fn what_can_not_be_read_is_told() {
    let values: Vec<String> = (0..100).map(|n| format!("\"{n}\"")).collect();
    let values = values.join(",");
    let dear = format!(r#""Condition":{{"StringLike":{{"a":[{values}],"b":[{values}]}}}}"#);
    let unreadable = [
        document(&[allow(&[PINPOINT, ASSUME, &dear])]),
        document(&[allow(&[PINPOINT, ASSUME, PINPOINT])]),
        document(&[allow(&[r#""Principal":{"*":"*"}"#, ASSUME])]),
        r#"{"Statement":"\u0070inpoint"}"#.to_owned(),
    ];
    let mut cases = 0;
    for trust in unreadable {
        let found = exposure(&role(trust.clone(), &[], &[]), &Sweep::default()).expect("it may mean Pinpoint");
        assert!(found.unreadable.is_some(), "{trust}");
        assert_eq!(severities(&found), [Severity::High], "{trust}");
        cases += 1;
    }
    let other = r#"{"Statement":{"Effect":"Allow","Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
    assert_eq!(exposure(&role(other.to_owned(), &[], &[]), &Sweep::default()), None);

    let theirs = "arn:aws:iam::aws:policy/AmazonRekognitionFullAccess";
    let ours = "arn:aws:iam::111111111111:policy/ours";
    let swept = role(document(&[allow(&[PINPOINT, ASSUME])]), &["nonsense"], &[theirs, ours]);
    let all = Sweep {
        policies: BTreeMap::from([(ours.to_owned(), "{}".to_owned())]),
        ..Sweep::default()
    };
    let found = exposure(&swept, &all).expect("Pinpoint");
    assert_eq!(Vec::from_iter(found.reach.unknown.clone()), [ours, theirs, "inline0"]);
    assert!(
        findings(&found)
            .iter()
            .any(|finding| finding.message.contains("inline0"))
    );
    println!("audit, what can not be read: {cases} cases right");
}

#[test]
fn what_is_said_about_a_role() {
    let said = |trust: &[String], inline: &[&str]| {
        let found = exposure(&role(document(trust), inline, &[]), &Sweep::default()).expect("Pinpoint");
        let words = findings(&found);
        let words = words
            .iter()
            .map(|finding| format!("{}: {}", finding.severity.as_str(), finding.message));
        words.collect::<Vec<_>>().join("\n")
    };
    let own = r#""Condition":{"StringEquals":{"aws:SourceAccount":"111111111111"}}"#;
    let theirs = r#""Condition":{"StringEquals":{"aws:SourceAccount":"999999999999"}}"#;
    let guarded = || vec![allow(&[PINPOINT, ASSUME, own])];
    assert_eq!(said(&guarded(), &[]), "");
    assert_eq!(
        said(&[allow(&[PINPOINT, ASSUME])], &[]),
        "medium: Pinpoint could be made to use it for another account (no aws:SourceArn or aws:SourceAccount): set spec.trust"
    );
    assert_eq!(
        said(&[allow(&[PINPOINT, ASSUME, theirs])], &[]),
        "high: Pinpoint may use it for another account, 999999999999: set spec.trust, if that is not meant"
    );
    let both = r#""Principal":{"Service":["pinpoint.amazonaws.com","ec2.amazonaws.com"]}"#;
    assert_eq!(
        said(&[allow(&[both, ASSUME, own])], &[]),
        "high: not only Pinpoint may assume it, but also ec2.amazonaws.com: narrow the trust policy"
    );
    let may = |action: &str, resource: &str| {
        document(&[allow(&[
            &format!(r#""Action":"{action}""#),
            &format!(r#""Resource":"{resource}""#),
        ])])
    };
    for (action, words) in [
        ("s3:GetObject", "medium: it reads every bucket: set spec.buckets"),
        (
            "sqs:ListQueues",
            "medium: it may do more than read S3, at worst: read what is not in S3 (sqs:ListQueues in inline0): take that away",
        ),
        (
            "s3:DeleteObject",
            "medium: it may do more than read S3, at worst: change what is in S3 (s3:DeleteObject in inline0): take that away",
        ),
        (
            "sqs:SendMessage",
            "medium: it may do more than read S3, at worst: change what is not in S3 (sqs:SendMessage in inline0): take that away",
        ),
        (
            "iam:PassRole",
            "high: it may do more than read S3, at worst: give rights, also to itself (iam:PassRole in inline0): take that away",
        ),
        (
            "*",
            "high: it may do more than read S3, at worst: everything (* in inline0): take that away\nmedium: it reads every bucket: set \
             spec.buckets",
        ),
    ] {
        assert_eq!(said(&guarded(), &[&may(action, "*")]), words, "{action}");
    }
    assert_eq!(
        said(&guarded(), &["nonsense"]),
        "medium: what it may do is not known because of inline0: look at these policies"
    );
    let unreadable = said(&[allow(&[PINPOINT, ASSUME, PINPOINT])], &[]);
    assert!(
        unreadable.starts_with("high: who may assume it is not known, since its trust policy can't be read ("),
        "{unreadable}"
    );
}

#[test]
fn a_finding_stays_a_sentence() {
    let accounts: Vec<String> = (0..2000)
        .map(|n| format!("\"{:012}\"", 200_000_000_000_u64 + n))
        .collect();
    let accounts = accounts.join(",");
    for element in ["Principal", "NotPrincipal"] {
        let others = allow(&[&format!(r#""{element}":{{"AWS":[{accounts}]}}"#), ASSUME]);
        let found = with_trust(&[allow(&[PINPOINT, ASSUME]), others]).expect("Pinpoint");
        for finding in findings(&found) {
            assert!(finding.message.len() < 3000, "{}", finding.message.len());
        }
    }
    let found = with_trust(&[
        allow(&[PINPOINT, ASSUME]),
        allow(&[&format!(r#""Principal":{{"AWS":[{accounts}]}}"#), ASSUME]),
    ]);
    assert!(findings(&found.expect("Pinpoint"))[0].message.contains("1990 more"));
}
