//! What to do about a role, as data: a list of IAM calls, each with the differences that it mends.
//!
//! The order keeps a law: at no moment may anybody do anything with the role that he could not do before, and that is not declared
//! either. So what is taken away goes first, then the trust policy is put right, and what is added comes last. A missing boundary comes
//! before everything, since it only narrows; another boundary only once no undeclared policy is left beneath it.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Change, DesiredRole, Difference, Field, Head, NewRole, ObservedRole, Step, step::role_settings};
use crate::api::{INLINE_POLICY, OWNERSHIP_TAGS, v1alpha1::UndeclaredPolicies};

/// What to do, in order.
pub type Plan = Vec<Change>;

/// What makes the observed role the desired one; empty if it is. `ours` are the tag keys that the controller set (`status.tagKeys`).
///
/// The role must be owned, adoptable or absent (`observed` is none).
#[must_use]
pub fn plan(desired: &DesiredRole, observed: Option<&ObservedRole>, ours: &[String]) -> Plan {
    match observed {
        None => creation(desired),
        Some(observed) => {
            let (add_tags, remove_tags) = tags(desired, observed, ours);
            let trust = trust(desired, observed);
            let boundary = boundary(desired, observed);
            let unbounded = observed.head.boundary.is_none();
            let (boundary_first, boundary_later) = if unbounded { (boundary, None) } else { (None, boundary) };
            let frame_changes = trust.is_some() || boundary_later.is_some();
            let (removals, additions) = policies(desired, observed, frame_changes);
            add_tags
                .into_iter()
                .chain(boundary_first)
                .chain(removals)
                .chain(trust)
                .chain(boundary_later)
                .chain(additions)
                .chain(description_and_session(desired, observed))
                .chain(remove_tags)
                .collect()
        }
    }
}

/// What makes the role go.
#[must_use]
pub fn teardown(observed: &ObservedRole) -> Plan {
    let detach = observed.attached.iter().map(|arn| Step::DetachPolicy(arn.clone()));
    let delete = observed.inline.iter().map(|(name, document)| Step::DeleteInlinePolicy {
        name: name.clone(),
        document: document.clone(),
    });
    detach
        .chain(delete)
        .chain([Step::DeleteRole])
        .map(|step| Change {
            step,
            differences: Vec::new(),
            overwrites: None,
        })
        .collect()
}

/// What leaves the role and its policies to whoever wants them: the ownership tags go.
#[must_use]
pub fn release(role: &Head) -> Plan {
    let keys: Vec<String> = OWNERSHIP_TAGS
        .iter()
        .map(|tag| tag.key().to_owned())
        .filter(|key| role.tags.contains_key(key))
        .collect();
    if keys.is_empty() {
        return Plan::new();
    }
    vec![Change {
        step: Step::UntagRole(keys),
        differences: Vec::new(),
        overwrites: None,
    }]
}

fn creation(desired: &DesiredRole) -> Plan {
    let new = NewRole {
        path: desired.path.clone(),
        trust: desired.trust.document().to_owned(),
        description: desired.first_description(),
        max_session_duration: desired.max_session_duration,
        boundary: desired.boundary.clone(),
        tags: desired.all_tags(),
    };
    let missing = Difference::new(
        Field::Role,
        format!("role {} does not exist", desired.name),
        "the role exists",
    );
    let create = Change {
        step: Step::CreateRole(Box::new(new)),
        differences: vec![missing],
        overwrites: None,
    };
    // What follows is part of the same difference: a role that does not exist has no policies.
    let (_, additions) = policies(desired, &ObservedRole::default(), false);
    let additions = additions.into_iter().map(|change| Change {
        differences: Vec::new(),
        ..change
    });
    [create].into_iter().chain(additions).collect()
}

fn trust(desired: &DesiredRole, observed: &ObservedRole) -> Option<Change> {
    let differences = desired.trust.differences(&observed.head.trust);
    let step = Step::UpdateTrust(desired.trust.document().to_owned());
    let overwrites = Some(observed.head.trust.clone());
    (!differences.is_empty()).then_some(Change {
        step,
        differences,
        overwrites,
    })
}

fn boundary(desired: &DesiredRole, observed: &ObservedRole) -> Option<Change> {
    let declared = desired.boundary.as_ref()?;
    let found = observed.head.boundary.as_deref();
    if found == Some(declared.as_str()) {
        return None;
    }
    let words = found.map_or("no permissions boundary".to_owned(), |arn| {
        format!("permissions boundary is {arn}")
    });
    let difference = Difference::new(Field::PermissionsBoundary, words, declared.as_str());
    Some(Change {
        step: Step::PutBoundary(declared.clone()),
        differences: vec![difference],
        overwrites: observed.head.boundary.clone(),
    })
}

