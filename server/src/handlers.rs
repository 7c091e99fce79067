//! The operations of `api`: authenticate, call the service, wrap what comes
//! back. They decide nothing, choose no status, and never ask the store.

mod answer;

use crate::api::Api;
use crate::api::types::{
    AddMemberRequest, AuditLogPage, CreateGroupRequest, CurrentUser, GroupList, GroupPath,
    GroupResponse, MemberAdded, MemberList, MemberPath, MemberRemoved, MemberResponse, MintRequest,
    MintedToken, OrganizationList, OrganizationPath, OrganizationResponse, OrganizationToken,
    OrganizationTokenList, OrganizationTokenPath, PageQuery, RevokedToken, Token, TokenExpiry,
    TokenList, TokenPath, UpdateMemberRequest,
};
use crate::front::Context;
use crate::http::{Answer, Body, Deferred, Optional};
use answer::{answer, answer_list};
use dropshot::{Path, Query, RequestContext};

/// The contract over the service.
#[derive(Debug)]
pub enum Handlers {}

type Rqctx = RequestContext<Context>;

/// When a token expires that does not.
const NEVER: i64 = -1;

impl Api for Handlers {
    type Context = Context;

    async fn list_organization_api_tokens(
        rqctx: Rqctx,
        path: Deferred<Path<OrganizationPath>>,
    ) -> Answer<OrganizationTokenList> {
        answer_list(rqctx, OrganizationToken::new, async |service, caller| {
            service.list_organization_tokens(&caller, &path.get()?.organization_slug).await
        })
        .await
    }

    async fn revoke_organization_api_token(
        rqctx: Rqctx,
        path: Deferred<Path<OrganizationTokenPath>>,
    ) -> Answer<RevokedToken> {
        answer(rqctx, async |service, caller| {
            let OrganizationTokenPath { organization_slug, token_id } = path.get()?;
            service.revoke_organization_token(&caller, &organization_slug, token_id).await?;
            Ok(RevokedToken { token: token_id.to_string() })
        })
        .await
    }

    async fn list_api_tokens(rqctx: Rqctx) -> Answer<TokenList> {
        answer_list(
            rqctx,
            |token, _| Token::from(token),
            async |service, caller| service.list_own_tokens(&caller).await,
        )
        .await
    }

    async fn create_api_token(
        rqctx: Rqctx,
        path: Deferred<Path<TokenPath>>,
        body: Body<Optional<MintRequest>>,
    ) -> Answer<MintedToken> {
        answer(rqctx, async |service, caller| {
            service.may_mint(&caller)?;
            let (name, request) = (path.get()?.token_name, body.read_or_default().await?);
            let minted = service.mint_token(&caller, &name, &request.into()).await?;
            Ok(MintedToken { name, id: minted.id, token: minted.token })
        })
        .await
    }

    async fn revoke_api_token(
        rqctx: Rqctx,
        path: Deferred<Path<TokenPath>>,
    ) -> Answer<RevokedToken> {
        answer(rqctx, async |service, caller| {
            let name = path.get()?.token_name;
            service.revoke_own_token(&caller, &name).await?;
            Ok(RevokedToken { token: name.to_string() })
        })
        .await
    }

    async fn validate_api_token(rqctx: Rqctx) -> Answer<TokenExpiry> {
        answer(rqctx, async |_, _| Ok(TokenExpiry { exp: NEVER })).await
    }

    async fn get_current_user(rqctx: Rqctx) -> Answer<CurrentUser> {
        answer(rqctx, async |service, caller| {
            service.read_user(&caller)?;
            Ok(CurrentUser { user: caller.into() })
        })
        .await
    }

    async fn list_organizations(rqctx: Rqctx) -> Answer<OrganizationList> {
        answer(rqctx, async |service, caller| {
            let organizations = service.list_organizations(&caller).await?;
            Ok(OrganizationList { organizations: wrap(organizations) })
        })
        .await
    }

    async fn get_organization(
        rqctx: Rqctx,
        path: Deferred<Path<OrganizationPath>>,
    ) -> Answer<OrganizationResponse> {
        answer(rqctx, async |service, caller| {
            let organization =
                service.get_organization(&caller, &path.get()?.organization_slug).await?;
            Ok(OrganizationResponse { organization: organization.into() })
        })
        .await
    }

