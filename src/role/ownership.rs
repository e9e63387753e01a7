//! Whose role it is (contract, section 4).
//!
//! Two proofs: the `RoleId` that IAM gave and the status has pinned, which nobody can forge; and the ownership tags, which go out inside
//! `CreateRole`, but which others can copy or take off.

use std::collections::BTreeMap;

use strum::VariantArray;

use super::{Head, policy::trust};
use crate::api::{
    Tag,
    v1alpha1::{AdoptionPolicy, PinpointImportRole},
};

/// The object that a role belongs to, as the ownership tags say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Identity of the cluster: the uid of its `kube-system` namespace, or `--cluster-id`.
    pub cluster: String,
    /// Namespace of the object, for people and to look it up: it proves nothing.
    pub namespace: String,
    /// Name of the object, likewise.
    pub name: String,
    /// Uid of the object: one that is made anew under the same name is another owner.
    pub uid: String,
}

impl Owner {
    /// An object, as the ownership tags name it. `cluster` is the identity of its cluster.
    #[must_use]
    pub fn of_object(cluster: &str, object: &PinpointImportRole) -> Self {
        let of = &object.metadata;
        Self {
            cluster: cluster.to_owned(),
            namespace: of.namespace.clone().unwrap_or_default(),
            name: of.name.clone().unwrap_or_default(),
            uid: of.uid.clone().unwrap_or_default(),
        }
    }

    /// The ownership tags.
    #[must_use]
    pub fn tags(&self) -> BTreeMap<String, String> {
        let value = |tag| match tag {
            Tag::Cluster => &self.cluster,
            Tag::Namespace => &self.namespace,
            Tag::Name => &self.name,
            Tag::Uid => &self.uid,
        };
        Tag::VARIANTS
            .iter()
            .map(|&tag| (tag.key().to_owned(), value(tag).clone()))
            .collect()
    }

    /// The owner that a role's tags name; none if they name neither a cluster nor a uid. What of it is missing is empty: tags that
    /// somebody took off in part still speak for an owner.
    #[must_use]
    pub fn of(role: &Head) -> Option<Self> {
        let value = |tag: Tag| role.tag(tag.key()).unwrap_or_default().to_owned();
        let owner = Self {
            cluster: value(Tag::Cluster),
            namespace: value(Tag::Namespace),
            name: value(Tag::Name),
            uid: value(Tag::Uid),
        };
        (!owner.cluster.is_empty() || !owner.uid.is_empty()).then_some(owner)
    }

    /// Whether both tags that make an owner are the same.
    fn is(&self, other: &Self) -> bool {
        (&self.cluster, &self.uid) == (&other.cluster, &other.uid)
    }
}

/// Whose role it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// There is no role of the name.
    Absent,
    /// It is this object's.
    Owned,
    /// It is not this object's, and this object may take it over.
    Adoptable,
    /// It is not this object's: never written to, never deleted.
    Foreign(Foreign),
}

/// Why a role is not this object's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// No ownership tags.
    Untagged,
    /// Tags of another owner.
    Other(Owner),
    /// Tags of another owner, who can't be looked up and so counts as live.
    Unknown {
        /// The owner.
        owner: Owner,
        /// Why he can't be looked up.
        why: String,
    },
    /// Our tags on a role that trusts others than Pinpoint, and that no status has pinned: tags can be copied.
    Copied(String),
    /// A role with another id than ours had.
    Replaced {
        /// The id that the status has pinned, which the role no longer has.
        pinned: String,
    },
    /// It might be adopted but for this.
    NotAdoptable(String),
}

/// Whether another owner, whom the role's tags name, is there still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rival {
    /// He is gone.
    Gone,
    /// He is there, or the answer did not matter.
    Live,
    /// He can't be looked up, for this reason.
    Unknown(String),
}

/// What the verdict depends on beside the role.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// This object.
    pub owner: &'a Owner,
    /// `status.roleId`.
    pub pinned: Option<&'a str>,
    /// `status.formerRoleId`: the id of the role that was gone when another was about to be made.
    pub former: Option<&'a str>,
    /// `spec.adoptionPolicy`.
    pub adoption: AdoptionPolicy,
}

