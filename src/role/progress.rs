//! What may still be done of a plan, by what came of the steps before.

use std::collections::BTreeSet;

use super::{Change, Failure, Head, Premise};

/// How far the execution of a plan has come: which changes may be made, and what came of those that were tried.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    broken: BTreeSet<Premise>,
    /// Calls that failed, in order.
    pub failures: Vec<Failure>,
    /// Whether something was left out, for want of what it needs.
    pub incomplete: bool,
    /// The role that was made.
    pub made: Option<Head>,
}

impl Progress {
    /// The start, where these premises don't hold (yet), since IAM is late to show them.
    #[must_use]
    pub fn without(late: &BTreeSet<Premise>) -> Self {
        Self {
            broken: late.clone(),
            ..Self::default()
        }
    }

    /// Whether a change may be made now. One that may not is kept back, with all that hangs on it.
    pub fn may(&mut self, change: &Change) -> bool {
        let may = !change.needs.iter().any(|need| self.broken.contains(need));
        if !may {
            self.incomplete = true;
            self.broken.extend(&change.secures);
        }
        may
    }

    /// Takes the answer of a change.
    pub fn take(&mut self, change: &Change, answer: Result<Option<Head>, Failure>) {
        match answer {
            Ok(made) => self.made = made.or(self.made.take()),
            Err(failure) => {
                self.failures.push(failure);
                self.broken.extend(&change.secures);
            }
        }
    }

    /// Whether a premise still holds, as far as the execution knows.
    #[must_use]
    pub fn holds(&self, premise: Premise) -> bool {
        !self.broken.contains(&premise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::{Class, Step};

    #[test]
    fn what_needs_what_is_late_or_failed_waits_with_all_that_hangs_on_it() {
        let delete = || Change::plain(Step::DeleteRole);
        let late = [Premise::Trust].into();
        let mut progress = Progress::without(&late);
        assert!(!progress.holds(Premise::Trust) && progress.holds(Premise::Boundary));
        assert!(progress.may(&delete().needing([Premise::Boundary])) && !progress.incomplete);
        assert!(!progress.may(&delete().needing([Premise::Trust]).securing([Premise::Boundary])));
        assert!(progress.incomplete && !progress.may(&delete().needing([Premise::Boundary])));

        let mut progress = Progress::default();
        let failure = Failure {
            class: Class::Denied,
            message: String::new(),
        };
        progress.take(&delete().securing([Premise::Removed]), Ok(None));
        assert!(progress.holds(Premise::Removed) && progress.made.is_none());
        progress.take(&delete().securing([Premise::Removed]), Err(failure.clone()));
        assert!(!progress.holds(Premise::Removed));
        assert_eq!(progress.failures, [failure]);
        let made = || Head {
            id: "AROA".to_owned(),
            ..Head::default()
        };
        progress.take(&delete(), Ok(Some(made())));
        progress.take(&delete(), Ok(None));
        assert_eq!(progress.made, Some(made()), "a later answer does not take it back");
    }
}
