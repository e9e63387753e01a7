//! What was asked for, in an object or in the controller's settings, is an update and never a drift.

use serde_json::{Value, json};
use test_support::iam::RoleBuilder;

use super::settled;
use crate::world::{BOUNDARY, GUIDE_TRUST, World, widen};

#[test]
fn a_change_of_the_settings_is_an_update_and_no_drift() {
    let mut world = settled(
        "told-settings",
        &[
            ("repair", json!({})),
            ("report", json!({"driftPolicy": "Report"})),
            (
                "declares",
                json!({"driftPolicy": "Report", "permissionsBoundary": BOUNDARY}),
            ),
        ],
    );
    world.kill();
    world.add_args(&["--permissions-boundary", BOUNDARY]);
    world.start();
    for name in ["repair", "report"] {
        world.wait(&format!("the boundary of {name}"), || {
            (world.role(name).unwrap().permissions_boundary.as_deref() == Some(BOUNDARY)).then_some(())
        });
        world.wait_reconciled(name);
        world.wait_event(name, "RoleUpdated");
    }
    world.looks_at_each(&["repair", "report", "declares"], 3);
    assert_eq!(world.writes(), ["PutRolePermissionsBoundary"; 2]);
    for (name, updates) in [("repair", 1), ("report", 1), ("declares", 0)] {
        let told = ["RoleUpdated", "DriftDetected"].map(|reason| world.told(name, reason).len());
        assert_eq!(told, [updates, 0], "{name}: {:?}", world.events(name));
        assert_eq!(world.status(name)["lastDrift"], Value::Null, "{name}");
        assert_eq!(world.condition(name, "Ready").unwrap().0, "True", "{name}");
    }
    World::pass_settle_time();

    // From then on what others change is a drift again.
    world.iam.clear_calls();
    for name in ["repair", "report"] {
        world
            .iam
            .tamper(&world.role_name(name), |role| role.permissions_boundary = None);
        world.look_or_gone(name);
        world.wait_event(name, "DriftDetected");
    }
    world.wait_ready("report", "False", "DriftDetected");
    world.wait_reconciled("repair");
    assert_eq!(world.role("report").unwrap().permissions_boundary, None);
    assert_eq!(world.writes(), ["PutRolePermissionsBoundary"]);
}

#[test]
fn another_default_path_is_for_new_roles() {
    let objects = [
        ("plain", json!({})),
        ("report", json!({"driftPolicy": "Report"})),
        ("declares", json!({"path": "/teams/"})),
    ];
    let names = objects.each_ref().map(|(name, _)| *name);
    let mut world = settled("told-path", &objects);
    let before = names.map(|name| world.role(name).unwrap());
    world.kill();
    world.add_args(&["--role-path=/new/"]);
    world.start();
    world.looks_at_each(&names, 3);
    for (name, role) in names.iter().zip(&before) {
        world.wait_reconciled(name);
        assert_eq!(world.role(name).as_ref(), Some(role), "{name}");
        let others = world
            .events(name)
            .into_iter()
            .filter(|(reason, _)| reason != "RoleCreated");
        assert_eq!(others.count(), 0, "{name}: {:?}", world.events(name));
    }
    assert_eq!(world.writes(), Vec::<String>::new());
    World::pass_settle_time();

    world.iam.tamper(&world.role_name("plain"), widen);
    world.look_or_gone("plain");
    world.wait_event("plain", "DriftRepaired");
    assert_eq!(world.role("plain").as_ref(), Some(&before[0]));
    world.patch("plain", &json!({"maxSessionDuration": 7200}));
    world.wait_reconciled("plain");

    world.apply("new", &json!({})).unwrap();
    world.wait_reconciled("new");
    assert_eq!(world.role("new").unwrap().path, "/new/");
    // A role that is taken over keeps its path; one that is declared elsewhere can't be had.
    for (name, spec) in [("adopted", json!({})), ("elsewhere", json!({"path": "/b/"}))] {
        let role = RoleBuilder::new(&world.role_name(name)).path("/a/");
        world.iam.put_role(role.trust_policy(GUIDE_TRUST));
        let mut spec = spec;
        spec["adoptionPolicy"] = json!("Adopt");
        world.apply(name, &spec).unwrap();
    }
    world.wait_reconciled("adopted");
    world.wait_ready("elsewhere", "False", "InvalidSpec");
    assert_eq!(world.role("adopted").unwrap().path, "/a/");
}
