//! All that runs: a control plane, moto and the controller, on loopback.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tempfile::TempDir;
use test_support::{control_plane::ControlPlane, guarded::Guarded, moto::Moto, product, waiting::until};

use super::tell::{Result, check, say, show, text};

/// The role of the sample: namespace and name of the object.
pub(super) const ROLE: &str = "default.segment-import";
/// Time between the controller's looks at a role, in this world. Shorter than [`SWEEPS`], so that the looks find something before a sweep
/// does.
pub(super) const INTERVAL: Duration = Duration::from_secs(6);
/// Objects whose roles the controller looks at once a day, so that something else must find what is changed.
pub(super) const SELDOM: [&str; 2] = ["by-sweep", "by-message"];
/// Time between sweeps, the least that the controller takes.
pub(super) const SWEEPS: Duration = Duration::from_secs(15);
/// An API server keeps who makes an object of a kind that is served since less than that waiting for as long again:
/// `apiextensions-apiserver`'s `crdHandler`.
const TOO_NEW: Duration = Duration::from_secs(2);
/// The queue that deploy/changes.yaml makes.
const QUEUE: &str = "pinpoint-import-changes";
/// How the CRD is applied.
const CRD: [&str; 2] = ["-f", "crds/pinpointimportroles.yaml"];
/// How long anything else may take. The demo fails if something takes longer.
const PATIENCE: Duration = Duration::from_mins(2);

/// All that runs. Everything ends when it is dropped.
pub(super) struct World {
    controller: Guarded,
    pub(super) plane: ControlPlane,
    pub(super) moto: Moto,
    folder: TempDir,
}

impl World {
    pub(super) fn start() -> Result<Self> {
        say(
            "Starting a Kubernetes control plane (etcd and kube-apiserver) and moto, which speaks IAM's protocol, on loopback, and applying \
             the CRD.",
        );
        let started = Instant::now();
        let plane = std::thread::spawn(|| ControlPlane::start_with(apply_crd));
        let moto = Moto::start()?;
        let folder = tempfile::Builder::new().prefix("demo-").tempdir().map_err(text)?;
        let (plane, controller) = std::thread::scope(|scope| {
            let stack = scope.spawn(|| make_queue(&moto));
            let (plane, crd) = joined(plane.join())??;
            show(&[&["apply"], &CRD[..]].concat(), &crd.applied);
            println!("   running after {:.1} s", started.elapsed().as_secs_f64());

            say(&format!(
                "Starting the controller. Here it looks at each role every {} s (the default is 10 minutes), sweeps the account every {} s\n  \
                 (45 s), and takes IAM for settled after 1 s (60 s: AWS takes its time to show a change). Two objects come with it,\n  \
                 by-sweep and by-message; their roles are looked at once a day (`interval: 24h`). In moto, the queue of change messages\n  \
                 is made from deploy/changes.yaml.",
                INTERVAL.as_secs(),
                SWEEPS.as_secs()
            ));
            let controller = start_controller(&plane, &moto, &log_path(&folder))?;
            // As soon as they are there, the first sweep begins, and the time to the second.
            std::thread::sleep(TOO_NEW.saturating_sub(crd.served.elapsed().map_err(text)?));
            plane.apply(&SELDOM.map(seldom).join("---\n"))?;
            joined(stack.join())??;
            Ok::<_, String>((plane, controller))
        })?;
        let mut world = Self {
            controller,
            plane,
            moto,
            folder,
        };
        world.until_ready()?;
        Ok(world)
    }

    fn until_ready(&mut self) -> Result<()> {
        let log = log_path(&self.folder);
        let ready = || product::is_ready(&fs::read_to_string(&log).unwrap_or_default());
        let is_ready = self.controller.until(PATIENCE, ready).map_err(text)?;
        check(
            is_ready,
            &format!("the controller did not become ready:\n{}", self.log()),
        )?;
        println!("   /readyz answers ok");
        Ok(())
    }

    /// Waits until the role of an object is there.
    pub(super) fn until_in_place(&self, name: &str) -> Result<()> {
        let object = format!("pir/{name}");
        let wait = ["wait", "--for=condition=Ready", &object, "--timeout=60s"];
        self.plane.run(&wait).map(drop)
    }

