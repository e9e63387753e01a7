//! One run: a flow, what is done to its calls, and what came of it.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::Credentials;
use pinpoint_import_role_controller::{
    aws::{Accounts, CallWatch, Iam as IamClient, IamSettings},
    controller::{self, Context, ControllerSettings, SweepSettings, WatchSettings},
    metrics::Metrics,
    role::{Account, Guards, Patterns, RolePath},
};
use serde_json::Value;
use test_support::iam::{FakeIam, RoleBuilder, RoleState};
use tokio::{sync::watch, task::JoinHandle, time::Instant};

use crate::{
    api::Server,
    fault::Script,
    flow::Flow,
    iam::Iam,
    wire::{Call, Moment, Wire},
};

/// Name of the object.
pub(crate) const NAME: &str = "segments";
/// Name of its role.
pub(crate) const ROLE: &str = "default.segments";
/// A role that is nobody's business.
pub(crate) const BYSTANDER: &str = "bystander";

/// How late IAM may be.
pub(crate) const SETTLE: Duration = Duration::from_mins(1);
/// Time between looks.
pub(crate) const INTERVAL: Duration = Duration::from_mins(10);
/// How long a flow may take, whatever two faults do to it: longer than any backoff.
const PATIENCE: Duration = Duration::from_mins(30);
/// What follows the end at once: events, and what the watch makes of it.
const AFTERMATH: Duration = Duration::from_secs(3);
/// After it, nothing is late any more.
const SETTLED: Duration = Duration::from_secs(70);
/// At least one more look is taken, and everything that was remembered is forgotten.
const REST: Duration = Duration::from_mins(12);

/// The world around the controller.
#[derive(Debug)]
pub(crate) struct World {
    /// The API server.
    pub(crate) api: Arc<Server>,
    /// IAM.
    pub(crate) iam: Arc<Iam>,
    /// What lies between them and the controller.
    pub(crate) wire: Arc<Wire>,
    then: Mutex<Option<Value>>,
}

/// What is there before a flow, at rest.
pub(crate) struct Snapshot {
    api: Arc<Server>,
    iam: Arc<Iam>,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Report {
    /// The calls until the end, and what followed it at once.
    pub(crate) calls: Vec<Call>,
    /// The role when the flow began.
    pub(crate) start: Option<RoleState>,
    /// What is to be judged, in order.
    pub(crate) moments: Vec<Moment>,
    /// The role at the end.
    pub(crate) role: Option<RoleState>,
    /// What is there at the end, apart from ids and times.
    pub(crate) end: String,
    /// Reasons of events.
    pub(crate) events: Vec<String>,
    /// How often a drift was noted.
    pub(crate) drifts: usize,
    /// What must not happen, and did.
    pub(crate) wrong: Vec<String>,
}

impl World {
    /// Another one with what is there; without a snapshot, an empty one.
    pub(crate) fn new(snapshot: Option<&Snapshot>) -> Self {
        let wire = Arc::new(Wire::default());
        let (api, fake) = match snapshot {
            Some(snapshot) => (snapshot.api.copy(Arc::clone(&wire)), snapshot.iam.fake.copy()),
            None => (Server::new(Arc::clone(&wire)), FakeIam::in_process()),
        };
        Self {
            api,
            iam: Iam::new(fake, Arc::clone(&wire)),
            wire,
            then: Mutex::default(),
        }
    }

    /// An object of the same name is made once the one that is there is gone.
    pub(crate) fn then_create(&self, spec: &Value) {
        *self.then.lock().unwrap_or_else(PoisonError::into_inner) = Some(spec.clone());
    }

    fn go_on(&self) -> bool {
        let mut then = self.then.lock().unwrap_or_else(PoisonError::into_inner);
        if self.api.object(NAME).is_null()
            && let Some(spec) = then.take()
        {
            self.api.create(NAME, &spec);
        }
        then.is_none()
    }

    /// Whether a condition says so of the generation that is there, and the last request for a look was met.
    pub(crate) fn is_said(&self, type_: &str, status: &str, reason: &str) -> bool {
        let object = self.api.object(NAME);
        let (said, metadata) = (&object["status"], &object["metadata"]);
        let conditions = said["conditions"].as_array();
        let request = &metadata["annotations"]["pinpoint-import.dev/reconcile-requested-at"];
        said["observedGeneration"] == metadata["generation"]
            && said["lastHandledReconcileAt"] == *request
            && conditions.into_iter().flatten().any(|condition| {
                condition["type"] == type_ && condition["status"] == status && condition["reason"] == reason
            })
    }

