//! The JSON Schema, as `kubeconform` reads it: samples are valid, and what is wrong is found before anything is applied.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use serde_json::{Value, json};
use test_support::tools::tool;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Where the schemas are, as `deploy/guides.md` tells kubeconform.
const LOCATION: &str = "deploy/schemas/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json";

/// What kubeconform says of the manifests of a folder: status and message, by file.
fn checked(folder: &Path) -> BTreeMap<String, (String, String)> {
    let output = Command::new(tool("kubeconform").unwrap())
        .args(["-strict", "-verbose", "-output=json", "-schema-location", LOCATION])
        .arg(folder)
        .current_dir(ROOT)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {words}"));
    let resources = said["resources"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = |path: &Value| Path::new(&text(path)).file_name().unwrap().to_str().unwrap().to_owned();
    resources
        .map(|found| (name(&found["filename"]), (text(&found["status"]), text(&found["msg"]))))
        .collect()
}

#[test]
fn the_samples_are_valid() {
    let said = checked(&Path::new(ROOT).join("deploy/samples"));
    assert_eq!(said.len(), 5);
    for (file, (status, message)) in said {
        assert_eq!(status, "statusValid", "{file}: {message}");
    }
    let guide = fs::read_to_string(format!("{ROOT}/deploy/guides.md")).unwrap();
    assert!(guide.contains(LOCATION), "the guide names another place");
}

/// What is wrong in a manifest, and the words of kubeconform that point to it.
fn wrong() -> Vec<(&'static str, Value, &'static str)> {
    let spec = |spec: Value| json!({"spec": spec});
    vec![
        ("unknown", spec(json!({"roleNam": "x"})), "roleNam"),
        ("deep", spec(json!({"trust": {"account": "1"}})), "account"),
        (
            "type",
            spec(json!({"maxSessionDuration": "3600"})),
            "/spec/maxSessionDuration",
        ),
        (
            "number",
            spec(json!({"trust": {"sourceAccount": 123_456_789_012_u64}})),
            "/spec/trust/sourceAccount",
        ),
        (
            "range",
            spec(json!({"maxSessionDuration": 60})),
            "/spec/maxSessionDuration",
        ),
        ("word", spec(json!({"driftPolicy": "Ignore"})), "/spec/driftPolicy"),
        (
            "pattern",
            spec(json!({"managedPolicyArns": ["AmazonS3ReadOnlyAccess"]})),
            "/spec/managedPolicyArns/0",
        ),
        (
            "twice",
            spec(json!({"managedPolicyArns": ["arn:aws:iam::aws:policy/A", "arn:aws:iam::aws:policy/A"]})),
            "/spec/managedPolicyArns",
        ),
        ("empty", spec(json!({"buckets": []})), "/spec/buckets"),
        ("missing", spec(json!({"buckets": [{"prefix": "x/"}]})), "name"),
        ("aws-tag", spec(json!({"tags": {"AWS:x": "y"}})), "AWS:x"),
        (
            "own-tag",
            spec(json!({"tags": {"pinpoint-import.dev/uid": "y"}})),
            "pinpoint-import.dev/uid",
        ),
        ("no-spec", json!({}), "spec"),
        (
            "metadata",
            json!({"spec": {}, "metadata": {"name": "x", "lables": {}}}),
            "lables",
        ),
        ("beside", json!({"spec": {}, "sepc": {}}), "sepc"),
    ]
}

#[test]
fn what_is_wrong_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, fields: &Value| {
        let mut object = json!({
            "apiVersion": "pinpoint-import.dev/v1alpha1", "kind": "PinpointImportRole", "metadata": {"name": "x"},
        });
        object
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        fs::write(folder.path().join(format!("{name}.yaml")), object.to_string()).unwrap();
    };
    for (name, fields, _) in wrong() {
        write(name, &fields);
    }
    write("version", &json!({"apiVersion": "pinpoint-import.dev/v1", "spec": {}}));
    write(
        "nulls",
        &json!({"spec": {"trust": null, "tags": {"a": null}, "driftPolicy": null}}),
    );
    let said = checked(folder.path());
    for (name, _, words) in wrong() {
        let (status, message) = &said[&format!("{name}.yaml")];
        assert!(
            status == "statusInvalid" && message.contains(words),
            "{name}: {status}: {message}"
        );
    }
    let (status, message) = &said["version.yaml"];
    assert!(
        status == "statusError" && message.contains("could not find schema"),
        "{status}: {message}"
    );
    assert_eq!(said["nulls.yaml"].0, "statusValid", "{}", said["nulls.yaml"].1);
}
