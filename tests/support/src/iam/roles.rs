//! The actions upon a role itself: it, its trust policy, its tags and its boundary.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use super::paging::page;
use super::params::Params;
use super::policy_check;
use super::state::{Account, ApiError, Quotas, RoleState};
use super::xml::{date, element, percent_encode, wrap};

/// What an action answers: the inside of its result element, or none if it has no result.
pub(crate) type Answer = Result<Option<String>, ApiError>;

/// A role in XML. `ListRoles` leaves out tags, boundary and last use.
pub(crate) fn role_xml(role: &RoleState, whole: bool) -> String {
    let mut xml = element("Path", &role.path)
        + &element("RoleName", &role.name)
        + &element("RoleId", &role.id)
        + &element("Arn", &role.arn)
        + &element("CreateDate", &date(role.created))
        + &element("AssumeRolePolicyDocument", &percent_encode(&role.trust_policy));
    if let Some(description) = &role.description {
        xml += &element("Description", description);
    }
    xml += &element("MaxSessionDuration", &role.max_session_duration.to_string());
    if whole {
        xml += &boundary_xml(role);
        xml += &tags_xml(role);
        xml += &last_used_xml(role);
    }
    xml
}

pub(crate) fn boundary_xml(role: &RoleState) -> String {
    role.permissions_boundary.as_ref().map_or_else(String::new, |arn| {
        let kind = element("PermissionsBoundaryType", "Policy");
        wrap("PermissionsBoundary", &(kind + &element("PermissionsBoundaryArn", arn)))
    })
}

pub(crate) fn tags_xml(role: &RoleState) -> String {
    if role.tags.is_empty() {
        return String::new();
    }
    wrap("Tags", &role.tags.iter().map(tag_xml).collect::<String>())
}

fn tag_xml((key, value): (&String, &String)) -> String {
    wrap("member", &(element("Key", key) + &element("Value", value)))
}

pub(crate) fn last_used_xml(role: &RoleState) -> String {
    let inner = role.last_used.as_ref().map_or_else(String::new, |(at, region)| {
        element("LastUsedDate", &date(*at)) + &element("Region", region)
    });
    wrap("RoleLastUsed", &inner)
}

pub(crate) fn get(account: &Account, params: &Params) -> Answer {
    let role = account.seen_role(params.role_name()?)?;
    Ok(Some(wrap("Role", &role_xml(&role, true))))
}

pub(crate) fn list(account: &Account, params: &Params) -> Answer {
    let prefix = params.path_prefix()?;
    page(account.page_size, params, |after| {
        account
            .seen_roles(after.as_deref())
            .filter(|(_, role)| role.path.starts_with(prefix))
            .map(|(key, role)| (key.clone(), wrap("member", &role_xml(role, false))))
    })
    .map(|page| Some(page.xml("Roles")))
}

pub(crate) fn create(account: &mut Account, params: &Params) -> Answer {
    let name = params.role_name()?.to_owned();
    let path = params.path()?.to_owned();
    let trust_policy = params.document("AssumeRolePolicyDocument")?.to_owned();
    let description = params.description()?;
    let max_session_duration = params.max_session_duration()?.unwrap_or(3600);
    let permissions_boundary = params.permissions_boundary()?.map(str::to_owned);
    let tags = params.tags()?;
    if account.role(&name).is_some() {
        let message = format!("Role with name {name} already exists.");
        return Err(ApiError::new(409, "EntityAlreadyExists", message));
    }
    if path.starts_with("/aws-service-role/") {
        return Err(ApiError::new(
            403,
            "AccessDenied",
            "Cannot create a role in the path reserved for service-linked roles.",
        ));
    }
    policy_check::trust(&trust_policy, account)?;
    if let Some(arn) = permissions_boundary
        .as_deref()
        .filter(|arn| !account.policy_exists(arn))
    {
        return Err(ApiError::no_such_entity(format!(
            "Scope ARN: {arn} does not exist or is not attachable."
        )));
    }
    let quota = account.quotas.roles;
    if account.live_roles() >= quota {
        return Err(ApiError::limit(format!(
            "Cannot exceed quota for RolesPerAccount: {quota}"
        )));
    }
    let role = RoleState {
        arn: account.role_arn(&path, &name),
        id: account.next_id("AROA"),
        name: name.clone(),
        path,
        created: SystemTime::now(),
        trust_policy,
        description,
        max_session_duration,
        permissions_boundary,
        tags: tags.into_iter().collect(),
        attached: BTreeSet::new(),
        inline: BTreeMap::new(),
        last_used: None,
    };
    let xml = wrap("Role", &created_xml(&role));
    account.set_role(&name, Some(role));
    Ok(Some(xml))
}

