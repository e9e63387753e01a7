//! A pass, call by call: the product's questions in the order of `controller::{pass, look, work, conclude}`.

use std::ops::ControlFlow;

use pinpoint_import_role_controller::role::{
    Class, Failure, Head,
    decision::{Aim, Decision, End, after, at_once, begin, blocked, subject, unread},
    events::events,
    outcome::Outcome,
    plan::differences,
    progress::Progress,
    recent::Recent,
    status::differs,
};

use crate::{
    guard::Guard,
    iam::NAME,
    laws::{self, Broken},
    object::{hold, intent, said, write_status},
    scene::Calls,
    sealed::Sealed,
    world::{Answer, Model, Object, Pass, Stage, Untold, World},
};

impl Model {
    /// How the next call of a pass may be answered.
    #[must_use]
    pub fn answers(&self, world: &World, pass: &Pass) -> Vec<Answer> {
        let fails = |class| Answer::Fails(class);
        let (mut answers, faults) = match &pass.stage {
            Stage::Head => {
                let ages = world.iam.answers(|role| role.map(|role| role.head.clone()));
                (ages, self.read_faults())
            }
            Stage::Policies(_) => {
                let ages = world
                    .iam
                    .answers(|role| role.map(|role| (role.attached.clone(), role.inline.clone())));
                (ages, self.read_faults())
            }
            Stage::Change(..) => {
                let faults: &[Class] = if self.scene.calls == Calls::EachClass {
                    &[Class::Limited, Class::Invalid, Class::Credentials]
                } else {
                    &[]
                };
                let usual = [Class::Throttled, Class::Denied, Class::Ambiguous];
                let faults = usual.iter().chain(faults).map(|class| fails(*class));
                (vec![0], faults.chain([Answer::Lost]).collect())
            }
            _ => (vec![0], vec![fails(Class::Retryable), Answer::Lost]),
        };
        let mut answers: Vec<Answer> = answers.drain(..).map(Answer::Well).collect();
        if self.scene.calls == Calls::ByTags
            && world.iam.may_lack_tags()
            && matches!(&pass.stage, Stage::Change(work, ..) if !is_creation(work.aim) || pass.known.is_some())
        {
            answers.push(Answer::Lacks);
        }
        if world.left.faults > 0 {
            answers.extend(faults);
        }
        answers
    }

    fn read_faults(&self) -> Vec<Answer> {
        let rare = [Class::Denied, Class::Credentials, Class::Retryable];
        let rare = rare.into_iter().filter(|_| self.scene.calls == Calls::EachClass);
        [Class::Throttled].into_iter().chain(rare).map(Answer::Fails).collect()
    }

    /// Begins a pass: the object is read, and it is decided what the pass is about.
    ///
    /// # Errors
    /// A law is broken.
    pub fn begin(&self, world: &mut World, r: usize) -> Result<(), Broken> {
        let Some(object) = world.object.clone() else {
            return Ok(());
        };
        let recent = self.recent(world, r, &object);
        let aim = self.asking(world, &world.replicas[r], &object, &recent, |situation| {
            begin(situation)?;
            subject(situation, &Self::account())
        });
        let held = object.held || object.deleting || self.without == Some(Guard::FinalizerFirst);
        let (subject, stage) = match aim {
            ControlFlow::Break(end) => (None, Stage::Conclude(end, None)),
            ControlFlow::Continue(subject) => (Some(subject), if held { Stage::Head } else { Stage::Hold }),
        };
        let mut new = object.clone();
        new.held &= self.without != Some(Guard::AtOnceOnce);
        let at_once = subject.as_ref().and_then(|subject| {
            self.asking(world, &world.replicas[r], &new, &recent, |situation| {
                at_once(situation, subject)
            })
        });
        let pass = Pass {
            object,
            subject,
            at_once,
            began: world.tick,
            unseen: false,
            head: None,
            known: None,
            start: None,
            stage,
        };
        if matches!(pass.stage, Stage::Head) {
            return self.held(world, r, pass);
        }
        self.skip(world, r, pass)
    }

    /// A pass over an object that bears the finalizer goes on: without a look, or with one.
    fn held(&self, world: &mut World, r: usize, mut pass: Pass) -> Result<(), Broken> {
        if let Some(work) = pass.at_once.take() {
            return self.decided(world, r, pass, Decision::Act(work), None);
        }
        pass.stage = Stage::Head;
        self.skip(world, r, pass)
    }

    /// What a process remembers of an object, which begins when it meets it.
    pub(crate) fn recent(&self, world: &mut World, r: usize, object: &Object) -> Sealed<Recent> {
        let clock = world.clock(&world.replicas[r]);
        let memory = &mut world.replicas[r].memory;
        match memory {
            Some((uid, recent)) if *uid == object.uid => recent.clone(),
            _ => {
                let recent = Sealed::new(Guard::meeting(self.without, object.held, clock));
                *memory = Some((object.uid, recent.clone()));
                recent
            }
        }
    }

