//! `crd`: prints the custom resource definition.

use std::{io::Write, process::ExitCode};

use crate::api::v1alpha1;

/// Prints it as YAML.
pub(super) fn crd() -> ExitCode {
    match v1alpha1::crd_yaml().and_then(|yaml| {
        std::io::stdout()
            .write_all(yaml.as_bytes())
            .map_err(|error| error.to_string())
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the CRD can't be printed: {error}");
            ExitCode::FAILURE
        }
    }
}
