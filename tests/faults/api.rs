//! An API server without a network: as much of one as the controller uses, and nothing else. What it does not know is a mistake of the
//! controller's, or of this file.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::body::{Body, Bytes};
use futures::{Stream, stream};
use http::{Method, Request, Response, header};
use kube::{
    Client,
    client::{Body as Sent, ClientBuilder, retry::RetryPolicy},
};
use pinpoint_import_role_controller::api::v1alpha1::PinpointImportRoleStatus;
use serde_json::{Value, json};
use tokio::{sync::watch, time::Instant};
use tower::{BoxError, retry::RetryLayer};

use crate::{
    fault::Fault,
    wire::{Moment, Target, Wire},
    world::NAME,
};

/// The namespace of all objects whose name says no other.
pub(crate) const NAMESPACE: &str = "default";
const NAMESPACES: &str = "/apis/pinpoint-import.dev/v1alpha1/namespaces/";
const ALL: &str = "/apis/pinpoint-import.dev/v1alpha1/pinpointimportroles";
const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/";
/// How long a request may take (`kube-apiserver --request-timeout`).
const TIMEOUT: Duration = Duration::from_mins(1);
/// How long a call takes.
const LATENCY: Duration = Duration::from_millis(2);

/// What the API server holds.
#[derive(Clone, Debug, Default)]
struct State {
    version: u64,
    uids: u64,
    objects: BTreeMap<String, Value>,
    /// Changes, for those who watch: version, kind, object.
    changes: Vec<(u64, &'static str, Value)>,
    events: Vec<String>,
    /// How often a drift was noted in a status.
    drifts: usize,
}

/// The API server.
#[derive(Debug)]
pub(crate) struct Server {
    state: Mutex<State>,
    wire: Arc<Wire>,
    changed: watch::Sender<u64>,
}

/// An answer: its status, and the object or a `Status`.
type Answer = Result<Value, (u16, Value)>;

/// What a request is for.
#[derive(Debug)]
enum Asked {
    List,
    Watch { since: u64, for_: Duration },
    Get(String),
    Finalizers(String),
    Status(String),
    Event,
    Unknown,
}

impl Server {
    /// An empty one.
    pub(crate) fn new(wire: Arc<Wire>) -> Arc<Self> {
        Self::of(State::default(), wire)
    }

    /// Another one with the same objects.
    pub(crate) fn copy(&self, wire: Arc<Wire>) -> Arc<Self> {
        let state = self.locked().clone();
        Self::of(
            State {
                events: Vec::new(),
                drifts: 0,
                ..state
            },
            wire,
        )
    }

    fn of(state: State, wire: Arc<Wire>) -> Arc<Self> {
        Arc::new(Self {
            changed: watch::Sender::new(state.version),
            state: Mutex::new(state),
            wire,
        })
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client of a process, with the retries of `kube::Client::try_from`.
    pub(crate) fn client(self: &Arc<Self>, life: usize) -> Client {
        let server = Arc::clone(self);
        let service = tower::service_fn(move |request: Request<Sent>| {
            let server = Arc::clone(&server);
            async move { server.serve(life, request).await }
        });
        ClientBuilder::new(service, NAMESPACE)
            .with_layer(&RetryLayer::new(RetryPolicy::server_retry()))
            .build()
    }

    async fn serve(self: Arc<Self>, life: usize, request: Request<Sent>) -> Result<Response<Body>, BoxError> {
        tokio::time::sleep(LATENCY).await;
        let (head, body) = request.into_parts();
        let body = body.collect_bytes().await?;
        let body: Value = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body)?
        };
        let asked = asked(&head, &body);
        if matches!(asked, Asked::Unknown) {
            self.wire
                .wrong(format!("unknown request: {} {} {body}", head.method, head.uri));
        }
        let is_write = head.method != Method::GET;
        let fault = self
            .wire
            .arrive(life, Target::Api, &words(&asked, &body), is_write)
            .await;
        if let Some(fault) = fault.filter(|fault| !fault.has_effect()) {
            return without_effect(fault, &asked).await;
        }
        if let Asked::Watch { since, for_ } = asked {
            if fault == Some(Fault::Killed) {
                self.wire.kill().await;
            }
            let changes = changes(self, since, Instant::now() + for_, fault == Some(Fault::Torn));
            return Ok(Response::new(Body::from_stream(changes)));
        }
        let answer = self.perform(&asked, &body);
        match fault {
            Some(Fault::ErrorAfter) => Ok(respond(
                500,
                &failure(500, "InternalError", "etcdserver: leader changed"),
            )),
            Some(Fault::CutAfter) => Err("the connection broke".into()),
            Some(Fault::LateAfter) => {
                tokio::time::sleep(TIMEOUT).await;
                Ok(respond(504, &failure(504, "Timeout", "request did not complete")))
            }
            Some(Fault::Torn) => {
                let text = answer.unwrap_or_else(|(_, status)| status).to_string();
                Ok(Response::new(Body::from(text[..text.len() / 2].to_owned())))
            }
            Some(Fault::Killed) => self.wire.kill().await,
            _ => Ok(match answer {
                Ok(object) => respond(200, &object),
                Err((code, status)) => respond(code, &status),
            }),
        }
    }

