//! Settings of `run`: flags, environment and settings file as given ([`Args`], [`File`]), and checked ([`Settings`]).

mod file;
mod shared;
mod values;

use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroU32, time::Duration};

use clap::Args as ClapArgs;

pub use file::File;
pub use shared::{BudgetArgs, ClusterArgs, RoleArgs, WatchArgs};

use self::values::{Problems, address, cluster_id, duration, namespace, number, one_of, sweep_interval};
use crate::{
    aws::{AccountAccess, IamSettings, QueueUrl},
    role::{Guards, RolePath},
};

/// Flags of `run`. Credentials, region, endpoints and retries follow the AWS SDK's own environment (`AWS_REGION`, `AWS_PROFILE`,
/// `AWS_ENDPOINT_URL_IAM`, `AWS_ENDPOINT_URL_STS`, …); the cluster follows `KUBECONFIG` or the pod's service account.
// All texts, so that [`Args::check`] can say everything that is wrong at once.
#[derive(ClapArgs, Clone, Debug)]
pub struct Args {
    /// What a role may be.
    #[command(flatten)]
    pub roles: RoleArgs,

    /// Which objects are watched.
    #[command(flatten)]
    pub watch: WatchArgs,

    /// Which cluster it is.
    #[command(flatten)]
    pub cluster: ClusterArgs,

    /// Time between full checks of a role whose object declares no interval, 5s to 24h, such as 10m or 90s
    #[arg(long, env = "PIR_RESYNC_INTERVAL", value_name = "DURATION", default_value = "10m")]
    pub resync_interval: String,

    /// How long after a write IAM may still answer with what was before it, 0s to 10m: what is seen in that time is looked at again
    /// instead of being taken for drift
    #[arg(long, env = "PIR_IAM_SETTLE_TIME", value_name = "DURATION", default_value = "60s")]
    pub iam_settle_time: String,

    /// How much of IAM's limits may be used.
    #[command(flatten)]
    pub budget: BudgetArgs,

    /// Time between starts of sweeps, which read all roles of an account in bulk and look by themselves at those that differ alone, 15s
    /// to 1h; 0s: none, so that each role is looked at by itself
    #[arg(long, env = "PIR_SWEEP_INTERVAL", value_name = "DURATION", default_value = "45s")]
    pub sweep_interval: String,

    /// Most IAM calls of sweeps per minute and account; where they need more, there are fewer sweeps
    #[arg(long, env = "PIR_SWEEP_CALLS_PER_MINUTE", value_name = "CALLS", default_value = "30")]
    pub sweep_calls_per_minute: String,

    /// SQS queue of change messages, its URL or ARN, of which this controller is the only reader (see deploy/changes.yaml); read with
    /// the controller's own credentials. Default: none
    #[arg(long, env = "PIR_CHANGE_QUEUE", value_name = "URL")]
    pub change_queue: Option<String>,

    /// Objects worked on at the same time, per account
    #[arg(long, env = "PIR_CONCURRENCY", value_name = "OBJECTS", default_value = "10")]
    pub concurrency: String,

    /// Address of the health endpoints /livez and /readyz; `[::]` is every address of IPv6 and IPv4, port 0 a free one
    #[arg(
        long,
        env = "PIR_HEALTH_ADDRESS",
        value_name = "ADDRESS",
        default_value = "[::]:8080"
    )]
    pub health_address: String,

    /// Address of the metrics, on /metrics; `[::]` is every address of IPv6 and IPv4, port 0 a free one
    #[arg(
        long,
        env = "PIR_METRICS_ADDRESS",
        value_name = "ADDRESS",
        default_value = "[::]:9090"
    )]
    pub metrics_address: String,

    /// Take turns with other replicas by a Lease, true or false; needed wherever there is more than one
    #[arg(
        long,
        env = "PIR_LEADER_ELECTION",
        value_name = "BOOL",
        default_value = "false",
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true
    )]
    pub leader_election: String,

    /// Namespace of the Lease. Default: that of the pod
    #[arg(long, env = "PIR_LEADER_ELECTION_NAMESPACE", value_name = "NAME")]
    pub leader_election_namespace: Option<String>,

    /// Form of the log: text, lines for people, or json, one object a line. What is logged is set by `RUST_LOG` (default: info)
    #[arg(long, env = "PIR_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub log_format: String,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Time between starts of sweeps of an account; zero: there are none.
    pub sweep_interval: Duration,
    /// Queue of change messages, of all accounts.
    pub change_queue: Option<QueueUrl>,
    /// Objects worked on at the same time, per account.
    pub concurrency: u16,
    /// Address of the health endpoints.
    pub health_address: SocketAddr,
    /// Address of the metrics.
    pub metrics_address: SocketAddr,
    /// What operators allow.
    pub guards: Guards,
    /// Other accounts, by their id.
    pub accounts: BTreeMap<String, AccountAccess>,
    /// Whether replicas take turns, and in which namespace the Lease is (none: the pod's).
    pub election: Option<Option<String>>,
    /// Form of the log.
    pub log_format: LogFormat,
}

