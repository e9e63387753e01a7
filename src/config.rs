//! Settings of `run`: flags and environment as given ([`Args`]), and checked ([`Settings`]).

use std::{net::SocketAddr, num::NonZeroU32, time::Duration};

use clap::{Args as ClapArgs, ValueEnum};

use crate::{
    aws::IamSettings,
    role::{Guards, Patterns, PolicyArn, RolePath},
};

/// Flags of `run`. Credentials, region, endpoints and retries follow the AWS SDK's own environment (`AWS_REGION`, `AWS_PROFILE`,
/// `AWS_ENDPOINT_URL_IAM`, `AWS_ENDPOINT_URL_STS`, …); the cluster follows `KUBECONFIG` or the pod's service account.
#[derive(ClapArgs, Clone, Debug)]
pub struct Args {
    /// Watch the objects of these namespaces only. Default: all namespaces
    #[arg(long, env = "PIR_NAMESPACES", value_name = "NAMES", value_delimiter = ',')]
    pub namespaces: Vec<String>,

    /// Watch only objects with these labels, such as shard=a; this, too, is a way to shard. Default: all
    #[arg(long, env = "PIR_SELECTOR", value_name = "LABELS", default_value = "")]
    pub selector: String,

    /// Identity of the cluster in the roles' ownership tags. Default: the uid of the namespace kube-system
    #[arg(long, env = "PIR_CLUSTER_ID", value_name = "ID")]
    pub cluster_id: Option<String>,

    /// Path of roles whose object declares none
    #[arg(long, env = "PIR_ROLE_PATH", value_name = "PATH", default_value = "/")]
    pub role_path: String,

    /// Time between full checks of a role whose object declares no interval, such as 10m or 90s
    #[arg(long, env = "PIR_RESYNC_INTERVAL", value_name = "DURATION", default_value = "10m")]
    pub resync_interval: String,

    /// How long after a write IAM may still answer with what was before it: what is seen in that time is looked at again instead of
    /// being taken for drift
    #[arg(long, env = "PIR_IAM_SETTLE_TIME", value_name = "DURATION", default_value = "60s")]
    pub iam_settle_time: String,

    /// Most IAM calls per second, on average. IAM throttles per account, and others need it too
    #[arg(long, env = "PIR_IAM_CALLS_PER_SECOND", value_name = "CALLS", default_value_t = 20)]
    pub iam_calls_per_second: u32,

    /// Most IAM calls at once after a quiet time
    #[arg(long, env = "PIR_IAM_BURST", value_name = "CALLS", default_value_t = 100)]
    pub iam_burst: u32,

    /// Objects worked on at the same time
    #[arg(long, env = "PIR_CONCURRENCY", value_name = "OBJECTS", default_value_t = 10)]
    pub concurrency: u16,

    /// Address of the health endpoints /livez and /readyz; port 0 takes a free one
    #[arg(
        long,
        env = "PIR_HEALTH_ADDRESS",
        value_name = "ADDRESS",
        default_value = "0.0.0.0:8080"
    )]
    pub health_address: SocketAddr,

    /// Address of the metrics, on /metrics; port 0 takes a free one
    #[arg(
        long,
        env = "PIR_METRICS_ADDRESS",
        value_name = "ADDRESS",
        default_value = "0.0.0.0:9090"
    )]
    pub metrics_address: SocketAddr,

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

    /// Take turns with other replicas by a Lease; needed wherever there is more than one
    #[arg(long, env = "PIR_LEADER_ELECTION")]
    pub leader_election: bool,

    /// Namespace of the Lease. Default: that of the pod
    #[arg(long, env = "PIR_LEADER_ELECTION_NAMESPACE", value_name = "NAME")]
    pub leader_election_namespace: Option<String>,

    /// Form of the log. What is logged is set by `RUST_LOG` (default: info)
    #[arg(long, env = "PIR_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Settings, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespaces to watch; none: all.
    pub namespaces: Vec<String>,
    /// Label selector; empty: all objects.
    pub selector: String,
    /// Identity of the cluster; none: the uid of `kube-system`.
    pub cluster_id: Option<String>,
    /// Path of roles whose object declares none.
    pub role_path: RolePath,
    /// Time between full checks.
    pub resync: Duration,
    /// How long IAM may answer with an older state.
    pub settle: Duration,
    /// The controller's own budget of IAM calls.
    pub iam: IamSettings,
    /// Objects worked on at the same time.
    pub concurrency: u16,
    /// Address of the health endpoints.
    pub health_address: SocketAddr,
    /// Address of the metrics.
    pub metrics_address: SocketAddr,
    /// What operators allow.
    pub guards: Guards,
    /// Whether replicas take turns, and in which namespace the Lease is (none: the pod's).
    pub election: Option<Option<String>>,
}

