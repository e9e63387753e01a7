//! `make node`: the image on a real node, installed as operators install it, with whatever may happen to a pod happening to it while it
//! works on 1,000 objects.
//!
//! It is no part of `make test`, since it needs root, Linux' namespaces and more builds. Not shown: the network policy, which the node's
//! network does not enforce, and spreading over nodes, of which there is one.

#![allow(
    unreachable_pub,
    reason = "nothing outside uses a test binary: pub is what its modules share"
)]

mod iam;
mod installation;
mod node;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::Instant,
};

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use test_support::{guarded::Guarded, iam::FakeIam};

use crate::{
    installation::{Installation, SYSTEM, signal, status},
    node::{Node, write},
};

const MANY: usize = 1000;
/// From a pod's start to its readiness.
const READY_WITHIN: i64 = 5;
/// Passes that may be under way when a process is killed: what they had done and not yet noted is looked at again, and may be written
/// again. By default of `--concurrency`.
const UNDER_WAY: usize = 10;
/// In so many parts the roles are waited for.
const PARTS: usize = 4;

fn say(what: &str) {
    println!("▸ {what}");
}

#[test]
fn the_image_does_its_work_on_a_node() {
    say("A node: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, containerd, kubelet");
    let node = Node::start();
    let account = FakeIam::start();
    account.set_quotas(|quotas| quotas.roles = 2 * MANY);
    let folder = node.folder.join("overlay");
    fs::create_dir(&folder).expect("a folder");
    let endpoint = iam::serve(&account, &folder.join("authority.crt"));
    let installed = Installation::of(&node, folder, endpoint);

    first_role(&node, &installed);
    let _making = many_objects(&node);
    pod_deleted(&node, &installed);
    container_killed(&installed);
    let late = process_paused(&node, &installed, &account);
    setting_changed(&installed);
    drained(&node, &installed);
    nothing_lost(&node, &account);
    nothing_twice(&installed, &account, &late);
    within_the_limit(&node, &installed);
    wrong_setting(&node, &installed);
    no_credentials(&node, &installed);
    namespace_deleted(&node, &account);
}

/// When something was, to the second.
fn time(of: &Value) -> Timestamp {
    of.as_str().expect("a time").parse().expect("a time")
}

fn first_role(node: &Node, installed: &Installation) {
    say("kubectl apply -k of an overlay: both replicas run, one leads, a role becomes Ready");
    for namespace in ["marketing", "many"] {
        node.kubectl(&["create", "namespace", namespace]);
    }
    installed.apply("");
    installed.rolled_out();
    for pod in installed.pods() {
        let conditions = pod["status"]["conditions"].as_array().expect("conditions");
        let ready = conditions
            .iter()
            .find(|condition| condition["type"] == "Ready")
            .expect("a condition");
        let took = time(&ready["lastTransitionTime"]).duration_since(time(&pod["status"]["startTime"]));
        println!(
            "   {} was ready {} s after its start",
            pod["metadata"]["name"],
            took.as_secs()
        );
        assert!(took.as_secs() <= READY_WITHIN, "{pod}");
    }
    installed.make_role("first");
    let (holder, _) = installed.holder();
    let process = installed.process(&holder);
    for (key, value) in [
        ("Uid", "65532\t65532\t65532\t65532"),
        ("CapEff", "0000000000000000"),
        ("CapBnd", "0000000000000000"),
        ("NoNewPrivs", "1"),
        ("Seccomp", "2"),
    ] {
        assert_eq!(status(process, key), value, "{key} of the controller's process");
    }
    let mounts = fs::read_to_string(format!("/proc/{process}/mountinfo")).expect("its mounts");
    let root = mounts
        .lines()
        .find(|line| line.split(' ').nth(4) == Some("/"))
        .expect("a root");
    assert!(root.contains(" ro,"), "the root is not read-only: {root}");
}

/// Begins to make many objects, which goes on while this returns.
fn many_objects(node: &Node) -> Guarded {
    say(&format!(
        "{MANY} objects are made, and from here on things happen to the pods"
    ));
    let objects = (0..MANY).map(|number| {
        json!({
            "apiVersion": "pinpoint-import.dev/v1alpha1", "kind": "PinpointImportRole",
            "metadata": { "name": format!("role-{number}"), "namespace": "many" }, "spec": {}
        })
    });
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects.collect::<Vec<_>>() });
    let file = node.folder.join("many.json");
    write(&file, &list.to_string());
    let mut create = node.command();
    create.arg("create").arg("-f").arg(file);
    Guarded::start(&mut create, &node.folder.join("create.log"), None).expect("kubectl")
}

fn pod_deleted(node: &Node, installed: &Installation) {
    say("The pod that leads is deleted");
    let (holder, transitions) = installed.holder();
    node.kubectl(&["delete", "pod", &holder, "-n", SYSTEM, "--wait=false"]);
    assert_ne!(installed.taken_over(transitions), holder);
    installed.make_role("after-deletion");
    installed.rolled_out();
}

