//! Roles that were there before: made by other hands than the calls of the test.

use std::time::SystemTime;

use super::state::{Account, RoleState};

/// A trust policy for EC2, as roles of others often have it.
const FOREIGN_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// Describes a role for [`super::FakeIam::put_role`].
#[derive(Clone, Debug)]
pub struct RoleBuilder {
    state: RoleState,
}

impl RoleBuilder {
    /// A role with a trust policy for EC2 and nothing else.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            state: RoleState {
                name: name.to_owned(),
                path: "/".to_owned(),
                id: String::new(),
                arn: String::new(),
                created: SystemTime::now(),
                trust_policy: FOREIGN_TRUST.to_owned(),
                description: None,
                max_session_duration: 3600,
                permissions_boundary: None,
                tags: [].into(),
                attached: [].into(),
                inline: [].into(),
                last_used: None,
            },
        }
    }

    /// The path, such as `/teams/`.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.state.path);
        self
    }

    /// The trust policy.
    #[must_use]
    pub fn trust_policy(mut self, document: &str) -> Self {
        document.clone_into(&mut self.state.trust_policy);
        self
    }

    /// The description.
    #[must_use]
    pub fn description(mut self, text: &str) -> Self {
        self.state.description = Some(text.to_owned());
        self
    }

    /// The session length in seconds.
    #[must_use]
    pub fn max_session_duration(mut self, seconds: u32) -> Self {
        self.state.max_session_duration = seconds;
        self
    }

    /// The boundary.
    #[must_use]
    pub fn permissions_boundary(mut self, arn: &str) -> Self {
        self.state.permissions_boundary = Some(arn.to_owned());
        self
    }

    /// A tag more.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.state.tags.insert(key.to_owned(), value.to_owned());
        self
    }

    /// An attached policy more.
    #[must_use]
    pub fn attached(mut self, arn: &str) -> Self {
        self.state.attached.insert(arn.to_owned());
        self
    }

    /// An inline policy more.
    #[must_use]
    pub fn inline(mut self, name: &str, document: &str) -> Self {
        self.state.inline.insert(name.to_owned(), document.to_owned());
        self
    }

    /// When it was made.
    #[must_use]
    pub fn created(mut self, at: SystemTime) -> Self {
        self.state.created = at;
        self
    }

    /// When and where it was last used.
    #[must_use]
    pub fn last_used(mut self, at: SystemTime, region: &str) -> Self {
        self.state.last_used = Some((at, region.to_owned()));
        self
    }

    pub(crate) fn build(mut self, account: &mut Account) -> RoleState {
        self.state.id = account.next_id("AROA");
        self.state.arn = account.role_arn(&self.state.path, &self.state.name);
        self.state
    }
}
