//! `plan` says what the controller would then do, to which role and in whose account, and what it would not look at.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};
use test_support::iam::{Config, FakeIam, RoleBuilder};

use super::{manifests, objects, run, run_with, schema_problems};
use crate::world::{ADMIN, GUIDE_TRUST, S3_READ_ONLY, WIDE_TRUST, World};

/// The calls of each role: action, and the policy that it is about.
type Calls = BTreeMap<String, Vec<(String, String)>>;

fn planned(objects: &BTreeMap<String, Value>) -> Calls {
    let mut all = Calls::new();
    for object in objects.values() {
        for call in object["calls"].as_array().unwrap() {
            let subject = call["subject"].as_str().unwrap_or_default().to_owned();
            let entry = all.entry(object["role"].as_str().unwrap().to_owned()).or_default();
            entry.push((call["action"].as_str().unwrap().to_owned(), subject));
        }
    }
    all
}

fn made(world: &World) -> Calls {
    let mut all = Calls::new();
    for call in world.iam.writes() {
        let subject = ["PolicyArn", "PolicyName"].iter().find_map(|key| call.params.get(*key));
        let boundary = call
            .params
            .get("PermissionsBoundary")
            .filter(|_| call.action == "PutRolePermissionsBoundary");
        let subject = subject.or(boundary).cloned().unwrap_or_default();
        all.entry(call.params["RoleName"].clone())
            .or_default()
            .push((call.action, subject));
    }
    all
}

#[test]
fn plan_says_what_the_controller_then_does() {
    let mut world = World::new("plan-agree");
    for (name, spec) in [
        ("same", json!({})),
        (
            "changed",
            json!({"tags": {"a": "b", "old": "x"}, "buckets": [{"name": "my-bucket"}]}),
        ),
        (
            "drifted",
            json!({"permissionsBoundary": S3_READ_ONLY, "buckets": [{"name": "my-bucket"}]}),
        ),
        ("deleted", json!({})),
        ("retained", json!({"deletionPolicy": "Retain"})),
        ("reported", json!({"driftPolicy": "Report"})),
        ("suspended", json!({})),
    ] {
        world.apply(name, &spec).unwrap();
        world.wait_reconciled(name);
    }
    World::pass_settle_time();
    world.kill();
    world.patch("changed", &json!({
        "tags": {"a": "c", "old": null}, "buckets": [{"name": "my-bucket", "prefix": "x/"}], "maxSessionDuration": 7200,
        "managedPolicyArns": [S3_READ_ONLY],
    }));
    world.iam.tamper(&world.role_name("drifted"), |role| {
        role.trust_policy = WIDE_TRUST.to_owned();
        role.attached.insert(ADMIN.to_owned());
        role.inline.insert(
            "Backdoor".to_owned(),
            r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned(),
        );
        role.inline.remove("PinpointImportBuckets");
        role.permissions_boundary = Some(ADMIN.to_owned());
    });
    for name in ["reported", "suspended"] {
        world
            .iam
            .tamper(&world.role_name(name), |role| role.trust_policy = WIDE_TRUST.to_owned());
    }
    world.patch("suspended", &json!({"suspend": true}));
    for name in ["deleted", "retained"] {
        world.delete(name);
    }
    world
        .iam
        .put_role(RoleBuilder::new("ByHand").trust_policy(GUIDE_TRUST).attached(ADMIN));
    world
        .apply("adopted", &json!({"roleName": "ByHand", "adoptionPolicy": "Adopt"}))
        .unwrap();
    world
        .apply("new", &json!({"managedPolicyArns": [S3_READ_ONLY, ADMIN]}))
        .unwrap();
    world.iam.clear_calls();

    let said = run(&world, &["plan", "--output=json"]);
    let objects = objects(&world, &said);
    let actions: BTreeMap<&str, &str> = objects
        .iter()
        .map(|(name, object)| (name.as_str(), object["action"].as_str().unwrap()))
        .collect();
    let expected = [
        ("adopted", "adopt"),
        ("changed", "change"),
        ("deleted", "delete"),
        ("drifted", "change"),
        ("new", "create"),
        ("reported", "reported"),
        ("retained", "retain"),
        ("same", "nothing"),
        ("suspended", "suspended"),
    ];
    assert_eq!(actions, expected.into());
    let mut planned = planned(&objects);
    // What is only reported is shown, and not done.
    assert_eq!(
        planned.remove(&world.role_name("reported")).unwrap(),
        [("UpdateAssumeRolePolicy".to_owned(), String::new())]
    );

    world.iam.clear_calls();
    world.start();
    for name in ["changed", "drifted", "adopted", "new", "same"] {
        world.wait_reconciled(name);
    }
    world.wait_ready("reported", "False", "DriftDetected");
    // It was ready all the time.
    world.wait_event("drifted", "DriftRepaired");
    for name in ["deleted", "retained"] {
        world.wait_gone(name);
    }
    assert_eq!(made(&world), planned);

    let validator = schema_problems(&said.json());
    assert!(validator.is_empty(), "{validator:?}");
}

