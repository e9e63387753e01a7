//! What a test of this binary works with: one control plane for all, and for each test a namespace, an IAM and a controller.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, LazyLock, Mutex},
    time::{Duration, Instant},
};

use futures::StreamExt;
use kube::api::WatchEvent;
use serde_json::{Value, json};
use test_support::{
    control_plane::ControlPlane,
    guarded::Guarded,
    iam::{Call, Config, FakeIam, RoleState},
    proxy::Proxy,
};

/// How long a condition may take to come true. Nothing should come near it but on a machine that is very busy.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// How long the controller takes IAM for late, in tests.
pub const SETTLE: Duration = Duration::from_secs(1);

/// How long it takes IAM for late by default.
pub const DEFAULT_SETTLE: Duration = Duration::from_mins(1);

/// Namespace and service account of the controller, as `deploy` has them.
pub const SYSTEM: &str = "pinpoint-import-system";
/// See [`SYSTEM`].
pub const ACCOUNT: &str = "pinpoint-import-role-controller";

static PLANE: LazyLock<ControlPlane> = LazyLock::new(|| {
    let plane = ControlPlane::start().expect("the control plane starts");
    install(&plane);
    plane
});

/// A token of the controller's service account on the shared control plane.
static TOKEN: LazyLock<String> = LazyLock::new(|| token(&PLANE));

/// Applies what users apply.
pub fn install(plane: &ControlPlane) {
    let deploy = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");
    plane
        .run(&["apply", "--server-side", "-k", deploy])
        .expect("the manifests are accepted");
    let crd = "crd/pinpointimportroles.pinpoint-import.dev";
    plane
        .run(&["wait", "--for=condition=Established", crd])
        .expect("the CRD is served");
}

fn token(plane: &ControlPlane) -> String {
    let token = plane.run(&["create", "token", ACCOUNT, "-n", SYSTEM]);
    token.expect("a token").trim().to_owned()
}

/// A kubeconfig that differs from another one in some lines.
fn derived(from: &Path, to: &Path, change: impl Fn(&str) -> String) {
    let text = fs::read_to_string(from).expect("a kubeconfig");
    let lines: Vec<String> = text.lines().map(change).collect();
    fs::write(to, lines.join("\n")).expect("a kubeconfig");
}

static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().expect("a runtime"));

async fn reader(kubeconfig: &Path) -> Result<kube::Client, Box<dyn std::error::Error>> {
    let kubeconfig = kube::config::Kubeconfig::read_from(kubeconfig)?;
    let mut config =
        kube::Config::from_custom_kubeconfig(kubeconfig, &kube::config::KubeConfigOptions::default()).await?;
    config.default_retry = false;
    Ok(kube::Client::try_from(config)?)
}

/// The versions of a namespace's objects, one for each write.
type Versions = Arc<Mutex<Vec<Value>>>;

/// Notes every version of a namespace's objects from now on. The API server forgets them too soon to be asked at the end.
fn record(reader: &kube::Client, namespace: &str) -> Versions {
    let versions = Versions::default();
    let path = format!("/apis/pinpoint-import.dev/v1alpha1/namespaces/{namespace}/pinpointimportroles?watch=true");
    let start = Instant::now();
    let events = loop {
        let request = http::Request::get(&path).body(Vec::new()).expect("a path");
        let reader = reader.clone();
        match RUNTIME.block_on(async move { reader.request_events::<Value>(request).await }) {
            Ok(events) => break events,
            // It is asked so soon after its start that its cache is not filled yet.
            Err(_) if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(50)),
            Err(error) => panic!("no watch: {error}"),
        }
    };
    let mut events = Box::pin(events);
    let noted = Arc::clone(&versions);
    RUNTIME.spawn(async move {
        while let Some(Ok(event)) = events.next().await {
            if let WatchEvent::Added(object) | WatchEvent::Modified(object) | WatchEvent::Deleted(object) = event {
                noted.lock().expect("no panic before").push(object);
            }
        }
    });
    versions
}

