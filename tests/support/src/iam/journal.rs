//! What happened to the account's roles, in the order in which it did: for those who judge each write by the role before and after it.

use std::sync::Arc;
use std::time::Instant;

use super::faults::Call;
use super::state::RoleState;

/// A call that had its effect, or was kept from having one; or a change by another hand, without a call.
#[derive(Clone, Debug)]
pub struct Moment {
    /// When it had its effect. `call.at` is when it came in.
    pub at: Instant,
    /// The call. Another hand's has no caller, and the action `put`, `tamper` or `remove`.
    pub call: Call,
    /// The role that it is about, before it.
    pub before: Option<Arc<RoleState>>,
    /// The role after it.
    pub after: Option<Arc<RoleState>>,
}
