//! The world left alone: from every state it comes to rest, and stays there.

use std::collections::HashMap;

use crate::{
    actions::Action,
    laws::{Broken, rests_well},
    scene::Bounds,
    sealed::fingerprint,
    world::{Answer, Model, Untold, World},
};

/// Rounds within which the world must rest.
const MOST: usize = 12;
/// Rounds in a row without a change that count as rest: longer than anything is waited for.
const STILL: u32 = 4;

/// Rounds that it takes from a state until nothing changes any more, for all states that were seen.
#[derive(Debug, Default)]
pub struct Calm {
    known: HashMap<u128, u32>,
    /// The most rounds that it took.
    pub longest: u32,
}

impl Calm {
    /// Leaves the world alone: passes under way end, and then each round is a tick and a pass of each process.
    ///
    /// # Errors
    /// It does not rest, or not well.
    pub fn settle(&mut self, model: &Model, world: &World) -> Result<(), Broken> {
        let mut world = world.clone();
        (world.left, world.untold) = (Bounds::default(), Untold::ANYTHING);
        let mut met = Vec::new();
        let mut still = 0;
        let mut more = None;
        while more.is_none() {
            finish(model, &mut world)?;
            let print = fingerprint(&world);
            if still == 0 {
                more = self.known.get(&print).copied();
                met.push(print);
            }
            if more.is_some() {
                break;
            }
            if met.len() > MOST {
                return Err(Broken(format!(
                    "eventually: it does not rest within {MOST} rounds: {world:?}"
                )));
            }
            let before = (world.iam.role().cloned(), world.object.clone());
            round(model, &mut world)?;
            let is_same = before == (world.iam.role().cloned(), world.object.clone());
            still = if is_same { still + 1 } else { 0 };
            if still == STILL {
                rests_well(model, &world)?;
                more = Some(0);
            }
        }
        for (rounds, print) in (more.unwrap_or_default()..).zip(met.into_iter().rev()) {
            self.known.entry(print).or_insert(rounds);
            self.longest = self.longest.max(rounds);
        }
        Ok(())
    }
}

/// A tick, and a pass of each process.
///
/// # Errors
/// A law is broken.
pub fn round(model: &Model, world: &mut World) -> Result<(), Broken> {
    world.left.ticks = 1;
    let ticked = model.after(world, Action::Tick)?;
    *world = ticked;
    for r in 0..world.replicas.len() {
        *world = model.after(world, Action::Begin(r))?;
        // What one does overtakes the other.
        finish(model, world)?;
    }
    Ok(())
}

/// Lets all passes end, without anything in between.
fn finish(model: &Model, world: &mut World) -> Result<(), Broken> {
    for r in 0..world.replicas.len() {
        while world.replicas[r].pass.is_some() {
            *world = model.after(world, Action::Go(r, Answer::Well(0)))?;
        }
    }
    world.untold = Untold::ANYTHING;
    Ok(())
}
