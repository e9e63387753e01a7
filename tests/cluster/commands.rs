//! `plan`, `audit` and `export`: they read only, say what is, and agree with the controller.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};
use test_support::iam::{Config, FakeIam, Fault, RoleBuilder, Rule};

use crate::world::{ADMIN, GUIDE_TRUST, S3_READ_ONLY, WIDE_TRUST, World};

const S3_FULL: &str = "arn:aws:iam::aws:policy/AmazonS3FullAccess";

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
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinpoint-import-role-controller"));
    command
        .env_clear()
        .args(arguments)
        .env("KUBECONFIG", world.plane().kubeconfig())
        .env("AWS_ENDPOINT_URL_IAM", world.iam.endpoint())
        .env("AWS_ENDPOINT_URL_STS", world.iam.endpoint())
        .env("AWS_ACCESS_KEY_ID", "person")
        .env("AWS_SECRET_ACCESS_KEY", "person")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_REGION", "us-east-1")
        .env("PIR_ALLOWED_POLICY_ARNS", "*")
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
fn objects(world: &World, said: &Said) -> BTreeMap<String, Value> {
    let report = said.json();
    let all = report["objects"].as_array().unwrap().iter();
    let ours = all.filter(|object| object["namespace"] == world.namespace.as_str());
    ours.map(|object| (object["name"].as_str().unwrap().to_owned(), object.clone()))
        .collect()
}

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
        world.kubectl(&["delete", "pir", name, "--wait=false"]).unwrap();
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

    let validator = jsonschema(&said.json());
    assert!(validator.is_empty(), "{validator:?}");
}

/// What is wrong with a plan by the published schema.
fn jsonschema(report: &Value) -> Vec<String> {
    let schema = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/pipeline/plan.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    validator.iter_errors(report).map(|error| error.to_string()).collect()
}

/// Manifests in a file of the world.
fn manifests(world: &World, objects: &[(&str, Value)]) -> String {
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
    let denied = Fault::Error {
        status: 403,
        code: "AccessDenied".to_owned(),
        message: "not you".to_owned(),
    };
    world.iam.fault(
        Rule::new(denied)
            .action("GetAccountAuthorizationDetails")
            .nth(2)
            .times(usize::MAX),
    );
    refused(
        &["audit"],
        &[],
        &["GetAccountAuthorizationDetails", "AccessDenied", "not you"],
    );
    refused(&["export", "--all"], &[], &["GetAccountAuthorizationDetails"]);
}

