//! What is known of objects and roles, from what was asked for, what the watch showed, and what the journal of the fake has.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::declared::{Settings, role_name, tag};
use crate::iam::{Moment, RoleState};

/// How far back anything is asked about.
const MEMORY: Duration = Duration::from_mins(5);
/// Most moments that are kept of a role.
const MOST_MOMENTS: usize = 500;

/// A declaration of an object, from when it was asked for.
#[derive(Clone, Debug)]
pub(super) struct Declaration {
    pub from: Instant,
    pub spec: Arc<Value>,
    pub role: String,
}

/// A place for an object: namespace and name. Objects come and go in it.
pub(super) type Slot = (String, String);

/// An object, by its uid.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub slot: Slot,
    pub first_seen: Instant,
    /// Name of its role, which can't change.
    pub role: String,
    /// Ids of roles that its status names or named.
    pub ids: BTreeSet<String>,
    /// When the watch told that it is gone.
    pub gone: Option<Instant>,
    /// The last version seen.
    pub last: Value,
}

impl Object {
    pub fn spec(&self) -> &Value {
        &self.last["spec"]
    }

    pub fn status(&self) -> &Value {
        &self.last["status"]
    }

    /// Whether its status names the role, or names it as the one before.
    pub fn pins(&self, id: &str) -> bool {
        self.status()["roleId"] == id || self.status()["formerRoleId"] == id
    }

    /// A condition's status, reason, message and generation.
    pub fn condition(&self, name: &str) -> Option<&Value> {
        let conditions = self.status()["conditions"].as_array()?;
        conditions.iter().find(|condition| condition["type"] == name)
    }

    pub fn is_deleting(&self) -> bool {
        self.last["metadata"]["deletionTimestamp"].is_string()
    }
}

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    slots: BTreeMap<Slot, Vec<Declaration>>,
    pub objects: HashMap<String, Object>,
    roles: HashMap<String, VecDeque<Moment>>,
    /// Ids of the roles that were made or adopted for an object, by its uid.
    claims: HashMap<String, BTreeSet<String>>,
    settings: Vec<(Instant, Settings)>,
    /// Whose the lease was, and since when: the name of the process, which is its access key too.
    pub holders: Vec<(Instant, String)>,
    /// Ids of roles that may stay though their objects are gone: retained, or another's.
    pub released: BTreeSet<String>,
    /// When another hand changed a role, or it was let go for another one to take over.
    hands: HashMap<String, Vec<Instant>>,
}

impl Ledger {
    /// Takes note that an object's spec is asked for, or was seen.
    pub fn declare(&mut self, slot: &Slot, spec: &Value, now: Instant) {
        let all = self.slots.entry(slot.clone()).or_default();
        if all.last().is_some_and(|last| *last.spec == *spec) {
            return;
        }
        all.push(Declaration {
            from: now,
            spec: Arc::new(spec.clone()),
            role: role_name(&slot.0, &slot.1, spec),
        });
        while all.get(1).is_some_and(|next| next.from + MEMORY < now) {
            all.remove(0);
        }
    }

    /// The last spec of a slot.
    pub fn last_spec(&self, slot: &Slot) -> Option<Arc<Value>> {
        Some(self.slots.get(slot)?.last()?.spec.clone())
    }

    /// The declarations for a role that held at any moment between two.
    pub fn declarations(&self, role: &str, from: Instant, to: Instant) -> Vec<(&Slot, &Declaration)> {
        let mut found = Vec::new();
        for (slot, all) in &self.slots {
            for (at, declaration) in all.iter().enumerate() {
                let ended = all.get(at + 1).is_some_and(|next| next.from < from);
                if declaration.role == role && declaration.from <= to && !ended {
                    found.push((slot, declaration));
                }
            }
        }
        found
    }

