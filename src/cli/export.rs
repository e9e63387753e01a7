//! `export`: manifests that adopt existing roles as they are.

use std::{collections::BTreeSet, io::IsTerminal, process::ExitCode, sync::Arc};

use clap::{Args, builder::FalseyValueParser};
use serde_json::{Value, json};

use super::cloud::{Calls, IamArgs, finish};
use crate::{
    aws::Iam,
    role::{Account, ObservedRole, export::export as exported, exposure::exposure},
};

/// Flags of `export`.
#[derive(Args, Clone, Debug)]
pub(super) struct ExportArgs {
    /// Names of the roles
    #[arg(value_name = "ROLE", required_unless_present = "all")]
    roles: Vec<String>,

    /// Every role of the account that trusts Pinpoint and belongs to no object yet, as `audit` finds them
    #[arg(long, env = "PIR_ALL", value_parser = FalseyValueParser::new(), conflicts_with = "roles")]
    all: bool,

    /// Namespace of the objects
    #[arg(
        short = 'n',
        long,
        env = "PIR_NAMESPACE",
        value_name = "NAME",
        default_value = "default"
    )]
    namespace: String,

    #[command(flatten)]
    iam: IamArgs,
}

/// Prints the manifests. What can't be exported, or not as it is, is said, and makes the exit code 1.
pub(super) fn export(args: &ExportArgs) -> ExitCode {
    finish(async {
        let calls = Arc::new(Calls::default());
        let iam = args.iam.iam(&calls).await;
        let account = iam.account().await.map_err(|failure| failure.message)?;
        let roles = if args.all {
            all(&iam).await?
        } else {
            named(&iam, &args.roles).await?
        };
        let mut names = BTreeSet::new();
        let mut failed = 0;
        for role in &roles {
            match manifest(role, &account, &args.namespace, &mut names) {
                Ok((text, whole)) => {
                    super::print(&text)?;
                    failed += usize::from(!whole);
                }
                Err(why) => {
                    super::print(&format!("---\n# {} is not exported: {why}\n", role.head.name))?;
                    eprintln!("error: role {} can't be exported: {why}", role.head.name);
                    failed += 1;
                }
            }
        }
        eprintln!("{} of {} roles exported as they are", roles.len() - failed, roles.len());
        Ok(if failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    })
}

async fn named(iam: &Iam, names: &[String]) -> Result<Vec<ObservedRole>, String> {
    let mut roles = Vec::new();
    for name in names {
        let head = iam.head(name).await.map_err(|failure| failure.message)?;
        let head = head.ok_or_else(|| {
            format!("there is no role {name} in this account: see `audit` for those that trust Pinpoint")
        })?;
        roles.push(iam.policies(head, |_| true).await.map_err(|failure| failure.message)?);
    }
    Ok(roles)
}

async fn all(iam: &Iam) -> Result<Vec<ObservedRole>, String> {
    let mut sweep = iam.sweep(progress).await.map_err(|failure| failure.message)?;
    iam.complete(&mut sweep).await.map_err(|failure| failure.message)?;
    let trusting = sweep.roles.values().filter(|swept| exposure(swept, &sweep).is_some());
    let unowned = trusting.filter(|swept| crate::role::Owner::of(&swept.role.head).is_none());
    Ok(unowned.map(|swept| swept.role.clone()).collect())
}

/// Says how far a long reading is, on a line that is written over.
pub(super) fn progress(roles: usize) {
    if std::io::stderr().is_terminal() {
        eprint!("\r{roles} roles read");
    } else if roles.is_multiple_of(1000) {
        eprintln!("{roles} roles read");
    }
}

/// A manifest with what is to be said about it, and whether it says all of the role.
fn manifest(
    role: &ObservedRole,
    account: &Account,
    namespace: &str,
    names: &mut BTreeSet<String>,
) -> Result<(String, bool), String> {
    let exported = exported(role, account)?;
    let object: Value = json!({
        "apiVersion": "pinpoint-import.dev/v1alpha1",
        "kind": "PinpointImportRole",
        "metadata": {"name": object_name(&role.head.name, names), "namespace": namespace},
        "spec": exported.spec,
    });
    let yaml = serde_saphyr::to_string(&object).map_err(|why| why.to_string())?;
    let mut comments = vec![role.head.arn.clone()];
    comments.extend(exported.left);
    for unsaid in &exported.unsaid {
        comments.push(format!(
            "NOT AS IT IS, so suspended until you decide; applying it would end this: {unsaid}"
        ));
        eprintln!(
            "warning: role {}: the manifest can't say this: {unsaid}",
            role.head.name
        );
    }
    let comments: String = comments
        .iter()
        .flat_map(|comment| ["# ".to_owned(), one_line(comment), "\n".to_owned()])
        .collect();
    Ok((format!("---\n{comments}{yaml}"), exported.unsaid.is_empty()))
}

/// Text from others can't get out of its comment.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// A name for the object: the role's, as far as Kubernetes takes it, and not twice.
fn object_name(role: &str, names: &mut BTreeSet<String>) -> String {
    let lower = role.to_lowercase();
    let dashed: String = lower
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let trimmed = dashed.trim_matches('-');
    let base = if trimmed.is_empty() { "role" } else { trimmed };
    let mut name = base.to_owned();
    let mut count = 2;
    while !names.insert(name.clone()) {
        name = format!("{base}-{count}");
        count += 1;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_objects_are_names_and_differ() {
        let mut names = BTreeSet::new();
        let all: Vec<String> = ["Team_A.Import", "team-a-import", "+++", "x"]
            .map(|role| object_name(role, &mut names))
            .into();
        assert_eq!(all, ["team-a-import", "team-a-import-2", "role", "x"]);
    }
}
