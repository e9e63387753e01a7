//! So many of something a second, by tokio's clock, so that tests that stop it wait for nothing.

use std::time::Instant;

use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};

/// A limit. Those who wait for it are served in no order.
#[derive(Debug)]
pub(crate) struct Rate(RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Instant>>);

#[derive(Clone, Copy, Debug)]
struct TokioClock;

impl Clock for TokioClock {
    type Instant = Instant;

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

impl Rate {
    /// A limit that nothing was taken of yet.
    pub(crate) fn new(quota: Quota) -> Self {
        Self(RateLimiter::direct_with_clock(quota, TokioClock))
    }

    /// Waits until there is one to be had, and takes it.
    pub(crate) async fn until_ready(&self) {
        while let Err(not_until) = self.0.check() {
            tokio::time::sleep(not_until.wait_time_from(TokioClock.now())).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, time::Duration};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_a_quiet_time_so_many_at_once_and_then_so_many_a_second() {
        let number = |n| NonZeroU32::new(n).unwrap();
        let rate = Rate::new(Quota::per_second(number(2)).allow_burst(number(10)));
        for _ in 0..2 {
            let start = tokio::time::Instant::now();
            for _ in 0..10 {
                rate.until_ready().await;
            }
            assert_eq!(start.elapsed(), Duration::ZERO);
            for _ in 0..10 {
                rate.until_ready().await;
            }
            let took = start.elapsed().as_millis();
            assert!((5000..5020).contains(&took), "{took} ms");
            tokio::time::sleep(Duration::from_secs(6)).await;
        }
    }
}
