//! Quiet windows: nobody acts, so everything comes to where it belongs within a bound, and then nothing happens any more.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use kube::api::ListParams;
use serde_json::Value;

use super::{
    declared::{Settings, differences, tag, trusts_pinpoint_alone},
    laws::Broken,
    ledger::{Ledger, Object},
    specs, watch, weather,
    world::{Count, World, bounded},
};
use crate::iam::RoleState;

/// How long everything may take to come to rest: the longest wait after failures in a row, which is 5 minutes, and a new leader's time.
const SETTLED: Duration = Duration::from_mins(6);
/// How long before it is told a drift may have come, since the look that saw the one before it.
const BEFORE: Duration = Duration::from_mins(1);
/// How long after a write its event may come.
const SOON: Duration = Duration::from_secs(3);
/// For how long nothing may be written then: longer than the longest interval, so that each role is looked at once more.
const REST: Duration = Duration::from_secs(55);

/// One quiet window. `foreign` are roles that nobody is to touch.
pub(super) async fn quiet(world: &Arc<World>, foreign: &[RoleState]) {
    let turn = world.turn.write().await;
    world.count(Count::QuietWindows);
    weather::clear_up(world);
    let began = Instant::now();
    // Until when something was not where it belongs, or was written.
    let mut restless = (began, Broken::at("eventually", began, "", "nothing came to rest"));
    while restless.0.elapsed() < REST && began.elapsed() < SETTLED + REST {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let written = world.last_written();
        if written.0 > restless.0 {
            restless = (
                written.0,
                Broken::at("quiet at rest", written.0, &written.1, &written.2),
            );
        }
        if let Some((role, how)) = open(world).pop() {
            let now = Instant::now();
            restless = (now, Broken::at("eventually", now, &role, &how));
        }
    }
    let took = restless.0.saturating_duration_since(began).as_secs_f64();
    println!("{}  quiet: at rest after {took:.0} s", world.at(Instant::now()));
    if restless.0.elapsed() < REST {
        world.accuse([restless.1]);
    }
    told(world, restless.0).await;
    untouched(world, foreign);
    drop(turn);
}

/// What is not where it belongs: the role, and what is wrong.
fn open(world: &World) -> Vec<(String, String)> {
    let ledger = world.ledger();
    let settings = ledger.current_settings();
    let roles: HashMap<String, RoleState> = world
        .iam
        .roles()
        .into_iter()
        .map(|role| (role.name.to_ascii_lowercase(), role))
        .collect();
    let mut open = Vec::new();
    for (uid, object) in ledger.objects.iter().filter(|(_, object)| object.gone.is_none()) {
        let role = roles.get(&object.role);
        let in_profile = world.iam.is_in_profile(&object.role);
        if let Some(what) = unsettled(&ledger, (uid, object), role, &settings, in_profile) {
            open.push((
                object.role.clone(),
                format!("{}/{} {what}", object.slot.0, object.slot.1),
            ));
        }
    }
    for role in roles.values() {
        let owner = ledger
            .objects
            .iter()
            .find(|(uid, object)| ledger.has_had(uid, object, &role.id));
        let left = owner.is_some_and(|(_, object)| object.gone.is_some()) && !ledger.released.contains(&role.id);
        let adopted = ledger
            .objects
            .iter()
            .any(|(_, object)| object.gone.is_none() && object.pins(&role.id));
        if left && !adopted {
            open.push((
                role.name.clone(),
                format!("role {} is there, and its object is gone", role.id),
            ));
        }
    }
    open
}

