//! What the vendor's clients send although the contract does not have it, so that they work
//! unchanged. It is found only if the contract has no such path or method, it is in no document, and
//! `serve --no-compat` leaves it out.
//!
//! The npm package `@tursodatabase/api` adds a member on the member's own path and validates on a
//! path of its own. The vendor's command line mints and lists organizations on `/v2`, and asks for
//! the current user on another path.

use super::answer::{answer, answer_list};
use super::tokens::{mint, validate};
use super::{Operations, Path, Registered, Rqctx};
use crate::api::{
    AssignableRole, CurrentUser, MemberAdded, MemberPath, OrganizationList, TokenExpiry, TokenPath,
};
use crate::error::Error;
use crate::http::{Answer, Body};
use crate::name::Name;
use crate::records::{MintRequest, MintedToken, reveal};
use crate::token::{PlainToken, TokenId};
use dropshot::endpoint;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Adds these operations. It fails if two of them conflict.
pub fn register(operations: &mut Operations) -> Registered<()> {
    operations.register(compat_add_member)?;
    operations.register(compat_validate)?;
    operations.register(compat_mint)?;
    operations.register(compat_list_organizations)?;
    operations.register(compat_get_user)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AddMember {
    member: Name,
    #[serde(default)]
    role: AssignableRole,
}

#[derive(Serialize, JsonSchema)]
struct Minted {
    token: Token,
}

#[derive(Serialize, JsonSchema)]
struct Token {
    name: Name,
    id: TokenId,
    #[serde(serialize_with = "reveal")]
    #[schemars(with = "String")]
    value: PlainToken,
}

impl From<MintedToken> for Minted {
    fn from(MintedToken { name, id, token: value }: MintedToken) -> Self {
        Self { token: Token { name, id, value } }
    }
}

/// The client sends JSON as `text/plain`.
#[endpoint { unpublished = true, method = POST,
    path = "/v1/organizations/{organizationSlug}/members/{username}" }]
async fn compat_add_member(
    rqctx: Rqctx,
    path: Path<MemberPath>,
    body: Body<AddMember>,
) -> Answer<MemberAdded> {
    answer(&rqctx, path.get(), async |service, credential, path| {
        service.authenticate(credential).await?;
        let MemberPath { organization_slug, username } = path;
        let AddMember { member, role } = body.read_any_type().await?;
        if member != username {
            let message = format!("the path names {username} and the body {member}: name one user");
            return Err(Error::Invalid(message));
        }
        let service = service.within(credential, &organization_slug);
        let added = service.add_member(&member, role.into()).await?;
        Ok(MemberAdded { member, role: added.role })
    })
    .await
}

#[endpoint { unpublished = true, method = GET, path = "/v1/auth/api-tokens/validate" }]
async fn compat_validate(rqctx: Rqctx) -> Answer<TokenExpiry> {
    validate(&rqctx).await
}

#[endpoint { unpublished = true, method = POST, path = "/v2/auth/api-tokens/{tokenName}" }]
async fn compat_mint(
    rqctx: Rqctx,
    path: Path<TokenPath>,
    body: Body<MintRequest>,
) -> Answer<Minted> {
    mint(&rqctx, path, body).await
}

#[endpoint { unpublished = true, method = GET, path = "/v2/organizations" }]
async fn compat_list_organizations(rqctx: Rqctx) -> Answer<OrganizationList> {
    answer_list(&rqctx, Ok(()), |service, credential, (), after| async move {
        service.list_organizations(&credential, after).await
    })
    .await
}

#[endpoint { unpublished = true, method = GET, path = "/v1/current-user" }]
async fn compat_get_user(rqctx: Rqctx) -> Answer<CurrentUser> {
    answer(&rqctx, Ok(()), async |service, credential, ()| service.get_user(credential).await).await
}
