//! Metrics for Prometheus. Labels come from closed sets: no name of an object, a role or a namespace.

mod labels;
mod messages;
mod watched;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
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
use strum::VariantArray;

use labels::{CallLabels, Label};
pub use labels::{Followed, Shown, SweepResult, Why};
pub use messages::{MessageMetrics, MessageWas};
pub use watched::Watched;

use crate::{aws::CallWatch, role::Field};

/// Tells which objects there are now.
type Objects = Box<dyn Fn() -> Vec<Watched> + Send + Sync>;

/// A pass over an object.
#[derive(Clone, Copy, Debug)]
pub struct Pass<'a> {
    /// The object.
    pub uid: &'a str,
    /// The outcome.
    pub outcome: &'static str,
    /// Whether the role was wholly looked at.
    pub complete: bool,
    /// How long the pass took.
    pub took: Duration,
}

/// All metrics.
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
    stretch: Gauge<f64, AtomicU64>,
    watches: Mutex<Vec<Objects>>,
    /// By uid: the last complete look, or the time at which the object came.
    looks: Mutex<HashMap<String, Instant>>,
    sweeps: Family<Label, Counter>,
    sweep_durations: Histogram,
    sweep_age: Gauge<f64, AtomicU64>,
    sweep_period: Gauge<f64, AtomicU64>,
    sightings: Family<Label, Counter>,
    hints: Family<CallLabels, Counter>,
    drifts_seen: Family<Label, Counter>,
    /// Of change messages.
    pub messages: MessageMetrics,
    /// By account: its last whole sweep, or when its sweeps began, and the time between their starts.
    sweep_times: Mutex<HashMap<Option<String>, (Instant, Duration)>>,
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
            stretch: Gauge::default(),
            watches: Mutex::default(),
            looks: Mutex::default(),
            sweeps: Family::default(),
            // From 0.1 s to 200 s: a sweep is some calls of seconds each.
            sweep_durations: Histogram::new(exponential_buckets(0.1, 2.0, 12)),
            sweep_age: Gauge::default(),
            sweep_period: Gauge::default(),
            sightings: Family::default(),
            hints: Family::default(),
            drifts_seen: Family::default(),
            messages: MessageMetrics::default(),
            sweep_times: Mutex::default(),
            registry: Registry::default(),
        };
        metrics.register_passes(&mut registry);
        metrics.register_sweeps(&mut registry);
        metrics.messages.register(&mut registry);
        Self { registry, ..metrics }
    }
}

impl Metrics {
    fn register_passes(&self, registry: &mut Registry) {
        registry.register("passes", "Passes over objects, by their outcome", self.passes.clone());
        registry.register_with_unit("pass_duration", "Time of a pass", Unit::Seconds, self.durations.clone());
        registry.register("iam_calls", "Calls to IAM, by action and result", self.calls.clone());
        registry.register_with_unit(
            "iam_budget_wait",
            "Time that calls waited for the controller's own budget",
            Unit::Seconds,
            self.waited.clone(),
        );
        registry.register(
            "drifts",
            "Changes that others made to roles, by the part of the role",
            self.drifts.clone(),
        );
        registry.register(
            "leading",
            "1 if this process is the one that works, else 0",
            self.leading.clone(),
        );
        registry.register(
            "objects",
            "Objects, by the reason of their Ready condition",
            self.objects.clone(),
        );
        registry.register_with_unit(
            "oldest_look_age",
            "Age of the oldest last complete look at a role, of objects that are neither suspended nor being deleted",
            Unit::Seconds,
            self.oldest_look.clone(),
        );
        registry.register_with_unit(
            "look_overdue",
            "How long the most overdue complete look at a role is overdue, by the interval of its object as it is stretched",
            Unit::Seconds,
            self.overdue.clone(),
        );
        registry.register(
            "look_interval_stretch",
            "How many times as long as declared the time between looks is, at most, since the budget can't pay for more",
            self.stretch.clone(),
        );
    }

