//! AWS and Kubernetes fail; the object says so, and the controller recovers by itself.

use std::{
    io::{Read, Write},
    net::TcpListener,
    time::Duration,
};

use serde_json::json;
use test_support::iam::{Fault, Rule};

use crate::world::{ADMIN, S3_READ_ONLY, WIDE_TRUST, World};

#[test]
fn each_failure_has_its_condition_delays_nobody_else_and_passes_by_itself() {
    let world = World::new("faults");
    world.wait_healthy();
    let faults = [
        ("throttled", Fault::Throttle, "Throttled"),
        ("denied", Fault::error(403, "AccessDenied"), "AccessDenied"),
        ("failing", Fault::error(500, "ServiceFailure"), "AwsUnavailable"),
        ("html", Fault::Html500, "AwsUnavailable"),
        ("nonsense", Fault::Nonsense, "AwsUnavailable"),
        ("truncated", Fault::TruncatedBody, "AwsUnavailable"),
        ("cut", Fault::CutShort(180), "AwsUnavailable"),
        ("reset", Fault::ResetBefore, "AwsUnavailable"),
        ("silent", Fault::HangBefore(Duration::from_mins(10)), "AwsUnavailable"),
        ("expired", Fault::error(403, "ExpiredToken"), "CredentialsUnavailable"),
        (
            "unknown-key",
            Fault::error(403, "InvalidClientTokenId"),
            "CredentialsUnavailable",
        ),
        (
            "signature",
            Fault::error(403, "SignatureDoesNotMatch"),
            "CredentialsUnavailable",
        ),
        ("stale", Fault::error(400, "RequestExpired"), "CredentialsUnavailable"),
    ];
    for (name, fault, _) in &faults {
        let rule = Rule::new(fault.clone()).role(&world.role_name(name)).times(usize::MAX);
        world.iam.fault(rule);
        world.apply(name, &json!({})).unwrap();
    }
    world.apply("healthy", &json!({})).unwrap();
    world.wait_reconciled("healthy");
    for (name, _, reason) in &faults {
        let message = world.wait_ready(name, "False", reason);
        // What passes by itself is told as it was first met, and what doesn't as each later look meets it.
        let calls = match *reason {
            "Throttled" | "AwsUnavailable" => ["CreateRole", "GetRole"],
            _ => ["GetRole"; 2],
        };
        let named = |text: &str| calls.iter().any(|call| text.contains(call));
        assert!(
            named(&message) && message.contains(&world.role_name(name)),
            "{name}: {message}"
        );
        let beside = ["Reconciling", "Stalled"].map(|type_| world.condition(name, type_).is_some());
        assert!(beside[0] != beside[1], "{name}: exactly one of Reconciling and Stalled");
        assert!(named(&world.wait_event(name, reason)), "{name}");
    }
    world.iam.clear_faults();
    for (name, _, _) in &faults {
        world.wait_reconciled(name);
    }
    assert_eq!(world.iam.roles().len(), faults.len() + 1);
}

#[test]
fn failures_of_writes_have_their_condition_too() {
    let world = World::new("write-faults");
    let faults = [
        (
            "quota",
            "CreateRole",
            Fault::error(409, "LimitExceeded"),
            "LimitExceeded",
        ),
        (
            "malformed",
            "CreateRole",
            Fault::error(400, "MalformedPolicyDocument"),
            "InvalidSpec",
        ),
        (
            "denied",
            "AttachRolePolicy",
            Fault::error(403, "AccessDenied"),
            "AccessDenied",
        ),
        (
            "busy",
            "AttachRolePolicy",
            Fault::error(409, "ConcurrentModification"),
            "AwsUnavailable",
        ),
        (
            "forbidden",
            "AttachRolePolicy",
            Fault::error(400, "PolicyNotAttachable"),
            "InvalidSpec",
        ),
    ];
    for (name, action, fault, _) in &faults {
        let rule = Rule::new(fault.clone())
            .action(action)
            .role(&world.role_name(name))
            .times(usize::MAX);
        world.iam.fault(rule);
        world.apply(name, &json!({})).unwrap();
    }
    for (name, action, _, reason) in &faults {
        let message = world.wait_ready(name, "False", reason);
        assert!(message.contains(action), "{name}: {message}");
    }
    world.iam.clear_faults();
    for (name, _, _, _) in &faults {
        world.wait_reconciled(name);
    }
}