/// The control plane that all tests share.
pub fn plane() -> &'static ControlPlane {
    &PLANE
}

/// The world of one test.
pub struct World {
    /// The namespace, which no other test uses.
    pub namespace: String,
    /// The account.
    pub iam: FakeIam,
    /// The controller, unless the test has ended it.
    pub controller: Option<Guarded>,
    own_plane: Option<ControlPlane>,
    // Objects are read many times while a test waits; a kubectl for each would keep the machine busy.
    reader: kube::Client,
    // None on a control plane of its own, which may not have the CRD yet.
    versions: Option<Versions>,
    folder: tempfile::TempDir,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

impl World {
    /// A world whose controller runs.
    pub fn new(name: &str) -> Self {
        Self::with(name, &[], &[])
    }

    /// A world whose controller runs with further arguments and environment.
    pub fn with(name: &str, args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut world = Self::without_controller(name);
        world.args = args.iter().map(ToString::to_string).collect();
        world.env = env
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect();
        world.start();
        world
    }

    /// A world with a role in place whose creation is no longer fresh, so that what is seen is taken for what is.
    pub fn in_place(name: &str, spec: &Value) -> Self {
        let world = Self::new(name);
        world.apply("segments", spec).unwrap();
        world.wait_reconciled("segments");
        World::pass_settle_time();
        world.iam.clear_calls();
        world
    }

    /// Waits out the time in which what contradicts a write of the controller counts as IAM being late.
    pub fn pass_settle_time() {
        std::thread::sleep(SETTLE);
    }

    /// A world whose controller takes IAM for late as long as it does by default.
    pub fn at_default_settle_time(name: &str, args: &[&str]) -> Self {
        Self::with(name, args, &[("PIR_IAM_SETTLE_TIME", "")])
    }

    /// Waits until nothing that a controller of [`Self::at_default_settle_time`] wrote until now can count as late.
    pub fn pass_default_settle_time() {
        std::thread::sleep(DEFAULT_SETTLE);
    }

    /// A world whose account lies in another partition.
    pub fn in_partition(name: &str, partition: &str, region: &str) -> Self {
        let mut world = Self::without_controller(name);
        world.iam = FakeIam::start_with(Config {
            partition: partition.to_owned(),
            ..Config::default()
        });
        world.env = vec![("AWS_REGION".to_owned(), region.to_owned())];
        world.start();
        world
    }

    /// A world in which no controller runs yet.
    pub fn without_controller(name: &str) -> Self {
        Self::on(None, name)
    }

    /// A world on a control plane of its own, without the CRD and the controller.
    pub fn on_own_plane(name: &str) -> Self {
        Self::on(Some(ControlPlane::start().expect("a control plane")), name)
    }

    fn on(own_plane: Option<ControlPlane>, name: &str) -> Self {
        let namespace = format!("t-{name}");
        own_plane
            .as_ref()
            .unwrap_or(&PLANE)
            .run(&["create", "namespace", &namespace])
            .expect("a namespace");
        let kubeconfig = own_plane.as_ref().unwrap_or(&PLANE).kubeconfig();
        let reader = RUNTIME
            .block_on(reader(&kubeconfig))
            .expect("a client for the API server");
        let world = Self {
            iam: FakeIam::start(),
            controller: None,
            versions: own_plane.is_none().then(|| record(&reader, &namespace)),
            namespace,
            reader,
            own_plane,
            folder: tempfile::tempdir().expect("a folder"),
            args: Vec::new(),
            env: Vec::new(),
        };
        if world.own_plane.is_none() {
            world.limit_rights();
        } else {
            derived(&kubeconfig, &world.kubeconfig(), str::to_owned);
        }
        world
    }

    /// A folder of its own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Further arguments of the controller.
    pub fn add_args(&mut self, args: &[&str]) {
        self.args.extend(args.iter().map(ToString::to_string));
    }

