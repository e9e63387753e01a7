//! Waits between tries: longer after each failure, and with some chance in them, so that what failed together does not come back together.

use std::time::Duration;

/// The wait after so many failures in a row: the first time, doubled for each further failure, up to the longest; with jitter.
pub(crate) fn after_failures(failures: u32, first: Duration, longest: Duration) -> Duration {
    jittered(doubled(failures, first, longest))
}

/// Between 90 and 110 % of a time.
pub(crate) fn jittered(time: Duration) -> Duration {
    time.mul_f64(0.9 + 0.2 * fastrand::f64())
}

fn doubled(failures: u32, first: Duration, longest: Duration) -> Duration {
    let doubled = first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(20)));
    doubled.min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_mins(5);

    #[test]
    fn a_wait_doubles_up_to_its_cap_and_never_overflows() {
        for (failures, seconds) in [(0, 1), (1, 1), (2, 2), (4, 8), (9, 256), (10, 300), (u32::MAX, 300)] {
            assert_eq!(
                doubled(failures, FIRST, LONGEST),
                Duration::from_secs(seconds),
                "{failures}"
            );
        }
    }

    #[test]
    fn waits_differ_by_a_tenth_at_most() {
        let waits: Vec<Duration> = (0..200).map(|_| after_failures(4, FIRST, LONGEST)).collect();
        let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
        assert!(
            *least >= Duration::from_millis(7200) && *most <= Duration::from_millis(8800),
            "{least:?} to {most:?}"
        );
        assert!(*most > *least + Duration::from_secs(1), "{least:?} to {most:?}");
    }
}
