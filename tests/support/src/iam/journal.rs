//! What happened to the account's roles, in the order in which it did: for those who judge each write by the role before and after it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::faults::Call;
use super::server::State;
use super::state::{Account, RoleState};

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

impl State {
    /// Changes a role without a call.
    pub(crate) fn by_hand<T>(&mut self, action: &str, name: &str, change: impl FnOnce(&mut Account) -> T) -> T {
        let before = self.account.role(name).cloned();
        let answer = change(&mut self.account);
        let after = self.account.role(name).cloned();
        if let Some(journal) = &mut self.journal {
            let at = Instant::now();
            let call = Call {
                number: 0,
                action: action.to_owned(),
                params: BTreeMap::from([("RoleName".to_owned(), name.to_owned())]),
                outcome: "OK".to_owned(),
                fault: None,
                at,
                caller: String::new(),
            };
            journal.push(Moment {
                at,
                call,
                before,
                after,
            });
        }
        answer
    }
}
