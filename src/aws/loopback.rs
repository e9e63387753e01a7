//! Requests in clear text stay on this machine.

use aws_sdk_iam::config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextRef};
use aws_smithy_runtime_api::box_error::BoxError;

/// The endpoint would get requests in clear text.
#[derive(Debug, thiserror::Error)]
#[error("the endpoint is neither https nor on loopback: see AWS_ENDPOINT_URL_IAM and AWS_ENDPOINT_URL_STS")]
pub(super) struct InClear;

/// Refuses to send a request in clear text to another machine: it bears a signature and names of roles.
#[derive(Debug)]
pub(super) struct LoopbackOnlyInClear;

impl Intercept for LoopbackOnlyInClear {
    fn name(&self) -> &'static str {
        "LoopbackOnlyInClear"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let uri = context.request().uri();
        if uri.starts_with("https://") || uri.strip_prefix("http://").is_some_and(is_loopback) {
            return Ok(());
        }
        Err(InClear.into())
    }
}

pub(super) fn is_loopback(after_scheme: &str) -> bool {
    let authority = after_scheme.split(['/', '?']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_loopback_is_loopback() {
        for yes in ["127.0.0.1:80/", "127.9.9.9", "localhost:5000/x", "[::1]:80/"] {
            assert!(is_loopback(yes), "{yes}");
        }
        for no in [
            "10.0.0.1/",
            "127.0.0.1.example.com/",
            "localhost.example.com",
            "user@example.com",
            "[::2]/",
            "127.0.0.1@example.com/",
        ] {
            assert!(!is_loopback(no), "{no}");
        }
    }
}
