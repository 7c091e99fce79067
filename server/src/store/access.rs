//! The statement that begins every request: who asks, with which binding and, if the path names an
//! organization, whether its user is a member, with which role and version. Some requests read
//! their target with it, which is in `target`. Nothing is decided here.

mod questions;
mod target;

pub(super) use questions::Questions;
pub(super) use target::access_to_member;
pub use target::{FoundDetails, FoundToken, GROUP, MEMBER, TOKEN, TOKEN_DETAILS, TargetMember};

use super::audit::chain::ChainHead;
use super::connection::{Row, Statement, sql};
use super::remembered::{Generation, RememberedAccess};
use super::sqlite::Session;
use super::{Backend, Error, Result, Snapshot, Store, Transaction, Turn, View, rows};
use crate::access::Place;
use crate::caller::{Caller, Credential, OrganizationId, Role};
use crate::name::Slug;
use crate::records::TokenPolicy;
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

/// A statement that answers [`Access`], as `c`, with a page of a list in the columns from [`TARGET`] on.
/// `$page` selects the page as `p`. Its subqueries may read `c`: for the planners they are constants. If the
/// page is empty there is one row, for the access alone.
macro_rules! page_with_access {
    ($access:expr, $columns:expr, ($($page:expr),+), $order:literal) => {
        concat!(
            "WITH c AS MATERIALIZED (",
            $access,
            ") SELECT c.*, ",
            $columns,
            " FROM c LEFT JOIN ",
            $($page),+,
            " ON true ORDER BY ",
            $order
        )
    };
    ($columns:expr, $page:expr, $order:literal) => {
        $crate::store::access::page_with_access!(
            $crate::store::access::access!("", ""),
            $columns,
            ($page),
            $order
        )
    };
}

pub(super) use {access, has_secret, page_with_access};

/// How many columns [`Access`] has: those of a target come after them.
pub(super) const TARGET: usize = 21;

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

    /// Returns who asks and a page, which `statement` reads both: see [`page_with_access`]. `read` reads
    /// the columns of an item from this one on.
    pub(super) async fn access_with_page<T: Send>(
        &mut self,
        credential: &Credential,
        slug: Option<&Slug>,
        statement: Statement,
        read: fn(&dyn Row, usize) -> Result<T>,
    ) -> Result<(Access, Vec<T>)> {
        let read = |row: &dyn Row| rows::optional(row, TARGET, read);
        let (access, generation, items) = self.read_rows(credential, statement, read).await?;
        self.remembered.insert(credential, slug, access.clone(), generation);
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

    /// Returns who asks, which each row tells, the state that it was read in, and what `read` makes of the
    /// rows.
    pub(super) async fn read_rows<T: Send>(
        &mut self,
        credential: &Credential,
        statement: Statement,
        read: impl Fn(&dyn Row) -> Result<T> + Send + Sync,
    ) -> Result<(Access, Option<Generation>, Vec<T>)> {
        let generation = self.connection.sqlite().and_then(Session::generation);
        let mut access = None;
        let read = |row: &dyn Row| {
            if access.is_none() {
                access = Some(accepted(rows::access(row)?, credential)?);
            }
            read(row)
        };
        let found = self.all(statement, read).await?;
        let mut access = access.ok_or(Error::NotAccepted)?;
        if !self.connection.is_postgres() {
            access.foreign_commits = generation.map(|generation| generation.foreign_commits);
        }
        Ok((access, generation, found))
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
