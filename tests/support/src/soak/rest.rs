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
    operations,
    world::{Count, World, bounded},
};
use crate::iam::RoleState;

/// How long everything may take to come to rest: the longest interval, what a failure backs off, and a new leader's time.
const SETTLED: Duration = Duration::from_secs(180);
/// For so many seconds everything must be where it belongs before it counts as at rest: an event may still be on its way.
const STEADY: usize = 5;
/// How long it is watched at rest: longer than the longest interval.
const REST: Duration = Duration::from_secs(50);

/// One quiet window. `events` has how often each object was told of a drift so far.
pub(super) async fn quiet(world: &Arc<World>, foreign: &[RoleState], rest: Duration) {
    let turn = world.turn.write().await;
    world.count(Count::QuietWindows);
    operations::clear_up(world);
    let began = Instant::now();
    let mut open = open(world);
    let mut steady = 0;
    while steady < STEADY && began.elapsed() < SETTLED {
        tokio::time::sleep(Duration::from_secs(1)).await;
        open = self::open(world);
        steady = if open.is_empty() { steady + 1 } else { 0 };
    }
    let took = began.elapsed();
    println!(
        "{}  quiet: at rest after {:.0} s",
        world.at(Instant::now()),
        took.as_secs_f64()
    );
    world.accuse(open.into_iter().map(|(role, how)| Broken {
        law: "eventually",
        at: Instant::now(),
        role,
        how,
    }));
    if world.broken().is_empty() {
        at_rest(world, rest).await;
    }
    untouched(world, foreign);
    told_once(world).await;
    drop(turn);
}

/// The length of the rest at the end of a quiet window.
pub(super) fn rest() -> Duration {
    REST
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
        if let Some(what) = unsettled(&ledger, uid, object, role, &settings, in_profile) {
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
    uid: &str,
    object: &Object,
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

/// Whatever could be written at rest.
async fn at_rest(world: &World, rest: Duration) {
    let before = versions(world);
    let told = events(world).await.map(|events| events.len());
    let began = Instant::now();
    tokio::time::sleep(rest).await;
    let mut broken = Vec::new();
    for (uid, (role, version, what)) in versions(world) {
        if before.get(&uid).is_none_or(|(_, before, _)| *before != version) {
            broken.push((role, format!("{what} was written to at rest")));
        }
    }
    for moment in world.ledger().writes_since(began) {
        let role = moment.call.role().unwrap_or_default().to_owned();
        broken.push((role, format!("{} at rest", moment.call.action)));
    }
    if let (Ok(told), Ok(now)) = (told, events(world).await)
        && now.len() > told
    {
        broken.push((String::new(), format!("{} events at rest", now.len() - told)));
    }
    world.accuse(broken.into_iter().map(|(role, how)| Broken {
        law: "quiet at rest",
        at: Instant::now(),
        role,
        how,
    }));
}

/// By uid: role, resource version, and which object it is.
fn versions(world: &World) -> BTreeMap<String, (String, Value, String)> {
    let ledger = world.ledger();
    let live = ledger.objects.iter().filter(|(_, object)| object.gone.is_none());
    live.map(|(uid, object)| {
        let what = format!("{}/{}", object.slot.0, object.slot.1);
        (
            uid.clone(),
            (
                object.role.clone(),
                object.last["metadata"]["resourceVersion"].clone(),
                what,
            ),
        )
    })
    .collect()
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

/// Uid of the object and reason of each event.
async fn events(world: &World) -> Result<Vec<(String, String)>, String> {
    let list = bounded(world.events().list(&ListParams::default())).await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pair = |data: &Value| (text(&data["regarding"]["uid"]), text(&data["reason"]));
    Ok(list.items.iter().map(|event| pair(&event.data)).collect())
}

/// Of a drift one event tells: there are no more of them than changes by other hands.
async fn told_once(world: &World) {
    let Ok(events) = events(world).await else { return };
    let mut told: HashMap<String, usize> = HashMap::new();
    for (uid, _) in events.iter().filter(|(_, reason)| reason == "DriftDetected") {
        *told.entry(uid.clone()).or_default() += 1;
    }
    let ledger = world.ledger();
    let mut broken = Vec::new();
    for (uid, told) in told {
        let Some(object) = ledger.objects.get(&uid) else {
            continue;
        };
        let hands = ledger.hands.get(&object.role).copied().unwrap_or_default();
        if told > hands {
            let how = format!(
                "{}/{} told of {told} drifts, and other hands changed the role {hands} times",
                object.slot.0, object.slot.1
            );
            broken.push(Broken {
                law: "told once",
                at: Instant::now(),
                role: object.role.clone(),
                how,
            });
        }
    }
    drop(ledger);
    world.accuse(broken);
}
