//! What the text of a flag may be. Each problem names the flag.

use std::{net::SocketAddr, ops::RangeInclusive, str::FromStr, time::Duration};

/// All that is wrong.
#[derive(Default)]
pub(super) struct Problems(pub Vec<String>);

impl Problems {
    pub(super) fn keep<T>(&mut self, checked: Result<T, String>) -> Option<T> {
        checked.map_err(|problem| self.0.push(problem)).ok()
    }

    pub(super) fn keep_all<T>(&mut self, checked: Result<T, Vec<String>>) -> Option<T> {
        checked.map_err(|problems| self.0.extend(problems)).ok()
    }
}

/// A Go duration within bounds, in seconds.
pub(super) fn duration(flag: &str, text: &str, bounds: RangeInclusive<u64>) -> Result<Duration, String> {
    crate::api::duration(text)
        .filter(|parsed| (Duration::from_secs(*bounds.start())..=Duration::from_secs(*bounds.end())).contains(parsed))
        .ok_or_else(|| {
            format!(
                "{flag} {text:?} is not a duration between {}s and {}s, such as 90s or 10m",
                bounds.start(),
                bounds.end()
            )
        })
}

/// Nothing, or a time that is not too short for a sweep.
pub(super) fn sweep_interval(text: &str) -> Result<Duration, String> {
    let flag = "--sweep-interval";
    duration(flag, text, 0..=0).or_else(|_| {
        let problem = |why| format!("{why}, nor 0s, which is for none");
        duration(flag, text, 15..=3600).map_err(problem)
    })
}

pub(super) fn number(flag: &str, text: &str, bounds: RangeInclusive<u32>) -> Result<u32, String> {
    let parsed = u32::from_str(text).ok().filter(|parsed| bounds.contains(parsed));
    parsed.ok_or_else(|| {
        format!(
            "{flag} {text:?} is not a number from {} to {}",
            bounds.start(),
            bounds.end()
        )
    })
}

pub(super) fn address(flag: &str, text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("{flag} {text:?} is not an IP address with a port, such as [::]:8080 or 0.0.0.0:8080"))
}

pub(super) fn one_of<T: Copy, const N: usize>(flag: &str, text: &str, choices: [(&str, T); N]) -> Result<T, String> {
    let found = choices.iter().find(|(name, _)| *name == text);
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        format!(
            "{flag} {text:?} is none of {}",
            choices.map(|(name, _)| name).join(", ")
        )
    })
}

/// A name of a namespace (RFC 1123 label).
pub(super) fn namespace(flag: &str, name: &str) -> Result<(), String> {
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 63 || !name.chars().all(sound) {
        return Err(format!(
            "{flag} {name:?} can't be the name of a namespace: 1 to 63 of a-z, 0-9 and -"
        ));
    }
    Ok(())
}

pub(super) fn cluster_id(id: &str) -> Result<(), String> {
    let sound = |c: char| c.is_ascii_alphanumeric() || "_.:/=+-@".contains(c);
    if id.is_empty() || id.len() > 256 || !id.chars().all(sound) {
        return Err(format!(
            "--cluster-id {id:?} can't be the value of a tag: 1 to 256 of letters, digits and _.:/=+-@"
        ));
    }
    Ok(())
}
