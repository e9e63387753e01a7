//! The clients of IAM and STS, and the controller's own budget of calls.

use std::{
    fmt,
    future::Future,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_config::{
    AppName, BehaviorVersion, Region, SdkConfig, meta::region::RegionProviderChain, timeout::TimeoutConfig,
};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_types::request_id::RequestId;
use governor::Quota;
use tracing::info;

use super::{
    answer::WholeAnswersOnly,
    budget::CallBudget,
    error,
    lane::{Lane, PassLane},
    loopback::LoopbackOnlyInClear,
    own::OwnWrites,
    sessions::{AssumedRole, Sessions},
    turn::Turn,
};
use crate::{
    api::CONTROLLER,
    rate::Rate,
    role::{Account, Failure},
};

/// IAM's region in the standard partition, for where nobody names one (IAM user guide, "Regions and endpoints").
const DEFAULT_REGION: &str = "us-east-1";

/// How IAM, STS and SQS are called.
#[derive(Clone, Copy, Debug)]
pub struct IamSettings {
    /// Most IAM calls per second, on average. IAM throttles per account, and others need it too.
    pub calls_per_second: NonZeroU32,
    /// Most IAM calls at once after a quiet time.
    pub burst: NonZeroU32,
    /// Most calls of the controller's sweeps per minute, of these.
    pub sweep_calls_per_minute: NonZeroU32,
}

/// Told of every call, for metrics.
pub trait CallWatch: Send + Sync {
    /// A call was made: its action, what came of it (`ok`, `absent`, or the class of its failure), and how long it waited for the budget.
    fn called(&self, action: &'static str, result: &'static str, waited: Duration);

    /// IAM was too slow for a page of a list, which is asked for again with so many items at most.
    fn smaller_pages(&self, action: &'static str, items: i32) {
        info!(items, "{action}: IAM is slow, so its pages are made smaller");
    }
}

/// IAM as the controller uses it. Every call waits for the budget first.
#[derive(Clone)]
pub struct Iam {
    pub(super) client: aws_sdk_iam::Client,
    sts: aws_sdk_sts::Client,
    /// What the SDK found in its environment, with the credentials of this client.
    pub(super) shared: SdkConfig,
    settings: IamSettings,
    budget: Arc<CallBudget>,
    /// In whose place in the budget's queue calls wait.
    lane: PassLane,
    /// The smaller budget of the sweeps, each of whose calls is paid for from the other too.
    pub(super) sweeps: Arc<Rate>,
    pub(super) watch: Arc<dyn CallWatch>,
    /// Time limits of the bulk reads.
    pub(super) page_timeouts: TimeoutConfig,
    /// The writes of this process.
    own: Arc<OwnWrites>,
    turn: Turn,
}

impl fmt::Debug for Iam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Iam")
    }
}

impl Iam {
    /// Clients by the AWS SDK's own environment: credentials, region, endpoints, retries.
    pub async fn from_environment(settings: IamSettings, watch: Arc<dyn CallWatch>) -> Self {
        // The SDK waits for ever by default. An IAM call answers within a second or so; the operation's limit spans its retries.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .read_timeout(Duration::from_secs(5))
            .operation_attempt_timeout(Duration::from_secs(10))
            .operation_timeout(Duration::from_secs(30))
            .build();
        let region = RegionProviderChain::default_provider().or_else(Region::new(DEFAULT_REGION));
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .timeout_config(timeouts)
            .region(region);
        if let Ok(name) = AppName::new(CONTROLLER) {
            loader = loader.app_name(name);
        }
        Self::of(&loader.load().await, settings, watch)
    }

    /// Clients by what the SDK found. What every call is held to is put on here.
    #[must_use]
    pub fn of(shared: &SdkConfig, settings: IamSettings, watch: Arc<dyn CallWatch>) -> Self {
        let turn = Turn::default();
        let iam = aws_sdk_iam::config::Builder::from(shared)
            .interceptor(LoopbackOnlyInClear)
            .interceptor(turn.clone())
            .interceptor(WholeAnswersOnly)
            .build();
        let sts = aws_sdk_sts::config::Builder::from(shared)
            .interceptor(LoopbackOnlyInClear)
            .interceptor(WholeAnswersOnly)
            .build();
        Self {
            client: aws_sdk_iam::Client::from_conf(iam),
            sts: aws_sdk_sts::Client::from_conf(sts),
            shared: shared.clone(),
            settings,
            budget: budget(settings),
            lane: Lane::Asked.into(),
            sweeps: sweeps(settings),
            watch,
            page_timeouts: page_timeouts(),
            own: Arc::default(),
            turn,
        }
    }

