//! `make alerts`: promtool, Prometheus' own, finds the alerts and the dashboard's queries sound, and each alert fires when it should.
//!
//! It is no part of `make test`, since promtool is built for three minutes. What can be said of them without it, `tests/core/monitoring.rs`
//! asks.

use std::{fs, process::Command};

use serde_json::Value;
use test_support::tools::tool;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn promtool(arguments: &[&str]) {
    let mut promtool = Command::new(tool("promtool").unwrap());
    let output = promtool.args(arguments).current_dir(ROOT).output().unwrap();
    assert!(
        output.status.success(),
        "promtool {arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn each_alert_fires_when_it_should_and_not_before() {
    promtool(&["check", "rules", "--lint-fatal", "deploy/monitoring/alerts.yaml"]);
    promtool(&["test", "rules", "tests/tools/promtool/alerts.yaml"]);
}

#[test]
fn the_queries_of_the_dashboard_are_sound() {
    let dashboard = fs::read_to_string(format!("{ROOT}/deploy/monitoring/dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let rules = targets.enumerate().map(|(n, target)| {
        let query = target["expr"].as_str().unwrap();
        let query = query.replace("$job", ".*").replace("$__rate_interval", "5m");
        format!("  - record: x:y:z{n}\n    expr: {query:?}\n")
    });
    let rules: Vec<String> = rules.collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yaml");
    fs::write(&path, format!("groups:\n- name: x\n  rules:\n{}", rules.concat())).unwrap();
    promtool(&["check", "rules", path.to_str().unwrap()]);
}
