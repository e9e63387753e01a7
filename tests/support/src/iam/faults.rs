//! What tests may do to the wire: faults, gates, a rate limit, and the log of the calls.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// One call as it came in.
#[derive(Clone, Debug)]
pub struct Call {
    /// 1 for the first call since the start or the last `clear_calls`.
    pub number: usize,
    /// The action, such as `GetRole`.
    pub action: String,
    /// Every parameter except `Action` and `Version`.
    pub params: BTreeMap<String, String>,
    /// What became of it on the server's side: `OK` or an error code; `Pending` while it is held
    /// or when the client left; `NotDone` when a fault kept it from having an effect.
    pub outcome: String,
    /// The fault that was put upon it. The effect is `outcome`'s, whatever the client saw.
    pub fault: Option<&'static str>,
    /// When it came in.
    pub at: Instant,
    /// The access key that it is signed with; empty for one without.
    pub caller: String,
}

impl Call {
    /// Whether the action could change anything.
    #[must_use]
    pub fn is_write(&self) -> bool {
        !["Get", "List"].iter().any(|prefix| self.action.starts_with(prefix))
    }

    /// The role that the call is about.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        self.params.get("RoleName").map(String::as_str)
    }
}

/// What happens to a call instead of a plain answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// An error answer; no effect.
    Error {
        /// The HTTP status.
        status: u16,
        /// The error code.
        code: String,
        /// The message.
        message: String,
    },
    /// `Throttling`, status 400; no effect.
    Throttle,
    /// A 500 with an HTML page, as a load balancer gives it; no effect.
    Html500,
    /// The effect is done, and the answer breaks off in the middle.
    TruncatedBody,
    /// The effect is done, and of the answer just so many bytes come, with a length in the header that says the same.
    CutShort(usize),
    /// The connection is closed with no answer; no effect.
    ResetBefore,
    /// The effect is done and the connection is closed: a lost answer.
    ResetAfter,
    /// Nothing for that long, then the effect and the answer (no effect if the client leaves
    /// meanwhile).
    HangBefore(Duration),
    /// The effect is done, then nothing for that long, then the answer.
    HangAfter(Duration),
    /// The effect is done, and the answer is a 200 that is not XML.
    Nonsense,
    /// The effect is done, and each of the first text in the answer is the second.
    Rewritten(&'static str, &'static str),
    /// The effect is done, and that is the answer, with status 200.
    Answer(String),
}

impl Fault {
    /// An error answer of this status and code.
    #[must_use]
    pub fn error(status: u16, code: &str) -> Self {
        Self::Error {
            status,
            code: code.to_owned(),
            message: format!("{code} it is"),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Error { .. } => "Error",
            Self::Throttle => "Throttle",
            Self::Html500 => "Html500",
            Self::TruncatedBody => "TruncatedBody",
            Self::CutShort(_) => "CutShort",
            Self::ResetBefore => "ResetBefore",
            Self::ResetAfter => "ResetAfter",
            Self::HangBefore(_) => "HangBefore",
            Self::HangAfter(_) => "HangAfter",
            Self::Nonsense => "Nonsense",
            Self::Rewritten(..) => "Rewritten",
            Self::Answer(_) => "Answer",
        }
    }
}

/// Which calls a fault is put upon. The first rule that matches a call is used; a rule that is
/// used up is gone.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Only that action.
    pub action: Option<String>,
    /// Only calls with that `RoleName` (ignoring case).
    pub role: Option<String>,
    /// Only calls with that parameter.
    pub param: Option<(String, String)>,
    /// From the n-th matching call on (1 is the next one); `None` is 1.
    pub nth: Option<usize>,
    /// For so many calls.
    pub times: usize,
    /// What happens.
    pub effect: Fault,
}

impl Rule {
    /// The next call, whichever it is.
    #[must_use]
    pub fn new(effect: Fault) -> Self {
        Self {
            action: None,
            role: None,
            param: None,
            nth: None,
            times: 1,
            effect,
        }
    }

    /// Only that action.
    #[must_use]
    pub fn action(mut self, action: &str) -> Self {
        self.action = Some(action.to_owned());
        self
    }

    /// Only that role.
    #[must_use]
    pub fn role(mut self, role: &str) -> Self {
        self.role = Some(role.to_owned());
        self
    }

    /// Only calls with that parameter, such as `PolicyArn`.
    #[must_use]
    pub fn param(mut self, name: &str, value: &str) -> Self {
        self.param = Some((name.to_owned(), value.to_owned()));
        self
    }

    /// From the n-th matching call on.
    #[must_use]
    pub fn nth(mut self, nth: usize) -> Self {
        self.nth = Some(nth);
        self
    }

