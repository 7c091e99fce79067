//! Opens a database: parses its URL, and refuses a database that was never initialised.

use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::{Backend, Counts, Error, Result, Store, View, broken};
use crate::clock::Clock;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// How many connections a server keeps to PostgreSQL by default.
pub const POOL_SIZE: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not 0");

/// It does not show the URL, which may have a password.
const UNKNOWN_URL: &str = "the database URL, of an option or a variable such as \
    ORGTOKENS_DATABASE, names no known backend: write it as orgtokens.db, sqlite://orgtokens.db or \
    postgres://user:password@host/name";

/// What the opened database is used for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    Read,
    Change,
    Create,
}

impl Store {
    /// Opens the database at `url`, such as `orgtokens.db`, `sqlite://orgtokens.db` or
    /// `postgres://user:password@host/name`, and upgrades its schema.
    ///
    /// # Errors
    /// If the URL names no known backend, or the database is read-only, was never initialised,
    /// belongs to another program, is damaged, or is newer than this program. It is not changed.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_pooled(url, POOL_SIZE).await
    }

    /// Like [`Store::open`], with at most `pool` connections to PostgreSQL.
    pub async fn open_pooled(url: &str, pool: NonZeroUsize) -> Result<Self> {
        Self::connect(url, pool, Intent::Change).await?.initialised(url).await
    }

    /// Like [`Store::open`], but only to read. If the file is read-only, it opens a temporary copy,
    /// and upgrades only the copy.
    pub async fn open_to_read(url: &str) -> Result<Self> {
        Self::connect(url, POOL_SIZE, Intent::Read).await?.initialised(url).await
    }

    /// Like [`Store::open`], but creates the database if it does not exist.
    pub async fn create(url: &str) -> Result<Self> {
        Self::connect(url, POOL_SIZE, Intent::Create).await
    }

    /// Returns the text to show if opening has upgraded the schema.
    pub fn upgrade_notice(&self) -> Option<String> {
        let from = match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.upgraded_from,
            Backend::Postgres(postgres) => postgres.upgraded_from,
        }?;
        Some(format!("upgraded the database from schema {from}: older programs refuse it now"))
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
        let (access_cache, access_batcher) = (Arc::default(), Arc::default());
        Ok(Self { backend, counts, clock, access_cache, access_batcher })
    }

    /// Fails if the tables have no rows: an interrupted `init` leaves such a database.
    async fn initialised(self, url: &str) -> Result<Self> {
        let is_initialised = self.read(View::Statement).await?.is_initialised().await?;
        if is_initialised { Ok(self) } else { Err(never_initialised(file_path(url))) }
    }
}

/// Returns the path of a file. A text without a scheme must be a plain path, also for SQLite.
fn file_path(url: &str) -> Option<&str> {
    let path = url.strip_prefix("sqlite://");
    // With any of these characters it may be a URL or a connection string, with a password.
    let path = path.or_else(|| Some(url).filter(|url| !url.contains([':', '@', '='])))?;
    let is_special = path.is_empty() || path.starts_with(':') || path.starts_with("file:");
    (!is_special && !path.contains('?')).then_some(path)
}

/// Returns the error for a database without rows: a file, or `None` for PostgreSQL.
pub fn never_initialised(file: Option<&str>) -> Error {
    broken(format!("the database was never initialised: {}", init_command(file)))
}

/// Returns the command that creates a database. It does not show a URL, which may have a password.
pub fn init_command(file: Option<&str>) -> String {
    let owner = "--organization SLUG --username NAME --email ADDR";
    match file {
        Some(path) => format!("`orgtokens-server init --database {path} {owner}` makes it"),
        None => format!("`orgtokens-server init {owner}`, with the same --database, makes it"),
    }
}

/// Returns the version of a schema, unless it is newer than this program's.
pub fn known_version(version: i64, latest: usize) -> Result<usize> {
    let known = usize::try_from(version).ok().filter(|version| *version <= latest);
    known.ok_or_else(|| {
        let newer = format!("version {version}, newer than this program's {latest}");
        broken(format!("the database has {newer}: run the newer program"))
    })
}
