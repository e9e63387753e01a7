//! The rules of the decision, each of which can be taken out: from outside, by keeping from the decision what it would judge by, or by
//! executing a plan without what the rule puts into it. The product has no switches.

use std::borrow::Cow;

use pinpoint_import_role_controller::{
    api::Tag,
    role::{
        Head, ObservedRole, Ownership, Premise, Step,
        decision::{Aim, Work},
        recent::{Clock, Recent},
    },
};
use strum::VariantArray;

use crate::scenes::Name;

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
#[allow(missing_docs, reason = "`words` says what each is")]
pub enum Guard {
    AttachNeedsTrust,
    AttachNeedsBoundary,
    BucketsNeedTrust,
    BucketsNeedBoundary,
    TrustNeedsRemoved,
    TrustNeedsBoundary,
    TrustNeedsSession,
    BoundaryNeedsRemoved,
    BoundaryNeedsTrust,
    SessionNeedsTrust,
    AdoptionNeedsTags,
    PoliciesNeedCreation,
    DeletionNeedsRemoved,
    Settled,
    SettledOfThisRole,
    Unproven,
    YoungProcess,
    ForeignMayLackTags,
    DeniedMayLackTags,
    SurelyAbsent,
    JustCreated,
    DoubtfulAbsence,
    FormerRole,
    Pin,
    PinnedWithoutTags,
    PinnedOfAnother,
    Unpinned,
    CopiedTags,
    Untagged,
    AdoptionTrust,
    AdoptionRival,
    AdoptionUnknownRival,
    NoAdoptionOnDeletion,
    FinalizerFirst,
    IntentFirst,
    MayBeAnother,
    LostAnswers,
    Unseen,
    StatusVersion,
    AtOnceOnce,
}

