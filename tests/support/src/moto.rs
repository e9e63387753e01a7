//! moto's server: an IAM that others wrote, for the demo and to hold the fake against.

use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{guarded::Guarded, product};

/// How long moto may take to start; on an idle machine it is 3 s.
const LONGEST_START: Duration = Duration::from_mins(1);

/// A moto server, which ends with this value or with this process.
#[derive(Debug)]
pub struct Moto {
    _server: Guarded,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Moto {
    /// Starts one with AWS' managed policies in it; the first time on a machine it is installed, which takes a minute.
    ///
    /// # Errors
    /// It could not be installed or started.
    pub fn start() -> Result<Self, String> {
        let python = python()?;
        let folder = tempfile::Builder::new().prefix("moto-").tempdir().map_err(text)?;
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .map_err(text)?
            .port();
        let log = folder.path().join("moto.log");
        let mut server = Guarded::start(
            Command::new(python)
                .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
                .env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true"),
            &log,
            Some(folder.path()),
        )
        .map_err(text)?;
        let answers = || product::get(port, "/moto-api/").is_some_and(|(status, _)| status == 200);
        if !server.until(LONGEST_START, answers).map_err(text)? {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            return Err(format!("moto did not start:\n{log}"));
        }
        Ok(Self {
            _server: server,
            port,
            _folder: folder,
        })
    }

    /// `http://127.0.0.1:PORT`, for IAM and for STS.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// Installs it if need be. What the script says of its progress goes to our standard error.
fn python() -> Result<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python/setup.sh");
    let output = Command::new("bash")
        .arg(script)
        .stderr(Stdio::inherit())
        .output()
        .map_err(text)?;
    if !output.status.success() {
        return Err("moto could not be installed; see above".to_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
