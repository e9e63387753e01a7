//! The actions upon a role's policies: attached and inline ones.

use std::time::SystemTime;

use super::paging::page;
use super::params::Params;
use super::policy_check;
use super::roles::Answer;
use super::state::{Account, ApiError, ManagedPolicy};
use super::xml::{date, element, percent_encode, wrap};

pub(crate) fn attach(account: &mut Account, params: &Params) -> Answer {
    let name = params.role_name()?;
    let arn = params.policy_arn("PolicyArn")?;
    account.modifiable(name)?;
    if !account.policy_exists(arn) {
        return Err(ApiError::no_such_entity(format!(
            "Policy {arn} does not exist or is not attachable."
        )));
    }
    account.update_role(name, |role, quotas| {
        role.attached.insert(arn.to_owned());
        let quota = quotas.policies_per_role;
        if role.attached.len() > quota {
            let message = format!("Cannot exceed quota for PoliciesPerRole: {quota}");
            return Err(ApiError::limit(message));
        }
        Ok(())
    })?;
    Ok(None)
}

pub(crate) fn detach(account: &mut Account, params: &Params) -> Answer {
    let name = params.role_name()?;
    let arn = params.policy_arn("PolicyArn")?;
    account.modifiable(name)?;
    account.update_role(name, |role, _| {
        if role.attached.remove(arn) {
            return Ok(());
        }
        Err(ApiError::no_such_entity(format!("Policy {arn} was not found.")))
    })?;
    Ok(None)
}

fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

pub(crate) fn attached_xml(arn: &str) -> String {
    wrap(
        "member",
        &(element("PolicyName", name_of(arn)) + &element("PolicyArn", arn)),
    )
}

pub(crate) fn list_attached(account: &Account, params: &Params) -> Answer {
    let role = account.seen_role(params.role_name()?)?;
    let prefix = params.path_prefix()?;
    page(account.page_size, params, |after| {
        role.attached
            .iter()
            .filter(|arn| arn.split_once(":policy").is_some_and(|(_, p)| p.starts_with(prefix)))
            .filter(move |arn| after.as_ref().is_none_or(|after| *arn > after))
            .map(|arn| (arn.clone(), attached_xml(arn)))
    })
    .map(|page| Some(page.xml("AttachedPolicies")))
}

pub(crate) fn put_inline(account: &mut Account, params: &Params) -> Answer {
    let name = params.role_name()?;
    let policy = params.policy_name()?;
    let document = params.document("PolicyDocument")?;
    account.modifiable(name)?;
    policy_check::identity(document)?;
    account.update_role(name, |role, quotas| {
        role.inline.insert(policy.to_owned(), document.to_owned());
        let max = quotas.inline_policies;
        if role.inline.values().map(|d| policy_check::size(d)).sum::<usize>() > max {
            return Err(ApiError::limit(format!(
                "Maximum policy size of {max} bytes exceeded for role {}",
                role.name
            )));
        }
        Ok(())
    })?;
    Ok(None)
}

fn no_inline(policy: &str) -> ApiError {
    ApiError::no_such_entity(format!("The role policy with name {policy} cannot be found."))
}

pub(crate) fn get_inline(account: &Account, params: &Params) -> Answer {
    let policy = params.policy_name()?;
    let role = account.seen_role(params.role_name()?)?;
    let document = role.inline.get(policy).ok_or_else(|| no_inline(policy))?;
    Ok(Some(element("RoleName", &role.name) + &inline_xml(policy, document)))
}

pub(crate) fn inline_xml(name: &str, document: &str) -> String {
    element("PolicyName", name) + &element("PolicyDocument", &percent_encode(document))
}

pub(crate) fn delete_inline(account: &mut Account, params: &Params) -> Answer {
    let name = params.role_name()?;
    let policy = params.policy_name()?;
    account.modifiable(name)?;
    account.update_role(name, |role, _| {
        role.inline.remove(policy).map(|_| ()).ok_or_else(|| no_inline(policy))
    })?;
    Ok(None)
}

