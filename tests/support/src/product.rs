//! The product's binary as people start it, and what its servers on loopback say.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// How long an answer may take.
const LONGEST_ANSWER: Duration = Duration::from_secs(5);

/// The AWS SDK's environment for an IAM on loopback, with the credentials of somebody of this name.
#[must_use]
pub fn environment(iam: &str, who: &str) -> [(&'static str, String); 6] {
    [
        ("AWS_ENDPOINT_URL_IAM", iam.to_owned()),
        ("AWS_ENDPOINT_URL_STS", iam.to_owned()),
        ("AWS_ACCESS_KEY_ID", who.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", who.to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
    ]
}

/// The binary, with nothing of this process' environment but [`environment`].
#[must_use]
pub fn command(binary: &Path, iam: &str, who: &str) -> Command {
    let mut command = Command::new(binary);
    command.env_clear().envs(environment(iam, who));
    command
}

/// The controller on ports of its own choice, which its log tells.
#[must_use]
pub fn controller(binary: &Path, kubeconfig: &Path, iam: &str, who: &str) -> Command {
    let mut run = command(binary, iam, who);
    run.args(["run", "--health-address=127.0.0.1:0", "--metrics-address=127.0.0.1:0"])
        .env("KUBECONFIG", kubeconfig);
    run
}

/// The binary that lies beside the one that runs.
///
/// # Errors
/// It is not there.
pub fn beside_this_binary() -> Result<PathBuf, String> {
    let here = std::env::current_exe().map_err(|error| error.to_string())?;
    let binary = here.with_file_name("pinpoint-import-role-controller");
    if binary.exists() {
        Ok(binary)
    } else {
        Err(format!("{} is not built", binary.display()))
    }
}

/// The port that the controller took: the end of the last line of its log with these words.
#[must_use]
pub fn port(log: &str, words: &str) -> Option<u16> {
    let line = log.lines().rfind(|line| line.contains(words))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

/// Whether the controller says that it is ready.
#[must_use]
pub fn is_ready(log: &str) -> bool {
    let port = port(log, "health endpoints");
    port.and_then(|port| get(port, "/readyz"))
        .is_some_and(|(status, _)| status == 200)
}

/// `GET` on loopback: status and body; none where nobody answers.
#[must_use]
pub fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(LONGEST_ANSWER)).ok()?;
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some((status, body.to_owned()))
}
