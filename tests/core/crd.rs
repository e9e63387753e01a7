//! `crds/` holds what the code says.

use std::process::Command;

#[test]
fn the_crd_in_crds_is_the_one_that_the_code_generates() {
    let output = Command::new(env!("CARGO_BIN_EXE_pinpoint-import-role-controller"))
        .arg("crd")
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let generated = String::from_utf8(output.stdout).expect("UTF-8");
    let held = include_str!("../../crds/pinpointimportroles.yaml");
    let first = held
        .lines()
        .zip(generated.lines())
        .position(|(held, generated)| held != generated)
        .unwrap_or_else(|| held.lines().count().min(generated.lines().count()));
    assert!(
        held == generated,
        "crds/pinpointimportroles.yaml is not what the code says, from line {} on: run `make crd`, and commit what it writes",
        first + 1
    );
}
