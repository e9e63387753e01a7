//! The flags by which commands know the controller's rules.

use super::manifests::Rules;
use crate::config::{File, RoleArgs};

/// Flags of commands that judge manifests as the controller would.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct RuleArgs {
    #[command(flatten)]
    pub roles: RoleArgs,

    /// Namespace of manifests that name none; for export, of those that it prints
    #[arg(
        short = 'n',
        long,
        env = "PIR_NAMESPACE",
        value_name = "NAME",
        default_value = "default"
    )]
    namespace: String,
}

impl RuleArgs {
    pub(super) fn check(&self, file: File) -> Result<Rules, Vec<String>> {
        match self.roles.check() {
            Ok((role_path, guards)) if file.problems.is_empty() => Ok(Rules {
                role_path,
                guards,
                namespace: self.namespace.clone(),
            }),
            roles => Err([file.problems, roles.err().unwrap_or_default()].concat()),
        }
    }
}
