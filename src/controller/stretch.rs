//! How much longer than by its interval each object of an account waits for its next look, where the account's budget can't pay for all
//! looks in time: all by the same factor, so that none is forgotten for the sake of another.

use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    context::Context,
    pace::{Demand, stretch},
    register::watched,
};
use crate::{api::v1alpha1::PinpointImportRole, role::sighting::LONGEST};

impl Context {
    /// How much longer than by their intervals the objects of an account wait for their looks.
    pub(super) fn stretch(&self, key: Option<&str>) -> f64 {
        let now = Instant::now();
        let before = match self.stretches.of(key, now) {
            Ok(factor) => return factor,
            Err(before) => before,
        };
        let sweeps = self.settings.sweeps;
        let taken = if sweeps.interval.is_zero() {
            0.0
        } else {
            f64::from(sweeps.calls_per_minute) / 60.0
        };
        let objects = self.hints.all(key);
        let demands = objects.iter().filter_map(|object| self.demand(object));
        let budget = f64::from(self.accounts.calls_per_second().get());
        let factor = stretch(demands, budget, taken);
        tell(key, before, factor);
        self.stretches.note(key, now, factor);
        factor
    }

    /// What an object's looks take; none if none are due.
    fn demand(&self, object: &PinpointImportRole) -> Option<Demand> {
        let watched = watched(object, self.settings.resync).filter(|watched| !watched.rests)?;
        let (generation, now) = (object.metadata.generation.unwrap_or_default(), self.clock().now);
        let is_sighted = self.met(object, |memory| {
            let until = memory.sightings.rests_until(generation, watched.interval, now);
            until.is_some()
        });
        Some(Demand {
            calls: 3 + u32::from(object.spec.buckets.is_some()),
            every: if is_sighted { LONGEST } else { watched.interval },
        })
    }
}

/// Says once that intervals are stretched, and that they are no more.
fn tell(key: Option<&str>, before: f64, now: f64) {
    let account = key.unwrap_or("that of the controller's credentials");
    match (before > 1.0, now > 1.0) {
        (false, true) => warn!(
            account,
            "the budget of calls can't pay for a look at each role at its interval, so all intervals are stretched by {now:.2}: raise \
             --iam-calls-per-second or --resync-interval, or have the account swept"
        ),
        (true, false) => info!(account, "each role is looked at by its interval again"),
        _ => {}
    }
}
