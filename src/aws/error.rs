//! What a failed call means: one table from AWS' codes to classes.
//!
//! Modelled codes are those of the IAM API reference; the others come from "Common errors" and from AWS' front ends.

use std::{env, error::Error};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_iam::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use tracing::{debug, warn};

use super::{
    answer::NotWhole,
    loopback::InClear,
    words::{self, chain},
};
use crate::role::{
    Class, Failure,
    policy::trust::{ENDED, PINPOINT, WAY_OUT},
};

/// Class of a code that AWS answered with an HTTP status.
///
/// `NoSuchEntity` is not here by itself: what it means depends on the call, which looks at it first; where nothing else is known, what
/// the call names does not exist.
#[must_use]
pub fn class_of_code(code: &str, http_status: u16) -> Class {
    match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "BandwidthLimitExceeded"
        | "SlowDown"
        | "PriorRequestNotComplete" => Class::Throttled,
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "NotAuthorized"
        | "OptInRequired"
        | "UnmodifiableEntity" => Class::Denied,
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "RequestExpired"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "InvalidAccessKeyId"
        | "InvalidToken"
        | "AuthFailure" => Class::Credentials,
        "MalformedPolicyDocument"
        | "InvalidInput"
        | "ValidationError"
        | "ValidationException"
        | "PolicyNotAttachable"
        | "NoSuchEntity"
        | "InvalidParameterValue"
        | "InvalidParameterCombination"
        | "MissingParameter" => Class::Invalid,
        "LimitExceeded" => Class::Limited,
        "DeleteConflict" => Class::Blocked,
        "ConcurrentModification" | "EntityTemporarilyUnmodifiable" => Class::Retryable,
        "EntityAlreadyExists" => Class::Exists,
        _ if http_status == 429 => Class::Throttled,
        // A server's error, or a good answer that is none of IAM's: the call may have had its effect.
        _ if !(300..500).contains(&http_status) => Class::Ambiguous,
        _ if http_status == 403 => Class::Denied,
        _ => Class::Retryable,
    }
}

/// What a failed call means.
pub(super) fn class<E>(error: &SdkError<E, HttpResponse>) -> Class
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(answer) if !answer.raw().status().is_success() => {
            class_of_code(answer.err().code().unwrap_or_default(), answer.raw().status().as_u16())
        }
        other if is_credentials(other) => Class::Credentials,
        other if is_unsent(other) => Class::Retryable,
        _ => Class::Ambiguous,
    }
}

/// The failure of a call. `attempt` says what was attempted, on what.
pub(super) fn failure<E>(attempt: &str, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    advised(attempt, error, advice(class(error)))
}

/// The failure of a call that writes a trust policy. Ours name Pinpoint and nobody else, so where IAM says that this principal is not
/// valid, as it does of services that it does not know, no other spec can help. What AWS says decides nothing but the advice.
pub(super) fn failure_of_trust<E>(attempt: &str, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let said = error.message().unwrap_or_default();
    if error.code() != Some("MalformedPolicyDocument") || !said.contains(PINPOINT) {
        return failure(attempt, error);
    }
    let advice = format!(
        "; {ENDED}, and IAM no longer takes {PINPOINT} in a trust policy, which no spec can mend: delete the object, which deletes the \
         role, or with deletionPolicy: Retain leaves it; {WAY_OUT}"
    );
    advised(attempt, error, &advice)
}

fn advised<E>(attempt: &str, error: &SdkError<E, HttpResponse>, advice: &str) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let class = class(error);
    // What the message leaves out is in the log.
    if class == Class::Credentials {
        warn!(said = words::raw(error), "{attempt} failed");
    } else {
        debug!(said = words::raw(error), "{attempt} failed");
    }
    let said = match error {
        SdkError::ServiceError(answer) if !answer.raw().status().is_success() => spoken(
            class,
            answer.err().code().unwrap_or_default(),
            answer.raw().status().as_u16(),
            answer.err().message().unwrap_or_default(),
        ),
        other if class == Class::Credentials => {
            format!(
                "there are no usable AWS credentials ({})",
                words::of_credentials(other, env::var("AWS_PROFILE").ok().as_deref())
            )
        }
        other if class == Class::Retryable => format!("the request was not sent: {}", root_cause(other)),
        SdkError::TimeoutError(_) => "AWS did not answer in time".to_owned(),
        SdkError::DispatchFailure(_) => "AWS could not be reached, or the connection broke".to_owned(),
        other if chain(other).any(<dyn Error>::is::<NotWhole>) => {
            "what came back is cut short, or no answer of AWS at all".to_owned()
        }
        _ => "AWS answered with something that is no answer of IAM".to_owned(),
    };
    Failure {
        class,
        message: format!("{attempt} failed: {said}{advice}"),
    }
}

