//! A real Kubernetes control plane on loopback: etcd and kube-apiserver, with RBAC, and nothing that would run a pod.

use std::{
    fs,
    io::Write,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::{guarded::Guarded, tools::printed};

/// How long etcd and kube-apiserver may take to start; on an idle machine it is 4 s.
const LONGEST_START: Duration = Duration::from_mins(2);
/// What service accounts do is logged, one JSON object a line; the rest is not looked at.
const AUDIT_POLICY: &str = r#"{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
"rules": [{"level": "Metadata", "userGroups": ["system:serviceaccounts"]}]}"#;
const AUDIT_LOG: &str = "audit.log";

/// What kube-controller-manager logs once its controllers are at work. It serves no health without a port.
const MANAGER_BEGINS: &str = "Proceeding to collect garbage";

/// Tries with other ports, for where somebody takes a port between our look and our use of it.
const TRIES: usize = 3;

/// A control plane of its own, which ends with this value or with this process.
#[derive(Debug)]
pub struct ControlPlane {
    api_server: Option<Guarded>,
    _etcd: Guarded,
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
        let binaries = binaries(&[])?;
        let mut failed = String::new();
        for _ in 0..TRIES {
            match Self::start_once(&binaries) {
                Ok(plane) => return Ok(plane),
                Err(why) if why.contains("address already in use") => failed = why,
                Err(why) => return Err(why),
            }
        }
        Err(failed)
    }

    fn start_once(binaries: &Path) -> Result<Self, String> {
        let folder = tempfile::Builder::new()
            .prefix("control-plane-")
            .tempdir()
            .map_err(text)?;
        let [etcd_port, peer_port, api_port] = free_ports()?;
        write_keys(folder.path()).map_err(|why| format!("can't make the control plane's keys: {why}"))?;
        write_access(folder.path(), api_port)?;
        fs::write(folder.path().join("audit-policy.yaml"), AUDIT_POLICY).map_err(text)?;
        let etcd_log = folder.path().join("etcd.log");
        let etcd = Guarded::start(
            Command::new(binaries.join("etcd"))
                .arg(format!("--data-dir={}", folder.path().join("etcd").display()))
                .arg(format!("--listen-client-urls=http://127.0.0.1:{etcd_port}"))
                .arg(format!("--advertise-client-urls=http://127.0.0.1:{etcd_port}"))
                .arg(format!("--listen-peer-urls=http://127.0.0.1:{peer_port}"))
                .arg(format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer_port}"))
                .arg(format!("--initial-cluster=default=http://127.0.0.1:{peer_port}"))
                .arg("--unsafe-no-fsync"),
            &etcd_log,
            Some(folder.path()),
        )
        .map_err(text)?;
        let mut plane = Self {
            api_server: None,
            _etcd: etcd,
            api_port,
            etcd_port,
            binaries: binaries.to_owned(),
            folder,
        };
        plane.start_api_server()?;
        Ok(plane)
    }

    /// Starts the API server, on the same port and data as before, and waits until it is ready.
    ///
    /// # Errors
    /// It did not become ready; the text has the end of its log.
    pub fn start_api_server(&mut self) -> Result<(), String> {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let log = self.folder.path().join("kube-apiserver.log");
        let mut server = Guarded::start(
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
                .arg("--shutdown-delay-duration=0s"),
            &log,
            Some(self.folder.path()),
        )
        .map_err(text)?;
        let ready = || {
            // It takes seconds until it listens; to ask by kubectl before would be work for nothing.
            let ready = TcpStream::connect(("127.0.0.1", self.api_port)).is_ok()
                && kubectl(&self.binaries, self.folder.path())
                    .args(["get", "--raw", "/readyz", "--request-timeout=5s"])
                    .output()
                    .is_ok_and(|output| output.status.success());
            // `default` and `kube-system` are made a moment after readiness.
            ready
                && kubectl(&self.binaries, self.folder.path())
                    .args(["get", "namespace", "default", "kube-system", "-o", "name"])
                    .output()
                    .is_ok_and(|output| output.status.success())
        };
        if server.until(LONGEST_START, ready).map_err(text)? {
            self.api_server = Some(server);
            Ok(())
        } else {
            Err(format!("kube-apiserver did not become ready:\n{}", tail(&log)))
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

/// Ports that were free a moment ago.
fn free_ports<const N: usize>() -> Result<[u16; N], String> {
    let listeners: Vec<TcpListener> = (0..N)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect::<Result<_, _>>()
        .map_err(text)?;
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr().map_err(text)?.port();
    }
    Ok(ports)
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
