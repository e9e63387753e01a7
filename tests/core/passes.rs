//! Laws of the decision and its execution together: whole passes, over an IAM that is late and whose calls fail before or after their
//! effect, with restarts in between and others at work on the role.

use std::{collections::BTreeSet, ops::ControlFlow, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use pinpoint_import_role_controller::{
    api::{
        EventReason, Reason,
        v1alpha1::{
            AdoptionPolicy, Application, Bucket, DeletionPolicy, DriftPolicy, PinpointImportRoleSpec,
            PinpointImportRoleStatus, Trust, UndeclaredPolicies,
        },
    },
    role::{
        Account, Class, Failure, Head, ObservedRole, Owner, Premise, RolePath, Step,
        decision::{Decision, End, Situation, Subject, Work, after, at_once, begin, decide, foresee, subject, whose},
        events::events,
        outcome::Outcome,
        ownership::Rival,
        plan::{differences, plan},
        progress::Progress,
        recent::{Clock, Recent},
        status::{self, Learned, differs, ready_reason},
    },
};
use proof::{
    iam::{after as after_all, apply},
    power::{Power, beyond, powers_by_policies as powers, who},
};
use proptest::{collection::vec, prelude::*, sample::select};
use strum::VariantArray;

use crate::generated::{account, all_allowed, cases, declare, owner, spec};

const WIDE: &str = r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com","AWS":"999999999999"},"Action":"sts:AssumeRole"}}"#;
const STRANGER: &str =
    r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"888888888888"},"Action":"sts:AssumeRole"}}"#;
const GUIDE: &str =
    r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// What others do to the role.
#[derive(Clone, Copy, Debug, PartialEq, VariantArray)]
enum Tamper {
    Widen,
    LetStrangerIn,
    Attach,
    DetachAll,
    AddInline,
    Unbound,
    Rename,
    StripTags,
    Delete,
    /// Deletes the role and makes another, with the tags of the first.
    Remake,
}

/// What happens.
#[derive(Clone, Debug)]
enum Event {
    /// A pass in which these calls fail: the number of the write, how, and whether it had its effect all the same.
    Pass(Vec<(usize, Class, bool)>),
    Tamper(Tamper),
    Wait(u64),
    Restart,
    NewSpec,
}

/// A role that somebody made by hand.
fn by_hand() -> ObservedRole {
    ObservedRole {
        head: Head {
            name: "role".to_owned(),
            arn: "arn:aws:iam::123456789012:role/role".to_owned(),
            id: "AROABYHAND".to_owned(),
            path: "/".to_owned(),
            trust: GUIDE.to_owned(),
            max_session_duration: Some(3600),
            ..Head::default()
        },
        attached: [ADMIN.to_owned()].into(),
        ..ObservedRole::default()
    }
}

/// IAM, the object, and the process that works on it.
struct World {
    specs: [PinpointImportRoleSpec; 2],
    owner: Owner,
    spec: usize,
    generation: i64,
    status: PinpointImportRoleStatus,
    deleting: bool,
    has_finalizer: bool,
    gone: bool,
    recent: Option<Recent>,
    started: Duration,
    now: Duration,
    settle: Duration,
    lag: Duration,
    /// The role from these times on; the last is the truth.
    history: Vec<(Duration, Option<ObservedRole>)>,
    made: usize,
    /// Ids of roles that are the object's: it made them, or put its tags on.
    ours: BTreeSet<String>,
    theirs: usize,
    /// What may be possible with the role: what was when others last changed it, and what is declared.
    allowed: BTreeSet<Power>,
    told: Vec<EventReason>,
    iam_writes: usize,
    status_writes: usize,
}

impl World {
    fn new(specs: [PinpointImportRoleSpec; 2], settle: u64, lag: u64) -> Self {
        Self {
            specs,
            owner: owner(),
            spec: 0,
            generation: 1,
            status: PinpointImportRoleStatus::default(),
            deleting: false,
            has_finalizer: false,
            gone: false,
            recent: None,
            started: Duration::ZERO,
            now: Duration::ZERO,
            settle: Duration::from_secs(settle),
            lag: Duration::from_secs(lag.min(settle.saturating_sub(1))),
            history: vec![(Duration::ZERO, None)],
            made: 0,
            ours: BTreeSet::new(),
            theirs: 0,
            allowed: BTreeSet::new(),
            told: Vec::new(),
            iam_writes: 0,
            status_writes: 0,
        }
    }

