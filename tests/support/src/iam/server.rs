//! The wire: HTTP, the Query protocol, and the faults put upon it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::{Method, Request, Response, header};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::actions;
use super::faults::{Call, Control, Fault, Gate, Held};
use super::journal::Moment;
use super::params::Params;
use super::state::{Account, ApiError, RoleState};
use super::xml;

/// What the server and the test share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Other accounts, by their id, for the sessions that are opened here.
    pub(crate) guests: Mutex<BTreeMap<String, Arc<Shared>>>,
}

/// Whose a request's access key is.
enum Caller {
    /// This account's.
    Own,
    /// A session in another account.
    Guest(Arc<Shared>),
    /// A session that has ended, or never was.
    Expired,
}

/// The account and what the test does to the wire.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) account: Account,
    pub(crate) control: Control,
    /// What has happened, once somebody wants to know.
    pub(crate) journal: Option<Vec<Moment>>,
    requests: u64,
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

impl Shared {
    pub(crate) fn new(account: Account) -> Self {
        let state = State {
            account,
            control: Control::default(),
            journal: None,
            requests: 0,
        };
        Self {
            state: Mutex::new(state),
            guests: Mutex::default(),
        }
    }

    fn caller(&self, headers: &hyper::HeaderMap) -> Caller {
        let key = access_key(headers);
        if !key.starts_with("ASIA") {
            return Caller::Own;
        }
        let session = self.lock().account.sessions.get(key).cloned();
        let Some(session) = session.filter(|session| session.until > SystemTime::now()) else {
            return Caller::Expired;
        };
        let guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        guests
            .get(&session.account)
            .cloned()
            .map_or(Caller::Expired, Caller::Guest)
    }

    /// A test that panics while it tampers must not hide its message behind a poisoned lock.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The access key that a request is signed with; empty for one without.
fn access_key(headers: &hyper::HeaderMap) -> &str {
    let header = headers
        .get(header::AUTHORIZATION)
        .and_then(|header| header.to_str().ok());
    let key = header.and_then(|header| header.split("Credential=").nth(1)?.split('/').next());
    key.unwrap_or_default()
}

/// The connection is to be closed without an answer.
#[derive(Debug)]
struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("dropped on purpose")
    }
}

impl std::error::Error for Dropped {}

/// A body that can break off: then `text` is less than the length that the header promises.
struct AnswerBody {
    text: Option<Bytes>,
    length: u64,
    flushed: bool,
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        if let Some(text) = self.text.take() {
            self.length -= text.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(text))));
        }
        if self.length == 0 {
            return Poll::Ready(None);
        }
        if !self.flushed {
            // Gives the server one turn to write out what it has before the connection breaks.
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Dropped)))
    }

    fn is_end_stream(&self) -> bool {
        self.text.is_none() && self.length == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

type HttpAnswer = Result<Response<AnswerBody>, Dropped>;

/// Accepts connections until `stop` is through.
pub(crate) async fn serve(
    listener: tokio::net::TcpListener,
    shared: Arc<Shared>,
    mut stop: tokio::sync::oneshot::Receiver<Infallible>,
) {
    loop {
        let stream = tokio::select! {
            _ = &mut stop => return,
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    // Out of file descriptors, most likely: others have to close some first.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    continue;
                };
                stream
            }
        };
        let _ = stream.set_nodelay(true);
        let shared = shared.clone();
        tokio::spawn(async move {
            let service = hyper::service::service_fn(|request| handle(shared.clone(), request));
            // An error is a client that left or a connection dropped on purpose.
            let _ = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn respond(status: u16, kind: &'static str, id: &str, text: String) -> Response<AnswerBody> {
    let text = Bytes::from(text);
    let length = text.len() as u64;
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, kind)
        .header("x-amzn-RequestId", id)
        .body(AnswerBody {
            text: Some(text),
            length,
            flushed: false,
        })
        .expect("a status and headers of our own")
}

/// A request, taken apart.
struct Query {
    action: String,
    version: String,
    params: BTreeMap<String, String>,
}

impl Query {
    fn parse(form: &str) -> Option<Self> {
        let mut params = BTreeMap::new();
        for pair in form.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            params.insert(xml::form_decode(key)?, xml::form_decode(value)?);
        }
        let action = params.remove("Action").unwrap_or_default();
        let version = params.remove("Version").unwrap_or_default();
        Some(Self {
            action,
            version,
            params,
        })
    }

    fn is_sts(&self) -> bool {
        self.version == "2011-06-15"
    }

    fn namespace(&self) -> &'static str {
        if self.is_sts() { xml::STS_NS } else { xml::IAM_NS }
    }
}

/// What was decided about a call when it came in.
struct Plan {
    call: Call,
    epoch: u64,
    id: String,
    fault: Option<Fault>,
    before: Option<Held>,
    after: Option<Held>,
    latency: Duration,
}

