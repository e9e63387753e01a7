//! A strict fake of IAM's wire format: the AWS Query protocol, XML, API version 2010-05-08.
//!
//! It shares no code with the controller. Codes, messages, limits and patterns are AWS's as far as
//! they are public; what is not is written down where it is used.
//!
//! Its own limits: signatures are not verified, `GetAccountAuthorizationDetails` knows roles and policies alone,
//! inline policy names are case-sensitive, a managed policy has one version, and `UpdateRole`
//! leaves the session length alone when it is not given.

mod actions;
mod authorize;
mod builders;
mod faults;
mod journal;
mod paging;
mod params;
mod policies;
mod policy_check;
mod roles;
mod server;
mod state;
mod xml;

use std::convert::Infallible;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use builders::RoleBuilder;
pub use faults::{Call, Fault, Gate, GateHandle, Rule};
pub use journal::Moment;
pub use state::{AWS_MANAGED, Quotas, RoleState};

use crate::policy::Policy;
use server::Shared;
use state::{Account, Door};

/// How to start the fake.
#[derive(Clone, Debug)]
pub struct Config {
    /// The account, 12 digits.
    pub account_id: String,
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// The port on the loopback interface; 0 for a free one.
    pub port: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            account_id: "123456789012".to_owned(),
            partition: "aws".to_owned(),
            port: 0,
        }
    }
}

/// A running fake of IAM; dropped, it stops and closes every connection.
#[derive(Debug)]
pub struct FakeIam {
    shared: Arc<Shared>,
    endpoint: String,
    stop: Option<tokio::sync::oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeIam {
    /// Starts on a free loopback port, with account 123456789012 in the partition `aws`.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(Config::default())
    }

