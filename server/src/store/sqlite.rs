//! The embedded backend: one SQLite file, called directly on the worker threads.
//!
//! One connection writes, in turns; reads take a connection of their own and see
//! the last commit. Commits are synced (`synchronous=FULL`). It knows statements
//! and rows, nothing of the domain.

mod backup;
mod file;
mod open;
mod reserve;

use super::connection::{Backend, Connection, Each, Row, Value};
use super::{CheckReport, Error, Result};
use async_trait::async_trait;
use reserve::Reserve;
use rusqlite::ErrorCode::DatabaseBusy;
use rusqlite::types::{ToSqlOutput, ValueRef};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, sleep, timeout_at};

type Idle = Arc<Mutex<Vec<rusqlite::Connection>>>;

/// How long a change waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long it waits before it asks again where another process writes.
const BUSY: Duration = Duration::from_millis(10);

/// An open database file.
pub struct Sqlite {
    path: PathBuf,
    writer: Arc<tokio::sync::Mutex<rusqlite::Connection>>,
    readers: Idle,
    reserve: Arc<Reserve>,
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Sqlite {
    /// Opens a database that was initialised.
    pub async fn open(path: &str) -> Result<Self> {
        Self::start(path.into(), file::require, open::require_initialised).await
    }

    /// Makes the database, or opens the one that is there.
    pub async fn create(path: &str) -> Result<Self> {
        Self::start(path.into(), file::create, |_| Ok(())).await
    }

    async fn start(
        path: PathBuf,
        prepare: fn(&Path) -> Result<()>,
        require: fn(&rusqlite::Connection) -> Result<()>,
    ) -> Result<Self> {
        // Looking for damage and migrations may take long.
        aside(move || {
            prepare(&path)?;
            let mut writer = open::accept(&path)?;
            require(&writer)?;
            open::migrate(&mut writer)?;
            writer.busy_timeout(Duration::ZERO).map_err(refused)?;
            let reserve = Arc::new(Reserve::beside(&path));
            let writer = Arc::new(tokio::sync::Mutex::new(writer));
            Ok(Self { path, writer, readers: Idle::default(), reserve })
        })
        .await
    }

    async fn begin(&self, prepare: impl FnOnce(&Reserve) -> Result<()>) -> Result<Writer> {
        let deadline = Instant::now() + PATIENCE;
        let turn = timeout_at(deadline, Arc::clone(&self.writer).lock_owned()).await;
        let connection = turn.map_err(|_| {
            Error::Unavailable(format!("other changes took longer than {PATIENCE:?}"))
        })?;
        prepare(&self.reserve)?;
        // Other processes write too: waiting happens here, never in the middle, and not on the
        // thread.
        while let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
            if error.sqlite_error_code() != Some(DatabaseBusy) || Instant::now() >= deadline {
                return Err(refused(error));
            }
            sleep(BUSY).await;
        }
        Ok(Writer { connection })
    }
}

/// Does what takes long where no request waits for the thread.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::Broken(error.to_string()))?
}

#[async_trait]
impl Backend for Sqlite {
    async fn read(&self) -> Result<Box<dyn Connection>> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = idle.map_or_else(|| open::connect(&self.path), Ok)?;
        connection.execute_batch("BEGIN").map_err(refused)?;
        let reader = Reader { connection: Some(connection), idle: Arc::clone(&self.readers) };
        Ok(Box::new(reader))
    }

    async fn write(&self) -> Result<Box<dyn Connection>> {
        Ok(Box::new(self.begin(Reserve::hold).await?))
    }

    async fn write_urgently(&self) -> Result<Box<dyn Connection>> {
        Ok(Box::new(self.begin(|_| Ok(())).await?))
    }

    async fn keep_room(&self) {
        // On a full disk reading goes on, and whatever changes says what is wrong.
        let _ = self.reserve.hold();
    }

    async fn make_room(&self) -> bool {
        let connection = Arc::clone(&self.writer).lock_owned().await;
        self.reserve.give_back();
        // What the log of changes holds goes to its place, so that it can start over: nothing is
        // needed then but the room that it has.
        let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        true
    }

    async fn back_up(&self, target: &Path) -> Result<()> {
        let (path, target) = (self.path.clone(), target.to_owned());
        aside(move || backup::back_up(&open::connect(&path)?, &target)).await
    }

    async fn check(&self) -> Result<CheckReport> {
        let path = self.path.clone();
        aside(move || backup::check(&open::connect(&path)?)).await
    }
}

