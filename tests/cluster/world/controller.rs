//! The controller as a process of its own: started, killed, and asked for its log, its health and its metrics.

use std::{
    fs,
    path::{Path, PathBuf},
};

use test_support::{guarded::Guarded, product};

use super::{SETTLE, World};

impl World {
    /// Starts the controller, as it was started before.
    pub fn start(&mut self) {
        self.controller = Some(self.spawn("controller", &[]));
    }

    /// Starts another replica beside it, by a name of its own.
    pub fn another(&self, name: &str) -> Guarded {
        self.spawn(
            name,
            &[
                ("HOSTNAME", name),
                ("KUBECONFIG", &self.kubeconfig().display().to_string()),
            ],
        )
    }

    /// Starts a replica by a name of its own, which reaches the API server as the world's controller does.
    pub fn another_through(&self, name: &str) -> Guarded {
        self.spawn(name, &[("HOSTNAME", name)])
    }

    fn spawn(&self, log: &str, env: &[(&str, &str)]) -> Guarded {
        let binary = Path::new(env!("CARGO_BIN_EXE_pinpoint-import-role-controller"));
        let mut command = product::controller(binary, &self.kubeconfig(), &self.iam.endpoint(), "test");
        command
            .args(["--namespaces", &self.namespace])
            .env("PIR_IAM_SETTLE_TIME", format!("{}s", SETTLE.as_secs()))
            .env("PIR_ALLOWED_POLICY_ARNS", "*")
            // What is counted are the calls of passes; tests of sweeps say how often.
            .env("PIR_SWEEP_INTERVAL", "0s")
            .envs(self.one_authority())
            .args(&self.args)
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .envs(env.iter().copied());
        for (key, _) in self.env.iter().filter(|(_, value)| value.is_empty()) {
            command.env_remove(key);
        }
        Guarded::start(&mut command, &self.log_path(log), None).expect("the controller starts")
    }

    /// Kills the controller as `kill -9` does, and starts it again.
    pub fn kill_and_restart(&mut self) {
        self.kill();
        self.start();
    }

    /// Kills the controller as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut controller) = self.controller.take() {
            controller.kill_9().expect("the controller is killed");
        }
    }

    fn log_path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name).with_extension("log")
    }

    /// What the controller logged.
    pub fn log(&self) -> String {
        self.log_of("controller")
    }

    /// What a replica logged.
    pub fn log_of(&self, name: &str) -> String {
        fs::read_to_string(self.log_path(name)).unwrap_or_default()
    }

    /// Asks a health endpoint. The answer's status and text; none while nobody listens.
    pub fn health(&self, path: &str) -> Option<(u16, String)> {
        self.get("health endpoints", path)
    }

    /// Asks for the metrics.
    pub fn metrics(&self) -> Option<(u16, String)> {
        self.get("metrics on", "/metrics")
    }

    /// Asks a server of the controller, whose port the log tells in a line with these words.
    fn get(&self, words: &str, path: &str) -> Option<(u16, String)> {
        product::get(product::port(&self.log(), words)?, path)
    }

    /// How many passes have ended since the controller began.
    pub fn passes(&self) -> u64 {
        let (_, text) = self.metrics().unwrap_or_default();
        text.lines()
            .filter(|line| line.starts_with("pir_passes_total{"))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum()
    }
}
