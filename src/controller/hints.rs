//! Hints: which objects are to be looked at before their time. A sweep of an account or a change message names a role; here is which object
//! it belongs to, and how many looks a second may come of it.
//!
//! A hint says where to look and nothing else. So it may be lost, repeated or forged: what comes of it is a look, and no more of them than
//! the pace allows.

use std::{
    collections::{HashMap, HashSet},
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{Stream, stream};
use governor::Quota;
use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};

use super::{
    backlog::{Backlog, Target, Waiting},
    memory::Hint,
};
use crate::{
    api::v1alpha1::PinpointImportRole,
    metrics::{Followed, Metrics, Why},
    rate::Rate,
    role::{Owner, RoleName, desired::role_name},
};

/// Looks upon hints per second and account, and how many at once after a quiet time: at four calls each, less than half of the default
/// budget, so that creation and deletion keep the rest.
const PACE: (u32, u32) = (2, 10);
/// Longest time until the second look upon a message, where no sweep comes.
const SECOND: Duration = Duration::from_secs(15);

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
    backlog: Backlog,
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
        state.backlog.forget(&uid);
        if state.roles.is_empty() {
            state.since = None;
        }
    }

    /// The objects whose role has this name, in lower case.
    pub(super) fn objects(&self, key: Option<&str>, role: &str) -> Vec<Arc<PinpointImportRole>> {
        let targets = self
            .account(key)
            .map(|account| locked(&account.state).roles.get(role).cloned());
        self.shown(&targets.flatten().unwrap_or_default())
    }

    /// All objects of an account.
    pub(super) fn all(&self, key: Option<&str>) -> Vec<Arc<PinpointImportRole>> {
        let targets: Vec<Target> = self.account(key).map_or_else(Vec::new, |account| {
            locked(&account.state).roles.values().flatten().cloned().collect()
        });
        self.shown(&targets)
    }

    fn shown(&self, targets: &[Target]) -> Vec<Arc<PinpointImportRole>> {
        let watches = locked(&self.watches);
        let get = |target: &Target| {
            let object = watches.get(target.watch)?.store.get(&target.object)?;
            (object.uid().as_ref() == Some(&target.uid)).then_some(object)
        };
        targets.iter().filter_map(get).collect()
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
            let calls = calls.map(|calls| usize::try_from(calls).unwrap_or(usize::MAX));
            locked(&account.state).backlog.swept(calls);
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
        let hint = Hint {
            why: Why::Sweep,
            shown: Some(shown),
            is_second: false,
        };
        self.with_target(key, object, |state, target| self.add(state, target, hint));
    }

    /// A look upon a message found nothing, which may be an answer that is older than the change. Where no sweep will see it, there is a
    /// second look, and no third. `settle` is how late IAM may be.
    pub(super) fn looked_in_vain(&self, key: Option<&str>, object: &PinpointImportRole, settle: Duration) {
        let hint = Hint {
            why: Why::Message,
            shown: None,
            is_second: true,
        };
        let at = Instant::now() + settle.min(SECOND);
        self.with_target(key, object, |state, target| {
            if !state.backlog.is_swept() {
                state.backlog.add_later(target, hint, at);
            }
        });
    }

    fn with_target(&self, key: Option<&str>, object: &PinpointImportRole, work: impl FnOnce(&mut HintState, Target)) {
        let (Some(account), Some(role)) = (self.account(key), name(object)) else {
            return;
        };
        let mut state = locked(&account.state);
        let uid = object.uid();
        let mut targets = state.roles.get(&role).into_iter().flatten();
        let target = targets.find(|target| Some(&target.uid) == uid.as_ref()).cloned();
        if let Some(target) = target {
            work(&mut state, target);
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
            is_second: false,
        };
        for target in targets {
            self.add(&mut state, target, hint);
        }
        if let Some(folded) = state.backlog.fold() {
            for _ in 0..folded {
                self.metrics.hint(Why::Message, Followed::Folded);
            }
            account.flood.notify_one();
        }
        drop(state);
        account.news.notify_waiters();
        is_ours
    }

    fn add(&self, state: &mut HintState, target: Target, hint: Hint) {
        if !state.backlog.add(target, hint, Instant::now()) {
            self.metrics.hint(hint.why, Followed::Folded);
        }
    }

    /// Tells the controllers of the hints of an account, at their pace, for ever. `noting` is called with each before it is told.
    pub(super) async fn tell(&self, key: Option<&str>, noting: impl Fn(&PinpointImportRole, Hint)) {
        let Some(account) = self.account(key) else {
            return;
        };
        let limits = NonZeroU32::new(PACE.0).zip(NonZeroU32::new(PACE.1));
        let limits = limits.map(|(pace, burst)| Rate::new(Quota::per_second(pace).allow_burst(burst)));
        loop {
            let news = account.news.notified();
            let due = locked(&account.state).backlog.due();
            match due {
                None => {
                    news.await;
                    continue;
                }
                Some(due) if due > Instant::now() => {
                    tokio::select! {
                        () = news => {}
                        () = tokio::time::sleep_until(due) => {}
                    }
                    continue;
                }
                Some(_) => {}
            }
            if let Some(limits) = &limits {
                limits.until_ready().await;
            }
            // Taken only now: what waits can still be folded.
            let Some(next) = locked(&account.state).backlog.take(Instant::now()) else {
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

#[cfg(test)]
mod tests {
    use std::iter;

    use futures::{FutureExt, StreamExt};
    use kube::runtime::{reflector, watcher::Event};
    use tokio::time::timeout;

    use super::*;

    /// Hints of the controller's own account, with so many objects, and what its controller is told.
    struct Account {
        hints: Arc<Hints>,
        told: mpsc::UnboundedReceiver<(String, Duration)>,
    }

    fn object(number: usize) -> PinpointImportRole {
        let mut object = PinpointImportRole::new(&format!("o{number}"), <_>::default());
        object.metadata.namespace = Some("n".to_owned());
        object.metadata.uid = Some(number.to_string());
        object
    }

    /// Begins to tell: who is looked at, and when, since now.
    fn account(objects: usize) -> Account {
        let hints = Arc::new(Hints::new(vec![None], Arc::default()));
        let (store, mut writer) = reflector::store();
        let (watch, looks) = hints.watch(store);
        for object in (0..objects).map(object) {
            writer.apply_watcher_event(&Event::Apply(object.clone()));
            hints.came(None, watch, &object);
        }
        let (tell, told) = mpsc::unbounded_channel();
        let (telling, start) = (Arc::clone(&hints), Instant::now());
        tokio::spawn(async move {
            let _kept = writer;
            telling.tell(None, |_, _| {}).await;
        });
        tokio::spawn(async move {
            let mut looks = std::pin::pin!(looks);
            while let Some(look) = looks.next().await {
                let _ = tell.send((look.name, start.elapsed()));
            }
        });
        Account { hints, told }
    }

    impl Account {
        fn message(&self, number: usize) -> bool {
            let role = RoleName::parse(&format!("N.O{number}")).expect("a name");
            self.hints.told(None, &role)
        }

        /// What is told within a time.
        async fn within(&mut self, time: Duration) -> Vec<(String, Duration)> {
            let until = Instant::now() + time;
            let mut all = Vec::new();
            while let Ok(Some(told)) = tokio::time::timeout_at(until, self.told.recv()).await {
                all.push(told);
            }
            all
        }
    }

    const MINUTE: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn hints_are_told_at_their_pace() {
        let mut account = account(50);
        assert!((0..50).all(|number| account.message(number)));
        assert!(!account.message(50), "no object has that role");
        let told = account.within(MINUTE).await;
        assert_eq!(told.len(), 50);
        let seconds: Vec<f64> = told.iter().map(|(_, at)| at.as_secs_f64()).collect();
        let (at_once, later) = seconds.split_at(10);
        assert!(at_once.iter().all(|at| *at < 0.01), "{at_once:?}");
        for (at, expected) in later.iter().zip(iter::successors(Some(0.5), |at| Some(at + 0.5))) {
            assert!((at - expected).abs() < 0.05, "{at} instead of {expected}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_asks_for_a_sweep_and_is_gone() {
        let mut account = account(40);
        account.hints.swept(None, Some(2));
        let asks = account.hints.flood(None);
        assert!((0..40).all(|number| account.message(number)));
        timeout(MINUTE, asks).await.expect("a sweep is asked for");
        let told = account.within(MINUTE).await;
        // 21 were folded, and the others came after that.
        assert_eq!(told.len(), 40 - 21, "{told:?}");
        assert!(account.hints.flood(None).now_or_never().is_none(), "once");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_told_of_an_object_that_went() {
        let mut account = account(3);
        account.hints.went(None, &object(1));
        for number in 0..3 {
            account.message(number);
        }
        account.hints.seen(None, &object(2), 7);
        let told = account.within(MINUTE).await;
        let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["o0", "o2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_in_vain_is_followed_by_another_where_nobody_sweeps() {
        for (swept, settle, expected) in [
            (None, MINUTE, Some(SECOND)),
            (None, Duration::from_secs(4), Some(Duration::from_secs(4))),
            (Some(1), MINUTE, None),
        ] {
            let mut account = account(1);
            account.hints.swept(None, swept);
            account.hints.looked_in_vain(None, &object(0), settle);
            let told = account.within(MINUTE).await;
            assert_eq!(told.len(), usize::from(expected.is_some()), "{told:?}");
            for ((_, at), expected) in told.iter().zip(expected) {
                assert!(*at >= expected && *at < expected + Duration::from_millis(20), "{at:?}");
            }
        }
    }
}
