//! What IAM is late to show is no drift; what it can't have been late to show is one.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_support::iam::RoleState;

use super::in_place;
use crate::world::{ADMIN, BOUNDARY, OTHER, PROMPTLY, S3_READ_ONLY, Tamper, WIDE_TRUST, World, widen};

/// What others do to a role, what was done about it, and what they do then.
struct Twice {
    name: &'static str,
    spec: Value,
    first: Tamper,
    second: Tamper,
}

fn twice() -> Vec<Twice> {
    let row = |name, spec, first: Tamper, second: Tamper| Twice {
        name,
        spec,
        first,
        second,
    };
    vec![
        row("stranger", json!({}), widen, |role| {
            role.trust_policy = WIDE_TRUST.replace("999999999999", "888888888888");
        }),
        row(
            "attached",
            json!({}),
            |role| role.attached.extend([ADMIN.to_owned()]),
            |role| role.attached.extend([OTHER.to_owned()]),
        ),
        row(
            "beside",
            json!({}),
            |role| role.attached.extend([ADMIN.to_owned()]),
            widen,
        ),
        row(
            "tag",
            json!({"tags": {"team": "a"}}),
            |role| drop(role.tags.insert("team".to_owned(), "b".to_owned())),
            |role| drop(role.tags.insert("team".to_owned(), "c".to_owned())),
        ),
        row(
            "description",
            json!({"description": "a"}),
            |role| role.description = Some("b".to_owned()),
            |role| role.description = Some("c".to_owned()),
        ),
        row(
            "session",
            json!({"maxSessionDuration": 7200}),
            |role| role.max_session_duration = 43200,
            |role| role.max_session_duration = 3600,
        ),
        row(
            "boundary",
            json!({"permissionsBoundary": BOUNDARY}),
            |role| role.permissions_boundary = None,
            |role| role.permissions_boundary = Some(ADMIN.to_owned()),
        ),
        row(
            "inline",
            json!({}),
            |role| drop(role.inline.insert("theirs".to_owned(), bucket("b"))),
            |role| drop(role.inline.insert("theirs".to_owned(), bucket("c"))),
        ),
        row(
            "bucket",
            json!({"buckets": [{"name": "segments"}]}),
            |role| drop(role.inline.insert("PinpointImportBuckets".to_owned(), bucket("b"))),
            |role| drop(role.inline.insert("PinpointImportBuckets".to_owned(), bucket("c"))),
        ),
    ]
}

