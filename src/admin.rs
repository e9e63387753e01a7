//! The health endpoints: `/livez` says that the process runs, `/readyz` whether it can do its work, and if not, what is missing. And
//! `/metrics`, on a port of its own.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    routing::get,
};
use tokio::net::TcpListener;
use tracing::info;

use crate::{controller::AccountWatch, metrics::Metrics};

/// What readiness depends on.
#[derive(Clone, Debug)]
pub struct Health {
    /// Whether the objects were listed once, so that the CRD is there and may be read.
    pub filled: Arc<AtomicBool>,
    /// Whether this process waits until it holds the lease; it lists nothing until then.
    pub stands_by: Arc<AtomicBool>,
    /// What is known of the credentials.
    pub account: AccountWatch,
}

impl Health {
    /// What is missing; empty: ready.
    fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if !self.filled.load(Ordering::Relaxed) && !self.stands_by.load(Ordering::Relaxed) {
            missing.push(
                "the PinpointImportRoles were not listed yet (is the CRD applied, and may the controller list it?)"
                    .to_owned(),
            );
        }
        match &*self.account.borrow() {
            Some(Ok(_)) => {}
            Some(Err(failure)) => missing.push(failure.message.clone()),
            None => missing.push("the AWS credentials were not tried yet".to_owned()),
        }
        missing
    }
}

/// Serves the metrics until the process ends.
///
/// # Errors
/// The address can't be listened on.
pub async fn serve_metrics(address: SocketAddr, metrics: Arc<Metrics>) -> std::io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    info!(address = %listener.local_addr()?, "metrics on /metrics");
    let told = async |State(metrics): State<Arc<Metrics>>| {
        (
            [(
                CONTENT_TYPE,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            )],
            metrics.text(),
        )
    };
    axum::serve(listener, Router::new().route("/metrics", get(told)).with_state(metrics)).await
}

/// Serves the health endpoints until the process ends.
///
/// # Errors
/// The address can't be listened on.
pub async fn serve_health(address: SocketAddr, health: Health) -> std::io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    info!(address = %listener.local_addr()?, "health endpoints /livez and /readyz");
    let routes = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .with_state(health);
    axum::serve(listener, routes).await
}

async fn readyz(State(health): State<Health>) -> (StatusCode, String) {
    let missing = health.missing();
    if missing.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not ready:\n- {}\n", missing.join("\n- ")),
        )
    }
}
