//! Change messages: which role somebody changed, in `CloudTrail`'s words.
//!
//! `CloudTrail` records a call of IAM, `EventBridge` wraps the record and a queue brings it ("AWS API Call via `CloudTrail`", `EventBridge` user
//! guide; "`CloudTrail` record contents"). Messages may be lost, late, repeated or forged. So one says where to look and nothing else; what
//! is wrong there the pass finds out by itself.

use std::borrow::Cow;

use serde::Deserialize;

use super::name::{RoleName, is_account_id};

/// IAM's calls after which a look at the role can find something else than before. Changes to what a policy says are not among them: what
/// is declared are the ARNs that are attached. `RemoveRoleFromInstanceProfile` frees a role whose deletion is blocked.
/// `deploy/changes.yaml` has the same list (a test compares them).
pub const EVENTS: &[&str] = &[
    "AttachRolePolicy",
    "CreateRole",
    "DeleteRole",
    "DeleteRolePermissionsBoundary",
    "DeleteRolePolicy",
    "DetachRolePolicy",
    "PutRolePermissionsBoundary",
    "PutRolePolicy",
    "RemoveRoleFromInstanceProfile",
    "TagRole",
    "UntagRole",
    "UpdateAssumeRolePolicy",
    "UpdateRole",
    "UpdateRoleDescription",
];

/// A successful call that changed a role, as its message claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeMessage {
    /// Account id of the role.
    pub account: String,
    /// Name of the role, in the letter case of the call.
    pub role: RoleName,
    /// One of [`EVENTS`].
    pub event: &'static str,
    /// AWS' id of the call, which its caller learns too: with it a controller knows its own writes.
    pub request: String,
    /// ARN of who called, for people to read; nothing is decided upon it.
    pub actor: Option<String>,
    /// When the call was made, in RFC 3339, for people to read; nothing is decided upon it.
    pub time: Option<String>,
}

/// Why a message is no [`ChangeMessage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoChange {
    /// A record of something else: another call, or one that failed.
    Other,
    /// Not such a record at all.
    Malformed,
}

/// What `EventBridge` sends. The fields that are not read are skipped, whatever they hold and however deep.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow, rename = "detail-type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    account: Option<Cow<'a, str>>,
    #[serde(borrow)]
    detail: Record<'a>,
}

/// `CloudTrail`'s record.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    #[serde(borrow)]
    event_source: Cow<'a, str>,
    #[serde(borrow)]
    event_name: Cow<'a, str>,
    #[serde(borrow)]
    event_time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error_code: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "requestID")]
    request: Option<Cow<'a, str>>,
    #[serde(borrow)]
    recipient_account_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    request_parameters: Option<Parameters<'a>>,
    #[serde(borrow)]
    user_identity: Option<Identity<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters<'a> {
    #[serde(borrow)]
    role_name: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Identity<'a> {
    #[serde(borrow)]
    arn: Option<Cow<'a, str>>,
}

/// Reads the body of a message.
///
/// # Errors
/// Says whether it is a record of something else or none at all.
pub fn change_message(body: &str) -> Result<ChangeMessage, NoChange> {
    let envelope: Envelope = serde_json::from_str(body).map_err(|_| NoChange::Malformed)?;
    let record = envelope.detail;
    let event = EVENTS.iter().find(|event| **event == record.event_name);
    let ours = envelope.source == "aws.iam"
        && envelope.kind == "AWS API Call via CloudTrail"
        && record.event_source == "iam.amazonaws.com"
        && record.error_code.is_none();
    let (Some(event), true) = (event, ours) else {
        return Err(NoChange::Other);
    };
    // The record's account is the role's; the envelope's is the same, but not every server writes it.
    let account = record.recipient_account_id.or(envelope.account);
    let account = account.filter(|id| is_account_id(id)).ok_or(NoChange::Malformed)?;
    let name = record.request_parameters.and_then(|parameters| parameters.role_name);
    let role = name
        .and_then(|name| RoleName::parse(&name).ok())
        .ok_or(NoChange::Malformed)?;
    Ok(ChangeMessage {
        account: account.into_owned(),
        role,
        event,
        request: record.request.unwrap_or_default().into_owned(),
        actor: record
            .user_identity
            .and_then(|identity| identity.arn)
            .map(Cow::into_owned),
        time: record.event_time.map(Cow::into_owned),
    })
}