#[test]
fn plan_of_manifests_shows_a_change_before_it_is_merged() {
    let world = World::in_place(
        "plan-files",
        &json!({"buckets": [{"name": "my-bucket", "prefix": "a/"}]}),
    );
    let unchanged = manifests(
        &world,
        &[("segments", json!({"buckets": [{"name": "my-bucket", "prefix": "a/"}]}))],
    );
    let said = run(&world, &["plan", "-f", &unchanged]);
    assert_eq!(said.code, 0, "{}", said.err);
    let lines: Vec<&str> = said.out.lines().filter(|line| !line.starts_with("note: ")).collect();
    assert_eq!(lines, ["Plan: 1 as declared; no change widens access."]);

    let narrowed = manifests(
        &world,
        &[(
            "segments",
            json!({"buckets": [{"name": "my-bucket", "prefix": "a/b/"}]}),
        )],
    );
    let said = run(&world, &["plan", "-f", &narrowed, "--fail-on-widening"]);
    assert_eq!(said.code, 2, "{}{}", said.out, said.err);
    assert!(
        said.out.contains('+') && said.out.contains("my-bucket/a/b/*") && !said.out.contains("WIDENS"),
        "{}",
        said.out
    );
    assert!(!said.out.contains('\x1b'), "colour is for terminals");

    let widened = manifests(
        &world,
        &[
            ("segments", json!({"buckets": [{"name": "my-bucket"}]})),
            ("more", json!({})),
        ],
    );
    let said = run(&world, &["plan", "-f", &widened]);
    assert_eq!(said.code, 2, "{}", said.err);
    for words in [
        "1 to create, 1 to change",
        "WIDEN",
        "PutRolePolicy PinpointImportBuckets",
        "-          \"s3:prefix\": \"a/*\"",
        "whose it is: this object's",
        "there is no such role yet",
    ] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    let said = run(&world, &["plan", "-f", &widened, "--fail-on-widening"]);
    assert!(said.code == 1 && said.err.contains("widen access"), "{}", said.err);
    let said = run(&world, &["plan", "-f", &widened, "--output=markdown"]);
    for words in [
        "### Pinpoint import roles: 1 to create",
        "| **yes** |",
        "<details><summary>",
        "```diff\n",
    ] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }

    // Without the cluster: the tags say whose the role is.
    let id = world.role("segments").unwrap().tags["pinpoint-import.dev/cluster"].clone();
    let said = run_with(
        &world,
        &["plan", "-f", &narrowed, "--cluster-id", &id],
        &[("KUBECONFIG", "/nowhere")],
    );
    assert!(
        said.code == 2 && said.out.contains("1 to change"),
        "{}{}",
        said.out,
        said.err
    );
    let said = run_with(
        &world,
        &["plan", "-f", &narrowed, "--cluster-id", "another"],
        &[("KUBECONFIG", "/nowhere")],
    );
    assert!(
        said.code == 1 && said.out.contains("RoleNotOwned"),
        "{}{}",
        said.out,
        said.err
    );
}

#[test]
fn many_roles_are_read_in_bulk() {
    let world = World::without_controller("plan-bulk");
    for n in 0..60 {
        world.iam.put_role(RoleBuilder::new(&format!("other-{n}")));
    }
    let many: Vec<(String, Value)> = (0..40).map(|n| (format!("r{n}"), json!({}))).collect();
    let many: Vec<(&str, Value)> = many.iter().map(|(name, spec)| (name.as_str(), spec.clone())).collect();
    let path = manifests(&world, &many);
    let said = run(&world, &["plan", "-f", &path, "--output=json"]);
    assert_eq!(said.json()["summary"]["create"], 40);
    assert_eq!(world.actions(), ["GetAccountAuthorizationDetails", "ListRoles"]);
}

