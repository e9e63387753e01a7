//! Searches all scenes, and prints what was visited. `proof [MORE [MOST [SCENE…]]]`: so much more may happen in each, up to so many states
//! a scene; only in those of these names;
//! `proof guards [MOST [GUARD…]]`: each rule taken out.

use std::{env, process::ExitCode};

use proof::{
    report::{guards, scenes},
    scenes::Name,
};
use strum::VariantArray;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let number = |nth: usize, otherwise: usize| {
        let given = arguments.get(nth).and_then(|text| text.parse().ok());
        given.unwrap_or(otherwise)
    };
    let is_named = |name: &str| arguments.len() < 3 || arguments[2..].iter().any(|meant| meant == name);
    let is_well = if arguments.first().is_some_and(|first| first == "guards") {
        guards(number(1, 300_000), &is_named)
    } else {
        let more = u8::try_from(number(0, 0)).unwrap_or(u8::MAX);
        let names: Vec<Name> = Name::VARIANTS
            .iter()
            .copied()
            .filter(|name| is_named(&format!("{name:?}")))
            .collect();
        scenes(&names, |name| Name::larger(name, more), number(1, 1_000_000))
    };
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
