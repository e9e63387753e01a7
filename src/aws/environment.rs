//! The AWS SDK's own environment and profile, looked through before the SDK reads them: it panics at some of what may stand there, and
//! passes over the rest in silence, so that a mistyped endpoint would send the calls to AWS itself.
//!
//! Names and values: AWS SDKs and Tools reference guide, "Settings reference".

use std::{
    env,
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt,
    process::Command,
};

use aws_config::profile::{self, ProfileSet};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

use super::loopback::is_loopback;

/// Checks a value; the error says what to write.
type Check = fn(&str) -> Result<(), &'static str>;

/// Settings by their variable and their key in a profile.
const SETTINGS: [(&str, &str, Check); 10] = [
    ("AWS_MAX_ATTEMPTS", "max_attempts", attempts),
    ("AWS_RETRY_MODE", "retry_mode", retry_mode),
    ("AWS_REGION", "region", region),
    ("AWS_DEFAULT_REGION", "region", region),
    ("AWS_ENDPOINT_URL", "endpoint_url", private_url),
    ("AWS_ENDPOINT_URL_IAM", "", url),
    ("AWS_ENDPOINT_URL_STS", "", private_url),
    ("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint", yes_or_no),
    ("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint", yes_or_no),
    (
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "ignore_configured_endpoint_urls",
        yes_or_no,
    ),
];

/// Makes sure that the SDK's environment can be used. A variable that is set to nothing is taken for one that isn't set: the SDK takes
/// some of them for values, so this program then starts anew without them, as the same process.
///
/// # Errors
/// What is wrong, and what to write, one sentence each.
pub fn check_environment() -> Result<(), Vec<String>> {
    let blank: Vec<OsString> = env::vars_os()
        .filter(|(name, value)| is_of_aws(name) && value.to_str().is_some_and(|value| value.trim().is_empty()))
        .map(|(name, _)| name)
        .collect();
    if !blank.is_empty() {
        return Err(vec![without(&blank)]);
    }
    let mut problems = problems_of_variables(env::vars_os());
    if problems.is_empty() {
        problems = profile().map_or_else(Vec::new, |profile| {
            problems_of_profile(profile.selected_profile(), |key| profile.get(key))
        });
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn is_of_aws(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("AWS_"))
}

/// Starts this program anew without these variables. It comes back only with the reason why that is not possible.
fn without(blank: &[OsString]) -> String {
    let names: Vec<_> = blank.iter().map(|name| name.to_string_lossy()).collect();
    let why = match env::current_exe() {
        Ok(program) => {
            let mut again = Command::new(program);
            again.args(env::args_os().skip(1));
            for name in blank {
                again.env_remove(name);
            }
            again.exec()
        }
        Err(why) => why,
    };
    format!(
        "{} set to nothing, and the program can't start anew without: {why}; unset it",
        names.join(", ")
    )
}

fn problems_of_variables(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, value) in variables.filter(|(name, _)| is_of_aws(name)) {
        let name = name.to_string_lossy();
        let Some(value) = value.to_str() else {
            problems.push(format!("{name} is not UTF-8: write it anew, or unset it"));
            continue;
        };
        let check = SETTINGS.iter().find(|(variable, ..)| *variable == name);
        let check = check.map(|(.., check)| *check);
        // There is one of these for each service.
        let check = check.or_else(|| name.starts_with("AWS_ENDPOINT_URL_").then_some(private_url as Check));
        if let Some(Err(wanted)) = check.map(|check| check(value)) {
            problems.push(format!("{name} is {value:?}: write {wanted}, or unset it"));
        }
    }
    problems
}

/// The profile that is chosen. Files that can't be read are none; where credentials should come from them, asking for these says so.
fn profile() -> Option<ProfileSet> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    let (files, environment, chosen) = (Fs::real(), Env::real(), EnvConfigFiles::default());
    runtime
        .block_on(profile::load(&files, &environment, &chosen, None))
        .ok()
}

fn problems_of_profile<'a>(name: &str, value: impl Fn(&str) -> Option<&'a str>) -> Vec<String> {
    let mut settings: Vec<_> = SETTINGS.iter().filter(|(_, key, _)| !key.is_empty()).collect();
    settings.dedup_by_key(|(_, key, _)| *key);
    let problem = |(_, key, check): &(&str, &str, Check)| {
        let value = value(key)?;
        let wanted = check(value).err()?;
        Some(format!(
            "{key} of the AWS profile {name:?} is {value:?}: write {wanted}, or take it out"
        ))
    };
    settings.into_iter().filter_map(problem).collect()
}

