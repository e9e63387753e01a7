//! What can be done with a role: by whom, what, and within which boundary.

use std::collections::{BTreeMap, BTreeSet};

use pinpoint_import_role_controller::{
    api::INLINE_POLICY,
    role::{
        DesiredRole, ObservedRole,
        plan::plan,
        policy::{Effect, Grant, Meaning, Scope},
    },
};

use crate::iam::after;

/// One thing that somebody can do with a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Power {
    /// Who may assume the role, by what, and when.
    who: Grant,
    /// What he may do then: a policy's name, a statement of ours, or that he may stay for long.
    what: String,
    /// The boundary that holds him; none: nothing does.
    within: Option<String>,
}

/// A session of more than an hour, as something that can be done.
const LONG_SESSION: &str = "a long session";

/// Who may assume a role.
#[must_use]
pub fn who(role: Option<&ObservedRole>) -> BTreeSet<Grant> {
    role.map(|role| allowed(&role.head.trust)).unwrap_or_default()
}

/// All that can be done with a role.
#[must_use]
pub fn powers(role: Option<&ObservedRole>) -> BTreeSet<Power> {
    let Some(role) = role else { return BTreeSet::new() };
    let mut what: BTreeSet<String> = role.attached.iter().cloned().collect();
    for (name, document) in &role.inline {
        match (name == INLINE_POLICY, document) {
            (true, Some(document)) => what.extend(allowed(document).iter().map(|grant| format!("{grant:?}"))),
            _ => drop(what.insert(format!("inline {name}"))),
        }
    }
    if role.head.max_session_duration.is_some_and(|seconds| seconds > 3600) {
        what.insert(LONG_SESSION.to_owned());
    }
    let power = |who: &Grant, what: &String| Power {
        who: who.clone(),
        what: what.clone(),
        within: role.head.boundary.clone().filter(|_| what != LONG_SESSION),
    };
    who(Some(role))
        .iter()
        .flat_map(|who| what.iter().map(move |what| power(who, what)))
        .collect()
}

/// The same, whatever boundary holds him and however long he may stay. By this the core's laws judge plans that let somebody in and put
/// another out at once: under which boundary, and for how long, can't be put right in the same call.
#[must_use]
pub fn powers_by_policies(role: Option<&ObservedRole>) -> BTreeSet<Power> {
    let all = powers(role).into_iter().filter(|power| power.what != LONG_SESSION);
    all.map(|power| Power { within: None, ..power }).collect()
}

/// Whether one role lets in all whom another does.
#[must_use]
pub fn lets_in_all_of(role: Option<&ObservedRole>, other: Option<&ObservedRole>) -> bool {
    let lets_in = who(role);
    who(other)
        .iter()
        .all(|grant| lets_in.iter().any(|wide| is_within(wide, grant)))
}

/// What may be possible during a pass that began with this role: what was, and what is declared.
#[must_use]
pub fn permitted(desired: Option<&DesiredRole>, start: Option<&ObservedRole>) -> BTreeSet<Power> {
    let mut permitted = powers(start);
    for from in desired
        .into_iter()
        .flat_map(|desired| [(desired, start), (desired, None)])
    {
        permitted.extend(powers(after(from.1, &plan(from.0, from.1, &[])).as_ref()));
    }
    permitted
}

/// What a change of the role makes possible though it was not, and is not permitted.
#[must_use]
pub fn gained(
    before: Option<&ObservedRole>,
    after: Option<&ObservedRole>,
    permitted: &BTreeSet<Power>,
) -> Option<Power> {
    beyond(powers(after), &powers(before).union(permitted).cloned().collect())
}

/// One of these powers that is neither an allowed one nor less than one.
#[must_use]
pub fn beyond(powers: BTreeSet<Power>, allowed: &BTreeSet<Power>) -> Option<Power> {
    powers
        .into_iter()
        .find(|power| !allowed.iter().any(|wide| covers(wide, power)))
}

/// Whether one power is the other under fewer conditions, or the same.
fn covers(wide: &Power, narrow: &Power) -> bool {
    wide.what == narrow.what
        && (wide.within.is_none() || wide.within == narrow.within)
        && is_within(&wide.who, &narrow.who)
}

/// Whether one grant is the other under fewer conditions, or the same. More values of a key are fewer conditions: none of this world is
/// negated.
fn is_within(wide: &Grant, narrow: &Grant) -> bool {
    let lets = |(key, values): (_, &BTreeSet<String>)| {
        let fewer = narrow.conditions.get(key);
        fewer.is_some_and(|fewer| fewer.is_subset(values))
    };
    (wide.effect, &wide.principal, &wide.action) == (narrow.effect, &narrow.principal, &narrow.action)
        && wide.conditions.iter().all(lets)
}

/// What a document allows. One that can't be read allows what nothing else does: somebody unknown something unknown. So whatever is added
/// beside it counts as wider.
fn allowed(document: &str) -> BTreeSet<Grant> {
    let unknown = || Grant {
        effect: Effect::Allow,
        principal: None,
        action: Scope::AllBut(BTreeSet::new()),
        resource: None,
        conditions: BTreeMap::new(),
    };
    let grants = Meaning::parse(document).map_or_else(|_| BTreeSet::from([unknown()]), |meaning| meaning.grants);
    grants
        .into_iter()
        .filter(|grant| grant.effect == Effect::Allow)
        .collect()
}
