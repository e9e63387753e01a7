//! What a role may do: which buckets it reads, and the worst that it may do beside reading S3.
//!
//! What a statement denies and what a boundary forbids is not taken off: that would be hoping.

use std::collections::BTreeSet;

use serde::Serialize;
use wildmatch::WildMatch;

use crate::role::{
    name::is_partition,
    observed::{Sweep, SweptRole},
    policy::{Effect, Folded, Grant, Meaning, Scope},
};

/// What a role may read of S3.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reach {
    /// Every bucket.
    pub every_bucket: bool,
    /// Just these buckets and access points, or what these patterns match.
    pub buckets: BTreeSet<String>,
    /// Policies of which it is not known: their documents are not the account's, or can't be read.
    pub unknown: BTreeSet<String>,
}

/// What a role may do beside reading S3, from harmless to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Power {
    /// Reads what is not in S3.
    ReadMore,
    /// Changes what is in S3.
    WriteS3,
    /// Changes something else.
    Write,
    /// Gives rights, or takes those of others.
    Grant,
    /// Everything.
    Everything,
}

impl Power {
    /// The word of a table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadMore => "reads more",
            Self::WriteS3 => "writes S3",
            Self::Write => "writes",
            Self::Grant => "gives rights",
            Self::Everything => "everything",
        }
    }

    /// What the role then does, for a sentence.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::ReadMore => "read what is not in S3",
            Self::WriteS3 => "change what is in S3",
            Self::Write => "change what is not in S3",
            Self::Grant => "give rights, also to itself",
            Self::Everything => "everything",
        }
    }
}

/// The worst that a role may do, and what allows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Beyond {
    /// How bad it is.
    pub power: Power,
    /// The action, as the policy writes it; none where the policy's document is not known, but its name.
    pub action: Option<String>,
    /// Name or ARN of the policy.
    pub policy: String,
}

/// AWS' own policies by which every bucket may be read, and what they allow beside (AWS managed policy reference).
const AWS_POLICIES: [(&str, Option<Power>); 5] = [
    ("AmazonS3ReadOnlyAccess", None),
    ("ReadOnlyAccess", Some(Power::ReadMore)),
    ("AmazonS3FullAccess", Some(Power::WriteS3)),
    ("PowerUserAccess", Some(Power::Write)),
    ("AdministratorAccess", Some(Power::Everything)),
];

/// The entry of a policy in that table.
fn policy_of_aws(arn: &str) -> Option<&'static (&'static str, Option<Power>)> {
    let name = arn.rsplit('/').next().unwrap_or_default();
    let known = AWS_POLICIES.iter().find(|(known, _)| *known == name);
    known.filter(|_| arn.contains(":iam::aws:policy/"))
}

/// Whether a policy is one of AWS' own by which every bucket may be read.
#[must_use]
pub fn reads_every_bucket(arn: &str) -> bool {
    policy_of_aws(arn).is_some()
}

/// What a role may do.
#[derive(Default)]
pub(super) struct Powers {
    pub reach: Reach,
    pub beyond: Option<Beyond>,
}

/// What all policies of a role allow together.
pub(super) fn powers(swept: &SweptRole, all: &Sweep) -> Powers {
    let mut powers = Powers::default();
    for arn in &swept.role.attached {
        if let Some((_, power)) = policy_of_aws(arn) {
            powers.reach.every_bucket = true;
            if let Some(power) = *power {
                powers.may(power, None, arn);
            }
        } else if let Some(document) = all.policies.get(arn) {
            powers.add(document, arn);
        } else {
            powers.reach.unknown.insert(arn.clone());
        }
    }
    for (name, document) in &swept.role.inline {
        powers.add(document.as_deref().unwrap_or_default(), name);
    }
    powers
}

impl Powers {
    fn may(&mut self, power: Power, action: Option<String>, policy: &str) {
        let policy = policy.to_owned();
        let found = Beyond { power, action, policy };
        if self.beyond.as_ref().is_none_or(|worst| worst.power < found.power) {
            self.beyond = Some(found);
        }
    }

    fn add(&mut self, document: &str, policy: &str) {
        let Ok(meaning) = Meaning::parse(document) else {
            self.reach.unknown.insert(policy.to_owned());
            return;
        };
        let variables = meaning.has_variables();
        for grant in meaning.grants.iter().filter(|grant| grant.effect == Effect::Allow) {
            if let Some(power) = power(grant) {
                self.may(power, Some(grant.action.to_string()), policy);
            }
            if ["s3:GetObject", "s3:GetObjectVersion"]
                .iter()
                .any(|read| grant.acts(read))
            {
                match reads(grant.resource.as_ref(), variables) {
                    Reads::Nothing => {}
                    Reads::Some(bucket) => drop(self.reach.buckets.insert(bucket)),
                    Reads::All => self.reach.every_bucket = true,
                }
            }
        }
    }
}

