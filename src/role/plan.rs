//! What to do about a role, as data: a list of changes, each one IAM call, with the differences that it mends and what must hold before it.
//!
//! The order and the premises keep a law: at no moment may anybody do anything with the role that he could not do before, and that is
//! not declared either. So what is taken away goes first, then the trust policy is put right, and what is added comes last. A missing
//! boundary comes before everything, since it only narrows; another boundary only once no undeclared policy is left beneath it. A change
//! that fails keeps back those that would give access while it is missing, and no others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use strum::VariantArray;

use super::{
    Change, DesiredRole, Difference, Field, Head, NewRole, ObservedRole, PolicyArn, Premise, Step,
    observed::same_key,
    policy::{buckets::BucketPolicy, trust::TrustPolicy},
    step::role_settings,
};
use crate::api::{INLINE_POLICY, Tag, v1alpha1::UndeclaredPolicies};

/// What to do, in order.
pub type Plan = Vec<Change>;

/// What makes the observed role the desired one; empty if it is. `ours` are the tag keys that the controller set (`status.tagKeys`).
///
/// The role must be owned, adoptable or absent (`observed` is none).
#[must_use]
pub fn plan(desired: &DesiredRole, observed: Option<&ObservedRole>, ours: &[String]) -> Plan {
    let Some(observed) = observed else {
        return creation(desired);
    };
    // Every part of a declaration is named here and in `creation`, so that a new one doesn't compile before somebody has thought of it.
    let DesiredRole {
        // Who owns the role is said by its tags, which `all_tags` has whole.
        owner: _,
        tags: _,
        // IAM can't change these: the decision refuses before there is a plan.
        name: _,
        path: _,
        default_path: _,
        description,
        max_session_duration,
        boundary,
        trust,
        attached,
        buckets,
        undeclared,
    } = desired;
    let (add_tags, remove_tags) = self::tags(&desired.all_tags(), observed, ours);
    let trust = self::trust(trust, observed);
    let boundary = boundary
        .as_ref()
        .and_then(|declared| self::boundary(declared, observed));
    let (boundary_first, boundary_later) = match &observed.head.boundary {
        None => (boundary, None),
        Some(_) => (
            None,
            boundary.map(|change| change.needing([Premise::Removed, Premise::Trust])),
        ),
    };
    let frame_changes = trust.is_some() || boundary_later.is_some();
    let (removals, additions) = policies((attached, buckets.as_ref(), *undeclared), observed, frame_changes);
    add_tags
        .into_iter()
        .chain(boundary_first)
        .chain(removals)
        .chain(trust)
        .chain(boundary_later)
        .chain(additions)
        .chain(description_and_session(
            description.as_ref(),
            *max_session_duration,
            &observed.head,
        ))
        .chain(remove_tags)
        .collect()
}

/// The same for a role that is taken over: nothing is done to it before it bears the ownership tags.
#[must_use]
pub fn adoption(desired: &DesiredRole, observed: &ObservedRole, ours: &[String]) -> Plan {
    let by_tags = |change: Change| match change.step {
        Step::TagRole(_) => change.securing([Premise::Ours]),
        _ => change.needing([Premise::Ours]),
    };
    plan(desired, Some(observed), ours).into_iter().map(by_tags).collect()
}

/// What makes the role go.
#[must_use]
pub fn teardown(observed: &ObservedRole) -> Plan {
    let detach = observed.attached.iter().map(|arn| Step::DetachPolicy(arn.clone()));
    let delete = observed.inline.iter().map(|(name, document)| Step::DeleteInlinePolicy {
        name: name.clone(),
        document: document.clone(),
    });
    let removals = detach
        .chain(delete)
        .map(|step| Change::plain(step).securing([Premise::Removed]));
    removals
        .chain([Change::plain(Step::DeleteRole).needing([Premise::Removed])])
        .collect()
}

/// What leaves the role and its policies to whoever wants them: the ownership tags go.
#[must_use]
pub fn retention(role: &Head) -> Plan {
    let is_ownership = |key: &&String| Tag::VARIANTS.iter().any(|tag| same_key(tag.key(), key));
    let keys: Vec<String> = role.tags.keys().filter(is_ownership).cloned().collect();
    if keys.is_empty() {
        return Plan::new();
    }
    vec![Change::plain(Step::UntagRole(keys))]
}

/// All differences of a plan, the most dangerous first.
#[must_use]
pub fn differences(plan: &Plan) -> Vec<Difference> {
    let mut all: Vec<Difference> = plan.iter().flat_map(|change| change.differences.clone()).collect();
    all.sort_by_key(|difference| difference.field);
    all
}

