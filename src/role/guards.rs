//! What operators allow those who write objects, whatever these declare (flags of `run`).

use wildmatch::WildMatch;

use super::{
    DesiredRole, Owner, Surroundings,
    desired::{in_other_partitions, in_partition, of_account, of_other_accounts},
    name::PolicyArn,
    problem::{FieldPath, Problem, words},
};
use crate::api::{
    Reason,
    v1alpha1::{AdoptionPolicy, PinpointImportRoleSpec},
};

/// Texts with `*` (any characters) and `?` (one).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patterns(Vec<WildMatch>);

impl Patterns {
    /// Patterns as they are written.
    #[must_use]
    pub fn new(patterns: &[String]) -> Self {
        let written = patterns.iter().filter(|pattern| !pattern.is_empty());
        Self(written.map(|pattern| WildMatch::new(pattern)).collect())
    }

    /// Whether one of them fits.
    #[must_use]
    pub fn fit(&self, text: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(text))
    }

    fn words(&self) -> String {
        let all: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        if all.is_empty() {
            "none".to_owned()
        } else {
            all.join(", ")
        }
    }
}

/// The guards. Those who write objects can't get around them.
#[derive(Clone, Debug)]
pub struct Guards {
    /// ARNs of managed policies that may be declared.
    pub policy_arns: Patterns,
    /// The boundary that every role gets (`--permissions-boundary`); none: that of its spec.
    pub boundary: Option<PolicyArn>,
    /// What the name of every role begins with (`--role-name-prefix`); empty: anything.
    pub name_prefix: String,
    /// Namespaces whose objects may take over a role that exists (`--adoption-namespaces`).
    pub adoption_namespaces: Patterns,
}

impl Guards {
    /// The role that a spec declares, if these guards allow it.
    ///
    /// # Errors
    /// The reason of `Ready=False`, and its message.
    pub fn declare(
        &self,
        spec: &PinpointImportRoleSpec,
        owner: Owner,
        around: &Surroundings,
    ) -> Result<DesiredRole, (Reason, String)> {
        let invalid = |problems: Vec<Problem>| (Reason::InvalidSpec, words(&problems));
        let desired = DesiredRole::declare(spec, owner, around).map_err(invalid)?;
        // Checked here, where the account is known; who reads a spec without an account can't tell.
        let account = &around.account;
        let elsewhere = match in_other_partitions(spec, account) {
            found if found.is_empty() => of_other_accounts(spec, account),
            found => found,
        };
        if !elsewhere.is_empty() {
            return Err(invalid(elsewhere));
        }
        if let Some(forced) = &self.boundary {
            let arn = forced.as_str();
            let known = in_partition(arn, account).and_then(|()| of_account(arn, account));
            known.map_err(|why| {
                (
                    Reason::InvalidSpec,
                    format!("the controller's --permissions-boundary {why}"),
                )
            })?;
        }
        self.apply(spec, desired)
            .map_err(|refused| (Reason::PolicyNotAllowed, words(&refused)))
    }

    /// Puts the forced boundary on, and checks the rest.
    ///
    /// # Errors
    /// What the guards forbid, and what to do.
    pub fn apply(&self, spec: &PinpointImportRoleSpec, mut desired: DesiredRole) -> Result<DesiredRole, Vec<Problem>> {
        let unlike = desired
            .attached
            .iter()
            .filter(|arn| !self.policy_arns.fit(arn.as_str()));
        let mut refused: Vec<Problem> = unlike.map(|arn| self.policy_refused(spec, arn)).collect();
        if let Some(forced) = &self.boundary {
            if desired.boundary.as_ref().is_some_and(|declared| declared != forced) {
                let message =
                    format!("this controller puts {forced} on every role: leave the field out, or declare the same");
                refused.push(Problem::new(FieldPath::spec("permissionsBoundary"), message));
            }
            desired.boundary = Some(forced.clone());
        }
        if !desired.name.as_str().starts_with(&self.name_prefix) {
            let message = format!(
                "the names of this controller's roles begin with {}, and {} does not: make the object again with such a spec.roleName",
                self.name_prefix, desired.name
            );
            refused.push(Problem::new(FieldPath::spec("roleName"), message));
        }
        if spec.adoption_policy == AdoptionPolicy::Adopt && !self.adoption_namespaces.fit(&desired.owner.namespace) {
            let message = format!(
                "this controller adopts no roles for namespace {} (it does for {}): set Never, or ask its operators \
                 (--adoption-namespaces)",
                desired.owner.namespace,
                self.adoption_namespaces.words()
            );
            refused.push(Problem::new(FieldPath::spec("adoptionPolicy"), message));
        }
        if refused.is_empty() { Ok(desired) } else { Err(refused) }
    }

