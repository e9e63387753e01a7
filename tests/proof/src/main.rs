//! Searches all scenes, and prints what was visited. `proof [MORE [MOST]]`: so much more may happen in each, up to so many states a scene;
//! `proof guards`: each rule taken out.

use std::{env, process::ExitCode};

use proof::{
    report::{all_guards, all_scenes},
    scenes::Name,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let number = |nth: usize, otherwise: usize| {
        let given = arguments.get(nth).and_then(|text| text.parse().ok());
        given.unwrap_or(otherwise)
    };
    let is_well = if arguments.first().is_some_and(|first| first == "guards") {
        all_guards(number(1, 300_000))
    } else {
        let more = u8::try_from(number(0, 0)).unwrap_or(u8::MAX);
        all_scenes(|name| Name::larger(name, more), number(1, 1_000_000))
    };
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
