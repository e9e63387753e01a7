//! Lanes: what people did, and what time did. Seats and the budget of calls have one policy of whose turn it is.

/// Why a pass is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    /// Somebody waits for it, or may have done harm: a new generation, a deletion, the annotation, a hint that the role was changed.
    Asked,
    /// Its time has come.
    Due,
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
