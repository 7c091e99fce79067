//! The embedded backend: one SQLite file, called directly on the worker threads.
//!
//! One connection writes, in turns; each read has a connection of its own and sees the last commit.
//! Commits are synced (`synchronous=FULL`). It knows statements and rows, nothing of the domain.

mod backup;
mod file;
mod open;
mod reserve;

use super::connection::{Each, Row, Statement, Value};
use super::{CheckReport, Error, Result};
use reserve::Reserve;
use rusqlite::ErrorCode::DatabaseBusy;
use rusqlite::types::{ToSqlOutput, ValueRef};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, sleep, timeout_at};

type IdleReaders = Arc<Mutex<Vec<rusqlite::Connection>>>;

/// How long a change waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);

/// How long it waits before it asks again if another process writes.
const BUSY_WAIT: Duration = Duration::from_millis(10);

/// An open database file.
pub struct Sqlite {
    path: PathBuf,
    writer: Arc<tokio::sync::Mutex<rusqlite::Connection>>,
    readers: IdleReaders,
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

    /// Makes the database, or opens the existing one.
    pub async fn create(path: &str) -> Result<Self> {
        Self::start(path.into(), file::create, |_| Ok(())).await
    }

    async fn start(
        path: PathBuf,
        prepare: fn(&Path) -> Result<()>,
        require: fn(&rusqlite::Connection) -> Result<()>,
    ) -> Result<Self> {
        // The check for damage and migrations may take long.
        run_blocking(move || {
            prepare(&path)?;
            let mut writer = open::accept(&path)?;
            require(&writer)?;
            open::migrate(&mut writer)?;
            writer.busy_timeout(Duration::ZERO).map_err(map_error)?;
            let reserve = Arc::new(Reserve::for_database(&path));
            let writer = Arc::new(tokio::sync::Mutex::new(writer));
            Ok(Self { path, writer, readers: IdleReaders::default(), reserve })
        })
        .await
    }

    /// Begins to read.
    pub fn read(&self, is_transaction: bool) -> Result<Reader> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = idle.map_or_else(|| open::connect(&self.path), Ok)?;
        if is_transaction {
            connection.execute_batch("BEGIN").map_err(map_error)?;
        }
        Ok(Reader { connection: Some(connection), idle: Arc::clone(&self.readers) })
    }

    /// Returns whether a change is being made.
    pub fn is_busy(&self) -> bool {
        self.writer.try_lock().is_err()
    }

    /// Begins to write, when it is the turn of this change.
    pub async fn write(&self, needs_reserve: bool) -> Result<Writer> {
        let deadline = Instant::now() + TURN_TIMEOUT;
        let turn = timeout_at(deadline, Arc::clone(&self.writer).lock_owned()).await;
        let connection = turn.map_err(|_| {
            Error::Unavailable(format!("other changes took longer than {TURN_TIMEOUT:?}"))
        })?;
        if needs_reserve {
            self.hold_reserve()?;
        }
        // Other processes write too: this waits here, not in the middle, and not on the thread.
        while let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
            if error.sqlite_error_code() != Some(DatabaseBusy) || Instant::now() >= deadline {
                return Err(map_error(error));
            }
            sleep(BUSY_WAIT).await;
        }
        Ok(Writer(Some(OpenTransaction(connection))))
    }

    /// Reserves disk space for revocations.
    pub fn hold_reserve(&self) -> Result<()> {
        self.reserve.hold()
    }

    /// Releases the reserved disk space.
    pub async fn release_reserve(&self) {
        let connection = Arc::clone(&self.writer).lock_owned().await;
        self.reserve.release();
        // A checkpoint lets the log of changes start over, so that it needs no room but its own.
        let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    }

    /// Copies the database to a new file.
    pub async fn back_up(&self, target: &Path) -> Result<()> {
        let (path, target) = (self.path.clone(), target.to_owned());
        run_blocking(move || backup::back_up(&open::connect(&path)?, &target)).await
    }

    /// Checks every page, index, row and reference.
    pub async fn check(&self) -> Result<CheckReport> {
        let path = self.path.clone();
        run_blocking(move || backup::check(&open::connect(&path)?)).await
    }
}

/// Runs `work` on the blocking pool, so that no request waits for its thread.
async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::Broken(error.to_string()))?
}

/// A view of the last commit. Dropping it ends it.
pub struct Reader {
    connection: Option<rusqlite::Connection>,
    idle: IdleReaders,
}

