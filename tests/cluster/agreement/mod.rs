//! `validate` takes what the API server and the controller take, and nothing else: over the table of refused values, over generated
//! specs whose values lie at the edges, and over the spellings that YAML has for a value. And these two take the same texts.

mod specs;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use pinpoint_import_role_controller::{
    api::v1alpha1::PinpointImportRole,
    role::{Account, Guards, Owner, Patterns, RolePath, Surroundings},
};
use serde_json::{Value, json};

use self::specs::{generated, texts};
use crate::{validation::refused, world::World};

fn object(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "pinpoint-import.dev/v1alpha1", "kind": "PinpointImportRole", "metadata": {"name": name}, "spec": spec})
}

/// What the controller says of an object that the API server has taken.
fn declared(kept: Value, namespace: &str) -> Result<(), String> {
    let object: PinpointImportRole = serde_json::from_value(kept).map_err(|why| why.to_string())?;
    let owner = Owner {
        cluster: String::new(),
        namespace: namespace.to_owned(),
        name: object.metadata.name.unwrap_or_default(),
        uid: String::new(),
    };
    // The account is one that the spec can be for, if there is any.
    let trust = object.spec.trust.iter();
    let mut applications = trust.filter_map(|trust| trust.applications.as_ref()).flatten();
    let partitions: BTreeSet<String> = if applications.any(|app| app.region.starts_with("us-gov-")) {
        ["aws-us-gov".to_owned()].into()
    } else {
        let text = json!(object.spec).to_string();
        let arns = text.split("\"arn:").skip(1).filter_map(|arn| arn.split(':').next());
        arns.chain(["aws"]).map(str::to_owned).collect()
    };
    let mut refused = String::new();
    for partition in partitions {
        let around = Surroundings {
            account: Account {
                id: "123456789012".to_owned(),
                partition,
            },
            role_path: RolePath::default(),
        };
        match guards().declare(&object.spec, owner.clone(), &around) {
            Ok(_) => return Ok(()),
            Err((_, why)) => refused = why,
        }
    }
    Err(refused)
}

/// Those that allow everything, as `validate` is called.
fn guards() -> Guards {
    let all = || Patterns::new(&["*".to_owned()]);
    Guards {
        policy_arns: all(),
        boundary: None,
        name_prefix: String::new(),
        adoption_namespaces: all(),
    }
}

