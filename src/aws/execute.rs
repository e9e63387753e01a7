//! Carrying out one step: one call, and one line in the log that says what is written, and what was there before where it is lost.

use aws_sdk_iam::{
    error::{ProvideErrorMetadata, SdkError},
    types::Tag,
};
use tracing::info;

use super::{Iam, error};
use crate::{
    api::INLINE_POLICY,
    role::{Class, Failure, Head, NewRole, Step},
};

impl Iam {
    /// Carries out a step on the role of this name. What is gone already counts as taken away. Returns the role where it was made.
    ///
    /// # Errors
    /// The call failed; its class says whether it may have had an effect.
    pub async fn execute(&self, role: &str, step: &Step) -> Result<Option<Head>, Failure> {
        self.turn().await;
        match step {
            Step::CreateRole(new) => return self.create(role, new).await.map(Some),
            Step::TagRole(tags) => {
                info!(role, ?tags, "TagRole");
                let call = self.client.tag_role().role_name(role);
                let tags = tags.iter().map(|(key, value)| tag(key, value)).collect::<Result<_, _>>()?;
                let answer = call.set_tags(Some(tags)).send().await;
                done(answer, || format!("tagging role {role} (TagRole)"))
            }
            Step::UntagRole(keys) => {
                info!(role, ?keys, "UntagRole");
                let answer = self.client.untag_role().role_name(role).set_tag_keys(Some(keys.clone())).send().await;
                gone(answer, || format!("taking tags off role {role} (UntagRole)"))
            }
            Step::PutBoundary(arn) => {
                info!(role, %arn, "PutRolePermissionsBoundary");
                let call = self.client.put_role_permissions_boundary().role_name(role);
                let answer = call.permissions_boundary(arn.as_str()).send().await;
                done(answer, || format!("setting the permissions boundary {arn} of role {role} (PutRolePermissionsBoundary)"))
            }
            Step::UpdateTrust(document) => {
                info!(role, document, "UpdateAssumeRolePolicy");
                let call = self.client.update_assume_role_policy().role_name(role);
                let answer = call.policy_document(document).send().await;
                done(answer, || format!("setting the trust policy of role {role} (UpdateAssumeRolePolicy)"))
            }
            Step::UpdateRole { description, max_session_duration } => {
                info!(role, description, max_session_duration, "UpdateRole");
                let call = self.client.update_role().role_name(role).set_description(description.clone());
                let answer = call.set_max_session_duration(*max_session_duration).send().await;
                done(answer, || format!("setting description and session length of role {role} (UpdateRole)"))
            }
            Step::DetachPolicy(arn) => {
                info!(role, arn, "DetachRolePolicy");
                let answer = self.client.detach_role_policy().role_name(role).policy_arn(arn).send().await;
                gone(answer, || format!("detaching {arn} from role {role} (DetachRolePolicy)"))
            }
            Step::AttachPolicy(arn) => {
                info!(role, %arn, "AttachRolePolicy");
                let answer = self.client.attach_role_policy().role_name(role).policy_arn(arn.as_str()).send().await;
                done(answer, || format!("attaching {arn} to role {role} (AttachRolePolicy)"))
            }
            Step::DeleteInlinePolicy { name, document } => {
                info!(role, policy = name, document, "DeleteRolePolicy");
                let answer = self.client.delete_role_policy().role_name(role).policy_name(name).send().await;
                gone(answer, || format!("deleting inline policy {name} of role {role} (DeleteRolePolicy)"))
            }
            Step::PutBucketPolicy(document) => {
                info!(role, policy = INLINE_POLICY, document, "PutRolePolicy");
                let call = self.client.put_role_policy().role_name(role).policy_name(INLINE_POLICY);
                let answer = call.policy_document(document).send().await;
                done(answer, || format!("writing inline policy {INLINE_POLICY} of role {role} (PutRolePolicy)"))
            }
            Step::DeleteRole => {
                info!(role, "DeleteRole");
                let answer = self.client.delete_role().role_name(role).send().await;
                gone(answer, || format!("deleting role {role} (DeleteRole)"))
            }
        }
        .map(|()| None)
    }

    async fn create(&self, name: &str, new: &NewRole) -> Result<Head, Failure> {
        let attempt = format!("creating role {name} (CreateRole)");
        info!(role = name, path = %new.path, trust = new.trust, tags = ?new.tags, boundary = ?new.boundary, "CreateRole");
        let tags = new
            .tags
            .iter()
            .map(|(key, value)| tag(key, value))
            .collect::<Result<_, _>>()?;
        let answer = self
            .client
            .create_role()
            .role_name(name)
            .path(new.path.as_str())
            .assume_role_policy_document(&new.trust)
            .description(&new.description)
            .set_max_session_duration(new.max_session_duration)
            .set_permissions_boundary(new.boundary.as_ref().map(|arn| arn.as_str().to_owned()))
            .set_tags(Some(tags))
            .send()
            .await
            .map_err(|failed| error::failure(&attempt, &failed))?;
        let role = answer
            .role()
            .ok_or_else(|| error::nonsense(&attempt, "no role in it"))?;
        super::observe::head_of(role).map_err(|why| error::nonsense(&attempt, &why))
    }
}

fn tag(key: &str, value: &str) -> Result<Tag, Failure> {
    let built = Tag::builder().key(key).value(value).build();
    built.map_err(|why| Failure {
        class: Class::Invalid,
        message: format!("tag {key} can't be sent: {why}"),
    })
}

fn is_missing<E: ProvideErrorMetadata>(failed: &SdkError<E>) -> bool {
    failed
        .as_service_error()
        .is_some_and(|answer| answer.code() == Some("NoSuchEntity"))
}

/// The answer of a call that adds or sets. A role that IAM does not know yet, or no longer, is looked at again; a policy that it does
/// not know is the spec's to mend.
fn done<T, E>(answer: Result<T, SdkError<E>>, attempt: impl Fn() -> String) -> Result<(), Failure>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    answer.map(drop).map_err(|failed| {
        let role_missing = is_missing(&failed)
            && failed
                .as_service_error()
                .and_then(ProvideErrorMetadata::message)
                .is_some_and(|text| text.contains("role"));
        let mut failure = error::failure(&attempt(), &failed);
        if role_missing {
            failure = Failure {
                class: Class::Retryable,
                message: format!(
                    "{} failed: IAM does not know the role yet, or no longer; it is tried again",
                    attempt()
                ),
            };
        }
        failure
    })
}

/// The answer of a call that takes away: what is not there is gone.
fn gone<T, E>(answer: Result<T, SdkError<E>>, attempt: impl Fn() -> String) -> Result<(), Failure>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match answer {
        Err(failed) if is_missing(&failed) => Ok(()),
        other => done(other, attempt),
    }
}