    pub(crate) fn remember(&self, world: &mut World, r: usize, object: &Object, work: impl FnOnce(&mut Recent)) {
        let mut recent = Recent::clone(&self.recent(world, r, object));
        work(&mut recent);
        world.replicas[r].memory = Some((object.uid, Sealed::new(recent)));
    }

    /// The pass of a process goes on by one call.
    ///
    /// # Errors
    /// The law that it breaks.
    pub fn go(&self, world: &mut World, r: usize, answer: Answer) -> Result<(), Broken> {
        let Some(pass) = world.replicas[r].pass.take() else {
            return Ok(());
        };
        let pass = Pass::clone(&pass);
        match pass.stage.clone() {
            Stage::Hold => match hold(world, pass, answer) {
                Some(pass) => self.held(world, r, pass),
                None => Ok(()),
            },
            Stage::Head => self.read_head(world, r, pass, answer),
            Stage::Policies(whose) => self.read_policies(world, r, pass, &whose, answer),
            Stage::Declare(work) => {
                let before = pass.object.status.clone();
                let next = intent(world, &pass, &work);
                let fails = answer == Answer::Fails(Class::Retryable);
                let written = !fails && write_status(self, world, &pass.object, &next);
                if answer != Answer::Well(0) || !written {
                    return Ok(());
                }
                laws::tell(self, world, &events(&before, &next, None))?;
                let mut pass = pass;
                pass.object.status = next;
                pass.stage = Stage::Change(work, 0, Progress::default());
                self.start(world, r, pass)
            }
            Stage::Change(..) => self.change(world, r, pass, answer),
            Stage::Conclude(..) => self.conclude(world, r, &pass, answer),
        }
    }

    pub(crate) fn decided(
        &self,
        world: &mut World,
        r: usize,
        mut pass: Pass,
        decision: Decision,
        role: Option<Head>,
    ) -> Result<(), Broken> {
        match decision {
            Decision::End(end) => pass.stage = Stage::Conclude(end, role),
            Decision::Report(plan) => {
                pass.stage = Stage::Conclude(End::Say(Outcome::Reported(differences(&plan))), role);
            }
            Decision::Act(work) => {
                pass.known = work.before.as_deref().cloned();
                let work = match self.without {
                    Some(guard) => guard.strip(work),
                    None => work,
                };
                let next = intent(world, &pass, &work);
                let is_news = pass.subject.as_ref().is_some_and(|subject| subject.desired().is_some())
                    && differs(&pass.object.status, &next)
                    && self.without != Some(Guard::IntentFirst);
                pass.stage = Stage::Declare(work.clone());
                if !is_news {
                    pass.stage = Stage::Change(work, 0, Progress::default());
                    return self.start(world, r, pass);
                }
            }
        }
        self.skip(world, r, pass)
    }

    /// Begins the work.
    fn start(&self, world: &mut World, r: usize, mut pass: Pass) -> Result<(), Broken> {
        if let Stage::Change(work, ..) = &pass.stage {
            let progress = Progress::without(&work.unproven);
            pass.stage = Stage::Change(work.clone(), 0, progress);
        }
        self.skip(world, r, pass)
    }

    /// The change that is next is made.
    fn change(&self, world: &mut World, r: usize, mut pass: Pass, answer: Answer) -> Result<(), Broken> {
        let Stage::Change(work, nth, mut progress) = pass.stage.clone() else {
            return Ok(());
        };
        let change = &work.changes[nth];
        let clock = world.clock(&world.replicas[r]);
        let before = world.iam.role().cloned();
        let failure = |class| Failure {
            class,
            message: format!("{} failed: {class:?}", change.step.action()),
        };
        laws::at_once_once(world, &pass, &work)?;
        let answered = match answer {
            Answer::Fails(class) => {
                if class == Class::Ambiguous {
                    world.iam.written_in_vain();
                }
                Err(failure(class))
            }
            Answer::Lacks => Err(failure(Class::Denied)),
            Answer::Lost | Answer::Well(_) => {
                laws::not_in_vain(&pass, &change.step)?;
                laws::untouched(self, &world.replicas[r], &pass, &work, &change.step)?;
                let done = world.iam.execute(world.tick, &change.step, pass.object.uid);
                // What others did after the look, or it did not show, is in the way or is written over.
                if pass.unseen {
                    world.untold = Untold::ANYTHING;
                }
                let after = world.iam.role().cloned();
                laws::never_wider(&pass, &change.step, &progress, before.as_ref(), after.as_ref())?;
                match answer {
                    Answer::Lost => Err(failure(Class::Ambiguous)),
                    // As `controller::work` does.
                    _ => done.map_err(|class| match class {
                        Class::Blocked => blocked(NAME, &world.iam.profiles(), failure(class)),
                        _ => failure(class),
                    }),
                }
            }
        };
        let outcome = answered.as_ref().map(drop);
        let known = pass.known.as_ref().map(|role| Guard::memorable(self.without, role));
        self.remember(world, r, &pass.object, |recent| {
            recent.did(&change.step, known.as_deref(), outcome, clock);
        });
        pass.known = match &answered {
            Ok(Some(made)) => Some(made.clone().into()),
            Ok(None) => pass.known.map(|role| change.step.applied(&role)),
            Err(_) => pass.known,
        };
        progress.take(change, answered);
        pass.stage = Stage::Change(work, nth + 1, progress);
        self.skip(world, r, pass)
    }

