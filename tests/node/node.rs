//! A whole cluster of one node, from the programs that `tests/tools/node/box.sh` has laid ready.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rcgen::KeyPair;
use serde_json::Value;
use test_support::{guarded::Guarded, waiting::until};
use uuid::Uuid;

use crate::installation::{LABEL, SYSTEM};

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_mins(3);
/// The address of the node, and of what runs beside it, in the pods' network.
pub const ADDRESS: &str = "10.244.0.1";

const CONTAINERD: &str = "/run/containerd.sock";
/// Names of those who reach the API server, with their groups.
const USERS: [(&str, &str); 4] = [
    ("admin", "system:masters"),
    ("system:kube-controller-manager", ""),
    ("system:kube-scheduler", ""),
    ("system:node:node", "system:nodes"),
];

/// The cluster. Its processes end with this.
pub struct Node {
    running: Vec<Guarded>,
    /// Where its data and logs are.
    pub folder: PathBuf,
    plane: PathBuf,
    parts: PathBuf,
    debian: PathBuf,
}

impl Node {
    /// Starts one, and returns once the node is ready for pods.
    pub fn start() -> Self {
        let place =
            |name: &str| env::var(name).unwrap_or_else(|_| panic!("there is no {name}: run this by `make node`"));
        let mut node = Self {
            running: Vec::new(),
            folder: place("NODE_FOLDER").into(),
            plane: place("NODE_PLANE").into(),
            parts: place("NODE_PARTS").into(),
            debian: place("NODE_DEBIAN").into(),
        };
        node.write_access();
        node.start_control_plane();
        node.start_containerd();
        for image in place("NODE_IMAGES").split_whitespace() {
            node.ctr(&["images", "import", image]);
        }
        node.start_kubelet(&place("NODE_CGROUP"));
        node
    }

    fn at(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// A kubeconfig for each user; and the key by which the tokens of service accounts are signed.
    fn write_access(&self) {
        let mut tokens = String::new();
        for (user, group) in USERS {
            let token = Uuid::new_v4();
            let _ = writeln!(
                tokens,
                "{token},{user},{user}{}{group}",
                if group.is_empty() { "" } else { "," }
            );
            let kubeconfig = format!(
                "apiVersion: v1\nkind: Config\ncurrent-context: local\n\
                 clusters: [{{name: local, cluster: {{server: 'https://{ADDRESS}', certificate-authority: {}}}}}]\n\
                 users: [{{name: local, user: {{token: {token}}}}}]\n\
                 contexts: [{{name: local, context: {{cluster: local, user: local}}}}]\n",
                self.at("certificates/apiserver.crt"),
            );
            let name = user.rsplit(':').next().unwrap_or(user);
            write(&self.folder.join(name).with_extension("kubeconfig"), &kubeconfig);
        }
        write(&self.folder.join("tokens.csv"), &tokens);
        let key = KeyPair::generate().expect("a key");
        write(&self.folder.join("accounts.key"), &key.serialize_pem());
        write(&self.folder.join("accounts.pub"), &key.public_key_pem());
    }

    /// Starts a part, with its log in the folder.
    fn run(&mut self, program: &Path, arguments: &[String]) {
        let name = program.file_name().expect("a name").to_string_lossy().into_owned();
        let debian = |part: &str| self.debian.join(part).display().to_string();
        let path = format!(
            "{}:{}:{}",
            debian("usr/bin"),
            debian("usr/sbin"),
            env::var("PATH").unwrap_or_default()
        );
        let mut command = Command::new(program);
        command.args(arguments).env("PATH", path);
        command.env(
            "LD_LIBRARY_PATH",
            debian(&format!("usr/lib/{}-linux-gnu", env::consts::ARCH)),
        );
        let log = self.folder.join(&name).with_extension("log");
        self.running
            .push(Guarded::start(&mut command, &log, None).expect(&name));
    }

    fn start_control_plane(&mut self) {
        let [etcd, api_server] = ["etcd", "kube-apiserver"].map(|name| self.plane.join(name));
        let [manager, scheduler] = ["kube-controller-manager", "kube-scheduler"].map(|name| self.parts.join(name));
        self.run(
            &etcd,
            &[
                format!("--data-dir={}", self.at("etcd")),
                "--unsafe-no-fsync".to_owned(),
            ],
        );
        let serve = [
            "--etcd-servers=http://127.0.0.1:2379".to_owned(),
            "--secure-port=443".to_owned(),
            format!("--advertise-address={ADDRESS}"),
            "--service-cluster-ip-range=10.96.0.0/24".to_owned(),
            format!("--cert-dir={}", self.at("certificates")),
            format!("--token-auth-file={}", self.at("tokens.csv")),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--enable-admission-plugins=NodeRestriction".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={}", self.at("accounts.pub")),
            format!("--service-account-signing-key-file={}", self.at("accounts.key")),
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
        ];
        self.run(&api_server, &serve);
        self.wait("the API server is ready", || {
            self.try_kubectl(&["get", "--raw", "/readyz"]).ok()
        });
        let alone = ["--leader-elect=false".to_owned(), "--secure-port=0".to_owned()];
        let manage = [
            format!("--kubeconfig={}", self.at("kube-controller-manager.kubeconfig")),
            "--use-service-account-credentials=true".to_owned(),
            format!("--service-account-private-key-file={}", self.at("accounts.key")),
            format!("--root-ca-file={}", self.at("certificates/apiserver.crt")),
        ];
        self.run(&manager, &[&alone[..], &manage].concat());
        let schedule = [format!("--kubeconfig={}", self.at("kube-scheduler.kubeconfig"))];
        self.run(&scheduler, &[&alone[..], &schedule].concat());
    }

