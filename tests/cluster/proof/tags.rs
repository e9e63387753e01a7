//! Ownership tags: what others took off or changed is drift on a pinned role, and no proof on one that is not.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_support::iam::{RoleBuilder, RoleState};

use super::{TAG, delete, set, suspended, tagged};
use crate::world::{ADMIN, GUIDE_TRUST, PROMPTLY, S3_READ_ONLY, Tamper, WIDE_TRUST, World};

/// Writes the ownership tags' keys in another case.
fn in_another_case(role: &mut RoleState) {
    let tags = std::mem::take(&mut role.tags).into_iter();
    role.tags = tags
        .map(|(key, value)| (key.replace("pinpoint-import.dev", "Pinpoint-Import.DEV"), value))
        .collect();
}

/// What others may do to the ownership tags of a role without making it another's.
const TAMPERS: [(&str, Tamper); 10] = [
    ("no-cluster", |role| remove(role, "cluster")),
    ("no-namespace", |role| remove(role, "namespace")),
    ("no-name", |role| remove(role, "name")),
    ("no-uid", |role| remove(role, "uid")),
    ("none", |role| role.tags.clear()),
    ("other-cluster", |role| set(role, "cluster", "another")),
    ("other-name", |role| set(role, "name", "another")),
    ("empty-cluster", |role| set(role, "cluster", "")),
    ("empty-uid", |role| set(role, "uid", "")),
    ("case", in_another_case),
];

fn remove(role: &mut RoleState, tag: &str) {
    role.tags.remove(&format!("{TAG}{tag}"));
}

