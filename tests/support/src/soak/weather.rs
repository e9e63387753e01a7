//! What IAM does to those who call it: faults, late answers, slow ones, a rate limit, and outages.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;

use super::world::{Count, World};
use crate::iam::{Fault, Rule};

/// Faults of IAM: single ones, late answers, slow ones, a rate limit, and outages.
pub(super) async fn weather(world: Arc<World>, mut rng: Rng) {
    const ACTIONS: [&str; 12] = [
        "GetRole",
        "CreateRole",
        "DeleteRole",
        "UpdateAssumeRolePolicy",
        "TagRole",
        "UntagRole",
        "AttachRolePolicy",
        "DetachRolePolicy",
        "PutRolePolicy",
        "DeleteRolePolicy",
        "ListAttachedRolePolicies",
        "ListRolePolicies",
    ];
    loop {
        tokio::time::sleep(Duration::from_millis(rng.u64(200..1_500))).await;
        let turn = world.turn.read().await;
        match rng.u8(0..100) {
            0..=6 => world.iam.set_read_lag(Duration::from_millis(rng.u64(0..5_000))),
            7..=12 => world.iam.set_latency(Duration::from_millis(rng.u64(0..60))),
            13 => world.iam.set_rate_limit(Some((20.0, 20.0))),
            14..=20 => world.iam.set_rate_limit(None),
            // Rules that wait for a call that seldom comes would pile up.
            21..=24 => world.iam.clear_faults(),
            25 => {
                world.count(Count::Outages);
                world.iam.fault(Rule::new(unavailable()).times(usize::MAX));
                tokio::time::sleep(Duration::from_secs(30)).await;
                world.iam.clear_faults();
            }
            _ => {
                world.count(Count::Faults);
                let fault = fault(&mut rng);
                let times = rng.usize(1..4);
                world.iam.fault(
                    Rule::new(fault)
                        .action(ACTIONS[rng.usize(0..ACTIONS.len())])
                        .times(times),
                );
            }
        }
        drop(turn);
    }
}

fn unavailable() -> Fault {
    Fault::Error {
        status: 503,
        code: "ServiceUnavailable".to_owned(),
        message: "Service is unavailable.".to_owned(),
    }
}

fn fault(rng: &mut Rng) -> Fault {
    match rng.u8(0..12) {
        0..=1 => Fault::Throttle,
        2 => Fault::Html500,
        3 => unavailable(),
        4..=5 => Fault::TruncatedBody,
        6 => Fault::CutShort(rng.usize(0..600)),
        7 => Fault::ResetBefore,
        8 => Fault::ResetAfter,
        9 => Fault::HangBefore(Duration::from_millis(rng.u64(100..12_000))),
        10 => Fault::HangAfter(Duration::from_millis(rng.u64(100..12_000))),
        _ => Fault::Nonsense,
    }
}

/// Fair weather.
pub(super) fn clear_up(world: &World) {
    world.iam.clear_faults();
    world.iam.set_read_lag(Duration::ZERO);
    world.iam.set_latency(Duration::ZERO);
    world.iam.set_rate_limit(None);
}
