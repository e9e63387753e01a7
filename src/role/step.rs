//! The calls of which a plan is made.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Difference, ObservedRole,
    name::{PolicyArn, RolePath},
};
use crate::api::INLINE_POLICY;

/// One IAM call. The role's name is not part of it: a plan has one role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `CreateRole`, with tags and boundary inside.
    CreateRole(Box<NewRole>),
    /// `TagRole`: sets these, and leaves other keys as they are.
    TagRole(BTreeMap<String, String>),
    /// `UntagRole`: the keys, as IAM shows them.
    UntagRole(Vec<String>),
    /// `PutRolePermissionsBoundary`: takes the place of another boundary at once, so that the role is never without.
    PutBoundary(PolicyArn),
    /// `UpdateAssumeRolePolicy`: the document.
    UpdateTrust(String),
    /// `UpdateRole`: both at once, so that neither unsets the other.
    UpdateRole {
        /// Description; none: as it is.
        description: Option<String>,
        /// Longest session in seconds; none: as it is.
        max_session_duration: Option<i32>,
    },
    /// `DetachRolePolicy`: an ARN as IAM gave it.
    DetachPolicy(String),
    /// `AttachRolePolicy`: nothing happens where it is attached already.
    AttachPolicy(PolicyArn),
    /// `DeleteRolePolicy`, with the document that goes, so that it can be logged whole.
    DeleteInlinePolicy {
        /// Name of the policy, as IAM shows it.
        name: String,
        /// Document, where it was read.
        document: Option<String>,
    },
    /// `PutRolePolicy` for the buckets: the document.
    PutBucketPolicy(String),
    /// `DeleteRole`: IAM refuses it while the role has policies or is in an instance profile (`DeleteConflict`).
    DeleteRole,
}

impl Step {
    /// The IAM action.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        match self {
            Self::CreateRole(_) => "CreateRole",
            Self::TagRole(_) => "TagRole",
            Self::UntagRole(_) => "UntagRole",
            Self::PutBoundary(_) => "PutRolePermissionsBoundary",
            Self::UpdateTrust(_) => "UpdateAssumeRolePolicy",
            Self::UpdateRole { .. } => "UpdateRole",
            Self::DetachPolicy(_) => "DetachRolePolicy",
            Self::AttachPolicy(_) => "AttachRolePolicy",
            Self::DeleteInlinePolicy { .. } => "DeleteRolePolicy",
            Self::PutBucketPolicy(_) => "PutRolePolicy",
            Self::DeleteRole => "DeleteRole",
        }
    }

    /// A role after it.
    #[must_use]
    pub fn applied(&self, role: &ObservedRole) -> ObservedRole {
        let mut role = role.clone();
        let head = &mut role.head;
        match self {
            Self::CreateRole(_) | Self::DeleteRole => {}
            Self::TagRole(tags) => tags
                .iter()
                .for_each(|(key, value)| head.set_tag(key, Some(value.clone()))),
            Self::UntagRole(keys) => keys.iter().for_each(|key| head.set_tag(key, None)),
            Self::PutBoundary(arn) => head.boundary = Some(arn.to_string()),
            Self::UpdateTrust(document) => head.trust.clone_from(document),
            Self::UpdateRole {
                description,
                max_session_duration,
            } => {
                head.description = description.clone().or(head.description.take());
                head.max_session_duration = max_session_duration.or(head.max_session_duration);
            }
            Self::DetachPolicy(arn) => drop(role.attached.remove(arn)),
            Self::AttachPolicy(arn) => drop(role.attached.insert(arn.to_string())),
            Self::DeleteInlinePolicy { name, .. } => drop(role.inline.remove(name)),
            Self::PutBucketPolicy(document) => {
                role.inline.insert(INLINE_POLICY.to_owned(), Some(document.clone()));
            }
        }
        role
    }

    /// The policy that it is about.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::PutBoundary(arn) | Self::AttachPolicy(arn) => Some(arn.as_str()),
            Self::DetachPolicy(arn) => Some(arn),
            Self::DeleteInlinePolicy { name, .. } => Some(name),
            Self::PutBucketPolicy(_) => Some(INLINE_POLICY),
            _ => None,
        }
    }

    /// What is written, or what is lost, whole.
    #[must_use]
    pub fn content(&self) -> Option<String> {
        match self {
            Self::CreateRole(new) => Some(new.content()),
            Self::TagRole(tags) => Some(json!(tags).to_string()),
            Self::UntagRole(keys) => Some(keys.join(", ")),
            Self::UpdateTrust(document) | Self::PutBucketPolicy(document) => Some(document.clone()),
            Self::UpdateRole {
                description,
                max_session_duration,
            } => Some(role_settings(description.as_ref(), *max_session_duration)),
            Self::DeleteInlinePolicy { document, .. } => document.clone(),
            Self::PutBoundary(_) | Self::DetachPolicy(_) | Self::AttachPolicy(_) | Self::DeleteRole => None,
        }
    }
}

/// What `UpdateRole` sets, as JSON.
pub(super) fn role_settings(description: Option<&String>, seconds: Option<i32>) -> String {
    json!({"description": description, "maxSessionDuration": seconds}).to_string()
}

