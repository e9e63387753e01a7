//! Objects: written as people do by kubectl, and read.
//!
//! What kubectl would send is sent without it where nothing is promised of kubectl itself: its start alone costs 60 ms of CPU.

use std::time::Instant;

use http::{Request, request::Builder};
use serde_json::{Value, json};
use test_support::waiting::until;

use super::{PROMPTLY, RUNTIME, World};

/// The annotation that asks for a look.
pub const LOOK: &str = "pinpoint-import.dev/reconcile-requested-at";

impl World {
    /// `kubectl -n <namespace> …`
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        self.plane().run(&[&["-n", &self.namespace], arguments].concat())
    }

    /// Creates the world's namespace.
    pub fn create_namespace(&self) {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}});
        let request = Request::post("/api/v1/namespaces");
        self.send(request, "application/json", &namespace).expect("a namespace");
    }

    /// Applies an object with this spec. One that is new is created as `kubectl apply` would. What changes of one that is there, and why one
    /// is refused, is kubectl's own to work out and to say.
    pub fn apply(&self, name: &str, spec: &Value) -> Result<(), String> {
        let mut object = json!({
            "apiVersion": "pinpoint-import.dev/v1alpha1",
            "kind": "PinpointImportRole",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": spec,
        });
        let manifest = object.to_string();
        let applied = "kubectl.kubernetes.io/last-applied-configuration";
        object["metadata"]["annotations"] = json!({applied: manifest});
        let created = self.create("fieldManager=kubectl-client-side-apply", &object);
        created.map(drop).or_else(|_| self.plane().apply(&manifest).map(drop))
    }

    /// Changes an object's spec by a merge patch.
    pub fn patch(&self, name: &str, spec: &Value) {
        self.merge(name, "kubectl-patch", &json!({"spec": spec}))
            .expect("the patch is accepted");
    }

    /// Changes an object's metadata by a merge patch.
    pub fn patch_metadata(&self, name: &str, metadata: &Value) {
        self.merge(name, "kubectl-patch", &json!({"metadata": metadata}))
            .expect("the patch is accepted");
    }

    /// Sets an annotation, whatever it was.
    pub fn annotate(&self, name: &str, key: &str, value: &str) -> kube::Result<Value> {
        let patch = json!({"metadata": {"annotations": {key: value}}});
        self.merge(name, "kubectl-annotate", &patch)
    }

    /// Asks for an object's deletion, as `kubectl delete --wait=false` does.
    pub fn delete(&self, name: &str) {
        let options = json!({"propagationPolicy": "Background"});
        let request = Request::delete(format!("{}/{name}", self.objects_path()));
        self.send(request, "application/json", &options)
            .expect("the deletion is accepted");
    }

    /// Deletes an object and waits until it is gone, as `kubectl delete` does.
    pub fn delete_and_wait(&self, name: &str) {
        self.delete(name);
        self.wait_gone(name);
    }

    /// Path of the namespace's objects.
    pub fn objects_path(&self) -> String {
        let namespace = &self.namespace;
        format!("/apis/pinpoint-import.dev/v1alpha1/namespaces/{namespace}/pinpointimportroles")
    }

    /// Creates an object under strict validation, as kubectl does, and with this in the query.
    fn create(&self, query: &str, object: &Value) -> kube::Result<Value> {
        let request = Request::post(format!("{}?fieldValidation=Strict&{query}", self.objects_path()));
        self.send(request, "application/json", object)
    }

    fn merge(&self, name: &str, manager: &str, patch: &Value) -> kube::Result<Value> {
        let request = Request::patch(format!("{}/{name}?fieldManager={manager}", self.objects_path()));
        self.send(request, "application/merge-patch+json", patch)
    }

    /// Takes an object's finalizers off, as somebody of the break-glass group does by hand.
    pub fn take_finalizer_off(&self, name: &str) {
        let patch = r#"{"metadata":{"finalizers":null}}"#;
        let glass = [
            "--as=somebody",
            "--as-group=system:masters",
            "--as-group=pinpoint-import.dev:break-glass",
        ];
        self.kubectl(&[&["patch", "pir", name, "--type=merge", "-p", patch], &glass[..]].concat())
            .expect("the patch is accepted");
    }

    /// Asks for a look at the role of an object that may go by it.
    pub fn look_or_gone(&self, name: &str) {
        // An error is that it is gone already.
        let _ = self.annotate(name, LOOK, &format!("{:?}", Instant::now()));
    }

    /// The object; null if there is none, a text if the API server does not say.
    pub fn object(&self, name: &str) -> Value {
        match self.read(&format!("{}/{name}", self.objects_path())) {
            Ok(object) => object,
            Err(kube::Error::Api(status)) if status.is_not_found() => Value::Null,
            Err(error) => Value::String(error.to_string()),
        }
    }

    /// Creates objects as `kubectl apply` does, without keeping them. The object as it would be kept, or why it is refused.
    pub fn dry_run(&self, objects: &[Value]) -> Vec<Result<Value, Box<kube::core::Status>>> {
        let answers = objects.iter().map(|object| match self.create("dryRun=All", object) {
            Ok(kept) => Ok(kept),
            Err(kube::Error::Api(status)) => Err(status),
            Err(error) => panic!("the API server does not answer: {error}"),
        });
        answers.collect()
    }

    /// What the API server has at this path.
    pub fn read(&self, path: &str) -> kube::Result<Value> {
        self.ask(&Request::get(path).body(Vec::new()).expect("a path"))
    }

    /// Sends this to the API server.
    pub fn send(&self, request: Builder, content_type: &str, body: &Value) -> kube::Result<Value> {
        let request = request.header("content-type", content_type);
        self.ask(&request.body(body.to_string().into_bytes()).expect("a request"))
    }

    /// Asks the API server, and again while it says that it can't answer just now (429), as kubectl does.
    fn ask(&self, request: &Request<Vec<u8>>) -> kube::Result<Value> {
        let answered = until(PROMPTLY, || {
            let asked = self.client.request(request.clone());
            let answer = RUNTIME.block_on(async { tokio::time::timeout(PROMPTLY, asked).await.ok() })?;
            let busy = matches!(&answer, Err(kube::Error::Api(status)) if status.code == 429);
            (!busy).then_some(answer)
        });
        answered.unwrap_or_else(|| Err(kube::Error::Service("the API server does not answer".into())))
    }

    /// The object's status.
    pub fn status(&self, name: &str) -> Value {
        self.object(name)["status"].take()
    }

    /// Status, reason and message of a condition; none where it is not there.
    pub fn condition(&self, name: &str, type_: &str) -> Option<(String, String, String)> {
        condition(&self.status(name), type_)
    }

    /// The object's uid.
    pub fn uid(&self, name: &str) -> String {
        self.object(name)["metadata"]["uid"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The object's resource version, which every write to it changes.
    pub fn version(&self, name: &str) -> String {
        self.object(name)["metadata"]["resourceVersion"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The cluster's identity.
    pub fn cluster(&self) -> String {
        let namespace = self.read("/api/v1/namespaces/kube-system").expect("the namespace");
        namespace["metadata"]["uid"].as_str().expect("a uid").to_owned()
    }

    /// Reasons and notes of the events of an object, oldest first.
    pub fn events(&self, name: &str) -> Vec<(String, String)> {
        let path = format!("/apis/events.k8s.io/v1/namespaces/{}/events", self.namespace);
        let list = self.read(&path).expect("events");
        let mut events: Vec<(String, String, String)> = list["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|event| event["regarding"]["name"] == name)
            .map(|event| {
                let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
                (text("eventTime"), text("reason"), text("note"))
            })
            .collect();
        events.sort();
        events.into_iter().map(|(_, reason, note)| (reason, note)).collect()
    }

    /// The notes of all events of an object that have a reason.
    pub fn told(&self, name: &str, reason: &str) -> Vec<String> {
        let events = self.events(name).into_iter();
        events
            .filter(|(found, _)| found == reason)
            .map(|(_, note)| note)
            .collect()
    }
}

pub fn condition(status: &Value, type_: &str) -> Option<(String, String, String)> {
    let condition = status["conditions"]
        .as_array()?
        .iter()
        .find(|condition| condition["type"] == type_)?;
    let text = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
    Some((text("status"), text("reason"), text("message")))
}
