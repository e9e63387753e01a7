//! The only room that names the AWS SDK: the accounts, reads roles, carries out steps, and says what each failure means.

mod accounts;
mod answer;
mod client;
mod environment;
mod error;
mod execute;
mod observe;
mod pages;
mod sessions;
mod sweep;
mod words;

pub use accounts::{AccountWatch, Accounts, Entry, Place, watch_account};
pub use client::{AssumedRole, CallWatch, ExternalId, Iam, IamSettings};
pub use environment::check_environment;
pub use error::class_of_code;
