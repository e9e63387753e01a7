//! Namespaces that are deleted, and objects whose owner is: Kubernetes' own controllers delete the objects, and the roles go first.

use serde_json::{Value, json};
use test_support::iam::{Fault, Rule};

use crate::world::{ALWAYS, World, plane};

const FINALIZER: &str = "pinpoint-import.dev/iam-role";

/// The world's namespace; null once it is gone.
fn namespace(world: &World) -> Value {
    let path = format!("/api/v1/namespaces/{}", world.namespace);
    match world.read(&path) {
        Ok(namespace) => namespace,
        Err(kube::Error::Api(status)) if status.is_not_found() => Value::Null,
        Err(error) => Value::String(error.to_string()),
    }
}

fn is_gone(world: &World) -> bool {
    namespace(world).is_null()
}

/// What the namespace controller says of what keeps a namespace.
fn remaining(world: &World) -> Option<String> {
    let mut namespace = namespace(world);
    assert!(!namespace.is_null(), "{} is gone", world.namespace);
    let conditions = namespace["status"]["conditions"].take();
    let of_finalizers = conditions
        .as_array()?
        .iter()
        .find(|condition| condition["type"] == "NamespaceFinalizersRemaining" && condition["status"] == "True")?;
    of_finalizers["message"].as_str().map(str::to_owned)
}

fn delete(worlds: &[&World]) {
    let names: Vec<&str> = worlds.iter().map(|world| world.namespace.as_str()).collect();
    plane()
        .run(&[&["delete", "namespace", "--wait=false"], &names[..]].concat())
        .unwrap();
}

/// Three namespaces at once, since the namespace controller takes its time: one whose roles can go, one where IAM refuses, and one whose
/// controller is down. Besides, an object whose owner is deleted, as a chart or another controller makes it.
#[test]
fn what_kubernetes_deletes_goes_once_its_role_has_gone() {
    let _manager = plane().start_controller_manager().unwrap();
    let goes = World::in_place("namespace-goes", &json!({}));
    goes.apply("kept", &json!({"deletionPolicy": "Retain"})).unwrap();
    goes.wait_reconciled("kept");
    let refused = World::in_place("namespace-refused", &json!({}));
    let denied = Fault::error(403, "AccessDenied");
    refused.iam.fault(Rule::new(denied).action("DeleteRole").times(ALWAYS));
    let mut down = World::in_place("namespace-down", &json!({}));
    down.kill();
    let owned = World::in_place("namespace-owned", &json!({}));

    delete(&[&goes, &refused, &down]);
    delete_owner(&owned, "segments");
    owned.wait_gone("segments");
    assert_eq!(owned.role("segments"), None);
    goes.wait("the namespace to go", || is_gone(&goes).then_some(()));
    assert_eq!(goes.role("segments"), None);
    assert!(goes.role("kept").is_some(), "it is retained");

    for world in [&refused, &down] {
        let said = world.wait("the namespace to say what keeps it", || remaining(world));
        assert!(said.contains(&format!("{FINALIZER} in 1 resource instances")), "{said}");
        assert!(world.role("segments").is_some());
    }
    refused.wait_ready("segments", "False", "AccessDenied");
    let described = refused.kubectl(&["describe", "pir", "segments"]).unwrap();
    for words in ["DeleteRole on role", "AccessDenied", "allow the call", FINALIZER] {
        assert!(described.contains(words), "{words}: {described}");
    }

    refused.iam.clear_faults();
    down.start();
    for world in [&refused, &down] {
        world.wait("the namespace to go", || is_gone(world).then_some(()));
        assert_eq!(world.role("segments"), None);
    }
}

/// Gives an object an owner, and deletes that.
fn delete_owner(world: &World, name: &str) {
    world.kubectl(&["create", "configmap", "owner"]).unwrap();
    let uid = ["get", "configmap", "owner", "-o", "jsonpath={.metadata.uid}"];
    let uid = world.kubectl(&uid).unwrap();
    let owner = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}]);
    world.patch_metadata(name, &json!({"ownerReferences": owner}));
    world.kubectl(&["delete", "configmap", "owner"]).unwrap();
}