fn plan(shared: &Shared, query: &Query, caller: &str) -> Plan {
    let mut state = shared.lock();
    state.requests += 1;
    let id = format!("00000000-0000-4000-8000-{:012x}", state.requests);
    let control = &mut state.control;
    let asked = query.params.get("MaxItems").and_then(|items| items.parse().ok());
    let latency = control.latency + control.latency_per_item * asked.unwrap_or(0);
    let at = Instant::now();
    let number = control.calls.len() + 1;
    // The rate limit stands before everything else, and its refusals use up no fault.
    let fault = if control.take_token(at) {
        control.take_fault(&query.action, &query.params)
    } else {
        Some(Fault::Throttle)
    };
    let call = Call {
        number,
        action: query.action.clone(),
        params: query.params.clone(),
        outcome: "Pending".to_owned(),
        fault: fault.as_ref().map(Fault::name),
        at,
        caller: caller.to_owned(),
    };
    control.calls.push(call.clone());
    Plan {
        call,
        epoch: control.epoch,
        id,
        fault,
        before: control.take_gate(number, Gate::Before),
        after: control.take_gate(number, Gate::After),
        latency,
    }
}

impl Plan {
    /// Takes note of what became of the call. `before` is the role before it.
    fn outcome(&self, state: &mut State, outcome: &str, before: Option<Arc<RoleState>>) {
        if state.control.epoch == self.epoch {
            outcome.clone_into(&mut state.control.calls[self.call.number - 1].outcome);
        }
        let after = self.call.role().and_then(|name| state.account.role(name).cloned());
        if let Some(journal) = &mut state.journal {
            let call = Call {
                outcome: outcome.to_owned(),
                ..self.call.clone()
            };
            let at = Instant::now();
            journal.push(Moment {
                at,
                call,
                before,
                after,
            });
        }
    }

    /// Takes note that the call has no effect.
    fn without_effect(&self, state: &mut State, outcome: &str) {
        let role = self.call.role().and_then(|name| state.account.role(name).cloned());
        self.outcome(state, outcome, role);
    }
}

async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> HttpAnswer {
    let (head, body) = request.into_parts();
    let form = if head.method == Method::POST {
        body.collect().await.map_err(|_| Dropped)?.to_bytes().into()
    } else {
        head.uri.query().unwrap_or_default().as_bytes().to_vec()
    };
    let query = String::from_utf8(form).ok().and_then(|form| Query::parse(&form));
    let Some(query) = query else {
        let (status, text) = malformed();
        return Ok(respond(status, "text/xml", "0", text));
    };
    let caller = shared.caller(&head.headers);
    let expired = matches!(caller, Caller::Expired);
    let shared = match caller {
        Caller::Guest(guest) => guest,
        Caller::Own | Caller::Expired => shared,
    };
    let mut plan = plan(&shared, &query, access_key(&head.headers));
    tokio::time::sleep(plan.latency).await;
    if let Some(gate) = plan.before.take()
        && !gate.pass().await
    {
        plan.without_effect(&mut shared.lock(), "NotDone");
        return Err(Dropped);
    }
    let fault = plan.fault.take();
    if let Some(answer) = fault_before(&shared, &plan, &query, fault.as_ref()).await {
        return answer;
    }
    let (status, text) = perform(&shared, &head.headers, &query, expired, &plan);
    if let Some(gate) = plan.after.take()
        && !gate.pass().await
    {
        return Err(Dropped);
    }
    fault_after(fault, respond(status, "text/xml", &plan.id, text), &plan.id).await
}

/// What a fault makes of the answer to a call that had its effect.
async fn fault_after(fault: Option<Fault>, mut answer: Response<AnswerBody>, id: &str) -> HttpAnswer {
    match fault {
        Some(Fault::ResetAfter) => return Err(Dropped),
        Some(Fault::HangAfter(time)) => tokio::time::sleep(time).await,
        Some(Fault::Nonsense) => {
            let text = "\u{1}{\"not\": <xml".to_owned();
            return Ok(respond(200, "application/octet-stream", id, text));
        }
        Some(Fault::Answer(text)) => return Ok(respond(200, "text/xml", id, text)),
        Some(Fault::TruncatedBody) => {
            let body = answer.body_mut();
            body.text = body.text.take().map(|text| text.slice(..text.len() / 2));
        }
        Some(Fault::Rewritten(from, to)) => {
            let body = answer.body_mut();
            let rewritten = |text: Bytes| Bytes::from(String::from_utf8_lossy(&text).replace(from, to));
            body.text = body.text.take().map(rewritten);
            body.length = body.text.as_ref().map_or(0, |text| text.len() as u64);
        }
        Some(Fault::CutShort(bytes)) => {
            let body = answer.body_mut();
            body.text = body.text.take().map(|text| text.slice(..text.len().min(bytes)));
            body.length = body.text.as_ref().map_or(0, |text| text.len() as u64);
        }
        _ => {}
    }
    Ok(answer)
}

