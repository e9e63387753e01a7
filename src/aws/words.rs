//! AWS' words, as far as they are the same for the same failure. They go into conditions, which are written only if something changed,
//! and into events, which are told once: a time, a request id or a session in them would make every try a new failure.

use std::{error::Error, io, sync::LazyLock};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_iam::error::ProvideErrorMetadata;
use aws_sdk_sts::operation::{
    assume_role::AssumeRoleError, assume_role_with_web_identity::AssumeRoleWithWebIdentityError,
};
use regex::{Captures, Regex};

/// No session was opened: what a [`Failure`] says of it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct SessionRefused(pub(super) String);

/// What stands where something was taken out.
const CUT: &str = "…";

/// What changes from try to try, and what stays of it.
static CHANGING: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let table = [
        // `assumed-role/NAME/SESSION` and `AROA…:SESSION`: the session is another one whenever credentials are renewed.
        (r"(:assumed-role/[\w+=,.@-]*[\w+=@-])/[\w+=,.@-]*[\w+=@-]", "$1"),
        (r"\b(A[A-Z]{3}[A-Z0-9]{12,}):[\w+=,.@-]*[\w+=@-]", "$1"),
        // Keys of sessions.
        (r"\bASIA[A-Z0-9]{12,}\b", CUT),
        // STS `DecodeAuthorizationMessage` makes words of it; it is another one for each request.
        (r"(?i)(encoded authorization failure message):?\s*\S+", "$1: …"),
        (r"(?i)\b(request[ _-]?id)[ :=]+[\w+/=-]+", "$1 …"),
        // After a slash it is the name of something, such as of a key.
        (
            r"(^|[^\w/-])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b",
            "$1…",
        ),
        // 2026-01-01T00:00:00Z, 20260101T000000Z, 2026-01-01 00:00:00 UTC.
        (
            r"\b\d{4}-?\d\d-?\d\d[T ]\d\d:?\d\d:?\d\d(?:[.,]\d+)?(?:\s?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)\b)?",
            CUT,
        ),
        // Thu, 01 Jan 2026 00:00:00 GMT and Thu Jan 1 00:00:00 UTC 2026.
        (
            r"\b[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [A-Z]{3}\b",
            CUT,
        ),
        (
            r"\b[A-Z][a-z]{2} [A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d [A-Z]{3} \d{4}\b",
            CUT,
        ),
        // Seconds and milliseconds since 1970. An account has 12 digits.
        (r"(^|[^\w:/.-])\d{10}(?:\d{3})?(?:\.\d+)?\b", "$1…"),
        (
            r"(^|[^\w:/.-])\d+(?:\.\d+)?\s?(?:ns|µs|us|ms|s|secs?|seconds?|m|mins?|minutes?|h|hours?)\b",
            "$1…",
        ),
        (r"/proc/\d+\b", "/proc/…"),
        (r"(?i)\b(pid|process|port)[ :=]+\d+\b", "$1 …"),
        (r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b", CUT),
        (r"\s+", " "),
    ];
    let compiled = table.map(|(pattern, stays)| (Regex::new(pattern), stays));
    compiled
        .into_iter()
        .filter_map(|(pattern, stays)| Some((pattern.ok()?, stays)))
        .collect()
});

/// What is too long to be a name of anything in IAM, such as a token. ARNs may be as long.
static LONG: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[\w+/=:.@,-]{65,}").ok());

/// A text of AWS without what changes while the failure stays the same.
pub(super) fn steady(text: &str) -> String {
    let mut steady = text.trim().to_owned();
    for (pattern, stays) in CHANGING.iter() {
        steady = pattern.replace_all(&steady, *stays).into_owned();
    }
    let Some(long) = &*LONG else { return steady };
    let shortened = long.replace_all(&steady, |found: &Captures<'_>| {
        let found = &found[0];
        if found.starts_with("arn:") { found } else { CUT }.to_owned()
    });
    shortened.into_owned()
}

