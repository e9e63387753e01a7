//! Hints: which objects are to be looked at before their time. A sweep of an account or a change message names a role; here is which object
//! it belongs to, and how many looks a second may come of it.
//!
//! A hint says where to look and nothing else. So it may be lost, repeated or forged: what comes of it is a look, and no more of them than
//! the pace allows.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::{Stream, stream};
use governor::{Quota, RateLimiter};
use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};
use tokio::sync::{Notify, mpsc};

use super::memory::Hint;
use crate::{
    api::v1alpha1::PinpointImportRole,
    metrics::{Followed, Metrics, Why},
    role::{Owner, RoleName, desired::role_name},
};

/// Looks upon hints per second and account, and how many at once after a quiet time: at four calls each, less than half of the default
/// budget, so that creation and deletion keep the rest.
const PACE: (u32, u32) = (2, 10);
/// Shortest time between looks at one role upon messages.
const APART: Duration = Duration::from_secs(10);
/// So many messages may wait, or as many as a sweep takes calls, before a sweep takes their place.
const FLOOD: usize = 20;

/// All hints that no pass has been told of, and what is needed to tell them.
pub(super) struct Hints {
    /// By the accounts' names in `Accounts`.
    accounts: HashMap<Option<String>, AccountHints>,
    watches: Mutex<Vec<Watch>>,
    metrics: Arc<Metrics>,
}

/// A watch, with the objects in it and the way to its controller.
#[derive(Debug)]
struct Watch {
    store: Store<PinpointImportRole>,
    looks: mpsc::UnboundedSender<ObjectRef<PinpointImportRole>>,
}

/// The hints of an account.
#[derive(Debug, Default)]
struct AccountHints {
    state: Mutex<HintState>,
    /// There is a further hint, or object.
    news: Notify,
    /// A sweep shall take the place of the messages.
    flood: Notify,
}

#[derive(Debug, Default)]
struct HintState {
    /// The objects, by their roles' names in lower case. Two may name the same role.
    roles: HashMap<String, Vec<Target>>,
    /// When the first of them came.
    since: Option<Instant>,
    /// Hints to be told, one for each object.
    waiting: VecDeque<Waiting>,
    /// Uids of the objects that wait.
    queued: HashSet<String>,
    /// Objects looked at upon a message, and when, for [`APART`].
    messages: HashMap<String, Instant>,
    /// Calls of a sweep, where there are sweeps that can take the place of messages.
    sweep: Option<usize>,
}

#[derive(Clone, Debug)]
struct Target {
    watch: usize,
    object: ObjectRef<PinpointImportRole>,
    uid: String,
}

#[derive(Clone, Debug)]
struct Waiting {
    target: Target,
    hint: Hint,
    not_before: Instant,
}

impl Hints {
    /// None, in these accounts.
    pub(super) fn new(accounts: Vec<Option<String>>, metrics: Arc<Metrics>) -> Self {
        Self {
            accounts: accounts.into_iter().map(|key| (key, AccountHints::default())).collect(),
            watches: Mutex::default(),
            metrics,
        }
    }

    /// A further watch: its number, and the objects that its controller is told to look at.
    pub(super) fn watch(
        &self,
        store: Store<PinpointImportRole>,
    ) -> (
        usize,
        impl Stream<Item = ObjectRef<PinpointImportRole>> + Send + 'static,
    ) {
        let (looks, mut told) = mpsc::unbounded_channel();
        let mut watches = locked(&self.watches);
        watches.push(Watch { store, looks });
        // The channel's own turns count in tokio's budget, so that a full one starves nobody.
        (
            watches.len() - 1,
            stream::poll_fn(move |context| told.poll_recv(context)),
        )
    }

    /// An object came.
    pub(super) fn came(&self, key: Option<&str>, watch: usize, object: &PinpointImportRole) {
        let (Some(account), Some(name)) = (self.account(key), name(object)) else {
            return;
        };
        let target = Target {
            watch,
            object: ObjectRef::from_obj(object),
            uid: object.uid().unwrap_or_default(),
        };
        let mut state = locked(&account.state);
        state.since.get_or_insert_with(Instant::now);
        state.roles.entry(name).or_default().push(target);
        drop(state);
        account.news.notify_waiters();
    }

