//! What all passes share.

use std::{sync::Arc, time::Duration};

use kube::{Client, Resource, ResourceExt};
use tokio::time::Instant;

use super::{
    hints::Hints,
    memory::{Memories, Memory},
    pace::{Stretches, SweepSettings, Sweeps},
    register::News,
};
use crate::{
    api::v1alpha1::{PinpointImportRole, PinpointImportRoleStatus},
    aws::{Accounts, QueueUrl},
    metrics::Metrics,
    role::{
        Guards, Owner, RoleName, RolePath,
        decision::Situation,
        recent::{Clock, Recent},
    },
};

/// What passes need of the settings, checked.
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
    /// How accounts are swept.
    pub sweeps: SweepSettings,
    /// Queue of change messages of all accounts.
    pub change_queue: Option<QueueUrl>,
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
    pub(super) hints: Hints,
    pub(super) sweeps: Sweeps,
    pub(super) stretches: Stretches,
    started: Instant,
    memories: Memories,
}

impl Context {
    /// Puts it together.
    #[must_use]
    pub fn new(client: Client, accounts: Accounts, settings: ControllerSettings, metrics: Arc<Metrics>) -> Self {
        Self {
            hints: Hints::new(accounts.keys(), Arc::clone(&metrics)),
            sweeps: Sweeps::default(),
            stretches: Stretches::default(),
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

    /// A time of [`Self::clock`] as the process has it.
    pub(super) fn instant(&self, now: Duration) -> std::time::Instant {
        (self.started + now).into_std()
    }

    /// Works on what is remembered of an object, which begins when this process meets it. What a pass that is still under way would
    /// remember of an object that is gone is forgotten with it.
    pub(super) fn memory<T>(&self, object: &PinpointImportRole, work: impl FnOnce(&mut Memory) -> T) -> T {
        let meeting = || Recent::meeting(object.has_finalizer(), self.clock());
        self.memories.of(&object.uid().unwrap_or_default(), meeting, work)
    }

    /// Asks what is remembered of an object; of one that this process has not met, nothing is.
    pub(super) fn met(&self, object: &PinpointImportRole, question: impl FnOnce(&Memory) -> bool) -> bool {
        self.memories.met(&object.uid().unwrap_or_default(), question)
    }

    /// Works on what was lately done to an object's role.
    pub(super) fn recent<T>(&self, object: &PinpointImportRole, work: impl FnOnce(&mut Recent) -> T) -> T {
        self.memory(object, |memory| work(&mut memory.recent))
    }

    /// What decisions about an object depend on beside the object itself, as of now.
    pub(super) fn known(&self, object: &PinpointImportRole) -> Known {
        self.known_at(object, self.clock())
    }

    /// The same, to judge what was asked for at some time.
    pub(super) fn known_at(&self, object: &PinpointImportRole, clock: Clock) -> Known {
        Known {
            owner: Owner::of_object(&self.settings.cluster, object),
            status: object.status.clone().unwrap_or_default(),
            recent: self.recent(object, |recent| recent.clone()),
            clock,
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
            has_finalizer: object.has_finalizer(),
            guards: &self.settings.guards,
            role_path: &self.settings.role_path,
            recent: &known.recent,
            clock: known.clock,
        }
    }

    /// Takes note of what a watch tells of its objects.
    pub(super) fn note(&self, watch: usize, news: &News) {
        for object in &news.came {
            let uid = object.uid().unwrap_or_default();
            self.memories.came(&uid);
            self.metrics.came(&uid);
            self.hints.came(self.key(object), watch, object);
        }
        for object in &news.hints {
            self.ask(object);
        }
        for object in &news.went {
            self.hints.went(self.key(object), object);
            self.forget(&object.uid().unwrap_or_default());
        }
    }

    /// Somebody asks for a pass over an object. One that waits for its turn already waits no longer than others that are asked for.
    pub(super) fn ask(&self, object: &PinpointImportRole) {
        let seats = self.accounts.seats(object.spec.account_id.as_deref());
        seats.ask(
            &object.namespace().unwrap_or_default(),
            &object.uid().unwrap_or_default(),
        );
    }

    /// A change message claims that a role of the account of this id was changed: a hint to look at the objects that have it. Whether there
    /// are any.
    pub(super) fn told(&self, account: &str, role: &RoleName) -> bool {
        self.accounts.has(account) && self.hints.told(self.accounts.key(Some(account)), role)
    }

    /// The account of an object's role, by its name in [`Accounts`].
    pub(super) fn key(&self, object: &PinpointImportRole) -> Option<&str> {
        self.accounts.key(object.spec.account_id.as_deref())
    }

    /// Forgets an object that is gone.
    pub(super) fn forget(&self, uid: &str) {
        self.memories.forget(uid);
        self.metrics.forget(uid);
    }
}
