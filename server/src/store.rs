//! The database: [`Snapshot`] reads it and [`Transaction`] writes it, with one function for each
//! read or change of the domain. Each is written once, for both backends, and has no SQL in its
//! signature. [`crate::access`] decides what callers may do.

mod access;
mod access_cache;
mod audit;
mod copy;
mod members;
mod open;
mod operator;
mod postgres;
mod rows;
mod snapshot;
mod sqlite;
mod statement;
mod tokens;
mod uses;
mod webhooks;

pub use crate::error::StoreError as Error;
pub(crate) use access::{
    Access, FoundDetails, FoundToken, GROUP, MEMBER, Reach, TOKEN, TOKEN_DETAILS, TargetMember,
};
pub use audit::chain::{Chain, ChainEntry};
pub(crate) use audit::{AuditPosition, Author, NewEntry};
pub use audit::{AuditReport, ChainHead, NamedHead};
pub use copy::{CopyProgress, copy};
pub(crate) use members::{GROUPS, List, MEMBERS, ORGANIZATIONS};
pub use open::POOL_SIZE;
pub use operator::{FoundUser, ListedUser, Membership, TokenKey};
pub use snapshot::{Counts, Snapshot, Transaction};
pub use tokens::{Position, TokenPage};
pub(crate) use tokens::{Selection, TokenPlace, TokensOf};
pub(crate) use uses::TokenUse;
pub use webhooks::FailedMessage;
pub(crate) use webhooks::{KnownWebhook, LogEnd, Message};

use crate::caller::UserId;
use crate::clock::Clock;
use crate::name::Slug;
use access::AccessBatcher;
use access_cache::{AccessCache, Generation};
use open::{Intent, init_command, known_version, never_initialised};
use postgres::Postgres;
use snapshot::Connection;
use sqlite::Sqlite;
use std::path::Path;
use std::sync::Arc;

/// The result of most functions of this module.
pub type Result<T> = std::result::Result<T, Error>;

/// The result of [`Store::check`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// The checks that passed, a sentence each.
    pub sound: Vec<String>,
    /// The faults that were found, a sentence each.
    pub faults: Vec<String>,
}

/// How much of the connection pool is in use.
#[derive(Clone, Copy, Debug)]
pub struct PoolUsage {
    /// The maximum number of connections.
    pub size: usize,
    /// How many connections are in use or being opened.
    pub busy: usize,
    /// How many connections are open and not in use.
    pub idle: usize,
    /// How many requests timed out before they received a connection.
    pub timeouts: u64,
}

/// The row that a change locks first. Changes of one process with the same lock wait in a queue, so
/// that they do not fill the pool.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WriteLock {
    /// An organization: it protects its members, groups, tokens and audit log.
    Organization(Slug),
    /// A user: it protects the user's unrestricted tokens.
    User(UserId),
    /// No row, and no queue. Such a change may lock rows itself.
    None,
}

/// How much a [`Snapshot`] reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// One statement: it needs no transaction.
    Statement,
    /// A page of tokens: on PostgreSQL it is one statement.
    TokenPage,
    /// Several statements that see the same state.
    Snapshot,
}

/// What a [`Transaction`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Any change.
    Change,
    /// It revokes tokens, so it must work on a full disk.
    Revocation,
}

/// An initialised database, ready to be read and written.
#[derive(derive_more::Debug)]
#[debug("Store(..)")] // The URL may have a password.
pub struct Store {
    backend: Backend,
    counts: Arc<Counts>,
    clock: Arc<Clock>,
    access_cache: Arc<AccessCache>,
    access_batcher: Arc<AccessBatcher>,
}

enum Backend {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Store {
    /// Returns a snapshot to read from.
    pub async fn read(&self, view: View) -> Result<Snapshot> {
        let connection = match &self.backend {
            Backend::Sqlite(sqlite) => Connection::Sqlite(sqlite.read(view != View::Statement)),
            Backend::Postgres(postgres) => {
                // Boxed, so that it takes no space in futures that read from SQLite.
                let session = Box::pin(postgres.read(view == View::Snapshot)).await?;
                Connection::Postgres(session.into())
            }
        };
        Ok(Snapshot::new(connection, self))
    }

