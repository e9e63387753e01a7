//! Found without looking at each role: sweeps find what others change, cost next to nothing at rest, and are never a reason to write.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use test_support::iam::{Call, Config, FakeIam, Fault, RoleState, Rule};

use crate::world::{ADMIN, BOUNDARY, S3_READ_ONLY, World, widen};

/// Calls of sweeps.
const BULK: [&str; 2] = ["GetAccountAuthorizationDetails", "ListRoles"];
const DETAILS: &str = BULK[0];

/// A world whose controller sweeps as often as it may, and has no other reason to look.
fn swept(name: &str, args: &[&str]) -> World {
    let args = [&["--resync-interval=6h", "--sweep-interval=15s"], args].concat();
    World::with(name, &args, &[("PIR_SWEEP_INTERVAL", "")])
}

/// A counter; 0 where it was never counted.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers")]
fn counted(world: &World, metric: &str) -> usize {
    let (_, text) = world.metrics().unwrap_or_default();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
    value.map_or(0.0, |value| value.parse::<f64>().unwrap()) as usize
}

/// Waits until so many further sweeps have ended in a way that began after now.
fn wait_sweeps(world: &World, result: &str, further: usize) {
    let metric = format!("pir_sweeps_total{{result=\"{result}\"}}");
    // One that is under way may have read what was before.
    let until = counted(world, &metric) + further + 1;
    let start = Instant::now();
    while counted(world, &metric) < until {
        assert!(
            start.elapsed() < Duration::from_mins(3),
            "{until} {metric}\n{}",
            world.log()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Calls that are about one role alone.
fn looks(world: &World) -> Vec<String> {
    let calls = world.actions().into_iter();
    calls.filter(|action| !BULK.contains(&action.as_str())).collect()
}

/// An object with everything that a sweep can see or not see, in place.
fn everything() -> Value {
    json!({
        "description": "all of it", "maxSessionDuration": 7200, "permissionsBoundary": BOUNDARY, "tags": {"team": "a"},
        "buckets": [{"name": "segments"}], "managedPolicyArns": [S3_READ_ONLY],
    })
}

#[test]
fn a_change_of_any_field_is_found_by_sweep() {
    let world = swept("sweep-finds", &[]);
    let tampers: BTreeMap<&str, fn(&mut RoleState)> = BTreeMap::from([
        ("trust", widen as fn(&mut RoleState)),
        ("attached", |role| {
            role.attached.insert(ADMIN.to_owned());
        }),
        ("detached", |role| {
            role.attached.remove(S3_READ_ONLY);
        }),
        ("inline", |role| drop(role.inline.pop_first())),
        ("boundary", |role| role.permissions_boundary = None),
        ("tag", |role| drop(role.tags.insert("team".to_owned(), "b".to_owned()))),
        ("description", |role| role.description = None),
        ("session", |role| role.max_session_duration = 43200),
    ]);
    for name in tampers.keys().chain([&"deleted"]) {
        world.apply(name, &everything()).unwrap();
    }
    for name in tampers.keys().chain([&"deleted"]) {
        world.wait_reconciled(name);
    }
    World::pass_settle_time();
    wait_sweeps(&world, "whole", 1);
    world.iam.clear_calls();
    let start = Instant::now();
    for (name, tamper) in &tampers {
        world.iam.tamper(&world.role_name(name), tamper);
    }
    world.iam.remove_role(&world.role_name("deleted"));
    for name in tampers.keys().chain([&"deleted"]) {
        world.wait_event(name, "DriftRepaired");
    }
    assert!(start.elapsed() < Duration::from_mins(1), "{:?}", start.elapsed());
    assert_eq!(counted(&world, "pir_drifts_seen_total{by=\"sweep\"}"), 9);
    // Descriptions are asked for below the path of those who declare some.
    assert!(
        world
            .calls()
            .iter()
            .any(|call| call.action == "ListRoles" && call.params["PathPrefix"] == "/")
    );
}

#[test]
fn at_rest_a_sweep_is_all_and_after_a_restart_too() {
    let mut world = swept("sweep-rest", &[]);
    world.iam.set_page_size(10);
    let names: Vec<String> = (0..24).map(|number| format!("r{number}")).collect();
    let specs = [json!({}), json!({"description": "declared"}), everything()];
    for (name, spec) in names.iter().zip(specs.iter().cycle()) {
        world.apply(name, spec).unwrap();
    }
    for name in &names {
        world.wait_reconciled(name);
    }
    World::pass_settle_time();
    wait_sweeps(&world, "whole", 1);
    let versions: Vec<String> = names.iter().map(|name| world.version(name)).collect();
    world.iam.clear_calls();
    let passes = world.passes();
    wait_sweeps(&world, "whole", 2);
    // Three pages of roles, three of descriptions.
    assert_eq!(looks(&world), [""; 0]);
    assert!(world.calls().len() <= 4 * 6, "{:?}", world.actions());
    assert_eq!(world.passes(), passes, "no pass, so not even a read of an object");

    world.kill();
    world.iam.clear_calls();
    world.start();
    world.wait_healthy();
    wait_sweeps(&world, "whole", 1);
    assert_eq!((looks(&world), world.passes()), (vec![], 0));
    assert!(counted(&world, "pir_sightings_total{result=\"as_declared\"}") >= names.len());
    assert_eq!(
        versions,
        names.iter().map(|name| world.version(name)).collect::<Vec<_>>()
    );
}

/// What a sweep shows wrongly, and its name.
type Lie<'a> = (&'a str, &'a dyn Fn(&mut RoleState));

#[test]
fn a_sweep_that_lies_writes_nothing() {
    let world = swept("sweep-lies", &[]);
    let lies: [Lie<'_>; 5] = [
        // As some say that bulk reads leave it out.
        ("no-boundary", &|role| role.permissions_boundary = None),
        ("widened", &|role| widen(role)),
        ("another-role", &|role| role.id = "AROAANOTHER0000000000".to_owned()),
        ("anothers-tags", &|role| {
            role.tags
                .insert("pinpoint-import.dev/uid".to_owned(), "another".to_owned());
        }),
        ("unreadable", &|role| role.trust_policy = "nonsense".to_owned()),
    ];
    let names = || lies.iter().map(|(name, _)| *name).chain(["left-out"]);
    for name in names() {
        world.apply(name, &everything()).unwrap();
    }
    for name in names() {
        world.wait_reconciled(name);
    }
    World::pass_settle_time();
    wait_sweeps(&world, "whole", 0);
    let versions: Vec<String> = names().map(|name| world.version(name)).collect();
    world.iam.clear_calls();
    for (name, lie) in lies {
        world.iam.lie_in_bulk(&world.role_name(name), lie);
    }
    world.iam.hide_in_bulk(&world.role_name("left-out"));
    wait_sweeps(&world, "whole", 1);
    assert_eq!(world.writes(), [""; 0]);
    for (name, version) in names().zip(versions) {
        assert_eq!(world.version(name), version, "{name}");
        let looks = world.calls_on(name, "GetRole");
        assert!(looks <= 1, "{name}: {looks} looks");
    }
    assert!(counted(&world, "pir_hints_total{why=\"sweep\",result=\"futile\"}") >= 6);
}

#[test]
fn what_a_broken_chain_of_pages_leaves_out_is_not_gone() {
    let world = swept("sweep-broken", &[]);
    world.apply("segments", &everything()).unwrap();
    world.wait_reconciled("segments");
    World::pass_settle_time();
    wait_sweeps(&world, "whole", 0);
    let version = world.version("segments");
    world.iam.clear_calls();
    let truncated = Fault::Rewritten("<IsTruncated>false</IsTruncated>", "<IsTruncated>true</IsTruncated>");
    world.iam.fault(Rule::new(truncated).action(DETAILS).times(1));
    world.iam.hide_in_bulk(&world.role_name("segments"));
    let looping = Fault::Rewritten(
        "<IsTruncated>false</IsTruncated>",
        "<IsTruncated>true</IsTruncated><Marker>m61</Marker>",
    );
    world.iam.fault(Rule::new(looping).action(DETAILS).times(2));
    world.wait("both chains to break", || {
        let broken =
            ["partial", "failed"].map(|kind| counted(&world, &format!("pir_sweeps_total{{result=\"{kind}\"}}")));
        (broken.iter().sum::<usize>() >= 2).then_some(())
    });
    world.iam.end_lies();
    assert_eq!(world.writes(), [""; 0]);
    assert_eq!(world.version("segments"), version);
    assert_eq!(world.calls_on("segments", "GetRole"), 0);
}

#[test]
fn what_is_late_is_no_drift() {
    let world = swept("sweep-late", &["--iam-settle-time=40s"]);
    world.iam.set_read_lag(Duration::from_secs(4));
    for number in 0..4 {
        world.apply(&format!("r{number}"), &everything()).unwrap();
        std::thread::sleep(Duration::from_secs(5));
    }
    wait_sweeps(&world, "whole", 1);
    let written = world.writes().len();
    wait_sweeps(&world, "whole", 1);
    assert_eq!(world.writes().len(), written);
    for number in 0..4 {
        assert_eq!(world.told(&format!("r{number}"), "DriftDetected"), [""; 0]);
    }
    assert_eq!(counted(&world, "pir_hints_total{why=\"sweep\",result=\"looked\"}"), 0);
}

#[test]
fn a_drift_that_is_only_reported_is_told_once_and_its_end_is_seen() {
    let world = swept("sweep-report", &[]);
    world.apply("segments", &json!({"driftPolicy": "Report"})).unwrap();
    world.wait_reconciled("segments");
    World::pass_settle_time();
    let role = world.role_name("segments");
    let attach = |role: &mut RoleState| {
        role.attached.insert(ADMIN.to_owned());
    };
    world.iam.tamper(&role, attach);
    world.wait_ready("segments", "False", "DriftDetected");
    wait_sweeps(&world, "whole", 0);
    let version = world.version("segments");
    world.iam.clear_calls();
    wait_sweeps(&world, "whole", 1);
    assert_eq!((looks(&world), world.version("segments")), (vec![], version));
    world.iam.tamper(&role, |role| {
        role.attached.remove(ADMIN);
    });
    world.wait_reconciled("segments");
    assert_eq!(world.condition("segments", "Drifted"), None);
    // The very same again.
    world.iam.tamper(&role, attach);
    world.wait_ready("segments", "False", "DriftDetected");
    // An event comes after the status that it tells of.
    let told = || world.told("segments", "DriftDetected").len();
    world.wait("both drifts are told", || (told() >= 2).then_some(()));
    assert_eq!(told(), 2);
    assert_eq!(world.writes(), [""; 0]);
}

#[test]
fn denied_or_throttled_sweeps_change_nothing_else() {
    let args = ["--resync-interval=5s", "--sweep-interval=15s"];
    let mut world = World::without_controller("sweep-denied");
    world.add_args(&args);
    world.add_env("PIR_SWEEP_INTERVAL", "");
    world.iam.deny(DETAILS);
    world.start();
    world.apply("segments", &json!({})).unwrap();
    world.wait_reconciled("segments");
    world.wait_healthy();
    World::pass_settle_time();
    world.iam.tamper(&world.role_name("segments"), widen);
    world.wait_event("segments", "DriftRepaired");
    world.wait("the sweep is denied", || {
        (counted(&world, "pir_sweeps_total{result=\"denied\"}") == 1).then_some(())
    });
    assert_eq!(world.log().matches("deploy/iam-policy-sweep.json").count(), 1);
    assert_eq!(
        counted(&world, "pir_sweep_age_seconds"),
        0,
        "what is not swept is not too old"
    );

    world.kill();
    world.iam.allow(DETAILS);
    world.iam.fault(Rule::new(Fault::Throttle).action(DETAILS).times(1));
    world.start();
    world.wait("the sweep is throttled, the next comes later", || {
        let (_, text) = world.metrics()?;
        let throttled = text.contains("pir_sweeps_total{result=\"throttled\"} 1");
        (throttled && text.contains("pir_sweep_period_seconds 30.0")).then_some(())
    });
    world.wait("whole sweeps bring it back", || {
        let (_, text) = world.metrics()?;
        text.contains("pir_sweep_period_seconds 15.0").then_some(())
    });
    world.wait_healthy();
}

/// One account that hangs keeps no other waiting.
#[test]
fn each_account_is_swept_by_itself() {
    const OTHER: &str = "222233334444";
    const DOOR: &str = "arn:aws:iam::222233334444:role/pinpoint-import-role-controller";
    let mut world = World::without_controller("sweep-accounts");
    let other = FakeIam::start_with(Config {
        account_id: OTHER.to_owned(),
        ..Config::default()
    });
    world.iam.open_door(&other, DOOR, None);
    let settings = format!(
        "resync-interval: 6h\nsweep-interval: 15s\naccounts:\n  '{OTHER}': {{role: '{DOOR}', namespaces: ['*']}}\n"
    );
    let path = world.folder().join("settings.yaml");
    fs::write(&path, settings).unwrap();
    world.add_args(&["--config", path.to_str().unwrap()]);
    world.add_env("PIR_SWEEP_INTERVAL", "");
    let hangs = Fault::HangBefore(Duration::from_mins(5));
    world.iam.fault(Rule::new(hangs).action(DETAILS).times(100));
    world.start();
    world.apply("here", &json!({})).unwrap();
    world.apply("there", &json!({"accountId": OTHER})).unwrap();
    for name in ["here", "there"] {
        world.wait_reconciled(name);
    }
    World::pass_settle_time();
    other.tamper(&world.role_name("there"), widen);
    world.wait_event("there", "DriftRepaired");
    assert_eq!(world.told("here", "DriftDetected"), [""; 0]);
}

/// The document for sweeps is enough for them, each of its rights is used, and without it all else works as before.
#[test]
fn the_rights_to_sweep_are_used_and_sufficient() {
    let document = |file: &str| -> Value {
        let path = format!("{}/deploy/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(path)
            .unwrap()
            .replace("111122223333", "123456789012");
        serde_json::from_str(&text).unwrap()
    };
    let (mut policy, more) = (document("iam-policy.json"), document("iam-policy-sweep.json"));
    let statements = more["Statement"].as_array().unwrap();
    policy["Statement"].as_array_mut().unwrap().extend(statements.clone());
    let mut world = World::without_controller("sweep-rights");
    let boundary = [
        ("PolicyName", "pinpoint-import-boundary"),
        (
            "PolicyDocument",
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#,
        ),
    ];
    world.call_iam("CreatePolicy", &boundary);
    world.iam.enforce(Some(&policy.to_string()));
    world.add_args(&[
        "--cluster-id=CLUSTER_ID",
        "--role-path=/pinpoint-import/",
        "--resync-interval=6h",
        "--sweep-interval=15s",
    ]);
    world.add_args(&["--permissions-boundary=arn:aws:iam::123456789012:policy/pinpoint-import-boundary"]);
    world.add_env("PIR_SWEEP_INTERVAL", "");
    world.start();
    world.apply("segments", &json!({"description": "declared"})).unwrap();
    world.wait_reconciled("segments");
    World::pass_settle_time();
    world.iam.clear_calls();
    world
        .iam
        .tamper(&world.role_name("segments"), |role| role.description = None);
    world.wait_event("segments", "DriftRepaired");
    for action in statements[0]["Action"].as_array().unwrap() {
        let used = |call: &Call| format!("iam:{}", call.action) == action.as_str().unwrap() && call.outcome == "OK";
        assert!(world.calls().iter().any(used), "{action} is not used");
    }
    let path = world
        .calls()
        .into_iter()
        .find(|call| call.action == "ListRoles")
        .unwrap();
    assert_eq!(path.params["PathPrefix"], "/pinpoint-import/");
}
