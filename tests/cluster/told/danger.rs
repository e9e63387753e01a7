//! The dangerous comes first, and what a place is too short for is counted.

use serde_json::{Value, json};
use test_support::iam::AWS_MANAGED;

use super::settled;
use crate::world::{ADMIN, BOUNDARY, S3_READ_ONLY, WIDE_TRUST, widen};

/// Longest note of an event (Kubernetes API reference, `events.k8s.io/v1`: 1 kB).
const NOTE: usize = 1024;

/// What is wrong with a text that is to tell of all these, each of which it names by a word: the first not first, or others left out
/// without saying how many.
fn badly_cut(text: &str, all: &[String]) -> Option<String> {
    let at = |word: &String| text.find(word.as_str());
    let first = at(&all[0]);
    if first.is_none()
        || all[1..]
            .iter()
            .filter_map(at)
            .min()
            .is_some_and(|next| Some(next) < first)
    {
        return Some(format!("{} does not come first", all[0]));
    }
    let left_out = all.iter().filter(|word| at(word).is_none()).count();
    let more = text.split(" more").next().filter(|before| before.len() < text.len());
    let said: usize = more
        .and_then(|before| before.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
        .unwrap_or_default();
    (said < left_out || said >= all.len()).then(|| format!("{left_out} of {} are left out, {said} said", all.len()))
}

#[test]
fn the_dangerous_comes_first_and_what_is_left_out_is_counted() {
    let tags: serde_json::Map<String, Value> = (10..30)
        .map(|n| (format!("schlüssel-{n}"), json!("値".repeat(200))))
        .collect();
    let objects = [
        ("twelve", json!({"driftPolicy": "Report"})),
        ("repaired", json!({})),
        ("tags", json!({"tags": tags})),
        (
            "inline",
            json!({"driftPolicy": "Report", "tags": {"team": "a"}, "description": "a"}),
        ),
        ("condition", json!({"driftPolicy": "Report"})),
    ];
    let world = settled("told-cut", &objects);
    let twelve: Vec<String> = AWS_MANAGED
        .iter()
        .filter(|name| !name.contains("S3"))
        .take(12)
        .map(|name| format!("arn:aws:iam::aws:policy/{name}"))
        .collect();
    for name in ["twelve", "repaired"] {
        world.iam.tamper(&world.role_name(name), |role| {
            widen(role);
            role.attached.extend(twelve.clone());
        });
    }
    world.iam.tamper(&world.role_name("tags"), |role| {
        for (_, value) in role.tags.iter_mut().filter(|(key, _)| key.starts_with('s')) {
            *value = "別".repeat(200);
        }
    });
    let inline: Vec<String> = (10..40).map(|n| format!("{}-{n}", "p".repeat(100))).collect();
    world.iam.tamper(&world.role_name("inline"), |role| {
        widen(role);
        role.description = Some("b".to_owned());
        role.tags.insert("team".to_owned(), "b".to_owned());
        let document = r#"{"Version":"2012-10-17","Statement":[]}"#;
        role.inline
            .extend(inline.iter().map(|name| (name.clone(), document.to_owned())));
    });
    world.iam.tamper(&world.role_name("condition"), |role| {
        let condition = json!({"StringLike": {"aws:PrincipalTag/team": "値".repeat(600)}});
        let mut trust: Value = serde_json::from_str(WIDE_TRUST).unwrap();
        trust["Statement"][0]["Condition"] = condition;
        role.trust_policy = trust.to_string();
    });
    let stranger = || vec!["999999999999".to_owned()];
    let beside = ["description is", "tag team"].map(str::to_owned);
    let told = [
        ("twelve", [stranger(), twelve.clone()].concat()),
        ("repaired", [stranger(), twelve].concat()),
        ("tags", (10..30).map(|n| format!("schlüssel-{n} ")).collect()),
        ("inline", [stranger(), inline, beside.to_vec()].concat()),
        (
            "condition",
            [
                "999999999999",
                "also allows pinpoint.amazonaws.com",
                "does not allow pinpoint.amazonaws.com",
            ]
            .map(str::to_owned)
            .to_vec(),
        ),
    ];
    for (name, _) in &told {
        world.look_or_gone(name);
    }
    let mut wrong = Vec::new();
    for (name, all) in &told {
        let mut texts = vec![("event", world.wait_event(name, "DriftDetected"))];
        if ["tags", "repaired"].contains(name) {
            texts.push(("event of the repair", world.wait_event(name, "DriftRepaired")));
        } else {
            texts.push(("Ready", world.wait_ready(name, "False", "DriftDetected")));
            texts.push(("Drifted", world.condition(name, "Drifted").unwrap().2));
        }
        for (place, text) in &texts {
            wrong.extend(badly_cut(text, all).map(|why| format!("{name}: {place}: {why}: {text}")));
            if place.starts_with("event") && text.len() > NOTE {
                wrong.push(format!("{name}: {place}: {} bytes", text.len()));
            }
        }
        let differences = world.status(name)["lastDrift"]["differences"].take();
        let differences = differences.as_array().expect("differences");
        if differences.len() > 20 || differences.len() < all.len().min(20) {
            wrong.push(format!("{name}: {} differences in the status", differences.len()));
        }
        let first = differences[0]["observed"].as_str().unwrap();
        if !first.contains(all[0].as_str()) {
            wrong.push(format!("{name}: the status begins with {first}"));
        }
        for text in differences.iter().flat_map(|d| [&d["observed"], &d["declared"]]) {
            assert!(text.as_str().unwrap().chars().count() <= 300, "{name}: {text}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn differences_are_told_in_the_order_of_their_danger() {
    let spec = json!({
        "driftPolicy": "Report", "description": "a", "maxSessionDuration": 7200, "permissionsBoundary": BOUNDARY,
        "tags": {"a": "b"}, "managedPolicyArns": [S3_READ_ONLY], "buckets": [{"name": "segments"}],
    });
    let world = settled("told-order", &[("segments", spec)]);
    world.iam.tamper(&world.role_name("segments"), |role| {
        widen(role);
        role.description = Some("b".to_owned());
        role.max_session_duration = 3600;
        role.permissions_boundary = None;
        role.tags.insert("a".to_owned(), "c".to_owned());
        role.attached = [ADMIN.to_owned()].into();
        let theirs = role.inline["PinpointImportBuckets"].replace("segments", "secrets");
        role.inline
            .extend(["PinpointImportBuckets", "theirs"].map(|name| (name.to_owned(), theirs.clone())));
    });
    world.look_or_gone("segments");
    let message = world.wait_ready("segments", "False", "DriftDetected");
    let differences = world.status("segments")["lastDrift"]["differences"].take();
    let danger = |difference: &Value| match difference["field"].as_str().unwrap() {
        "trustPolicy" => 1,
        "managedPolicyArns" | "inlinePolicies" | "buckets" => 2,
        "permissionsBoundary" => 3,
        "maxSessionDuration" => 4,
        "tags" | "description" => 5,
        other => panic!("{other} did not change"),
    };
    let order: Vec<i32> = differences.as_array().unwrap().iter().map(danger).collect();
    assert!(order.is_sorted(), "{differences:#}");
    // A policy too many, one too few, an inline one, and the bucket policy.
    assert!(order.iter().filter(|n| **n == 2).count() >= 4, "{differences:#}");
    // The same in every place.
    let note = world.wait_event("segments", "DriftDetected");
    for (place, text) in [("event", note), ("Ready", message)] {
        let found: Vec<Option<usize>> = differences
            .as_array()
            .unwrap()
            .iter()
            .map(|difference| text.find(difference["observed"].as_str().unwrap()))
            .take(3)
            .collect();
        assert!(
            found.iter().all(Option::is_some) && found.is_sorted(),
            "{place}: {found:?} in {text}"
        );
    }
}
