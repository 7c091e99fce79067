//! The credential of a request, and its caller: the user, and the binding of the token. `access`
//! decides what a caller may do.

#![expect(missing_docs, reason = "most names say it all")]

use crate::limits::Limits;
use crate::name::{Name, Quoted};
use crate::scope::Scopes;
use crate::token::{PlainToken, TokenDigest, TokenId};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::OnceLock;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use uuid::Uuid;

/// The primary key of an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrganizationId(pub i64);

/// The primary key of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub i64);

/// What a member may do in an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase", const_into_str)]
#[strum(parse_err_ty = String, parse_err_fn = no_role)]
pub enum Role {
    /// May do everything. Only the server's command line makes owners.
    Owner,
    /// May do everything.
    Admin,
    /// May read, and mint tokens for themself.
    Member,
    /// May do the same with tokens as a member.
    Viewer,
}

impl Role {
    pub const ALL: &[Self] = Self::VARIANTS;
}

fn no_role(text: &str) -> String {
    format!("{} is not a role: use one of owner, admin, member, viewer", Quoted(text))
}

/// Where a change came from, as the audit log shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, EnumString, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum Origin {
    Cli,
    Web,
}

/// Where a token acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    Unrestricted,
    Organization(OrganizationId),
    /// On one group, identified by its UUID, within scopes.
    Group {
        organization: OrganizationId,
        group: Uuid,
        /// What the token may do there.
        scopes: Scopes,
    },
}

impl Binding {
    /// Returns the organization of an organization-bound or group-bound token.
    pub fn organization(&self) -> Option<OrganizationId> {
        match *self {
            Self::Unrestricted => None,
            Self::Organization(id) | Self::Group { organization: id, .. } => Some(id),
        }
    }
}

/// The credential of a request. It has the digest of the token, never the token.
#[derive(Clone, Debug)]
pub struct Credential {
    pub digest: TokenDigest,
    pub origin: Origin,
    /// The address of the client, if it is known.
    pub address: Option<IpAddr>,
    accepted_as: OnceLock<(TokenId, UserId)>,
}

impl Credential {
    /// Returns the credential of a request that carries `token`.
    pub fn new(token: &PlainToken, origin: Origin) -> Self {
        Self::of(token.digest(), origin)
    }

    /// Returns a credential that matches no token, so that a malformed one is looked up like any.
    pub fn malformed(origin: Origin) -> Self {
        Self::of(TokenDigest::NONE, origin)
    }

    fn of(digest: TokenDigest, origin: Origin) -> Self {
        Self { digest, origin, address: None, accepted_as: OnceLock::new() }
    }

    /// Returns the same credential, sent from this address.
    #[must_use]
    pub fn with_address(self, address: IpAddr) -> Self {
        Self { address: Some(address), ..self }
    }

    /// Stores who the caller is, after the store has accepted the credential.
    pub(crate) fn mark_accepted(&self, caller: &Caller) {
        self.accepted_as.get_or_init(|| (caller.token, caller.user));
    }

    /// Returns the token and the user, once the store has accepted the credential.
    pub fn accepted_as(&self) -> Option<(TokenId, UserId)> {
        self.accepted_as.get().copied()
    }
}

/// A live token, and the user who minted it.
#[derive(Clone, Debug)]
pub struct Caller {
    pub token: TokenId,
    pub token_name: Name,
    pub limits: Limits,
    /// When the secret of the request expires: with its token, or earlier if it is an old secret.
    pub valid_until: Option<DateTime<Utc>>,
    pub user: UserId,
    pub username: Name,
    pub email: String,
    pub binding: Binding,
    /// Where the request came from.
    pub origin: Origin,
}

impl Caller {
    /// Returns the limits for tokens that are minted or rotated with this secret. Those tokens
    /// expire no later than the secret.
    pub fn outer_limits(&self) -> Limits {
        Limits { expires_at: self.valid_until, ..self.limits.clone() }
    }

    /// Returns whether this is an old secret, which expires before the token.
    pub fn has_old_secret(&self) -> bool {
        self.valid_until != self.limits.expires_at
    }
}
