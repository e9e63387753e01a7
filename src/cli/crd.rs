//! `crd`: prints the custom resource definition.

use std::process::ExitCode;

use super::{
    ending::refuse,
    medium::{Rendered, print},
};
use crate::api::v1alpha1;

/// Prints it as YAML.
pub(super) fn crd() -> ExitCode {
    match v1alpha1::crd_yaml().and_then(|yaml| print(&Rendered::of_ours(yaml))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => refuse(&[format!("the CRD can't be printed: {why}")]),
    }
}