    /// An object went.
    pub(super) fn went(&self, key: Option<&str>, object: &PinpointImportRole) {
        let (Some(account), Some(name)) = (self.account(key), name(object)) else {
            return;
        };
        let uid = object.uid().unwrap_or_default();
        let mut state = locked(&account.state);
        if let Some(targets) = state.roles.get_mut(&name) {
            targets.retain(|target| target.uid != uid);
            if targets.is_empty() {
                state.roles.remove(&name);
            }
        }
        if state.queued.remove(&uid) {
            state.waiting.retain(|waiting| waiting.target.uid != uid);
        }
        state.messages.remove(&uid);
        if state.roles.is_empty() {
            state.since = None;
        }
    }

    /// The objects whose role has this name, in lower case.
    pub(super) fn objects(&self, key: Option<&str>, role: &str) -> Vec<Arc<PinpointImportRole>> {
        let targets = self
            .account(key)
            .map(|account| locked(&account.state).roles.get(role).cloned());
        let watches = locked(&self.watches);
        let get = |target: &Target| {
            let object = watches.get(target.watch)?.store.get(&target.object)?;
            (object.uid().as_ref() == Some(&target.uid)).then_some(object)
        };
        targets.flatten().iter().flatten().filter_map(get).collect()
    }

    /// The names of all roles that objects of an account have, in lower case.
    pub(super) fn roles(&self, key: Option<&str>) -> HashSet<String> {
        let account = self.account(key);
        account.map_or_else(HashSet::new, |account| {
            locked(&account.state).roles.keys().cloned().collect()
        })
    }

    /// Since when an account has objects; waits for the first.
    pub(super) async fn has_objects(&self, key: Option<&str>) -> Option<Instant> {
        let account = self.account(key)?;
        loop {
            let news = account.news.notified();
            if let Some(since) = self.since(key) {
                return Some(since);
            }
            news.await;
        }
    }

    /// Since when an account has objects.
    pub(super) fn since(&self, key: Option<&str>) -> Option<Instant> {
        locked(&self.account(key)?.state).since
    }

    /// Says how many calls a sweep of an account takes; none: it is not swept.
    pub(super) fn swept(&self, key: Option<&str>, calls: Option<u32>) {
        if let Some(account) = self.account(key) {
            locked(&account.state).sweep = calls.map(|calls| usize::try_from(calls).unwrap_or(usize::MAX));
        }
    }

    /// Waits until a sweep shall take the place of messages.
    pub(super) async fn flood(&self, key: Option<&str>) {
        match self.account(key) {
            Some(account) => account.flood.notified().await,
            None => std::future::pending().await,
        }
    }

    /// A sweep showed that a look at this object may find something.
    pub(super) fn seen(&self, key: Option<&str>, object: &PinpointImportRole, shown: u64) {
        let uid = object.uid();
        let (Some(account), Some(role)) = (self.account(key), name(object)) else {
            return;
        };
        let mut state = locked(&account.state);
        let targets = state.roles.get(&role).cloned().unwrap_or_default();
        let hint = Hint {
            why: Why::Sweep,
            shown: Some(shown),
        };
        for target in targets.into_iter().filter(|target| Some(&target.uid) == uid.as_ref()) {
            self.add(&mut state, target, hint);
        }
        drop(state);
        account.news.notify_waiters();
    }

    /// A message claims that a role was changed. Whether it is one of an object here.
    pub(super) fn told(&self, key: Option<&str>, role: &RoleName) -> bool {
        let Some(account) = self.account(key) else {
            return false;
        };
        let mut state = locked(&account.state);
        let targets = state
            .roles
            .get(&role.as_str().to_lowercase())
            .cloned()
            .unwrap_or_default();
        let is_ours = !targets.is_empty();
        let hint = Hint {
            why: Why::Message,
            shown: None,
        };
        for target in targets {
            self.add(&mut state, target, hint);
        }
        if self.fold(&mut state) {
            account.flood.notify_one();
        }
        drop(state);
        account.news.notify_waiters();
        is_ours
    }

