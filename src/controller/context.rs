//! What all passes share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use kube::Client;

use super::{accounts::Accounts, memory::Memory};
use crate::{
    metrics::Metrics,
    role::{Guards, RolePath},
};

/// Settings of the controller.
#[derive(Clone, Debug)]
pub struct ControllerSettings {
    /// Identity of the cluster, in the ownership tags.
    pub cluster: String,
    /// Path of roles whose object declares none.
    pub role_path: RolePath,
    /// Time between full checks of a role whose object declares none.
    pub resync: Duration,
    /// How long after a write IAM may still answer with what was before it.
    pub settle: Duration,
    /// What operators allow.
    pub guards: Guards,
    /// Name of this process in events.
    pub instance: String,
}

/// What all passes share.
pub struct Context {
    pub(super) client: Client,
    pub(super) accounts: Accounts,
    pub(super) settings: ControllerSettings,
    pub(super) metrics: Arc<Metrics>,
    started: Instant,
    memories: Mutex<HashMap<String, Memory>>,
}

impl Context {
    /// Puts it together.
    #[must_use]
    pub fn new(client: Client, accounts: Accounts, settings: ControllerSettings, metrics: Arc<Metrics>) -> Self {
        Self {
            client,
            accounts,
            settings,
            metrics,
            started: Instant::now(),
            memories: Mutex::default(),
        }
    }

    /// Whether this process is so young that one before it may have written within the settle time.
    pub(super) fn is_young(&self) -> bool {
        self.started.elapsed() < self.settings.settle
    }

    /// Works on what is remembered of an object.
    pub(super) fn memory<T>(&self, uid: &str, work: impl FnOnce(&mut Memory) -> T) -> T {
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        work(memories.entry(uid.to_owned()).or_default())
    }

    /// Forgets an object that is gone.
    pub(super) fn forget(&self, uid: &str) {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
        self.metrics.forget(uid);
    }
}
