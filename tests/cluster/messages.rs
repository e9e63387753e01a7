//! Change messages: what people do to a role in IAM is seen within seconds of its message, and no message is ever needed or believed.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use test_support::{
    moto::Moto,
    sqs::{FakeSqs, Mood, message},
};

use crate::world::{ADMIN, World};

/// A world whose controller reads a queue, and has no other reason to look.
fn listening(name: &str, queue: &FakeSqs, args: &[&str]) -> World {
    let args = [&["--resync-interval=6h", "--change-queue", queue.url()], args].concat();
    let world = World::with(name, &args, &[]);
    world.wait_healthy();
    world
}

fn counted(world: &World, result: &str) -> usize {
    let (_, text) = world.metrics().unwrap_or_default();
    let metric = format!("pir_change_messages_total{{result=\"{result}\"}} ");
    let value = text.lines().find_map(|line| line.strip_prefix(&metric));
    value.map_or(0, |value| value.parse().unwrap())
}

fn attach(world: &World, name: &str) {
    world.iam.tamper(&world.role_name(name), |role| {
        role.attached.insert(ADMIN.to_owned());
    });
}

#[test]
fn a_change_is_seen_by_its_message_and_own_writes_are_known() {
    let queue = FakeSqs::start();
    let world = listening("messages", &queue, &[]);
    world.apply("segments", &json!({})).unwrap();
    world.wait_reconciled("segments");
    World::pass_settle_time();

    // The controller's own writes come back as messages, known by AWS' ids of the calls, whatever else they say.
    let writes: Vec<usize> = world
        .calls()
        .iter()
        .filter(|call| !call.action.starts_with("Get") && !call.action.starts_with("List"))
        .map(|call| call.number)
        .collect();
    let calls = world.calls().len();
    for number in &writes {
        let id = format!("00000000-0000-4000-8000-{number:012x}");
        queue.send(message(&world.role_name("segments"), "AttachRolePolicy", &id).to_string());
    }
    world.wait("own writes to be known", || {
        (counted(&world, "own") == writes.len()).then_some(())
    });
    assert_eq!(world.calls().len(), calls, "own writes make no look");

    attach(&world, "segments");
    // Names of roles differ by more than letter case.
    let role = world.role_name("segments").to_uppercase();
    queue.send(message(&role, "AttachRolePolicy", "somebody-elses").to_string());
    world.wait_event("segments", "DriftRepaired");
    assert!(!world.role("segments").unwrap().attached.contains(ADMIN));
    assert_eq!(counted(&world, "hint"), 1);
    world.wait("the queue to be empty", || (queue.waiting() == 0).then_some(()));
}

/// Whatever a queue brings: it costs looks, and few, and nothing is written upon it.
#[test]
fn junk_costs_nothing_and_delays_nobody() {
    let queue = FakeSqs::start();
    let world = listening("junk", &queue, &[]);
    world.apply("segments", &json!({})).unwrap();
    world.wait_reconciled("segments");
    World::pass_settle_time();
    let (calls, writes) = (world.calls().len(), world.writes().len());
    let role = world.role_name("segments");
    for number in 0..5000 {
        queue.send(match number % 5 {
            0 => "no JSON".to_owned(),
            1 => message("another-role", "AttachRolePolicy", "x").to_string(),
            2 => message(&role, "GetRole", "x").to_string(),
            3 => {
                let mut other = message(&role, "AttachRolePolicy", "x");
                other["detail"]["recipientAccountId"] = json!("999999999999");
                other.to_string()
            }
            // A forged one, again and again.
            _ => message(&role, "DeleteRole", "x").to_string(),
        });
    }
    world.apply("other", &json!({})).unwrap();
    world.wait_reconciled("other");
    world.wait("the queue to be empty", || (queue.waiting() == 0).then_some(()));
    assert_eq!((counted(&world, "malformed"), counted(&world, "hint")), (1000, 1000));
    assert_eq!(counted(&world, "other"), 3000);
    let on_role = |call: &test_support::iam::Call| call.params.get("RoleName") == Some(&role);
    let looks = world.calls().iter().skip(calls).filter(|call| on_role(call)).count();
    assert!(looks <= 30, "{looks} calls for a thousand forged messages");
    assert_eq!(
        world.writes().len() - writes,
        2,
        "nothing is written but the other role"
    );
}

/// IAM still shows what was before the change when its message comes, and nobody sweeps: one more look is taken, and no further one.
#[test]
fn a_message_that_comes_before_iam_shows_its_change_is_followed_by_a_second_look() {
    let queue = FakeSqs::start();
    let world = listening("messages-early", &queue, &[]);
    world.apply("segments", &json!({})).unwrap();
    world.wait_reconciled("segments");
    World::pass_settle_time();
    let looks = || world.calls_on("segments", "GetRole");
    let before = looks();
    world.iam.set_read_lag(Duration::from_millis(800));
    attach(&world, "segments");
    queue.send(message(&world.role_name("segments"), "AttachRolePolicy", "x").to_string());
    world.wait_event("segments", "DriftRepaired");
    assert!(looks() >= before + 2, "the first look found nothing");
    World::pass_settle_time();
    // One that tells of nothing: two looks, and then quiet.
    let before = looks();
    queue.send(message(&world.role_name("segments"), "AttachRolePolicy", "y").to_string());
    world.wait("both looks", || (looks() == before + 2).then_some(()));
    World::pass_settle_time();
    World::pass_settle_time();
    assert_eq!(looks(), before + 2);
}

