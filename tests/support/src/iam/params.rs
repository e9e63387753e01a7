//! Parameters of a call, checked as the service model of IAM has them (length, pattern, range).

use std::collections::BTreeMap;

use super::state::ApiError;

/// The parameters of one call.
pub(crate) struct Params<'a>(pub(crate) &'a BTreeMap<String, String>);

fn constraint(value: &str, at: &str, what: &str) -> ApiError {
    ApiError::validation(format!(
        "1 validation error detected: Value {value} at '{at}' failed to satisfy constraint: {what}"
    ))
}

/// `RoleName` is `roleName` in messages.
fn label(name: &str) -> String {
    let mut chars = name.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn length(value: &str, at: &str, min: usize, max: usize) -> Result<(), ApiError> {
    let count = value.chars().count();
    let quoted = format!("'{value}'");
    if count < min {
        let what = format!("Member must have length greater than or equal to {min}");
        return Err(constraint(&quoted, at, &what));
    }
    if count > max {
        let what = format!("Member must have length less than or equal to {max}");
        return Err(constraint(&quoted, at, &what));
    }
    Ok(())
}

fn pattern(value: &str, at: &str, regex: &str, fits: fn(char) -> bool) -> Result<(), ApiError> {
    if value.chars().all(fits) {
        return Ok(());
    }
    let what = format!("Member must satisfy regular expression pattern: {regex}");
    Err(constraint(&format!("'{value}'"), at, &what))
}

fn name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

/// `[\p{L}\p{Z}\p{N}_.:/=+\-@]`, as near as the standard library's classes come.
fn tag_char(c: char) -> bool {
    c.is_alphabetic() || c.is_numeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c)
}

fn latin1_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{A1}'..='\u{FF}')
}

fn document_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FF}')
}

