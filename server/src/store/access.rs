//! The statement that begins every request: who asks, with which binding and, if the path names an
//! organization, whether its user is a member, with which role and version. Some requests read
//! their target with it. Nothing is decided here.

mod questions;

pub(super) use questions::Questions;

use super::audit::chain::ChainHead;
use super::connection::{Row, Statement, Value, sql};
use super::remembered::{Generation, RememberedAccess};
use super::sqlite::Session;
use super::{Backend, Error, Result, Snapshot, Store, Transaction, Turn, View, rows};
use crate::access::Place;
use crate::caller::{Caller, Credential, OrganizationId, Role, UserId};
use crate::name::{Name, Slug};
use crate::records::{Group, Token, TokenDetails, TokenPolicy};
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Who asks, and their place in the organization that the request names.
#[derive(Clone, Debug)]
pub struct Access {
    pub caller: Caller,
    /// The end of the audit chain of the caller's user.
    pub user_head: ChainHead,
    /// The organization, if its user is a member of it.
    pub organization: Option<Reach>,
    /// When it was read, by the clock that tokens expire by.
    pub time: DateTime<Utc>,
    /// Grows with the commits of other processes, if that can be told. They may be made by hand, so
    /// that no version shows them. It is 0 on PostgreSQL.
    pub foreign_commits: Option<u64>,
}

/// An organization, as one of its members reaches it.
#[derive(Clone, Debug)]
pub struct Reach {
    pub id: OrganizationId,
    pub role: Role,
    pub policy: TokenPolicy,
    /// The end of its audit chain. Every change that shows in its lists adds an entry, so the count
    /// is also the version of these lists.
    pub head: ChainHead,
}

impl Reach {
    /// Returns what the policy of `access` decides by.
    pub fn place(&self) -> Place {
        Place { organization: self.id, allows_unrestricted: self.policy.allow_unrestricted }
    }
}

/// A live token that a request names.
#[derive(Clone, Debug)]
pub struct FoundToken {
    pub token: Token,
    /// The name of the user who minted it.
    pub owner: Name,
    /// The organization that it is bound to.
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

/// A user whom a request names, and their place in its organization.
#[derive(Clone, Debug)]
pub struct TargetMember {
    pub user: UserId,
    pub email: String,
    /// The user's role, if the user is a member.
    pub role: Option<Role>,
    /// Whether the organization has an enabled owner besides this user.
    pub has_other_owner: bool,
}

/// The condition that the token `t` has a secret with this digest, or had it before and still accepts
/// it.
macro_rules! has_secret {
    ($digest:literal) => {
        concat!(
            "t.digest = coalesce((SELECT p.digest FROM tokens p WHERE p.previous_digest = ",
            $digest,
            " AND p.previous_expires_at > now_ms()), ",
            $digest,
            ")"
        )
    };
}

/// A statement that answers [`Access`] from `$1` the digest, with more columns. `now_ms()` is the time
/// that tokens expire by. `$source` comes before the tokens, and has the `$digest`; `$organization`
/// joins `o`; `$more` joins what the columns need.
macro_rules! access {
    ($columns:literal, $source:literal, $digest:literal, $organization:literal, $more:literal) => {
        concat!(
            "SELECT t.id, t.name, t.organization_id, t.group_uuid, t.scopes, t.expires_at,
             t.allowed_ips, CASE WHEN t.digest = ",
            $digest,
            " THEN t.expires_at ELSE t.previous_expires_at END, u.id, u.username, u.email, now_ms(),
             u.entries, u.hash, o.id, m.role, o.default_expiration, o.maximum_expiration,
             o.allow_unrestricted, o.entries, o.hash",
            $columns,
            " FROM ",
            $source,
            " tokens t JOIN users u ON u.id = t.user_id AND ",
            has_secret!($digest),
            " AND (t.expires_at IS NULL OR t.expires_at > now_ms()) AND u.disabled = 0 ",
            $organization,
            " LEFT JOIN members m ON m.organization_id = o.id AND m.user_id = u.id ",
            $more
        )
    };
    ($columns:literal, $organization:literal, $more:literal) => {
        access!($columns, "", "$1", $organization, $more)
    };
    ($columns:literal, $more:literal) => {
        access!($columns, "LEFT JOIN organizations o ON o.slug = $2", $more)
    };
}

pub(super) use {access, has_secret};

/// How many columns [`Access`] has: those of a target come after them.
pub(super) const TARGET: usize = 21;

/// Something that a request names: a statement that answers [`Access`] with it, and how to read its
/// columns. The first one is null if there is none.
pub struct Target<T> {
    statement: &'static str,
    read: fn(&dyn Row, usize) -> Result<T>,
}

/// A group, by its name.
pub const GROUP: Target<Group> = Target {
    statement: access!(
        ", x.uuid, x.name, x.location, x.version",
        "LEFT JOIN organization_groups x ON x.organization_id = o.id AND x.name = $3"
    ),
    read: rows::group,
};

/// A live token, by its id. It may belong to another organization.
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

/// A user, by their name, whether they are a member or not.
pub const MEMBER: Target<TargetMember> = Target {
    statement: access!(
        ", x.id, x.email, y.role,
         (SELECT count(*) FROM members z JOIN users w ON w.id = z.user_id AND w.disabled = 0
         WHERE z.organization_id = o.id AND z.user_id <> x.id AND z.role = 'owner')",
        "LEFT JOIN users x ON x.username = $3 AND x.email <> ''
         LEFT JOIN members y ON y.organization_id = o.id AND y.username = x.username"
    ),
    read: rows::target_member,
};

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

/// Returns the access of a request, of which a row tells all but where it came from.
///
/// # Errors
/// [`Error::NotAccepted`] if the token may not be used from there.
pub(super) fn accepted(mut access: Access, credential: &Credential) -> Result<Access> {
    if !access.caller.limits.allow(credential.address) {
        return Err(Error::NotAccepted);
    }
    access.caller.origin = credential.origin;
    credential.accept(&access.caller);
    Ok(access)
}

impl Store {
    /// Returns who asks and, if `slug` is given, their place in that organization.
    ///
    /// # Errors
    /// [`Error::NotAccepted`], like all functions of this module.
    pub async fn access(
        &self,
        credential: &Credential,
        slug: Option<&Slug>,
    ) -> Result<Arc<RememberedAccess>> {
        if let Some(answer) = self.remembered_access(credential, slug) {
            return Ok(answer);
        }
        // In a box, it takes no space in the futures of requests that read nothing.
        Box::pin(self.read_access(credential, slug)).await
    }

