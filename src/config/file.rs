//! The settings file: flags by another way, and the accounts, which no flag could hold.

use std::collections::BTreeMap;

use clap::Command;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    aws::{AccountAccess, AssumedRole, ExternalId, QueueUrl},
    role::{Account, Patterns, name::is_account_id, spelling::nearest},
};

/// A settings file.
#[derive(Clone, Debug, Default)]
pub struct File {
    /// Values of flags, by their names without dashes.
    pub flags: BTreeMap<String, Vec<String>>,
    /// Other accounts, by their id.
    pub accounts: BTreeMap<String, AccountAccess>,
    /// What is wrong with the file, one line each.
    pub problems: Vec<String>,
}

/// An account as the file has it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    role: String,
    external_id: Option<ExternalId>,
    change_queue: Option<String>,
    namespaces: Vec<String>,
}

impl File {
    /// Reads a file. `command` knows the flags.
    ///
    /// # Errors
    /// The file can't be read, or is no YAML map.
    pub fn read(path: &str, command: &Command) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|why| format!("--config {path}: can't be read: {why}"))?;
        let names: Vec<&str> = command.get_arguments().filter_map(clap::Arg::get_long).collect();
        Self::parse(&text, &names).map_err(|why| format!("--config {path}: {why}"))
    }

    fn parse(text: &str, flags: &[&str]) -> Result<Self, String> {
        let written: BTreeMap<String, Value> = serde_saphyr::from_str(text).map_err(|why| {
            let words = why.without_snippet().to_string();
            format!(
                "is not a YAML map of settings: {}",
                words.lines().next().unwrap_or_default()
            )
        })?;
        let known: Vec<&str> = flags
            .iter()
            .copied()
            .filter(|flag| *flag != "config")
            .chain(["accounts"])
            .collect();
        let mut file = Self::default();
        for (name, value) in written {
            if name == "accounts" {
                file.take_accounts(&value);
            } else if !known.contains(&name.as_str()) {
                let hint = nearest(&name, &known).map_or(String::new(), |near| format!("; did you mean {near}?"));
                file.problems
                    .push(format!("settings file: there is no setting {name:?}{hint}"));
            } else if let Some(values) = texts(&value) {
                file.flags.insert(name, values);
            } else {
                file.problems.push(format!(
                    "settings file: {name} is neither a text, a number, true or false, nor a list of them"
                ));
            }
        }
        Ok(file)
    }

    fn take_accounts(&mut self, value: &Value) {
        let Some(accounts) = value.as_object() else {
            self.problems
                .push("settings file: accounts is not a map from account ids to roles".to_owned());
            return;
        };
        for (id, value) in accounts {
            match access(id, value) {
                Ok(access) => {
                    self.accounts.insert(id.clone(), access);
                }
                Err(why) => self.problems.push(format!("settings file: accounts: {id}: {why}")),
            }
        }
    }

    /// The command with the file's values as defaults of its flags, so that flags and environment come before them.
    #[must_use]
    pub fn as_defaults(&self, command: Command) -> Command {
        command.mut_args(|arg| match arg.get_long().and_then(|name| self.flags.get(name)) {
            Some(values) => arg.default_values(values),
            None => arg,
        })
    }
}

