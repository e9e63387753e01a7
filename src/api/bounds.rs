//! Patterns of the schema. API server and core check by the same ones, so that neither takes what the other refuses.
//!
//! They are written so that RE2 (API server), ECMA 262 (JSON schema) and Rust read them alike: no `\w`, `\d` or `\s`, whose meaning
//! differs between these.

use std::{collections::BTreeMap, sync::LazyLock};

use regex::Regex;

/// Makes a constant of each pattern, and the list of all, which is compiled: one that is missing from it would fit nothing.
macro_rules! patterns {
    ($($(#[$doc:meta])+ $name:ident = $pattern:literal;)+) => {
        $($(#[$doc])+ pub const $name: &str = $pattern;)+
        const ALL: &[&str] = &[$($name),+];
    };
}

patterns! {
    /// Name of a role; at most 64 characters. IAM API reference, `CreateRole`: `[\w+=,.@-]+`.
    ROLE_NAME = r"^[A-Za-z0-9_+=,.@-]+$";

    /// Path of a role; at most 512 characters. IAM API reference, `CreateRole`.
    ROLE_PATH = r"^(/|/[!-~]+/)$";

    /// Description of a role; at most 1000 characters. IAM API reference, `CreateRole`.
    DESCRIPTION = r"^[\t\n\r -~¡-ÿ]*$";

    /// ARN of an AWS managed or customer managed policy; 20 to 2048 characters. IAM API reference, `CreatePolicy`.
    POLICY_ARN = r"^arn:aws[a-z0-9-]*:iam::(aws|[0-9]{12}):policy/([!-~]+/)?[A-Za-z0-9_+=,.@-]{1,128}$";

    /// Key or value of a tag; at most 128 or 256 characters. IAM API reference, `Tag`.
    TAG = r"^[\p{L}\p{Z}\p{N}_.:/=+@-]*$";

    /// Id of an account.
    ACCOUNT_ID = r"^[0-9]{12}$";

    /// AWS region; 9 to 32 characters.
    REGION = r"^[a-z]{2,}(-[a-z]+)+-[0-9]{1,2}$";

    /// Id of a Pinpoint project.
    APPLICATION_ID = r"^[0-9a-f]{32}$";

    /// Name of an S3 bucket; 3 to 63 characters. Amazon S3 user guide, "General purpose bucket naming rules".
    BUCKET_NAME = r"^[a-z0-9][a-z0-9.-]*[a-z0-9]$";

    /// Prefix of keys of objects: no control characters; 1 to 512 characters.
    PREFIX = r"^[^\x00-\x1f\x7f-\x9f]+$";

    /// ARN of a KMS key; 20 to 256 characters. AWS KMS developer guide, "Key identifiers".
    KEY_ARN = r"^arn:aws[a-z0-9-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$";
}

static COMPILED: LazyLock<BTreeMap<&'static str, Regex>> = LazyLock::new(|| {
    let compiled = ALL.iter().map(|pattern| Some((*pattern, Regex::new(pattern).ok()?)));
    compiled.flatten().collect()
});

/// Whether a text fits one of these patterns and has so many characters (code points, as the API server counts).
#[must_use]
pub fn fits(text: &str, pattern: &str, characters: std::ops::RangeInclusive<usize>) -> bool {
    let sound = COMPILED.get(pattern).is_some_and(|regex| regex.is_match(text));
    sound && characters.contains(&text.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_one_and_none_has_a_class_that_readers_differ_in() {
        assert_eq!(COMPILED.len(), ALL.len());
        for pattern in ALL {
            for class in [r"\w", r"\d", r"\s", r"\b", "(?"] {
                assert!(!pattern.contains(class), "{pattern}");
            }
        }
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        assert!(fits(&"ä".repeat(128), TAG, 1..=128));
        assert!(!fits(&"ä".repeat(129), TAG, 1..=128));
        assert!(!fits("a\tb", TAG, 1..=128), "a tab is no \\p{{Z}}");
        assert!(!fits("e\u{301}", TAG, 1..=128), "a mark is no letter");
        assert!(!fits("a\n", ROLE_NAME, 1..=64), "$ is the end of the text");
    }
}
