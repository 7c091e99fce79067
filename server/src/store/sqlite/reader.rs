//! The pool of connections that read.

use super::super::Result;
use super::super::access_cache::Generation;
use super::commits::Commits;
use super::open;
use crate::clock::Clock;
use parking_lot::Mutex;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;

/// The connections that are not in use.
pub struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    pub commits: Arc<Commits>,
    clock: Arc<Clock>,
}

impl Readers {
    pub fn new(path: PathBuf, commits: Arc<Commits>, clock: Arc<Clock>) -> Arc<Self> {
        Arc::new(Self { path, idle: Mutex::default(), commits, clock })
    }

    fn connect(&self) -> Result<Connection> {
        let connection = open::connect(&self.path)?;
        open::set_clock(&connection, &self.clock)?;
        Ok(connection)
    }

    /// Returns a lease that has no connection yet.
    pub fn lease(self: &Arc<Self>, is_transaction: bool) -> Lease {
        Lease { connection: None, is_transaction, readers: Arc::clone(self) }
    }
}

/// A connection that the first statement takes from the pool. Dropping the lease returns it.
pub struct Lease {
    connection: Option<Connection>,
    pub is_transaction: bool,
    readers: Arc<Readers>,
}

impl Lease {
    /// Returns the connection. The first call begins the transaction, if this is one.
    pub fn connection(&mut self) -> Result<&Connection> {
        if self.connection.is_none() {
            let idle = self.readers.idle.lock().pop();
            let connection = idle.map_or_else(|| self.readers.connect(), Ok)?;
            if self.is_transaction {
                connection.prepare_cached("BEGIN")?.execute([])?;
            }
            self.connection = Some(connection);
        }
        Ok(self.connection.as_ref().expect("it was taken"))
    }

    /// Returns [`Commits::generation`], unless a statement has run.
    pub fn generation(&self) -> Option<Generation> {
        self.connection.is_none().then(|| self.readers.commits.generation())?
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if self.is_transaction {
            let _ = connection.prepare_cached("ROLLBACK").and_then(|mut end| end.execute([]));
        }
        // A connection whose transaction is still open would read an old state.
        if connection.is_autocommit() {
            self.readers.idle.lock().push(connection);
        }
    }
}
