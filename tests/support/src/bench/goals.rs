//! What the figures should be, and whether they are.

use super::figures::{Figures, Fleet, Sight, short};

/// A goal and what was measured.
pub(super) struct Goal {
    pub(super) what: &'static str,
    pub(super) wanted: &'static str,
    pub(super) measured: String,
    pub(super) is_met: bool,
}

/// All goals of which there are figures.
pub(super) fn goals(figures: &Figures) -> Vec<Goal> {
    let fleet = |roles: usize| {
        figures
            .fleets
            .iter()
            .map(|fleet| &fleet.figures)
            .find(|fleet| fleet.roles == roles)
    };
    let mut goals = Vec::new();
    goals.extend(fleet(1000).map(thousand).into_iter().flatten());
    if let Some(sight) = &figures.sight {
        goals.extend(sight.figures.iter().filter_map(seen));
    }
    goals.extend(fleet(10_000).map(ten_thousand).into_iter().flatten());
    goals.extend(flood(figures));
    goals
}

fn thousand(fleet: &Fleet) -> Vec<Goal> {
    let look = fleet.rest.calls_per_look().unwrap_or(f64::INFINITY);
    vec![
        Goal {
            what: "a look without drift, each of 1,000 roles",
            wanted: "≤ 0.02 IAM calls, no Kubernetes request",
            measured: format!("{} calls, {} requests", short(look), fleet.rest.requests),
            is_met: look <= 0.02 && fleet.rest.requests == 0,
        },
        Goal {
            what: "a role of the guide created",
            wanted: "2 IAM calls, 2 writes to the object and an event",
            measured: format!("{} calls, {} writes", short(fleet.calls), short(fleet.writes)),
            is_met: fleet.calls <= 2.01 && fleet.writes <= 3.01,
        },
        Goal {
            what: "1,000 roles Ready, 20 ms a call, 10 passes at once",
            wanted: "≤ 5 s",
            measured: format!("{} s", short(fleet.to_ready)),
            is_met: fleet.to_ready <= 5.0,
        },
    ]
}

fn seen(sight: &Sight) -> Option<Goal> {
    let longest = sight.times.last().copied()?;
    let measured = format!("{} s, {} calls/s", short(longest), short(sight.calls_per_second));
    match sight.way.as_str() {
        "sweep" => Some(Goal {
            what: "a change of one of 1,000 roles undone, seen by sweep",
            wanted: "≤ 60 s at ≤ 0.5 calls/s",
            measured,
            is_met: longest <= 60.0 && sight.calls_per_second <= 0.5,
        }),
        "message" => Some(Goal {
            what: "the same, after its message",
            wanted: "≤ 2 s",
            measured: format!("{} s", short(longest)),
            is_met: longest <= 2.0,
        }),
        _ => None,
    }
}

fn ten_thousand(fleet: &Fleet) -> Vec<Goal> {
    let (first, again) = (&fleet.rest, &fleet.restart.rest);
    let (memory, cpu) = (first.memory.max(again.memory), first.cpu.max(again.cpu));
    vec![
        Goal {
            what: "10,000 objects at rest",
            wanted: "≤ 100 MiB, ≤ 2 % of a core",
            measured: format!("{} MiB, {} %", short(memory), short(cpu * 100.0)),
            is_met: memory <= 100.0 && cpu <= 0.02,
        },
        Goal {
            what: "a restart with 10,000 objects at rest",
            wanted: "no object read, ≤ 40 IAM calls",
            measured: format!("{} read, {} calls", fleet.restart.reads, fleet.restart.calls),
            is_met: fleet.restart.reads == 0 && fleet.restart.calls <= 40,
        },
    ]
}

fn flood(figures: &Figures) -> Option<Goal> {
    let flood = &figures.flood.as_ref()?.figures;
    let longest = |times: &Vec<f64>| times.iter().copied().fold(0.0, f64::max);
    let (before, during) = (longest(&flood.repaired[0]), longest(&flood.repaired[1]));
    let more = flood.peak - flood.memory;
    Some(Goal {
        what: "100,000 messages that tell of nothing",
        wanted: "≤ 8.5 calls/s, a repair delayed ≤ 2 ×, ≤ 10 MiB more",
        measured: format!(
            "{} calls/s, {} s instead of {} s, {} MiB more",
            short(flood.calls_per_second),
            short(during),
            short(before),
            short(more)
        ),
        is_met: flood.calls_per_second <= 8.5 && during <= 2.0 * before && more <= 10.0,
    })
}