    async fn list_organization_members(
        rqctx: Rqctx,
        path: Deferred<Path<OrganizationPath>>,
    ) -> Answer<MemberList> {
        answer(rqctx, async |service, caller| {
            let members = service.list_members(&caller, &path.get()?.organization_slug).await?;
            Ok(MemberList { members: wrap(members) })
        })
        .await
    }

    async fn add_organization_member(
        rqctx: Rqctx,
        path: Deferred<Path<OrganizationPath>>,
        body: Body<AddMemberRequest>,
    ) -> Answer<MemberAdded> {
        answer(rqctx, async |service, caller| {
            let slug = path.get()?.organization_slug;
            let AddMemberRequest { username, role } = body.read().await?;
            let member = service.add_member(&caller, &slug, &username, role.into()).await?;
            Ok(MemberAdded { member: username, role: member.role })
        })
        .await
    }

    async fn get_organization_member(
        rqctx: Rqctx,
        path: Deferred<Path<MemberPath>>,
    ) -> Answer<MemberResponse> {
        answer(rqctx, async |service, caller| {
            let MemberPath { organization_slug, username } = path.get()?;
            let member = service.get_member(&caller, &organization_slug, &username).await?;
            Ok(MemberResponse { member: member.into() })
        })
        .await
    }

    async fn update_member_role(
        rqctx: Rqctx,
        path: Deferred<Path<MemberPath>>,
        body: Body<UpdateMemberRequest>,
    ) -> Answer<MemberResponse> {
        answer(rqctx, async |service, caller| {
            let MemberPath { organization_slug, username } = path.get()?;
            let role = body.read().await?.role.into();
            let member =
                service.update_member(&caller, &organization_slug, &username, role).await?;
            Ok(MemberResponse { member: member.into() })
        })
        .await
    }

    async fn remove_organization_member(
        rqctx: Rqctx,
        path: Deferred<Path<MemberPath>>,
    ) -> Answer<MemberRemoved> {
        answer(rqctx, async |service, caller| {
            let MemberPath { organization_slug, username } = path.get()?;
            service.remove_member(&caller, &organization_slug, &username).await?;
            Ok(MemberRemoved { member: username })
        })
        .await
    }

    async fn list_groups(
        rqctx: Rqctx,
        path: Deferred<Path<OrganizationPath>>,
    ) -> Answer<GroupList> {
        answer(rqctx, async |service, caller| {
            let groups = service.list_groups(&caller, &path.get()?.organization_slug).await?;
            Ok(GroupList { groups: wrap(groups) })
        })
        .await
    }

    async fn create_group(
        rqctx: Rqctx,
        path: Deferred<Path<OrganizationPath>>,
        body: Body<CreateGroupRequest>,
    ) -> Answer<GroupResponse> {
        answer(rqctx, async |service, caller| {
            let slug = path.get()?.organization_slug;
            let CreateGroupRequest { name, location } = body.read().await?;
            let group = service.create_group(&caller, &slug, name, location).await?;
            Ok(GroupResponse { group: group.into() })
        })
        .await
    }

    async fn get_group(rqctx: Rqctx, path: Deferred<Path<GroupPath>>) -> Answer<GroupResponse> {
        answer(rqctx, async |service, caller| {
            let GroupPath { organization_slug, group_name } = path.get()?;
            let group = service.get_group(&caller, &organization_slug, &group_name).await?;
            Ok(GroupResponse { group: group.into() })
        })
        .await
    }

    async fn delete_group(rqctx: Rqctx, path: Deferred<Path<GroupPath>>) -> Answer<GroupResponse> {
        answer(rqctx, async |service, caller| {
            let GroupPath { organization_slug, group_name } = path.get()?;
            let group = service.delete_group(&caller, &organization_slug, &group_name).await?;
            Ok(GroupResponse { group: group.into() })
        })
        .await
    }

    async fn list_organization_audit_logs(
        rqctx: Rqctx,
        path: Deferred<Path<OrganizationPath>>,
        query: Deferred<Query<PageQuery>>,
    ) -> Answer<AuditLogPage> {
        answer(rqctx, async |service, caller| {
            let (slug, PageQuery { page, page_size }) =
                (path.get()?.organization_slug, query.get()?);
            let found = service.list_audit_logs(&caller, &slug, page, page_size).await?;
            Ok(AuditLogPage::new(found, page, page_size))
        })
        .await
    }
}

fn wrap<T, W: From<T>>(records: Vec<T>) -> Vec<W> {
    records.into_iter().map(W::from).collect()
}