fn attempts(value: &str) -> Result<(), &'static str> {
    let sound = value.parse::<u32>().is_ok_and(|attempts| attempts > 0);
    if sound {
        Ok(())
    } else {
        Err("a number of attempts, 1 or more")
    }
}

fn retry_mode(value: &str) -> Result<(), &'static str> {
    let sound = ["standard", "adaptive"]
        .iter()
        .any(|mode| value.trim().eq_ignore_ascii_case(mode));
    if sound { Ok(()) } else { Err("standard or adaptive") }
}

fn region(value: &str) -> Result<(), &'static str> {
    // It becomes part of a host's name.
    let sound = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    let ends = |c: char| c == '-';
    if (1..=63).contains(&value.len()) && value.bytes().all(sound) && !value.starts_with(ends) && !value.ends_with(ends)
    {
        Ok(())
    } else {
        Err("a region, such as us-east-1")
    }
}

fn url(value: &str) -> Result<(), &'static str> {
    let after = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://"));
    let host = after.and_then(|after| after.split(['/', '?', '#']).next());
    let sound = host.is_some_and(|host| !host.is_empty() && !host.starts_with(':'))
        && value.bytes().all(|b| b.is_ascii_graphic());
    if sound {
        Ok(())
    } else {
        Err("a URL, such as https://iam.amazonaws.com")
    }
}

/// The URL of what the SDK's own clients of STS, SSO and sign-in talk to, which get tokens: in clear text on loopback only. That of IAM is
/// held to the same at each call.
fn private_url(value: &str) -> Result<(), &'static str> {
    url(value)?;
    if value.strip_prefix("http://").is_none_or(is_loopback) {
        Ok(())
    } else {
        Err("a URL that begins with https://, since http:// is for loopback only")
    }
}

fn yes_or_no(value: &str) -> Result<(), &'static str> {
    let sound = ["true", "false"].iter().any(|word| value.eq_ignore_ascii_case(word));
    if sound { Ok(()) } else { Err("true or false") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_sdk_would_panic_at_or_pass_over_is_said() {
        let bad = [
            ("AWS_MAX_ATTEMPTS", &["0", "-1", "many", "1.5", "4294967296"][..]),
            ("AWS_RETRY_MODE", &["foo", "legacy"]),
            ("AWS_REGION", &["us east 1", "US-EAST-1", "us-east-1.evil.example", "-"]),
            ("AWS_DEFAULT_REGION", &["us_east_1"]),
            (
                "AWS_ENDPOINT_URL",
                &["localhost:80", "ftp://a", "https://", "http://:80"],
            ),
            ("AWS_ENDPOINT_URL_IAM", &["https:/a", "https://a b"]),
            ("AWS_ENDPOINT_URL_STS", &["http://192.0.2.1"]),
            ("AWS_ENDPOINT_URL_SSO_OIDC", &["x", "http://sso.example"]),
            ("AWS_USE_FIPS_ENDPOINT", &["yes"]),
        ];
        for (name, values) in bad {
            for value in values {
                let problems = problems_of_variables([(name.into(), value.into())].into_iter());
                assert_eq!(problems.len(), 1, "{name}={value}");
                assert!(
                    problems[0].starts_with(name) && problems[0].contains(value) && problems[0].contains("write"),
                    "{problems:?}"
                );
            }
        }
        let good = [
            ("AWS_MAX_ATTEMPTS", "1"),
            ("AWS_RETRY_MODE", "Adaptive"),
            ("AWS_REGION", "us-gov-west-1"),
            ("AWS_ENDPOINT_URL_IAM", "http://127.0.0.1:5000"),
            ("AWS_ENDPOINT_URL", "https://[fd00::1]:443/x"),
            ("AWS_USE_FIPS_ENDPOINT", "TRUE"),
            ("AWS_PROFILE", "anything at all"),
            ("OTHER", ""),
        ];
        let good = good.map(|(name, value)| (name.into(), value.into()));
        assert_eq!(problems_of_variables(good.into_iter()), Vec::<String>::new());
    }

    #[test]
    fn a_profile_is_held_to_the_same() {
        let problems = problems_of_profile("dev", |key| (key == "max_attempts" || key == "region").then_some(""));
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(
            problems[0].contains("max_attempts of the AWS profile \"dev\""),
            "{problems:?}"
        );
    }
}
