//! The process is killed before and after every IAM call of every flow, and started again: the end is that of an undisturbed run.

use std::{sync::Mutex, thread, time::Duration};

use serde_json::{Value, json};
use test_support::iam::{Gate, RoleBuilder};

use crate::world::{ADMIN, GUIDE_TRUST, LOOK, PATIENCE, S3_READ_ONLY, WIDE_TRUST, World};

/// Points of a flow that are tried side by side: each mostly waits.
const AT_A_TIME: usize = 4;

/// Something that a user or an intruder does, and what the controller makes of it.
struct Flow {
    name: &'static str,
    /// Brings about what is there before.
    prepare: fn(&World),
    /// Sets the flow off.
    trigger: fn(&World),
    /// Whether the flow is at its end.
    ended: fn(&World) -> bool,
}

fn everything() -> Value {
    json!({
        "description": "all of it",
        "maxSessionDuration": 7200,
        "permissionsBoundary": "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess",
        "tags": {"team": "a"},
        "trust": {"applications": [{"region": "us-east-1", "id": "0123456789abcdef0123456789abcdef"}]},
        "managedPolicyArns": ["arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess", "arn:aws:iam::aws:policy/AmazonRDSReadOnlyAccess"],
        "buckets": [{"name": "segments"}],
    })
}

fn apply_and_rest(world: &World, spec: &Value) {
    world.apply("segments", spec).unwrap();
    world.wait_reconciled("segments");
    World::pass_settle_time();
}

fn is_ready(world: &World) -> bool {
    let object = world.object("segments");
    let ready = world.condition("segments", "Ready");
    ready.is_some_and(|(status, ..)| status == "True")
        && object["status"]["observedGeneration"] == object["metadata"]["generation"]
}

fn is_repaired(world: &World) -> bool {
    world.status("segments")["lastDrift"]["repairedAt"].is_string() && is_ready(world)
}

fn is_gone(world: &World) -> bool {
    world.object("segments").is_null()
}

fn delete(world: &World) {
    world.delete("segments");
}

/// What is there at the end, apart from ids and names that differ from run to run.
fn end(world: &World) -> String {
    let roles: Vec<String> = world
        .iam
        .roles()
        .into_iter()
        .map(|role| {
            let ours = role.tags.get("pinpoint-import.dev/uid").map(String::as_str)
                == world.object("segments")["metadata"]["uid"].as_str();
            let pinned = world.status("segments")["roleId"] == role.id.as_str();
            format!(
                "{} {} {} {:?} {} {:?} {:?} {:?} ours: {ours} pinned: {pinned} tags: {:?}",
                role.name,
                role.path,
                role.trust_policy,
                role.description,
                role.max_session_duration,
                role.permissions_boundary,
                role.attached,
                role.inline,
                role.tags.keys().collect::<Vec<_>>(),
            )
        })
        .collect();
    let object = world.object("segments");
    let status = &object["status"];
    let drift = &status["lastDrift"]["differences"];
    let held = &object["metadata"]["finalizers"];
    let text = format!(
        "{} role(s):\n{}\nReady: {:?}\nheld: {held} tags: {} drift: {drift}\n",
        roles.len(),
        roles.join("\n"),
        world
            .condition("segments", "Ready")
            .map(|(status, reason, _)| (status, reason)),
        status["tagKeys"],
    );
    text.replace(&world.namespace, "NAMESPACE")
}

/// Runs a flow undisturbed, and returns the number of its IAM calls and its end.
fn undisturbed(flow: &Flow) -> (usize, String) {
    let world = World::new(&format!("{}-whole", flow.name));
    world.wait_healthy();
    (flow.prepare)(&world);
    world.iam.clear_calls();
    (flow.trigger)(&world);
    world.wait("the end", || (flow.ended)(&world).then_some(()));
    (world.iam.calls().len(), end(&world))
}

