//! Roles as IAM has them, and what somebody does to them behind the controller's back.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_iam::{Client, config::Credentials, error::ProvideErrorMetadata};

use super::tell::{Result, text};

/// The managed policy that an intruder attaches.
pub(super) const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
/// The trust policy that lets another account in.
pub(super) const WIDE_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com","AWS":"arn:aws:iam::999999999999:root"},"Action":"sts:AssumeRole"}]}"#;
const S3_READ_ONLY: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";

/// What IAM tells of a role.
pub(super) struct Role {
    name: String,
    path: String,
    trust: String,
    /// `key = value`.
    pub(super) tags: Vec<String>,
    attached: Vec<String>,
}

impl Role {
    /// None if there is no such role.
    pub(super) async fn read(iam: &Client, name: &str) -> Result<Option<Self>> {
        let role = match iam.get_role().role_name(name).send().await {
            Ok(answer) => answer.role.ok_or("GetRole answered without a role")?,
            Err(error) if error.code() == Some("NoSuchEntity") => return Ok(None),
            Err(error) => return Err(text(error)),
        };
        let attached = iam.list_attached_role_policies().role_name(name).send().await;
        Ok(Some(Self {
            name: name.to_owned(),
            path: role.path,
            trust: decoded(&role.assume_role_policy_document.unwrap_or_default()),
            tags: role
                .tags
                .unwrap_or_default()
                .iter()
                .map(|tag| format!("{} = {}", tag.key, tag.value))
                .collect(),
            attached: attached
                .map_err(text)?
                .attached_policies()
                .iter()
                .filter_map(|policy| policy.policy_arn().map(str::to_owned))
                .collect(),
        }))
    }

    /// Whether it is the role of the AWS guide, and nothing more.
    pub(super) fn is_the_guides(&self) -> bool {
        self.path == "/"
            && self.attached == [S3_READ_ONLY]
            && self.trust.contains("AllowUserToImportEndpointDefinitions")
            && !self.trust.contains("AWS")
    }

    pub(super) fn print(&self) {
        println!(
            "   name      {}\n   path      {}\n   trust     {}",
            self.name, self.path, self.trust
        );
        println!(
            "   attached  {}\n   tags      {}",
            self.attached.join(", "),
            self.tags.join("\n             ")
        );
    }
}

/// Lets another account in and attaches `AdministratorAccess`.
pub(super) async fn tamper_with(iam: &Client, name: &str) -> Result<()> {
    let trust = iam.update_assume_role_policy().role_name(name);
    trust.policy_document(WIDE_TRUST).send().await.map_err(text)?;
    let attach = iam.attach_role_policy().role_name(name);
    attach.policy_arn(ADMIN).send().await.map_err(text)?;
    Ok(())
}

/// Documents come percent-encoded from IAM, and plain from some versions of moto.
fn decoded(document: &str) -> String {
    percent_encoding::percent_decode_str(document)
        .decode_utf8_lossy()
        .into_owned()
}

/// IAM, for somebody who is not the controller.
pub(super) async fn iam(endpoint: String) -> Client {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("somebody", "else", None, None, "demo"))
        .load()
        .await;
    Client::new(&config)
}
