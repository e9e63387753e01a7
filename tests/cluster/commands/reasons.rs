//! `reasons` prints the reasons that `Ready` can have, each once, and says which are failing; it asks neither AWS nor the cluster.

use pinpoint_import_role_controller::api::Reason;
use serde_json::json;
use strum::VariantArray;

use super::run_with;
use crate::world::World;

#[test]
fn reasons_are_listed_with_whether_they_are_failing() {
    let world = World::without_controller("reasons");
    let alone = [("AWS_ACCESS_KEY_ID", ""), ("KUBECONFIG", "/nowhere")];
    let said = run_with(&world, &["reasons", "--output", "json"], &alone);
    let expected: Vec<_> = Reason::VARIANTS
        .iter()
        .map(|reason| json!({"reason": reason.as_str(), "failing": reason.is_failing()}))
        .collect();
    assert_eq!(
        (said.code, said.json()),
        (0, json!({"reasons": expected})),
        "{}",
        said.err
    );

    let said = run_with(&world, &["reasons"], &alone);
    let lines: Vec<Vec<&str>> = said.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        (said.code, lines.len()),
        (0, Reason::VARIANTS.len() + 1),
        "{}",
        said.out
    );
    assert_eq!(lines[0], ["REASON", "FAILING"]);
    for row in [["Reconciled", "no"], ["DriftDetected", "no"], ["AccessDenied", "yes"]] {
        assert!(lines.contains(&row.to_vec()), "{row:?}: {}", said.out);
    }
    assert_eq!(world.actions(), Vec::<String>::new());

    let usage = run_with(&world, &["reasons", "--no-such-flag"], &alone);
    assert!(usage.code == 2 && usage.err.contains("--no-such-flag"), "{}", usage.err);
}
