//! The operations of the contract: each takes the request apart, calls one function of the service,
//! and wraps what it returns. They decide nothing, choose no status, and never use the store. The
//! document that they make is compared with `openapi.yaml`.

mod answer;
mod compat;
mod docs;
mod shortcut;

pub use shortcut::Shortcut;

use crate::api::{
    AddMemberRequest, CreateGroupRequest, CurrentUser, Empty, GroupList, GroupPath, GroupResponse,
    MemberAdded, MemberList, MemberPath, MemberRemoved, MemberResponse, OrganizationList,
    OrganizationPath, OrganizationResponse, OrganizationTokenList, OrganizationTokenPath,
    RevokedToken, TokenExpiry, TokenList, TokenPath, TokenPolicyResponse, TokenResponse,
    UpdateMemberRequest,
};
use crate::auth::require_leak_report_allowed;
use crate::caller::Credential;
use crate::error;
use crate::front::Context;
use crate::http::{Accepted, Answer, Body, Deferred, Reply, reply};
use crate::records::{
    AuditLogPage, CreateTokenRequest, CreatedToken, LeakReport, MintRequest, MintedToken,
    PageQuery, RevokeTokensRequest, RevokedTokens, RotateTokenRequest, RotatedToken, TokenPolicy,
};
use crate::service::Service;
use answer::{answer, answer_body, answer_list, answer_texts};
use dropshot::{ApiDescription, ApiDescriptionRegisterError, Query, RequestContext, endpoint};
use serde::Serialize;

type Rqctx = RequestContext<Context>;
type Path<T> = Deferred<dropshot::Path<T>>;

/// The expiry of a token that does not expire.
const NEVER: i64 = -1;

/// Returns every operation, for the router and the document. It fails if two of them conflict.
pub fn operations() -> Result<ApiDescription<Context>, ApiDescriptionRegisterError> {
    let mut operations = ApiDescription::new();
    operations.register(list_organization_api_tokens)?;
    operations.register(create_organization_api_token)?;
    operations.register(get_organization_api_token)?;
    operations.register(revoke_organization_api_token)?;
    operations.register(rotate_organization_api_token)?;
    operations.register(revoke_organization_api_tokens)?;
    operations.register(revoke_credentials)?;
    operations.register(get_token_policy)?;
    operations.register(update_token_policy)?;
    operations.register(list_organization_member_api_tokens)?;
    operations.register(list_api_tokens)?;
    operations.register(create_api_token)?;
    operations.register(revoke_api_token)?;
    operations.register(validate_api_token)?;
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
    operations.register(list_organization_audit_logs)?;
    Ok(operations)
}

/// Returns what is served in addition to the contract: requests of the vendor's clients, and the page
/// to try the API. It fails if two of them conflict.
pub fn extras(
    has_compat: bool,
    has_docs: bool,
) -> Result<ApiDescription<Context>, ApiDescriptionRegisterError> {
    let mut extras = ApiDescription::new();
    if has_compat {
        compat::register(&mut extras)?;
    }
    if has_docs {
        docs::register(&mut extras)?;
    }
    Ok(extras)
}

#[endpoint { operation_id = "listOrganizationAPITokens", method = GET,
    path = "/v1/organizations/{organizationSlug}/api-tokens" }]
async fn list_organization_api_tokens(
    rqctx: Rqctx,
    path: Path<OrganizationPath>,
) -> Answer<OrganizationTokenList> {
    list_tokens(&rqctx, path.get()).await
}

async fn list_tokens(
    rqctx: &Rqctx,
    path: error::Result<OrganizationPath>,
) -> Answer<OrganizationTokenList> {
    let remembered = |service: &Service, credential: &Credential, path: &OrganizationPath| {
        service.within(credential, &path.organization_slug).remembered_tokens()
    };
    answer_texts(rqctx, path, remembered, |service, credential, path, after| async move {
        let write = |tokens| reply::to_json(&OrganizationTokenList::from(tokens));
        service.within(&credential, &path.organization_slug).list_tokens(after, write).await
    })
    .await
}

#[endpoint { operation_id = "createOrganizationAPIToken", method = POST,
    path = "/v1/organizations/{organizationSlug}/api-tokens" }]
async fn create_organization_api_token(
    rqctx: Rqctx,
    path: Path<OrganizationPath>,
    body: Body<CreateTokenRequest>,
) -> Answer<CreatedToken> {
    answer_body(&rqctx, path.get(), body, async |service, credential, path, request| {
        service.within(credential, &path.organization_slug).create_token(request).await
    })
    .await
}

#[endpoint { operation_id = "getOrganizationAPIToken", method = GET,
    path = "/v1/organizations/{organizationSlug}/api-tokens/{tokenId}" }]
async fn get_organization_api_token(
    rqctx: Rqctx,
    path: Path<OrganizationTokenPath>,
) -> Answer<TokenResponse> {
    answer(&rqctx, path.get(), async |service, credential, path| {
        service.within(credential, &path.organization_slug).get_token(path.token_id).await
    })
    .await
}