    /// Starts with a configuration.
    ///
    /// # Panics
    ///
    /// When the port is taken.
    #[must_use]
    pub fn start_with(config: Config) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", config.port)).expect("bind a loopback port");
        listener.set_nonblocking(true).expect("a non-blocking listener");
        let address = listener.local_addr().expect("the address of the listener");
        let shared = Arc::new(Shared::new(Account::new(config.account_id, config.partition)));
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("fake-iam".to_owned())
            .spawn({
                let shared = shared.clone();
                move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .expect("a runtime");
                    runtime.block_on(async {
                        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener for the runtime");
                        server::serve(listener, shared, stopped).await;
                    });
                }
            })
            .expect("a thread");
        let endpoint = format!("http://{address}");
        Self {
            shared,
            endpoint,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// One without a server: who is in this process calls [`Self::answer`]. Its answers cost no time.
    #[must_use]
    pub fn in_process() -> Self {
        let Config {
            account_id, partition, ..
        } = Config::default();
        Self::of(Account::new(account_id, partition))
    }

    /// Another one without a server that begins with the state of this one, without its faults and its log.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self::of(self.shared.lock().account.clone())
    }

    fn of(account: Account) -> Self {
        Self {
            shared: Arc::new(Shared::new(account)),
            endpoint: "http://127.0.0.1:1".to_owned(),
            stop: None,
            thread: None,
        }
    }

    /// What the server would answer to a `POST` of this form: a status, and XML. Faults, gates and the rate limit are the server's.
    #[must_use]
    pub fn answer(&self, headers: &hyper::HeaderMap, form: &[u8]) -> (u16, String) {
        server::answer(&self.shared, headers, form)
    }

    /// `http://127.0.0.1:PORT`, for IAM and for STS. Where there is no server, nobody listens there.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// The true state of a role.
    #[must_use]
    pub fn role(&self, name: &str) -> Option<RoleState> {
        self.shared.lock().account.role(name).map(|role| RoleState::clone(role))
    }

    /// The true state of every role, by name.
    #[must_use]
    pub fn roles(&self) -> Vec<RoleState> {
        self.shared
            .lock()
            .account
            .roles()
            .map(|role| RoleState::clone(role))
            .collect()
    }

    /// Makes a role (or puts it in the place of one with its name) without a call and without any
    /// check, and returns it.
    #[allow(clippy::must_use_candidate, reason = "it is called for its effect")]
    pub fn put_role(&self, role: RoleBuilder) -> RoleState {
        let state = &mut self.shared.lock();
        let role = role.build(&mut state.account);
        state.by_hand("put", &role.name, |account| {
            account.set_role(&role.name, Some(role.clone()));
        });
        role
    }

    /// Changes a role without a call, as another hand would do it. Its name is not to be changed.
    ///
    /// # Panics
    ///
    /// When there is no such role.
    pub fn tamper(&self, name: &str, change: impl FnOnce(&mut RoleState)) {
        assert!(self.try_tamper(name, change), "there is no role {name} to tamper with");
    }

    /// The same for a role that may be gone by now; `false` if it is.
    pub fn try_tamper(&self, name: &str, change: impl FnOnce(&mut RoleState)) -> bool {
        let tampered = |account: &mut Account| {
            let result = account.update_role(name, |role, _| {
                change(role);
                Ok(())
            });
            result.is_ok()
        };
        self.shared.lock().by_hand("tamper", name, tampered)
    }

    /// Takes a role away without a call, with all that it has.
    pub fn remove_role(&self, name: &str) {
        self.shared.lock().by_hand("remove", name, |account| {
            if account.role(name).is_some() {
                account.set_role(name, None);
            }
        });
    }

    /// Puts a role into an instance profile of the role's name, which keeps it from being deleted, or takes it out again.
    pub fn put_in_profile(&self, role: &str, inside: bool) {
        self.shared.lock().account.put_in_profile(role, inside);
    }

    /// Whether a role is in an instance profile.
    #[must_use]
    pub fn is_in_profile(&self, role: &str) -> bool {
        self.shared.lock().account.is_in_profile(role)
    }

    /// From now on keeps a journal: each call when it has its effect, and each change by another hand, with the role before and after.
    pub fn keep_journal(&self) {
        self.shared.lock().journal = Some(Vec::new());
    }

    /// Takes what the journal has; empty where none is kept.
    #[must_use]
    pub fn take_journal(&self) -> Vec<Moment> {
        self.shared
            .lock()
            .journal
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// Keeps a role from being shown by any read, while its name stays taken. IAM's documents promise no more of its reads than that they
    /// are right at last ("Changes that I make are not always immediately visible").
    pub fn hide_role(&self, name: &str) {
        self.shared.lock().account.hidden.insert(name.to_ascii_lowercase());
    }

    /// Takes [`Self::hide_role`] back.
    pub fn show_role(&self, name: &str) {
        self.shared.lock().account.hidden.remove(&name.to_ascii_lowercase());
    }

    /// Has `GetAccountAuthorizationDetails` show a role as it is not.
    ///
    /// # Panics
    ///
    /// When there is no such role.
    pub fn lie_in_bulk(&self, name: &str, lie: impl FnOnce(&mut RoleState)) {
        let mut role = self
            .role(name)
            .unwrap_or_else(|| panic!("there is no role {name} to lie about"));
        lie(&mut role);
        let account = &mut self.shared.lock().account;
        account.lies.insert(name.to_ascii_lowercase(), Some(role));
    }

    /// Has `GetAccountAuthorizationDetails` leave a role out.
    pub fn hide_in_bulk(&self, name: &str) {
        let account = &mut self.shared.lock().account;
        account.lies.insert(name.to_ascii_lowercase(), None);
    }

    /// Has `GetAccountAuthorizationDetails` tell the truth again.
    pub fn end_lies(&self) {
        self.shared.lock().account.lies.clear();
    }

    /// The calls since the start or the last [`Self::clear_calls`].
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.shared.lock().control.calls.clone()
    }

    /// The calls that could change something.
    #[must_use]
    pub fn writes(&self) -> Vec<Call> {
        self.calls().into_iter().filter(Call::is_write).collect()
    }

    /// Empties the log of calls; the next one is number 1.
    pub fn clear_calls(&self) {
        self.shared.lock().control.clear_calls();
    }

    /// Adds a fault; rules are asked in the order in which they were added.
    pub fn fault(&self, rule: Rule) {
        self.shared.lock().control.rules.push(rule);
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.shared.lock().control.rules.clear();
    }

    /// Holds call number `number` (1 is the first since the last [`Self::clear_calls`]) before it
    /// does anything, or after its effect and before its answer.
    #[must_use]
    pub fn gate(&self, number: usize, gate: Gate) -> GateHandle {
        self.shared.lock().control.gate(number, gate)
    }

    /// Lets callers of this account assume a role of another one, whose calls then come in here, at this endpoint, and are logged there.
    pub fn open_door(&self, into: &FakeIam, role_arn: &str, external_id: Option<&str>) {
        let id = into.shared.lock().account.id.clone();
        let guests = self.shared.guests.lock();
        guests
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.clone(), into.shared.clone());
        let door = Door {
            account: id,
            external_id: external_id.map(str::to_owned),
        };
        self.shared.lock().account.doors.insert(role_arn.to_owned(), door);
    }

    /// How long the sessions last that `AssumeRole` opens from now on.
    pub fn set_session_length(&self, length: Duration) {
        self.shared.lock().account.session_length = length;
    }

    /// Refuses an action with `AccessDenied`.
    pub fn deny(&self, action: &str) {
        self.shared.lock().account.denied.insert(action.to_owned());
    }

    /// Takes [`Self::deny`] back.
    pub fn allow(&self, action: &str) {
        self.shared.lock().account.denied.remove(action);
    }

    /// Takes a service as a principal no longer, in trust policies that are written from now on, as if AWS had taken it out of service.
    /// What roles say already stays.
    pub fn retire_service(&self, principal: &str) {
        self.shared.lock().account.retired.insert(principal.to_owned());
    }

    /// Gives callers just the rights of a policy document; none takes the limit away.
    pub fn enforce(&self, policy: Option<&str>) {
        self.shared.lock().account.rights = policy.map(Policy::parse);
    }

    /// How long each call takes at least.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.lock().control.latency = latency;
    }

    /// How much longer a page of a list takes for each item that is asked for by `MaxItems`.
    pub fn set_latency_per_item(&self, latency: Duration) {
        self.shared.lock().control.latency_per_item = latency;
    }

    /// Answers `Throttling` to calls beyond `per_second`, of which `burst` may come at once;
    /// `None` takes the limit away.
    pub fn set_rate_limit(&self, limit: Option<(f64, f64)>) {
        self.shared.lock().control.set_rate_limit(limit);
    }

    /// Reads answer from the roles as they were that long ago. Writes act upon the true state.
    pub fn set_read_lag(&self, lag: Duration) {
        self.shared.lock().account.read_lag = lag;
    }

    /// The most items that a page of any list has, whatever `MaxItems` says.
    pub fn set_page_size(&self, items: usize) {
        self.shared.lock().account.page_size = items;
    }

    /// Changes the account's limits.
    pub fn set_quotas(&self, change: impl FnOnce(&mut Quotas)) {
        change(&mut self.shared.lock().account.quotas);
    }
}

impl Drop for FakeIam {
    fn drop(&mut self) {
        // Dropping the sender is the signal; the runtime's end closes the connections.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
