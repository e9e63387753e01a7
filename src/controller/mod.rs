//! Watches the objects, and makes a pass over each whenever something hints at it.

mod accounts;
mod backoff;
mod conclude;
mod context;
mod leader;
mod look;
mod objects;
mod pass;
mod work;

use std::{
    future::Future,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{
    FutureExt, StreamExt, TryStreamExt,
    future::{join, join_all},
};
use kube::{
    Api, Client, ResourceExt,
    runtime::{
        Controller, WatchStreamExt, controller, reflector,
        watcher::{self, watcher},
    },
};
use tracing::{debug, warn};

pub use accounts::{AccountWatch, Accounts, Entry, Place, watch_account};
pub use context::{Context, ControllerSettings};
pub use leader::Election;

use crate::api::{REQUEST_ANNOTATION, v1alpha1::PinpointImportRole};

/// What `run` needs to know.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Namespaces to watch; none: all.
    pub namespaces: Vec<String>,
    /// Label selector of the objects; empty: all.
    pub selector: String,
}

/// Runs until `stop` resolves; passes that are under way then are finished. `filled` is called once all objects were listed.
pub async fn run(
    client: Client,
    scope: Scope,
    context: Arc<Context>,
    filled: impl Fn() + Send + Sync + 'static,
    stop: impl Future<Output = ()> + Send + Sync + Clone + 'static,
) {
    let apis: Vec<Api<PinpointImportRole>> = if scope.namespaces.is_empty() {
        vec![Api::all(client)]
    } else {
        scope
            .namespaces
            .iter()
            .map(|namespace| Api::namespaced(client.clone(), namespace))
            .collect()
    };
    let (left, filled) = (Arc::new(AtomicUsize::new(apis.len())), Arc::new(filled));
    let controllers = apis.into_iter().map(|api| {
        let (left, filled, first) = (Arc::clone(&left), Arc::clone(&filled), AtomicBool::new(true));
        let listed = move || {
            if first.swap(false, Ordering::Relaxed) && left.fetch_sub(1, Ordering::Relaxed) == 1 {
                filled();
            }
        };
        watch(api, &scope.selector, Arc::clone(&context), listed, stop.clone())
    });
    let accounts = Arc::clone(&context);
    let closing = stop.clone().map(|()| accounts.accounts.close());
    join(join_all(controllers), closing).await;
}

/// Watches the objects of one namespace, or of all. `listed` is called whenever all were listed.
async fn watch(
    api: Api<PinpointImportRole>,
    selector: &str,
    context: Arc<Context>,
    listed: impl Fn() + Send + 'static,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let (reader, writer) = reflector::store();
    let hints = watcher(api, watcher::Config::default().labels(selector))
        .default_backoff()
        .inspect_err(|error| warn!(%error, "can't watch the PinpointImportRoles; it is tried again (is the CRD applied, and may the controller list it?)"))
        // Not the store's own `wait_until_ready`: it wakes one waiter only, and the controller is one (kube-runtime 5.0, `DelayedInit`).
        .inspect_ok(move |event| {
            if matches!(event, watcher::Event::InitDone) {
                listed();
            }
        })
        .reflect(writer)
        .applied_objects()
        .predicate_filter(hint, kube::runtime::PredicateConfig::default());

    Controller::for_stream(hints, reader)
        // Unbounded here: each account has its own places (`Accounts::places`).
        .with_config(controller::Config::default())
        .graceful_shutdown_on(stop)
        .run(pass::reconcile, pass::after_error, context)
        .for_each(|result| async move {
            if let Err(controller::Error::ReconcilerFailed(error, object)) = result {
                debug!(%error, %object, "the pass could not be finished");
            }
        })
        .await;
}

/// What makes a change of an object a reason to look at its role: its spec or deletion (both are new generations), or the annotation.
/// Labels, other annotations and our own writes are none.
#[allow(clippy::unnecessary_wraps, reason = "kube's predicates are functions of this type")]
fn hint(object: &PinpointImportRole) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    object.metadata.generation.hash(&mut hasher);
    object.annotations().get(REQUEST_ANNOTATION).hash(&mut hasher);
    Some(hasher.finish())
}

/// Bounds a call to the API server: kube's client waits for ever.
const API_CALL: Duration = Duration::from_secs(15);