fn crash_everywhere(flow: &Flow) {
    let (calls, wanted) = undisturbed(flow);
    assert!(calls > 0, "{}: a flow without calls shows nothing", flow.name);
    println!("{}: {calls} calls, {} crash points", flow.name, calls * 2);
    let points = (1..=calls).flat_map(|number| [Gate::Before, Gate::After].map(|gate| (number, gate)));
    let points = Mutex::new(points);
    let next = || points.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some((number, gate)) = next() {
                    crash(flow, number, gate, &wanted);
                }
            });
        }
    });
    // A gate that is never reached would be no test; this one can't be.
    let world = World::new(&format!("{}-beyond", flow.name));
    let beyond = world.iam.gate(calls + 1000, Gate::Before);
    assert!(!beyond.reached(Duration::from_millis(10)));
}

/// Kills the process at one point of a flow, and starts it again.
fn crash(flow: &Flow, number: usize, gate: Gate, wanted: &str) {
    let case = format!("{}-{number}-{}", flow.name, format!("{gate:?}").to_lowercase());
    let mut world = World::new(&case);
    world.wait_healthy();
    (flow.prepare)(&world);
    world.iam.clear_calls();
    let held = world.iam.gate(number, gate);
    (flow.trigger)(&world);
    assert!(held.reached(PATIENCE), "{case}: the call did not come\n{}", world.log());
    world.kill();
    drop(held);
    // The answer of a call that was under way is lost with the process; its effect may be there.
    world.start();
    world.wait("the end", || (flow.ended)(&world).then_some(()));
    assert_eq!(end(&world), wanted, "{case}\n{}", world.log());
    if !is_gone(&world) {
        World::pass_settle_time();
        world.iam.clear_calls();
        world.look("segments");
        assert_eq!(world.writes(), Vec::<String>::new(), "{case}: not at rest");
    }
}

#[test]
fn while_the_role_of_the_guide_is_made() {
    crash_everywhere(&Flow {
        name: "crash-create",
        prepare: |_| {},
        trigger: |world| world.apply("segments", &json!({})).unwrap(),
        ended: is_ready,
    });
}

#[test]
fn while_a_role_with_everything_is_made() {
    crash_everywhere(&Flow {
        name: "crash-full",
        prepare: |_| {},
        trigger: |world| world.apply("segments", &everything()).unwrap(),
        ended: is_ready,
    });
}

#[test]
fn while_a_drift_is_repaired() {
    crash_everywhere(&Flow {
        name: "crash-repair",
        prepare: |world| {
            apply_and_rest(world, &json!({}));
            world.iam.tamper(&world.role_name("segments"), |role| {
                role.trust_policy = WIDE_TRUST.to_owned();
                role.attached = [ADMIN.to_owned()].into();
                role.inline.insert(
                    "backdoor".to_owned(),
                    r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned(),
                );
            });
        },
        trigger: |world| drop(world.annotate("segments", LOOK, "1").unwrap()),
        ended: is_repaired,
    });
}

#[test]
fn while_a_new_generation_is_applied() {
    crash_everywhere(&Flow {
        name: "crash-change",
        prepare: |world| apply_and_rest(world, &json!({"tags": {"old": "1"}})),
        trigger: |world| world.apply("segments", &everything()).unwrap(),
        ended: is_ready,
    });
}

#[test]
fn while_a_role_is_adopted() {
    crash_everywhere(&Flow {
        name: "crash-adopt",
        prepare: |world| {
            let role = RoleBuilder::new(&world.role_name("segments"))
                .trust_policy(GUIDE_TRUST)
                .attached(ADMIN);
            world.iam.put_role(role);
        },
        trigger: |world| world.apply("segments", &json!({"adoptionPolicy": "Adopt"})).unwrap(),
        ended: is_ready,
    });
}

#[test]
fn while_a_role_is_deleted() {
    crash_everywhere(&Flow {
        name: "crash-delete",
        prepare: |world| {
            apply_and_rest(
                world,
                &json!({"managedPolicyArns": [S3_READ_ONLY], "buckets": [{"name": "segments"}]}),
            );
        },
        trigger: delete,
        ended: is_gone,
    });
}

#[test]
fn while_a_role_is_retained() {
    crash_everywhere(&Flow {
        name: "crash-retain",
        prepare: |world| apply_and_rest(world, &json!({"deletionPolicy": "Retain"})),
        trigger: delete,
        ended: is_gone,
    });
}
