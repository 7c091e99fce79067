//! The operations of `api`: take the request apart, call one function of the service, wrap what it
//! returns. They decide nothing, choose no status, and never use the store.

mod answer;

use crate::api::Api;
use crate::api::types::{
    AddMemberRequest, AuditLogPage, CreateGroupRequest, CurrentUser, GroupList, GroupPath,
    GroupResponse, MemberAdded, MemberList, MemberPath, MemberRemoved, MemberResponse,
    OrganizationList, OrganizationPath, OrganizationResponse, OrganizationTokenList,
    OrganizationTokenPath, PageQuery, RevokedToken, TokenExpiry, TokenList, TokenPath,
    UpdateMemberRequest,
};
use crate::front::Context;
use crate::http::{Answer, Body, Deferred, Optional};
use crate::records::{MintRequest, MintedToken};
use answer::{answer, answer_list};
use dropshot::{Path, Query, RequestContext};

/// The contract over the service.
#[derive(Debug)]
pub enum Handlers {}

type Rqctx = RequestContext<Context>;

/// The expiry of a token that does not expire.
const NEVER: i64 = -1;

impl Api for Handlers {
    type Context = Context;

    async fn list_organization_api_tokens(
        rqctx: Rqctx,
        path: Deferred<Path<OrganizationPath>>,
    ) -> Answer<OrganizationTokenList> {
        answer_list(rqctx, path.get(), |service, credential, path, after| async move {
            service.list_organization_tokens(&credential, &path.organization_slug, after).await
        })
        .await
    }

    async fn revoke_organization_api_token(
        rqctx: Rqctx,
        path: Deferred<Path<OrganizationTokenPath>>,
    ) -> Answer<RevokedToken> {
        answer(rqctx, async |service, credential| {
            let OrganizationTokenPath { organization_slug, token_id } = path.get()?;
            service.revoke_organization_token(&credential, &organization_slug, token_id).await?;
            Ok(RevokedToken { token: token_id.to_string() })
        })
        .await
    }

    async fn list_api_tokens(rqctx: Rqctx) -> Answer<TokenList> {
        answer_list(rqctx, Ok(()), |service, credential, (), after| async move {
            service.list_own_tokens(&credential, after).await
        })
        .await
    }

    async fn create_api_token(
        rqctx: Rqctx,
        path: Deferred<Path<TokenPath>>,
        body: Body<Optional<MintRequest>>,
    ) -> Answer<MintedToken> {
        answer(rqctx, async |service, credential| {
            service.may_mint(&credential).await?;
            let (name, request) = (path.get()?.token_name, body.read_or_default().await?);
            service.mint_token(&credential, &name, &request).await
        })
        .await
    }

    async fn revoke_api_token(
        rqctx: Rqctx,
        path: Deferred<Path<TokenPath>>,
    ) -> Answer<RevokedToken> {
        answer(rqctx, async |service, credential| {
            let name = path.get()?.token_name;
            service.revoke_own_token(&credential, &name).await?;
            Ok(RevokedToken { token: name.to_string() })
        })
        .await
    }

    async fn validate_api_token(rqctx: Rqctx) -> Answer<TokenExpiry> {
        answer(rqctx, async |service, credential| {
            let expires_at = service.validate(&credential).await?;
            Ok(TokenExpiry { exp: expires_at.map_or(NEVER, |time| time.timestamp()) })
        })
        .await
    }

    async fn get_current_user(rqctx: Rqctx) -> Answer<CurrentUser> {
        answer(rqctx, async |service, credential| {
            Ok(CurrentUser { user: service.get_user(&credential).await? })
        })
        .await
    }

    async fn list_organizations(rqctx: Rqctx) -> Answer<OrganizationList> {
        answer_list(rqctx, Ok(()), |service, credential, (), after| async move {
            service.list_organizations(&credential, after).await
        })
        .await
    }

    async fn get_organization(
        rqctx: Rqctx,
        path: Deferred<Path<OrganizationPath>>,
    ) -> Answer<OrganizationResponse> {
        answer(rqctx, async |service, credential| {
            let slug = path.get()?.organization_slug;
            Ok(OrganizationResponse {
                organization: service.get_organization(&credential, &slug).await?,
            })
        })
        .await
    }