/// The failure of a call that was answered well, but with something that makes no sense.
pub(super) fn nonsense(attempt: &str, why: &str) -> Failure {
    debug!(said = why, "{attempt} failed");
    Failure {
        class: Class::Ambiguous,
        message: format!("{attempt} failed: the answer makes no sense: {}", words::steady(why)),
    }
}

/// What AWS said: what asks for another try tells times and numbers, so the code alone is told.
fn spoken(class: Class, code: &str, status: u16, message: &str) -> String {
    let code = if code.is_empty() {
        format!("HTTP status {status}")
    } else {
        code.to_owned()
    };
    match class {
        Class::Denied | Class::Invalid | Class::Limited | Class::Blocked => {
            format!("AWS answered {code}: {}", words::steady(message))
        }
        Class::Throttled | Class::Retryable | Class::Ambiguous | Class::Unseen | Class::Credentials | Class::Exists => {
            format!("AWS answered {code}")
        }
    }
}

/// What the reader of the message should do next: the end of every message about a failed call.
const fn advice(class: Class) -> &'static str {
    match class {
        Class::Throttled | Class::Retryable | Class::Ambiguous | Class::Unseen | Class::Exists => "; it is tried again",
        Class::Denied => "; allow the call in the IAM policy of the controller's role, or look for a denying policy",
        Class::Invalid => "; change the spec",
        Class::Limited => "; use less, or ask AWS to raise the quota",
        Class::Blocked => "; take away what is in the way",
        Class::Credentials => "; see to the controller's AWS credentials",
    }
}

fn is_credentials(error: &(dyn Error + 'static)) -> bool {
    // The SDK has no type of its own for the last two, which never reach AWS.
    chain(error).any(|cause| {
        let said = cause.to_string();
        cause.is::<CredentialsError>()
            || said.contains("credentials")
            || said.starts_with("identity resolver timed out")
    })
}

/// Whether the request never left this process.
fn is_unsent<E: Error + 'static>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => true,
        SdkError::DispatchFailure(dispatch) => dispatch.is_user() || chain(error).any(<dyn Error>::is::<InClear>),
        _ => false,
    }
}

/// The words of the last cause. Of several lines the first.
fn root_cause(error: &(dyn Error + 'static)) -> String {
    let said = chain(error).last().map(ToString::to_string).unwrap_or_default();
    words::steady(said.lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every error that IAM's model names for the calls that the controller makes, and those that no model names.
    #[test]
    fn every_code_has_its_class() {
        let table = [
            ("ConcurrentModification", 409, Class::Retryable),
            ("DeleteConflict", 409, Class::Blocked),
            ("EntityAlreadyExists", 409, Class::Exists),
            ("InvalidInput", 400, Class::Invalid),
            ("LimitExceeded", 409, Class::Limited),
            ("MalformedPolicyDocument", 400, Class::Invalid),
            ("NoSuchEntity", 404, Class::Invalid),
            ("PolicyNotAttachable", 400, Class::Invalid),
            ("ServiceFailure", 500, Class::Ambiguous),
            ("UnmodifiableEntity", 400, Class::Denied),
            ("Throttling", 400, Class::Throttled),
            ("ThrottlingException", 400, Class::Throttled),
            ("RequestLimitExceeded", 503, Class::Throttled),
            ("SlowDown", 503, Class::Throttled),
            ("SomethingNew", 429, Class::Throttled),
            ("AccessDenied", 403, Class::Denied),
            ("AccessDeniedException", 400, Class::Denied),
            ("OptInRequired", 403, Class::Denied),
            ("NotAuthorized", 400, Class::Denied),
            ("SomethingNew", 403, Class::Denied),
            ("ExpiredToken", 403, Class::Credentials),
            ("InvalidClientTokenId", 403, Class::Credentials),
            ("UnrecognizedClientException", 403, Class::Credentials),
            ("RequestExpired", 400, Class::Credentials),
            ("SignatureDoesNotMatch", 403, Class::Credentials),
            ("IncompleteSignature", 400, Class::Credentials),
            ("MissingAuthenticationToken", 403, Class::Credentials),
            ("ValidationError", 400, Class::Invalid),
            ("InternalFailure", 500, Class::Ambiguous),
            ("ServiceUnavailable", 503, Class::Ambiguous),
            ("", 500, Class::Ambiguous),
            ("", 502, Class::Ambiguous),
            ("", 200, Class::Ambiguous),
            ("SomethingNew", 400, Class::Retryable),
            ("", 404, Class::Retryable),
        ];
        for (code, status, class) in table {
            assert_eq!(class_of_code(code, status), class, "{code} {status}");
        }
    }
}
