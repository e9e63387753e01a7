//! A strict fake of one SQS queue's wire format (AWS JSON 1.0; SQS API reference): receiving in long polls, and deleting in batches.
//!
//! Its own limits: signatures are not verified, nothing but the service in their scope is; there are no attributes, no dead letters and no
//! retention.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, StatusCode, body::Bytes, body::Incoming, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// What the queue does to those who ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// It answers.
    #[default]
    Well,
    /// Every call is denied.
    Denied,
    /// There is no such queue.
    Gone,
    /// It fails with 503.
    Failing,
    /// It receives, but deletes nothing.
    Keeping,
}

/// A message that somebody sent.
#[derive(Debug)]
struct Sent {
    body: String,
    /// Until when a receiver has it to itself.
    hidden_until: Option<Instant>,
}

#[derive(Debug, Default)]
struct State {
    mood: Mood,
    /// By the order in which they were sent.
    messages: BTreeMap<u64, Sent>,
    sent: u64,
    received: usize,
    deleted: usize,
    polls: usize,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    arrived: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running queue; dropped, it stops and closes every connection.
#[derive(Debug)]
pub struct FakeSqs {
    shared: Arc<Shared>,
    url: String,
    stop: Option<tokio::sync::oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeSqs {
    /// Starts on a free loopback port.
    ///
    /// # Panics
    /// The machine has no port or thread left.
    #[must_use]
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind a loopback port");
        listener.set_nonblocking(true).expect("a non-blocking listener");
        let address = listener.local_addr().expect("the address of the listener");
        let url = format!("http://{address}/123456789012/changes");
        let shared = Arc::new(Shared::default());
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let work = serve(listener, shared.clone(), url.clone(), stopped);
        let thread = std::thread::Builder::new().name("fake-sqs".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(work);
        });
        Self {
            shared,
            url,
            stop: Some(stop),
            thread: Some(thread.expect("a thread")),
        }
    }

    /// The queue's URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends a message.
    pub fn send(&self, body: impl Into<String>) {
        let mut state = self.shared.lock();
        let number = state.sent;
        state.sent += 1;
        let sent = Sent {
            body: body.into(),
            hidden_until: None,
        };
        state.messages.insert(number, sent);
        drop(state);
        self.shared.arrived.notify_waiters();
    }

    /// What the queue does from now on.
    pub fn set_mood(&self, mood: Mood) {
        self.shared.lock().mood = mood;
        self.shared.arrived.notify_waiters();
    }

    /// How many messages wait or are with a receiver.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.lock().messages.len()
    }

    /// How many messages were given out, how many deleted, and how often somebody asked for some.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        let state = self.shared.lock();
        (state.received, state.deleted, state.polls)
    }
}