    fn perform(&self, asked: &Asked, body: &Value) -> Answer {
        let mut state = self.locked();
        match asked {
            Asked::List => {
                let items: Vec<_> = state.objects.values().cloned().collect();
                Ok(json!({
                    "apiVersion": "pinpoint-import.dev/v1alpha1",
                    "kind": "PinpointImportRoleList",
                    "metadata": {"resourceVersion": state.version.to_string()},
                    "items": items,
                }))
            }
            Asked::Get(name) => state.found(name),
            Asked::Finalizers(name) => {
                let mut object = state.checked(name, body)?;
                let finalizers = body["metadata"]["finalizers"].clone();
                let before = object["metadata"]["finalizers"].clone();
                let leaves = object["metadata"].get("deletionTimestamp").is_some();
                let came = finalizers.as_array().into_iter().flatten();
                if leaves
                    && came
                        .into_iter()
                        .any(|held| !before.as_array().is_some_and(|all| all.contains(held)))
                {
                    return refuse(
                        422,
                        "Invalid",
                        "no new finalizers can be added if the object is being deleted",
                    );
                }
                object["metadata"]["finalizers"] = finalizers;
                Ok(self.put(&mut state, name, object))
            }
            Asked::Status(name) => {
                let mut object = state.checked(name, body)?;
                let status: Result<PinpointImportRoleStatus, _> = serde_json::from_value(body["status"].clone());
                if let Err(why) = status {
                    return refuse(400, "BadRequest", &why.to_string());
                }
                if is_open(&body["status"]) && body["status"]["lastDrift"] != object["status"]["lastDrift"] {
                    state.drifts += 1;
                }
                if is_said_ready(&object, &body["status"]) {
                    self.wire.note(Moment::Ready);
                }
                object["status"] = body["status"].clone();
                Ok(self.put(&mut state, name, object))
            }
            Asked::Event => {
                state
                    .events
                    .push(body["reason"].as_str().unwrap_or_default().to_owned());
                Ok(body.clone())
            }
            Asked::Watch { .. } | Asked::Unknown => refuse(400, "BadRequest", "nobody asks for that"),
        }
    }

    /// Puts an object there, or away where nothing holds it any more. What changes nothing is no new version.
    fn put(&self, state: &mut State, name: &str, mut object: Value) -> Value {
        if state.objects.get(name) == Some(&object) {
            return object;
        }
        state.version += 1;
        let is_new = !state.objects.contains_key(name);
        let metadata = &mut object["metadata"];
        metadata["resourceVersion"] = state.version.to_string().into();
        let is_held = metadata["finalizers"].as_array().is_some_and(|held| !held.is_empty());
        let kind = if metadata.get("deletionTimestamp").is_some() && !is_held {
            state.objects.remove(name);
            "DELETED"
        } else {
            state.objects.insert(name.to_owned(), object.clone());
            if is_new { "ADDED" } else { "MODIFIED" }
        };
        let version = state.version;
        state.changes.push((version, kind, object.clone()));
        self.changed.send_replace(version);
        object
    }

