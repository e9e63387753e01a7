//! Whose a role is, by its id and by its tags, and that no role is left behind: what proves something, and what doesn't.

mod orphans;
mod rivals;
mod tags;

use serde_json::{Value, json};
use test_support::iam::{RoleBuilder, RoleState};

use crate::world::World;

/// Before the names of the ownership tags.
const TAG: &str = "pinpoint-import.dev/";

fn delete(world: &World, name: &str) {
    world.delete(name);
}

/// An object that no pass has looked at yet; returns its ownership tags.
fn suspended(world: &World, name: &str, spec: &Value) -> [(String, String); 4] {
    let mut spec = spec.clone();
    spec["suspend"] = json!(true);
    world.apply(name, &spec).unwrap();
    let tags = [
        ("cluster", world.cluster()),
        ("namespace", world.namespace.clone()),
        ("name", name.to_owned()),
        ("uid", world.uid(name)),
    ];
    tags.map(|(key, value)| (format!("{TAG}{key}"), value))
}

fn tagged(mut role: RoleBuilder, tags: &[(String, String)]) -> RoleBuilder {
    for (key, value) in tags {
        role = role.tag(key, value);
    }
    role
}

fn set(role: &mut RoleState, tag: &str, value: &str) {
    role.tags.insert(format!("{TAG}{tag}"), value.to_owned());
}