    /// The objects that were in a slot at any moment since a time.
    pub fn objects_in<'a>(&'a self, slot: &'a Slot, from: Instant) -> impl Iterator<Item = (&'a String, &'a Object)> {
        let is_there = move |object: &Object| object.gone.is_none_or(|gone| gone >= from);
        self.objects
            .iter()
            .filter(move |(_, object)| object.slot == *slot && is_there(object))
    }

    /// Takes note of settings that begin to hold.
    pub fn set(&mut self, settings: Settings, now: Instant) {
        self.settings.push((now, settings));
    }

    /// The settings that some process may have had at any moment since a time. Those before them hold on in processes that are stopped.
    pub fn settings(&self, from: Instant) -> Vec<&Settings> {
        let overlaps = |(at, _): &(usize, &(Instant, Settings))| {
            self.settings
                .get(at + 1)
                .is_none_or(|(next, _)| *next + Duration::from_mins(1) >= from)
        };
        self.settings
            .iter()
            .enumerate()
            .filter(overlaps)
            .map(|(_, (_, settings))| settings)
            .collect()
    }

    /// The settings now.
    pub fn current_settings(&self) -> Settings {
        self.settings.last().expect("settings were set").1.clone()
    }

    /// Takes note of a moment.
    pub fn happened(&mut self, moment: Moment) {
        let Some(name) = moment.call.role().map(str::to_ascii_lowercase) else {
            return;
        };
        let lets_go =
            moment.call.action == "UntagRole" && moment.after.as_ref().is_some_and(|role| tag(role, "uid").is_none());
        if moment.call.caller.is_empty() || lets_go {
            self.hands.entry(name.clone()).or_default().push(moment.at);
        }
        if let (Some(after), "OK", "CreateRole" | "TagRole") =
            (&moment.after, moment.call.outcome.as_str(), moment.call.action.as_str())
            && !moment.call.caller.is_empty()
            && let Some(uid) = tag(after, "uid")
            // Tags of another kind may meet a role that others made anew meanwhile, with the tags of the one before: that makes it nobody's.
            && moment.before.as_ref().and_then(|before| tag(before, "uid")) != Some(uid)
        {
            self.claims.entry(uid.to_owned()).or_default().insert(after.id.clone());
        }
        let all = self.roles.entry(name).or_default();
        let now = moment.at;
        all.push_back(moment);
        while all.len() > MOST_MOMENTS || all.get(1).is_some_and(|next| next.at + MEMORY < now) {
            all.pop_front();
        }
    }

    /// When a process asked for a role the last time before another; `caller` is none for any process. What is said of a role may follow
    /// from having made it.
    pub fn look_before(&self, caller: Option<&str>, role: &str, before: Instant) -> Option<Instant> {
        let is_callers = |moment: &&Moment| match caller {
            Some(caller) => moment.call.caller == caller,
            None => !moment.call.caller.is_empty(),
        };
        let moments = self.roles.get(role)?.iter().rev();
        let looks = moments
            .filter(|moment| match moment.call.action.as_str() {
                "GetRole" => true,
                "CreateRole" => caller.is_none(),
                _ => false,
            })
            .filter(is_callers);
        looks.map(|moment| moment.call.at).find(|at| *at <= before)
    }

    /// Whether a role is or was an object's, by its id.
    pub fn has_had(&self, uid: &str, object: &Object, id: &str) -> bool {
        object.ids.contains(id) || self.claims.get(uid).is_some_and(|claims| claims.contains(id))
    }

    /// Whether another hand changed a role between two times.
    pub fn was_touched(&self, role: &str, from: Instant, to: Instant) -> bool {
        let hands = self.hands.get(role).into_iter().flatten();
        hands.into_iter().any(|at| *at >= from && *at <= to)
    }

    /// What is known to have happened to a role.
    pub fn moments(&self, role: &str) -> impl Iterator<Item = &Moment> {
        self.roles.get(role).into_iter().flatten()
    }

    /// The states of a role from one time to another, none of them being that it is not there; and whether another hand changed it.
    pub fn states(&self, role: &str, from: Instant, to: Instant) -> (Vec<Option<Arc<RoleState>>>, bool) {
        let mut states = Vec::new();
        let mut by_hand = false;
        let mut first = None;
        for moment in self.moments(role) {
            if moment.at > to {
                break;
            }
            if moment.at < from {
                first = Some(moment.after.clone());
                continue;
            }
            states.extend(first.take());
            if states.is_empty() {
                states.push(moment.before.clone());
            }
            by_hand |= moment.call.caller.is_empty();
            if states.last() != Some(&moment.after) {
                states.push(moment.after.clone());
            }
        }
        states.extend(first);
        (states, by_hand)
    }

    /// Whether an object is there, or was at any moment since a time.
    pub fn lives(&self, uid: &str, from: Instant) -> bool {
        self.objects
            .get(uid)
            .is_some_and(|object| object.gone.is_none_or(|gone| gone >= from))
    }

    /// Forgets objects that are long gone.
    pub fn tidy(&mut self, now: Instant) {
        self.objects
            .retain(|_, object| object.gone.is_none_or(|gone| gone + MEMORY > now));
        let objects = &self.objects;
        self.claims.retain(|uid, _| objects.contains_key(uid));
    }
}
