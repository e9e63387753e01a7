//! Names, paths and ARNs as types: a value of these can be sent to IAM.
//!
//! Patterns and lengths are those of the IAM API reference (`CreateRole`, `AttachRolePolicy`) and of "IAM and AWS STS quotas".

use std::fmt;

use crate::api::bounds;

/// Defines a checked string.
macro_rules! checked {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The checked text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked! {
    /// Name of a role: 1 to 64 of letters, digits and `_+=,.@-`.
    RoleName
}

checked! {
    /// Path of a role: `/` or `/…/`, at most 512 printable ASCII characters.
    RolePath
}

checked! {
    /// ARN of a managed policy, of AWS or of a customer.
    PolicyArn
}

impl RoleName {
    /// Checks a name that the spec declares.
    ///
    /// # Errors
    /// Says what a name may be.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !bounds::fits(text, bounds::ROLE_NAME, 1..=64) {
            return Err(format!(
                "{text:?} can't be the name of a role: IAM takes 1 to 64 of letters, digits and _+=,.@-"
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name of the role of an object that declares none: `<namespace>.<name>`. A namespace has no dot, so no two objects of a
    /// cluster share it.
    ///
    /// # Errors
    /// It is longer than IAM allows, which only `spec.roleName` can mend.
    pub fn of_object(namespace: &str, name: &str) -> Result<Self, String> {
        let text = format!("{namespace}.{name}");
        if text.len() > 64 {
            return Err(format!(
                "the default role name {text:?} has {} characters and IAM takes 64: make the object again with a shorter spec.roleName",
                text.len()
            ));
        }
        Self::parse(&text)
    }
}

impl RolePath {
    /// Checks a path.
    ///
    /// # Errors
    /// Says what a path may be.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !bounds::fits(text, bounds::ROLE_PATH, 1..=512) {
            return Err(format!(
                "{text:?} can't be the path of a role: IAM takes / or /…/, printable ASCII without spaces, at most 512 characters"
            ));
        }
        if text.starts_with("/aws-service-role/") {
            return Err(format!(
                "path {text:?} begins with /aws-service-role/, which AWS keeps for its own roles: write another, such as /pinpoint/"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Default for RolePath {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl PolicyArn {
    /// Checks the ARN of a managed policy.
    ///
    /// # Errors
    /// Says what the ARN should look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let sound = bounds::fits(text, bounds::POLICY_ARN, 20..=2048);
        sound.then(|| Self(text.to_owned())).ok_or_else(|| {
            format!("{text:?} is not the ARN of a policy, such as arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
        })
    }

    /// `AmazonS3ReadOnlyAccess`, which the AWS guide attaches.
    #[must_use]
    pub fn s3_read_only(account: &Account) -> Self {
        Self(format!(
            "arn:{}:iam::aws:policy/AmazonS3ReadOnlyAccess",
            account.partition
        ))
    }
}

/// Whether a text is an account id: 12 digits.
#[must_use]
pub fn is_account_id(text: &str) -> bool {
    bounds::fits(text, bounds::ACCOUNT_ID, 12..=12)
}

/// Whether a text can be the name of a partition: `aws`, `aws-cn`, …
#[must_use]
pub fn is_partition(text: &str) -> bool {
    text.starts_with("aws")
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// An AWS account and the partition that it lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// 12 digits.
    pub id: String,
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
}

impl Account {
    /// The account that an ARN of IAM or STS names.
    ///
    /// # Errors
    /// The ARN names no account.
    pub fn of_arn(arn: &str) -> Result<Self, String> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", partition, _, _, account, _] if is_partition(partition) && is_account_id(account) => Ok(Self {
                id: (*account).to_owned(),
                partition: (*partition).to_owned(),
            }),
            _ => Err(format!("{arn:?} is not an ARN that names an account")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_iam_can_have_are_taken_and_others_refused() {
        for good in ["a", "team-a.segments", "A_b+c=d,e.f@g-h", &"x".repeat(64)] {
            assert!(RoleName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "ä", "a:b", "a*", &"x".repeat(65)] {
            assert!(RoleName::parse(bad).unwrap_err().contains("1 to 64"), "{bad}");
        }
    }

    #[test]
    fn a_default_name_that_is_too_long_says_how_to_mend_it() {
        assert_eq!(RoleName::of_object("a", "b").unwrap().as_str(), "a.b");
        assert!(RoleName::of_object(&"n".repeat(32), &"m".repeat(31)).is_ok());
        let why = RoleName::of_object(&"n".repeat(32), &"m".repeat(32)).unwrap_err();
        assert!(why.contains("65 characters"), "{why}");
        let why = RoleName::of_object(&"n".repeat(40), &"m".repeat(40)).unwrap_err();
        assert!(why.contains("81 characters") && why.contains("spec.roleName"), "{why}");
    }

    #[test]
    fn paths() {
        for good in ["/", "/a/", "/a/b/", "/a//b/"] {
            assert!(RolePath::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "/a",
            "a/",
            "//",
            "/a b/",
            "/ä/",
            &format!("/{}/", "x".repeat(511)),
            "/aws-service-role/",
            "/aws-service-role/pinpoint.amazonaws.com/",
        ] {
            assert!(RolePath::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn policy_arns() {
        for good in [
            "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
            "arn:aws-cn:iam::aws:policy/job-function/ViewOnlyAccess",
            "arn:aws:iam::123456789012:policy/team/a/read",
        ] {
            assert!(PolicyArn::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "AmazonS3ReadOnlyAccess",
            "arn:aws:iam::aws:role/x",
            "arn:aws:s3:::bucket",
            "arn:aws:iam::12345:policy/x",
            "arn:aws:iam::aws:policy/",
            "arn:aws:iam::aws:policy/a*",
            "arn:aws:iam::aws:policy//a",
            "arn:gcp:iam::aws:policy/a",
            "arn:aws:iam:us-east-1:aws:policy/a",
        ] {
            assert!(
                PolicyArn::parse(bad).unwrap_err().contains("not the ARN of a policy"),
                "{bad}"
            );
        }
    }

    #[test]
    fn the_account_is_read_from_any_arn_of_it() {
        let account = Account::of_arn("arn:aws-us-gov:sts::123456789012:assumed-role/r/s:x").unwrap();
        assert_eq!(
            (account.id.as_str(), account.partition.as_str()),
            ("123456789012", "aws-us-gov")
        );
        assert!(Account::of_arn("arn:aws:iam::aws:policy/x").is_err());
        for none in [
            "nonsense",
            "arn:gcp:iam::123456789012:role/x",
            "arn:aws:iam::12345678901:role/x",
            "arn:aws:iam::123456789012",
            "urn:aws:iam::123456789012:role/x",
        ] {
            assert!(
                Account::of_arn(none).unwrap_err().contains("names an account"),
                "{none}"
            );
        }
        for (text, is_one) in [
            ("aws", true),
            ("aws-iso-b", true),
            ("aws2", true),
            ("gcp", false),
            ("aws!", false),
            ("AWS", false),
            ("awS", false),
            ("", false),
        ] {
            assert_eq!(is_partition(text), is_one, "{text:?}");
        }
        assert!(is_account_id("000000000000") && !is_account_id("00000000000x") && !is_account_id("0000000000000"));
        assert_eq!(
            PolicyArn::s3_read_only(&account).as_str(),
            "arn:aws-us-gov:iam::aws:policy/AmazonS3ReadOnlyAccess"
        );
    }
}
