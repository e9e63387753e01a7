//! Names that other programs and people rely on.

use strum::VariantArray;

/// Field manager, reporter of events and application name in AWS' user agent.
pub const CONTROLLER: &str = "pinpoint-import-role-controller";

/// Finalizer that keeps an object until its role is gone.
pub const FINALIZER: &str = "pinpoint-import.dev/iam-role";

/// Annotation whose every new value asks for a look at the role now.
pub const REQUEST_ANNOTATION: &str = "pinpoint-import.dev/reconcile-requested-at";

/// The inline policy that holds `spec.buckets`.
pub const INLINE_POLICY: &str = "PinpointImportBuckets";

/// The ownership tags on an IAM role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, VariantArray)]
pub enum Tag {
    /// The cluster's identity: uid of the `kube-system` namespace, or `--cluster-id`.
    Cluster,
    /// Namespace of the object.
    Namespace,
    /// Name of the object.
    Name,
    /// Uid of the object.
    Uid,
}

impl Tag {
    /// The tag's key in IAM.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Cluster => "pinpoint-import.dev/cluster",
            Self::Namespace => "pinpoint-import.dev/namespace",
            Self::Name => "pinpoint-import.dev/name",
            Self::Uid => "pinpoint-import.dev/uid",
        }
    }
}
