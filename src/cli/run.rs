//! `run`: the controller. This file only wires.

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::FutureExt;
use kube::Client;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tracing::{error, info, warn};

use super::medium::say;
use crate::{
    admin::{self, Health},
    aws::{AccountWatch, Accounts, Iam, watch_account},
    backoff, cluster,
    config::{Args, File, Settings},
    controller::{self, Context, ControllerSettings, Election, SweepSettings, WatchSettings},
    metrics::Metrics,
    telemetry,
};

/// Longest wait for passes under way after a signal. They may be cut off anywhere, since the next start goes on from what IAM shows.
const LONGEST_GOODBYE: Duration = Duration::from_secs(8);
/// First and longest wait between tries to reach the API server: who starts with the cluster is ready soon after it.
const REACHING: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// Runs until SIGTERM or SIGINT.
pub(super) fn run(args: &Args, file: File) -> ExitCode {
    let settings = match args.check(file) {
        Ok(settings) => settings,
        Err(problems) => {
            for problem in problems {
                say(problem);
            }
            return ExitCode::from(2);
        }
    };
    telemetry::start(settings.log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(%error, "can't start");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(serve(settings));
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            error!("{why}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: Settings) -> Result<(), String> {
    info!(version = env!("CARGO_PKG_VERSION"), ?settings, "starting");
    let shutdown = shutdown_signal()?;
    let health_listener = admin::listen("--health-address", settings.health_address)?;
    let metrics_listener = admin::listen("--metrics-address", settings.metrics_address)?;
    let client = cluster::client().await?;
    let metrics = Arc::new(Metrics::default());
    let iam = Iam::from_environment(settings.iam, Arc::clone(&metrics) as _).await;
    let (account_found, account) = watch::channel(None);
    let health = Health {
        filled: Arc::default(),
        stands_by: Arc::new(AtomicBool::new(settings.election.is_some())),
        account: account.clone(),
    };
    let health_served = tokio::spawn(admin::serve_health(health_listener, health.clone()));
    let metrics_served = tokio::spawn(admin::serve_metrics(metrics_listener, Arc::clone(&metrics)));
    tokio::spawn(watch_account(iam.clone(), account_found));

    let work = Wiring {
        client,
        iam,
        account,
        settings,
        metrics,
        health,
        shutdown: shutdown.clone(),
    };
    tokio::select! {
        ended = elected(work) => ended.inspect(|()| info!("ended")),
        () = shutdown.clone().overdue() => {
            warn!("ended, with passes cut off");
            Ok(())
        }
        ended = health_served => Err(format!("the health endpoints are served no longer: {}", why(ended))),
        ended = metrics_served => Err(format!("the metrics are served no longer: {}", why(ended))),
    }
}

/// Why serving has ended.
fn why(ended: Result<std::io::Result<()>, tokio::task::JoinError>) -> String {
    match ended {
        Ok(Ok(())) => "nobody listens any more".to_owned(),
        Ok(Err(why)) => why.to_string(),
        Err(why) => why.to_string(),
    }
}

/// What the controller works with.
struct Wiring {
    client: Client,
    iam: Iam,
    account: AccountWatch,
    settings: Settings,
    metrics: Arc<Metrics>,
    health: Health,
    shutdown: Shutdown,
}

/// Works, where replicas take turns only while this one holds the lease.
async fn elected(with: Wiring) -> Result<(), String> {
    let election = with.settings.election.clone().map(|namespace| {
        let namespace = namespace.unwrap_or_else(|| with.client.default_namespace().to_owned());
        Election::new(with.client.clone(), &namespace, &name(), with.iam.turn().clone())
    });
    let (leading, health, shutdown) = (Arc::clone(&with.metrics), with.health.clone(), with.shutdown.clone());
    let work = work(with);
    let Some(mut election) = election else {
        leading.lead(true);
        work.await;
        return Ok(());
    };
    tokio::select! {
        () = election.win() => {}
        () = shutdown.wait() => return Ok(()),
    }
    health.stands_by.store(false, Ordering::Relaxed);
    leading.lead(true);
    let lost = tokio::select! {
        () = work => None,
        why = election.lose() => Some(why),
    };
    leading.lead(false);
    if let Some(why) = lost {
        // What was under way is cut off where it is. The end of the process makes sure that nothing of it goes on.
        return Err(format!("{why}: this process ends, to begin anew as a candidate"));
    }
    election.release().await;
    Ok(())
}

async fn work(with: Wiring) {
    let Wiring { client, settings, .. } = with;
    let accounts = Accounts::new(with.iam, with.account, settings.accounts, settings.concurrency);
    let context = Context::new(
        client.clone(),
        accounts,
        ControllerSettings {
            cluster: identity(&client, settings.cluster_id).await,
            role_path: settings.role_path,
            resync: settings.resync,
            settle: settings.settle,
            guards: settings.guards,
            instance: name(),
            sweeps: SweepSettings {
                interval: settings.sweep_interval,
                calls_per_minute: settings.iam.sweep_calls_per_minute.get(),
            },
            change_queue: settings.change_queue,
        },
        with.metrics,
    );
    let watched = WatchSettings {
        // Each once: an object that is watched twice would be counted and looked at twice.
        namespaces: settings.namespaces.into_iter().collect(),
        selector: settings.selector,
    };
    let shutdown = with.shutdown.wait().boxed().shared();
    let filled = with.health.filled;
    controller::run(client, watched, Arc::new(context), move || set(&filled), shutdown).await;
}

/// Name of this process for people: that of its pod. Others may bear it too.
fn name() -> String {
    std::env::var("HOSTNAME").unwrap_or_else(|_| format!("process-{}", std::process::id()))
}

fn set(flag: &AtomicBool) {
    if !flag.swap(true, Ordering::Relaxed) {
        info!("the PinpointImportRoles are listed and watched");
    }
}

/// The cluster's identity; waits for an API server that is not there yet.
async fn identity(client: &Client, declared: Option<String>) -> String {
    if let Some(declared) = declared {
        return declared;
    }
    let mut failures = 0;
    loop {
        match cluster::identity(client).await {
            Ok(id) => return id,
            Err(error) => warn!("{error}; it is tried again"),
        }
        failures += 1;
        tokio::time::sleep(backoff::after_failures(failures, REACHING.0, REACHING.1)).await;
    }
}

/// Told once SIGTERM or SIGINT came.
#[derive(Clone)]
struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    async fn wait(mut self) {
        let _ = self.0.wait_for(|shutdown| *shutdown).await;
    }

    async fn overdue(mut self) {
        let _ = self.0.wait_for(|shutdown| *shutdown).await;
        tokio::time::sleep(LONGEST_GOODBYE).await;
    }
}

fn shutdown_signal() -> Result<Shutdown, String> {
    let (shutdown, told) = watch::channel(false);
    let listen = |kind| signal(kind).map_err(|error| format!("can't listen to signals: {error}"));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => info!("SIGTERM: ending"),
            _ = interrupt.recv() => info!("SIGINT: ending"),
        }
        shutdown.send_replace(true);
    });
    Ok(Shutdown(told))
}
