//! All that runs: a control plane, moto and the controller, on loopback.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::json;
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
/// How long anything else may take. The demo fails if something takes longer.
const PATIENCE: Duration = Duration::from_mins(2);

/// All that runs. Everything ends when it is dropped.
pub(super) struct World {
    controller: Guarded,
    pub(super) plane: ControlPlane,
    pub(super) moto: Moto,
    folder: tempfile::TempDir,
}

impl World {
    pub(super) fn start() -> Result<Self> {
        say(
            "Starting a Kubernetes control plane (etcd and kube-apiserver) and moto, which speaks IAM's protocol, on loopback.\n  \
             In moto, the queue of change messages is made from deploy/changes.yaml.",
        );
        let started = Instant::now();
        let (plane, moto) = std::thread::scope(|scope| {
            let moto = scope.spawn(moto);
            let plane = ControlPlane::start();
            let moto = moto.join().map_err(|_| "moto could not be started".to_owned())?;
            Ok::<_, String>((plane?, moto?))
        })?;
        println!("   running after {:.1} s", started.elapsed().as_secs_f64());

        say(&format!(
            "Applying the CRD, and starting the controller. Here it looks at each role every {} s (the default is 10 minutes),\n  \
             sweeps the account every {} s (45 s), and takes IAM for settled after 1 s (60 s: AWS takes its time to show a change).\n  \
             Two objects are there already, by-sweep and by-message; their roles are looked at once a day (`interval: 24h`).",
            INTERVAL.as_secs(),
            SWEEPS.as_secs()
        ));
        let crd = ["-f", "crds/pinpointimportroles.yaml"];
        show(&[&["apply"], &crd[..]].concat(), &plane.install(&crd)?);
        // There when the controller starts, so that the time between sweeps begins at once.
        for name in SELDOM {
            declare(&plane, name)?;
        }
        let folder = tempfile::Builder::new().prefix("demo-").tempdir().map_err(text)?;
        let binary = product::beside_this_binary()?;
        let mut run = product::controller(&binary, &plane.kubeconfig(), &moto.endpoint(), "demo");
        run.args(["--iam-settle-time", "1s", "--change-queue", &queue(&moto)])
            .arg(format!("--resync-interval={}s", INTERVAL.as_secs()))
            .arg(format!("--sweep-interval={}s", SWEEPS.as_secs()));
        let controller = Guarded::start(&mut run, &folder.path().join("controller.log"), None).map_err(text)?;
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
        let log = self.log_path();
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
        println!("tail -f {}", self.log_path().display());
        let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
        let mut terminate = terminate.map_err(text)?;
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        say("Ending it all.");
        Ok(())
    }

    /// Ends all of it.
    pub(super) fn end(self) {
        drop(self.controller);
        let moto = std::thread::spawn(|| drop(self.moto));
        drop(self.plane);
        // It can't be joined if it panicked, and has said so.
        let _ = moto.join();
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("controller.log")
    }

    /// The controller's log.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }
}

/// Declares a role like that of the sample, to be looked at once a day.
fn declare(plane: &ControlPlane, name: &str) -> Result<()> {
    let object = json!({
        "apiVersion": "pinpoint-import.dev/v1alpha1",
        "kind": "PinpointImportRole",
        "metadata": { "name": name },
        "spec": { "interval": "24h" },
    });
    plane.apply(&object.to_string()).map(drop)
}

/// moto, with the queue of change messages.
fn moto() -> Result<Moto> {
    let moto = Moto::start()?;
    moto.make_stack(&fs::read_to_string("deploy/changes.yaml").map_err(text)?)?;
    Ok(moto)
}

/// The queue that deploy/changes.yaml makes.
fn queue(moto: &Moto) -> String {
    moto.queue_url("pinpoint-import-changes")
}
