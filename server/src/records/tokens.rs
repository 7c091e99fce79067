//! Tokens in answers, and the requests that mint and rotate them.

use crate::clock;
use crate::expiration::{EXPIRATION, Expiration, OVERLAP, Overlap};
use crate::limits::{AllowedIps, NETWORK};
use crate::name::{Name, Slug};
use crate::scope::{RequestedScope, Scope, Scopes};
use crate::token::{PlainToken, TokenId};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use std::net::IpAddr;

/// A token, as its user sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Token {
    /// The token name, unique among its user's tokens.
    pub name: Name,
    pub id: TokenId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<Slug>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<Scope>>")]
    pub scopes: Option<Scopes>,
    /// When it was minted; lists show the UTC date, `YYYY-MM-DD`.
    #[serde(serialize_with = "date")]
    #[schemars(with = "String")]
    pub created_at: DateTime<Utc>,
}

fn date<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&time.date_naive())
}

/// A token, as the organization that it is bound to sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OrganizationToken {
    #[serde(flatten)]
    pub token: Token,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<TokenOwner>,
}

/// A token with its times, its addresses and its last use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TokenDetails {
    pub name: Name,
    pub id: TokenId,
    pub organization: Slug,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<Scope>>")]
    pub scopes: Option<Scopes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<TokenOwner>,
    #[serde(serialize_with = "clock::serialize")]
    pub created_at: DateTime<Utc>,
    #[serde(serialize_with = "clock::serialize", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<String>>")]
    pub allowed_ips: Option<AllowedIps>,
    #[serde(serialize_with = "clock::serialize", skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub last_used_ip: Option<IpAddr>,
    #[serde(serialize_with = "clock::serialize", skip_serializing_if = "Option::is_none")]
    pub rotated_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "clock::serialize", skip_serializing_if = "Option::is_none")]
    pub previous_secret_expires_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TokenOwner {
    pub username: Name,
    pub email: String,
}

/// A token to mint. Unknown members are refused: a misspelt restriction must not widen the token.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MintRequest {
    pub organization: Option<Slug>,
    pub group: Option<Name>,
    #[schemars(length(min = 1))]
    pub scopes: Option<Vec<RequestedScope>>,
}

/// A token to mint in an organization. Unknown members are refused, as in [`MintRequest`].
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTokenRequest {
    pub name: Name,
    pub group: Option<Name>,
    #[schemars(length(min = 1))]
    pub scopes: Option<Vec<RequestedScope>>,
    #[schemars(with = "Option<String>", regex = "EXPIRATION")]
    pub expiration: Option<Expiration>,
    #[schemars(with = "Option<Vec<String>>", length(min = 1, max = 100), inner(regex = "NETWORK"))]
    pub allowed_ips: Option<AllowedIps>,
}

/// How to rotate a token. Without an expiration the expiry stays the same.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateTokenRequest {
    /// How long the old secret is accepted.
    #[schemars(with = "Option<String>", regex = "OVERLAP")]
    pub overlap: Option<Overlap>,
    #[schemars(with = "Option<String>", regex = "EXPIRATION")]
    pub expiration: Option<Expiration>,
}

/// A new token. Only this and the types that contain it show a secret.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MintedToken {
    pub name: Name,
    pub id: TokenId,
    #[serde(serialize_with = "reveal")]
    #[schemars(with = "String")]
    pub token: PlainToken,
}

/// Like [`MintedToken`], with its expiry.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CreatedToken {
    #[serde(flatten)]
    pub minted: MintedToken,
    #[serde(serialize_with = "clock::serialize", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// A token with its new secret.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RotatedToken {
    #[serde(flatten)]
    pub created: CreatedToken,
    #[serde(serialize_with = "clock::serialize", skip_serializing_if = "Option::is_none")]
    pub previous_secret_expires_at: Option<DateTime<Utc>>,
}

/// Serializes the plain token, for the answer of mint.
pub(crate) fn reveal<S: Serializer>(token: &PlainToken, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(token.reveal())
}
