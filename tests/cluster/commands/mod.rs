//! What every command promises: it only reads, needs no more than the rights of readers, and says an error's cause and the next step.
//! `validate` is held against API server and controller in `agreement`, and without a server in `tests/core/validate.rs`.

mod audit;
mod export;
mod pipeline;
mod plan;

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};
use test_support::{
    iam::{Fault, RoleBuilder, Rule},
    product,
};

use crate::world::{GUIDE_TRUST, World};

/// What a command printed, and its exit code.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|why| panic!("{why}: {}{}", self.out, self.err))
    }
}

/// Runs a command as a person does, with the world's IAM and, unless `env` says otherwise, its cluster.
pub fn run_with(world: &World, arguments: &[&str], env: &[(&str, &str)]) -> Said {
    let binary = Path::new(env!("CARGO_BIN_EXE_pinpoint-import-role-controller"));
    let mut command = product::command(binary, &world.iam.endpoint(), "person");
    command
        .args(arguments)
        .env("KUBECONFIG", world.plane().kubeconfig())
        .env("PIR_ALLOWED_POLICY_ARNS", "*")
        .envs(world.one_authority())
        .envs(env.iter().copied());
    for (key, _) in env.iter().filter(|(_, value)| value.is_empty()) {
        command.env_remove(key);
    }
    let output = command.output().unwrap();
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

pub fn run(world: &World, arguments: &[&str]) -> Said {
    let said = run_with(world, arguments, &[]);
    assert_eq!(world.writes(), Vec::<String>::new(), "it reads only");
    said
}

/// The objects of the world's namespace in a plan: the control plane has those of other tests too.
pub fn objects(world: &World, said: &Said) -> BTreeMap<String, Value> {
    let report = said.json();
    let all = report["objects"].as_array().unwrap().iter();
    let ours = all.filter(|object| object["namespace"] == world.namespace.as_str());
    ours.map(|object| (object["name"].as_str().unwrap().to_owned(), object.clone()))
        .collect()
}

/// What is wrong with a plan by the published schema.
pub fn schema_problems(report: &Value) -> Vec<String> {
    let schema = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/pipeline/plan.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    validator.iter_errors(report).map(|error| error.to_string()).collect()
}

/// Manifests in a file of the world.
pub fn manifests(world: &World, objects: &[(&str, Value)]) -> String {
    let documents: Vec<String> = objects
        .iter()
        .map(|(name, spec)| {
            json!({
                "apiVersion": "pinpoint-import.dev/v1alpha1",
                "kind": "PinpointImportRole",
                "metadata": {"name": name, "namespace": world.namespace},
                "spec": spec,
            })
            .to_string()
        })
        .collect();
    let path = world.folder().join("manifests.yaml");
    fs::write(&path, documents.join("\n---\n")).unwrap();
    path.display().to_string()
}

#[test]
fn errors_say_the_cause_and_the_next_step_and_nothing_looks_whole_that_is_not() {
    let world = World::without_controller("command-errors");
    let path = manifests(&world, &[("segments", json!({}))]);
    let refused = |arguments: &[&str], env: &[(&str, &str)], words: &[&str]| {
        let said = run_with(&world, arguments, env);
        assert_eq!(said.code, 1, "{arguments:?}: {}{}", said.out, said.err);
        assert_eq!(said.out, "", "{arguments:?}");
        assert!(said.err.lines().count() <= 3, "{arguments:?}: {}", said.err);
        for word in words {
            assert!(said.err.contains(word), "{arguments:?}: {word}: {}", said.err);
        }
    };
    let no_credentials = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
    for command in [&["plan", "-f", &path][..], &["audit"], &["export", "x"]] {
        refused(command, &no_credentials, &["no usable AWS credentials"]);
    }
    let nowhere = [("KUBECONFIG", "/nowhere")];
    refused(&["plan"], &nowhere, &["no cluster", "KUBECONFIG", "-f"]);
    refused(&["plan", "-f", &path], &nowhere, &["no cluster", "--cluster-id"]);
    refused(&["audit"], &nowhere, &["no cluster", "--no-cluster"]);
    refused(
        &["plan", "-f", "/nowhere.yaml"],
        &[],
        &["/nowhere.yaml", "can't be read"],
    );
    let usage = run_with(&world, &["plan", "--no-such-flag"], &[]);
    assert!(
        usage.code == 1 && usage.err.contains("--no-such-flag"),
        "2 would say that there are changes: {}",
        usage.err
    );
    refused(&["export", "Missing"], &[], &["no role Missing", "audit"]);
    // Half of the roles read.
    for n in 0..6 {
        world
            .iam
            .put_role(RoleBuilder::new(&format!("r{n}")).trust_policy(GUIDE_TRUST));
    }
    world.iam.set_page_size(2);
    let denied = Fault::error(403, "AccessDenied");
    world.iam.fault(
        Rule::new(denied)
            .action("GetAccountAuthorizationDetails")
            .nth(2)
            .times(usize::MAX),
    );
    refused(
        &["audit"],
        &[],
        &["GetAccountAuthorizationDetails", "AccessDenied", "AccessDenied it is"],
    );
    refused(&["export", "--all"], &[], &["GetAccountAuthorizationDetails"]);
}

/// `deploy/iam-policy-readers.json` is for people and pipelines: with it the commands work, and nothing can be written.
#[test]
fn the_rights_of_readers_are_enough_for_the_commands() {
    let world = World::without_controller("readers");
    world.iam.put_role(
        RoleBuilder::new("ByHand")
            .trust_policy(GUIDE_TRUST)
            .inline("x", r#"{"Version":"2012-10-17","Statement":[]}"#),
    );
    let policy = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/iam-policy-readers.json")).unwrap();
    world.iam.enforce(Some(&policy.replace("111122223333", "123456789012")));
    let by_hand = json!({"roleName": "ByHand", "adoptionPolicy": "Adopt"});
    let few = manifests(&world, &[("a", json!({})), ("b", by_hand)]);
    assert_eq!(run(&world, &["plan", "-f", &few]).code, 2);
    let many: Vec<(String, Value)> = (0..40).map(|n| (format!("r{n}"), json!({}))).collect();
    let many: Vec<(&str, Value)> = many.iter().map(|(name, spec)| (name.as_str(), spec.clone())).collect();
    assert_eq!(run(&world, &["plan", "-f", &manifests(&world, &many)]).code, 2);
    assert_eq!(run(&world, &["audit"]).code, 0);
    assert_eq!(run(&world, &["export", "--all"]).code, 0);
    assert_eq!(run(&world, &["export", "ByHand"]).code, 0);
    assert!(
        world
            .try_iam("DeleteRole", &[("RoleName", "ByHand")])
            .contains("AccessDenied")
    );
}
