//! The cluster and the objects in it, for the commands that only read.

use kube::{Api, ResourceExt, api::ListParams};

use crate::{
    api::v1alpha1::PinpointImportRole,
    cluster::{self, bounded},
    role::Owner,
};

/// Objects of a page: kubectl's own `--chunk-size`.
const PAGE: u32 = 500;

/// The cluster that the objects are in.
pub(super) struct Cluster {
    /// Its identity in the ownership tags.
    pub id: String,
    /// All objects of ours.
    pub objects: Vec<PinpointImportRole>,
}

impl Cluster {
    /// Reads it. `id` is its identity where that is not the uid of `kube-system`.
    pub(super) async fn read(id: Option<&str>) -> Result<Self, String> {
        let client = cluster::client().await?;
        let id = match id {
            Some(id) => id.to_owned(),
            None => cluster::identity(&client).await.map_err(|why| why.to_string())?,
        };
        let api: Api<PinpointImportRole> = Api::all(client);
        let mut objects = Vec::new();
        let mut page = ListParams::default().limit(PAGE);
        loop {
            let attempt = "listing the PinpointImportRoles (is the CRD applied, and may you list them?)";
            let found = bounded(attempt, api.list(&page)).await;
            let found = found.map_err(|why| why.to_string())?;
            objects.extend(found.items);
            match found.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => return Ok(Self { id, objects }),
            }
        }
    }

    /// An object by its names.
    pub(super) fn object(&self, namespace: &str, name: &str) -> Option<&PinpointImportRole> {
        self.objects
            .iter()
            .find(|object| object.namespace().as_deref() == Some(namespace) && object.name_any() == name)
    }

    /// Whether an owner that a role's tags name is there.
    pub(super) fn lives(&self, owner: &Owner) -> bool {
        let named = self.object(&owner.namespace, &owner.name);
        named.is_some_and(|object| owner.uid.is_empty() || object.uid().as_deref() == Some(&owner.uid))
    }

    /// The object whose status has pinned this `RoleId`.
    pub(super) fn pinning(&self, role_id: &str) -> Option<&PinpointImportRole> {
        self.objects.iter().find(|object| {
            let status = object.status.as_ref();
            status.is_some_and(|status| status.role_id.as_deref() == Some(role_id))
        })
    }
}