/// What `CreateRole` answers: the whole role but its last use.
fn created_xml(role: &RoleState) -> String {
    role_xml(role, false) + &boundary_xml(role) + &tags_xml(role)
}

pub(crate) fn delete(account: &mut Account, params: &Params) -> Answer {
    let name = params.role_name()?;
    account.modifiable(name)?;
    let role = account.existing(name)?;
    if account.is_in_profile(name) {
        return Err(ApiError::conflict(
            "Cannot delete entity, must remove roles from instance profile first.",
        ));
    }
    if !role.attached.is_empty() {
        return Err(ApiError::conflict(
            "Cannot delete entity, must detach all policies first.",
        ));
    }
    if !role.inline.is_empty() {
        return Err(ApiError::conflict("Cannot delete entity, must delete policies first."));
    }
    account.set_role(name, None);
    Ok(None)
}

pub(crate) fn update(account: &mut Account, params: &Params) -> Answer {
    let name = params.role_name()?;
    let description = params.description()?;
    let max_session_duration = params.max_session_duration()?;
    account.modifiable(name)?;
    account.update_role(name, |role, _| {
        if description.is_some() {
            role.description = description;
        }
        if let Some(seconds) = max_session_duration {
            role.max_session_duration = seconds;
        }
        Ok(())
    })?;
    Ok(Some(String::new()))
}

pub(crate) fn update_trust(account: &mut Account, params: &Params) -> Answer {
    let name = params.role_name()?;
    let document = params.document("PolicyDocument")?;
    account.modifiable(name)?;
    policy_check::trust(document, account)?;
    account.update_role(name, |role, _| {
        document.clone_into(&mut role.trust_policy);
        Ok(())
    })?;
    Ok(None)
}

pub(crate) fn tag(account: &mut Account, params: &Params) -> Answer {
    let name = params.role_name()?;
    params.require_members("Tags")?;
    let tags = params.tags()?;
    account.modifiable(name)?;
    account.update_role(name, |role, quotas| {
        for (key, value) in tags {
            remove_tag(role, &key);
            role.tags.insert(key, value);
        }
        tag_quota(role, quotas)
    })?;
    Ok(None)
}

fn tag_quota(role: &RoleState, quotas: &Quotas) -> Result<(), ApiError> {
    // Tags of AWS's own do not count.
    if role.tags.keys().filter(|key| !key.starts_with("aws:")).count() > quotas.tags {
        return Err(ApiError::limit("The number of tags has reached the maximum limit."));
    }
    Ok(())
}

/// Removes a tag, whatever the case of its key.
fn remove_tag(role: &mut RoleState, key: &str) {
    let key = key.to_lowercase();
    role.tags.retain(|k, _| k.to_lowercase() != key);
}

pub(crate) fn untag(account: &mut Account, params: &Params) -> Answer {
    let name = params.role_name()?;
    params.require_members("TagKeys")?;
    let keys = params.tag_keys()?;
    account.modifiable(name)?;
    account.update_role(name, |role, _| {
        for key in keys {
            remove_tag(role, key);
        }
        Ok(())
    })?;
    Ok(None)
}

pub(crate) fn list_tags(account: &Account, params: &Params) -> Answer {
    let role = account.seen_role(params.role_name()?)?;
    page(account.page_size, params, |after| {
        role.tags
            .iter()
            .filter(move |(key, _)| after.as_ref().is_none_or(|after| *key > after))
            .map(|(key, value)| (key.clone(), tag_xml((key, value))))
    })
    .map(|page| Some(page.xml("Tags")))
}

pub(crate) fn put_boundary(account: &mut Account, params: &Params) -> Answer {
    let name = params.role_name()?;
    let arn = params.policy_arn("PermissionsBoundary")?;
    account.modifiable(name)?;
    if !account.policy_exists(arn) {
        return Err(ApiError::no_such_entity(format!(
            "Policy {arn} does not exist or is not attachable."
        )));
    }
    account.update_role(name, |role, _| {
        role.permissions_boundary = Some(arn.to_owned());
        Ok(())
    })?;
    Ok(None)
}

pub(crate) fn delete_boundary(account: &mut Account, params: &Params) -> Answer {
    let name = params.role_name()?;
    account.modifiable(name)?;
    account.update_role(name, |role, _| {
        role.permissions_boundary = None;
        Ok(())
    })?;
    Ok(None)
}
