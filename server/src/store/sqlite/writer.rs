//! The connection that writes, and the batches in which changes share a sync.
//!
//! Changes take turns at the connection. The first one begins a transaction, those that waited
//! behind it add theirs, each in a savepoint, and one COMMIT answers all of them. A task of its own
//! runs it: a request may be dropped. A batch that failed for certain is undone, and each of its
//! changes runs again alone.

use super::super::{Error, Purpose, Result};
use super::commits::Commits;
use super::run_blocking;
use super::session::commit;
use rusqlite::Connection;
use rusqlite::ErrorCode::DatabaseBusy;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedRwLockReadGuard, RwLock, watch};
use tokio::time::{Instant, sleep, timeout_at};

/// How long a change waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it waits before it asks again if another process writes.
const BUSY_WAIT: Duration = Duration::from_millis(10);

/// What a COMMIT has led to, once it has.
type Outcome = watch::Receiver<Option<Result<()>>>;

/// The connection that writes.
pub struct Writer(Arc<Mutex<State>>);

struct State {
    connection: Connection,
    commits: Arc<Commits>,
    /// How many rows were changed before the open transaction.
    changed_before: u64,
    /// What a transaction is open for, unless one change runs alone.
    batch: Option<OpenBatch>,
}

/// The changes of an open transaction.
struct OpenBatch {
    outcome: watch::Sender<Option<Result<()>>>,
    revocations: Arc<RwLock<()>>,
    is_shared: bool,
}

impl OpenBatch {
    fn new() -> Self {
        Self { outcome: watch::Sender::new(None), revocations: Arc::default(), is_shared: false }
    }

    fn end(self, outcome: Result<()>) {
        self.outcome.send_replace(Some(match outcome {
            // It may be the fault of any of them.
            Err(error) if self.is_shared && !matches!(error, Error::Unknown(_)) => {
                Err(Error::Contended(format!("changes that shared its COMMIT failed: {error}")))
            }
            outcome => outcome,
        }));
    }
}

/// The batch that a change is part of. A revocation keeps the others from running again before it
/// does.
pub struct Batch {
    outcome: Outcome,
    revocations: Arc<RwLock<()>>,
    is_revocation: Option<OwnedRwLockReadGuard<()>>,
}

impl Batch {
    /// Waits until what its changes have read and written is durable.
    ///
    /// # Errors
    /// [`Error::Contended`] if nothing was changed and each must run again alone. Other errors are
    /// final.
    pub async fn committed(&self) -> Result<()> {
        committed(self.outcome.clone()).await
    }

    /// Waits until the revocations of a batch that failed have run again.
    pub async fn turn(&self) {
        if self.is_revocation.is_none() {
            drop(self.revocations.write().await);
        }
    }
}

async fn committed(mut outcome: Outcome) -> Result<()> {
    let ended = outcome.wait_for(Option::is_some).await;
    let outcome = ended.ok().and_then(|outcome| outcome.clone());
    outcome.unwrap_or_else(|| Err(Error::Unknown("the COMMIT broke off".to_owned())))
}

impl Writer {
    pub fn new(connection: Connection, commits: Arc<Commits>) -> Self {
        let state = State { connection, commits, changed_before: 0, batch: None };
        Self(Arc::new(state.into()))
    }

    pub fn is_busy(&self) -> bool {
        self.0.try_lock().is_err()
    }

    /// Begins a change when it is its turn and `prepare` succeeds.
    pub async fn begin(
        &self,
        is_alone: bool,
        prepare: impl FnOnce() -> Result<()>,
    ) -> Result<Lease> {
        let deadline = Instant::now() + TURN_TIMEOUT;
        let turn = async {
            if is_alone { self.alone().await } else { Ok(Arc::clone(&self.0).lock_owned().await) }
        };
        let mut state = timeout_at(deadline, turn).await.map_err(|_| {
            Error::Unavailable(format!("other changes took longer than {TURN_TIMEOUT:?}"))
        })??;
        prepare()?;
        if let State { connection, batch: Some(batch), .. } = &mut *state {
            run(connection, "SAVEPOINT change")?;
            batch.is_shared = true;
            return Ok(Lease::new(state, true));
        }
        let mut state = begin_immediate(state, deadline).await?;
        state.batch = (!is_alone).then(OpenBatch::new);
        Ok(Lease::new(state, false))
    }

    /// Runs `work` on the connection, outside a transaction.
    pub async fn between_changes(&self, work: impl FnOnce(&Connection)) {
        if let Ok(state) = self.alone().await {
            work(&state.connection);
        }
    }

    /// Returns the connection after the COMMIT of the open batch.
    async fn alone(&self) -> Result<OwnedMutexGuard<State>> {
        let mut state = Arc::clone(&self.0).lock_owned().await;
        if state.batch.is_none() {
            return Ok(state);
        }
        let commit = move || {
            if let Some((batch, outcome)) = state.commit_batch() {
                batch.end(outcome);
            }
            Ok(state)
        };
        run_blocking(commit).await
    }
}

