//! What all passes share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kube::{Client, Resource, ResourceExt};
use tokio::time::Instant;

use super::register::News;
use crate::{
    api::v1alpha1::{PinpointImportRole, PinpointImportRoleStatus},
    aws::Accounts,
    metrics::Metrics,
    role::{
        Guards, Owner, RolePath,
        decision::Situation,
        recent::{Clock, Recent},
    },
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

/// See [`Context::known`].
pub(super) struct Known {
    pub owner: Owner,
    status: PinpointImportRoleStatus,
    recent: Recent,
    clock: Clock,
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

    /// The time, as decisions have it.
    pub(super) fn clock(&self) -> Clock {
        Clock {
            now: self.started.elapsed(),
            settle: self.settings.settle,
        }
    }

    /// Works on what is remembered of an object, which begins when this process meets it. What a pass that is still under way would
    /// remember of an object that is gone is forgotten with it.
    pub(super) fn memory<T>(&self, object: &PinpointImportRole, work: impl FnOnce(&mut Recent) -> T) -> T {
        let meeting = || Recent::meeting(object.is_held(), self.clock());
        self.memories.of(&object.uid().unwrap_or_default(), meeting, work)
    }

    /// What decisions about an object depend on beside the object itself, as of now.
    pub(super) fn known(&self, object: &PinpointImportRole) -> Known {
        Known {
            owner: Owner::of_object(&self.settings.cluster, object),
            status: object.status.clone().unwrap_or_default(),
            recent: self.memory(object, |recent| recent.clone()),
            clock: self.clock(),
        }
    }

    /// The situation of an object.
    pub(super) fn situation<'a>(&'a self, object: &'a PinpointImportRole, known: &'a Known) -> Situation<'a> {
        Situation {
            spec: &object.spec,
            owner: &known.owner,
            status: &known.status,
            generation: object.metadata.generation.unwrap_or_default(),
            deleting: object.meta().deletion_timestamp.is_some(),
            held: object.is_held(),
            guards: &self.settings.guards,
            role_path: &self.settings.role_path,
            recent: &known.recent,
            clock: known.clock,
        }
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

/// What is remembered of the objects that are there, by uid; none of those that this process has not met in a pass.
#[derive(Debug, Default)]
struct Memories(Mutex<HashMap<String, Option<Recent>>>);

impl Memories {
    fn of<T>(&self, uid: &str, meeting: impl FnOnce() -> Recent, work: impl FnOnce(&mut Recent) -> T) -> T {
        match self.locked().get_mut(uid) {
            Some(memory) => work(memory.get_or_insert_with(meeting)),
            None => work(&mut meeting()),
        }
    }

    fn came(&self, uid: &str) {
        self.locked().entry(uid.to_owned()).or_default();
    }

    fn forget(&self, uid: &str) {
        self.locked().remove(uid);
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<String, Option<Recent>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::waits::Wait;

    #[test]
    fn only_objects_that_are_there_are_remembered() {
        let memories = Memories::default();
        let failed = Wait::Backoff(Duration::from_secs(1), Duration::from_secs(9));
        let fail = |uid| memories.of(uid, Recent::default, |recent| recent.tries.count(failed));
        fail("never came");
        memories.came("a");
        fail("a");
        memories.came("a");
        assert_eq!(fail("a"), 2);
        memories.forget("a");
        assert_eq!(fail("a"), 1);
        assert!(memories.locked().is_empty());
    }
}
