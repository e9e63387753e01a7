//! A state of the world, and of the passes in it.

use std::fmt;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use pinpoint_import_role_controller::{
    api::v1alpha1::{PinpointImportRoleSpec, PinpointImportRoleStatus},
    role::{
        Account, Class, Head, ObservedRole, Ownership, RolePath,
        decision::{End, Situation, Subject, Work},
        progress::Progress,
        recent::{Clock, Recent},
        status::ready_reason,
    },
};

use crate::{
    guard::Guard,
    iam::Iam,
    scene::{Bounds, Scene, Settings},
    sealed::Sealed,
};

/// A scene, and the rule that is taken out of the decision, if one is.
#[derive(Clone, Debug)]
pub struct Model {
    /// The scene.
    pub scene: Scene,
    /// The rule.
    pub without: Option<Guard>,
}

/// A state.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct World {
    /// The time.
    pub tick: u8,
    /// IAM.
    pub iam: Iam,
    /// The object; none: it is gone.
    pub object: Option<Object>,
    /// Objects that there were under the name.
    pub uids: u8,
    /// The processes.
    pub replicas: Vec<Replica>,
    /// What may happen yet.
    pub left: Bounds,
    /// What may be told yet.
    pub untold: Untold,
    /// The object, by its uid, and the generation of it for which a role was made without a look.
    pub at_once: Option<(u8, i64)>,
}

/// The object, as the API server has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Object {
    /// Its uid.
    pub uid: u8,
    /// Which of the scene's declarations it is.
    pub spec: usize,
    /// `metadata.generation`.
    pub generation: i64,
    /// Its status.
    pub status: Sealed<PinpointImportRoleStatus>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Whether it bears the finalizer.
    pub held: bool,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replica {
    /// Which of the scene's settings it has.
    pub settings: usize,
    /// The tick in which it began.
    pub started: u8,
    /// What it remembers, of the object of which uid.
    pub memory: Option<(u8, Sealed<Recent>)>,
    /// The pass that is under way.
    pub pass: Option<Sealed<Pass>>,
}

/// A pass that is under way.
#[derive(Clone, Debug)]
pub struct Pass {
    /// The object as it was read.
    pub object: Object,
    /// What the pass is about; none where that could not be told.
    pub subject: Option<Subject>,
    /// What is done without a look.
    pub at_once: Option<Work>,
    /// The tick in which it began.
    pub began: u8,
    /// Whether others did something that the look does not show.
    pub unseen: bool,
    /// What `GetRole` showed.
    pub head: Option<Head>,
    /// The role as the pass knows it.
    pub known: Option<ObservedRole>,
    /// The role as it was at the look.
    pub start: Option<ObservedRole>,
    /// The next call.
    pub stage: Stage,
}

/// The next call of a pass.
#[derive(Clone, Debug)]
pub enum Stage {
    /// The finalizer is put on.
    Hold,
    /// `GetRole`.
    Head,
    /// The policies are read.
    Policies(Ownership),
    /// What is about to be done is written to the status.
    Declare(Work),
    /// The change of this number is made.
    Change(Work, usize, Progress),
    /// The status is written, or the finalizer is taken off. The role is that which is ours.
    Conclude(End, Option<Head>),
}

impl Sealed<Pass> {
    /// The pass after others changed the role.
    #[must_use]
    pub fn overtaken(self) -> Self {
        match self.stage {
            Stage::Hold | Stage::Head => self,
            _ => Self::new(Pass {
                unseen: true,
                ..Pass::clone(&self)
            }),
        }
    }
}

/// How a call is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// As it should be; a read shows the version so many ago.
    Well(u8),
    /// It fails, without an effect.
    Fails(Class),
    /// It has its effect, and the answer is lost.
    Lost,
    /// It is denied, since the role's tags are not known yet where IAM judges by them.
    Lacks,
}

/// What events may tell yet: what happened, and was not told so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Untold {
    /// Drifts.
    pub drifts: u8,
    /// Failures.
    pub failures: u8,
}

