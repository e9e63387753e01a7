//! All roles of an account, by IAM's bulk reads: a call for up to 1,000 roles instead of three for each.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_iam::{
    primitives::{DateTime, DateTimeFormat},
    types::{EntityType, ManagedPolicyDetail, RoleDetail},
};

use super::{
    Iam, error,
    observe::{boundary, decoded, next_page, tags},
};
use crate::role::{Class, Failure, Head, ObservedRole, SweptRole, observed::Sweep};

/// Most items of a page (IAM API reference, `GetAccountAuthorizationDetails` and `ListRoles`: 1,000).
const PAGE: i32 = 1000;
/// Tries of one page, beside the SDK's own, before the whole is given up: some four minutes.
const TRIES: u32 = 10;

impl Iam {
    /// All roles of the account, with their policies, and the documents of its own managed policies. `progress` is told how many roles
    /// were read so far.
    ///
    /// # Errors
    /// A page could not be read, after waiting for IAM for minutes. Nothing partly read is returned.
    pub async fn sweep(&self, progress: impl Fn(usize)) -> Result<Sweep, Failure> {
        let attempt = "reading all roles of the account (GetAccountAuthorizationDetails)";
        let mut sweep = Sweep::default();
        let mut marker = None;
        loop {
            let page = patiently(|| {
                let call = self.client.get_account_authorization_details();
                let call = call.filter(EntityType::Role).filter(EntityType::LocalManagedPolicy);
                let send = call.max_items(PAGE).set_marker(marker.clone()).send();
                async {
                    let page = self.call("GetAccountAuthorizationDetails", send).await;
                    page.map_err(|failed| error::failure(attempt, &failed))
                }
            })
            .await?;
            for role in page.role_detail_list() {
                let swept = swept(role).map_err(|why| error::nonsense(attempt, &why))?;
                sweep.roles.insert(swept.role.head.name.to_lowercase(), swept);
            }
            sweep.policies.extend(page.policies().iter().filter_map(policy));
            progress(sweep.roles.len());
            marker = next_page(attempt, page.is_truncated(), page.marker())?;
            if marker.is_none() {
                return Ok(sweep);
            }
        }
    }

    /// Adds what a sweep can't know of the roles: descriptions and session lengths.
    ///
    /// # Errors
    /// As [`Iam::sweep`].
    pub async fn complete(&self, sweep: &mut Sweep) -> Result<(), Failure> {
        let attempt = "reading the descriptions of all roles (ListRoles)";
        let mut marker = None;
        loop {
            let page = patiently(|| {
                let send = self
                    .client
                    .list_roles()
                    .max_items(PAGE)
                    .set_marker(marker.clone())
                    .send();
                async {
                    let page = self.call("ListRoles", send).await;
                    page.map_err(|failed| error::failure(attempt, &failed))
                }
            })
            .await?;
            for role in page.roles() {
                if let Some(swept) = sweep.roles.get_mut(&role.role_name().to_lowercase()) {
                    swept.role.head.description = role.description().map(str::to_owned);
                    swept.role.head.max_session_duration = role.max_session_duration();
                }
            }
            marker = next_page(attempt, page.is_truncated(), page.marker())?;
            if marker.is_none() {
                return Ok(());
            }
        }
    }
}

/// Makes a read until it succeeds or waiting is of no use.
async fn patiently<T, F: Future<Output = Result<T, Failure>>>(mut read: impl FnMut() -> F) -> Result<T, Failure> {
    let mut tries = 1;
    loop {
        match read().await {
            Err(failure)
                if tries < TRIES && matches!(failure.class, Class::Throttled | Class::Retryable | Class::Ambiguous) =>
            {
                tokio::time::sleep(Duration::from_secs(1 << tries.min(5))).await;
                tries += 1;
            }
            answer => return answer,
        }
    }
}

fn swept(role: &RoleDetail) -> Result<SweptRole, String> {
    let text = |text: Option<&str>| text.map(str::to_owned).ok_or("a role without name, id, ARN or path");
    let mut inline = BTreeMap::new();
    for policy in role.role_policy_list() {
        let document = policy.policy_document().map(decoded).transpose()?;
        inline.insert(text(policy.policy_name())?, document);
    }
    let used = role.role_last_used();
    Ok(SweptRole {
        role: ObservedRole {
            head: Head {
                name: text(role.role_name())?,
                arn: text(role.arn())?,
                id: text(role.role_id())?,
                path: text(role.path())?,
                trust: decoded(role.assume_role_policy_document().unwrap_or_default())?,
                description: None,
                max_session_duration: None,
                boundary: boundary(role.permissions_boundary()),
                tags: tags(role.tags()),
            },
            attached: role
                .attached_managed_policies()
                .iter()
                .filter_map(|policy| policy.policy_arn().map(str::to_owned))
                .collect(),
            inline,
        },
        created: role.create_date().and_then(written),
        last_used: used.and_then(|used| used.last_used_date()).and_then(written),
        last_used_region: used.and_then(|used| used.region()).map(str::to_owned),
    })
}

fn policy(detail: &ManagedPolicyDetail) -> Option<(String, String)> {
    let version = detail
        .policy_version_list()
        .iter()
        .find(|version| version.is_default_version())?;
    Some((detail.arn()?.to_owned(), decoded(version.document()?).ok()?))
}

fn written(time: &DateTime) -> Option<String> {
    time.fmt(DateTimeFormat::DateTime).ok()
}
