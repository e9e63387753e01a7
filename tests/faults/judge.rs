//! What must hold of every run, whatever was done to its calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use serde_json::Value;
use test_support::iam::RoleState;

use crate::{
    fault::Fault,
    wire::{Moment, Target},
    world::Report,
};

/// What is wrong with a run, compared with the undisturbed one; nothing if all is well.
pub(crate) fn faults_of(report: &Report, whole: &Report) -> Vec<String> {
    let mut wrong = report.wrong.clone();
    if report.end != whole.end {
        wrong.push(format!(
            "another end:\n{}\n  undisturbed:\n{}",
            indented(&report.end),
            indented(&whole.end)
        ));
    }
    wrong.extend(moments(report, whole));
    wrong.extend(told(report, whole));
    wrong
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What somebody can do with a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Power {
    /// Who may assume it.
    who: String,
    /// Under which conditions; none: always.
    when: Option<String>,
    /// What he may do then.
    what: String,
    /// What bounds him.
    within: Option<String>,
}

impl Power {
    fn covers(&self, other: &Self) -> bool {
        let no_more = |mine: &Option<String>, others: &Option<String>| mine.is_none() || mine == others;
        self.who == other.who
            && self.what == other.what
            && no_more(&self.when, &other.when)
            && no_more(&self.within, &other.within)
    }
}

/// All that can be done with a role, by its documents' text: those of the flows are plain.
fn powers(role: Option<&RoleState>) -> BTreeSet<Power> {
    let Some(role) = role else { return BTreeSet::new() };
    let trust: Value = serde_json::from_str(&role.trust_policy).unwrap_or_default();
    let inline = role.inline.iter().map(|(name, document)| format!("{name} {document}"));
    let what: Vec<String> = role.attached.iter().cloned().chain(inline).collect();
    let mut powers = BTreeSet::new();
    for statement in trust["Statement"].as_array().into_iter().flatten() {
        for (kind, names) in statement["Principal"].as_object().into_iter().flatten() {
            let names = names.as_array().cloned().unwrap_or_else(|| vec![names.clone()]);
            for name in names {
                powers.extend(what.iter().map(|what| Power {
                    who: format!("{kind} {name}"),
                    when: statement.get("Condition").map(Value::to_string),
                    what: what.clone(),
                    within: role.permissions_boundary.clone(),
                }));
            }
        }
    }
    powers
}

/// At no moment can more be done with the role than at the beginning or at the end of the undisturbed run. And it is said to be as declared
/// only if it is.
fn moments(report: &Report, whole: &Report) -> Vec<String> {
    let mut permitted = powers(report.start.as_ref());
    permitted.extend(powers(whole.role.as_ref()));
    let (mut wrong, mut now) = (Vec::new(), report.start.as_ref());
    for moment in &report.moments {
        match moment {
            Moment::Written(call, role) => {
                now = Option::as_ref(role);
                let is_permitted = |power: &Power| permitted.iter().any(|wide| wide.covers(power));
                let gained = powers(now).into_iter().find(|power| !is_permitted(power));
                wrong.extend(gained.map(|power| format!("wider after {call}: {power:?}")));
            }
            Moment::Ready if now.map(content) != whole.role.as_ref().map(content) => {
                wrong.push(format!("said to be as declared: {now:?}"));
            }
            Moment::Ready => {}
        }
    }
    wrong
}

/// A role without what differs from run to run.
fn content(role: &RoleState) -> RoleState {
    RoleState {
        id: String::new(),
        created: SystemTime::UNIX_EPOCH,
        ..role.clone()
    }
}

/// Each event as often as in the undisturbed run. A failure may be told once for each fault. What was told by a call that was disturbed,
/// or after the status was written and before anybody knew, may be lost: nothing is told twice for it.
fn told(report: &Report, whole: &Report) -> Vec<String> {
    let faults = report.calls.iter().filter_map(|call| Some((call, call.fault?)));
    let is_killed = faults.clone().any(|(_, fault)| fault == Fault::Killed);
    let (told, due) = (counted(&report.events, is_killed), counted(&whole.events, is_killed));
    let disturbances = faults.clone().count();
    let may_be_lost = faults.clone().any(|(call, fault)| {
        call.target == Target::Api && call.is_write && (call.what.starts_with("event") || fault.has_effect())
    });
    let mut wrong = Vec::new();
    let reasons: BTreeSet<_> = told.keys().chain(due.keys()).collect();
    for reason in reasons {
        let (told, due) = (told.get(reason).copied(), due.get(reason).copied());
        let (told, due) = (told.unwrap_or_default(), due.unwrap_or_default());
        let more = if is_failure(reason) { disturbances } else { 0 };
        if told > due + more {
            wrong.push(format!("{reason} is told {told} times, not {due}"));
        }
        if told < due && !may_be_lost {
            wrong.push(format!(
                "{reason} is told {told} times, not {due}, and no call that tells it was disturbed"
            ));
        }
    }
    if report.drifts > whole.drifts {
        wrong.push(format!("{} drifts are noted, not {}", report.drifts, whole.drifts));
    }
    wrong
}

/// How often each reason is there. Of a role that another process made, an object that may adopt can't tell that it was not there before.
fn counted(events: &[String], is_killed: bool) -> BTreeMap<&str, usize> {
    let mut counted = BTreeMap::new();
    for reason in events {
        let reason = match reason.as_str() {
            "RoleAdopted" if is_killed => "RoleCreated",
            reason => reason,
        };
        *counted.entry(reason).or_default() += 1;
    }
    counted
}

/// Reasons of failures that pass.
fn is_failure(reason: &str) -> bool {
    ["Throttled", "AwsUnavailable", "AccessDenied", "RoleNotOwned"].contains(&reason)
}
