//! The statement that begins every request: it reads the caller with the binding of the token and,
//! if the path names an organization, the caller's role and the version of its lists. It may also
//! read the target of the request: see `target`. `crate::access` decides what a caller may do.

mod batcher;
mod target;

pub(super) use batcher::AccessBatcher;
pub(super) use target::access_to_member;
pub use target::{FoundDetails, FoundToken, GROUP, MEMBER, TOKEN, TOKEN_DETAILS, TargetMember};

use super::access_cache::{CachedAccess, Generation, Invalidation};
use super::audit::chain::ChainHead;
use super::statement::{Row, Statement, sql};
use super::{Backend, Error, Result, Snapshot, Store, Transaction, View, WriteLock, rows};
use crate::access::Place;
use crate::caller::{Caller, Credential, OrganizationId, Role};
use crate::name::Slug;
use crate::records::TokenPolicy;
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// The caller of a request, and the organization that the request names.
#[derive(Clone, Debug)]
pub struct Access {
    pub caller: Caller,
    /// The head of the audit chain of the caller's user.
    pub user_head: ChainHead,
    /// The organization, if the caller's user is a member of it.
    pub organization: Option<Reach>,
    /// When this was read, by the clock that expires tokens.
    pub time: DateTime<Utc>,
    /// Grows with the commits of other processes; `None` if that is unknown. Such a commit may
    /// change a list by hand, without changing its version. Always 0 on PostgreSQL.
    pub foreign_commits: Option<u64>,
}

/// An organization, with the role of a user in it.
#[derive(Clone, Debug)]
pub struct Reach {
    pub id: OrganizationId,
    pub role: Role,
    pub policy: TokenPolicy,
    /// The head of its audit chain. Every change that its lists show adds an entry, so the number
    /// of entries is also the version of these lists.
    pub head: ChainHead,
}

impl Reach {
    /// Returns the input of the policy in [`crate::access`].
    pub fn place(&self) -> Place {
        Place { organization: self.id, allows_unrestricted: self.policy.allow_unrestricted }
    }
}

/// The condition that the token `t` accepts the secret with this digest: its own or, in an overlap,
/// its old one.
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

/// A statement that reads an [`Access`]. `$1` is the digest. `now_ms()` is the clock that expires
/// tokens. `$columns` are more columns, and `$more` joins their tables. `$source` comes before the
/// tokens, and has the `$digest`. `$organization` joins the organization `o`.
macro_rules! access {
    ($columns:literal, $source:literal, $digest:literal, $organization:literal, $more:literal) => {
        concat!(
            "SELECT t.id, t.name, t.organization_id AS binding, t.group_uuid, t.scopes, t.expires_at,
             t.allowed_ips, CASE WHEN t.digest = ",
            $digest,
            " THEN t.expires_at ELSE t.previous_expires_at END, u.id AS user_id, u.username, u.email,
             now_ms() AS read_at, u.entries, u.hash, o.id AS organization_id, m.role,
             o.default_expiration, o.maximum_expiration, o.allow_unrestricted,
             o.entries AS log_entries, o.hash",
            $columns,
            " FROM ",
            $source,
            " tokens t JOIN users u ON u.id = t.user_id AND ",
            $crate::store::access::has_secret!($digest),
            " AND (t.expires_at IS NULL OR t.expires_at > now_ms()) AND u.disabled = 0 ",
            $organization,
            " LEFT JOIN members m ON m.organization_id = o.id AND m.user_id = u.id ",
            $more
        )
    };
    ($columns:literal, $organization:literal, $more:literal) => {
        $crate::store::access::access!($columns, "", "$1", $organization, $more)
    };
    ($columns:literal, $more:literal) => {
        $crate::store::access::access!(
            $columns,
            "LEFT JOIN organizations o ON o.slug = $2",
            $more
        )
    };
}

/// A statement that reads an [`Access`] in one row, and the items of a page in the other rows, in
/// the columns from [`TARGET`] on and in no order. `$page` is the text after the `SELECT` of the
/// page. Its subqueries may read the access as `c`: planners treat them as constants. `$no_item` has
/// a NULL for each column of an item, and `$no_more` for each more column of `$access`.
macro_rules! page_with_access {
    ($access:expr, $no_more:literal, $no_item:literal, ($($page:expr),+)) => {
        concat!(
            "WITH c AS MATERIALIZED (",
            $access,
            ") SELECT c.*, ",
            $no_item,
            " FROM c UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
             NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, ",
            $no_more,
            $($page),+
        )
    };
    ($no_item:literal, $page:expr) => {
        $crate::store::access::page_with_access!(
            $crate::store::access::access!("", ""),
            "",
            $no_item,
            ($page)
        )
    };
}

pub(super) use {access, has_secret, page_with_access};

/// How many columns [`Access`] has. The columns of a target come after them.
pub(super) const TARGET: usize = 21;

/// Adds the origin of the request to an access that was read from a row.
///
/// # Errors
/// [`Error::NotAccepted`] if the address of the client may not use the token.
pub(super) fn accepted(mut access: Access, credential: &Credential) -> Result<Access> {
    if !access.caller.limits.allow(credential.address) {
        return Err(Error::NotAccepted);
    }
    access.caller.origin = credential.origin;
    credential.mark_accepted(&access.caller);
    Ok(access)
}

