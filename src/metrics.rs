//! Metrics for Prometheus. Labels come from closed sets: no name of an object, a role or a namespace.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError, atomic::AtomicU64},
    time::{Duration, Instant},
};

use prometheus_client::{
    encoding::text::encode,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use crate::{api::Reason, aws::CallWatch, role::Field};

type Label = [(&'static str, &'static str); 1];
type CallLabels = [(&'static str, &'static str); 2];

/// What one object is like, for the gauges.
#[derive(Clone, Copy, Debug)]
struct Seen {
    state: &'static str,
    /// The last complete look, or the time at which the object was first seen.
    looked: Instant,
    /// How long after it the next one is due.
    interval: Duration,
}

/// A pass over an object.
#[derive(Clone, Copy, Debug)]
pub struct Pass<'a> {
    /// The object.
    pub uid: &'a str,
    /// The outcome.
    pub outcome: &'static str,
    /// Reason of `Ready`; none while suspended.
    pub state: Option<Reason>,
    /// Whether the role was wholly looked at.
    pub complete: bool,
    /// Time between full checks of this object.
    pub interval: Duration,
    /// How long the pass took.
    pub took: Duration,
}

/// All metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    passes: Family<Label, Counter>,
    durations: Histogram,
    calls: Family<CallLabels, Counter>,
    waited: Counter<f64, AtomicU64>,
    drifts: Family<Label, Counter>,
    leading: Gauge,
    objects: Family<Label, Gauge>,
    oldest_look: Gauge<f64, AtomicU64>,
    overdue: Gauge<f64, AtomicU64>,
    seen: Mutex<HashMap<String, Seen>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("pir");
        let metrics = Self {
            passes: Family::default(),
            // From 10 ms to 40 s: a pass is some calls, each of which may take its retries.
            durations: Histogram::new(exponential_buckets(0.01, 2.0, 13)),
            calls: Family::default(),
            waited: Counter::default(),
            drifts: Family::default(),
            leading: Gauge::default(),
            objects: Family::default(),
            oldest_look: Gauge::default(),
            overdue: Gauge::default(),
            seen: Mutex::default(),
            registry: Registry::default(),
        };
        registry.register(
            "passes",
            "Passes over objects, by their outcome",
            metrics.passes.clone(),
        );
        registry.register_with_unit(
            "pass_duration",
            "Time of a pass",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        registry.register("iam_calls", "Calls to IAM, by action and result", metrics.calls.clone());
        registry.register_with_unit(
            "iam_budget_wait",
            "Time that calls waited for the controller's own budget",
            Unit::Seconds,
            metrics.waited.clone(),
        );
        registry.register(
            "drifts",
            "Changes that others made to roles, by the part of the role",
            metrics.drifts.clone(),
        );
        registry.register(
            "leading",
            "1 if this process is the one that works, else 0",
            metrics.leading.clone(),
        );
        registry.register(
            "objects",
            "Objects, by the reason of their Ready condition",
            metrics.objects.clone(),
        );
        registry.register_with_unit(
            "oldest_look_age",
            "Age of the oldest last complete look at a role, of objects that are neither suspended nor being deleted",
            Unit::Seconds,
            metrics.oldest_look.clone(),
        );
        registry.register_with_unit(
            "look_overdue",
            "How long the most overdue complete look at a role is overdue, by the interval of its object",
            Unit::Seconds,
            metrics.overdue.clone(),
        );
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// Counts a pass.
    pub fn pass(&self, pass: Pass<'_>) {
        self.passes.get_or_create(&[("outcome", pass.outcome)]).inc();
        self.durations.observe(pass.took.as_secs_f64());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, interval) = (Instant::now(), pass.interval);
        let state = pass.state.map_or("Suspended", Reason::as_str);
        let before = seen.get(pass.uid).filter(|_| !pass.complete);
        let looked = before.map_or(now, |before| before.looked);
        let one = Seen {
            state,
            looked,
            interval,
        };
        seen.insert(pass.uid.to_owned(), one);
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, uid: &str) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    /// Counts a drift of a part of a role. `field` is as the status has it.
    pub fn drift(&self, field: &str) {
        if let Some(known) = Field::ALL.into_iter().find(|known| known.as_str() == field) {
            self.drifts.get_or_create(&[("field", known.as_str())]).inc();
        }
    }

    /// Says whether this process is the one that works.
    pub fn lead(&self, leading: bool) {
        self.leading.set(leading.into());
    }

    /// Everything, in the `OpenMetrics` text format.
    #[must_use]
    pub fn text(&self) -> String {
        self.objects.clear();
        let (mut oldest, mut overdue) = (Duration::ZERO, Duration::ZERO);
        for one in self.seen.lock().unwrap_or_else(PoisonError::into_inner).values() {
            self.objects.get_or_create(&[("reason", one.state)]).inc();
            let rests = ["Suspended", Reason::Deleting.as_str(), Reason::DeletionBlocked.as_str()].contains(&one.state);
            if !rests {
                let age = one.looked.elapsed();
                oldest = oldest.max(age);
                // Looks come up to a tenth of the interval late, so that not all come at once.
                overdue = overdue.max(age.saturating_sub(one.interval.mul_f64(1.1)));
            }
        }
        self.oldest_look.set(oldest.as_secs_f64());
        self.overdue.set(overdue.as_secs_f64());
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl CallWatch for Metrics {
    fn called(&self, action: &'static str, result: &'static str, waited: Duration) {
        self.calls
            .get_or_create(&[("action", action), ("result", result)])
            .inc();
        self.waited.inc_by(waited.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_told() {
        let metrics = Metrics::default();
        let pass = Pass {
            uid: "a",
            outcome: "in_place",
            state: Some(Reason::Reconciled),
            complete: true,
            interval: Duration::from_mins(10),
            took: Duration::from_millis(30),
        };
        metrics.pass(pass);
        metrics.pass(Pass {
            uid: "b",
            outcome: "refused",
            state: Some(Reason::RoleNotOwned),
            complete: false,
            interval: Duration::ZERO,
            ..pass
        });
        metrics.pass(Pass {
            uid: "c",
            outcome: "suspended",
            state: None,
            complete: false,
            ..pass
        });
        metrics.called("GetRole", "ok", Duration::from_secs(2));
        metrics.drift("trustPolicy");
        metrics.drift("no such field");
        metrics.lead(true);
        let text = metrics.text();
        for line in [
            "pir_passes_total{outcome=\"in_place\"} 1",
            "pir_iam_calls_total{action=\"GetRole\",result=\"ok\"} 1",
            "pir_iam_budget_wait_seconds_total 2.0",
            "pir_drifts_total{field=\"trustPolicy\"} 1",
            "pir_leading 1",
            "pir_objects{reason=\"RoleNotOwned\"} 1",
            "pir_objects{reason=\"Suspended\"} 1",
            "pir_pass_duration_seconds_count 3",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(!text.contains("no such field"));
        let overdue = text
            .lines()
            .find_map(|line| line.strip_prefix("pir_look_overdue_seconds "));
        let overdue: f64 = overdue.unwrap().parse().unwrap();
        assert!(
            overdue > 0.0 && overdue < 60.0,
            "b was due at once, a is not yet: {overdue}"
        );
        metrics.forget("b");
        assert!(!metrics.text().contains("RoleNotOwned"));
    }
}