    /// For so many calls; `usize::MAX` is for good.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    fn matches(&self, action: &str, params: &BTreeMap<String, String>) -> bool {
        let role = params.get("RoleName");
        self.action.as_deref().is_none_or(|a| a == action)
            && self
                .role
                .as_deref()
                .is_none_or(|wanted| role.is_some_and(|r| r.eq_ignore_ascii_case(wanted)))
            && self
                .param
                .as_ref()
                .is_none_or(|(name, value)| params.get(name) == Some(value))
    }
}

/// Where a call is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// The call has come in, nothing is done yet.
    Before,
    /// The effect is done, the answer is not sent yet.
    After,
}

/// Holds one call; see [`super::FakeIam::gate`]. Dropped, it drops the held call's connection; if
/// the call has not come by then, the gate is gone without a trace.
#[derive(Debug)]
pub struct GateHandle {
    arrived: mpsc::Receiver<()>,
    seen: Cell<bool>,
    release: oneshot::Sender<()>,
}

impl GateHandle {
    /// Waits until the call is at the gate; `false` when it did not come in time.
    #[must_use]
    pub fn reached(&self, timeout: Duration) -> bool {
        if !self.seen.get() {
            self.seen.set(self.arrived.recv_timeout(timeout).is_ok());
        }
        self.seen.get()
    }

    /// Lets the call go on.
    pub fn release(self) {
        let _ = self.release.send(());
    }
}

/// The server's side of a [`GateHandle`].
#[derive(Debug)]
pub(crate) struct Held {
    number: usize,
    gate: Gate,
    arrived: mpsc::Sender<()>,
    released: oneshot::Receiver<()>,
}

impl Held {
    /// Holds the call; `false` means that the connection is to be dropped.
    pub(crate) async fn pass(mut self) -> bool {
        if matches!(self.released.try_recv(), Err(oneshot::error::TryRecvError::Closed)) {
            return true;
        }
        let _ = self.arrived.send(());
        self.released.await.is_ok()
    }
}

/// A token bucket.
#[derive(Debug)]
struct Bucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    last: Instant,
}

/// Everything that tests set about the wire.
#[derive(Debug, Default)]
pub(crate) struct Control {
    pub(crate) calls: Vec<Call>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) latency: Duration,
    pub(crate) latency_per_item: Duration,
    gates: Vec<Held>,
    bucket: Option<Bucket>,
    /// Grows by one with each `clear_calls`, so that a call of before does not write its outcome
    /// upon a call of after.
    pub(crate) epoch: u64,
}

impl Control {
    pub(crate) fn clear_calls(&mut self) {
        self.calls.clear();
        self.epoch += 1;
    }

    pub(crate) fn gate(&mut self, number: usize, gate: Gate) -> GateHandle {
        let (arrived, arrivals) = mpsc::channel();
        let (release, released) = oneshot::channel();
        self.gates.push(Held {
            number,
            gate,
            arrived,
            released,
        });
        GateHandle {
            arrived: arrivals,
            seen: Cell::new(false),
            release,
        }
    }

    pub(crate) fn take_gate(&mut self, number: usize, gate: Gate) -> Option<Held> {
        let found = self.gates.iter().position(|g| g.number == number && g.gate == gate)?;
        Some(self.gates.remove(found))
    }

    pub(crate) fn take_fault(&mut self, action: &str, params: &BTreeMap<String, String>) -> Option<Fault> {
        let mut fault = None;
        for rule in &mut self.rules {
            if !rule.matches(action, params) {
                continue;
            }
            match rule.nth {
                // Every rule counts the calls that it matches, also those that another one took.
                Some(n) if n > 1 => rule.nth = Some(n - 1),
                _ if fault.is_none() && rule.times > 0 => {
                    if rule.times != usize::MAX {
                        rule.times -= 1;
                    }
                    fault = Some(rule.effect.clone());
                }
                _ => {}
            }
        }
        self.rules.retain(|rule| rule.times > 0);
        fault
    }

    pub(crate) fn set_rate_limit(&mut self, limit: Option<(f64, f64)>) {
        self.bucket = limit.map(|(per_second, burst)| Bucket {
            per_second,
            burst,
            tokens: burst,
            last: Instant::now(),
        });
    }

    /// Takes a token; `false` is for `Throttling`.
    pub(crate) fn take_token(&mut self, now: Instant) -> bool {
        let Some(bucket) = &mut self.bucket else {
            return true;
        };
        let gained = now.saturating_duration_since(bucket.last).as_secs_f64() * bucket.per_second;
        bucket.tokens = (bucket.tokens + gained).min(bucket.burst);
        bucket.last = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }
}
