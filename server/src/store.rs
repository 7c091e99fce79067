//! Persistence behind one seam: the questions of [`Snapshot`] and the changes of [`Transaction`].
//! They are written once, over the small `Connection` that both backends provide, and no SQL shows
//! in a signature. Nothing here decides who may do what.

mod access;
mod audit;
mod connection;
mod copy;
mod members;
mod open;
mod operator;
mod postgres;
mod remembered;
mod rows;
mod snapshot;
mod sqlite;
mod tokens;
mod uses;
mod webhooks;

pub use crate::error::StoreError as Error;
pub(crate) use access::{
    Access, FoundDetails, FoundToken, GROUP, MEMBER, Reach, TOKEN, TOKEN_DETAILS, TargetMember,
};
pub use audit::chain::{Chain, Link};
pub use audit::{AuditReport, ChainHead, NamedHead};
pub(crate) use audit::{Author, NewEntry};
pub use copy::{CopyProgress, copy};
pub(crate) use members::{GROUPS, List, MEMBERS, ORGANIZATIONS};
pub use open::POOL_SIZE;
pub use operator::{FoundUser, ListedUser, Membership, TokenKey};
pub use snapshot::{Counts, Snapshot, Transaction};
pub use tokens::{Position, TokenPage};
pub(crate) use tokens::{Selection, TokenPlace};
pub(crate) use uses::TokenUse;
pub use webhooks::FailedMessage;
pub(crate) use webhooks::{KnownWebhook, LogEnd, Message};

use crate::caller::UserId;
use crate::clock::Clock;
use crate::name::Slug;
use access::Questions;
use open::{Intent, init_command, known_version, never_initialised};
use postgres::Postgres;
use remembered::{Generation, Remembered};
use snapshot::Connection;
use sqlite::Sqlite;
use std::path::Path;
use std::sync::Arc;

/// What most functions of this module return.
pub type Result<T> = std::result::Result<T, Error>;

/// What a look at the whole database has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// What was checked and is sound, a sentence each.
    pub sound: Vec<String>,
    /// What is wrong, a sentence each.
    pub faults: Vec<String>,
}

/// How much of a pool of connections is in use.
#[derive(Clone, Copy, Debug)]
pub struct PoolUsage {
    /// How many connections there may be.
    pub size: usize,
    /// How many requests have one, or wait until it is open.
    pub busy: usize,
    /// How many are open and not in use.
    pub idle: usize,
    /// How often a request received none in time.
    pub timeouts: u64,
}

/// What a change locks. In one process, changes with the same turn run one after the other, so
/// those that wait for a lock do not fill the pool.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// What belongs to an organization.
    Organization(Slug),
    /// The unrestricted tokens of a user.
    User(UserId),
    /// Nothing that other changes wait for.
    Free,
}

/// What a [`Snapshot`] is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// One statement, which needs no transaction around it.
    Statement,
    /// A page of tokens, which is one statement on PostgreSQL.
    TokenPage,
    /// Several statements that see the same state.
    Snapshot,
}

/// What a [`Transaction`] is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Any change.
    Change,
    /// A change that revokes tokens: it must work on a full disk.
    Revocation,
}

/// An initialised database, ready to be read and written.
#[derive(derive_more::Debug)]
#[debug("Store(..)")] // The URL may have a password.
pub struct Store {
    backend: Backend,
    counts: Arc<Counts>,
    clock: Arc<Clock>,
    remembered: Arc<Remembered>,
    questions: Arc<Questions>,
}

enum Backend {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Store {
    /// Begins to read.
    pub async fn read(&self, view: View) -> Result<Snapshot> {
        let connection = match &self.backend {
            Backend::Sqlite(sqlite) => Connection::Sqlite(sqlite.read(view != View::Statement)),
            Backend::Postgres(postgres) => {
                // In a box, it takes no space in every future that reads from SQLite.
                let session = Box::pin(postgres.read(view == View::Snapshot)).await?;
                Connection::Postgres(session.into())
            }
        };
        Ok(Snapshot::new(connection, self))
    }

    /// Returns the state of the database now, if that can be told.
    fn generation(&self) -> Option<Generation> {
        let Backend::Sqlite(sqlite) = &self.backend else { return None };
        sqlite.readers.commits.generation()
    }

    /// Returns whether [`Store::write`] would have to wait for its turn.
    pub fn is_busy(&self, turn: &Turn) -> bool {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.writer.is_busy(),
            Backend::Postgres(postgres) => postgres.pool.turns.is_held(turn),
        }
    }

    /// Begins to write, when it is the turn of this change. A revocation may use the reserve of a
    /// full disk. On SQLite it may share its COMMIT with others.
    pub async fn write(&self, turn: &Turn, purpose: Purpose) -> Result<Transaction> {
        self.begin(turn, purpose, false).await
    }

    /// Like [`Store::write`]; if it `is_alone`, it shares its COMMIT with no other change.
    pub(crate) async fn begin(
        &self,
        turn: &Turn,
        purpose: Purpose,
        is_alone: bool,
    ) -> Result<Transaction> {
        let connection = match &self.backend {
            Backend::Sqlite(sqlite) => Connection::Sqlite(sqlite.write(purpose, is_alone).await?),
            Backend::Postgres(postgres) => Connection::Postgres(postgres.write(turn).await?.into()),
        };
        Ok(Transaction(Snapshot::new(connection, self)))
    }

    /// Reserves disk space for revocations. On a full disk that fails and reading
    /// goes on: changes then say what is wrong.
    pub fn hold_reserve(&self) {
        if let Backend::Sqlite(sqlite) = &self.backend {
            let _ = sqlite.reserve.hold();
        }
    }

    /// Releases the disk space that is reserved for revocations, and returns whether
    /// there can be any.
    pub async fn release_reserve(&self) -> bool {
        let Backend::Sqlite(sqlite) = &self.backend else { return false };
        sqlite.release_reserve().await;
        true
    }

    /// Copies everything to a new file, while others read and write.
    ///
    /// # Errors
    /// If the file exists, or the database is PostgreSQL. No part of a copy is left.
    pub async fn back_up(&self, target: &Path) -> Result<()> {
        let Backend::Sqlite(sqlite) = &self.backend else {
            return Err(broken("only SQLite is copied to a file: use pg_dump"));
        };
        sqlite.back_up(target).await
    }

    /// Goes on with the check for damage that was cut short when a large SQLite database was opened.
    /// Dropping the future ends it.
    ///
    /// # Errors
    /// [`Error::Broken`] if there is damage.
    pub async fn find_damage(&self) -> Result<()> {
        let Backend::Sqlite(sqlite) = &self.backend else { return Ok(()) };
        sqlite.find_damage().await
    }

    /// Fails unless the database can be asked now.
    ///
    /// # Errors
    /// If it does not answer, or the file of a SQLite database was removed or replaced.
    pub async fn require_ready(&self) -> Result<()> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.require_ready().await,
            Backend::Postgres(_) => {
                self.read(View::Statement).await?.is_initialised().await.map(drop)
            }
        }
    }

    /// Returns how much of the pool is in use, on PostgreSQL.
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

    /// Returns the clock that tokens expire by on SQLite. On PostgreSQL it is the database's own.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns how much work this store has done.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

/// Returns the error for what only a person can repair.
fn broken(reason: impl Into<String>) -> Error {
    Error::Broken(reason.into())
}
