//! The wire types of the API, named as the schemas of `openapi.yaml`, which describes them: the
//! parameters, request bodies and response bodies. What bodies carry is in `records`; the operations
//! are in `handlers`.

use crate::caller::Role;
use crate::name::{Name, Quoted, Slug};
use crate::records::{AuditLog, Group, Member, Organization, OrganizationToken, Token, User};
use crate::token::TokenId;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// Declares the variables of the paths below an organization. Their slug may be any text, as the
/// user's document says.
macro_rules! organization_paths {
    ($($path:ident { $($variable:ident: $type:ty)? })+) => {$(
        #[derive(Clone, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct $path {
            #[serde(deserialize_with = "Slug::from_path")]
            #[schemars(with = "String")]
            pub organization_slug: Slug,
            $(pub $variable: $type,)?
        }
    )+};
}

organization_paths! {
    OrganizationPath {}
    OrganizationTokenPath { token_id: TokenId }
    MemberPath { username: Name }
    GroupPath { group_name: Name }
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenPath {
    pub token_name: Name,
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct PageQuery {
    #[serde(deserialize_with = "page")]
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub page: u32,
    #[serde(deserialize_with = "page_size")]
    #[schemars(range(min = 1, max = 1000))]
    pub page_size: u32,
}

impl Default for PageQuery {
    fn default() -> Self {
        Self { page: 1, page_size: 100 }
    }
}

fn page<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    whole_number(deserializer, "page", u32::MAX)
}

fn page_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    whole_number(deserializer, "page_size", 1_000)
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

/// Declares response bodies with one member each.
macro_rules! responses {
    ($($body:ident { $member:ident: $type:ty })+) => {$(
        #[derive(Serialize, JsonSchema)]
        pub struct $body {
            pub $member: $type,
        }

        impl From<$type> for $body {
            fn from($member: $type) -> Self {
                Self { $member }
            }
        }
    )+};
}

responses! {
    OrganizationTokenList { tokens: Vec<OrganizationToken> }
    TokenList { tokens: Vec<Token> }
    RevokedToken { token: String }
    TokenExpiry { exp: i64 }
    CurrentUser { user: User }
    OrganizationList { organizations: Vec<Organization> }
    OrganizationResponse { organization: Organization }
    MemberList { members: Vec<Member> }
    MemberResponse { member: Member }
    MemberRemoved { member: Name }
    GroupList { groups: Vec<Group> }
    GroupResponse { group: Group }
}

/// The roles that the API gives; an owner is made by the command line.
#[derive(Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AssignableRole {
    /// Manages members and groups.
    Admin,
    /// Reads, and mints for themself.
    #[default]
    Member,
    /// Like a member, as far as tokens are concerned.
    Viewer,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddMemberRequest {
    pub username: Name,
    #[serde(default)]
    pub role: AssignableRole,
}

#[derive(Serialize, JsonSchema)]
pub struct MemberAdded {
    pub member: Name,
    pub role: Role,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateMemberRequest {
    pub role: AssignableRole,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateGroupRequest {
    pub name: Name,
    pub location: Name,
}

#[derive(Serialize, JsonSchema)]
pub struct AuditLogPage {
    /// Newest first.
    pub audit_logs: Vec<AuditLog>,
    pub pagination: Pagination,
}

#[derive(Serialize, JsonSchema)]
pub struct Pagination {
    pub page: u32,
    pub page_size: u32,
    pub total_pages: u64,
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
