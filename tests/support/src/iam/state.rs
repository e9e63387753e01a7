//! What the account holds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::{Duration, Instant, SystemTime};

use crate::policy::Policy;

/// How many accounts there have been, and one: each counts its ids from where no other one does.
static ACCOUNTS: AtomicU64 = AtomicU64::new(1);

/// An error answer of IAM's.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
        }
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }

    pub(crate) fn no_such_entity(message: impl Into<String>) -> Self {
        Self::new(404, "NoSuchEntity", message)
    }

    pub(crate) fn no_role(name: &str) -> Self {
        Self::no_such_entity(format!("The role with name {name} cannot be found."))
    }

    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::new(409, "LimitExceeded", message)
    }

    pub(crate) fn conflict(message: &str) -> Self {
        Self::new(409, "DeleteConflict", message)
    }

    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(400, "MalformedPolicyDocument", message)
    }

    pub(crate) fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidInput", message)
    }
}

/// A role, as the account holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleState {
    /// The name in the case of its creation.
    pub name: String,
    /// The path, `/` without one.
    pub path: String,
    /// `AROA…`, another one for each creation.
    pub id: String,
    /// The ARN.
    pub arn: String,
    /// When it was made.
    pub created: SystemTime,
    /// The trust policy, letter by letter as it was given.
    pub trust_policy: String,
    /// The description; `None` when none was ever given.
    pub description: Option<String>,
    /// Seconds.
    pub max_session_duration: u32,
    /// The ARN of the boundary.
    pub permissions_boundary: Option<String>,
    /// The tags.
    pub tags: BTreeMap<String, String>,
    /// The ARNs of the attached managed policies.
    pub attached: BTreeSet<String>,
    /// The inline policies: name and document.
    pub inline: BTreeMap<String, String>,
    /// When and in which region it was last used.
    pub last_used: Option<(SystemTime, String)>,
}

/// Limits of the account.
#[derive(Clone, Debug)]
pub struct Quotas {
    /// Roles in the account.
    pub roles: usize,
    /// Managed policies attached to a role.
    pub policies_per_role: usize,
    /// Characters of a trust policy without white space.
    pub trust_policy: usize,
    /// Characters of all inline policies of a role without white space.
    pub inline_policies: usize,
    /// Tags of a role.
    pub tags: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            roles: 1000,
            policies_per_role: 10,
            trust_policy: 2048,
            inline_policies: 10_240,
            tags: 50,
        }
    }
}

/// A customer managed policy.
#[derive(Clone, Debug)]
pub(crate) struct ManagedPolicy {
    pub(crate) document: String,
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) created: SystemTime,
}

/// An instance profile.
#[derive(Clone, Debug)]
pub(crate) struct InstanceProfile {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) created: SystemTime,
    /// Lower-case names.
    pub(crate) roles: BTreeSet<String>,
}

/// A role that callers of this account may assume, in another account.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) account: String,
    pub(crate) external_id: Option<String>,
}

/// A session that `AssumeRole` opened.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) account: String,
    pub(crate) until: SystemTime,
}

/// How far back late reads can look.
const HISTORY: Duration = Duration::from_mins(2);

/// A role's states, the last being the true one; `None` is "no such role".
type History = VecDeque<(Instant, Option<Arc<RoleState>>)>;

/// The account.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) partition: String,
    pub(crate) quotas: Quotas,
    pub(crate) page_size: usize,
    pub(crate) read_lag: Duration,
    pub(crate) denied: BTreeSet<String>,
    /// Services that IAM knew and no longer takes as principals.
    pub(crate) retired: BTreeSet<String>,
    /// Lower-case names of roles that reads don't show.
    pub(crate) hidden: BTreeSet<String>,
    /// What bulk reads show of roles instead of the truth, by lower-case name; none: nothing.
    pub(crate) lies: BTreeMap<String, Option<RoleState>>,
    /// The rights of the account's callers; none: everything.
    pub(crate) rights: Option<Policy>,
    pub(crate) policies: BTreeMap<String, ManagedPolicy>,
    pub(crate) profiles: BTreeMap<String, InstanceProfile>,
    /// By the ARN of the role.
    pub(crate) doors: BTreeMap<String, Door>,
    /// By the access key.
    pub(crate) sessions: BTreeMap<String, Session>,
    pub(crate) session_length: Duration,
    roles: BTreeMap<String, History>,
    live_roles: usize,
    ids: u64,
}

