//! Tells the commits of this process from those of others.
//!
//! Every commit moves the header of the WAL index. Between `begin` and `end` this process has
//! SQLite's write lock until its own commit is published. If it then counts one commit and the header
//! one more, no other came in behind it. Any other move is foreign. While an own commit may be
//! published but was not counted yet, no generation can be told.

use super::super::remembered::Generation;
use super::wal_index::{self, Header, WalIndex};
use parking_lot::Mutex;

/// The commits of a database since it was opened.
pub struct Commits {
    index: Option<WalIndex>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The header after the last known commit.
    header: Header,
    is_committing: bool,
    now: Generation,
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
    pub fn new(index: Option<WalIndex>) -> Self {
        Self { index, state: Mutex::default() }
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

    /// Returns the number of the open transaction of this process.
    pub fn open_transaction(&self) -> u64 {
        self.state.lock().now.transactions + 1
    }

    /// Counts an own transaction that has ended.
    pub fn end_transaction(&self) {
        self.state.lock().now.transactions += 1;
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
        let Some(index) = &self.index else { return };
        let mut state = self.state.lock();
        let header = index.header();
        let commits = wal_index::commits(&header).wrapping_sub(wal_index::commits(&state.header));
        state.now.foreign_commits += u64::from(published != Some(commits));
        state.header = header;
        state.is_committing = false;
    }
}
