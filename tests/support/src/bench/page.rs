//! The page of figures. Between marks it is made of what was measured; the rest is written by people.

use std::path::Path;

use serde::Deserialize;

use super::{
    figures::{Fleet, Flood, Measured, Once, Origin, Rest, Sight, kept, read},
    goals::goals,
};

/// All that was measured.
pub struct Figures {
    /// By the number of objects.
    pub(super) fleets: Vec<Measured<Fleet>>,
    pub(super) sight: Option<Measured<Vec<Sight>>>,
    pub(super) flood: Option<Measured<Flood>>,
    once: Option<Measured<Vec<Once>>>,
    /// The best-known other controller for such roles.
    pub(super) peer: Option<Peer>,
}

/// What another controller needs.
#[derive(Clone, Debug, Deserialize)]
pub struct Peer {
    /// Name and version.
    pub name: String,
    /// When and where, in words.
    pub measured: String,
    /// Seconds from its start to 1,000 roles `Ready`.
    pub to_ready: f64,
    /// Seconds of a core until then.
    pub cpu: f64,
    /// Most memory until then, MiB.
    pub peak: f64,
    /// IAM calls for a look at one role, and writes to Kubernetes.
    pub look: [f64; 2],
    /// IAM calls and writes to Kubernetes until a role of the guide is there and at rest.
    pub made: [f64; 2],
    /// Hours within which a change is seen, with default settings.
    pub seen_within: f64,
}

impl Figures {
    /// Reads those of a folder; parts may be missing.
    ///
    /// # Errors
    /// Some can't be read.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let fleets: Result<Vec<_>, _> = super::COUNTS
            .iter()
            .map(|count| kept(folder, &super::fleet_of(*count)))
            .collect();
        Ok(Self {
            fleets: fleets?.into_iter().flatten().collect(),
            sight: kept(folder, "sight")?,
            flood: kept(folder, "flood")?,
            once: kept(folder, "once")?,
            peer: read(&Path::new(super::SHOWN).join("peer.json"))?,
        })
    }
}

/// All tables, by the names of their marks.
#[must_use]
pub fn tables(figures: &Figures) -> Vec<(&'static str, String)> {
    let rows = |head: &str, rows: Vec<String>| {
        let columns = head.matches('|').count() - 1;
        format!("{head}\n|{}\n{}", " --- |".repeat(columns), rows.join("\n"))
    };
    let goals = goals(figures).into_iter().map(|goal| {
        let met = if goal.is_met { "yes" } else { "**no**" };
        format!("| {} | {} | {} | {met} |", goal.what, goal.wanted, goal.measured)
    });
    vec![
        ("goals", rows("| what | wanted | measured | met |", goals.collect())),
        (
            "fleet",
            rows(
                FLEET,
                figures.fleets.iter().map(|fleet| fleet_row(&fleet.figures)).collect(),
            ),
        ),
        (
            "rest",
            rows(
                REST,
                figures
                    .fleets
                    .iter()
                    .flat_map(|fleet| rest_rows(&fleet.figures))
                    .collect(),
            ),
        ),
        (
            "sight",
            rows(
                SIGHT,
                figures
                    .sight
                    .iter()
                    .flat_map(|sight| &sight.figures)
                    .map(sight_row)
                    .collect(),
            ),
        ),
        (
            "flood",
            rows(
                "| | before | in the flood |",
                figures
                    .flood
                    .iter()
                    .flat_map(|flood| flood_rows(&flood.figures))
                    .collect(),
            ),
        ),
        (
            "once",
            rows(
                "| command | time | IAM calls | peak memory |",
                figures
                    .once
                    .iter()
                    .flat_map(|once| &once.figures)
                    .map(once_row)
                    .collect(),
            ),
        ),
        (
            "peer",
            rows(&peer_head(figures), peer_rows(figures).unwrap_or_default()),
        ),
        (
            "origin",
            rows("| part | sources | commit | day | machine |", origins(figures)),
        ),
    ]
}

const FLEET: &str = "| objects | all Ready after | first IAM call after | IAM calls each | Kubernetes writes each | seconds of a core | peak memory |";
const REST: &str = "| objects | | roles known after | IAM calls until then | objects read one by one | IAM calls a look | Kubernetes requests | of a core | memory |";
const SIGHT: &str = "| seen by | changes | shortest | median | longest | IAM calls a second |";

/// A page with its tables made anew.
///
/// # Errors
/// It has no place for one of them.
pub fn renewed(page: &str, figures: &Figures) -> Result<String, String> {
    let mut page = page.to_owned();
    for (name, table) in tables(figures) {
        let (begin, end) = (format!("<!-- bench: {name} -->\n"), "<!-- end -->");
        let missing = || format!("the page has no {begin:?} … {end:?}");
        let start = page.find(&begin).ok_or_else(missing)? + begin.len();
        let length = page[start..].find(end).ok_or_else(missing)?;
        page.replace_range(start..start + length, &(table + "\n"));
    }
    Ok(page)
}

fn fleet_row(fleet: &Fleet) -> String {
    format!(
        "| {} | {} s | {} s | {} | {} | {} | {} MiB |",
        fleet.roles,
        short(fleet.to_ready),
        short(fleet.first_call),
        short(fleet.calls),
        short(fleet.writes),
        short(fleet.cpu),
        short(fleet.peak)
    )
}

