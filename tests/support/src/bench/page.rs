//! The page of figures. Between marks it is made of what was measured; the rest is written by people.

use super::{
    figures::{Figures, Fleet, Flood, Once, Origin, Rest, Sight, short},
    goals::goals,
};

/// All tables, with their pictures, by the names of their marks.
#[must_use]
pub fn tables(figures: &Figures) -> Vec<(&'static str, String)> {
    let goals = goals(figures).into_iter().map(|goal| {
        let met = if goal.is_met { "yes" } else { "**no**" };
        format!("| {} | {} | {} | {met} |", goal.what, goal.wanted, goal.measured)
    });
    let fleets = || figures.fleets.iter().map(|fleet| &fleet.figures);
    let sights = figures.sight.iter().flat_map(|sight| &sight.figures);
    let floods = figures.flood.iter().flat_map(|flood| flood_rows(&flood.figures));
    let commands = figures.once.iter().flat_map(|once| &once.figures);
    let ready = [("ready.svg", "Time until all roles are Ready")];
    let rest = [
        ("calls.svg", "IAM calls for a look at one role"),
        ("memory.svg", "Memory"),
    ];
    let sight = [("sight.svg", "Time from a change of a role to its repair")];
    vec![
        (
            "goals",
            block(&[], "| what | wanted | measured | met |", &goals.collect::<Vec<_>>()),
        ),
        (
            "fleet",
            block(&ready, FLEET, &fleets().map(fleet_row).collect::<Vec<_>>()),
        ),
        (
            "rest",
            block(&rest, REST, &fleets().flat_map(rest_rows).collect::<Vec<_>>()),
        ),
        (
            "sight",
            block(&sight, SIGHT, &sights.map(sight_row).collect::<Vec<_>>()),
        ),
        (
            "flood",
            block(&[], "| | before | in the flood |", &floods.collect::<Vec<_>>()),
        ),
        ("once", block(&[], ONCE, &commands.map(once_row).collect::<Vec<_>>())),
        (
            "peer",
            block(&[], &peer_head(figures), &peer_rows(figures).unwrap_or_default()),
        ),
        ("origin", block(&[], ORIGIN, &origins(figures))),
    ]
}

/// Pictures and a table; where nothing was measured yet, that.
fn block(pictures: &[(&str, &str)], head: &str, rows: &[String]) -> String {
    if rows.is_empty() {
        return "Not measured yet.".to_owned();
    }
    let pictures = pictures
        .iter()
        .map(|(file, words)| format!("![{words}](performance/{file})\n\n"));
    let columns = head.matches('|').count() - 1;
    let pictures: String = pictures.collect();
    format!("{pictures}{head}\n|{}\n{}", " --- |".repeat(columns), rows.join("\n"))
}

const ONCE: &str = "| command | time | IAM calls | peak memory |";
const ORIGIN: &str = "| part | sources | commit | day | machine |";
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
            ..
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