impl Reader {
    pub fn query(&self, statement: &Statement, each: &mut Each<'_>) -> Result<()> {
        match &self.connection {
            Some(connection) => query(connection, statement, each),
            None => Err(Error::Broken("a reader is used after its end".to_owned())),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        // A connection that cannot end its transaction is closed instead.
        if connection.is_autocommit() || connection.execute_batch("COMMIT").is_ok() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

/// A transaction of the one writer. Dropping it rolls it back.
struct OpenTransaction(OwnedMutexGuard<rusqlite::Connection>);

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            // If even this fails, the next BEGIN says so.
            let _ = self.0.execute_batch("ROLLBACK");
        }
    }
}

impl OpenTransaction {
    fn run(&self, statements: &[Statement]) -> Result<()> {
        statements.iter().try_for_each(|statement| query(&self.0, statement, &mut |_| Ok(())))
    }
}

/// The one writer, in a transaction. Without it the transaction failed.
pub struct Writer(Option<OpenTransaction>);

impl Writer {
    pub fn query(
        &mut self,
        before: &[Statement],
        statement: &Statement,
        each: &mut Each<'_>,
    ) -> Result<()> {
        let Some(open) = &self.0 else { return Err(failed_before()) };
        open.run(before)?;
        query(&open.0, statement, each)
    }

    pub async fn query_blocking<T: Send + 'static>(
        &mut self,
        before: Vec<Statement>,
        statement: Statement,
        map: fn(&dyn Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.blocking(move |open| {
            open.run(&before)?;
            let mut found = Vec::new();
            query(&open.0, &statement, &mut |row| {
                found.push(map(row)?);
                Ok(())
            })?;
            Ok(found)
        })
        .await
    }

    pub async fn run_blocking(&mut self, statements: Vec<Statement>) -> Result<()> {
        self.blocking(move |open| open.run(&statements)).await
    }

    /// Runs the statements and COMMIT, whose sync no worker thread waits for.
    pub async fn commit(mut self, statements: Vec<Statement>) -> Result<()> {
        self.blocking(move |open| {
            open.run(&statements)?;
            open.0.execute_batch("COMMIT").map_err(map_error)
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&OpenTransaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let open = self.0.take().ok_or_else(failed_before)?;
        let (open, done) = run_blocking(move || {
            let done = work(&open)?;
            Ok((open, done))
        })
        .await?;
        self.0 = Some(open);
        Ok(done)
    }
}

fn failed_before() -> Error {
    Error::Unavailable("the transaction failed before".to_owned())
}

fn query(
    connection: &rusqlite::Connection,
    statement: &Statement,
    each: &mut Each<'_>,
) -> Result<()> {
    let mut prepared = connection.prepare_cached(statement.sql).map_err(map_error)?;
    for (index, value) in (1..).zip(&statement.parameters) {
        debug_assert_eq!(prepared.parameter_name(index), Some(format!("${index}").as_str()));
        prepared.raw_bind_parameter(index, to_sql(value)).map_err(map_error)?;
    }
    let mut rows = prepared.raw_query();
    while let Some(row) = rows.next().map_err(map_error)? {
        each(row)?;
    }
    Ok(())
}

fn to_sql(value: &Value) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match value {
        Value::Integer(value) => ValueRef::Integer(*value),
        Value::Text(value) => ValueRef::Text(value.as_bytes()),
        Value::Bytes(value) => ValueRef::Blob(value),
        // SQLite has no arrays.
        Value::Null | Value::Texts(_) | Value::Blobs(_) => ValueRef::Null,
    })
}

impl Row for rusqlite::Row<'_> {
    fn integer(&self, column: usize) -> Result<i64> {
        self.get_ref(column).map_err(map_error)?.as_i64().map_err(|error| corrupt(&error))
    }

    fn text(&self, column: usize) -> Result<&str> {
        self.get_ref(column).map_err(map_error)?.as_str().map_err(|error| corrupt(&error))
    }

    fn bytes(&self, column: usize) -> Result<&[u8]> {
        self.get_ref(column).map_err(map_error)?.as_blob().map_err(|error| corrupt(&error))
    }

    fn is_null(&self, column: usize) -> bool {
        matches!(self.get_ref(column), Ok(ValueRef::Null))
    }
}

fn corrupt(error: &dyn std::error::Error) -> Error {
    Error::Broken(format!("the database is damaged: {error}"))
}

/// Returns what an error of SQLite means to the domain.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` passes it by value")]
fn map_error(error: rusqlite::Error) -> Error {
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
        _ => Error::Broken(format!("the database refused a statement: {error}")),
    }
}
