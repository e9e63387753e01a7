//! Until when this process may call IAM, where replicas take turns.
//!
//! A process may sleep at any point for longer than its lease lasts: it was stopped, or its machine hung. When it wakes up another one
//! works, and it ends as soon as it has noticed. Until then nothing of it goes on, whichever of its threads wakes up first.

use std::{
    future::pending,
    sync::{Arc, Mutex, PoisonError},
};

use aws_sdk_iam::config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextRef};
use aws_smithy_runtime_api::box_error::BoxError;
use tokio::time::Instant;

/// The turn is over.
#[derive(Debug, thiserror::Error)]
#[error("another process may lead by now")]
struct Over;

/// When the turn of this process ends; without an end, where replicas take no turns.
#[derive(Clone, Debug, Default)]
pub struct Turn(Arc<Mutex<Option<Instant>>>);

impl Turn {
    /// Sets the end.
    pub(crate) fn lasts_until(&self, end: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
    }

    fn is_over(&self) -> bool {
        let end = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        end.is_some_and(|end| Instant::now() >= end)
    }

    /// Returns at once, or never if the turn is over: this process is about to end.
    pub(crate) async fn hold(&self) {
        if self.is_over() {
            pending::<()>().await;
        }
    }
}

/// Of the tries of a call, the SDK's own among them, none is sent after the turn.
impl Intercept for Turn {
    fn name(&self) -> &'static str {
        "Turn"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.is_over() { Err(Over.into()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::future::join;
    use test_support::iam::{FakeIam, Fault, Rule};
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::{
        aws::Iam,
        role::{Change, Step},
    };

    /// Whether a call comes back.
    async fn ends(call: impl Future) -> bool {
        timeout(Duration::from_secs(2), call).await.is_ok()
    }

    /// Regression: a process that had slept through its lease made its next write in each of its passes.
    #[tokio::test]
    async fn after_the_turn_nothing_is_sent_and_no_answer_comes() {
        let fake = FakeIam::start();
        let iam = Iam::for_test(&fake.endpoint()).await;
        let change = Change::plain(Step::DeleteRole);
        let delete = || Box::pin(iam.execute("r", &change));
        let _ = delete().await;
        iam.turn().lasts_until(Instant::now() + Duration::from_mins(1));
        let _ = delete().await;
        let before = fake.calls().len();
        iam.turn().lasts_until(Instant::now());
        assert!(!ends(delete()).await);
        assert_eq!(fake.calls().len(), before);

        // It ends while a call is under way.
        iam.turn().lasts_until(Instant::now() + Duration::from_mins(1));
        fake.fault(Rule::new(Fault::HangBefore(Duration::from_secs(1))));
        let end = async {
            while fake.calls().len() == before {
                sleep(Duration::from_millis(5)).await;
            }
            iam.turn().lasts_until(Instant::now());
        };
        let (ended, ()) = join(ends(delete()), end).await;
        assert!(!ended);
    }
}
