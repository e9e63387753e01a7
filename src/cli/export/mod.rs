//! `export`: manifests that adopt existing roles as they are.

mod manifest;

use std::{collections::BTreeSet, process::ExitCode, sync::Arc};

use clap::{Args, builder::FalseyValueParser};

use self::manifest::manifest;
use super::{
    ending::{finish, refuse},
    iam::{Calls, iam, progress},
    medium::{Yaml, print, say},
    rules::RuleArgs,
};
use crate::{
    aws::Iam,
    config::{BudgetArgs, File},
    role::{ObservedRole, Owner, review::exposure::exposure},
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

    #[command(flatten)]
    pub(super) rules: RuleArgs,

    #[command(flatten)]
    budget: BudgetArgs,
}

/// Prints the manifests. What can't be exported, or not as it is, is said, and makes the exit code 1.
pub(super) fn export(args: &ExportArgs, file: File) -> ExitCode {
    let rules = match args.rules.check(file) {
        Ok(rules) => rules,
        Err(problems) => return refuse(&problems),
    };
    finish(async {
        let calls = Arc::new(Calls::default());
        let iam = iam(&args.budget, &calls).await?;
        let account = iam.account().await.map_err(|failure| failure.message)?;
        let found = if args.all {
            all(&iam).await?
        } else {
            named(&iam, &args.roles).await?
        };
        let mut names = BTreeSet::new();
        let mut failed = 0;
        for role in &found {
            match manifest(role, &account, &rules, &mut names) {
                Ok(manifest) => {
                    print(&manifest.text)?;
                    for remark in &manifest.remarks {
                        say(format_args!("warning: role {}: {remark}", role.head.name));
                    }
                    failed += usize::from(!manifest.remarks.is_empty());
                }
                Err(why) => {
                    let mut yaml = Yaml::default();
                    yaml.comment(format_args!("{} is not exported: {why}", role.head.name));
                    print(&yaml.document(None)?)?;
                    say(format_args!("error: role {} can't be exported: {why}", role.head.name));
                    failed += 1;
                }
            }
        }
        say(format_args!(
            "{} of {} roles exported as they are",
            found.len() - failed,
            found.len()
        ));
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
    let mut sweep = iam.sweep(progress()).await.map_err(|failure| failure.message)?;
    iam.complete(&mut sweep).await.map_err(|failure| failure.message)?;
    let trusting = sweep.roles.values().filter(|swept| exposure(swept, &sweep).is_some());
    let unowned = trusting.filter(|swept| Owner::of(&swept.role.head).is_none());
    Ok(unowned.map(|swept| swept.role.clone()).collect())
}