/// The effect of a call, and the answer to it.
fn perform(shared: &Shared, headers: &hyper::HeaderMap, query: &Query, expired: bool, plan: &Plan) -> (u16, String) {
    let mut state = shared.lock();
    let before = plan.call.role().and_then(|name| state.account.role(name).cloned());
    let result = authenticate(headers, query, expired).and_then(|()| execute(&mut state.account, query));
    let outcome = result.as_ref().map_or_else(|error| error.code.as_str(), |_| "OK");
    plan.outcome(&mut state, outcome, before);
    match result {
        Ok(inner) => {
            let name = format!("{}Result", query.action);
            let inner = inner.map_or_else(String::new, |inner| xml::wrap(&name, &inner));
            (200, xml::answer(&query.action, query.namespace(), &inner, &plan.id))
        }
        Err(e) => {
            let text = xml::error(query.namespace(), e.status, &e.code, &e.message, &plan.id);
            (e.status, text)
        }
    }
}

/// The answer to a form, without a server.
pub(crate) fn answer(shared: &Shared, headers: &hyper::HeaderMap, form: &[u8]) -> (u16, String) {
    let form = std::str::from_utf8(form).ok();
    let Some(query) = form.and_then(Query::parse) else {
        return malformed();
    };
    let plan = plan(shared, &query, "");
    perform(shared, headers, &query, false, &plan)
}

fn malformed() -> (u16, String) {
    let message = "The query string is malformed.";
    (400, xml::error(xml::IAM_NS, 400, "MalformedQueryString", message, "0"))
}

/// The faults that keep the call from having an effect.
async fn fault_before(shared: &Shared, plan: &Plan, query: &Query, fault: Option<&Fault>) -> Option<HttpAnswer> {
    let error = |status: u16, code: &str, message: &str| {
        plan.without_effect(&mut shared.lock(), code);
        let text = xml::error(query.namespace(), status, code, message, &plan.id);
        Some(Ok(respond(status, "text/xml", &plan.id, text)))
    };
    match fault? {
        Fault::Error { status, code, message } => error(*status, code, message),
        Fault::Throttle => error(400, "Throttling", "Rate exceeded"),
        Fault::Html500 => {
            plan.without_effect(&mut shared.lock(), "NotDone");
            let text = "<html><body><h1>500 Internal Server Error</h1><br></body></html>";
            Some(Ok(respond(500, "text/html", &plan.id, text.to_owned())))
        }
        Fault::ResetBefore => {
            plan.without_effect(&mut shared.lock(), "NotDone");
            Some(Err(Dropped))
        }
        Fault::HangBefore(time) => {
            tokio::time::sleep(*time).await;
            None
        }
        _ => None,
    }
}

/// IAM takes only requests that are signed for it. The signature itself is not checked: that is
/// the SDK's part, and any credentials will do in a test.
fn authenticate(headers: &hyper::HeaderMap, query: &Query, expired: bool) -> Result<(), ApiError> {
    if expired {
        let message = "The security token included in the request is expired";
        return Err(ApiError::new(403, "ExpiredToken", message));
    }
    let Some(header) = headers.get(header::AUTHORIZATION) else {
        return Err(ApiError::new(
            403,
            "MissingAuthenticationToken",
            "Request is missing Authentication Token",
        ));
    };
    let header = header.to_str().unwrap_or_default();
    let incomplete = |what: &str| {
        let message = format!("Authorization header requires '{what}' parameter.");
        ApiError::new(400, "IncompleteSignature", message)
    };
    let fields = header
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .ok_or_else(|| incomplete("AWS4-HMAC-SHA256"))?
        .split(',')
        .filter_map(|field| field.trim().split_once('='))
        .collect::<BTreeMap<_, _>>();
    for field in ["Credential", "Signature", "SignedHeaders"] {
        if !fields.contains_key(field) {
            return Err(incomplete(field));
        }
    }
    if !headers.contains_key("x-amz-date") {
        return Err(incomplete("X-Amz-Date"));
    }
    let service = if query.is_sts() { "sts" } else { "iam" };
    let scope: Vec<&str> = fields["Credential"].rsplitn(4, '/').collect();
    if !matches!(scope[..], ["aws4_request", named, ..] if named == service) {
        return Err(ApiError::new(
            403,
            "SignatureDoesNotMatch",
            format!("Credential should be scoped to correct service: '{service}'."),
        ));
    }
    Ok(())
}

fn execute(account: &mut Account, query: &Query) -> Result<Option<String>, ApiError> {
    let params = Params(&query.params);
    let action = query.action.as_str();
    if action.is_empty() {
        return Err(ApiError::new(
            400,
            "MissingAction",
            "The request must contain an Action.",
        ));
    }
    match query.version.as_str() {
        "2010-05-08" => actions::iam(account, action, &params),
        "2011-06-15" => actions::sts(account, action, &params),
        version => Err(ApiError::new(
            400,
            "InvalidAction",
            format!("Could not find operation {action} for version {version}"),
        )),
    }
}
