//! `make chart`: the chart renders the very objects of the manifests, refuses values that it does not know, and lives on a real API server.
//!
//! It is no part of `make test`, since helm is built for two minutes. What can be said of the chart without helm, `tests/core/crd.rs` asks.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
    time::Duration,
};

use regex::Regex;
use serde_json::{Value, json};
use test_support::{control_plane::ControlPlane, tools::tool, waiting::until};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const RELEASE: [&str; 3] = ["pir", "--namespace", "pinpoint-import-system"];
const BOUNDARY: &str =
    r#"env=[{"name":"PIR_PERMISSIONS_BOUNDARY","value":"arn:aws:iam::111122223333:policy/pinpoint-import-boundary"}]"#;

/// How long the API server may take to publish a changed CRD.
const PATIENCE: Duration = Duration::from_secs(90);

static HELM: LazyLock<PathBuf> = LazyLock::new(|| tool("helm").unwrap());
static PLANE: LazyLock<ControlPlane> = LazyLock::new(|| ControlPlane::start().unwrap());

/// Runs helm with a home of its own.
fn helm(plane: Option<&ControlPlane>, arguments: &[&str]) -> Result<String, String> {
    let home = tempfile::tempdir().unwrap();
    let mut helm = Command::new(&*HELM);
    helm.args(arguments);
    for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        helm.env(name, home.path());
    }
    if let Some(plane) = plane {
        helm.env("KUBECONFIG", plane.kubeconfig());
    }
    let output = helm.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(said);
    }
    Ok(String::from_utf8(output.stdout).unwrap())
}

fn chart() -> String {
    format!("{ROOT}/deploy/chart")
}

fn render(arguments: &[&str]) -> Result<String, String> {
    helm(None, &[&["template"], &RELEASE[..], &[&chart()], arguments].concat())
}

/// Objects by kind and name, without what the two ways are known to differ in: the hash in the settings' name, how the settings are
/// written down, helm's own annotation, and the namespace that kustomize gives to kinds that it does not know to have none.
fn objects(manifests: &str) -> BTreeMap<String, Value> {
    let hash = Regex::new("(pinpoint-import-role-controller-settings)-[a-z0-9]{10}\\b").unwrap();
    let manifests = hash.replace_all(manifests, "$1");
    let all: Vec<Value> = serde_saphyr::from_multiple(&manifests).unwrap();
    let objects = all.into_iter().filter(|object| !object.is_null()).map(|mut object| {
        if let Some(settings) = object.pointer("/data/settings.yaml") {
            let settings: Value = serde_saphyr::from_str(settings.as_str().unwrap()).unwrap();
            object["data"] = settings;
        }
        if object["kind"] == "CustomResourceDefinition" {
            object["metadata"].as_object_mut().unwrap().remove("annotations");
        }
        if object["kind"]
            .as_str()
            .unwrap()
            .starts_with("ValidatingAdmissionPolicy")
        {
            object["metadata"].as_object_mut().unwrap().remove("namespace");
        }
        let name = format!("{} {}", object["kind"], object["metadata"]["name"]);
        (name, object)
    });
    objects.collect()
}

#[test]
fn the_chart_renders_what_the_manifests_apply() {
    let role = "eks\\.amazonaws\\.com/role-arn=arn:aws:iam::111122223333:role/pinpoint-import-role-controller";
    let annotation = format!("serviceAccount.annotations.{role}");
    for (folder, values) in [
        ("deploy", &[][..]),
        ("deploy/overlays/pod-identity", &["--set-json", BOUNDARY]),
        ("deploy/overlays/irsa", &["--set-json", BOUNDARY, "--set", &annotation]),
    ] {
        let wanted = objects(&PLANE.run(&["kustomize", &format!("{ROOT}/{folder}")]).unwrap());
        let rendered = objects(&render(&[&["--set", "namespace.create=true"], values].concat()).unwrap());
        let names = |objects: &BTreeMap<String, Value>| objects.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&rendered), names(&wanted), "{folder}");
        for (name, object) in &wanted {
            assert_eq!(&rendered[name], object, "{folder}: {name}");
        }
    }
}

