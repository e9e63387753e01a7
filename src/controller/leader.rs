//! One writer among several replicas: a Lease, by the protocol of client-go's `leaderelection`.
//!
//! Safety does not hang on it (two writers do no harm to a role); it saves calls and keeps events single. A holder that can't renew for
//! [`RENEW_DEADLINE`] stops before anybody else may take the lease after [`LEASE`]. One that slept through that calls IAM no more:
//! see [`Turn`].

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};
use uuid::Uuid;

use crate::{api::CONTROLLER, aws::Turn, backoff};

/// How long a lease is good after it was renewed. This, the next and [`RETRY`] are client-go's defaults.
const LEASE: Duration = Duration::from_secs(15);
/// How long after the start of its last good try a holder gives up.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// Time between tries.
const RETRY: Duration = Duration::from_secs(2);
/// Longest try: two calls. client-go gives each 5 s, half of its deadline, which leaves no margin below.
const TRY: Duration = Duration::from_secs(3);
/// What a holder that gives up has until another may begin: for the end of its process, and for calls to IAM that are on their way.
const MARGIN: Duration = Duration::from_secs(2);

// A holder gives up RENEW_DEADLINE after its last good try; another may begin LEASE after it saw what that try wrote. Even where the
// one is counted from the end of the try and the other from its start, they are MARGIN apart.
const _: () = assert!(
    LEASE.as_millis() >= RENEW_DEADLINE.as_millis() + TRY.as_millis() + MARGIN.as_millis(),
    "two processes could lead at the same time"
);
// One try that fails is no reason to give up: two fit.
const _: () = assert!(
    RENEW_DEADLINE.as_millis() >= 2 * (RETRY.as_millis() + TRY.as_millis()),
    "one slow answer of the API server would end a leader"
);

/// A candidate.
#[derive(Debug)]
pub struct Election {
    leases: Api<Lease>,
    identity: String,
    /// Somebody else's lease, and when it was first seen so: clocks of other machines are not believed.
    seen: Option<(LeaseSpec, Instant)>,
    /// When the last good try began.
    renewed: Instant,
    /// What this process may do while it holds the lease.
    turn: Turn,
}

/// What came of a try to take or renew the lease.
#[derive(Debug, PartialEq)]
enum Tried {
    /// This process holds it.
    Held,
    /// Another process holds it.
    Theirs(String),
    /// Somebody wrote to it at the same time. Whose it is now shows the next try.
    Crossed,
    /// The API server did not do as asked.
    Failed(String),
}

