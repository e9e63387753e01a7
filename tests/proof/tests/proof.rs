//! The laws hold in every state that the small bounds allow, and each rule is there for something. `make proof` has the larger bounds.

use proof::{
    report::{all_guards, all_scenes},
    scenes::Name,
};

/// More states than any of these scenes has.
const MOST: usize = 1_000_000;

#[test]
fn the_laws_hold_whatever_happens() {
    assert!(all_scenes(Name::smaller, MOST), "a law is broken: the trace is above");
}

#[test]
fn without_any_rule_a_law_is_broken() {
    assert!(all_guards(MOST), "a rule has no counterexample: it is named above");
}
