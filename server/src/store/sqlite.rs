//! The embedded backend: one SQLite file, called directly on the worker threads.
//!
//! One connection writes, in turns; each read has a connection of its own and sees the last commit.
//! Commits are synced (`synchronous=FULL`). It knows statements and rows, nothing of the domain.

mod backup;
mod commits;
mod files;
mod open;
mod reader;
mod reserve;
mod wal_index;
mod writer;

use super::connection::{Column, Row, Statement, Value, corrupt, failed_before, sql};
use super::remembered::Generation;
use super::{CheckReport, Counts, Error, Intent, Purpose, Result, broken};
use crate::clock::Clock;
use commits::Commits;
use reader::Readers;
use reserve::Reserve;
use rusqlite::ErrorCode::{
    CannotOpen, ConstraintViolation, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull,
    NotADatabase, ReadOnly, SystemIoFailure,
};
use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE, SQLITE_IOERR_WRITE};
use rusqlite::types::{ToSqlOutput, ValueRef};
use scopeguard::guard;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use tempfile::TempDir;
use tokio::sync::oneshot;
use wal_index::WalIndex;
pub use writer::Batch;
use writer::Writer;

/// An open database file.
pub struct Sqlite {
    path: PathBuf,
    /// Tells the file from another one that has its path later.
    file_id: files::FileId,
    pub writer: Writer,
    /// Whether everything was checked for damage when this opened.
    is_checked: bool,
    pub readers: Arc<Readers>,
    /// Is dropped after the connections: closing them frees the space of their files.
    pub reserve: Reserve,
    /// Holds the copy of a database that may only be read, and is removed last.
    _copy: Option<TempDir>,
}

impl Sqlite {
    pub async fn open(
        path: &str,
        intent: Intent,
        counts: Arc<Counts>,
        clock: Arc<Clock>,
    ) -> Result<Self> {
        let name = PathBuf::from(path);
        // The check for damage and migrations may take long.
        run_blocking(move || {
            let (path, copy) = match intent {
                Intent::Read => files::copy_unless_writable(&name)?,
                Intent::Change | Intent::Create => (name.clone(), None),
            };
            let reserve = Reserve::for_database(&path);
            let open = || open::open(&path, &name, intent == Intent::Create);
            let opened = open().or_else(|error| match error {
                // The other files of a database need room, unless a process has it open.
                Error::Full(_) => {
                    reserve.release();
                    open()
                }
                error => Err(error),
            });
            let (connection, is_checked) = opened?;
            open::set_clock(&connection, &clock)?;
            open::raise(&connection, &clock)?;
            let commits = Arc::new(Commits::new(WalIndex::of(open::connect(&path)?), counts));
            let readers = Readers::new(path.clone(), Arc::clone(&commits), clock);
            let writer = Writer::new(connection, commits);
            let file_id = files::file_id(&path)?;
            Ok(Self { path, file_id, writer, is_checked, readers, reserve, _copy: copy })
        })
        .await
    }

    /// Begins to read. BEGIN goes out with the first query.
    pub fn read(&self, is_transaction: bool) -> Session {
        Session(Some(Held::Reader(self.readers.lease(is_transaction))))
    }

    pub async fn write(&self, purpose: Purpose, is_alone: bool) -> Result<Session> {
        let prepare = || match purpose {
            Purpose::Change => self.reserve.hold(),
            Purpose::Revocation => Ok(()),
        };
        Ok(Session(Some(Held::Writer(self.writer.begin(is_alone, prepare).await?))))
    }

    pub async fn release_reserve(&self) {
        let release = |connection: &rusqlite::Connection| {
            self.reserve.release();
            // A checkpoint lets the log of changes start over, so that it needs no room but its own.
            let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        };
        self.writer.between_changes(release).await;
    }

    pub async fn back_up(&self, target: &Path) -> Result<()> {
        let (path, target) = (self.path.clone(), target.to_owned());
        run_blocking(move || backup::back_up(&open::connect(&path)?, &target)).await
    }

    /// Goes on with the check for damage, unless it was finished when this opened. Dropping the future
    /// ends it.
    pub async fn find_damage(&self) -> Result<()> {
        if self.is_checked {
            return Ok(());
        }
        let connection = open::connect(&self.path)?;
        let _ends = guard(connection.get_interrupt_handle(), |check| check.interrupt());
        let (sender, found) = oneshot::channel();
        thread::spawn(move || {
            // Requests come first. On Linux this is about the thread alone.
            let _ = rustix::process::nice(5);
            sender.send(open::find_damage(&connection))
        });
        found.await.unwrap_or_else(|_| Err(broken("the check for damage broke off")))
    }

    /// Fails unless the file is where it was and can be read. No worker thread waits for that.
    pub async fn require_ready(&self) -> Result<()> {
        if files::file_id(&self.path).ok() != Some(self.file_id) {
            return Err(broken(format!(
                "{} is not the file that was opened: stop the server, put the file and its -wal back, \
                 and start it again",
                self.path.display()
            )));
        }
        let ask = sql!("SELECT 1 FROM organizations LIMIT 1");
        self.read(false).query_blocking(vec![ask], |_| Ok(())).await.map(drop)
    }

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
    done.map_err(|error| broken(error.to_string()))?
}