fn bucket(name: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::{name}/*"}}]}}"#
    )
}

/// At the default settle time, which is waited out once, so that the first change can't be a late answer.
#[test]
fn only_what_was_overwritten_is_late_and_anything_else_is_new() {
    let rows = twice();
    let mut objects: Vec<(&str, Value)> = rows.iter().map(|row| (row.name, row.spec.clone())).collect();
    objects.extend(["again", "attached-again"].map(|name| (name, json!({}))));
    objects.push(("lagging", json!({"tags": {"team": "a"}})));
    let world = World::at_default_settle_time("told-new", &[]);
    in_place(&world, &objects);
    let names: Vec<&str> = rows
        .iter()
        .map(|row| row.name)
        .chain(["again", "attached-again"])
        .collect();
    let declared = |name: &str| world.role(name).unwrap();
    let before: Vec<RoleState> = names.iter().map(|name| declared(name)).collect();
    World::pass_default_settle_time();

    for row in &rows {
        world.iam.tamper(&world.role_name(row.name), row.first);
    }
    world.iam.tamper(&world.role_name("again"), widen);
    world.iam.tamper(&world.role_name("attached-again"), |role| {
        role.attached.extend([ADMIN.to_owned()]);
    });
    world.looks_at_each(&names, 1);
    for name in &names {
        world.wait_event(name, "DriftRepaired");
    }

    world.iam.clear_calls();
    for row in &rows {
        world.iam.tamper(&world.role_name(row.name), row.second);
    }
    // The very same again may be late, but that hides nothing else, nor is anything given to whom it shows.
    world.iam.tamper(&world.role_name("again"), |role| {
        widen(role);
        role.attached = [ADMIN.to_owned()].into();
    });
    world.iam.tamper(&world.role_name("attached-again"), |role| {
        role.attached.extend([ADMIN, OTHER].map(str::to_owned));
    });
    let until = Instant::now() + PROMPTLY;
    world.looks_at_each(&names, 1);
    let mut wrong = Vec::new();
    for (row, before) in rows.iter().zip(&before) {
        if !World::by(until, || declared(row.name) == *before) {
            wrong.push(format!("{}: not repaired promptly: {:?}", row.name, declared(row.name)));
        }
        if !World::by(until, || world.told(row.name, "DriftRepaired").len() == 2) {
            wrong.push(format!("{}: {:?}", row.name, world.events(row.name)));
        }
    }
    let second = world.told("stranger", "DriftDetected");
    if !second.last().is_some_and(|note| note.contains("888888888888")) {
        wrong.push(format!("stranger: {second:?}"));
    }
    if !World::by(until, || !declared("again").attached.contains(ADMIN)) {
        wrong.push(format!("again: {:?}", declared("again")));
    }
    if !World::by(until, || {
        declared("attached-again").attached == [S3_READ_ONLY.to_owned()].into()
    }) {
        wrong.push(format!("attached-again: {:?}", declared("attached-again")));
    }
    let order: Vec<String> = world
        .iam
        .writes()
        .into_iter()
        .filter(|call| call.role() == Some(&world.role_name("again")))
        .map(|call| call.action)
        .collect();
    let at = |action: &str| order.iter().position(|found| found == action);
    let (attached, narrowed) = (at("AttachRolePolicy"), at("UpdateAssumeRolePolicy"));
    if attached.is_some_and(|attached| narrowed.is_none_or(|narrowed| attached < narrowed)) {
        wrong.push(format!("again: {order:?}"));
    }
    wrong.extend(badly_told_while_late(&world, "lagging"));
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), world.log());
}

/// A repair whose effect reads show 5 s later only. What is wrong with what was done and told meanwhile.
fn badly_told_while_late(world: &World, name: &str) -> Vec<String> {
    let lag = Duration::from_secs(5);
    let before = world.role(name).unwrap();
    world.iam.set_read_lag(lag);
    world.iam.tamper(&world.role_name(name), |role| {
        widen(role);
        role.attached = [ADMIN.to_owned()].into();
        role.tags.insert("team".to_owned(), "b".to_owned());
    });
    // A look whose first call is before the moment at which all of it shows, and its second after, would see two drifts, one by one.
    std::thread::sleep(lag);
    world.wait("the drift to be seen", || {
        world.look_or_gone(name);
        (!world.told(name, "DriftDetected").is_empty()).then_some(())
    });
    world.wait("the repair", || {
        (world.role(name).as_ref() == Some(&before)).then_some(())
    });
    let (since, calls) = (Instant::now(), world.calls().len());
    while since.elapsed() < lag + Duration::from_secs(2) {
        world.looks_at_each(&[name], 1);
    }
    world.iam.set_read_lag(Duration::ZERO);
    world.look(name);
    world.wait_reconciled(name);
    let role = world.role_name(name);
    let repeated = world.calls().split_off(calls);
    let repeated: Vec<String> = repeated
        .into_iter()
        .filter(|call| call.is_write() && call.role() == Some(&role))
        .map(|call| call.action)
        .collect();
    let told = ["DriftDetected", "DriftRepaired"].map(|reason| world.told(name, reason).len());
    if repeated.is_empty() && told == [1, 1] && world.role(name) == Some(before) {
        return Vec::new();
    }
    vec![format!(
        "{name}: {repeated:?} again, {told:?}, {:?}",
        world.events(name)
    )]
}
