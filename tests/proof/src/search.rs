//! Every state that can be reached, breadth first: so the first counterexample is a shortest one.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
    time::{Duration, Instant},
};

use crate::{
    actions::Action,
    calm::{Calm, round},
    laws::Broken,
    sealed::fingerprint,
    world::{Model, Untold, World},
};

/// What a search found.
#[derive(Debug)]
pub struct Found {
    /// States.
    pub states: usize,
    /// Transitions.
    pub steps: usize,
    /// Length of the longest shortest path.
    pub depth: usize,
    /// Most rounds that it took to rest.
    pub rounds: u32,
    /// States in which nobody could tell truly what happened, so that what is told there is not judged.
    pub excused: usize,
    /// Time.
    pub took: Duration,
    /// The law that was broken, and how it came to that.
    pub broken: Option<Trace>,
    /// Whether all states were visited.
    pub whole: bool,
}

/// How a law was broken.
#[derive(Debug)]
pub struct Trace {
    /// The law.
    pub law: Broken,
    /// What happened, and what the world was then.
    pub path: Vec<(Action, String)>,
}

/// Searches a scene, up to so many states.
///
/// # Panics
/// The beginning of the scene breaks a law by itself.
#[must_use]
pub fn search(model: &Model, most: usize) -> Found {
    let started = Instant::now();
    let mut calm = Calm::default();
    // Each state's predecessor, what led from there, and how far it is from the beginning.
    let mut nodes: Vec<(usize, Option<Action>, usize)> = vec![(0, None, 0)];
    let first = beginning(model);
    let mut seen = HashSet::from([fingerprint(&first)]);
    let mut next = VecDeque::from([(0, first)]);
    let mut found = Found {
        states: 0,
        steps: 0,
        depth: 0,
        rounds: 0,
        excused: 0,
        took: Duration::ZERO,
        broken: None,
        whole: true,
    };
    'all: while let Some((at, world)) = next.pop_front() {
        found.depth = nodes[at].2;
        found.excused += usize::from(world.untold == Untold::ANYTHING || model.scene.replicas > 1);
        if let Err(law) = calm.settle(model, &world) {
            found.broken = Some(trace(model, &nodes, at, None, law));
            break;
        }
        for action in model.actions(&world) {
            found.steps += 1;
            match model.after(&world, action) {
                Err(law) => {
                    found.broken = Some(trace(model, &nodes, at, Some(action), law));
                    break 'all;
                }
                Ok(after) => {
                    if seen.insert(fingerprint(&after)) {
                        nodes.push((at, Some(action), found.depth + 1));
                        next.push_back((nodes.len() - 1, after));
                    }
                }
            }
        }
        if nodes.len() > most {
            found.whole = false;
            break;
        }
    }
    (found.states, found.rounds, found.took) = (nodes.len(), calm.longest, started.elapsed());
    found
}

/// The state that a scene begins with.
fn beginning(model: &Model) -> World {
    // What comes before the scene is not what is judged, so it is done with all rules in place.
    let sound = Model {
        without: None,
        ..model.clone()
    };
    let mut world = sound.fresh();
    if model.scene.at_rest {
        for _ in 0..6 {
            round(&sound, &mut world).expect("the way to the beginning breaks no law");
        }
    }
    for what in &model.scene.prelude {
        Model::tamper(&mut world, *what);
    }
    if model.scene.at_rest {
        // Long enough ago to be shown.
        world.tick += model.scene.lag;
        world.iam.forget(world.tick, model.scene.lag);
    }
    let moves = u8::try_from(model.scene.prelude.len()).unwrap_or(u8::MAX);
    (world.left, world.untold) = (model.scene.bounds, Untold::default());
    world.untold.more(moves, moves);
    world
}

fn trace(
    model: &Model,
    nodes: &[(usize, Option<Action>, usize)],
    at: usize,
    last: Option<Action>,
    law: Broken,
) -> Trace {
    let mut actions: Vec<Action> = last.into_iter().collect();
    let mut node = at;
    while let (before, Some(action), _) = nodes[node] {
        actions.push(action);
        node = before;
    }
    actions.reverse();
    let mut world = beginning(model);
    let path = actions.into_iter().map(|action| {
        if let Ok(after) = model.after(&world, action) {
            world = after;
        }
        (action, format!("{world:?}"))
    });
    Trace {
        law,
        path: path.collect(),
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = if self.whole { "" } else { " (not all)" };
        write!(
            f,
            "{} states{part}, {} steps, depth {}, at rest within {} rounds, what is told judged in {} %, {:.1} s",
            self.states,
            self.steps,
            self.depth,
            self.rounds,
            100 * (self.states - self.excused) / self.states,
            self.took.as_secs_f64()
        )
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.law.0)?;
        for (action, world) in &self.path {
            writeln!(f, "  {action:?}\n      {world}")?;
        }
        Ok(())
    }
}
