//! `crd`: prints the custom resource definition, or what editors and `kubeconform` check manifests by.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::{
    ending::refuse,
    manifests::json_schema,
    medium::{Rendered, print},
};
use crate::api::v1alpha1;

/// Flags of `crd`.
#[derive(Args, Clone, Debug)]
pub(super) struct CrdArgs {
    /// Form of the output
    #[arg(short, long, env = "PIR_CRD_OUTPUT", value_enum, default_value_t = CrdOutput::Yaml)]
    output: CrdOutput,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum CrdOutput {
    /// The custom resource definition, as `crds/pinpointimportroles.yaml` holds it
    Yaml,
    /// A JSON Schema of the manifests, for editors and kubeconform, as `deploy/schemas/pinpointimportrole_v1alpha1.json` holds it
    JsonSchema,
}

pub(super) fn crd(args: &CrdArgs) -> ExitCode {
    let printed = match args.output {
        CrdOutput::Yaml => v1alpha1::crd_yaml()
            .map_err(|why| format!("the CRD can't be printed: {why}"))
            .map(Rendered::of_ours),
        CrdOutput::JsonSchema => json_schema()
            .map_err(|why| format!("the JSON Schema can't be made: {why}"))
            .and_then(|schema| Rendered::json(&schema)),
    };
    match printed.and_then(|text| print(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => refuse(&[why]),
    }
}