    /// A user makes an object. A name may have its namespace before a `/`, here and below.
    pub(crate) fn create(&self, key: &str, spec: &Value) {
        let (namespace, name) = key.split_once('/').unwrap_or((NAMESPACE, key));
        let mut state = self.locked();
        state.uids += 1;
        let object = json!({
            "apiVersion": "pinpoint-import.dev/v1alpha1",
            "kind": "PinpointImportRole",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": format!("00000000-0000-4000-8000-{:012}", state.uids),
                "generation": 1,
                "creationTimestamp": "2026-11-01T00:00:00Z",
            },
            "spec": spec,
        });
        self.put(&mut state, key, object);
    }

    /// A user changes an object.
    pub(crate) fn edit(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut state = self.locked();
        let before = state.objects[name].clone();
        let mut object = before.clone();
        change(&mut object);
        if object["spec"] != before["spec"] {
            next_generation(&mut object);
        }
        self.put(&mut state, name, object);
    }

    /// A user deletes an object.
    pub(crate) fn delete(&self, name: &str) {
        let mut state = self.locked();
        let mut object = state.objects[name].clone();
        object["metadata"]["deletionTimestamp"] = "2026-11-01T01:00:00Z".into();
        next_generation(&mut object);
        self.put(&mut state, name, object);
    }

    /// An object; null where there is none.
    pub(crate) fn object(&self, name: &str) -> Value {
        self.locked().objects.get(name).cloned().unwrap_or_default()
    }

    /// Reasons of the events, in order.
    pub(crate) fn events(&self) -> Vec<String> {
        self.locked().events.clone()
    }

    /// How often a drift was noted.
    pub(crate) fn drifts(&self) -> usize {
        self.locked().drifts
    }
}

impl State {
    fn found(&self, name: &str) -> Answer {
        self.objects.get(name).cloned().ok_or_else(|| {
            let message = format!("pinpointimportroles.pinpoint-import.dev \"{name}\" not found");
            let mut status = failure(404, "NotFound", &message);
            status["details"] = json!({"name": name, "group": "pinpoint-import.dev", "kind": "pinpointimportroles"});
            (404, status)
        })
    }

    /// The object that a write is for, if it is the one that the writer means.
    fn checked(&self, name: &str, body: &Value) -> Answer {
        let object = self.found(name)?;
        for precondition in ["uid", "resourceVersion"] {
            let meant = &body["metadata"][precondition];
            if !meant.is_null() && *meant != object["metadata"][precondition] {
                return refuse(409, "Conflict", &format!("the {precondition} is another one"));
            }
        }
        Ok(object)
    }
}

fn next_generation(object: &mut Value) {
    object["metadata"]["generation"] = (object["metadata"]["generation"].as_i64().unwrap_or_default() + 1).into();
}

fn is_open(status: &Value) -> bool {
    status["lastDrift"].is_object() && status["lastDrift"]["repairedAt"].is_null()
}

/// Whether a status says that the role is as the object is now, other than while nobody looks.
fn is_said_ready(object: &Value, status: &Value) -> bool {
    let generation = &object["metadata"]["generation"];
    let conditions = status["conditions"].as_array();
    let is = |type_: &str| {
        conditions.is_some_and(|all| {
            let mut all = all.iter();
            all.any(|one| one["type"] == type_ && one["status"] == "True" && one["observedGeneration"] == *generation)
        })
    };
    object["metadata"]["name"] == NAME && status["observedGeneration"] == *generation && is("Ready") && !is("Suspended")
}

/// What a request is for. One that is not exactly as the controller makes them is unknown.
fn asked(head: &http::request::Parts, body: &Value) -> Asked {
    let query: BTreeMap<_, _> = head
        .uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .collect();
    let given = |key: &str| query.get(key).copied().unwrap_or_default();
    let kind = head
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let path = head.uri.path();
    let name = path
        .strip_prefix(NAMESPACES)
        .and_then(|path| path.split_once("/pinpointimportroles/"));
    let keyed = |namespace: &str, name: &str| match namespace {
        NAMESPACE => name.to_owned(),
        other => format!("{other}/{name}"),
    };
    match (&head.method, name) {
        (&Method::GET, None) if path == ALL && given("watch") == "true" => Asked::Watch {
            since: given("resourceVersion").parse().unwrap_or_default(),
            for_: Duration::from_secs(given("timeoutSeconds").parse().unwrap_or(290)),
        },
        (&Method::GET, None) if path == ALL => Asked::List,
        (&Method::GET, Some((namespace, name))) if !name.contains('/') => Asked::Get(keyed(namespace, name)),
        (&Method::PATCH, Some((namespace, name))) if !name.contains('/') => {
            let keys = only(body, &["metadata"]) && only(&body["metadata"], &["uid", "resourceVersion", "finalizers"]);
            if keys && kind == Some("application/merge-patch+json") && body["metadata"]["resourceVersion"].is_string() {
                return Asked::Finalizers(keyed(namespace, name));
            }
            Asked::Unknown
        }
        (&Method::PATCH, Some((namespace, path))) => {
            let Some(name) = path.strip_suffix("/status") else {
                return Asked::Unknown;
            };
            let metadata = &body["metadata"];
            let is_sound = only(body, &["apiVersion", "kind", "metadata", "status"])
                && only(metadata, &["name", "uid", "resourceVersion"])
                && metadata["name"] == name
                && metadata["uid"].is_string()
                && given("fieldManager") == "pinpoint-import-role-controller"
                && given("force") == "true";
            if is_sound && kind == Some("application/apply-patch+yaml") {
                return Asked::Status(keyed(namespace, name));
            }
            Asked::Unknown
        }
        (&Method::POST, None) if path.starts_with(EVENTS) && path.ends_with("/events") => Asked::Event,
        _ => Asked::Unknown,
    }
}

