//! Reading a role: at most three calls for one without inline policies.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use aws_sdk_iam::{
    operation::get_role::GetRoleError,
    types::{AttachedPermissionsBoundary, Role, Tag},
};
use percent_encoding::percent_decode_str;

use super::{Iam, error, pages::Pages};
use crate::role::{Class, Failure, Head, ObservedRole};

impl Iam {
    /// `GetRole`; none if there is no role of the name.
    ///
    /// # Errors
    /// The call failed.
    pub async fn head(&self, name: &str) -> Result<Option<Head>, Failure> {
        let attempt = format!("reading role {name} (GetRole)");
        match self
            .call("GetRole", self.client.get_role().role_name(name).send())
            .await
        {
            Ok(answer) => {
                let role = answer
                    .role()
                    .ok_or_else(|| error::nonsense(&attempt, "no role in it"))?;
                Ok(Some(head_of(role).map_err(|why| error::nonsense(&attempt, &why))?))
            }
            Err(failed)
                if failed
                    .as_service_error()
                    .is_some_and(GetRoleError::is_no_such_entity_exception) =>
            {
                Ok(None)
            }
            Err(failed) => Err(error::failure(&attempt, &failed)),
        }
    }

    /// Reads the policies of a role, with the documents of the inline ones whose name `reads`.
    ///
    /// # Errors
    /// A call failed, or the role changed while it was read. Nothing partly read is returned.
    pub async fn policies(&self, head: Head, reads: impl Fn(&str) -> bool) -> Result<ObservedRole, Failure> {
        let attached = self.attached(&head.name).await?;
        let mut inline = BTreeMap::new();
        for name in self.inline_names(&head.name).await? {
            let document = if reads(&name) {
                Some(self.inline_document(&head.name, &name).await?)
            } else {
                None
            };
            inline.insert(name, document);
        }
        Ok(ObservedRole { head, attached, inline })
    }

    /// Names of the instance profiles that a role is in, which keep it from being deleted.
    ///
    /// # Errors
    /// The call failed.
    pub async fn instance_profiles(&self, role: &str) -> Result<Vec<String>, Failure> {
        let attempt = format!("reading the instance profiles of role {role} (ListInstanceProfilesForRole)");
        let send = self.client.list_instance_profiles_for_role().role_name(role).send();
        let page = self.call("ListInstanceProfilesForRole", send).await;
        let page = page.map_err(|failed| changed_or(&attempt, &failed))?;
        Ok(page
            .instance_profiles()
            .iter()
            .map(|profile| profile.instance_profile_name().to_owned())
            .collect())
    }

    async fn attached(&self, role: &str) -> Result<BTreeSet<String>, Failure> {
        let attempt = format!("reading the attached policies of role {role} (ListAttachedRolePolicies)");
        let mut arns = BTreeSet::new();
        let (mut pages, mut marker) = (Pages::default(), None);
        loop {
            let send = self
                .client
                .list_attached_role_policies()
                .role_name(role)
                .set_marker(marker)
                .send();
            let page = self.call("ListAttachedRolePolicies", send).await;
            let page = page.map_err(|failed| changed_or(&attempt, &failed))?;
            arns.extend(
                page.attached_policies()
                    .iter()
                    .filter_map(|policy| policy.policy_arn().map(str::to_owned)),
            );
            marker = pages.next(&attempt, page.is_truncated(), page.marker())?;
            if marker.is_none() {
                return Ok(arns);
            }
        }
    }

    async fn inline_names(&self, role: &str) -> Result<BTreeSet<String>, Failure> {
        let attempt = format!("reading the names of the inline policies of role {role} (ListRolePolicies)");
        let mut names = BTreeSet::new();
        let (mut pages, mut marker) = (Pages::default(), None);
        loop {
            let send = self
                .client
                .list_role_policies()
                .role_name(role)
                .set_marker(marker)
                .send();
            let page = self.call("ListRolePolicies", send).await;
            let page = page.map_err(|failed| changed_or(&attempt, &failed))?;
            names.extend(page.policy_names().iter().cloned());
            marker = pages.next(&attempt, page.is_truncated(), page.marker())?;
            if marker.is_none() {
                return Ok(names);
            }
        }
    }

    async fn inline_document(&self, role: &str, policy: &str) -> Result<String, Failure> {
        let attempt = format!("reading inline policy {policy} of role {role} (GetRolePolicy)");
        let send = self.client.get_role_policy().role_name(role).policy_name(policy).send();
        let answer = self.call("GetRolePolicy", send).await;
        let answer = answer.map_err(|failed| changed_or(&attempt, &failed))?;
        decoded(answer.policy_document()).map_err(|why| error::nonsense(&attempt, &why))
    }
}

/// What was there a moment ago is gone: somebody is at work on the role, or IAM answers from an older state.
fn changed_or<E>(attempt: &str, failed: &aws_sdk_iam::error::SdkError<E>) -> Failure
where
    E: aws_sdk_iam::error::ProvideErrorMetadata + std::error::Error + 'static,
{
    let gone = failed
        .as_service_error()
        .is_some_and(|answer| answer.code() == Some("NoSuchEntity"));
    if gone {
        return Failure {
            class: Class::Unseen,
            message: format!("{attempt} failed: the role changed while it was read; it is tried again"),
        };
    }
    error::failure(attempt, failed)
}

pub(super) fn head_of(role: &Role) -> Result<Head, String> {
    Ok(Head {
        name: role.role_name().to_owned(),
        arn: role.arn().to_owned(),
        id: role.role_id().to_owned(),
        path: role.path().to_owned(),
        trust: decoded(role.assume_role_policy_document().unwrap_or_default())?,
        description: role.description().map(str::to_owned),
        max_session_duration: role.max_session_duration(),
        boundary: boundary(role.permissions_boundary()),
        tags: tags(role.tags()),
    })
}

pub(super) fn boundary(attached: Option<&AttachedPermissionsBoundary>) -> Option<String> {
    Some(attached?.permissions_boundary_arn()?.to_owned())
}

pub(super) fn tags(tags: &[Tag]) -> BTreeMap<String, String> {
    let pair = |tag: &Tag| (tag.key().to_owned(), tag.value().to_owned());
    tags.iter().map(pair).collect()
}

/// IAM percent-encodes documents (RFC 3986: `+` is a plus). Other servers that speak its protocol don't always.
pub(super) fn decoded(document: &str) -> Result<String, String> {
    if document.trim_start().starts_with('{') {
        return Ok(document.to_owned());
    }
    percent_decode_str(document)
        .decode_utf8()
        .map(Cow::into_owned)
        .map_err(|_| "a policy document is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn documents_are_decoded_once() {
        assert_eq!(
            decoded("%7B%22a%22%3A%20%22b+c%2525%22%7D").unwrap(),
            r#"{"a": "b+c%25"}"#
        );
        assert_eq!(decoded(r#"{"a":"100%25"}"#).unwrap(), r#"{"a":"100%25"}"#);
        assert!(decoded("%ff").is_err());
    }
}
