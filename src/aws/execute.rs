//! Carrying out one step: one call, and one line in the log that says what is written, and what was there before where it is lost.

use aws_sdk_iam::{
    error::{ProvideErrorMetadata, SdkError},
    types::Tag,
};
use tracing::info;

use super::{Iam, error};
use crate::{
    api::INLINE_POLICY,
    role::{Change, Class, Failure, Head, NewRole, Step},
};

impl Iam {
    /// Carries out a change on the role of this name. What is gone already counts as taken away. Returns the role where it was made.
    ///
    /// # Errors
    /// The call failed; its class says whether it may have had an effect.
    pub async fn execute(&self, role: &str, change: &Change) -> Result<Option<Head>, Failure> {
        let step = &change.step;
        let attempt = match step.subject() {
            Some(subject) => format!("{} {subject} on role {role}", step.action()),
            None => format!("{} on role {role}", step.action()),
        };
        // The audit line. What a step takes away or overwrites is in it whole, so that nothing is lost.
        info!(
            role,
            subject = step.subject(),
            content = step.content(),
            overwrites = change.overwrites,
            "{}",
            step.action()
        );
        let client = &self.client;
        let action = step.action();
        match step {
            Step::CreateRole(new) => return self.create(&attempt, role, new).await.map(Some),
            Step::TagRole(tags) => {
                let tags = tags
                    .iter()
                    .map(|(key, value)| tag(key, value))
                    .collect::<Result<_, _>>()?;
                let send = client.tag_role().role_name(role).set_tags(Some(tags)).send();
                done(&attempt, self.call(action, send).await)
            }
            Step::UntagRole(keys) => {
                let send = client
                    .untag_role()
                    .role_name(role)
                    .set_tag_keys(Some(keys.clone()))
                    .send();
                gone(&attempt, self.call(action, send).await)
            }
            Step::PutBoundary(arn) => {
                let call = client.put_role_permissions_boundary().role_name(role);
                let send = call.permissions_boundary(arn.as_str()).send();
                let answer = self.call(action, send).await;
                self.done_with_policy(role, &attempt, answer).await
            }
            Step::UpdateTrust(document) => {
                let call = client.update_assume_role_policy().role_name(role);
                let send = call.policy_document(document).send();
                match self.call(action, send).await {
                    Err(failed) if !is_missing(&failed) => Err(error::failure_of_trust(&attempt, &failed)),
                    answer => done(&attempt, answer),
                }
            }
            Step::UpdateRole {
                description,
                max_session_duration,
            } => {
                let call = client
                    .update_role()
                    .role_name(role)
                    .set_description(description.clone());
                let send = call.set_max_session_duration(*max_session_duration).send();
                done(&attempt, self.call(action, send).await)
            }
            Step::DetachPolicy(arn) => {
                let send = client.detach_role_policy().role_name(role).policy_arn(arn).send();
                gone(&attempt, self.call(action, send).await)
            }
            Step::AttachPolicy(arn) => {
                let send = client
                    .attach_role_policy()
                    .role_name(role)
                    .policy_arn(arn.as_str())
                    .send();
                let answer = self.call(action, send).await;
                self.done_with_policy(role, &attempt, answer).await
            }
            Step::DeleteInlinePolicy { name, .. } => {
                let send = client.delete_role_policy().role_name(role).policy_name(name).send();
                gone(&attempt, self.call(action, send).await)
            }
            Step::PutBucketPolicy(document) => {
                let call = client.put_role_policy().role_name(role).policy_name(INLINE_POLICY);
                let send = call.policy_document(document).send();
                done(&attempt, self.call(action, send).await)
            }
            Step::DeleteRole => {
                let send = client.delete_role().role_name(role).send();
                gone(&attempt, self.call(action, send).await)
            }
        }
        .map(|()| None)
    }

