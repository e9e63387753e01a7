//! What a failed call means: one table from AWS' codes to classes.
//!
//! Modelled codes are those of the IAM API reference; the others come from "Common errors" and from AWS' front ends.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_iam::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};

use super::client::InClear;
use crate::role::{Class, Failure};

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
    let class = class(error);
    let said = match error {
        SdkError::ServiceError(answer) if !answer.raw().status().is_success() => spoken(
            class,
            answer.err().code().unwrap_or_default(),
            answer.raw().status().as_u16(),
            answer.err().message().unwrap_or_default(),
        ),
        other if class == Class::Credentials => format!("there are no usable AWS credentials ({})", root_cause(other)),
        other if class == Class::Retryable => format!("the request was not sent: {}", root_cause(other)),
        SdkError::TimeoutError(_) => "AWS did not answer in time".to_owned(),
        SdkError::DispatchFailure(_) => "AWS could not be reached, or the connection broke".to_owned(),
        _ => "AWS answered with something that is no answer of IAM".to_owned(),
    };
    Failure {
        class,
        message: format!("{attempt} failed: {said}{}", advice(class)),
    }
}

/// The failure of a call that was answered well, but with something that makes no sense.
pub(super) fn nonsense(attempt: &str, why: &str) -> Failure {
    Failure {
        class: Class::Ambiguous,
        message: format!("{attempt} failed: the answer makes no sense: {why}"),
    }
}

/// AWS' words, as far as they stay the same for the same failure: what asks for another try tells times and numbers.
fn spoken(class: Class, code: &str, status: u16, message: &str) -> String {
    let code = if code.is_empty() {
        format!("HTTP status {status}")
    } else {
        code.to_owned()
    };
    match class {
        Class::Denied | Class::Invalid | Class::Limited | Class::Blocked => {
            format!("AWS answered {code}: {}", without_session(message.trim()))
        }
        Class::Throttled | Class::Retryable | Class::Ambiguous | Class::Credentials | Class::Exists => {
            format!("AWS answered {code}")
        }
    }
}

/// `assumed-role/NAME/SESSION` without the session, which changes whenever credentials are renewed.
fn without_session(message: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in message.split(' ') {
        words.push(match word.split_once(":assumed-role/") {
            Some((before, after)) => {
                format!("{before}:assumed-role/{}", after.split('/').next().unwrap_or_default())
            }
            None => word.to_owned(),
        });
    }
    words.join(" ")
}

/// What to do next.
const fn advice(class: Class) -> &'static str {
    match class {
        Class::Throttled | Class::Retryable | Class::Ambiguous | Class::Exists => "; it is tried again",
        Class::Denied => "; allow the call in the IAM policy of the controller's role, or look for a denying policy",
        Class::Invalid => "; change the spec",
        Class::Limited => "; use less, or ask AWS to raise the quota",
        Class::Blocked => "; take away what is in the way",
        Class::Credentials => "; see to the controller's AWS credentials",
    }
}

fn is_credentials(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|cause| cause.is::<CredentialsError>() || cause.to_string().contains("credentials"))
}

/// Whether the request never left this process.
fn is_unsent<E: Error + 'static>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => true,
        SdkError::DispatchFailure(dispatch) => dispatch.is_user() || chain(error).any(<dyn Error>::is::<InClear>),
        _ => false,
    }
}

/// The words of the last cause. Of several lines, such as the SDK's list of all places where it looked for credentials, the first.
fn root_cause(error: &(dyn Error + 'static)) -> String {
    let words = chain(error).last().map(ToString::to_string).unwrap_or_default();
    let first = words.lines().next().unwrap_or_default();
    first.trim_end_matches(" Attempted:").trim_end_matches('.').to_owned()
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
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

    #[test]
    fn a_message_does_not_change_with_the_session() {
        let said = "User: arn:aws:sts::1:assumed-role/pinpoint/i-0abc is not authorized to perform: iam:GetRole";
        assert_eq!(
            without_session(said),
            "User: arn:aws:sts::1:assumed-role/pinpoint is not authorized to perform: iam:GetRole"
        );
    }
}
