//! What all passes share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use kube::Client;

use super::{accounts::Accounts, memory::Memory, register::News};
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
    memories: Memories,
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
            memories: Memories::default(),
        }
    }

    /// Whether this process is so young that one before it may have written within the settle time.
    pub(super) fn is_young(&self) -> bool {
        self.started.elapsed() < self.settings.settle
    }

    /// Works on what is remembered of an object. What a pass that is still under way would remember of an object that is gone is
    /// forgotten with it.
    pub(super) fn memory<T>(&self, uid: &str, work: impl FnOnce(&mut Memory) -> T) -> T {
        self.memories.of(uid, work)
    }

    /// Takes note of what the watch tells of the objects.
    pub(super) fn note(&self, news: &News) {
        for uid in &news.came {
            self.memories.came(uid);
            self.metrics.came(uid);
        }
        for uid in &news.went {
            self.forget(uid);
        }
    }

    /// Forgets an object that is gone.
    pub(super) fn forget(&self, uid: &str) {
        self.memories.forget(uid);
        self.metrics.forget(uid);
    }
}

/// What is remembered of the objects that are there.
#[derive(Debug, Default)]
struct Memories(Mutex<HashMap<String, Memory>>);

impl Memories {
    fn of<T>(&self, uid: &str, work: impl FnOnce(&mut Memory) -> T) -> T {
        match self.locked().get_mut(uid) {
            Some(memory) => work(memory),
            None => work(&mut Memory::default()),
        }
    }

    fn came(&self, uid: &str) {
        self.locked().entry(uid.to_owned()).or_default();
    }

    fn forget(&self, uid: &str) {
        self.locked().remove(uid);
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<String, Memory>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_that_are_there_are_remembered() {
        let memories = Memories::default();
        memories.of("never came", |memory| memory.failures = 1);
        memories.came("a");
        memories.of("a", |memory| memory.failures = 3);
        memories.came("a");
        assert_eq!(memories.of("a", |memory| memory.failures), 3);
        memories.forget("a");
        memories.of("a", |memory| memory.failures = 4);
        assert!(memories.locked().is_empty());
    }
}
