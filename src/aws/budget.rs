//! The controller's own budget of calls to IAM in an account: so many a second, what people did before what time did, and in the order of
//! arrival within each.
//!
//! A limit alone serves those who wait for it in no order: an edit would wait for its call among all the looks that are at work.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use governor::Quota;
use tokio::sync::oneshot;

use super::lane::{Lane, PassLane, Turns};
use crate::rate::Rate;

/// The budget of an account.
#[derive(Debug)]
pub(super) struct CallBudget {
    rate: Rate,
    queues: Mutex<Queues>,
    /// One of those who wait gives what the limit has to whoever is next, until he is served himself.
    giver: tokio::sync::Mutex<()>,
}

/// Who waits, in the order of arrival.
#[derive(Debug, Default)]
struct Queues {
    asked: VecDeque<oneshot::Sender<()>>,
    due: VecDeque<oneshot::Sender<()>>,
    turns: Turns,
}

impl CallBudget {
    /// One that nothing was taken of yet.
    pub(super) fn new(quota: Quota) -> Self {
        Self {
            rate: Rate::new(quota),
            queues: Mutex::default(),
            giver: tokio::sync::Mutex::default(),
        }
    }

    /// Waits for a call to be paid for: among those who are asked for from the moment that somebody asks.
    pub(super) async fn take(&self, lane: PassLane) {
        if lane.now() == Lane::Due {
            tokio::select! {
                biased;
                () = self.take_in(Lane::Due) => return,
                () = lane.asked() => {}
            }
        }
        self.take_in(Lane::Asked).await;
    }

    async fn take_in(&self, lane: Lane) {
        let (give, mut given) = oneshot::channel();
        {
            let mut queues = self.queues();
            match lane {
                Lane::Asked => queues.asked.push_back(give),
                Lane::Due => queues.due.push_back(give),
            }
        }
        let _turn = tokio::select! {
            biased;
            _ = &mut given => return,
            turn = self.giver.lock() => turn,
        };
        while given.try_recv().is_err() {
            self.rate.until_ready().await;
            self.queues().give();
        }
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues {
    /// Gives one to whoever is next. Those who went away are passed over.
    fn give(&mut self) {
        while let Some(lane) = self.turns.next(!self.asked.is_empty(), !self.due.is_empty()) {
            let queue = match lane {
                Lane::Asked => &mut self.asked,
                Lane::Due => &mut self.due,
            };
            if queue.pop_front().is_some_and(|next| next.send(()).is_ok()) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, sync::Arc, time::Duration};

    use futures::FutureExt;
    use tokio::{task::JoinSet, time::Instant};

    use super::*;
    use crate::aws::lane::IN_A_ROW;

    /// So many a second, and one at once.
    fn budget(per_second: u32) -> Arc<CallBudget> {
        let quota = Quota::per_second(NonZeroU32::new(per_second).unwrap());
        Arc::new(CallBudget::new(quota.allow_burst(NonZeroU32::MIN)))
    }

    /// Has these wait, in this order. They tell who was served.
    fn wait(budget: &Arc<CallBudget>, comers: &[(&'static str, Lane)]) -> JoinSet<&'static str> {
        let mut waiting = JoinSet::new();
        for (who, lane) in comers.iter().copied() {
            let mut take = Box::pin({
                let budget = Arc::clone(budget);
                async move { budget.take(lane.into()).await }
            });
            assert!(take.as_mut().now_or_never().is_none(), "{who} was served at once");
            waiting.spawn(take.map(move |()| who));
        }
        waiting
    }

    async fn order(mut waiting: JoinSet<&'static str>) -> Vec<&'static str> {
        let mut order = Vec::new();
        while let Some(served) = waiting.join_next().await {
            order.push(served.unwrap());
        }
        order
    }

    /// A call that waits because it is due is asked for.
    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_asked_for_while_it_waits_comes_first() {
        let budget = budget(1);
        budget.take(Lane::Due.into()).await;
        let before = wait(&budget, &[("due", Lane::Due); 40]);
        let (change, lane) = PassLane::new(Lane::Due);
        let start = Instant::now();
        let mut call = Box::pin(budget.take(lane));
        assert!(call.as_mut().now_or_never().is_none());
        change.send_replace(Lane::Asked);
        call.await;
        assert!(start.elapsed() <= Duration::from_secs(2), "{:?}", start.elapsed());
        drop(before);
    }

    #[tokio::test(start_paused = true)]
    async fn what_people_did_is_paid_for_first() {
        let budget = budget(2);
        budget.take(Lane::Due.into()).await;
        let start = Instant::now();
        let waiting = wait(
            &budget,
            &[
                ("d0", Lane::Due),
                ("d1", Lane::Due),
                ("a0", Lane::Asked),
                ("a1", Lane::Asked),
            ],
        );
        assert_eq!(order(waiting).await, ["a0", "a1", "d0", "d1"]);
        let took = start.elapsed().as_millis();
        assert!((2000..2020).contains(&took), "no more than the limit has: {took} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_is_paid_for_some_day() {
        let budget = budget(2);
        budget.take(Lane::Due.into()).await;
        let comers = [&[("due", Lane::Due)][..], &[("asked", Lane::Asked); 40]].concat();
        let order = order(wait(&budget, &comers)).await;
        assert_eq!(
            order.iter().position(|who| *who == "due"),
            usize::try_from(IN_A_ROW).ok()
        );
    }

    /// Whoever gives may go away while he waits, and whoever waits while he is about to be given.
    #[tokio::test(start_paused = true)]
    async fn who_goes_away_keeps_nobody_waiting() {
        let budget = budget(2);
        budget.take(Lane::Due.into()).await;
        let mut gives = Box::pin(budget.take(Lane::Due.into()));
        let mut waits = Box::pin(budget.take(Lane::Asked.into()));
        assert!(gives.as_mut().now_or_never().is_none() && waits.as_mut().now_or_never().is_none());
        let left = wait(&budget, &[("left", Lane::Due)]);
        drop((gives, waits));
        let served = tokio::time::timeout(Duration::from_secs(2), order(left)).await;
        assert_eq!(served.unwrap(), ["left"]);
    }
}