    fn spec(&self) -> &PinpointImportRoleSpec {
        &self.specs[self.spec]
    }

    fn truth(&self) -> Option<&ObservedRole> {
        self.history.last().expect("a state").1.as_ref()
    }

    /// What IAM answers.
    fn shown(&self) -> Option<ObservedRole> {
        let as_of = self.now.saturating_sub(self.lag);
        let state = self.history.iter().rev().find(|(from, _)| *from <= as_of);
        state.expect("a first state").1.clone()
    }

    fn change(&mut self, role: Option<ObservedRole>) {
        self.history.push((self.now, role));
    }

    fn clock(&self) -> Clock {
        Clock {
            now: self.now.saturating_sub(self.started),
            settle: self.settle,
        }
    }

    fn recent(&mut self) -> &mut Recent {
        let (has_finalizer, clock) = (self.has_finalizer, self.clock());
        self.recent.get_or_insert_with(|| Recent::meeting(has_finalizer, clock))
    }

    /// The time that statuses show.
    fn time(&self) -> Time {
        Time(Timestamp::from_second(1_790_000_000 + i64::try_from(self.now.as_secs()).unwrap()).unwrap())
    }

    fn asking<T>(&mut self, question: impl FnOnce(&Situation<'_>) -> T) -> T {
        let recent = self.recent().clone();
        question(&Situation {
            spec: self.spec(),
            owner: &self.owner,
            status: &self.status,
            generation: self.generation,
            deleting: self.deleting,
            has_finalizer: self.has_finalizer,
            guards: &all_allowed(),
            role_path: &RolePath::default(),
            recent: &recent,
            clock: self.clock(),
        })
    }

    /// A pass, as the controller makes it. Every call takes a tenth of a second.
    fn pass(&mut self, faults: &[(usize, Class, bool)]) {
        if self.gone {
            return;
        }
        let account = account();
        let subject = match self.asking(|situation| {
            begin(situation)?;
            subject(situation, &account)
        }) {
            ControlFlow::Break(end) => return self.conclude(None, end, None),
            ControlFlow::Continue(subject) => subject,
        };
        let mut at_once = self.asking(|situation| at_once(situation, &subject));
        self.recent();
        self.has_finalizer |= !self.deleting;
        loop {
            let (decision, owned) = match at_once.take() {
                Some(work) => (Decision::Act(work), None),
                None => self.look(&account, &subject),
            };
            match decision {
                Decision::End(end) => return self.conclude(Some(&subject), end, owned.as_ref()),
                Decision::Report(plan) => {
                    let outcome = Outcome::Reported(differences(&plan));
                    return self.conclude(Some(&subject), End::Say(outcome), owned.as_ref());
                }
                Decision::Act(work) => {
                    if let ControlFlow::Break((end, role)) = self.work(&subject, &work, faults) {
                        return self.conclude(Some(&subject), end, role.as_ref());
                    }
                }
            }
        }
    }

    fn look(&mut self, account: &Account, subject: &Subject) -> (Decision, Option<Head>) {
        let shown = self.shown();
        let head = shown.as_ref().map(|role| role.head.clone());
        let clock = self.clock();
        self.recent().saw(head.as_ref(), clock);
        let found = self.asking(|situation| whose(situation, subject, head.as_ref(), &Rival::Live));
        let (decision, owned) = match found {
            ControlFlow::Break(decision) => (decision, None),
            ControlFlow::Continue(whose) => {
                let shown = shown.as_ref().expect("a role");
                self.recent().saw_whole(shown, clock);
                let decision = self.asking(|situation| decide(situation, subject, &whose, shown));
                (decision, Some(shown.head.clone()))
            }
        };
        // `plan` on the command line gives the same answer.
        let foreseen = self.asking(|situation| foresee(situation, account, shown.as_ref(), &Rival::Live));
        assert_eq!(format!("{foreseen:?}"), format!("{decision:?}"));
        (decision, owned)
    }

    /// Carries work out; goes on where a look is asked for.
    fn work(
        &mut self,
        subject: &Subject,
        work: &Work,
        faults: &[(usize, Class, bool)],
    ) -> ControlFlow<(End, Option<Head>)> {
        if let Some(desired) = subject.desired() {
            let next = status::intent(&self.status, self.generation, &work.intent(desired), &self.time());
            self.write_status(next, None);
        }
        let mut progress = Progress::without(&work.unproven);
        let mut known = work.before.as_deref().cloned();
        for change in &work.changes {
            if !progress.may(change) {
                continue;
            }
            self.now += Duration::from_millis(100);
            let fault = faults
                .iter()
                .find(|(nth, ..)| *nth == progress.failures.len() + self.iam_writes % 3);
            let fault = fault.map(|(_, class, effect)| (*class, *effect));
            let answer = self.execute(&change.step, fault, &progress);
            let clock = self.clock();
            let outcome = answer.as_ref().map(drop);
            self.recent().did(&change.step, known.as_ref(), outcome, clock);
            known = match &answer {
                Ok(Some(made)) => Some(made.clone().into()),
                Ok(None) => known.map(|role| change.step.applied(&role)),
                Err(_) => known,
            };
            progress.take(change, answer);
        }
        let role = work.role(&progress);
        let ended = self.asking(|situation| after(situation, subject, work, progress));
        ended.map_break(|end| (end, role))
    }

    /// A write, as IAM carries it out: upon the truth, whatever it shows.
    fn execute(
        &mut self,
        step: &Step,
        fault: Option<(Class, bool)>,
        progress: &Progress,
    ) -> Result<Option<Head>, Failure> {
        let failure = |class| Failure {
            class,
            message: format!("{} failed: {class:?}", step.action()),
        };
        self.iam_writes += 1;
        let has_effect = fault.is_none_or(|(class, effect)| class == Class::Ambiguous && effect);
        if has_effect {
            let mut role = self.truth().cloned();
            // With `Adopt` a role that bears its tags is taken over as it is.
            let adopts = self.spec().adoption_policy == AdoptionPolicy::Adopt;
            let tagged = role.as_ref().and_then(|role| Owner::of(&role.head)).filter(|_| adopts);
            if let (Some(role), true) = (&role, tagged.as_ref() == Some(&self.owner)) {
                self.ours.insert(role.head.id.clone());
            }
            let id = role.as_ref().map(|role| role.head.id.clone()).unwrap_or_default();
            match step {
                Step::CreateRole(_) => {}
                Step::TagRole(tags) if tags.contains_key("pinpoint-import.dev/uid") => drop(self.ours.insert(id)),
                // What IAM does not show yet, nobody can take into account.
                _ => assert!(
                    self.ours.contains(&id) || !self.lag.is_zero(),
                    "{step:?} on a role of others"
                ),
            }
            match (step, &role) {
                (Step::CreateRole(_), Some(_)) => return Err(failure(Class::Exists)),
                (Step::CreateRole(_), None) => {
                    apply(&mut role, step);
                    self.made += 1;
                    let head = &mut role.as_mut().expect("a role").head;
                    head.id = format!("AROA{}", self.made);
                    self.ours.insert(head.id.clone());
                }
                (_, None) => return Err(failure(Class::Retryable)),
                (Step::PutBoundary(_), Some(there)) if there.head.boundary.is_some() && self.lag.is_zero() => {
                    apply(&mut role, step);
                    assert_eq!(
                        self.undeclared(role.as_ref()),
                        None,
                        "another boundary over what is not declared"
                    );
                }
                (Step::DeleteRole, Some(there)) if !there.attached.is_empty() || !there.inline.is_empty() => {
                    assert!(!self.lag.is_zero(), "DeleteRole on a role with policies");
                    return Err(failure(Class::Retryable));
                }
                _ => apply(&mut role, step),
            }
            let gained = beyond(
                powers(role.as_ref()),
                &powers(self.truth()).union(&self.allowed).cloned().collect(),
            );
            // One exception: where a policy that is not declared can't be taken off, a stranger is put out all the same.
            let puts_out = who(self.truth()).difference(&who(role.as_ref())).count() > 0;
            let excepted = matches!(step, Step::UpdateTrust(_)) && !progress.holds(Premise::Removed) && puts_out;
            assert!(gained.is_none() || excepted, "{step:?} gives {gained:?}");
            self.change(role);
        }
        match fault {
            Some((class, _)) => Err(failure(class)),
            None if matches!(step, Step::CreateRole(_)) => Ok(self.truth().map(|role| role.head.clone())),
            None => Ok(None),
        }
    }

    /// What a role makes possible that is not declared, unless policies of others are to be kept.
    fn undeclared(&self, role: Option<&ObservedRole>) -> Option<Power> {
        let end = after_all(None, &plan(&declare(self.spec()), None, &[]));
        let more = beyond(powers(role), &powers(end.as_ref()));
        more.filter(|_| self.spec().undeclared_policies != UndeclaredPolicies::Keep)
    }

    fn conclude(&mut self, subject: Option<&Subject>, end: End, role: Option<&Head>) {
        match end {
            End::LetGo(_) => {
                // No orphan: what the status has pinned is gone, unless it is to stay.
                let pinned = self
                    .truth()
                    .filter(|role| self.status.role_id.as_ref() == Some(&role.head.id));
                assert!(
                    pinned.is_none() || self.spec().deletion_policy == DeletionPolicy::Retain,
                    "let go while the role is there: {:?}",
                    self.status
                );
                self.gone = true;
            }
            End::Say(outcome) => {
                let learned = Learned {
                    desired: subject.and_then(Subject::desired),
                    role,
                    request: None,
                };
                let next = status::status(&self.status, self.generation, learned, &outcome, &self.time());
                self.write_status(next, Some(&outcome));
            }
        }
    }

    fn write_status(&mut self, next: PinpointImportRoleStatus, outcome: Option<&Outcome>) {
        if differs(&self.status, &next) {
            self.status_writes += 1;
            let told = events(&self.status, &next, outcome);
            self.told.extend(told.into_iter().map(|(reason, _)| reason));
            self.status = next;
        }
    }

    fn tamper(&mut self, tamper: Tamper) {
        let Some(mut role) = self.truth().cloned() else { return };
        match tamper {
            Tamper::Widen => WIDE.clone_into(&mut role.head.trust),
            Tamper::LetStrangerIn => STRANGER.clone_into(&mut role.head.trust),
            Tamper::Attach => drop(role.attached.insert(ADMIN.to_owned())),
            Tamper::DetachAll => role.attached.clear(),
            Tamper::AddInline => drop(role.inline.insert("theirs".to_owned(), Some("{}".to_owned()))),
            Tamper::Unbound => role.head.boundary = None,
            Tamper::Rename => role.head.description = Some("theirs".to_owned()),
            Tamper::StripTags => role.head.tags.retain(|key, _| !key.starts_with("pinpoint-import.dev/")),
            Tamper::Delete => {
                self.change(None);
                return self.others_changed();
            }
            Tamper::Remake => {
                role = ObservedRole {
                    head: Head {
                        trust: GUIDE.to_owned(),
                        tags: role.head.tags,
                        ..by_hand().head
                    },
                    ..by_hand()
                };
                self.theirs += 1;
                role.head.id = format!("AROATHEIRS{}", self.theirs);
                // While nothing is pinned, the tags are the proof, and these can't be told from ours (contract, section 4).
                if self.status.role_id.is_none() {
                    self.ours.insert(role.head.id.clone());
                }
            }
        }
        self.change(Some(role));
        self.others_changed();
    }

    /// What is possible now, or declared, may be possible until others change the role again.
    fn others_changed(&mut self) {
        let desired = declare(self.spec());
        let mut allowed = powers(self.truth());
        for from in [self.truth(), None] {
            let end = after_all(from, &plan(&desired, from, &self.status.tag_keys));
            allowed.extend(powers(end.as_ref()));
            if let (Some(truth), Some(end), false) = (self.truth(), end, self.lag.is_zero()) {
                // What IAM does not show yet, nobody can take into account: trust and policies may each be either.
                let (before, after) = (truth.clone(), end);
                for (head, policies) in [(&before, &after), (&after, &before)] {
                    let head = head.head.clone();
                    allowed.extend(powers(Some(&ObservedRole {
                        head,
                        ..policies.clone()
                    })));
                }
            }
        }
        self.allowed = allowed;
    }

    fn restart(&mut self) {
        self.recent = None;
        self.started = self.now;
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn drifts_told(&self) -> usize {
        self.told
            .iter()
            .filter(|reason| **reason == EventReason::DriftDetected)
            .count()
    }
}

fn tamper() -> impl Strategy<Value = Tamper> {
    select(Tamper::VARIANTS)
}

/// How a call fails without having met something else in IAM: `Blocked` and `Exists` say that something is there, and come of a world in
/// which it is.
fn class() -> impl Strategy<Value = Class> {
    let of_itself = |class: &Class| !matches!(class, Class::Blocked | Class::Exists);
    select(Class::VARIANTS.iter().copied().filter(of_itself).collect::<Vec<_>>())
}

fn event() -> impl Strategy<Value = Event> {
    let fault = (0_usize..4, class(), any::<bool>());
    prop_oneof![
        4 => vec(fault, 0..3).prop_map(Event::Pass),
        2 => tamper().prop_map(Event::Tamper),
        2 => select(vec![0_u64, 1, 5, 30, 61]).prop_map(Event::Wait),
        1 => Just(Event::Restart),
        1 => Just(Event::NewSpec),
    ]
}

/// Runs a history, and then leaves the world alone until all is settled.
fn run(world: &mut World, events: &[Event]) {
    world.others_changed();
    for event in events {
        match event {
            Event::Pass(faults) => world.pass(faults),
            Event::Tamper(what) => world.tamper(*what),
            Event::Wait(seconds) => world.wait(*seconds),
            Event::Restart => world.restart(),
            Event::NewSpec => {
                world.generation += 1;
                world.spec = 1;
                world.others_changed();
            }
        }
    }
}

/// Passes until nothing can be late any more, and what may be done is done.
fn calm_down(world: &mut World) {
    for _ in 0..8 {
        world.wait(world.settle.as_secs() + 1);
        world.pass(&[]);
    }
}

/// The settings of a history: settle time and lag, and how the object would have its role.
fn histories() -> impl Strategy<Value = (World, Vec<Event>)> {
    (
        [spec(), spec()],
        select(vec![(0_u64, 0_u64), (60, 0), (60, 5), (60, 25), (60, 59)]),
        select([&[DriftPolicy::Repair], DriftPolicy::VARIANTS].concat()),
        select(AdoptionPolicy::VARIANTS),
        select(DeletionPolicy::VARIANTS),
        (vec(event(), 0..12), any::<bool>()),
    )
        .prop_map(
            |(mut specs, (settle, lag), drift, adoption, deletion, (events, exists))| {
                for spec in &mut specs {
                    (spec.drift_policy, spec.adoption_policy, spec.deletion_policy) = (drift, adoption, deletion);
                }
                let mut world = World::new(specs, settle, lag);
                if exists {
                    world.history = vec![(Duration::ZERO, Some(by_hand()))];
                }
                (world, events)
            },
        )
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "settle {:?}, lag {:?}, specs {:?}",
            self.settle, self.lag, self.specs
        )
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases(1000)) })]

    /// Never wider (checked at every write), no orphan (at every end), and eventually as declared and quiet.
    #[test]
    fn whatever_happens_the_role_is_brought_there_safely((mut world, events) in histories()) {
        run(&mut world, &events);
        let tampered = events.iter().filter(|event| matches!(event, Event::Tamper(_))).count();
        prop_assert!(world.drifts_told() <= tampered, "{} drifts told of {tampered}", world.drifts_told());
        calm_down(&mut world);
        let reason = ready_reason(&world.status).map(Reason::as_str);
        let in_place = {
            let desired = declare(world.spec());
            let left = plan(&desired, world.truth(), &world.status.tag_keys);
            left.is_empty()
        };
        // A role that others made in the place of ours is theirs, and one whose trust they changed before it was known is not ours either.
        let is_theirs = world.truth().is_some_and(|role| world.status.role_id.as_ref() != Some(&role.head.id));
        let lost = (is_theirs || world.status.role_id.is_none()) && reason == Some("RoleNotOwned");
        let reported = reason == Some("DriftDetected") && world.spec().drift_policy == DriftPolicy::Report;
        prop_assert!(in_place && reason == Some("Reconciled") || lost || reported, "{:?}", world.status);
        let before = (world.iam_writes, world.status_writes, world.told.len());
        for seconds in [0, 5, 61] {
            world.wait(seconds);
            world.pass(&[]);
        }
        prop_assert_eq!((world.iam_writes, world.status_writes, world.told.len()), before, "not quiet");
    }

    /// Where nobody but the controller is at work, nothing is ever drift: not when IAM is late, nor after a restart.
    #[test]
    fn what_the_controller_did_itself_is_never_told_as_drift((mut world, events) in histories(), at in select(vec![1_u64, 3, 30])) {
        // One thing is not kept: a new generation, a restart and late answers at once. What the process before put on for the generation
        // before that is then seen for the first time once all seems in place.
        let alone: Vec<Event> =
            events.into_iter().filter(|event| !matches!(event, Event::Tamper(_) | Event::Restart)).collect();
        run(&mut world, &alone);
        calm_down(&mut world);
        // The latest time at which a restart can mislead: right after an update, while IAM shows what was before it.
        world.spec = 1 - world.spec;
        world.generation += 1;
        world.others_changed();
        world.pass(&[]);
        world.restart();
        for _ in 0..4 {
            world.wait(at);
            world.pass(&[]);
        }
        calm_down(&mut world);
        prop_assert_eq!(world.drifts_told(), 0);
    }

    /// The same with a deletion at some time: the object goes, and the role with it.
    #[test]
    fn whenever_it_is_deleted_nothing_is_left((mut world, events) in histories(), at in 0_usize..12) {
        let at = at.min(events.len());
        run(&mut world, &events[..at]);
        world.deleting = true;
        world.generation += 1;
        let later: Vec<Event> = events[at..].iter().filter(|event| !matches!(event, Event::NewSpec)).cloned().collect();
        for event in &later {
            match event {
                Event::Pass(faults) => world.pass(faults),
                Event::Wait(seconds) => world.wait(*seconds),
                Event::Restart => world.restart(),
                Event::Tamper(what) => world.tamper(*what),
                Event::NewSpec => {}
            }
        }
        calm_down(&mut world);
        prop_assert!(world.gone, "{:?}", world.status);
    }

    /// A failure that lasts is told once, in one status, however often it is tried and whatever comes between.
    #[test]
    fn a_failure_that_lasts_is_told_once(
        spec in spec(),
        what in tamper(),
        class in class(),
        passing in vec(option_of_passing(), 6),
        restart in any::<bool>(),
    ) {
        let mut world = World::new([spec.clone(), spec], 60, 0);
        world.others_changed();
        calm_down(&mut world);
        world.tamper(what);
        world.told.clear();
        let all: Vec<_> = (0..40).map(|nth| (nth, class, false)).collect();
        world.wait(1);
        world.pass(&all);
        let told = world.told.len();
        let writes = world.status_writes;
        prop_assert!(told <= 2, "{:?}", world.told);
        for between in passing {
            world.wait(100);
            let faults: Vec<_> = match between {
                Some(passing) => (0..40).map(|nth| (nth, passing, false)).collect(),
                None => all.clone(),
            };
            if restart {
                world.restart();
                world.wait(61);
            }
            world.pass(&faults);
        }
        if world.iam_writes > 0 && !class.passes_by_itself() {
            prop_assert_eq!(world.told.len(), told, "{:?}", world.told);
            prop_assert_eq!(world.status_writes, writes);
        }
    }
}

