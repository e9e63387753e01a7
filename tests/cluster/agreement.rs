//! `validate` takes what the API server and the controller take, and nothing else: over the table of refused values, over generated
//! specs whose values lie at the edges, and over the spellings that YAML has for a value.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use pinpoint_import_role_controller::{
    api::v1alpha1::PinpointImportRole,
    role::{Account, Guards, Owner, Patterns, RolePath, Surroundings},
};
use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    sample::select,
    strategy::ValueTree,
    test_runner::TestRunner,
};
use serde_json::{Map, Value, json};

use crate::{validation::refused, world::World};

/// Generated specs.
const SPECS: usize = 1500;

/// A text of these characters and one of these lengths.
fn text(characters: &str, lengths: Vec<usize>) -> BoxedStrategy<String> {
    let characters: Vec<char> = characters.chars().collect();
    select(lengths)
        .prop_flat_map(move |length| vec(select(characters.clone()), length))
        .prop_map(|characters| characters.into_iter().collect())
        .boxed()
}

/// One of these texts, sometimes with a character put in, taken out, or the whole repeated.
fn near(texts: &'static [&'static str], characters: &'static str) -> BoxedStrategy<String> {
    let characters: Vec<char> = characters.chars().collect();
    (select(texts), any::<prop::sample::Index>(), select(characters), 0..5)
        .prop_map(|(text, place, other, how)| {
            let mut all: Vec<char> = text.chars().collect();
            let at = place.index(all.len() + 1);
            match how {
                0 => all.insert(at, other),
                1 => drop((at < all.len()).then(|| all.remove(at))),
                _ => {}
            }
            all.into_iter().collect()
        })
        .boxed()
}

fn value(text: impl Strategy<Value = String> + 'static) -> BoxedStrategy<Value> {
    text.prop_map(Value::from).boxed()
}

/// What fits no field, or only by chance.
fn junk() -> BoxedStrategy<Value> {
    let values = vec![
        json!(null),
        json!(true),
        json!(0),
        json!(3600.0),
        json!(3600.5),
        json!(-1e20),
        json!(u64::MAX),
        json!(""),
        json!("3600"),
        json!([]),
        json!({}),
        json!([null]),
        json!({"a": null}),
        json!(["a"]),
        json!({"a": 1}),
        json!({"a": "b"}),
    ];
    select(values).boxed()
}

const ARN: &[&str] = &[
    "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    "arn:aws-cn:iam::aws:policy/job-function/ViewOnlyAccess",
    "arn:aws:iam::123456789012:policy/team//a",
    "arn:aws:iam::aws:policy//a",
    "arn:aws:iam::aws:role/a",
    "arn:AWS:iam::aws:policy/a",
];
const KEY: &[&str] = &[
    "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab",
    "arn:aws:kms:us-east-1:123456789012:alias/a",
    "arn:aws:kms::123456789012:key/a",
];
/// Letters, marks, spaces and digits that readers of patterns are known to differ about.
const ODD: &str = "aZ09_.:/=+@-,!*\\ \t\n\u{1}\u{7f}\u{85}\u{a0}¡éſKKßÄä\u{301}\u{93e}\u{345}٣Ⅷ²セ日𝄞😀\u{2028}\u{3000}\u{200b}\u{feff}\u{ff}\u{100}";

fn arn() -> BoxedStrategy<Value> {
    let long = text("ab/", vec![2000, 2024, 2025, 2100]).prop_map(|path| format!("arn:aws:iam::aws:policy/{path}/x"));
    prop_oneof![6 => near(ARN, ODD), 1 => long, 1 => text("a", vec![127, 128, 129]).prop_map(|name| format!("arn:aws:iam::aws:policy/{name}"))]
        .prop_map(Value::from)
        .boxed()
}

