//! Change messages: what a record of `CloudTrail` is read as, and the template that sends them.

use std::{collections::BTreeSet, fs};

use pinpoint_import_role_controller::role::message::{ChangeMessage, EVENTS, NoChange, change_message};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A record as `EventBridge` sends it, of the shape in "AWS API Call via `CloudTrail`".
fn record(event: &str) -> Value {
    json!({
        "version": "0",
        "id": "3b6f9a64-0d58-4c1e-9a3f-6c3ab8f5e2c1",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.iam",
        "account": "123456789012",
        "time": "2026-11-02T10:20:31Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "AssumedRole",
                "principalId": "AROAEXAMPLE:alice",
                "arn": "arn:aws:sts::123456789012:assumed-role/admin/alice",
                "accountId": "123456789012",
                "sessionContext": { "attributes": { "mfaAuthenticated": "false" } }
            },
            "eventTime": "2026-11-02T10:20:30Z",
            "eventSource": "iam.amazonaws.com",
            "eventName": event,
            "awsRegion": "us-east-1",
            "sourceIPAddress": "192.0.2.1",
            "userAgent": "aws-cli/2.31",
            "requestParameters": parameters(event),
            "responseElements": null,
            "requestID": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
            "eventID": "f47ac10b-58cc-4372-a567-0e02b2c3d479",
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": "123456789012",
            "eventCategory": "Management"
        }
    })
}

/// What each call has beside the role's name (IAM API reference).
fn parameters(event: &str) -> Value {
    let mut parameters = match event {
        "CreateRole" => {
            json!({ "assumeRolePolicyDocument": "{}", "path": "/", "tags": [{ "key": "a", "value": "b" }] })
        }
        "AttachRolePolicy" | "DetachRolePolicy" => {
            json!({ "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess" })
        }
        "PutRolePolicy" => json!({ "policyName": "p", "policyDocument": "{}" }),
        "DeleteRolePolicy" => json!({ "policyName": "p" }),
        "PutRolePermissionsBoundary" => json!({ "permissionsBoundary": "arn:aws:iam::aws:policy/PowerUserAccess" }),
        "TagRole" => json!({ "tags": [{ "key": "a", "value": "b" }] }),
        "UntagRole" => json!({ "tagKeys": ["a"] }),
        "UpdateAssumeRolePolicy" => json!({ "policyDocument": "{}" }),
        "UpdateRole" => json!({ "maxSessionDuration": 3600 }),
        "UpdateRoleDescription" => json!({ "description": "d" }),
        "RemoveRoleFromInstanceProfile" => json!({ "instanceProfileName": "i" }),
        _ => json!({}),
    };
    parameters["roleName"] = json!("team-a.Segments");
    parameters
}

fn read(record: &Value) -> Result<ChangeMessage, NoChange> {
    change_message(&record.to_string())
}

#[test]
fn each_call_that_can_change_a_role_is_read() {
    for event in EVENTS {
        let change = read(&record(event)).unwrap();
        assert_eq!(change.event, *event);
        assert_eq!(
            (change.account.as_str(), change.role.as_str()),
            ("123456789012", "team-a.Segments")
        );
        assert_eq!(change.request, "7c9e6679-7425-40de-944b-e07fc1f90ae7");
        assert_eq!(
            change.actor.as_deref(),
            Some("arn:aws:sts::123456789012:assumed-role/admin/alice")
        );
        assert_eq!(change.time.as_deref(), Some("2026-11-02T10:20:30Z"));
    }
}