fn creation(desired: &DesiredRole) -> Plan {
    let DesiredRole {
        // These have a value on a new role even where none is declared.
        owner: _,
        path: _,
        default_path: _,
        description: _,
        tags: _,
        name,
        max_session_duration,
        boundary,
        trust,
        attached,
        buckets,
        undeclared,
    } = desired;
    let new = NewRole {
        path: desired.first_path().clone(),
        trust: trust.document().to_owned(),
        description: desired.first_description(),
        max_session_duration: *max_session_duration,
        boundary: boundary.clone(),
        tags: desired.all_tags(),
    };
    let missing = Difference::new(Field::Role, format!("role {name} does not exist"), "the role exists");
    let create = Change {
        differences: vec![missing],
        ..Change::plain(Step::CreateRole(Box::new(new)))
    }
    .securing([Premise::Ours, Premise::Trust, Premise::Boundary]);
    // What follows is part of the same difference: a role that does not exist has no policies.
    let nothing = ObservedRole::default();
    let (_, additions) = policies((attached, buckets.as_ref(), *undeclared), &nothing, false);
    let additions = additions.into_iter().map(|change| Change {
        differences: Vec::new(),
        ..change.needing([Premise::Ours])
    });
    [create].into_iter().chain(additions).collect()
}

fn trust(declared: &TrustPolicy, observed: &ObservedRole) -> Option<Change> {
    let differences = declared.differences(&observed.head.trust);
    if differences.is_empty() {
        return None;
    }
    let change = Change {
        differences,
        overwrites: Some(observed.head.trust.clone()),
        ..Change::plain(Step::UpdateTrust(declared.document().to_owned()))
    }
    .securing([Premise::Trust]);
    // What takes nothing away can wait for undeclared policies to go. What does never waits: better that Pinpoint has for a while what
    // is not declared, than that a stranger keeps it.
    if declared.only_adds_to(&observed.head.trust) {
        return Some(change.needing([Premise::Removed]));
    }
    Some(change)
}

fn boundary(declared: &PolicyArn, observed: &ObservedRole) -> Option<Change> {
    let found = observed.head.boundary.as_deref();
    if found == Some(declared.as_str()) {
        return None;
    }
    let words = found.map_or("no permissions boundary".to_owned(), |arn| {
        format!("permissions boundary is {arn}")
    });
    let difference = Difference::new(Field::PermissionsBoundary, words, declared.as_str());
    let change = Change {
        differences: vec![difference],
        overwrites: observed.head.boundary.clone(),
        ..Change::plain(Step::PutBoundary(declared.clone()))
    };
    Some(change.securing([Premise::Boundary]))
}

fn description_and_session(description: Option<&String>, session: Option<i32>, head: &Head) -> Option<Change> {
    let mut differences = Vec::new();
    let found = head.description.as_deref().unwrap_or_default();
    if let Some(declared) = description.filter(|declared| *declared != found) {
        differences.push(Difference::new(
            Field::Description,
            format!("description is {found:?}"),
            format!("{declared:?}"),
        ));
    }
    if let Some(declared) = session
        && Some(declared) != head.max_session_duration
    {
        let found = head
            .max_session_duration
            .map_or("unknown".to_owned(), |seconds| format!("{seconds} s"));
        differences.push(Difference::new(
            Field::MaxSessionDuration,
            format!("maxSessionDuration is {found}"),
            format!("{declared} s"),
        ));
    }
    let step = Step::UpdateRole {
        description: description.or(head.description.as_ref()).cloned(),
        max_session_duration: session.or(head.max_session_duration),
    };
    if differences.is_empty() {
        return None;
    }
    let longer = session > head.max_session_duration;
    let change = Change {
        differences,
        overwrites: Some(role_settings(head.description.as_ref(), head.max_session_duration)),
        ..Change::plain(step)
    };
    // Nobody who is not to be trusted gets a longer session.
    Some(change.needing(longer.then_some(Premise::Trust)))
}