#[endpoint { operation_id = "revokeOrganizationAPIToken", method = DELETE,
    path = "/v1/organizations/{organizationSlug}/api-tokens/{tokenId}" }]
async fn revoke_organization_api_token(
    rqctx: Rqctx,
    path: Path<OrganizationTokenPath>,
) -> Answer<RevokedToken> {
    answer(&rqctx, path.get(), async |service, credential, path| {
        let OrganizationTokenPath { organization_slug, token_id } = path;
        service.within(credential, &organization_slug).revoke_token(token_id).await?;
        Ok(token_id.to_string())
    })
    .await
}

#[endpoint { operation_id = "rotateOrganizationAPIToken", method = POST,
    path = "/v1/organizations/{organizationSlug}/api-tokens/{tokenId}/rotate" }]
async fn rotate_organization_api_token(
    rqctx: Rqctx,
    path: Path<OrganizationTokenPath>,
    body: Body<RotateTokenRequest>,
) -> Answer<RotatedToken> {
    answer_body(&rqctx, path.get(), body, async |service, credential, path, request| {
        let OrganizationTokenPath { organization_slug, token_id } = path;
        service.within(credential, &organization_slug).rotate_token(token_id, request).await
    })
    .await
}

#[endpoint { operation_id = "revokeOrganizationAPITokens", method = POST,
    path = "/v1/organizations/{organizationSlug}/api-token-revocations" }]
async fn revoke_organization_api_tokens(
    rqctx: Rqctx,
    path: Path<OrganizationPath>,
    body: Body<RevokeTokensRequest>,
) -> Answer<RevokedTokens> {
    answer_body(&rqctx, path.get(), body, async |service, credential, path, request| {
        service.within(credential, &path.organization_slug).revoke_tokens(request).await
    })
    .await
}

#[endpoint { operation_id = "revokeCredentials", method = POST,
    path = "/v1/credentials/revoke" }]
async fn revoke_credentials(rqctx: Rqctx, body: Body<LeakReport>) -> Accepted<Empty> {
    let report = async || {
        require_leak_report_allowed(&rqctx)?;
        rqctx.context().service.revoke_leaked(&body.read().await?).await?;
        Ok(reply::accepted())
    };
    Ok(Reply::new(report().await, None))
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

#[endpoint { operation_id = "listOrganizationMemberAPITokens", method = GET,
    path = "/v1/organizations/{organizationSlug}/members/{username}/api-tokens" }]
async fn list_organization_member_api_tokens(
    rqctx: Rqctx,
    path: Path<MemberPath>,
) -> Answer<OrganizationTokenList> {
    answer_list(&rqctx, path.get(), |service, credential, path, after| async move {
        let MemberPath { organization_slug, username } = path;
        service.within(&credential, &organization_slug).list_member_tokens(&username, after).await
    })
    .await
}

#[endpoint { operation_id = "listAPITokens", method = GET, path = "/v1/auth/api-tokens" }]
async fn list_api_tokens(rqctx: Rqctx) -> Answer<TokenList> {
    answer_list(&rqctx, Ok(()), |service, credential, (), after| async move {
        service.list_own_tokens(&credential, after).await
    })
    .await
}

#[endpoint { operation_id = "createAPIToken", method = POST,
    path = "/v1/auth/api-tokens/{tokenName}" }]
async fn create_api_token(
    rqctx: Rqctx,
    path: Path<TokenPath>,
    body: Body<MintRequest>,
) -> Answer<MintedToken> {
    mint(&rqctx, path, body).await
}

async fn mint<T: From<MintedToken> + Serialize>(
    rqctx: &Rqctx,
    path: Path<TokenPath>,
    body: Body<MintRequest>,
) -> Answer<T> {
    answer(rqctx, Ok(path), async |service, credential, path| {
        service.may_mint(credential).await?;
        let (name, request) = (path.get()?.token_name, body.read().await?);
        service.mint_token(credential, &name, &request).await
    })
    .await
}

#[endpoint { operation_id = "revokeAPIToken", method = DELETE,
    path = "/v1/auth/api-tokens/{tokenName}" }]
async fn revoke_api_token(rqctx: Rqctx, path: Path<TokenPath>) -> Answer<RevokedToken> {
    answer(&rqctx, path.get(), async |service, credential, path| {
        service.revoke_own_token(credential, &path.token_name).await?;
        Ok(path.token_name.to_string())
    })
    .await
}

#[endpoint { operation_id = "validateAPIToken", method = GET, path = "/v1/auth/validate" }]
async fn validate_api_token(rqctx: Rqctx) -> Answer<TokenExpiry> {
    validate(&rqctx).await
}

async fn validate(rqctx: &Rqctx) -> Answer<TokenExpiry> {
    answer(rqctx, Ok(()), async |service, credential, ()| {
        let expires_at = service.validate(credential).await?;
        Ok(expires_at.map_or(NEVER, |time| time.timestamp()))
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
    answer(&rqctx, path.get(), async |service, credential, path| {
        service.within(credential, &path.organization_slug).list_audit_logs(query.get()?).await
    })
    .await
}
