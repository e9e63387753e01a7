//! What a pipeline runs on a pull request: it stops what should not be merged, and says why on the lines of the manifests.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use serde_json::{Value, json};
use test_support::product;

use super::{Said, manifests, objects, run_with, schema_problems};
use crate::world::{ADMIN, S3_READ_ONLY, World};

/// What a pipeline runs: the manifests of a pull request are checked and planned, and the plan goes into a comment.
#[test]
fn the_pipeline_stops_what_should_not_be_merged() {
    let world = World::in_place("pipeline", &json!({}));
    let folder = world.folder().join("roles");
    fs::create_dir(&folder).unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_pinpoint-import-role-controller"))
        .parent()
        .unwrap();
    let comment = world.folder().join("comment.md");
    let review = |spec: &Value, allow: &str| {
        fs::copy(
            manifests(&world, &[("segments", spec.clone())]),
            folder.join("segments.yaml"),
        )
        .unwrap();
        let output = Command::new("bash")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/pipeline/review.sh"))
            .args([&folder, &comment])
            .env("PATH", format!("{}:/usr/bin:/bin", binary.display()))
            .env("KUBECONFIG", world.plane().kubeconfig())
            .envs(product::environment(&world.iam.endpoint(), "pipeline"))
            .env("PIR_ALLOWED_POLICY_ARNS", "*")
            .env("ALLOW_WIDENING", allow)
            .output()
            .unwrap();
        (output.status.code().unwrap(), fs::read_to_string(&comment).unwrap())
    };
    let (code, said) = review(&json!({}), "");
    assert!(code == 0 && said.contains("1 as declared"), "{code} {said}");
    let narrow = json!({"managedPolicyArns": []});
    let (code, said) = review(&narrow, "");
    assert!(code == 0 && said.contains("DetachRolePolicy"), "{code} {said}");
    let (code, said) = review(&json!({"buckets": [{"name": "my-bucket"}]}), "");
    assert!(
        code == 0 && said.contains("PutRolePolicy"),
        "less than every bucket: {code} {said}"
    );
    let wide = json!({"managedPolicyArns": [S3_READ_ONLY, ADMIN]});
    let (code, said) = review(&wide, "");
    assert!(code == 1 && said.contains("WIDENS ACCESS"), "{code} {said}");
    assert_eq!(review(&wide, "1").0, 0);
    let (code, said) = review(&json!({"bucket": []}), "1");
    assert!(
        code == 1 && said.contains("did you mean buckets?") && said.contains("segments.yaml:"),
        "{code} {said}"
    );
    assert_eq!(world.writes(), Vec::<String>::new());
}

/// The results of a run in SARIF: rule, and line.
pub fn results(said: &Said) -> Vec<(String, u64)> {
    let log = said.json();
    let all = log["runs"][0]["results"].as_array().unwrap().iter();
    all.map(|result| {
        let region = &result["locations"][0]["physicalLocation"]["region"];
        let rule = result["ruleId"].as_str().unwrap().to_owned();
        (rule, region["startLine"].as_u64().unwrap())
    })
    .collect()
}

#[test]
fn plan_notes_a_role_that_nothing_guards_in_every_form() {
    let world = World::without_controller("plan-notes");
    let path = manifests(
        &world,
        &[
            ("open", json!({})),
            ("wide", json!({})),
            ("guarded", json!({"trust": {"sourceAccount": "123456789012"}})),
        ],
    );
    let plan = |output: &str| run_with(&world, &["plan", "-f", &path, "--output", output], &[]);
    let names = format!("{0}/open, {0}/wide", world.namespace);
    let text = plan("text");
    let lines: Vec<&str> = text.out.lines().filter(|line| line.starts_with("note: ")).collect();
    assert!(
        text.code == 2
            && lines.len() == 1
            && lines[0].starts_with(&format!("note: {names}: spec: no condition guards")),
        "{}",
        text.out
    );
    assert!(
        lines[0].contains("`trust:`") && lines[0].contains("`sourceAccount:"),
        "{lines:?}"
    );
    let said = plan("json");
    let found = objects(&world, &said);
    assert_eq!(found["open"]["notes"][0]["field"], "spec");
    assert_eq!(found["guarded"]["notes"], json!([]));
    let wrong = schema_problems(&said.json());
    assert!(wrong.is_empty(), "{wrong:?}");
    let markdown = plan("markdown").out;
    assert!(
        markdown.contains(&format!("- Note on `{names}` (2): spec")) && markdown.contains("sourceAccount"),
        "{markdown}"
    );
    let noted = results(&plan("sarif"));
    let noted: Vec<_> = noted.into_iter().filter(|(rule, _)| rule == "manifest-note").collect();
    assert_eq!(
        noted,
        [("manifest-note".to_owned(), 1), ("manifest-note".to_owned(), 3)]
    );
}

#[test]
fn plan_of_manifests_with_problems_shows_them_in_sarif() {
    let world = World::without_controller("plan-sarif");
    let path = world.folder().join("wrong.yaml");
    let head = "apiVersion: pinpoint-import.dev/v1alpha1\nkind: PinpointImportRole\nmetadata: {name: a}\n";
    fs::write(&path, format!("{head}spec:\n  pth: /\n  interval: 1s\n")).unwrap();
    // No cluster and no AWS is asked for that.
    let said = run_with(
        &world,
        &["plan", "-f", path.to_str().unwrap(), "--output=sarif"],
        &[("KUBECONFIG", "/nowhere"), ("AWS_ACCESS_KEY_ID", "")],
    );
    let all: BTreeSet<_> = results(&said).into_iter().collect();
    let invalid = |line| ("invalid-manifest".to_owned(), line);
    assert_eq!(all, [invalid(5), invalid(6)].into());
    assert!(said.code == 1 && said.err.contains("have problems"), "{}", said.err);
}
