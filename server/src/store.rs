//! Persistence behind one seam: the questions of [`Snapshot`] and the changes of [`Transaction`].
//! They are written once, over the small `Connection` that both backends provide, and no SQL shows
//! in a signature. Nothing here decides who may do what.

mod access;
mod audit;
mod connection;
mod copy;
mod members;
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
use postgres::Postgres;
use remembered::{Generation, Remembered};
use snapshot::Connection;
use sqlite::Sqlite;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

/// How many connections a server keeps to PostgreSQL by default.
pub const POOL_SIZE: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not 0");

/// The URL may carry a password, so this does not show it.
const UNKNOWN_URL: &str = "the database URL, of an option or a variable such as \
    ORGTOKENS_DATABASE, names no known backend: write it as orgtokens.db, sqlite://orgtokens.db or \
    postgres://user:password@host/name";

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

/// What a database is opened for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Intent {
    Read,
    Change,
    Create,
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
    /// Opens the database at `url`, such as `orgtokens.db`, `sqlite://orgtokens.db` or
    /// `postgres://user:password@host/name`, and upgrades its schema.
    ///
    /// # Errors
    /// If the URL names no known backend, or the database may not be written, was never initialised,
    /// is another program's, is damaged, or is newer than this program. It is left untouched.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_pooled(url, POOL_SIZE).await
    }

    /// Like [`Store::open`], with at most `pool` connections to PostgreSQL.
    pub async fn open_pooled(url: &str, pool: NonZeroUsize) -> Result<Self> {
        Self::connect(url, pool, Intent::Change).await?.initialised(url).await
    }

    /// Like [`Store::open`], to read alone: of a file that may not be written it opens, and
    /// upgrades, a temporary copy.
    pub async fn open_to_read(url: &str) -> Result<Self> {
        Self::connect(url, POOL_SIZE, Intent::Read).await?.initialised(url).await
    }

    /// Like [`Store::open`], and makes the database unless it exists.
    pub async fn create(url: &str) -> Result<Self> {
        Self::connect(url, POOL_SIZE, Intent::Create).await
    }

    /// Fails unless the URL names a backend that this program knows. Nothing is opened.
    pub fn check_url(url: &str) -> Result<()> {
        match (url.split_once("://"), file_path(url)) {
            (Some(("postgres" | "postgresql", _)), _) => Postgres::check_url(url),
            (_, Some(_)) => Ok(()),
            _ => Err(broken(UNKNOWN_URL)),
        }
    }

    async fn connect(url: &str, pool: NonZeroUsize, intent: Intent) -> Result<Self> {
        let (counts, clock) = (Arc::<Counts>::default(), Arc::<Clock>::default());
        let backend = match (url.split_once("://"), file_path(url)) {
            (Some(("postgres" | "postgresql", _)), _) => {
                Backend::Postgres(Postgres::open(url, pool, intent == Intent::Create).await?)
            }
            (_, Some(path)) => {
                let (counts, clock) = (Arc::clone(&counts), Arc::clone(&clock));
                Backend::Sqlite(Sqlite::open(path, intent, counts, clock).await?)
            }
            _ => return Err(broken(UNKNOWN_URL)),
        };
        let (remembered, questions) = Default::default();
        Ok(Self { backend, counts, clock, remembered, questions })
    }

    /// An `init` that broke off leaves tables without rows.
    async fn initialised(self, url: &str) -> Result<Self> {
        let is_initialised = self.read(View::Statement).await?.is_initialised().await?;
        if is_initialised { Ok(self) } else { Err(never_initialised(file_path(url))) }
    }

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

    /// Counts the tokens that are neither revoked nor expired. It reads few of them at a time, so that
    /// requests go on; tokens that are minted or revoked meanwhile may count or not.
    pub async fn count_live_tokens(&self) -> Result<i64> {
        let (mut total, mut after) = (0, Some(0));
        while let Some(position) = after {
            let count;
            (count, after) = self.read(View::Statement).await?.live_tokens_after(position).await?;
            total += count;
            // On SQLite nothing else lets other requests run.
            tokio::task::yield_now().await;
        }
        Ok(total)
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

/// Returns the path in the URL of a file, or in a text that can be nothing but a path. It is one that
/// SQLite reads as a path and nothing more.
fn file_path(url: &str) -> Option<&str> {
    let path = url.strip_prefix("sqlite://");
    // With any of these it may be a URL or a connection string, and have a password.
    let path = path.or_else(|| Some(url).filter(|url| !url.contains([':', '@', '='])))?;
    let is_special = path.is_empty() || path.starts_with(':') || path.starts_with("file:");
    (!is_special && !path.contains('?')).then_some(path)
}

/// Returns the error for what only a person can repair.
fn broken(reason: impl Into<String>) -> Error {
    Error::Broken(reason.into())
}

/// Returns the error for a database without rows: a file, or one on PostgreSQL.
fn never_initialised(file: Option<&str>) -> Error {
    broken(format!("the database was never initialised: {}", init_command(file)))
}

/// Returns the command that makes a database. It does not show a URL, which may have a password.
fn init_command(file: Option<&str>) -> String {
    let owner = "--organization SLUG --username NAME --email ADDR";
    match file {
        Some(path) => format!("`orgtokens-server init --database {path} {owner}` makes it"),
        None => format!("`orgtokens-server init {owner}`, with the same --database, makes it"),
    }
}

/// Returns the version of a schema, unless it is newer than this program's.
fn known_version(version: i64, latest: usize) -> Result<usize> {
    let known = usize::try_from(version).ok().filter(|version| *version <= latest);
    known.ok_or_else(|| {
        let newer = format!("version {version}, newer than this program's {latest}");
        broken(format!("the database has {newer}: run the newer program"))
    })
}