    /// Environment of the controller.
    pub fn add_env(&mut self, key: &str, value: &str) {
        self.env.push((key.to_owned(), value.to_owned()));
    }

    /// Has the controller act as its own service account, with just the rights that `deploy` gives it. On the shared control plane it
    /// always does.
    pub fn limit_rights(&self) {
        let own = self.own_plane.as_ref().map(token);
        let token = own.as_ref().unwrap_or(&TOKEN);
        derived(&self.plane().kubeconfig(), &self.kubeconfig(), |line| {
            match line.split_once("token: ") {
                Some((before, _)) => format!("{before}token: {token}"),
                None => line.to_owned(),
            }
        });
    }

    /// Gives the controller, in the world's own namespace, the rights on leases that `deploy` gives it in its own.
    pub fn lend_lease(&mut self) {
        let role = self
            .plane()
            .run(&["get", "role", ACCOUNT, "-n", SYSTEM, "-o", "json"])
            .expect("the role");
        let mut role: Value = serde_json::from_str(&role).expect("JSON");
        role["metadata"] = json!({"name": "lease", "namespace": self.namespace});
        self.plane().apply(&role.to_string()).expect("a role");
        let account = format!("--serviceaccount={SYSTEM}:{ACCOUNT}");
        self.kubectl(&["create", "rolebinding", "lease", "--role=lease", &account])
            .expect("a binding");
        let namespace = self.namespace.clone();
        self.add_args(&["--leader-election", "--leader-election-namespace", &namespace]);
    }

    /// Has the controller act as somebody who may read objects of the world's own namespace alone, and nothing of `kube-system`: it needs
    /// `--cluster-id`. He is of the break-glass group, since the shipped admission policy keeps statuses for the shipped account.
    pub fn limit_to_namespace(&mut self) {
        let rules = self
            .plane()
            .run(&["get", "clusterrole", ACCOUNT, "-o", "json"])
            .expect("the role");
        let mut role: Value = serde_json::from_str(&rules).expect("JSON");
        role["kind"] = json!("Role");
        role["metadata"] = json!({"name": "limited", "namespace": self.namespace});
        self.plane().apply(&role.to_string()).expect("a role");
        self.kubectl(&["create", "rolebinding", "limited", "--role=limited", "--user=limited"])
            .expect("a binding");
        let path = self.folder.path().join("kubeconfig-limited");
        derived(&self.plane().kubeconfig(), &path, |line| {
            match line.split_once("token: ") {
                Some((before, _)) => {
                    format!("{line}\n{before}as: limited\n{before}as-groups: ['pinpoint-import.dev:break-glass']")
                }
                None => line.to_owned(),
            }
        });
        self.add_env("KUBECONFIG", path.to_str().expect("UTF-8"));
    }

    /// Has the controller reach the API server through a proxy.
    pub fn reach_through(&mut self, proxy: &Proxy) {
        let (direct, through) = (self.plane().api_port().to_string(), proxy.port().to_string());
        let path = self.folder.path().join("kubeconfig-through-proxy");
        derived(&self.kubeconfig(), &path, |line| {
            line.replace(&format!(":{direct}"), &format!(":{through}"))
        });
        self.add_env("KUBECONFIG", path.to_str().expect("UTF-8"));
    }

    /// The controller's kubeconfig.
    fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Starts the controller, as it was started before.
    pub fn start(&mut self) {
        self.controller = Some(self.spawn("controller", &[]));
    }

    /// Starts another replica beside it, by a name of its own.
    pub fn another(&self, name: &str) -> Guarded {
        self.spawn(
            name,
            &[
                ("HOSTNAME", name),
                ("KUBECONFIG", &self.kubeconfig().display().to_string()),
            ],
        )
    }

    /// Starts a replica by a name of its own, which reaches the API server as the world's controller does.
    pub fn another_through(&self, name: &str) -> Guarded {
        self.spawn(name, &[("HOSTNAME", name)])
    }