impl Election {
    /// A candidate for the lease of this controller in a namespace. `name` is that of the pod. Others may bear it too (a container that
    /// was started anew, two clusters' processes outside of pods), so the identity has something that nobody else has, as client-go does.
    ///
    /// `turn` ends with the lease.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str, turn: Turn) -> Self {
        Self {
            leases: Api::namespaced(client, namespace),
            identity: format!("{name}_{}", Uuid::new_v4()),
            seen: None,
            renewed: Instant::now(),
            turn,
        }
    }

    /// Waits until this candidate holds the lease.
    pub async fn win(&mut self) {
        info!(identity = self.identity, "waiting for the lease {CONTROLLER}");
        let mut told = false;
        loop {
            match self.attempt().await {
                Tried::Held => break,
                Tried::Failed(why) if !told => {
                    warn!("the lease can't be taken: {why}; it is tried again");
                    told = true;
                }
                Tried::Theirs(_) | Tried::Crossed | Tried::Failed(_) => {}
            }
            sleep(backoff::jittered(RETRY)).await;
        }
        info!(
            identity = self.identity,
            "holding the lease {CONTROLLER}: this process works now"
        );
    }

    /// Renews the lease, until it is lost. Says why.
    pub async fn lose(&mut self) -> String {
        keep(self.renewed, async || self.attempt().await).await
    }

    /// Gives the lease back, so that another candidate need not wait for its end.
    pub async fn release(&mut self) {
        if let Ok(Err(why)) = timeout(TRY, self.give_back()).await {
            warn!("the lease could not be given back: {why}");
        }
    }

    /// Empties the lease if it is this process' own. The version that was read goes with it: if another has taken it meanwhile, the API
    /// server refuses, and it is read again.
    async fn give_back(&self) -> kube::Result<()> {
        while let Some(mut lease) = self.leases.get_opt(CONTROLLER).await? {
            let Some(spec) = lease.spec.as_mut().filter(|spec| self.is_ours(spec)) else {
                break;
            };
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
            match self.leases.replace(CONTROLLER, &PostParams::default(), &lease).await {
                Err(kube::Error::Api(status)) if status.is_conflict() => {}
                other => return other.map(drop),
            }
        }
        Ok(())
    }

    fn is_ours(&self, spec: &LeaseSpec) -> bool {
        spec.holder_identity.as_ref() == Some(&self.identity)
    }

    /// Takes or renews the lease.
    async fn attempt(&mut self) -> Tried {
        let started = Instant::now();
        match timeout(TRY, self.take()).await {
            Ok(Ok(Tried::Held)) => {
                self.renewed = started;
                self.turn.lasts_until(started + RENEW_DEADLINE);
                Tried::Held
            }
            Ok(Ok(tried)) => tried,
            Ok(Err(kube::Error::Api(status))) if status.is_conflict() || status.is_already_exists() => Tried::Crossed,
            Ok(Err(error)) => Tried::Failed(error.to_string()),
            Err(_) => Tried::Failed(format!("no answer within {TRY:?}")),
        }
    }

    async fn take(&mut self) -> kube::Result<Tried> {
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
            return Ok(Tried::Held);
        };
        let held = found.spec.clone().unwrap_or_default();
        if self.is_ours(&held) {
            spec.acquire_time = held.acquire_time;
            spec.lease_transitions = held.lease_transitions;
        } else {
            let holder = held.holder_identity.clone().unwrap_or_default();
            if !holder.is_empty() && !self.has_expired(&held) {
                return Ok(Tried::Theirs(holder));
            }
            spec.lease_transitions = Some(held.lease_transitions.unwrap_or_default().saturating_add(1));
        }
        // The version that was read goes with it: if somebody was faster, the API server refuses.
        let lease = Lease {
            metadata: found.metadata,
            spec: Some(spec),
        };
        self.leases.replace(CONTROLLER, &PostParams::default(), &lease).await?;
        Ok(Tried::Held)
    }

    /// Whether somebody else's lease was not renewed for its whole duration, by this process' own clock.
    fn has_expired(&mut self, held: &LeaseSpec) -> bool {
        let duration = held
            .lease_duration_seconds
            .and_then(|seconds| u64::try_from(seconds).ok());
        let duration = duration.map_or(LEASE, Duration::from_secs);
        match &self.seen {
            Some((seen, when)) if seen == held => when.elapsed() >= duration,
            _ => {
                self.seen = Some((held.clone(), Instant::now()));
                false
            }
        }
    }
}