impl Drop for FakeSqs {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    url: String,
    mut stop: tokio::sync::oneshot::Receiver<Infallible>,
) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener for the runtime");
    loop {
        let stream = tokio::select! {
            _ = &mut stop => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            },
        };
        let (shared, url) = (shared.clone(), url.clone());
        tokio::spawn(async move {
            let service = hyper::service::service_fn(|request| answer(shared.clone(), url.clone(), request));
            // An error is a client that left.
            let _ = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// Code and words of an error, with its HTTP status.
type Refusal = (u16, &'static str, String);

async fn answer(
    shared: Arc<Shared>,
    url: String,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let (status, text) = match act(&shared, &url, &head.headers, &body).await {
        Ok(value) => (200, value),
        Err((status, code, words)) => (
            status,
            json!({ "__type": format!("com.amazonaws.sqs#{code}"), "message": words }),
        ),
    };
    let response = Response::builder()
        .status(StatusCode::from_u16(status).unwrap_or_default())
        .header(header::CONTENT_TYPE, "application/x-amz-json-1.0")
        .body(Full::new(Bytes::from(text.to_string())));
    Ok(response.expect("a status and a header of our own"))
}

async fn act(shared: &Shared, url: &str, headers: &hyper::HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    if !header("authorization").contains("/sqs/aws4_request") {
        return Err((
            403,
            "MissingAuthenticationToken",
            "the request is not signed for sqs".to_owned(),
        ));
    }
    let wrong = |words: &str| (400, "InvalidParameterValue", words.to_owned());
    let input: Value = serde_json::from_slice(body).map_err(|why| wrong(&why.to_string()))?;
    match shared.lock().mood {
        Mood::Denied => {
            let words = "User: arn:aws:iam::123456789012:user/pir is not authorized to perform this on the queue";
            return Err((403, "AccessDeniedException", words.to_owned()));
        }
        Mood::Gone => {
            return Err((
                400,
                "QueueDoesNotExist",
                "The specified queue does not exist.".to_owned(),
            ));
        }
        Mood::Failing => return Err((503, "ServiceUnavailable", "try again".to_owned())),
        Mood::Well | Mood::Keeping => {}
    }
    if input["QueueUrl"] != url {
        return Err((
            400,
            "QueueDoesNotExist",
            format!("{} is another queue", input["QueueUrl"]),
        ));
    }
    match header("x-amz-target") {
        "AmazonSQS.ReceiveMessage" => receive(shared, &input).await,
        "AmazonSQS.DeleteMessageBatch" => delete(shared, &input),
        other => Err((400, "InvalidAction", format!("the fake does not know {other}"))),
    }
}

async fn receive(shared: &Shared, input: &Value) -> Result<Value, Refusal> {
    let wrong = |words: &str| (400, "InvalidParameterValue", words.to_owned());
    let most = input["MaxNumberOfMessages"].as_u64().unwrap_or(1);
    let wait = input["WaitTimeSeconds"].as_u64().unwrap_or(0);
    if !(1..=10).contains(&most) || wait > 20 {
        return Err(wrong("MaxNumberOfMessages is 1 to 10, WaitTimeSeconds 0 to 20"));
    }
    shared.lock().polls += 1;
    let until = Instant::now() + Duration::from_secs(wait);
    loop {
        let arrived = shared.arrived.notified();
        let given = give(&mut shared.lock(), usize::try_from(most).unwrap_or(10));
        let left = until.saturating_duration_since(Instant::now());
        if !given.is_empty() {
            return Ok(json!({ "Messages": given }));
        }
        // An empty answer has no list at all.
        if left.is_zero() || tokio::time::timeout(left, arrived).await.is_err() {
            return Ok(json!({}));
        }
    }
}

fn give(state: &mut State, most: usize) -> Vec<Value> {
    // The least that a queue may set is 0; the template sets 60 s.
    let hidden = Duration::from_mins(1);
    let now = Instant::now();
    let free = |(_, sent): &(&u64, &mut Sent)| sent.hidden_until.is_none_or(|until| until <= now);
    let given: Vec<Value> = state
        .messages
        .iter_mut()
        .filter(free)
        .take(most)
        .map(|(number, sent)| {
            sent.hidden_until = Some(now + hidden);
            let number = number.to_string();
            json!({ "MessageId": number, "ReceiptHandle": number, "Body": sent.body })
        })
        .collect();
    state.received += given.len();
    given
}

fn delete(shared: &Shared, input: &Value) -> Result<Value, Refusal> {
    let entries = input["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
    if entries.is_empty() || entries.len() > 10 {
        return Err((
            400,
            "TooManyEntriesInBatchRequest",
            "a batch has 1 to 10 entries".to_owned(),
        ));
    }
    let mut state = shared.lock();
    let keeps = state.mood == Mood::Keeping;
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        let receipt = entry["ReceiptHandle"]
            .as_str()
            .and_then(|handle| handle.parse::<u64>().ok());
        match receipt.filter(|_| !keeps) {
            Some(number) => {
                // Deleting what is deleted already succeeds.
                state.messages.remove(&number);
                state.deleted += 1;
                done.push(json!({ "Id": entry["Id"] }));
            }
            None => failed.push(json!({ "Id": entry["Id"], "SenderFault": !keeps, "Code": "ReceiptHandleIsInvalid" })),
        }
    }
    Ok(json!({ "Successful": done, "Failed": failed }))
}

/// What `EventBridge` sends of a call on a role.
#[must_use]
pub fn message(role: &str, event: &str, request: &str) -> Value {
    json!({
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.iam",
        "account": "123456789012",
        "detail": {
            "eventSource": "iam.amazonaws.com",
            "eventName": event,
            "eventTime": "2026-11-02T10:20:30Z",
            "requestParameters": { "roleName": role },
            "requestID": request,
            "recipientAccountId": "123456789012",
        }
    })
}