fn option_of_passing() -> impl Strategy<Value = Option<Class>> {
    select(vec![None, Some(Class::Throttled), Some(Class::Retryable)])
}

/// A role that others deleted is made anew, and IAM shows the one before once more: that one's id is given up for good, or the one made
/// would be nobody's.
#[test]
fn an_id_that_was_given_up_is_not_taken_back_upon_a_late_answer() {
    for restart in [false, true] {
        let mut world = World::new(
            [PinpointImportRoleSpec::default(), PinpointImportRoleSpec::default()],
            60,
            0,
        );
        world.others_changed();
        calm_down(&mut world);
        world.tamper(Tamper::Delete);
        let lost: Vec<_> = (0..4).map(|nth| (nth, Class::Ambiguous, true)).collect();
        world.pass(&lost);
        if restart {
            world.restart();
        }
        world.lag = Duration::from_secs(59);
        world.pass(&[]);
        world.lag = Duration::ZERO;
        calm_down(&mut world);
        let reason = ready_reason(&world.status).map(Reason::as_str);
        assert_eq!(reason, Some("Reconciled"), "restart {restart}: {:?}", world.status);
    }
}

/// A role that was made and seen is not believed to be gone because IAM once more shows none.
#[test]
fn a_role_whose_creation_had_no_answer_is_not_told_to_be_gone() {
    let mut world = World::new(
        [PinpointImportRoleSpec::default(), PinpointImportRoleSpec::default()],
        60,
        0,
    );
    world.others_changed();
    world.pass(&(0..4).map(|nth| (nth, Class::Ambiguous, true)).collect::<Vec<_>>());
    world.pass(&[]);
    assert_eq!(ready_reason(&world.status), Some(Reason::Reconciled));
    world.lag = Duration::from_secs(59);
    world.pass(&[]);
    assert_eq!(world.drifts_told(), 0, "{:?}", world.status);
    assert!(world.status.role_id.is_some());
}

