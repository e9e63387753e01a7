//! Who needs no pass: an object at rest whose role a sweep has seen as declared.

use std::time::Duration;

use kube::ResourceExt;

use super::{conclude::interval, context::Context};
use crate::{
    api::{REQUEST_ANNOTATION, v1alpha1::PinpointImportRole},
    backoff,
    role::sighting::{Standing, standing},
};

/// How long objects at rest wait for the first sweep of their account.
pub(super) const FIRST: Duration = Duration::from_mins(1);
impl Context {
    /// How long an object needs no pass, since it is at rest and a sweep has seen its role as declared, or is about to; none where a pass is
    /// due.
    pub(super) async fn rests(&self, object: &PinpointImportRole) -> Option<Duration> {
        let unseen = object.status.as_ref().is_none_or(|status| status.conditions.is_empty());
        if self.settings.sweeps.interval.is_zero() || unseen {
            return None;
        }
        if self.memory(object, |memory| memory.is_hinted()) {
            return None;
        }
        let namespace = object.namespace().unwrap_or_default();
        let place = self
            .accounts
            .choose(&namespace, object.spec.account_id.as_deref())
            .await
            .ok()?;
        let known = self.known(object);
        let situation = self.situation(object, &known);
        if standing(&situation, &place.account, request(object)) != Some(Standing::AtRest) {
            return None;
        }
        let (now, generation) = (self.clock().now, situation.generation);
        let interval = interval(self, object);
        let key = self.key(object);
        // Asked first: a sweep notes what it saw before it counts as begun, so that who is new after that was not seen by it.
        let has_begun = self.sweeps.has_begun(key);
        let (until, is_new) = self.memory(object, |memory| {
            let sightings = &memory.sightings;
            let until = sightings.rests_until(generation, interval, now);
            (until, sightings.is_new())
        });
        if let Some(until) = until {
            // Never later than that, and not all at once.
            return Some(until.saturating_sub(now).mul_f64(0.9 + 0.1 * fastrand::f64()));
        }
        let waits = || self.hints.since(key).is_some_and(|since| since.elapsed() < FIRST);
        (is_new && !has_begun && waits()).then(|| backoff::jittered(Duration::from_secs(5)))
    }
}

/// The value of the annotation "reconcile now".
pub(super) fn request(object: &PinpointImportRole) -> Option<&str> {
    object.annotations().get(REQUEST_ANNOTATION).map(String::as_str)
}