fn folder(file: &Path) -> &Path {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Returns the path of a file next to a database.
fn companion(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// One transaction, or a statement that stands alone. Without its connection it failed. Dropping it
/// rolls back what was not committed.
pub struct Session(Option<Held>);

enum Held {
    Reader(reader::Lease),
    Writer(writer::Lease),
}

impl Session {
    /// Returns the number of the transaction that this writes in.
    pub fn writing(&self) -> Option<u64> {
        let Some(Held::Writer(lease)) = &self.0 else { return None };
        Some(lease.transaction())
    }

    /// Returns the state of the database now, unless this writes or has read before. What its first
    /// statement reads is at least as new.
    pub fn generation(&self) -> Option<Generation> {
        let Some(Held::Reader(lease)) = &self.0 else { return None };
        lease.generation()
    }

    /// Runs statements, and returns what `map` makes of the rows of the last one.
    pub fn query<T>(
        &mut self,
        statements: &[Statement],
        map: impl FnMut(&dyn Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let connection = match self.0.as_mut().ok_or_else(failed_before)? {
            Held::Reader(lease) => lease.connection()?,
            Held::Writer(lease) => lease,
        };
        let Some((last, before)) = statements.split_last() else { return Ok(Vec::new()) };
        for statement in before {
            query(connection, statement, |_| Ok(()))?;
        }
        query(connection, last, map)
    }

    pub async fn query_blocking<T: Send + 'static>(
        &mut self,
        statements: Vec<Statement>,
        map: fn(&dyn Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        if let Some(Held::Writer(lease)) = &mut self.0 {
            lease.is_long = true;
        }
        let mut session = Self(self.0.take());
        let work = move || session.query(&statements, map).map(|found| (session, found));
        let (session, found) = run_blocking(work).await?;
        *self = session;
        Ok(found)
    }

    /// Returns the batch that this writes in, unless it writes alone.
    pub fn batch(&self, purpose: Purpose) -> Option<Batch> {
        let Some(Held::Writer(lease)) = &self.0 else { return None };
        lease.batch(purpose)
    }

    pub async fn commit(mut self, statements: Vec<Statement>) -> Result<()> {
        // A change of many rows has as many audit entries.
        if matches!(&self.0, Some(Held::Writer(lease)) if lease.is_long) {
            self.query_blocking(statements, |_| Ok(())).await?;
        } else {
            self.query(&statements, |_| Ok(()))?;
        }
        let Some(Held::Writer(lease)) = self.0.take() else { return Err(failed_before()) };
        lease.commit().await
    }
}

fn commit(connection: &rusqlite::Connection) -> Result<()> {
    let committed = connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
    let Err(error) = committed else { return Ok(()) };
    match error.sqlite_error().map(|failure| (failure.code, failure.extended_code)) {
        // The log has no whole commit.
        Some((ConstraintViolation | DiskFull, _) | (_, SQLITE_IOERR_WRITE)) => Err(error.into()),
        // It has, but perhaps not on the disk: a crash would bring the change back that no one sees
        // now. The next commit overwrites it.
        _ => match open::write_application_id(connection) {
            Ok(()) => Err(error.into()),
            Err(_) => Err(Error::Unknown(format!("COMMIT failed: {error}"))),
        },
    }
}

fn query<T>(
    connection: &rusqlite::Connection,
    statement: &Statement,
    mut map: impl FnMut(&dyn Row) -> Result<T>,
) -> Result<Vec<T>> {
    let mut prepared = connection.prepare_cached(&statement.sql)?;
    for (index, value) in (1..).zip(&statement.parameters) {
        debug_assert_eq!(prepared.parameter_name(index), Some(format!("${index}").as_str()));
        prepared.raw_bind_parameter(index, to_sql(value))?;
    }
    let mut rows = prepared.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(map(row)?);
    }
    Ok(found)
}

/// Returns how SQLite runs a statement.
#[cfg(test)]
pub fn plan(statement: &Statement) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orgtokens.db");
    let (connection, _) = open::open(&path, &path, true).unwrap();
    open::set_clock(&connection, &Arc::default()).unwrap();
    let explain = format!("EXPLAIN QUERY PLAN {}", statement.sql);
    let explain = Statement::new(explain, statement.parameters.clone());
    query(&connection, &explain, |row| row.get::<String>(3)).unwrap().join("\n")
}

fn to_sql(value: &Value) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match value {
        Value::Integer(value) => ValueRef::Integer(*value),
        Value::Text(value) => ValueRef::Text(value.as_bytes()),
        Value::Bytes(value) => ValueRef::Blob(value),
        // SQLite has no arrays.
        Value::Null | Value::Texts(_) | Value::Hashes(_) => ValueRef::Null,
    })
}

impl Row for rusqlite::Row<'_> {
    fn column(&self, index: usize) -> Result<Column<'_>> {
        let value = self.get_ref(index)?;
        Ok(match value {
            ValueRef::Integer(value) => Column::Integer(value),
            ValueRef::Blob(value) => Column::Bytes(value),
            ValueRef::Null => Column::Null,
            ValueRef::Text(_) | ValueRef::Real(_) => {
                Column::Text(value.as_str().map_err(|_| corrupt(index))?)
            }
        })
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let message = error.to_string();
        match error.sqlite_error().map(|failure| (failure.code, failure.extended_code)) {
            Some((_, SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY)) => Self::Exists,
            Some((DatabaseBusy | DatabaseLocked, _)) => {
                Self::Unavailable(format!("another process has locked it ({message})"))
            }
            Some((ReadOnly, _)) => Self::Unavailable(message),
            Some((DiskFull | SystemIoFailure | CannotOpen, _)) => Self::Full(message),
            Some((DatabaseCorrupt, _)) => open::corrupt(&error),
            Some((NotADatabase, _)) => {
                broken(format!("it is no database of this program ({message}): name another file"))
            }
            _ => Self::Broken(format!("the database refused a statement: {message}")),
        }
    }
}
