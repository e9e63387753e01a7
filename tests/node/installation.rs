//! The controller as operators install it: an overlay of `deploy`, which names the account's credentials and settings of theirs; and
//! what is seen of its pods.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::node::{Node, write};

/// The controller's namespace, and the name of its Deployment and its Lease.
pub const SYSTEM: &str = "pinpoint-import-system";
/// See [`SYSTEM`].
pub const NAME: &str = "pinpoint-import-role-controller";

/// What its pods bear.
pub const LABEL: &str = "app.kubernetes.io/name=pinpoint-import-role-controller";

const OVERLAY: &str = "apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: pinpoint-import-system
resources: [deploy]
configMapGenerator:
  - name: test-authority
    files: [authority.crt]
  - name: pinpoint-import-role-controller-settings
    behavior: replace
    files: [settings.yaml]
patches:
  - path: deployment.yaml
";
/// The access key is the pod's name, so that the account's log says which pod called.
const CREDENTIALS: &str = "
            - {name: AWS_ACCESS_KEY_ID, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
            - {name: AWS_SECRET_ACCESS_KEY, value: test}";
const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: pinpoint-import-role-controller}
spec:
  template:
    spec:
      containers:
        - name: controller
          env:
            - {name: AWS_ENDPOINT_URL_IAM, value: '$ENDPOINT'}
            - {name: AWS_ENDPOINT_URL_STS, value: '$ENDPOINT'}
            - {name: AWS_REGION, value: us-east-1}
            - {name: SSL_CERT_FILE, value: /test-authority/authority.crt}$CREDENTIALS
          volumeMounts:
            - {name: test-authority, mountPath: /test-authority, readOnly: true}
      volumes:
        - name: test-authority
          configMap: {name: test-authority}
";

/// An overlay on the disk.
pub struct Installation<'a> {
    node: &'a Node,
    folder: PathBuf,
    endpoint: String,
}

impl<'a> Installation<'a> {
    /// Lays a copy of what is shipped beside an overlay; nothing is applied yet. The authority's certificate is in the overlay's folder.
    pub fn of(node: &'a Node, folder: PathBuf, endpoint: String) -> Self {
        for shipped in ["deploy", "crds"] {
            let from = format!("{}/{shipped}", env!("CARGO_MANIFEST_DIR"));
            let copied = Command::new("cp").arg("-r").arg(from).arg(&folder).status();
            assert!(copied.expect("cp").success());
        }
        Self { node, folder, endpoint }
    }

    /// `kubectl apply -k` with these lines after the shipped settings.
    pub fn apply(&self, settings: &str) {
        self.apply_with(settings, CREDENTIALS);
    }

    /// The same, without credentials.
    pub fn apply_without_credentials(&self) {
        self.apply_with("", "");
    }

    fn apply_with(&self, settings: &str, credentials: &str) {
        let shipped = fs::read_to_string(self.folder.join("deploy/base/settings.yaml")).expect("the shipped settings");
        let deployment = DEPLOYMENT
            .replace("$ENDPOINT", &self.endpoint)
            .replace("$CREDENTIALS", credentials);
        write(&self.folder.join("settings.yaml"), &format!("{shipped}{settings}\n"));
        write(&self.folder.join("deployment.yaml"), &deployment);
        write(&self.folder.join("kustomization.yaml"), OVERLAY);
        let overlay = self.folder.display().to_string();
        // The CRD and the objects go in one command, but only what has been served may be asked for.
        self.node
            .kubectl(&["apply", "--server-side", "--force-conflicts", "-k", &overlay]);
    }

    /// Waits until all replicas of the newest settings are there, and no older ones.
    pub fn rolled_out(&self) {
        self.node.wait("rolled out, 2 of 2 available", || {
            let deployment = self.node.read(&["deployment", NAME, "-n", SYSTEM]);
            let status = &deployment["status"];
            let new = status["observedGeneration"] == deployment["metadata"]["generation"];
            let all = ["replicas", "updatedReplicas", "availableReplicas"]
                .iter()
                .all(|count| status[count] == 2);
            (new && all && self.pods().len() == 2).then_some(())
        });
    }

    /// Its pods.
    pub fn pods(&self) -> Vec<Value> {
        let pods = self.node.read(&["pods", "-n", SYSTEM]);
        pods["items"].as_array().cloned().unwrap_or_default()
    }

    /// Name of the pod that holds the lease, and how often it went to another since the beginning.
    pub fn holder(&self) -> (String, usize) {
        let lease = self.node.read(&["lease", NAME, "-n", SYSTEM]);
        let identity = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
        let transitions = lease["spec"]["leaseTransitions"].as_u64().unwrap_or_default();
        let pod = identity.split('_').next().unwrap_or_default().to_owned();
        (pod, usize::try_from(transitions).expect("a small number"))
    }

    /// Waits until the lease is held by another process than it was when it had gone over so many times.
    pub fn taken_over(&self, before: usize) -> String {
        self.node.wait("another process leads", || {
            let (pod, transitions) = self.holder();
            (transitions > before && !pod.is_empty()).then_some(pod)
        })
    }

    /// Makes an object of this name as people do, and waits until its role is there.
    pub fn make_role(&self, name: &str) -> Duration {
        let begun = Instant::now();
        let file = self.folder.join("object.yaml");
        let head = "apiVersion: pinpoint-import.dev/v1alpha1\nkind: PinpointImportRole\n";
        write(
            &file,
            &format!("{head}metadata: {{name: {name}, namespace: marketing}}\nspec: {{}}\n"),
        );
        self.node.kubectl(&["apply", "-f", &file.display().to_string()]);
        self.node.wait(&format!("{name} is Ready"), || {
            let path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
            let ready = self.node.kubectl(&["get", "pir", name, "-n", "marketing", "-o", path]);
            (ready == "True").then_some(())
        });
        begun.elapsed()
    }

    /// The process of a pod's container, as this machine numbers it.
    pub fn process(&self, pod: &str) -> u32 {
        let pods = self.pods();
        let pod = pods.iter().find(|one| one["metadata"]["name"] == pod).expect("the pod");
        let id = pod["status"]["containerStatuses"][0]["containerID"]
            .as_str()
            .expect("a container");
        let id = id.trim_start_matches("containerd://");
        let processes = fs::read_dir("/proc").expect("/proc").flatten();
        let mut processes = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let found = processes.find(|process: &u32| {
            let groups = fs::read_to_string(format!("/proc/{process}/cgroup"));
            groups.is_ok_and(|groups| groups.contains(id))
        });
        found.expect("a process of the container")
    }
}

/// A line of `/proc/PID/status`.
pub fn status(process: u32, key: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{process}/status")).expect("a process that runs");
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {key} in the status"))
        .trim()
        .to_owned()
}

/// Sends a signal to a process.
pub fn signal(name: &str, process: u32) {
    let sent = Command::new("kill").args(["-s", name, &process.to_string()]).status();
    assert!(sent.expect("kill").success());
}
