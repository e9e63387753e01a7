//! Pairs of policy documents: those that permit the same, and those that do not, with what the difference says.

use pinpoint_import_role_controller::role::policy::Meaning;

/// The guide's trust policy.
const GUIDE: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"AllowUserToImportEndpointDefinitions","Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
/// Hardened to two applications.
const HARD: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":["arn:a","arn:b"]},"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}"#;
/// An account beside Pinpoint.
const ACCOUNT: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com","AWS":"arn:aws:iam::123456789012:root"},"Action":["sts:AssumeRole","sts:TagSession"]}]}"#;
/// A bucket policy with a variable's syntax.
const BUCKET: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":["arn:aws:s3:::b/x${*}/*","arn:aws:s3:::c/*"]}]}"#;
/// With a negated condition, which is no list of alternatives.
const NEGATED: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringNotEquals":{"aws:SourceAccount":["1","2"]}}}]}"#;

fn differences(declared: &str, observed: &str) -> Vec<String> {
    let declared = Meaning::parse(declared).expect("a declared document is sound");
    match Meaning::parse(observed) {
        Ok(observed) => declared.differences(&observed),
        Err(why) => vec![why],
    }
}

/// Documents that permit the same.
const EQUAL: &[(&str, &str, &str)] = &[
    ("itself", GUIDE, GUIDE),
    (
        "white space",
        GUIDE,
        "{ \"Version\" : \"2012-10-17\",\n\t\"Statement\" : [ { \"Effect\" : \"Allow\", \"Principal\" : { \"Service\" : \"pinpoint.amazonaws.com\" }, \"Action\" : \"sts:AssumeRole\" } ] }",
    ),
    (
        "order of keys",
        GUIDE,
        r#"{"Statement":[{"Action":"sts:AssumeRole","Principal":{"Service":"pinpoint.amazonaws.com"},"Effect":"Allow"}],"Version":"2012-10-17"}"#,
    ),
    (
        "no Sid",
        GUIDE,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
    ),
    (
        "another Sid",
        GUIDE,
        r#"{"Version":"2012-10-17","Statement":[{"Sid":"x","Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
    ),
    (
        "an Id",
        GUIDE,
        r#"{"Version":"2012-10-17","Id":"x","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
    ),
    (
        "no Version",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
    ),
    (
        "the old Version",
        GUIDE,
        r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
    ),
    (
        "one statement without its list",
        GUIDE,
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}}"#,
    ),
    (
        "lists of one",
        GUIDE,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["pinpoint.amazonaws.com"]},"Action":["sts:AssumeRole"]}]}"#,
    ),
    (
        "repeats in lists",
        GUIDE,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["pinpoint.amazonaws.com","pinpoint.amazonaws.com"]},"Action":["sts:AssumeRole","sts:AssumeRole"]}]}"#,
    ),
    (
        "the statement twice",
        GUIDE,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"},{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
    ),
    (
        "the action in another case",
        GUIDE,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"STS:assumerole"}]}"#,
    ),
    (
        "an escape of JSON",
        GUIDE,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint\u002eamazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
    ),
    (
        "an empty Condition",
        GUIDE,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{}}]}"#,
    ),
    (
        "order of values",
        HARD,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":["arn:b","arn:a"]},"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}"#,
    ),
    (
        "order of operators",
        HARD,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"},"ArnLike":{"aws:SourceArn":["arn:a","arn:b"]}}}]}"#,
    ),
    (
        "a condition key in another case",
        HARD,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"AWS:sourcearn":["arn:a","arn:b"]},"StringEquals":{"aws:sourceaccount":"123456789012"}}}]}"#,
    ),
    (
        "a value as a list",
        HARD,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":["arn:a","arn:b","arn:a"]},"StringEquals":{"aws:SourceAccount":["123456789012"]}}}]}"#,
    ),
    (
        "split by the values of a condition",
        HARD,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":"arn:a"},"StringEquals":{"aws:SourceAccount":"123456789012"}}},{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":"arn:b"},"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}"#,
    ),
    (
        "an account by its id",
        ACCOUNT,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com","AWS":"123456789012"},"Action":["sts:AssumeRole","sts:TagSession"]}]}"#,
    ),
    (
        "split by principal",
        ACCOUNT,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":["sts:AssumeRole","sts:TagSession"]},{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":["sts:TagSession","sts:AssumeRole"]}]}"#,
    ),
    (
        "split by action",
        ACCOUNT,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012","Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"},{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com","AWS":"123456789012"},"Action":"sts:TagSession"}]}"#,
    ),
    (
        "split by both",
        ACCOUNT,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"},{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:TagSession"},{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"},{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:TagSession"}]}"#,
    ),
    (
        "resources split and in another order",
        BUCKET,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:getobject","Resource":"arn:aws:s3:::c/*"},{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::b/x${*}/*"]}]}"#,
    ),
    (
        "order of negated values",
        NEGATED,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringNotEquals":{"aws:SourceAccount":["2","1"]}}}]}"#,
    ),
    (
        "everybody, in both ways to write it",
        r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}}"#,
        r#"{"Statement":[{"Effect":"Deny","Principal":{"AWS":"*"},"Action":["sts:AssumeRole"]}]}"#,
    ),
    (
        "a number and its text",
        r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"a:b","Condition":{"NumericEquals":{"k":"1"},"Bool":{"m":"true"}}}}"#,
        r#"{"Statement":[{"Effect":"Deny","Principal":"*","Action":"a:b","Condition":{"Bool":{"m":true},"NumericEquals":{"k":1}}}]}"#,
    ),
    (
        "order in NotPrincipal",
        r#"{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":["1","2"]},"Action":"a:b"}}"#,
        r#"{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":["2","1"]},"Action":"a:b"}}"#,
    ),
    (
        "operators in another case",
        HARD,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"arnlike":{"aws:SourceArn":["arn:a","arn:b"]},"STRINGEQUALS":{"aws:SourceAccount":"123456789012"}}}]}"#,
    ),
    (
        "a negated operator in another case",
        NEGATED,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"stringnotequals":{"aws:SourceAccount":["2","1"]}}}]}"#,
    ),
    (
        "an account by its root in another partition",
        ACCOUNT,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com","AWS":"arn:aws-us-gov:iam::123456789012:root"},"Action":["sts:AssumeRole","sts:TagSession"]}]}"#,
    ),
    (
        "no Version where only the Sid looks like a variable",
        GUIDE,
        r#"{"Statement":[{"Sid":"${x}","Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
    ),
    (
        "a list of Statements in one",
        r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":["a:b","a:c"],"Condition":{"ForAnyValue:StringLike":{"k":["1","2"]},"NumericLessThanIfExists":{"n":[1,2]}}}}"#,
        r#"{"Statement":[{"Effect":"Deny","Principal":"*","Action":"a:b","Condition":{"ForAnyValue:StringLike":{"k":["1","2"]},"NumericLessThanIfExists":{"n":1}}},{"Effect":"Deny","Principal":"*","Action":"a:b","Condition":{"ForAnyValue:StringLike":{"k":["2","1"]},"NumericLessThanIfExists":{"n":"2"}}},{"Effect":"Deny","Principal":"*","Action":"a:c","Condition":{"ForAnyValue:StringLike":{"k":"1"},"NumericLessThanIfExists":{"n":["2",1]}}},{"Effect":"Deny","Principal":"*","Action":"a:c","Condition":{"NumericLessThanIfExists":{"n":[1,2]},"ForAnyValue:StringLike":{"k":["2"]}}}]}"#,
    ),
];

/// Documents that do not, and words that the difference has.
const DIFFERENT: &[(&str, &str, &str, &str)] = &[
    (
        "another account too",
        GUIDE,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com","AWS":"999999999999"},"Action":"sts:AssumeRole"}]}"#,
        "also allows arn:aws:iam::999999999999:root to sts:AssumeRole",
    ),
    (
        "a user too",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com","AWS":"arn:aws:iam::123456789012:user/eve"},"Action":"sts:AssumeRole"}]}"#,
        "also allows arn:aws:iam::123456789012:user/eve to sts:AssumeRole",
    ),
    (
        "another service too",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":["pinpoint.amazonaws.com","ec2.amazonaws.com"]},"Action":"sts:AssumeRole"}]}"#,
        "also allows ec2.amazonaws.com to sts:AssumeRole",
    ),
    (
        "another service instead",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
        "does not allow pinpoint.amazonaws.com to sts:AssumeRole",
    ),
    (
        "everybody",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}"#,
        "also allows everybody (*) to sts:AssumeRole",
    ),
    (
        "everybody in the list of accounts",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com","AWS":"*"},"Action":"sts:AssumeRole"}]}"#,
        "also allows everybody (*)",
    ),
    (
        "a federated principal",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com","Federated":"accounts.google.com"},"Action":"sts:AssumeRole"}]}"#,
        "also allows accounts.google.com",
    ),
    (
        "a regional principal of Pinpoint",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.us-east-1.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
        "also allows pinpoint.us-east-1.amazonaws.com",
    ),
    (
        "the service as an account",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
        "also allows pinpoint.amazonaws.com",
    ),
    (
        "a service in another case",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"Pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
        "does not allow pinpoint.amazonaws.com",
    ),
    (
        "all but one principal",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","NotPrincipal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
        "also allows everything but pinpoint.amazonaws.com",
    ),
    (
        "all but one action",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"NotAction":"sts:TagSession"}]}"#,
        "also allows pinpoint.amazonaws.com to everything but sts:TagSession",
    ),
    (
        "a further action",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":["sts:AssumeRole","sts:SetSourceIdentity"]}]}"#,
        "also allows pinpoint.amazonaws.com to sts:SetSourceIdentity",
    ),
    (
        "every action",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:*"}]}"#,
        "also allows pinpoint.amazonaws.com to sts:*",
    ),
    (
        "the other effect",
        GUIDE,
        r#"{"Statement":[{"Effect":"Deny","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
        "also denies pinpoint.amazonaws.com to sts:AssumeRole",
    ),
    (
        "a denial beside it",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"},{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}]}"#,
        "also denies everybody (*) to sts:AssumeRole",
    ),
    (
        "a condition that is not declared",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"1"}}}]}"#,
        "does not allow pinpoint.amazonaws.com to sts:AssumeRole without conditions",
    ),
    (
        "no statement",
        GUIDE,
        r#"{"Version":"2012-10-17","Statement":[]}"#,
        "does not allow pinpoint.amazonaws.com to sts:AssumeRole",
    ),
    (
        "no condition",
        HARD,
        GUIDE,
        "also allows pinpoint.amazonaws.com to sts:AssumeRole without conditions",
    ),
    (
        "one application more",
        HARD,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":["arn:a","arn:b","arn:c"]},"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}"#,
        "also allows pinpoint.amazonaws.com to sts:AssumeRole when aws:SourceArn ArnLike arn:c",
    ),
    (
        "one application less",
        HARD,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":["arn:a"]},"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}"#,
        "does not allow pinpoint.amazonaws.com to sts:AssumeRole when aws:SourceArn ArnLike arn:b",
    ),
    (
        "another account in the condition",
        HARD,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":["arn:a","arn:b"]},"StringEquals":{"aws:SourceAccount":"999999999999"}}}]}"#,
        "aws:SourceAccount StringEquals 999999999999",
    ),
    (
        "another operator",
        HARD,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":["arn:a","arn:b"]},"StringLike":{"aws:SourceAccount":"123456789012"}}}]}"#,
        "aws:SourceAccount StringLike 123456789012",
    ),
    (
        "an operator that forgives a missing key",
        HARD,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":["arn:a","arn:b"]},"StringEqualsIfExists":{"aws:SourceAccount":"123456789012"}}}]}"#,
        "StringEqualsIfExists",
    ),
    (
        "another key",
        HARD,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:PrincipalArn":["arn:a","arn:b"]},"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}"#,
        "aws:PrincipalArn",
    ),
    (
        "one condition of two",
        HARD,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}"#,
        "also allows pinpoint.amazonaws.com to sts:AssumeRole when aws:SourceAccount StringEquals 123456789012",
    ),
    (
        "the value of a condition in another case",
        HARD,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":["arn:A","arn:b"]},"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}"#,
        "arn:A",
    ),
    (
        "a wildcard in a value",
        HARD,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":["arn:a","arn:b","arn:*"]},"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}"#,
        "arn:*",
    ),
    (
        "two conditions in two statements are an or",
        HARD,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":["arn:a","arn:b"]}}},{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}"#,
        "also allows pinpoint.amazonaws.com to sts:AssumeRole when aws:SourceArn ArnLike arn:a",
    ),
    (
        "negated values split are an or",
        NEGATED,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringNotEquals":{"aws:SourceAccount":"1"}}},{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringNotEquals":{"aws:SourceAccount":"2"}}}]}"#,
        "also allows",
    ),
    (
        "a negated value less",
        NEGATED,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringNotEquals":{"aws:SourceAccount":"1"}}}]}"#,
        "also allows pinpoint.amazonaws.com to sts:AssumeRole when aws:SourceAccount StringNotEquals 1",
    ),
    (
        "an account instead of a user of it",
        r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/a"},"Action":"sts:AssumeRole"}}"#,
        r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}}"#,
        "also allows arn:aws:iam::123456789012:root",
    ),
    (
        "an account less",
        ACCOUNT,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}"#,
        "does not allow arn:aws:iam::123456789012:root to sts:AssumeRole",
    ),
    (
        "crosswise split",
        ACCOUNT,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"},{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:TagSession"}]}"#,
        "does not allow pinpoint.amazonaws.com to sts:TagSession",
    ),
    (
        "another resource",
        BUCKET,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":["arn:aws:s3:::b/x${*}/*","arn:aws:s3:::c/*","arn:aws:s3:::*"]}]}"#,
        "also allows s3:GetObject on arn:aws:s3:::*",
    ),
    (
        "all but one resource",
        BUCKET,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","NotResource":["arn:aws:s3:::c/*"]}]}"#,
        "also allows s3:GetObject on everything but arn:aws:s3:::c/*",
    ),
    (
        "a resource in another case",
        BUCKET,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":["arn:aws:s3:::b/X${*}/*","arn:aws:s3:::c/*"]}]}"#,
        "b/X${*}/*",
    ),
    (
        "no Version where a variable depends on it",
        BUCKET,
        r#"{"Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":["arn:aws:s3:::b/x${*}/*","arn:aws:s3:::c/*"]}]}"#,
        "has another Version",
    ),
    (
        "a key in the place of a resource",
        BUCKET,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Decrypt","Resource":["arn:aws:s3:::b/x${*}/*","arn:aws:s3:::c/*"]}]}"#,
        "also allows kms:Decrypt",
    ),
    ("nothing", GUIDE, "", "not JSON"),
    ("no JSON", GUIDE, "{", "not JSON"),
    ("a list", GUIDE, "[]", "not a JSON object"),
    ("no Statement", GUIDE, r#"{"Version":"2012-10-17"}"#, "no Statement"),
    (
        "a Statement that is text",
        GUIDE,
        r#"{"Statement":["x"]}"#,
        "a Statement is not an object",
    ),
    (
        "an unknown Version",
        GUIDE,
        r#"{"Version":"2020-01-01","Statement":[]}"#,
        "Version",
    ),
    (
        "an unknown element",
        GUIDE,
        r#"{"Statement":[],"Extra":1}"#,
        "unknown element Extra",
    ),
    (
        "an unknown element in a Statement",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"a:b","Extra":1}]}"#,
        "unknown element Extra",
    ),
    (
        "no Effect",
        GUIDE,
        r#"{"Statement":[{"Principal":"*","Action":"a:b"}]}"#,
        "Effect",
    ),
    (
        "an Effect in another case",
        GUIDE,
        r#"{"Statement":[{"Effect":"allow","Principal":"*","Action":"a:b"}]}"#,
        "Effect",
    ),
    (
        "no Action",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":"*"}]}"#,
        "without Action",
    ),
    (
        "no Principal",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Action":"sts:AssumeRole"}]}"#,
        "also allows sts:AssumeRole",
    ),
    (
        "a Principal that is text",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":"pinpoint.amazonaws.com","Action":"a:b"}]}"#,
        "Principal",
    ),
    (
        "both Principal and NotPrincipal",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","NotPrincipal":"*","Action":"a:b"}]}"#,
        "both Principal and NotPrincipal",
    ),
    (
        "an action that is a number",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":1}]}"#,
        "not a string",
    ),
    (
        "a condition that is a list",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"a:b","Condition":[]}]}"#,
        "Condition",
    ),
    (
        "negated values split are an or, whatever the case of the operator",
        NEGATED,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"STRINGNOTEQUALS":{"aws:SourceAccount":"1"}}},{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"stringnotequals":{"aws:SourceAccount":"2"}}}]}"#,
        "also allows",
    ),
    (
        "values that all must match are no alternatives",
        r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"a:b","Condition":{"forallvalues:StringEquals":{"k":["1","2"]}}}}"#,
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"a:b","Condition":{"ForAllValues:StringEquals":{"k":"1"}}},{"Effect":"Allow","Principal":"*","Action":"a:b","Condition":{"ForAllValues:StringEquals":{"k":"2"}}}]}"#,
        "also allows",
    ),
    (
        "a letter that some languages take for a k",
        r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"kms:Decrypt"}}"#,
        r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"\u212ams:Decrypt"}}"#,
        "also denies",
    ),
    (
        "a root of any partition",
        ACCOUNT,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com","AWS":"arn:*:iam::123456789012:root"},"Action":["sts:AssumeRole","sts:TagSession"]}]}"#,
        "also allows arn:*:iam::123456789012:root",
    ),
    (
        "any service",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":["pinpoint.amazonaws.com","*"]},"Action":"sts:AssumeRole"}]}"#,
        "also allows every Service principal (*) to sts:AssumeRole",
    ),
    (
        "another Version where a condition has a variable",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringLike":{"k":"${aws:username}"}}}]}"#,
        r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringLike":{"k":"${aws:username}"}}}]}"#,
        "has another Version",
    ),
    (
        "an element in another case",
        GUIDE,
        r#"{"Statement":[{"effect":"Allow","Principal":"*","Action":"a:b"}]}"#,
        "unknown element effect",
    ),
    (
        "a kind of principal that there is not",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"aws":"*"},"Action":"a:b"}]}"#,
        "unknown element aws in a Principal",
    ),
    (
        "a Sid that is no text",
        GUIDE,
        r#"{"Statement":[{"Sid":1,"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
        "Sid is not a string",
    ),
    (
        "an Id that is no text",
        GUIDE,
        r#"{"Id":{},"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
        "Id is not a string",
    ),
    (
        "a Version that is no text",
        GUIDE,
        r#"{"Version":20121017,"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
        "Version is not a string",
    ),
    (
        "a number that can't be told from another",
        GUIDE,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"NumericEquals":{"k":18446744073709551616}}}]}"#,
        "exactly",
    ),
    (
        "Statement twice",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}],"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
        "\"Statement\" is given twice",
    ),
    (
        "Statement twice in another case",
        GUIDE,
        r#"{"statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}],"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
        "\"Statement\" is given twice",
    ),
    (
        "Principal twice",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
        "\"Principal\" is given twice",
    ),
    (
        "an element twice by an escape",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","\u0050rincipal":"*","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
        "\"Principal\" is given twice",
    ),
    (
        "a kind of principal twice",
        GUIDE,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"service":"ec2.amazonaws.com","Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
        "\"Service\" is given twice",
    ),
    (
        "Condition twice",
        HARD,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringNotEquals":{"aws:SourceAccount":"1"}},"Condition":{"ArnLike":{"aws:SourceArn":["arn:a","arn:b"]},"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}"#,
        "\"Condition\" is given twice",
    ),
    (
        "an operator twice in another case",
        HARD,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":["arn:a","arn:b"]},"stringequals":{"aws:SourceAccount":"999999999999"},"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}"#,
        "\"StringEquals\" is given twice",
    ),
    (
        "a condition key twice",
        HARD,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":"arn:c","aws:SourceArn":["arn:a","arn:b"]},"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}"#,
        "\"aws:SourceArn\" is given twice",
    ),
    (
        "a condition key twice in another case",
        HARD,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":["arn:a","arn:b"]},"StringEquals":{"aws:SourceAccount":"123456789012","AWS:sourceaccount":"2"}}}]}"#,
        "\"AWS:sourceaccount\" is given twice",
    ),
];

/// Lists of nothing, which IAM's grammar does not have, and what is said of them, for `Allow` and `Deny` alike.
const EMPTY: &[(&str, &str, &str)] = &[
    (
        "no action in the list",
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":[]}]}"#,
        "an empty Action",
    ),
    (
        "all but no action",
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"NotAction":[]}]}"#,
        "an empty NotAction",
    ),
    (
        "no principal in the object",
        r#"{"Statement":[{"Effect":"Allow","Principal":{},"Action":"a:b"}]}"#,
        "an empty Principal",
    ),
    (
        "no principal in the list",
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com","AWS":[]},"Action":"a:b"}]}"#,
        "an empty AWS in a Principal",
    ),
    (
        "all but no principal",
        r#"{"Statement":[{"Effect":"Allow","NotPrincipal":{"AWS":[]},"Action":"a:b"}]}"#,
        "an empty AWS in a Principal",
    ),
    (
        "no resource in the list",
        r#"{"Statement":[{"Effect":"Allow","Action":"a:b","Resource":[]}]}"#,
        "an empty Resource",
    ),
    (
        "all but no resource",
        r#"{"Statement":[{"Effect":"Allow","Action":"a:b","NotResource":[]}]}"#,
        "an empty NotResource",
    ),
    (
        "no value in the list",
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":[]}}}]}"#,
        "StringEquals has no value for aws:SourceAccount",
    ),
    (
        "all but no value",
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringNotEquals":{"aws:SourceAccount":[]}}}]}"#,
        "StringNotEquals has no value for aws:SourceAccount",
    ),
    (
        "no key",
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{}}}]}"#,
        "Condition StringEquals is empty",
    ),
];

#[test]
fn documents_that_permit_the_same_are_equal_both_ways() {
    for (what, one, other) in EQUAL {
        assert_eq!(differences(one, other), Vec::<String>::new(), "{what}");
        assert_eq!(differences(other, one), Vec::<String>::new(), "{what}, the other way");
    }
}

/// Regression: of a key that is given twice the last was read, as if the first were not there.
#[test]
fn documents_that_do_not_are_told_apart_in_words() {
    for (what, declared, observed, words) in DIFFERENT {
        let found = differences(declared, observed);
        assert!(found.iter().any(|found| found.contains(words)), "{what}: {found:?}");
        assert_eq!(
            found,
            differences(declared, observed),
            "{what}: the same words every time"
        );
    }
}

/// Regression: a list of nothing, which IAM's grammar does not have, was read as if it had.
#[test]
fn lists_of_nothing_are_refused() {
    for (what, document, words) in EMPTY {
        for document in [(*document).to_owned(), document.replace("Allow", "Deny")] {
            let why = Meaning::parse(&document).expect_err(what);
            assert!(why.contains(words), "{what}: {why}");
        }
    }
}

#[test]
fn the_tables_are_long_enough() {
    assert!(
        EQUAL.len() + DIFFERENT.len() >= 60,
        "{} pairs",
        EQUAL.len() + DIFFERENT.len()
    );
}
