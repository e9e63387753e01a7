//! A real Kubernetes control plane on loopback: etcd and kube-apiserver, with RBAC, and nothing that would run a pod.

use std::{
    fs,
    io::Write,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use hyper::Request;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::runtime::Builder;

use crate::{guarded::Guarded, ports::on_free_ports, tools::printed};

/// How long etcd and kube-apiserver may take to start; on an idle machine it is 4 s.
const LONGEST_START: Duration = Duration::from_mins(2);
/// How long it may take to say whether it is ready.
const LONGEST_ANSWER: Duration = Duration::from_secs(5);
/// What service accounts do is logged, one JSON object a line; the rest is not looked at.
const AUDIT_POLICY: &str = r#"{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
"rules": [{"level": "Metadata", "userGroups": ["system:serviceaccounts"]}]}"#;
const AUDIT_LOG: &str = "audit.log";
const API_SERVER_LOG: &str = "kube-apiserver.log";
const ETCD_LOG: &str = "etcd.log";

/// What kube-controller-manager logs once its controllers are at work. It serves no health without a port.
const MANAGER_BEGINS: &str = "Proceeding to collect garbage";

/// A control plane of its own, which ends with this value or with this process.
#[derive(Debug)]
pub struct ControlPlane {
    api_server: Option<Guarded>,
    etcd: Guarded,
    api_port: u16,
    etcd_port: u16,
    binaries: PathBuf,
    // Last, so that it is removed after the processes that write to it have ended.
    folder: tempfile::TempDir,
}

impl ControlPlane {
    /// Starts one; the first time on a machine it is built from source, which takes minutes.
    ///
    /// # Errors
    /// It could not be built or started; the text has the end of the log.
    pub fn start() -> Result<Self, String> {
        Self::start_with(|_| Some(())).map(|(plane, ())| plane)
    }

    /// Starts one as [`Self::start`] does, and does something as soon as the API server answers, while that still makes what is to be there
    /// when it is ready. It is tried until there is a result.
    ///
    /// # Errors
    /// Those of [`Self::start`], or it came to no result.
    pub fn start_with<T>(early: impl Fn(&Self) -> Option<T>) -> Result<(Self, T), String> {
        let binaries = binaries(&[])?;
        on_free_ports(|ports| Self::start_once(&binaries, ports, &early))
    }

    fn start_once<T>(
        binaries: &Path,
        [etcd_port, peer_port, api_port]: [u16; 3],
        early: impl Fn(&Self) -> Option<T>,
    ) -> Result<(Self, T), String> {
        let folder = tempfile::Builder::new()
            .prefix("control-plane-")
            .tempdir()
            .map_err(text)?;
        write_keys(folder.path()).map_err(|why| format!("can't make the control plane's keys: {why}"))?;
        write_access(folder.path(), api_port)?;
        fs::write(folder.path().join("audit-policy.yaml"), AUDIT_POLICY).map_err(text)?;
        let etcd = Guarded::start(
            Command::new(binaries.join("etcd"))
                .arg(format!("--data-dir={}", folder.path().join("etcd").display()))
                .arg(format!("--listen-client-urls=http://127.0.0.1:{etcd_port}"))
                .arg(format!("--advertise-client-urls=http://127.0.0.1:{etcd_port}"))
                .arg(format!("--listen-peer-urls=http://127.0.0.1:{peer_port}"))
                .arg(format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer_port}"))
                .arg(format!("--initial-cluster=default=http://127.0.0.1:{peer_port}"))
                .arg("--unsafe-no-fsync"),
            &folder.path().join(ETCD_LOG),
            Some(folder.path()),
        )
        .map_err(text)?;
        let mut plane = Self {
            api_server: None,
            etcd,
            api_port,
            etcd_port,
            binaries: binaries.to_owned(),
            folder,
        };
        let mut server = plane.spawn_api_server()?;
        let mut done = None;
        plane.wait(&mut server, || {
            done = plane.listens().then(|| early(&plane)).flatten();
            done.is_some()
        })?;
        plane.wait(&mut server, || plane.is_ready())?;
        plane.api_server = Some(server);
        let done = done.ok_or("nothing was done early")?;
        Ok((plane, done))
    }

    /// Starts the API server, on the same port and data as before, and waits until it is ready.
    ///
    /// # Errors
    /// It did not become ready; the text has the end of its log.
    pub fn start_api_server(&mut self) -> Result<(), String> {
        let mut server = self.spawn_api_server()?;
        self.wait(&mut server, || self.is_ready())?;
        self.api_server = Some(server);
        Ok(())
    }

