//! What reviewers are told of roles: whom one lets in and what it may do, which change widens access, and how one that exists is written
//! down. It is for the commands; no pass depends on it (`tests/core/architecture.rs` keeps it so).

pub mod export;
pub mod exposure;
pub mod widening;
