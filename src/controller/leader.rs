//! One writer among several replicas: a Lease, by the protocol of client-go's `leaderelection`.
//!
//! Safety does not hang on it (two writers do no harm to a role); it saves calls and keeps events single. A holder that can't renew for
//! [`RENEW_DEADLINE`] stops before anybody else may take the lease after [`LEASE`].

use std::time::{Duration, Instant};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{Api, Client, ResourceExt, api::PostParams};
use tracing::{info, warn};

use crate::api::CONTROLLER;

/// How long a lease is good after it was renewed. This and the next two are client-go's defaults.
const LEASE: Duration = Duration::from_secs(15);
/// How long a holder tries to renew before it gives up.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// Time between tries.
const RETRY: Duration = Duration::from_secs(2);
/// Longest try.
const TRY: Duration = Duration::from_secs(5);

/// A candidate.
#[derive(Debug)]
pub struct Election {
    leases: Api<Lease>,
    identity: String,
    /// The version of somebody else's lease, and when it was first seen: clocks of other machines are not believed.
    seen: Option<(Option<String>, Instant)>,
}

impl Election {
    /// A candidate for the lease of this controller in a namespace.
    #[must_use]
    pub fn new(client: Client, namespace: &str, identity: String) -> Self {
        Self {
            leases: Api::namespaced(client, namespace),
            identity,
            seen: None,
        }
    }

    /// Waits until this candidate holds the lease.
    pub async fn win(&mut self) {
        info!(identity = self.identity, "waiting for the lease {CONTROLLER}");
        let mut told = false;
        loop {
            match self.attempt().await {
                Ok(true) => break,
                Err(why) if !told => {
                    warn!("the lease can't be taken: {why}; it is tried again");
                    told = true;
                }
                Ok(false) | Err(_) => {}
            }
            tokio::time::sleep(jittered(RETRY)).await;
        }
        info!(
            identity = self.identity,
            "holding the lease {CONTROLLER}: this process works now"
        );
    }

    /// Renews the lease, until it is lost. Says why.
    pub async fn lose(&mut self) -> String {
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(RETRY).await;
            let left = RENEW_DEADLINE.saturating_sub(renewed.elapsed());
            let started = Instant::now();
            match tokio::time::timeout(left, self.attempt()).await {
                Ok(Ok(true)) => renewed = started,
                Ok(Ok(false)) => return "another process holds the lease now".to_owned(),
                Ok(Err(why)) if renewed.elapsed() < RENEW_DEADLINE => {
                    warn!("the lease can't be renewed: {why}; it is tried again");
                }
                Ok(Err(why)) => return format!("the lease could not be renewed for {RENEW_DEADLINE:?}: {why}"),
                Err(_) => return format!("the lease could not be renewed for {RENEW_DEADLINE:?}: no answer"),
            }
        }
    }

    /// Gives the lease back, so that another candidate need not wait for its end.
    pub async fn release(&mut self) {
        let released = async {
            let mut lease = self.leases.get(CONTROLLER).await?;
            if lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_ref()) == Some(&self.identity)
                && let Some(spec) = &mut lease.spec
            {
                spec.holder_identity = Some(String::new());
                spec.lease_duration_seconds = Some(1);
                self.leases.replace(CONTROLLER, &PostParams::default(), &lease).await?;
            }
            Ok::<(), kube::Error>(())
        };
        if let Ok(Err(why)) = tokio::time::timeout(TRY, released).await {
            warn!("the lease could not be given back: {why}");
        }
    }

    /// Takes or renews the lease. False: somebody else holds it.
    async fn attempt(&mut self) -> Result<bool, String> {
        match tokio::time::timeout(TRY, self.take()).await {
            Ok(Err(kube::Error::Api(status))) if status.is_conflict() || status.is_already_exists() => Ok(false),
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {TRY:?}")),
        }
    }

    async fn take(&mut self) -> kube::Result<bool> {
        let now = MicroTime(Timestamp::now());
        let mut spec = LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(LEASE.as_secs()).ok(),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            lease_transitions: Some(0),
            ..LeaseSpec::default()
        };
        let Some(found) = self.leases.get_opt(CONTROLLER).await? else {
            let lease = Lease {
                metadata: ObjectMeta {
                    name: Some(CONTROLLER.to_owned()),
                    ..ObjectMeta::default()
                },
                spec: Some(spec),
            };
            self.leases.create(&PostParams::default(), &lease).await?;
            return Ok(true);
        };
        let held = found.spec.clone().unwrap_or_default();
        let holder = held.holder_identity.clone().unwrap_or_default();
        if holder == self.identity {
            spec.acquire_time = held.acquire_time;
            spec.lease_transitions = held.lease_transitions;
        } else {
            if !holder.is_empty() && !self.has_expired(&found, &held) {
                return Ok(false);
            }
            spec.lease_transitions = Some(held.lease_transitions.unwrap_or_default() + 1);
        }
        // The version that was read goes with it: if somebody was faster, the API server refuses.
        let lease = Lease {
            metadata: found.metadata,
            spec: Some(spec),
        };
        self.leases.replace(CONTROLLER, &PostParams::default(), &lease).await?;
        Ok(true)
    }

    /// Whether somebody else's lease was not renewed for its whole duration, by this process' own clock.
    fn has_expired(&mut self, lease: &Lease, spec: &LeaseSpec) -> bool {
        let version = lease.resource_version();
        let duration = spec
            .lease_duration_seconds
            .and_then(|seconds| u64::try_from(seconds).ok());
        let duration = duration.map_or(LEASE, Duration::from_secs);
        match &self.seen {
            Some((seen, when)) if *seen == version => when.elapsed() >= duration,
            _ => {
                self.seen = Some((version, Instant::now()));
                false
            }
        }
    }
}

/// Between 100 and 120 % of a time, as client-go has it.
fn jittered(time: Duration) -> Duration {
    time.mul_f64(1.0 + 0.2 * fastrand::f64())
}
