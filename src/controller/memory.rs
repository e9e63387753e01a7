//! What this process remembers of an object between passes. Nothing here is needed for safety: a restart loses it.

use std::time::{Duration, Instant};

use crate::role::{Plan, Step};

/// What is remembered of one object.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Failed passes in a row.
    pub failures: u32,
    /// Steps that were attempted, and when.
    attempted: Vec<(Step, Instant)>,
}

impl Memory {
    /// Notes that a step is about to be carried out.
    pub fn attempt(&mut self, step: &Step, settle: Duration) {
        self.attempted.retain(|(_, when)| when.elapsed() < settle);
        self.attempted.push((step.clone(), Instant::now()));
    }

    /// Whether the role was made, or may have been, within the settle time: IAM may not show it yet.
    pub fn just_created(&self, settle: Duration) -> bool {
        self.any(settle, |step| matches!(step, Step::CreateRole(_)))
    }

    /// Whether tags were written within the settle time: IAM may not show them yet, nor judge by them.
    pub fn just_tagged(&self, settle: Duration) -> bool {
        self.any(settle, |step| matches!(step, Step::CreateRole(_) | Step::TagRole(_)))
    }

    /// Splits a plan into what is to be done, and whether some of it was left out because the very same step was carried out within
    /// the settle time: then IAM answers with what was before it, and a moment later there will be nothing to do.
    pub fn settled(&self, plan: Plan, settle: Duration) -> (Plan, bool) {
        if plan.iter().any(|change| matches!(change.step, Step::CreateRole(_))) && self.just_created(settle) {
            return (Plan::new(), true);
        }
        let (repeated, fresh): (Plan, Plan) = plan
            .into_iter()
            .partition(|change| self.any(settle, |step| *step == change.step));
        (fresh, !repeated.is_empty())
    }

    fn any(&self, settle: Duration, is: impl Fn(&Step) -> bool) -> bool {
        self.attempted
            .iter()
            .any(|(step, when)| when.elapsed() < settle && is(step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Change;

    fn change(step: Step) -> Change {
        Change {
            step,
            differences: Vec::new(),
            overwrites: None,
        }
    }

    #[test]
    fn the_same_step_again_within_the_settle_time_is_a_late_answer_of_iam() {
        let settle = Duration::from_mins(1);
        let (mine, other) = (Step::UpdateTrust("a".to_owned()), Step::DetachPolicy("b".to_owned()));
        let mut memory = Memory::default();
        memory.attempt(&mine, settle);
        let (fresh, late) = memory.settled(vec![change(mine.clone()), change(other.clone())], settle);
        assert_eq!((fresh, late), (vec![change(other)], true));

        let (fresh, late) = memory.settled(vec![change(mine.clone())], Duration::ZERO);
        assert_eq!((fresh, late), (vec![change(mine)], false));
    }
}