impl Args {
    /// Checks the flags, and what the settings file has beyond them.
    ///
    /// # Errors
    /// Everything that is wrong with them, one line each.
    pub fn check(&self, file: File) -> Result<Settings, Vec<String>> {
        let mut problems = Problems(file.problems);
        let namespaces = self.namespaces();
        for name in &namespaces {
            problems.keep(namespace("--namespaces", name));
        }
        let lease = self.leader_election_namespace.as_deref();
        problems.keep(lease.map_or(Ok(()), |name| namespace("--leader-election-namespace", name)));
        problems.keep(self.cluster.cluster_id.as_deref().map_or(Ok(()), cluster_id));
        let roles = problems.keep_all(self.roles.check());
        let resync = problems.keep(duration("--resync-interval", &self.resync_interval, 5..=86_400));
        let settle = problems.keep(duration("--iam-settle-time", &self.iam_settle_time, 0..=600));
        let iam = problems.keep_all(self.budget.check());
        let sweep_interval = problems.keep(sweep_interval(&self.sweep_interval));
        let sweep_calls = number("--sweep-calls-per-minute", &self.sweep_calls_per_minute, 1..=600);
        let sweep_calls = problems.keep(sweep_calls).and_then(NonZeroU32::new);
        let change_queue = problems.keep(self.queue());
        let concurrency = problems.keep(number("--concurrency", &self.concurrency, 1..=1000));
        let health_address = problems.keep(address("--health-address", &self.health_address));
        let metrics_address = problems.keep(address("--metrics-address", &self.metrics_address));
        let elects = problems.keep(one_of(
            "--leader-election",
            &self.leader_election,
            [("true", true), ("false", false)],
        ));
        let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        let log_format = problems.keep(one_of("--log-format", &self.log_format, formats));

        let settings = || {
            let (role_path, guards) = roles?;
            Some(Settings {
                namespaces,
                selector: self.watch.selector.clone(),
                cluster_id: self.cluster.cluster_id.clone(),
                role_path,
                resync: resync?,
                settle: settle?,
                iam: IamSettings {
                    sweep_calls_per_minute: sweep_calls?,
                    ..iam?
                },
                sweep_interval: sweep_interval?,
                change_queue: change_queue?,
                concurrency: u16::try_from(concurrency?).ok()?,
                health_address: health_address?,
                metrics_address: metrics_address?,
                guards,
                accounts: file.accounts,
                election: elects?.then(|| self.leader_election_namespace.clone()),
                log_format: log_format?,
            })
        };
        match settings() {
            Some(settings) if problems.0.is_empty() => Ok(settings),
            _ => Err(problems.0),
        }
    }

    /// An empty text is an empty list: `PIR_NAMESPACES=` or `namespaces: []`.
    fn namespaces(&self) -> Vec<String> {
        let named = self.watch.namespaces.iter().filter(|name| !name.is_empty());
        named.cloned().collect()
    }

    fn queue(&self) -> Result<Option<QueueUrl>, String> {
        let queue = self.change_queue.as_deref().filter(|text| !text.is_empty());
        let queue = queue.map(|text| QueueUrl::parse(text).map_err(|why| format!("--change-queue {why}")));
        queue.transpose()
    }
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
        let settings = Line::parse_from(["x"]).args.check(File::default()).unwrap();
        assert_eq!((settings.resync.as_secs(), settings.settle.as_secs()), (600, 60));
        assert_eq!(settings.election, None);
        let all = Line::parse_from(["x", "--namespaces="])
            .args
            .check(File::default())
            .unwrap();
        assert!(all.namespaces.is_empty());
    }

    #[test]
    fn leader_election_is_switched_on_and_off() {
        let elects = |flag| {
            Line::parse_from(["x", flag])
                .args
                .check(File::default())
                .unwrap()
                .election
                .is_some()
        };
        assert!(elects("--leader-election") && elects("--leader-election=true") && !elects("--leader-election=false"));
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let flags = [
            "--namespaces=A",
            "--cluster-id=a b",
            "--role-path=a",
            "--resync-interval=1s",
            "--iam-settle-time=soon",
            "--iam-calls-per-second=x",
            "--iam-burst=0",
            "--sweep-interval=5s",
            "--sweep-calls-per-minute=0",
            "--change-queue=pinpoint",
            "--concurrency=100000",
            "--health-address=here",
            "--metrics-address=80",
            "--permissions-boundary=x",
            "--role-name-prefix=a/b",
            "--leader-election=perhaps",
            "--leader-election-namespace=a.b",
            "--log-format=xml",
        ];
        let line = Line::parse_from(["x"].into_iter().chain(flags));
        let problems = line.args.check(File::default()).unwrap_err();
        assert_eq!(problems.len(), flags.len(), "{problems:#?}");
        for flag in flags {
            let (flag, value) = flag.split_once('=').unwrap();
            let said = problems
                .iter()
                .any(|problem| problem.starts_with(flag) && problem.contains(value));
            assert!(said, "{flag}: {problems:#?}");
        }
    }
}