    fn spawn_api_server(&self) -> Result<Guarded, String> {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        Guarded::start(
            Command::new(self.binaries.join("kube-apiserver"))
                .arg(format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port))
                .arg("--bind-address=127.0.0.1")
                .arg(format!("--secure-port={}", self.api_port))
                .arg(format!("--tls-cert-file={}", at("server.crt")))
                .arg(format!("--tls-private-key-file={}", at("server.key")))
                .arg(format!("--token-auth-file={}", at("tokens.csv")))
                .arg(format!("--service-account-signing-key-file={}", at("accounts.key")))
                .arg(format!("--service-account-key-file={}", at("accounts.pub")))
                .arg("--service-account-issuer=https://kubernetes.default.svc")
                .arg("--service-cluster-ip-range=10.0.0.0/24")
                .arg("--authorization-mode=RBAC")
                .arg(format!("--audit-policy-file={}", at("audit-policy.yaml")))
                .arg(format!("--audit-log-path={}", at(AUDIT_LOG)))
                .arg("--shutdown-delay-duration=0s")
                // A fifth of the collections of garbage, in a process of some 300 MB: it has the machine to itself.
                .env("GOGC", "400"),
            &self.folder.path().join(API_SERVER_LOG),
            Some(self.folder.path()),
        )
        .map_err(text)
    }

    /// Whether it could be asked. It answers a second or two later.
    fn listens(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.api_port)).is_ok()
    }

    fn is_ready(&self) -> bool {
        // On a thread of its own, since this one may be a runtime's.
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| {
                Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .ok()?
                    .block_on(self.answers())
            });
            asking.join().is_ok_and(|answer| answer.is_some())
        })
    }

    /// What an API server has once it is ready. Not by kubectl, a dozen of which would keep busy what they wait for.
    async fn answers(&self) -> Option<()> {
        let mut config = self.config().await.ok()?;
        config.read_timeout = Some(LONGEST_ANSWER);
        let client = Client::try_from(config).ok()?;
        // `default` and `kube-system` are made a moment after readiness.
        for path in [
            "/readyz",
            "/api/v1/namespaces/default",
            "/api/v1/namespaces/kube-system",
        ] {
            client
                .request_text(Request::get(path).body(Vec::new()).ok()?)
                .await
                .ok()?;
        }
        Some(())
    }

    /// What an admin's client is made of.
    ///
    /// # Errors
    /// The kubeconfig can't be read.
    pub async fn config(&self) -> Result<Config, String> {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig()).map_err(text)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        config.map_err(text)
    }

    fn wait(&self, server: &mut Guarded, is_so: impl FnMut() -> bool) -> Result<(), String> {
        if server.until(LONGEST_START, is_so).map_err(text)? {
            Ok(())
        } else {
            let [api_server, etcd] = [API_SERVER_LOG, ETCD_LOG].map(|log| tail(&self.folder.path().join(log)));
            Err(format!(
                "kube-apiserver did not become ready:\n{api_server}\nand etcd:\n{etcd}"
            ))
        }
    }

    /// Ends the API server; the data stays.
    pub fn stop_api_server(&mut self) {
        self.api_server = None;
    }

    /// Starts kube-controller-manager beside the API server, with two of its controllers: the one that empties a namespace that is
    /// deleted, and the one that deletes what belonged to a deleted object. It ends with what is returned. The first time on a machine it
    /// is built from source, which takes a minute or two.
    ///
    /// # Errors
    /// It could not be built or started; the text has the end of its log.
    pub fn start_controller_manager(&self) -> Result<Guarded, String> {
        const PROGRAM: &str = "kube-controller-manager";
        let log = self.folder.path().join(format!("{PROGRAM}.log"));
        let mut manager = Guarded::start(
            Command::new(binaries(&[PROGRAM])?.join(PROGRAM))
                .arg(format!("--kubeconfig={}", self.kubeconfig().display()))
                .arg("--controllers=namespace-controller,garbage-collector-controller")
                .args([
                    "--leader-elect=false",
                    "--secure-port=0",
                    "--use-service-account-credentials=false",
                ]),
            &log,
            None,
        )
        .map_err(text)?;
        let begun = || fs::read_to_string(&log).is_ok_and(|log| log.contains(MANAGER_BEGINS));
        if manager.until(LONGEST_START, begun).map_err(text)? {
            Ok(manager)
        } else {
            Err(format!("{PROGRAM} did not start its controllers:\n{}", tail(&log)))
        }
    }

    /// Path of a kubeconfig for an admin.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// The folder with the logs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What service accounts asked of the API server so far: `audit.k8s.io/v1` events, one JSON object a line.
    #[must_use]
    pub fn audit_log(&self) -> String {
        fs::read_to_string(self.folder.path().join(AUDIT_LOG)).unwrap_or_default()
    }

    /// The API server's port on loopback.
    #[must_use]
    pub fn api_port(&self) -> u16 {
        self.api_port
    }

    /// The folder of the binaries.
    #[must_use]
    pub fn binaries(&self) -> &Path {
        &self.binaries
    }

    /// `kubectl` as an admin.
    #[must_use]
    pub fn kubectl(&self) -> Command {
        kubectl(&self.binaries, self.folder.path())
    }

    /// Runs `kubectl` and returns what it printed.
    ///
    /// # Errors
    /// What it printed as error.
    pub fn run(&self, arguments: &[&str]) -> Result<String, String> {
        outcome(&self.kubectl().args(arguments).output().map_err(text)?)
    }

    /// `kubectl apply` of a manifest given as text.
    ///
    /// # Errors
    /// What the API server said.
    pub fn apply(&self, manifest: &str) -> Result<String, String> {
        self.feed(&["apply", "-f", "-"], manifest)
    }

    /// `kubectl apply` of these, among which the CRD is, and waits until it is served. Returns what the first printed.
    ///
    /// # Errors
    /// What the API server said.
    pub fn install(&self, arguments: &[&str]) -> Result<String, String> {
        let applied = self.run(&[&["apply"], arguments].concat())?;
        let crd = "crd/pinpointimportroles.pinpoint-import.dev";
        self.run(&["wait", "--for=condition=Established", crd])?;
        Ok(applied)
    }

    /// Runs `kubectl` with a text as standard input.
    ///
    /// # Errors
    /// What it printed as error.
    pub fn feed(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let mut child = self
            .kubectl()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(text)?;
        let stdin = child.stdin.take();
        // Written while it is read: what is said meanwhile would fill its own pipe. Why it stops reading, it says itself.
        std::thread::scope(|scope| {
            scope.spawn(|| stdin.map(|mut stdin| stdin.write_all(input.as_bytes())));
            outcome(&child.wait_with_output().map_err(text)?)
        })
    }
}

