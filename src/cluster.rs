//! The Kubernetes cluster: a client for it, who it is, and calls that end.

use std::{future::Future, time::Duration};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, Config, ResourceExt};

/// Longest wait for an answer of the API server: kube's client waits for ever.
const API_CALL: Duration = Duration::from_secs(15);

/// What went wrong with the API server.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// It answered with an error, or could not be reached.
    #[error("{attempt} failed: {}", said(source))]
    Failed {
        /// What was attempted, as the subject of a sentence: "reading the object".
        attempt: &'static str,
        /// What the API server or the way to it answered.
        source: Box<kube::Error>,
    },
    /// It did not answer in time.
    #[error("{attempt} failed: the API server did not answer within {API_CALL:?}")]
    Late {
        /// What was attempted, as the subject of a sentence: "reading the object".
        attempt: &'static str,
    },
}

/// The API server's own words, where it answered: the error as a whole would show all fields of its status.
fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        other => other.to_string(),
    }
}

impl ApiError {
    /// Whether the object is not as it was read.
    pub(crate) fn is_conflict(&self) -> bool {
        let Self::Failed { source, .. } = self else {
            return false;
        };
        matches!(&**source, kube::Error::Api(status) if status.is_conflict())
    }

    /// Whether it would refuse the same request again, so that people must hear of it. Not if another version of the object, or none, is
    /// the reason.
    pub(crate) fn is_refusal(&self) -> bool {
        let Self::Failed { source, .. } = self else {
            return false;
        };
        matches!(&**source, kube::Error::Api(status) if (400..500).contains(&status.code) && ![401, 404, 409, 429].contains(&status.code))
    }
}

/// A call to the API server, which ends.
///
/// # Errors
/// What was attempted, and what the API server answered, or that it did not.
pub(crate) async fn bounded<T>(
    attempt: &'static str,
    call: impl Future<Output = kube::Result<T>>,
) -> Result<T, ApiError> {
    match tokio::time::timeout(API_CALL, call).await {
        Ok(answer) => answer.map_err(|source| ApiError::Failed {
            attempt,
            source: Box::new(source),
        }),
        Err(_) => Err(ApiError::Late { attempt }),
    }
}

/// A client for `KUBECONFIG` or the pod's service account. Retries are ours to make: the client's would hold us for minutes.
///
/// # Errors
/// Neither is there, or it can't be used.
pub(crate) async fn client() -> Result<Client, String> {
    let mut config = Config::infer()
        .await
        .map_err(|error| format!("no cluster to talk to: {error}; set KUBECONFIG, or run in a pod"))?;
    config.default_retry = false;
    Client::try_from(config).map_err(|error| format!("the cluster's configuration can't be used: {error}"))
}

/// The cluster's identity, where operators give it none: the uid of its namespace `kube-system`.
///
/// # Errors
/// The API server did not tell.
pub(crate) async fn identity(client: &Client) -> Result<String, ApiError> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let attempt = "reading the namespace kube-system, whose uid is the cluster's identity,";
    let namespace = bounded(attempt, namespaces.get("kube-system")).await?;
    Ok(namespace.uid().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_without_an_answer_ends() {
        let late = bounded("reading", std::future::pending::<kube::Result<()>>()).await;
        assert_eq!(
            late.unwrap_err().to_string(),
            "reading failed: the API server did not answer within 15s"
        );
    }
}