#[test]
fn a_lost_answer_to_create_role_ends_in_one_role_that_is_ours() {
    let world = World::new("lost");
    for (name, fault) in [
        ("reset", Fault::ResetAfter),
        ("truncated", Fault::TruncatedBody),
        ("nonsense", Fault::Nonsense),
        ("late", Fault::HangAfter(Duration::from_secs(15))),
    ] {
        world
            .iam
            .fault(Rule::new(fault).action("CreateRole").role(&world.role_name(name)));
        world.apply(name, &json!({})).unwrap();
    }
    for name in ["reset", "truncated", "nonsense", "late"] {
        world.wait_reconciled(name);
        let uid = world.object(name)["metadata"]["uid"].clone();
        let role = world.role(name).unwrap();
        assert_eq!(role.tags["pinpoint-import.dev/uid"], uid.as_str().unwrap(), "{name}");
        assert_eq!(world.status(name)["roleId"], role.id.as_str(), "{name}");
        world.delete_and_wait(name);
    }
    assert!(world.iam.roles().is_empty());
}

/// Regression: the SDK takes XML that breaks off for all there is. A list of policies that ended early was acted upon as the whole.
#[test]
fn a_list_that_is_cut_short_is_not_the_whole_list() {
    let world = World::in_place("cut", &json!({"managedPolicyArns": [S3_READ_ONLY, ADMIN]}));
    // Somewhere in the second policy, after the first is closed.
    let fault = Rule::new(Fault::CutShort(300)).action("ListAttachedRolePolicies");
    world.iam.fault(fault);
    world.look("segments");
    world.wait("the next look", || {
        let lists = world
            .actions()
            .iter()
            .filter(|action| *action == "ListAttachedRolePolicies")
            .count();
        (lists >= 2).then_some(())
    });
    world.wait_reconciled("segments");
    assert_eq!(world.iam.writes().len(), 0, "{:?}", world.actions());
}

#[test]
fn a_failure_says_the_same_every_time_and_is_told_once() {
    let world = World::new("steady");
    let rule = Rule::new(Fault::error(403, "AccessDenied"))
        .role(&world.role_name("segments"))
        .times(usize::MAX);
    world.iam.fault(rule);
    world.apply("segments", &json!({})).unwrap();
    world.wait_ready("segments", "False", "AccessDenied");
    world.wait_event("segments", "AccessDenied");
    let version = world.version("segments");
    world.iam.clear_calls();
    world.wait("two further looks", || (world.actions().len() >= 2).then_some(()));
    assert_eq!(world.version("segments"), version, "nothing new, so nothing is written");
    let told = world
        .events("segments")
        .iter()
        .filter(|(reason, _)| reason == "AccessDenied")
        .count();
    assert_eq!(told, 1);
}

#[test]
fn without_credentials_it_runs_says_so_everywhere_and_recovers_when_they_come() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("http://127.0.0.1:{port}/credentials");
    let mut world = World::with(
        "credentials",
        &[],
        &[
            ("AWS_ACCESS_KEY_ID", ""),
            ("AWS_SECRET_ACCESS_KEY", ""),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &address),
        ],
    );
    world.apply("segments", &json!({})).unwrap();
    let message = world.wait_ready("segments", "False", "CredentialsUnavailable");
    assert!(message.contains("credentials"), "{message}");
    assert_eq!(world.actions(), Vec::<String>::new());
    let (status, text) = world.wait("/readyz", || world.health("/readyz"));
    assert!(status == 503 && text.contains("credentials"), "{status} {text}");
    assert_eq!(world.health("/livez").unwrap().0, 200);
    assert!(world.log().contains("no usable AWS credentials"), "{}", world.log());

    // What the agent of EKS Pod Identity answers.
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || {
        let body = json!({
            "AccessKeyId": "a", "SecretAccessKey": "b", "Token": "c", "Expiration": "2100-01-01T00:00:00Z",
        })
        .to_string();
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    world.wait_reconciled("segments");
    world.wait_healthy();
    assert!(world.controller.as_mut().unwrap().ended().unwrap().is_none());
}

#[test]
fn an_endpoint_in_clear_text_beyond_loopback_is_refused() {
    let world = World::with("clear", &[], &[("AWS_ENDPOINT_URL_IAM", "http://192.0.2.1:80")]);
    world.apply("segments", &json!({})).unwrap();
    let message = world.wait_ready("segments", "False", "AwsUnavailable");
    assert!(message.contains("neither https nor on loopback"), "{message}");
}

