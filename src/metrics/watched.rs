//! What the gauges want to know of an object.

use std::time::Duration;

/// An object, as the gauges see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// The object.
    pub uid: String,
    /// Reason of `Ready`, or that it is suspended.
    pub state: &'static str,
    /// Whether no look at its role is due: it is suspended or being deleted.
    pub rests: bool,
    /// Time between full checks of this object, by its spec or the settings.
    pub interval: Duration,
    /// How many times as long it is, since the budget of the account can't pay for more; 1: as long.
    pub stretch: f64,
}
