//! `make demo`: the main job, end to end, on this machine alone. `make dev`: the same world, left running to play with.

use std::{
    fs,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use aws_config::{BehaviorVersion, Region};
use aws_sdk_iam::{Client, config::Credentials, error::ProvideErrorMetadata};
use test_support::{control_plane::ControlPlane, guarded::Guarded, moto::Moto, product, waiting::until};

type Result<T> = std::result::Result<T, String>;

const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const S3_READ_ONLY: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
const WIDE_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com","AWS":"arn:aws:iam::999999999999:root"},"Action":"sts:AssumeRole"}]}"#;
/// The role of the sample: namespace and name of the object.
const ROLE: &str = "default.segment-import";
/// Time between the controller's looks at a role, in this world.
const INTERVAL: &str = "10s";
/// How long anything may take. The demo fails if something takes longer.
const PATIENCE: Duration = Duration::from_mins(2);

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("can't start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let stay = std::env::args().nth(1).as_deref() == Some("dev");
    let done = runtime.block_on(async {
        let world = World::start()?;
        if stay { world.stay().await } else { world.show().await }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("\nFAILED: {why}");
            ExitCode::FAILURE
        }
    }
}

/// All that runs. Everything ends when it is dropped.
struct World {
    controller: Guarded,
    plane: ControlPlane,
    moto: Moto,
    folder: tempfile::TempDir,
}

impl World {
    fn start() -> Result<Self> {
        say(
            "Starting a Kubernetes control plane (etcd and kube-apiserver) and moto, which speaks IAM's protocol, on loopback.",
        );
        let started = Instant::now();
        let plane = ControlPlane::start()?;
        let moto = Moto::start()?;
        println!("   running after {:.1} s", started.elapsed().as_secs_f64());

        say(
            "Applying the CRD, and starting the controller. It looks at each role every 10 s here (the default is\n  10 minutes), and takes IAM for settled after 1 s (60 s: AWS takes its time to show a change).",
        );
        let crd = ["-f", "crds/pinpointimportroles.yaml"];
        show(&[&["apply"], &crd[..]].concat(), &plane.install(&crd)?);
        let folder = tempfile::Builder::new().prefix("demo-").tempdir().map_err(text)?;
        let binary = product::beside_this_binary()?;
        let mut run = product::controller(&binary, &plane.kubeconfig(), &moto.endpoint(), "demo");
        run.args(["--resync-interval", INTERVAL, "--iam-settle-time", "1s"]);
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

    async fn show(self) -> Result<()> {
        let iam = iam(&self.moto).await;
        self.create(&iam).await?;
        self.tamper(&iam).await?;
        self.audit()?;
        self.delete(&iam).await?;
        say("What the controller wrote to IAM, from its log:");
        for line in self.log().lines().filter(|line| line.contains(" role=")) {
            println!("   {}", line.chars().take(240).collect::<String>());
        }
        say("Ending it all.");
        let started = Instant::now();
        drop(self);
        println!(
            "   nothing is left running; that took {:.1} s\n\nThe demo did what it said.",
            started.elapsed().as_secs_f64()
        );
        Ok(())
    }

    async fn create(&self, iam: &Client) -> Result<()> {
        say("A manifest of one line of spec declares the role of the AWS guide.");
        println!(
            "{}",
            indented(&fs::read_to_string("deploy/samples/guide.yaml").map_err(text)?)
        );
        let started = Instant::now();
        command(&self.plane, &["apply", "-f", "deploy/samples/guide.yaml"])?;
        command(
            &self.plane,
            &["wait", "--for=condition=Ready", "pir/segment-import", "--timeout=60s"],
        )?;
        println!("   {:.1} s from apply to Ready", started.elapsed().as_secs_f64());
        command(&self.plane, &["get", "pir", "-o", "wide"])?;
        say("The role as IAM has it:");
        let role = Role::read(iam).await?.ok_or("there is no role in IAM")?;
        role.print();
        check(role.is_the_guides(), "the role is not the one of the guide")?;
        check(role.tags.len() == 4, "the role does not bear the ownership tags")
    }

    async fn tamper(&self, iam: &Client) -> Result<()> {
        say("Behind the controller's back, somebody lets another account in and attaches AdministratorAccess.");
        println!("   $ aws iam update-assume-role-policy --role-name {ROLE} --policy-document '{WIDE_TRUST}'");
        println!("   $ aws iam attach-role-policy --role-name {ROLE} --policy-arn {ADMIN}");
        let started = Instant::now();
        iam.update_assume_role_policy()
            .role_name(ROLE)
            .policy_document(WIDE_TRUST)
            .send()
            .await
            .map_err(text)?;
        iam.attach_role_policy()
            .role_name(ROLE)
            .policy_arn(ADMIN)
            .send()
            .await
            .map_err(text)?;
        let tampered = Role::read(iam).await?.ok_or("there is no role in IAM")?;
        check(!tampered.is_the_guides(), "the role was not changed")?;

        let role = loop {
            let role = Role::read(iam).await?.ok_or("the role went away")?;
            if role.is_the_guides() {
                break role;
            }
            check(started.elapsed() < PATIENCE, "the role was not repaired in time")?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        say(&format!(
            "Repaired {:.1} s later. The events say what it was:",
            started.elapsed().as_secs_f64()
        ));
        let events = self.until_event("DriftRepaired")?;
        println!("{}", indented(&events));
        for words in ["arn:aws:iam::999999999999:root", "AdministratorAccess"] {
            check(events.contains(words), &format!("the events do not tell of {words}"))?;
        }
        say("So does the object, and IAM has the guide's role again:");
        command(
            &self.plane,
            &["get", "pir", "segment-import", "-o", "jsonpath={.status.lastDrift}"],
        )?;
        role.print();
        Ok(())
    }

    fn audit(&self) -> Result<()> {
        say("What a security colleague sees of the whole account:");
        println!("   $ pinpoint-import-role-controller audit");
        let mut audit = product::command(&product::beside_this_binary()?, &self.moto.endpoint(), "demo");
        audit.arg("audit").env("KUBECONFIG", self.plane.kubeconfig());
        let output = audit.output().map_err(text)?;
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        println!("{}", indented(&said));
        let found = output.status.success() && said.contains("default/segment-import") && said.contains("every bucket");
        check(found, "the audit does not tell of the role")
    }

    async fn delete(&self, iam: &Client) -> Result<()> {
        say("Deleting the object deletes the role.");
        command(&self.plane, &["delete", "pir", "segment-import", "--timeout=60s"])?;
        let gone = Role::read(iam).await?.is_none();
        check(gone, "the role is still in IAM")?;
        println!("   $ aws iam get-role --role-name {ROLE}\n   NoSuchEntity: there is no such role");
        Ok(())
    }

    fn until_event(&self, reason: &str) -> Result<String> {
        let columns = "custom-columns=TYPE:.type,REASON:.reason,NOTE:.note";
        let told = until(PATIENCE, || {
            let events = self.plane.run(&["get", "events.events.k8s.io", "-o", columns]).ok()?;
            events.contains(reason).then_some(events)
        });
        told.ok_or_else(|| format!("there is no event {reason}"))
    }

    async fn stay(self) -> Result<()> {
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

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("controller.log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }
}

/// What IAM tells of the role.
struct Role {
    path: String,
    trust: String,
    tags: Vec<String>,
    attached: Vec<String>,
}

impl Role {
    /// None if there is no role.
    async fn read(iam: &Client) -> Result<Option<Self>> {
        let role = match iam.get_role().role_name(ROLE).send().await {
            Ok(answer) => answer.role.ok_or("GetRole answered without a role")?,
            Err(error) if error.code() == Some("NoSuchEntity") => return Ok(None),
            Err(error) => return Err(text(error)),
        };
        let attached = iam
            .list_attached_role_policies()
            .role_name(ROLE)
            .send()
            .await
            .map_err(text)?;
        Ok(Some(Self {
            path: role.path,
            trust: decoded(&role.assume_role_policy_document.unwrap_or_default()),
            tags: role
                .tags
                .unwrap_or_default()
                .iter()
                .map(|tag| format!("{} = {}", tag.key, tag.value))
                .collect(),
            attached: attached
                .attached_policies()
                .iter()
                .filter_map(|policy| policy.policy_arn().map(str::to_owned))
                .collect(),
        }))
    }

    fn is_the_guides(&self) -> bool {
        self.path == "/"
            && self.attached == [S3_READ_ONLY]
            && self.trust.contains("AllowUserToImportEndpointDefinitions")
            && !self.trust.contains("AWS")
    }

    fn print(&self) {
        println!(
            "   name      {ROLE}\n   path      {}\n   trust     {}",
            self.path, self.trust
        );
        println!(
            "   attached  {}\n   tags      {}",
            self.attached.join(", "),
            self.tags.join("\n             ")
        );
    }
}

/// Documents come percent-encoded from IAM, and plain from some versions of moto.
fn decoded(document: &str) -> String {
    percent_encoding::percent_decode_str(document)
        .decode_utf8_lossy()
        .into_owned()
}

async fn iam(moto: &Moto) -> Client {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(moto.endpoint())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("somebody", "else", None, None, "demo"))
        .load()
        .await;
    Client::new(&config)
}

/// Shows a kubectl command and what it prints.
fn command(plane: &ControlPlane, arguments: &[&str]) -> Result<()> {
    show(arguments, &plane.run(arguments)?);
    Ok(())
}

fn show(arguments: &[&str], printed: &str) {
    println!("   $ kubectl {}\n{}", arguments.join(" "), indented(printed));
}

fn say(what: &str) {
    println!("\n▸ {what}");
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("   {line}")).collect();
    lines.join("\n")
}

fn check(holds: bool, otherwise: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}

fn text(error: impl std::error::Error) -> String {
    // The SDK's errors say little themselves; their causes say it.
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