    /// Goes on to the next call that is made.
    fn skip(&self, world: &mut World, r: usize, mut pass: Pass) -> Result<(), Broken> {
        if let Stage::Change(work, mut nth, mut progress) = pass.stage {
            while work.changes.get(nth).is_some_and(|change| !progress.may(change)) {
                nth += 1;
            }
            pass.stage = if nth < work.changes.len() {
                Stage::Change(work, nth, progress)
            } else {
                let role = work.role(&progress);
                let mut recent = self.recent(world, r, &pass.object);
                let is = |class| progress.failures.iter().any(|failure| failure.class == class);
                if self.without == Some(Guard::DeniedMayLackTags)
                    || self.without == Some(Guard::Unseen) && is(Class::Unseen)
                {
                    recent = Sealed::new(Recent::default());
                }
                let Some(subject) = &pass.subject else { return Ok(()) };
                let ended = self.asking(world, &world.replicas[r], &pass.object, &recent, |situation| {
                    after(situation, subject, &work, progress)
                });
                match ended {
                    ControlFlow::Break(end) => Stage::Conclude(end, role),
                    ControlFlow::Continue(()) => Stage::Head,
                }
            };
        }
        // What writes nothing is no call.
        if let Stage::Conclude(end, role) = &pass.stage {
            laws::ready_is_true(self, &world.replicas[r], &pass, end, world)?;
            let next = said(world, &pass, end, role.as_ref());
            if next.is_some_and(|next| !differs(&pass.object.status, &next)) {
                self.finish(world, r, &pass);
                return Ok(());
            }
        }
        world.replicas[r].pass = Some(Sealed::new(pass));
        Ok(())
    }

    /// A look that failed.
    pub(crate) fn end_failed(&self, world: &mut World, r: usize, mut pass: Pass, answer: Answer) -> Result<(), Broken> {
        let Answer::Fails(class) = answer else { return Ok(()) };
        let message = format!("the look failed: {class:?}");
        let (failure, mut recent) = (Failure { class, message }, self.recent(world, r, &pass.object));
        if self.without == Some(Guard::Unseen) {
            recent = Sealed::new(Recent::default());
        }
        let Some(subject) = &pass.subject else { return Ok(()) };
        let outcome = self.asking(world, &world.replicas[r], &pass.object, &recent, |situation| {
            unread(situation, subject, failure)
        });
        pass.stage = Stage::Conclude(End::Say(outcome), None);
        self.skip(world, r, pass)
    }

    /// The status is written, or the object is let go.
    fn conclude(&self, world: &mut World, r: usize, pass: &Pass, answer: Answer) -> Result<(), Broken> {
        let Stage::Conclude(end, role) = &pass.stage else {
            return Ok(());
        };
        let is_lost = matches!(answer, Answer::Fails(_));
        let Some(next) = said(world, pass, end, role.as_ref()) else {
            if !is_lost && pass.object.held && world.object.as_ref() == Some(&pass.object) {
                world.object = None;
            }
            if answer == Answer::Well(0) && world.object.as_ref().is_none_or(|object| object.uid != pass.object.uid) {
                world.replicas[r].memory = None;
            }
            return Ok(());
        };
        let written = !is_lost && write_status(self, world, &pass.object, &next);
        if written {
            // What is said is judged once it is said: the API server refuses what was made of an object that is not as it was read.
            laws::refusal_is_true(world, pass, end)?;
        }
        if written && answer == Answer::Well(0) {
            let End::Say(outcome) = end else { return Ok(()) };
            laws::tell(self, world, &events(&pass.object.status, &next, Some(outcome)))?;
        }
        self.finish(world, r, pass);
        Ok(())
    }

    fn finish(&self, world: &mut World, r: usize, pass: &Pass) {
        let clock = world.clock(&world.replicas[r]);
        self.remember(world, r, &pass.object, |recent| recent.tidy(clock));
    }
}

fn is_creation(aim: Aim) -> bool {
    matches!(aim, Aim::Create | Aim::CreateAtOnce)
}