impl State {
    /// Commits the open batch, and returns it with its outcome.
    fn commit_batch(&mut self) -> Option<(OpenBatch, Result<()>)> {
        let batch = self.batch.take()?;
        let outcome = self.commit();
        self.end();
        Some((batch, outcome))
    }

    fn commit(&self) -> Result<()> {
        self.commits.begin();
        let committed = commit(&self.connection);
        // Without a change SQLite publishes nothing.
        let is_changed = self.connection.total_changes() != self.changed_before;
        self.commits.end(committed.is_ok().then_some(is_changed.into()));
        committed
    }

    /// Ends a transaction, and rolls back what was not committed. If even this fails, the next BEGIN
    /// says so.
    fn end(&self) {
        if !self.connection.is_autocommit() {
            let _ = run(&self.connection, "ROLLBACK");
        }
        self.commits.end_transaction();
    }

    /// Undoes one change of a batch. It fails if the whole transaction has ended.
    fn undo_savepoint(&self) -> rusqlite::Result<()> {
        run(&self.connection, "ROLLBACK TO change")?;
        run(&self.connection, "RELEASE change")
    }
}

/// Commits a batch after the changes that wait for their turn now.
async fn commit_batch(state: Arc<Mutex<State>>, outcome: Outcome) {
    // Requests that have arrived get in line first: measured, that takes a third of the syncs.
    tokio::task::yield_now().await;
    let mut state = state.lock_owned().await;
    // It may have failed before, or was committed to let a change run alone.
    if outcome.borrow().is_some() {
        return;
    }
    let commit = move || {
        let committed = state.commit_batch();
        // After the answer, someone may open or remove the file.
        drop(state);
        if let Some((batch, outcome)) = committed {
            batch.end(outcome);
        }
        Ok(())
    };
    // If it breaks off, so does the batch.
    let _ = run_blocking(commit).await;
}

/// The connection, for the time of one change. Dropping it undoes the change.
pub struct Lease {
    state: OwnedMutexGuard<State>,
    is_in_savepoint: bool,
    /// Whether it has changed many rows.
    pub is_long: bool,
    is_done: bool,
}

impl Lease {
    fn new(state: OwnedMutexGuard<State>, is_in_savepoint: bool) -> Self {
        Self { state, is_in_savepoint, is_long: false, is_done: false }
    }
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.state.connection
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.is_done || self.is_in_savepoint && self.state.undo_savepoint().is_ok() {
            return;
        }
        self.state.end();
        if let Some(batch) = self.state.batch.take() {
            let undone = || Error::Contended("a change in the same batch failed".to_owned());
            // The first change of a batch shared it with no other one.
            batch.end(if self.is_in_savepoint { Err(undone()) } else { Ok(()) });
        }
    }
}

impl Lease {
    pub fn transaction(&self) -> u64 {
        self.state.commits.open_transaction()
    }

    /// Returns the batch that this is part of, unless it runs alone.
    pub fn batch(&self, purpose: Purpose) -> Option<Batch> {
        let OpenBatch { outcome, revocations, .. } = self.state.batch.as_ref()?;
        let revocations = Arc::clone(revocations);
        let is_revocation = (purpose == Purpose::Revocation)
            .then(|| Arc::clone(&revocations).try_read_owned().ok())
            .flatten();
        Some(Batch { outcome: outcome.subscribe(), revocations, is_revocation })
    }

    /// Makes the change durable, together with those that wait for their turn now.
    pub async fn commit(mut self) -> Result<()> {
        self.state.commits.add_change();
        let Some(batch) = &self.state.batch else {
            return run_blocking(move || self.state.commit()).await;
        };
        let outcome = batch.outcome.subscribe();
        if self.is_in_savepoint {
            run(&self, "RELEASE change")?;
        } else {
            let state = Arc::clone(OwnedMutexGuard::mutex(&self.state));
            tokio::spawn(commit_batch(state, outcome.clone()));
        }
        self.is_done = true;
        drop(self);
        committed(outcome).await
    }
}

/// Begins a transaction. Other processes write too: this waits here, not in the middle, and not on
/// the thread.
async fn begin_immediate(
    mut state: OwnedMutexGuard<State>,
    deadline: Instant,
) -> Result<OwnedMutexGuard<State>> {
    while let Err(error) = run(&state.connection, "BEGIN IMMEDIATE") {
        if error.sqlite_error_code() != Some(DatabaseBusy) || Instant::now() >= deadline {
            return Err(error.into());
        }
        sleep(BUSY_WAIT).await;
    }
    state.changed_before = state.connection.total_changes();
    Ok(state)
}

fn run(connection: &Connection, statement: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute([]).map(drop)
}