    fn spawn(&self, log: &str, env: &[(&str, &str)]) -> Guarded {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinpoint-import-role-controller"));
        command
            .env_clear()
            .arg("run")
            .args(["--namespaces", &self.namespace])
            .env("PIR_IAM_SETTLE_TIME", format!("{}s", SETTLE.as_secs()))
            .args(["--health-address", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0"])
            .env("PIR_ALLOWED_POLICY_ARNS", "*")
            .args(&self.args)
            .env("KUBECONFIG", self.kubeconfig())
            .env("AWS_ENDPOINT_URL_IAM", self.iam.endpoint())
            .env("AWS_ENDPOINT_URL_STS", self.iam.endpoint())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_REGION", "us-east-1")
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .envs(env.iter().copied());
        for (key, _) in self.env.iter().filter(|(_, value)| value.is_empty()) {
            command.env_remove(key);
        }
        Guarded::start(&mut command, &self.log_path(log), None).expect("the controller starts")
    }

    /// The control plane that the world is on.
    pub fn plane(&self) -> &ControlPlane {
        self.own_plane.as_ref().unwrap_or(&PLANE)
    }

    /// The control plane, where it is the world's own.
    pub fn own_plane(&mut self) -> &mut ControlPlane {
        self.own_plane.as_mut().expect("a control plane of its own")
    }

    /// Kills the controller as `kill -9` does, and starts it again.
    pub fn kill_and_restart(&mut self) {
        self.kill();
        self.start();
    }

    /// Kills the controller as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut controller) = self.controller.take() {
            controller.kill_9().expect("the controller is killed");
        }
    }