/// Tags to set, and tags to take off.
fn tags(
    declared: &BTreeMap<String, String>,
    observed: &ObservedRole,
    ours: &[String],
) -> (Option<Change>, Option<Change>) {
    let overwrites = Some(json!(observed.head.tags).to_string());
    let mut wrong: BTreeMap<String, String> = declared.clone();
    wrong.retain(|key, value| observed.head.tag(key) != Some(value));
    let differences = wrong
        .iter()
        .map(|(key, value)| {
            let words = match observed.head.tag(key) {
                Some(found) => format!("tag {key} is {found:?}"),
                None => format!("tag {key} is missing"),
            };
            Difference::new(Field::Tags, words, format!("{value:?}"))
        })
        .collect();
    let set = (!wrong.is_empty()).then(|| Change {
        differences,
        overwrites: overwrites.clone(),
        ..Change::plain(Step::TagRole(wrong))
    });

    // Under the key that the role has, whatever its case.
    let was_ours = |key: &&String| ours.iter().any(|ours| same_key(ours, key));
    let kept = |key: &&String| declared.keys().any(|declared| same_key(declared, key));
    let on_role = observed.head.tags.keys();
    let gone: Vec<String> = on_role.filter(|key| was_ours(key) && !kept(key)).cloned().collect();
    let differences = gone
        .iter()
        .map(|key| Difference::new(Field::Tags, format!("tag {key} is no longer declared"), "no such tag"))
        .collect();
    let unset = (!gone.is_empty()).then(|| Change {
        differences,
        overwrites,
        ..Change::plain(Step::UntagRole(gone))
    });
    (set, unset)
}

/// Policies to take off, and policies to put on. Where the frame changes between the two (the trust policy, or one boundary for another),
/// a bucket policy that differs is taken off first: replaced before, it would give those who are not to be trusted what is declared;
/// replaced after, it would give Pinpoint, or put under the other boundary, what is not.
fn policies(
    (attached, buckets, undeclared): (&BTreeSet<PolicyArn>, Option<&BucketPolicy>, UndeclaredPolicies),
    observed: &ObservedRole,
    frame_changes: bool,
) -> (Vec<Change>, Vec<Change>) {
    let remove = undeclared == UndeclaredPolicies::Remove;
    let declared = |arn: &str| attached.iter().any(|declared| declared.as_str() == arn);
    let undeclared = observed.attached.iter().filter(|arn| remove && !declared(arn));
    let mut removals: Vec<Change> = undeclared
        .map(|arn| {
            let words = format!("managed policy {arn} is attached");
            let difference = Difference::new(Field::ManagedPolicyArns, words, "not attached");
            removal(Step::DetachPolicy(arn.clone()), vec![difference])
        })
        .collect();
    // The bucket policy is the controller's own, so it goes with `spec.buckets` even where others' policies are kept.
    let undeclared = observed.inline.iter().filter(|(name, _)| match name.as_str() {
        INLINE_POLICY => buckets.is_none(),
        _ => remove,
    });
    removals.extend(undeclared.map(|(name, document)| {
        let words = format!("inline policy {name} exists");
        let difference = Difference::new(Field::InlinePolicies, words, "no such policy");
        removal(delete(name, document.as_ref()), vec![difference])
    }));

    let (former, buckets) = buckets.map_or((None, None), |buckets| bucket_policy(buckets, observed, frame_changes));
    removals.extend(former);
    let mut additions = Vec::from_iter(buckets);
    let missing = attached.iter().filter(|arn| !observed.attached.contains(arn.as_str()));
    additions.extend(missing.map(|arn| {
        let words = format!("managed policy {arn} is not attached");
        Change {
            differences: vec![Difference::new(Field::ManagedPolicyArns, words, "attached").lack()],
            ..Change::plain(Step::AttachPolicy(arn.clone()))
        }
    }));
    let additions = additions
        .into_iter()
        .map(|change| change.needing([Premise::Trust, Premise::Boundary]));
    (removals, additions.collect())
}

/// The bucket policy that is there, taken off, and the declared one, put on.
fn bucket_policy(
    declared: &BucketPolicy,
    observed: &ObservedRole,
    frame_changes: bool,
) -> (Option<Change>, Option<Change>) {
    let found = observed.inline.get(INLINE_POLICY);
    let mut differences = declared.differences(found.map(|document| document.as_deref().unwrap_or_default()));
    if differences.is_empty() {
        return (None, None);
    }
    let former = found.filter(|_| frame_changes).map(|document| {
        let step = delete(INLINE_POLICY, document.as_ref());
        removal(step, std::mem::take(&mut differences))
    });
    let put = Change {
        differences,
        overwrites: found.filter(|_| !frame_changes).cloned().flatten(),
        ..Change::plain(Step::PutBucketPolicy(declared.document().to_owned()))
    };
    (former, Some(put))
}

fn delete(name: &str, document: Option<&String>) -> Step {
    Step::DeleteInlinePolicy {
        name: name.to_owned(),
        document: document.cloned(),
    }
}

fn removal(step: Step, differences: Vec<Difference>) -> Change {
    let change = Change {
        differences,
        ..Change::plain(step)
    };
    change.securing([Premise::Removed])
}
