//! What is done to a call, and scripts of it: `FLOW: CALL FAULT, CALL FAULT`, or `FLOW, retrying: …` where the SDK tries calls again by
//! itself.

use std::{fmt, str::FromStr};

use crate::wire::{Call, Target};

/// What is done to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// It is asked to slow down; no effect.
    Throttled,
    /// A server's error; no effect.
    Error,
    /// A server's error after the effect.
    ErrorAfter,
    /// The connection breaks; no effect.
    Cut,
    /// The connection breaks after the effect.
    CutAfter,
    /// The effect is done, and half of the answer comes.
    Torn,
    /// No answer until the caller gives up; no effect.
    Late,
    /// The effect is done, and no answer comes until the caller gives up.
    LateAfter,
    /// It is denied.
    Denied,
    /// Somebody else is at work on the same thing.
    Conflict,
    /// The API server does not serve the resource at the moment: a 404 that speaks of no object.
    Missing,
    /// The API server has forgotten the version that was asked for.
    Gone,
    /// The process is killed after the effect, before the answer.
    Killed,
}

impl Fault {
    /// All of them.
    pub(crate) const ALL: [Self; 13] = [
        Self::Throttled,
        Self::Error,
        Self::ErrorAfter,
        Self::Cut,
        Self::CutAfter,
        Self::Torn,
        Self::Late,
        Self::LateAfter,
        Self::Denied,
        Self::Conflict,
        Self::Missing,
        Self::Gone,
        Self::Killed,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Error => "error",
            Self::ErrorAfter => "error-after",
            Self::Cut => "cut",
            Self::CutAfter => "cut-after",
            Self::Torn => "torn",
            Self::Late => "late",
            Self::LateAfter => "late-after",
            Self::Denied => "denied",
            Self::Conflict => "conflict",
            Self::Missing => "missing",
            Self::Gone => "gone",
            Self::Killed => "killed",
        }
    }

    /// Whether it can happen to that call, and is not the same as another one: a read has no effect that could come before or after.
    pub(crate) fn fits(self, call: &Call) -> bool {
        match self {
            Self::ErrorAfter | Self::CutAfter | Self::LateAfter | Self::Conflict => call.is_write,
            Self::Missing | Self::Gone => call.target == Target::Api,
            _ => true,
        }
    }

    /// Whether the call has its effect.
    pub(crate) const fn has_effect(self) -> bool {
        matches!(
            self,
            Self::ErrorAfter | Self::CutAfter | Self::Torn | Self::LateAfter | Self::Killed
        )
    }
}

const RETRYING: &str = ", retrying";

/// A flow, and what is done to which of its calls; the first is number 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    /// Name of the flow.
    pub(crate) flow: String,
    /// Whether the SDK tries calls again by itself, as it does unless it is told not to. If it does, each try is a call.
    pub(crate) is_retrying: bool,
    /// The faults, in the order of the calls.
    pub(crate) faults: Vec<(usize, Fault)>,
}

impl Script {
    /// A flow that nothing happens to.
    pub(crate) fn undisturbed(flow: &str, is_retrying: bool) -> Self {
        Self {
            flow: flow.to_owned(),
            is_retrying,
            faults: Vec::new(),
        }
    }

    /// The same, with a fault more.
    pub(crate) fn and(&self, call: usize, fault: Fault) -> Self {
        let mut next = self.clone();
        next.faults.push((call, fault));
        next
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}:", self.flow, if self.is_retrying { RETRYING } else { "" })?;
        for (nth, (call, fault)) in self.faults.iter().enumerate() {
            write!(f, "{} {call} {}", if nth == 0 { "" } else { "," }, fault.word())?;
        }
        Ok(())
    }
}

impl FromStr for Script {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not of the form `FLOW: CALL FAULT, CALL FAULT`");
        let (flow, faults) = text.split_once(':').ok_or_else(wrong)?;
        let fault = |text: &str| {
            let (call, word) = text.trim().split_once(' ')?;
            let fault = Fault::ALL.into_iter().find(|fault| fault.word() == word)?;
            Some((call.parse().ok()?, fault))
        };
        let faults = faults.split(',').filter(|text| !text.trim().is_empty());
        Ok(Self {
            flow: flow.strip_suffix(RETRYING).unwrap_or(flow).to_owned(),
            is_retrying: flow.ends_with(RETRYING),
            faults: faults.map(fault).collect::<Option<_>>().ok_or_else(wrong)?,
        })
    }
}