    /// Whether a drift is noted that was not repaired.
    pub(crate) fn has_open_drift(&self) -> bool {
        let drift = &self.api.object(NAME)["status"]["lastDrift"];
        drift.is_object() && drift["repairedAt"].is_null()
    }

    /// Starts a process, whose budget limits nothing.
    fn start(&self, is_retrying: bool) -> JoinHandle<()> {
        self.start_within(is_retrying, 100_000)
    }

    /// Starts a process with a budget of so many calls a second, and at once. It does not sweep.
    pub(crate) fn start_within(&self, is_retrying: bool, calls: u32) -> JoinHandle<()> {
        self.start_with(is_retrying, calls, Duration::ZERO)
    }

    /// Starts a process that sweeps so often, and whose budget limits nothing.
    pub(crate) fn start_sweeping(&self, every: Duration) -> JoinHandle<()> {
        self.start_with(false, 100_000, every)
    }

    fn start_with(&self, is_retrying: bool, calls: u32, sweeps: Duration) -> JoinHandle<()> {
        struct Nobody;
        impl CallWatch for Nobody {
            fn called(&self, _: &'static str, _: &'static str, _: Duration) {}
        }
        let life = self.wire.life();
        let attempts = if is_retrying { 3 } else { 1 };
        let sdk = sdk()
            .clone()
            .into_builder()
            .retry_config(RetryConfig::standard().with_max_attempts(attempts))
            .http_client(self.iam.client(life))
            .build();
        let calls = NonZeroU32::new(calls).expect("not 0");
        let settings = IamSettings {
            calls_per_second: calls,
            burst: calls,
            sweep_calls_per_minute: calls,
        };
        let iam = IamClient::of(&sdk, settings, Arc::new(Nobody));
        let account = Account::of_arn("arn:aws:iam::123456789012:user/controller").expect("an ARN");
        let (_, known) = watch::channel(Some(Ok(account)));
        let accounts = Accounts::new(iam, known, [].into(), 10);
        let all = || Patterns::new(&["*".to_owned()]);
        let settings = ControllerSettings {
            cluster: "cluster".to_owned(),
            role_path: RolePath::default(),
            resync: INTERVAL,
            settle: SETTLE,
            guards: Guards {
                policy_arns: all(),
                boundary: None,
                name_prefix: String::new(),
                adoption_namespaces: all(),
            },
            instance: "test".to_owned(),
            sweeps: SweepSettings {
                interval: sweeps,
                calls_per_minute: 30,
            },
            change_queue: None,
        };
        let client = self.api.client(life);
        let context = Context::new(client.clone(), accounts, settings, Arc::new(Metrics::default()));
        let watched = WatchSettings {
            namespaces: [].into(),
            selector: String::new(),
        };
        let never = futures::future::pending::<()>();
        tokio::spawn(controller::run(client, watched, Arc::new(context), || {}, never))
    }

    /// What is there, apart from ids and times.
    fn end(&self) -> String {
        let mut lines = Vec::new();
        for role in self.iam.fake.roles() {
            lines.push(format!(
                "role {} {} {} {:?} {} {:?} {:?} {:?} {:?}",
                role.name,
                role.path,
                role.trust_policy,
                role.description,
                role.max_session_duration,
                role.permissions_boundary,
                role.attached,
                role.inline,
                role.tags,
            ));
        }
        for name in [NAME, "other"] {
            let mut object = self.api.object(name);
            if object.is_null() {
                continue;
            }
            if let Some(metadata) = object["metadata"].as_object_mut() {
                metadata.remove("resourceVersion");
            }
            let pinned = object["status"]["roleId"].as_str().map(str::to_owned);
            let there = self.iam.fake.role(ROLE).map(|role| role.id);
            if let Some(status) = object["status"].as_object_mut().filter(|_| pinned.is_some()) {
                let is_there = pinned == there;
                status.insert(
                    "roleId".to_owned(),
                    if is_there { "that of the role" } else { "another" }.into(),
                );
            }
            lines.push(format!("object {}", without_times(&object)));
        }
        lines.join("\n")
    }
}

/// An object whose times only say that there is one.
fn without_times(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| {
                let is_time = ["lastTransitionTime", "detectedAt", "repairedAt"].contains(&key.as_str());
                let value = if is_time { "a time".into() } else { without_times(value) };
                (key.clone(), value)
            })
            .collect(),
        Value::Array(items) => items.iter().map(without_times).collect(),
        other => other.clone(),
    }
}

