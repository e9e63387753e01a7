//! The scenes: small worlds, each about one thing that may go wrong. What may happen in each is bounded; within the bounds, all of it
//! does, in every order.

use pinpoint_import_role_controller::api::v1alpha1::{DeletionPolicy, DriftPolicy, PinpointImportRoleSpec};
use strum::VariantArray;

use crate::{
    scene::{Bounds, Calls, Edit, Move, Scene, Settings},
    specs::{OURS, adopting, bounded_by, buckets, suspended},
};

/// A scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
#[allow(missing_docs, reason = "the scenes say what each is")]
pub enum Name {
    Creation,
    Young,
    Opened,
    Narrowed,
    Unbounded,
    Rebound,
    ReboundOpen,
    ReboundNarrowed,
    Session,
    LongSession,
    Buckets,
    BucketsUnbounded,
    Repaired,
    Unproven,
    Deleted,
    Doubtful,
    Former,
    Replaced,
    Stripped,
    Claimed,
    Copied,
    MadeAnew,
    Taken,
    Adoption,
    AdoptionOpen,
    AdoptionRival,
    AdoptionUnknown,
    AdoptionLeaving,
    Leaving,
    Profiled,
    Remade,
    Retained,
    ByTags,
    Changed,
    Reported,
    Replicas,
    DeletedTwice,
    Lost,
    Stale,
    Failing,
    Suspended,
}

impl Name {
    /// The scene, with bounds that a search of seconds visits.
    #[must_use]
    pub fn scene(self) -> Scene {
        match self {
            Self::Creation
            | Self::Young
            | Self::Taken
            | Self::Copied
            | Self::MadeAnew
            | Self::ByTags
            | Self::Failing => self.made(),
            Self::Adoption
            | Self::AdoptionOpen
            | Self::AdoptionRival
            | Self::AdoptionUnknown
            | Self::AdoptionLeaving => self.adopted(),
            Self::Leaving
            | Self::Profiled
            | Self::Remade
            | Self::Retained
            | Self::Changed
            | Self::Reported
            | Self::Suspended => self.edited(),
            Self::Replicas | Self::Stale | Self::Former => self.beside(),
            Self::Repaired
            | Self::Unproven
            | Self::Deleted
            | Self::DeletedTwice
            | Self::Lost
            | Self::Doubtful
            | Self::Replaced
            | Self::Stripped
            | Self::Claimed => self.changing(),
            _ => self.drifted(),
        }
    }

    /// The same with less, for the tests of every day.
    #[must_use]
    pub fn smaller(self) -> Scene {
        let mut scene = self.scene();
        let bounds = &mut scene.bounds;
        if !scene.prelude.is_empty() || bounds.edits > 1 || self == Self::Stale {
            bounds.moves = 0;
        } else if bounds.moves + bounds.edits > 0 {
            bounds.faults = 0;
        }
        if bounds.moves + bounds.faults + bounds.edits > 0 {
            bounds.kills = 0;
        }
        bounds.ticks = bounds.ticks.min(1);
        scene
    }

    /// The same, with as much more of everything.
    #[must_use]
    pub fn larger(self, by: u8) -> Scene {
        let mut scene = self.scene();
        let bounds = &mut scene.bounds;
        for bound in [
            &mut bounds.moves,
            &mut bounds.faults,
            &mut bounds.kills,
            &mut bounds.edits,
        ] {
            *bound += if *bound > 0 { by } else { 0 };
        }
        bounds.ticks += by;
        scene
    }

    /// An object whose role is made.
    fn made(self) -> Scene {
        let fresh = |name| Scene {
            at_rest: false,
            ..Scene::new(name)
        };
        match self {
            Self::Creation => Scene {
                bounds: bounds(0, 1, 1, 2, 0),
                ..fresh("a role is made")
            },
            Self::Young => Scene {
                edits: vec![Edit::Delete],
                bounds: bounds(0, 1, 1, 1, 1),
                ..fresh("a role is made, and its object deleted")
            },
            Self::Failing => Scene {
                bounds: bounds(0, 2, 0, 1, 0),
                calls: Calls::EachClass,
                ..fresh("a role is made, and calls fail in each class")
            },
            Self::ByTags => Scene {
                bounds: bounds(0, 0, 0, 1, 0),
                calls: Calls::ByTags,
                ..fresh("IAM judges by tags")
            },
            Self::Copied => Scene {
                moves: vec![Move::LetIn, Move::Remake, Move::RemakeOpen, Move::Strip],
                bounds: bounds(1, 0, 1, 1, 0),
                ..fresh("others change a role that was just made")
            },
            Self::MadeAnew => Scene {
                specs: vec![adopting()],
                moves: vec![Move::RemakeBare],
                bounds: bounds(1, 1, 0, 1, 0),
                ..fresh("others make a role anew, as bare as it was at first")
            },
            _ => Scene {
                moves: vec![Move::MakeOther, Move::MakeOpen, Move::MakeRivals, Move::Delete],
                bounds: bounds(1, 1, 0, 1, 0),
                ..fresh("others make a role of the name")
            },
        }
    }

