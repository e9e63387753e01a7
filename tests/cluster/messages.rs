//! Change messages: what people do to a role in IAM is seen within seconds of its message, and no message is ever needed or believed.

use std::fs;

use serde_json::{Value, json};
use test_support::moto::Moto;

/// The template makes, in a `CloudFormation` that others wrote, a queue into which the records of such calls come, and no others.
#[test]
fn the_template_brings_changes_to_the_queue() {
    let moto = Moto::start().unwrap();
    let template = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/changes.yaml")).unwrap();
    moto.make_stack(&template).unwrap();
    let queue = moto.queue_url("pinpoint-import-changes");
    let record = |name: &str, error: Value| {
        let mut record = json!({
            "eventSource": "iam.amazonaws.com",
            "eventName": name,
            "requestParameters": { "roleName": format!("role-of-{name}") },
            "recipientAccountId": "123456789012",
        });
        if error.is_string() {
            record["errorCode"] = error;
        }
        record
    };
    let kind = "AWS API Call via CloudTrail";
    moto.put_event("aws.iam", kind, &record("GetRole", Value::Null))
        .unwrap();
    moto.put_event("aws.iam", kind, &record("TagRole", json!("AccessDenied")))
        .unwrap();
    moto.put_event("my.own", kind, &record("TagRole", Value::Null)).unwrap();
    moto.put_event("aws.iam", kind, &record("AttachRolePolicy", Value::Null))
        .unwrap();
    let bodies = moto.messages(&queue).unwrap();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    let change = pinpoint_import_role_controller::role::message::change_message(&bodies[0]).unwrap();
    assert_eq!(
        (change.event, change.role.as_str()),
        ("AttachRolePolicy", "role-of-AttachRolePolicy")
    );
}
