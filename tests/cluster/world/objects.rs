//! Objects: written as people do by kubectl, and read.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{RUNTIME, World};

impl World {
    /// `kubectl -n <namespace> …`
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        self.plane().run(&[&["-n", &self.namespace], arguments].concat())
    }

    /// Applies an object with this spec.
    pub fn apply(&self, name: &str, spec: &Value) -> Result<String, String> {
        let object = json!({
            "apiVersion": "pinpoint-import.dev/v1alpha1",
            "kind": "PinpointImportRole",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": spec,
        });
        self.plane().apply(&object.to_string())
    }

    /// Changes an object's spec by a merge patch.
    pub fn patch(&self, name: &str, spec: &Value) {
        self.kubectl(&[
            "patch",
            "pir",
            name,
            "--type=merge",
            "-p",
            &json!({"spec": spec}).to_string(),
        ])
        .expect("the patch is accepted");
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
        let annotation = format!("pinpoint-import.dev/reconcile-requested-at={:?}", Instant::now());
        // An error is that it is gone already.
        let _ = self.kubectl(&["annotate", "pir", name, "--overwrite", &annotation]);
    }

    /// The object; null if there is none, a text if the API server does not say.
    pub fn object(&self, name: &str) -> Value {
        let path = format!(
            "/apis/pinpoint-import.dev/v1alpha1/namespaces/{}/pinpointimportroles/{name}",
            self.namespace
        );
        match self.read(&path) {
            Ok(object) => object,
            Err(kube::Error::Api(status)) if status.is_not_found() => Value::Null,
            Err(error) => Value::String(error.to_string()),
        }
    }

    /// Creates objects as `kubectl apply` does, under strict validation and without keeping them. The object as it would be kept, or why
    /// it is refused.
    pub fn dry_run(&self, objects: &[Value]) -> Vec<Result<Value, kube::core::Status>> {
        let path = format!(
            "/apis/pinpoint-import.dev/v1alpha1/namespaces/{}/pinpointimportroles?dryRun=All&fieldValidation=Strict",
            self.namespace
        );
        let create = |object: &Value| {
            let request = http::Request::post(&path).header("content-type", "application/json");
            self.reader
                .request(request.body(object.to_string().into_bytes()).expect("a path"))
        };
        RUNTIME.block_on(async {
            let mut answers = Vec::new();
            for object in objects {
                answers.push(match create(object).await {
                    Ok(kept) => Ok(kept),
                    Err(kube::Error::Api(status)) => Err(*status),
                    Err(error) => panic!("the API server does not answer: {error}"),
                });
            }
            answers
        })
    }

    pub fn read(&self, path: &str) -> kube::Result<Value> {
        let request = http::Request::get(path).body(Vec::new()).expect("a path");
        RUNTIME.block_on(async {
            let answer = tokio::time::timeout(Duration::from_secs(10), self.reader.request(request)).await;
            answer.unwrap_or_else(|_| Err(kube::Error::Service("the API server does not answer".into())))
        })
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
        let jsonpath = ["-o", "jsonpath={.metadata.uid}"];
        self.plane()
            .run(&[&["get", "namespace", "kube-system"][..], &jsonpath].concat())
            .expect("the namespace")
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
