//! Watches the objects, and makes a pass over each whenever something hints at it.

mod backlog;
mod changes;
mod conclude;
mod context;
mod hints;
mod leader;
mod look;
mod memory;
mod objects;
mod pace;
mod pass;
mod register;
mod rest;
mod stretch;
mod sweeps;
mod work;

use std::{
    collections::BTreeSet,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use futures::{
    FutureExt, Stream, StreamExt, TryStreamExt,
    future::{join_all, join3, ready},
    stream,
};
use kube::{
    Api, Client,
    runtime::{
        Controller, WatchStreamExt, controller,
        reflector::Store,
        watcher::{self, watcher},
    },
};
use tokio::task::JoinSet;
use tracing::{debug, warn};

pub use context::{Context, ControllerSettings};
pub use leader::Election;
pub use pace::SweepSettings;

use crate::{api::v1alpha1::PinpointImportRole, metrics::Watched};
use register::Register;

/// Which objects are watched.
#[derive(Clone, Debug)]
pub struct WatchSettings {
    /// Namespaces to watch; none: all.
    pub namespaces: BTreeSet<String>,
    /// Label selector of the objects; empty: all.
    pub selector: String,
}

/// Runs until `stop` resolves; passes that are under way then are finished. `filled` is called once all objects were listed.
pub async fn run(
    client: Client,
    watched: WatchSettings,
    context: Arc<Context>,
    filled: impl Fn() + Send + Sync + 'static,
    stop: impl Future<Output = ()> + Send + Sync + Clone + 'static,
) {
    let apis: Vec<Api<PinpointImportRole>> = if watched.namespaces.is_empty() {
        vec![Api::all(client)]
    } else {
        watched
            .namespaces
            .iter()
            .map(|namespace| Api::namespaced(client.clone(), namespace))
            .collect()
    };
    let (left, filled) = (Arc::new(AtomicUsize::new(apis.len())), Arc::new(filled));
    let controllers = apis.into_iter().map(|api| {
        let (left, filled, first) = (Arc::clone(&left), Arc::clone(&filled), AtomicBool::new(true));
        let all = Arc::clone(&context);
        let listed = move || {
            if first.swap(false, Ordering::Relaxed) && left.fetch_sub(1, Ordering::Relaxed) == 1 {
                filled();
                all.sweeps.listed();
            }
        };
        watch(api, &watched.selector, Arc::clone(&context), listed, stop.clone())
    });
    let accounts = Arc::clone(&context);
    let closing = stop.clone().map(|()| accounts.accounts.close());
    let hinting = hint_for_ever(Arc::clone(&context));
    let hinting = async {
        tokio::select! {
            () = hinting => {}
            () = stop.clone() => {}
        }
    };
    join3(join_all(controllers), closing, hinting).await;
}

/// Sweeps all accounts, reads the queues, and tells the controllers of their hints.
async fn hint_for_ever(context: Arc<Context>) {
    let keys = context.accounts.keys();
    let count = keys.len().max(1);
    let mut all = JoinSet::new();
    #[allow(clippy::cast_precision_loss, reason = "a share")]
    for (number, key) in keys.into_iter().enumerate() {
        let (telling, told) = (Arc::clone(&context), key.clone());
        all.spawn(async move {
            let note = |object: &PinpointImportRole, hint| {
                telling.memory(object, |memory| memory.hinted = Some(hint));
                telling.ask(object);
            };
            telling.hints.tell(told.as_deref(), note).await;
        });
        if !context.settings.sweeps.interval.is_zero() {
            let (sweeping, share) = (Arc::clone(&context), number as f64 / count as f64);
            all.spawn(async move { sweeps::sweep_for_ever(&sweeping, key.as_deref(), share).await });
        }
    }
    for (account, queue) in context.accounts.queues(context.settings.change_queue.as_ref()) {
        let reading = Arc::clone(&context);
        all.spawn(async move { changes::follow_changes(&reading, &queue, account.as_deref()).await });
    }
    while let Some(ended) = all.join_next().await {
        // A panic is the process' end, as in a pass.
        if let Err(why) = ended
            && let Ok(panic) = why.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

/// Watches the objects of one namespace, or of all. `listed` is called whenever all were listed.
async fn watch(
    api: Api<PinpointImportRole>,
    selector: &str,
    context: Arc<Context>,
    listed: impl Fn() + Send + 'static,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let mut register = Register::new();
    let store = register.store();
    follow(&context, register.store());
    let (number, looks) = context.hints.watch(register.store());
    let noted = Arc::clone(&context);
    let events = watcher(api, watcher::Config::default().labels(selector))
        .default_backoff()
        // Who wrote which field is half of an object, and nobody here asks.
        .modify(|object| object.metadata.managed_fields = None)
        .inspect_err(|error| warn!(%error, "can't watch the PinpointImportRoles; it is tried again (is the CRD applied, and may the controller list it?)"));
    let hints = hints(events, move |event| {
        let news = register.take(event);
        noted.note(number, &news);
        // Not the store's own `wait_until_ready`: it wakes one waiter only, and the controller is one (kube-runtime 5.0, `DelayedInit`).
        if matches!(event, watcher::Event::InitDone) {
            listed();
        }
        news.hints
    });

    Controller::for_stream(hints, store)
        .reconcile_on(looks)
        // Unbounded here: each account has its own seats (`Accounts::seats`).
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

/// Has the gauges ask for the objects of a watch.
fn follow(context: &Arc<Context>, store: Store<PinpointImportRole>) {
    // The metrics are a part of the context.
    let weak = Arc::downgrade(context);
    context.metrics.follow(move || {
        let Some(context) = weak.upgrade() else {
            return Vec::new();
        };
        let objects = store.state();
        let watched = objects.iter().filter_map(|object| {
            let watched = register::watched(object, context.settings.resync)?;
            let stretch = context.stretch(context.key(object));
            Some(Watched { stretch, ..watched })
        });
        watched.collect()
    });
}

/// The objects to look at, by the events of a watch. Its errors end here: the watch waits by itself before it tries again, and the
/// controller would hold back everything else meanwhile (kube-runtime 5.0: all triggers share one `StreamBackoff`).
fn hints(
    events: impl Stream<Item = watcher::Result<watcher::Event<PinpointImportRole>>>,
    mut take: impl FnMut(&watcher::Event<PinpointImportRole>) -> Vec<Arc<PinpointImportRole>>,
) -> impl Stream<Item = watcher::Result<PinpointImportRole>> {
    events
        .filter_map(|event| ready(event.ok()))
        .flat_map(move |event| stream::iter(take(&event)).map(|object| Ok(Arc::unwrap_or_clone(object))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A watch that fails keeps no hint waiting, and ends nothing.
    #[tokio::test]
    async fn errors_of_the_watch_do_not_reach_the_controller() {
        let object = PinpointImportRole::new("a", <_>::default());
        let events = [
            Err(watcher::Error::NoResourceVersion),
            Ok(watcher::Event::Apply(object.clone())),
            Err(watcher::Error::NoResourceVersion),
        ];
        let told = hints(stream::iter(events), |event| match event {
            watcher::Event::Apply(object) => vec![Arc::new(object.clone())],
            _ => Vec::new(),
        });
        let told: Vec<_> = told.collect().await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].as_ref().unwrap(), &object);
    }
}