impl Drop for ControlPlane {
    /// At once: nothing of it is kept.
    fn drop(&mut self) {
        for process in self.api_server.iter_mut().chain([&mut self.etcd]) {
            let _ = process.kill_9();
        }
    }
}

fn outcome(output: &Output) -> Result<String, String> {
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// The folder of these programs, without a name that of the control plane's; built if need be.
fn binaries(programs: &[&str]) -> Result<PathBuf, String> {
    printed("control-plane/build.sh", programs)
        .map_err(|why| format!("the control plane's programs could not be built: {why}"))
}

fn kubectl(binaries: &Path, folder: &Path) -> Command {
    let mut command = Command::new(binaries.join("kubectl"));
    command.env("KUBECONFIG", folder.join("kubeconfig")).env("HOME", folder);
    // A third less work for a process that ends before its garbage matters, of which the tests start hundreds.
    command.env("GOGC", "off");
    command
}

/// A CA, a certificate for the API server (rustls refuses one that is its own CA), and a key that signs service account tokens.
fn write_keys(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    fs::write(folder.join("ca.crt"), ca.self_signed(&ca_key)?.pem())?;
    let server_key = KeyPair::generate()?;
    let server = CertificateParams::new([
        "127.0.0.1".to_owned(),
        "localhost".to_owned(),
        "kubernetes.default.svc".to_owned(),
    ])?;
    fs::write(
        folder.join("server.crt"),
        server.signed_by(&server_key, &Issuer::new(ca, ca_key))?.pem(),
    )?;
    fs::write(folder.join("server.key"), server_key.serialize_pem())?;
    let accounts = KeyPair::generate()?;
    fs::write(folder.join("accounts.key"), accounts.serialize_pem())?;
    fs::write(folder.join("accounts.pub"), accounts.public_key_pem())?;
    Ok(())
}

/// An admin's token, and a kubeconfig that bears it.
fn write_access(folder: &Path, port: u16) -> Result<(), String> {
    // A key is as good a source of chance as any; the server listens on loopback only.
    let token = KeyPair::generate()
        .map_err(text)?
        .serialize_pem()
        .replace(['-', '\n', ' ', ',', '"'], "");
    fs::write(
        folder.join("tokens.csv"),
        format!("{token},admin,admin,system:masters\n"),
    )
    .map_err(text)?;
    let ca = folder.join("ca.crt");
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: local\n\
         clusters:\n- name: local\n  cluster:\n    server: https://127.0.0.1:{port}\n    certificate-authority: {}\n\
         users:\n- name: admin\n  user:\n    token: {token}\n\
         contexts:\n- name: local\n  context: {{cluster: local, user: admin}}\n",
        ca.display()
    );
    fs::write(folder.join("kubeconfig"), kubeconfig).map_err(text)
}

/// The end of a log.
fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