#[test]
fn values_that_mean_nothing_are_refused_with_words() {
    for (value, words) in [
        ("replicas=0", "/replicas"),
        ("replica=3", "replica"),
        ("settings.leader-elections=true", "leader-elections"),
        ("settings.accounts.1.role=x", "accounts"),
        ("image.name=x", "name"),
        ("crds.keep=perhaps", "/crds/keep"),
        ("serviceAccount.annotations.a=1", "/serviceAccount/annotations/a"),
    ] {
        let refusal = render(&["--set", value]).unwrap_err();
        assert!(
            refusal.contains("values don't meet the specifications") && refusal.contains(words),
            "{value}: {refusal}"
        );
    }
}

/// Install, upgrade to a chart whose CRD and settings are newer, roll back, uninstall: what people would lose stays.
#[test]
fn a_release_lives_on_a_real_api_server() {
    let plane = &*PLANE;
    let on = |command: &str, arguments: &[&str]| helm(Some(plane), &[&[command], &RELEASE[..], arguments].concat());
    helm(None, &["lint", "--strict", &chart()]).unwrap();
    let notes = on("install", &["--create-namespace", &chart()]).unwrap();
    assert!(
        notes.contains("rollout status deploy/pinpoint-import-role-controller"),
        "{notes}"
    );
    let crd = "crd/pinpointimportroles.pinpoint-import.dev";
    plane.run(&["wait", "--for=condition=Established", crd]).unwrap();
    plane
        .apply(&fs::read_to_string(format!("{ROOT}/deploy/samples/guide.yaml")).unwrap())
        .unwrap();
    let settings = || {
        let path = "jsonpath={.spec.template.spec.volumes[?(@.name==\"settings\")].configMap.name}";
        let deployment = [
            "get",
            "deploy",
            "pinpoint-import-role-controller",
            "-n",
            RELEASE[2],
            "-o",
            path,
        ];
        plane.run(&deployment).unwrap()
    };
    let first = settings();

    let newer = tempfile::tempdir().unwrap();
    let newer = newer_chart(newer.path());
    on("upgrade", &["--set", "settings.resync-interval=5m", &newer]).unwrap();
    // The API server publishes a changed CRD a moment after it has taken it.
    let explained = |is_there: bool| {
        let there = || (plane.run(&["explain", "pir.spec.colour"]).is_ok() == is_there).then_some(());
        until(PATIENCE, there).is_some()
    };
    assert!(explained(true), "the field of the newer CRD has not arrived");
    assert_ne!(settings(), first, "changed settings start new pods");
    let map = plane
        .run(&[
            "get",
            "configmap",
            &settings(),
            "-n",
            RELEASE[2],
            "-o",
            "jsonpath={.data}",
        ])
        .unwrap();
    assert!(map.contains("resync-interval: 5m"), "{map}");

    on("rollback", &["1"]).unwrap();
    assert_eq!(settings(), first);
    assert!(explained(false), "the newer CRD is still there");

    on("uninstall", &[]).unwrap();
    assert!(
        plane
            .run(&["get", "deploy", "-n", RELEASE[2], "-o", "name"])
            .unwrap()
            .is_empty()
    );
    assert!(
        !plane.run(&["get", "pir", "-A", "-o", "name"]).unwrap().is_empty(),
        "objects stay"
    );
}

/// A copy of the chart whose CRD has one more field.
fn newer_chart(folder: &Path) -> String {
    let newer = folder.join("chart");
    assert!(
        Command::new("cp")
            .args(["-r", &chart()])
            .arg(&newer)
            .status()
            .unwrap()
            .success()
    );
    let file = newer.join("files/pinpointimportroles.yaml");
    let mut crd: Value = serde_saphyr::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let properties = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    crd.pointer_mut(properties).unwrap()["colour"] = json!({ "type": "string", "description": "A newer field" });
    fs::write(file, crd.to_string()).unwrap();
    newer.to_str().unwrap().to_owned()
}
