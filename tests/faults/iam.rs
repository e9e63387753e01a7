//! IAM without a network: the SDK's connector calls the strict fake.

use std::{fmt, sync::Arc, time::Duration};

use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use http::{HeaderMap, HeaderName, HeaderValue};
use test_support::iam::FakeIam;

use crate::{
    fault::Fault,
    wire::{Moment, Target, Wire},
    world::ROLE,
};

/// How long the SDK waits for an answer (`read_timeout` of `aws/client.rs`), which its connector must see to.
const READ: Duration = Duration::from_secs(5);
/// How long a call takes.
const LATENCY: Duration = Duration::from_millis(10);

/// IAM.
pub(crate) struct Iam {
    /// The account.
    pub(crate) fake: FakeIam,
    wire: Arc<Wire>,
}

impl fmt::Debug for Iam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Iam")
    }
}

/// What one process calls.
#[derive(Clone, Debug)]
struct Connector {
    iam: Arc<Iam>,
    life: usize,
}

impl Iam {
    /// An account behind a wire.
    pub(crate) fn new(fake: FakeIam, wire: Arc<Wire>) -> Arc<Self> {
        Arc::new(Self { fake, wire })
    }

    /// The HTTP client of a process.
    pub(crate) fn client(self: &Arc<Self>, life: usize) -> SharedHttpClient {
        let connector = Connector {
            iam: Arc::clone(self),
            life,
        };
        http_client_fn(move |_, _| SharedHttpConnector::new(connector.clone()))
    }

    fn perform(&self, request: &HttpRequest, action: &str, role: &str, is_write: bool) -> (u16, String) {
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers() {
            let pair = (name.parse::<HeaderName>(), value.parse::<HeaderValue>());
            if let (Ok(name), Ok(value)) = pair {
                headers.insert(name, value);
            }
        }
        let answer = self.fake.answer(&headers, request.body().bytes().unwrap_or_default());
        if is_write {
            if role != ROLE {
                self.wire.wrong(format!("{action} on role {role}, which is another's"));
            }
            let role = Box::new(self.fake.role(role));
            self.wire.note(Moment::Written(action.to_owned(), role));
        }
        answer
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { iam, life } = self.clone();
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(LATENCY).await;
            let form = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
            let (action, role) = (parameter(&form, "Action"), parameter(&form, "RoleName"));
            let is_write = !["Get", "List"].iter().any(|prefix| action.starts_with(prefix));
            let fault = iam.wire.arrive(life, Target::Iam, action, is_write).await;
            let broken = || ConnectorError::io("the connection broke".into());
            if let Some(fault) = fault.filter(|fault| !fault.has_effect()) {
                let error = |status, code: &str| Ok(answer(status, &error(status, code)));
                return match fault {
                    Fault::Throttled => error(400, "Throttling"),
                    Fault::Denied => error(403, "AccessDenied"),
                    Fault::Conflict => error(409, "ConcurrentModification"),
                    Fault::Late => {
                        tokio::time::sleep(READ).await;
                        Err(ConnectorError::timeout("no answer".into()))
                    }
                    Fault::Cut => Err(broken()),
                    _ => error(500, "ServiceFailure"),
                };
            }
            let (status, text) = iam.perform(&request, action, role, is_write);
            match fault {
                Some(Fault::ErrorAfter) => Ok(answer(500, &error(500, "ServiceFailure"))),
                Some(Fault::CutAfter) => Err(broken()),
                Some(Fault::Torn) => Ok(answer(status, &text[..text.len() / 2])),
                Some(Fault::LateAfter) => {
                    tokio::time::sleep(READ).await;
                    Err(ConnectorError::timeout("no answer".into()))
                }
                Some(Fault::Killed) => iam.wire.kill().await,
                _ => Ok(answer(status, &text)),
            }
        })
    }
}

fn parameter<'a>(form: &'a str, key: &str) -> &'a str {
    let mut pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|pair| pair.0 == key).map_or("", |pair| pair.1)
}

fn error(status: u16, code: &str) -> String {
    let kind = if status < 500 { "Sender" } else { "Receiver" };
    format!(
        "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>{kind}</Type><Code>{code}</Code>\
         <Message>{code} it is</Message></Error><RequestId>0</RequestId></ErrorResponse>"
    )
}

fn answer(status: u16, text: &str) -> HttpResponse {
    let status = status.try_into().expect("a status");
    HttpResponse::new(status, SdkBody::from(text))
}