/// Tries again and again to renew a lease, whose last good try began at `renewed`, until another process holds it or no try was good for
/// [`RENEW_DEADLINE`]. Says which.
async fn keep(mut renewed: Instant, mut attempt: impl AsyncFnMut() -> Tried) -> String {
    let mut why = "no answer".to_owned();
    loop {
        let deadline = renewed + RENEW_DEADLINE;
        sleep(RETRY.min(deadline.saturating_duration_since(Instant::now()))).await;
        let started = Instant::now();
        let left = deadline.saturating_duration_since(started);
        if left.is_zero() {
            return format!("the lease could not be renewed for {RENEW_DEADLINE:?}: {why}");
        }
        match timeout(left, attempt()).await {
            Ok(Tried::Held) => renewed = started,
            Ok(Tried::Theirs(holder)) => return format!("another process holds the lease now: {holder}"),
            Ok(Tried::Crossed) => "somebody wrote to it at the same time".clone_into(&mut why),
            Ok(Tried::Failed(failure)) => {
                warn!("the lease can't be renewed: {failure}; it is tried again");
                why = failure;
            }
            Err(_) => "no answer".clone_into(&mut why),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        convert::Infallible,
        sync::{Arc, Mutex},
    };

    use http::{Method, Request, Response};
    use kube::client::Body;
    use serde_json::{Value, json};

    use super::*;

    /// Somebody else's writing to the lease.
    type Touch = fn(&mut Value);

    /// The one lease of an API server, and what others do to it just before each of the next writes; and the time that a call takes.
    #[derive(Clone, Default)]
    struct Leases(Arc<Mutex<(Option<Value>, VecDeque<Touch>)>>, Duration);

    impl Leases {
        fn candidate(&self, name: &str) -> Election {
            let leases = self.clone();
            let service = tower::service_fn(move |request| {
                let leases = leases.clone();
                async move { Ok::<_, Infallible>(leases.answer(request).await) }
            });
            Election::new(Client::new(service, "n"), "n", name, Turn::default())
        }

        fn before_writes(&self, touches: &[Touch]) {
            self.0.lock().unwrap().1.extend(touches);
        }

        fn touch(&self, touch: Touch) {
            let mut state = self.0.lock().unwrap();
            touched(state.0.as_mut().unwrap(), touch);
        }

        fn holder(&self) -> String {
            let state = self.0.lock().unwrap();
            let lease = state.0.as_ref().unwrap();
            lease["spec"]["holderIdentity"].as_str().unwrap().to_owned()
        }

        async fn answer(&self, request: Request<Body>) -> Response<Body> {
            sleep(self.1).await;
            let (parts, body) = request.into_parts();
            let body = body.collect_bytes().await.unwrap();
            let mut state = self.0.lock().unwrap();
            let (lease, touches) = &mut *state;
            if parts.method != Method::GET
                && let (Some(touch), Some(lease)) = (touches.pop_front(), lease.as_mut())
            {
                touched(lease, touch);
            }
            let version = |lease: &Value| lease["metadata"]["resourceVersion"].clone();
            let (status, answer) = match (parts.method, lease.as_ref()) {
                (Method::GET, Some(lease)) => (200, lease.clone()),
                (Method::GET, None) => (404, refusal(404, "NotFound")),
                (Method::POST, Some(_)) => (409, refusal(409, "AlreadyExists")),
                (_, found) => {
                    let mut written: Value = serde_json::from_slice(&body).unwrap();
                    if found.is_some_and(|found| version(found) != version(&written)) {
                        (409, refusal(409, "Conflict"))
                    } else {
                        touched(&mut written, |_| {});
                        *lease = Some(written.clone());
                        (200, written)
                    }
                }
            };
            let body = Body::from(serde_json::to_vec(&answer).unwrap());
            Response::builder().status(status).body(body).unwrap()
        }
    }

    fn touched(lease: &mut Value, touch: Touch) {
        touch(lease);
        let version = lease["metadata"]["resourceVersion"].as_str().unwrap_or("0");
        let next: u64 = version.parse::<u64>().unwrap() + 1;
        lease["metadata"]["resourceVersion"] = json!(next.to_string());
    }

    fn refusal(code: u16, reason: &str) -> Value {
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": reason, "reason": reason, "code": code})
    }

    fn label(lease: &mut Value) {
        lease["metadata"]["labels"] = json!({"team": "a"});
    }

    fn steal(lease: &mut Value) {
        lease["spec"]["holderIdentity"] = json!("thief");
    }

    #[tokio::test]
    async fn of_two_with_the_same_name_one_leads() {
        let leases = Leases::default();
        let (mut first, mut second) = (leases.candidate("pod"), leases.candidate("pod"));
        assert_eq!(first.attempt().await, Tried::Held);
        assert_eq!(second.attempt().await, Tried::Theirs(first.identity.clone()));
        assert_eq!(first.attempt().await, Tried::Held);
        assert!(first.identity.starts_with("pod_"), "people look for the pod");

        second.release().await;
        assert_eq!(leases.holder(), first.identity);
        first.release().await;
        assert_eq!(second.attempt().await, Tried::Held);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_lasts_as_long_as_a_holder_may_go_without_a_good_try() {
        let leases = Leases::default();
        let mut first = leases.candidate("a");
        assert_eq!(first.attempt().await, Tried::Held);
        sleep(RENEW_DEADLINE / 2).await;
        assert_eq!(first.attempt().await, Tried::Held);
        sleep(RENEW_DEADLINE * 4 / 5).await;
        first.turn.hold().await;
        sleep(RETRY).await;
        assert!(timeout(LEASE, first.turn.hold()).await.is_err());
    }

    #[tokio::test]
    async fn of_two_that_make_the_lease_at_the_same_time_one_leads() {
        let leases = Leases::default();
        let (mut first, mut second) = (leases.candidate("a"), leases.candidate("b"));
        // Both find none before either has made it.
        let (one, other) = tokio::join!(first.attempt(), second.attempt());
        // Whose request comes first is not said: the clients send from tasks of their own.
        let (leads, mut other) = match (one, other) {
            (Tried::Held, Tried::Crossed) => (first, second),
            (Tried::Crossed, Tried::Held) => (second, first),
            both => panic!("{both:?}"),
        };
        assert_eq!(leases.holder(), leads.identity);
        assert_eq!(other.attempt().await, Tried::Theirs(leads.identity));
    }

    #[tokio::test]
    async fn a_conflict_is_no_loss_until_somebody_else_holds_the_lease() {
        let leases = Leases::default();
        let mut first = leases.candidate("a");
        assert_eq!(first.attempt().await, Tried::Held);
        leases.before_writes(&[label]);
        assert_eq!(first.attempt().await, Tried::Crossed);
        assert_eq!(first.attempt().await, Tried::Held);
        leases.before_writes(&[steal]);
        assert_eq!(first.attempt().await, Tried::Crossed);
        assert_eq!(first.attempt().await, Tried::Theirs("thief".to_owned()));
    }

    #[tokio::test]
    async fn only_the_own_lease_is_given_back() {
        let leases = Leases::default();
        let mut first = leases.candidate("a");
        first.attempt().await;
        leases.before_writes(&[steal]);
        first.release().await;
        assert_eq!(leases.holder(), "thief", "taken between reading and giving back");

        let leases = Leases::default();
        let mut first = leases.candidate("a");
        first.attempt().await;
        leases.before_writes(&[label]);
        first.release().await;
        assert_eq!(leases.holder(), "", "a label does not keep it");
    }

    #[tokio::test(start_paused = true)]
    async fn the_try_that_won_counts_from_its_start() {
        let leases = Leases(Arc::default(), Duration::from_secs(1));
        let mut first = leases.candidate("a");
        first.win().await;
        assert_eq!(first.renewed.elapsed(), Duration::from_secs(2), "it read, and wrote");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_not_renewed_is_taken_whatever_else_is_written_to_it() {
        let leases = Leases::default();
        let (mut first, mut second) = (leases.candidate("a"), leases.candidate("b"));
        first.attempt().await;
        let start = Instant::now();
        while second.attempt().await != Tried::Held {
            assert!(start.elapsed() < 2 * LEASE, "it is never taken");
            leases.touch(label);
            tokio::time::advance(RETRY).await;
        }
        assert!(
            (LEASE..LEASE + RETRY).contains(&start.elapsed()),
            "{:?}",
            start.elapsed()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_tries_until_its_deadline_and_no_longer() {
        // Whatever fails: refused at once, crossed, slow, without an end.
        for failing in ["refused", "crossed", "slow", "hangs"] {
            let start = Instant::now();
            let why = keep(start, async || match failing {
                "refused" => Tried::Failed("down".to_owned()),
                "crossed" => Tried::Crossed,
                "slow" => {
                    sleep(TRY).await;
                    Tried::Failed("slow".to_owned())
                }
                _ => std::future::pending().await,
            })
            .await;
            assert!(why.contains("could not be renewed for 10s"), "{why}");
            assert_eq!(start.elapsed(), RENEW_DEADLINE, "{failing}");
        }
        // A try that was good long ago counts from its start.
        let why = keep(Instant::now() - RENEW_DEADLINE, async || Tried::Held).await;
        assert!(why.contains("could not be renewed"), "{why}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_goes_on_after_failures_and_ends_once_another_holds_the_lease() {
        let start = Instant::now();
        let mut tries = 0;
        let why = keep(start, async || {
            tries += 1;
            match tries {
                40 => Tried::Theirs("b".to_owned()),
                n if n % 4 == 0 => Tried::Held,
                n if n % 2 == 0 => Tried::Crossed,
                _ => Tried::Failed("down".to_owned()),
            }
        })
        .await;
        assert_eq!(why, "another process holds the lease now: b");
        assert_eq!(start.elapsed(), RETRY * 40);
    }
}
