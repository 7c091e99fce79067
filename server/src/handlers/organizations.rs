//! The operations on the user, and on organizations with their members, groups and audit logs.

use super::answer::{answer, answer_body, answer_list, answer_list_texts, not_cached};
use super::{Operations, Path, Registered, Rqctx};
use crate::api::{
    AddMemberRequest, CreateGroupRequest, CurrentUser, GroupList, GroupPath, GroupResponse,
    MemberAdded, MemberList, MemberPath, MemberRemoved, MemberResponse, OrganizationList,
    OrganizationPath, OrganizationResponse, TokenPolicyResponse, UpdateMemberRequest,
};
use crate::http::{Answer, Body, Deferred, reply};
use crate::records::{AuditLogPage, PageQuery, TokenPolicy};
use dropshot::{Query, endpoint};

/// Adds these operations. It fails if two of them conflict.
pub fn register(operations: &mut Operations) -> Registered<()> {
    operations.register(get_token_policy)?;
    operations.register(update_token_policy)?;
    operations.register(get_current_user)?;
    operations.register(list_organizations)?;
    operations.register(get_organization)?;
    operations.register(list_organization_members)?;
    operations.register(add_organization_member)?;
    operations.register(get_organization_member)?;
    operations.register(update_member_role)?;
    operations.register(remove_organization_member)?;
    operations.register(list_groups)?;
    operations.register(create_group)?;
    operations.register(get_group)?;
    operations.register(delete_group)?;
    operations.register(list_organization_audit_logs)
}

#[endpoint { operation_id = "getTokenPolicy", method = GET,
    path = "/v1/organizations/{organizationSlug}/token-policy" }]
async fn get_token_policy(
    rqctx: Rqctx,
    path: Path<OrganizationPath>,
) -> Answer<TokenPolicyResponse> {
    answer(&rqctx, path.get(), async |service, credential, path| {
        service.within(credential, &path.organization_slug).get_policy().await
    })
    .await
}

#[endpoint { operation_id = "updateTokenPolicy", method = PUT,
    path = "/v1/organizations/{organizationSlug}/token-policy" }]
async fn update_token_policy(
    rqctx: Rqctx,
    path: Path<OrganizationPath>,
    body: Body<TokenPolicy>,
) -> Answer<TokenPolicyResponse> {
    answer_body(&rqctx, path.get(), body, async |service, credential, path, policy| {
        service.within(credential, &path.organization_slug).update_policy(policy).await
    })
    .await
}

#[endpoint { operation_id = "getCurrentUser", method = GET, path = "/v1/user" }]
async fn get_current_user(rqctx: Rqctx) -> Answer<CurrentUser> {
    answer(&rqctx, Ok(()), async |service, credential, ()| service.get_user(credential).await).await
}

#[endpoint { operation_id = "listOrganizations", method = GET, path = "/v1/organizations" }]
async fn list_organizations(rqctx: Rqctx) -> Answer<OrganizationList> {
    answer_list(&rqctx, Ok(()), |service, credential, (), after| async move {
        service.list_organizations(&credential, after).await
    })
    .await
}

#[endpoint { operation_id = "getOrganization", method = GET,
    path = "/v1/organizations/{organizationSlug}" }]
async fn get_organization(
    rqctx: Rqctx,
    path: Path<OrganizationPath>,
) -> Answer<OrganizationResponse> {
    answer(&rqctx, path.get(), async |service, credential, path| {
        service.within(credential, &path.organization_slug).get().await
    })
    .await
}

#[endpoint { operation_id = "listOrganizationMembers", method = GET,
    path = "/v1/organizations/{organizationSlug}/members" }]
async fn list_organization_members(
    rqctx: Rqctx,
    path: Path<OrganizationPath>,
) -> Answer<MemberList> {
    answer_list(&rqctx, path.get(), |service, credential, path, after| async move {
        service.within(&credential, &path.organization_slug).list_members(after).await
    })
    .await
}

#[endpoint { operation_id = "addOrganizationMember", method = POST,
    path = "/v1/organizations/{organizationSlug}/members" }]
