//! Sweeps of the whole controller, in process: when what they show counts, and that whoever wants a look has it all the same.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use test_support::iam::RoleBuilder;
use tokio::time::Instant;

use crate::{
    fault::{Fault, Script},
    many::{SOON, end, is_answered, until},
    world::{BYSTANDER, INTERVAL, SETTLE, World, timeless},
};

const PAGE: &str = "GetAccountAuthorizationDetails";
const SWEEPS: Duration = Duration::from_secs(45);
const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// Objects `r0` to `r4` at rest, in an account that is shown in three pages: a bystander and `r0`, `r1` and `r2`, `r3` and `r4`.
async fn at_rest(spec: Value) -> World {
    let world = World::new(None);
    world.iam.fake.set_page_size(2);
    world.iam.fake.put_role(RoleBuilder::new(BYSTANDER));
    let names = (0..5).map(|number| format!("r{number}"));
    for name in names.clone() {
        world.api.create(&name, &spec);
    }
    let process = world.start_within(false, 100_000);
    until(SETTLE, || {
        names.clone().all(|name| is_answered(&world.api.object(&name)))
    })
    .await;
    process.abort();
    world.iam.fake.clear_calls();
    world
}

/// The roles that were looked at by themselves, one for each look.
fn looks(world: &World) -> Vec<String> {
    let calls = world.iam.fake.calls().into_iter();
    let looks = calls.filter(|call| call.action == "GetRole");
    looks.filter_map(|call| call.role().map(str::to_owned)).collect()
}

fn pages(world: &World) -> usize {
    let calls = world.iam.fake.calls();
    calls.iter().filter(|call| call.action == PAGE).count()
}

/// Waits until a whole sweep has just ended. About when it began.
async fn swept(world: &World) -> Instant {
    let before = pages(world);
    until(SWEEPS * 2, || pages(world) > before).await;
    let began = Instant::now();
    until(SETTLE, || pages(world) >= before + 3).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    began
}

/// Who is not shown is gone only if the last page said that it is the last; what was shown until a sweep broke off counts.
#[test]
fn a_sweep_that_breaks_off_tells_of_what_it_showed_and_of_nobody_else() {
    // Of `r4`, which the pages leave out, only a whole sweep tells; `r0`, which others change, is on the first page.
    let table: [(Option<usize>, &[&str]); 4] = [
        (None, &["default.r0", "default.r4"]),
        (Some(1), &[]),
        (Some(2), &["default.r0"]),
        (Some(3), &["default.r0"]),
    ];
    for (denied, looked) in table {
        timeless(async {
            let world = at_rest(json!({})).await;
            let process = world.start_sweeping(SWEEPS);
            tokio::time::sleep(SETTLE * 2).await;
            swept(&world).await;
            world.iam.fake.clear_calls();
            world.iam.fake.hide_in_bulk("default.r4");
            world.iam.fake.tamper("default.r0", |role| {
                role.attached.insert(ADMIN.to_owned());
            });
            if let Some(page) = denied {
                while pages(&world) + 1 < page {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                world.iam.fake.deny(PAGE);
            }
            tokio::time::sleep(SWEEPS + Duration::from_secs(5)).await;
            let found: BTreeSet<String> = looks(&world).into_iter().collect();
            assert_eq!(
                found.iter().map(String::as_str).collect::<Vec<_>>(),
                looked,
                "page {denied:?}"
            );
            end(process).await;
        });
    }
}

/// A role that is seen counts as looked at when the sweep began, however late the page came.
#[test]
fn a_sighting_is_as_old_as_its_sweep() {
    timeless(async {
        let mut first_page = None;
        for _ in 0..2 {
            let world = at_rest(json!({"interval": "30s"})).await;
            let script = Script::undisturbed("", false);
            world.wire.disturb(&match first_page {
                Some(page) => script.and(page + 1, Fault::Late),
                None => script,
            });
            let process = world.start_sweeping(INTERVAL);
            tokio::time::sleep(Duration::from_secs(50)).await;
            let calls = world.wire.calls();
            let first = |what: &str| calls.iter().position(|call| call.what == what).expect("such a call");
            let rested = calls[first("GetRole")].at - calls[first(PAGE)].at;
            let seconds = 28.0..31.0;
            assert!(seconds.contains(&rested.as_secs_f64()), "a look after {rested:?}");
            first_page = Some(first(PAGE));
            end(process).await;
        }
    });
}

/// What a page shows is as old as its sweep too, so that it may be older than a write that was settled when the page came.
#[test]
fn a_page_that_comes_late_is_no_hint_after_a_write() {
    // How long after the write the sweep begins; its first page comes 5 s later.
    for (after, hints) in [(57, false), (63, true)] {
        timeless(async {
            let world = at_rest(json!({})).await;
            let process = world.start_sweeping(SWEEPS);
            tokio::time::sleep(SETTLE * 2).await;
            let next = swept(&world).await + SWEEPS * 2;
            tokio::time::sleep_until(next - Duration::from_secs(after)).await;
            world
                .api
                .edit("r0", |object| object["spec"] = json!({"tags": {"team": "a"}}));
            until(SOON, || is_answered(&world.api.object("r0"))).await;
            world.iam.fake.hide_in_bulk("default.r0");
            tokio::time::sleep_until(next - Duration::from_secs(2)).await;
            world.iam.fake.clear_calls();
            world.wire.disturb(&Script::undisturbed("", false).and(1, Fault::Late));
            tokio::time::sleep(Duration::from_secs(20)).await;
            assert_eq!(!looks(&world).is_empty(), hints, "{after} s after the write");
            end(process).await;
        });
    }
}

/// Whatever sweeps show: who asks for a look has it, and so has who wants it more often than there are sweeps, and who is told to differ.
#[test]
fn no_sweep_takes_the_place_of_a_look_that_is_asked_for() {
    timeless(async {
        let world = at_rest(json!({})).await;
        let process = world.start_sweeping(SWEEPS);
        tokio::time::sleep(SETTLE * 2).await;
        world.iam.fake.clear_calls();
        tokio::time::sleep(INTERVAL * 3).await;
        assert_eq!(looks(&world), [""; 0], "at rest");
        world.api.edit("r0", |object| {
            object["metadata"]["annotations"] = json!({"pinpoint-import.dev/reconcile-requested-at": "1"});
        });
        until(SOON, || looks(&world) == ["default.r0"]).await;
        end(process).await;
    });
    timeless(async {
        let world = at_rest(json!({"interval": "30s"})).await;
        let process = world.start_sweeping(INTERVAL);
        tokio::time::sleep(INTERVAL / 2).await;
        let looks = looks(&world).len();
        assert!((5 * 8..=5 * 11).contains(&looks), "{looks} looks at five roles");
        end(process).await;
    });
    timeless(async {
        let world = at_rest(json!({"driftPolicy": "Report"})).await;
        let process = world.start_sweeping(SWEEPS);
        tokio::time::sleep(SETTLE * 2).await;
        world.iam.fake.tamper("default.r0", |role| {
            role.attached.insert(ADMIN.to_owned());
        });
        let told = || world.api.object("r0")["status"]["lastDrift"].is_object();
        until(SETTLE, told).await;
        world.iam.fake.clear_calls();
        tokio::time::sleep(INTERVAL * 4).await;
        let looks = looks(&world);
        assert!(looks.iter().all(|role| role == "default.r0"), "{looks:?}");
        assert!(
            (3..=5).contains(&looks.len()),
            "{} looks in four intervals",
            looks.len()
        );
        end(process).await;
    });
}
