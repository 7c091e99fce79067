//! What the store hands out and takes in: plain values of the domain. They know
//! neither rows nor wire types, and hold a secret's digest, never the secret.

use crate::access::{Binding, OrganizationId, Origin, Role, UserId};
use crate::name::{Name, Slug};
use crate::scope::Scopes;
use crate::token::{TokenDigest, TokenId};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its key.
    pub id: UserId,
    /// Its unique name.
    pub username: Name,
    /// Its email address.
    pub email: String,
}

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its key.
    pub id: OrganizationId,
    /// Its unique slug.
    pub slug: Slug,
}

/// An organization as one of its members meets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The organization.
    pub organization: Organization,
    /// The member's role in it.
    pub role: Role,
}

/// A member of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The user.
    pub user: User,
    /// Its role.
    pub role: Role,
}

/// A group of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What tokens are pinned to.
    pub uuid: Uuid,
    /// Its name, unique in the organization.
    pub name: Name,
    /// Where it lives.
    pub location: Name,
    /// The version of the program that made it.
    pub version: String,
}

/// A live token, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its public id.
    pub id: TokenId,
    /// Its name, unique among its user's.
    pub name: Name,
    /// The organization that it is bound to, if it is.
    pub organization: Option<Organization>,
    /// The group that it is bound to, and what it may do there, if it is.
    pub group: Option<(Name, Scopes)>,
    /// Who minted it.
    pub owner: User,
    /// When it was minted.
    pub created_at: DateTime<Utc>,
}

impl Token {
    /// Whether it is bound to this organization, or to a group of it.
    pub fn is_in(&self, organization: OrganizationId) -> bool {
        self.organization.as_ref().is_some_and(|own| own.id == organization)
    }
}

/// A token that is about to be kept.
#[derive(Clone, Debug)]
pub struct NewToken<'a> {
    /// Its public id.
    pub id: TokenId,
    /// What is kept of its secret.
    pub digest: TokenDigest,
    /// Its name.
    pub name: &'a Name,
    /// Who mints it.
    pub user: UserId,
    /// Where it acts.
    pub binding: Binding,
    /// When it was minted.
    pub created_at: DateTime<Utc>,
}

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// What happened, as a word.
    pub code: String,
    /// The same as a sentence.
    pub message: String,
    /// Where it came from.
    pub origin: Origin,
    /// Who did it.
    pub author: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// What was changed, and the token that acted.
    pub data: serde_json::Map<String, serde_json::Value>,
}

/// A page of the audit log, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditPage {
    /// The entries of the page.
    pub entries: Vec<AuditEntry>,
    /// How many the whole log has.
    pub total: u64,
}
