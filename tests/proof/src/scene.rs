//! What a search begins with, and what may happen in it.

use std::time::Duration;

use pinpoint_import_role_controller::{
    api::v1alpha1::PinpointImportRoleSpec,
    role::{Guards, Owner, Patterns, PolicyArn, ownership::Rival},
};

/// Time of a tick.
const TICK: Duration = Duration::from_secs(30);

/// A bounded world.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Its name.
    pub name: &'static str,
    /// The declarations: that of the object, and those that it may be changed to, in order.
    pub specs: Vec<PinpointImportRoleSpec>,
    /// The controller's settings: those of the first life, and those that later lives may have.
    pub settings: Vec<Settings>,
    /// Whether the search begins after the role was made and all came to rest; otherwise with the object just made.
    pub at_rest: bool,
    /// What others do before the search begins.
    pub prelude: Vec<Move>,
    /// What others may do to the role at any time.
    pub moves: Vec<Move>,
    /// What people may do to the object at any time.
    pub edits: Vec<Edit>,
    /// How much may happen.
    pub bounds: Bounds,
    /// Replicas.
    pub replicas: usize,
    /// Whether they take turns, as the Lease has it: none begins a pass while another is at one.
    pub turns: bool,
    /// Ticks after a write for which IAM may still show what was before it; the settle time is two.
    pub lag: u8,
    /// In which ways calls fail.
    pub calls: Calls,
    /// What becomes known of the other object whose tags a role may bear.
    pub rival: Rival,
}

/// In which ways calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// By faults of the classes that decisions treat each in its own way.
    Usual,
    /// By faults of each class that such a call can meet.
    EachClass,
    /// IAM denies those on a role whose tags it does not show yet, too.
    ByTags,
}

/// The settings that decisions depend on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `--cluster-id`.
    pub cluster: &'static str,
    /// `--permissions-boundary`.
    pub boundary: Option<&'static str>,
}

/// How often things may happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// Moves of others.
    pub moves: u8,
    /// Calls that fail, of IAM and of the API server.
    pub faults: u8,
    /// Processes killed.
    pub kills: u8,
    /// Ticks.
    pub ticks: u8,
    /// Edits of the object.
    pub edits: u8,
}

/// What others do to the role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// A stranger is let in.
    LetIn,
    /// The trust policy lets Pinpoint in for one account alone.
    Narrow,
    /// A policy that nobody declared is attached.
    Attach,
    /// All managed policies are detached.
    Detach,
    /// The bucket policy goes.
    Empty,
    /// The boundary goes.
    Unbound,
    /// Another boundary is put on.
    Rebound,
    /// The session is made short.
    Shorten,
    /// The session is made long.
    Lengthen,
    /// The ownership tags go.
    Strip,
    /// The tags of another owner are put on.
    Claim,
    /// The role is put into an instance profile, which keeps it from being deleted.
    IntoProfile,
    /// It is taken out of it.
    OutOfProfile,
    /// The role is deleted.
    Delete,
    /// It is deleted and made anew, with the tags that this object's role bears, trusting Pinpoint alone, with a policy of theirs.
    Remake,
    /// The same, and it trusts a stranger too.
    RemakeOpen,
    /// The same as [`Move::Remake`], without any policy, as the role is right after `CreateRole`.
    RemakeBare,
    /// It is deleted and made anew without tags, trusting Pinpoint alone, with a policy of theirs.
    MakeOther,
    /// The same, and it trusts a stranger too.
    MakeOpen,
    /// The same as [`Move::MakeOther`], with the tags of another owner.
    MakeRivals,
}

/// What people do to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// The next declaration.
    Change,
    /// It is deleted.
    Delete,
    /// Once it is gone, it is made anew.
    Remake,
}

impl Scene {
    /// A scene in which nothing happens yet.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            specs: vec![PinpointImportRoleSpec::default()],
            settings: vec![Settings {
                cluster: "c",
                boundary: None,
            }],
            at_rest: true,
            prelude: Vec::new(),
            moves: Vec::new(),
            edits: Vec::new(),
            bounds: Bounds {
                ticks: 2,
                ..Bounds::default()
            },
            replicas: 1,
            turns: false,
            lag: 1,
            calls: Calls::Usual,
            rival: Rival::Live,
        }
    }

    /// Time of a tick, as decisions have it.
    #[must_use]
    pub fn time(ticks: u8) -> Duration {
        TICK * ticks.into()
    }

    /// How long IAM may be late by the controller's settings.
    #[must_use]
    pub fn settle() -> Duration {
        TICK * 2
    }
}

impl Settings {
    /// What operators allow.
    #[must_use]
    pub fn guards(&self) -> Guards {
        let all = || Patterns::new(&["*".to_owned()]);
        Guards {
            policy_arns: all(),
            boundary: self.boundary.and_then(|arn| PolicyArn::parse(arn).ok()),
            name_prefix: String::new(),
            adoption_namespaces: all(),
        }
    }

    /// The owner that an object is.
    #[must_use]
    pub fn owner(&self, uid: u8) -> Owner {
        Owner {
            cluster: self.cluster.to_owned(),
            namespace: "n".to_owned(),
            name: "o".to_owned(),
            uid: format!("uid-{uid}"),
        }
    }
}
