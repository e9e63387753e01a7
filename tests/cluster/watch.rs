//! What the watch shows is all there is: nothing is kept of an object that left, and what did not change costs nothing.

use serde_json::json;
use test_support::proxy::Proxy;

use crate::world::{World, install};

/// Waits until the gauges count so many objects.
fn wait_counted(world: &World, objects: usize) {
    world.wait(&format!("the gauges count {objects} objects"), || {
        let (_, text) = world.metrics()?;
        let counted = text.lines().filter(|line| line.starts_with("pir_objects{"));
        let counted: usize = counted
            .filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok())
            .sum();
        (counted == objects).then_some(())
    });
}

/// Regression: an object that left the selector stayed in the gauges, and `PinpointImportLooksTooOld` fired for it.
#[test]
fn gauges_tell_of_the_objects_that_are_watched_and_of_no_others() {
    let mut world = World::without_controller("watched-gauges");
    let proxy = Proxy::start(world.plane().api_port());
    world.reach_through(&proxy);
    world.add_args(&["--selector=shard=a"]);
    world.start();
    world.wait_healthy();
    for name in ["leaves", "stays", "freed", "unseen"] {
        world.apply(name, &json!({})).unwrap();
        world.kubectl(&["label", "pir", name, "shard=a"]).unwrap();
        world.wait_reconciled(name);
    }
    wait_counted(&world, 4);

    world
        .kubectl(&["label", "pir", "leaves", "shard=b", "--overwrite"])
        .unwrap();
    wait_counted(&world, 3);
    world
        .kubectl(&["label", "pir", "leaves", "shard=a", "--overwrite"])
        .unwrap();
    wait_counted(&world, 4);

    // Being deleted, they wait for their suspension to be lifted, and then somebody takes the finalizer off by hand; of one of them the
    // controller learns nothing until its connection is back.
    let free = |name: &str| {
        world.delete(name);
        world.take_finalizer_off(name);
        world.wait_gone(name);
    };
    for name in ["freed", "unseen"] {
        world.patch(name, &json!({"suspend": true}));
        world.wait("it is suspended", || world.condition(name, "Suspended"));
    }
    free("freed");
    wait_counted(&world, 3);
    proxy.cut();
    free("unseen");
    proxy.mend();
    wait_counted(&world, 2);

    // Another's finalizer keeps the object, but nothing of ours is left to do.
    let held = json!({"finalizers": ["pinpoint-import.dev/iam-role", "example.com/other"]});
    world.patch_metadata("stays", &held);
    world.delete("stays");
    world.wait("the role is gone", || world.role("stays").is_none().then_some(()));
    wait_counted(&world, 1);
    world.take_finalizer_off("stays");
}

/// The connection is cut, and the API server is another one when it is back, which knows nothing of what was before (410 Gone).
#[test]
fn a_list_anew_costs_no_call_and_forgets_what_went_meanwhile() {
    let mut world = World::on_own_plane("relist");
    install(world.plane());
    world.limit_rights();
    let proxy = Proxy::start(world.plane().api_port());
    world.reach_through(&proxy);
    world.start();
    world.wait_healthy();
    for name in ["stays", "changes", "goes"] {
        world.apply(name, &json!({})).unwrap();
        world.wait_reconciled(name);
    }
    world.patch("goes", &json!({"suspend": true}));
    world.wait("it is suspended", || world.condition("goes", "Suspended"));
    wait_counted(&world, 3);
    World::pass_settle_time();

    proxy.cut();
    world.delete("goes");
    world.take_finalizer_off("goes");
    world.wait_gone("goes");
    world.kubectl(&["label", "pir", "stays", "team=b"]).unwrap();
    world.patch("changes", &json!({"tags": {"team": "b"}}));
    for name in ["comes", "too"] {
        world.apply(name, &json!({})).unwrap();
    }
    world.iam.clear_calls();
    world.own_plane().stop_api_server();
    world.own_plane().start_api_server().unwrap();
    proxy.mend();
    for name in ["changes", "comes", "too"] {
        world.wait_reconciled(name);
    }
    wait_counted(&world, 4);
    let role = world.role_name("stays");
    assert!(
        world.calls().iter().all(|call| call.role() != Some(&*role)),
        "{:?}",
        world.calls()
    );
    world
        .kubectl(&["label", "pir", "stays", "team=c", "--overwrite"])
        .unwrap();
    world.look("changes");
    assert!(
        world.calls().iter().all(|call| call.role() != Some(&*role)),
        "{:?}",
        world.calls()
    );
}