fn tags() -> BoxedStrategy<Value> {
    let key = prop_oneof![
        4 => text(ODD, vec![1, 2, 3]),
        2 => text("aé", vec![0, 127, 128, 129]),
        2 => select(&["team", "Team", "aws:a", "AWS:a", "aws", "pinpoint-import.dev/uid", "Pinpoint-Import.dev/Cluster", "pinpoint-import.dev/cluſter", "pinpoint-import.dev/x"][..]).prop_map(str::to_owned),
    ];
    let held = prop_oneof![4 => text(ODD, vec![0, 1, 2]).prop_map(Value::from), 1 => text("bé", vec![255, 256, 257]).prop_map(Value::from), 1 => junk()];
    let many =
        (39_usize..43).prop_map(|count| (0..count).map(|n| (format!("k{n}"), json!("v"))).collect::<Map<_, _>>());
    prop_oneof![6 => btree_map(key, held, 1..3).prop_map(|tags| json!(tags)), 1 => many.prop_map(Value::Object)].boxed()
}

fn trust() -> BoxedStrategy<Value> {
    const REGIONS: &[&str] = &[
        "us-east-1",
        "ap-southeast-1",
        "us-gov-west-1",
        "us-east-12",
        "us-1",
        "a-b-1",
        "u-east-1",
        "us-east-123",
    ];
    let region = near(REGIONS, ODD);
    let id = prop_oneof![3 => text("0123456789abcdef", vec![32]), 1 => text("0aAg٣", vec![31, 32, 33])];
    let odd = vec(
        prop_oneof![4 => (region, id).prop_map(|(region, id)| json!({"region": region, "id": id})), 1 => junk()],
        0..3,
    );
    let count = select(vec![17_usize, 19, 20, 21]);
    let many = (
        select(&["us-east-1", "eu-west-1", "ap-southeast-1", "us-gov-west-1"][..]),
        count,
    )
        .prop_map(|(region, count)| {
            (0..count)
                .map(|n| json!({"region": region, "id": format!("{n:032x}")}))
                .collect::<Vec<_>>()
        });
    let source = prop_oneof![value(near(&["123456789012"], "0٣a")), junk()];
    let applications = prop_oneof![odd, many];
    prop_oneof![
        4 => applications.prop_map(|applications| json!({"applications": applications})),
        1 => source.prop_map(|source| json!({"sourceAccount": source})),
        1 => junk().prop_map(|junk| json!({"applications": junk})),
    ]
    .boxed()
}

fn buckets() -> BoxedStrategy<Value> {
    let name = prop_oneof![
        near(&["my-bucket", "a.b", "ab", "-ab", "abc"], ODD),
        text("ab-", vec![2, 3, 63, 64])
    ];
    let prefix = prop_oneof![3 => text(ODD, vec![1, 2, 3]), 1 => text("aセ", vec![0, 511, 512, 513])];
    let one = prop_oneof![
        (name, prefix.clone()).prop_map(|(name, prefix)| json!({"name": name, "prefix": prefix})),
        prefix.prop_map(|prefix| json!({"name": "my-bucket", "prefix": prefix})),
        near(KEY, ODD).prop_map(|key| json!({"name": "my-bucket", "kmsKeyArn": key})),
        junk().prop_map(|junk| json!({"name": "my-bucket", "prefix": junk})),
    ];
    let shapes = (
        select(vec![1_usize, 19, 20, 21]),
        select(vec![10_usize, 90, 110, 150, 200]),
        select(vec!['a', 'セ', '*']),
    );
    let many = shapes.prop_map(|(count, length, of)| {
        let prefix = of.to_string().repeat(length);
        (0..count)
            .map(|n| json!({"name": format!("bucket-{n:02}"), "prefix": prefix}))
            .collect::<Vec<_>>()
    });
    prop_oneof![vec(one, 1..3), many]
        .prop_map(|buckets| json!(buckets))
        .boxed()
}

