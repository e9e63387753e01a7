//! The flags by which commands know the controller's rules.

use super::manifests::Rules;
use crate::{
    config::{File, GuardArgs},
    role::RolePath,
};

/// The controller's settings, as far as they say what a role may be.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct RuleArgs {
    /// The controller's settings file, whose rules then hold here too
    #[arg(long, env = "PIR_CONFIG", value_name = "FILE")]
    pub config: Option<String>,

    /// Namespace of manifests that name none; for export, of those that it prints
    #[arg(
        short = 'n',
        long,
        env = "PIR_NAMESPACE",
        value_name = "NAME",
        default_value = "default"
    )]
    namespace: String,

    /// The controller's --role-path
    #[arg(long, env = "PIR_ROLE_PATH", value_name = "PATH", default_value = "/")]
    role_path: String,

    #[command(flatten)]
    guards: GuardArgs,
}

impl RuleArgs {
    pub fn check(&self, file: File) -> Result<Rules, Vec<String>> {
        let role_path = RolePath::parse(&self.role_path).map_err(|why| vec![format!("--role-path: {why}")]);
        match (role_path, self.guards.check()) {
            (Ok(role_path), Ok(guards)) if file.problems.is_empty() => Ok(Rules {
                role_path,
                guards,
                namespace: self.namespace.clone(),
            }),
            (path, guards) => Err([
                file.problems,
                path.err().unwrap_or_default(),
                guards.err().unwrap_or_default(),
            ]
            .concat()),
        }
    }
}
