//! What the commands that only read have in common: IAM, and the cluster where there is one.

use std::{
    cell::Cell,
    future::Future,
    io::IsTerminal,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, Config, ResourceExt, api::ListParams};

use crate::{
    api::v1alpha1::PinpointImportRole,
    aws::{CallWatch, Iam},
    config::BudgetArgs,
    role::Owner,
};

/// Longest wait for the API server.
const API_CALL: Duration = Duration::from_secs(15);
/// Objects of a page.
const PAGE: u32 = 500;

/// Counts the calls.
#[derive(Debug, Default)]
pub(super) struct Calls(AtomicUsize);

impl Calls {
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl CallWatch for Calls {
    fn called(&self, _: &'static str, _: &'static str, _: Duration) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn smaller_pages(&self, action: &'static str, items: i32) {
        // A line of its own after one that is being written over.
        if std::io::stderr().is_terminal() {
            super::say("");
        }
        super::say(format_args!("{action}: IAM is slow, so pages of {items} from here on"));
    }
}

/// IAM, with the credentials, the region and the endpoint of the environment.
pub(super) async fn iam(budget: &BudgetArgs, calls: &Arc<Calls>) -> Result<Iam, String> {
    let settings = budget.check().map_err(|problems| problems.join("; "))?;
    Ok(Iam::from_environment(settings, Arc::clone(calls) as _).await)
}

/// Roles after which a log gets another line of how far a long reading is.
const STRIDE: usize = 500;

/// Says how far a long reading is: on a terminal in a line that is written over, elsewhere in a line whenever as many more roles were read
/// as a page has, however small the pages are.
#[expect(clippy::print_stderr, reason = "a number, and the start of the line")]
pub(super) fn progress() -> impl Fn(usize) {
    let told = Cell::new(0);
    move |roles| {
        if std::io::stderr().is_terminal() {
            eprint!("\r{roles} roles read");
        } else if is_due(&told, roles) {
            super::say(format_args!("{roles} roles read"));
        }
    }
}

/// Whether so many roles are worth another line after the last one.
fn is_due(told: &Cell<usize>, roles: usize) -> bool {
    let due = roles >= told.get() + STRIDE;
    if due {
        told.set(roles);
    }
    due
}

/// Runs a command to its end. An error is said in a line or two.
pub(super) fn finish(work: impl Future<Output = Result<ExitCode, String>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => return super::refuse(&[format!("can't start: {why}")]),
    };
    runtime.block_on(work).unwrap_or_else(|why| {
        super::say(format_args!("error: {why}"));
        ExitCode::FAILURE
    })
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_at_growing_counts_whatever_the_size_of_the_pages() {
        for page in [1, 50, 62, 125, 300, 499, 500, 700, 1000] {
            let told = Cell::new(0);
            let lines: Vec<usize> = (1..=5000 / page).map(|n| n * page).collect();
            let lines: Vec<usize> = lines.into_iter().filter(|roles| is_due(&told, *roles)).collect();
            let apart = STRIDE.max(page);
            assert!(
                lines.len() >= 5000 / (apart + page) && lines.len() <= 10,
                "{page}: {lines:?}"
            );
            assert!(
                lines
                    .windows(2)
                    .all(|two| two[1] >= two[0] + STRIDE && two[1] < two[0] + STRIDE + page)
            );
        }
        // The last pages bear policies alone.
        let told = Cell::new(0);
        assert_eq!([600, 600, 600].map(|roles| is_due(&told, roles)), [true, false, false]);
    }
}