    async fn create(&self, attempt: &str, name: &str, new: &NewRole) -> Result<Head, Failure> {
        let tags = new
            .tags
            .iter()
            .map(|(key, value)| tag(key, value))
            .collect::<Result<_, _>>()?;
        let send = self
            .client
            .create_role()
            .role_name(name)
            .path(new.path.as_str())
            .assume_role_policy_document(&new.trust)
            .description(&new.description)
            .set_max_session_duration(new.max_session_duration)
            .set_permissions_boundary(new.boundary.as_ref().map(|arn| arn.as_str().to_owned()))
            .set_tags(Some(tags))
            .send();
        let answer = self.call("CreateRole", send).await;
        let answer = answer.map_err(|failed| error::failure_of_trust(attempt, &failed))?;
        let role = answer.role().ok_or_else(|| error::nonsense(attempt, "no role in it"))?;
        super::observe::head_of(role).map_err(|why| error::nonsense(attempt, &why))
    }

    /// The answer of a call that names a policy beside the role. Which of them is missing only a look tells: the code is the same, and
    /// the message is prose, in which a policy's name may have any word. A policy that IAM does not know is the spec's to mend.
    async fn done_with_policy<T, E>(
        &self,
        role: &str,
        attempt: &str,
        answer: Result<T, SdkError<E>>,
    ) -> Result<(), Failure>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match answer {
            Err(failed) if is_missing(&failed) && self.head(role).await?.is_some() => {
                Err(error::failure(attempt, &failed))
            }
            other => done(attempt, other),
        }
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

/// The answer of a call that adds or sets, and names nothing that could be missing but the role: one that IAM does not know yet, or no
/// longer, is looked at again.
fn done<T, E>(attempt: &str, answer: Result<T, SdkError<E>>) -> Result<(), Failure>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match answer {
        Ok(_) => Ok(()),
        Err(failed) if is_missing(&failed) => Err(Failure {
            class: Class::Unseen,
            message: format!("{attempt} failed: IAM does not know the role yet, or no longer; it is tried again"),
        }),
        Err(failed) => Err(error::failure(attempt, &failed)),
    }
}

/// The answer of a call that takes away: what is not there is gone.
fn gone<T, E>(attempt: &str, answer: Result<T, SdkError<E>>) -> Result<(), Failure>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match answer {
        Err(failed) if is_missing(&failed) => Ok(()),
        other => done(attempt, other),
    }
}

#[cfg(test)]
mod tests {
    use test_support::iam::{FakeIam, RoleBuilder};

    use super::*;
    use crate::role::PolicyArn;

    async fn class_of(iam: &Iam, step: Step) -> Class {
        let change = Change::plain(step);
        iam.execute("r", &change).await.expect_err("something is missing").class
    }

    #[tokio::test]
    async fn what_is_missing_is_found_by_looking_not_by_words() {
        let fake = FakeIam::start();
        let iam = Iam::for_test(&fake.endpoint()).await;
        let arns = [
            "arn:aws:iam::aws:policy/service-role/AmazonNoSuchRole",
            "arn:aws:iam::aws:policy/NoSuchRolePolicy",
            "arn:aws:iam::123456789012:policy/role",
            "arn:aws:iam::123456789012:policy/other",
        ];
        for arn in arns {
            let arn = || PolicyArn::parse(arn).expect("an ARN");
            for step in [Step::AttachPolicy(arn()), Step::PutBoundary(arn())] {
                fake.remove_role("r");
                assert_eq!(class_of(&iam, step.clone()).await, Class::Unseen, "{step:?}");
                fake.put_role(RoleBuilder::new("r"));
                assert_eq!(class_of(&iam, step.clone()).await, Class::Invalid, "{step:?}");
            }
        }
        fake.remove_role("r");
        for step in [
            Step::TagRole([("a".to_owned(), "b".to_owned())].into()),
            Step::UpdateTrust("{}".to_owned()),
            Step::PutBucketPolicy("{}".to_owned()),
        ] {
            assert_eq!(class_of(&iam, step.clone()).await, Class::Unseen, "{step:?}");
        }
    }
}
