//! The promises to users, on a real API server: the built binary as its own process, a strict fake of IAM on the other side.

#![allow(
    unreachable_pub,
    reason = "nothing outside uses a test binary: pub is what its modules share"
)]

mod world;

mod accounts;
mod agreement;
mod commands;
mod crash;
mod credentials;
mod deletion;
mod deploy;
mod drift;
mod editors;
mod ended;
mod faults;
mod fields;
mod guards;
mod guide;
mod hostile;
mod isolation;
mod leader;
mod messages;
mod namespaces;
mod ownership;
mod plugin;
mod prices;
mod proof;
mod rights;
mod samples;
mod statuses;
mod steps;
mod sweep;
mod told;
mod upgrade;
mod validation;
mod watch;
