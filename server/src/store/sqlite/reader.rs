//! Connections that read, and how they notice that the database has changed.
//!
//! `PRAGMA data_version` differs from its last value on the same connection if any other one, of
//! any process, has committed. Its values on two connections cannot be compared, so they share a
//! count of the changes that any of them has noticed: the generation.
//!
//! What was read in one generation is good in the same one. A reader takes the generation before it
//! looks at the database, and raises it if that has changed. So two readers in one generation have
//! seen the same commits.
//!
//! A change that no commit of this process explains is foreign. It may be made by hand, so that no
//! version in the database tells of it.

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
    own_commits: AtomicU64,
    foreign_changes: AtomicU64,
}

struct Reader {
    connection: Connection,
    /// What it saw last, unless it is new.
    data_version: Option<i64>,
    /// How many commits of this process there were when it saw the last change.
    own_commits: u64,
}

impl Readers {
    pub fn new(path: PathBuf) -> Arc<Self> {
        let count = AtomicU64::default;
        let (generation, own_commits, foreign_changes) = (count(), count(), count());
        Arc::new(Self { path, idle: Mutex::default(), generation, own_commits, foreign_changes })
    }

    /// Counts the commits of the connection that writes.
    pub fn watch(self: &Arc<Self>, writer: &mut Connection) -> Result<()> {
        let readers = Arc::clone(self);
        let count = move || {
            readers.own_commits.fetch_add(1, Ordering::SeqCst);
            // The commit goes on.
            false
        };
        Ok(writer.commit_hook(Some(count))?)
    }

    /// Returns a connection that is not in use, or a new one.
    pub fn lease(self: &Arc<Self>) -> Result<Lease> {
        let idle = self.idle.lock().pop();
        let reader = match idle {
            Some(reader) => reader,
            None => Reader {
                connection: open::connect(&self.path)?,
                data_version: None,
                own_commits: 0,
            },
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
        let Readers { generation, own_commits, foreign_changes, .. } = &*self.readers;
        let number = generation.load(Ordering::SeqCst);
        let pragma = self.prepare_cached("PRAGMA data_version");
        let version = pragma.and_then(|mut pragma| pragma.query_row([], |row| row.get(0))).ok();
        let reader = self.reader.as_mut()?;
        let known = mem::replace(&mut reader.data_version, version);
        let version = version?;
        if known == Some(version) {
            let foreign_changes = foreign_changes.load(Ordering::SeqCst);
            return Some(Generation { number, foreign_changes });
        }
        let own_commits = own_commits.load(Ordering::SeqCst);
        if mem::replace(&mut reader.own_commits, own_commits) == own_commits {
            foreign_changes.fetch_add(1, Ordering::SeqCst);
        }
        let foreign_changes = foreign_changes.load(Ordering::SeqCst);
        let next = number + 1;
        if generation.compare_exchange(number, next, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            // Another reader noticed a change at the same time, which may be a later one.
            generation.fetch_add(1, Ordering::SeqCst);
            return None;
        }
        Some(Generation { number: next, foreign_changes })
    }
}
