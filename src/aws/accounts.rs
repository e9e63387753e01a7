//! The accounts in which roles may lie: that of the controller's own credentials, and those into which its settings give it a role.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use tokio::sync::watch;
use tracing::{info, warn};

use super::{AssumedRole, Iam, Queue, QueueUrl, lane::Lane, seats::Seats};
use crate::{
    api::Reason,
    backoff,
    role::{Account, Class, Failure, Patterns, outcome::Outcome},
};

/// What is known of the account of the controller's credentials; none before the first answer.
pub type AccountWatch = watch::Receiver<Option<Result<Account, Failure>>>;

/// Access to another account.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountAccess {
    /// The account.
    pub account: Account,
    /// The role to assume there.
    pub role: AssumedRole,
    /// Queue of change messages that is read with that role, and believed for that account alone.
    pub change_queue: Option<QueueUrl>,
    /// Namespaces whose objects may have roles there.
    pub namespaces: Patterns,
}

/// Another account, with the passes that may be at work in it. Each account has its own, so that one in which every call hangs keeps
/// none of the others waiting.
struct Other {
    access: AccountAccess,
    iam: Iam,
    seats: Seats,
}

/// The accounts in which roles may lie, with IAM and the seats of each.
pub struct Accounts {
    iam: Iam,
    own: AccountWatch,
    seats: Seats,
    others: BTreeMap<String, Other>,
}

/// Where an object's role lies, and IAM there.
pub struct Place {
    /// The account.
    pub account: Account,
    /// IAM in it.
    pub iam: Iam,
}

impl Accounts {
    /// The account of `iam`'s credentials, which `own` tells, and others by their id. In each, `concurrency` passes may be at work.
    #[must_use]
    pub fn new(iam: Iam, own: AccountWatch, others: BTreeMap<String, AccountAccess>, concurrency: u16) -> Self {
        let others = others.into_iter().map(|(id, access)| {
            let other = Other {
                iam: iam.assuming(access.role.clone()),
                access,
                seats: Seats::new(concurrency),
            };
            (id, other)
        });
        Self {
            others: others.collect(),
            iam,
            own,
            seats: Seats::new(concurrency),
        }
    }

    /// The account that an object of a namespace declares.
    ///
    /// # Errors
    /// The namespace may not use it, or the controller's own account is not known.
    pub async fn choose(&self, namespace: &str, declared: Option<&str>) -> Result<Place, Outcome> {
        let refuse = |why: String| Err(Outcome::Refused(Reason::PolicyNotAllowed, why));
        if let Some(other) = declared.and_then(|id| self.others.get(id)) {
            let id = &other.access.account.id;
            if !other.access.namespaces.fit(namespace) {
                return refuse(format!(
                    "spec.accountId is {id}, and the controller's settings don't let the namespace {namespace} have roles in that \
                     account: ask its operators to add it there, or make the object without accountId"
                ));
            }
            return Ok(Place {
                account: other.access.account.clone(),
                iam: other.iam.clone(),
            });
        }
        let own = self.own().await.map_err(Outcome::from)?;
        match declared {
            Some(id) if id != own.id => refuse(format!(
                "spec.accountId is {id}, but the controller's credentials are of account {}, and its settings have no role in {id}: ask \
                 its operators to add that account, or make the object without accountId",
                own.id
            )),
            _ => Ok(Place {
                account: own,
                iam: self.iam.clone(),
            }),
        }
    }

    /// The name here of the account that an object declares; none: that of the controller's own credentials.
    pub(crate) fn key(&self, declared: Option<&str>) -> Option<&str> {
        let found = declared.and_then(|id| self.others.get_key_value(id));
        found.map(|(id, _)| id.as_str())
    }

    /// Whether the controller works in the account of this id, as far as it is known yet.
    pub(crate) fn has(&self, id: &str) -> bool {
        let is_own = matches!(&*self.own.borrow(), Some(Ok(own)) if own.id == id);
        is_own || self.others.contains_key(id)
    }

    /// The names of all accounts.
    pub(crate) fn keys(&self) -> Vec<Option<String>> {
        let others = self.others.keys().cloned().map(Some);
        std::iter::once(None).chain(others).collect()
    }

    /// An account by its name here, for calls that time makes due.
    pub(crate) async fn place(&self, key: Option<&str>) -> Result<Place, Failure> {
        let (account, iam) = match key.and_then(|id| self.others.get(id)) {
            Some(other) => (other.access.account.clone(), &other.iam),
            None => (self.own().await?, &self.iam),
        };
        Ok(Place {
            account,
            iam: iam.clone().in_lane(Lane::Due),
        })
    }

    /// The queues of change messages, each with the account for which it is believed; none: all. `own` is read with the controller's own
    /// credentials.
    pub(crate) fn queues(&self, own: Option<&QueueUrl>) -> Vec<(Option<String>, Queue)> {
        let own = own.map(|url| (None, self.iam.queue(url.clone())));
        let others = self.others.iter().filter_map(|(id, other)| {
            let url = other.access.change_queue.clone()?;
            Some((Some(id.clone()), other.iam.queue(url)))
        });
        own.into_iter().chain(others).collect()
    }

    /// Calls per second that there may be in each account, on average.
    pub(crate) fn calls_per_second(&self) -> NonZeroU32 {
        self.iam.calls_per_second()
    }

    /// Whether the call of this id was a write of this process.
    pub(crate) fn wrote(&self, request_id: &str) -> bool {
        self.iam.wrote(request_id)
    }

    /// The seats for passes over objects that declare this account.
    pub(crate) fn seats(&self, declared: Option<&str>) -> &Seats {
        let other = declared.and_then(|id| self.others.get(id));
        other.map_or(&self.seats, |other| &other.seats)
    }

    /// Lets no further pass begin.
    pub(crate) fn close(&self) {
        self.seats.close();
        self.others.values().for_each(|other| other.seats.close());
    }

    /// The account of the credentials; waits for the first answer.
    async fn own(&self) -> Result<Account, Failure> {
        let mut account = self.own.clone();
        let known = account.wait_for(Option::is_some).await;
        known.ok().and_then(|known| known.clone()).unwrap_or_else(|| {
            Err(Failure {
                class: Class::Retryable,
                message: "the controller is ending".to_owned(),
            })
        })
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