/// Why there are no credentials, in fixed words for each kind of cause: what the SDK says of it has times, paths and ids of processes,
/// and lists all places where it looked. The log has its words.
///
/// `chosen` is the profile that the environment names.
pub(super) fn of_credentials(error: &(dyn Error + 'static), chosen: Option<&str>) -> String {
    if let Some(refused) = find::<SessionRefused>(error) {
        return refused.to_string();
    }
    let kind = match find::<CredentialsError>(error) {
        Some(CredentialsError::CredentialsNotLoaded(_)) => "none of the places in which the AWS SDK looks has any",
        Some(CredentialsError::InvalidConfiguration(_)) => "what says where to get them is not valid",
        Some(CredentialsError::ProviderTimedOut(_)) | None => "they did not come in time",
        Some(_) => "they could not be got",
    };
    let source = source(error, chosen).map_or_else(String::new, |source| format!(" ({source})"));
    let answered = code(error).map_or_else(String::new, |code| format!(": STS answered {code}"));
    let file = match find::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::NotFound) => ": a file is not there",
        Some(io::ErrorKind::PermissionDenied) => ": a file may not be read",
        _ => "",
    };
    format!("{kind}{source}{answered}{file}")
}

/// The source of the credentials, by the words that the SDK's providers have for themselves; none where they don't say. Only told,
/// never decided by.
fn source(error: &(dyn Error + 'static), chosen: Option<&str>) -> Option<String> {
    const SOURCES: [(&[&str], &str); 6] = [
        (
            &["web identity", "webidentity", "web_identity"],
            "the web identity token",
        ),
        (
            &["sso token", "sso session", "/sso/cache/", "unauthorizedexception"],
            "SSO; `aws sso login` opens a new session",
        ),
        (
            &["login token", "/login/cache/"],
            "`aws login`, which opens a new session",
        ),
        (&["imds", "instance metadata"], "the instance's metadata"),
        (
            &["ecs provider", "ecs credentials", "full uri", "relative uri"],
            "the container's agent",
        ),
        (
            &["credential_process", "credential process", "external process"],
            "credential_process",
        ),
    ];
    if find::<AssumeRoleWithWebIdentityError>(error).is_some() {
        return Some("the web identity token".to_owned());
    }
    let told = raw(error);
    // Where it looked everywhere in vain, it names each place.
    let is_everywhere = told.contains("Attempted:");
    let named = |words: &&[&str]| !is_everywhere && words.iter().any(|word| told.to_lowercase().contains(word));
    let source = SOURCES
        .iter()
        .find(|(words, _)| named(words))
        .map(|(_, source)| *source);
    match (source, profile(&told).or(chosen)) {
        (Some(source), Some(profile)) => Some(source.replace(" login`", &format!(" login --profile {profile}`"))),
        (source, profile) => source
            .map(str::to_owned)
            .or_else(|| Some(format!("profile {}", profile?))),
    }
}

/// The name of the profile that a text speaks of.
fn profile(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("profile `")?;
    Some(after.split_once('`')?.0)
}

/// The code that STS answered.
fn code(error: &(dyn Error + 'static)) -> Option<String> {
    let by_token = find::<AssumeRoleWithWebIdentityError>(error).and_then(ProvideErrorMetadata::code);
    let by_role = || find::<AssumeRoleError>(error).and_then(ProvideErrorMetadata::code);
    by_token.or_else(by_role).map(str::to_owned)
}

/// All that an error says, for the log. Not its debug form, which has bodies of answers in it, and so credentials.
pub(super) fn raw(error: &(dyn Error + 'static)) -> String {
    let said: Vec<String> = chain(error).map(ToString::to_string).collect();
    said.join(": ")
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error).find_map(|cause| cause.downcast_ref())
}

/// An error and its causes.
pub(super) fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::error::{ErrorMetadata, SdkError};
    use proptest::prelude::*;

    use super::*;

    const COMPILED: usize = 15;

    #[test]
    fn all_patterns_are_patterns() {
        assert_eq!((CHANGING.len(), LONG.is_some()), (COMPILED, true));
    }

    /// What AWS says, and what of it stays.
    #[test]
    fn what_aws_says_stays_but_for_what_changes() {
        let blob = "4GIOHlTkIaWHQD0Q0m6XSnuMMCm6RDkYCIm".repeat(9);
        let table = [
            (
                "User: arn:aws:sts::123456789012:assumed-role/pinpoint/1764080332123456789 is not authorized to perform: iam:GetRole on \
                 resource: role a.b because no identity-based policy allows the iam:GetRole action"
                    .to_owned(),
                "User: arn:aws:sts::123456789012:assumed-role/pinpoint is not authorized to perform: iam:GetRole on resource: role a.b \
                 because no identity-based policy allows the iam:GetRole action",
            ),
            (
                "User: arn:aws:sts::123456789012:assumed-role/a.b/i-0abc, with an explicit deny in a service control policy: \
                 arn:aws:organizations::123456789012:policy/o-abc/service_control_policy/p-abc"
                    .to_owned(),
                "User: arn:aws:sts::123456789012:assumed-role/a.b, with an explicit deny in a service control policy: \
                 arn:aws:organizations::123456789012:policy/o-abc/service_control_policy/p-abc",
            ),
            (
                format!("You are not authorized to perform this operation. Encoded authorization failure message: {blob}"),
                "You are not authorized to perform this operation. Encoded authorization failure message: …",
            ),
            (
                "Signature expired: 20260101T000000Z is now earlier than 20260101T001500Z (20260101T003000Z - 15 min.)".to_owned(),
                "Signature expired: … is now earlier than … (… - ….)",
            ),
            (
                "Token expired: current date/time 1764080332 must be before the expiration date/time 1764080000".to_owned(),
                "Token expired: current date/time … must be before the expiration date/time …",
            ),
            (
                "timeout: error trying to connect: HTTP connect timeout occurred after 1s".to_owned(),
                "timeout: error trying to connect: HTTP connect timeout occurred after …",
            ),
            (
                "Cannot exceed quota for PoliciesPerRole: 10".to_owned(),
                "Cannot exceed quota for PoliciesPerRole: 10",
            ),
            (
                "Cannot exceed quota for RolesPerAccount: 1000 (Service: AmazonIdentityManagement; Status Code: 409; Error Code: \
                 LimitExceeded; Request ID: 0aa5a9a4-0a5e-4b4b-8c8c-0123456789ab; Proxy: null)"
                    .to_owned(),
                "Cannot exceed quota for RolesPerAccount: 1000 (Service: AmazonIdentityManagement; Status Code: 409; Error Code: \
                 LimitExceeded; Request ID …; Proxy: null)",
            ),
            (
                "policy arn:aws:iam::123456789012:policy/a/0aa5a9a4-0a5e-4b4b-8c8c-0123456789ab, version 2012-10-17,\n  of account \
                 123456789012"
                    .to_owned(),
                "policy arn:aws:iam::123456789012:policy/a/0aa5a9a4-0a5e-4b4b-8c8c-0123456789ab, version 2012-10-17, of account \
                 123456789012",
            ),
            (
                format!("arn:aws:iam::123456789012:role/{}", "a1".repeat(60)),
                &format!("arn:aws:iam::123456789012:role/{}", "a1".repeat(60)),
            ),
            (
                "can't open /proc/4711/token (pid 4711) at 10.1.2.3:443".to_owned(),
                "can't open /proc/…/token (pid …) at …",
            ),
        ];
        for (said, stays) in table {
            assert_eq!(steady(&said), stays);
        }
    }

    /// What changes, as AWS and the SDK write it, for a number.
    fn changing(kind: usize, n: u64) -> String {
        let (minute, second) = (n / 60 % 60, n % 60);
        match kind {
            0 => format!("20260101T00{minute:02}{second:02}Z"),
            1 => format!("2026-01-01T00:{minute:02}:{second:02}.{:03}Z", n % 1000),
            2 => format!("Thu, 01 Jan 2026 00:{minute:02}:{second:02} GMT"),
            3 => format!("{}", 1_764_000_000 + n % 1_000_000_000),
            4 => format!("{}", 1_764_000_000_000 + n % 1_000_000_000),
            5 => format!("Request ID: {n:08x}-0000-4000-8000-{:012x}", n * 7919),
            6 => format!("{:08x}-0000-4000-8000-{n:012x}", n * 31 % 0xffff_ffff),
            7 => format!("arn:aws:sts::123456789012:assumed-role/pinpoint/{n}"),
            8 => format!("AROAEXAMPLEEXAMPLE{}:session-{n}", 1),
            9 => format!("{}.{}s", n % 100, n % 10),
            10 => format!("{} ms", n % 5000),
            11 => format!(
                "Encoded authorization failure message: {}",
                format!("{n:x}Zz").repeat(60)
            ),
            12 => format!("{n:020}abcXYZ+/=").repeat(6),
            13 => format!("/proc/{n}/token"),
            _ => format!("10.0.{}.{}:443", n % 256, n / 256 % 256),
        }
    }

    proptest! {
        #[test]
        fn messages_that_differ_in_times_and_ids_are_one(
            parts in prop::collection::vec(("[a-zA-Z][a-zA-Z ]{0,20}", 0..15_usize, 0..4_000_000_u64, 0..4_000_000_u64), 1..6),
        ) {
            let message = |second: bool| {
                let text = |(words, kind, one, other): &(String, usize, u64, u64)| {
                    format!("{words} {} ", changing(*kind, if second { *other } else { *one }))
                };
                steady(&parts.iter().map(text).collect::<String>())
            };
            prop_assert_eq!(message(false), message(true));
        }
    }

    #[test]
    fn why_there_are_no_credentials_is_said_in_fixed_words() {
        fn sts(code: &str, message: &str) -> CredentialsError {
            let meta = ErrorMetadata::builder().code(code).message(message).build();
            CredentialsError::provider_error(AssumeRoleWithWebIdentityError::generic(meta))
        }
        let io = |kind| CredentialsError::provider_error(io::Error::from(kind));
        let table = [
            (
                CredentialsError::not_loaded_no_source(),
                "none of the places in which the AWS SDK looks has any",
            ),
            // Regression: the first place that its own list named was told as the source.
            (
                CredentialsError::not_loaded(
                    "no credentials found in chain. Attempted:\n  WebIdentityToken: it is not enabled",
                ),
                "none of the places in which the AWS SDK looks has any",
            ),
            (
                CredentialsError::provider_timed_out(std::time::Duration::from_millis(1234)),
                "they did not come in time",
            ),
            (
                sts(
                    "ExpiredTokenException",
                    "Token expired: current date/time 1764080332 must be before 1764080000",
                ),
                "they could not be got (the web identity token): STS answered ExpiredTokenException",
            ),
            (
                sts(
                    "AccessDenied",
                    "Not authorized to perform sts:AssumeRoleWithWebIdentity",
                ),
                "they could not be got (the web identity token): STS answered AccessDenied",
            ),
            (
                CredentialsError::provider_error("failed to load IMDS session token: timeout after 1.1s"),
                "they could not be got (the instance's metadata)",
            ),
            (
                CredentialsError::provider_error("the SSO token has expired and cannot be refreshed"),
                "they could not be got (SSO; `aws sso login` opens a new session)",
            ),
            (
                CredentialsError::invalid_configuration("profile `dev` was not defined: at 12:00"),
                "what says where to get them is not valid (profile dev)",
            ),
            (
                io(io::ErrorKind::NotFound),
                "they could not be got: a file is not there",
            ),
            (
                CredentialsError::provider_error(SessionRefused("assuming role r failed".to_owned())),
                "assuming role r failed",
            ),
        ];
        for (error, words) in table {
            let failed = SdkError::<aws_sdk_iam::operation::get_role::GetRoleError>::construction_failure(error);
            assert_eq!(of_credentials(&failed, None), words);
        }
    }
}
