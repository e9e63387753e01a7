//! What the tests and the demo stand on: a real control plane, a strict fake of IAM, moto, and child processes that never outlive
//! their starter. None of the controller's code is used here, so that both sides of a test are independent.

pub mod bench;
pub mod control_plane;
pub mod guarded;
pub mod iam;
pub mod moto;
pub mod policy;
pub mod ports;
pub mod product;
pub mod proxy;
pub mod search;
pub mod soak;
pub mod sqs;
pub mod tools;
pub mod waiting;
