//! The operations on tokens.

use super::answer::{answer, answer_body, answer_list, answer_list_texts};
use super::{Operations, Path, Registered, Rqctx};
use crate::api::{
    Empty, MemberPath, OrganizationPath, OrganizationTokenList, OrganizationTokenPath,
    RevokedToken, TokenExpiry, TokenList, TokenPath, TokenResponse,
};
use crate::auth::require_leak_report_allowed;
use crate::caller::Credential;
use crate::error;
use crate::http::{Accepted, Answer, Body, Reply, reply};
use crate::records::{
    CreateTokenRequest, CreatedToken, LeakReport, MintRequest, MintedToken, RevokeTokensRequest,
    RevokedTokens, RotateTokenRequest, RotatedToken,
};
use crate::service::Service;
use dropshot::endpoint;
use serde::Serialize;

/// The expiry of a token that does not expire.
const NEVER: i64 = -1;

/// Adds these operations. It fails if two of them conflict.
pub fn register(operations: &mut Operations) -> Registered<()> {
    operations.register(list_organization_api_tokens)?;
    operations.register(create_organization_api_token)?;
    operations.register(get_organization_api_token)?;
    operations.register(revoke_organization_api_token)?;
    operations.register(rotate_organization_api_token)?;
    operations.register(revoke_organization_api_tokens)?;
    operations.register(revoke_credentials)?;
    operations.register(list_organization_member_api_tokens)?;
    operations.register(list_api_tokens)?;
    operations.register(create_api_token)?;
    operations.register(revoke_api_token)?;
    operations.register(validate_api_token)
}

#[endpoint { operation_id = "listOrganizationAPITokens", method = GET,
    path = "/v1/organizations/{organizationSlug}/api-tokens" }]
async fn list_organization_api_tokens(
    rqctx: Rqctx,
    path: Path<OrganizationPath>,
) -> Answer<OrganizationTokenList> {
    list_tokens(&rqctx, path.get()).await
}

pub async fn list_tokens(
    rqctx: &Rqctx,
    path: error::Result<OrganizationPath>,
) -> Answer<OrganizationTokenList> {
    let cached = |service: &Service, credential: &Credential, path: &OrganizationPath| {
        service.within(credential, &path.organization_slug).cached_tokens()
    };
    answer_list_texts(rqctx, path, cached, |service, credential, path, after| async move {
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

pub async fn mint<T: From<MintedToken> + Serialize>(
    rqctx: &Rqctx,
    path: Path<TokenPath>,
    body: Body<MintRequest>,
) -> Answer<T> {
    answer(rqctx, Ok(path), async |service, credential, path| {
        service.require_may_mint(credential).await?;
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

pub async fn validate(rqctx: &Rqctx) -> Answer<TokenExpiry> {
    answer(rqctx, Ok(()), async |service, credential, ()| {
        let expires_at = service.validate(credential).await?;
        Ok(expires_at.map_or(NEVER, |time| time.timestamp()))
    })
    .await
}
