//! Where another owner may be: who can't be looked up counts as live, and it is said.

use std::time::Instant;

use serde_json::json;
use test_support::iam::RoleBuilder;

use super::{TAG, delete, set, tagged};
use crate::world::{ADMIN, GUIDE_TRUST, PROMPTLY, World};

/// Regression: after a change of `--cluster-id` no role was the object's any more: a deletion left them all behind.
#[test]
fn a_pinned_role_is_ours_under_another_name_of_the_cluster() {
    let mut world = World::with("renamed-cluster", &[], &[("PIR_CLUSTER_ID", "before")]);
    for name in ["gone", "kept"] {
        world.apply(name, &json!({})).unwrap();
        world.wait_reconciled(name);
    }
    World::pass_settle_time();
    world.kill();
    delete(&world, "gone");
    world.add_env("PIR_CLUSTER_ID", "after");
    world.start();
    world.wait_gone("gone");
    assert_eq!(world.role("gone"), None);
    let tag = || world.role("kept").unwrap().tags["pinpoint-import.dev/cluster"].clone();
    world.wait("the tag of the new name", || (tag() == "after").then_some(()));
    world.wait_reconciled("kept");
    // It was nobody else who changed it.
    assert_eq!(world.told("kept", "DriftDetected"), Vec::<String>::new());
    delete(&world, "kept");
    world.wait_gone("kept");
    assert_eq!(world.iam.roles(), []);
}

#[test]
fn a_pinned_role_with_another_owners_tags_is_the_others() {
    let world = World::new("given-away");
    for name in ["live", "dead", "adopts", "abroad"] {
        let adoption = if name == "adopts" { "Adopt" } else { "Never" };
        world.apply(name, &json!({"adoptionPolicy": adoption})).unwrap();
    }
    world.apply("rival", &json!({"managedPolicyArns": []})).unwrap();
    for name in ["live", "dead", "adopts", "abroad", "rival"] {
        world.wait_reconciled(name);
    }
    World::pass_settle_time();
    let rival = world.role("rival").unwrap().tags;
    for name in ["live", "dead", "adopts", "abroad"] {
        world.iam.tamper(&world.role_name(name), |role| {
            role.tags = rival.clone();
            if name == "dead" || name == "abroad" {
                set(role, "uid", "11111111-1111-1111-1111-111111111111");
            }
            if name == "abroad" {
                set(role, "cluster", "another");
            }
            // So that there would be something to do.
            role.attached.insert(ADMIN.to_owned());
        });
    }
    world.iam.clear_calls();
    for name in ["live", "dead", "adopts", "abroad"] {
        let role = world.role(name).unwrap();
        world.look_or_gone(name);
        let message = world.wait_ready(name, "False", "RoleNotOwned");
        assert!(message.contains("rival"), "{name}: {message}");
        world.looks_at_each(&[name], 2);
        delete(&world, name);
        world.wait_gone(name);
        assert_eq!(world.role(name).unwrap(), role, "{name}");
    }
    assert_eq!(world.writes(), Vec::<String>::new());
}

#[test]
fn a_name_that_iam_holds_and_does_not_show_is_said_to_be_taken() {
    let world = World::new("hidden");
    let names = ["segments", "adopts"];
    let roles = names.map(|name| {
        let role = world.role_name(name);
        world.iam.hide_role(&role);
        world.iam.put_role(RoleBuilder::new(&role))
    });
    world.apply("segments", &json!({})).unwrap();
    world.apply("adopts", &json!({"adoptionPolicy": "Adopt"})).unwrap();
    for name in names {
        let message = world.wait_ready(name, "False", "RoleNotOwned");
        for words in [world.role_name(name).as_str(), "spec.roleName"] {
            assert!(message.contains(words), "{name}: {message}");
        }
        assert_eq!(world.condition(name, "Stalled").unwrap().0, "True", "{name}");
    }
    world.looks_at_each(&names, 5);
    for (name, role) in names.iter().zip(roles) {
        assert_eq!(
            world.told(name, "RoleNotOwned").len(),
            1,
            "{name}: {:?}",
            world.events(name)
        );
        let reasons = world.reasons_of(name);
        let since = reasons.iter().position(|reason| reason == "RoleNotOwned").unwrap();
        assert_eq!(reasons.len(), since + 1, "{name}: {reasons:?}");
        delete(&world, name);
        world.wait_gone(name);
        assert_eq!(world.role(name).unwrap(), role, "{name}");
    }
}