#[test]
fn plan_reads_each_role_in_its_account() {
    const OTHER: &str = "222233334444";
    const DOOR: &str = "arn:aws:iam::222233334444:role/pir";
    let world = World::without_controller("plan-accounts");
    let other = FakeIam::start_with(Config {
        account_id: OTHER.to_owned(),
        ..Config::default()
    });
    world.iam.open_door(&other, DOOR, None);
    let settings = world.folder().join("settings.yaml");
    let entry = |namespace: &str| format!("accounts: {{'{OTHER}': {{role: '{DOOR}', namespaces: ['{namespace}']}}}}\n");
    let path = manifests(&world, &[("here", json!({})), ("there", json!({"accountId": OTHER}))]);
    let plan = || {
        run_with(
            &world,
            &[
                "plan",
                "-f",
                &path,
                "--output=json",
                "--config",
                settings.to_str().unwrap(),
            ],
            &[],
        )
    };
    fs::write(&settings, entry(&world.namespace)).unwrap();
    let said = plan();
    assert_eq!(said.code, 2, "{}", said.err);
    let found = objects(&world, &said);
    assert_eq!(
        (&found["here"]["account"], &found["there"]["account"]),
        (&json!("123456789012"), &json!(OTHER))
    );
    let read: Vec<_> = other.calls().into_iter().map(|call| call.action).collect();
    assert_eq!(read, ["GetRole"]);
    fs::write(&settings, entry("somebody-else")).unwrap();
    let said = plan();
    assert_eq!(
        (said.code, &objects(&world, &said)["there"]["reason"]),
        (1, &json!("PolicyNotAllowed"))
    );
}

#[test]
fn plan_with_the_credentials_of_another_account_is_refused() {
    let world = World::in_place("plan-profile", &json!({}));
    let other = FakeIam::start_with(Config {
        account_id: "222233334444".to_owned(),
        ..Config::default()
    });
    let (endpoint, path) = (other.endpoint(), manifests(&world, &[("segments", json!({}))]));
    let env = [
        ("AWS_ENDPOINT_URL_IAM", endpoint.as_str()),
        ("AWS_ENDPOINT_URL_STS", &endpoint),
    ];
    let from_cluster = ["plan", "--output=json", "--namespaces", &world.namespace];
    for arguments in [&from_cluster[..], &["plan", "--output=json", "-f", &path]] {
        let said = run_with(&world, arguments, &env);
        let found = &objects(&world, &said)["segments"];
        assert_eq!(
            (said.code, &found["action"], &found["reason"]),
            (1, &json!("refused"), &json!("CredentialsUnavailable")),
            "{}",
            said.err
        );
        let message = found["message"].as_str().unwrap();
        assert!(
            message.contains("123456789012") && message.contains("222233334444"),
            "{message}"
        );
    }
}

#[test]
fn plan_covers_what_the_controller_watches() {
    let world = World::without_controller("plan-watched");
    for (name, shard) in [("mine", "a"), ("theirs", "b")] {
        world.apply(name, &json!({})).unwrap();
        world
            .kubectl(&["label", "pir", name, &format!("shard={shard}")])
            .unwrap();
    }
    let settings = world.folder().join("settings.yaml");
    let settings = settings.to_str().unwrap();
    let plan = |more: &[&str]| {
        let arguments = [&["plan", "--output=json", "--config", settings], more].concat();
        run_with(&world, &arguments, &[])
    };
    let write = |namespace: &str| {
        fs::write(
            settings,
            format!("namespaces: [{namespace}]\nselector: shard in (a, c)\n"),
        )
        .unwrap();
    };
    write(&world.namespace);
    let said = plan(&[]);
    let report = said.json();
    assert_eq!(report["objects"].as_array().unwrap().len(), 1, "{report}");
    assert_eq!(report["objects"][0]["name"], "mine");
    assert!(said.err.contains("does not watch them"), "{}", said.err);

    // Manifests: told apart, and not looked at.
    let path = manifests(&world, &[("mine", json!({})), ("theirs", json!({}))]);
    let text = fs::read_to_string(&path).unwrap();
    let labelled = text.replacen("\"name\":\"mine\"", "\"name\":\"mine\",\"labels\":{\"shard\":\"a\"}", 1);
    assert_ne!(labelled, text);
    fs::write(&path, labelled).unwrap();
    world.iam.clear_calls();
    let said = plan(&["-f", &path]);
    let found = objects(&world, &said);
    assert_eq!(
        (said.code, &found["mine"]["action"], &found["theirs"]["action"]),
        (2, &json!("create"), &json!("unwatched"))
    );
    assert!(found["theirs"]["message"].as_str().unwrap().contains("shard in (a, c)"));
    assert_eq!(said.json()["summary"]["unwatched"], 1);
    assert_eq!(world.actions(), ["GetRole"], "one role is looked at");
    let wrong = schema_problems(&said.json());
    assert!(wrong.is_empty(), "{wrong:?}");
    write("elsewhere");
    let said = plan(&["-f", &path]);
    assert_eq!((said.code, &said.json()["summary"]["unwatched"]), (0, &json!(2)));
    fs::write(settings, "selector: a in b\n").unwrap();
    let said = plan(&["-f", &path]);
    assert!(
        said.code == 1 && said.err.contains("no condition on labels"),
        "{}",
        said.err
    );
}
