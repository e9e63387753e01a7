//! Alerts and dashboard speak of metrics that exist, and fire when they should (promtool, Prometheus' own).

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command, time::Duration};

use pinpoint_import_role_controller::{
    api::Reason,
    aws::CallWatch as _,
    metrics::{Followed, MessageWas, Metrics, Pass, Shown, SweepResult, Watched, Why},
};
use serde_json::Value;
use strum::VariantArray;

fn at(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(at(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// Names of the metrics as Prometheus stores them.
fn known() -> BTreeSet<String> {
    let metrics = Metrics::default();
    metrics.pass(Pass {
        uid: "a",
        outcome: "unchanged",
        complete: true,
        took: Duration::ZERO,
    });
    metrics.follow(|| {
        let object = Watched {
            uid: "a".to_owned(),
            state: Reason::Reconciled.as_str(),
            rests: false,
            interval: Duration::ZERO,
            stretch: 1.0,
        };
        vec![object]
    });
    metrics.called("GetRole", "ok", Duration::ZERO);
    metrics.drift("tags");
    metrics.swept(SweepResult::Whole, Duration::ZERO);
    metrics.sighting(Shown::AsDeclared);
    metrics.hint(Why::Sweep, Followed::Looked);
    metrics.drift_seen(Why::Sweep);
    metrics.messages.read(MessageWas::Hint);
    metrics.messages.queue("own", true);
    let text = metrics.text();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.split(['{', ' ']).next().unwrap().to_owned())
        .collect()
}

fn named(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (start, _) in text.match_indices("pir_") {
        let name: String = text[start..]
            .chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '_')
            .collect();
        found.insert(name);
    }
    found
}

fn promtool(arguments: &[&str]) -> String {
    let build = Command::new("bash")
        .arg(at("tests/tools/tool.sh"))
        .arg("promtool")
        .output()
        .unwrap();
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    let path = String::from_utf8(build.stdout).unwrap();
    let output = Command::new(path.trim()).args(arguments).output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
    said
}

fn expressions() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("deploy/monitoring/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    targets
        .map(|target| target["expr"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn alerts_and_dashboard_name_metrics_that_exist_and_leave_none_out() {
    let known = known();
    let alerts = named(&read("deploy/monitoring/alerts.yaml"));
    let dashboard = named(&expressions().join("\n"));
    for name in alerts.union(&dashboard) {
        assert!(known.contains(name), "{name} is no metric: {known:?}");
    }
    let base = |name: &str| {
        name.trim_end_matches("_bucket")
            .trim_end_matches("_sum")
            .trim_end_matches("_count")
            .to_owned()
    };
    let shown: BTreeSet<String> = dashboard.iter().map(|name| base(name)).collect();
    let all: BTreeSet<String> = known.iter().map(|name| base(name)).collect();
    assert_eq!(
        all.difference(&shown).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "not on the dashboard"
    );
}

#[test]
fn each_alert_fires_when_it_should_and_not_before() {
    promtool(&[
        "check",
        "rules",
        "--lint-fatal",
        at("deploy/monitoring/alerts.yaml").to_str().unwrap(),
    ]);
    promtool(&[
        "test",
        "rules",
        at("tests/tools/promtool/alerts.yaml").to_str().unwrap(),
    ]);
    let tests = read("tests/tools/promtool/alerts.yaml");
    for alert in read("deploy/monitoring/alerts.yaml")
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
    {
        let fires = format!("alertname: {alert}\n        exp_alerts:");
        assert!(tests.contains(&fires), "no test shows that {alert} fires");
        assert!(
            tests.contains(&format!("alertname: {alert}\n      - ")),
            "no test shows that {alert} stays quiet"
        );
    }
}

#[test]
fn the_queries_of_the_dashboard_are_sound() {
    let rules: String =
        expressions()
            .iter()
            .enumerate()
            .fold("groups:\n- name: x\n  rules:\n".to_owned(), |rules, (n, query)| {
                let query = query.replace("$job", ".*").replace("$__rate_interval", "5m");
                rules + &format!("  - record: x:y:z{n}\n    expr: {query:?}\n")
            });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yaml");
    fs::write(&path, rules).unwrap();
    promtool(&["check", "rules", path.to_str().unwrap()]);
}

/// Whoever is woken finds what to do.
#[test]
fn the_runbook_has_every_alert_reason_and_right() {
    let readme = read("deploy/README.md");
    for reason in Reason::VARIANTS {
        assert!(
            readme.contains(&format!("`{reason}`")),
            "{reason} is not in deploy/README.md"
        );
    }
    for alert in read("deploy/monitoring/alerts.yaml")
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
    {
        assert!(
            readme.contains(&format!("### {alert}")),
            "{alert} is not in deploy/README.md"
        );
    }
    let policy: Value = serde_json::from_str(&read("deploy/iam-policy.json")).unwrap();
    for statement in policy["Statement"].as_array().unwrap() {
        let sid = statement["Sid"].as_str().unwrap();
        assert!(
            readme.contains(&format!("| `{sid}` |")),
            "{sid} is not explained in deploy/README.md"
        );
    }
}
