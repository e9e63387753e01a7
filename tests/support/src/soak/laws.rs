//! The laws, judged at every call that the journal has, and at every version of an object that the watch shows.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    declared::{CLUSTER, Permitted, differences, gained, is_tagged, tag, trusts_pinpoint_alone},
    ledger::{Ledger, Object, Slot},
    specs,
};
use crate::iam::{Call, Moment, RoleState};

/// How late the fake's reads may be, and a little.
pub(super) const LAG: Duration = Duration::from_millis(5_300);
/// How long a pass may go on after its last look where that is not known.
const LONGEST_PASS: Duration = Duration::from_secs(90);
/// What a process that has lost the lease, or was stopped and goes on, may still have on its way.
const GRACE: Duration = Duration::from_secs(3);

/// A law that was broken.
#[derive(Clone, Debug)]
pub(super) struct Broken {
    pub law: &'static str,
    pub at: Instant,
    /// Name of the role.
    pub role: String,
    pub how: String,
}

impl Broken {
    pub fn at(law: &'static str, at: Instant, role: &str, how: &str) -> Self {
        Self {
            law,
            at,
            role: role.to_owned(),
            how: how.to_owned(),
        }
    }
}

/// Judges a controller's call. `continued` tells when a process was last let go on after a stop.
pub(super) fn judge(ledger: &Ledger, moment: &Moment, continued: impl Fn(&str) -> Option<Instant>) -> Vec<Broken> {
    let call = &moment.call;
    let Some(role) = call.role().map(str::to_ascii_lowercase) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    let mut broken = |law: &'static str, found: Option<String>| {
        let at = moment.at;
        let role = role.clone();
        all.extend(found.map(|how| Broken {
            law,
            at,
            role,
            how: format!("{} {how}", call.action),
        }));
    };
    broken(
        "no call for an object that is suspended",
        suspended(ledger, &role, call),
    );
    if call.is_write() {
        broken(
            "no write by a process that does not hold the lease",
            not_leading(ledger, call, continued),
        );
        broken("foreign roles are never written", foreign(ledger, &role, moment));
        broken("never wider", wider(ledger, &role, moment));
    }
    all
}

/// The time from which on a pass may know what it acts upon. Where several objects declare the role, the last look may have been about
/// another one.
fn known_since(ledger: &Ledger, role: &str, call: &Call) -> Instant {
    let own = Some(role).filter(|role| !specs::is_shared(role));
    let look = own.and_then(|role| ledger.look_before(Some(&call.caller), role, call.at));
    before(look.unwrap_or_else(|| before(call.at, LONGEST_PASS)), LAG)
}

fn before(at: Instant, time: Duration) -> Instant {
    at.checked_sub(time).unwrap_or(at)
}

fn suspended(ledger: &Ledger, role: &str, call: &Call) -> Option<String> {
    let declarations = ledger.declarations(role, before(call.at, LONGEST_PASS), call.at);
    let all = !declarations.is_empty()
        && declarations
            .iter()
            .all(|(_, declaration)| declaration.spec["suspend"] == true);
    all.then(|| "though each object that declares the role is suspended".to_owned())
}

fn not_leading(ledger: &Ledger, call: &Call, continued: impl Fn(&str) -> Option<Instant>) -> Option<String> {
    let then = before(call.at, GRACE);
    let (since, holder) = ledger.holders.iter().rev().find(|(since, _)| *since <= then)?;
    let still = ledger
        .holders
        .iter()
        .all(|(at, other)| *at <= *since || *at > call.at || other != &call.caller);
    let was_stopped = continued(&call.caller).is_some_and(|at| call.at < at + GRACE);
    let wrong = *holder != call.caller && still && !was_stopped && !holder.is_empty();
    wrong.then(|| {
        format!(
            "by {}, while {holder} has held the lease for {:?}",
            call.caller,
            call.at - *since
        )
    })
}