fn access(id: &str, value: &Value) -> Result<AccountAccess, String> {
    if !is_account_id(id) {
        return Err("an account id has 12 digits (put it in quotes)".to_owned());
    }
    let written: Written = serde_json::from_value(value.clone())
        .map_err(|why| format!("{why}; an account has role, namespaces, and perhaps external-id and change-queue"))?;
    let account = Account::of_arn(&written.role)
        .ok()
        .filter(|_| written.role.contains(":role/"));
    let account = account.ok_or_else(|| format!("role {:?} is not the ARN of a role", written.role))?;
    if account.id != id {
        return Err(format!("role {:?} lies in another account", written.role));
    }
    let namespaces = Patterns::new(&written.namespaces);
    if namespaces == Patterns::default() {
        return Err("namespaces is empty, so that nobody may use the account; \"*\" is for all".to_owned());
    }
    let queue = written.change_queue.as_deref().map(QueueUrl::parse).transpose();
    let change_queue = queue.map_err(|why| format!("change-queue {why}"))?;
    let role = AssumedRole {
        arn: written.role,
        external_id: written.external_id,
    };
    Ok(AccountAccess {
        account,
        role,
        change_queue,
        namespaces,
    })
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Number(_) | Value::Bool(_) => Some(vec![value.to_string()]),
        Value::Array(many) if many.iter().all(|one| !one.is_array()) => {
            let all: Option<Vec<_>> = many.iter().map(texts).collect();
            // An empty list is a value too: `adoption-namespaces: []` allows none.
            Some(all?.concat()).map(|all| if all.is_empty() { vec![String::new()] } else { all })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: [&str; 4] = ["config", "resync-interval", "iam-burst", "allowed-policy-arns"];

    #[test]
    fn a_file_has_flags_and_accounts() {
        let text = "
resync-interval: 5m
iam-burst: 7
allowed-policy-arns: ['arn:*:iam::aws:policy/AmazonS3*', b]
accounts:
  '222233334444': {role: 'arn:aws:iam::222233334444:role/a/pir', external-id: x, namespaces: [team-b],
    change-queue: 'arn:aws:sqs:us-east-1:222233334444:q'}
  055566667777: {role: 'arn:aws-cn:iam::055566667777:role/pir', namespaces: ['*']}
";
        let file = File::parse(text, &FLAGS).unwrap();
        assert!(file.problems.is_empty(), "{:?}", file.problems);
        assert_eq!(file.flags["resync-interval"], ["5m"]);
        assert_eq!(file.flags["iam-burst"], ["7"]);
        assert_eq!(file.flags["allowed-policy-arns"].len(), 2);
        let access = &file.accounts["222233334444"];
        assert!(
            access.role.external_id.is_some()
                && access.role
                    != AssumedRole {
                        external_id: None,
                        ..access.role.clone()
                    }
        );
        assert!(access.namespaces.fit("team-b") && !access.namespaces.fit("team-c"));
        let queue = access.change_queue.as_ref().unwrap();
        assert_eq!(queue.to_string(), "https://sqs.us-east-1.amazonaws.com/222233334444/q");
        assert_eq!(file.accounts["055566667777"].account.partition, "aws-cn");
    }

    #[test]
    fn an_external_id_is_never_printed() {
        let account = |id: &str| {
            format!(
                "accounts:\n  '222233334444': {{role: 'arn:aws:iam::222233334444:role/a', namespaces: [a], external-id: {id}}}"
            )
        };
        let file = File::parse(&account("'s3cr3t'"), &FLAGS).unwrap();
        assert!(file.accounts["222233334444"].role.external_id.is_some() && file.problems.is_empty());
        assert!(!format!("{file:?}").contains("s3cr3t"), "{file:?}");
        for wrong in ["4711", "[s3cr3t]", "{s3cr3t: a}"] {
            let problems = File::parse(&account(wrong), &FLAGS).unwrap().problems.join("");
            assert!(problems.contains("put it in quotes"), "{problems}");
            assert!(!problems.contains("s3cr3t") && !problems.contains("4711"), "{problems}");
        }
    }

    #[test]
    fn all_that_is_wrong_with_a_file_is_said_at_once() {
        let text = "
resinc-interval: 5m
config: other.yaml
iam-burst: {a: b}
accounts:
  '1': {role: x, namespaces: [a]}
  '222233334444': {role: 'arn:aws:iam::999999999999:role/a', namespaces: [a]}
  '333333333333': {role: 'arn:aws:iam::333333333333:policy/a', namespaces: [a]}
  '444444444444': {role: 'arn:aws:iam::444444444444:role/a', namespaces: []}
  '555555555555': {role: 'arn:aws:iam::555555555555:role/a', namespaces: [a], externalId: b}
  '666666666666': {role: 'arn:aws:iam::666666666666:role/a', namespaces: [a], change-queue: b}
";
        let problems = File::parse(text, &FLAGS).unwrap().problems.join("\n");
        for words in [
            "did you mean resync-interval?",
            "no setting \"config\"",
            "iam-burst is neither",
            "12 digits",
            "another account",
            "not the ARN of a role",
            "nobody may use",
            "unknown field `externalId`",
            "change-queue \"b\" is neither",
        ] {
            assert!(problems.contains(words), "{words}: {problems}");
        }
        assert!(File::parse("- a", &FLAGS).is_err());
        assert!(File::parse("a: b\na: c", &FLAGS).is_err());
    }
}

#[cfg(test)]
mod fuzz {
    use proptest::{
        collection::vec,
        prelude::*,
        sample::{Index, select},
    };
    use test_support::search::search;

    use super::*;

    const SAMPLE: &str = "resync-interval: 5m\niam-burst: 7\nallowed-policy-arns: ['arn:*:iam::aws:policy/AmazonS3*', b]\naccounts:\n  \
        '222233334444': {role: 'arn:aws:iam::222233334444:role/a/pir', external-id: x, namespaces: [team-b]}\n";

    /// Whatever became of a settings file: it is refused, or each of its settings is a flag or is said to be none.
    #[test]
    fn no_torn_file_makes_it_stumble() {
        const FLAGS: [&str; 4] = ["config", "resync-interval", "iam-burst", "allowed-policy-arns"];
        let odd = vec![
            "", "\n", "  ", ": ", "{", "}", "[", "]", "&a ", "*a", "!x ", "'", "\"", "#", "---\n", "\u{0}", "𝄞", "~",
            "1e3", "<<: ",
        ];
        let tears = vec((any::<Index>(), select(odd), 0_usize..4), 0..5);
        search("settings files", 600, &tears, |tears| {
            let mut all: Vec<char> = SAMPLE.chars().collect();
            for (at, into, gone) in tears {
                let at = at.index(all.len() + 1);
                all.splice(at..(at + gone).min(all.len()), into.chars());
            }
            let text: String = all.into_iter().collect();
            if let Ok(file) = File::parse(&text, &FLAGS) {
                prop_assert!(
                    file.flags.keys().all(|name| FLAGS[1..].contains(&name.as_str())),
                    "{file:?}"
                );
                prop_assert!(
                    file.accounts.iter().all(|(id, access)| *id == access.account.id),
                    "{file:?}"
                );
            }
            Ok(())
        });
    }
}