pub(crate) fn list_inline(account: &Account, params: &Params) -> Answer {
    let role = account.seen_role(params.role_name()?)?;
    page(account.page_size, params, |after| {
        role.inline
            .keys()
            .filter(move |name| after.as_ref().is_none_or(|after| *name > after))
            .map(|name| (name.clone(), element("member", name)))
    })
    .map(|page| Some(page.xml("PolicyNames")))
}

/// A policy in `GetAccountAuthorizationDetails`, as far as anybody here reads it.
pub(crate) fn detail_xml(arn: &str, policy: &ManagedPolicy) -> String {
    let version = element("Document", &percent_encode(&policy.document))
        + &element("VersionId", "v1")
        + &element("IsDefaultVersion", "true");
    element("PolicyName", &policy.name)
        + &element("Arn", arn)
        + &element("DefaultVersionId", "v1")
        + &wrap("PolicyVersionList", &wrap("member", &version))
}

fn policy_xml(account: &Account, arn: &str, policy: &ManagedPolicy) -> String {
    let attached = account.roles().filter(|role| role.attached.contains(arn)).count();
    let bounding = account
        .roles()
        .filter(|r| r.permissions_boundary.as_deref() == Some(arn));
    element("PolicyName", &policy.name)
        + &element("PolicyId", &policy.id)
        + &element("Arn", arn)
        + &element("Path", &policy.path)
        + &element("DefaultVersionId", "v1")
        + &element("AttachmentCount", &attached.to_string())
        + &element("PermissionsBoundaryUsageCount", &bounding.count().to_string())
        + &element("IsAttachable", "true")
        + &element("CreateDate", &date(policy.created))
        + &element("UpdateDate", &date(policy.created))
}

pub(crate) fn create_policy(account: &mut Account, params: &Params) -> Answer {
    let name = params.policy_name()?.to_owned();
    let path = params.path()?.to_owned();
    let document = params.document("PolicyDocument")?;
    policy_check::identity(document)?;
    if policy_check::size(document) > 6144 {
        return Err(ApiError::limit("Cannot exceed quota for PolicySize: 6144"));
    }
    // Names are unique whatever their path and case.
    if account.policies.values().any(|p| p.name.eq_ignore_ascii_case(&name)) {
        let message = format!("A policy called {name} already exists. Duplicate names are not allowed.");
        return Err(ApiError::new(409, "EntityAlreadyExists", message));
    }
    let arn = format!("arn:{}:iam::{}:policy{path}{name}", account.partition, account.id);
    let id = account.next_id("ANPA");
    let policy = ManagedPolicy {
        document: document.to_owned(),
        name,
        path,
        id,
        created: SystemTime::now(),
    };
    let xml = wrap("Policy", &policy_xml(account, &arn, &policy));
    account.policies.insert(arn, policy);
    Ok(Some(xml))
}

fn no_policy(arn: &str) -> ApiError {
    ApiError::no_such_entity(format!("Policy {arn} was not found."))
}

pub(crate) fn get_policy(account: &Account, params: &Params) -> Answer {
    let arn = params.policy_arn("PolicyArn")?;
    if let Some(policy) = account.policies.get(arn) {
        return Ok(Some(wrap("Policy", &policy_xml(account, arn, policy))));
    }
    if !account.policy_exists(arn) {
        return Err(no_policy(arn));
    }
    let path = arn.split_once(":policy").map_or("/", |(_, path)| path);
    let policy = ManagedPolicy {
        document: String::new(),
        name: name_of(arn).to_owned(),
        path: path[..=path.rfind('/').unwrap_or(0)].to_owned(),
        id: "ANPAFAKEAWSMANAGED000".to_owned(),
        created: SystemTime::UNIX_EPOCH,
    };
    Ok(Some(wrap("Policy", &policy_xml(account, arn, &policy))))
}

pub(crate) fn delete_policy(account: &mut Account, params: &Params) -> Answer {
    let arn = params.policy_arn("PolicyArn")?;
    if !account.policies.contains_key(arn) {
        return Err(no_policy(arn));
    }
    let used = account
        .roles()
        .any(|role| role.attached.contains(arn) || role.permissions_boundary.as_deref() == Some(arn));
    if used {
        return Err(ApiError::conflict("Cannot delete a policy attached to entities."));
    }
    account.policies.remove(arn);
    Ok(None)
}
