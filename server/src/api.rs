//! The API as dropshot sees it: paths, parameters, request bodies, response bodies. The document
//! that this emits is compared with `openapi.yaml`.

pub mod types;

use crate::http::{Answer, Body, Deferred, Optional};
use crate::records::{MintRequest, MintedToken};
use dropshot::{Path, Query, RequestContext};
use types::{
    AddMemberRequest, AuditLogPage, CreateGroupRequest, CurrentUser, GroupList, GroupPath,
    GroupResponse, MemberAdded, MemberList, MemberPath, MemberRemoved, MemberResponse,
    OrganizationList, OrganizationPath, OrganizationResponse, OrganizationTokenList,
    OrganizationTokenPath, PageQuery, RevokedToken, TokenExpiry, TokenList, TokenPath,
    UpdateMemberRequest,
};

/// The operations of the contract.
#[dropshot::api_description]
pub trait Api {
    /// The state that handlers share.
    type Context;

    /// List Organization API Tokens
    #[endpoint {
        method = GET,
        path = "/v1/organizations/{organizationSlug}/api-tokens",
        operation_id = "listOrganizationAPITokens",
    }]
    async fn list_organization_api_tokens(
        rqctx: RequestContext<Self::Context>,
        path: Deferred<Path<OrganizationPath>>,
    ) -> Answer<OrganizationTokenList>;

    /// Revoke Organization API Token
    #[endpoint {
        method = DELETE,
        path = "/v1/organizations/{organizationSlug}/api-tokens/{tokenId}",
        operation_id = "revokeOrganizationAPIToken",
    }]
    async fn revoke_organization_api_token(
        rqctx: RequestContext<Self::Context>,
        path: Deferred<Path<OrganizationTokenPath>>,
    ) -> Answer<RevokedToken>;

    /// List API Tokens
    #[endpoint {
        method = GET,
        path = "/v1/auth/api-tokens",
        operation_id = "listAPITokens",
    }]
    async fn list_api_tokens(rqctx: RequestContext<Self::Context>) -> Answer<TokenList>;

    /// Create API Token
    #[endpoint {
        method = POST,
        path = "/v1/auth/api-tokens/{tokenName}",
        operation_id = "createAPIToken",
    }]
    async fn create_api_token(
        rqctx: RequestContext<Self::Context>,
        path: Deferred<Path<TokenPath>>,
        body: Body<Optional<MintRequest>>,
    ) -> Answer<MintedToken>;

    /// Revoke API Token
    #[endpoint {
        method = DELETE,
        path = "/v1/auth/api-tokens/{tokenName}",
        operation_id = "revokeAPIToken",
    }]
    async fn revoke_api_token(
        rqctx: RequestContext<Self::Context>,
        path: Deferred<Path<TokenPath>>,
    ) -> Answer<RevokedToken>;

    /// Validate API Token
    #[endpoint {
        method = GET,
        path = "/v1/auth/validate",
        operation_id = "validateAPIToken",
    }]
    async fn validate_api_token(rqctx: RequestContext<Self::Context>) -> Answer<TokenExpiry>;

    /// Get Current User
    #[endpoint {
        method = GET,
        path = "/v1/user",
        operation_id = "getCurrentUser",
    }]
    async fn get_current_user(rqctx: RequestContext<Self::Context>) -> Answer<CurrentUser>;

    /// List Organizations
    #[endpoint {
        method = GET,
        path = "/v1/organizations",
        operation_id = "listOrganizations",
    }]
    async fn list_organizations(rqctx: RequestContext<Self::Context>) -> Answer<OrganizationList>;

    /// Get Organization
    #[endpoint {
        method = GET,
        path = "/v1/organizations/{organizationSlug}",
        operation_id = "getOrganization",
    }]
    async fn get_organization(
        rqctx: RequestContext<Self::Context>,
        path: Deferred<Path<OrganizationPath>>,
    ) -> Answer<OrganizationResponse>;

    /// List Organization Members
    #[endpoint {
        method = GET,
        path = "/v1/organizations/{organizationSlug}/members",
        operation_id = "listOrganizationMembers",
    }]
    async fn list_organization_members(
        rqctx: RequestContext<Self::Context>,
        path: Deferred<Path<OrganizationPath>>,
    ) -> Answer<MemberList>;

    /// Add Organization Member
    #[endpoint {
        method = POST,
        path = "/v1/organizations/{organizationSlug}/members",
        operation_id = "addOrganizationMember",
    }]
    async fn add_organization_member(
        rqctx: RequestContext<Self::Context>,
        path: Deferred<Path<OrganizationPath>>,
        body: Body<AddMemberRequest>,
    ) -> Answer<MemberAdded>;

    /// Get Organization Member
    #[endpoint {
        method = GET,
        path = "/v1/organizations/{organizationSlug}/members/{username}",
        operation_id = "getOrganizationMember",
    }]
    async fn get_organization_member(
        rqctx: RequestContext<Self::Context>,
        path: Deferred<Path<MemberPath>>,
    ) -> Answer<MemberResponse>;

    /// Update Member Role
    #[endpoint {
        method = PATCH,
        path = "/v1/organizations/{organizationSlug}/members/{username}",
        operation_id = "updateMemberRole",
    }]
    async fn update_member_role(
        rqctx: RequestContext<Self::Context>,
        path: Deferred<Path<MemberPath>>,
        body: Body<UpdateMemberRequest>,
    ) -> Answer<MemberResponse>;

    /// Remove Organization Member
    #[endpoint {
        method = DELETE,
        path = "/v1/organizations/{organizationSlug}/members/{username}",
        operation_id = "removeOrganizationMember",
    }]
    async fn remove_organization_member(
        rqctx: RequestContext<Self::Context>,
        path: Deferred<Path<MemberPath>>,
    ) -> Answer<MemberRemoved>;

    /// List Groups
    #[endpoint {
        method = GET,
        path = "/v1/organizations/{organizationSlug}/groups",
        operation_id = "listGroups",
    }]
    async fn list_groups(
        rqctx: RequestContext<Self::Context>,
        path: Deferred<Path<OrganizationPath>>,
    ) -> Answer<GroupList>;

    /// Create Group
    #[endpoint {
        method = POST,
        path = "/v1/organizations/{organizationSlug}/groups",
        operation_id = "createGroup",
    }]
    async fn create_group(
        rqctx: RequestContext<Self::Context>,
        path: Deferred<Path<OrganizationPath>>,
        body: Body<CreateGroupRequest>,
    ) -> Answer<GroupResponse>;

    /// Get Group
    #[endpoint {
        method = GET,
        path = "/v1/organizations/{organizationSlug}/groups/{groupName}",
        operation_id = "getGroup",
    }]
    async fn get_group(
        rqctx: RequestContext<Self::Context>,
        path: Deferred<Path<GroupPath>>,
    ) -> Answer<GroupResponse>;

    /// Delete Group
    #[endpoint {
        method = DELETE,
        path = "/v1/organizations/{organizationSlug}/groups/{groupName}",
        operation_id = "deleteGroup",
    }]
    async fn delete_group(
        rqctx: RequestContext<Self::Context>,
        path: Deferred<Path<GroupPath>>,
    ) -> Answer<GroupResponse>;

    /// List Organization Audit Logs
    #[endpoint {
        method = GET,
        path = "/v1/organizations/{organizationSlug}/audit-logs",
        operation_id = "listOrganizationAuditLogs",
    }]
    async fn list_organization_audit_logs(
        rqctx: RequestContext<Self::Context>,
        path: Deferred<Path<OrganizationPath>>,
        query: Deferred<Query<PageQuery>>,
    ) -> Answer<AuditLogPage>;
}