/// Of several replicas the one that works reads the queue: what another one took would be lost.
#[test]
fn a_replica_that_stands_by_reads_no_queue() {
    let queue = FakeSqs::start();
    let mut world = World::without_controller("messages-standby");
    world.lend_lease();
    world.add_env("HOSTNAME", "first");
    world.start();
    world.wait("the first to lead", || {
        world.log().contains("this process works now").then_some(())
    });
    world.add_args(&["--change-queue", queue.url()]);
    let _second = world.another("second");
    world.wait("the second to stand by", || {
        world.log_of("second").contains("waiting for the lease").then_some(())
    });
    queue.send("a message");
    let renewed = || world.lease()["spec"]["renewTime"].clone();
    for _ in 0..2 {
        let before = renewed();
        world.wait("the lease to be renewed", || (renewed() != before).then_some(()));
    }
    assert_eq!(queue.counts(), (0, 0, 0), "received, deleted, polls");
    world.kill();
    world.wait("the second to read it", || (queue.waiting() == 0).then_some(()));
}

#[test]
fn a_queue_that_cannot_be_read_is_said_once_and_holds_up_nothing() {
    let queue = FakeSqs::start();
    queue.set_mood(Mood::Denied);
    let world = listening("queue-down", &queue, &[]);
    let down = |world: &World| {
        world
            .log()
            .matches("no change messages, until they can be read again")
            .count()
    };
    world.wait("the queue to be missed", || (down(&world) == 1).then_some(()));
    assert_eq!(world.health("/readyz").unwrap().0, 200, "{}", world.log());
    world.apply("segments", &json!({})).unwrap();
    world.wait_reconciled("segments");
    World::pass_settle_time();
    queue.set_mood(Mood::Well);
    attach(&world, "segments");
    queue.send(message(&world.role_name("segments"), "AttachRolePolicy", "x").to_string());
    world.wait_event("segments", "DriftRepaired");
    assert!(world.log().contains("change messages are read again"));
    for mood in [Mood::Gone, Mood::Failing] {
        queue.set_mood(mood);
        let before = down(&world);
        world.wait("the queue to be missed again", || (down(&world) > before).then_some(()));
        queue.set_mood(Mood::Well);
        let up = || (world.metrics()?.1.contains("pir_change_queue_up{account=\"own\"} 1")).then_some(());
        world.wait("the queue to be read again", up);
    }
    assert_eq!(world.health("/readyz").unwrap().0, 200);
}

/// A long poll lasts 20 s: the client's other limits would cut it at 5.
#[test]
fn an_idle_poll_is_not_cut() {
    let queue = FakeSqs::start();
    let world = listening("idle-poll", &queue, &[]);
    let start = Instant::now();
    world.wait("a second poll", || (queue.counts().2 >= 2).then_some(()));
    assert!(start.elapsed() > Duration::from_secs(12), "{:?}", start.elapsed());
    assert!(!world.log().contains("no change messages"), "{}", world.log());
}

/// The template makes, in a `CloudFormation` that others wrote, a queue into which the records of such calls come, and no others.
#[test]
fn the_template_brings_changes_to_the_queue() {
    let moto = Moto::start().unwrap();
    let template = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/changes.yaml")).unwrap();
    moto.make_stack(&template).unwrap();
    let queue = moto.queue_url("pinpoint-import-changes");
    let record = |name: &str, error: Value| {
        let mut record = json!({
            "eventSource": "iam.amazonaws.com",
            "eventName": name,
            "requestParameters": { "roleName": format!("role-of-{name}") },
            "recipientAccountId": "123456789012",
        });
        if error.is_string() {
            record["errorCode"] = error;
        }
        record
    };
    let kind = "AWS API Call via CloudTrail";
    moto.put_event("aws.iam", kind, &record("GetRole", Value::Null))
        .unwrap();
    moto.put_event("aws.iam", kind, &record("TagRole", json!("AccessDenied")))
        .unwrap();
    moto.put_event("my.own", kind, &record("TagRole", Value::Null)).unwrap();
    moto.put_event("aws.iam", kind, &record("AttachRolePolicy", Value::Null))
        .unwrap();
    let bodies = moto.messages(&queue).unwrap();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    let change = pinpoint_import_role_controller::role::message::change_message(&bodies[0]).unwrap();
    assert_eq!(
        (change.event, change.role.as_str()),
        ("AttachRolePolicy", "role-of-AttachRolePolicy")
    );
}