impl Store {
    /// Returns the caller and, if `slug` is given and the caller is a member, that organization.
    ///
    /// # Errors
    /// [`Error::NotAccepted`], like all functions of this module.
    pub async fn access(
        &self,
        credential: &Credential,
        slug: Option<&Slug>,
    ) -> Result<Arc<CachedAccess>> {
        if let Some(answer) = self.cached_access(credential, slug) {
            return Ok(answer);
        }
        // Boxed, so that it takes no space in the futures of requests that find it in the cache.
        Box::pin(self.read_access(credential, slug)).await
    }

    async fn read_access(
        &self,
        credential: &Credential,
        slug: Option<&Slug>,
    ) -> Result<Arc<CachedAccess>> {
        let (access, generation) = match &self.backend {
            Backend::Sqlite(_) => {
                self.read(View::Statement).await?.read_access(credential, slug).await?
            }
            Backend::Postgres(postgres) => {
                let generation = Some(self.access_cache.guess());
                let access = self.access_batcher.look_up(postgres, &self.counts, credential, slug);
                (accepted(access.await?, credential)?, generation)
            }
        };
        Ok(self.access_cache.insert(credential, slug, access, generation))
    }

    /// Returns what [`Store::access`] would return now, if the cache has it.
    pub fn cached_access(
        &self,
        credential: &Credential,
        slug: Option<&Slug>,
    ) -> Option<Arc<CachedAccess>> {
        self.access_cache.get(credential, slug, self.generation()?, || self.clock.now())
    }

    /// Returns the last result of [`Store::access`], unless this process has changed it. Other servers
    /// may have. PostgreSQL only.
    pub fn last_known_access(
        &self,
        credential: &Credential,
        slug: &Slug,
    ) -> Option<Arc<CachedAccess>> {
        let Backend::Postgres(_) = &self.backend else { return None };
        self.access_cache.last_known(credential, slug)
    }
}

impl Snapshot {
    /// Like [`Store::access`], but reads the state of this snapshot.
    pub async fn access(&mut self, credential: &Credential, slug: Option<&Slug>) -> Result<Access> {
        let (access, generation) = self.read_access(credential, slug).await?;
        self.access_cache.insert(credential, slug, access.clone(), generation);
        Ok(access)
    }

    /// Returns the caller and the items of a page, in no order, from one statement of
    /// [`page_with_access`]. `read` reads an item from the columns from a given one on.
    pub(super) async fn access_with_page<T: Send>(
        &mut self,
        credential: &Credential,
        slug: Option<&Slug>,
        statement: Statement,
        read: fn(&dyn Row, usize) -> Result<T>,
    ) -> Result<(Access, Vec<T>)> {
        let read = |row: &dyn Row| rows::optional(row, TARGET, read);
        let (access, generation, items) = self.read_rows(credential, statement, read).await?;
        self.access_cache.insert(credential, slug, access.clone(), generation);
        Ok((access, items.into_iter().flatten().collect()))
    }

    async fn read_access(
        &mut self,
        credential: &Credential,
        slug: Option<&Slug>,
    ) -> Result<(Access, Option<Generation>)> {
        let statement = sql!(access!("", ""), &credential.digest, slug);
        let (access, generation, _) = self.read_rows(credential, statement, |_| Ok(())).await?;
        Ok((access, generation))
    }

    /// Returns the access, which is in one of the rows, the state in which it was read, and all
    /// rows, converted by `read`.
    pub(super) async fn read_rows<T: Send>(
        &mut self,
        credential: &Credential,
        statement: Statement,
        read: impl Fn(&dyn Row) -> Result<T> + Send + Sync,
    ) -> Result<(Access, Option<Generation>, Vec<T>)> {
        let generation = match self.connection.sqlite() {
            Some(session) => session.generation(),
            None => Some(self.access_cache.guess()),
        };
        let mut access = None;
        let read = |row: &dyn Row| {
            if access.is_none() && !row.is_null(0) {
                access = Some(accepted(rows::access(row)?, credential)?);
            }
            read(row)
        };
        let found = self.all(statement.invalidating(Invalidation::Nothing), read).await?;
        let mut access = access.ok_or(Error::NotAccepted)?;
        access.foreign_commits = generation.map(|generation| generation.foreign_commits);
        Ok((access, generation, found))
    }
}

impl Transaction {
    /// Takes a lock, and blocks the revocation of the caller's token, until the transaction ends.
    /// The lock is sent with the next query, which reads the rows that it protects.
    ///
    /// A transaction locks one organization or user, before any token, so there is no deadlock.
    pub fn lock_as_caller(&mut self, credential: &Credential, lock: &WriteLock) {
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
        match lock {
            WriteLock::Organization(slug) => self.lock(sql!(organization, digest, slug)),
            WriteLock::User(_) => self.lock(sql!(user, digest)),
            WriteLock::None => {}
        }
    }
}
