//! `kubectl pir …`: the binary as a plugin of the real kubectl, by two links on the PATH, as `deploy/guides.md` installs it.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use serde_json::json;
use test_support::{iam::RoleBuilder, product};

use crate::world::{GUIDE_TRUST, World};

const BINARY: &str = env!("CARGO_BIN_EXE_pinpoint-import-role-controller");
const LINKS: [&str; 2] = ["kubectl-pir", "kubectl_complete-pir"];

/// kubectl with the links on its PATH, as a person has them.
fn kubectl(world: &World) -> Command {
    let bin = world.folder().join("bin");
    if !bin.exists() {
        fs::create_dir(&bin).unwrap();
        for link in LINKS {
            symlink(BINARY, bin.join(link)).unwrap();
        }
    }
    let mut kubectl = world.plane().kubectl();
    kubectl
        .env("PATH", &bin)
        .envs(product::environment(&world.iam.endpoint(), "person"));
    kubectl
}

fn said(world: &World, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = kubectl(world).args(arguments).output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn kubectl_finds_it_and_its_commands_work() {
    let world = World::without_controller("plugin");
    world
        .iam
        .put_role(RoleBuilder::new("GuideByHand").trust_policy(GUIDE_TRUST));
    let (code, out, err) = said(&world, &["plugin", "list"]);
    assert!(code == Some(0) && out.contains(LINKS[0]), "{out}{err}");
    assert!(!err.contains("warning"), "it overshadows nothing: {err}");

    let (code, out, err) = said(&world, &["pir", "audit", "--output", "json"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|why| panic!("{why}: {err}"));
    assert_eq!((code, &report["roles"][0]["name"]), (Some(0), &json!("GuideByHand")));

    // Help and errors name what people typed.
    let (_, help, _) = said(&world, &["pir", "--help"]);
    assert!(help.contains("Usage: kubectl pir <COMMAND>"), "{help}");
    let (_, help, _) = said(&world, &["pir", "plan", "--help"]);
    assert!(help.contains("Usage: kubectl pir plan "), "{help}");
    let (code, _, err) = said(&world, &["pir", "plan", "--no-such-flag"]);
    assert!(code == Some(1) && err.contains("Usage: kubectl pir plan"), "{err}");
    let settings = world.folder().join("settings.yaml");
    fs::write(&settings, "namespaces: [x]\n").unwrap();
    let config = settings.to_str().unwrap();
    let (_, _, err) = said(&world, &["pir", "validate", "--config", config]);
    assert!(err.contains("Usage: kubectl pir validate"), "{err}");
    let (_, version, _) = said(&world, &["pir", "--version"]);
    assert!(version.starts_with("kubectl-pir 0."), "{version}");
}

#[test]
fn kubectl_completes_its_words() {
    let world = World::without_controller("plugin-words");
    fs::create_dir(world.folder().join("roles")).unwrap();
    let complete = |words: &[&str]| {
        let output = kubectl(&world)
            .args([&["__complete", "pir"], words].concat())
            .current_dir(world.folder())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (candidates, directive) = text
            .trim_end()
            .rsplit_once(':')
            .unwrap_or_else(|| panic!("{words:?}: {text}"));
        let values = candidates
            .lines()
            .filter_map(|line| line.split('\t').next().map(str::to_owned));
        (values.collect::<Vec<String>>(), directive.to_owned())
    };
    assert_eq!(complete(&["au"]), (vec!["audit".to_owned()], "4".to_owned()));
    let (values, _) = complete(&[""]);
    for command in ["run", "plan", "export", "crd"] {
        assert!(values.iter().any(|value| value == command), "{command}: {values:?}");
    }
    let (values, directive) = complete(&["audit", "--output", ""]);
    assert_eq!(
        (values.contains(&"json".to_owned()), directive.as_str()),
        (true, "4"),
        "{values:?}"
    );
    let (values, _) = complete(&["plan", "--fail"]);
    assert_eq!(values, ["--fail-on-widening"]);
    let (values, directive) = complete(&["validate", "-f", "ro"]);
    assert_eq!((values, directive.as_str()), (vec!["roles/".to_owned()], "6"));
}

/// The guide's commands are those that were tried.
#[test]
fn the_guide_installs_it_so() {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/guides.md")).unwrap();
    for link in LINKS {
        assert!(guide.contains(&format!("/{link}")), "{link}");
    }
}
