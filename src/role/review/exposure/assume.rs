//! Who may assume a role, and on whose behalf Pinpoint may.
//!
//! What a statement denies is not taken off: that would be hoping. Keys and who sends them: IAM user guide, "AWS global condition
//! context keys"; operators: "IAM JSON policy elements: Condition operators".

use std::collections::BTreeSet;

use serde::Serialize;
use wildmatch::WildMatch;

use crate::role::{
    name::is_account_id,
    policy::{Effect, Folded, Grant, Meaning, Principal, Scope, trust::PINPOINT},
};

/// How Pinpoint, being a service, assumes a role.
const ASSUME_ROLE: &str = "sts:AssumeRole";
/// Every action by which somebody assumes a role.
const ASSUME: [&str; 3] = [ASSUME_ROLE, "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML"];

/// Whether Pinpoint is kept from using the role for somebody else ("the confused deputy", IAM user guide).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Guarded {
    /// Wherever it is allowed, it is tied to the role's own account, applications of it, or an organization.
    Yes,
    /// In some statements.
    Partly,
    /// Not at all.
    No,
}

/// What a trust policy says of Pinpoint and of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assumers {
    /// Who else may assume the role.
    pub others: BTreeSet<String>,
    /// Whether Pinpoint is kept from using it for somebody else.
    pub guarded: Guarded,
    /// Other accounts for which Pinpoint may use it, since a condition says so.
    pub strangers: BTreeSet<String>,
    /// Whether Pinpoint may use it for whomever it likes, by some statement.
    pub unguarded: bool,
}

impl Assumers {
    /// Those of a trust policy that can't be read.
    pub(super) fn unknown() -> Self {
        Self {
            others: BTreeSet::new(),
            guarded: Guarded::No,
            strangers: BTreeSet::new(),
            unguarded: false,
        }
    }
}

/// Who may assume the role of this trust policy, which lies in `account`; none if Pinpoint may not, in any form.
pub(super) fn assumers(meaning: &Meaning, account: Option<&str>) -> Option<Assumers> {
    let assuming = |grant: &&Grant| grant.effect == Effect::Allow && ASSUME.iter().any(|action| grant.acts(action));
    let all: Vec<&Grant> = meaning.grants.iter().filter(assuming).collect();
    let pinpoint: Vec<&Grant> = all
        .iter()
        .copied()
        .filter(|grant| grant.acts(ASSUME_ROLE) && (names_pinpoint(grant) || includes_pinpoint(grant)))
        .collect();
    if pinpoint.is_empty() {
        return None;
    }
    let mut strangers = BTreeSet::new();
    let (mut tied, mut loose) = (0, 0);
    for grant in &pinpoint {
        match guard(grant, account) {
            Guard::Ours => tied += 1,
            Guard::Stranger(stranger) => drop(strangers.insert(stranger)),
            Guard::None => loose += 1,
        }
    }
    Some(Assumers {
        others: all
            .iter()
            .filter(|grant| !names_pinpoint(grant))
            .map(|grant| words(grant))
            .collect(),
        guarded: match tied {
            0 => Guarded::No,
            some if some == pinpoint.len() => Guarded::Yes,
            _ => Guarded::Partly,
        },
        strangers,
        unguarded: loose > 0,
    })
}

/// Whether a trust policy that can't be read may be meant for Pinpoint: nothing else does without its name, a wildcard, a negation or an
/// escape.
pub(super) fn may_mean_pinpoint(unreadable: &str) -> bool {
    let text = unreadable.to_lowercase();
    ["pinpoint", "*", "notprincipal", "\\"]
        .iter()
        .any(|sign| text.contains(sign))
}

/// Whether the principal is Pinpoint by name, of today or of a region.
fn names_pinpoint(grant: &Grant) -> bool {
    matches!(&grant.principal, Some(Scope::Is(who)) if is_pinpoint(who))
}

fn is_pinpoint(who: &Principal) -> bool {
    let service = who.value.to_ascii_lowercase();
    let name = service.strip_suffix(".cn").unwrap_or(&service);
    let region = name
        .strip_prefix("pinpoint.")
        .and_then(|rest| rest.strip_suffix("amazonaws.com"));
    who.kind == "Service" && region.is_some_and(|region| region.is_empty() || region.ends_with('.'))
}

/// Whether Pinpoint is among those who are meant without being named. A service sends no key about a principal's account or organization,
/// so a condition on one leaves it out.
fn includes_pinpoint(grant: &Grant) -> bool {
    let meant = match &grant.principal {
        Some(Scope::Is(who)) => match who.kind.as_str() {
            "AWS" => who.value == "*",
            "Service" => who.value.contains(['*', '?']) && WildMatch::new(&who.value).matches(PINPOINT),
            _ => false,
        },
        // A regional name leaves out the region's, and a name in another case may leave out nobody.
        Some(Scope::AllBut(these)) => !these.iter().any(|who| who.kind == "Service" && who.value == PINPOINT),
        None => false,
    };
    meant && !ties(grant).any(|tie| tie.of == Of::Principal)
}

