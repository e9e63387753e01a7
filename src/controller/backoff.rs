//! Waits with some chance in them, so that what failed together does not come back together.

use std::time::Duration;

use crate::role::waits;

/// The wait after so many failures in a row (see [`waits::backoff`]), with jitter.
pub(super) fn after_failures(failures: u32, first: Duration, longest: Duration) -> Duration {
    jittered(waits::backoff(failures, first, longest))
}

/// Between 90 and 110 % of a time.
pub(super) fn jittered(time: Duration) -> Duration {
    time.mul_f64(0.9 + 0.2 * fastrand::f64())
}