    /// Fails unless the controller has found a change in each of these ways once, and in no other way; it counts them by the label `by`.
    pub(super) fn seen(&self, ways: &[&str]) -> Result<()> {
        let port = product::port(&self.log(), "metrics on").ok_or("the log does not tell where the metrics are")?;
        let (_, metrics) = product::get(port, "/metrics").ok_or("the controller does not answer")?;
        let counts = metrics.lines().filter_map(|line| {
            let (by, count) = line.strip_prefix("pir_drifts_seen_total{by=\"")?.split_once("\"} ")?;
            Some((by.to_owned(), count.to_owned()))
        });
        let counts: BTreeMap<String, String> = counts.collect();
        let expected = ways.iter().map(|way| ((*way).to_owned(), "1".to_owned())).collect();
        check(
            counts == expected,
            &format!("changes should have been found {expected:?}, and were found {counts:?}"),
        )
    }

    /// What the command `audit` says.
    pub(super) fn audit(&self) -> Result<String> {
        let mut audit = product::command(&product::beside_this_binary()?, &self.moto.endpoint(), "demo");
        audit.arg("audit").env("KUBECONFIG", self.plane.kubeconfig());
        let output = audit.output().map_err(text)?;
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        check(output.status.success(), &format!("the audit failed:\n{said}"))?;
        Ok(said.into_owned())
    }

    /// The events of the sample's role, once this one is among them.
    pub(super) fn until_event(&self, reason: &str) -> Result<String> {
        let columns = "custom-columns=TYPE:.type,REASON:.reason,NOTE:.note";
        let told = until(PATIENCE, || {
            let events = self.plane.run(&["get", "events.events.k8s.io", "-o", columns]).ok()?;
            let of_role: Vec<&str> = events.lines().filter(|line| line.contains(ROLE)).collect();
            let of_role = of_role.join("\n");
            of_role.contains(reason).then_some(of_role)
        });
        told.ok_or_else(|| format!("there is no event {reason}"))
    }

    /// Leaves all of it running until somebody ends it.
    pub(super) async fn stay(self) -> Result<()> {
        say("It runs until Ctrl-C. To play with it, in another terminal:");
        println!("export KUBECONFIG={}", self.plane.kubeconfig().display());
        println!("export PATH={}:$PATH", self.plane.binaries().display());
        for (key, value) in product::environment(&self.moto.endpoint(), "demo") {
            println!("export {key}={value}");
        }
        println!("kubectl apply -f deploy/samples/guide.yaml && kubectl get pir -w");
        println!("tail -f {}", log_path(&self.folder).display());
        let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
        let mut terminate = terminate.map_err(text)?;
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        say("Ending it all.");
        Ok(())
    }

    /// The controller's log.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(log_path(&self.folder)).unwrap_or_default()
    }
}

/// The controller, with its log in a file.
fn start_controller(plane: &ControlPlane, moto: &Moto, log: &Path) -> Result<Guarded> {
    let binary = product::beside_this_binary()?;
    let mut run = product::controller(&binary, &plane.kubeconfig(), &moto.endpoint(), "demo");
    run.args(["--iam-settle-time", "1s", "--change-queue", &moto.queue_url(QUEUE)])
        .arg(format!("--resync-interval={}s", INTERVAL.as_secs()))
        .arg(format!("--sweep-interval={}s", SWEEPS.as_secs()));
    Guarded::start(&mut run, log, None).map_err(text)
}

fn log_path(folder: &TempDir) -> PathBuf {
    folder.path().join("controller.log")
}

/// Makes the queue of change messages. The controller waits for it as it waits for everything else.
fn make_queue(moto: &Moto) -> Result<()> {
    moto.make_stack(&fs::read_to_string("deploy/changes.yaml").map_err(text)?)
}

/// The CRD on the API server.
struct Crd {
    /// What kubectl printed.
    applied: String,
    /// Since when it is served, to the second, as in its conditions.
    served: SystemTime,
}

fn apply_crd(plane: &ControlPlane) -> Option<Crd> {
    let applied = plane.install(&CRD).ok()?;
    let second = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(Crd {
        applied,
        served: UNIX_EPOCH + Duration::from_secs(second),
    })
}

/// What a thread came to.
fn joined<T>(thread: std::thread::Result<T>) -> Result<T> {
    thread.map_err(|_| "a thread panicked, and has said so".to_owned())
}

/// A manifest of a role like that of the sample, to be looked at once a day.
fn seldom(name: &str) -> String {
    format!(
        "apiVersion: pinpoint-import.dev/v1alpha1\nkind: PinpointImportRole\nmetadata:\n  name: {name}\nspec:\n  interval: 24h\n"
    )
}
