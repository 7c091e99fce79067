//! Opening a database: what its URL means, and which databases are refused.

use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::{Backend, Counts, Error, Result, Store, View, broken};
use crate::clock::Clock;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// How many connections a server keeps to PostgreSQL by default.
pub const POOL_SIZE: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not 0");

/// The URL may carry a password, so this does not show it.
const UNKNOWN_URL: &str = "the database URL, of an option or a variable such as \
    ORGTOKENS_DATABASE, names no known backend: write it as orgtokens.db, sqlite://orgtokens.db or \
    postgres://user:password@host/name";

/// What a database is opened for.
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

    /// Returns what to tell if this upgraded the schema of the database.
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
        let (access_cache, access_batcher) = Default::default();
        Ok(Self { backend, counts, clock, access_cache, access_batcher })
    }

    /// An `init` that broke off leaves tables without rows.
    async fn initialised(self, url: &str) -> Result<Self> {
        let is_initialised = self.read(View::Statement).await?.is_initialised().await?;
        if is_initialised { Ok(self) } else { Err(never_initialised(file_path(url))) }
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

/// Returns the error for a database without rows: a file, or one on PostgreSQL.
pub fn never_initialised(file: Option<&str>) -> Error {
    broken(format!("the database was never initialised: {}", init_command(file)))
}

/// Returns the command that makes a database. It does not show a URL, which may have a password.
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