    /// IAM as seen with an assumed role, with a budget of its own, since IAM throttles per account.
    #[must_use]
    pub fn assuming(&self, role: AssumedRole) -> Self {
        let sessions = SharedCredentialsProvider::new(Sessions::new(self.sts.clone(), role));
        let config = self
            .client
            .config()
            .to_builder()
            .credentials_provider(sessions.clone())
            .build();
        Self {
            client: aws_sdk_iam::Client::from_conf(config),
            shared: self.shared.to_builder().credentials_provider(sessions).build(),
            budget: budget(self.settings),
            sweeps: sweeps(self.settings),
            ..self.clone()
        }
    }

    /// The same, for calls that people asked for or that are due.
    #[must_use]
    pub(crate) fn in_lane(mut self, lane: impl Into<PassLane>) -> Self {
        self.lane = lane.into();
        self
    }

    /// The time in which it may be called, of all accounts.
    pub(crate) fn turn(&self) -> &Turn {
        &self.turn
    }

    /// Calls per second that there may be in an account, on average.
    pub(crate) fn calls_per_second(&self) -> NonZeroU32 {
        self.settings.calls_per_second
    }

    /// The account of the credentials (`sts:GetCallerIdentity`, which needs no permission).
    ///
    /// # Errors
    /// The call failed: no credentials, or they don't work, or no answer.
    pub async fn account(&self) -> Result<Account, Failure> {
        let attempt = "asking STS whose the AWS credentials are (GetCallerIdentity)";
        let answer = self
            .sts
            .get_caller_identity()
            .send()
            .await
            .map_err(|error| error::failure(attempt, &error))?;
        Account::of_arn(answer.arn().unwrap_or_default()).map_err(|why| error::nonsense(attempt, &why))
    }

    /// Makes a call as soon as the budget has one to spare, and counts it.
    pub(super) async fn call<T, E>(
        &self,
        action: &'static str,
        send: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<T, SdkError<E>>
    where
        T: RequestId,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let start = Instant::now();
        self.budget.take(self.lane.clone()).await;
        let waited = start.elapsed();
        let answer = send.await;
        self.turn.hold().await;
        let result = match &answer {
            Ok(_) => "ok",
            Err(SdkError::ServiceError(answer)) if answer.err().code() == Some("NoSuchEntity") => "absent",
            Err(error) => error::class(error).as_str(),
        };
        self.watch.called(action, result, waited);
        // A call that failed may have had its effect all the same.
        let id = answer
            .as_ref()
            .map_or_else(RequestId::request_id, RequestId::request_id);
        if let Some(id) = id.filter(|_| !is_read(action)) {
            self.own.note(id, Instant::now());
        }
        answer
    }

    /// Whether the call of this id was a write of this process.
    #[must_use]
    pub fn wrote(&self, request_id: &str) -> bool {
        self.own.knows(request_id, Instant::now())
    }
}

fn is_read(action: &str) -> bool {
    action.starts_with("Get") || action.starts_with("List")
}

fn budget(settings: IamSettings) -> Arc<CallBudget> {
    let quota = Quota::per_second(settings.calls_per_second).allow_burst(settings.burst);
    Arc::new(CallBudget::new(quota))
}

fn sweeps(settings: IamSettings) -> Arc<Rate> {
    Arc::new(Rate::new(Quota::per_minute(settings.sweep_calls_per_minute)))
}

/// How long a page may take: it bears hundreds of roles, and IAM has been seen to need 10 s for one.
pub(super) fn page_timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .read_timeout(Duration::from_secs(30))
        .operation_attempt_timeout(Duration::from_secs(40))
        .operation_timeout(Duration::from_mins(1))
        .build()
}

#[cfg(test)]
impl Iam {
    /// A client that tries once, so that every answer is seen as it is.
    pub(super) async fn for_test(endpoint: &str) -> Self {
        struct Nobody;
        impl CallWatch for Nobody {
            fn called(&self, _: &'static str, _: &'static str, _: Duration) {}
        }
        let shared = aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .region(Region::from_static(DEFAULT_REGION))
            .credentials_provider(aws_credential_types::Credentials::new("a", "b", None, None, "test"))
            .retry_config(aws_config::retry::RetryConfig::disabled())
            .load()
            .await;
        let much = NonZeroU32::new(10_000).expect("not 0");
        let settings = IamSettings {
            calls_per_second: much,
            burst: much,
            sweep_calls_per_minute: much,
        };
        Self::of(&shared, settings, Arc::new(Nobody))
    }
}