impl Untold {
    /// Once a pass knew the role otherwise than it was, since IAM hid what others did or an answer was lost, what is told is not counted
    /// any more: nobody could tell better.
    pub const ANYTHING: Self = Self {
        drifts: u8::MAX,
        failures: u8::MAX,
    };

    /// Something that may be told happened.
    pub const fn more(&mut self, drifts: u8, failures: u8) {
        self.drifts = self.drifts.saturating_add(drifts);
        self.failures = self.failures.saturating_add(failures);
    }
}

impl Object {
    /// One that was just made.
    #[must_use]
    pub fn new(uid: u8) -> Self {
        Self {
            uid,
            spec: 0,
            generation: 1,
            status: Sealed::new(PinpointImportRoleStatus::default()),
            deleting: false,
            held: false,
        }
    }
}

impl Model {
    /// The world in which an object was just made.
    #[must_use]
    pub fn fresh(&self) -> World {
        let replica = Replica {
            settings: 0,
            started: 0,
            memory: None,
            pass: None,
        };
        World {
            tick: 0,
            iam: Iam::empty(),
            object: Some(Object::new(1)),
            uids: 1,
            replicas: vec![replica; self.scene.replicas],
            left: Bounds::default(),
            untold: Untold::ANYTHING,
            at_once: None,
        }
    }

    /// The declaration of an object.
    #[must_use]
    pub fn spec(&self, object: &Object) -> &PinpointImportRoleSpec {
        &self.scene.specs[object.spec.min(self.scene.specs.len() - 1)]
    }

    /// The settings of a process.
    #[must_use]
    pub fn settings(&self, replica: &Replica) -> &Settings {
        &self.scene.settings[replica.settings.min(self.scene.settings.len() - 1)]
    }

    /// Asks the decision something about an object as a process sees it, remembering this.
    pub fn asking<T>(
        &self,
        world: &World,
        replica: &Replica,
        object: &Object,
        recent: &Recent,
        question: impl FnOnce(&Situation<'_>) -> T,
    ) -> T {
        let settings = self.settings(replica);
        question(&Situation {
            spec: self.spec(object),
            owner: &settings.owner(object.uid),
            status: &object.status,
            generation: object.generation,
            deleting: object.deleting,
            has_finalizer: object.held,
            guards: &settings.guards(),
            role_path: &RolePath::default(),
            recent,
            clock: world.clock(replica),
        })
    }

    /// The account.
    #[must_use]
    pub fn account() -> Account {
        Account {
            id: "123456789012".to_owned(),
            partition: "aws".to_owned(),
        }
    }
}

impl World {
    /// The time, as decisions of a process have it.
    #[must_use]
    pub fn clock(&self, replica: &Replica) -> Clock {
        Clock {
            now: Scene::time(self.tick - replica.started),
            settle: Scene::settle(),
        }
    }

    /// The time, as statuses have it.
    #[must_use]
    pub fn now(&self) -> Time {
        Time(Timestamp::UNIX_EPOCH + Scene::time(self.tick))
    }
}

impl fmt::Debug for World {
    /// What a reader of a trace needs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tick {}", self.tick)?;
        match &self.object {
            None => write!(f, " · object gone")?,
            Some(object) => {
                let going = if object.deleting { " deleting" } else { "" };
                let held = if object.held { " held" } else { "" };
                let reason = ready_reason(&object.status).map_or("-", |reason| reason.as_str());
                write!(f, " · object {}{held}{going} {reason}", object.uid)?;
                for (what, id) in [
                    ("pinned", &object.status.role_id),
                    ("former", &object.status.former_role_id),
                ] {
                    id.iter().try_for_each(|id| write!(f, " {what} {id}"))?;
                }
            }
        }
        match self.iam.role() {
            None => write!(f, " · no role"),
            Some(role) => write!(
                f,
                " · role {} trust {} policies {:?} inline {:?} boundary {:?} tagged {:?}",
                role.head.id,
                if role.head.trust.contains("AWS") {
                    "open"
                } else {
                    "closed"
                },
                role.attached,
                role.inline.keys(),
                role.head.boundary,
                role.head.tag("pinpoint-import.dev/uid"),
            ),
        }
    }
}
