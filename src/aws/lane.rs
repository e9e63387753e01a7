//! Lanes: what people did, and what time did. Seats and the budget of calls have one policy of whose turn it is.

use std::future::pending;

use tokio::sync::watch;

/// Why a pass is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    /// Somebody waits for it, or may have done harm: a new generation, a deletion, the annotation, a hint that the role was changed.
    Asked,
    /// Its time has come.
    Due,
}

/// The lane of a pass, which may change while it is under way: somebody edits the object of a look that is due.
#[derive(Clone, Debug)]
pub(crate) struct PassLane(watch::Receiver<Lane>);

impl PassLane {
    /// One whose lane the sender changes.
    pub(super) fn new(lane: Lane) -> (watch::Sender<Lane>, Self) {
        let (change, lane) = watch::channel(lane);
        (change, Self(lane))
    }

    /// Its lane now.
    pub(super) fn now(&self) -> Lane {
        *self.0.borrow()
    }

    /// Waits until somebody asks for it, for ever if nobody does.
    pub(super) async fn asked(mut self) {
        if self.0.wait_for(|lane| *lane == Lane::Asked).await.is_err() {
            pending::<()>().await;
        }
    }
}

impl From<Lane> for PassLane {
    fn from(lane: Lane) -> Self {
        Self::new(lane).1
    }
}

/// So many in a row go to those who are asked for while others are due: people come first, but whatever they do, what is due has its turn
/// some day.
pub(super) const IN_A_ROW: u32 = 8;

/// Whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// How many in a row went to those who were asked for while others were due.
    in_a_row: u32,
}

impl Turns {
    /// The lane whose turn it is, of those in which somebody waits.
    pub(super) fn next(&mut self, asked: bool, due: bool) -> Option<Lane> {
        let (lane, in_a_row) = match (asked, due) {
            (true, true) if self.in_a_row < IN_A_ROW => (Lane::Asked, self.in_a_row + 1),
            (_, true) => (Lane::Due, 0),
            (true, false) => (Lane::Asked, self.in_a_row),
            (false, false) => return None,
        };
        self.in_a_row = in_a_row;
        Some(lane)
    }
}
