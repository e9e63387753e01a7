//! What the fake does to the wire on demand, as the AWS SDK sees it.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_iam::{
    Client,
    config::Credentials,
    error::{ProvideErrorMetadata, SdkError},
};
use test_support::iam::{FakeIam, Fault, Gate, RoleBuilder, Rule};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// A client that tries once, so that every call is seen as it is.
async fn client(fake: &FakeIam) -> Client {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(fake.endpoint())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("a", "b", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(Duration::from_secs(2))
                .build(),
        )
        .load()
        .await;
    Client::new(&config)
}

async fn create(iam: &Client) -> String {
    let answer = iam
        .create_role()
        .role_name("r")
        .assume_role_policy_document(TRUST)
        .send()
        .await;
    match answer {
        Ok(_) => "ok".to_owned(),
        Err(SdkError::ServiceError(answer)) => {
            format!(
                "{} {}",
                answer.raw().status().as_u16(),
                answer.err().code().unwrap_or_default()
            )
        }
        Err(SdkError::TimeoutError(_)) => "timeout".to_owned(),
        Err(SdkError::DispatchFailure(_)) => "broken".to_owned(),
        Err(SdkError::ResponseError(_)) => "no answer of IAM".to_owned(),
        Err(other) => format!("{other:?}"),
    }
}

#[tokio::test]
async fn each_fault_is_seen_and_has_its_effect_or_none() {
    let long = Duration::from_mins(1);
    let error = Fault::Error {
        status: 409,
        code: "LimitExceeded".to_owned(),
        message: "enough".to_owned(),
    };
    for (fault, seen, effect) in [
        (error, "409 LimitExceeded", false),
        (Fault::Throttle, "400 Throttling", false),
        (Fault::Html500, "500 ", false),
        (Fault::ResetBefore, "broken", false),
        (Fault::HangBefore(long), "timeout", false),
        (Fault::ResetAfter, "broken", true),
        (Fault::HangAfter(long), "timeout", true),
        (Fault::TruncatedBody, "no answer of IAM", true),
        (Fault::Nonsense, "200 ", true),
    ] {
        let fake = FakeIam::start();
        let iam = client(&fake).await;
        fake.fault(Rule::new(fault.clone()).action("CreateRole"));
        let said = create(&iam).await;
        assert_eq!(said.trim(), seen.trim(), "{fault:?}");
        assert_eq!(fake.role("r").is_some(), effect, "{fault:?}");
        let again = create(&iam).await;
        assert_eq!(
            again,
            if effect { "409 EntityAlreadyExists" } else { "ok" },
            "{fault:?} is over"
        );
    }
}

#[tokio::test]
async fn reads_come_late_and_writes_do_not() {
    let fake = FakeIam::start();
    let iam = client(&fake).await;
    fake.set_read_lag(Duration::from_secs(1));
    assert_eq!(create(&iam).await, "ok");
    let read = || iam.get_role().role_name("r").send();
    assert_eq!(read().await.unwrap_err().code(), Some("NoSuchEntity"));
    assert_eq!(create(&iam).await, "409 EntityAlreadyExists");
    while read().await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_rate_limit_throttles_and_gates_hold() {
    let fake = FakeIam::start();
    let iam = client(&fake).await;
    fake.put_role(RoleBuilder::new("r"));
    fake.set_rate_limit(Some((0.001, 1.0)));
    assert!(iam.get_role().role_name("r").send().await.is_ok());
    let throttled = iam.get_role().role_name("r").send().await.unwrap_err();
    assert_eq!(throttled.code(), Some("Throttling"));
    fake.set_rate_limit(None);

    fake.clear_calls();
    let gate = fake.gate(1, Gate::After);
    let call = tokio::spawn({
        let call = iam.delete_role().role_name("r");
        async move { call.send().await.is_ok() }
    });
    let gate = tokio::task::spawn_blocking(move || {
        assert!(gate.reached(Duration::from_secs(30)));
        gate
    })
    .await
    .unwrap();
    assert!(fake.role("r").is_none(), "the effect is done");
    assert!(!call.is_finished(), "the answer is held");
    gate.release();
    assert!(call.await.unwrap());
}

#[tokio::test]
async fn a_fault_can_be_put_upon_one_policy_and_a_role_can_be_kept_from_reads() {
    let fake = FakeIam::start();
    let iam = client(&fake).await;
    let (kept, other) = (
        "arn:aws:iam::aws:policy/AdministratorAccess",
        "arn:aws:iam::aws:policy/ReadOnlyAccess",
    );
    fake.put_role(RoleBuilder::new("r").attached(kept).attached(other));
    let denied = Fault::Error {
        status: 403,
        code: "AccessDenied".to_owned(),
        message: "no".to_owned(),
    };
    fake.fault(Rule::new(denied).param("PolicyArn", kept).times(usize::MAX));
    let detach = |arn: &str| iam.detach_role_policy().role_name("r").policy_arn(arn).send();
    assert_eq!(detach(kept).await.unwrap_err().code(), Some("AccessDenied"));
    assert!(detach(other).await.is_ok());
    assert_eq!(fake.role("r").unwrap().attached, [kept.to_owned()].into());

    fake.hide_role("R");
    let read = || iam.get_role().role_name("r").send();
    assert_eq!(read().await.unwrap_err().code(), Some("NoSuchEntity"));
    assert!(iam.list_roles().send().await.unwrap().roles().is_empty());
    assert_eq!(create(&iam).await, "409 EntityAlreadyExists");
    fake.show_role("r");
    assert!(read().await.is_ok());
}

/// The journal has the role before and after each change, by calls and by other hands, and tells what had no effect.
#[tokio::test]
async fn the_journal_tells_who_changed_what_in_which_order() {
    let fake = FakeIam::start();
    let iam = client(&fake).await;
    create(&iam).await;
    assert!(fake.take_journal().is_empty(), "it is not kept unless asked for");
    fake.keep_journal();
    fake.tamper("r", |role| role.max_session_duration = 7200);
    fake.fault(Rule::new(Fault::Throttle));
    let _ = iam.delete_role().role_name("r").send().await;
    let _ = iam.delete_role().role_name("r").send().await;
    let told: Vec<_> = fake
        .take_journal()
        .into_iter()
        .map(|moment| {
            let length =
                |role: Option<std::sync::Arc<test_support::iam::RoleState>>| role.map(|role| role.max_session_duration);
            let call = moment.call;
            (
                call.caller,
                call.action,
                call.outcome,
                length(moment.before),
                length(moment.after),
            )
        })
        .collect();
    let row = |caller: &str, action: &str, outcome: &str, before, after| {
        (caller.to_owned(), action.to_owned(), outcome.to_owned(), before, after)
    };
    assert_eq!(
        told,
        [
            row("", "tamper", "OK", Some(3600), Some(7200)),
            row("a", "DeleteRole", "Throttling", Some(7200), Some(7200)),
            row("a", "DeleteRole", "OK", Some(7200), None),
        ]
    );
    assert!(fake.take_journal().is_empty(), "what is taken is gone");
}
