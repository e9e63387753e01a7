//! Sessions of an assumed role. The SDK keeps one until shortly before its end, and then asks for the next.

use std::{fmt, time::SystemTime};

use aws_credential_types::{
    Credentials,
    provider::{self, ProvideCredentials, error::CredentialsError, future},
};
use serde::{Deserialize, Deserializer};

use super::{error, words::SessionRefused};
use crate::{api::CONTROLLER, role::Failure};

/// A role that is assumed, of another account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumedRole {
    /// ARN.
    pub arn: String,
    /// What the role's trust policy asks for as `sts:ExternalId`.
    pub external_id: Option<ExternalId>,
}

/// An external id. Whoever knows it and may use the controller's account can be taken for the controller, so it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalId(String);

impl ExternalId {
    /// The text, for STS alone.
    fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(not shown)")
    }
}

impl<'de> Deserialize<'de> for ExternalId {
    fn deserialize<D: Deserializer<'de>>(written: D) -> Result<Self, D::Error> {
        // The error of another type would show the value.
        let text = String::deserialize(written);
        text.map(Self)
            .map_err(|_| serde::de::Error::custom("external-id is not a text: put it in quotes"))
    }
}

/// Opens sessions. Not `aws_config`'s provider: its client would send requests in clear text to any endpoint.
#[derive(Debug)]
pub(super) struct Sessions {
    sts: aws_sdk_sts::Client,
    role: AssumedRole,
}

impl Sessions {
    pub(super) fn new(sts: aws_sdk_sts::Client, role: AssumedRole) -> Self {
        Self { sts, role }
    }

    async fn open(&self) -> provider::Result {
        let attempt = format!("assuming role {} (AssumeRole)", self.role.arn);
        let call = self.sts.assume_role().role_arn(&self.role.arn);
        let call = call
            .role_session_name(CONTROLLER)
            .set_external_id(self.role.external_id.as_ref().map(|id| id.secret().to_owned()));
        let answer = call.send().await;
        let refused = |failure: Failure| CredentialsError::provider_error(SessionRefused(failure.message));
        let answer = answer.map_err(|failed| refused(error::failure(&attempt, &failed)))?;
        let nonsense = |why: &str| refused(error::nonsense(&attempt, why));
        let found = answer.credentials().ok_or_else(|| nonsense("no credentials in it"))?;
        let until =
            SystemTime::try_from(*found.expiration()).map_err(|_| nonsense("the end of the session is no time"))?;
        let token = Some(found.session_token().to_owned());
        Ok(Credentials::new(
            found.access_key_id(),
            found.secret_access_key(),
            token,
            Some(until),
            "AssumeRole",
        ))
    }
}

impl ProvideCredentials for Sessions {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.open())
    }
}
