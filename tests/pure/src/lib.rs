//! The pure core by itself: the same files, and of what the tests stand on those that need no server.
#![cfg(feature = "mutants")]

#[path = "../../../src/api/mod.rs"]
pub mod api;
#[path = "../../../src/plain.rs"]
pub mod plain;
#[path = "../../support/src/policy.rs"]
pub mod policy;
#[path = "../../../src/role/mod.rs"]
pub mod role;
#[path = "../../support/src/search.rs"]
pub mod search;
