//! What is told: each thing once however often it is tried, the dangerous first, never cut without saying so, and what others did apart from
//! what was asked for.

mod danger;
mod failures;
mod late;
mod updates;

use serde_json::Value;

use crate::world::World;

pub fn settled(name: &str, objects: &[(&str, Value)]) -> World {
    let world = World::new(name);
    in_place(&world, objects);
    World::pass_settle_time();
    world.iam.clear_calls();
    world
}

fn in_place(world: &World, objects: &[(&str, Value)]) {
    for (name, spec) in objects {
        world.apply(name, spec).unwrap();
    }
    for (name, _) in objects {
        world.wait_reconciled(name);
    }
}
