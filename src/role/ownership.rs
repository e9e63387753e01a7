//! Whose role it is (contract, section 4).

use std::collections::BTreeMap;

use super::{Head, trust};
use crate::api::{OWNERSHIP_TAGS, Tag, v1alpha1::AdoptionPolicy};

/// The object that a role belongs to, as the ownership tags say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Identity of the cluster.
    pub cluster: String,
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// Uid of the object.
    pub uid: String,
}

impl Owner {
    /// The ownership tags.
    #[must_use]
    pub fn tags(&self) -> BTreeMap<String, String> {
        let value = |tag| match tag {
            Tag::Cluster => &self.cluster,
            Tag::Namespace => &self.namespace,
            Tag::Name => &self.name,
            Tag::Uid => &self.uid,
        };
        OWNERSHIP_TAGS
            .into_iter()
            .map(|tag| (tag.key().to_owned(), value(tag).clone()))
            .collect()
    }

    /// The owner that a role's tags name; none if they name no cluster or no uid.
    #[must_use]
    pub fn of(tags: &BTreeMap<String, String>) -> Option<Self> {
        let value = |tag: Tag| tags.get(tag.key()).cloned();
        Some(Self {
            cluster: value(Tag::Cluster)?,
            uid: value(Tag::Uid)?,
            namespace: value(Tag::Namespace).unwrap_or_default(),
            name: value(Tag::Name).unwrap_or_default(),
        })
    }
}

/// Whose role it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// There is no role of the name.
    Absent,
    /// It is this object's.
    Owned,
    /// It is nobody's, and this object may take it over.
    Adoptable,
    /// It is not this object's: never written to, never deleted.
    Foreign(Foreign),
}

/// Why a role is not this object's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// No ownership tags.
    Untagged,
    /// It bears no ownership tags, but it is the role that this object had.
    Stripped,
    /// Tags of another owner.
    Other(Owner),
    /// Our tags on a role with another id than ours had.
    Replaced {
        /// The id in the status.
        pinned: String,
    },
    /// It might be adopted but for this.
    NotAdoptable(String),
}

/// What the decision needs to know beside the role.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// This object.
    pub owner: &'a Owner,
    /// `status.roleId`.
    pub pinned: Option<&'a str>,
    /// `spec.adoptionPolicy`.
    pub adoption: AdoptionPolicy,
    /// Whether the owner that the role's tags name still exists. Unknown counts as live.
    pub rival_lives: bool,
}

/// Whose role it is.
#[must_use]
pub fn ownership(role: Option<&Head>, claim: Claim<'_>) -> Ownership {
    let Some(role) = role else {
        return Ownership::Absent;
    };
    let tagged = Owner::of(&role.tags);
    let foreign = match tagged {
        Some(tagged) if (&tagged.cluster, &tagged.uid) == (&claim.owner.cluster, &claim.owner.uid) => {
            match claim.pinned {
                Some(pinned) if pinned != role.id => Foreign::Replaced {
                    pinned: pinned.to_owned(),
                },
                _ => return Ownership::Owned,
            }
        }
        Some(tagged) if claim.rival_lives => return Ownership::Foreign(Foreign::Other(tagged)),
        Some(tagged) => Foreign::Other(tagged),
        None if claim.pinned == Some(role.id.as_str()) => Foreign::Stripped,
        None => Foreign::Untagged,
    };
    match (claim.adoption, trust::obstacle_to_adoption(&role.trust)) {
        (AdoptionPolicy::Adopt, None) => Ownership::Adoptable,
        (AdoptionPolicy::Adopt, Some(obstacle)) => Ownership::Foreign(Foreign::NotAdoptable(obstacle)),
        (AdoptionPolicy::Never, _) => Ownership::Foreign(foreign),
    }
}

impl Foreign {
    /// Whose the role is and what to do, for the condition's message.
    #[must_use]
    pub fn message(&self, role: &str) -> String {
        match self {
            Self::Untagged => format!(
                "role {role} exists in IAM and bears no ownership tags, so it is not this object's: choose another spec.roleName, \
                 delete the role, or set spec.adoptionPolicy: Adopt to take it over"
            ),
            Self::Stripped => format!(
                "role {role} was this object's, but somebody took its ownership tags off: set spec.adoptionPolicy: Adopt to take it \
                 back, or set the tags again"
            ),
            Self::Other(owner) => format!(
                "role {role} belongs to PinpointImportRole {}/{} (uid {}, cluster {}): choose another spec.roleName, or delete that \
                 object first; if it is gone, set spec.adoptionPolicy: Adopt",
                owner.namespace, owner.name, owner.uid, owner.cluster
            ),
            Self::Replaced { pinned } => format!(
                "role {role} bears this object's tags but is not the role {pinned} that it had: somebody deleted that and made \
                 another with the same tags; delete it, or set spec.adoptionPolicy: Adopt to take it over"
            ),
            Self::NotAdoptable(obstacle) => format!(
                "role {role} can't be adopted: {obstacle}; adoption takes only roles that trust Pinpoint and nobody else, so narrow \
                 its trust policy first, or choose another spec.roleName"
            ),
        }
    }
}
