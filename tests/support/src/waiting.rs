//! Waiting for conditions.

use std::time::{Duration, Instant};

/// Shortest and longest pause between two looks. It is a tenth of the time waited: what comes soon is seen soon, and what takes long does
/// not keep the machine busy.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(50));

/// Looks until there is something, once at least; none if there is nothing in time.
pub fn until<T>(longest: Duration, mut there: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = there() {
            return Some(found);
        }
        let waited = start.elapsed();
        if waited > longest {
            return None;
        }
        std::thread::sleep((waited / 10).clamp(PAUSES.0, PAUSES.1));
    }
}
