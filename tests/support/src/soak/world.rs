//! What the soak runs on, and how it reaches the API server.

use std::{
    collections::VecDeque,
    future::Future,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind},
};

use serde_json::Value;

use super::{
    laws::Broken,
    ledger::{Ledger, Object},
};
use crate::iam::FakeIam;

/// How long one request to the API server may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What all who act share.
pub(super) struct World {
    pub iam: FakeIam,
    pub client: Client,
    /// Who acts holds it to read; while it is held to write, nobody acts.
    pub turn: tokio::sync::RwLock<()>,
    pub started: Instant,
    ledger: Mutex<Ledger>,
    broken: Mutex<Vec<Broken>>,
    due: Mutex<VecDeque<(Instant, Due)>>,
    last_written: Mutex<(Instant, String, String)>,
    counts: [AtomicUsize; Count::ALL.len()],
}

/// What the watch showed, to be judged once the journal of that time is known.
pub(super) enum Due {
    Version {
        uid: String,
        object: Box<Object>,
        was: Value,
        written: Option<Instant>,
    },
    End(String),
}

/// What is counted for the summary.
#[derive(Clone, Copy, Debug)]
pub(super) enum Count {
    Created,
    Edited,
    Deleted,
    Requested,
    Tampered,
    RolesRemoved,
    Faults,
    Outages,
    Killed,
    Terminated,
    Stopped,
    Restarts,
    SettingsChanged,
    ApiRestarts,
    Calls,
    Writes,
    Versions,
    Gone,
    QuietWindows,
}

impl Count {
    pub const ALL: [Self; 19] = [
        Self::Created,
        Self::Edited,
        Self::Deleted,
        Self::Requested,
        Self::Tampered,
        Self::RolesRemoved,
        Self::Faults,
        Self::Outages,
        Self::Killed,
        Self::Terminated,
        Self::Stopped,
        Self::Restarts,
        Self::SettingsChanged,
        Self::ApiRestarts,
        Self::Calls,
        Self::Writes,
        Self::Versions,
        Self::Gone,
        Self::QuietWindows,
    ];

    pub fn words(self) -> &'static str {
        match self {
            Self::Created => "objects made",
            Self::Edited => "objects edited or suspended",
            Self::Deleted => "objects deleted",
            Self::Requested => "looks asked for",
            Self::Tampered => "roles changed by others",
            Self::RolesRemoved => "roles deleted or made anew by others",
            Self::Faults => "faults put upon IAM",
            Self::Outages => "outages of IAM",
            Self::Killed => "controllers killed",
            Self::Terminated => "controllers asked to end",
            Self::Stopped => "controllers stopped for longer than the lease",
            Self::Restarts => "controllers started again after they ended by themselves",
            Self::SettingsChanged => "changes of settings",
            Self::ApiRestarts => "restarts of the API server",
            Self::Calls => "calls to IAM judged",
            Self::Writes => "writes to IAM judged",
            Self::Versions => "versions of objects judged",
            Self::Gone => "ends of objects judged",
            Self::QuietWindows => "quiet windows",
        }
    }
}

impl World {
    pub fn new(iam: FakeIam, client: Client) -> Self {
        Self {
            iam,
            client,
            turn: tokio::sync::RwLock::new(()),
            started: Instant::now(),
            ledger: Mutex::default(),
            broken: Mutex::default(),
            due: Mutex::default(),
            last_written: Mutex::new((Instant::now(), String::new(), String::new())),
            counts: Default::default(),
        }
    }

    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn count(&self, what: Count) {
        self.counts[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub fn counted(&self, what: Count) -> usize {
        self.counts[what as usize].load(Ordering::Relaxed)
    }

    /// Takes note that an object or a role was written to.
    pub fn written(&self, at: Instant, role: &str, how: &str) {
        let mut last = self.last_written.lock().unwrap_or_else(PoisonError::into_inner);
        if at > last.0 {
            *last = (at, role.to_owned(), how.to_owned());
        }
    }

    /// When an object or a role was last written to: the role, and how.
    pub fn last_written(&self) -> (Instant, String, String) {
        self.last_written.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn judge_later(&self, at: Instant, what: Due) {
        self.due
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back((at, what));
    }

    /// Takes what was shown before a time.
    pub fn due(&self, before: Option<Instant>) -> Vec<(Instant, Due)> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = |(at, _): &(Instant, Due)| before.is_some_and(|before| *at < before);
        let count = due.iter().take_while(|due| is_due(due)).count();
        due.drain(..count).collect()
    }

    /// Takes note of laws that were broken.
    pub fn accuse(&self, broken: impl IntoIterator<Item = Broken>) {
        self.broken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(broken);
    }

    /// The laws that were broken so far.
    pub fn broken(&self) -> Vec<Broken> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Seconds since the start, for people.
    pub fn at(&self, at: Instant) -> String {
        format!("{:8.2}", at.saturating_duration_since(self.started).as_secs_f64())
    }

    /// The objects of a namespace, or of all.
    pub fn objects(&self, namespace: Option<&str>) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("pinpoint-import.dev", "v1alpha1", "PinpointImportRole");
        self.api(
            &ApiResource::from_gvk_with_plural(&kind, "pinpointimportroles"),
            namespace,
        )
    }

    fn api(&self, resource: &ApiResource, namespace: Option<&str>) -> Api<DynamicObject> {
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, resource),
            None => Api::all_with(self.client.clone(), resource),
        }
    }

    /// The lease by which the controllers take turns.
    pub fn leases(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("coordination.k8s.io", "v1", "Lease");
        self.api(&ApiResource::from_gvk_with_plural(&kind, "leases"), Some(SYSTEM))
    }

    pub fn events(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("events.k8s.io", "v1", "Event");
        self.api(&ApiResource::from_gvk_with_plural(&kind, "events"), None)
    }
}

/// Where the controller's service account and its lease are.
pub(super) const SYSTEM: &str = "pinpoint-import-system";
/// Name of the controller.
pub(super) const CONTROLLER: &str = "pinpoint-import-role-controller";

/// A request, bounded in time.
pub(super) async fn bounded<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, request).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err("no answer".to_owned()),
    }
}
