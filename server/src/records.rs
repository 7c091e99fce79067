//! The things of the contract, named as its schemas: what the store reads, the service returns and
//! the API declares. They hold no keys of the store, and no plain token but [`MintedToken`].

#![expect(missing_docs, reason = "openapi.yaml describes the members")]

use crate::caller::{Caller, Origin, Role};
use crate::expiration::{EXPIRATION, Expiration, LIFETIME, Lifetime, OVERLAP, Overlap};
use crate::limits::{AllowedIps, NETWORK};
use crate::name::{Name, Quoted, Slug};
use crate::scope::{RequestedScope, Scope, Scopes};
use crate::token::{PlainToken, TokenId};
use chrono::{DateTime, Utc};
use clap::{Args, value_parser};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::net::IpAddr;
use uuid::Uuid;

/// A token, as its own user sees it.
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

/// A token with its whole life.
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
    pub created_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<String>>")]
    pub allowed_ips: Option<AllowedIps>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub last_used_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotated_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_secret_expires_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TokenOwner {
    pub username: Name,
    pub email: String,
}

/// What to mint. Unknown members are refused: a misspelt restriction must never mint a wider token.
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

/// How to rotate a token. Without an expiration its expiry stays.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateTokenRequest {
    /// How long the old secret is accepted.
    #[schemars(with = "Option<String>", regex = "OVERLAP")]
    pub overlap: Option<Overlap>,
    #[schemars(with = "Option<String>", regex = "EXPIRATION")]
    pub expiration: Option<Expiration>,
}

/// Which tokens to revoke: those of `ids`, or those of `filter`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeTokensRequest {
    #[schemars(length(min = 1, max = 1_000))]
    pub ids: Option<Vec<TokenId>>,
    pub filter: Option<RevocationFilter>,
    #[serde(default)]
    pub dry_run: bool,
}

/// The tokens for which all of this is true.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevocationFilter {
    pub owner: Option<Name>,
    pub group: Option<Name>,
    #[serde(default, deserialize_with = "time")]
    pub created_before: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "time")]
    pub last_used_before: Option<DateTime<Utc>>,
    pub never_used: Option<bool>,
}

impl RevocationFilter {
    /// Returns whether it selects by when tokens were used.
    pub fn asks_for_use(&self) -> bool {
        self.last_used_before.is_some() || self.never_used.is_some()
    }
}

/// Reads a time of RFC 3339, and says how to write one.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let time = DateTime::parse_from_rfc3339(&text).map(|time| Some(time.to_utc()));
    time.map_err(|_| {
        let expected = "write it as 2030-01-31T12:00:00Z";
        D::Error::custom(format!("{} is not a time: {expected}", Quoted(&text)))
    })
}

/// The tokens that were revoked, or would be.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RevokedTokens {
    pub tokens: Vec<RevokedTokenItem>,
    pub dry_run: bool,
    /// Whether there are others.
    pub more: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct RevokedTokenItem {
    pub name: Name,
    pub id: TokenId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Name>,
}

/// Credentials that became known to others. It never shows them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeakReport {
    #[schemars(length(min = 1, max = 1_000))]
    pub credentials: Vec<String>,
}

/// How long the tokens of an organization may live, and whether unrestricted ones reach it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenPolicy {
    #[schemars(with = "String", regex = "LIFETIME")]
    pub default_expiration: Lifetime,
    #[schemars(with = "String", regex = "LIFETIME")]
    pub maximum_expiration: Lifetime,
    pub allow_unrestricted: bool,
}

impl Default for TokenPolicy {
    fn default() -> Self {
        let (default_expiration, maximum_expiration) = Default::default();
        Self { default_expiration, maximum_expiration, allow_unrestricted: true }
    }
}

/// A token that was just minted. Of the answers, this and [`CreatedToken`] show a secret.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MintedToken {
    pub name: Name,
    pub id: TokenId,
    #[serde(serialize_with = "reveal")]
    #[schemars(with = "String")]
    pub token: PlainToken,
}

/// Like [`MintedToken`], with what it was given.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CreatedToken {
    #[serde(flatten)]
    pub minted: MintedToken,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// A token with its new secret.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RotatedToken {
    #[serde(flatten)]
    pub created: CreatedToken,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_secret_expires_at: Option<DateTime<Utc>>,
}

/// Writes the plain token, into the answer of mint.
pub(crate) fn reveal<S: Serializer>(token: &PlainToken, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(token.reveal())
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct User {
    pub username: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
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

/// How many entries a page of an audit log has at most.
const LONGEST_PAGE: u32 = 1_000;

/// Which page of an audit log to return.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, Args)]
#[serde(default)]
pub struct PageQuery {
    #[arg(long, value_name = "N", help = "Which page, counted from 1")]
    #[arg(default_value_t = Self::default().page, value_parser = value_parser!(u32).range(1..))]
    #[serde(deserialize_with = "page")]
    #[schemars(range(min = 1, max = "u32::MAX"))]
    pub page: u32,
    #[arg(long, value_name = "N", help = "How many entries a page has")]
    #[arg(default_value_t = Self::default().page_size)]
    #[arg(value_parser = value_parser!(u32).range(1..=LONGEST_PAGE.into()))]
    #[serde(deserialize_with = "page_size")]
    #[schemars(range(min = 1, max = "LONGEST_PAGE"))]
    pub page_size: u32,
}

impl Default for PageQuery {
    fn default() -> Self {
        Self { page: 1, page_size: 100 }
    }
}

impl PageQuery {
    /// Returns how many entries come before the page.
    pub(crate) fn skipped(self) -> i64 {
        i64::from(self.page.saturating_sub(1)) * i64::from(self.page_size)
    }
}

fn page<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    whole_number(deserializer, "page", u32::MAX)
}

fn page_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    whole_number(deserializer, "page_size", LONGEST_PAGE)
}

fn whole_number<'de, D: Deserializer<'de>>(
    deserializer: D,
    name: &str,
    greatest: u32,
) -> Result<u32, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_plain = !text.starts_with(['+', '0']);
    let number = text.parse().ok().filter(|number| is_plain && (1..=greatest).contains(number));
    let expected = format_args!("a {name}: use a whole number from 1 to {greatest}");
    number.ok_or_else(|| D::Error::custom(format_args!("{} is not {expected}", Quoted(&text))))
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct AuditLogPage {
    /// Newest first.
    pub audit_logs: Vec<AuditLog>,
    pub pagination: Pagination,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Pagination {
    pub page: u32,
    pub page_size: u32,
    pub total_pages: u64,
    pub total_rows: u64,
}

impl AuditLogPage {
    /// Returns a page of a log with `total` entries.
    pub(crate) fn new(audit_logs: Vec<AuditLog>, total: i64, query: PageQuery) -> Self {
        let (PageQuery { page, page_size }, total_rows) = (query, total.unsigned_abs());
        let total_pages = total_rows.div_ceil(page_size.into());
        Self { audit_logs, pagination: Pagination { page, page_size, total_pages, total_rows } }
    }
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
