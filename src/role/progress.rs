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
