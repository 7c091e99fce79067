//! The parameters, request bodies and response bodies of the API, named as the schemas of
//! `openapi.yaml`. What they carry is in `records`.

use crate::caller::Role;
use crate::name::{Name, Quoted, Slug};
use crate::records::{AuditLog, Group, Member, Organization, OrganizationToken, Token, User};
use crate::token::TokenId;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// A response body that is a list of items.
pub trait List: From<Vec<Self::Item>> + Serialize {
    /// The items.
    type Item;
}

macro_rules! list {
    ($list:ident, $field:ident, $item:ty) => {
        impl List for $list {
            type Item = $item;
        }

        impl From<Vec<$item>> for $list {
            fn from($field: Vec<$item>) -> Self {
                Self { $field }
            }
        }
    };
}

list!(OrganizationTokenList, tokens, OrganizationToken);
list!(TokenList, tokens, Token);
list!(OrganizationList, organizations, Organization);
list!(MemberList, members, Member);
list!(GroupList, groups, Group);

/// The path of an operation on an organization.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationPath {
    /// The slug of the organization or user account.
    pub organization_slug: Slug,
}

/// The path of an operation on one of an organization's tokens.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationTokenPath {
    /// The slug of the organization or user account.
    pub organization_slug: Slug,
    /// The id of a token.
    pub token_id: TokenId,
}

/// The path of an operation on one of the caller's tokens.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenPath {
    /// The name of a token.
    pub token_name: Name,
}

/// The path of an operation on a member.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberPath {
    /// The slug of the organization or user account.
    pub organization_slug: Slug,
    /// The username of a member.
    pub username: Name,
}

/// The path of an operation on a group.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupPath {
    /// The slug of the organization or user account.
    pub organization_slug: Slug,
    /// The name of a group.
    pub group_name: Name,
}

/// The page of the audit log to read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct PageQuery {
    /// The number of the page, from 1.
    #[serde(default = "first_page", deserialize_with = "page")]
    #[schemars(range(min = 1))]
    pub page: u32,
    /// How many entries a page has at most.
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

/// The token that was revoked.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RevokedToken {
    /// The name or the id that the request used.
    pub token: String,
}

/// The tokens that act on an organization.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OrganizationTokenList {
    /// Oldest first.
    pub tokens: Vec<OrganizationToken>,
}

/// The calling user's tokens.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TokenList {
    /// Oldest first.
    pub tokens: Vec<Token>,
}

/// When the calling token expires.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TokenExpiry {
    /// Seconds since the Unix epoch; -1 means never.
    pub exp: i64,
}

/// The user that the token acts as.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CurrentUser {
    /// The user.
    pub user: User,
}

/// The organizations that the token reaches.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OrganizationList {
    /// By slug.
    pub organizations: Vec<Organization>,
}

/// One organization.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OrganizationResponse {
    /// The organization.
    pub organization: Organization,
}

/// The members of an organization.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MemberList {
    /// By username.
    pub members: Vec<Member>,
}

/// One member.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MemberResponse {
    /// The member.
    pub member: Member,
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

/// The member to add.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddMemberRequest {
    /// An existing user.
    pub username: Name,
    /// The role to give.
    #[serde(default)]
    pub role: AssignableRole,
}

/// The member that was added.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MemberAdded {
    /// The username.
    pub member: Name,
    /// The role.
    pub role: Role,
}

/// The role to give a member.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateMemberRequest {
    /// The role.
    pub role: AssignableRole,
}

/// The member that was removed.
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

/// One group.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GroupResponse {
    /// The group.
    pub group: Group,
}

/// The group to create.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
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
    /// The place of the page in the log.
    pub pagination: Pagination,
}

/// The place of a page in the log.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Pagination {
    /// The number of the page, from 1.
    pub page: u32,
    /// How many entries a page has at most.
    pub page_size: u32,
    /// How many pages there are.
    pub total_pages: u64,
    /// How many entries there are.
    pub total_rows: u64,
}

impl AuditLogPage {
    /// Returns a page of a log with `total_rows` entries.
    pub fn new(audit_logs: Vec<AuditLog>, total_rows: u64, query: &PageQuery) -> Self {
        let PageQuery { page, page_size } = *query;
        let total_pages = total_rows.div_ceil(u64::from(page_size));
        Self { audit_logs, pagination: Pagination { page, page_size, total_pages, total_rows } }
    }
}

impl From<AssignableRole> for Role {
    fn from(role: AssignableRole) -> Self {
        match role {
            AssignableRole::Admin => Self::Admin,
            AssignableRole::Member => Self::Member,
            AssignableRole::Viewer => Self::Viewer,
        }
    }
}
