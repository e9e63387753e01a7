//! Which action does what; instance profiles, the account's details and STS.

use std::collections::BTreeSet;
use std::time::SystemTime;

use super::authorize::{authorize, caller};
use super::paging::page;
use super::params::Params;
use super::roles::{Answer, boundary_xml, last_used_xml, role_xml, tags_xml};
use super::state::{Account, ApiError, Door, InstanceProfile, RoleState, Session};
use super::xml::{date, element, percent_encode, wrap};
use super::{policies, roles};

/// Carries out an action of IAM's.
pub(crate) fn iam(account: &mut Account, action: &str, params: &Params) -> Answer {
    authorize(account, action, params)?;
    match action {
        "GetRole" => roles::get(account, params),
        "CreateRole" => roles::create(account, params),
        "DeleteRole" => roles::delete(account, params),
        "UpdateRole" => roles::update(account, params),
        "UpdateAssumeRolePolicy" => roles::update_trust(account, params),
        "ListRoles" => roles::list(account, params),
        "TagRole" => roles::tag(account, params),
        "UntagRole" => roles::untag(account, params),
        "ListRoleTags" => roles::list_tags(account, params),
        "PutRolePermissionsBoundary" => roles::put_boundary(account, params),
        "DeleteRolePermissionsBoundary" => roles::delete_boundary(account, params),
        "AttachRolePolicy" => policies::attach(account, params),
        "DetachRolePolicy" => policies::detach(account, params),
        "ListAttachedRolePolicies" => policies::list_attached(account, params),
        "PutRolePolicy" => policies::put_inline(account, params),
        "GetRolePolicy" => policies::get_inline(account, params),
        "DeleteRolePolicy" => policies::delete_inline(account, params),
        "ListRolePolicies" => policies::list_inline(account, params),
        "CreatePolicy" => policies::create_policy(account, params),
        "GetPolicy" => policies::get_policy(account, params),
        "DeletePolicy" => policies::delete_policy(account, params),
        "CreateInstanceProfile" => create_profile(account, params),
        "DeleteInstanceProfile" => delete_profile(account, params),
        "AddRoleToInstanceProfile" => add_to_profile(account, params),
        "RemoveRoleFromInstanceProfile" => remove_from_profile(account, params),
        "ListInstanceProfilesForRole" => list_profiles(account, params),
        "GetAccountAuthorizationDetails" => details(account, params),
        _ => Err(ApiError::new(
            400,
            "InvalidAction",
            format!("Could not find operation {action} for version 2010-05-08"),
        )),
    }
}

/// Carries out an action of STS's.
pub(crate) fn sts(account: &mut Account, action: &str, params: &Params) -> Answer {
    match action {
        "GetCallerIdentity" => {
            authorize(account, action, params)?;
            Ok(Some(
                element("Arn", &caller(account))
                    + &element("UserId", "AROAFAKECALLER0000000:session")
                    + &element("Account", &account.id),
            ))
        }
        "AssumeRole" => assume(account, params),
        _ => {
            let message = format!("Could not find operation {action} for version 2011-06-15");
            Err(ApiError::new(400, "InvalidAction", message))
        }
    }
}

/// Opens a session in another account; STS does not say whether the role, its trust or the external id is at fault.
fn assume(account: &mut Account, params: &Params) -> Answer {
    authorize(account, "AssumeRole", params)?;
    let arn = params.required("RoleArn")?.to_owned();
    let name = params.required("RoleSessionName")?.to_owned();
    let open = |door: &&Door| door.external_id.as_deref() == params.optional("ExternalId");
    let Some(door) = account.doors.get(&arn).filter(open).cloned() else {
        let message = format!(
            "User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}",
            caller(account)
        );
        return Err(ApiError::new(403, "AccessDenied", message));
    };
    let until = SystemTime::now() + account.session_length;
    let key = account.next_id("ASIA");
    let xml = wrap(
        "Credentials",
        &(element("AccessKeyId", &key)
            + &element("SecretAccessKey", "secret")
            + &element("SessionToken", "token")
            + &element("Expiration", &date(until))),
    ) + &wrap(
        "AssumedRoleUser",
        &(element("AssumedRoleId", &format!("AROAFAKEASSUMED000000:{name}"))
            + &element(
                "Arn",
                &format!(
                    "{}/{name}",
                    arn.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
                ),
            )),
    );
    let session = Session {
        account: door.account,
        until,
    };
    account.sessions.insert(key, session);
    Ok(Some(xml))
}

fn profile_xml(account: &Account, profile: &InstanceProfile) -> String {
    let arn = format!(
        "arn:{}:iam::{}:instance-profile{}{}",
        account.partition, account.id, profile.path, profile.name
    );
    let roles = profile
        .roles
        .iter()
        .filter_map(|name| account.role(name))
        .map(|role| wrap("member", &role_xml(role, false)))
        .collect::<String>();
    element("Path", &profile.path)
        + &element("InstanceProfileName", &profile.name)
        + &element("InstanceProfileId", &profile.id)
        + &element("Arn", &arn)
        + &element("CreateDate", &date(profile.created))
        + &wrap("Roles", &roles)
}

fn no_profile(name: &str) -> ApiError {
    ApiError::no_such_entity(format!("Instance Profile {name} cannot be found."))
}