/// Regression: whoever took one ownership tag off a role had its object go without it; the role stayed in IAM, unmanaged.
#[test]
fn a_pinned_role_goes_with_its_object_whatever_became_of_its_tags() {
    let world = World::new("untagged-gone");
    for (name, _) in TAMPERS {
        world.apply(name, &json!({})).unwrap();
        let retained = json!({"deletionPolicy": "Retain"});
        world.apply(&format!("{name}-retained"), &retained).unwrap();
    }
    for (name, _) in TAMPERS {
        world.wait_reconciled(name);
        world.wait_reconciled(&format!("{name}-retained"));
    }
    World::pass_settle_time();
    for (name, tamper) in TAMPERS {
        for name in [name.to_owned(), format!("{name}-retained")] {
            world.iam.tamper(&world.role_name(&name), tamper);
            delete(&world, &name);
        }
    }
    let mut wrong = Vec::new();
    for (name, _) in TAMPERS {
        world.wait_gone(name);
        wrong.extend(world.role(name).map(|role| format!("{name}: left behind: {role:?}")));
        let name = format!("{name}-retained");
        world.wait_gone(&name);
        let role = world.role(&name).expect("what is to stay stays");
        if role.tags.keys().any(|key| key.to_lowercase().starts_with(TAG)) {
            wrong.push(format!("{name}: ownership tags are left: {:?}", role.tags));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn tags_that_others_took_off_are_drift_and_set_again() {
    let world = World::new("proof-untagged");
    for (name, _) in TAMPERS {
        world.apply(name, &json!({"tags": {"Team": "a"}})).unwrap();
    }
    for (name, _) in TAMPERS {
        world.wait_reconciled(name);
    }
    World::pass_settle_time();
    let mut wrong = Vec::new();
    for (name, tamper) in TAMPERS {
        let before = world.role(name).unwrap();
        world.iam.tamper(&world.role_name(name), tamper);
        world.iam.clear_calls();
        let tampered = world.role(name).unwrap();
        world.looks_at_each(&[name], 3);
        // Tag keys differ by case for nobody.
        let (writes, told, wanted): (&[&str], _, _) = match name {
            "case" => (&[], 0, &tampered),
            _ => (&["TagRole"], 1, &before),
        };
        let right = || world.writes() == writes && world.told(name, "DriftDetected").len() == told;
        if !World::by(Instant::now() + Duration::from_secs(10), right) || world.role(name).as_ref() != Some(wanted) {
            wrong.push(format!(
                "{name}: {:?}, {:?}, {:?}",
                world.writes(),
                world.condition(name, "Ready"),
                world.events(name)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Regression: keys of tags that differ in case alone are one key to IAM, and were two to the controller.
#[test]
fn keys_of_tags_are_the_same_in_every_case() {
    let world = World::in_place("case", &json!({"tags": {"Team": "a", "cost": "b"}}));
    world.iam.tamper(&world.role_name("segments"), |role| {
        in_another_case(role);
        for (key, another) in [("Team", "team"), ("cost", "COST")] {
            let value = role.tags.remove(key).unwrap();
            role.tags.insert(another.to_owned(), value);
        }
    });
    world.look("segments");
    world.look("segments");
    assert_eq!(world.writes(), Vec::<String>::new());
    assert_eq!(world.condition("segments", "Ready").unwrap().0, "True");
    assert_eq!(world.status("segments")["lastDrift"], Value::Null);

    // So the tags of another owner are his in every case, and a role that was just made is ours in every case.
    let mut theirs = world.role("segments").unwrap();
    in_another_case(&mut theirs);
    let tags: Vec<_> = theirs.tags.into_iter().collect();
    let role = tagged(RoleBuilder::new("taken").trust_policy(GUIDE_TRUST), &tags);
    let role = world.iam.put_role(role);
    world
        .apply("second", &json!({"roleName": "taken", "adoptionPolicy": "Adopt"}))
        .unwrap();
    let message = world.wait_ready("second", "False", "RoleNotOwned");
    assert!(message.contains(&format!("{}/segments", world.namespace)), "{message}");
    assert_eq!(world.iam.role("taken").unwrap(), role);

    let tags = suspended(&world, "third", &json!({}));
    let role = RoleBuilder::new(&world.role_name("third")).trust_policy(GUIDE_TRUST);
    world.iam.put_role(tagged(role, &tags));
    world.iam.tamper(&world.role_name("third"), in_another_case);
    world.patch("third", &json!({"suspend": false}));
    world.wait_reconciled("third");
    delete(&world, "third");
    world.wait_gone("third");
    assert_eq!(world.role("third"), None);
}

/// Regression: tags alone made an owner, also of a role that trusted others and bore copied tags.
#[test]
fn copied_tags_make_no_owner() {
    let trust = |principal: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}]}}"#
        )
    };
    let trusts = [
        ("ec2", trust(r#"{"Service":"ec2.amazonaws.com"}"#)),
        ("stranger", WIDE_TRUST.to_owned()),
        (
            "both",
            trust(r#"{"Service":["pinpoint.amazonaws.com","ec2.amazonaws.com"]}"#),
        ),
        ("everybody", trust(r#""*""#)),
        ("account", trust(r#"{"AWS":"123456789012"}"#)),
        ("nobody", r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned()),
    ];
    let world = World::new("copied");
    world.wait_healthy();
    let mut copies = Vec::new();
    for (name, trust) in &trusts {
        for adoption in ["Never", "Adopt"] {
            let name = format!("{name}-{}", adoption.to_lowercase());
            let tags = suspended(&world, &name, &json!({"adoptionPolicy": adoption}));
            let role = RoleBuilder::new(&world.role_name(&name))
                .trust_policy(trust)
                .attached(ADMIN);
            let role = world.iam.put_role(tagged(role, &tags));
            world.patch(&name, &json!({"suspend": false}));
            copies.push((name, role));
        }
    }
    let (until, mut wrong) = (Instant::now() + PROMPTLY, Vec::new());
    for (name, role) in &copies {
        let message = || {
            world
                .condition(name, "Ready")
                .filter(|(_, reason, _)| reason == "RoleNotOwned")
        };
        if !World::by(until, || message().is_some()) {
            wrong.push(format!("{name}: {:?}", world.condition(name, "Ready")));
            continue;
        }
        assert!(message().unwrap().2.contains(&role.name), "{name}: {:?}", message());
        assert_eq!(world.condition(name, "Stalled").unwrap().0, "True", "{name}");
        world.looks_at_each(&[name], 2);
        delete(&world, name);
        world.wait_gone(name);
    }
    for (name, role) in &copies {
        if world.iam.role(&role.name).as_ref() != Some(role) {
            wrong.push(format!("{name}: written to: {:?}", world.iam.role(&role.name)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // One that trusts Pinpoint and nobody else is the one that we made, whose answer was lost.
    let tags = suspended(&world, "lost", &json!({}));
    let role = RoleBuilder::new(&world.role_name("lost")).trust_policy(GUIDE_TRUST);
    let role = world.iam.put_role(tagged(role, &tags).attached(ADMIN));
    world.patch("lost", &json!({"suspend": false}));
    world.wait_reconciled("lost");
    assert_eq!(world.status("lost")["roleId"], role.id.as_str());
    assert_eq!(world.role("lost").unwrap().attached, [S3_READ_ONLY.to_owned()].into());
}