    fn register_sweeps(&self, registry: &mut Registry) {
        registry.register("sweeps", "Sweeps of accounts, by how they ended", self.sweeps.clone());
        registry.register_with_unit(
            "sweep_duration",
            "Time of a sweep",
            Unit::Seconds,
            self.sweep_durations.clone(),
        );
        registry.register_with_unit(
            "sweep_age",
            "Age of the oldest last whole sweep of an account that has objects and is swept",
            Unit::Seconds,
            self.sweep_age.clone(),
        );
        registry.register_with_unit(
            "sweep_period",
            "Longest time between starts of sweeps of an account",
            Unit::Seconds,
            self.sweep_period.clone(),
        );
        registry.register(
            "sightings",
            "Roles of objects that sweeps showed, by what they showed",
            self.sightings.clone(),
        );
        registry.register(
            "hints",
            "Hints to look at a role before its time, by where they came from and what came of them",
            self.hints.clone(),
        );
        registry.register(
            "drifts_seen",
            "Drifts that were told of, by what made the controller look",
            self.drifts_seen.clone(),
        );
    }

    /// A sweep of an account begins; the next will begin after so long.
    pub fn sweeping(&self, account: Option<&str>, now: Instant, period: Duration) {
        let mut times = locked(&self.sweep_times);
        times.entry(account.map(str::to_owned)).or_insert((now, period)).1 = period;
    }

    /// A sweep has ended.
    pub fn swept(&self, result: SweepResult, took: Duration) {
        let result = match result {
            SweepResult::Whole => "whole",
            SweepResult::Partial => "partial",
            SweepResult::Throttled => "throttled",
            SweepResult::Denied => "denied",
            SweepResult::Failed => "failed",
        };
        self.sweeps.get_or_create(&[("result", result)]).inc();
        self.sweep_durations.observe(took.as_secs_f64());
    }

    /// A sweep of an account that began then was whole.
    pub fn whole(&self, account: Option<&str>, began: Instant) {
        if let Some(times) = locked(&self.sweep_times).get_mut(&account.map(str::to_owned)) {
            times.0 = began;
        }
    }

    /// An account is not swept for now.
    pub fn sweeps_rest(&self, account: Option<&str>) {
        locked(&self.sweep_times).remove(&account.map(str::to_owned));
    }

    /// Counts what a sweep showed of a role.
    pub fn sighting(&self, shown: Shown) {
        let shown = match shown {
            Shown::AsDeclared => "as_declared",
            Shown::Differs => "differs",
            Shown::Unclear => "unclear",
        };
        self.sightings.get_or_create(&[("result", shown)]).inc();
    }

    /// Counts a hint.
    pub fn hint(&self, why: Why, followed: Followed) {
        let result = match followed {
            Followed::Looked => "looked",
            Followed::Folded => "folded",
            Followed::Futile => "futile",
        };
        let labels = [("why", why.as_str()), ("result", result)];
        self.hints.get_or_create(&labels).inc();
    }

    /// Counts a drift that was told of.
    pub fn drift_seen(&self, by: Why) {
        self.drifts_seen.get_or_create(&[("by", by.as_str())]).inc();
    }

    /// A role was wholly seen at that time.
    pub fn looked(&self, uid: &str, at: Instant) {
        if let Some(look) = locked(&self.looks).get_mut(uid) {
            *look = at.max(*look);
        }
    }

    /// Counts a pass.
    pub fn pass(&self, pass: Pass<'_>) {
        self.passes.get_or_create(&[("outcome", pass.outcome)]).inc();
        self.durations.observe(pass.took.as_secs_f64());
        if pass.complete {
            self.looked(pass.uid, Instant::now());
        }
    }

    /// Has the gauges ask for the objects of a watch, whenever they are read: so they tell of those that are there, and of no others.
    pub fn follow(&self, objects: impl Fn() -> Vec<Watched> + Send + Sync + 'static) {
        locked(&self.watches).push(Box::new(objects));
    }

    /// Notes that an object came: a look at its role is due within its interval.
    pub fn came(&self, uid: &str) {
        locked(&self.looks).entry(uid.to_owned()).or_insert_with(Instant::now);
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, uid: &str) {
        locked(&self.looks).remove(uid);
    }