/// Before anything is pinned, a role with copied tags that trusts Pinpoint alone is the object's: so says the table of ownership.
#[test]
fn a_role_that_takes_the_place_of_one_that_is_not_pinned_is_ours() {
    let mut world = World::new(
        [PinpointImportRoleSpec::default(), PinpointImportRoleSpec::default()],
        0,
        0,
    );
    run(
        &mut world,
        &[
            Event::Pass(vec![(0, Class::Ambiguous, true)]),
            Event::Tamper(Tamper::Remake),
        ],
    );
    calm_down(&mut world);
    assert_eq!(
        ready_reason(&world.status),
        Some(Reason::Reconciled),
        "{:?}",
        world.status
    );
}

/// What was put on a role a moment ago, and is not shown yet, keeps it from being deleted; the controller knows of it.
#[test]
fn a_role_just_made_is_deleted_whole() {
    let mut world = World::new(
        [PinpointImportRoleSpec::default(), PinpointImportRoleSpec::default()],
        60,
        0,
    );
    world.others_changed();
    world.pass(&[]);
    // The role is shown, and its policy, which came last, is not.
    let (attached, bare) = (world.history.len() - 1, world.history.len() - 2);
    world.history[attached].0 += Duration::from_secs(10);
    assert_eq!(world.history[bare].1.as_ref().map(|role| role.attached.len()), Some(0));
    world.deleting = true;
    world.generation += 1;
    world.wait(1);
    world.pass(&[]);
    assert!(world.gone, "{:?}", world.status);
}