fn only(object: &Value, keys: &[&str]) -> bool {
    let object = object.as_object();
    object.is_some_and(|object| object.keys().all(|key| keys.contains(&key.as_str())))
}

fn words(asked: &Asked, body: &Value) -> String {
    match asked {
        Asked::List => "list".to_owned(),
        Asked::Watch { .. } => "watch".to_owned(),
        Asked::Get(name) => format!("get {name}"),
        Asked::Finalizers(_) => format!("finalizers {}", body["metadata"]["finalizers"]),
        Asked::Status(_) => {
            let conditions = body["status"]["conditions"].as_array();
            let ready = conditions
                .into_iter()
                .flatten()
                .find(|condition| condition["type"] == "Ready");
            format!(
                "status {}",
                ready.map_or("-", |ready| ready["reason"].as_str().unwrap_or_default())
            )
        }
        Asked::Event => format!("event {}", body["reason"].as_str().unwrap_or_default()),
        Asked::Unknown => "unknown".to_owned(),
    }
}

/// The changes since a version, until the time is up. Torn, it breaks off within the first.
fn changes(
    server: Arc<Server>,
    since: u64,
    until: Instant,
    is_torn: bool,
) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static {
    stream::unfold(Some(since), move |since| {
        let server = Arc::clone(&server);
        async move {
            let since = since?;
            let mut changed = server.changed.subscribe();
            loop {
                let next = server.locked().changes.iter().find(|change| change.0 > since).cloned();
                if let Some((version, kind, object)) = next {
                    let line = json!({"type": kind, "object": object}).to_string() + "\n";
                    if is_torn {
                        return Some((Ok(Bytes::from(line[..line.len() / 2].to_owned())), None));
                    }
                    return Some((Ok(Bytes::from(line)), Some(version)));
                }
                if tokio::time::timeout_at(until, changed.changed()).await.is_err() {
                    return None;
                }
            }
        }
    })
}

/// The answer to a call that has no effect.
async fn without_effect(fault: Fault, asked: &Asked) -> Result<Response<Body>, BoxError> {
    let (code, reason, message) = match fault {
        Fault::Throttled => (429, "TooManyRequests", "the server has received too many requests"),
        Fault::Denied => (403, "Forbidden", "pinpointimportroles is forbidden"),
        Fault::Conflict => (409, "Conflict", "the object has been modified"),
        Fault::Gone => (410, "Expired", "too old resource version"),
        Fault::Cut => return Err("the connection broke".into()),
        Fault::Missing => {
            let page = Response::builder().status(404).body(Body::from("404 page not found\n"));
            return Ok(page.expect("a page"));
        }
        Fault::Late => {
            tokio::time::sleep(TIMEOUT).await;
            (504, "Timeout", "request did not complete within the time")
        }
        _ => (500, "InternalError", "etcdserver: request timed out"),
    };
    let status = failure(code, reason, message);
    // A watch is answered first, and then told.
    if fault == Fault::Gone && matches!(asked, Asked::Watch { .. }) {
        let line = json!({"type": "ERROR", "object": status}).to_string() + "\n";
        return Ok(Response::new(Body::from(line)));
    }
    Ok(respond(code, &status))
}

fn failure(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": message,
    })
}

fn refuse(code: u16, reason: &str, message: &str) -> Answer {
    Err((code, failure(code, reason, message)))
}

fn respond(code: u16, body: &Value) -> Response<Body> {
    let answer: Result<_, Infallible> = Ok(Response::builder()
        .status(code)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .expect("a status and a header of our own"));
    let Ok(answer) = answer;
    answer
}
