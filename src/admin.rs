//! The health endpoints: `/livez` says that the process runs, `/readyz` whether it can do its work, and if not, what is missing. And
//! `/metrics`, on a port of its own.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
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
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};
use tracing::info;

use crate::{aws::AccountWatch, metrics::Metrics};

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

/// Listens on an address, which `flag` sets. `[::]` is every address of the machine, of IPv4 too, whatever the system's default; where
/// there is no IPv6, those of IPv4.
///
/// # Errors
/// The address can't be listened on: why, and what to do.
pub fn listen(flag: &str, address: SocketAddr) -> Result<TcpListener, String> {
    let listener = bind(address).or_else(|why| match without_ipv6(address, &why) {
        Some(instead) => bind(instead),
        None => Err(why),
    });
    listener.map_err(|why| {
        let reason = match why.kind() {
            ErrorKind::AddrInUse => "the address is already in use: stop what listens there, or give another",
            ErrorKind::AddrNotAvailable => "the machine has no such address: give one of its own, or [::] for all",
            ErrorKind::PermissionDenied => "that is not allowed: give a port above 1023",
            _ => return format!("can't listen on {address} ({flag}): {why}; give another address"),
        };
        format!("can't listen on {address} ({flag}): {reason}")
    })
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv6() {
        TcpSocket::new_v6()?
    } else {
        TcpSocket::new_v4()?
    };
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        SockRef::from(&socket).set_only_v6(false)?;
    }
    // The port may still be held by connections of a process that has ended.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}

/// The address to listen on instead of all of IPv6 and IPv4, where it may be IPv6 that is missing.
fn without_ipv6(address: SocketAddr, why: &std::io::Error) -> Option<SocketAddr> {
    let other_cause = [ErrorKind::AddrInUse, ErrorKind::PermissionDenied].contains(&why.kind());
    (address.ip() == Ipv6Addr::UNSPECIFIED && !other_cause)
        .then(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
}

/// Serves the metrics until the process ends.
///
/// # Errors
/// The address can't be served any more.
pub async fn serve_metrics(listener: TcpListener, metrics: Arc<Metrics>) -> std::io::Result<()> {
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
/// The address can't be served any more.
pub async fn serve_health(listener: TcpListener, health: Health) -> std::io::Result<()> {
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

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use tokio::net::TcpStream;

    use super::{listen, without_ipv6};

    #[tokio::test]
    async fn all_addresses_are_those_of_ipv4_and_ipv6() {
        let listener = listen("--flag", "[::]:0".parse().unwrap()).unwrap();
        let port = listener.local_addr().unwrap().port();
        TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        TcpStream::connect(("::1", port)).await.unwrap();
    }

    #[tokio::test]
    async fn an_address_that_cant_be_listened_on_says_what_to_do() {
        let taken = listen("--flag", "127.0.0.1:0".parse().unwrap()).unwrap();
        let address = taken.local_addr().unwrap();
        let why = listen("--flag", address).unwrap_err();
        assert!(
            why.starts_with(&format!(
                "can't listen on {address} (--flag): the address is already in use"
            )),
            "{why}"
        );
        let why = listen("--flag", "192.0.2.1:80".parse().unwrap()).unwrap_err();
        assert!(why.contains("no such address"), "{why}");
    }

    #[test]
    fn where_there_is_no_ipv6_it_is_ipv4_alone() {
        let all = "[::]:8080".parse().unwrap();
        // EAFNOSUPPORT, as Linux answers without IPv6.
        let missing = Error::from_raw_os_error(97);
        assert_eq!(without_ipv6(all, &missing), Some("0.0.0.0:8080".parse().unwrap()));
        assert_eq!(without_ipv6(all, &ErrorKind::AddrInUse.into()), None);
        assert_eq!(without_ipv6("[::1]:8080".parse().unwrap(), &missing), None);
    }
}
