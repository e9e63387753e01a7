//! The cluster and the objects in it, for the commands that only read.

use std::{future::Future, time::Duration};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, Config, ResourceExt, api::ListParams};

use crate::{api::v1alpha1::PinpointImportRole, role::Owner};

/// Longest wait for the API server.
const API_CALL: Duration = Duration::from_secs(15);
/// Objects of a page.
const PAGE: u32 = 500;

/// A client for `KUBECONFIG` or the pod's service account. Retries are ours to make: the client's would hold us for minutes.
pub(super) async fn client() -> Result<Client, String> {
    let mut config = Config::infer()
        .await
        .map_err(|error| format!("no cluster to talk to: {error}; set KUBECONFIG, or run in a pod"))?;
    config.default_retry = false;
    Client::try_from(config).map_err(|error| format!("the cluster's configuration can't be used: {error}"))
}

/// The cluster that the objects are in.
pub(super) struct Cluster {
    /// Its identity in the ownership tags.
    pub id: String,
    /// All objects of ours.
    pub objects: Vec<PinpointImportRole>,
}

impl Cluster {
    /// Reads it. `id` is its identity where that is not the uid of `kube-system`.
    pub async fn read(id: Option<&str>) -> Result<Self, String> {
        let client = client().await?;
        let id = if let Some(id) = id {
            id.to_owned()
        } else {
            let namespaces: Api<Namespace> = Api::all(client.clone());
            let what = "reading the namespace kube-system, whose uid is the cluster's identity";
            bounded(what, namespaces.get("kube-system"))
                .await?
                .uid()
                .unwrap_or_default()
        };
        let api: Api<PinpointImportRole> = Api::all(client);
        let mut objects = Vec::new();
        let mut page = ListParams::default().limit(PAGE);
        loop {
            let found = bounded(
                "listing the PinpointImportRoles (is the CRD applied, and may you list them?)",
                api.list(&page),
            )
            .await?;
            objects.extend(found.items);
            match found.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => return Ok(Self { id, objects }),
            }
        }
    }

    /// An object by its names.
    pub fn object(&self, namespace: &str, name: &str) -> Option<&PinpointImportRole> {
        self.objects
            .iter()
            .find(|object| object.namespace().as_deref() == Some(namespace) && object.name_any() == name)
    }

    /// Whether an owner that a role's tags name is there.
    pub fn lives(&self, owner: &Owner) -> bool {
        let named = self.object(&owner.namespace, &owner.name);
        named.is_some_and(|object| owner.uid.is_empty() || object.uid().as_deref() == Some(&owner.uid))
    }

    /// The object whose status has pinned this `RoleId`.
    pub fn pinning(&self, role_id: &str) -> Option<&PinpointImportRole> {
        self.objects.iter().find(|object| {
            let status = object.status.as_ref();
            status.is_some_and(|status| status.role_id.as_deref() == Some(role_id))
        })
    }
}

async fn bounded<T>(what: &str, call: impl Future<Output = kube::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(API_CALL, call).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(why)) => Err(format!("{what} failed: {why}")),
        Err(_) => Err(format!("{what} failed: the API server does not answer")),
    }
}
