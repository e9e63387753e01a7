//! Many objects at once: what people do is begun soon, whatever is due, and what does not change costs nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::{Value, json};
use test_support::iam::Call as IamCall;
use tokio::{task::JoinHandle, time::Instant};

use crate::{
    fault::{Fault, Script},
    world::{INTERVAL, SETTLE, World, timeless},
};

const MANY: usize = 300;
/// How soon what people did is begun.
pub(crate) const SOON: Duration = Duration::from_secs(2);

/// A world in which these objects are at rest, and no process is.
async fn at_rest(names: impl IntoIterator<Item = String>) -> World {
    let world = World::new(None);
    let names: Vec<String> = names.into_iter().collect();
    for name in &names {
        world.api.create(name, &json!({}));
    }
    let process = world.start_within(false, 100_000);
    until(SETTLE, || names.iter().all(|name| is_answered(&world.api.object(name)))).await;
    process.abort();
    world
}

fn many() -> impl Iterator<Item = String> {
    (0..MANY).map(|number| format!("r{number}"))
}

/// Whether a pass has told how the object stands, and what was asked for last.
pub(crate) fn is_answered(object: &Value) -> bool {
    let (status, metadata) = (&object["status"], &object["metadata"]);
    status["observedGeneration"] == metadata["generation"]
        && status["lastHandledReconcileAt"] == metadata["annotations"]["pinpoint-import.dev/reconcile-requested-at"]
        && status["roleId"].is_string()
}

/// Lets time go by until something is so. How long it took.
pub(crate) async fn until(most: Duration, is_so: impl Fn() -> bool) -> Duration {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < most, "it is not so after {most:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    start.elapsed()
}

fn calls_on(world: &World, role: &str) -> Vec<IamCall> {
    let mut calls = world.iam.fake.calls();
    calls.retain(|call| call.role() == Some(role));
    calls
}

/// The roles that were looked at or written to.
fn touched(world: &World) -> BTreeSet<String> {
    let calls = world.iam.fake.calls();
    calls.iter().filter_map(|call| call.role().map(str::to_owned)).collect()
}

