//! The inline policy for `spec.buckets`: list the prefix, read the objects below it, decrypt with the key, nothing else.
//!
//! Source of the actions and of the condition key: service authorization reference, "Actions, resources, and condition keys for
//! Amazon S3"; of the escapes: IAM user guide, "IAM policy elements: Variables and tags" (`${*}`, `${?}`, `${$}`).

use serde_json::{Value, json};

use super::Meaning;
use crate::{
    api::{
        INLINE_POLICY,
        bounds::{self, fits},
        v1alpha1::Bucket,
    },
    role::{
        difference::{Difference, Field},
        name::Account,
        problem::{FieldPath, Problem},
    },
};

/// Longest sum of a role's inline policies in characters. IAM user guide, "IAM and AWS STS quotas".
const LONGEST: usize = 10_240;

/// The policy that `spec.buckets` declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketPolicy {
    document: String,
    meaning: Meaning,
}

impl BucketPolicy {
    /// The policy of a role in `account`; none without buckets.
    ///
    /// # Errors
    /// Which bucket, prefix or key can't be one, or that the document would be longer than IAM takes.
    pub fn declare(buckets: &[Bucket], account: &Account) -> Result<Option<Self>, Vec<Problem>> {
        if buckets.is_empty() {
            return Ok(None);
        }
        let field = FieldPath::spec("buckets");
        let at = |(index, bucket)| problems(bucket, &field.item(index));
        let problems: Vec<Problem> = buckets.iter().enumerate().flat_map(at).collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        let statements: Vec<Value> = buckets
            .iter()
            .flat_map(|bucket| statements_of(bucket, account))
            .collect();
        let document = ascii(&json!({"Version": "2012-10-17", "Statement": statements}).to_string());
        if document.len() > LONGEST {
            let message = format!(
                "the inline policy would have {} characters and IAM takes {LONGEST}: name fewer buckets, or shorter prefixes (a character \
                 beyond ASCII takes 6 or 12)",
                document.len()
            );
            return Err(vec![Problem::new(field, message)]);
        }
        let meaning = Meaning::parse(&document).map_err(|why| vec![Problem::new(field, why)])?;
        Ok(Some(Self { document, meaning }))
    }

    /// The document as JSON.
    #[must_use]
    pub fn document(&self) -> &str {
        &self.document
    }

    /// How the inline policy in IAM (none: there is no such policy) differs from this one.
    #[must_use]
    pub fn differences(&self, observed: Option<&str>) -> Vec<Difference> {
        let declared = format!("inline policy {INLINE_POLICY} {}", self.meaning.words());
        let difference = |words: String| {
            let words = format!("inline policy {INLINE_POLICY} {words}");
            Difference::new(Field::Buckets, words, declared.as_str())
        };
        match observed.map(Meaning::parse) {
            None => vec![difference("does not exist".to_owned()).lack()],
            Some(Ok(observed)) => self
                .meaning
                .differences(&observed)
                .into_iter()
                .map(difference)
                .collect(),
            Some(Err(why)) => vec![difference(format!("can't be read as a policy ({why})"))],
        }
    }
}

/// What is wrong with a bucket. Name and key become parts of patterns, so nothing that could match more gets through.
fn problems(bucket: &Bucket, at: &FieldPath) -> Vec<Problem> {
    let Bucket {
        name,
        prefix,
        kms_key_arn,
    } = bucket;
    let mut problems = Vec::new();
    if !fits(name, bounds::BUCKET_NAME, 3..=63) {
        let message = format!("{name:?} is not the name of a bucket: 3 to 63 of a-z, 0-9, . and -");
        problems.push(Problem::new(at.key("name"), message));
    }
    if prefix
        .as_deref()
        .is_some_and(|prefix| !fits(prefix, bounds::PREFIX, 1..=512))
    {
        let message =
            "is empty, longer than 512 characters, or has control characters: leave it out for the whole bucket";
        problems.push(Problem::new(at.key("prefix"), message));
    }
    if let Some(key) = kms_key_arn
        .as_deref()
        .filter(|key| !fits(key, bounds::KEY_ARN, 20..=256))
    {
        let message = format!("{key:?} is not the ARN of a key: arn:aws:kms:<region>:<account>:key/<id>");
        problems.push(Problem::new(at.key("kmsKeyArn"), message));
    }
    problems
}

fn statements_of(bucket: &Bucket, account: &Account) -> Vec<Value> {
    let bucket_arn = format!("arn:{}:s3:::{}", account.partition, bucket.name);
    let pattern = format!("{}*", bucket.prefix.as_deref().map(literal).unwrap_or_default());
    let mut list = json!({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": bucket_arn});
    if bucket.prefix.is_some() {
        list["Condition"] = json!({"StringLike": {"s3:prefix": pattern}});
    }
    let mut statements = vec![
        list,
        json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("{bucket_arn}/{pattern}")}),
    ];
    if let Some(key) = &bucket.kms_key_arn {
        statements.push(json!({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key}));
    }
    statements
}