fn create_profile(account: &mut Account, params: &Params) -> Answer {
    let name = params.profile_name()?.to_owned();
    let path = params.path()?.to_owned();
    let key = name.to_ascii_lowercase();
    if account.profiles.contains_key(&key) {
        let message = format!("Instance Profile {name} already exists.");
        return Err(ApiError::new(409, "EntityAlreadyExists", message));
    }
    let id = account.next_id("AIPA");
    let created = SystemTime::now();
    let profile = InstanceProfile {
        name,
        path,
        id,
        created,
        roles: BTreeSet::new(),
    };
    let xml = wrap("InstanceProfile", &profile_xml(account, &profile));
    account.profiles.insert(key, profile);
    Ok(Some(xml))
}

fn delete_profile(account: &mut Account, params: &Params) -> Answer {
    let name = params.profile_name()?;
    let key = name.to_ascii_lowercase();
    let profile = account.profiles.get(&key).ok_or_else(|| no_profile(name))?;
    if !profile.roles.is_empty() {
        return Err(ApiError::conflict(
            "Cannot delete entity, must remove roles from instance profile first.",
        ));
    }
    account.profiles.remove(&key);
    Ok(None)
}

fn add_to_profile(account: &mut Account, params: &Params) -> Answer {
    let name = params.profile_name()?;
    let role = params.role_name()?;
    account.modifiable(role)?;
    let profile = account
        .profiles
        .get_mut(&name.to_ascii_lowercase())
        .ok_or_else(|| no_profile(name))?;
    if !profile.roles.is_empty() {
        return Err(ApiError::limit(
            "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
        ));
    }
    profile.roles.insert(role.to_ascii_lowercase());
    Ok(None)
}

fn remove_from_profile(account: &mut Account, params: &Params) -> Answer {
    let name = params.profile_name()?;
    let role = params.role_name()?;
    account.modifiable(role)?;
    let profile = account
        .profiles
        .get_mut(&name.to_ascii_lowercase())
        .ok_or_else(|| no_profile(name))?;
    if !profile.roles.remove(&role.to_ascii_lowercase()) {
        return Err(ApiError::no_such_entity(format!(
            "Role {role} in instance profile {name} cannot be found."
        )));
    }
    Ok(None)
}

fn list_profiles(account: &Account, params: &Params) -> Answer {
    let role = params.role_name()?;
    account.seen_role(role)?;
    let role = role.to_ascii_lowercase();
    page(account.page_size, params, |after| {
        account
            .profiles
            .iter()
            .filter(|(_, profile)| profile.roles.contains(&role))
            .filter(move |(key, _)| after.as_ref().is_none_or(|after| *key > after))
            .map(|(key, profile)| (key.clone(), wrap("member", &profile_xml(account, profile))))
    })
    .map(|page| Some(page.xml("InstanceProfiles")))
}

/// Roles and the account's own policies: it has no users and no groups.
fn details(account: &Account, params: &Params) -> Answer {
    let filter = params.list("Filter");
    let known = ["User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"];
    if let Some(wrong) = filter.iter().find(|kind| !known.contains(kind)) {
        return Err(ApiError::validation(format!(
            "1 validation error detected: Value '[{wrong}]' at 'filter' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [{}]]",
            known.join(", ")
        )));
    }
    let wanted = filter.is_empty() || filter.contains(&"Role");
    let page = page(account.page_size, params, |after| {
        account
            .seen_roles(after.as_deref())
            .filter(move |_| wanted)
            .filter_map(|(key, role)| {
                let role = match account.lies.get(key) {
                    Some(lie) => lie.as_ref()?,
                    None => role,
                };
                Some((key.clone(), wrap("member", &detail_xml(account, role))))
            })
    })?;
    // Here they come with the first page; IAM spreads them over the pages.
    let with_policies =
        params.optional("Marker").is_none() && (filter.is_empty() || filter.contains(&"LocalManagedPolicy"));
    let policies = account
        .policies
        .iter()
        .filter(|_| with_policies)
        .map(|(arn, policy)| wrap("member", &policies::detail_xml(arn, policy)))
        .collect::<String>();
    Ok(Some(
        page.xml("RoleDetailList") + "<UserDetailList/><GroupDetailList/>" + &wrap("Policies", &policies),
    ))
}

fn detail_xml(account: &Account, role: &RoleState) -> String {
    let key = role.name.to_ascii_lowercase();
    let profiles = account
        .profiles
        .values()
        .filter(|profile| profile.roles.contains(&key))
        .map(|profile| wrap("member", &profile_xml(account, profile)))
        .collect::<String>();
    let inline = role
        .inline
        .iter()
        .map(|(name, document)| wrap("member", &policies::inline_xml(name, document)))
        .collect::<String>();
    let attached = role
        .attached
        .iter()
        .map(|arn| policies::attached_xml(arn))
        .collect::<String>();
    element("Path", &role.path)
        + &element("RoleName", &role.name)
        + &element("RoleId", &role.id)
        + &element("Arn", &role.arn)
        + &element("CreateDate", &date(role.created))
        + &element("AssumeRolePolicyDocument", &percent_encode(&role.trust_policy))
        + &wrap("InstanceProfileList", &profiles)
        + &wrap("RolePolicyList", &inline)
        + &wrap("AttachedManagedPolicies", &attached)
        + &boundary_xml(role)
        + &tags_xml(role)
        + &last_used_xml(role)
}
