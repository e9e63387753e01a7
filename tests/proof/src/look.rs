//! What a pass reads, and what is decided upon it; and what is kept from the decision where a rule is taken out.

use std::ops::ControlFlow;

use pinpoint_import_role_controller::{
    api::{Reason, v1alpha1::PinpointImportRoleStatus},
    role::{
        Class, ObservedRole, Ownership,
        decision::{Decision, End, decide, whose},
        outcome::Outcome,
        ownership::{Foreign, Rival},
        recent::Recent,
    },
};

use crate::{
    guard::Guard,
    laws::{self, Broken},
    sealed::Sealed,
    world::{Answer, Model, Pass, Stage, Untold, World},
};

impl Model {
    pub(crate) fn read_head(&self, world: &mut World, r: usize, mut pass: Pass, answer: Answer) -> Result<(), Broken> {
        let Answer::Well(age) = answer else {
            return self.end_failed(world, r, pass, answer);
        };
        pass.head = world.iam.shown(age).map(|role| role.head.clone());
        pass.start = world.iam.role().cloned();
        pass.unseen = world.iam.hides(age);
        let (head, clock) = (pass.head.clone(), world.clock(&world.replicas[r]));
        self.remember(world, r, &pass.object, |recent| recent.saw(head.as_ref(), clock));
        let decision = self.whose(world, r, &pass);
        match decision {
            ControlFlow::Break(decision) => {
                if pass.unseen {
                    world.untold = Untold::ANYTHING;
                }
                self.decided(world, r, pass, decision, None)
            }
            ControlFlow::Continue(whose) => {
                pass.stage = Stage::Policies(whose);
                world.replicas[r].pass = Some(Sealed::new(pass));
                Ok(())
            }
        }
    }

    fn whose(&self, world: &mut World, r: usize, pass: &Pass) -> ControlFlow<Decision, Ownership> {
        let mut recent = self.recent(world, r, &pass.object);
        let replica = &world.replicas[r];
        let Some(subject) = &pass.subject else {
            return ControlFlow::Continue(Ownership::Absent);
        };
        let (mut object, mut head) = (pass.object.clone(), pass.head.clone());
        let mut rival = self.rival(world, r, pass);
        let mut turned = None;
        if let Some(guard) = self.without {
            let leaving = subject.desired().is_none();
            if guard.forgets(head.as_ref(), leaving, recent.just_created(world.clock(replica))) {
                recent = Sealed::new(Recent::default());
            }
            let pinned = object.status.role_id.is_some();
            if let Some(real) = &mut head {
                let mut ours = real.clone();
                ours.tags = self.settings(replica).owner(object.uid).tags();
                ours.trust = laws::declared_trust(self, replica, &object);
                turned = guard
                    .disowns(real, &Ownership::Owned, pinned)
                    .then_some(Foreign::Untagged);
                *real = guard.disguise(real, &ours, pinned);
            }
            match guard {
                Guard::Pin => {
                    let mut blind = PinpointImportRoleStatus::clone(&object.status);
                    blind.role_id = None;
                    object.status = Sealed::new(blind);
                }
                Guard::FormerRole => {
                    let mut blind = PinpointImportRoleStatus::clone(&object.status);
                    blind.former_role_id = None;
                    object.status = Sealed::new(blind);
                }
                Guard::AdoptionRival if rival == Rival::Live => rival = Rival::Gone,
                Guard::AdoptionUnknownRival if matches!(rival, Rival::Unknown(_)) => rival = Rival::Gone,
                Guard::NoAdoptionOnDeletion => object.deleting = false,
                _ => {}
            }
        }
        if let Some(foreign) = turned {
            let message = foreign.message("the role");
            let outcome = Outcome::Refused(Reason::RoleNotOwned, message);
            return ControlFlow::Break(Decision::End(End::Say(outcome)));
        }
        let ask = |recent: &Recent| {
            self.asking(world, replica, &object, recent, |situation| {
                whose(situation, subject, head.as_ref(), &rival)
            })
        };
        if self.without == Some(Guard::MayBeAnother)
            && let verdict @ ControlFlow::Continue(_) = ask(&Recent::default())
        {
            return verdict;
        }
        ask(&recent)
    }

    fn rival(&self, world: &World, r: usize, pass: &Pass) -> Rival {
        let replica = &world.replicas[r];
        let nothing = Recent::default();
        let rival = self.asking(world, replica, &pass.object, &nothing, |situation| {
            situation.rival(pass.head.as_ref())
        });
        match rival {
            Some(rival) if rival.cluster != self.settings(replica).cluster => {
                Rival::Unknown("it is in another cluster".to_owned())
            }
            Some(_) => self.scene.rival.clone(),
            None => Rival::Live,
        }
    }

    pub(crate) fn read_policies(
        &self,
        world: &mut World,
        r: usize,
        mut pass: Pass,
        whose: &Ownership,
        answer: Answer,
    ) -> Result<(), Broken> {
        let Answer::Well(age) = answer else {
            return self.end_failed(world, r, pass, answer);
        };
        pass.unseen |= world.iam.hides(age);
        pass.start = world.iam.role().cloned();
        let role = world.iam.shown(age).cloned();
        if pass.unseen {
            world.untold = Untold::ANYTHING;
        }
        let Some(role) = role else {
            return self.end_failed(world, r, pass, Answer::Fails(Class::Unseen));
        };
        let head = pass.head.clone().unwrap_or_default();
        let shown = ObservedRole { head, ..role };
        let Some(subject) = &pass.subject else { return Ok(()) };
        let clock = world.clock(&world.replicas[r]);
        let memorable = Guard::memorable(self.without, &shown);
        if self.without != Some(Guard::LostAnswers) {
            self.remember(world, r, &pass.object, |recent| recent.saw_whole(&memorable, clock));
        }
        let mut recent = self.recent(world, r, &pass.object);
        if self.without == Some(Guard::Settled) {
            // Nothing is remembered of writes; whether the process is young is.
            recent = Sealed::new(if recent.is_unsure(clock) {
                Recent::meeting(true, clock)
            } else {
                Recent::default()
            });
        }
        let decision = self.asking(world, &world.replicas[r], &pass.object, &recent, |situation| {
            decide(situation, subject, whose, &memorable)
        });
        let settled = recent.settled(&memorable, clock);
        laws::late_is_ours(world, &pass, &shown, &settled)?;
        let mut known = settled.role;
        known.head.id.clone_from(&shown.head.id);
        pass.known = Some(known);
        let is_ours = *whose == Ownership::Owned || matches!(decision, Decision::End(End::Say(Outcome::InPlace(_))));
        self.decided(world, r, pass, decision, is_ours.then_some(shown.head))
    }
}
