//! All outputs say the same, and what others wrote does not make them longer than they may be.

use serde_json::Value;

use super::{
    markdown::markdown,
    report::{Action, Call, CallDifference, ObjectPlan, PlanReport},
    sarif::sarif,
};
use crate::{
    cli::manifests,
    role::{FieldPath, Problem},
};

fn call(n: usize, text: &str) -> Call {
    Call {
        action: "AttachRolePolicy".to_owned(),
        subject: Some(format!("arn:aws:iam::123456789012:policy/{n}{text}")),
        widens: n % 2 == 1,
        differences: vec![CallDifference {
            field: "managedPolicyArns".to_owned(),
            observed: format!("managed policy {n} is missing {text}"),
            declared: "attached".to_owned(),
        }],
        before: Some(format!("{{\"Statement\": [{n}]}}")),
        after: Some(
            serde_json::json!({"Version": "2012-10-17", "Statement": [{"Sid": text, "Resource": n}]}).to_string(),
        ),
    }
}

fn object(n: usize, calls: Vec<Call>, message: Option<&str>) -> ObjectPlan {
    ObjectPlan {
        namespace: "team".to_owned(),
        name: format!("segments-{n}"),
        file: None,
        account: Some("123456789012".to_owned()),
        role: format!("team.segments-{n}"),
        owner: "there is no such role yet".to_owned(),
        action: if message.is_some() {
            Action::Refused
        } else {
            Action::Create
        },
        reason: message.map(|_| "InvalidSpec".to_owned()),
        message: message.map(str::to_owned),
        notes: Vec::new(),
        calls,
    }
}

/// As GitHub counts, and as those may that count less kindly.
fn fits(markdown: &str) {
    assert!(markdown.chars().count() < 65_536 && markdown.encode_utf16().count() < 65_536 && markdown.len() < 65_536);
}

#[test]
fn a_comment_is_never_too_long_and_what_is_left_out_is_counted() {
    let hostile = "`|\u{2028}\u{1f600}<".repeat(1000);
    let ours = |n| object(n, vec![call(0, ""), call(2, "")], None);
    let noted = |n| ObjectPlan {
        notes: vec![Problem::new(FieldPath::of(&["spec"]), format!("{n}{hostile}")).into()],
        ..ours(n)
    };
    let mut largest = 0;
    for (count, each) in [
        (60, &(|n| ours(n)) as &dyn Fn(usize) -> ObjectPlan),
        (1000, &|n| ours(n)),
        (1000, &noted),
        (60, &|n| object(n, (0..60).map(|m| call(m, &hostile)).collect(), None)),
        (1, &|n| object(n, vec![call(n, &hostile)], None)),
        (300, &|n| object(n, Vec::new(), Some(&hostile))),
    ] {
        let report = PlanReport::new((0..count).map(each));
        let text = markdown(&report);
        fits(text.as_str());
        largest = largest.max(text.as_str().chars().count());
        let rows = text.as_str().lines().filter(|line| line.starts_with("| `")).count();
        let details = text.as_str().matches("<details>").count();
        assert_eq!(details, text.as_str().matches("</details>").count());
        let with_calls = report.objects.iter().filter(|object| !object.calls.is_empty()).count();
        if rows < count || details < with_calls {
            let told = format!(
                "{} more objects are not in the table, and the calls for {} objects and ",
                count - rows,
                with_calls - details
            );
            assert!(text.as_str().contains(&told), "{told}: {}", text.as_str());
        }
    }
}

#[test]
fn what_is_dangerous_comes_first() {
    let mut all: Vec<ObjectPlan> = (0..500).map(|n| object(n, vec![call(0, "")], None)).collect();
    all.push(object(998, Vec::new(), Some("no")));
    all.push(object(999, vec![call(1, "")], None));
    let text = markdown(&PlanReport::new(all.into_iter()));
    let at = |words: &str| text.as_str().find(words).unwrap_or_else(|| panic!("{words}"));
    assert!(at("segments-999") < at("segments-998") && at("segments-998") < at("segments-0`"));
}

#[test]
fn widenings_and_refusals_have_their_lines() {
    let text = "apiVersion: x\nkind: y\nspec:\n  buckets: []\n  managedPolicyArns:\n  - a\n";
    let node = manifests::parse("roles/a.yaml", text).0.remove(0).node;
    let mut widens = object(1, vec![call(0, ""), call(1, "")], None);
    widens.file = Some("roles/a.yaml".to_owned());
    let refused = object(2, Vec::new(), Some("no"));
    let report = PlanReport::new([widens, refused].into_iter());
    let text = sarif(&report, &[Some(&node), None]).unwrap();
    let value: Value = serde_json::from_str(text.as_str()).unwrap();
    let results = value["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    let place = |n: usize| &results[n]["locations"][0]["physicalLocation"];
    assert_eq!(place(0)["artifactLocation"]["uri"], "roles/a.yaml");
    assert_eq!(place(0)["region"]["startLine"], 5);
    assert_eq!(
        place(1)["artifactLocation"]["uri"],
        "pinpointimportroles/team/segments-2"
    );
    assert_eq!(
        (&results[0]["ruleId"], &results[1]["ruleId"]),
        (&"widens-access".into(), &"refused".into())
    );
}
