//! One transaction, or one statement without a transaction, on a reader or on the writer.

use super::super::access_cache::Generation;
use super::super::statement::{Row, Statement, failed_before};
use super::super::{Error, Purpose, Result};
use super::convert::to_sql;
use super::writer::{self, Batch};
use super::{open, reader, run_blocking};
use rusqlite::ErrorCode::{ConstraintViolation, DiskFull};
use rusqlite::ffi::SQLITE_IOERR_WRITE;

/// One transaction, or one statement without a transaction. Without a lease it has failed. Dropping
/// it rolls back a transaction that was not committed.
pub struct Session(Option<Lease>);

pub enum Lease {
    Reader(reader::Lease),
    Writer(writer::Lease),
}

impl Session {
    pub fn new(lease: Lease) -> Self {
        Self(Some(lease))
    }

    /// Returns the number of the write transaction, if this is one.
    pub fn transaction(&self) -> Option<u64> {
        let Some(Lease::Writer(lease)) = &self.0 else { return None };
        Some(lease.transaction())
    }

    /// Returns the state of the database now, unless this writes or a statement has run. The first
    /// statement reads this state or a newer one.
    pub fn generation(&self) -> Option<Generation> {
        let Some(Lease::Reader(lease)) = &self.0 else { return None };
        lease.generation()
    }

    /// Runs statements. Returns the rows of the last one, converted by `map`.
    pub fn query<T>(
        &mut self,
        statements: &[Statement],
        map: impl FnMut(&dyn Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let connection = match self.0.as_mut().ok_or_else(failed_before)? {
            Lease::Reader(lease) => lease.connection()?,
            Lease::Writer(lease) => lease,
        };
        let Some((last, before)) = statements.split_last() else { return Ok(Vec::new()) };
        for statement in before {
            query(connection, statement, |_| Ok(()))?;
        }
        query(connection, last, map)
    }

    /// Like [`Session::query`], on the blocking pool.
    pub async fn query_blocking<T: Send + 'static>(
        &mut self,
        statements: Vec<Statement>,
        map: fn(&dyn Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        if let Some(Lease::Writer(lease)) = &mut self.0 {
            lease.is_bulk = true;
        }
        let mut session = Self(self.0.take());
        let work = move || session.query(&statements, map).map(|found| (session, found));
        let (session, found) = run_blocking(work).await?;
        *self = session;
        Ok(found)
    }

    /// Returns the batch of this change, unless its COMMIT is not shared.
    pub fn batch(&self, purpose: Purpose) -> Option<Batch> {
        let Some(Lease::Writer(lease)) = &self.0 else { return None };
        lease.batch(purpose)
    }

    pub async fn commit(mut self, statements: Vec<Statement>) -> Result<()> {
        // A bulk change also writes many audit entries.
        if matches!(&self.0, Some(Lease::Writer(lease)) if lease.is_bulk) {
            self.query_blocking(statements, |_| Ok(())).await?;
        } else {
            self.query(&statements, |_| Ok(()))?;
        }
        let Some(Lease::Writer(lease)) = self.0.take() else { return Err(failed_before()) };
        lease.commit().await
    }
}

/// Commits, and makes sure that a failed commit stays undone.
pub fn commit(connection: &rusqlite::Connection) -> Result<()> {
    let committed = connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
    let Err(error) = committed else { return Ok(()) };
    match error.sqlite_error().map(|failure| (failure.code, failure.extended_code)) {
        // The WAL has no complete commit.
        Some((ConstraintViolation | DiskFull, _) | (_, SQLITE_IOERR_WRITE)) => Err(error.into()),
        // The WAL has the commit, but it may not be synced: readers do not see the change, but a
        // crash could bring it back. Another commit overwrites it.
        _ => match open::write_application_id(connection) {
            Ok(()) => Err(error.into()),
            Err(_) => Err(Error::Unknown(format!("COMMIT failed: {error}"))),
        },
    }
}

pub fn query<T>(
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

/// Returns the query plan of a statement.
#[cfg(test)]
pub fn plan(statement: &Statement) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orgtokens.db");
    let connection = open::open(&path, &path, true).unwrap().writer;
    open::set_clock(&connection, &std::sync::Arc::default()).unwrap();
    let explain = format!("EXPLAIN QUERY PLAN {}", statement.sql);
    let explain = Statement::new(explain, statement.parameters.clone());
    query(&connection, &explain, |row| row.get::<String>(3)).unwrap().join("\n")
}
