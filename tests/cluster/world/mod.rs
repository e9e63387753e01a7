//! What a test of this binary works with: one control plane for all, and for each test a namespace, an IAM and a controller.

mod account;
mod controller;
mod history;
mod objects;
mod rights;
mod waiting;

use std::{path::Path, sync::LazyLock, time::Duration};

use serde_json::Value;
use test_support::{
    control_plane::ControlPlane,
    guarded::Guarded,
    iam::{Config, FakeIam},
};

pub use self::{
    account::{ADMIN, BOUNDARY, GUIDE_TRUST, OTHER, S3_READ_ONLY, Tamper, WIDE_TRUST, widen},
    objects::LOOK,
    rights::{ACCOUNT, SYSTEM},
};
use self::{
    history::{Versions, record},
    rights::derived,
};

/// How long a condition may take to come true. Nothing should come near it but on a machine that is very busy.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// "Seconds, not the settle time", with room for a machine that is busy.
pub const PROMPTLY: Duration = Duration::from_secs(30);
/// So many times does a fault last as long as its test.
pub const ALWAYS: usize = usize::MAX;
/// How long the controller takes IAM for late, in tests.
pub const SETTLE: Duration = Duration::from_secs(1);

/// How long it takes IAM for late by default.
pub const DEFAULT_SETTLE: Duration = Duration::from_mins(1);

static PLANE: LazyLock<ControlPlane> = LazyLock::new(|| {
    let plane = ControlPlane::start().expect("the control plane starts");
    install(&plane);
    plane
});

static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().expect("a runtime"));

/// Applies what users apply.
pub fn install(plane: &ControlPlane) {
    let deploy = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");
    plane
        .install(&["--server-side", "-k", deploy])
        .expect("the manifests are accepted, and the CRD is served");
}

async fn client(plane: &ControlPlane) -> Result<kube::Client, Box<dyn std::error::Error>> {
    let mut config = plane.config().await?;
    config.default_retry = false;
    Ok(kube::Client::try_from(config)?)
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
    // Objects are written and read many times; a kubectl for each would keep the machine busy.
    client: kube::Client,
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
        let plane = own_plane.as_ref().unwrap_or(&PLANE);
        let kubeconfig = plane.kubeconfig();
        let client = RUNTIME.block_on(client(plane)).expect("a client for the API server");
        let mut world = Self {
            iam: FakeIam::start(),
            controller: None,
            versions: None,
            namespace,
            client,
            own_plane,
            folder: tempfile::tempdir().expect("a folder"),
            args: Vec::new(),
            env: Vec::new(),
        };
        world.create_namespace();
        if world.own_plane.is_none() {
            world.versions = Some(record(&world.client, &world.namespace));
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

    /// The control plane that the world is on.
    pub fn plane(&self) -> &ControlPlane {
        self.own_plane.as_ref().unwrap_or(&PLANE)
    }

    /// The control plane, where it is the world's own.
    pub fn own_plane(&mut self) -> &mut ControlPlane {
        self.own_plane.as_mut().expect("a control plane of its own")
    }
}
