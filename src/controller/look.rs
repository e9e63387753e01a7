//! What a pass reads, and what is decided upon it.

use std::ops::ControlFlow;

use super::{context::Context, objects};
use crate::{
    api::{
        INLINE_POLICY,
        v1alpha1::{PinpointImportRole, UndeclaredPolicies},
    },
    aws::{Iam, PassLane},
    cluster::ApiError,
    role::{
        Head, Owner, Ownership,
        decision::{Decision, End, Subject, Work, at_once, begin, decide, subject, unread, whose, without_account},
        outcome::Outcome,
        ownership::Rival,
    },
};

/// What a pass found.
pub(super) struct Sight {
    /// What it does.
    pub decision: Decision,
    /// The role, where it is this object's.
    pub role: Option<Head>,
}

impl From<Work> for Sight {
    fn from(work: Work) -> Self {
        Self {
            decision: Decision::Act(work),
            role: None,
        }
    }
}

impl From<Outcome> for Sight {
    fn from(outcome: Outcome) -> Self {
        Self {
            decision: Decision::End(End::Say(outcome)),
            role: None,
        }
    }
}

/// What an object's pass is about.
pub(super) struct Aimed {
    /// IAM in the account of its role.
    pub iam: Iam,
    /// What the object asks for.
    pub subject: Subject,
    /// What is done without a look.
    pub at_once: Option<Work>,
}

/// Finds out what an object's pass is about, before anything is done. Its calls are paid for in this lane.
pub(super) async fn aim(context: &Context, object: &PinpointImportRole, lane: PassLane) -> ControlFlow<End, Aimed> {
    let known = context.known(object);
    let situation = context.situation(object, &known);
    begin(&situation)?;
    let account = object.spec.account_id.as_deref();
    match context.accounts.choose(&known.owner.namespace, account).await {
        Ok(place) => subject(&situation, &place.account).map_continue(|subject| Aimed {
            iam: place.iam.in_lane(lane),
            at_once: at_once(&situation, &subject),
            subject,
        }),
        Err(outcome) => ControlFlow::Break(without_account(&situation, outcome)),
    }
}

/// Looks at the role. A call that fails ends the look, and nothing is decided upon what was read in part.
pub(super) async fn look(
    context: &Context,
    iam: &Iam,
    object: &PinpointImportRole,
    subject: &Subject,
) -> Result<Sight, ApiError> {
    let head = match iam.head(subject.name().as_str()).await {
        Ok(head) => head,
        Err(failure) => return Ok(Outcome::from(failure).into()),
    };
    context.recent(object, |recent| recent.saw(head.as_ref(), context.clock()));
    let known = context.known(object);
    let situation = context.situation(object, &known);
    let rival = rival(context, &known.owner, situation.rival(head.as_ref())).await?;
    let whose = match whose(&situation, subject, head.as_ref(), &rival) {
        ControlFlow::Break(decision) => return Ok(Sight { decision, role: None }),
        ControlFlow::Continue(whose) => whose,
    };
    let reads = |name: &str| reads_document(object, name);
    let shown = match iam.policies(head.unwrap_or_default(), reads).await {
        Ok(shown) => shown,
        Err(failure) => return Ok(unread(&situation, subject, failure).into()),
    };
    context.recent(object, |recent| recent.saw_whole(&shown, context.clock()));
    let known = context.known(object);
    let situation = context.situation(object, &known);
    let decision = decide(&situation, subject, &whose, &shown);
    let is_ours = whose == Ownership::Owned || matches!(decision, Decision::End(End::Say(Outcome::InPlace(_))));
    Ok(Sight {
        decision,
        role: is_ours.then_some(shown.head),
    })
}

/// Which documents are read: those of inline policies that go, so that the log has them whole, and that of our own where it stays.
fn reads_document(object: &PinpointImportRole, policy: &str) -> bool {
    let deleting = object.metadata.deletion_timestamp.is_some();
    if policy == INLINE_POLICY {
        !deleting
    } else {
        deleting || object.spec.undeclared_policies == UndeclaredPolicies::Remove
    }
}

/// What is known of the owner that a role's tags name.
async fn rival(context: &Context, ours: &Owner, rival: Option<Owner>) -> Result<Rival, ApiError> {
    let Some(rival) = rival else {
        return Ok(Rival::Live);
    };
    if rival.cluster != ours.cluster {
        return Ok(Rival::Unknown(
            "it is in another cluster, or no tag says in which".to_owned(),
        ));
    }
    if !is_name(&rival.namespace) || !is_name(&rival.name) {
        return Ok(Rival::Unknown("its tags are no names of Kubernetes".to_owned()));
    }
    match objects::lives(context, &rival).await {
        Ok(true) => Ok(Rival::Live),
        Ok(false) => Ok(Rival::Gone),
        Err(error) if error.is_refusal() => Ok(Rival::Unknown(error.to_string())),
        Err(error) => Err(error),
    }
}

/// Whether a text of others can be a name in Kubernetes, so that it can be asked for ("Object Names and IDs", RFC 1123 subdomain).
fn is_name(text: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 253
        && is_end(bytes.first())
        && is_end(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(byte))
}