fn container_killed(installed: &Installation) {
    say("The process that leads is killed, so that the lease has to expire");
    let (holder, transitions) = installed.holder();
    signal("KILL", installed.process(&holder));
    installed.taken_over(transitions);
    installed.make_role("after-kill");
    installed.rolled_out();
}

/// Returns the numbers of the writes that came from the paused process after it woke up.
fn process_paused(node: &Node, installed: &Installation, account: &FakeIam) -> BTreeSet<usize> {
    say("The process that leads is paused, another takes over, and the first wakes up again");
    let (holder, transitions) = installed.holder();
    let process = installed.process(&holder);
    signal("STOP", process);
    assert_ne!(installed.taken_over(transitions), holder);
    installed.make_role("while-paused");
    let woken = Instant::now();
    signal("CONT", process);
    node.wait("the one that woke up has ended", || {
        (!Path::new(&format!("/proc/{process}")).exists()).then_some(())
    });
    let why = node.wait("and says why", || {
        let log = node.try_kubectl(&["logs", "-n", SYSTEM, &holder, "--previous", "--tail=1"]);
        log.ok().filter(|log| log.contains("begin anew as a candidate"))
    });
    println!("   kubectl logs: {why}");
    installed.make_role("after-pause");
    installed.rolled_out();
    let late = account.writes();
    let late: Vec<_> = late
        .iter()
        .filter(|call| call.caller == holder && call.at > woken)
        .collect();
    for call in &late {
        println!("   a late write: {} {:?} {}", call.action, call.role(), call.outcome);
    }
    // One may have had its last look at the lease behind it and not have been on the wire yet.
    assert!(late.len() <= 1, "the one that woke up went on");
    late.iter().map(|call| call.number).collect()
}

fn setting_changed(installed: &Installation) {
    say("A setting is changed: other pods take the place of these");
    let before: BTreeSet<String> = names(installed);
    let (_, transitions) = installed.holder();
    installed.apply("resync-interval: 15m");
    installed.rolled_out();
    assert!(names(installed).is_disjoint(&before), "the pods did not learn of it");
    installed.taken_over(transitions);
    installed.make_role("after-setting");
}

fn names(installed: &Installation) -> BTreeSet<String> {
    let pods = installed.pods();
    pods.iter()
        .filter_map(|pod| pod["metadata"]["name"].as_str().map(str::to_owned))
        .collect()
}

fn drained(node: &Node, installed: &Installation) {
    say("The node is drained: one replica goes, the disruption budget keeps the other");
    let (holder, transitions) = installed.holder();
    let drain = |pod: &str, patience: &str| {
        node.kubectl(&["label", "pod", pod, "-n", SYSTEM, "test=drained"]);
        node.try_kubectl(&[
            "drain",
            "node",
            "--pod-selector=test=drained",
            "--ignore-daemonsets",
            "--timeout",
            patience,
        ])
    };
    drain(&holder, "60s").expect("the leading pod is evicted");
    let other = installed.taken_over(transitions);
    let refusal = drain(&other, "3s").expect_err("the last pod was evicted");
    assert!(refusal.contains("disruption budget"), "{refusal}");
    installed.make_role("while-drained");
    node.kubectl(&["uncordon", "node"]);
    installed.rolled_out();
}

fn nothing_lost(node: &Node, account: &FakeIam) {
    say(&format!("All {MANY} objects are as declared"));
    // In parts, each of which takes less than a wait may: the budget of calls is spent on all of them one after the other.
    for part in 1..=PARTS {
        let wanted = MANY * part / PARTS;
        node.wait(&format!("{wanted} of the roles are there"), || {
            (of_many(account) >= wanted).then_some(())
        });
    }
    let path = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}";
    node.wait("every object is Ready", || {
        let all = node.kubectl(&["get", "pir", "-n", "many", "-o", path]);
        (all.split(' ').filter(|status| *status == "True").count() == MANY).then_some(())
    });
}

fn of_many(account: &FakeIam) -> usize {
    let roles = account.roles();
    roles.iter().filter(|role| role.name.starts_with("many.")).count()
}

fn nothing_twice(installed: &Installation, account: &FakeIam, late: &BTreeSet<usize>) {
    say("Nothing was done twice, and those that wrote followed each other");
    let calls = account.writes();
    let mut done = BTreeMap::<(&str, &str), Vec<&str>>::new();
    for call in calls.iter().filter(|call| call.outcome == "OK") {
        let what = (call.action.as_str(), call.role().unwrap_or_default());
        done.entry(what).or_default().push(&call.caller);
    }
    done.retain(|_, callers| callers.len() > 1);
    println!("   {} writes to IAM; twice: {done:?}", calls.len());
    assert!(done.keys().all(|(action, _)| *action != "CreateRole"), "{done:?}");
    assert!(done.len() <= UNDER_WAY, "{done:?}");
    let in_turn = calls.iter().filter(|call| !late.contains(&call.number));
    let mut hands: Vec<&str> = in_turn.map(|call| call.caller.as_str()).collect();
    hands.dedup();
    println!("   those that wrote, one after the other: {hands:?}");
    let (_, transitions) = installed.holder();
    assert!(
        hands.len() <= transitions + 1,
        "{hands:?}, but the lease went over {transitions} times"
    );
}