/// Why an object is not where it belongs; none if it is.
fn unsettled(
    ledger: &Ledger,
    (uid, object): (&str, &Object),
    role: Option<&RoleState>,
    settings: &Settings,
    in_profile: bool,
) -> Option<String> {
    let spec = object.spec();
    let generation = &object.last["metadata"]["generation"];
    if object.status()["observedGeneration"] != *generation {
        return Some(format!(
            "has observed generation {} of {generation}",
            object.status()["observedGeneration"]
        ));
    }
    let ready = object.condition("Ready")?;
    let reason = ready["reason"].as_str().unwrap_or_default();
    let what = format!("is Ready={} {reason}: {}", ready["status"], ready["message"]);
    if object.is_deleting() {
        let is_stuck = spec["suspend"] == true || reason == "DeletionBlocked" && in_profile;
        return (!is_stuck).then(|| format!("is being deleted still, and {what}"));
    }
    if spec["suspend"] == true {
        return object
            .condition("Suspended")
            .is_none()
            .then(|| format!("is not Suspended, and {what}"));
    }
    let differs = match role {
        None => vec!["it is not there".to_owned()],
        Some(role) if !object.pins(&role.id) => vec!["it is another role".to_owned()],
        Some(role) => differences(role, spec, settings, uid),
    };
    let is_right = match (ready["status"].as_str(), reason) {
        (Some("True"), _) => differs.is_empty(),
        (_, "PolicyNotAllowed") => settings.refuse(spec),
        (_, "DriftDetected") => spec["driftPolicy"] == "Report" && !differs.is_empty(),
        (_, "RoleNotOwned") => role.is_some_and(|role| !is_ours(ledger, uid, object, role)),
        _ => false,
    };
    (!is_right).then(|| format!("{what}; the role differs in {differs:?}"))
}

/// The table of ownership (contract, section 4), for a role that nobody touches.
fn is_ours(ledger: &Ledger, uid: &str, object: &Object, role: &RoleState) -> bool {
    let tagged = tag(role, "uid");
    let alone = trusts_pinpoint_alone(&role.trust_policy);
    let by_proof = match object.status()["roleId"].as_str() {
        Some(pinned) => pinned == role.id && tagged.is_none_or(|tagged| tagged == uid),
        None => object.pins(&role.id) || tagged == Some(uid) && alone,
    };
    let rival = tagged
        .is_some_and(|tagged| tagged != uid && ledger.objects.get(tagged).is_some_and(|rival| rival.gone.is_none()));
    by_proof || object.spec()["adoptionPolicy"] == "Adopt" && alone && !rival
}

fn untouched(world: &World, foreign: &[RoleState]) {
    let changed = foreign
        .iter()
        .filter(|role| world.iam.role(&role.name).as_ref() != Some(*role));
    world.accuse(changed.map(|role| Broken {
        law: "foreign roles are never written",
        at: Instant::now(),
        role: role.name.clone(),
        how: "it is not as it was".to_owned(),
    }));
}

/// Judges the events: none at rest, and of each drift one.
async fn told(world: &World, at_rest_since: Instant) {
    let Ok(events) = bounded(world.events().list(&ListParams::default())).await else {
        return;
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let ledger = world.ledger();
    let mut broken = Vec::new();
    let mut drifts: BTreeMap<String, Vec<Instant>> = BTreeMap::new();
    for event in &events.items {
        let (uid, reason) = (text(&event.data["regarding"]["uid"]), text(&event.data["reason"]));
        let Some((object, at)) = ledger
            .objects
            .get(&uid)
            .zip(watch::instant(&text(&event.data["eventTime"])))
        else {
            continue;
        };
        if at > at_rest_since + SOON {
            let how = format!("event {reason} of {}/{}", object.slot.0, object.slot.1);
            broken.push(Broken::at("quiet at rest", at, &object.role, &how));
        }
        // Of a role that several objects declare, the others are other hands too.
        if reason == "DriftDetected" && !specs::is_shared(&object.role) {
            drifts.entry(uid).or_default().push(at);
        }
    }
    for (uid, mut told) in drifts {
        told.sort();
        broken.extend(told_in_vain(&ledger, &ledger.objects[&uid], &told));
    }
    drop(ledger);
    world.accuse(broken);
}

/// A drift that was told though no other hand had changed the role since the one before it was seen.
fn told_in_vain(ledger: &Ledger, object: &Object, told: &[Instant]) -> Option<Broken> {
    let mut from = object.first_seen.checked_sub(BEFORE)?;
    for at in told {
        if !ledger.was_touched(&object.role, from, *at) {
            let how = format!("{}/{} told of a drift that nobody made", object.slot.0, object.slot.1);
            return Some(Broken::at("told once", *at, &object.role, &how));
        }
        from = at.checked_sub(BEFORE)?;
    }
    None
}
