//! Manifests, offline: reading them as kubectl would send them, and what API server and controller would refuse of them.

mod check;
mod editors;
mod metadata;
mod node;
mod read;
mod sarif;
mod scalar;
mod schema;
mod yaml;

pub(super) use check::{Checked, Declared, Rules, check};
pub(super) use editors::json_schema;
pub(super) use node::Node;
pub(super) use read::{ManifestArgs, parse, read};
pub(super) use sarif::{NOTED, sarif};