/// Writes are for a role that is the object's by the table of ownership (contract, section 4), or that it may adopt: at some moment that
/// the pass may know.
fn foreign(ledger: &Ledger, role: &str, moment: &Moment) -> Option<String> {
    let call = &moment.call;
    let since = known_since(ledger, role, call);
    let declarations = ledger.declarations(role, before(since, LONGEST_PASS), call.at);
    if declarations.is_empty() {
        return Some("though no object declares this role".to_owned());
    }
    if call.action == "CreateRole" {
        let uid = (1..=50).find_map(|n| {
            let key = call.params.get(&format!("Tags.member.{n}.Key"))?;
            (key == "pinpoint-import.dev/uid").then(|| call.params.get(&format!("Tags.member.{n}.Value")))?
        });
        let known = uid.is_some_and(|uid| {
            declarations
                .iter()
                .any(|(slot, _)| ledger.objects_in(slot, since).any(|(known, _)| known == uid))
        });
        return (!known).then(|| format!("with the uid {uid:?}, which no object has that declares this role"));
    }
    let (states, _) = ledger.states(role, since, call.at);
    let is_right = declarations.iter().any(|(slot, declaration)| {
        ledger.objects_in(slot, since).any(|(uid, object)| {
            let adopts = declaration.spec["adoptionPolicy"] == "Adopt";
            states
                .iter()
                .flatten()
                .any(|state| is_owned(ledger, state, uid, object) || adopts && is_adoptable(ledger, state, uid, since))
        })
    });
    let role = moment.before.as_ref();
    (!is_right).then(|| {
        format!(
            "on {:?}, which was no declaring object's at any moment that was known",
            role.map(|role| (&role.id, &role.tags))
        )
    })
}

fn is_owned(ledger: &Ledger, state: &RoleState, uid: &str, object: &Object) -> bool {
    let tagged = tag(state, "uid");
    let by_id = ledger.has_had(uid, object, &state.id) && tagged.is_none_or(|tagged| tagged == uid);
    let unpinned = object.status()["roleId"].is_null();
    let is_tagged = tagged == Some(uid) && tag(state, "cluster") == Some(CLUSTER);
    let by_tags = unpinned && is_tagged && trusts_pinpoint_alone(&state.trust_policy);
    by_id || by_tags
}

fn is_adoptable(ledger: &Ledger, state: &RoleState, uid: &str, since: Instant) -> bool {
    let other = tag(state, "uid").filter(|tagged| *tagged != uid);
    // One that the watch has not shown yet is not known to be gone; one that is gone at any moment since may be.
    let lives = other.is_some_and(|other| ledger.lives(other, since) && ledger.objects[other].gone.is_none());
    trusts_pinpoint_alone(&state.trust_policy) && !lives
}

fn wider(ledger: &Ledger, role: &str, moment: &Moment) -> Option<String> {
    let after = moment.after.as_deref()?;
    if moment.before.as_deref() == Some(after) {
        return None;
    }
    let call = &moment.call;
    let since = known_since(ledger, role, call);
    // The ledger has the moment itself already.
    let (states, by_hand) = ledger.states(role, since, before(moment.at, Duration::from_nanos(1)));
    let mut known: Vec<&RoleState> = states.iter().flatten().map(Arc::as_ref).collect();
    known.extend(moment.before.as_deref());
    // One exception: where an undeclared policy can't be taken off, a stranger is put out all the same.
    let puts_out = |role: &&RoleState| !trusts_pinpoint_alone(&role.trust_policy);
    if call.action == "UpdateAssumeRolePolicy" && known.iter().any(puts_out) {
        return None;
    }
    let declarations = ledger.declarations(role, before(since, LONGEST_PASS), call.at);
    let settings = ledger.settings(before(since, LONGEST_PASS));
    let permitted: Vec<Permitted<'_>> = declarations
        .iter()
        .flat_map(|(_, declaration)| {
            settings.iter().map(|settings| Permitted {
                spec: &declaration.spec,
                settings,
            })
        })
        .collect();
    // What others did since the look, nobody can take into account.
    gained(after, &known, &permitted, by_hand)
}

