//! What is kept, behind one seam: the verbs of [`Snapshot`] and [`Transaction`].
//! They are written once, over the small `Connection` that a backend provides, and
//! no SQL shows in a signature. Nothing here decides who may do what.

mod audit;
mod connection;
mod copy;
mod postgres;
mod records;
mod rows;
mod snapshot;
mod sqlite;
mod tokens;
mod transaction;

pub use audit::{AuditFault, AuditHead, AuditReport};
pub use copy::{Copied, copy};
pub use records::{
    AuditEntry, AuditPage, Group, Member, Membership, NewToken, Organization, Token, User,
};
pub use snapshot::Snapshot;
pub use tokens::TokenFilter;
pub use transaction::Transaction;

use connection::Backend;
use postgres::Postgres;
use sqlite::Sqlite;
use std::num::NonZeroUsize;
use std::path::Path;

/// How many connections a server keeps to a database on another machine, unless it is told.
pub const POOL_SIZE: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not 0");

/// What makes a database, as errors name it.
const INIT: &str =
    "`orgtokens-server init --organization SLUG --username NAME --email ADDR` makes a database";

/// Why the store did not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A unique name is taken.
    #[error("it exists already")]
    Exists,
    /// It cannot answer at the moment: locked, or not reached.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// There is no room left where it is kept, or the disk fails.
    #[error("the database has no room: {0}")]
    Full(String),
    /// The database undid a transaction for the sake of another one: it may be run again.
    #[error("the database gave way to another change: {0}")]
    Contended(String),
    /// A commit was sent, and whether it happened is not known: it must not be run again.
    #[error("whether the change was made is not known: {0}")]
    Unknown(String),
    /// It is damaged, foreign, newer than this program, or the program is wrong.
    #[error("{0}")]
    Broken(String),
}

/// What most of this module answers.
pub type Result<T> = std::result::Result<T, Error>;

/// What a look at everything that is kept has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// What was looked at, and what was found to be well, a sentence each.
    pub sound: Vec<String>,
    /// What is wrong, a sentence each.
    pub faults: Vec<String>,
}

/// A database that was initialised, ready to be read and written.
#[derive(Debug)]
pub struct Store {
    backend: Box<dyn Backend>,
}

impl Store {
    /// Opens the database at `url`, such as `sqlite://orgtokens.db` or
    /// `postgres://user:password@host/name`, and brings its schema up to date.
    ///
    /// # Errors
    /// Where the URL names no known backend, or the database was never initialised, is not
    /// this program's, is damaged, or is newer than this program. It is left untouched.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_pooled(url, POOL_SIZE).await
    }

    /// The same, with at most `pool` connections where the database is on another machine.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_pooled(url: &str, pool: NonZeroUsize) -> Result<Self> {
        let backend: Box<dyn Backend> = match Place::of(url)? {
            Place::File(path) => Box::new(Sqlite::open(path).await?),
            Place::Network(url) => Box::new(Postgres::open(url, pool).await?),
        };
        let store = Self { backend };
        // A schema alone is what an `init` leaves that was broken off.
        if store.read().await?.is_initialised().await? {
            Ok(store)
        } else {
            Err(Error::Broken(format!("the database was never initialised: {INIT}")))
        }
    }

    /// Makes the database at `url`, or opens the one that is there.
    ///
    /// # Errors
    /// As [`Store::open`], but for a database that was never initialised.
    pub async fn create(url: &str) -> Result<Self> {
        Ok(Self {
            backend: match Place::of(url)? {
                Place::File(path) => Box::new(Sqlite::create(path).await?),
                Place::Network(url) => Box::new(Postgres::create(url, POOL_SIZE).await?),
            },
        })
    }

    /// A consistent view, for reading.
    pub async fn read(&self) -> Result<Snapshot> {
        Ok(Snapshot::new(self.backend.read().await?))
    }

    /// A transaction; writers take turns. Dropping it undoes everything.
    pub async fn write(&self) -> Result<Transaction> {
        Ok(Transaction::new(self.backend.write().await?))
    }

    /// A transaction that takes credentials away, and so may use the last room on the disk.
    pub async fn write_urgently(&self) -> Result<Transaction> {
        Ok(Transaction::new(self.backend.write_urgently().await?))
    }

    /// Keeps room for [`Store::write_urgently`], before a server needs it.
    pub async fn keep_room(&self) {
        self.backend.keep_room().await;
    }

    /// Gives room back that was kept for [`Store::write_urgently`], and says whether there could
    /// be any.
    pub async fn make_room(&self) -> bool {
        self.backend.make_room().await
    }

    /// Copies everything to a new file, while others read and write.
    ///
    /// # Errors
    /// Where there is such a file already, or it cannot be written; it is not there then.
    pub async fn back_up(&self, target: &Path) -> Result<()> {
        self.backend.back_up(target).await
    }

    /// Looks at everything that is kept, however long that takes.
    pub async fn check(&self) -> Result<CheckReport> {
        self.backend.check().await
    }
}

/// Whether SQLite takes it for the path of a file, and nothing more.
fn is_file_path(path: &str) -> bool {
    !path.is_empty()
        && !path.starts_with([':'])
        && !path.starts_with("file:")
        && !path.contains('?')
}

/// Where a database is, by the form of its URL.
enum Place<'a> {
    File(&'a str),
    Network(&'a str),
}

impl<'a> Place<'a> {
    fn of(url: &'a str) -> Result<Self> {
        match url.split_once("://") {
            Some(("sqlite", path)) if is_file_path(path) => Ok(Self::File(path)),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Network(url)),
            // The URL itself may carry a password, so no error shows it.
            _ => Err(Error::Broken(
                "the database URL names no known backend: write it as sqlite://orgtokens.db or \
                 postgres://user:password@host/name"
                    .to_owned(),
            )),
        }
    }
}
