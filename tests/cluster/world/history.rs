//! All versions that a namespace's objects have had.

use std::sync::{Arc, Mutex};

use futures::StreamExt;
use kube::api::WatchEvent;
use serde_json::{Value, json};
use test_support::waiting::until;

use super::{PATIENCE, RUNTIME, World, objects::condition};

/// The versions of a namespace's objects, one for each write.
pub type Versions = Arc<Mutex<Vec<Value>>>;

/// Notes every version of a namespace's objects from now on. The API server forgets them too soon to be asked at the end.
pub fn record(client: &kube::Client, namespace: &str) -> Versions {
    let versions = Versions::default();
    let path = format!("/apis/pinpoint-import.dev/v1alpha1/namespaces/{namespace}/pinpointimportroles?watch=true");
    // It is asked so soon after its start that its cache may not be filled yet.
    let events = until(PATIENCE, || {
        let request = http::Request::get(&path).body(Vec::new()).expect("a path");
        let client = client.clone();
        RUNTIME
            .block_on(async move { client.request_events::<Value>(request).await })
            .ok()
    });
    let events = events.expect("a watch of the namespace's objects");
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

impl World {
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
            // The API server's default is nobody's.
            .filter(|status| status.is_object() && *status != json!({"observedGeneration": -1}))
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
}
