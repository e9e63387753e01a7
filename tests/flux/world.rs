//! Flux' controllers, a git repository that they read, and the controller beside a fake of IAM; all of it on loopback.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant, SystemTime},
};

use serde_json::Value;
use test_support::{control_plane::ControlPlane, guarded::Guarded, iam::FakeIam, product, waiting::until};

/// How long anything may take: Flux looks again at what is not ready after growing waits.
pub const PATIENCE: Duration = Duration::from_mins(2);
/// The Kustomizations of `deploy/gitops/flux.yaml`.
pub const CONTROLLER: &str = "pinpoint-import-role-controller";
/// See [`CONTROLLER`].
pub const ROLES: &str = "pinpoint-import-roles";
/// The namespace of the objects.
pub const TEAM: &str = "marketing";

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const SYSTEM: &str = "pinpoint-import-system";
/// What the repository has as `controller`: all that is shipped but the pods, since nothing here runs any.
const OVERLAY: &str = "apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../deploy]
patches:
  - patch: |
      $patch: delete
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: pinpoint-import-role-controller}
";

/// All that runs. It ends when this is dropped: first what writes, last what is written to.
pub struct World {
    controller: Option<Guarded>,
    _flux: [Guarded; 2],
    _git_server: Guarded,
    /// The account.
    pub iam: FakeIam,
    plane: ControlPlane,
    folder: tempfile::TempDir,
}

impl World {
    /// Starts all but the controller, with a repository that holds the controller's manifests and these files.
    pub fn start(files: &[(&str, &str)]) -> Self {
        let built = output(
            Command::new("bash")
                .arg(format!("{ROOT}/tests/tools/flux/build.sh"))
                .stderr(Stdio::inherit()),
        );
        let binaries = Path::new(built.trim());
        let plane = ControlPlane::start().expect("a control plane");
        let folder = tempfile::Builder::new().prefix("flux-").tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let git_log = at("git-server.log");
        let mut serve = Command::new(binaries.join("git-server"));
        let git_server = Guarded::start(serve.arg(folder.path()), &git_log, None).expect("the git server");
        let address = until(PATIENCE, || {
            fs::read_to_string(&git_log).ok().filter(|text| text.ends_with('\n'))
        });
        let address = address.expect("the git server says where it listens");
        let crds = binaries.join("crds").display().to_string();
        plane.run(&["apply", "--server-side", "-f", &crds]).expect("Flux' CRDs");
        let established = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"];
        plane.run(&established).expect("Flux' CRDs are served");
        for namespace in ["flux-system", TEAM] {
            plane.run(&["create", "namespace", namespace]).expect("a namespace");
        }
        let flux = start_flux(binaries, &plane, folder.path());
        let world = Self {
            controller: None,
            _flux: flux,
            _git_server: git_server,
            iam: FakeIam::start(),
            plane,
            folder,
        };
        world.found_repository(files);
        world.apply_shipped_file(&format!("http://{}/repository.git", address.trim()));
        world
    }

    fn found_repository(&self, files: &[(&str, &str)]) {
        let bare = self.folder.path().join("repository.git");
        let work = self.work();
        output(
            Command::new("git")
                .args(["init", "--quiet", "--bare", "--initial-branch=main"])
                .arg(bare),
        );
        output(
            Command::new("git")
                .args(["init", "--quiet", "--initial-branch=main"])
                .arg(&work),
        );
        for shipped in ["deploy", "crds"] {
            output(Command::new("cp").arg("-r").arg(format!("{ROOT}/{shipped}")).arg(&work));
        }
        for folder in ["controller", "roles"] {
            fs::create_dir(work.join(folder)).expect("a folder");
        }
        let overlay = ("controller/kustomization.yaml", OVERLAY);
        self.commit(&[&[overlay], files].concat());
    }

    /// `deploy/gitops/flux.yaml` as it is shipped, but for the address; and Flux looks when it is asked alone.
    fn apply_shipped_file(&self, address: &str) {
        let shipped = fs::read_to_string(format!("{ROOT}/deploy/gitops/flux.yaml")).expect("the file");
        let url = "https://git.example.com/platform/pinpoint-import-roles";
        assert_eq!(shipped.matches(url).count(), 1, "{shipped}");
        let lines = shipped.replace(url, address);
        let lines = lines.lines().map(|line| match line.split_once("interval: ") {
            Some((before, _)) => format!("{before}interval: 1h\n"),
            None => format!("{line}\n"),
        });
        self.plane.apply(&lines.collect::<String>()).expect("the file of Flux");
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.work());
        git.args(["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]);
        output(git.args(arguments)).trim().to_owned()
    }

    /// Commits and pushes these files; one without text is removed. Returns the revision, as Flux names it.
    pub fn commit(&self, files: &[(&str, &str)]) -> String {
        for (path, text) in files {
            let file = self.work().join(path);
            if text.is_empty() {
                fs::remove_file(file).expect("a file");
            } else {
                fs::write(file, text).expect("a file");
            }
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "A change"]);
        self.push()
    }

    /// Takes the last commit back.
    pub fn revert(&self) -> String {
        self.git(&["revert", "--no-edit", "HEAD"]);
        self.push()
    }

    fn push(&self) -> String {
        self.git(&["push", "--quiet", "../repository.git", "main"]);
        self.revision()
    }

    /// The newest revision, as Flux names it.
    pub fn revision(&self) -> String {
        format!("main@sha1:{}", self.git(&["rev-parse", "HEAD"]))
    }