/// `CloudTrail` may send what is not asked for, and a template of somebody's own may have no filter.
#[test]
fn records_of_anything_else_are_no_change() {
    let with = |path: &str, value: Value| {
        let mut record = record("AttachRolePolicy");
        *record.pointer_mut(path).unwrap() = value;
        read(&record)
    };
    let mut failed = record("AttachRolePolicy");
    failed["detail"]["errorCode"] = json!("AccessDenied");
    assert_eq!(read(&failed), Err(NoChange::Other));
    for (path, value) in [
        ("/detail/eventName", json!("GetRole")),
        ("/detail/eventName", json!("attachrolepolicy")),
        ("/detail/eventSource", json!("sts.amazonaws.com")),
        ("/source", json!("my.iam")),
        ("/detail-type", json!("AWS Service Event via CloudTrail")),
    ] {
        assert_eq!(with(path, value.clone()), Err(NoChange::Other), "{path} {value}");
    }
    for (path, value) in [
        ("/detail/requestParameters", Value::Null),
        ("/detail/requestParameters/roleName", json!("a/b")),
        ("/detail/requestParameters/roleName", json!("")),
        ("/detail/requestParameters/roleName", json!(["a"])),
        ("/detail/recipientAccountId", json!("1234")),
        ("/detail", json!([])),
        ("/source", json!(7)),
    ] {
        assert_eq!(with(path, value.clone()), Err(NoChange::Malformed), "{path} {value}");
    }
}

/// The record's account is the role's. A server that leaves the envelope's out, as moto does, is understood too.
#[test]
fn the_records_account_comes_before_the_envelopes() {
    let mut record = record("TagRole");
    record["account"] = json!("210987654321");
    assert_eq!(read(&record).unwrap().account, "123456789012");
    record["detail"].as_object_mut().unwrap().remove("recipientAccountId");
    assert_eq!(read(&record).unwrap().account, "210987654321");
    record.as_object_mut().unwrap().remove("account");
    assert_eq!(read(&record), Err(NoChange::Malformed));
}

#[test]
fn a_message_of_any_size_or_depth_is_read_or_refused() {
    let mut large = record("TagRole");
    large["detail"]["requestParameters"]["tags"] = json!("x".repeat(1 << 20));
    assert!(read(&large).is_ok());
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for levels in [100, 200_000] {
        // What is skipped may be as deep as it likes, since it is skipped without a call for each level.
        let skipped = record("TagRole").to_string().replace("[]", &deep(levels));
        assert!(change_message(&skipped).is_ok(), "{levels}");
        let wanted = record("TagRole")
            .to_string()
            .replace(r#""team-a.Segments""#, &deep(levels));
        assert_eq!(change_message(&wanted), Err(NoChange::Malformed), "{levels}");
    }
    let twice = record("TagRole")
        .to_string()
        .replacen('{', r#"{"source":"aws.iam","#, 1);
    assert_eq!(change_message(&twice), Err(NoChange::Malformed));
}

proptest! {
    #[test]
    fn no_message_ends_the_process(body in ".*", at in 0_usize..2000, bytes in proptest::collection::vec(any::<u8>(), 0..8)) {
        let _ = change_message(&body);
        let mut spoiled = record("UpdateRole").to_string().into_bytes();
        let at = at % spoiled.len();
        spoiled.splice(at..(at + bytes.len()).min(spoiled.len()), bytes);
        if let Ok(change) = change_message(&String::from_utf8_lossy(&spoiled)) {
            prop_assert!(EVENTS.contains(&change.event));
            prop_assert!(change.account.len() == 12);
        }
    }
}

/// What is sent is what is read: the lists of events in both templates are the code's, and both have the same pattern.
#[test]
fn the_templates_send_what_is_read() {
    for file in ["changes.yaml", "changes-member.yaml"] {
        let text = fs::read_to_string(format!("{}/deploy/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let (_, list) = text.split_once("eventName:\n").unwrap();
        let sent: BTreeSet<&str> = list.lines().map_while(|line| line.trim().strip_prefix("- ")).collect();
        assert_eq!(sent, EVENTS.iter().copied().collect(), "{file}");
        for part in [
            "source: [aws.iam]",
            "detail-type: [AWS API Call via CloudTrail]",
            "eventSource: [iam.amazonaws.com]",
            "errorCode: [exists: false]",
        ] {
            assert!(text.contains(part), "{file}: {part}");
        }
    }
}