fn description_and_session(desired: &DesiredRole, observed: &ObservedRole) -> Option<Change> {
    let head = &observed.head;
    let mut differences = Vec::new();
    if let Some(declared) = &desired.description
        && declared != head.description.as_deref().unwrap_or_default()
    {
        let found = head.description.as_deref().unwrap_or_default();
        differences.push(Difference::new(
            Field::Description,
            format!("description is {found:?}"),
            format!("{declared:?}"),
        ));
    }
    if let Some(declared) = desired.max_session_duration
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
        description: desired.description.clone().or_else(|| head.description.clone()),
        max_session_duration: desired.max_session_duration.or(head.max_session_duration),
    };
    let overwrites = Some(role_settings(head.description.as_ref(), head.max_session_duration));
    (!differences.is_empty()).then_some(Change {
        step,
        differences,
        overwrites,
    })
}

/// Tags to set, and tags to take off. IAM takes keys that differ by case for the same.
fn tags(desired: &DesiredRole, observed: &ObservedRole, ours: &[String]) -> (Option<Change>, Option<Change>) {
    let found: BTreeMap<String, &String> = observed
        .head
        .tags
        .iter()
        .map(|(key, value)| (key.to_lowercase(), value))
        .collect();
    let declared = desired.all_tags();
    let wrong: BTreeMap<String, String> = declared
        .iter()
        .filter(|(key, value)| found.get(&key.to_lowercase()) != Some(value))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    let differences = wrong
        .iter()
        .map(|(key, value)| {
            let words = match found.get(&key.to_lowercase()) {
                Some(found) => format!("tag {key} is {found:?}"),
                None => format!("tag {key} is missing"),
            };
            Difference::new(Field::Tags, words, format!("{value:?}"))
        })
        .collect();
    let set = (!wrong.is_empty()).then_some(Change {
        overwrites: Some(json!(observed.head.tags).to_string()),
        step: Step::TagRole(wrong),
        differences,
    });

    let kept: Vec<String> = declared.keys().map(|key| key.to_lowercase()).collect();
    let gone: Vec<String> = ours
        .iter()
        .filter(|key| !kept.contains(&key.to_lowercase()) && found.contains_key(&key.to_lowercase()))
        .cloned()
        .collect();
    let differences = gone
        .iter()
        .map(|key| Difference::new(Field::Tags, format!("tag {key} is no longer declared"), "no such tag"))
        .collect();
    let unset = (!gone.is_empty()).then_some(Change {
        overwrites: Some(json!(observed.head.tags).to_string()),
        step: Step::UntagRole(gone),
        differences,
    });
    (set, unset)
}

/// Policies to take off, and policies to put on. Where the frame changes between the two (the trust policy, or one boundary for another),
/// a bucket policy that differs is taken off first: replaced before, it would give those who are not to be trusted what is declared;
/// replaced after, it would give Pinpoint, or put under the other boundary, what is not.
fn policies(desired: &DesiredRole, observed: &ObservedRole, frame_changes: bool) -> (Vec<Change>, Vec<Change>) {
    let remove = desired.undeclared == UndeclaredPolicies::Remove;
    let declared = |arn: &str| desired.attached.iter().any(|declared| declared.as_str() == arn);
    let mut removals: Vec<Change> = observed
        .attached
        .iter()
        .filter(|arn| remove && !declared(arn))
        .map(|arn| Change {
            step: Step::DetachPolicy(arn.clone()),
            differences: vec![Difference::new(
                Field::ManagedPolicyArns,
                format!("managed policy {arn} is attached"),
                "not attached",
            )],
            overwrites: None,
        })
        .collect();
    // The bucket policy is the controller's own, so it goes with `spec.buckets` even where others' policies are kept.
    let undeclared = |name: &str| {
        if name == INLINE_POLICY {
            desired.buckets.is_none()
        } else {
            remove
        }
    };
    removals.extend(
        observed
            .inline
            .iter()
            .filter(|(name, _)| undeclared(name))
            .map(|(name, document)| Change {
                step: Step::DeleteInlinePolicy {
                    name: name.clone(),
                    document: document.clone(),
                },
                differences: vec![Difference::new(
                    Field::InlinePolicies,
                    format!("inline policy {name} exists"),
                    "no such policy",
                )],
                overwrites: None,
            }),
    );

    let bucket_policy = desired.buckets.as_ref().and_then(|buckets| {
        let found = observed.inline.get(INLINE_POLICY);
        let mut differences = buckets.differences(found.map(|document| document.as_deref().unwrap_or_default()));
        if differences.is_empty() {
            return None;
        }
        if let Some(document) = found.filter(|_| frame_changes) {
            removals.push(Change {
                step: Step::DeleteInlinePolicy {
                    name: INLINE_POLICY.to_owned(),
                    document: document.clone(),
                },
                differences: std::mem::take(&mut differences),
                overwrites: None,
            });
        }
        let step = Step::PutBucketPolicy(buckets.document().to_owned());
        let overwrites = found.filter(|_| !frame_changes).cloned().flatten();
        Some(Change {
            step,
            differences,
            overwrites,
        })
    });
    let attach = desired
        .attached
        .iter()
        .filter(|arn| !observed.attached.contains(arn.as_str()))
        .map(|arn| Change {
            step: Step::AttachPolicy(arn.clone()),
            differences: vec![Difference::new(
                Field::ManagedPolicyArns,
                format!("managed policy {arn} is not attached"),
                "attached",
            )],
            overwrites: None,
        });
    (removals, bucket_policy.into_iter().chain(attach).collect())
}