impl Account {
    pub(crate) fn new(id: String, partition: String) -> Self {
        Self {
            id,
            partition,
            quotas: Quotas::default(),
            page_size: 100,
            read_lag: Duration::ZERO,
            denied: BTreeSet::new(),
            retired: BTreeSet::new(),
            hidden: BTreeSet::new(),
            lies: BTreeMap::new(),
            rights: None,
            policies: BTreeMap::new(),
            profiles: BTreeMap::new(),
            doors: BTreeMap::new(),
            sessions: BTreeMap::new(),
            session_length: Duration::from_hours(1),
            roles: BTreeMap::new(),
            live_roles: 0,
            ids: ACCOUNTS.fetch_add(1, Ordering::Relaxed) << 32,
        }
    }

    /// An id of 21 characters with that prefix, never the same twice, nor in another account.
    pub(crate) fn next_id(&mut self, prefix: &str) -> String {
        const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        self.ids += 1;
        // Multiplying by an odd number is a bijection, so unlike counters make unlike ids.
        let mut rest = self.ids.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut id = format!("{prefix}FAKE");
        while id.len() < 21 {
            id.push(char::from(DIGITS[usize::from(rest.to_le_bytes()[0] & 31)]));
            rest >>= 5;
        }
        id
    }

    pub(crate) fn role_arn(&self, path: &str, name: &str) -> String {
        format!("arn:{}:iam::{}:role{path}{name}", self.partition, self.id)
    }

    /// The true state of a role.
    pub(crate) fn role(&self, name: &str) -> Option<&Arc<RoleState>> {
        self.roles.get(&name.to_ascii_lowercase())?.back()?.1.as_ref()
    }

    /// The true state, or IAM's error.
    pub(crate) fn existing(&self, name: &str) -> Result<&Arc<RoleState>, ApiError> {
        self.role(name).ok_or_else(|| ApiError::no_role(name))
    }

    /// The true states of all roles, by lower-case name.
    pub(crate) fn roles(&self) -> impl Iterator<Item = &Arc<RoleState>> {
        self.roles.values().filter_map(|history| history.back()?.1.as_ref())
    }

