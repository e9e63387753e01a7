//! What may happen next, and what comes of it.

use pinpoint_import_role_controller::{
    api::Tag,
    role::{ObservedRole, Step},
};
use strum::VariantArray;

use crate::{
    iam::Role,
    laws::{Broken, orphan},
    scene::{Edit, Move},
    sealed::Sealed,
    world::{Answer, Model, Object, Pass, World},
};

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A process begins a pass: it reads the object.
    Begin(usize),
    /// The pass of a process goes on by one call, with this answer.
    Go(usize, Answer),
    /// A process is killed, and begins anew with the settings of this number.
    Kill(usize, usize),
    /// Others change the role.
    Move(Move),
    /// People edit the object.
    Edit(Edit),
    /// Time goes by.
    Tick,
}

const STRANGER: &str = r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com","AWS":"999999999999"},"Action":"sts:AssumeRole"}}"#;
const PINPOINT: &str =
    r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
const NARROW: &str = r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"111111111111"}}}}"#;
const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const BOUNDARY: &str = "arn:aws:iam::123456789012:policy/theirs";

impl Model {
    /// All that may happen next.
    #[must_use]
    pub fn actions(&self, world: &World) -> Vec<Action> {
        let mut actions = Vec::new();
        let waits = self.scene.turns && world.replicas.iter().any(|replica| replica.pass.is_some());
        for (r, replica) in world.replicas.iter().enumerate() {
            match &replica.pass {
                None if world.object.is_some() && !waits => actions.push(Action::Begin(r)),
                None => {}
                Some(pass) => actions.extend(
                    self.answers(world, pass)
                        .into_iter()
                        .map(|answer| Action::Go(r, answer)),
                ),
            }
            if world.left.kills > 0 {
                actions.extend((0..self.scene.settings.len()).map(|settings| Action::Kill(r, settings)));
            }
        }
        if world.left.moves > 0 {
            let possible = self.scene.moves.iter().filter(|what| moved(world, **what).is_some());
            actions.extend(possible.map(|what| Action::Move(*what)));
        }
        if world.left.edits > 0 {
            let possible = self.scene.edits.iter().filter(|edit| match (edit, &world.object) {
                (Edit::Change, Some(object)) => !object.deleting && object.spec + 1 < self.scene.specs.len(),
                (Edit::Delete, Some(object)) => !object.deleting,
                (Edit::Remake, None) => true,
                _ => false,
            });
            actions.extend(possible.map(|edit| Action::Edit(*edit)));
        }
        // A pass takes less than a tick: its calls are bounded in time.
        let hurry = |pass: &Pass| pass.began < world.tick;
        if world.left.ticks > 0
            && !world
                .replicas
                .iter()
                .any(|replica| replica.pass.as_deref().is_some_and(hurry))
        {
            actions.push(Action::Tick);
        }
        actions
    }

    /// The world after something happened.
    ///
    /// # Errors
    /// The law that it breaks.
    pub fn after(&self, world: &World, action: Action) -> Result<World, Broken> {
        let mut next = world.clone();
        match action {
            Action::Begin(r) => self.begin(&mut next, r)?,
            Action::Go(r, answer) => {
                if matches!(answer, Answer::Fails(_) | Answer::Lost) {
                    next.left.faults -= 1;
                    next.untold.more(0, 1);
                }
                self.go(&mut next, r, answer)?;
            }
            Action::Kill(r, settings) => {
                next.left.kills -= 1;
                let tick = next.tick;
                let replica = &mut next.replicas[r];
                (replica.settings, replica.started, replica.memory, replica.pass) = (settings, tick, None, None);
            }
            Action::Move(what) => {
                next.left.moves -= 1;
                next.untold.more(1, 1);
                Self::tamper(&mut next, what);
            }
            Action::Edit(edit) => {
                next.left.edits -= 1;
                // What lasts is told again for each generation.
                next.untold.more(0, 1);
                edited(&mut next, edit);
            }
            Action::Tick => {
                next.left.ticks -= 1;
                next.tick += 1;
            }
        }
        next.iam.forget(next.tick, self.scene.lag);
        orphan(self, &next)?;
        Ok(next)
    }

