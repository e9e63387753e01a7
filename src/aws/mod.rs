//! The only room that names the AWS SDK: the accounts, reads roles, carries out steps, and says what each failure means.

mod accounts;
mod answer;
mod budget;
mod client;
mod environment;
mod error;
mod execute;
mod lane;
mod loopback;
mod observe;
mod own;
mod pages;
mod queue;
mod seats;
mod sessions;
mod sweep;
mod turn;
mod words;

pub use accounts::{AccountAccess, AccountWatch, Accounts, Place, watch_account};
pub use client::{CallWatch, Iam, IamSettings};
pub use environment::check_environment;
pub use error::class_of_code;
pub(crate) use lane::{Lane, PassLane};
pub use queue::{Queue, QueueUrl};
pub use sessions::{AssumedRole, ExternalId};
pub use sweep::{Details, Page, Paging, RolePages};
pub use turn::Turn;
