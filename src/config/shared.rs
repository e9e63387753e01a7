//! Flags that `run` shares with other commands, each declared once: so the same name means the same everywhere, and one settings file
//! serves all of them.

use std::num::NonZeroU32;

use clap::Args;

use super::values::{Problems, number};
use crate::{
    aws::IamSettings,
    role::{Guards, Patterns, PolicyArn, RoleName, RolePath},
};

/// What says what a role may be: operators set it, and those who write objects can't get around it.
#[derive(Args, Clone, Debug)]
pub struct RoleArgs {
    /// YAML file of the controller's settings: the names of the flags of `run` without the dashes, and `accounts`, the roles to assume
    /// in other accounts. A flag comes before an environment variable, and this before the file
    #[arg(long, env = "PIR_CONFIG", value_name = "FILE")]
    pub config: Option<String>,

    /// Path of roles whose object declares none
    #[arg(long, env = "PIR_ROLE_PATH", value_name = "PATH", default_value = "/")]
    pub role_path: String,

    /// Managed policies that objects may declare: ARNs, with * for any characters and ? for one
    #[arg(
        long,
        env = "PIR_ALLOWED_POLICY_ARNS",
        value_name = "PATTERNS",
        value_delimiter = ',',
        default_value = "arn:*:iam::aws:policy/AmazonS3ReadOnlyAccess"
    )]
    pub allowed_policy_arns: Vec<String>,

    /// Permissions boundary that every role gets; an object that declares another is refused
    #[arg(long, env = "PIR_PERMISSIONS_BOUNDARY", value_name = "ARN")]
    pub permissions_boundary: Option<String>,

    /// What the name of every role must begin with
    #[arg(long, env = "PIR_ROLE_NAME_PREFIX", value_name = "TEXT", default_value = "")]
    pub role_name_prefix: String,

    /// Namespaces whose objects may adopt existing roles, with * and ?; empty: none
    #[arg(
        long,
        env = "PIR_ADOPTION_NAMESPACES",
        value_name = "PATTERNS",
        value_delimiter = ',',
        default_value = "*"
    )]
    pub adoption_namespaces: Vec<String>,
}

/// Which objects are the controller's.
#[derive(Args, Clone, Debug)]
pub struct WatchArgs {
    /// Only objects of these namespaces; `plan` says of manifests for elsewhere that they are. Default: all namespaces
    #[arg(long, env = "PIR_NAMESPACES", value_name = "NAMES", value_delimiter = ',')]
    pub namespaces: Vec<String>,

    /// Only objects with these labels, such as shard=a; this, too, is a way to shard. Default: all
    #[arg(long, env = "PIR_SELECTOR", value_name = "LABELS", default_value = "")]
    pub selector: String,
}

/// Which cluster it is.
#[derive(Args, Clone, Debug)]
pub struct ClusterArgs {
    /// Identity of the cluster in the roles' ownership tags; `plan -f` asks no cluster then, and takes a role for an object's if its
    /// tags name this cluster, namespace and name. Default: the uid of the namespace kube-system
    #[arg(long, env = "PIR_CLUSTER_ID", value_name = "ID")]
    pub cluster_id: Option<String>,
}

/// How much of IAM's limits may be used.
// Texts, so that all that is wrong can be said at once.
#[derive(Args, Clone, Debug)]
pub struct BudgetArgs {
    /// Most IAM calls per second and account, on average. IAM throttles per account, and others need it too
    #[arg(long, env = "PIR_IAM_CALLS_PER_SECOND", value_name = "CALLS", default_value = "20")]
    pub iam_calls_per_second: String,

    /// Most IAM calls at once in an account after a quiet time
    #[arg(long, env = "PIR_IAM_BURST", value_name = "CALLS", default_value = "100")]
    pub iam_burst: String,
}

impl RoleArgs {
    /// Checks the flags.
    ///
    /// # Errors
    /// Everything that is wrong with them, one line each.
    pub fn check(&self) -> Result<(RolePath, Guards), Vec<String>> {
        let Self {
            // Read before there are flags to check.
            config: _,
            role_path,
            allowed_policy_arns,
            permissions_boundary,
            role_name_prefix,
            adoption_namespaces,
        } = self;
        let mut problems = Problems::default();
        let role_path = problems.keep(RolePath::parse(role_path).map_err(|why| format!("--role-path: {why}")));
        let boundary = permissions_boundary.as_deref();
        let boundary = boundary.map(|arn| PolicyArn::parse(arn).map_err(|why| format!("--permissions-boundary {why}")));
        let boundary = problems.keep(boundary.transpose());
        if !role_name_prefix.is_empty() && RoleName::parse(role_name_prefix).is_err() {
            let why = "no role's name can begin so: at most 64 of letters, digits and _+=,.@-";
            problems
                .0
                .push(format!("--role-name-prefix {role_name_prefix:?}: {why}"));
        }
        match (role_path, boundary) {
            (Some(role_path), Some(boundary)) if problems.0.is_empty() => {
                let guards = Guards {
                    policy_arns: Patterns::new(allowed_policy_arns),
                    boundary,
                    name_prefix: role_name_prefix.clone(),
                    adoption_namespaces: Patterns::new(adoption_namespaces),
                };
                Ok((role_path, guards))
            }
            _ => Err(problems.0),
        }
    }
}

impl BudgetArgs {
    /// Checks the flags.
    ///
    /// # Errors
    /// Everything that is wrong with them, one line each.
    pub fn check(&self) -> Result<IamSettings, Vec<String>> {
        let mut problems = Problems::default();
        let calls = problems.keep(number("--iam-calls-per-second", &self.iam_calls_per_second, 1..=10_000));
        let burst = problems.keep(number("--iam-burst", &self.iam_burst, 1..=10_000));
        let budget = || {
            Some(IamSettings {
                calls_per_second: calls.and_then(NonZeroU32::new)?,
                burst: burst.and_then(NonZeroU32::new)?,
                // Commands sweep while somebody waits; `run` has a flag for it.
                sweep_calls_per_minute: NonZeroU32::MAX,
            })
        };
        budget().ok_or(problems.0)
    }
}
