//! Counts foreign commits: those of other processes. Each one invalidates the access cache.
//!
//! Every commit changes the header of the WAL index. This process holds SQLite's write lock from
//! `before_commit` until its own commit is published. If `after_commit` finds that the header
//! counts exactly that commit, no other process has committed. Every other change is foreign. While
//! an own commit may be published but is not counted yet, the generation is unknown.

use super::super::Counts;
use super::super::access_cache::Generation;
use super::wal_index::{self, Header, WalIndex};
use parking_lot::Mutex;
use std::mem;
use std::sync::Arc;

/// The commits of a database since it was opened.
pub struct Commits {
    index: Option<WalIndex>,
    state: Mutex<State>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct State {
    /// The header after the last known commit.
    header: Header,
    is_committing: bool,
    now: Generation,
    /// How many changes share the COMMIT of the open transaction.
    changes: u64,
}

impl State {
    /// Counts a foreign commit if the header has changed.
    fn count_foreign(&mut self, header: Header) {
        if header != self.header {
            self.now.foreign_commits += 1;
            self.header = header;
        }
    }
}

impl Commits {
    pub fn new(index: Option<WalIndex>, counts: Arc<Counts>) -> Self {
        Self { index, state: Mutex::default(), counts }
    }

    /// Returns the state of the database now. Statements after this read the same or a newer one.
    pub fn generation(&self) -> Option<Generation> {
        let index = self.index.as_ref()?;
        let mut state = self.state.lock();
        let header = index.header();
        if state.is_committing && header != state.header {
            return None;
        }
        state.count_foreign(header);
        Some(state.now)
    }

    /// Returns the number of the open write transaction.
    pub fn open_transaction(&self) -> u64 {
        self.state.lock().now.transactions + 1
    }

    pub fn end_transaction(&self) {
        let mut state = self.state.lock();
        state.now.transactions += 1;
        state.changes = 0;
    }

    /// Counts a change of the open transaction.
    pub fn add_change(&self) {
        self.state.lock().changes += 1;
    }

    /// Must be called before an own COMMIT.
    pub fn before_commit(&self) {
        let Some(index) = &self.index else { return };
        let mut state = self.state.lock();
        state.count_foreign(index.header());
        state.is_committing = true;
    }

    /// Must be called after an own COMMIT, with the number of commits that it published, if known.
    pub fn after_commit(&self, published: Option<u32>) {
        let mut state = self.state.lock();
        let changes = mem::take(&mut state.changes);
        if published.is_some() {
            self.counts.commits.record(changes);
        }
        let Some(index) = &self.index else { return };
        let header = index.header();
        let commits = wal_index::commits(&header).wrapping_sub(wal_index::commits(&state.header));
        state.now.foreign_commits += u64::from(published != Some(commits));
        state.header = header;
        state.is_committing = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;
    use tempfile::TempDir;

    /// A database with a connection of this process and one that acts as another process.
    struct Stage {
        commits: Commits,
        own: Connection,
        foreign: Connection,
        _folder: TempDir,
    }

    impl Stage {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let connect = || Connection::open(folder.path().join("a.db")).unwrap();
            let (own, foreign) = (connect(), connect());
            own.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (n)").unwrap();
            let reader = connect();
            reader.execute_batch("SELECT * FROM t").unwrap();
            let commits = Commits::new(WalIndex::of(reader), Arc::default());
            Self { commits, own, foreign, _folder: folder }
        }

        fn foreign_commits(&self) -> u64 {
            self.commits.generation().unwrap().foreign_commits
        }
    }

    fn insert(connection: &Connection) {
        connection.execute("INSERT INTO t VALUES (1)", []).unwrap();
    }

    #[test]
    fn an_own_commit_is_not_foreign_and_until_it_is_counted_the_generation_is_unknown() {
        let stage = Stage::new();
        let before = stage.foreign_commits();
        stage.commits.before_commit();
        assert_eq!(stage.foreign_commits(), before);
        insert(&stage.own);
        assert!(stage.commits.generation().is_none());
        stage.commits.after_commit(Some(1));
        assert_eq!(stage.foreign_commits(), before);
    }

    #[test]
    fn a_foreign_commit_is_counted_before_and_after_an_own_one() {
        let stage = Stage::new();
        let before = stage.foreign_commits();
        insert(&stage.foreign);
        stage.commits.before_commit();
        insert(&stage.own);
        stage.commits.after_commit(Some(1));
        assert_eq!(stage.foreign_commits(), before + 1);
        insert(&stage.foreign);
        assert_eq!(stage.foreign_commits(), before + 2);
    }

    #[test]
    fn a_foreign_commit_right_after_an_own_one_is_counted() {
        for published in [Some(1), Some(0), None] {
            let stage = Stage::new();
            let before = stage.foreign_commits();
            stage.commits.before_commit();
            if published == Some(1) {
                insert(&stage.own);
            }
            insert(&stage.foreign);
            stage.commits.after_commit(published);
            assert_eq!(stage.foreign_commits(), before + 1, "{published:?}");
        }
    }
}