struct Reader {
    connection: Option<rusqlite::Connection>,
    idle: Idle,
}

struct Writer {
    connection: OwnedMutexGuard<rusqlite::Connection>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        // A connection that cannot end its transaction is closed instead.
        if connection.execute_batch("COMMIT").is_ok() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.connection.is_autocommit() {
            // Where even this fails the next BEGIN says so.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

#[async_trait]
impl Connection for Reader {
    async fn query(
        &mut self,
        statement: &'static str,
        parameters: &[Value<'_>],
        each: &mut Each<'_>,
    ) -> Result<()> {
        match &self.connection {
            Some(connection) => query(connection, statement, parameters, each),
            None => Err(Error::Broken("a reader is used after its end".to_owned())),
        }
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Connection for Writer {
    async fn query(
        &mut self,
        statement: &'static str,
        parameters: &[Value<'_>],
        each: &mut Each<'_>,
    ) -> Result<()> {
        query(&self.connection, statement, parameters, each)
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        self.connection.execute_batch("COMMIT").map_err(refused)
    }
}

fn query(
    connection: &rusqlite::Connection,
    statement: &'static str,
    parameters: &[Value<'_>],
    each: &mut Each<'_>,
) -> Result<()> {
    let mut prepared = connection.prepare_cached(statement).map_err(refused)?;
    for (index, value) in (1..).zip(parameters) {
        debug_assert_eq!(prepared.parameter_name(index), Some(format!("${index}").as_str()));
        prepared.raw_bind_parameter(index, bound(*value)).map_err(refused)?;
    }
    let mut rows = prepared.raw_query();
    while let Some(row) = rows.next().map_err(refused)? {
        each(row)?;
    }
    Ok(())
}

fn bound(value: Value<'_>) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match value {
        Value::Integer(value) => ValueRef::Integer(value),
        Value::Text(value) => ValueRef::Text(value.as_bytes()),
        Value::Bytes(value) => ValueRef::Blob(value),
        Value::Null => ValueRef::Null,
    })
}

impl Row for rusqlite::Row<'_> {
    fn integer(&self, column: usize) -> Result<i64> {
        self.get_ref(column).map_err(refused)?.as_i64().map_err(|error| damaged(&error))
    }

    fn text(&self, column: usize) -> Result<&str> {
        self.get_ref(column).map_err(refused)?.as_str().map_err(|error| damaged(&error))
    }

    fn bytes(&self, column: usize) -> Result<&[u8]> {
        self.get_ref(column).map_err(refused)?.as_blob().map_err(|error| damaged(&error))
    }

    fn is_null(&self, column: usize) -> bool {
        matches!(self.get_ref(column), Ok(ValueRef::Null))
    }
}

fn damaged(error: &dyn std::error::Error) -> Error {
    Error::Broken(format!("the database is damaged: {error}"))
}

/// What SQLite's refusal means to the domain.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands it over")]
fn refused(error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, ReadOnly, SystemIoFailure,
    };
    use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
    match error.sqlite_error() {
        Some(failure)
            if matches!(
                failure.extended_code,
                SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY
            ) =>
        {
            Error::Exists
        }
        Some(failure) if matches!(failure.code, DatabaseBusy | DatabaseLocked | ReadOnly) => {
            Error::Unavailable(error.to_string())
        }
        Some(failure) if matches!(failure.code, DiskFull | SystemIoFailure | CannotOpen) => {
            Error::Full(error.to_string())
        }
        _ => Error::Broken(format!("the database refuses: {error}")),
    }
}