/// Beginnings of the names of actions that only read (service authorization reference, access levels "Read" and "List").
const READS: [&str; 6] = ["get", "list", "describe", "batchget", "head", "lookup"];

/// Services whose actions give rights, or take those of others.
const RIGHTS: [&str; 5] = ["iam", "sts", "organizations", "sso", "identitystore"];

/// Some of their actions, by any of which somebody may get all rights: for patterns that span services.
const GIVE_RIGHTS: [&str; 4] = [
    "iam:PutRolePolicy",
    "iam:AttachRolePolicy",
    "iam:CreateAccessKey",
    "iam:PassRole",
];

/// What a grant allows beside reading S3.
fn power(grant: &Grant) -> Option<Power> {
    let gives_rights = GIVE_RIGHTS.iter().any(|action| grant.acts(action));
    let any_service = ["0:0", "zzz:zzz"].iter().all(|action| grant.acts(action));
    match &grant.action {
        Scope::Is(_) if any_service => Some(Power::Everything),
        Scope::Is(action) => power_of(action, grant.resource.as_ref(), gives_rights),
        Scope::AllBut(_) if gives_rights => Some(Power::Everything),
        Scope::AllBut(_) => Some(Power::Write),
    }
}

fn power_of(action: &Folded, resource: Option<&Scope<String>>, gives_rights: bool) -> Option<Power> {
    let action = action.lower();
    let (service, name) = action.split_once(':').unwrap_or((&action, "*"));
    let only_reads = READS.iter().any(|read| name.starts_with(read));
    let of_rights = RIGHTS.iter().any(|known| WildMatch::new(service).matches(known));
    let key = || matches!(resource, Some(Scope::Is(key)) if is_one_key(key));
    match service {
        "s3" | "s3-object-lambda" if only_reads => None,
        "s3" | "s3-object-lambda" => Some(Power::WriteS3),
        // To read objects that are encrypted with it.
        "kms" if name == "decrypt" && key() => None,
        "kms" if name == "decrypt" => Some(Power::ReadMore),
        _ if only_reads => Some(Power::ReadMore),
        _ if of_rights || gives_rights => Some(Power::Grant),
        _ => Some(Power::Write),
    }
}

/// `arn:aws:kms:<region>:<account>:key/<id>`, all of it.
fn is_one_key(arn: &str) -> bool {
    arn.splitn(6, ':')
        .nth(5)
        .is_some_and(|resource| resource.starts_with("key/"))
        && !arn.contains(['*', '?', '$'])
}

/// Which objects are meant.
#[derive(Debug, PartialEq, Eq)]
enum Reads {
    Nothing,
    /// Those of a bucket or access point, or of those that a pattern matches.
    Some(String),
    All,
}

/// Two objects that have no character in common but what all ARNs of objects have. A pattern that matches both matches all.
const OBJECTS: [&str; 2] = ["arn:aws:s3:::yyy/y", "arn:aws:s3:::0000000000000000/00000000"];

fn reads(resource: Option<&Scope<String>>, variables: bool) -> Reads {
    let every = |pattern: &str| {
        let pattern = resolved(pattern, variables);
        // Whatever the partition: a role's own is the only one that it can reach.
        let pattern = match pattern.splitn(3, ':').collect::<Vec<_>>().as_slice() {
            ["arn", partition, rest] if is_partition(partition) => WildMatch::new(&format!("arn:aws:{rest}")),
            _ => WildMatch::new(&pattern),
        };
        OBJECTS.iter().all(|object| pattern.matches(object))
    };
    match resource {
        Some(Scope::AllBut(these)) if these.iter().any(|one| every(one)) => Reads::Nothing,
        None | Some(Scope::AllBut(_)) => Reads::All,
        Some(Scope::Is(pattern)) if every(pattern) => Reads::All,
        Some(Scope::Is(pattern)) => bucket(pattern, variables),
    }
}

