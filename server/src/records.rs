//! The things of the contract, named as its schemas: what the store reads, the service returns and
//! the API declares. They hold no keys of the store, and no plain token but [`MintedToken`].

#![expect(missing_docs, reason = "openapi.yaml describes the members")]

use crate::caller::{Caller, Origin, Role};
use crate::name::{Name, Slug};
use crate::scope::{RequestedScope, Scope, Scopes};
use crate::token::{PlainToken, TokenId};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// A token, as its own user sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Token {
    /// The token name, unique among its user's tokens.
    pub name: Name,
    pub id: TokenId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Slug")]
    pub organization: Option<Slug>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Name")]
    pub group: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<Scope>")]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TokenOwner")]
    pub owner: Option<TokenOwner>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TokenOwner {
    pub username: Name,
    pub email: String,
}

/// What to mint. Unknown and null members are refused: a misspelt restriction must never mint a
/// wider token.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MintRequest {
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Slug")]
    pub organization: Option<Slug>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Name")]
    pub group: Option<Name>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Vec<RequestedScope>", length(min = 1))]
    pub scopes: Option<Vec<RequestedScope>>,
}

/// Reads a member that may be left out, and may not be null.
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// A token that was just minted. This is the one answer that shows a secret.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MintedToken {
    pub name: Name,
    pub id: TokenId,
    #[serde(serialize_with = "reveal")]
    #[schemars(with = "String")]
    pub token: PlainToken,
}

fn reveal<S: Serializer>(token: &PlainToken, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(token.reveal())
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct User {
    pub username: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub name: Option<String>,
    pub email: String,
}

impl From<Caller> for User {
    fn from(Caller { username, email, .. }: Caller) -> Self {
        Self { username, name: None, email }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Organization {
    pub name: Slug,
    pub slug: Slug,
    #[serde(rename = "type")]
    pub kind: OrganizationKind,
    pub overages: bool,
    pub blocked_reads: bool,
    pub blocked_writes: bool,
}

impl Organization {
    /// Returns the organization of this slug. Nothing is metered here, so no quota can be used up.
    pub fn new(slug: Slug) -> Self {
        let (overages, blocked_reads, blocked_writes) = (false, false, false);
        let (name, kind) = (slug.clone(), OrganizationKind::Team);
        Self { name, slug, kind, overages, blocked_reads, blocked_writes }
    }
}

/// Whether an organization belongs to a person or a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OrganizationKind {
    /// A team: the only kind that this server makes.
    Team,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Member {
    pub username: Name,
    pub role: Role,
    pub email: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Group {
    pub name: Name,
    /// What group-bound tokens are pinned to.
    pub uuid: Uuid,
    /// The version of the server that made it.
    pub version: String,
    pub locations: Vec<Name>,
    /// The location that takes the writes.
    pub primary: Name,
    pub delete_protection: bool,
}

impl Group {
    /// Returns a group in one location. No operation of the contract protects a group.
    pub fn new(name: Name, uuid: Uuid, location: Name, version: String) -> Self {
        let (locations, primary) = (vec![location.clone()], location);
        Self { name, uuid, version, locations, primary, delete_protection: false }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct AuditLog {
    pub code: String,
    pub message: String,
    /// `cli` or `web`.
    #[schemars(with = "String")]
    pub origin: Origin,
    pub author: String,
    pub created_at: DateTime<Utc>,
    pub data: serde_json::Map<String, serde_json::Value>,
}

/// A part of a list, and the position of the next part.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T, C> {
    pub items: Vec<T>,
    /// What comes before the next page; `None` after the last one.
    pub next: Option<C>,
}

impl<T, C> Page<T, C> {
    /// Returns a page that ends the list if it has fewer than `limit` items.
    pub(crate) fn new(items: Vec<T>, limit: u32, cursor: impl FnOnce(&T) -> C) -> Self {
        let next = items.last().filter(|_| items.len() >= limit as usize).map(cursor);
        Self { items, next }
    }

    pub(crate) fn map<U>(self, item: impl FnMut(T) -> U) -> Page<U, C> {
        Page { items: self.items.into_iter().map(item).collect(), next: self.next }
    }
}
