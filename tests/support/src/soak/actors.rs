//! A user, who writes objects, and an adversary, who changes roles behind the controller's back.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fastrand::Rng;
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{
    ledger::Slot,
    specs::{self, GUIDE_TRUST, NAMESPACES, OLD, chance},
    world::{Count, World, bounded},
};
use crate::iam::{RoleBuilder, RoleState};

/// The slot of object number `n`.
fn slot(n: usize) -> Slot {
    (NAMESPACES[n % NAMESPACES.len()].to_owned(), format!("o{n}"))
}

/// So many objects, the first ones, get half of all that is done, so that deeds meet.
const BUSY: usize = 20;

/// Makes roles that are there before the controller: some that may be adopted, and some of others.
pub(super) fn old_roles(world: &World) -> Vec<RoleState> {
    for n in 0..OLD {
        let legacy = RoleBuilder::new(&format!("legacy-{n}")).trust_policy(GUIDE_TRUST);
        world.iam.put_role(legacy.description("made by hand"));
    }
    (0..OLD)
        .map(|n| {
            world
                .iam
                .put_role(RoleBuilder::new(&format!("foreign-{n}")).tag("team", "others"))
        })
        .collect()
}

/// Makes an object.
pub(super) async fn create(world: &World, rng: &mut Rng, n: usize) {
    let slot = slot(n);
    let spec = specs::spec(rng, n);
    let object = json!({
        "apiVersion": "pinpoint-import.dev/v1alpha1",
        "kind": "PinpointImportRole",
        "metadata": {"namespace": slot.0, "name": slot.1},
        "spec": spec,
    });
    let Ok(object) = serde_json::from_value::<DynamicObject>(object) else {
        return;
    };
    world.ledger().declare(&slot, &spec, Instant::now());
    let api = world.objects(Some(&slot.0));
    match bounded(api.create(&PostParams::default(), &object)).await {
        Ok(_) => world.count(Count::Created),
        Err(why) if why.contains("AlreadyExists") || why.contains("no answer") || why.contains("error") => {}
        Err(why) => println!("an object can't be made: {why}: {spec}"),
    }
    confirm(world, &api, &slot).await;
}

/// What holds is what the API server has: an answer may have been lost, or the request refused.
async fn confirm(world: &World, api: &Api<DynamicObject>, slot: &Slot) {
    if let Ok(Some(object)) = bounded(api.get_opt(&slot.1)).await {
        world.ledger().declare(slot, &object.data["spec"], Instant::now());
    }
}

/// Writes objects for good.
pub(super) async fn user(world: Arc<World>, mut rng: Rng, objects: usize) {
    loop {
        tokio::time::sleep(Duration::from_millis(rng.u64(100..700))).await;
        let turn = world.turn.read().await;
        let among = if rng.bool() { objects } else { objects.min(BUSY) };
        let n = rng.usize(0..among);
        let slot = slot(n);
        let api = world.objects(Some(&slot.0));
        match bounded(api.get_opt(&slot.1)).await {
            Ok(None) => create(&world, &mut rng, n).await,
            Ok(Some(object)) if object.metadata.deletion_timestamp.is_some() => {
                // A deletion waits while the object is suspended.
                if object.data["spec"]["suspend"] == true {
                    merge(&world, &api, &slot, json!({"suspend": false})).await;
                }
            }
            Ok(Some(object)) => change(&world, &mut rng, n, &api, &object.data["spec"]).await,
            Err(_) => {}
        }
        drop(turn);
    }
}