/// A trust policy under fewer conditions, or for more, takes nothing from anybody: it waits until what is not declared is gone.
#[test]
fn a_trust_policy_that_only_widens_waits_for_undeclared_policies() {
    let on_behalf_of_another = r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"111111111111"}}}}"#;
    let guide = declare(&PinpointImportRoleSpec::default());
    assert!(guide.trust.only_adds_to(on_behalf_of_another));
    assert!(!guide.trust.only_adds_to(STRANGER));
    let applications = |regions: &[&str]| {
        let application = |region: &&str| Application {
            region: (*region).to_owned(),
            id: "0123456789abcdef".repeat(2),
        };
        let trust = Trust {
            applications: Some(regions.iter().map(application).collect()),
            ..Trust::default()
        };
        declare(&PinpointImportRoleSpec {
            trust: Some(trust),
            ..PinpointImportRoleSpec::default()
        })
    };
    let (one, two) = (applications(&["us-east-1"]), applications(&["us-east-1", "eu-west-1"]));
    assert!(two.trust.only_adds_to(one.trust.document()));
    assert!(!one.trust.only_adds_to(two.trust.document()));
    assert!(!one.trust.only_adds_to(guide.trust.document()));
}

/// What nothing of ours holds has no role of ours: deleted, it is let go without a look, suspended or not.
#[test]
fn an_object_that_is_not_held_is_let_go_without_a_look() {
    for suspend in [false, true] {
        let spec = PinpointImportRoleSpec {
            suspend,
            ..PinpointImportRoleSpec::default()
        };
        let mut world = World::new([spec.clone(), spec], 60, 0);
        world.deleting = true;
        assert!(
            matches!(world.asking(begin), ControlFlow::Break(End::LetGo(None))),
            "{suspend}"
        );
    }
}

