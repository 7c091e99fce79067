//! Tells the commits of this process from those of others.
//!
//! Every commit moves the header of the WAL index. Between `begin` and `end` this process has
//! SQLite's write lock until its own commit is published. If it then counts one commit and the header
//! one more, no other came in behind it. Any other move is foreign. While an own commit may be
//! published but was not counted yet, no generation can be told.

use super::super::Counts;
use super::super::remembered::Generation;
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
    /// How many changes wait for the COMMIT of the open transaction.
    changes: u64,
}

impl State {
    /// Notes that another process has committed, unless the header is the known one.
    fn compare(&mut self, header: Header) {
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

    /// Returns the state of the database now. What is read after this is at least as new.
    pub fn generation(&self) -> Option<Generation> {
        let index = self.index.as_ref()?;
        let mut state = self.state.lock();
        let header = index.header();
        if state.is_committing && header != state.header {
            return None;
        }
        state.compare(header);
        Some(state.now)
    }

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

    /// Goes before an own COMMIT.
    pub fn begin(&self) {
        let Some(index) = &self.index else { return };
        let mut state = self.state.lock();
        state.compare(index.header());
        state.is_committing = true;
    }

    /// Goes after an own COMMIT, which has published so many commits if that is known.
    pub fn end(&self, published: Option<u32>) {
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

    /// A database in a file with an own and a foreign connection.
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
    fn an_own_commit_is_not_foreign_and_no_generation_is_told_until_it_is_counted() {
        let stage = Stage::new();
        let before = stage.foreign_commits();
        stage.commits.begin();
        assert_eq!(stage.foreign_commits(), before);
        insert(&stage.own);
        assert!(stage.commits.generation().is_none());
        stage.commits.end(Some(1));
        assert_eq!(stage.foreign_commits(), before);
    }

    #[test]
    fn a_foreign_commit_is_noticed_before_and_after_an_own_one() {
        let stage = Stage::new();
        let before = stage.foreign_commits();
        insert(&stage.foreign);
        stage.commits.begin();
        insert(&stage.own);
        stage.commits.end(Some(1));
        assert_eq!(stage.foreign_commits(), before + 1);
        insert(&stage.foreign);
        assert_eq!(stage.foreign_commits(), before + 2);
    }

    #[test]
    fn a_foreign_commit_right_behind_an_own_one_is_noticed() {
        for published in [Some(1), Some(0), None] {
            let stage = Stage::new();
            let before = stage.foreign_commits();
            stage.commits.begin();
            if published == Some(1) {
                insert(&stage.own);
            }
            insert(&stage.foreign);
            stage.commits.end(published);
            assert_eq!(stage.foreign_commits(), before + 1, "{published:?}");
        }
    }
}