    async fn list_organization_members(
        rqctx: Rqctx,
        path: Deferred<Path<OrganizationPath>>,
    ) -> Answer<MemberList> {
        answer_list(rqctx, path.get(), |service, credential, path, after| async move {
            service.list_members(&credential, &path.organization_slug, after).await
        })
        .await
    }

    async fn add_organization_member(
        rqctx: Rqctx,
        path: Deferred<Path<OrganizationPath>>,
        body: Body<AddMemberRequest>,
    ) -> Answer<MemberAdded> {
        answer(rqctx, async |service, credential| {
            service.authenticate(&credential).await?;
            let slug = path.get()?.organization_slug;
            let AddMemberRequest { username, role } = body.read().await?;
            let member = service.add_member(&credential, &slug, &username, role.into()).await?;
            Ok(MemberAdded { member: username, role: member.role })
        })
        .await
    }

    async fn get_organization_member(
        rqctx: Rqctx,
        path: Deferred<Path<MemberPath>>,
    ) -> Answer<MemberResponse> {
        answer(rqctx, async |service, credential| {
            let MemberPath { organization_slug, username } = path.get()?;
            let member = service.get_member(&credential, &organization_slug, &username).await?;
            Ok(MemberResponse { member })
        })
        .await
    }

    async fn update_member_role(
        rqctx: Rqctx,
        path: Deferred<Path<MemberPath>>,
        body: Body<UpdateMemberRequest>,
    ) -> Answer<MemberResponse> {
        answer(rqctx, async |service, credential| {
            service.authenticate(&credential).await?;
            let MemberPath { organization_slug: slug, username } = path.get()?;
            let role = body.read().await?.role.into();
            let member = service.update_member(&credential, &slug, &username, role).await?;
            Ok(MemberResponse { member })
        })
        .await
    }

    async fn remove_organization_member(
        rqctx: Rqctx,
        path: Deferred<Path<MemberPath>>,
    ) -> Answer<MemberRemoved> {
        answer(rqctx, async |service, credential| {
            let MemberPath { organization_slug, username } = path.get()?;
            service.remove_member(&credential, &organization_slug, &username).await?;
            Ok(MemberRemoved { member: username })
        })
        .await
    }

    async fn list_groups(
        rqctx: Rqctx,
        path: Deferred<Path<OrganizationPath>>,
    ) -> Answer<GroupList> {
        answer_list(rqctx, path.get(), |service, credential, path, after| async move {
            service.list_groups(&credential, &path.organization_slug, after).await
        })
        .await
    }

    async fn create_group(
        rqctx: Rqctx,
        path: Deferred<Path<OrganizationPath>>,
        body: Body<CreateGroupRequest>,
    ) -> Answer<GroupResponse> {
        answer(rqctx, async |service, credential| {
            service.authenticate(&credential).await?;
            let slug = path.get()?.organization_slug;
            let CreateGroupRequest { name, location } = body.read().await?;
            let group = service.create_group(&credential, &slug, name, location).await?;
            Ok(GroupResponse { group })
        })
        .await
    }

    async fn get_group(rqctx: Rqctx, path: Deferred<Path<GroupPath>>) -> Answer<GroupResponse> {
        answer(rqctx, async |service, credential| {
            let GroupPath { organization_slug, group_name } = path.get()?;
            let group = service.get_group(&credential, &organization_slug, &group_name).await?;
            Ok(GroupResponse { group })
        })
        .await
    }

    async fn delete_group(rqctx: Rqctx, path: Deferred<Path<GroupPath>>) -> Answer<GroupResponse> {
        answer(rqctx, async |service, credential| {
            let GroupPath { organization_slug, group_name } = path.get()?;
            let group = service.delete_group(&credential, &organization_slug, &group_name).await?;
            Ok(GroupResponse { group })
        })
        .await
    }

    async fn list_organization_audit_logs(
        rqctx: Rqctx,
        path: Deferred<Path<OrganizationPath>>,
        query: Deferred<Query<PageQuery>>,
    ) -> Answer<AuditLogPage> {
        answer(rqctx, async |service, credential| {
            let (slug, query) = (path.get()?.organization_slug, query.get()?);
            let PageQuery { page, page_size } = query;
            let (entries, total) =
                service.list_audit_logs(&credential, &slug, page, page_size).await?;
            Ok(AuditLogPage::new(entries, total, &query))
        })
        .await
    }
}