/// What the SDK finds in no environment, once.
fn sdk() -> &'static SdkConfig {
    static SDK: OnceLock<SdkConfig> = OnceLock::new();
    SDK.get_or_init(|| {
        // As in `Iam::from_environment`.
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(Duration::from_secs(10))
            .operation_timeout(Duration::from_secs(30))
            .build();
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .timeout_config(timeouts)
            .credentials_provider(Credentials::new("a", "b", None, None, "test"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(loader.load())
    })
}

/// Runs something under a clock that nobody waits for: where nothing is left to do, it is at once the time of what comes next.
pub(crate) fn timeless<T>(work: impl Future<Output = T>) -> T {
    sdk();
    // The jitter of waits.
    fastrand::seed(7);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.expect("a runtime").block_on(work)
}

/// Brings about what is there before a flow.
pub(crate) fn prepare(flow: &Flow) -> Snapshot {
    timeless(async {
        let world = World::new(None);
        world.iam.fake.put_role(RoleBuilder::new(BYSTANDER));
        (flow.before)(&world);
        let process = world.start(false);
        tokio::time::sleep(SETTLE + INTERVAL).await;
        process.abort();
        Snapshot {
            api: world.api,
            iam: world.iam,
        }
    })
}

/// Runs a flow as a script says.
pub(crate) fn run(flow: &Flow, snapshot: &Snapshot, script: &Script) -> Report {
    timeless(async {
        let world = World::new(Some(snapshot));
        if flow.is_cold {
            world.wire.disturb(script);
            (flow.begin)(&world);
        }
        let mut processes = Processes::start(&world, script.is_retrying);
        if !flow.is_cold {
            // From here on it believes what it sees.
            tokio::time::sleep(SETTLE + Duration::from_secs(10)).await;
            world.wire.disturb(script);
            (flow.begin)(&world);
        }
        let start = world.iam.fake.role(ROLE);
        let is_ended = || world.go_on() && (flow.is_ended)(&world);
        if !processes.until(PATIENCE, is_ended).await {
            world.wire.wrong(format!("not at its end after {PATIENCE:?}"));
        }
        processes.until(AFTERMATH, || false).await;
        let calls = world.wire.calls();
        processes.until(SETTLED, || false).await;
        let settled = world.wire.calls().len();
        processes.until(REST, || false).await;
        for late in world.wire.calls()[settled..].iter().filter(|call| call.is_write) {
            world.wire.wrong(format!("not at rest: {}", late.what));
        }
        if !is_ended() {
            world.wire.wrong("it was at its end, and is no more".to_owned());
        }
        Report {
            calls,
            start,
            moments: world.wire.moments(),
            role: world.iam.fake.role(ROLE),
            end: world.end(),
            events: world.api.events(),
            drifts: world.api.drifts(),
            wrong: world.wire.wrongs(),
        }
    })
}

/// The process that is alive, and those that come after it.
struct Processes<'a> {
    world: &'a World,
    is_retrying: bool,
    alive: (usize, JoinHandle<()>),
}

impl<'a> Processes<'a> {
    fn start(world: &'a World, is_retrying: bool) -> Self {
        Self {
            world,
            is_retrying,
            alive: (world.wire.life(), world.start(is_retrying)),
        }
    }

    /// Lets time go by until something is so, or the time is up. A process that is killed is started again a second later.
    async fn until(&mut self, time: Duration, is_so: impl Fn() -> bool) -> bool {
        let wire = &self.world.wire;
        let until = Instant::now() + time;
        loop {
            if wire.life() != self.alive.0 {
                self.alive.1.abort();
                tokio::time::sleep(Duration::from_secs(1)).await;
                self.alive = (wire.life(), self.world.start(self.is_retrying));
            }
            if self.alive.1.is_finished() {
                wire.wrong("the process ended".to_owned());
                return false;
            }
            if is_so() {
                return true;
            }
            // Nothing becomes so but by a call.
            if tokio::time::timeout_at(until, wire.called.notified()).await.is_err() {
                return false;
            }
        }
    }
}

impl Drop for Processes<'_> {
    fn drop(&mut self) {
        self.alive.1.abort();
    }
}