impl Guard {
    /// What it says.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::AttachNeedsTrust => "AttachRolePolicy needs the declared trust policy",
            Self::AttachNeedsBoundary => "AttachRolePolicy needs the declared boundary",
            Self::BucketsNeedTrust => "PutRolePolicy needs the declared trust policy",
            Self::BucketsNeedBoundary => "PutRolePolicy needs the declared boundary",
            Self::TrustNeedsRemoved => "a trust policy that only adds needs undeclared policies gone",
            Self::TrustNeedsBoundary => "a trust policy that only adds needs the declared boundary",
            Self::TrustNeedsSession => "a trust policy that only adds needs a longer session shortened",
            Self::BoundaryNeedsRemoved => "another boundary needs undeclared policies gone",
            Self::BoundaryNeedsTrust => "another boundary needs the declared trust policy",
            Self::SessionNeedsTrust => "a longer session needs the declared trust policy",
            Self::AdoptionNeedsTags => "adoption needs the ownership tags on the role first",
            Self::PoliciesNeedCreation => "what follows CreateRole needs its success",
            Self::DeletionNeedsRemoved => "DeleteRole needs all policies gone",
            Self::Settled => "an answer that shows what we overwrote is late (Recent::settled)",
            Self::SettledOfThisRole => "what is late has the id of the role that we wrote to",
            Self::Unproven => "what is late is not proven: what needs it waits",
            Self::YoungProcess => "a young process believes no drift and no absence (Recent::meeting, is_unsure)",
            Self::ForeignMayLackTags => "a role may not be shown as ours yet (may_lack_tags)",
            Self::DeniedMayLackTags => "a denied call may be one that our tags have not reached yet (may_lack_tags)",
            Self::SurelyAbsent => "absence proves nothing before a settle time (is_surely_absent)",
            Self::JustCreated => "a role just made may not be shown (just_created)",
            Self::DoubtfulAbsence => "a young process gives no pinned id up",
            Self::FormerRole => "the id given up is ours still, should the role be there (formerRoleId)",
            Self::Pin => "another RoleId than the pinned one is not ours",
            Self::PinnedWithoutTags => "the pinned RoleId without tags is ours",
            Self::PinnedOfAnother => "the pinned RoleId with another owner's uid is his",
            Self::Unpinned => "nothing pinned, our tags, trusts Pinpoint alone: ours",
            Self::CopiedTags => "nothing pinned, our tags, trusts others: not ours",
            Self::Untagged => "nothing pinned, no tags: not ours",
            Self::AdoptionTrust => "adopted is what trusts Pinpoint alone",
            Self::AdoptionRival => "a live owner's role is not adopted",
            Self::AdoptionUnknownRival => "an owner that can't be looked up counts as live",
            Self::NoAdoptionOnDeletion => "an object that goes adopts nothing",
            Self::FinalizerFirst => "the finalizer comes before CreateRole",
            Self::IntentFirst => "what is about to be done is written before it is done",
            Self::MayBeAnother => "a role that tags make ours may not be the last that was made (may_show_another)",
            Self::LostAnswers => "a write without an answer had its effect once that is shown (Recent::saw_whole)",
            Self::Unseen => "what IAM does not show yet is waited for (Class::Unseen)",
            Self::StatusVersion => "a status is written to the object as it was read",
            Self::AtOnceOnce => "CreateRole goes before a look for an object without the finalizer alone",
        }
    }

    /// The scene in which the world goes wrong without it.
    #[must_use]
    #[expect(clippy::match_same_arms, reason = "a table, in the order of the rules")]
    pub const fn scene(self) -> Name {
        match self {
            Self::AttachNeedsTrust => Name::Opened,
            Self::AttachNeedsBoundary => Name::Unbounded,
            Self::BucketsNeedTrust => Name::Buckets,
            Self::BucketsNeedBoundary => Name::BucketsUnbounded,
            Self::TrustNeedsRemoved => Name::Narrowed,
            Self::TrustNeedsBoundary => Name::ReboundNarrowed,
            Self::TrustNeedsSession => Name::LongSession,
            Self::BoundaryNeedsRemoved => Name::Rebound,
            Self::BoundaryNeedsTrust => Name::ReboundOpen,
            Self::SessionNeedsTrust => Name::Session,
            Self::AdoptionNeedsTags => Name::Adoption,
            Self::PoliciesNeedCreation => Name::Taken,
            Self::DeletionNeedsRemoved => Name::Leaving,
            Self::Settled => Name::Repaired,
            Self::SettledOfThisRole => Name::MadeAnew,
            Self::Unproven => Name::Unproven,
            Self::YoungProcess => Name::Repaired,
            Self::ForeignMayLackTags => Name::Deleted,
            Self::DeniedMayLackTags => Name::ByTags,
            Self::SurelyAbsent => Name::Young,
            Self::JustCreated => Name::Creation,
            Self::DoubtfulAbsence => Name::Doubtful,
            Self::FormerRole => Name::Former,
            Self::Pin => Name::Replaced,
            Self::PinnedWithoutTags => Name::Stripped,
            Self::PinnedOfAnother => Name::Claimed,
            Self::Unpinned => Name::Young,
            Self::CopiedTags => Name::Copied,
            Self::Untagged => Name::Taken,
            Self::AdoptionTrust => Name::AdoptionOpen,
            Self::AdoptionRival => Name::AdoptionRival,
            Self::AdoptionUnknownRival => Name::AdoptionUnknown,
            Self::NoAdoptionOnDeletion => Name::AdoptionLeaving,
            Self::FinalizerFirst => Name::Young,
            Self::IntentFirst => Name::Deleted,
            Self::MayBeAnother => Name::DeletedTwice,
            Self::LostAnswers => Name::Lost,
            Self::Unseen => Name::Creation,
            Self::StatusVersion => Name::Stale,
            Self::AtOnceOnce => Name::Creation,
        }
    }

    /// The work without what the rule puts into it.
    #[must_use]
    pub fn strip(self, mut work: Work) -> Work {
        use Premise::{Boundary, Ours, Removed, Trust};
        if self == Self::Unproven {
            work.unproven.clear();
        }
        let aim = work.aim;
        for change in &mut work.changes {
            let gone: &[Premise] = match (self, &change.step) {
                (Self::AttachNeedsTrust, Step::AttachPolicy(_))
                | (Self::BucketsNeedTrust, Step::PutBucketPolicy(_))
                | (Self::BoundaryNeedsTrust, Step::PutBoundary(_))
                | (Self::SessionNeedsTrust, Step::UpdateRole { .. }) => &[Trust],
                (Self::AttachNeedsBoundary, Step::AttachPolicy(_))
                | (Self::BucketsNeedBoundary, Step::PutBucketPolicy(_))
                | (Self::TrustNeedsBoundary, Step::UpdateTrust(_)) => &[Boundary],
                (Self::TrustNeedsRemoved, Step::UpdateTrust(_))
                | (Self::BoundaryNeedsRemoved, Step::PutBoundary(_))
                | (Self::DeletionNeedsRemoved, Step::DeleteRole) => &[Removed],
                (Self::AdoptionNeedsTags, _) if aim == Aim::Adopt => &[Ours],
                (Self::PoliciesNeedCreation, _) if matches!(aim, Aim::Create | Aim::CreateAtOnce) => {
                    &[Ours, Trust, Boundary]
                }
                _ => &[],
            };
            change.needs.retain(|need| !gone.contains(need));
            if self == Self::TrustNeedsSession && matches!(change.step, Step::UpdateRole { .. }) {
                change.secures.clear();
            }
        }
        work
    }

    /// The memory of a process that meets an object.
    #[must_use]
    pub fn meeting(without: Option<Self>, held: bool, clock: Clock) -> Recent {
        Recent::meeting(held && without != Some(Self::YoungProcess), clock)
    }

    /// A role as the memory of a process is shown it.
    #[must_use]
    pub fn memorable(without: Option<Self>, role: &ObservedRole) -> Cow<'_, ObservedRole> {
        let mut role = Cow::Borrowed(role);
        if without == Some(Self::SettledOfThisRole) {
            role.to_mut().head.id.clear();
        }
        role
    }

    /// Whether a question is asked of a process that remembers nothing, nor that there was another before it. `head` is what `GetRole`
    /// showed.
    #[must_use]
    pub fn forgets(self, head: Option<&Head>, leaving: bool, just_created: bool) -> bool {
        match self {
            Self::ForeignMayLackTags => head.is_some(),
            Self::SurelyAbsent => head.is_none() && leaving,
            Self::JustCreated => head.is_none() && !leaving && just_created,
            Self::DoubtfulAbsence => head.is_none() && !leaving && !just_created,
            _ => false,
        }
    }

    /// The role as the table of ownership is shown it, with the tags that are ours and a trust policy that lets Pinpoint in alone.
    #[must_use]
    pub fn disguise(self, head: &Head, ours: &Head, pinned: bool) -> Head {
        let mut shown = head.clone();
        let uid = head.tag(Tag::Uid.key());
        match self {
            Self::PinnedOfAnother if pinned => shown.tags.clear(),
            Self::Unpinned if !pinned => shown.tags.clear(),
            Self::CopiedTags if uid == ours.tag(Tag::Uid.key()) => shown.trust.clone_from(&ours.trust),
            Self::Untagged if !pinned && uid.is_none() => shown.tags.clone_from(&ours.tags),
            Self::AdoptionTrust => shown.trust.clone_from(&ours.trust),
            _ => {}
        }
        shown
    }

    /// Whether the verdict is turned into one that the role is not ours.
    #[must_use]
    pub fn disowns(self, head: &Head, whose: &Ownership, pinned: bool) -> bool {
        let bare = head.tag(Tag::Uid.key()).is_none();
        self == Self::PinnedWithoutTags && pinned && bare && *whose == Ownership::Owned
    }
}
