//! A controller that keeps the IAM roles through which Amazon Pinpoint imports segments from S3 as Kubernetes objects declare them.
//!
//! ```text
//!  PinpointImportRole ──·──▶ DesiredRole ──┐
//!                                          ├──·──▶ Plan ──▶ execute ──▶ Outcome ──·──▶ Status (written only if changed)
//!  IAM ──observe──▶ ObservedRole ──────────┘                               └──·──▶ Event · requeue
//! ```
//!
//! Every arrow with a `·` is a pure function of [`role`]. Only [`aws`] talks to IAM, only [`controller`] to Kubernetes. What to do is
//! data: a [`role::Plan`] is a list of steps, each one IAM call. Whatever makes the controller look at a role is only a hint; what is
//! wrong is found by looking, so hints may be lost, repeated or late.
//!
//! Rooms, each of which may use those before it: [`api`] (the custom resource), [`role`] (the pure core), [`aws`], [`controller`],
//! [`cli`]; beside them [`config`], [`metrics`], [`telemetry`] and [`admin`]. Below all of them: [`plain`], for text that others wrote.

// Standard output and standard error are written in `cli/medium.rs` alone, where others' text is made harmless.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod admin;
pub mod api;
pub mod aws;
pub mod cli;
pub mod config;
pub mod controller;
pub mod metrics;
pub mod plain;
pub mod role;
pub mod telemetry;
