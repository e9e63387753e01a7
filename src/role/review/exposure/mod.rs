//! What a role that trusts Pinpoint lets happen: who else may assume it, on whose behalf Pinpoint may, what it may do, and what is to be
//! said about it.

mod assume;
mod powers;

use std::collections::BTreeSet;

use serde::Serialize;

pub use self::{
    assume::Guarded,
    powers::{Beyond, Power, Reach, reads_every_bucket},
};
use self::{
    assume::{Assumers, assumers, may_mean_pinpoint},
    powers::{Powers, powers},
};
use crate::role::{
    difference::cut,
    name::Account,
    observed::{Sweep, SweptRole},
    policy::Meaning,
};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a look when there is time.
    Low,
    /// Wider than it needs to be.
    Medium,
    /// Somebody may use the role who should not.
    High,
}

impl Severity {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Something to be said about a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How soon somebody should look at it; the worst one sorts the role.
    pub severity: Severity,
    /// What it is, and what to do.
    pub message: String,
}

impl Finding {
    /// A finding.
    #[must_use]
    pub fn new(severity: Severity, message: impl Into<String>) -> Self {
        Self {
            severity,
            message: message.into(),
        }
    }
}

/// What a role lets happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exposure {
    /// Why its trust policy can't be read, so that it is not known who may assume it; none if it can.
    pub unreadable: Option<String>,
    /// Who else than Pinpoint may assume it.
    pub others: BTreeSet<String>,
    /// Whether Pinpoint is kept from using it for somebody else.
    pub guarded: Guarded,
    /// Other accounts that a condition names, for which Pinpoint may use it.
    pub strangers: BTreeSet<String>,
    /// Whether Pinpoint may use it for whomever it likes, by some statement.
    #[serde(skip)]
    pub unguarded: bool,
    /// What it reads of S3.
    pub reach: Reach,
    /// The worst that it may do beside.
    pub beyond: Option<Beyond>,
}

/// What a role lets happen, if it trusts Pinpoint in any form: also a regional principal of old, and wildcards that include it. A trust
/// policy that can't be read counts if it may mean Pinpoint.
#[must_use]
pub fn exposure(swept: &SweptRole, all: &Sweep) -> Option<Exposure> {
    let head = &swept.role.head;
    let account = Account::of_arn(&head.arn).ok().map(|account| account.id);
    let (unreadable, assumers) = match Meaning::parse(&head.trust) {
        Ok(meaning) => (None, assumers(&meaning, account.as_deref())?),
        Err(why) if may_mean_pinpoint(&head.trust) => (Some(why), Assumers::unknown()),
        Err(_) => return None,
    };
    let Powers { reach, beyond } = powers(swept, all);
    Some(Exposure {
        unreadable,
        others: assumers.others,
        guarded: assumers.guarded,
        strangers: assumers.strangers,
        unguarded: assumers.unguarded,
        reach,
        beyond,
    })
}

/// Most names in a finding, and longest name, in characters. All of them are in the exposure.
const MOST_NAMES: usize = 10;
const LONGEST_NAME: usize = 200;

/// Names for a sentence, and how many more there are.
fn few(names: &BTreeSet<String>) -> String {
    let mut told: Vec<String> = names
        .iter()
        .take(MOST_NAMES)
        .map(|name| cut(name.clone(), LONGEST_NAME))
        .collect();
    if let Some(more) = names.len().checked_sub(MOST_NAMES).filter(|more| *more > 0) {
        told.push(format!("{more} more"));
    }
    told.join(", ")
}

impl Beyond {
    fn severity(&self) -> Severity {
        if self.power >= Power::Grant {
            Severity::High
        } else {
            Severity::Medium
        }
    }

    fn sentence(&self) -> String {
        let Self { power, action, policy } = self;
        let by = match action {
            Some(action) => format!("{} in {policy}", cut(action.clone(), LONGEST_NAME)),
            None => policy.clone(),
        };
        format!(
            "it may do more than read S3, at worst: {} ({by}): take that away",
            power.words()
        )
    }
}

/// The findings that follow from what a role lets happen.
#[must_use]
pub fn findings(exposure: &Exposure) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut find = |severity, message| found.push(Finding::new(severity, message));
    if let Some(why) = &exposure.unreadable {
        find(
            Severity::High,
            format!(
                "who may assume it is not known, since its trust policy can't be read ({why}): look at it in IAM, and replace it"
            ),
        );
    }
    if !exposure.others.is_empty() {
        let others = few(&exposure.others);
        find(
            Severity::High,
            format!("not only Pinpoint may assume it, but also {others}: narrow the trust policy"),
        );
    }
    if !exposure.strangers.is_empty() {
        let strangers = few(&exposure.strangers);
        find(
            Severity::High,
            format!("Pinpoint may use it for another account, {strangers}: set spec.trust, if that is not meant"),
        );
    }
    if exposure.unguarded {
        find(
            Severity::Medium,
            "Pinpoint could be made to use it for another account (no aws:SourceArn or aws:SourceAccount): set spec.trust".to_owned(),
        );
    }
    if let Some(beyond) = &exposure.beyond {
        find(beyond.severity(), beyond.sentence());
    }
    if exposure.reach.every_bucket {
        find(Severity::Medium, "it reads every bucket: set spec.buckets".to_owned());
    }
    if !exposure.reach.unknown.is_empty() {
        let unknown = few(&exposure.reach.unknown);
        find(
            Severity::Medium,
            format!("what it may do is not known because of {unknown}: look at these policies"),
        );
    }
    found
}
