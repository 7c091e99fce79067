//! The wire types, named as the schemas of `openapi.yaml`. They carry no behaviour:
//! what the domain means by them is in `service`, how one becomes the other in
//! `convert`.

mod convert;

use crate::access::Role;
use crate::name::{Name, Quoted, Slug};
use crate::scope::{RequestedScope, Scope};
use crate::token::{PlainToken, TokenId};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Where an operation on an organization aims.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationPath {
    /// The slug of the organization or user account.
    pub organization_slug: Slug,
}

/// Where an operation on one of an organization's tokens aims.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationTokenPath {
    /// The slug of the organization or user account.
    pub organization_slug: Slug,
    /// The id of a token.
    pub token_id: TokenId,
}

/// Where an operation on one of the caller's tokens aims.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenPath {
    /// The name of a token.
    pub token_name: Name,
}

/// Where an operation on a member aims.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberPath {
    /// The slug of the organization or user account.
    pub organization_slug: Slug,
    /// The username of a member.
    pub username: Name,
}

/// Where an operation on a group aims.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupPath {
    /// The slug of the organization or user account.
    pub organization_slug: Slug,
    /// The name of a group.
    pub group_name: Name,
}

/// Which page of the audit log is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct PageQuery {
    /// Counted from 1.
    #[serde(default = "first_page", deserialize_with = "page")]
    #[schemars(range(min = 1))]
    pub page: u32,
    /// How many entries a page holds at most.
    #[serde(default = "default_page_size", deserialize_with = "page_size")]
    #[schemars(range(min = 1, max = 1000))]
    pub page_size: u32,
}

fn first_page() -> u32 {
    1
}

fn default_page_size() -> u32 {
    100
}

fn page<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    whole_number(deserializer, "page", u32::MAX)
}

fn page_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    whole_number(deserializer, "page_size", 1_000)
}

fn whole_number<'de, D>(deserializer: D, name: &str, greatest: u32) -> Result<u32, D::Error>
where
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    let is_plain = !text.starts_with(['+', '0']);
    let number = text.parse().ok().filter(|number| is_plain && (1..=greatest).contains(number));
    number.ok_or_else(|| {
        D::Error::custom(format_args!(
            "{} is not a {name}: use a whole number from 1 to {greatest}",
            Quoted(&text)
        ))
    })
}

/// What a mint request asks for. Nothing unknown and nothing null is accepted: a
/// restriction that is misspelt must never mint a wider token.
#[derive(Debug, Default, Deserialize, JsonSchema)]
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

/// A member that may be left out, and may not be null.
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

/// Which token was revoked, by the name or the id that the request used.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RevokedToken {
    /// The name or the id.
    pub token: String,
}

/// The tokens that act on an organization.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OrganizationTokenList {
    /// Oldest first.
    pub tokens: Vec<OrganizationToken>,
}

/// A token that acts on an organization.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OrganizationToken {
    /// What every list shows of a token.
    #[serde(flatten)]
    pub token: Token,
    /// Who minted it, for owners and admins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TokenOwner")]
    pub owner: Option<TokenOwner>,
}

/// Who minted a token.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TokenOwner {
    /// The username.
    pub username: Name,
    /// The email address.
    pub email: String,
}

/// The calling user's tokens.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TokenList {
    /// Oldest first.
    pub tokens: Vec<Token>,
}

/// One of the calling user's tokens.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Token {
    /// The token name.
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
    pub scopes: Option<Vec<Scope>>,
    /// The UTC date of minting, `YYYY-MM-DD`.
    pub created_at: String,
}

/// Until when the calling token is accepted.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TokenExpiry {
    /// Seconds since the Unix epoch; -1 means never.
    pub exp: i64,
}

/// The user whom the token acts as.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CurrentUser {
    /// The user.
    pub user: User,
}

/// A user.
#[derive(Debug, Serialize, JsonSchema)]
pub struct User {
    /// The username.
    pub username: Name,
    /// The full name, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub name: Option<String>,
    /// The email address.
    pub email: String,
}

/// The organizations that the token reaches.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OrganizationList {
    /// By slug.
    pub organizations: Vec<Organization>,
}

/// One organization, wrapped.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OrganizationResponse {
    /// The organization.
    pub organization: Organization,
}

/// An organization.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Organization {
    /// The name to show.
    pub name: Slug,
    /// The slug that paths use.
    pub slug: Slug,
    /// Whether it is one person's.
    #[serde(rename = "type")]
    pub kind: OrganizationKind,
    /// Whether use beyond a quota is billed.
    pub overages: bool,
    /// Whether reads are blocked for want of quota.
    pub blocked_reads: bool,
    /// Whether writes are blocked for want of quota.
    pub blocked_writes: bool,
}

/// Whether an organization is one person's.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OrganizationKind {
    /// A team's: the only kind that this server makes.
    Team,
}

/// The members of an organization.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MemberList {
    /// By username.
    pub members: Vec<Member>,
}

/// One member, wrapped.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MemberResponse {
    /// The member.
    pub member: Member,
}

/// A member of an organization.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Member {
    /// The username.
    pub username: Name,
    /// The role.
    pub role: Role,
    /// The email address.
    pub email: String,
}

/// The roles that the API gives; an owner is made by the command line.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AssignableRole {
    /// Manages members and groups.
    Admin,
    /// Reads, and mints for themself.
    #[default]
    Member,
    /// The same as a member, where tokens are concerned.
    Viewer,
}

/// Whom to add, and as what.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddMemberRequest {
    /// A user who exists already.
    pub username: Name,
    /// The role to give.
    #[serde(default)]
    pub role: AssignableRole,
}

/// Who was added, and as what.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MemberAdded {
    /// The username.
    pub member: Name,
    /// The role.
    pub role: Role,
}

/// The role to give a member.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateMemberRequest {
    /// The role.
    pub role: AssignableRole,
}

/// Who was removed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MemberRemoved {
    /// The username.
    pub member: Name,
}

/// The groups of an organization.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GroupList {
    /// By name.
    pub groups: Vec<Group>,
}

/// One group, wrapped.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GroupResponse {
    /// The group.
    pub group: Group,
}

/// A group of an organization.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Group {
    /// The name.
    pub name: Name,
    /// What group-bound tokens are pinned to.
    pub uuid: Uuid,
    /// The version of the server that made it.
    pub version: String,
    /// Where it lives.
    pub locations: Vec<Name>,
    /// The location that takes the writes.
    pub primary: Name,
    /// Whether it is protected from deletion.
    pub delete_protection: bool,
}

/// The group to make.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateGroupRequest {
    /// Its name.
    pub name: Name,
    /// Where it lives.
    pub location: Name,
}

/// A page of the audit log.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AuditLogPage {
    /// Newest first.
    pub audit_logs: Vec<AuditLog>,
    /// Where the page stands in the whole.
    pub pagination: Pagination,
}

/// One change.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AuditLog {
    /// What happened, as a word.
    pub code: String,
    /// The same as a sentence.
    pub message: String,
    /// `cli` or `web`.
    pub origin: String,
    /// Who did it.
    pub author: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// What was changed, and the token that acted.
    pub data: serde_json::Map<String, serde_json::Value>,
}

/// Where a page stands in the whole.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Pagination {
    /// Counted from 1.
    pub page: u32,
    /// How many entries a page holds at most.
    pub page_size: u32,
    /// How many pages there are.
    pub total_pages: u64,
    /// How many entries there are.
    pub total_rows: u64,
}
