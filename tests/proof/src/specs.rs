//! Declarations.

use pinpoint_import_role_controller::api::v1alpha1::{AdoptionPolicy, Bucket, PinpointImportRoleSpec};

/// A boundary that is declared.
pub const OURS: &str = "arn:aws:iam::123456789012:policy/ours";

/// The guide's role, with a boundary.
#[must_use]
pub fn bounded_by(arn: &str) -> PinpointImportRoleSpec {
    PinpointImportRoleSpec {
        permissions_boundary: Some(arn.to_owned()),
        ..PinpointImportRoleSpec::default()
    }
}

/// The guide's role, taken over.
#[must_use]
pub fn adopting() -> PinpointImportRoleSpec {
    PinpointImportRoleSpec {
        adoption_policy: AdoptionPolicy::Adopt,
        ..PinpointImportRoleSpec::default()
    }
}

/// One that reads a bucket.
#[must_use]
pub fn buckets() -> PinpointImportRoleSpec {
    let bucket = Bucket {
        name: "segments".to_owned(),
        prefix: None,
        kms_key_arn: None,
    };
    PinpointImportRoleSpec {
        buckets: Some(vec![bucket]),
        ..PinpointImportRoleSpec::default()
    }
}

/// The guide's role, suspended or not.
#[must_use]
pub fn suspended(suspend: bool) -> PinpointImportRoleSpec {
    PinpointImportRoleSpec {
        suspend,
        ..PinpointImportRoleSpec::default()
    }
}