/// What `validate` says of files in a folder: the lines of each.
fn validated(folder: &std::path::Path, namespace: &str) -> BTreeMap<String, Vec<(usize, String)>> {
    let output = Command::new(env!("CARGO_BIN_EXE_pinpoint-import-role-controller"))
        .env_clear()
        .args(["validate", "--allowed-policy-arns=*", "-n", namespace, "-f", "."])
        .current_dir(folder)
        .output()
        .expect("the binary runs");
    assert!(
        output.status.code().is_some_and(|code| code < 2),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut said: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let lines = text
        .lines()
        .filter(|line| !line.contains(": note: ") && line.starts_with("./"));
    // That two objects of this heap name one role is not what is asked here.
    for line in lines.filter(|line| !line.contains(" is declared at ./")) {
        let mut parts = line.splitn(3, ':');
        let name = parts
            .next()
            .unwrap_or_default()
            .trim_start_matches("./")
            .replace(".yaml", "");
        let number = parts.next().and_then(|number| number.parse().ok()).expect(line);
        said.entry(name)
            .or_default()
            .push((number, parts.next().unwrap_or_default().to_owned()));
    }
    said
}

/// The lines of a field of the spec in a manifest written by `serde_json::to_string_pretty`.
fn lines_of(text: &str, field: &str) -> std::ops::RangeInclusive<usize> {
    let starts = |line: &str| line.starts_with("    \"");
    let lines: Vec<&str> = text.lines().collect();
    let key = format!("    {}:", Value::from(field));
    let first = lines
        .iter()
        .position(|line| line.starts_with(&key))
        .map_or(1, |first| first + 1);
    let length = lines[first..]
        .iter()
        .take_while(|line| !starts(line) && !line.starts_with("  }"))
        .count();
    first..=first + length
}

#[test]
fn validate_takes_what_api_server_and_controller_take() {
    let world = World::without_controller("agreement");
    let table: Vec<Value> = refused().into_iter().map(|(spec, _)| spec).collect();
    let specs: Vec<Value> = table.into_iter().chain(generated()).chain(texts()).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut objects = Vec::new();
    let mut texts = Vec::new();
    for (n, spec) in specs.iter().enumerate() {
        let object = object(&format!("s{n:04}"), spec);
        let text = serde_json::to_string_pretty(&object).unwrap();
        fs::write(folder.path().join(format!("s{n:04}.yaml")), &text).unwrap();
        objects.push(object);
        texts.push(text);
    }
    let said = validated(folder.path(), &world.namespace);
    let answers = world.dry_run(&objects);
    let editors = editors();

    let (mut by_server, mut by_controller, mut by_editors, mut fields, mut located) = (0, 0, 0, 0, 0);
    let mut apart = Vec::new();
    for (n, (spec, answer)) in specs.iter().zip(answers).enumerate() {
        let said = said.get(&format!("s{n:04}"));
        let takes = editors.is_valid(&objects[n]);
        if !takes && answer.is_ok() {
            apart.push(format!("{spec}\n  taken, but not by the schema for editors"));
        }
        let (right, why) = match answer {
            Err(status) => {
                by_server += 1;
                by_editors += usize::from(!takes);
                let causes = status.details.iter().flat_map(|details| &details.causes);
                for field in causes.filter_map(|cause| cause.field.strip_prefix("spec.")) {
                    let field = field.split(['.', '[']).next().unwrap_or_default();
                    let place = lines_of(&texts[n], field);
                    fields += 1;
                    let here = said.into_iter().flatten().any(|(line, _)| place.contains(line));
                    located += usize::from(here);
                    if !here {
                        apart.push(format!("{spec}\n  {field} is at {place:?}, said: {said:?}"));
                    }
                }
                (said.is_some(), status.message)
            }
            Ok(kept) => match declared(kept, &world.namespace) {
                Err(why) => {
                    by_controller += 1;
                    (said.is_some(), why)
                }
                Ok(()) => (said.is_none(), "taken".to_owned()),
            },
        };
        if !right {
            apart.push(format!(
                "{spec}\n  API server and controller: {why}\n  validate: {said:?}"
            ));
        }
    }
    println!(
        "{} specs tried: {by_server} refused by the API server, {by_editors} of them by the schema for editors too, {by_controller} by the \
         controller alone; of {fields} fields that the API server refused, validate points to {located} by line; {} times they part",
        specs.len(),
        apart.len()
    );
    assert!(apart.is_empty(), "{}", apart.join("\n"));
    assert!(by_server > 200 && by_controller > 10 && specs.len() - by_server - by_controller > 100);
    // What the schema can't say are rules that compare: with what was before, keys with each other, prefixes of paths.
    assert!(by_editors * 10 > by_server * 9, "{by_editors} of {by_server}");
}

/// Each checks by itself: the controller sees objects from before the schema of today too.
#[test]
fn api_server_and_controller_take_the_same_texts() {
    let world = World::without_controller("texts");
    // Which account a role is in is looked up, not declared.
    let specs = texts().into_iter().filter(|spec| spec.get("accountId").is_none());
    let named = |(n, spec)| object(&format!("s{n:04}"), &spec);
    let objects: Vec<Value> = specs.enumerate().map(named).collect();
    let answers = world.dry_run(&objects);
    let refused = answers.iter().filter(|answer| answer.is_err()).count();
    println!("{} texts tried, {refused} refused by the API server", objects.len());
    assert!(refused > 100 && objects.len() - refused > 100);
    for (object, answer) in objects.into_iter().zip(answers) {
        let spec = object["spec"].to_string();
        let declared = declared(object, &world.namespace);
        assert_eq!(declared.is_ok(), answer.is_ok(), "{spec}: {declared:?}, {answer:?}");
    }
}

/// The schema by which editors and kubeconform check.
fn editors() -> jsonschema::Validator {
    let schema = include_str!("../../../deploy/schemas/pinpointimportrole_v1alpha1.json");
    jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap()
}

/// Metadata that people write, right and wrong.
fn metadata() -> Vec<Value> {
    let mut all = Vec::new();
    for name in [
        "a.b",
        "a..b",
        "a-",
        "-a",
        "A",
        "1",
        &"a".repeat(253),
        &"a".repeat(254),
        &"a".repeat(64),
        "",
    ] {
        all.push(json!({"name": name}));
    }
    let long = "x".repeat(64);
    let keys = [
        "a", "A_b.c-d", "-a", "a/b", "a.b/c", "A/b", "a/b/c", "/a", "a/", "", "a b", "ä", &long,
    ];
    for key in keys {
        all.push(json!({"name": "a", "labels": {key: "b"}}));
        all.push(json!({"name": "a", "annotations": {key: "b \n ä"}}));
    }
    for value in ["", "b-", "B_c.d", "b c", "ä", &long, &long[1..]] {
        all.push(json!({"name": "a", "labels": {"a": value}}));
    }
    for field in [
        "labels",
        "annotations",
        "finalizers",
        "ownerReferences",
        "lables",
        "creationTimestamp",
        "managedFields",
    ] {
        for value in [
            json!(null),
            json!([]),
            json!({}),
            json!({"a": 1}),
            json!("a"),
            json!({"a": null}),
        ] {
            all.push(json!({"name": "a", field: value}));
        }
    }
    all.extend([
        json!({"name": 1}),
        json!({"name": "a", "generation": 5}),
        json!({"name": "a", "uid": 5}),
    ]);
    all
}

#[test]
fn metadata_is_taken_as_the_api_server_takes_it() {
    let world = World::without_controller("metadata");
    let folder = tempfile::tempdir().unwrap();
    let mut objects = Vec::new();
    for (n, metadata) in metadata().into_iter().enumerate() {
        let mut object = object("a", &json!({"roleName": format!("r{n}")}));
        object["metadata"] = metadata;
        fs::write(folder.path().join(format!("s{n:04}.yaml")), object.to_string()).unwrap();
        objects.push(object);
    }
    let said = validated(folder.path(), &world.namespace);
    assert!(
        said.len() > 30 && objects.len() - said.len() > 20,
        "{} refused",
        said.len()
    );
    let mut apart = Vec::new();
    for (n, answer) in world.dry_run(&objects).into_iter().enumerate() {
        let said = said.get(&format!("s{n:04}"));
        if said.is_some() != answer.is_err() {
            let answer = answer.map_or_else(|status| status.message, |_| "taken".to_owned());
            apart.push(format!(
                "{}\n  API server: {answer}\n  validate: {said:?}",
                objects[n]["metadata"]
            ));
        }
    }
    println!("{} metadata tried, {} times they part", objects.len(), apart.len());
    assert!(apart.is_empty(), "{}", apart.join("\n"));
}

#[test]
fn every_spelling_is_read_as_kubectl_reads_it() {
    let world = World::without_controller("spellings");
    let table: Vec<Value> = serde_json::from_str(include_str!("../../data/spellings.json")).unwrap();
    let head = "apiVersion: pinpoint-import.dev/v1alpha1\nkind: PinpointImportRole\nmetadata:\n  name: x\n";
    let manifest = |row: &Value| format!("{head}x: {}\n", row["yaml"].as_str().unwrap());
    let reading = |text: &str| {
        let arguments = [
            "create",
            "--dry-run=client",
            "--validate=false",
            "-o",
            "json",
            "-n",
            &world.namespace,
            "-f",
            "-",
        ];
        world.plane().feed(&arguments, text)
    };
    let (taken, refused): (Vec<&Value>, Vec<&Value>) = table.iter().partition(|row| row.get("read").is_some());
    let text: Vec<String> = taken.iter().map(|row| manifest(row)).collect();
    let printed = reading(&text.join("---\n")).unwrap();
    let mut found: Vec<Value> = Vec::new();
    for value in serde_json::Deserializer::from_str(&printed).into_iter::<Value>() {
        let value = value.unwrap();
        match value["items"].as_array() {
            Some(items) => found.extend(items.clone()),
            None => found.push(value),
        }
    }
    assert_eq!(found.len(), taken.len());
    let wrong: Vec<String> = taken
        .iter()
        .zip(&found)
        .filter(|(row, found)| row["read"] != found["x"])
        .map(|(row, found)| format!("{row}: {}", found["x"]))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for row in &refused {
        assert!(reading(&manifest(row)).is_err(), "{row}");
    }
    // Whole files: how many objects kubectl finds, none where it refuses the file.
    let object = |name: &str| head.replace("name: x", &format!("name: {name}"));
    let (one, two) = (object("one"), object("two"));
    let files = [
        (format!("\u{feff}{one}"), Some(1)),
        (format!("{one}---\n{two}").replace('\n', "\r\n"), Some(2)),
        (format!("---\n---\n{one}--- # two\n{two}---\n"), Some(2)),
        (format!("{one}--- {{}}\n{two}"), None),
        (format!("%YAML 1.1\n---\n{one}"), None),
        (format!("{one}x: \u{7}\n"), None),
        (
            format!("{{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [\t]}}\n---\n{one}"),
            Some(1),
        ),
        (format!("{one}x: &a [1]\ny: *a\n"), Some(1)),
    ];
    for (text, objects) in files {
        let found = reading(&text)
            .ok()
            .map(|printed| printed.matches("\"kind\": \"PinpointImportRole\"").count());
        assert_eq!(found, objects, "kubectl: {text:?}");
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("all.yaml"), &text).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_pinpoint-import-role-controller"))
            .args(["validate", "-f", "all.yaml"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let (said, sum) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        let checked = sum.split(' ').next().and_then(|count| count.parse().ok());
        let checked: Option<usize> = checked.filter(|_| !said.contains("is no YAML"));
        assert_eq!(checked, objects, "{text:?}: {said}{sum}");
    }
    println!(
        "{} spellings are read as kubectl reads them, {} of them are refused",
        table.len(),
        refused.len()
    );
}
