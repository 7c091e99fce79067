//! A transaction, or a statement that stands alone, on a connection that reads or the one that writes.

use super::super::connection::{Row, Statement, failed_before};
use super::super::remembered::Generation;
use super::super::{Error, Purpose, Result};
use super::convert::to_sql;
use super::writer::{self, Batch};
use super::{open, reader, run_blocking};
use rusqlite::ErrorCode::{ConstraintViolation, DiskFull};
use rusqlite::ffi::SQLITE_IOERR_WRITE;

/// One transaction, or a statement that stands alone. Without its connection it failed. Dropping it
/// rolls back what was not committed.
pub struct Session(Option<Held>);

pub enum Held {
    Reader(reader::Lease),
    Writer(writer::Lease),
}

impl Session {
    pub fn new(held: Held) -> Self {
        Self(Some(held))
    }

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

pub fn commit(connection: &rusqlite::Connection) -> Result<()> {
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

/// Returns how SQLite runs a statement.
#[cfg(test)]
pub fn plan(statement: &Statement) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orgtokens.db");
    let (connection, ..) = open::open(&path, &path, true).unwrap();
    open::set_clock(&connection, &std::sync::Arc::default()).unwrap();
    let explain = format!("EXPLAIN QUERY PLAN {}", statement.sql);
    let explain = Statement::new(explain, statement.parameters.clone());
    query(&connection, &explain, |row| row.get::<String>(3)).unwrap().join("\n")
}