/// An account with roles of every kind, for `audit`.
fn mixed_account(world: &World) {
    world
        .apply(
            "managed",
            &json!({"trust": {"applications": [
        {"region": "us-east-1", "id": "0123456789abcdef0123456789abcdef"},
    ]}, "buckets": [{"name": "my-bucket"}]}),
        )
        .unwrap();
    world.wait_reconciled("managed");
    let trust = |principal: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}]}}"#
        )
    };
    let cluster = world.role("managed").unwrap().tags["pinpoint-import.dev/cluster"].clone();
    let recently = SystemTime::now() - Duration::from_hours(24);
    let long_ago = SystemTime::now() - Duration::from_hours(24 * 200);
    let guide = RoleBuilder::new("GuideByHand")
        .trust_policy(GUIDE_TRUST)
        .attached(S3_READ_ONLY);
    world.iam.put_role(guide.last_used(recently, "us-east-1"));
    let regional =
        RoleBuilder::new("Regional").trust_policy(&trust(r#"{"Service":"pinpoint.us-east-1.amazonaws.com"}"#));
    world.iam.put_role(regional.last_used(long_ago, "eu-west-1"));
    world
        .iam
        .put_role(RoleBuilder::new("Wild").trust_policy(&trust(r#""*""#)).attached(ADMIN));
    let shared = trust(r#"{"Service":["pinpoint.amazonaws.com","ec2.amazonaws.com"]}"#);
    world
        .iam
        .put_role(RoleBuilder::new("Shared").trust_policy(&shared).created(long_ago));
    let gone = RoleBuilder::new("Gone")
        .trust_policy(GUIDE_TRUST)
        .tag("pinpoint-import.dev/cluster", &cluster);
    world.iam.put_role(
        gone.tag("pinpoint-import.dev/uid", "1")
            .tag("pinpoint-import.dev/namespace", "a")
            .tag("pinpoint-import.dev/name", "b"),
    );
    let other = RoleBuilder::new("OtherCluster")
        .trust_policy(GUIDE_TRUST)
        .tag("pinpoint-import.dev/cluster", "another");
    world.iam.put_role(other.tag("pinpoint-import.dev/uid", "2"));
    // Tags of an object that is there, on a role that is not its.
    let mut copied = RoleBuilder::new("Copied").trust_policy(GUIDE_TRUST);
    for (key, value) in &world.role("managed").unwrap().tags {
        copied = copied.tag(key, value);
    }
    world.iam.put_role(copied);
    let stranger = GUIDE_TRUST.replace(
        r#""Action""#,
        r#""Condition":{"StringEquals":{"aws:SourceAccount":"999999999999"}},"Action""#,
    );
    world
        .iam
        .put_role(RoleBuilder::new("Stranger").trust_policy(&stranger).attached(S3_FULL));
    let twice = GUIDE_TRUST.replace(r#""Action""#, r#""action":"sts:*","Action""#);
    world.iam.put_role(RoleBuilder::new("Unreadable").trust_policy(&twice));
    for n in 0..5 {
        world.iam.put_role(RoleBuilder::new(&format!("unrelated-{n}")));
    }
    world.iam.clear_calls();
}

#[test]
fn audit_finds_every_role_that_trusts_pinpoint() {
    let world = World::new("audit");
    mixed_account(&world);
    world.iam.set_page_size(3);
    let said = run(&world, &["audit", "--output=json"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let report = said.json();
    assert_eq!(report["rolesRead"], 15);
    let roles: BTreeMap<&str, &Value> = report["roles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|role| (role["name"].as_str().unwrap(), role))
        .collect();
    let managed = world.role_name("managed");
    let names: BTreeSet<&str> = roles.keys().copied().collect();
    assert_eq!(
        names,
        [
            "GuideByHand",
            "Regional",
            "Wild",
            "Shared",
            "Gone",
            "OtherCluster",
            "Copied",
            "Stranger",
            "Unreadable",
            &managed
        ]
        .into()
    );
    let worst = |name: &str| {
        roles[name]["findings"][0]["severity"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    for (name, management, severity) in [
        (managed.as_str(), "managed", ""),
        ("GuideByHand", "foreign", "medium"),
        ("Regional", "foreign", "medium"),
        ("Wild", "foreign", "high"),
        ("Shared", "foreign", "high"),
        ("Gone", "orphaned", "medium"),
        ("OtherCluster", "claimed", "medium"),
        ("Copied", "unproven", "medium"),
        ("Stranger", "foreign", "high"),
        ("Unreadable", "foreign", "high"),
    ] {
        assert_eq!(
            (roles[name]["management"].as_str().unwrap(), worst(name).as_str()),
            (management, severity),
            "{name}"
        );
    }
    assert_eq!(roles[managed.as_str()]["guarded"], "yes");
    assert_eq!(roles[managed.as_str()]["reach"]["buckets"], json!(["my-bucket"]));
    assert_eq!(
        roles[managed.as_str()]["object"],
        format!("{}/managed", world.namespace)
    );
    assert_eq!(roles["GuideByHand"]["reach"]["everyBucket"], true);
    assert_eq!(roles["GuideByHand"]["lastUsedRegion"], "us-east-1");
    assert_eq!(roles["Wild"]["others"], json!(["everybody (*)"]));
    assert_eq!(roles["Shared"]["others"], json!(["ec2.amazonaws.com"]));
    assert!(roles["Copied"]["findings"].to_string().contains("tags can be copied"));
    assert_eq!(roles["Stranger"]["strangers"], json!(["999999999999"]));
    assert_eq!(roles["Stranger"]["beyond"]["power"], "writeS3");
    assert_eq!(roles[managed.as_str()]["beyond"], Value::Null);
    assert_eq!(roles["Wild"]["beyond"]["power"], "everything");
    assert!(
        roles["Unreadable"]["unreadable"]
            .as_str()
            .unwrap()
            .contains("given twice")
    );
    assert!(roles["Regional"]["findings"].to_string().contains("90 days"));
    assert!(roles["Shared"]["findings"].to_string().contains("or never"));
    assert!(!roles["Gone"]["findings"].to_string().contains("or never"), "it is new");
    assert!(roles["GuideByHand"]["created"].as_str().unwrap().starts_with("20"));
    audit_says_the_same_in_every_form(&world);
}

/// The account of that test as a table, in CSV, and as an exit code.
fn audit_says_the_same_in_every_form(world: &World) {
    let table = run(world, &["audit"]);
    assert!(
        table.out.starts_with("ROLE")
            && table.out.contains("orphaned: a/b")
            && table.out.contains("every bucket")
            && table.out.contains("no, for 999999999999"),
        "{}",
        table.out
    );
    assert!(
        table.err.contains("10 of 15 roles") && table.err.contains("2026-10-30"),
        "{}",
        table.err
    );
    let csv = run(world, &["audit", "--output=csv"]);
    assert_eq!(csv.out.lines().count(), 11, "{}", csv.out);
    assert!(
        csv.out
            .contains("Shared,arn:aws:iam::123456789012:role/Shared,high,nobody"),
        "{}",
        csv.out
    );
    let stranger = "every bucket,writes S3,\"no, for 999999999999\",-,";
    assert!(csv.out.contains(stranger), "{}", csv.out);
    for (from, code) in [("high", 2), ("none", 0)] {
        assert_eq!(run(world, &["audit", "--fail-on", from]).code, code);
    }
    for high in ["Wild", "Shared", "Stranger", "Unreadable"] {
        world.iam.remove_role(high);
    }
    assert_eq!(run(world, &["audit", "--fail-on=high"]).code, 0);
    assert_eq!(run(world, &["audit", "--fail-on=medium"]).code, 2);
    let without = run_with(
        world,
        &["audit", "--no-cluster", "--output=json"],
        &[("KUBECONFIG", "/nowhere")],
    );
    assert!(
        without.out.contains("\"claimed\"") && !without.out.contains("\"managed\""),
        "{}",
        without.out
    );
}

#[test]
fn audit_goes_on_after_throttling_where_it_was() {
    let world = World::without_controller("audit-throttled");
    for n in 0..10 {
        world
            .iam
            .put_role(RoleBuilder::new(&format!("r{n}")).trust_policy(GUIDE_TRUST));
    }
    world.iam.set_page_size(2);
    // More than the SDK tries by itself.
    world.iam.fault(
        Rule::new(Fault::Throttle)
            .action("GetAccountAuthorizationDetails")
            .nth(3)
            .times(4),
    );
    let said = run(&world, &["audit", "--output=json"]);
    assert_eq!(said.json()["rolesRead"], 10, "{}", said.err);
    let markers: Vec<_> = world
        .iam
        .calls()
        .into_iter()
        .filter(|call| call.outcome == "OK")
        .map(|call| call.params.get("Marker").cloned())
        .collect();
    let pages: BTreeSet<_> = markers.iter().collect();
    assert_eq!(
        markers.len(),
        pages.len() + 1,
        "no page was read twice, beside GetCallerIdentity: {markers:?}"
    );
}

#[test]
fn export_adopts_roles_as_they_are() {
    let world = World::without_controller("export");
    let guarded = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole",
        "Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:mobiletargeting:us-east-1:123456789012:apps/0123456789abcdef0123456789abcdef"},
        "StringEquals":{"aws:SourceAccount":"123456789012"}}}}"#;
    let account = guarded.replace(r#""ArnLike":{"aws:SourceArn":"arn:aws:mobiletargeting:us-east-1:123456789012:apps/0123456789abcdef0123456789abcdef"},"#, "");
    world.iam.put_role(
        RoleBuilder::new("Guide")
            .trust_policy(GUIDE_TRUST)
            .attached(S3_READ_ONLY)
            .description("by hand\n--- # {")
            .tag("team", "a"),
    );
    world.iam.put_role(
        RoleBuilder::new("Guarded_Role")
            .path("/teams/")
            .trust_policy(guarded)
            .max_session_duration(7200)
            .permissions_boundary(ADMIN),
    );
    world.iam.put_role(
        RoleBuilder::new("Account")
            .trust_policy(&account)
            .inline("Mine", r#"{"Version":"2012-10-17","Statement":[]}"#),
    );
    let buckets = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::my-bucket","Condition":{"StringLike":{"s3:prefix":"a${*}/*"}}},{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::my-bucket/a${*}/*"}]}"#;
    world.iam.put_role(
        RoleBuilder::new("Buckets")
            .trust_policy(GUIDE_TRUST)
            .inline("PinpointImportBuckets", buckets),
    );
    world.iam.put_role(RoleBuilder::new("Unrelated"));

    let said = run(&world, &["export", "--all", "--namespace", &world.namespace]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    for words in [
        "# arn:aws:iam::123456789012:role/Guide",
        "kept: Mine",
        "tags are left as they are: team",
        "left as it is: \"by hand",
    ] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    assert!(!said.out.contains("Unrelated"));
    let before: BTreeMap<String, _> = world
        .iam
        .roles()
        .into_iter()
        .map(|role| (role.name.clone(), role))
        .collect();
    let mut world = world;
    world.plane().apply(&said.out).unwrap();
    world.iam.clear_calls();
    world.start();
    for name in ["guide", "guarded-role", "account", "buckets"] {
        world.wait_reconciled(name);
    }
    assert_eq!(world.writes(), ["TagRole"; 4]);
    for (name, mut role) in world.iam.roles().into_iter().map(|role| (role.name.clone(), role)) {
        role.tags.retain(|key, _| !key.starts_with("pinpoint-import.dev/"));
        assert_eq!(role, before[&name], "{name} is as it was, but for tags");
    }
    // Now they are managed, and are not exported again.
    let said = run_with(&world, &["export", "--all"], &[]);
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
    let said = run_with(&world, &["export", "Guide"], &[]);
    assert!(
        said.code == 1 && said.err.contains(&format!("{}/guide", world.namespace)),
        "{}",
        said.err
    );
}

#[test]
fn what_a_manifest_cannot_say_is_said_and_suspended() {
    let world = World::without_controller("export-unsaid");
    let strange = GUIDE_TRUST.replace(
        r#""Action":"#,
        r#""Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}},"Action":"#,
    );
    world.iam.put_role(RoleBuilder::new("Strange").trust_policy(&strange));
    world.iam.put_role(RoleBuilder::new("Wide").trust_policy(WIDE_TRUST));
    let said = run(&world, &["export", "--all", "--namespace", &world.namespace]);
    assert_eq!(said.code, 1);
    assert!(
        said.out.contains("# NOT AS IT IS")
            && said.out.contains("aws:PrincipalOrgID")
            && said.out.contains("suspend: true"),
        "{}",
        said.out
    );
    assert!(
        said.out.contains("# Wide is not exported: it also trusts") && said.err.contains("role Wide can't be exported"),
        "{}{}",
        said.out,
        said.err
    );
    let before = world.iam.roles();
    world.plane().apply(&said.out).unwrap();
    let mut world = world;
    world.start();
    world.wait("the suspension to be seen", || world.condition("strange", "Suspended"));
    assert_eq!(world.iam.roles(), before);
}

/// From roles that nobody knows of to none: audit, export, review in Git, report, narrow, delete.
#[test]
fn the_way_out_from_audit_to_the_last_role_deleted() {
    let world = World::new("way-out");
    world.iam.put_role(
        RoleBuilder::new("PinpointSegmentImport")
            .trust_policy(GUIDE_TRUST)
            .attached(S3_READ_ONLY),
    );
    let audit = run(&world, &["audit", "--fail-on=medium"]);
    assert!(
        audit.code == 2 && audit.out.contains("PinpointSegmentImport") && audit.out.contains("see `export`"),
        "{}",
        audit.out
    );

    // What export prints goes into Git, where a pipeline checks it, and a person reads the plan.
    let exported = run(
        &world,
        &["export", "PinpointSegmentImport", "--namespace", &world.namespace],
    )
    .out;
    let reviewed = exported.replace("adoptionPolicy: Adopt", "adoptionPolicy: Adopt\n  driftPolicy: Report");
    let path = world.folder().join("roles.yaml");
    fs::write(&path, &reviewed).unwrap();
    let file = path.to_str().unwrap();
    assert_eq!(run(&world, &["validate", "-f", file]).code, 0);
    let plan = run(&world, &["plan", "-f", file, "--fail-on-widening"]);
    assert!(
        plan.code == 2 && plan.out.contains("TagRole") && plan.out.contains("1 to take over"),
        "{}{}",
        plan.out,
        plan.err
    );
    world.plane().apply(&reviewed).unwrap();
    let name = "pinpointsegmentimport";
    world.wait_reconciled(name);
    assert_eq!(world.writes(), ["TagRole"]);
    World::pass_settle_time();

    // Reported, not repaired.
    world.iam.tamper("PinpointSegmentImport", |role| {
        role.attached.insert(ADMIN.to_owned());
    });
    world.look(name);
    assert!(
        world
            .wait_ready(name, "False", "DriftDetected")
            .contains("AdministratorAccess")
    );
    assert_eq!(world.writes(), ["TagRole"]);

    // Narrowed to one bucket: a change like any other, which takes the rest away.
    world.iam.clear_calls();
    world.patch(name, &json!({"managedPolicyArns": null, "buckets": [{"name": "my-bucket"}], "trust": {"sourceAccount": "123456789012"}}));
    world.wait_reconciled(name);
    let role = world.iam.role("PinpointSegmentImport").unwrap();
    assert!(role.attached.is_empty() && role.inline.contains_key("PinpointImportBuckets"));
    assert_eq!(run_with(&world, &["audit", "--fail-on=medium"], &[]).code, 0);

    // Retired: the object goes from Git, and the role with it.
    world.patch(name, &json!({"deletionPolicy": "Delete"}));
    world.wait_reconciled(name);
    world.kubectl(&["delete", "pir", name, "--timeout=60s"]).unwrap();
    assert!(world.iam.roles().is_empty());
    let audit = run_with(&world, &["audit"], &[]);
    assert!(audit.code == 0 && audit.err.contains("0 of 0 roles"), "{}", audit.err);
}

/// What a pipeline runs: the manifests of a pull request are checked and planned, and the plan goes into a comment.
#[test]
fn the_pipeline_stops_what_should_not_be_merged() {
    let world = World::in_place("pipeline", &json!({}));
    let folder = world.folder().join("roles");
    fs::create_dir(&folder).unwrap();
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_pinpoint-import-role-controller"))
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
            .env("AWS_ENDPOINT_URL_IAM", world.iam.endpoint())
            .env("AWS_ENDPOINT_URL_STS", world.iam.endpoint())
            .env("AWS_ACCESS_KEY_ID", "pipeline")
            .env("AWS_SECRET_ACCESS_KEY", "pipeline")
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

/// The results of a run in SARIF: rule, and line.
fn results(said: &Said) -> Vec<(String, u64)> {
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
    let wrong = jsonschema(&said.json());
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
    let wrong = jsonschema(&said.json());
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

/// The account of the issue in small: pages of 500 that take 2 s.
#[test]
fn audit_of_a_slow_account_is_whole_and_says_how_far_it_is() {
    let world = World::without_controller("audit-slow");
    slow_audit(&world, 1200, Duration::from_millis(4));
}

fn slow_audit(world: &World, roles: usize, latency_of_item: Duration) {
    for n in 0..roles {
        let role = RoleBuilder::new(&format!("r{n}"));
        let role = if n % 2 == 0 {
            role.trust_policy(GUIDE_TRUST)
        } else {
            role
        };
        world.iam.put_role(role);
    }
    world.iam.set_page_size(1000);
    world.iam.set_latency_per_item(latency_of_item);
    let start = std::time::Instant::now();
    let said = run(world, &["audit", "--no-cluster", "--output=json"]);
    println!("audit of {roles} roles: {:.1} s", start.elapsed().as_secs_f64());
    assert_eq!(said.code, 0, "{}", said.err);
    let report = said.json();
    assert_eq!(report["rolesRead"], roles);
    assert_eq!(report["roles"].as_array().unwrap().len(), roles / 2);
    let told: Vec<&str> = said.err.lines().filter(|line| line.ends_with(" roles read")).collect();
    println!("{}", told.join(", "));
    assert_eq!(told.len(), roles / 500, "{}", said.err);
}
