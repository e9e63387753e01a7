//! The decision as a table: an object, what IAM shows, and what is decided, a row each (contract, sections 4 and 6). The laws say what
//! never happens; the rows say what does.

use std::ops::ControlFlow;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use pinpoint_import_role_controller::{
    api::{
        Reason, Tag,
        v1alpha1::{
            AdoptionPolicy, DeletionPolicy, Drift, DriftPolicy, PinpointImportRoleSpec, PinpointImportRoleStatus,
        },
    },
    role::{
        Class, DesiredRole, Failure, Head, ObservedRole, PolicyArn, Premise, RolePath, Step,
        decision::{
            Aim, Decision, End, Situation, Subject, Work, after, at_once, blocked, foresee, subject, unread,
            without_account,
        },
        outcome::Outcome,
        ownership::Rival,
        plan::{Plan, plan},
        progress::Progress,
        recent::Recent,
    },
};
use proof::iam::after as after_all;

use crate::generated::{SETTLE, account, all_allowed, clock, declare, failure, owner};

mod table;
mod work;

/// When all is asked: long after the process met the object.
const NOW: u64 = 1000;
const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const OPEN: &str = r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com","AWS":"999999999999"},"Action":"sts:AssumeRole"}}"#;
/// It lets in less than is declared.
const GUARDED: &str = r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"}}}}"#;

/// An object, a process, and what IAM shows.
struct Case {
    spec: PinpointImportRoleSpec,
    status: PinpointImportRoleStatus,
    generation: i64,
    deleting: bool,
    held: bool,
    shown: Option<ObservedRole>,
    rival: Rival,
    recent: Recent,
}

impl Case {
    /// An object that a pass was about to make a role for, long ago.
    fn without_role(change: impl FnOnce(&mut Self)) -> Self {
        let mut case = Self {
            spec: PinpointImportRoleSpec::default(),
            status: PinpointImportRoleStatus {
                role_name: Some("namespace.name".to_owned()),
                ..PinpointImportRoleStatus::default()
            },
            generation: 1,
            deleting: false,
            held: true,
            shown: None,
            rival: Rival::Live,
            recent: Recent::meeting(true, clock(0)),
        };
        change(&mut case);
        case
    }

    /// An object whose role is in place.
    fn in_place(change: impl FnOnce(&mut Self)) -> Self {
        Self::without_role(|case| {
            let desired = case.desired();
            let role = after_all(None, &plan(&desired, None, &[])).expect("a role");
            case.status.role_id = Some(role.head.id.clone());
            case.status.account_id = Some(account().id);
            case.status.applied_generation = Some(1);
            case.status.applied_declaration = Some(desired.hash());
            case.status.tag_keys = desired.tags.keys().cloned().collect();
            case.shown = Some(role);
            change(case);
        })
    }

    /// One whose role nobody has pinned.
    fn unpinned(change: impl FnOnce(&mut Self)) -> Self {
        Self::in_place(|case| {
            (case.status.role_id, case.status.applied_generation) = (None, None);
            change(case);
        })
    }

    fn desired(&self) -> DesiredRole {
        declare(&self.spec)
    }

    fn role(&mut self) -> &mut ObservedRole {
        self.shown.as_mut().expect("a role")
    }

    fn head(&mut self) -> &mut Head {
        &mut self.role().head
    }

    fn open(&mut self) {
        OPEN.clone_into(&mut self.head().trust);
    }

    fn attach(&mut self) {
        self.role().attached.insert(ADMIN.to_owned());
    }

    fn strip(&mut self) {
        self.head().tags.clear();
    }

    fn tag(&mut self, tag: Tag, value: &str) {
        self.head().tags.insert(tag.key().to_owned(), value.to_owned());
    }

    /// This process met the object a moment ago.
    fn young(&mut self) {
        self.recent = Recent::meeting(true, clock(NOW - 1));
    }

    fn ask<T>(&self, question: impl FnOnce(&Situation<'_>) -> T) -> T {
        question(&Situation {
            spec: &self.spec,
            owner: &owner(),
            status: &self.status,
            generation: self.generation,
            deleting: self.deleting,
            has_finalizer: self.held,
            guards: &all_allowed(),
            role_path: &RolePath::default(),
            recent: &self.recent,
            clock: clock(NOW),
        })
    }

    /// What a pass is about, where it is not at its end already.
    fn subject(&self) -> Subject {
        match self.ask(|situation| subject(situation, &account())) {
            ControlFlow::Continue(subject) => subject,
            ControlFlow::Break(end) => panic!("{end:?}"),
        }
    }

    fn says(&self) -> String {
        match self.ask(|situation| foresee(situation, &account(), self.shown.as_ref(), &self.rival)) {
            Decision::Act(work) => work_words(&work),
            Decision::Report(changes) => format!("Report: {}", calls(&changes)),
            Decision::End(end) => end_words(&end),
        }
    }
}

fn calls(plan: &Plan) -> String {
    let calls: Vec<_> = plan.iter().map(|change| change.step.action()).collect();
    calls.join(" ")
}

fn work_words(work: &Work) -> String {
    format!("{:?}: {}", work.aim, calls(&work.changes))
}

fn end_words(end: &End) -> String {
    match end {
        End::LetGo(None) => "let go".to_owned(),
        End::LetGo(Some((reason, note))) => format!("let go, {reason:?}: {note}"),
        End::Say(outcome) => outcome_words(outcome),
    }
}

fn outcome_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::InPlace(did) => format!("in place, {did:?}"),
        Outcome::Refused(reason, message) => format!("refused, {reason:?}: {message}"),
        Outcome::Failed(failures) => format!("failed, {:?}: {}", failures.worst.class, failures.message()),
        Outcome::Deleting(message) => format!("deleting: {message}"),
        outcome => outcome.as_str().to_owned(),
    }
}

/// Each row says these words, or begins with those before the `…`.
fn check(rows: Vec<(&str, Case, &str)>) {
    let mut wrong = Vec::new();
    for (what, case, words) in rows {
        let says = case.says();
        let is_meant = words
            .strip_suffix('…')
            .map_or(says == words, |beginning| says.starts_with(beginning));
        if !is_meant {
            wrong.push(format!("{what}\n  expected {words}\n  found    {says}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The process sent `CreateRole`, which was answered so at this time.
fn sent_create(recent: &mut Recent, desired: &DesiredRole, answer: Result<(), &Failure>, at: u64) {
    let plan = plan(desired, None, &[]);
    recent.did(&plan[0].step, None, answer, clock(at));
}