impl Params<'_> {
    pub(crate) fn optional(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.optional(name)
            .ok_or_else(|| constraint("null", &label(name), "Member must not be null"))
    }

    fn name(&self, param: &str, max: usize) -> Result<&str, ApiError> {
        let value = self.required(param)?;
        length(value, &label(param), 1, max)?;
        if !value.chars().all(name_char) {
            return Err(ApiError::validation(format!(
                "The specified value for {} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-",
                label(param)
            )));
        }
        Ok(value)
    }

    pub(crate) fn role_name(&self) -> Result<&str, ApiError> {
        self.name("RoleName", 64)
    }

    pub(crate) fn policy_name(&self) -> Result<&str, ApiError> {
        self.name("PolicyName", 128)
    }

    pub(crate) fn profile_name(&self) -> Result<&str, ApiError> {
        self.name("InstanceProfileName", 128)
    }

    pub(crate) fn document(&self, name: &str) -> Result<&str, ApiError> {
        let value = self.required(name)?;
        length(value, &label(name), 1, 131_072)?;
        let regex = r"[\u0009\u000A\u000D\u0020-\u00FF]+";
        pattern(value, &label(name), regex, document_char)?;
        Ok(value)
    }

    /// The path, `/` without one.
    pub(crate) fn path(&self) -> Result<&str, ApiError> {
        let Some(path) = self.optional("Path") else {
            return Ok("/");
        };
        length(path, "path", 1, 512)?;
        let inner = path.strip_prefix('/').and_then(|p| p.strip_suffix('/'));
        let good = path == "/" || inner.is_some_and(|p| !p.is_empty() && p.chars().all(|c| c.is_ascii_graphic()));
        if !good || path.contains("//") {
            return Err(ApiError::validation(
                "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.",
            ));
        }
        Ok(path)
    }

    pub(crate) fn path_prefix(&self) -> Result<&str, ApiError> {
        let Some(prefix) = self.optional("PathPrefix") else {
            return Ok("/");
        };
        length(prefix, "pathPrefix", 1, 512)?;
        if !prefix.starts_with('/') {
            return Err(ApiError::validation(
                "The specified value for pathPrefix is invalid. It must begin with / and contain only alphanumeric characters and/or / characters.",
            ));
        }
        Ok(prefix)
    }

    pub(crate) fn description(&self) -> Result<Option<String>, ApiError> {
        let Some(value) = self.optional("Description") else {
            return Ok(None);
        };
        length(value, "description", 0, 1000)?;
        let regex = r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*";
        pattern(value, "description", regex, latin1_char)?;
        Ok(Some(value.to_owned()))
    }

    fn number(&self, name: &str, min: u32, max: u32) -> Result<Option<u32>, ApiError> {
        let Some(text) = self.optional(name) else {
            return Ok(None);
        };
        let value: i64 = text
            .parse()
            .map_err(|_| ApiError::new(400, "MalformedInput", format!("Invalid Argument: {name}")))?;
        let bound = if value < i64::from(min) {
            format!("Member must have value greater than or equal to {min}")
        } else if value > i64::from(max) {
            format!("Member must have value less than or equal to {max}")
        } else {
            return Ok(u32::try_from(value).ok());
        };
        Err(constraint(&format!("'{value}'"), &label(name), &bound))
    }

    pub(crate) fn max_session_duration(&self) -> Result<Option<u32>, ApiError> {
        self.number("MaxSessionDuration", 3600, 43_200)
    }

    pub(crate) fn max_items(&self) -> Result<Option<usize>, ApiError> {
        Ok(self.number("MaxItems", 1, 1000)?.map(|n| n as usize))
    }

    /// An ARN of a managed policy.
    pub(crate) fn policy_arn(&self, name: &str) -> Result<&str, ApiError> {
        let arn = self.required(name)?;
        length(arn, &label(name), 20, 2048)?;
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let good = matches!(parts[..], ["arn", _, "iam", "", _, rest] if rest.starts_with("policy/"));
        if good {
            Ok(arn)
        } else {
            Err(ApiError::invalid_input(format!("ARN {arn} is not valid.")))
        }
    }

    pub(crate) fn permissions_boundary(&self) -> Result<Option<&str>, ApiError> {
        let name = "PermissionsBoundary";
        self.optional(name).map(|_| self.policy_arn(name)).transpose()
    }

    /// `Name.member.1…`, whose numbers must have no gap.
    fn members(&self, list: &str, field: &str) -> Vec<Option<&str>> {
        let prefix = format!("{list}.member.");
        let highest = self
            .0
            .keys()
            .filter_map(|key| key.strip_prefix(&prefix)?.split('.').next()?.parse().ok())
            .max()
            .unwrap_or(0);
        (1..=highest)
            .map(|n: usize| self.optional(&format!("{prefix}{n}{field}")))
            .collect()
    }

    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        self.members(name, "").into_iter().flatten().collect()
    }

    /// The tags of `CreateRole` or `TagRole`.
    pub(crate) fn tags(&self) -> Result<Vec<(String, String)>, ApiError> {
        let keys = self.members("Tags", ".Key");
        let values = self.members("Tags", ".Value");
        if keys.len() > 50 {
            let what = "Member must have length less than or equal to 50";
            return Err(constraint(&format!("'[{} tags]'", keys.len()), "tags", what));
        }
        let mut tags: Vec<(String, String)> = Vec::with_capacity(keys.len());
        for (i, (key, value)) in keys.into_iter().zip(values).enumerate() {
            let at = |field: &str| format!("tags.{}.member.{field}", i + 1);
            let null = |field: &str| constraint("null", &at(field), "Member must not be null");
            let key = key.ok_or_else(|| null("key"))?;
            let value = value.ok_or_else(|| null("value"))?;
            check_tag_key(key, &at("key"))?;
            length(value, &at("value"), 0, 256)?;
            pattern(value, &at("value"), r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", tag_char)?;
            if tags.iter().any(|(k, _)| k.to_lowercase() == key.to_lowercase()) {
                return Err(ApiError::invalid_input(
                    "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
                ));
            }
            tags.push((key.to_owned(), value.to_owned()));
        }
        for (key, _) in &tags {
            refuse_reserved(key)?;
        }
        Ok(tags)
    }

    pub(crate) fn tag_keys(&self) -> Result<Vec<&str>, ApiError> {
        let keys = self.list("TagKeys");
        if keys.len() > 50 {
            let what = "Member must have length less than or equal to 50";
            return Err(constraint(&format!("'[{} keys]'", keys.len()), "tagKeys", what));
        }
        for key in &keys {
            check_tag_key(key, "tagKeys")?;
            refuse_reserved(key)?;
        }
        Ok(keys)
    }

    /// For `TagRole` and `UntagRole`, whose list is required.
    pub(crate) fn require_members(&self, list: &str) -> Result<(), ApiError> {
        let prefix = format!("{list}.member.");
        // A list given empty is sent as `Tags=`.
        if self.0.contains_key(list) || self.0.keys().any(|key| key.starts_with(&prefix)) {
            return Ok(());
        }
        Err(constraint("null", &label(list), "Member must not be null"))
    }
}

fn check_tag_key(key: &str, at: &str) -> Result<(), ApiError> {
    length(key, at, 1, 128)?;
    pattern(key, at, r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+", tag_char)
}

fn refuse_reserved(key: &str) -> Result<(), ApiError> {
    if key.to_lowercase().starts_with("aws:") {
        return Err(ApiError::invalid_input(format!(
            "Tag key {key} is not allowed: keys that start with 'aws:' are reserved for system use."
        )));
    }
    Ok(())
}