    /// A role that others changed twice, when all was at rest: one repair must not give what the other has yet to take.
    fn drifted(self) -> Scene {
        use Move::{Attach, Detach, Empty, Lengthen, LetIn, Narrow, Rebound, Shorten, Unbound};
        let guide = PinpointImportRoleSpec::default;
        let session = |seconds| with(|spec| spec.max_session_duration = Some(seconds));
        let bounded = || bounded_by(OURS);
        let all = &[LetIn, Attach, Detach];
        match self {
            Self::Opened => drift("opened and bare", guide(), &[LetIn, Detach], all),
            Self::Narrowed => drift("narrowed, with a policy of theirs", guide(), &[Narrow, Attach], all),
            Self::Unbounded => drift("unbounded and bare", bounded(), &[Unbound, Detach], &[Unbound, LetIn]),
            Self::Rebound => drift(
                "another boundary, with a policy of theirs",
                bounded(),
                &[Rebound, Attach],
                all,
            ),
            Self::ReboundOpen => drift("another boundary, and opened", bounded(), &[Rebound, LetIn], &[Attach]),
            Self::ReboundNarrowed => drift(
                "another boundary, and narrowed",
                bounded(),
                &[Rebound, Narrow],
                &[Attach],
            ),
            Self::Session => drift(
                "a shorter session, and opened",
                session(7200),
                &[Shorten, LetIn],
                &[Attach],
            ),
            Self::LongSession => drift(
                "a longer session, and narrowed",
                session(3600),
                &[Lengthen, Narrow],
                &[Attach],
            ),
            Self::Buckets => drift("no bucket policy, and opened", buckets(), &[Empty, LetIn], all),
            _ => {
                let spec = PinpointImportRoleSpec {
                    permissions_boundary: Some(OURS.to_owned()),
                    ..buckets()
                };
                drift("no bucket policy, no boundary", spec, &[Empty, Unbound], &[LetIn])
            }
        }
    }

    /// A role at rest that others change, again or at a bad time.
    fn changing(self) -> Scene {
        let guide = PinpointImportRoleSpec::default;
        let opened = [Move::LetIn, Move::Attach];
        match self {
            Self::Repaired => Scene {
                bounds: bounds(1, 0, 1, 1, 0),
                ..drift("changed once", guide(), &[], &[Move::LetIn, Move::Attach, Move::Strip])
            },
            Self::Unproven => Scene {
                bounds: bounds(1, 1, 0, 2, 0),
                ..drift("opened again as before", guide(), &[Move::LetIn, Move::Detach], &opened)
            },
            Self::Deleted => Scene {
                bounds: bounds(1, 0, 1, 1, 0),
                ..drift("deleted", guide(), &[], &[Move::Delete])
            },
            Self::DeletedTwice => Scene {
                bounds: bounds(2, 0, 2, 0, 0),
                ..drift("deleted twice, under two restarts", guide(), &[], &[Move::Delete])
            },
            Self::Lost => Scene {
                bounds: bounds(1, 1, 0, 1, 0),
                ..drift("mended by a call without an answer", guide(), &[], &opened)
            },
            Self::Doubtful => Scene {
                replicas: 1,
                settings: vec![settings("c", None), settings("c", Some(OURS))],
                bounds: bounds(1, 0, 1, 1, 0),
                ..drift(
                    "deleted, with settings that change",
                    guide(),
                    &[],
                    &[Move::Delete, Move::Strip],
                )
            },
            Self::Replaced => drift(
                "replaced by another",
                guide(),
                &[],
                &[Move::Remake, Move::RemakeOpen, Move::MakeOther, Move::MakeRivals],
            ),
            Self::Stripped => drift("tags taken off", guide(), &[], &[Move::Strip, Move::LetIn]),
            _ => Scene {
                bounds: bounds(2, 1, 0, 1, 0),
                ..drift(
                    "claimed by another",
                    guide(),
                    &[],
                    &[Move::Claim, Move::Attach, Move::LetIn],
                )
            },
        }
    }

