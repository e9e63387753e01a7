//! `run`: the controller. This file only wires.

use std::{
    future::Future,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, Config, ResourceExt};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tracing::{error, info, warn};

use crate::{
    admin::{self, Health},
    aws::Iam,
    config::{Args, Settings},
    controller::{self, Context, ControllerSettings, Scope, watch_account},
    telemetry,
};

/// Longest wait for passes under way after a signal. They may be cut off anywhere, since the next start goes on from what IAM shows.
const LONGEST_GOODBYE: Duration = Duration::from_secs(8);

/// Runs until SIGTERM or SIGINT.
pub(super) fn run(args: &Args) -> ExitCode {
    let settings = match args.check() {
        Ok(settings) => settings,
        Err(problems) => {
            for problem in problems {
                eprintln!("{problem}");
            }
            return ExitCode::from(2);
        }
    };
    telemetry::start(args.log_format);
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
    let stop = stop_signal()?;
    let client = client().await?;
    let iam = Iam::from_environment(settings.iam).await;
    let (account_found, account) = watch::channel(None);
    let health = Health {
        filled: Arc::default(),
        account: account.clone(),
    };
    let filled = Arc::clone(&health.filled);
    let admin = tokio::spawn(admin::serve(settings.health_address, health));
    tokio::spawn(watch_account(iam.clone(), account_found));

    let work = async {
        let context = Context::new(
            client.clone(),
            iam,
            account,
            ControllerSettings {
                cluster: cluster(&client, settings.cluster_id).await,
                role_path: settings.role_path,
                resync: settings.resync,
                settle: settings.settle,
                instance: std::env::var("HOSTNAME").unwrap_or_else(|_| "controller".to_owned()),
            },
        );
        let scope = Scope {
            namespace: settings.namespace,
            concurrency: settings.concurrency,
        };
        controller::run(
            client,
            scope,
            Arc::new(context),
            move || set(&filled),
            stop.clone().wait(),
        )
        .await;
    };
    tokio::select! {
        () = work => info!("ended"),
        () = stop.clone().overdue() => warn!("ended, with passes cut off"),
        failed = admin => return Err(format!("can't serve the health endpoints on {}: {failed:?}", settings.health_address)),
    }
    Ok(())
}

fn set(flag: &AtomicBool) {
    if !flag.swap(true, Ordering::Relaxed) {
        info!("the PinpointImportRoles are listed and watched");
    }
}

/// A client for `KUBECONFIG` or the pod's service account. Retries are the controller's own: the client's would hold a pass for minutes.
async fn client() -> Result<Client, String> {
    let mut config = Config::infer()
        .await
        .map_err(|error| format!("no cluster to talk to: {error}; set KUBECONFIG, or run in a pod"))?;
    config.default_retry = false;
    Client::try_from(config).map_err(|error| format!("the cluster's configuration can't be used: {error}"))
}

/// The cluster's identity; waits for an API server that is not there yet.
async fn cluster(client: &Client, declared: Option<String>) -> String {
    if let Some(declared) = declared {
        return declared;
    }
    let namespaces: Api<Namespace> = Api::all(client.clone());
    loop {
        match tokio::time::timeout(Duration::from_secs(15), namespaces.get("kube-system")).await {
            Ok(Ok(namespace)) => return namespace.uid().unwrap_or_default(),
            Ok(Err(error)) => {
                warn!(%error, "can't read the namespace kube-system, whose uid is the cluster's identity; it is tried again");
            }
            Err(_) => warn!("the API server does not answer; it is tried again"),
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

/// Told once SIGTERM or SIGINT came.
#[derive(Clone)]
struct Stop(watch::Receiver<bool>);

impl Stop {
    fn wait(mut self) -> impl Future<Output = ()> + Send + Sync + 'static {
        let (done, mut told) = watch::channel(false);
        tokio::spawn(async move {
            let _ = self.0.wait_for(|stop| *stop).await;
            done.send_replace(true);
        });
        async move {
            let _ = told.wait_for(|stop| *stop).await;
        }
    }

    async fn overdue(mut self) {
        let _ = self.0.wait_for(|stop| *stop).await;
        tokio::time::sleep(LONGEST_GOODBYE).await;
    }
}

fn stop_signal() -> Result<Stop, String> {
    let (stop, told) = watch::channel(false);
    let listen = |kind| signal(kind).map_err(|error| format!("can't listen to signals: {error}"));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => info!("SIGTERM: ending"),
            _ = interrupt.recv() => info!("SIGINT: ending"),
        }
        stop.send_replace(true);
    });
    Ok(Stop(told))
}
