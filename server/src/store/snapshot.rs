//! [`Snapshot`] and [`Transaction`], and how they run statements. Their functions for the domain
//! are in the other modules of the store.

use super::access_cache::{AccessCache, Invalidation};
use super::statement::{Row, Statement, sql};
use super::{Purpose, Result, Store, postgres, sqlite};
use crate::metrics::{Counter, Histogram};
use derive_more::{Deref, DerefMut};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

/// The bounds of the histogram of the changes that share a commit.
const BATCH_SIZES: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128];

/// How many statements are sent together with COMMIT, which has a short timeout. A cascade of more than
/// 100,000 tokens has more.
const SENT_WITH_COMMIT: usize = 4;

/// How much work a store has done. BEGIN, COMMIT, ROLLBACK and savepoints are not counted.
#[derive(Debug)]
pub struct Counts {
    /// How many statements ran.
    pub statements: Counter,
    /// How often a request waited for PostgreSQL, or called SQLite.
    pub round_trips: Counter,
    /// The commits, by the number of changes in each.
    pub commits: Histogram,
    /// How many expired tokens were removed.
    pub swept_tokens: Counter,
    /// How often the removal of expired tokens failed.
    pub failed_sweeps: Counter,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            statements: Counter::default(),
            round_trips: Counter::default(),
            commits: Histogram::new(BATCH_SIZES),
            swept_tokens: Counter::default(),
            failed_sweeps: Counter::default(),
        }
    }
}

impl Counts {
    /// Counts a round trip with this number of statements.
    pub(super) fn add(&self, statements: usize) {
        self.statements.add(statements as u64);
        self.round_trips.add(1);
    }
}

/// One session of either backend. Dropping it rolls back.
pub(super) enum Connection {
    Sqlite(sqlite::Session),
    Postgres(Box<postgres::Session>),
}

impl Connection {
    /// Returns whether several transactions write at once, and each query is a round trip.
    pub(super) fn is_postgres(&self) -> bool {
        self.sqlite().is_none()
    }

    pub(super) fn sqlite(&self) -> Option<&sqlite::Session> {
        let Self::Sqlite(session) = self else { return None };
        Some(session)
    }
}

/// A consistent view of the database, for reading.
#[derive(derive_more::Debug)]
#[debug("Snapshot(..)")]
pub struct Snapshot {
    pub(super) connection: Connection,
    /// Statements that are sent with the next query, or with COMMIT.
    pending: Vec<Statement>,
    counts: Arc<Counts>,
    pub(super) access_cache: Arc<AccessCache>,
}

impl Snapshot {
    pub(super) fn new(connection: Connection, store: &Store) -> Self {
        let (counts, access_cache) = (Arc::clone(&store.counts), Arc::clone(&store.access_cache));
        Self { connection, pending: Vec::new(), counts, access_cache }
    }

    pub(super) async fn first<T: Send>(
        &mut self,
        statement: Statement,
        map: impl FnMut(&dyn Row) -> Result<T> + Send,
    ) -> Result<Option<T>> {
        Ok(self.all(statement, map).await?.into_iter().next())
    }

    pub(super) async fn all<T: Send>(
        &mut self,
        statement: Statement,
        map: impl FnMut(&dyn Row) -> Result<T> + Send,
    ) -> Result<Vec<T>> {
        self.pending.push(statement);
        let statements = self.take_pending();
        match &mut self.connection {
            Connection::Sqlite(session) => session.query(&statements, map),
            // Boxed, so that it takes no space in futures that read from SQLite.
            Connection::Postgres(session) => Box::pin(session.query(statements, map)).await,
        }
    }

    /// Sets the timeouts of this transaction on PostgreSQL: of each answer but that to COMMIT, and of
    /// pauses between statements. `None` turns them off, that of COMMIT too.
    pub fn set_timeouts(&mut self, timeout: Option<Duration>) {
        if let Connection::Postgres(session) = &mut self.connection {
            session.set_timeouts(timeout);
            let milliseconds = timeout.map_or(0, |timeout| timeout.as_millis()).to_string();
            let set = "SELECT set_config(name, $1, true) FROM unnest(ARRAY['statement_timeout',
                 'idle_in_transaction_session_timeout']) AS name";
            self.pending.push(sql!(set, milliseconds));
        }
    }

    /// Takes the statements that are sent now. Counts them, and invalidates cache entries.
    fn take_pending(&mut self) -> Vec<Statement> {
        let invalidations = self.pending.iter().map(|statement| statement.invalidation);
        for invalidation in invalidations.filter(|it| *it != Invalidation::Nothing) {
            let transaction = match self.connection.sqlite() {
                Some(session) => session.transaction(),
                None => Some(self.access_cache.next_change()),
            };
            if let Some(transaction) = transaction {
                self.access_cache.invalidate(invalidation, transaction);
            }
        }
        self.counts.add(self.pending.len());
        mem::take(&mut self.pending)
    }
}

/// A transaction that may write. Its changes are sent with its next query or with COMMIT, which
/// then returns their errors. Dropping it rolls everything back.
#[derive(Debug, Deref, DerefMut)]
pub struct Transaction(pub(super) Snapshot);

impl Transaction {
    /// Commits: makes every change durable. It returns after the sync, and cannot be cancelled.
    ///
    /// # Errors
    /// The errors of changes that were not sent before; nothing is changed then. After
    /// [`super::Error::Unknown`] the changes may be committed nevertheless.
    pub async fn commit(mut self) -> Result<()> {
        if self.0.connection.is_postgres() && self.0.pending.len() > SENT_WITH_COMMIT {
            self.flush().await?;
        }
        let statements = self.0.take_pending();
        match self.0.connection {
            Connection::Sqlite(session) => session.commit(statements).await,
            Connection::Postgres(session) => {
                session.commit(statements).await?;
                self.0.counts.commits.record(1);
                Ok(())
            }
        }
    }

    /// Returns the batch of changes that share the COMMIT, if there is one.
    pub(crate) fn batch(&self, purpose: Purpose) -> Option<sqlite::Batch> {
        self.0.connection.sqlite()?.batch(purpose)
    }

    pub(super) fn execute(&mut self, statement: Statement) {
        self.0.pending.push(statement);
    }

    /// Adds a lock, on PostgreSQL. SQLite has one writer.
    pub(super) fn lock(&mut self, statement: Statement) {
        if self.0.connection.is_postgres() {
            self.0.pending.push(statement);
        }
    }

    /// Sends the changes and locks that were added.
    pub async fn flush(&mut self) -> Result<()> {
        self.run_many(|_| Ok(())).await.map(drop)
    }

    /// Runs a statement that changes many rows. It blocks no worker thread.
    pub(super) async fn execute_bulk<T: Send + 'static>(
        &mut self,
        statement: Statement,
        map: fn(&dyn Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.execute(statement);
        self.run_many(map).await
    }

    async fn run_many<T: Send + 'static>(
        &mut self,
        map: fn(&dyn Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let statements = self.0.take_pending();
        match &mut self.0.connection {
            Connection::Sqlite(session) => session.query_blocking(statements, map).await,
            Connection::Postgres(session) => session.query(statements, map).await,
        }
    }
}