    /// Counts a drift of a part of a role. `field` is as the status has it.
    pub fn drift(&self, field: &str) {
        if let Some(known) = Field::VARIANTS.iter().copied().find(|known| known.as_str() == field) {
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
        let (mut oldest, mut overdue, mut stretch) = (Duration::ZERO, Duration::ZERO, 1.0_f64);
        let objects: Vec<Watched> = locked(&self.watches).iter().flat_map(|objects| objects()).collect();
        let looks = locked(&self.looks);
        for object in objects {
            self.objects.get_or_create(&[("reason", object.state)]).inc();
            stretch = stretch.max(object.stretch);
            if let Some(look) = looks.get(&object.uid).filter(|_| !object.rests) {
                let age = look.elapsed();
                oldest = oldest.max(age);
                // Looks come up to a tenth of the interval late, so that not all come at once.
                overdue = overdue.max(age.saturating_sub(object.interval.mul_f64(1.1 * object.stretch)));
            }
        }
        drop(looks);
        let times: Vec<(Instant, Duration)> = locked(&self.sweep_times).values().copied().collect();
        let age = times.iter().map(|(whole, _)| whole.elapsed()).max();
        let period = times.iter().map(|(_, period)| *period).max();
        self.sweep_age.set(age.unwrap_or_default().as_secs_f64());
        self.sweep_period.set(period.unwrap_or_default().as_secs_f64());
        self.oldest_look.set(oldest.as_secs_f64());
        self.overdue.set(overdue.as_secs_f64());
        self.stretch.set(stretch);
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
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
    use std::sync::Arc;

    use super::*;
    use crate::api::Reason;

    #[test]
    fn what_is_counted_is_told() {
        let metrics = Metrics::default();
        let pass = Pass {
            uid: "a",
            outcome: "in_place",
            complete: true,
            took: Duration::from_millis(30),
        };
        metrics.pass(pass);
        metrics.pass(Pass {
            uid: "b",
            outcome: "refused",
            ..pass
        });
        metrics.pass(Pass {
            uid: "c",
            outcome: "suspended",
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
            "pir_pass_duration_seconds_count 3",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(!text.contains("no such field"));
    }

    fn gauge(metrics: &Metrics, name: &str) -> f64 {
        let text = metrics.text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("{name}\n{text}")).parse().unwrap()
    }

    #[test]
    fn gauges_tell_of_the_objects_that_are_there_and_of_no_others() {
        let metrics = Metrics::default();
        let objects = Arc::new(Mutex::new(Vec::new()));
        let followed = Arc::clone(&objects);
        metrics.follow(move || locked(&followed).clone());
        let object = |uid: &str, state: Reason, seconds: u64| Watched {
            uid: uid.to_owned(),
            state: state.as_str(),
            rests: state == Reason::Deleting,
            interval: Duration::from_secs(seconds),
            stretch: 1.0,
        };
        let all = [
            object("looked", Reason::Reconciled, 0),
            object("refused", Reason::RoleNotOwned, 0),
            object("rests", Reason::Deleting, 0),
        ];
        objects.lock().unwrap().extend(all);
        for uid in ["looked", "refused", "rests"] {
            metrics.came(uid);
        }
        std::thread::sleep(Duration::from_millis(20));
        let pass = Pass {
            uid: "looked",
            outcome: "in_place",
            complete: true,
            took: Duration::ZERO,
        };
        metrics.pass(pass);
        metrics.pass(Pass {
            uid: "refused",
            complete: false,
            ..pass
        });
        assert!(
            gauge(&metrics, "pir_look_overdue_seconds") >= 0.02,
            "refused was due at once"
        );
        assert!(metrics.text().contains("pir_objects{reason=\"RoleNotOwned\"} 1"));

        objects.lock().unwrap().retain(|object| object.uid != "refused");
        assert!(
            gauge(&metrics, "pir_look_overdue_seconds") < 0.02,
            "looked was looked at"
        );
        assert!(!metrics.text().contains("RoleNotOwned"));
        assert!(metrics.text().contains("pir_objects{reason=\"Deleting\"} 1"));

        objects.lock().unwrap().retain(|object| object.uid == "rests");
        assert!(gauge(&metrics, "pir_oldest_look_age_seconds").abs() < f64::EPSILON);
    }

    #[test]
    fn a_pass_that_ends_after_its_object_went_leaves_nothing_behind() {
        let metrics = Metrics::default();
        metrics.came("a");
        metrics.forget("a");
        metrics.pass(Pass {
            uid: "a",
            outcome: "in_place",
            complete: true,
            took: Duration::ZERO,
        });
        assert!(locked(&metrics.looks).is_empty());
    }
}
