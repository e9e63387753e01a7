//! Those tests that need the pure core alone, on mutants of it (`make mutants`).

extern crate pure as pinpoint_import_role_controller;
extern crate pure as test_support;

mod budgets;
mod documents;
mod exposures;
mod fuzz;
mod generated;
mod laws;
mod model;
mod passes;
mod statuses;
