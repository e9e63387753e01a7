//! Alerts and dashboard speak of metrics that exist, and each alert has a test and a section of the runbook. `make alerts` runs these tests.

use std::{collections::BTreeSet, fs, path::PathBuf, time::Duration};

use pinpoint_import_role_controller::{
    api::Reason,
    aws::CallWatch as _,
    metrics::{Followed, MessageWas, Metrics, Pass, Shown, SweepResult, Watched, Why},
};
use serde_json::Value;
use strum::VariantArray;

fn read(path: &str) -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(file).unwrap_or_else(|why| panic!("{path}: {why}"))
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

/// Names of the alerts.
fn alerts() -> Vec<String> {
    let rules = read("deploy/monitoring/alerts.yaml");
    let names = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    names.map(ToOwned::to_owned).collect()
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
fn each_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not() {
    let tests = read("tests/tools/promtool/alerts.yaml");
    for alert in alerts() {
        let fires = format!("alertname: {alert}\n        exp_alerts:");
        assert!(tests.contains(&fires), "no test shows that {alert} fires");
        assert!(
            tests.contains(&format!("alertname: {alert}\n      - ")),
            "no test shows that {alert} stays quiet"
        );
    }
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
    for alert in alerts() {
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