    fn log_path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name).with_extension("log")
    }

    /// What the controller logged.
    pub fn log(&self) -> String {
        self.log_of("controller")
    }

    /// What a replica logged.
    pub fn log_of(&self, name: &str) -> String {
        fs::read_to_string(self.log_path(name)).unwrap_or_default()
    }

    /// `kubectl -n <namespace> …`
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        self.plane().run(&[&["-n", &self.namespace], arguments].concat())
    }

    /// Applies an object with this spec.
    pub fn apply(&self, name: &str, spec: &Value) -> Result<String, String> {
        let object = json!({
            "apiVersion": "pinpoint-import.dev/v1alpha1",
            "kind": "PinpointImportRole",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": spec,
        });
        self.plane().apply(&object.to_string())
    }

    /// Changes an object's spec by a merge patch.
    pub fn patch(&self, name: &str, spec: &Value) {
        self.kubectl(&[
            "patch",
            "pir",
            name,
            "--type=merge",
            "-p",
            &json!({"spec": spec}).to_string(),
        ])
        .expect("the patch is accepted");
    }

    /// Takes an object's finalizers off, as somebody of the break-glass group does by hand.
    pub fn take_finalizer_off(&self, name: &str) {
        let patch = r#"{"metadata":{"finalizers":null}}"#;
        let glass = [
            "--as=somebody",
            "--as-group=system:masters",
            "--as-group=pinpoint-import.dev:break-glass",
        ];
        self.kubectl(&[&["patch", "pir", name, "--type=merge", "-p", patch], &glass[..]].concat())
            .expect("the patch is accepted");
    }

    /// Asks for a look at the role now, and waits until it was taken.
    pub fn look(&self, name: &str) {
        let value = format!("{:?}", Instant::now());
        let annotation = format!("pinpoint-import.dev/reconcile-requested-at={value}");
        self.kubectl(&["annotate", "pir", name, "--overwrite", &annotation])
            .expect("the annotation is set");
        self.wait("the look is taken", || {
            (self.status(name)["lastHandledReconcileAt"] == value.as_str()).then_some(())
        });
    }

    /// Has the controller take so many further passes over an object that is there, however they end; where no other object is, they are
    /// this one's.
    pub fn looks(&self, name: &str, count: usize) {
        for _ in 0..count {
            let before = self.passes();
            self.look_or_gone(name);
            self.wait("a further pass", || {
                assert!(!self.object(name).is_null(), "{name} is gone\n{}", self.log());
                (self.passes() > before).then_some(())
            });
        }
    }

    /// How many passes have ended since the controller began.
    pub fn passes(&self) -> u64 {
        let (_, text) = self.metrics().unwrap_or_default();
        text.lines()
            .filter(|line| line.starts_with("pir_passes_total{"))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum()
    }

    /// Has the controller begin so many further looks at the role of each of these objects, whether they end well or not.
    pub fn looks_at_each(&self, names: &[&str], count: usize) {
        for _ in 0..count {
            let before: Vec<usize> = names.iter().map(|name| self.calls_on(name, "GetRole")).collect();
            for name in names {
                self.look_or_gone(name);
            }
            for (name, before) in names.iter().zip(before) {
                self.wait(&format!("a further look at {name}"), || {
                    (self.calls_on(name, "GetRole") > before).then_some(())
                });
            }
        }
    }

    /// How often an action was called on the role of an object that declares no name, with whatever result.
    pub fn calls_on(&self, name: &str, action: &str) -> usize {
        let role = self.role_name(name);
        self.calls()
            .iter()
            .filter(|call| call.action == action && call.role() == Some(&role))
            .count()
    }

    /// Asks for a look at the role of an object that may go by it.
    pub fn look_or_gone(&self, name: &str) {
        let annotation = format!("pinpoint-import.dev/reconcile-requested-at={:?}", Instant::now());
        // An error is that it is gone already.
        let _ = self.kubectl(&["annotate", "pir", name, "--overwrite", &annotation]);
    }

    /// The object; null if there is none, a text if the API server does not say.
    pub fn object(&self, name: &str) -> Value {
        let path = format!(
            "/apis/pinpoint-import.dev/v1alpha1/namespaces/{}/pinpointimportroles/{name}",
            self.namespace
        );
        match self.read(&path) {
            Ok(object) => object,
            Err(kube::Error::Api(status)) if status.is_not_found() => Value::Null,
            Err(error) => Value::String(error.to_string()),
        }
    }

    /// Creates objects as `kubectl apply` does, under strict validation and without keeping them. The object as it would be kept, or why
    /// it is refused.
    pub fn dry_run(&self, objects: &[Value]) -> Vec<Result<Value, kube::core::Status>> {
        let path = format!(
            "/apis/pinpoint-import.dev/v1alpha1/namespaces/{}/pinpointimportroles?dryRun=All&fieldValidation=Strict",
            self.namespace
        );
        let create = |object: &Value| {
            let request = http::Request::post(&path).header("content-type", "application/json");
            self.reader
                .request(request.body(object.to_string().into_bytes()).expect("a path"))
        };
        RUNTIME.block_on(async {
            let mut answers = Vec::new();
            for object in objects {
                answers.push(match create(object).await {
                    Ok(kept) => Ok(kept),
                    Err(kube::Error::Api(status)) => Err(*status),
                    Err(error) => panic!("the API server does not answer: {error}"),
                });
            }
            answers
        })
    }

    fn read(&self, path: &str) -> kube::Result<Value> {
        let request = http::Request::get(path).body(Vec::new()).expect("a path");
        RUNTIME.block_on(async {
            let answer = tokio::time::timeout(Duration::from_secs(10), self.reader.request(request)).await;
            answer.unwrap_or_else(|_| Err(kube::Error::Service("the API server does not answer".into())))
        })
    }

    /// The object's status.
    pub fn status(&self, name: &str) -> Value {
        self.object(name)["status"].take()
    }

    /// Status, reason and message of a condition; none where it is not there.
    pub fn condition(&self, name: &str, type_: &str) -> Option<(String, String, String)> {
        condition(&self.status(name), type_)
    }

    /// Waits until `Ready` has a status and a reason for the object's generation, and returns the message.
    pub fn wait_ready(&self, name: &str, status: &str, reason: &str) -> String {
        self.wait(&format!("{name} Ready={status} {reason}"), || {
            let object = self.object(name);
            let current = object["status"]["observedGeneration"] == object["metadata"]["generation"];
            let ready = condition(&object["status"], "Ready").filter(|(s, r, _)| s == status && r == reason);
            ready.filter(|_| current).map(|(_, _, message)| message)
        })
    }

    /// Whether something comes true by then; seen once at least.
    pub fn by(until: Instant, mut there: impl FnMut() -> bool) -> bool {
        while !there() {
            if Instant::now() > until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        true
    }

    /// Waits until the role is as declared.
    pub fn wait_reconciled(&self, name: &str) {
        self.wait_ready(name, "True", "Reconciled");
    }

    /// Waits until the object is gone.
    pub fn wait_gone(&self, name: &str) {
        self.wait(&format!("{name} is gone"), || self.object(name).is_null().then_some(()));
    }

    /// Waits until there is something. Fails with the log after [`PATIENCE`].
    pub fn wait<T>(&self, what: &str, mut there: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = there() {
                return found;
            }
            if start.elapsed() > PATIENCE {
                let objects = self
                    .kubectl(&["get", "pir", "-o", "yaml"])
                    .unwrap_or_else(|error| error);
                panic!("waited in vain: {what}\n{objects}\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Name of the role of an object that declares none.
    pub fn role_name(&self, name: &str) -> String {
        format!("{}.{name}", self.namespace)
    }

    /// The role of an object that declares no name.
    pub fn role(&self, name: &str) -> Option<RoleState> {
        self.iam.role(&self.role_name(name))
    }

    /// Calls to IAM, without those to STS.
    pub fn calls(&self) -> Vec<Call> {
        self.iam
            .calls()
            .into_iter()
            .filter(|call| call.action != "GetCallerIdentity")
            .collect()
    }

    /// Actions called, without those to STS.
    pub fn actions(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.action).collect()
    }

    /// Actions that write.
    pub fn writes(&self) -> Vec<String> {
        self.iam.writes().into_iter().map(|call| call.action).collect()
    }

    /// Reasons and notes of the events of an object, oldest first.
    pub fn events(&self, name: &str) -> Vec<(String, String)> {
        let path = format!("/apis/events.k8s.io/v1/namespaces/{}/events", self.namespace);
        let list = self.read(&path).expect("events");
        let mut events: Vec<(String, String, String)> = list["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|event| event["regarding"]["name"] == name)
            .map(|event| {
                let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
                (text("eventTime"), text("reason"), text("note"))
            })
            .collect();
        events.sort();
        events.into_iter().map(|(_, reason, note)| (reason, note)).collect()
    }

    /// The notes of all events of an object that have a reason.
    pub fn told(&self, name: &str, reason: &str) -> Vec<String> {
        let events = self.events(name).into_iter();
        events
            .filter(|(found, _)| found == reason)
            .map(|(_, note)| note)
            .collect()
    }

    /// Waits for an event and returns its note.
    pub fn wait_event(&self, name: &str, reason: &str) -> String {
        self.wait(&format!("event {reason} of {name}"), || {
            self.events(name)
                .into_iter()
                .find(|(found, _)| found == reason)
                .map(|(_, note)| note)
        })
    }

    /// Calls an action of IAM by other hands than the controller's.
    pub fn call_iam(&self, action: &str, params: &[(&str, &str)]) -> String {
        let answer = self.try_iam(action, params);
        assert!(answer.starts_with("HTTP/1.1 200"), "{action}: {answer}");
        answer
    }

    /// Calls an action of IAM by other hands than the controller's, and returns the answer, whatever it is.
    pub fn try_iam(&self, action: &str, params: &[(&str, &str)]) -> String {
        let params: String = params.iter().flat_map(|(key, value)| ["&", key, "=", value]).collect();
        let body = format!("Action={action}&Version=2010-05-08{params}");
        let address = self.iam.endpoint().replace("http://", "");
        let mut stream = TcpStream::connect(&address).expect("the fake listens");
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             X-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=other/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("the request is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    /// Asks a health endpoint. The answer's status and text; none while nobody listens.
    pub fn health(&self, path: &str) -> Option<(u16, String)> {
        self.get("health endpoints", path)
    }

    /// Asks for the metrics.
    pub fn metrics(&self) -> Option<(u16, String)> {
        self.get("metrics on", "/metrics")
    }

    /// Asks a server of the controller, whose port the log tells in a line with these words.
    fn get(&self, words: &str, path: &str) -> Option<(u16, String)> {
        let log = self.log();
        let port = log.lines().rfind(|line| line.contains(words))?.rsplit(':').next()?;
        let mut stream = TcpStream::connect(("127.0.0.1", port.trim().parse().ok()?)).ok()?;
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())
            .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned()))
    }

    /// Waits until the controller says that it is ready.
    pub fn wait_healthy(&self) {
        self.wait("/readyz", || {
            self.health("/readyz").filter(|(status, _)| *status == 200)
        });
    }

    /// All versions of an object since the world began: the first, and one for each write.
    pub fn versions_of(&self, name: &str) -> Vec<Value> {
        let versions = self.versions.as_ref().expect("the shared control plane");
        let seen = || -> Vec<Value> {
            let all = versions.lock().expect("no panic before");
            let of_name = all.iter().filter(|object| object["metadata"]["name"] == name);
            of_name.cloned().collect()
        };
        let last = self.version(name);
        self.wait("the watch to have shown the last version", || {
            let seen = seen();
            let shown = |object: &Value| object["metadata"]["resourceVersion"] == last.as_str();
            (last.is_empty() || seen.iter().any(shown)).then_some(seen)
        })
    }

    /// The statuses that an object has had, in order, the last answered request for a look left out: what was written to tell something.
    pub fn statuses_of(&self, name: &str) -> Vec<Value> {
        let mut statuses: Vec<Value> = self
            .versions_of(name)
            .into_iter()
            .map(|mut version| version["status"].take())
            .filter(Value::is_object)
            .map(|mut status| {
                status["lastHandledReconcileAt"].take();
                status
            })
            .collect();
        statuses.dedup();
        statuses
    }

    /// The reasons that `Ready` has had, in order.
    pub fn reasons_of(&self, name: &str) -> Vec<String> {
        let statuses = self.statuses_of(name);
        let ready = statuses.iter().filter_map(|status| condition(status, "Ready"));
        let mut reasons: Vec<String> = ready.map(|(_, reason, _)| reason).collect();
        reasons.dedup();
        reasons
    }

    /// The object's uid.
    pub fn uid(&self, name: &str) -> String {
        self.object(name)["metadata"]["uid"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The cluster's identity.
    pub fn cluster(&self) -> String {
        let jsonpath = ["-o", "jsonpath={.metadata.uid}"];
        self.plane()
            .run(&[&["get", "namespace", "kube-system"][..], &jsonpath].concat())
            .expect("the namespace")
    }

    /// The object's resource version, which every write to it changes.
    pub fn version(&self, name: &str) -> String {
        self.object(name)["metadata"]["resourceVersion"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

fn condition(status: &Value, type_: &str) -> Option<(String, String, String)> {
    let condition = status["conditions"]
        .as_array()?
        .iter()
        .find(|condition| condition["type"] == type_)?;
    let text = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
    Some((text("status"), text("reason"), text("message")))
}

/// Attached by the guide.
pub const S3_READ_ONLY: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
/// What an intruder would attach.
pub const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
/// The guide's trust policy.
pub const GUIDE_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"AllowUserToImportEndpointDefinitions","Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
/// The guide's trust policy, widened to another account.
pub const WIDE_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com","AWS":"999999999999"},"Action":"sts:AssumeRole"}]}"#;
