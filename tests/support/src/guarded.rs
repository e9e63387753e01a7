//! Child processes that never outlive the process that started them.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use crate::waiting::until;

/// How long a child may take to end after SIGTERM before it is killed.
const LONGEST_GOODBYE: Duration = Duration::from_secs(10);

/// Ends a process if its starter dies in any way, `kill -9` included: standard input is a pipe whose other end only the starter
/// holds, so it ends with the starter. The line "done" says that the starter has cleaned up itself; then the pid may be another's.
const WATCHDOG: &str =
    r#"read -r line; [ "$line" = done ] && exit 0; kill -9 "$1" 2>/dev/null; [ -z "$2" ] || rm -rf "$2""#;

/// A child process that is ended when this is dropped, and when this process dies.
#[derive(Debug)]
pub struct Guarded {
    child: Child,
    watchdog: Child,
}

impl Guarded {
    /// Starts a command with its output going to a file. If this process dies, the child is killed and the folder `remains` removed.
    ///
    /// # Errors
    /// The command, the watchdog or the log file can't be started or made.
    pub fn start(command: &mut Command, log: &Path, remains: Option<&Path>) -> io::Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        // Groups of their own: Ctrl-C in a terminal goes to the starter alone, which ends its children in order.
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()?;
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog", &child.id().to_string()])
            .arg(remains.unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self { child, watchdog })
    }

    /// The child's pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills the child at once, as `kill -9`, and waits until it is gone.
    ///
    /// # Errors
    /// It can't be killed.
    pub fn kill_9(&mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }

    /// Asks the child to end, as `kill -TERM`.
    ///
    /// # Errors
    /// `kill` can't be run.
    pub fn terminate(&mut self) -> io::Result<()> {
        if self.child.try_wait()?.is_none() {
            Command::new("kill")
                .args(["-TERM", &self.child.id().to_string()])
                .stderr(Stdio::null())
                .status()?;
        }
        Ok(())
    }

    /// How the child ended; none while it runs.
    ///
    /// # Errors
    /// The system does not say.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits for the child's end.
    ///
    /// # Errors
    /// It did not end in time.
    pub fn wait(&mut self, longest: Duration) -> io::Result<ExitStatus> {
        let ended = until(longest, || self.child.try_wait().transpose());
        ended.unwrap_or_else(|| {
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("still running after {longest:?}"),
            ))
        })
    }

    /// Waits until the child is ready; false if it ended before, or was not in time.
    ///
    /// # Errors
    /// The system does not say whether it runs.
    pub fn until(&mut self, longest: Duration, mut ready: impl FnMut() -> bool) -> io::Result<bool> {
        let known = until(longest, || {
            if ready() {
                Some(Ok(true))
            } else {
                self.ended().map(|ended| ended.map(|_| false)).transpose()
            }
        });
        known.unwrap_or(Ok(false))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.terminate();
        if self.wait(LONGEST_GOODBYE).is_err() {
            let _ = self.kill_9();
        }
        if let Some(mut pipe) = self.watchdog.stdin.take() {
            let _ = pipe.write_all(b"done\n");
        }
        let _ = self.watchdog.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(pid: u32) -> bool {
        Path::new(&format!("/proc/{pid}/cmdline")).exists()
    }

    #[test]
    fn a_child_ends_with_its_guard() {
        let folder = tempfile::tempdir().unwrap();
        let child = Guarded::start(Command::new("sleep").arg("600"), &folder.path().join("log"), None).unwrap();
        let pid = child.pid();
        assert!(runs(pid));
        drop(child);
        assert!(!runs(pid));
    }

    #[test]
    fn the_watchdog_ends_the_child_and_its_folder_when_the_starter_dies() {
        let folder = tempfile::tempdir().unwrap();
        let remains = folder.path().join("remains");
        std::fs::create_dir(&remains).unwrap();
        let mut child = Guarded::start(
            Command::new("sleep").arg("600"),
            &folder.path().join("log"),
            Some(&remains),
        )
        .unwrap();
        // What the death of the starter does: the pipe ends without a word.
        drop(child.watchdog.stdin.take());
        assert!(child.watchdog.wait().unwrap().code().is_some());
        child.wait(Duration::from_secs(10)).unwrap();
        assert!(!remains.exists());
    }
}