/// Fields, and values at the edges of what each takes.
fn fields() -> Vec<(&'static str, BoxedStrategy<Value>)> {
    const NUMBERS: [f64; 10] = [
        3600.0,
        3599.0,
        43200.0,
        43201.0,
        3600.5,
        -3600.0,
        2_147_483_648.0,
        1e18,
        1e19,
        1e300,
    ];
    const INTERVALS: &[&str] = &[
        "30s",
        "29s",
        "29.9s",
        "30.5s",
        "24h",
        "24h1s",
        "1439m60s",
        "1h30m",
        "0.5m",
        "0.25h",
        "86400s",
        "86401s",
        "24h0.5s",
        "29.99999999999999999999999999s",
        "9999999999999999999999999999h",
        "30000ms",
        "29999ms",
        "1d",
        "5",
        "0",
        "-5m",
        "30us",
        "1m1m",
        "0024h",
        "0.50000000000000000000001m",
        "24h0.0s",
    ];
    let name = prop_oneof![
        text("abZ9_+=,.@-", vec![1, 63, 64, 65]),
        text(ODD, vec![0, 1, 2]),
        near(&["Import"], ODD)
    ];
    let path = prop_oneof![
        near(
            &[
                "/",
                "/a/",
                "/aws-service-role/a/",
                "/aws-service-role/",
                "/a/b/",
                "//",
                "///",
                "/a",
                "a/"
            ],
            ODD
        ),
        text("a", vec![509, 510, 511]).prop_map(|path| format!("/{path}/"))
    ];
    let description = prop_oneof![text(ODD, vec![1, 2]), text("aé", vec![0, 999, 1000, 1001])];
    let one_of = |values: &'static [&'static str]| prop_oneof![3 => value(near(values, "aA ")), 1 => junk()].boxed();
    vec![
        ("roleName", value(name)),
        ("path", value(path)),
        ("description", value(description)),
        ("maxSessionDuration", prop_oneof![3 => select(&NUMBERS[..]).prop_map(|n| json!(n)), 1 => (3590..3610_i64).prop_map(Value::from), 1 => junk()].boxed()),
        ("permissionsBoundary", arn()),
        ("tags", tags()),
        ("trust", trust()),
        ("managedPolicyArns", vec(arn(), 1..4).prop_map(|arns| json!(arns)).boxed()),
        ("buckets", buckets()),
        ("undeclaredPolicies", one_of(&["Keep", "Remove"])),
        ("driftPolicy", one_of(&["Repair", "Report"])),
        ("adoptionPolicy", one_of(&["Adopt", "Never"])),
        ("deletionPolicy", one_of(&["Delete", "Retain"])),
        ("accountId", value(near(&["123456789012", "000000000000"], "0٣a "))),
        ("suspend", prop_oneof![Just(json!(true)), junk()].boxed()),
        ("interval", prop_oneof![3 => value(select(INTERVALS).prop_map(str::to_owned)), 1 => value(near(INTERVALS, "0.smh"))].boxed()),
        ("rolename", junk()),
    ]
}

/// Specs with one or two values at an edge.
fn generated() -> Vec<Value> {
    let field = select(fields()).prop_flat_map(|(field, odd)| (Just(field), prop_oneof![9 => odd, 1 => junk()]));
    let spec = vec(field, 1..3).prop_map(|fields| {
        let fields: Map<String, Value> = fields
            .into_iter()
            .map(|(field, value)| (field.to_owned(), value))
            .collect();
        Value::Object(fields)
    });
    let mut runner = TestRunner::deterministic();
    let one = |_| spec.new_tree(&mut runner).expect("a spec").current();
    (0..SPECS).map(one).collect()
}

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
    let specs: Vec<Value> = table.into_iter().chain(generated()).collect();
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

    let (mut by_server, mut by_controller, mut fields, mut located) = (0, 0, 0, 0);
    let mut apart = Vec::new();
    for (n, (spec, answer)) in specs.iter().zip(answers).enumerate() {
        let said = said.get(&format!("s{n:04}"));
        let (right, why) = match answer {
            Err(status) => {
                by_server += 1;
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
        "{} specs tried: {by_server} refused by the API server, {by_controller} by the controller alone; of {fields} fields that the API \
         server refused, validate points to {located} by line; {} times they part",
        specs.len(),
        apart.len()
    );
    assert!(apart.is_empty(), "{}", apart.join("\n"));
    assert!(by_server > 200 && by_controller > 10 && specs.len() - by_server - by_controller > 100);
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
    let table: Vec<Value> = serde_json::from_str(include_str!("../data/spellings.json")).unwrap();
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
