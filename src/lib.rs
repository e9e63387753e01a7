//! A controller that keeps the IAM roles through which Amazon Pinpoint imports segments from S3 as Kubernetes objects declare them.
//!
//! ```text
//!  PinpointImportRole ──·──▶ DesiredRole ──┐
//!                                          ├──·──▶ Plan ──▶ execute ──▶ Outcome ──·──▶ Status (written only if changed)
//!  IAM ──observe──▶ ObservedRole ──────────┘                               └──·──▶ Event · requeue
//! ```
//!
//! Every arrow with a `·` is a pure function of [`role`]. Only [`aws`] talks to IAM, only [`controller`] to Kubernetes. What to do is
//! data: a [`role::Plan`] is a list of changes, each one IAM call. Whatever makes the controller look at a role is only a hint; what is
//! wrong is found by looking, so hints may be lost, repeated or late.
//!
//! What users see is the contract: `docs/contract.md`, which is the documentation of [`api`] too. How to add something: `CONTRIBUTING.md`.
//!
//! # Rooms
//!
//! Each may use those above it; `tests/core/architecture.rs` says exactly which, and that no files use each other in
//! a circle.
//!
//! | room | holds | never has |
//! | --- | --- | --- |
//! | [`plain`] | text that others wrote, made harmless | |
//! | [`api`] | the custom resource, and every word on a wire | a client |
//! | [`role`] | the pure core: what a role should be, whose it is, what to do, what to say | async, a clock, I/O, the SDK, kube |
//! | [`aws`] | reading roles, carrying out steps, what each failure means | kube |
//! | [`cluster`] | the Kubernetes client, who the cluster is, calls that end | |
//! | [`controller`] | watch, pass, finalizer, status, events, lease | the SDK |
//! | [`cli`] | a file or folder a command; prints what [`role`] computed | the SDK |
//!
//! Beside them [`config`], [`metrics`], [`telemetry`] and [`admin`]; `main.rs` only calls [`cli::main`].
//!
//! # What never happens
//!
//! * A role is wider than declared or than it was, at any moment of a repair; and what can be narrowed is narrowed, whatever else fails
//!   (`tests/core/laws.rs`, `tests/core/passes.rs`).
//! * A role that is not the object's is written to or deleted (`tests/cluster/proof`, `tests/cluster/ownership.rs`).
//! * An object goes while its role stays by accident, at whatever call the process dies (`tests/cluster/crash.rs`).
//! * Another end than that of an undisturbed run, whatever is done to any call, and to any later one (`tests/faults`).
//! * Something is written or told while nothing changes; a failure that lasts is told twice (`tests/core/statuses.rs`,
//!   `tests/cluster/told`).
//! * Something is decided upon an answer that was read in part, or a document that can't be read whole.
//! * A document of others costs more than a fixed budget (`tests/core/budgets.rs`), or acts where it is printed
//!   (`tests/cluster/hostile.rs`).
//! * What people did waits for what is merely due (`tests/faults/many.rs`).
//! * An object or an account that fails delays the others (`tests/cluster/isolation.rs`).
//! * A command other than `run` writes to AWS or Kubernetes (`tests/cluster/commands`).
//!
//! # Four stories
//!
//! **An object's life.** The watch (`controller/mod.rs`) tells `controller/register.rs`, which hands on what is a reason to look.
//! `controller/pass.rs` reads the object afresh. `controller/look.rs` asks [`role::decision`] its questions with a read between each:
//! anything to do at all, which role (`role/desired.rs` and `role/guards.rs` parse the spec once), whose is it (`role/ownership.rs`), what
//! is to be done (`role/plan.rs`). The finalizer (`controller/objects.rs`) comes once the object is sound, and before anything is made; of
//! an object that bore none the role is made without a look, since nobody can have made it. `controller/work.rs` first writes to the
//! status what must survive this process, then makes the changes. `controller/conclude.rs` writes the status of `role/status.rs` if it
//! differs, and waits as `role/waits.rs` says; the events of `role/events.rs` are told beside. Deletion goes the same way, up to the
//! finalizer.
//!
//! **An answer of IAM.** `aws/client.rs` pays for the call from the account's budget. `aws/answer.rs` refuses a body that does not end
//! with its own closing tag; `aws/pages.rs` takes a list whole or not at all; `aws/observe.rs` makes a [`role::ObservedRole`] of it.
//! `role/recent.rs` knows what this process lately overwrote: what shows exactly that is late, everything else is new. What
//! documents permit is read by `role/policy/json.rs` and `role/policy/grammar.rs`, within the budget of `role/policy/budget.rs`, as grants,
//! which are compared.
//!
//! **An error.** `aws/error.rs` gives it a [`role::Class`], by AWS' code and never by its prose, and `aws/words.rs` a message that is the
//! same for the same failure. `role/plan.rs` keeps back what needs the change that failed, and nothing else. `role/outcome.rs` finds the
//! worst of a pass and its reason; `role/status.rs` says nothing that is said already; `role/waits.rs` tells when to try again. An error of
//! the API server is an `ApiError` of `cluster.rs`: a refusal is said in the status, all else is tried again.
//!
//! **A hint.** A new generation, the annotation "reconcile now", or the interval (`controller/register.rs`, `controller/conclude.rs`); or a
//! sweep: `controller/sweeps.rs` reads all roles of an account (`aws/sweep.rs`), and `role/sighting.rs` judges each by the functions of a
//! pass: as declared, so that the object rests, or a hint (`controller/hints.rs`), of which so many a second are told; or a change message
//! (`controller/changes.rs`, `aws/queue.rs`, `role/message.rs`). A hint says which object to look at and nothing else; the pass finds out
//! by itself. A hint too many costs a look, one too few costs time.
//!
//! # Decisions
//!
//! * *One decision, asked by the pass and by `plan`* (`role/decision.rs`): two copies came apart, and only one was tested.
//! * *Changes name what must hold before them*, beside their order (`role/plan.rs`): an order alone does not say what a failure keeps back.
//! * *The pinned `RoleId` proves, tags claim* (`role/ownership.rs`): anybody who may tag roles can copy tags. Tags are there because they go
//!   out inside `CreateRole`, so that a lost answer leaves no role that is nobody's.
//! * *Remembered is what was overwritten, in memory alone* (`role/recent.rs`): IAM is eventually consistent, and by time alone a real
//!   change could not be told from a late answer. After a restart nothing is believed that could be late; that costs a settle time, and
//!   saves a write for each write.
//! * *Drift is what differs under the declaration that was in place*, spec and settings, by a hash in the status: settings that change are
//!   an update.
//! * *Documents are compared by what they permit* (`role/policy`): IAM and other tools write them anew. Wildcards are not unfolded.
//! * *No SDK types beyond [`aws`], no kube client beyond [`controller`] and [`cli`]*: what decides is tried as values, so that laws hold
//!   over generated histories of failures, late answers and restarts, and not over examples.
//! * *A small fake of IAM that is strict* (`tests/support`), held against moto, beside a real kube-apiserver: mocks agree with whoever
//!   wrote them.
//! * *A panic ends the process*, and Kubernetes starts it again: what is known is in IAM and in the status.
//!
//! Deliberately absent: webhooks (CEL and an admission policy do), a cache of roles (the watch's store and IAM are
//! enough), and any way to write a trust policy by hand.

// Standard output and standard error are written in `cli/medium.rs` alone, where others' text is made harmless.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod admin;
pub mod api;
pub mod aws;
mod backoff;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod controller;
pub mod metrics;
pub mod plain;
mod rate;
pub mod role;
pub mod telemetry;
