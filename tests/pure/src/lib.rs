//! The pure core by itself: the same files, and of what the tests stand on those that need no more.
#![cfg(feature = "mutants")]

// By that name the files of `tests/proof` know it.
extern crate self as pinpoint_import_role_controller;

#[path = "../../../src/api/mod.rs"]
pub mod api;
/// Of the controller what decides by itself; the rest calls it.
#[allow(dead_code, reason = "the rest is not here")]
#[path = "../../../src/controller"]
pub mod controller {
    mod backlog;
    mod memory;
    mod pace;
    mod register;

    pub use pace::SweepSettings;
}
#[path = "../../proof/src/iam.rs"]
pub mod iam;
/// Of the metrics what it says in them.
#[allow(dead_code, reason = "the rest is not here")]
#[path = "../../../src/metrics"]
pub mod metrics {
    mod labels;
    mod watched;

    pub use labels::{Followed, Shown, SweepResult, Why};
    pub use watched::Watched;
}
#[path = "../../../src/plain.rs"]
pub mod plain;
#[path = "../../support/src/policy.rs"]
pub mod policy;
#[path = "../../proof/src/power.rs"]
pub mod power;
#[path = "../../../src/role/mod.rs"]
pub mod role;
#[path = "../../proof/src/sealed.rs"]
pub mod sealed;
#[path = "../../support/src/search.rs"]
pub mod search;
