//! A role as IAM would hold it, changed by steps; and what can be done with it.

use std::collections::{BTreeMap, BTreeSet};

use pinpoint_import_role_controller::{
    api::INLINE_POLICY,
    role::{
        Head, ObservedRole, Plan, Step,
        policy::{Effect, Grant, Meaning, Scope},
    },
};

/// Carries out a step as IAM does. A step that IAM would refuse fails the test.
pub fn apply(role: &mut Option<ObservedRole>, step: &Step) {
    if let Step::CreateRole(new) = step {
        assert!(role.is_none(), "CreateRole on a role that exists");
        *role = Some(ObservedRole {
            head: Head {
                name: "role".to_owned(),
                arn: "arn:aws:iam::123456789012:role/role".to_owned(),
                id: "AROANEW".to_owned(),
                path: new.path.to_string(),
                trust: new.trust.clone(),
                description: Some(new.description.clone()),
                max_session_duration: Some(new.max_session_duration.unwrap_or(3600)),
                boundary: new.boundary.as_ref().map(ToString::to_string),
                tags: new.tags.clone(),
            },
            ..ObservedRole::default()
        });
        return;
    }
    if *step == Step::DeleteRole {
        let gone = role.take().expect("DeleteRole on a role that exists");
        assert!(gone.attached.is_empty() && gone.inline.is_empty(), "DeleteConflict");
        return;
    }
    let ObservedRole { head, attached, inline } = role.as_mut().expect("a step on a role that exists");
    match step {
        Step::CreateRole(_) | Step::DeleteRole => {}
        Step::TagRole(tags) => {
            for (key, value) in tags {
                head.tags.retain(|known, _| !known.eq_ignore_ascii_case(key));
                head.tags.insert(key.clone(), value.clone());
            }
            assert!(head.tags.len() <= 50, "LimitExceeded");
        }
        Step::UntagRole(keys) => head
            .tags
            .retain(|known, _| !keys.iter().any(|key| key.eq_ignore_ascii_case(known))),
        Step::PutBoundary(arn) => head.boundary = Some(arn.to_string()),
        Step::UpdateTrust(document) => head.trust.clone_from(document),
        Step::UpdateRole {
            description,
            max_session_duration,
        } => {
            head.description = description.clone().or(head.description.take());
            head.max_session_duration = max_session_duration.or(head.max_session_duration);
        }
        Step::DetachPolicy(arn) => drop(attached.remove(arn)),
        Step::AttachPolicy(arn) => drop(attached.insert(arn.to_string())),
        Step::DeleteInlinePolicy { name, .. } => drop(inline.remove(name)),
        Step::PutBucketPolicy(document) => drop(inline.insert(INLINE_POLICY.to_owned(), Some(document.clone()))),
    }
}

/// The role after a whole plan.
pub fn after(role: Option<&ObservedRole>, plan: &Plan) -> Option<ObservedRole> {
    let mut role = role.cloned();
    for change in plan {
        apply(&mut role, &change.step);
    }
    role
}

/// Everything that somebody can do with a role: who may assume it, paired with what it may then do.
pub fn powers(role: Option<&ObservedRole>) -> BTreeSet<(Grant, String)> {
    let Some(role) = role else { return BTreeSet::new() };
    let who = allowed(&role.head.trust);
    let mut what: BTreeSet<String> = role.attached.iter().cloned().collect();
    for (name, document) in &role.inline {
        match (name == INLINE_POLICY, document) {
            (true, Some(document)) => what.extend(allowed(document).iter().map(|grant| format!("{grant:?}"))),
            _ => drop(what.insert(format!("inline {name}"))),
        }
    }
    who.iter()
        .flat_map(|who| what.iter().map(|what| (who.clone(), what.clone())))
        .collect()
}

/// What a document allows. One that can't be read allows what nothing else does: somebody unknown something unknown. So whatever is added
/// beside it counts as wider.
fn allowed(document: &str) -> BTreeSet<Grant> {
    let unknown = || Grant {
        effect: Effect::Allow,
        principal: None,
        action: Scope::AllBut(BTreeSet::new()),
        resource: None,
        conditions: BTreeMap::new(),
    };
    let grants = Meaning::parse(document).map_or_else(|_| BTreeSet::from([unknown()]), |meaning| meaning.grants);
    grants
        .into_iter()
        .filter(|grant| grant.effect == Effect::Allow)
        .collect()
}
