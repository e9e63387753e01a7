//! `crds/`, `deploy/schemas/` and the chart hold what the code says.

use std::process::Command;

use regex::Regex;
use serde_json::Value;

fn generated(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_pinpoint-import-role-controller"))
        .args(arguments)
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn is_renewed(file: &str, held: &str, generated: &str) {
    let first = held
        .lines()
        .zip(generated.lines())
        .position(|(held, generated)| held != generated)
        .unwrap_or_else(|| held.lines().count().min(generated.lines().count()));
    assert!(
        held == generated,
        "{file} is not what the code says, from line {} on: run `make crd`, and commit what it writes",
        first + 1
    );
}

#[test]
fn the_crd_in_crds_is_the_one_that_the_code_generates() {
    let held = include_str!("../../crds/pinpointimportroles.yaml");
    is_renewed("crds/pinpointimportroles.yaml", held, &generated(&["crd"]));
    let copy = include_str!("../../deploy/chart/files/pinpointimportroles.yaml");
    is_renewed("deploy/chart/files/pinpointimportroles.yaml", copy, held);
}

#[test]
fn the_schema_for_editors_is_the_one_that_the_code_generates_and_is_of_its_draft() {
    let held = include_str!("../../deploy/schemas/pinpointimportrole_v1alpha1.json");
    let file = "deploy/schemas/pinpointimportrole_v1alpha1.json";
    is_renewed(file, held, &generated(&["crd", "--output", "json-schema"]));
    let schema = serde_json::from_str(held).expect("JSON");
    if let Err(why) = jsonschema::draft7::meta::validate(&schema) {
        panic!("{}: {why}", why.instance_path());
    }
    for word in ["nullable", "x-kubernetes-"] {
        assert!(!held.contains(&format!("\"{word}")), "{word} is no word of JSON Schema");
    }
}

/// A setting that the schema forgets could not be set by the chart at all.
#[test]
fn the_schema_of_the_chart_knows_every_setting() {
    let schema: Value = serde_json::from_str(include_str!("../../deploy/chart/values.schema.json")).unwrap();
    let settings = schema["properties"]["settings"]["properties"].as_object().unwrap();
    let known: Vec<&str> = settings.keys().map(String::as_str).collect();
    let help = generated(&["run", "--help"]);
    let flag = Regex::new(r"(?m)^\s+(?:-\w, )?--([a-z-]+)").unwrap();
    let flags = flag.captures_iter(&help).map(|found| found.get(1).unwrap().as_str());
    let mut flags: Vec<&str> = flags
        .filter(|flag| !["config", "help", "version"].contains(flag))
        .collect();
    flags.push("accounts");
    flags.sort_unstable();
    assert_eq!(known, flags);
}
