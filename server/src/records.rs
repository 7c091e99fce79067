//! The things of the contract, named as its schemas: what the store reads, the service returns and
//! the API declares. They hold no keys of the store, and no plain token but [`MintedToken`].

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
    /// The token ID.
    pub id: TokenId,
    /// The organization that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Slug")]
    pub organization: Option<Slug>,
    /// The group that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Name")]
    pub group: Option<Name>,
    /// The expanded scopes, on group-bound tokens.
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
    /// What its own user sees.
    #[serde(flatten)]
    pub token: Token,
    /// Who minted it, for owners and admins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TokenOwner")]
    pub owner: Option<TokenOwner>,
}

/// Who minted a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TokenOwner {
    /// The username.
    pub username: Name,
    /// The email address.
    pub email: String,
}

/// What to mint. Unknown and null members are refused: a misspelt restriction must never mint a
/// wider token.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MintRequest {
    /// The slug of the organization to bind the token to.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Slug")]
    pub organization: Option<Slug>,
    /// The group to bind the token to.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Name")]
    pub group: Option<Name>,
    /// What the token may do in the group.
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
    /// The token name.
    pub name: Name,
    /// The token ID.
    pub id: TokenId,
    /// The secret.
    #[serde(serialize_with = "reveal")]
    #[schemars(with = "String")]
    pub token: PlainToken,
}

fn reveal<S: Serializer>(token: &PlainToken, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(token.reveal())
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct User {
    /// The username.
    pub username: Name,
    /// The full name, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub name: Option<String>,
    /// The email address.
    pub email: String,
}

impl From<Caller> for User {
    fn from(Caller { username, email, .. }: Caller) -> Self {
        Self { username, name: None, email }
    }
}

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Organization {
    /// The display name.
    pub name: Slug,
    /// The slug that paths use.
    pub slug: Slug,
    /// Whether it belongs to a person or a team.
    #[serde(rename = "type")]
    pub kind: OrganizationKind,
    /// Whether use above a quota is billed.
    pub overages: bool,
    /// Whether reads are blocked because a quota is used up.
    pub blocked_reads: bool,
    /// Whether writes are blocked because a quota is used up.
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

/// A member of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Member {
    /// The username.
    pub username: Name,
    /// The role.
    pub role: Role,
    /// The email address.
    pub email: String,
}

/// A group of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Group {
    /// The name, unique in the organization.
    pub name: Name,
    /// What group-bound tokens are pinned to.
    pub uuid: Uuid,
    /// The version of the server that made it.
    pub version: String,
    /// Where it is.
    pub locations: Vec<Name>,
    /// The location that takes the writes.
    pub primary: Name,
    /// Whether it is protected from deletion.
    pub delete_protection: bool,
}

impl Group {
    /// Returns a group in one location. No operation of the contract protects a group.
    pub fn new(name: Name, uuid: Uuid, location: Name, version: String) -> Self {
        let (locations, primary) = (vec![location.clone()], location);
        Self { name, uuid, version, locations, primary, delete_protection: false }
    }
}

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct AuditLog {
    /// What happened, as a word.
    pub code: String,
    /// What happened, as a sentence.
    pub message: String,
    /// `cli` or `web`.
    #[schemars(with = "String")]
    pub origin: Origin,
    /// Who did it.
    pub author: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// What was changed, and the token that acted.
    pub data: serde_json::Map<String, serde_json::Value>,
}

/// A part of a list, and where the next part starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T, C> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// What comes before the next page; `None` after the last one.
    pub next: Option<C>,
}
