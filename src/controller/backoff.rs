//! How long to wait before the next look.

use std::time::Duration;

/// Exponential: `base`, doubled for each failure in a row, up to `cap`; with jitter, so that objects that failed together don't come
/// back together.
pub(super) fn after_failures(failures: u32, base: Duration, cap: Duration) -> Duration {
    let doubled = base.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(20)));
    jittered(doubled.min(cap))
}

/// Between 90 and 110 % of a time.
pub(super) fn jittered(time: Duration) -> Duration {
    time.mul_f64(0.9 + 0.2 * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_cap_and_never_overflows() {
        let (base, cap) = (Duration::from_secs(1), Duration::from_mins(5));
        for (failures, seconds) in [(1, 1.0), (2, 2.0), (4, 8.0), (9, 256.0), (10, 300.0), (u32::MAX, 300.0)] {
            let waited = after_failures(failures, base, cap).as_secs_f64();
            assert!(
                (seconds * 0.9..=seconds * 1.1).contains(&waited),
                "{failures}: {waited}"
            );
        }
    }
}
