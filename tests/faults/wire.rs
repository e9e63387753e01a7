//! The calls of a run, in the order in which they come in, and what is done to them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use test_support::iam::RoleState;
use tokio::{sync::Notify, time::Instant};

use crate::fault::{Fault, Script};

/// Who is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// IAM.
    Iam,
    /// The API server.
    Api,
}

/// A call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Who is called.
    pub(crate) target: Target,
    /// What for.
    pub(crate) what: String,
    /// Whether it may change anything.
    pub(crate) is_write: bool,
    /// What was done to it.
    pub(crate) fault: Option<Fault>,
    /// When it came in.
    pub(crate) at: Instant,
}

/// Something that is to be judged.
#[derive(Clone, Debug)]
pub(crate) enum Moment {
    /// What a call made of the role that it named.
    Written(String, Box<Option<RoleState>>),
    /// A status said that the role is as the object declares it now.
    Ready,
}

/// The wire between the controller and the world.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    state: Mutex<State>,
    /// Told of each call.
    pub(crate) called: Notify,
}

#[derive(Debug, Default)]
struct State {
    is_counting: bool,
    calls: Vec<Call>,
    faults: Vec<(usize, Fault)>,
    life: usize,
    moments: Vec<Moment>,
    wrong: Vec<String>,
}

impl Wire {
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on calls are counted, and disturbed as the script says.
    pub(crate) fn disturb(&self, script: &Script) {
        let mut state = self.locked();
        state.is_counting = true;
        state.faults.clone_from(&script.faults);
    }

    /// A call of a process comes in. Returns what is done to it. A process that was killed calls nobody any more.
    pub(crate) async fn arrive(&self, life: usize, target: Target, what: &str, is_write: bool) -> Option<Fault> {
        if self.locked().life != life {
            return std::future::pending().await;
        }
        self.called.notify_one();
        let mut state = self.locked();
        if !state.is_counting {
            return None;
        }
        let number = state.calls.len() + 1;
        let fault = state
            .faults
            .iter()
            .find(|(call, _)| *call == number)
            .map(|found| found.1);
        state.calls.push(Call {
            target,
            what: what.to_owned(),
            is_write,
            fault,
            at: Instant::now(),
        });
        fault
    }

    /// Kills the process that makes this call.
    pub(crate) async fn kill(&self) -> ! {
        self.locked().life += 1;
        self.called.notify_one();
        std::future::pending().await
    }

    /// Which process is alive.
    pub(crate) fn life(&self) -> usize {
        self.locked().life
    }

    /// The calls so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.locked().calls.clone()
    }

    /// Notes something that is to be judged.
    pub(crate) fn note(&self, moment: Moment) {
        let mut state = self.locked();
        if state.is_counting {
            state.moments.push(moment);
        }
    }

    /// What is to be judged, in order.
    pub(crate) fn moments(&self) -> Vec<Moment> {
        self.locked().moments.clone()
    }

    /// Notes something that must not happen.
    pub(crate) fn wrong(&self, what: String) {
        self.locked().wrong.push(what);
    }

    /// What happened that must not.
    pub(crate) fn wrongs(&self) -> Vec<String> {
        self.locked().wrong.clone()
    }
}