async fn change(world: &World, rng: &mut Rng, n: usize, api: &Api<DynamicObject>, spec: &Value) {
    let slot = slot(n);
    match rng.u8(0..100) {
        0..=13 => {
            world.count(Count::Deleted);
            let _ = bounded(api.delete(&slot.1, &DeleteParams::default())).await;
            if rng.bool() {
                create(world, rng, n).await;
            }
        }
        14..=27 => ask(world, rng, api, &slot).await,
        28..=37 => merge(world, api, &slot, json!({"suspend": spec["suspend"] != true})).await,
        _ => {
            // Whatever the new spec does not have goes, but for what can't change.
            let mut next = specs::spec(rng, n);
            if chance(rng, 70) {
                next["suspend"] = json!(false);
            }
            for key in spec.as_object().into_iter().flatten().map(|(key, _)| key) {
                if next[key].is_null() {
                    next[key] = Value::Null;
                }
            }
            merge(world, api, &slot, next).await;
            // Who is impatient asks for a look while IAM may still be late.
            if rng.bool() {
                tokio::time::sleep(Duration::from_millis(rng.u64(200..3_000))).await;
                ask(world, rng, api, &slot).await;
            }
        }
    }
}

/// Asks for a look.
async fn ask(world: &World, rng: &mut Rng, api: &Api<DynamicObject>, slot: &Slot) {
    world.count(Count::Requested);
    let value = format!("{}", rng.u32(..));
    let patch = json!({"metadata": {"annotations": {"pinpoint-import.dev/reconcile-requested-at": value}}});
    let _ = bounded(api.patch(&slot.1, &PatchParams::default(), &Patch::Merge(&patch))).await;
}

async fn merge(world: &World, api: &Api<DynamicObject>, slot: &Slot, change: Value) {
    world.count(Count::Edited);
    let mut spec = world
        .ledger()
        .last_spec(slot)
        .map(|spec| (*spec).clone())
        .unwrap_or_default();
    for (key, value) in change.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    if let Some(spec) = spec.as_object_mut() {
        spec.retain(|_, value| !value.is_null());
    }
    world.ledger().declare(slot, &spec, Instant::now());
    let patch = json!({"spec": change});
    match bounded(api.patch(&slot.1, &PatchParams::default(), &Patch::Merge(&patch))).await {
        Err(why) if why.contains("Invalid") => println!("an object can't be changed: {why}"),
        _ => {}
    }
    confirm(world, api, slot).await;
}

/// Changes roles for good.
pub(super) async fn adversary(world: Arc<World>, mut rng: Rng) {
    loop {
        tokio::time::sleep(Duration::from_millis(rng.u64(200..1_200))).await;
        let turn = world.turn.read().await;
        let roles = world.iam.roles();
        let busy: Vec<String> = (0..BUSY)
            .map(slot)
            .map(|(namespace, name)| format!("{namespace}.{name}"))
            .collect();
        let only_busy = rng.bool();
        let is_meant =
            |role: &&RoleState| !role.name.starts_with("foreign-") && (!only_busy || busy.contains(&role.name));
        let ours: Vec<&RoleState> = roles.iter().filter(is_meant).collect();
        if let Some(role) = ours.get(rng.usize(0..ours.len().max(1))) {
            attack(&world, &mut rng, role, &ours);
        }
        drop(turn);
    }
}

fn attack(world: &World, rng: &mut Rng, role: &RoleState, all: &[&RoleState]) {
    match rng.u8(0..100) {
        0..=4 => {
            world.count(Count::RolesRemoved);
            world.iam.put_in_profile(&role.name, false);
            world.iam.remove_role(&role.name);
        }
        5..=9 => {
            world.count(Count::RolesRemoved);
            let mut anew = RoleBuilder::new(&role.name).trust_policy(GUIDE_TRUST);
            if rng.bool() {
                for (key, value) in &role.tags {
                    anew = anew.tag(key, value);
                }
            }
            world.iam.put_role(anew);
        }
        10..=13 => world.iam.put_in_profile(&role.name, rng.bool()),
        _ => {
            let other = all[rng.usize(0..all.len())];
            let tags = other.tags.clone().into_iter().collect();
            let (_, change) = specs::tamper(rng, Some(tags));
            if world.iam.try_tamper(&role.name, change) {
                world.count(Count::Tampered);
            }
        }
    }
}