fn rest_rows(fleet: &Fleet) -> [String; 2] {
    let rest = |rest: &Rest| {
        let look = rest.calls_per_look().map_or("no look".to_owned(), short);
        let requests = rest.requests;
        format!(
            "{look} | {requests} | {} % | {} MiB |",
            short(rest.cpu * 100.0),
            short(rest.memory)
        )
    };
    let again = &fleet.restart;
    [
        format!("| {} | made | | | | {}", fleet.roles, rest(&fleet.rest)),
        format!(
            "| {} | restarted | {} s | {} | {} | {}",
            fleet.roles,
            short(again.known),
            again.calls,
            again.reads,
            rest(&again.rest)
        ),
    ]
}

fn sight_row(sight: &Sight) -> String {
    let at = |share: usize| {
        sight
            .times
            .get((sight.times.len().saturating_sub(1)) * share / 2)
            .copied()
    };
    let at = |share| at(share).map_or("–".to_owned(), |time| format!("{} s", short(time)));
    format!(
        "| {} | {} | {} | {} | {} | {} |",
        sight.way,
        sight.times.len(),
        at(0),
        at(1),
        at(2),
        short(sight.calls_per_second)
    )
}

fn flood_rows(flood: &Flood) -> Vec<String> {
    let times = |times: &Vec<f64>| {
        let mut sorted = times.clone();
        sorted.sort_by(f64::total_cmp);
        let end = |time: Option<&f64>| time.copied().map_or("–".to_owned(), short);
        format!("{} to {} s", end(sorted.first()), end(sorted.last()))
    };
    vec![
        format!(
            "| messages | | {}, read and deleted in {} s |",
            flood.messages,
            short(flood.seconds)
        ),
        format!(
            "| IAM calls a second | | {} on the average, {} in the busiest 10 s |",
            short(flood.calls_per_second),
            short(flood.busiest)
        ),
        format!(
            "| a new object Ready after | {} | {} |",
            times(&flood.created[0]),
            times(&flood.created[1])
        ),
        format!(
            "| a change undone after, without a message of it | {} | {} |",
            times(&flood.repaired[0]),
            times(&flood.repaired[1])
        ),
        format!(
            "| memory | {} MiB | at most {} MiB |",
            short(flood.memory),
            short(flood.peak)
        ),
    ]
}

fn once_row(once: &Once) -> String {
    format!(
        "| {} | {} s | {} | {} MiB |",
        once.what,
        short(once.seconds),
        once.calls,
        short(once.peak)
    )
}

fn peer_head(figures: &Figures) -> String {
    let name = figures.peer.as_ref().map_or("there", |peer| &peer.name);
    format!("| | {name} | here |")
}

/// The same measurements there and here, as far as there are any.
fn peer_rows(figures: &Figures) -> Option<Vec<String>> {
    let peer = figures.peer.as_ref()?;
    let here = figures
        .fleets
        .iter()
        .map(|fleet| &fleet.figures)
        .find(|fleet| fleet.roles == 1000)?;
    let look = here.rest.calls_per_look().map_or("–".to_owned(), short);
    let seen = figures
        .sight
        .iter()
        .flat_map(|sight| &sight.figures)
        .find(|sight| sight.way == "sweep");
    let seen = seen
        .and_then(|sight| sight.times.last().copied())
        .map_or("–".to_owned(), short);
    let row = |what: &str, there: String, here: String| format!("| {what} | {there} | {here} |");
    Some(vec![
        row(
            "1,000 roles Ready after",
            format!("{} s", short(peer.to_ready)),
            format!("{} s", short(here.to_ready)),
        ),
        row("seconds of a core until then", short(peer.cpu), short(here.cpu)),
        row(
            "peak memory until then",
            format!("{} MiB", short(peer.peak)),
            format!("{} MiB", short(here.peak)),
        ),
        row(
            "IAM calls and Kubernetes writes for a role",
            format!("{}, {}", short(peer.made[0]), short(peer.made[1])),
            format!("{}, {}", short(here.calls), short(here.writes)),
        ),
        row(
            "IAM calls and Kubernetes requests for a look that finds nothing",
            format!("{}, {}", short(peer.look[0]), short(peer.look[1])),
            format!("{look}, {}", here.rest.requests),
        ),
        row(
            "a change is seen within, by default",
            format!("{} h", short(peer.seen_within)),
            format!("{seen} s"),
        ),
    ])
}

fn origins(figures: &Figures) -> Vec<String> {
    let row = |part: &str, origin: &Origin| {
        let Origin {
            source,
            commit,
            day,
            cores,
            memory,
        } = origin;
        format!("| {part} | {source} | {commit} | {day} | {cores} cores, {memory} GiB |")
    };
    let fleets = figures
        .fleets
        .iter()
        .map(|fleet| row(&format!("{} objects", fleet.figures.roles), &fleet.origin));
    let others = [
        figures.sight.as_ref().map(|sight| row("changes seen", &sight.origin)),
        figures.flood.as_ref().map(|flood| row("flood", &flood.origin)),
        figures.once.as_ref().map(|once| row("commands", &once.origin)),
    ];
    fleets.chain(others.into_iter().flatten()).collect()
}

/// A number with three digits that count.
#[must_use]
pub fn short(number: f64) -> String {
    let text = match number.abs() {
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        size if size >= 0.1 => format!("{number:.2}"),
        _ => format!("{number:.4}"),
    };
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}
