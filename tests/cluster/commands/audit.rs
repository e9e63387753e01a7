//! `audit` finds every role that trusts Pinpoint in any form, whole or not at all, and says the same of it in every form.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant, SystemTime},
};

use serde_json::{Value, json};
use test_support::iam::{Fault, RoleBuilder, Rule};

use super::{run, run_with};
use crate::world::{ADMIN, GUIDE_TRUST, S3_READ_ONLY, World};

const S3_FULL: &str = "arn:aws:iam::aws:policy/AmazonS3FullAccess";

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
    let start = Instant::now();
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