/// Judges a version of an object, seen at a time, against the one before it. `written`: when the controller wrote its status.
pub(super) fn judge_version(
    ledger: &Ledger,
    (uid, object): (&str, &Object),
    was: &Value,
    written: Option<Instant>,
    now: Instant,
) -> Vec<Broken> {
    let mut all = Vec::new();
    let mut broken = |law: &'static str, found: Option<String>| {
        all.extend(found.map(|how| Broken {
            law,
            at: now,
            role: object.role.clone(),
            how: format!("{}/{} {how}", object.slot.0, object.slot.1),
        }));
    };
    // The schema gives an object that nobody has looked at -1, once it has a status.
    let generation = |version: &Value| version["status"]["observedGeneration"].as_i64().unwrap_or(-1);
    let fell = generation(was) > generation(&object.last);
    broken(
        "observedGeneration only grows",
        fell.then(|| format!("fell from {} to {}", generation(was), generation(&object.last))),
    );
    let ahead = generation(&object.last) > object.last["metadata"]["generation"].as_i64().unwrap_or(0);
    broken(
        "observedGeneration is a generation",
        ahead.then(|| format!("{}", generation(&object.last))),
    );
    if was["status"] != object.last["status"] {
        broken("Ready is true", untrue(ledger, uid, object, written, now));
    }
    all
}

/// Whether `Ready=True` was written though the role differed all the while that the look may have been about.
fn untrue(ledger: &Ledger, uid: &str, object: &Object, written: Option<Instant>, now: Instant) -> Option<String> {
    let ready = object.condition("Ready")?;
    let speaks_of_spec = ready["observedGeneration"] == object.last["metadata"]["generation"];
    if ready["status"] != "True" || !speaks_of_spec || object.condition("Suspended").is_some() {
        return None;
    }
    let written = written?;
    // Times of writes are whole seconds.
    // Where several objects declare the role, the last look may have been about another one.
    let own = Some(&object.role).filter(|role| !specs::is_shared(role));
    let look = match own {
        Some(role) => ledger.look_before(None, role, written)?,
        None => before(written, LONGEST_PASS),
    };
    let until = (written + Duration::from_secs(2)).min(now);
    let (states, _) = ledger.states(&object.role, before(look, LAG), until);
    let settings = ledger.settings(before(look, LONGEST_PASS));
    let differs = |state: &Option<Arc<RoleState>>| match state {
        None => vec!["it is not there".to_owned()],
        Some(state) if !object.pins(&state.id) => vec!["it is another role".to_owned()],
        Some(state) => {
            let each = settings
                .iter()
                .map(|settings| differences(state, object.spec(), settings, uid));
            each.min_by_key(Vec::len).unwrap_or_default()
        }
    };
    let found: Vec<_> = states.iter().map(differs).collect();
    // What others change after the look, other objects' passes among them, nobody sees: so it is asked part by part.
    let throughout = |part: &String| found.iter().all(|differences| differences.contains(part));
    let wrong = found.first().is_some_and(|first| first.iter().any(throughout));
    wrong.then(|| {
        format!(
            "says Ready=True of a look {:?} ago, throughout which the role differed: {found:?}",
            now - look
        )
    })
}

/// Judges the end of an object: of its role nothing is left, unless it was to stay or is not the object's.
pub(super) fn judge_end(ledger: &mut Ledger, uid: &str, now: Instant) -> Option<Broken> {
    let object = ledger.objects.get(uid)?.clone();
    let role = ledger.states(&object.role, now, now).0.pop()??;
    if !ledger.has_had(uid, &object, &role.id) {
        return None;
    }
    if let Some(how) = orphaned(ledger, uid, &object, &role, now) {
        let how = format!("{}/{} is gone, {how}", object.slot.0, object.slot.1);
        return Some(Broken {
            law: "no orphan",
            at: now,
            role: object.role,
            how,
        });
    }
    ledger.released.insert(role.id.clone());
    None
}