/// The bucket or access point of a pattern that does not match all objects.
fn bucket(pattern: &str, variables: bool) -> Reads {
    let parts: Vec<&str> = pattern.splitn(6, ':').collect();
    let wild = |text: &str| text.contains(['*', '?', '$']);
    match parts.as_slice() {
        [_, _, service, region, account, path] => {
            if !WildMatch::new(service).matches("s3") {
                return Reads::Nothing;
            }
            let (name, key) = name_and_key(path, variables);
            if name == "accesspoint" && !(region.is_empty() && account.is_empty()) {
                return Reads::Some(format!("accesspoint/{}", key.split('/').next().unwrap_or_default()));
            }
            // A bucket without a key is the bucket, of which there is nothing to get, unless a wildcard stands for the rest.
            let only_the_bucket = key.is_empty() && !wild(name);
            if only_the_bucket || resolved(name, variables).contains('$') {
                return Reads::Nothing;
            }
            // A wildcard stands for `/` too, so before the end of the name it may end in the key, and the bucket be any that begins so.
            let open_end = resolved(name, variables);
            let inner = open_end.trim_end_matches('*').contains(['*', '?']);
            Reads::Some(if inner { path } else { name }.to_owned())
        }
        // A wildcard may stand for several parts.
        _ if wild(pattern) => Reads::Some(pattern.to_owned()),
        _ => Reads::Nothing,
    }
}

/// A path taken apart at its first `/` that is not part of a variable's name, such as `${aws:PrincipalTag/team}`.
fn name_and_key(path: &str, variables: bool) -> (&str, &str) {
    let mut from = 0;
    loop {
        let rest = &path[from..];
        let Some(slash) = rest.find('/') else {
            return (path, "");
        };
        let variable = rest[..slash].find("${").filter(|_| variables);
        match variable.and_then(|begin| rest[begin..].find('}').map(|end| begin + end + 1)) {
            Some(end) => from += end,
            None => return (&path[..from + slash], &path[from + slash + 1..]),
        }
    }
}

/// A pattern in which `${*}`, `${?}` and `${$}` stand for these characters, and any other `${…}` for whatever it may become (IAM user
/// guide, "IAM policy elements: Variables and tags"), if the document's Version has variables.
fn resolved(pattern: &str, variables: bool) -> String {
    if !variables {
        return pattern.to_owned();
    }
    let mut all = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, behind)) = after.split_once('}') else {
            break;
        };
        all.push_str(before);
        // No name of a bucket has one of these, so one of them may stand for all.
        all.push(if ["*", "?", "$"].contains(&name) { '$' } else { '*' });
        rest = behind;
    }
    all + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_apart_at_a_slash_that_is_in_no_variable() {
        for (path, name, key) in [
            ("a/b/c", "a", "b/c"),
            ("a", "a", ""),
            ("a/", "a", ""),
            ("${aws:PrincipalTag/team}/b", "${aws:PrincipalTag/team}", "b"),
            ("${aws:PrincipalTag/}/b", "${aws:PrincipalTag/}", "b"),
            ("x${a/b}${c/d}y/z", "x${a/b}${c/d}y", "z"),
            ("x${a/b", "x${a", "b"),
            ("${a/b}", "${a/b}", ""),
        ] {
            assert_eq!(name_and_key(path, true), (name, key), "{path}");
        }
        assert_eq!(name_and_key("${a/b}/c", false), ("${a", "b}/c"), "there it is text");
    }

    #[test]
    fn an_access_point_is_one_by_its_region_or_its_account() {
        for place in ["us-east-1:123456789012", "us-east-1:", ":123456789012"] {
            let pattern = format!("arn:aws:s3:{place}:accesspoint/point/object/*");
            assert_eq!(
                bucket(&pattern, true),
                Reads::Some("accesspoint/point".to_owned()),
                "{place}"
            );
        }
        let key = "arn:aws:s3:::accesspoint/point/object/*";
        assert_eq!(
            bucket(key, true),
            Reads::Some("accesspoint".to_owned()),
            "a bucket of that name"
        );
    }

    #[test]
    fn words_of_tables() {
        use Power::{Everything, Grant, ReadMore, Write, WriteS3};
        let words = [ReadMore, WriteS3, Write, Grant, Everything].map(Power::as_str);
        assert_eq!(
            words,
            ["reads more", "writes S3", "writes", "gives rights", "everything"]
        );
    }

    #[test]
    fn what_a_variable_may_become() {
        for (pattern, resolved) in [
            ("a", "a"),
            ("a${aws:username}b", "a*b"),
            ("${*}${?}${$}", "$$$"),
            ("a${b", "a${b"),
            ("${a}${b}", "**"),
        ] {
            assert_eq!(super::resolved(pattern, true), resolved, "{pattern}");
        }
        assert_eq!(super::resolved("${a}", false), "${a}");
    }
}