    fn add(&self, state: &mut HintState, target: Target, hint: Hint) {
        if !state.queued.insert(target.uid.clone()) {
            self.metrics.hint(hint.why, Followed::Folded);
            return;
        }
        let now = Instant::now();
        let not_before = match (hint.why, state.messages.get(&target.uid)) {
            (Why::Message, Some(last)) => now.max(*last + APART),
            _ => now,
        };
        state.waiting.push_back(Waiting {
            target,
            hint,
            not_before,
        });
    }

    /// Where more messages wait than a sweep takes calls, it is cheaper, and takes their place.
    fn fold(&self, state: &mut HintState) -> bool {
        let Some(calls) = state.sweep else {
            return false;
        };
        let is_message = |waiting: &&Waiting| waiting.hint.why == Why::Message;
        if state.waiting.iter().filter(is_message).count() <= calls.max(FLOOD) {
            return false;
        }
        let before = state.waiting.len();
        state.waiting.retain(|waiting| !is_message(&waiting));
        state.queued = state.waiting.iter().map(|waiting| waiting.target.uid.clone()).collect();
        for _ in state.waiting.len()..before {
            self.metrics.hint(Why::Message, Followed::Folded);
        }
        true
    }

    /// Tells the controllers of the hints of an account, at their pace, for ever. `noting` is called with each before it is told.
    pub(super) async fn tell(&self, key: Option<&str>, noting: impl Fn(&PinpointImportRole, Hint)) {
        let Some(account) = self.account(key) else {
            return;
        };
        let limits = NonZeroU32::new(PACE.0).zip(NonZeroU32::new(PACE.1));
        let limits = limits.map(|(pace, burst)| RateLimiter::direct(Quota::per_second(pace).allow_burst(burst)));
        loop {
            let news = account.news.notified();
            let due = locked(&account.state)
                .waiting
                .iter()
                .map(|waiting| waiting.not_before)
                .min();
            match due {
                None => {
                    news.await;
                    continue;
                }
                Some(due) if due > Instant::now() => {
                    tokio::select! {
                        () = news => {}
                        () = tokio::time::sleep_until(due.into()) => {}
                    }
                    continue;
                }
                Some(_) => {}
            }
            if let Some(limits) = &limits {
                limits.until_ready().await;
            }
            // Taken only now: what waits can still be folded.
            let Some(next) = take(&mut locked(&account.state)) else {
                continue;
            };
            self.send(&next, &noting);
        }
    }

    fn send(&self, next: &Waiting, noting: impl Fn(&PinpointImportRole, Hint)) {
        let watches = locked(&self.watches);
        let Some(watch) = watches.get(next.target.watch) else {
            return;
        };
        if let Some(object) = watch.store.get(&next.target.object) {
            noting(&object, next.hint);
            // Where nobody listens any more, the controller is ending.
            let _ = watch.looks.send(next.target.object.clone());
        }
    }

    fn account(&self, key: Option<&str>) -> Option<&AccountHints> {
        self.accounts.get(&key.map(str::to_owned))
    }
}

/// Takes the first hint that is due.
fn take(state: &mut HintState) -> Option<Waiting> {
    let now = Instant::now();
    let first = state.waiting.iter().position(|waiting| waiting.not_before <= now)?;
    let next = state.waiting.remove(first)?;
    state.queued.remove(&next.target.uid);
    state
        .messages
        .retain(|_, last| now.saturating_duration_since(*last) < APART);
    if next.hint.why == Why::Message {
        state.messages.insert(next.target.uid.clone(), now);
    }
    Some(next)
}

/// The name of an object's role, which never changes, in lower case: IAM's names differ by more than case.
fn name(object: &PinpointImportRole) -> Option<String> {
    let owner = Owner {
        cluster: String::new(),
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        uid: String::new(),
    };
    let name = role_name(&object.spec, &owner).ok()?;
    Some(name.as_str().to_lowercase())
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
