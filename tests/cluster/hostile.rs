//! What others wrote into AWS is data wherever it is printed: in a terminal, a manifest, a comment, a status, an event and the log.

use std::{collections::BTreeSet, fs};

use pinpoint_import_role_controller::plain::is_hidden;
use serde_json::{Value, json};
use test_support::iam::RoleBuilder;

use crate::{
    commands::{Said, run, run_with},
    world::{ADMIN, GUIDE_TRUST, S3_READ_ONLY, WIDE_TRUST, World},
};

/// Ends lines, comments and cells by every means, and acts on terminals. The characters are those that XML can carry.
const HOSTILE: &str = "a\u{2028}---\u{2028}apiVersion: v1\u{2028}kind: ConfigMap\u{2028}metadata: {name: pwned}\u{85}# \u{2029}\
    \u{9b}2J\u{202e}|`<b>\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: pwned-too}}\n";

fn nothing_hidden(what: &str, text: &str) {
    let found = text.chars().find(|c| *c != '\n' && is_hidden(*c));
    assert_eq!(found, None, "{what}: {text:?}");
    assert!(!text.contains("\n---\n{"), "{what}: {text}");
}

fn harmless(what: &str, said: &Said) {
    nothing_hidden(what, &said.out);
    nothing_hidden(what, &said.err);
}

/// Roles whose names YAML 1.1 takes for something else than texts, and whose every other text is hostile.
fn hostile_roles(world: &World) -> usize {
    let names = [
        "yes",
        "N",
        "on",
        "null",
        "0123",
        "0o17",
        "1e3",
        "0x1F",
        "1_000",
        "2026-11-25",
        "+1",
        ".5",
        "=",
        "Plain.Role",
    ];
    let trust = GUIDE_TRUST.replace("AllowUserToImportEndpointDefinitions", r"\u001b[2J\u2028x");
    let document = json!({"Version": "2012-10-17", "Statement": [{"Sid": HOSTILE, "Effect": "Allow", "Action": "*", "Resource": "*"}]});
    for (n, name) in names.iter().enumerate() {
        world.iam.put_role(
            RoleBuilder::new(name)
                .trust_policy(&trust)
                .attached(S3_READ_ONLY)
                .description(HOSTILE)
                .tag(&format!("{HOSTILE}{n}"), HOSTILE)
                .inline("Theirs", &document.to_string()),
        );
    }
    names.len()
}