/// What people do.
type Deed = (&'static str, fn(&World, &str), fn(&Value) -> bool);

const DEEDS: [Deed; 4] = [
    (
        "an edit",
        |world, name| {
            world
                .api
                .edit(name, |object| object["spec"] = json!({"tags": {"team": "a"}}));
        },
        is_answered,
    ),
    (
        "a request",
        |world, name| {
            world.api.edit(name, |object| {
                object["metadata"]["annotations"] = json!({"pinpoint-import.dev/reconcile-requested-at": "1"});
            });
        },
        is_answered,
    ),
    ("a deletion", |world, name| world.api.delete(name), Value::is_null),
    (
        "a creation",
        |world, name| world.api.create(name, &json!({})),
        is_answered,
    ),
];

/// A process begins, and all looks are due at once: at two calls a second they take minutes.
#[test]
fn what_people_do_is_begun_within_two_seconds_while_looks_are_due() {
    timeless(async {
        let names = (0..DEEDS.len()).map(|number| format!("z{number}"));
        let world = at_rest(many().chain(names)).await;
        world.iam.fake.clear_calls();
        let process = world.start_within(false, 2);
        tokio::time::sleep(Duration::from_secs(10)).await;
        for (number, (what, deed, is_done)) in DEEDS.into_iter().enumerate() {
            let made = if what == "a creation" { "new" } else { "z" };
            let name = format!("{made}{number}");
            let before = calls_on(&world, &format!("default.{name}")).len();
            deed(&world, &name);
            let begins = || calls_on(&world, &format!("default.{name}")).len() > before;
            let time = until(Duration::from_mins(10), begins).await;
            assert!(time <= SOON, "{what} is begun after {time:?}");
            until(Duration::from_mins(1), || is_done(&world.api.object(&name))).await;
        }
        let looked = touched(&world).len();
        assert!((10..MANY / 2).contains(&looked), "{looked} roles were touched");
        end(process).await;
    });
}

/// The look of an object, which was due, has just begun when it is edited.
#[test]
fn an_edit_waits_for_no_look_of_the_same_object() {
    timeless(async {
        let world = at_rest(many()).await;
        world.iam.fake.clear_calls();
        let process = world.start_within(false, 2);
        tokio::time::sleep(Duration::from_secs(10)).await;
        let calls = |role: &str| calls_on(&world, role).len();
        let begun = || touched(&world).into_iter().find(|role| calls(role) == 1);
        until(SETTLE, || begun().is_some()).await;
        let role = begun().expect("a look that has begun");
        let name = role.strip_prefix("default.").expect("a role of an object");
        world
            .api
            .edit(name, |object| object["spec"] = json!({"tags": {"team": "a"}}));
        // The two calls that its look has yet to make, and the first of the edit's pass.
        let time = until(Duration::from_mins(10), || calls(&role) > 3).await;
        assert!(time <= SOON, "after {time:?}");
        end(process).await;
    });
}

/// Somebody makes hundreds of objects at once; another one, elsewhere, makes one.
#[test]
fn a_namespace_waits_for_no_more_than_the_passes_at_work_of_another() {
    timeless(async {
        let world = World::new(None);
        let process = world.start_within(false, 20);
        for name in many() {
            world.api.create(&format!("crowded/{name}"), &json!({}));
        }
        until(SETTLE, || touched(&world).len() > 20).await;
        let before = touched(&world).len();
        world.api.create("calm/one", &json!({}));
        let took = until(Duration::from_mins(10), || !calls_on(&world, "calm.one").is_empty()).await;
        let between = touched(&world).len() - before;
        assert!(took <= SOON && between <= 11, "after {took:?} and {between} others");
        end(process).await;
    });
}

/// Where the budget can't pay for all looks, each waits as much longer, and none is forgotten.
#[test]
fn intervals_are_stretched_evenly() {
    timeless(async {
        let world = at_rest(many()).await;
        // 300 looks of three calls every ten minutes are 1.5 calls a second; of one a second looks may take four fifths.
        let process = world.start_within(false, 1);
        let round = INTERVAL.mul_f64(1.5 / 0.8);
        // The first looks come at once.
        tokio::time::sleep(round).await;
        world.iam.fake.clear_calls();
        tokio::time::sleep(round * 3).await;
        let mut looks = BTreeMap::<_, usize>::new();
        let calls = world.iam.fake.calls();
        for call in calls.iter().filter(|call| call.action == "GetRole") {
            *looks.entry(call.role()).or_default() += 1;
        }
        let (least, most) = (looks.values().min(), looks.values().max());
        assert_eq!(looks.len(), MANY);
        assert!(least >= Some(&2) && most <= Some(&4), "{least:?} to {most:?} looks");
        end(process).await;
    });
}

/// The API server has forgotten the version that the watch asks for (410 Gone).
#[test]
fn a_list_anew_costs_nothing_at_rest() {
    timeless(async {
        let world = at_rest(many()).await;
        let process = world.start_within(false, 100_000);
        // The first looks, and nothing is believed to be late any more.
        tokio::time::sleep(SETTLE * 2).await;
        world.wire.disturb(&Script::undisturbed("", false).and(1, Fault::Gone));
        let asked = || {
            world
                .wire
                .calls()
                .iter()
                .map(|call| call.what.clone())
                .collect::<Vec<_>>()
        };
        until(INTERVAL / 2, || asked().len() >= 3).await;
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(asked(), ["watch", "list", "watch"]);
        end(process).await;
    });
}

pub(crate) async fn end(process: JoinHandle<()>) {
    assert!(!process.is_finished(), "the process ended");
    process.abort();
    let _ = process.await;
}