impl Claim<'_> {
    /// The other owner whose fate decides whether this object may adopt the role; none where that does not matter.
    #[must_use]
    pub fn rival(&self, role: &Head) -> Option<Owner> {
        let other = Owner::of(role).filter(|tagged| !self.is_or_was(tagged));
        other.filter(|_| self.adoption == AdoptionPolicy::Adopt && self.verdict_by_proof(role).is_some())
    }

    /// Tags of ours, whole or what others left of them. Of this object's namespace and name there is no other object.
    fn is_or_was(&self, tagged: &Owner) -> bool {
        let left_of = |tag: &str, ours: &str| tag.is_empty() || tag == ours;
        let named = (&tagged.namespace, &tagged.name) == (&self.owner.namespace, &self.owner.name);
        left_of(&tagged.cluster, &self.owner.cluster)
            && left_of(&tagged.uid, &self.owner.uid)
            && (!tagged.uid.is_empty() || named)
    }

    /// Why the proofs don't make the role this object's; none if they do.
    fn verdict_by_proof(&self, role: &Head) -> Option<Foreign> {
        let tagged = Owner::of(role);
        let pinned = self.pinned.or(self.former.filter(|former| *former == role.id));
        match (pinned, tagged) {
            (Some(pinned), _) if pinned != role.id => Some(Foreign::Replaced {
                pinned: pinned.to_owned(),
            }),
            (Some(_), Some(other)) if !other.uid.is_empty() && other.uid != self.owner.uid => {
                Some(Foreign::Other(other))
            }
            (Some(_), _) => None,
            (None, Some(tagged)) if tagged.is(self.owner) => {
                trust::obstacle_to_adoption(&role.trust).map(Foreign::Copied)
            }
            (None, Some(other)) => Some(Foreign::Other(other)),
            (None, None) => Some(Foreign::Untagged),
        }
    }
}

/// Whose role it is. `rival` is what is known of the owner that [`Claim::rival`] asks for.
#[must_use]
pub fn ownership(role: Option<&Head>, claim: Claim<'_>, rival: &Rival) -> Ownership {
    let Some(role) = role else {
        return Ownership::Absent;
    };
    let Some(foreign) = claim.verdict_by_proof(role) else {
        return Ownership::Owned;
    };
    if claim.adoption == AdoptionPolicy::Never {
        return Ownership::Foreign(foreign);
    }
    match (claim.rival(role), rival) {
        (Some(owner), Rival::Live) => return Ownership::Foreign(Foreign::Other(owner)),
        (Some(owner), Rival::Unknown(why)) => {
            let why = why.clone();
            return Ownership::Foreign(Foreign::Unknown { owner, why });
        }
        (Some(_), Rival::Gone) | (None, _) => {}
    }
    match trust::obstacle_to_adoption(&role.trust) {
        Some(obstacle) => Ownership::Foreign(Foreign::NotAdoptable(obstacle)),
        None => Ownership::Adoptable,
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
            Self::Other(owner) => format!(
                "role {role} belongs to {}: choose another spec.roleName, or delete that object first; if it is gone, set \
                 spec.adoptionPolicy: Adopt",
                words(owner)
            ),
            Self::Unknown { owner, why } => format!(
                "role {role} belongs to {}, which can't be looked up and so counts as existing ({why}): choose another spec.roleName; \
                 if that object is gone for good, take the ownership tags pinpoint-import.dev/… off the role",
                words(owner)
            ),
            Self::Copied(obstacle) => format!(
                "role {role} bears this object's ownership tags, but the object's status does not know it and {obstacle}: tags can be \
                 copied, so it is not taken for this object's; delete it, or narrow its trust policy to Pinpoint alone"
            ),
            Self::Replaced { pinned } => format!(
                "role {role} is not the role {pinned} that this object had: somebody deleted that and made another of the same name; \
                 delete it, or set spec.adoptionPolicy: Adopt to take it over"
            ),
            Self::NotAdoptable(obstacle) => format!(
                "role {role} can't be adopted: {obstacle}; adoption takes only roles that trust Pinpoint and nobody else, so narrow \
                 its trust policy first, or choose another spec.roleName"
            ),
        }
    }
}

fn words(owner: &Owner) -> String {
    let or_unknown = |text: &str| {
        if text.is_empty() {
            "?".to_owned()
        } else {
            text.to_owned()
        }
    };
    format!(
        "PinpointImportRole {}/{} (uid {}, cluster {})",
        or_unknown(&owner.namespace),
        or_unknown(&owner.name),
        or_unknown(&owner.uid),
        or_unknown(&owner.cluster)
    )
}
