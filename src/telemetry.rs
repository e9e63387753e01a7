//! The log.

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::LogFormat;

/// What is logged where `RUST_LOG` says nothing. The spans of kube's runtime would repeat what those of a pass say.
const DEFAULT_FILTER: &str = "info,kube_runtime=warn";

/// Starts the log, on standard error. `RUST_LOG` sets what is logged.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let log = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    match format {
        LogFormat::Text => log
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .init(),
        LogFormat::Json => log.json().init(),
    }
}
