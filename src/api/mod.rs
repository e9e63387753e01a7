//! The custom resource: what users write and read.
//!
//! One module per version of the API, and every word that appears on a wire: names, tags, condition types and reasons.
//!
#![doc = include_str!("../../docs/contract.md")]

pub mod bounds;
mod condition;
mod duration;
mod names;
pub mod v1alpha1;

pub use condition::{ConditionType, EventReason, Reason};
pub use duration::duration;
pub use names::{CONTROLLER, FINALIZER, INLINE_POLICY, REQUEST_ANNOTATION, Tag};
