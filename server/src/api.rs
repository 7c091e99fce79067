//! The wire types of the API, named as the schemas of `openapi.yaml`, which describes them: the
//! parameters, request bodies and response bodies. What bodies carry is in `records`; the operations
//! are in `handlers`.

use crate::caller::Role;
use crate::name::{Name, Slug};
use crate::records::{
    Group, Member, Organization, OrganizationToken, Token, TokenDetails, TokenPolicy, User,
};
use crate::token::TokenId;
use derive_more::From;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// Declares response bodies with one member each.
macro_rules! responses {
    ($($body:ident { $member:ident: $type:ty })+) => {$(
        #[derive(From, Serialize, JsonSchema)]
        pub struct $body {
            pub $member: $type,
        }
    )+};
}

/// Nothing.
#[derive(Serialize, JsonSchema)]
pub struct Empty {}

responses! {
    OrganizationTokenList { tokens: Vec<OrganizationToken> }
    TokenList { tokens: Vec<Token> }
    TokenResponse { token: TokenDetails }
    TokenPolicyResponse { policy: TokenPolicy }
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

impl From<AssignableRole> for Role {
    fn from(role: AssignableRole) -> Self {
        match role {
            AssignableRole::Admin => Self::Admin,
            AssignableRole::Member => Self::Member,
            AssignableRole::Viewer => Self::Viewer,
        }
    }
}
