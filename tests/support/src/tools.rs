//! Programs that the tests build from source, each at the version that its `go.mod` below `tests/tools` pins.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The path of a program with which the tests check something, such as `helm`. The first time on a machine it is built, which takes
/// minutes.
///
/// # Errors
/// It could not be built. What the build said went to standard error.
pub fn tool(name: &str) -> Result<PathBuf, String> {
    printed("tool.sh", &[name]).map_err(|why| format!("{name} could not be built: {why}"))
}

/// The path of a headless Chromium. The first time on a machine it is fetched.
///
/// # Errors
/// It can't be had. What was said of it went to standard error.
pub fn chromium() -> Result<PathBuf, String> {
    printed("chromium/setup.sh", &[]).map_err(|why| format!("there is no browser: {why}"))
}

/// The path that a script of `tests/tools` prints. What it says of its progress goes to our standard error.
pub(crate) fn printed(script: &str, arguments: &[&str]) -> Result<PathBuf, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools").join(script);
    let output = Command::new("bash")
        .arg(&script)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|why| format!("{}: {why}", script.display()))?;
    if !output.status.success() {
        return Err(format!("{} failed; see above", script.display()));
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}
