//! IAM, for the commands that only read.

use std::{
    cell::Cell,
    io::IsTerminal,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::medium::say;
use crate::{
    aws::{CallWatch, Iam},
    config::BudgetArgs,
};

/// Counts the calls.
#[derive(Debug, Default)]
pub(super) struct Calls(AtomicUsize);

impl Calls {
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl CallWatch for Calls {
    fn called(&self, _: &'static str, _: &'static str, _: Duration) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn smaller_pages(&self, action: &'static str, items: i32) {
        // A line of its own after one that is being written over.
        if std::io::stderr().is_terminal() {
            say("");
        }
        say(format_args!("{action}: IAM is slow, so pages of {items} from here on"));
    }
}

/// IAM, with the credentials, the region and the endpoint of the environment.
pub(super) async fn iam(budget: &BudgetArgs, calls: &Arc<Calls>) -> Result<Iam, String> {
    let settings = budget.check().map_err(|problems| problems.join("; "))?;
    Ok(Iam::from_environment(settings, Arc::clone(calls) as _).await)
}

/// Roles after which a log gets another line of how far a long reading is.
const STRIDE: usize = 500;

/// Says how far a long reading is: on a terminal in a line that is written over, elsewhere in a line whenever as many more roles were read
/// as a page has, however small the pages are.
#[expect(clippy::print_stderr, reason = "a number, and the start of the line")]
pub(super) fn progress() -> impl Fn(usize) {
    let told = Cell::new(0);
    move |roles| {
        if std::io::stderr().is_terminal() {
            eprint!("\r{roles} roles read");
        } else if is_due(&told, roles) {
            say(format_args!("{roles} roles read"));
        }
    }
}

/// Whether so many roles are worth another line after the last one.
fn is_due(told: &Cell<usize>, roles: usize) -> bool {
    let due = roles >= told.get() + STRIDE;
    if due {
        told.set(roles);
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_at_growing_counts_whatever_the_size_of_the_pages() {
        for page in [1, 50, 62, 125, 300, 499, 500, 700, 1000] {
            let told = Cell::new(0);
            let lines: Vec<usize> = (1..=5000 / page).map(|n| n * page).collect();
            let lines: Vec<usize> = lines.into_iter().filter(|roles| is_due(&told, *roles)).collect();
            let apart = STRIDE.max(page);
            assert!(
                lines.len() >= 5000 / (apart + page) && lines.len() <= 10,
                "{page}: {lines:?}"
            );
            assert!(
                lines
                    .windows(2)
                    .all(|two| two[1] >= two[0] + STRIDE && two[1] < two[0] + STRIDE + page)
            );
        }
        // The last pages bear policies alone.
        let told = Cell::new(0);
        assert_eq!([600, 600, 600].map(|roles| is_due(&told, roles)), [true, false, false]);
    }
}