    fn policy_refused(&self, spec: &PinpointImportRoleSpec, arn: &PolicyArn) -> Problem {
        let field = FieldPath::spec("managedPolicyArns");
        let declared = spec.managed_policy_arns.iter().flatten();
        let index = declared.into_iter().position(|declared| declared == arn.as_str());
        let message = format!(
            "{arn} is not among the policies that this controller may attach ({}): use spec.buckets, or ask its operators \
             (--allowed-policy-arns)",
            self.policy_arns.words()
        );
        Problem::new(index.map_or(field.clone(), |index| field.item(index)), message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::v1alpha1::{Bucket, Trust},
        role::{Account, RolePath},
    };

    fn declared(
        spec: &PinpointImportRoleSpec,
        forced: Option<&str>,
        partition: &str,
    ) -> Result<DesiredRole, (Reason, String)> {
        let guards = Guards {
            policy_arns: Patterns::new(&["*".to_owned()]),
            boundary: forced.map(|arn| PolicyArn::parse(arn).expect("an ARN")),
            name_prefix: String::new(),
            adoption_namespaces: Patterns::default(),
        };
        let owner = Owner {
            cluster: "c".to_owned(),
            namespace: "a".to_owned(),
            name: "b".to_owned(),
            uid: "u".to_owned(),
        };
        let around = Surroundings {
            account: Account {
                id: "123456789012".to_owned(),
                partition: partition.to_owned(),
            },
            role_path: RolePath::default(),
        };
        guards.declare(spec, owner, &around)
    }

    #[test]
    fn an_arn_lies_in_the_partition_of_the_account() {
        let policy = "arn:aws-cn:iam::aws:policy/AmazonS3ReadOnlyAccess".to_owned();
        let none = PinpointImportRoleSpec::default();
        let cases = [
            (
                PinpointImportRoleSpec {
                    managed_policy_arns: Some(vec![policy.clone()]),
                    ..none.clone()
                },
                None,
            ),
            (
                PinpointImportRoleSpec {
                    permissions_boundary: Some(policy.clone()),
                    ..none.clone()
                },
                None,
            ),
            (
                PinpointImportRoleSpec {
                    buckets: Some(vec![Bucket {
                        name: "my-bucket".to_owned(),
                        prefix: None,
                        kms_key_arn: Some("arn:aws-cn:kms:cn-north-1:123456789012:key/k".to_owned()),
                    }]),
                    ..none.clone()
                },
                None,
            ),
            (none, Some(policy.as_str())),
        ];
        for (spec, forced) in &cases {
            assert!(declared(spec, *forced, "aws-cn").is_ok(), "{spec:?}");
            let (reason, message) = declared(spec, *forced, "aws").unwrap_err();
            assert_eq!(reason, Reason::InvalidSpec);
            assert!(
                message.contains("lies in partition aws-cn")
                    && message.contains("write an ARN that begins with arn:aws:"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_policy_belongs_to_amazon_or_to_the_account_of_the_role() {
        let of = |account: &str| format!("arn:aws:iam::{account}:policy/a");
        let none = PinpointImportRoleSpec::default();
        let attached = |arn: String| PinpointImportRoleSpec {
            managed_policy_arns: Some(vec![arn]),
            ..none.clone()
        };
        let bounded = |arn: String| PinpointImportRoleSpec {
            permissions_boundary: Some(arn),
            ..none.clone()
        };
        let cases: [&dyn Fn(String) -> (PinpointImportRoleSpec, Option<String>); 3] =
            [&|arn| (attached(arn), None), &|arn| (bounded(arn), None), &|arn| {
                (none.clone(), Some(arn))
            }];
        for case in cases {
            for good in ["aws", "123456789012"] {
                let (spec, forced) = case(of(good));
                assert!(declared(&spec, forced.as_deref(), "aws").is_ok(), "{spec:?}");
            }
            let (spec, forced) = case(of("999999999999"));
            let (reason, message) = declared(&spec, forced.as_deref(), "aws").unwrap_err();
            assert_eq!(reason, Reason::InvalidSpec);
            assert!(message.contains("belongs to account 999999999999"), "{message}");
        }
        // A key may be another account's: its policy can let the role in.
        let spec = PinpointImportRoleSpec {
            buckets: Some(vec![Bucket {
                name: "my-bucket".to_owned(),
                prefix: None,
                kms_key_arn: Some("arn:aws:kms:us-east-1:999999999999:key/k".to_owned()),
            }]),
            ..none
        };
        assert!(declared(&spec, None, "aws").is_ok());
    }

    #[test]
    fn an_empty_list_of_projects_is_none_that_is_left_out() {
        let spec = |applications| PinpointImportRoleSpec {
            trust: Some(Trust {
                applications,
                ..Trust::default()
            }),
            ..PinpointImportRoleSpec::default()
        };
        let (reason, message) = declared(&spec(Some(Vec::new())), None, "aws").unwrap_err();
        assert!(
            reason == Reason::InvalidSpec
                && message.starts_with("spec.trust.applications: ")
                && message.contains("name the projects"),
            "{message}"
        );
        assert!(declared(&spec(None), None, "aws").is_ok());
    }

    #[test]
    fn an_empty_list_of_buckets_is_none_that_is_left_out() {
        let spec = |buckets| PinpointImportRoleSpec {
            buckets,
            ..PinpointImportRoleSpec::default()
        };
        let (reason, message) = declared(&spec(Some(Vec::new())), None, "aws").unwrap_err();
        assert!(
            reason == Reason::InvalidSpec && message.contains("name the buckets"),
            "{message}"
        );
        assert_eq!(declared(&spec(None), None, "aws").unwrap().attached.len(), 1);
    }
}