async fn add_organization_member(
    rqctx: Rqctx,
    path: Path<OrganizationPath>,
    body: Body<AddMemberRequest>,
) -> Answer<MemberAdded> {
    answer_body(&rqctx, path.get(), body, async |service, credential, path, request| {
        let AddMemberRequest { username, role } = request;
        let organization = service.within(credential, &path.organization_slug);
        let member = organization.add_member(&username, role.into()).await?;
        Ok(MemberAdded { member: username, role: member.role })
    })
    .await
}

#[endpoint { operation_id = "getOrganizationMember", method = GET,
    path = "/v1/organizations/{organizationSlug}/members/{username}" }]
async fn get_organization_member(rqctx: Rqctx, path: Path<MemberPath>) -> Answer<MemberResponse> {
    answer(&rqctx, path.get(), async |service, credential, path| {
        service.within(credential, &path.organization_slug).get_member(&path.username).await
    })
    .await
}

#[endpoint { operation_id = "updateMemberRole", method = PATCH,
    path = "/v1/organizations/{organizationSlug}/members/{username}" }]
async fn update_member_role(
    rqctx: Rqctx,
    path: Path<MemberPath>,
    body: Body<UpdateMemberRequest>,
) -> Answer<MemberResponse> {
    answer_body(&rqctx, path.get(), body, async |service, credential, path, request| {
        let MemberPath { organization_slug, username } = path;
        let role = request.role.into();
        service.within(credential, &organization_slug).update_member(&username, role).await
    })
    .await
}

#[endpoint { operation_id = "removeOrganizationMember", method = DELETE,
    path = "/v1/organizations/{organizationSlug}/members/{username}" }]
async fn remove_organization_member(rqctx: Rqctx, path: Path<MemberPath>) -> Answer<MemberRemoved> {
    answer(&rqctx, path.get(), async |service, credential, path| {
        service.within(credential, &path.organization_slug).remove_member(&path.username).await?;
        Ok(path.username)
    })
    .await
}

#[endpoint { operation_id = "listGroups", method = GET,
    path = "/v1/organizations/{organizationSlug}/groups" }]
async fn list_groups(rqctx: Rqctx, path: Path<OrganizationPath>) -> Answer<GroupList> {
    answer_list(&rqctx, path.get(), |service, credential, path, after| async move {
        service.within(&credential, &path.organization_slug).list_groups(after).await
    })
    .await
}

#[endpoint { operation_id = "createGroup", method = POST,
    path = "/v1/organizations/{organizationSlug}/groups" }]
async fn create_group(
    rqctx: Rqctx,
    path: Path<OrganizationPath>,
    body: Body<CreateGroupRequest>,
) -> Answer<GroupResponse> {
    answer_body(&rqctx, path.get(), body, async |service, credential, path, request| {
        let CreateGroupRequest { name, location } = request;
        service.within(credential, &path.organization_slug).create_group(name, location).await
    })
    .await
}

#[endpoint { operation_id = "getGroup", method = GET,
    path = "/v1/organizations/{organizationSlug}/groups/{groupName}" }]
async fn get_group(rqctx: Rqctx, path: Path<GroupPath>) -> Answer<GroupResponse> {
    answer(&rqctx, path.get(), async |service, credential, path| {
        service.within(credential, &path.organization_slug).get_group(&path.group_name).await
    })
    .await
}

#[endpoint { operation_id = "deleteGroup", method = DELETE,
    path = "/v1/organizations/{organizationSlug}/groups/{groupName}" }]
async fn delete_group(rqctx: Rqctx, path: Path<GroupPath>) -> Answer<GroupResponse> {
    answer(&rqctx, path.get(), async |service, credential, path| {
        service.within(credential, &path.organization_slug).delete_group(&path.group_name).await
    })
    .await
}

#[endpoint { operation_id = "listOrganizationAuditLogs", method = GET,
    path = "/v1/organizations/{organizationSlug}/audit-logs" }]
async fn list_organization_audit_logs(
    rqctx: Rqctx,
    path: Path<OrganizationPath>,
    query: Deferred<Query<PageQuery>>,
) -> Answer<AuditLogPage> {
    let parameters = path.get().and_then(|path| Ok((path, query.get()?)));
    answer_list_texts(
        &rqctx,
        parameters,
        not_cached,
        |service, credential, (path, query), after| async move {
            let organization = service.within(&credential, &path.organization_slug);
            let (page, next) = organization.list_audit_logs(query, after).await?;
            Ok((reply::to_json(&page)?, next))
        },
    )
    .await
}