#[test]
fn it_waits_for_the_crd_and_outlives_a_restart_of_the_api_server() {
    let mut world = World::on_own_plane("api-server");
    world.start();
    let (_, text) = world.wait("/readyz to answer", || {
        world.health("/readyz").filter(|(status, _)| *status == 503)
    });
    assert!(text.contains("CRD"), "{text}");
    let crd = concat!(env!("CARGO_MANIFEST_DIR"), "/crds/pinpointimportroles.yaml");
    world.plane().run(&["apply", "-f", crd]).unwrap();
    world.wait_healthy();
    world.wait("the CRD to be served", || world.apply("segments", &json!({})).ok());
    world.wait_reconciled("segments");
    World::pass_settle_time();

    world.own_plane().stop_api_server();
    world.iam.tamper(&world.role_name("segments"), |role| {
        role.trust_policy = WIDE_TRUST.to_owned();
    });
    world.wait("the loss to be noticed", || {
        world.log().contains("tried again").then_some(())
    });
    world.own_plane().start_api_server().unwrap();
    world.look("segments");
    world.wait_reconciled("segments");
    assert!(!world.role("segments").unwrap().trust_policy.contains("999999999999"));
    assert!(
        world.controller.as_mut().unwrap().ended().unwrap().is_none(),
        "the process is the same"
    );
}

#[test]
fn sigterm_ends_it_within_seconds_even_with_a_call_under_way() {
    let mut world = World::new("sigterm");
    world.apply("segments", &json!({})).unwrap();
    world.wait_reconciled("segments");
    let rule = Rule::new(Fault::HangBefore(Duration::from_mins(10))).times(usize::MAX);
    world.iam.fault(rule);
    world.iam.clear_calls();
    world.apply("hanging", &json!({})).unwrap();
    world.wait("a call under way", || (!world.actions().is_empty()).then_some(()));
    let controller = world.controller.as_mut().unwrap();
    controller.terminate().unwrap();
    let status = controller.wait(Duration::from_secs(30)).unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(world.log().contains("SIGTERM"), "{}", world.log());
}

#[test]
fn wrong_flags_are_refused_at_once_and_all_together() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_pinpoint-import-role-controller"))
        .args(["run", "--role-path=x", "--resync-interval=1s", "--concurrency=0"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for flag in ["--role-path", "--resync-interval", "--concurrency"] {
        assert!(said.contains(flag), "{said}");
    }
}

/// The binary, with no more environment than it is given.
fn binary(args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_pinpoint-import-role-controller"))
        .env_clear()
        .args(args)
        .envs(env.iter().copied())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// Regression: the SDK panics at some variables, such as `AWS_MAX_ATTEMPTS=0`, and the controller with it.
#[test]
fn an_environment_of_the_sdk_that_cant_be_used_is_refused_at_once_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    std::fs::write(&config, "[profile dev]\nmax_attempts = 0\nregion = eu-west-1\n").unwrap();
    let config = config.to_str().unwrap();
    let bad: [&[(&str, &str)]; 4] = [
        &[("AWS_MAX_ATTEMPTS", "0")],
        &[("AWS_RETRY_MODE", "foo")],
        &[("AWS_ENDPOINT_URL_IAM", "localhost:5000")],
        &[("AWS_PROFILE", "dev"), ("AWS_CONFIG_FILE", config)],
    ];
    for env in bad {
        for (args, code) in [(&["run"][..], 2), (&["audit", "--no-cluster"], 1)] {
            let (ended, said) = binary(args, env);
            assert_eq!(ended, Some(code), "{env:?}: {said}");
            assert!(said.lines().count() == 1 && said.contains("write "), "{env:?}: {said}");
        }
    }
}

#[test]
fn a_variable_of_the_sdk_that_is_set_to_nothing_is_not_set() {
    let iam = test_support::iam::FakeIam::start();
    let endpoint = iam.endpoint();
    let blank = [
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
        "AWS_ENDPOINT_URL",
        "AWS_MAX_ATTEMPTS",
        "AWS_RETRY_MODE",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_SESSION_TOKEN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONFIG_FILE",
    ];
    for value in ["", "  "] {
        let mut env: Vec<_> = blank.iter().map(|name| (*name, value)).collect();
        env.extend([
            ("AWS_ENDPOINT_URL_IAM", endpoint.as_str()),
            ("AWS_ENDPOINT_URL_STS", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ]);
        let (ended, said) = binary(&["audit", "--no-cluster"], &env);
        assert_eq!(ended, Some(0), "{said}");
    }
}

#[test]
fn an_address_that_is_taken_is_said_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["--health-address", "--metrics-address"] {
        let (code, said) = binary(&["run", flag, &address], &[]);
        let expected =
            format!("can't listen on {address} ({flag}): the address is already in use: stop what listens there");
        assert!(code == Some(1) && said.contains(&expected), "{code:?}: {said}");
    }
}