fn new_object(spec: PinpointImportRoleSpec) -> World {
    World::new([spec.clone(), spec], 60, 0)
}

/// `CreateRole` goes before a look where nobody can have made the role, and not once the object or its status knows of a pass.
#[test]
fn a_role_is_made_without_a_look_once_in_an_objects_life() {
    type Case = (&'static str, bool, fn(&mut World));
    let cases: [Case; 6] = [
        ("new", true, |_| {}),
        ("held already", false, |world| world.has_finalizer = true),
        (
            "a pass came so far, and somebody took the finalizer off",
            false,
            |world| {
                world.status.role_name = Some("role".to_owned());
            },
        ),
        ("a role is pinned", false, |world| {
            world.status.role_id = Some("AROA1".to_owned());
        }),
        ("it may adopt", false, |world| {
            world.specs[0].adoption_policy = AdoptionPolicy::Adopt;
        }),
        ("it goes", false, |world| {
            (world.deleting, world.has_finalizer) = (true, true);
        }),
    ];
    for (what, expected, change) in cases {
        let mut world = new_object(PinpointImportRoleSpec::default());
        change(&mut world);
        let account = account();
        let work = world.asking(|situation| match subject(situation, &account) {
            ControlFlow::Continue(subject) => at_once(situation, &subject),
            ControlFlow::Break(end) => panic!("{what}: {end:?}"),
        });
        assert_eq!(work.is_some(), expected, "{what}");
    }
}

/// A role of others costs one `CreateRole`, however often it is looked at and whatever becomes of the process.
#[test]
fn a_role_of_others_is_met_once() {
    let spec = PinpointImportRoleSpec {
        tags: [("team".to_owned(), "a".to_owned())].into(),
        ..PinpointImportRoleSpec::default()
    };
    let mut world = new_object(spec);
    world.history = vec![(Duration::ZERO, Some(by_hand()))];
    for restart in [false, false, true, true] {
        if restart {
            world.restart();
        }
        world.pass(&[]);
        assert_eq!(world.iam_writes, 1);
        assert_eq!(ready_reason(&world.status), Some(Reason::RoleNotOwned), "{restart}");
        assert_eq!(world.status.role_id, None);
        // Adopted one day, it may bear such a tag of its own.
        assert_eq!(world.status.tag_keys, [""; 0]);
        world.wait(61);
    }
    assert_eq!(world.told, [EventReason::Failing(Reason::RoleNotOwned)]);
}

/// What keeps a role from being made for longer is told as each later look will tell it; what passes by itself is tried by the next pass.
#[test]
fn a_refusal_without_a_look_is_followed_by_the_look() {
    for class in Class::VARIANTS.iter().filter(|class| **class != Class::Exists) {
        let mut world = new_object(PinpointImportRoleSpec::default());
        world.others_changed();
        world.pass(&[(0, *class, false)]);
        let made = world.truth().is_some();
        assert_eq!(made, !class.passes_by_itself(), "{class:?}");
        let reason = ready_reason(&world.status);
        assert_eq!(reason == Some(Reason::Reconciled), made, "{class:?}: {reason:?}");
        world.wait(61);
        world.pass(&[]);
        assert_eq!(ready_reason(&world.status), Some(Reason::Reconciled), "{class:?}");
    }
}

/// Regression: a role that others made in the place of ours, with its tags, was taken for a late answer where it showed what ours had
/// been before a write: it was `Ready` with their policy on it for a settle time, or its drift was told in two.
#[test]
fn a_role_that_others_made_anew_is_no_late_answer() {
    for was_there in [false, true] {
        let spec = || PinpointImportRoleSpec {
            permissions_boundary: Some("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess".to_owned()),
            buckets: Some(vec![Bucket {
                name: "one".to_owned(),
                prefix: None,
                kms_key_arn: None,
            }]),
            adoption_policy: AdoptionPolicy::Adopt,
            ..PinpointImportRoleSpec::default()
        };
        let mut world = World::new([spec(), spec()], 60, 0);
        if was_there {
            world.history = vec![(Duration::ZERO, Some(by_hand()))];
        }
        world.others_changed();
        let throttled = || Event::Pass(vec![(0, Class::Throttled, false)]);
        run(
            &mut world,
            &[
                throttled(),
                Event::Pass(vec![]),
                Event::Tamper(Tamper::Remake),
                throttled(),
                Event::Pass(vec![]),
            ],
        );
        assert_eq!(
            ready_reason(&world.status),
            Some(Reason::Reconciled),
            "{:?}",
            world.status
        );
        assert!(world.status.last_drift.is_some(), "{:?}", world.told);
        calm_down(&mut world);
        assert_eq!(world.drifts_told(), 1, "{:?}", world.told);
    }
}