/// No pass ends without saying so: an owner whom nobody can look up counts as live.
#[test]
fn an_owner_that_cannot_be_looked_up_counts_as_live_and_is_said() {
    let world = World::new("unreadable");
    world.wait_healthy();
    let long = "x".repeat(256);
    let namespace = world.namespace.clone();
    let rivals: [(&str, Option<&str>, Option<&str>); 11] = [
        ("signs", Some("!!/x"), Some("o")),
        ("slash", Some("a/b"), Some("o")),
        ("dots", Some(".."), Some("o")),
        ("query", Some("x?watch=true"), Some("o")),
        ("space", Some("a b"), Some("o")),
        ("letters", Some("ümläut"), Some("o")),
        ("long", Some(&long), Some("o")),
        ("empty", Some(""), Some("o")),
        ("no-namespace", None, Some("o")),
        ("no-name", Some(&namespace), None),
        ("part", Some(&namespace), Some("part/status")),
    ];
    let mut roles = Vec::new();
    for (name, of_namespace, of_name) in rivals {
        let mut role = RoleBuilder::new(&world.role_name(name))
            .trust_policy(GUIDE_TRUST)
            .tag("pinpoint-import.dev/cluster", &world.cluster())
            .tag("pinpoint-import.dev/uid", "11111111-1111-1111-1111-111111111111");
        for (key, value) in [("namespace", of_namespace), ("name", of_name)] {
            if let Some(value) = value {
                role = role.tag(&format!("{TAG}{key}"), value);
            }
        }
        roles.push((name, world.iam.put_role(role)));
        world.apply(name, &json!({"adoptionPolicy": "Adopt"})).unwrap();
    }
    let (until, mut wrong) = (Instant::now() + PROMPTLY, Vec::new());
    for (name, role) in &roles {
        let ready = || world.condition(name, "Ready");
        let said = |(_, reason, message): (String, String, String)| {
            reason == "RoleNotOwned" && message.contains("looked up") && message.contains("spec.roleName")
        };
        if !World::by(until, || ready().is_some_and(said)) {
            wrong.push(format!("{name}: {:?}", ready()));
        } else if world.told(name, "RoleNotOwned").len() != 1 {
            wrong.push(format!("{name}: {:?}", world.events(name)));
        }
        if world.iam.role(&role.name).as_ref() != Some(role) {
            wrong.push(format!("{name}: written to"));
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), world.log());
    // Deletion asks nobody.
    for (name, _) in &roles {
        delete(&world, name);
        world.wait_gone(name);
    }
    assert_eq!(world.writes(), Vec::<String>::new());
}

#[test]
fn an_owner_that_may_not_be_read_counts_as_live_and_is_said() {
    let mut world = World::without_controller("forbidden");
    world.limit_to_namespace();
    world.add_env("PIR_CLUSTER_ID", "limited");
    world.start();
    world.wait_healthy();
    let owned = |namespace: &str, name: &str| {
        let tags = [
            ("cluster", "limited"),
            ("namespace", namespace),
            ("name", "gone"),
            ("uid", "1-1"),
        ];
        let tags = tags.map(|(key, value)| (format!("{TAG}{key}"), value.to_owned()));
        let role = RoleBuilder::new(&world.role_name(name)).trust_policy(GUIDE_TRUST);
        world.iam.put_role(tagged(role, &tags));
        world.apply(name, &json!({"adoptionPolicy": "Adopt"})).unwrap();
    };
    owned("elsewhere", "segments");
    let message = world.wait_ready("segments", "False", "RoleNotOwned");
    // Whose it is, why it counts as live, and what to do; not the API server's answer as Rust prints it.
    for words in ["elsewhere/gone", "looked up", "spec.roleName"] {
        assert!(message.contains(words), "{words}: {message}");
    }
    assert!(!message.contains("Status {"), "{message}");
    world.looks_at_each(&["segments"], 3);
    assert_eq!(world.told("segments", "RoleNotOwned").len(), 1);
    assert_eq!(world.writes(), Vec::<String>::new());
    // Where it may look, it finds that the owner is gone.
    owned(&world.namespace, "beside");
    world.wait_reconciled("beside");
}
