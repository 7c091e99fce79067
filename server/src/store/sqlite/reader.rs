//! Connections that read, and how they notice that the database has changed.
//!
//! `PRAGMA data_version` differs from its last value on the same connection if any other one, of
//! any process, has committed. Its values on two connections cannot be compared, so they share a
//! count of the changes that any of them has noticed: the generation.
//!
//! What was read in one generation is good in the same one. A reader takes the generation before it
//! looks at the database, and raises it if that has changed. So two readers in one generation have
//! seen the same commits.

use super::super::Result;
use super::super::remembered::Generation;
use super::open;
use parking_lot::Mutex;
use rusqlite::Connection;
use std::mem;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The connections of a database that are not in use.
pub struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Reader>>,
    generation: AtomicU64,
}

struct Reader {
    connection: Connection,
    /// What it saw last, unless it is new.
    data_version: Option<i64>,
}

impl Readers {
    pub fn new(path: PathBuf) -> Arc<Self> {
        Arc::new(Self { path, idle: Mutex::default(), generation: AtomicU64::new(0) })
    }

    /// Returns a connection that is not in use, or a new one.
    pub fn lease(self: &Arc<Self>) -> Result<Lease> {
        let idle = self.idle.lock().pop();
        let reader = match idle {
            Some(reader) => reader,
            None => Reader { connection: open::connect(&self.path)?, data_version: None },
        };
        Ok(Lease { reader: Some(reader), readers: Arc::clone(self) })
    }
}

/// A connection in use. Dropping it gives it back.
pub struct Lease {
    /// Is there until the drop.
    reader: Option<Reader>,
    readers: Arc<Readers>,
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.reader.as_ref().expect("it is taken by the drop alone").connection
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // One that could not end its transaction would still see an old state.
        if let Some(reader) = self.reader.take().filter(|reader| reader.connection.is_autocommit())
        {
            self.readers.idle.lock().push(reader);
        }
    }
}

impl Lease {
    /// Returns the generation of what this connection sees, unless others raise it at the same time.
    /// Inside a transaction it is that of its snapshot.
    pub fn generation(&mut self) -> Option<Generation> {
        let shared = &self.readers.generation;
        let generation = shared.load(Ordering::SeqCst);
        let pragma = self.prepare_cached("PRAGMA data_version");
        let version = pragma.and_then(|mut pragma| pragma.query_row([], |row| row.get(0))).ok();
        let reader = self.reader.as_mut()?;
        let known = mem::replace(&mut reader.data_version, version);
        let version = version?;
        if known == Some(version) {
            return Some(generation);
        }
        let next = generation + 1;
        let raised = shared.compare_exchange(generation, next, Ordering::SeqCst, Ordering::SeqCst);
        raised.map(|_| next).map_err(|_| shared.fetch_add(1, Ordering::SeqCst)).ok()
    }
}