    /// Lets others change the role.
    pub fn tamper(world: &mut World, what: Move) {
        let Some(mut role) = moved(world, what) else { return };
        let uid = world.object.as_ref().map(|object| object.uid);
        let pinned = world.object.as_ref().and_then(|object| object.status.role_id.clone());
        if let Some(role) = &mut role {
            if role.shown.head.id.is_empty() {
                role.shown.head.id = world.iam.new_id();
            }
            let is_known = uid == role.maker && pinned.as_ref() == Some(&role.shown.head.id);
            role.spoiled |=
                what == Move::Claim || !is_known && matches!(what, Move::LetIn | Move::Narrow | Move::Strip);
        }
        world.iam.change(world.tick, role, true);
        for replica in &mut world.replicas {
            replica.pass = replica.pass.take().map(Sealed::overtaken);
        }
    }
}

/// The role after others changed it; none where they can't, or it makes no difference.
#[allow(clippy::option_option, reason = "the role may be gone then")]
fn moved(world: &World, what: Move) -> Option<Option<Role>> {
    let truth = world.iam.truth();
    match (what, truth) {
        (Move::MakeOther | Move::MakeOpen | Move::MakeRivals, _)
        | (Move::Remake | Move::RemakeOpen | Move::RemakeBare, Some(_)) => Some(Some(made(truth, what))),
        (_, None) => None,
        (Move::Delete, Some(_)) => Some(None),
        (_, Some(role)) => {
            let after = changed(role, what);
            (after.shown != role.shown || after.in_profile != role.in_profile).then_some(Some(after))
        }
    }
}

/// A role that others made in the place of one.
fn made(former: Option<&Role>, what: Move) -> Role {
    let mut shown = former.map(|role| role.shown.clone()).unwrap_or_default();
    let head = &mut shown.head;
    crate::iam::NAME.clone_into(&mut head.name);
    head.arn = format!("arn:aws:iam::123456789012:role/{}", head.name);
    "/".clone_into(&mut head.path);
    head.id = String::new();
    let is_open = matches!(what, Move::RemakeOpen | Move::MakeOpen);
    if is_open { STRANGER } else { PINPOINT }.clone_into(&mut head.trust);
    if matches!(what, Move::MakeOther | Move::MakeOpen | Move::MakeRivals) {
        head.tags.clear();
    }
    shown.attached = [ADMIN.to_owned()].into();
    match what {
        Move::MakeRivals => claim(&mut shown),
        Move::RemakeBare => (shown.attached, shown.inline) = Default::default(),
        _ => {}
    }
    Role {
        shown,
        maker: None,
        spoiled: false,
        written: false,
        in_profile: false,
    }
}

/// A role that others changed.
fn changed(role: &Role, what: Move) -> Role {
    let mut role = role.clone();
    let ObservedRole { head, attached, inline } = &mut role.shown;
    match what {
        Move::LetIn => STRANGER.clone_into(&mut head.trust),
        Move::Narrow => NARROW.clone_into(&mut head.trust),
        Move::Attach => drop(attached.insert(ADMIN.to_owned())),
        Move::Detach => attached.clear(),
        Move::Empty => inline.clear(),
        Move::Unbound => head.boundary = None,
        Move::Rebound => head.boundary = Some(BOUNDARY.to_owned()),
        Move::Shorten => head.max_session_duration = Some(3600),
        Move::Lengthen => head.max_session_duration = Some(43200),
        Move::Strip => head
            .tags
            .retain(|key, _| Tag::VARIANTS.iter().all(|tag| tag.key() != key)),
        Move::Claim => claim(&mut role.shown),
        Move::IntoProfile => role.in_profile = true,
        Move::OutOfProfile => role.in_profile = false,
        _ => {}
    }
    role
}

fn claim(role: &mut ObservedRole) {
    let rival = pinpoint_import_role_controller::role::Owner {
        cluster: "c".to_owned(),
        namespace: "n".to_owned(),
        name: "rival".to_owned(),
        uid: "uid-of-rival".to_owned(),
    };
    *role = Step::TagRole(rival.tags()).applied(role);
}

fn edited(world: &mut World, edit: Edit) {
    match (edit, world.object.as_mut()) {
        (Edit::Change, Some(object)) => {
            object.spec += 1;
            object.generation += 1;
        }
        (Edit::Delete, Some(object)) if object.held => {
            object.deleting = true;
            object.generation += 1;
        }
        (Edit::Delete, Some(_)) => world.object = None,
        _ => {
            world.uids += 1;
            world.object = Some(Object::new(world.uids));
        }
    }
}
