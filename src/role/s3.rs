//! The inline policy for `spec.buckets`: list the prefix, read the objects below it, decrypt with the key, nothing else.
//!
//! Source of the actions and of the condition key: service authorization reference, "Actions, resources, and condition keys for
//! Amazon S3"; of the escapes: IAM user guide, "IAM policy elements: Variables and tags" (`${*}`, `${?}`, `${$}`).

use serde_json::{Value, json};

use super::{
    difference::{Difference, Field},
    name::Account,
    policy::Meaning,
};
use crate::api::{INLINE_POLICY, v1alpha1::Bucket};

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
    /// Says which bucket, prefix or key can't be one.
    pub fn declare(buckets: &[Bucket], account: &Account) -> Result<Option<Self>, String> {
        if buckets.is_empty() {
            return Ok(None);
        }
        let mut statements = Vec::new();
        for bucket in buckets {
            statements.extend(statements_of(bucket, account)?);
        }
        let document = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let meaning = Meaning::parse(&document)?;
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
            None => vec![difference("does not exist".to_owned())],
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

fn statements_of(bucket: &Bucket, account: &Account) -> Result<Vec<Value>, String> {
    let name = &bucket.name;
    let sound = (3..=63).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-');
    if !sound {
        return Err(format!(
            "buckets: name {name:?} is not the name of a bucket: 3 to 63 of a-z, 0-9, . and -"
        ));
    }
    if bucket
        .prefix
        .as_deref()
        .is_some_and(|prefix| prefix.is_empty() || prefix.chars().any(char::is_control))
    {
        return Err(format!(
            "buckets: the prefix of {name} is empty or has control characters: leave it out for the whole bucket"
        ));
    }
    let bucket_arn = format!("arn:{}:s3:::{name}", account.partition);
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
        let sound = matches!(key.splitn(6, ':').collect::<Vec<_>>().as_slice(), ["arn", _, "kms", _, _, resource]
            if resource.strip_prefix("key/").is_some_and(|id| id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')))
            && !key.contains(['*', '?', '$']);
        if !sound {
            return Err(format!(
                "buckets: kmsKeyArn {key:?} is not the ARN of a key: arn:aws:kms:<region>:<account>:key/<id>"
            ));
        }
        statements.push(json!({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key}));
    }
    Ok(statements)
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
