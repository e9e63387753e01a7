//! All scenes and all guards, side by side, with what was visited.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use strum::VariantArray;

use crate::{guard::Guard, scene::Scene, scenes::Name, search::search, world::Model};

/// Searches all scenes, up to so many states each, and prints what was visited. Says whether all laws hold.
#[must_use]
pub fn all_scenes(bounded: impl Fn(Name) -> Scene + Sync, most: usize) -> bool {
    scenes(Name::VARIANTS, bounded, most)
}

/// The same for some scenes.
#[must_use]
pub fn scenes(names: &[Name], bounded: impl Fn(Name) -> Scene + Sync, most: usize) -> bool {
    let (states, broken) = (AtomicUsize::new(0), AtomicUsize::new(0));
    side_by_side(names, |name| {
        let model = Model {
            scene: bounded(*name),
            without: None,
        };
        let found = search(&model, most);
        states.fetch_add(found.states, Ordering::Relaxed);
        println!("{:<45} {found}", model.scene.name);
        if let Some(trace) = found.broken {
            broken.fetch_add(1, Ordering::Relaxed);
            println!("{name:?} is broken: {trace}");
        }
    });
    let broken = broken.into_inner();
    println!(
        "{} scenes, {} states, {broken} broken",
        names.len(),
        states.into_inner()
    );
    broken == 0
}

/// Takes each rule out, and prints what goes wrong then. Says whether something does for every one.
#[must_use]
pub fn all_guards(most: usize) -> bool {
    guards(most, &|_| true)
}

/// The same for some of them.
#[must_use]
pub fn guards(most: usize, is_meant: &dyn Fn(&str) -> bool) -> bool {
    let entries: Vec<Guard> = Guard::VARIANTS
        .iter()
        .copied()
        .filter(|guard| is_meant(&format!("{guard:?}")))
        .collect();
    let necessary = AtomicUsize::new(0);
    side_by_side(&entries, |guard| {
        let model = Model {
            scene: guard.scene().scene(),
            without: Some(*guard),
        };
        let found = search(&model, most);
        let law = found.broken.as_ref().map_or("no counterexample", |trace| &trace.law.0);
        let law = law.split(" {").next().unwrap_or_default();
        let steps = found.broken.as_ref().map_or(0, |trace| trace.path.len());
        println!(
            "{:?}: {}\n    {steps} steps: {law:.120}\n    {found}",
            guard,
            guard.words()
        );
        necessary.fetch_add(usize::from(found.broken.is_some()), Ordering::Relaxed);
    });
    let necessary = necessary.into_inner();
    println!("{necessary} of {} guards shown necessary", entries.len());
    necessary == entries.len()
}

/// Works on all items, as many at once as there are processors.
fn side_by_side<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let rest = Mutex::new(items.iter());
    let next = || rest.lock().ok().and_then(|mut rest| rest.next());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(item) = next() {
                    work(item);
                }
            });
        }
    });
}
