//! What holds without any server: the pure core's laws and tables, the shape of the code, and the CRD that is generated from it.

#![allow(
    unreachable_pub,
    reason = "nothing outside uses a test binary: pub is what its modules share"
)]

mod architecture;
mod budgets;
mod crd;
mod decisions;
mod declarations;
mod documents;
mod exports;
mod exposures;
mod fuzz;
mod generated;
mod laws;
mod messages;
mod monitoring;
mod papers;
mod passes;
mod recents;
mod sightings;
mod source;
mod statuses;
mod validate;
