//! Targets: what a request names, read in the statement that begins the request.

use super::super::statement::{Row, Statement, Value, sql};
use super::super::{Result, Snapshot, rows};
use super::{Access, TARGET, access};
use crate::caller::{Credential, OrganizationId, Role, UserId};
use crate::name::{Name, Slug};
use crate::records::{Group, Token, TokenDetails};

/// A live token that a request names.
#[derive(Clone, Debug)]
pub struct FoundToken {
    pub token: Token,
    /// The name of the user who minted it.
    pub owner: Name,
    /// The organization that the token is bound to.
    pub organization: Option<OrganizationId>,
    /// The user who minted it.
    pub user: UserId,
}

/// The details of a live token that a request names.
#[derive(Clone, Debug)]
pub struct FoundDetails {
    pub details: TokenDetails,
    /// The user who minted it.
    pub user: UserId,
}

/// A user whom a request names, and the user's role in its organization.
#[derive(Clone, Debug)]
pub struct TargetMember {
    pub user: UserId,
    pub email: String,
    /// The user's role, if the user is a member.
    pub role: Option<Role>,
    /// Whether the organization has an enabled owner besides this user.
    pub has_other_owner: bool,
}

/// A kind of target: a statement that reads it with the [`Access`], and a function that reads its
/// columns. The first of them is null if there is no such target.
pub struct Target<T> {
    statement: &'static str,
    read: fn(&dyn Row, usize) -> Result<T>,
}

/// The statement of [`MEMBER`].
macro_rules! access_to_member {
    () => {
        $crate::store::access::access!(
            ", x.id AS member_id, x.email, y.role,
             (SELECT count(*) FROM members z JOIN users w ON w.id = z.user_id AND w.disabled = 0
             WHERE z.organization_id = o.id AND z.user_id <> x.id AND z.role = 'owner')",
            "LEFT JOIN users x ON x.username = $3 AND x.email <> ''
             LEFT JOIN members y ON y.organization_id = o.id AND y.username = x.username"
        )
    };
}

pub(in super::super) use access_to_member;

/// A group, by its name.
pub const GROUP: Target<Group> = Target {
    statement: access!(
        ", x.uuid, x.name, x.location, x.version",
        "LEFT JOIN organization_groups x ON x.organization_id = o.id AND x.name = $3"
    ),
    read: rows::group,
};

/// A live token, by its id. It may be bound to another organization.
pub const TOKEN: Target<FoundToken> = Target {
    statement: access!(
        ", x.id, x.name, x.created_at, x.scopes, g.name, w.username, o.slug, x.organization_id,
         x.user_id",
        "LEFT JOIN tokens x ON x.id = $3
         AND (x.expires_at IS NULL OR x.expires_at > now_ms()) LEFT JOIN users w ON w.id = x.user_id
         LEFT JOIN organization_groups g ON g.uuid = x.group_uuid"
    ),
    read: rows::found_token,
};

/// A user, by name. The user need not be a member.
pub const MEMBER: Target<TargetMember> =
    Target { statement: access_to_member!(), read: rows::target_member };

/// The details of a live token of the organization, by its id.
pub const TOKEN_DETAILS: Target<FoundDetails> = Target {
    statement: access!(
        ", x.id, x.name, x.created_at, x.scopes, g.name, w.username, w.email, o.slug,
         x.user_id, x.expires_at, x.allowed_ips, x.rotated_at,
         CASE WHEN x.previous_expires_at > now_ms() THEN x.previous_expires_at END,
         x.last_used_at, x.last_used_ip",
        "LEFT JOIN tokens x ON x.id = $3 AND x.organization_id = o.id
         AND (x.expires_at IS NULL OR x.expires_at > now_ms()) LEFT JOIN users w ON w.id = x.user_id
         LEFT JOIN organization_groups g ON g.uuid = x.group_uuid"
    ),
    read: rows::found_details,
};

const OWN_TOKEN: Target<FoundToken> = Target {
    statement: access!(
        ", x.id, x.name, x.created_at, x.scopes, g.name, u.username, o.slug, x.organization_id,
         x.user_id",
        "LEFT JOIN tokens x ON x.user_id = u.id AND x.name = $2
         AND (x.expires_at IS NULL OR x.expires_at > now_ms())
         LEFT JOIN organizations o ON o.id = x.organization_id",
        "LEFT JOIN organization_groups g ON g.uuid = x.group_uuid"
    ),
    read: rows::found_token,
};

impl Snapshot {
    /// Like [`Snapshot::access`], with the target that has this key.
    pub async fn access_to<T: Send>(
        &mut self,
        target: &Target<T>,
        credential: &Credential,
        slug: &Slug,
        key: impl Into<Value>,
    ) -> Result<(Access, Option<T>)> {
        let statement = sql!(target.statement, &credential.digest, slug, key.into());
        self.access_with(target, credential, statement).await
    }

    /// Returns the caller, with the live token of this name of the caller's user, and the
    /// organization that this token is bound to.
    pub async fn access_to_own_token(
        &mut self,
        credential: &Credential,
        name: &Name,
    ) -> Result<(Access, Option<FoundToken>)> {
        let statement = sql!(OWN_TOKEN.statement, &credential.digest, name);
        self.access_with(&OWN_TOKEN, credential, statement).await
    }

    async fn access_with<T: Send>(
        &mut self,
        target: &Target<T>,
        credential: &Credential,
        statement: Statement,
    ) -> Result<(Access, Option<T>)> {
        let read = |row: &dyn Row| rows::optional(row, TARGET, target.read);
        let (access, _, mut found) = self.read_rows(credential, statement, read).await?;
        Ok((access, found.pop().flatten()))
    }
}
