//! The pure core: what a role should be, what it is, whose it is, and what to do about it.
//!
//! Nothing here waits, looks at a clock, or talks to AWS or Kubernetes (`tests/core/architecture.rs` keeps it so). The same values and
//! functions serve the controller, the commands and the tests.

pub mod decision;
pub mod desired;
pub mod difference;
pub mod events;
pub mod guards;
pub mod message;
pub mod name;
pub mod observed;
pub mod outcome;
pub mod ownership;
pub mod plan;
pub mod policy;
pub mod problem;
pub mod progress;
pub mod recent;
pub mod review;
pub mod sighting;
pub mod situation;
pub mod spelling;
pub mod status;
pub mod step;
pub mod waits;

pub use desired::{DesiredRole, Surroundings};
pub use difference::{Difference, Field};
pub use guards::{Guards, Patterns};
pub use name::{Account, PolicyArn, RoleName, RolePath};
pub use observed::{Head, ObservedRole, SweptRole};
pub use outcome::{Class, Failure};
pub use ownership::{Foreign, Owner, Ownership};
pub use plan::Plan;
pub use problem::{FieldPath, Problem, Segment};
pub use step::{Change, NewRole, Premise, Step};
