//! A control plane with many objects, and what the API server counted.

use std::{process::Command, time::Duration};

use futures::{TryStreamExt, stream};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, PostParams},
};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::{control_plane::ControlPlane, iam::FakeIam, product};

/// Time of each IAM call, as in the measurements of the best-known peer.
pub(super) const LATENCY: Duration = Duration::from_millis(20);
/// Objects that are made at once.
const AT_ONCE: usize = 16;

/// A control plane with the CRD.
pub(super) struct World {
    pub(super) plane: ControlPlane,
    client: Client,
    runtime: Runtime,
}

impl World {
    pub(super) fn start() -> Result<Self, String> {
        let plane = ControlPlane::start()?;
        plane.install(&["-f", "crds/pinpointimportroles.yaml"])?;
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        let client = runtime.block_on(client(&plane))?;
        Ok(Self { plane, client, runtime })
    }

    /// IAM, for so many roles.
    pub(super) fn iam(roles: usize) -> FakeIam {
        let iam = FakeIam::start();
        iam.set_latency(LATENCY);
        iam.set_quotas(|quotas| quotas.roles = roles + 100);
        // As many as the controller asks for: IAM gives up to 1,000.
        iam.set_page_size(1000);
        iam
    }

    /// The controller of a namespace, with default settings. Its credentials are of this name.
    pub(super) fn controller(&self, iam: &FakeIam, namespace: &str) -> Result<Command, String> {
        let binary = product::beside_this_binary()?;
        let mut run = product::controller(&binary, &self.plane.kubeconfig(), &iam.endpoint(), "bench");
        run.args(["--namespaces", namespace]);
        Ok(run)
    }

    /// Makes a namespace and so many objects in it, `r0`, `r1`, …; their roles are `NAMESPACE.r0`, ….
    pub(super) fn fill(&self, namespace: &str, count: usize) -> Result<(), String> {
        self.plane.run(&["create", "namespace", namespace])?;
        let make = stream::iter((0..count).map(Ok)).try_for_each_concurrent(AT_ONCE, |n| self.make(namespace, n));
        self.runtime.block_on(make)
    }

    /// Makes one more.
    pub(super) fn create(&self, namespace: &str, number: usize) -> Result<(), String> {
        self.runtime.block_on(self.make(namespace, number))
    }

    async fn make(&self, namespace: &str, number: usize) -> Result<(), String> {
        let object = DynamicObject::new(&format!("r{number}"), &kind()).data(json!({ "spec": {} }));
        let made = self.api(namespace).create(&PostParams::default(), &object).await;
        made.map(drop)
            .map_err(|error| format!("making object r{number}: {error}"))
    }

    /// How many objects of a namespace are `Ready`.
    pub(super) fn ready(&self, namespace: &str) -> Result<usize, String> {
        let all = self.runtime.block_on(self.api(namespace).list(&<_>::default()));
        let all = all.map_err(|error| format!("listing the objects: {error}"))?;
        Ok(all.iter().filter(|object| is_ready(object)).count())
    }

    /// Whether an object is `Ready`.
    pub(super) fn is_ready(&self, namespace: &str, number: usize) -> bool {
        let object = self.runtime.block_on(self.api(namespace).get(&format!("r{number}")));
        object.is_ok_and(|object| is_ready(&object))
    }

    /// What the API server was asked so far about the objects and their events, watches aside.
    pub(super) fn requests(&self) -> Result<Requests, String> {
        let metrics = self.plane.run(&["get", "--raw", "/metrics"])?;
        let mut requests = Requests::default();
        for line in metrics
            .lines()
            .filter(|line| line.starts_with("apiserver_request_total{"))
        {
            let label = |name: &str| line.split_once(&format!(",{name}=\""))?.1.split('"').next();
            let count = line.rsplit(' ').next().and_then(|count| count.parse::<usize>().ok());
            let count = count.unwrap_or_default();
            match (label("resource"), label("verb")) {
                (Some("pinpointimportroles"), Some("GET")) => requests.reads += count,
                (Some("pinpointimportroles"), Some("WATCH" | "LIST")) => {}
                (Some("pinpointimportroles"), Some("POST")) => requests.made += count,
                (Some("pinpointimportroles" | "events"), Some(_)) => requests.writes += count,
                _ => {}
            }
        }
        Ok(requests)
    }

    fn api(&self, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &kind())
    }
}

/// Requests to the API server, counted since its start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Requests {
    /// Objects read one by one.
    pub(super) reads: usize,
    /// Objects made, which is not the controller's work.
    pub(super) made: usize,
    /// Writes of objects, and of events.
    pub(super) writes: usize,
}

fn kind() -> ApiResource {
    let kind = GroupVersionKind::gvk("pinpoint-import.dev", "v1alpha1", "PinpointImportRole");
    ApiResource::from_gvk_with_plural(&kind, "pinpointimportroles")
}

fn is_ready(object: &DynamicObject) -> bool {
    let conditions = object.data["status"]["conditions"].as_array();
    let mut conditions = conditions.map(Vec::as_slice).unwrap_or_default().iter();
    conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

async fn client(plane: &ControlPlane) -> Result<Client, String> {
    Client::try_from(plane.config().await?).map_err(|error| error.to_string())
}
