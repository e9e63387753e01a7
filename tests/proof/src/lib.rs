//! Every reachable state of a small world in which the controller's own decisions act.
//!
//! The controller here is the code of `role::{decision, ownership, plan, status, recent}`, asked in the order in which a pass asks it
//! ([`pass`]). Each read, each IAM call and each write to the API server is an action of its own, and between any two of them the world
//! may move: others change the role, calls fail before or after their effect, the process is killed, another replica works, the object
//! is edited, deleted and made anew, time goes by ([`actions`]). [`search`] visits every state that can be reached within the bounds of
//! a [`scene`], and [`laws`] judge every write. From every state the world is also left alone, and must come to rest as declared
//! ([`calm`]). [`guard`] takes the rules of the decision out, one at a time: the search must find what each of them is for.
//!
//! The search is our own: `stateright` (0.31) always brings a web server, and versions of crates that we hold already, which `deny.toml`
//! forbids; and its states must be `Hash`, which ours are only by their printed form.

pub mod actions;
pub mod calm;
pub mod guard;
pub mod iam;
pub mod laws;
mod look;
mod object;
pub mod pass;
pub mod power;
pub mod report;
pub mod scene;
pub mod scenes;
pub mod sealed;
pub mod search;
pub mod specs;
pub mod world;
