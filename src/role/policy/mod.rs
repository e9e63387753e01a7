//! What a policy document permits, apart from how it is written.
//!
//! A document is taken apart into [`Grant`]s: one effect, one principal, one action, one resource, under some conditions. Two documents
//! that permit the same have the same grants, whatever their order, lists, repeats, `Sid`s and white space, and whether one statement
//! or several say it (contract, section 3). Grammar: IAM user guide, "Grammar of the IAM JSON policy language".

pub mod buckets;
mod budget;
mod grammar;
mod grant;
mod json;
mod meaning;
pub mod trust;

pub use grant::{Effect, Folded, Grant, Principal, Scope};
pub use meaning::Meaning;