/// Who a grant is for, as words. Everybody in an organization or an account is not everybody.
fn words(grant: &Grant) -> String {
    let Some(who) = &grant.principal else {
        return "nobody (no Principal)".to_owned();
    };
    let everybody = matches!(who, Scope::Is(who) if who.kind == "AWS" && who.value == "*");
    if !everybody && matches!(who, Scope::Is(_)) {
        return who.to_string();
    }
    let within = |of: Of| -> Vec<String> {
        ties(grant)
            .filter(|tie| tie.of == of)
            .map(|tie| tie.to.words())
            .collect()
    };
    let (principal, source) = (within(Of::Principal), within(Of::Source));
    let name = if everybody {
        "everybody".to_owned()
    } else {
        who.to_string()
    };
    if !principal.is_empty() {
        format!("{name} in {}", principal.join(" and "))
    } else if !source.is_empty() {
        format!("{name} that acts for {}", source.join(" and "))
    } else {
        who.to_string()
    }
}

/// On whose behalf Pinpoint may use the role by a grant.
enum Guard {
    /// The role's own account, or an organization. Which organization is the account's own is not for IAM to say.
    Ours,
    /// Another account.
    Stranger(String),
    /// Anybody.
    None,
}

fn guard(grant: &Grant, account: Option<&str>) -> Guard {
    let mut guard = Guard::None;
    for tie in ties(grant).filter(|tie| tie.of == Of::Source) {
        match (tie.to, &guard) {
            // All conditions must hold, so the narrowest counts.
            (To::Account(id), _) if Some(id.as_str()) == account => return Guard::Ours,
            (To::Account(id), _) => guard = Guard::Stranger(id),
            (To::Organization(_), Guard::None) => guard = Guard::Ours,
            (To::Organization(_), _) => {}
        }
    }
    guard
}

/// Whom a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// Who calls.
    Principal,
    /// For whom a service calls.
    Source,
}

/// What a condition holds somebody to.
enum To {
    Account(String),
    Organization(String),
}

impl To {
    fn words(&self) -> String {
        match self {
            Self::Account(id) => format!("account {id}"),
            Self::Organization(id) => format!("organization {id}"),
        }
    }
}

/// A condition that holds whoever passes it to one account or organization.
struct Tie {
    of: Of,
    to: To,
}

fn ties(grant: &Grant) -> impl Iterator<Item = Tie> {
    let alone = |values: &BTreeSet<String>| Some(values.first()?.clone()).filter(|_| values.len() == 1);
    grant.conditions.iter().filter_map(move |((operator, key), values)| {
        let value = alone(values).filter(|_| asks(operator))?;
        tie(&key.lower(), &value, operator.lower().ends_with("stringlike"))
    })
}

/// Whether an operator asks for a value. With `IfExists` and `ForAllValues:` a key that is not sent passes.
fn asks(operator: &Folded) -> bool {
    let operator = operator.lower();
    let operator = operator.strip_prefix("foranyvalue:").unwrap_or(&operator);
    [
        "stringequals",
        "stringequalsignorecase",
        "stringlike",
        "arnequals",
        "arnlike",
    ]
    .contains(&operator)
}

/// What a value of a key holds somebody to; none if a wildcard or a variable leaves it open. `spans`: a wildcard may stand for several
/// parts of an ARN, so that one before the account leaves the account open.
fn tie(key: &str, value: &str, spans: bool) -> Option<Tie> {
    let account = |text: &str| is_account_id(text).then(|| To::Account(text.to_owned()));
    let of_arn = || {
        let mut parts = value.split(':');
        let open = |part: &str| part.contains('$') || spans && part.contains(['*', '?']);
        let fixed = !parts.by_ref().take(4).any(open);
        account(parts.next().filter(|_| fixed)?)
    };
    // A path is o-…/r-…/ou-…/: below the organization it may be open.
    let organization = || {
        let id = value.split('/').next().unwrap_or_default();
        let rest = id.strip_prefix("o-")?;
        let sound =
            (10..=32).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        sound.then(|| To::Organization(id.to_owned()))
    };
    let (of, to) = match key {
        "aws:sourceaccount" => (Of::Source, account(value)),
        "aws:sourcearn" => (Of::Source, of_arn()),
        "aws:sourceorgid" | "aws:sourceorgpaths" => (Of::Source, organization()),
        "aws:principalaccount" => (Of::Principal, account(value)),
        "aws:principalarn" => (Of::Principal, of_arn()),
        "aws:principalorgid" | "aws:principalorgpaths" => (Of::Principal, organization()),
        _ => return None,
    };
    Some(Tie { of, to: to? })
}