    /// The roles as a read sees them, after the lower-case name `after`.
    pub(crate) fn seen_roles<'a>(
        &'a self,
        after: Option<&str>,
    ) -> impl Iterator<Item = (&'a String, &'a Arc<RoleState>)> + use<'a> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.roles
            .range::<str, _>((from, Unbounded))
            .filter(|(name, _)| !self.hidden.contains(*name))
            .filter_map(|(name, history)| Some((name, self.seen(history)?)))
    }

    /// A role as a read sees it.
    pub(crate) fn seen_role(&self, name: &str) -> Result<Arc<RoleState>, ApiError> {
        let key = name.to_ascii_lowercase();
        self.roles
            .get(&key)
            .filter(|_| !self.hidden.contains(&key))
            .and_then(|history| self.seen(history))
            .cloned()
            .ok_or_else(|| ApiError::no_role(name))
    }

    fn seen<'a>(&self, history: &'a History) -> Option<&'a Arc<RoleState>> {
        if self.read_lag.is_zero() {
            return history.back()?.1.as_ref();
        }
        let then = Instant::now().checked_sub(self.read_lag)?;
        history.iter().rev().find(|(at, _)| *at <= then)?.1.as_ref()
    }

    pub(crate) fn live_roles(&self) -> usize {
        self.live_roles
    }

    /// Makes, replaces or (with `None`) deletes a role.
    pub(crate) fn set_role(&mut self, name: &str, state: Option<RoleState>) {
        let history = self.roles.entry(name.to_ascii_lowercase()).or_default();
        let was = history.back().is_some_and(|(_, state)| state.is_some());
        self.live_roles = self.live_roles + usize::from(state.is_some()) - usize::from(was);
        let now = Instant::now();
        history.push_back((now, state.map(Arc::new)));
        while history.get(1).is_some_and(|(at, _)| now.duration_since(*at) > HISTORY) {
            history.pop_front();
        }
    }

    /// Changes a role that exists; an error leaves it as it was.
    pub(crate) fn update_role(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut RoleState, &Quotas) -> Result<(), ApiError>,
    ) -> Result<(), ApiError> {
        let mut state = RoleState::clone(self.existing(name)?);
        change(&mut state, &self.quotas)?;
        let name = state.name.clone();
        self.set_role(&name, Some(state));
        Ok(())
    }

    /// Refuses to change a role of AWS's own.
    pub(crate) fn modifiable(&self, name: &str) -> Result<(), ApiError> {
        let role = self.existing(name)?;
        if role.path.starts_with("/aws-service-role/") {
            return Err(ApiError::new(
                400,
                "UnmodifiableEntity",
                format!(
                    "Cannot perform the operation on the protected role '{}' - this role is only modifiable by AWS",
                    role.name
                ),
            ));
        }
        Ok(())
    }

    /// See [`super::FakeIam::put_in_profile`].
    pub(crate) fn put_in_profile(&mut self, role: &str, inside: bool) {
        let key = role.to_ascii_lowercase();
        if !inside {
            self.profiles.retain(|_, profile| !profile.roles.contains(&key));
        } else if self.role(role).is_some() {
            let id = self.next_id("AIPA");
            let profile = InstanceProfile {
                name: role.to_owned(),
                path: "/".to_owned(),
                id,
                created: SystemTime::now(),
                roles: BTreeSet::from([key.clone()]),
            };
            self.profiles.insert(key, profile);
        }
    }

    /// Whether a role is in an instance profile.
    pub(crate) fn is_in_profile(&self, role: &str) -> bool {
        let key = role.to_ascii_lowercase();
        self.profiles.values().any(|profile| profile.roles.contains(&key))
    }

    /// Whether a managed policy, AWS's or the account's, exists.
    pub(crate) fn policy_exists(&self, arn: &str) -> bool {
        let aws = format!("arn:{}:iam::aws:policy/", self.partition);
        arn.strip_prefix(&aws).is_some_and(|name| AWS_MANAGED.contains(&name)) || self.policies.contains_key(arn)
    }
}

/// Some of AWS's managed policies, the path before the name.
pub const AWS_MANAGED: &[&str] = &[
    "AdministratorAccess",
    "AmazonDynamoDBFullAccess",
    "AmazonDynamoDBReadOnlyAccess",
    "AmazonEC2ContainerRegistryReadOnly",
    "AmazonEC2FullAccess",
    "AmazonEC2ReadOnlyAccess",
    "AmazonKinesisFirehoseFullAccess",
    "AmazonKinesisReadOnlyAccess",
    "AmazonMobileAnalyticsFullAccess",
    "AmazonMobileAnalyticsFullReportAccess",
    "AmazonMobileAnalyticsWriteOnlyAccess",
    "AmazonRDSReadOnlyAccess",
    "AmazonS3FullAccess",
    "AmazonS3ReadOnlyAccess",
    "AmazonSNSReadOnlyAccess",
    "AmazonSQSReadOnlyAccess",
    "AmazonSSMReadOnlyAccess",
    "AWSCloudTrail_ReadOnlyAccess",
    "AWSKeyManagementServicePowerUser",
    "AWSLambda_ReadOnlyAccess",
    "CloudWatchFullAccess",
    "CloudWatchLogsReadOnlyAccess",
    "CloudWatchReadOnlyAccess",
    "IAMReadOnlyAccess",
    "PowerUserAccess",
    "ReadOnlyAccess",
    "SecurityAudit",
    "job-function/Billing",
    "job-function/SupportUser",
    "job-function/ViewOnlyAccess",
    "service-role/AWSLambdaBasicExecutionRole",
    "service-role/AmazonEC2RoleforSSM",
];
