//! The rules of the decision, each of which can be taken out: from outside, by keeping from the decision what it would judge by, or by
//! executing a plan without what the rule puts into it. The product has no switches.

use pinpoint_import_role_controller::{
    api::Tag,
    role::{
        Head, Ownership, Premise, Step,
        decision::{Aim, Work},
        recent::{Clock, Recent},
    },
};

use crate::scenes::Name;

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the table below says what each is")]
pub enum Guard {
    AttachNeedsTrust,
    AttachNeedsBoundary,
    BucketsNeedTrust,
    BucketsNeedBoundary,
    TrustNeedsRemoved,
    BoundaryNeedsRemoved,
    BoundaryNeedsTrust,
    SessionNeedsTrust,
    AdoptionNeedsTags,
    PoliciesNeedCreation,
    DeletionNeedsRemoved,
    Settled,
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
}

/// What a guard is for, and the scene in which the world goes wrong without it; none: no counterexample is known.
pub struct Entry {
    /// The rule.
    pub guard: Guard,
    /// In words.
    pub words: &'static str,
    /// Where a counterexample is looked for.
    pub scene: Name,
}

const fn entry(guard: Guard, scene: Name, words: &'static str) -> Entry {
    Entry { guard, words, scene }
}

/// All of them.
pub const ALL: &[Entry] = &[
    entry(
        Guard::AttachNeedsTrust,
        Name::Opened,
        "AttachRolePolicy needs the declared trust policy",
    ),
    entry(
        Guard::AttachNeedsBoundary,
        Name::Unbounded,
        "AttachRolePolicy needs the declared boundary",
    ),
    entry(
        Guard::BucketsNeedTrust,
        Name::Buckets,
        "PutRolePolicy needs the declared trust policy",
    ),
    entry(
        Guard::BucketsNeedBoundary,
        Name::BucketsUnbounded,
        "PutRolePolicy needs the declared boundary",
    ),
    entry(
        Guard::TrustNeedsRemoved,
        Name::Narrowed,
        "a trust policy that only adds needs undeclared policies gone",
    ),
    entry(
        Guard::BoundaryNeedsRemoved,
        Name::Rebound,
        "another boundary needs undeclared policies gone",
    ),
    entry(
        Guard::BoundaryNeedsTrust,
        Name::ReboundOpen,
        "another boundary needs the declared trust policy",
    ),
    entry(
        Guard::SessionNeedsTrust,
        Name::Session,
        "a longer session needs the declared trust policy",
    ),
    entry(
        Guard::AdoptionNeedsTags,
        Name::Adoption,
        "adoption needs the ownership tags on the role first",
    ),
    entry(
        Guard::PoliciesNeedCreation,
        Name::Taken,
        "what follows CreateRole needs its success",
    ),
    entry(
        Guard::DeletionNeedsRemoved,
        Name::Leaving,
        "DeleteRole needs all policies gone",
    ),
    entry(
        Guard::Settled,
        Name::Repaired,
        "an answer that shows what we overwrote is late (Recent::settled)",
    ),
    entry(
        Guard::Unproven,
        Name::Unproven,
        "what is late is not proven: what needs it waits",
    ),
    entry(
        Guard::YoungProcess,
        Name::Repaired,
        "a young process believes no drift and no absence (Recent::meeting, is_unsure)",
    ),
    entry(
        Guard::ForeignMayLackTags,
        Name::Deleted,
        "a role may not be shown as ours yet (may_lack_tags)",
    ),
    entry(
        Guard::DeniedMayLackTags,
        Name::ByTags,
        "a denied call may be one that our tags have not reached yet (may_lack_tags)",
    ),
    entry(
        Guard::SurelyAbsent,
        Name::Young,
        "absence proves nothing before a settle time (is_surely_absent)",
    ),
    entry(
        Guard::JustCreated,
        Name::Creation,
        "a role just made may not be shown (just_created)",
    ),
    entry(
        Guard::DoubtfulAbsence,
        Name::Doubtful,
        "a young process gives no pinned id up",
    ),
    entry(
        Guard::FormerRole,
        Name::Former,
        "the id given up is ours still, should the role be there (formerRoleId)",
    ),
    entry(
        Guard::Pin,
        Name::Replaced,
        "another RoleId than the pinned one is not ours",
    ),
    entry(
        Guard::PinnedWithoutTags,
        Name::Stripped,
        "the pinned RoleId without tags is ours",
    ),
    entry(
        Guard::PinnedOfAnother,
        Name::Claimed,
        "the pinned RoleId with another owner's uid is his",
    ),
    entry(
        Guard::Unpinned,
        Name::Young,
        "nothing pinned, our tags, trusts Pinpoint alone: ours",
    ),
    entry(
        Guard::CopiedTags,
        Name::Copied,
        "nothing pinned, our tags, trusts others: not ours",
    ),
    entry(Guard::Untagged, Name::Taken, "nothing pinned, no tags: not ours"),
    entry(
        Guard::AdoptionTrust,
        Name::AdoptionOpen,
        "adopted is what trusts Pinpoint alone",
    ),
    entry(
        Guard::AdoptionRival,
        Name::AdoptionRival,
        "a live owner's role is not adopted",
    ),
    entry(
        Guard::AdoptionUnknownRival,
        Name::AdoptionUnknown,
        "an owner that can't be looked up counts as live",
    ),
    entry(
        Guard::NoAdoptionOnDeletion,
        Name::AdoptionLeaving,
        "an object that goes adopts nothing",
    ),
    entry(
        Guard::FinalizerFirst,
        Name::Young,
        "the finalizer comes before CreateRole",
    ),
    entry(
        Guard::IntentFirst,
        Name::Deleted,
        "what is about to be done is written before it is done",
    ),
    entry(
        Guard::MayBeAnother,
        Name::DeletedTwice,
        "a role that tags make ours may not be the last that was made (may_show_another)",
    ),
    entry(
        Guard::LostAnswers,
        Name::Lost,
        "a write without an answer had its effect once that is shown (Recent::saw_whole)",
    ),
    entry(
        Guard::Unseen,
        Name::Creation,
        "what IAM does not show yet is waited for (Class::Unseen)",
    ),
    entry(
        Guard::StatusVersion,
        Name::Stale,
        "a status is written to the object as it was read",
    ),
];

impl Guard {
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
                | (Self::BucketsNeedBoundary, Step::PutBucketPolicy(_)) => &[Boundary],
                (Self::TrustNeedsRemoved, Step::UpdateTrust(_))
                | (Self::BoundaryNeedsRemoved, Step::PutBoundary(_))
                | (Self::DeletionNeedsRemoved, Step::DeleteRole) => &[Removed],
                (Self::AdoptionNeedsTags, _) if aim == Aim::Adopt => &[Ours],
                (Self::PoliciesNeedCreation, _) if aim == Aim::Create => &[Ours, Trust, Boundary],
                _ => &[],
            };
            change.needs.retain(|need| !gone.contains(need));
        }
        work
    }

    /// The memory of a process that meets an object.
    #[must_use]
    pub fn meeting(without: Option<Self>, held: bool, clock: Clock) -> Recent {
        Recent::meeting(held && without != Some(Self::YoungProcess), clock)
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