    /// Writes a file of settings, with the places of this node in it.
    fn configure(&self, path: &str, template: &str, cgroup: &str) -> String {
        let text = template
            .replace("$FOLDER", &self.folder.display().to_string())
            .replace("$DEBIAN", &self.debian.display().to_string())
            .replace("$CGROUP", cgroup);
        let file = self.folder.join(path);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        write(&file, &text);
        file.display().to_string()
    }

    fn start_containerd(&mut self) {
        let settings = self.configure("containerd.toml", include_str!("../tools/node/containerd.toml"), "");
        self.configure("cni/pods.conflist", include_str!("../tools/node/pods.conflist"), "");
        let containerd = self.debian.join("usr/bin/containerd");
        self.run(&containerd, &[format!("--config={settings}")]);
        self.wait("containerd answers", || self.try_ctr(&["version"]).ok());
    }

    fn start_kubelet(&mut self, cgroup: &str) {
        let settings = self.configure("kubelet.yaml", include_str!("../tools/node/kubelet.yaml"), cgroup);
        let arguments = [
            format!("--kubeconfig={}", self.at("node.kubeconfig")),
            format!("--config={settings}"),
            format!("--root-dir={}", self.at("kubelet")),
            format!("--cert-dir={}", self.at("kubelet-pki")),
            "--hostname-override=node".to_owned(),
            format!("--node-ip={ADDRESS}"),
        ];
        let kubelet = self.parts.join("kubelet");
        self.run(&kubelet, &arguments);
        self.wait("the node is ready", || {
            let path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
            let ready = self.try_kubectl(&["get", "node", "node", "-o", path]).ok();
            // Pods need it too, and it is made by the controller-manager.
            let account = self.try_kubectl(&["get", "serviceaccount", "default", "-n", "default"]);
            (ready? == "True" && account.is_ok()).then_some(())
        });
    }

    fn try_ctr(&self, arguments: &[&str]) -> Result<String, String> {
        let mut ctr = Command::new(self.debian.join("usr/bin/ctr"));
        ctr.args(["--address", CONTAINERD, "--namespace", "k8s.io"])
            .args(arguments);
        outcome(&mut ctr)
    }

    /// What containerd's client prints.
    fn ctr(&self, arguments: &[&str]) -> String {
        self.try_ctr(arguments)
            .unwrap_or_else(|why| panic!("ctr {arguments:?}: {why}"))
    }

    /// `kubectl` as an admin.
    pub fn command(&self) -> Command {
        let mut kubectl = Command::new(self.plane.join("kubectl"));
        kubectl
            .env("KUBECONFIG", self.folder.join("admin.kubeconfig"))
            .env("HOME", &self.folder);
        kubectl
    }

    /// What `kubectl` prints, or its error.
    pub fn try_kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        outcome(self.command().args(arguments))
    }

    /// What `kubectl` prints.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.try_kubectl(arguments)
            .unwrap_or_else(|why| panic!("kubectl {arguments:?}: {why}"))
    }

    /// What `kubectl get -o json` has.
    pub fn read(&self, arguments: &[&str]) -> Value {
        let text = self.kubectl(&[&["get", "-o", "json"], arguments].concat());
        serde_json::from_str(&text).expect("JSON")
    }

    /// Waits until there is something; fails with what the cluster has to say.
    pub fn wait<T>(&self, what: &str, there: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        let found = until(PATIENCE, there).unwrap_or_else(|| panic!("waited in vain: {what}\n{}", self.account()));
        println!("   {:5.1} s  {what}", begun.elapsed().as_secs_f64());
        found
    }

    /// Pods, events and the ends of all logs, of the controller's pods too.
    fn account(&self) -> String {
        let mut account = String::new();
        for question in [
            &["get", "pods,lease,pir", "-A", "-o", "wide"][..],
            &["get", "events", "-A"],
            &["logs", "-n", SYSTEM, "-l", LABEL, "--prefix", "--tail=15"],
        ] {
            let answer = self.try_kubectl(question).unwrap_or_else(|why| why);
            let lines: Vec<&str> = answer.lines().collect();
            account += &lines[lines.len().saturating_sub(40)..].join("\n");
            account.push('\n');
        }
        for file in fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
        {
            if file.extension().is_some_and(|extension| extension == "log") {
                let text = fs::read_to_string(&file).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                let _ = writeln!(
                    account,
                    "{}:\n{}",
                    file.display(),
                    lines[lines.len().saturating_sub(10)..].join("\n")
                );
            }
        }
        account
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Nothing of it is needed any more, so nothing needs to end in order.
        for part in &mut self.running {
            let _ = part.kill_9();
        }
    }
}

fn outcome(command: &mut Command) -> Result<String, String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Writes a file that is there for this test alone.
pub fn write(file: &Path, text: &str) {
    fs::write(file, text).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
}