    /// A role that an object takes over.
    fn adopted(self) -> Scene {
        let adopt = |name, made, moves: &[Move]| Scene {
            specs: vec![adopting()],
            at_rest: false,
            prelude: vec![made],
            moves: moves.to_vec(),
            bounds: bounds(1, 1, 0, 1, 0),
            ..Scene::new(name)
        };
        match self {
            Self::Adoption => adopt("taken over", Move::MakeOther, &[Move::Attach, Move::LetIn]),
            Self::AdoptionOpen => adopt("open to others", Move::MakeOpen, &[Move::Delete]),
            Self::AdoptionRival => adopt("another owner's", Move::MakeRivals, &[Move::Strip]),
            Self::AdoptionUnknown => Scene {
                settings: vec![settings("c2", None)],
                ..adopt("of another cluster", Move::MakeRivals, &[Move::Strip])
            },
            _ => Scene {
                edits: vec![Edit::Delete],
                bounds: bounds(1, 0, 0, 1, 1),
                ..adopt("deleted before it is taken over", Move::MakeOpen, &[Move::MakeOther])
            },
        }
    }

    /// An object that is edited, and processes after each other.
    fn edited(self) -> Scene {
        let edit = |name, edits: &[Edit]| Scene {
            edits: edits.to_vec(),
            bounds: bounds(1, 0, 0, 2, 1),
            ..Scene::new(name)
        };
        match self {
            Self::Leaving => Scene {
                moves: vec![Move::Attach, Move::Strip, Move::Remake, Move::Delete],
                bounds: bounds(0, 1, 0, 1, 1),
                ..edit("deleted", &[Edit::Delete])
            },
            Self::Profiled => Scene {
                moves: vec![Move::IntoProfile, Move::OutOfProfile],
                bounds: bounds(2, 1, 0, 1, 1),
                ..edit("deleted, and its role in an instance profile", &[Edit::Delete])
            },
            Self::Remade => Scene {
                bounds: bounds(0, 0, 0, 1, 2),
                ..edit("deleted, and made anew", &[Edit::Delete, Edit::Remake])
            },
            Self::Retained => Scene {
                specs: vec![with(|spec| spec.deletion_policy = DeletionPolicy::Retain)],
                moves: vec![Move::Attach, Move::Strip],
                ..edit("deleted, and its role retained", &[Edit::Delete])
            },
            Self::Changed => Scene {
                specs: vec![PinpointImportRoleSpec::default(), buckets()],
                settings: vec![settings("c", None), settings("c2", Some(OURS))],
                moves: vec![Move::LetIn, Move::Attach, Move::Rebound],
                bounds: bounds(1, 0, 1, 1, 1),
                ..edit("declaration and settings change", &[Edit::Change])
            },
            Self::Reported => Scene {
                specs: vec![with(|spec| spec.drift_policy = DriftPolicy::Report)],
                moves: vec![Move::LetIn, Move::Attach, Move::Delete],
                bounds: bounds(2, 0, 0, 1, 0),
                ..edit("drift is reported", &[])
            },
            _ => Scene {
                specs: [false, true, false].map(suspended).to_vec(),
                moves: vec![Move::LetIn, Move::Delete],
                bounds: bounds(1, 0, 1, 1, 3),
                ..edit("suspended, and back", &[Edit::Change, Edit::Delete])
            },
        }
    }

    /// Processes beside each other.
    fn beside(self) -> Scene {
        let two = |name| Scene {
            replicas: 2,
            ..Scene::new(name)
        };
        match self {
            Self::Stale => Scene {
                at_rest: false,
                moves: vec![Move::Strip],
                bounds: bounds(1, 0, 0, 0, 0),
                lag: 0,
                ..two("a stale pass ends late")
            },
            Self::Former => Scene {
                at_rest: false,
                moves: vec![Move::Strip],
                bounds: bounds(1, 1, 0, 0, 0),
                turns: true,
                ..two("two replicas make a role")
            },
            _ => Scene {
                moves: vec![Move::LetIn],
                bounds: bounds(1, 0, 0, 1, 0),
                ..two("two replicas at once")
            },
        }
    }
}

const fn bounds(moves: u8, faults: u8, kills: u8, ticks: u8, edits: u8) -> Bounds {
    Bounds {
        moves,
        faults,
        kills,
        ticks,
        edits,
    }
}

/// A role that others change, when all was at rest.
fn drift(name: &'static str, spec: PinpointImportRoleSpec, prelude: &[Move], moves: &[Move]) -> Scene {
    Scene {
        specs: vec![spec],
        prelude: prelude.to_vec(),
        moves: moves.to_vec(),
        bounds: bounds(1, 1, 0, 1, 0),
        ..Scene::new(name)
    }
}

/// The guide's role, with something set.
fn with(policy: impl FnOnce(&mut PinpointImportRoleSpec)) -> PinpointImportRoleSpec {
    let mut spec = PinpointImportRoleSpec::default();
    policy(&mut spec);
    spec
}

const fn settings(cluster: &'static str, boundary: Option<&'static str>) -> Settings {
    Settings { cluster, boundary }
}
