//! What is counted of change messages.

use std::time::Duration;

use prometheus_client::{
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use super::labels::Label;

/// What a change message was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageWas {
    /// A change of a role of an object here.
    Hint,
    /// A write of this controller.
    Own,
    /// Of something else: another call, another role, another account.
    Other,
    /// No record of a call at all.
    Malformed,
}

/// All of them.
pub struct MessageMetrics {
    messages: Family<Label, Counter>,
    up: Family<[(&'static str, String); 1], Gauge>,
    delay: Histogram,
}

impl Default for MessageMetrics {
    fn default() -> Self {
        Self {
            messages: Family::default(),
            up: Family::default(),
            // From 0.25 s to 512 s: CloudTrail needs seconds as a rule, and minutes at times.
            delay: Histogram::new(exponential_buckets(0.25, 2.0, 12)),
        }
    }
}

impl MessageMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "change_messages",
            "Change messages, by what they were",
            self.messages.clone(),
        );
        registry.register(
            "change_queue_up",
            "Whether the queue of change messages can be read, by account",
            self.up.clone(),
        );
        registry.register_with_unit(
            "change_delay",
            "Time between a change of a role and its message",
            Unit::Seconds,
            self.delay.clone(),
        );
    }

    /// A message was read.
    pub fn read(&self, was: MessageWas) {
        let result = match was {
            MessageWas::Hint => "hint",
            MessageWas::Own => "own",
            MessageWas::Other => "other",
            MessageWas::Malformed => "malformed",
        };
        self.messages.get_or_create(&[("result", result)]).inc();
    }

    /// Whether the queue of an account could be read.
    pub fn queue(&self, account: &str, up: bool) {
        self.up.get_or_create(&[("account", account.to_owned())]).set(up.into());
    }

    /// A message came so long after what it tells of.
    pub fn came_after(&self, delay: Duration) {
        self.delay.observe(delay.as_secs_f64());
    }
}