/// Regression: U+2028 in a tag ended the comment that `export` writes it into, and began a document of its own in the YAML.
#[test]
fn hostile_roles_make_manifests_of_our_kind_only() {
    let world = World::without_controller("hostile-export");
    let count = hostile_roles(&world);
    let said = run(&world, &["export", "--all", "--namespace", &world.namespace]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    harmless("export", &said);
    let path = world.folder().join("exported.yaml");
    fs::write(&path, &said.out).unwrap();
    let file = path.to_str().unwrap();
    // kubectl reads YAML 1.1, and the API server has the last word.
    let made = world
        .kubectl(&["apply", "--dry-run=server", "-f", file, "-o", "json"])
        .unwrap();
    let made: Value = serde_json::from_str(&made).unwrap();
    let made = made["items"].as_array().unwrap();
    assert_eq!(made.len(), count);
    let named: BTreeSet<&str> = made
        .iter()
        .map(|object| object["spec"]["roleName"].as_str().unwrap())
        .collect();
    let roles = world.iam.roles();
    assert_eq!(
        named,
        roles.iter().map(|role| role.name.as_str()).collect(),
        "names are read as they are"
    );
    assert!(made.iter().all(|object| object["kind"] == "PinpointImportRole"));

    // What the other commands say of these roles.
    let said = run(&world, &["validate", "-f", file]);
    assert_eq!(said.code, 0, "{}", said.out);
    for arguments in [
        &["plan", "-f", file, "--cluster-id=x"][..],
        &["plan", "-f", file, "--cluster-id=x", "--output=markdown"],
        &["plan", "-f", file, "--cluster-id=x", "--output=json"],
        &["plan", "-f", file, "--cluster-id=x", "--output=sarif"],
        &["plan", "-f", file, "--cluster-id=x", "--output=html"],
        &["audit"],
        &["audit", "--output=csv"],
        &["audit", "--output=json"],
        &["audit", "--output=sarif"],
        &["audit", "--output=html"],
    ] {
        let said = run(&world, arguments);
        assert!(
            said.code != 1 && said.out.len() > 100,
            "{arguments:?}: {}{}",
            said.out,
            said.err
        );
        harmless(&arguments.join(" "), &said);
        if arguments
            .iter()
            .any(|argument| argument.ends_with("json") || argument.ends_with("sarif"))
        {
            said.json();
        }
    }
    let said = run(&world, &["export", "a\u{1b}[2J\nerror: forged"]);
    assert_eq!(said.code, 1);
    harmless("an error", &said);
    assert!(!said.err.contains("\nerror: forged"), "{}", said.err);
}

/// A status, an event and the log show what was found, and do nothing that it wants.
#[test]
fn hostile_drift_is_told_as_text() {
    let world = World::in_place("hostile-drift", &json!({"driftPolicy": "Report"}));
    let name = world.role_name("segments");
    world.iam.tamper(&name, |role| {
        role.trust_policy = WIDE_TRUST.replace("999999999999", r"x\u001b[2J\u2028y");
        role.attached.insert(format!("arn:aws:iam::aws:policy/{HOSTILE}"));
    });
    world.look("segments");
    world.wait_ready("segments", "False", "DriftDetected");
    let note = world.wait_event("segments", "DriftDetected");
    nothing_hidden("the event", &note);
    let status = world.status("segments");
    let texts = status.to_string();
    // JSON escapes some of what is hidden by itself.
    for escaped in ["\\n", "\\u001b", "\\t"] {
        assert!(!texts.replace("\\\\", "").contains(escaped), "{texts}");
    }
    nothing_hidden("the status", &texts);
    assert!(texts.contains(r"x\\u{1b}[2J\\u{2028}y"), "{texts}");
    nothing_hidden("the log", &world.log());
}

/// `export` knows the controller's settings, and says which would allow what they refuse.
#[test]
fn export_says_what_the_settings_would_refuse() {
    let world = World::without_controller("export-settings");
    let customers = "arn:aws:iam::123456789012:policy/PinpointS3Import";
    world.iam.put_role(
        RoleBuilder::new("Tutorial")
            .trust_policy(GUIDE_TRUST)
            .attached(customers),
    );
    let default = [("PIR_ALLOWED_POLICY_ARNS", "")];
    let export = ["export", "Tutorial", "--namespace", &world.namespace];
    let said = run_with(&world, &export, &default);
    assert_eq!(said.code, 1, "{}", said.out);
    for text in [&said.out, &said.err] {
        assert!(
            text.contains("NOT ALLOWED") && text.contains(customers) && text.contains("--allowed-policy-arns"),
            "{text}"
        );
    }
    let path = world.folder().join("tutorial.yaml");
    fs::write(&path, &said.out).unwrap();
    let file = path.to_str().unwrap();
    assert_eq!(run_with(&world, &["validate", "-f", file], &default).code, 1);

    let settings = world.folder().join("settings.yaml");
    fs::write(&settings, format!("allowed-policy-arns: ['{customers}']\n")).unwrap();
    let config = ["--config", settings.to_str().unwrap()];
    let said = run_with(&world, &[&export[..], &config].concat(), &default);
    assert_eq!(
        (said.code, said.out.contains("NOT")),
        (0, false),
        "{}{}",
        said.out,
        said.err
    );
    fs::write(&path, &said.out).unwrap();
    assert_eq!(
        run_with(&world, &[&["validate", "-f", file][..], &config].concat(), &default).code,
        0
    );

    // A boundary that every role gets would come upon this one.
    let said = run_with(&world, &[&export[..], &["--permissions-boundary", ADMIN]].concat(), &[]);
    assert!(
        said.code == 1 && said.out.contains("suspend: true") && said.out.contains("no permissions boundary"),
        "{}",
        said.out
    );
}

/// A comment on a pull request may have 65,536 characters (GitHub). A plan for programs is never cut.
#[test]
fn a_plan_of_many_new_roles_fits_a_comment() {
    const MANY: usize = 60;
    let world = World::without_controller("hostile-many");
    let object = |n: usize| {
        json!({
            "apiVersion": "pinpoint-import.dev/v1alpha1",
            "kind": "PinpointImportRole",
            "metadata": {"name": format!("segments-{n}"), "namespace": world.namespace},
            "spec": {"tags": {"team": "a"}, "buckets": [{"name": "my-bucket", "prefix": "x/"}], "trust": {"sourceAccount": "123456789012"}},
        })
    };
    let list = json!({"apiVersion": "v1", "kind": "List", "items": (0..MANY).map(object).collect::<Vec<_>>()});
    let path = world.folder().join("many.json");
    fs::write(&path, list.to_string()).unwrap();
    let plan = |output: &str| {
        let said = run(
            &world,
            &[
                "plan",
                "-f",
                path.to_str().unwrap(),
                "--cluster-id=x",
                "--output",
                output,
            ],
        );
        assert_eq!(said.code, 2, "{}", said.err);
        said
    };
    let markdown = plan("markdown").out;
    eprintln!("{} characters, {} bytes", markdown.chars().count(), markdown.len());
    assert!(markdown.len() < 65_536);
    assert_eq!(markdown.lines().filter(|line| line.starts_with("| `")).count(), MANY);
    let shown = markdown.matches("<details>").count();
    assert!(
        markdown.contains(&format!("the calls for {} objects and ", MANY - shown)),
        "{markdown}"
    );
    assert!(markdown.contains("`--output json` shows all"));
    let objects = plan("json").json()["objects"].as_array().unwrap().clone();
    assert!(
        objects.len() == MANY
            && objects
                .iter()
                .all(|object| !object["calls"].as_array().unwrap().is_empty())
    );
    let sarif = plan("sarif").json();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(
        results.len(),
        2 * MANY,
        "each CreateRole and PutRolePolicy widens access"
    );
}