    /// Returns the state of the database now, if that is known.
    fn generation(&self) -> Option<Generation> {
        let Backend::Sqlite(sqlite) = &self.backend else { return None };
        sqlite.readers.commits.generation()
    }

    /// Returns whether [`Store::write`] would wait for another change.
    pub fn is_busy(&self, lock: &WriteLock) -> bool {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.writer.is_busy(),
            Backend::Postgres(postgres) => postgres.pool.queues.is_held(lock),
        }
    }

    /// Returns a transaction after the changes that waited longer. On a full disk a revocation uses
    /// the reserve. On SQLite it may share its COMMIT with other changes.
    pub async fn write(&self, lock: &WriteLock, purpose: Purpose) -> Result<Transaction> {
        self.begin(lock, purpose, false).await
    }

    /// Like [`Store::write`], but shares its COMMIT with no other change.
    pub(crate) async fn write_alone(
        &self,
        lock: &WriteLock,
        purpose: Purpose,
    ) -> Result<Transaction> {
        self.begin(lock, purpose, true).await
    }

    async fn begin(
        &self,
        lock: &WriteLock,
        purpose: Purpose,
        is_alone: bool,
    ) -> Result<Transaction> {
        let connection = match &self.backend {
            Backend::Sqlite(sqlite) => Connection::Sqlite(sqlite.write(purpose, is_alone).await?),
            Backend::Postgres(postgres) => Connection::Postgres(postgres.write(lock).await?.into()),
        };
        Ok(Transaction(Snapshot::new(connection, self)))
    }

    /// Reserves disk space for revocations. On a full disk that fails without an error, so that
    /// reads still work: each change then returns the error.
    pub fn hold_reserve(&self) {
        if let Backend::Sqlite(sqlite) = &self.backend {
            let _ = sqlite.reserve.hold();
        }
    }

    /// Releases the disk space for revocations. Returns whether the backend reserves any.
    pub async fn release_reserve(&self) -> bool {
        let Backend::Sqlite(sqlite) = &self.backend else { return false };
        sqlite.release_reserve().await;
        true
    }

    /// Copies the database to a new file, while requests read and write.
    ///
    /// # Errors
    /// If the file exists, or the database is PostgreSQL. It leaves no incomplete file.
    pub async fn back_up(&self, target: &Path) -> Result<()> {
        let Backend::Sqlite(sqlite) = &self.backend else {
            return Err(broken("only SQLite is copied to a file: use pg_dump"));
        };
        sqlite.back_up(target).await
    }

    /// Finishes the check for damage: opening a large SQLite database stops it after a timeout.
    /// Dropping the future ends the check.
    ///
    /// # Errors
    /// [`Error::Broken`] if there is damage.
    pub async fn find_damage(&self) -> Result<()> {
        let Backend::Sqlite(sqlite) = &self.backend else { return Ok(()) };
        sqlite.find_damage().await
    }

    /// Fails unless the database answers now.
    ///
    /// # Errors
    /// If it does not answer, or if the file of a SQLite database was removed or replaced.
    pub async fn require_ready(&self) -> Result<()> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.require_ready().await,
            Backend::Postgres(_) => {
                self.read(View::Statement).await?.is_initialised().await.map(drop)
            }
        }
    }

    /// Returns how much of the pool is in use; `None` on SQLite, which has no pool.
    pub fn pool_usage(&self) -> Option<PoolUsage> {
        let Backend::Postgres(postgres) = &self.backend else { return None };
        Some(postgres.pool.usage())
    }

    /// Checks the whole database, however long that takes.
    pub async fn check(&self) -> Result<CheckReport> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.check().await,
            Backend::Postgres(postgres) => postgres.check().await,
        }
    }

    /// Returns the clock that expires tokens on SQLite. PostgreSQL uses the clock of the database.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns how much work this store has done.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

/// Returns the error for a fault that only a person can repair.
fn broken(reason: impl Into<String>) -> Error {
    Error::Broken(reason.into())
}