impl NewRole {
    /// All of it, as JSON.
    fn content(&self) -> String {
        let trust: Value = serde_json::from_str(&self.trust).unwrap_or_else(|_| self.trust.clone().into());
        let mut content = json!({
            "path": self.path.as_str(),
            "trustPolicy": trust,
            "description": self.description,
            "tags": self.tags,
        });
        if let Some(seconds) = self.max_session_duration {
            content["maxSessionDuration"] = seconds.into();
        }
        if let Some(boundary) = &self.boundary {
            content["permissionsBoundary"] = boundary.as_str().into();
        }
        content.to_string()
    }
}

/// What `CreateRole` bears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRole {
    /// Path, which can't be changed later.
    pub path: RolePath,
    /// The trust policy: IAM makes no role without one.
    pub trust: String,
    /// The declared description, or one that names the object.
    pub description: String,
    /// Longest session in seconds; none: IAM's default, 3600.
    pub max_session_duration: Option<i32>,
    /// Permissions boundary: set in the same call, so that the role is never without.
    pub boundary: Option<PolicyArn>,
    /// Ownership tags and declared ones: set in the same call, so that the role is never nobody's.
    pub tags: BTreeMap<String, String>,
}

/// What must hold before a change that gives access may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Premise {
    /// The role bears the object's ownership tags. Only where it is adopted: otherwise it is ours by its id.
    Ours,
    /// The trust policy is as declared.
    Trust,
    /// The boundary is as declared.
    Boundary,
    /// Policies that are not declared are gone, and a longer session than the declared one.
    Removed,
}

/// A step, what it mends, and what must hold before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The call.
    pub step: Step,
    /// The differences that it ends; none where the step is part of a deletion.
    pub differences: Vec<Difference>,
    /// What the step overwrites, whole, so that it can be logged: nothing of others is lost.
    pub overwrites: Option<String>,
    /// What must hold before it.
    pub needs: Vec<Premise>,
    /// What does not hold as long as it is not made.
    pub secures: Vec<Premise>,
}

impl Change {
    /// A change that is part of a larger one and mends nothing by itself.
    #[must_use]
    pub fn plain(step: Step) -> Self {
        Self {
            step,
            differences: Vec::new(),
            overwrites: None,
            needs: Vec::new(),
            secures: Vec::new(),
        }
    }

    /// The same, to be made only where these hold.
    #[must_use]
    pub fn needing(mut self, premises: impl IntoIterator<Item = Premise>) -> Self {
        self.needs.extend(premises);
        self
    }

    /// The same, without which these don't hold.
    #[must_use]
    pub fn securing(mut self, premises: impl IntoIterator<Item = Premise>) -> Self {
        self.secures.extend(premises);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_says_what_it_is_and_what_it_is_about() {
        let arn = || PolicyArn::parse("arn:aws:iam::aws:policy/ReadOnlyAccess").expect("an ARN");
        let settings = Step::UpdateRole {
            description: Some("one".to_owned()),
            max_session_duration: None,
        };
        let delete = Step::DeleteInlinePolicy {
            name: "theirs".to_owned(),
            document: Some("{}".to_owned()),
        };
        let on = Some("arn:aws:iam::aws:policy/ReadOnlyAccess");
        let tags: BTreeMap<String, String> = [("team".to_owned(), "a".to_owned())].into();
        let rows = [
            (Step::TagRole(tags.clone()), "TagRole", None, Some(r#"{"team":"a"}"#)),
            (
                Step::UntagRole(vec!["a".to_owned(), "b".to_owned()]),
                "UntagRole",
                None,
                Some("a, b"),
            ),
            (Step::PutBoundary(arn()), "PutRolePermissionsBoundary", on, None),
            (
                Step::UpdateTrust("{}".to_owned()),
                "UpdateAssumeRolePolicy",
                None,
                Some("{}"),
            ),
            (
                settings,
                "UpdateRole",
                None,
                Some(r#"{"description":"one","maxSessionDuration":null}"#),
            ),
            (Step::DetachPolicy(arn().to_string()), "DetachRolePolicy", on, None),
            (Step::AttachPolicy(arn()), "AttachRolePolicy", on, None),
            (delete, "DeleteRolePolicy", Some("theirs"), Some("{}")),
            (
                Step::PutBucketPolicy("{}".to_owned()),
                "PutRolePolicy",
                Some(INLINE_POLICY),
                Some("{}"),
            ),
            (Step::DeleteRole, "DeleteRole", None, None),
        ];
        for (step, action, subject, content) in rows {
            assert_eq!(step.action(), action);
            assert_eq!(
                (step.subject(), step.content().as_deref()),
                (subject, content),
                "{action}"
            );
        }
        let new = |trust: &str, more: bool| {
            Step::CreateRole(Box::new(NewRole {
                path: RolePath::default(),
                trust: trust.to_owned(),
                description: "one".to_owned(),
                max_session_duration: more.then_some(7200),
                boundary: more.then(arn),
                tags: tags.clone(),
            }))
        };
        assert_eq!(
            (new("{}", true).action(), new("{}", true).subject()),
            ("CreateRole", None)
        );
        let content = |step: Step| serde_json::from_str::<Value>(&step.content().expect("content")).expect("JSON");
        let all = json!({
            "path": "/", "trustPolicy": {"a": 1}, "description": "one", "tags": {"team": "a"}, "maxSessionDuration": 7200,
            "permissionsBoundary": "arn:aws:iam::aws:policy/ReadOnlyAccess",
        });
        assert_eq!(content(new(r#"{"a": 1}"#, true)), all);
        let least = json!({"path": "/", "trustPolicy": "nonsense", "description": "one", "tags": {"team": "a"}});
        assert_eq!(content(new("nonsense", false)), least);
    }
}