/// JSON with escapes for all that is not printable ASCII: IAM's documented characters of a policy document end at U+00FF (IAM API reference,
/// `PutRolePolicy`). It means the same.
pub(crate) fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            text.push(c);
        } else {
            let units = c.encode_utf16(&mut [0; 2]).to_vec();
            text.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text
}

/// A text as a pattern that matches nothing but itself.
fn literal(text: &str) -> String {
    let mut pattern = String::new();
    for c in text.chars() {
        match c {
            '*' | '?' | '$' => pattern.extend(['$', '{', c, '}']),
            other => pattern.push(other),
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account {
            id: "123456789012".to_owned(),
            partition: "aws-cn".to_owned(),
        }
    }

    fn document(bucket: Bucket) -> String {
        BucketPolicy::declare(&[bucket], &account()).unwrap().unwrap().document
    }

    #[test]
    fn a_whole_bucket() {
        let document = document(Bucket {
            name: "my-bucket".to_owned(),
            ..Bucket::default()
        });
        assert!(
            document.contains(r#""Resource":"arn:aws-cn:s3:::my-bucket""#),
            "{document}"
        );
        assert!(
            document.contains(r#""Resource":"arn:aws-cn:s3:::my-bucket/*""#),
            "{document}"
        );
        assert!(
            !document.contains("Condition") && !document.contains("kms"),
            "{document}"
        );
    }

    #[test]
    fn wildcards_and_variables_of_a_prefix_stand_for_themselves() {
        let prefix = Some("a*b?c${aws:username}/".to_owned());
        let document = document(Bucket {
            name: "my-bucket".to_owned(),
            prefix,
            kms_key_arn: None,
        });
        let literal = "a${*}b${?}c${$}{aws:username}/*";
        assert!(document.contains(&format!(r#""s3:prefix":"{literal}""#)), "{document}");
        assert!(
            document.contains(&format!(r#""Resource":"arn:aws-cn:s3:::my-bucket/{literal}""#)),
            "{document}"
        );
    }

    #[test]
    fn what_is_not_ascii_is_escaped_and_means_the_same() {
        let bucket = Bucket {
            name: "my-bucket".to_owned(),
            prefix: Some("セグ/é𝄞".to_owned()),
            kms_key_arn: None,
        };
        let policy = BucketPolicy::declare(&[bucket], &account()).unwrap().unwrap();
        assert!(policy.document().is_ascii(), "{}", policy.document());
        assert!(
            policy.document().contains(r"\u30bb\u30b0/\u00e9\ud834\udd1e*"),
            "{}",
            policy.document()
        );
        let raw: Value = serde_json::from_str(policy.document()).unwrap();
        assert!(raw.to_string().contains("セグ/é𝄞*"));
        assert_eq!(policy.differences(Some(&raw.to_string())), vec![]);
    }

    #[test]
    fn a_document_that_iam_would_not_take_is_refused_by_its_escaped_length() {
        let many = |prefix: &str| -> Vec<Bucket> {
            let bucket = |n| Bucket {
                name: format!("bucket-{n:02}"),
                prefix: Some(prefix.to_owned()),
                kms_key_arn: None,
            };
            (0..20).map(bucket).collect()
        };
        assert!(BucketPolicy::declare(&many(&"p".repeat(100)), &account()).is_ok());
        let longest = (1..200).rev().find_map(|length| {
            let mut buckets = many(&"p".repeat(142));
            buckets[0].kms_key_arn = Some(format!("arn:aws:kms:us-east-1:123456789012:key/{}", "k".repeat(length)));
            BucketPolicy::declare(&buckets, &account()).ok().flatten()
        });
        assert_eq!(longest.unwrap().document().len(), LONGEST);
        for prefix in ["p".repeat(200), "セ".repeat(40)] {
            let problems = BucketPolicy::declare(&many(&prefix), &account()).unwrap_err();
            let said = problems[0].to_string();
            assert!(
                said.starts_with("spec.buckets: ") && said.contains("10240") && said.contains("fewer buckets"),
                "{said}"
            );
        }
    }

    #[test]
    fn what_could_be_a_pattern_is_refused_where_no_escape_helps() {
        let key = |key: &str| Bucket {
            name: "my-bucket".to_owned(),
            prefix: None,
            kms_key_arn: Some(key.to_owned()),
        };
        for bad in [
            "arn:aws:kms:us-east-1:123456789012:key/*",
            "arn:aws:kms:*:123456789012:key/a",
            "arn:aws:kms:us-east-1:1:alias/a",
        ] {
            assert!(BucketPolicy::declare(&[key(bad)], &account()).is_err(), "{bad}");
        }
        for bad in ["*", "a*b", "", "UPPER"] {
            let bucket = Bucket {
                name: bad.to_owned(),
                ..Bucket::default()
            };
            assert!(BucketPolicy::declare(&[bucket], &account()).is_err(), "{bad}");
        }
    }
}