    /// Starts the controller with the shipped rights, as the account that Flux has made by now.
    pub fn start_controller(&mut self) {
        let token = self.run(&["create", "token", "pinpoint-import-role-controller", "-n", SYSTEM]);
        let admin = fs::read_to_string(self.plane.kubeconfig()).expect("a kubeconfig");
        let lines = admin.lines().map(|line| match line.split_once("token: ") {
            Some((before, _)) => format!("{before}token: {}\n", token.trim()),
            None => format!("{line}\n"),
        });
        let kubeconfig = self.folder.path().join("kubeconfig");
        fs::write(&kubeconfig, lines.collect::<String>()).expect("a kubeconfig");
        let binary = Path::new(env!("CARGO_BIN_EXE_pinpoint-import-role-controller"));
        let mut run = product::controller(binary, &kubeconfig, &self.iam.endpoint(), "test");
        run.args(["--iam-settle-time=1s", "--resync-interval=5s"]);
        self.controller = Some(Guarded::start(&mut run, &self.log_of("controller"), None).expect("the controller"));
    }

    fn log_of(&self, name: &str) -> PathBuf {
        self.folder.path().join(name).with_extension("log")
    }

    /// What `kubectl` prints.
    pub fn run(&self, arguments: &[&str]) -> String {
        self.plane
            .run(arguments)
            .unwrap_or_else(|why| panic!("kubectl {arguments:?}: {why}"))
    }

    /// An object of a namespace; null if there is none.
    fn read(&self, namespace: &str, kind: &str, name: &str) -> Value {
        let text = self.run(&["get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found"]);
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The object of a role; null if there is none.
    pub fn object(&self, name: &str) -> Value {
        self.read(TEAM, "pinpointimportrole", name)
    }

    /// A Kustomization.
    pub fn kustomization(&self, name: &str) -> Value {
        self.read("flux-system", "kustomization.kustomize.toolkit.fluxcd.io", name)
    }

    /// What `flux reconcile` does: the kind looks again, and for the source that is to fetch.
    fn ask(&self, kind: &str, name: &str) -> String {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("the time");
        let value = now.as_nanos().to_string();
        let annotation = format!("reconcile.fluxcd.io/requestedAt={value}");
        self.run(&["annotate", "--overwrite", kind, name, "-n", "flux-system", &annotation]);
        value
    }

    /// Has Flux fetch the repository.
    pub fn fetch(&self) {
        self.ask("gitrepository", "pinpoint-import-roles");
    }

    /// Has Flux apply the roles again, and waits until it has come to an end. Returns status, reason and message of `Ready`.
    pub fn reconcile_roles(&self) -> (String, String, String) {
        let asked = self.ask("kustomization", ROLES);
        self.wait("Flux has reconciled", || {
            let kustomization = self.kustomization(ROLES);
            (kustomization["status"]["lastHandledReconcileAt"] == asked.as_str()).then_some(())?;
            condition(&kustomization, "Ready").filter(|(status, ..)| status != "Unknown")
        })
    }

    /// Waits until a Kustomization has come to an end with a revision. Returns status, reason and message of `Ready`.
    pub fn ended(&self, name: &str, revision: &str) -> (String, String, String) {
        self.wait(&format!("Flux is done with {revision} of {name}"), || {
            let kustomization = self.kustomization(name);
            (kustomization["status"]["lastAttemptedRevision"] == revision).then_some(())?;
            condition(&kustomization, "Ready").filter(|(status, ..)| status != "Unknown")
        })
    }

    /// Waits until there is something; fails with what Flux and the controller say.
    pub fn wait<T>(&self, what: &str, there: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        let found = until(PATIENCE, there).unwrap_or_else(|| {
            let flux = self.run(&["get", "gitrepository,kustomization,pir", "-A", "-o", "yaml"]);
            let logs = ["source-controller", "kustomize-controller", "controller"].map(|name| {
                let log = fs::read_to_string(self.log_of(name)).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                format!("{name}:\n{}\n", lines[lines.len().saturating_sub(20)..].join("\n"))
            });
            panic!("waited in vain: {what}\n{flux}\n{}", logs.join("\n"))
        });
        println!("   {:5.1} s  {what}", begun.elapsed().as_secs_f64());
        found
    }
}

/// Starts both of Flux' controllers, without leader election and without its notification-controller.
fn start_flux(binaries: &Path, plane: &ControlPlane, folder: &Path) -> [Guarded; 2] {
    let storage = folder.join("storage");
    // It must be there.
    fs::create_dir(&storage).expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let files = listener.expect("a free port").to_string();
    let source = [
        format!("--storage-path={}", storage.display()),
        format!("--storage-addr={files}"),
        // What stands in a source's status, where kustomize-controller reads it.
        format!("--storage-adv-addr={files}"),
    ];
    // Half a minute by default, for what waits for another Kustomization.
    let kustomize = ["--requeue-dependency=1s".to_owned()];
    [
        ("source-controller", &source[..]),
        ("kustomize-controller", &kustomize[..]),
    ]
    .map(|(name, arguments)| {
        let mut command = Command::new(binaries.join(name));
        command
            .args([
                "--events-addr=",
                "--metrics-addr=127.0.0.1:0",
                "--health-addr=127.0.0.1:0",
            ])
            .args(arguments)
            .env("KUBECONFIG", plane.kubeconfig())
            .env("RUNTIME_NAMESPACE", "flux-system");
        Guarded::start(&mut command, &folder.join(name).with_extension("log"), None).expect(name)
    })
}

/// Status, reason and message of a condition of an object.
pub fn condition(object: &Value, kind: &str) -> Option<(String, String, String)> {
    let conditions = object["status"]["conditions"].as_array()?;
    let condition = conditions.iter().find(|condition| condition["type"] == kind)?;
    let text = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
    Some((text("status"), text("reason"), text("message")))
}

/// What a command that must not fail prints.
fn output(command: &mut Command) -> String {
    let output = command.output().expect("the program is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
