//! Users, organizations, members, groups and token policies.

use crate::caller::{Caller, Role};
use crate::expiration::{LIFETIME, Lifetime};
use crate::name::{Name, Slug};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The lifetimes of the tokens of an organization, and whether unrestricted tokens reach it.
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
        Self {
            default_expiration: Lifetime::default(),
            maximum_expiration: Lifetime::default(),
            allow_unrestricted: true,
        }
    }
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
    /// Returns the organization of this slug. This server meters nothing, so nothing is exceeded.
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
    /// Returns a group in one location. No operation of the contract turns delete protection on.
    pub fn new(name: Name, uuid: Uuid, location: Name, version: String) -> Self {
        let (locations, primary) = (vec![location.clone()], location);
        Self { name, uuid, version, locations, primary, delete_protection: false }
    }
}
