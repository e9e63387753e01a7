//! Those tests that need the pure core alone, on mutants of it (`make mutants`).

#![allow(
    unreachable_pub,
    reason = "nothing outside uses a test binary: pub is what its modules share"
)]

extern crate pure as pinpoint_import_role_controller;
extern crate pure as proof;
extern crate pure as test_support;

mod budgets;
mod decisions;
mod declarations;
mod documents;
mod exports;
mod exposures;
mod fuzz;
mod generated;
mod laws;
mod passes;
mod recents;
mod sightings;
mod statuses;
