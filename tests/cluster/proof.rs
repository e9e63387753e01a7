//! Whose a role is, by its id and by its tags, and that no role is left behind: what proves something, and what doesn't.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use test_support::iam::{Config, FakeIam, Fault, Gate, RoleBuilder, RoleState, Rule};

use crate::world::{ADMIN, GUIDE_TRUST, PATIENCE, S3_READ_ONLY, WIDE_TRUST, World};

/// "Seconds", with room for a machine that is busy.
const PROMPTLY: Duration = Duration::from_secs(30);
/// Before the names of the ownership tags.
const TAG: &str = "pinpoint-import.dev/";

fn delete(world: &World, name: &str) {
    world.kubectl(&["delete", "pir", name, "--wait=false"]).unwrap();
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

/// Writes the ownership tags' keys in another case.
fn in_another_case(role: &mut RoleState) {
    let tags = std::mem::take(&mut role.tags).into_iter();
    role.tags = tags
        .map(|(key, value)| (key.replace("pinpoint-import.dev", "Pinpoint-Import.DEV"), value))
        .collect();
}

type Tamper = fn(&mut RoleState);

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

fn set(role: &mut RoleState, tag: &str, value: &str) {
    role.tags.insert(format!("{TAG}{tag}"), value.to_owned());
}

/// At the default settle time, which is waited out: absence is no proof until a process has seen it for so long.
#[test]
fn a_role_that_reads_do_not_show_yet_is_left_behind_by_no_restart() {
    let mut world = World::at_default_settle_time("unseen-role", &[]);
    world.wait_healthy();
    world.iam.set_read_lag(Duration::from_secs(25));
    world.apply("pinned", &json!({})).unwrap();
    world.apply("retained", &json!({"deletionPolicy": "Retain"})).unwrap();
    world.wait_reconciled("pinned");
    world.wait_reconciled("retained");
    // And one whose answer never came, so that no status has its id.
    let lost = Rule::new(Fault::HangAfter(Duration::from_mins(10))).action("CreateRole");
    world.iam.fault(lost.role(&world.role_name("lost")));
    world.apply("lost", &json!({})).unwrap();
    world.wait("the role to be made", || world.role("lost"));
    world.kill();
    let names = ["pinned", "retained", "lost"];
    for name in names {
        delete(&world, name);
    }
    world.start();
    for name in names {
        world.wait_gone(name);
        match world.role(name) {
            None => assert_ne!(name, "retained", "what is to stay stays"),
            Some(role) => assert!(
                name == "retained" && role.tags.is_empty(),
                "the object {name} is gone, and its role is left: {role:?}\n{}",
                world.log()
            ),
        }
    }
}

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

const OTHER: &str = "222233334444";
const DOOR: &str = "arn:aws:iam::222233334444:role/pinpoint-import-role-controller";

#[test]
fn an_account_that_is_refused_later_keeps_the_object_as_long_as_a_role_may_be_there() {
    let mut world = World::without_controller("refused-later");
    let other = FakeIam::start_with(Config {
        account_id: OTHER.to_owned(),
        ..Config::default()
    });
    world.iam.open_door(&other, DOOR, None);
    let path = world.folder().join("settings.yaml");
    let let_in = |namespace: &str| {
        let text = format!("accounts:\n  '{OTHER}':\n    role: {DOOR}\n    namespaces: ['{namespace}']\n");
        fs::write(&path, text).unwrap();
    };
    let_in("*");
    world.add_args(&["--config", path.to_str().unwrap()]);
    world.start();
    world.wait_healthy();
    other.fault(Rule::new(Fault::HangAfter(Duration::from_mins(10))).action("CreateRole"));
    world.apply("segments", &json!({"accountId": OTHER})).unwrap();
    world.wait("the role to be made", || (other.roles().len() == 1).then_some(()));
    world.kill();
    let_in("somebody-else");
    world.start();
    world.wait_ready("segments", "False", "PolicyNotAllowed");
    // One that was refused from the very beginning goes at once, and nothing is asked of IAM.
    world.apply("never", &json!({"accountId": OTHER})).unwrap();
    world.wait_ready("never", "False", "PolicyNotAllowed");
    other.clear_calls();
    world.kubectl(&["delete", "pir", "never", "--timeout=20s"]).unwrap();
    assert_eq!(other.calls().len(), 0);

    delete(&world, "segments");
    let message = world.wait("the object to say why it stays", || {
        let object = world.object("segments");
        assert!(
            !object.is_null(),
            "the object is gone, and its role is left\n{}",
            world.log()
        );
        let current = object["status"]["observedGeneration"] == object["metadata"]["generation"];
        let ready = world.condition("segments", "Ready").filter(|_| current);
        ready
            .filter(|(status, reason, _)| status == "False" && reason == "PolicyNotAllowed")
            .map(|(_, _, message)| message)
    });
    assert!(message.contains(OTHER), "{message}");
    world.looks("segments", 3);
    assert_eq!((other.calls().len(), other.roles().len()), (0, 1));

    let_in("*");
    world.kill_and_restart();
    world.wait_gone("segments");
    assert_eq!(other.roles(), []);
}

/// At the default settle time, which is not waited out.
#[test]
fn an_object_that_was_refused_from_the_beginning_goes_at_once() {
    let world = World::at_default_settle_time("proof-refused", &["--role-name-prefix=pinpoint-"]);
    world.apply("segments", &json!({})).unwrap();
    world.wait_ready("segments", "False", "PolicyNotAllowed");
    suspended(&world, "suspended", &json!({"roleName": "pinpoint-x"}));
    world.wait("suspension", || world.condition("suspended", "Suspended"));
    for name in ["segments", "suspended"] {
        let deleted = world.kubectl(&["delete", "pir", name, "--timeout=20s"]);
        assert!(deleted.is_ok(), "{name}: {deleted:?}\n{}", world.log());
    }
    assert_eq!(world.actions(), Vec::<String>::new());
}

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
fn what_the_spec_names_and_iam_does_not_have_is_the_specs_fault() {
    let policy = |name: &str| format!("arn:aws:iam::aws:policy/{name}");
    let own = |name: &str| format!("arn:aws:iam::123456789012:policy/{name}");
    let cases = [
        (
            "path",
            json!({"managedPolicyArns": [policy("service-role/NoSuch")]}),
            "AttachRolePolicy",
        ),
        (
            "name",
            json!({"managedPolicyArns": [own("the-role-with-name-x")]}),
            "AttachRolePolicy",
        ),
        (
            "found",
            json!({"managedPolicyArns": [own("Role.cannot.be.found")]}),
            "AttachRolePolicy",
        ),
        (
            "boundary",
            json!({"permissionsBoundary": own("role-boundary")}),
            "CreateRole",
        ),
    ];
    let world = World::new("no-such-policy");
    for (name, spec, _) in &cases {
        world.apply(name, spec).unwrap();
    }
    let (until, mut wrong) = (Instant::now() + PROMPTLY, Vec::new());
    for (name, _, action) in &cases {
        let ready = || world.condition(name, "Ready");
        let told = |ready: (String, String, String)| ready.1 == "InvalidSpec" && ready.2.contains(action);
        if !World::by(until, || ready().is_some_and(told)) {
            wrong.push(format!("{name}: {:?}", ready()));
            continue;
        }
        world.looks_at_each(&[name], 3);
        let (reason, stalled) = (ready().unwrap().1, world.condition(name, "Stalled"));
        if reason != "InvalidSpec" || stalled.is_none() || world.told(name, "InvalidSpec").len() != 1 {
            wrong.push(format!("{name}: {reason}, {stalled:?}, {:?}", world.events(name)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // They are mended as any other.
    for (name, ..) in &cases {
        world.patch(name, &json!({"managedPolicyArns": null, "permissionsBoundary": null}));
        world.wait_reconciled(name);
    }
}

/// The same code, and this time it is the role that is gone.
#[test]
fn a_role_that_goes_in_the_middle_of_a_pass_comes_back() {
    for action in ["AttachRolePolicy", "ListAttachedRolePolicies"] {
        let world = World::in_place(
            &format!("vanishes-{}", action.to_lowercase()),
            &json!({"roleName": format!("policy-{action}")}),
        );
        let role = format!("policy-{action}");
        let number = if action == "AttachRolePolicy" { 4 } else { 2 };
        world.iam.tamper(&role, |role| role.attached.clear());
        world.iam.clear_calls();
        let gate = world.iam.gate(number, Gate::Before);
        world.look_or_gone("segments");
        assert!(gate.reached(PATIENCE), "{:?}", world.actions());
        assert_eq!(world.actions().last().unwrap(), action);
        world.iam.remove_role(&role);
        gate.release();
        world.wait("the role to be back", || {
            let role = world.iam.role(&role)?;
            let pinned = world.status("segments")["roleId"] == role.id.as_str();
            (pinned && role.attached.contains(S3_READ_ONLY)).then_some(())
        });
        world.wait_reconciled("segments");
        assert!(!world.reasons_of("segments").contains(&"InvalidSpec".to_owned()));
    }
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
