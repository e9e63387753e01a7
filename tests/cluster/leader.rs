//! Of several replicas one works; another takes over; and two that both work do no harm.

use std::time::{Duration, Instant};

use serde_json::json;
use test_support::{guarded::Guarded, proxy::Proxy};

use crate::world::{WIDE_TRUST, World};

/// A world in which replicas take turns, with two of them: the first holds the lease.
fn two_replicas(name: &str) -> (World, Guarded) {
    let mut first = World::without_controller(name);
    first.lend_lease();
    first.add_env("HOSTNAME", "first");
    first.start();
    first.wait("the first to lead", || {
        first.log().contains("this process works now").then_some(())
    });
    let second = first.another("second");
    first.wait("the second to stand by", || {
        first.log_of("second").contains("waiting for the lease").then_some(())
    });
    (first, second)
}

/// Name of the pod that holds the lease. What follows in the identity is the process' own.
fn holder(world: &World) -> String {
    let lease = world.lease();
    let identity = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
    identity.split('_').next().unwrap_or_default().to_owned()
}

#[test]
fn another_takes_over_from_one_that_was_killed() {
    let (mut world, _second) = two_replicas("leader-kill");
    world.apply("segments", &json!({})).unwrap();
    world.wait_reconciled("segments");
    assert_eq!(holder(&world), "first");
    assert!(!world.log_of("second").contains("works now"));
    world.kill();
    world.wait("the second to lead", || (holder(&world) == "second").then_some(()));
    World::pass_settle_time();
    world.iam.tamper(&world.role_name("segments"), |role| {
        role.trust_policy = WIDE_TRUST.to_owned();
    });
    world.look("segments");
    world.wait_reconciled("segments");
    assert!(!world.role("segments").unwrap().trust_policy.contains("999999999999"));
}

/// A partition: the holder reaches the API server no more, but IAM still. It has stopped before another one works.
#[test]
fn one_that_is_cut_off_stops_before_another_takes_over() {
    let mut world = World::without_controller("leader-cut");
    let proxy = Proxy::start(world.plane().api_port());
    world.reach_through(&proxy);
    world.lend_lease();
    world.controller = Some(world.another_through("first"));
    world.wait("the first to lead", || {
        world.log_of("first").contains("this process works now").then_some(())
    });
    let second = world.another("second");
    world.apply("segments", &json!({})).unwrap();
    world.wait_reconciled("segments");
    proxy.cut();
    let cut = Instant::now();
    let ended = world.controller.as_mut().unwrap().wait(Duration::from_mins(1)).unwrap();
    let stopped = cut.elapsed();
    assert_eq!(ended.code(), Some(1), "{}", world.log_of("first"));
    assert!(
        world.log_of("first").contains("could not be renewed"),
        "{}",
        world.log_of("first")
    );
    assert!(
        !world.log_of("second").contains("works now"),
        "the first stopped after the second began"
    );
    world.wait("the second to lead", || (holder(&world) == "second").then_some(()));
    println!(
        "cut off: stopped after {stopped:?}, taken over after {:?}",
        cut.elapsed()
    );
    World::pass_settle_time();
    world.iam.tamper(&world.role_name("segments"), |role| {
        role.trust_policy = WIDE_TRUST.to_owned();
    });
    world.look("segments");
    world.wait_reconciled("segments");
    drop(second);
}

/// A name is no identity: it comes from the environment, and two containers may have the same.
///
/// Regression: two replicas with the same `HOSTNAME` each took the lease for their own, and both led.
#[test]
fn of_two_of_the_same_name_one_works() {
    let mut world = World::without_controller("leader-name");
    world.lend_lease();
    world.add_env("HOSTNAME", "same");
    world.start();
    world.wait("the first to lead", || {
        world.log().contains("this process works now").then_some(())
    });
    let second = world.another("same");
    world.wait("the second to stand by", || {
        world.log_of("same").contains("waiting for the lease").then_some(())
    });
    // Some tries.
    std::thread::sleep(Duration::from_secs(8));
    assert!(!world.log_of("same").contains("works now"), "{}", world.log_of("same"));
    assert!(world.controller.as_mut().unwrap().ended().unwrap().is_none());
    world.kill();
    world.wait("the second to lead", || {
        world.log_of("same").contains("this process works now").then_some(())
    });
    drop(second);
}

#[test]
fn one_that_ends_in_peace_gives_the_lease_back() {
    let (mut world, _second) = two_replicas("leader-term");
    let first = world.controller.as_mut().unwrap();
    first.terminate().unwrap();
    let ended = first.wait(std::time::Duration::from_secs(30)).unwrap();
    assert_eq!(ended.code(), Some(0));
    world.wait("the second to lead", || (holder(&world) == "second").then_some(()));
}

/// The lease is taken by somebody else's hand, as after a partition: the holder stops at once, with an error.
#[test]
fn one_that_lost_the_lease_stops() {
    let (mut world, second) = two_replicas("leader-lost");
    drop(second);
    let patch = r#"{"spec":{"holderIdentity":"somebody-else"}}"#;
    world
        .kubectl(&[
            "patch",
            "lease",
            "pinpoint-import-role-controller",
            "--type=merge",
            "-p",
            patch,
        ])
        .unwrap();
    let ended = world
        .controller
        .as_mut()
        .unwrap()
        .wait(std::time::Duration::from_mins(1))
        .unwrap();
    assert_eq!(ended.code(), Some(1));
    assert!(
        world.log().contains("another process holds the lease now"),
        "{}",
        world.log()
    );
}

#[test]
fn two_writers_do_no_harm() {
    let world = World::new("two-writers");
    let _second = world.another("second");
    world.wait_healthy();
    world.wait("the second to watch", || {
        world.log_of("second").contains("listed and watched").then_some(())
    });
    for n in 0..10 {
        world.apply(&format!("r{n}"), &json!({"tags": {"team": "a"}})).unwrap();
    }
    for n in 0..10 {
        world.wait_reconciled(&format!("r{n}"));
    }
    World::pass_settle_time();
    for n in 0..10 {
        world.iam.tamper(&world.role_name(&format!("r{n}")), |role| {
            role.trust_policy = WIDE_TRUST.to_owned();
        });
        world.look(&format!("r{n}"));
        world.wait_reconciled(&format!("r{n}"));
    }
    let roles = world.iam.roles();
    assert_eq!(roles.len(), 10);
    assert!(
        roles.iter().all(|role| !role.trust_policy.contains("999999999999")
            && role.attached.len() == 1
            && role.tags.len() == 5)
    );
    world.kubectl(&["delete", "pir", "--all", "--timeout=60s"]).unwrap();
    assert!(world.iam.roles().is_empty());
}
