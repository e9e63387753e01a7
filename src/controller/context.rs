//! What all passes share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use kube::Client;
use tokio::sync::{Semaphore, watch};
use tracing::{info, warn};

use super::{backoff, memory::Memory};
use crate::{
    aws::Iam,
    metrics::Metrics,
    role::{Account, Class, Failure, Guards, RolePath},
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
    /// Passes at the same time.
    pub concurrency: u16,
    /// Name of this process in events.
    pub instance: String,
}

/// What is known of the account of the controller's credentials; none before the first answer.
pub type AccountWatch = watch::Receiver<Option<Result<Account, Failure>>>;

/// What all passes share.
pub struct Context {
    pub(super) client: Client,
    pub(super) iam: Iam,
    pub(super) settings: ControllerSettings,
    pub(super) metrics: Arc<Metrics>,
    /// Passes at the same time, over all namespaces.
    pub(super) places: Semaphore,
    account: AccountWatch,
    started: Instant,
    memories: Mutex<HashMap<String, Memory>>,
}

impl Context {
    /// Puts it together.
    #[must_use]
    pub fn new(
        client: Client,
        iam: Iam,
        account: AccountWatch,
        settings: ControllerSettings,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            places: Semaphore::new(settings.concurrency.into()),
            metrics,
            client,
            iam,
            settings,
            account,
            started: Instant::now(),
            memories: Mutex::default(),
        }
    }

    /// The account of the credentials; waits for the first answer.
    pub(super) async fn account(&self) -> Result<Account, Failure> {
        let mut account = self.account.clone();
        let known = account.wait_for(Option::is_some).await;
        known.ok().and_then(|known| known.clone()).unwrap_or_else(|| {
            Err(Failure {
                class: Class::Retryable,
                message: "the controller is ending".to_owned(),
            })
        })
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

/// Asks whose the credentials are until there is an answer. The log says what is missing, once per failure.
pub async fn watch_account(iam: Iam, account: watch::Sender<Option<Result<Account, Failure>>>) {
    let mut failures = 0;
    loop {
        let answer = iam.account().await;
        match &answer {
            Ok(account) => info!(
                account = account.id,
                partition = account.partition,
                "AWS credentials work"
            ),
            Err(failure) => warn!("{}", failure.message),
        }
        let found = answer.is_ok();
        account.send_replace(Some(answer));
        if found {
            return;
        }
        failures += 1;
        tokio::time::sleep(backoff::after_failures(
            failures,
            Duration::from_secs(1),
            Duration::from_mins(1),
        ))
        .await;
    }
}