impl Args {
    /// Checks the flags.
    ///
    /// # Errors
    /// Everything that is wrong with them, one line each.
    pub fn check(&self) -> Result<Settings, Vec<String>> {
        let mut problems = Vec::new();
        let mut keep = |problem: String| problems.push(problem);
        let role_path = RolePath::parse(&self.role_path)
            .map_err(|why| keep(format!("--role-path: {why}")))
            .ok();
        let resync = duration("--resync-interval", &self.resync_interval, 5..=86_400)
            .map_err(&mut keep)
            .ok();
        let settle = duration("--iam-settle-time", &self.iam_settle_time, 0..=600)
            .map_err(&mut keep)
            .ok();
        let boundary = self.permissions_boundary.as_deref();
        let boundary = boundary
            .map(|arn| PolicyArn::parse("--permissions-boundary", arn))
            .transpose()
            .map_err(&mut keep)
            .unwrap_or_default();
        let calls = NonZeroU32::new(self.iam_calls_per_second);
        let burst = NonZeroU32::new(self.iam_burst);
        if calls.is_none() || burst.is_none() {
            keep("--iam-calls-per-second and --iam-burst must be at least 1".to_owned());
        }
        if self.concurrency == 0 {
            keep("--concurrency must be at least 1".to_owned());
        }
        if let Some(id) = &self.cluster_id
            && (id.is_empty()
                || id.len() > 256
                || !id.chars().all(|c| c.is_ascii_alphanumeric() || "_.:/=+-@".contains(c)))
        {
            keep(format!(
                "--cluster-id {id:?} can't be the value of a tag: 1 to 256 of letters, digits and _.:/=+-@"
            ));
        }
        match (role_path, resync, settle, calls, burst) {
            (Some(role_path), Some(resync), Some(settle), Some(calls_per_second), Some(burst))
                if problems.is_empty() =>
            {
                Ok(Settings {
                    namespaces: self.namespaces.clone(),
                    selector: self.selector.clone(),
                    cluster_id: self.cluster_id.clone(),
                    role_path,
                    resync,
                    settle,
                    iam: IamSettings {
                        calls_per_second,
                        burst,
                    },
                    concurrency: self.concurrency,
                    health_address: self.health_address,
                    metrics_address: self.metrics_address,
                    guards: Guards {
                        policy_arns: Patterns::new(&self.allowed_policy_arns),
                        boundary,
                        name_prefix: self.role_name_prefix.clone(),
                        adoption_namespaces: Patterns::new(&self.adoption_namespaces),
                    },
                    election: self.leader_election.then(|| self.leader_election_namespace.clone()),
                })
            }
            _ => Err(problems),
        }
    }
}

/// A Go duration within bounds, in seconds.
fn duration(flag: &str, text: &str, bounds: std::ops::RangeInclusive<u64>) -> Result<Duration, String> {
    let parsed = text
        .parse::<kube::core::Duration>()
        .ok()
        .filter(|parsed| !parsed.is_negative())
        .map(Duration::from);
    parsed
        .filter(|parsed| bounds.contains(&parsed.as_secs()))
        .ok_or_else(|| {
            format!(
                "{flag} {text:?} is not a duration between {}s and {}s, such as 90s or 10m",
                bounds.start(),
                bounds.end()
            )
        })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn the_defaults_are_sound() {
        let settings = Line::parse_from(["x"]).args.check().unwrap();
        assert_eq!((settings.resync.as_secs(), settings.settle.as_secs()), (600, 60));
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let line = [
            "x",
            "--role-path=a",
            "--resync-interval=1s",
            "--iam-settle-time=soon",
            "--iam-burst=0",
            "--concurrency=0",
            "--cluster-id=a b",
            "--permissions-boundary=x",
        ];
        let problems = Line::parse_from(line).args.check().unwrap_err();
        for flag in [
            "--role-path",
            "--resync-interval",
            "--iam-settle-time",
            "--iam-burst",
            "--concurrency",
            "--cluster-id",
            "--permissions-boundary",
        ] {
            assert!(
                problems.iter().any(|problem| problem.contains(flag)),
                "{flag}: {problems:?}"
            );
        }
    }
}