    async fn read_access(
        &self,
        credential: &Credential,
        slug: Option<&Slug>,
    ) -> Result<Arc<RememberedAccess>> {
        let (access, generation) = match &self.backend {
            Backend::Sqlite(_) => {
                self.read(View::Statement).await?.read_access(credential, slug).await?
            }
            Backend::Postgres(postgres) => {
                let asked = self.questions.ask(postgres, &self.counts, credential, slug);
                (accepted(asked.await?, credential)?, None)
            }
        };
        Ok(self.remembered.insert(credential, slug, access, generation))
    }

    /// Returns what [`Store::access`] would return now, if it is remembered.
    pub fn remembered_access(
        &self,
        credential: &Credential,
        slug: Option<&Slug>,
    ) -> Option<Arc<RememberedAccess>> {
        self.remembered.current(credential, slug, self.generation()?, || self.clock.now())
    }

    /// Returns on PostgreSQL what [`Store::access`] returned last time.
    pub fn latest_access(
        &self,
        credential: &Credential,
        slug: &Slug,
    ) -> Option<Arc<RememberedAccess>> {
        let Backend::Postgres(_) = &self.backend else { return None };
        self.remembered.latest(credential, slug)
    }
}

impl Snapshot {
    /// Returns what [`Store::access`] does, of the state that this sees.
    pub async fn access(&mut self, credential: &Credential, slug: Option<&Slug>) -> Result<Access> {
        let (access, generation) = self.read_access(credential, slug).await?;
        self.remembered.insert(credential, slug, access.clone(), generation);
        Ok(access)
    }

    async fn read_access(
        &mut self,
        credential: &Credential,
        slug: Option<&Slug>,
    ) -> Result<(Access, Option<Generation>)> {
        let generation = self.connection.sqlite().and_then(Session::generation);
        let statement = sql!(access!("", ""), &credential.digest, slug);
        let found = self.first(statement, rows::access).await?;
        let mut access = accepted(found.ok_or(Error::NotAccepted)?, credential)?;
        if !self.connection.is_postgres() {
            access.foreign_commits = generation.map(|generation| generation.foreign_commits);
        }
        Ok((access, generation))
    }

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

    /// Returns who asks, the live token of this name of their user, and their place in the
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
        let read =
            |row: &dyn Row| Ok((rows::access(row)?, rows::optional(row, TARGET, target.read)?));
        let (access, target) = self.first(statement, read).await?.ok_or(Error::NotAccepted)?;
        Ok((accepted(access, credential)?, target))
    }
}

impl Transaction {
    /// Blocks other changes of this turn, and the revocation of the caller's token, until the
    /// transaction ends. For an organization these are the changes to it, its members, groups,
    /// tokens and audit log. It goes out with the next query, which sees what the lock protects.
    ///
    /// A transaction locks one organization or one user, and always before any token, so no two
    /// wait for each other.
    pub fn lock_turn(&mut self, credential: &Credential, turn: &Turn) {
        let organization = concat!(
            "SELECT 1 FROM tokens t JOIN members m ON m.user_id = t.user_id
             JOIN organizations o ON o.id = m.organization_id WHERE ",
            has_secret!("$1"),
            " AND o.slug = $2 FOR NO KEY UPDATE OF o FOR KEY SHARE OF t"
        );
        let user = concat!(
            "SELECT 1 FROM tokens t JOIN users u ON u.id = t.user_id WHERE ",
            has_secret!("$1"),
            " FOR NO KEY UPDATE OF u FOR KEY SHARE OF t"
        );
        let digest = &credential.digest;
        match turn {
            Turn::Organization(slug) => self.lock(sql!(organization, digest, slug)),
            Turn::User(_) => self.lock(sql!(user, digest)),
            Turn::Free => {}
        }
    }
}