fn within_the_limit(node: &Node, installed: &Installation) {
    say(&format!(
        "Memory at {MANY} objects, the shipped limit and the shipped settings"
    ));
    // These start new pods, and a start lists all objects at once.
    installed.apply("");
    installed.rolled_out();
    installed.make_role("after-restart");
    let (holder, _) = installed.holder();
    node.wait("all roles are read in bulk", || {
        let log = node.kubectl(&["logs", "-n", SYSTEM, &holder]);
        log.contains("the account is swept").then_some(())
    });
    for pod in installed.pods() {
        let name = pod["metadata"]["name"].as_str().expect("a name");
        let limit = &pod["spec"]["containers"][0]["resources"]["limits"]["memory"];
        let limit = limit.as_str().and_then(|limit| limit.strip_suffix("Mi"));
        let limit: u64 = limit.and_then(|limit| limit.parse().ok()).expect("a limit in MiB");
        let peak = status(installed.process(name), "VmHWM");
        let peak: u64 = peak.trim_end_matches(" kB").parse().expect("a number");
        println!("   {name}: at most {} of {limit} MiB", peak / 1024);
        assert!(peak / 1024 < limit);
        let container = &pod["status"]["containerStatuses"][0];
        assert_eq!(container["restartCount"], 0, "{container}");
    }
}

fn wrong_setting(node: &Node, installed: &Installation) {
    say("A setting that is wrong: the pods that work stay, the new one says what to do");
    let before = names(installed);
    installed.apply("resync-interval: soon");
    let new = node.wait("the new pod ends", || {
        let pods = installed.pods();
        pods.into_iter().find(|pod| {
            let container = &pod["status"]["containerStatuses"][0];
            container["restartCount"].as_u64().is_some_and(|count| count > 0)
                && container["state"]["waiting"].is_object()
        })
    });
    let name = new["metadata"]["name"].as_str().expect("a name");
    println!("{}", node.kubectl(&["get", "pods", "-n", SYSTEM]));
    let message = &new["status"]["containerStatuses"][0]["lastState"]["terminated"]["message"];
    println!("   kubectl describe: {message}");
    let log = node.kubectl(&["logs", "-n", SYSTEM, name, "--previous"]);
    println!("   kubectl logs: {log}");
    for said in [log.as_str(), message.as_str().unwrap_or_default()] {
        assert!(said.contains("resync-interval") && said.contains("soon"), "{said}");
    }
    mended(installed, &before, "beside-a-wrong-setting");
}

fn no_credentials(node: &Node, installed: &Installation) {
    say("No credentials: the pods that work stay, the new one is not ready and says what is missing");
    let before = names(installed);
    installed.apply_without_credentials();
    let (new, line) = node.wait("the new pod says why", || {
        let all = names(installed);
        let new = all.difference(&before).next()?;
        let log = node.try_kubectl(&["logs", "-n", SYSTEM, new]).ok()?;
        let line = log.lines().find(|line| line.contains("no usable AWS credentials"))?;
        Some((new.clone(), line.to_owned()))
    });
    println!("{}", node.kubectl(&["get", "pods", "-n", SYSTEM]));
    println!("   kubectl logs: {line}");
    assert!(line.contains("see to the controller's AWS credentials"), "{line}");
    let event = node.wait("an event says that it is not ready", || {
        let events = node.read(&["events", "-n", SYSTEM]);
        let mut events = events["items"].as_array().into_iter().flatten();
        let told = events.find(|event| {
            let message = event["message"].as_str().unwrap_or_default();
            let about = event["involvedObject"]["name"] == new.as_str();
            about && event["reason"] == "Unhealthy" && message.contains("503")
        });
        told.map(|event| event["message"].to_string())
    });
    println!("   event: {event}");
    mended(installed, &before, "beside-one-without-credentials");
}

/// Those that worked before go on beside the one that doesn't, which goes once the settings are the shipped ones.
fn mended(installed: &Installation, before: &BTreeSet<String>, role: &str) {
    assert!(names(installed).is_superset(before), "a pod that works was taken away");
    installed.make_role(role);
    installed.apply("");
    installed.rolled_out();
}

fn namespace_deleted(node: &Node, account: &FakeIam) {
    say("A namespace is deleted: its roles go, then it goes");
    node.kubectl(&["delete", "namespace", "marketing", "--timeout=120s"]);
    let left = account
        .roles()
        .into_iter()
        .filter(|role| role.name.starts_with("marketing."));
    assert_eq!(left.count(), 0);
}
