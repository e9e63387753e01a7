//! What the judges see: every version of the objects, whose the lease is, and the journal of the fake.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use futures::StreamExt;
use kube::{
    api::DynamicObject,
    runtime::watcher::{self, Event},
};
use serde_json::Value;

use super::{
    declared::role_name,
    laws,
    ledger::{Object, Slot},
    operations::Replicas,
    world::{CONTROLLER, Count, Due, World, bounded},
};

/// Time between looks at the lease.
const POLL: Duration = Duration::from_millis(400);
/// How long after they happened calls are judged, so that what belongs to them is known by then.
const DELAY: Duration = Duration::from_secs(3);

/// Watches the objects for good.
pub(super) async fn objects(world: Arc<World>) {
    let mut stream = Box::pin(watcher::watcher(world.objects(None), watcher::Config::default()));
    let mut listed: BTreeSet<String> = BTreeSet::new();
    while let Some(event) = stream.next().await {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(object)) => {
                listed.extend(object.metadata.uid.clone());
                seen(&world, &object);
            }
            Ok(Event::InitDone) => {
                let there = world.ledger().objects.clone();
                for (uid, object) in there {
                    if object.gone.is_none() && !listed.contains(&uid) {
                        gone(&world, &uid);
                    }
                }
            }
            Ok(Event::Apply(object)) => seen(&world, &object),
            Ok(Event::Delete(object)) => {
                seen(&world, &object);
                gone(&world, &object.metadata.uid.unwrap_or_default());
            }
            // The API server is down: a watch that is begun at once fails at once.
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}

fn seen(world: &World, object: &DynamicObject) {
    let now = Instant::now();
    let version = serde_json::to_value(object).unwrap_or_default();
    let text = |key: &str| version["metadata"][key].as_str().unwrap_or_default().to_owned();
    let uid = text("uid");
    let slot: Slot = (text("namespace"), text("name"));
    let mut ledger = world.ledger();
    ledger.declare(&slot, &version["spec"], now);
    let role = role_name(&slot.0, &slot.1, &version["spec"]);
    let known = ledger.objects.entry(uid.clone()).or_insert_with(|| Object {
        slot,
        first_seen: now,
        role,
        ids: BTreeSet::new(),
        gone: None,
        last: Value::Null,
    });
    let was = std::mem::replace(&mut known.last, version.clone());
    for key in ["roleId", "formerRoleId"] {
        let id = known.status()[key].as_str().map(str::to_owned);
        known.ids.extend(id);
    }
    if was["metadata"]["resourceVersion"] == known.last["metadata"]["resourceVersion"] {
        return;
    }
    world.count(Count::Versions);
    world.written(
        now,
        &known.role,
        &format!("{}/{} was written to", known.slot.0, known.slot.1),
    );
    let object = known.clone();
    let written = written(&version);
    drop(ledger);
    world.judge_later(
        now,
        Due::Version {
            uid,
            object: Box::new(object),
            was,
            written,
        },
    );
}

/// When the controller wrote the status, in whole seconds, as managed fields tell.
fn written(version: &Value) -> Option<Instant> {
    let fields = version["metadata"]["managedFields"].as_array()?;
    let own = fields
        .iter()
        .find(|entry| entry["manager"] == CONTROLLER && entry["subresource"] == "status")?;
    instant(own["time"].as_str()?)
}

/// A time as Kubernetes writes it, on this machine's steady clock.
pub(super) fn instant(time: &str) -> Option<Instant> {
    let time: k8s_openapi::jiff::Timestamp = time.parse().ok()?;
    let ago = SystemTime::now()
        .duration_since(SystemTime::from(time))
        .unwrap_or_default();
    Instant::now().checked_sub(ago)
}

fn gone(world: &World, uid: &str) {
    let now = Instant::now();
    let mut ledger = world.ledger();
    if let Some(object) = ledger.objects.get_mut(uid) {
        object.gone = Some(now);
    }
    drop(ledger);
    world.count(Count::Gone);
    world.judge_later(now, Due::End(uid.to_owned()));
}

/// Judges the journal, as far as it is known whose the lease was.
pub(super) async fn journal(world: Arc<World>, replicas: Arc<Replicas>) {
    let mut waiting = std::collections::VecDeque::new();
    loop {
        tokio::time::sleep(POLL).await;
        let asked = Instant::now();
        let lease = bounded(world.leases().get_opt(CONTROLLER)).await;
        for moment in world.iam.take_journal() {
            world.ledger().happened(moment.clone());
            // A deletion that is blocked is tried again and again.
            let call = &moment.call;
            if !call.caller.is_empty() && call.is_write() && call.outcome != "DeleteConflict" {
                let role = call.role().unwrap_or_default().to_ascii_lowercase();
                world.written(
                    moment.at,
                    &role,
                    &format!("{} by {}: {}", call.action, call.caller, call.outcome),
                );
            }
            if !moment.call.caller.is_empty() {
                waiting.push_back(moment);
            }
        }
        world.iam.clear_calls();
        // While the API server is down it can't be told who leads.
        let Ok(lease) = lease else { continue };
        holder(&world, lease.as_ref());
        while let Some(moment) = waiting.pop_front_if(|moment: &mut crate::iam::Moment| moment.at + DELAY < asked) {
            world.count(Count::Calls);
            if moment.call.is_write() {
                world.count(Count::Writes);
            }
            let broken = laws::judge(&world.ledger(), &moment, |caller| replicas.continued(caller));
            world.accuse(broken);
        }
        for (at, due) in world.due(asked.checked_sub(DELAY)) {
            judge(&world, at, due);
        }
        world.ledger().tidy(asked);
    }
}

fn judge(world: &World, at: Instant, due: Due) {
    let mut ledger = world.ledger();
    let broken = match due {
        Due::Version {
            uid,
            object,
            was,
            written,
        } => laws::judge_version(&ledger, (&uid, &object), &was, written, at),
        Due::End(uid) => laws::judge_end(&mut ledger, &uid, at).into_iter().collect(),
    };
    drop(ledger);
    world.accuse(broken);
}

fn holder(world: &World, lease: Option<&DynamicObject>) {
    let Some(spec) = lease.map(|lease| &lease.data["spec"]) else {
        return;
    };
    let identity = spec["holderIdentity"].as_str().unwrap_or_default();
    let name = identity.split('_').next().unwrap_or_default().to_owned();
    let mut ledger = world.ledger();
    if ledger.holders.last().is_none_or(|(_, last)| *last != name) {
        let since = spec["acquireTime"]
            .as_str()
            .and_then(instant)
            .filter(|_| !name.is_empty());
        ledger.holders.push((since.unwrap_or_else(Instant::now), name));
    }
}