fn orphaned(ledger: &Ledger, uid: &str, object: &Object, role: &RoleState, now: Instant) -> Option<String> {
    let since = before(now, LONGEST_PASS);
    let name = role.name.to_ascii_lowercase();
    let (states, _) = ledger.states(&name, since, now);
    let states: Vec<&RoleState> = states
        .iter()
        .flatten()
        .map(Arc::as_ref)
        .filter(|state| state.id == role.id)
        .chain([role])
        .collect();
    let retains = retained(ledger, &object.slot, &name, since, now);
    let was_released = retains && states.iter().any(|state| !is_tagged(state));
    let was_anothers = states
        .iter()
        .any(|state| tag(state, "uid").is_some_and(|tagged| tagged != uid));
    let was_nobodys = !object.pins(&role.id)
        && states
            .iter()
            .any(|state| !trusts_pinpoint_alone(&state.trust_policy) || tag(state, "uid").is_none());
    let is_right = was_released || was_anothers || was_nobodys;
    (!is_right).then(|| format!("and its role {} is there still, with the tags {:?}", role.id, role.tags))
}

fn retained(ledger: &Ledger, slot: &Slot, role: &str, from: Instant, to: Instant) -> bool {
    let declarations = ledger.declarations(role, from, to);
    declarations
        .iter()
        .any(|(of, declaration)| *of == slot && declaration.spec["deletionPolicy"] == "Retain")
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use serde_json::json;

    use super::*;
    use crate::{
        iam::{FakeIam, RoleBuilder},
        soak::{
            declared::{ANY_POLICY, S3_READ_ONLY, Settings},
            specs::GUIDE_TRUST,
        },
    };

    const STRANGER: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"sts:AssumeRole"}]}"#;

    /// An object that declares the guide's role, seen long ago, and its role as it is.
    fn scene(trust: &str, uid: &str) -> (Ledger, RoleState) {
        let mut ledger = Ledger::default();
        let slot = ("n".to_owned(), "o".to_owned());
        let long_ago = before(Instant::now(), Duration::from_secs(20));
        ledger.declare(&slot, &json!({}), long_ago);
        let settings = Settings {
            resync: "30s",
            allowed: ANY_POLICY,
            boundary: None,
            concurrency: "5",
        };
        ledger.set(settings, long_ago);
        let object = Object {
            slot,
            first_seen: long_ago,
            role: "n.o".to_owned(),
            ids: [].into(),
            gone: None,
            last: json!({"spec": {}, "status": {}}),
        };
        ledger.objects.insert("u".to_owned(), object);
        ledger.holders.push((long_ago, "a-1".to_owned()));
        let role = RoleBuilder::new("n.o").trust_policy(trust);
        let tagged = role
            .tag("pinpoint-import.dev/uid", uid)
            .tag("pinpoint-import.dev/cluster", CLUSTER);
        (ledger, FakeIam::start().put_role(tagged))
    }

    /// A call ago `seconds`, that makes of one role another.
    fn moment(caller: &str, action: &str, seconds: u64, roles: [Option<&RoleState>; 2]) -> Moment {
        let at = before(Instant::now(), Duration::from_secs(seconds));
        let [before, after] = roles.map(|role| role.cloned().map(Arc::new));
        let call = Call {
            number: 0,
            action: action.to_owned(),
            params: BTreeMap::from([("RoleName".to_owned(), "n.o".to_owned())]),
            outcome: "OK".to_owned(),
            fault: None,
            at,
            caller: caller.to_owned(),
        };
        Moment {
            at,
            call,
            before,
            after,
        }
    }

    /// The laws that an attachment by `caller` breaks, after a look.
    fn broken_by_attaching(mut ledger: Ledger, role: &RoleState, caller: &str) -> Vec<&'static str> {
        let attached = RoleState {
            attached: [S3_READ_ONLY.to_owned()].into(),
            ..role.clone()
        };
        ledger.happened(moment("", "put", 15, [None, Some(role)]));
        ledger.happened(moment(caller, "GetRole", 2, [Some(role), Some(role)]));
        let attach = moment(caller, "AttachRolePolicy", 1, [Some(role), Some(&attached)]);
        ledger.happened(attach.clone());
        judge(&ledger, &attach, |_| None)
            .into_iter()
            .map(|broken| broken.law)
            .collect()
    }

    #[test]
    fn what_is_right_breaks_no_law() {
        let (ledger, role) = scene(GUIDE_TRUST, "u");
        assert_eq!(broken_by_attaching(ledger, &role, "a-1"), [""; 0]);
    }

    #[test]
    fn a_policy_is_attached_for_no_stranger() {
        let (mut ledger, role) = scene(STRANGER, "u");
        ledger.objects.get_mut("u").unwrap().ids.insert(role.id.clone());
        assert_eq!(broken_by_attaching(ledger, &role, "a-1"), ["never wider"]);
    }

    #[test]
    fn a_role_of_others_is_not_written_to() {
        let (ledger, role) = scene(GUIDE_TRUST, "another");
        assert_eq!(
            broken_by_attaching(ledger, &role, "a-1"),
            ["foreign roles are never written"]
        );
    }

    #[test]
    fn who_has_not_the_lease_writes_nothing_and_who_is_suspended_is_left_alone() {
        let (ledger, role) = scene(GUIDE_TRUST, "u");
        let law = "no write by a process that does not hold the lease";
        assert_eq!(broken_by_attaching(ledger, &role, "b-1"), [law]);
        let (mut ledger, role) = scene(GUIDE_TRUST, "u");
        let slot = ("n".to_owned(), "o".to_owned());
        let long_ago = before(Instant::now(), Duration::from_mins(2));
        let mut suspended = Ledger::default();
        suspended.declare(&slot, &json!({"suspend": true}), long_ago);
        std::mem::swap(&mut suspended.objects, &mut ledger.objects);
        suspended.holders.clone_from(&ledger.holders);
        suspended.set(ledger.current_settings(), long_ago);
        let law = "no call for an object that is suspended";
        assert_eq!(broken_by_attaching(suspended, &role, "a-1"), [law]);
    }

    #[test]
    fn nothing_is_left_of_an_object_that_is_gone() {
        let (mut ledger, role) = scene(GUIDE_TRUST, "u");
        let object = ledger.objects.get_mut("u").unwrap();
        object.last["status"]["roleId"] = json!(role.id);
        object.ids.insert(role.id.clone());
        ledger.happened(moment("", "put", 15, [None, Some(&role)]));
        assert_eq!(judge_end(&mut ledger, "u", Instant::now()).unwrap().law, "no orphan");
        ledger.happened(moment("a-1", "DeleteRole", 1, [Some(&role), None]));
        assert!(judge_end(&mut ledger, "u", Instant::now()).is_none());

        // Others made it anew with its tags, just before a write to it.
        let other = RoleState {
            id: "AROAOTHER".to_owned(),
            ..role
        };
        ledger.happened(moment("", "put", 1, [None, Some(&other)]));
        ledger.happened(moment("a-1", "TagRole", 0, [Some(&other), Some(&other)]));
        assert!(judge_end(&mut ledger, "u", Instant::now()).is_none());
    }

    #[test]
    fn ready_is_said_of_no_role_that_differed_all_the_while() {
        let (mut ledger, role) = scene(GUIDE_TRUST, "u");
        let mut object = ledger.objects["u"].clone();
        object.ids.insert(role.id.clone());
        object.last = json!({"metadata": {"generation": 1}, "spec": {}, "status": {"roleId": role.id, "observedGeneration": 1,
            "conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1}]}});
        ledger.happened(moment("", "put", 15, [None, Some(&role)]));
        ledger.happened(moment("a-1", "GetRole", 4, [Some(&role), Some(&role)]));
        let written = Some(before(Instant::now(), Duration::from_secs(3)));
        let judged = |ledger: &Ledger| judge_version(ledger, ("u", &object), &Value::Null, written, Instant::now());
        assert_eq!(judged(&ledger)[0].law, "Ready is true");
        let attached = RoleState {
            attached: [S3_READ_ONLY.to_owned()].into(),
            ..role.clone()
        };
        ledger.happened(moment("a-1", "AttachRolePolicy", 3, [Some(&role), Some(&attached)]));
        assert!(judged(&ledger).is_empty());
    }
}
