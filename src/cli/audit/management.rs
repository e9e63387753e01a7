//! Who manages a role that `audit` found.

use kube::ResourceExt;
use serde::Serialize;

use crate::{
    api::v1alpha1::{AdoptionPolicy, PinpointImportRole},
    cli::objects::Cluster,
    role::{
        Head, Owner, Ownership,
        ownership::{Claim, Rival, ownership},
        review::exposure::{Finding, Severity},
    },
};

/// Who manages a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Management {
    /// An object of this cluster, whose status has pinned this very role.
    Managed,
    /// It names an object of this cluster, whose status has not pinned it: tags can be copied.
    Unproven,
    /// It names an object, and no cluster was asked, or another one's is named.
    Claimed,
    /// It names an object of this cluster that is gone.
    Orphaned,
    /// It bears no ownership tags.
    Foreign,
}

impl Management {
    /// Who manages a role, and the names of the object. The pinned `RoleId` is the proof; tags are a claim (contract, section 4).
    pub(super) fn of(head: &Head, cluster: Option<&Cluster>) -> (Self, Option<String>) {
        let owner = Owner::of(head);
        let named = owner
            .as_ref()
            .map(|owner| format!("{}/{}", owner.namespace, owner.name));
        let pinning = cluster.and_then(|cluster| {
            let object = cluster.pinning(&head.id)?;
            owns(object, &cluster.id, head).then_some(object)
        });
        if let Some(object) = pinning {
            let name = format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any());
            return (Self::Managed, Some(name));
        }
        let management = match (&owner, cluster) {
            (None, _) => Self::Foreign,
            (Some(owner), Some(cluster)) if owner.cluster == cluster.id => {
                if cluster.lives(owner) {
                    Self::Unproven
                } else {
                    Self::Orphaned
                }
            }
            (Some(_), _) => Self::Claimed,
        };
        (management, named)
    }

    /// What is to be said about it.
    pub(super) fn finding(self) -> Option<Finding> {
        let (severity, message) = match self {
            Self::Orphaned => (
                Severity::Medium,
                "the object that its tags name is gone: delete the role, or make an object that adopts it",
            ),
            Self::Unproven => (
                Severity::Medium,
                "the object that its tags name has not pinned this role in its status, and tags can be copied: see what the object says, and take the tags off if the role is not its own",
            ),
            Self::Foreign => (Severity::Low, "nothing declares it: see `export`"),
            Self::Managed | Self::Claimed => return None,
        };
        Some(Finding::new(severity, message))
    }

    /// The words of a table, for an object's names.
    pub(super) fn words(self, object: &str) -> String {
        match self {
            Self::Managed => object.to_owned(),
            Self::Unproven => format!("unproven: {object}"),
            Self::Claimed => format!("{object} (not checked)"),
            Self::Orphaned => format!("orphaned: {object}"),
            Self::Foreign => "nobody".to_owned(),
        }
    }
}

/// Whether the controller takes a role for an object's.
fn owns(object: &PinpointImportRole, cluster: &str, head: &Head) -> bool {
    let status = object.status.clone().unwrap_or_default();
    let claim = Claim {
        owner: &Owner {
            cluster: cluster.to_owned(),
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            uid: object.uid().unwrap_or_default(),
        },
        pinned: status.role_id.as_deref(),
        former: status.former_role_id.as_deref(),
        adoption: AdoptionPolicy::Never,
    };
    ownership(Some(head), claim, &Rival::Live) == Ownership::Owned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::v1alpha1::{PinpointImportRole, PinpointImportRoleSpec, PinpointImportRoleStatus};

    fn object(name: &str, pinned: Option<&str>) -> PinpointImportRole {
        let mut object = PinpointImportRole::new(name, PinpointImportRoleSpec::default());
        object.metadata.namespace = Some("team".to_owned());
        object.metadata.uid = Some(format!("uid-{name}"));
        object.status = Some(PinpointImportRoleStatus {
            role_id: pinned.map(str::to_owned),
            ..PinpointImportRoleStatus::default()
        });
        object
    }

    #[test]
    fn the_pin_is_the_proof_and_tags_are_a_claim() {
        let cluster = Cluster {
            id: "here".to_owned(),
            objects: vec![object("a", Some("AROA1")), object("new", None)],
        };
        let head = |id: &str, owner: Option<(&str, &str)>| {
            let owner = owner.map(|(cluster, name)| Owner {
                cluster: cluster.to_owned(),
                namespace: "team".to_owned(),
                name: name.to_owned(),
                uid: format!("uid-{name}"),
            });
            Head {
                id: id.to_owned(),
                tags: owner.map(|owner| owner.tags()).unwrap_or_default(),
                ..Head::default()
            }
        };
        for (id, owner, management, object) in [
            ("AROA1", Some(("here", "a")), Management::Managed, "team/a"),
            ("AROA1", None, Management::Managed, "team/a"),
            ("AROA1", Some(("there", "b")), Management::Claimed, "team/b"),
            ("AROA1", Some(("here", "new")), Management::Unproven, "team/new"),
            ("AROA2", Some(("here", "a")), Management::Unproven, "team/a"),
            ("AROA2", Some(("here", "new")), Management::Unproven, "team/new"),
            ("AROA2", Some(("here", "gone")), Management::Orphaned, "team/gone"),
            ("AROA2", Some(("there", "a")), Management::Claimed, "team/a"),
            ("AROA2", None, Management::Foreign, ""),
        ] {
            let found = Management::of(&head(id, owner), Some(&cluster));
            assert_eq!(
                (found.0, found.1.as_deref().unwrap_or_default()),
                (management, object),
                "{id} {owner:?}"
            );
        }
        let unasked = Management::of(&head("AROA1", Some(("here", "a"))), None);
        assert_eq!(unasked.0, Management::Claimed);
    }
}
