//! The backend for several servers: PostgreSQL, or an engine that speaks its protocol.
//!
//! Writers run at READ COMMITTED and lock the rows that their change depends on until the commit.
//! Nothing is read from a standby. This module knows statements and rows, not the domain.

mod connection;
mod convert;
mod pool;
mod schema;
mod tls;
mod url;

use super::statement::{Row, Statement, failed_before, sql};
use super::{CheckReport, Error, Result, WriteLock};
use connection::ANSWER_TIMEOUT;
use pool::{Lease, Pool};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use url::Target;

const BEGIN_READING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const BEGIN_WRITING: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// How long a request waits for COMMIT. A synchronous standby can delay COMMIT without limit.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// How much longer than a statement its answer may take.
const ERROR_TIME: Duration = Duration::from_secs(1);

/// A PostgreSQL database and its connection pool.
#[derive(Clone)]
pub struct Postgres {
    pub pool: Arc<Pool>,
    /// The version of the schema before it was upgraded.
    pub upgraded_from: Option<usize>,
}

impl Postgres {
    /// Fails unless the URL can be parsed.
    pub fn check_url(url: &str) -> Result<()> {
        Target::parse(url).map(drop)
    }

    /// Opens an initialised database. If `creates` is true, it initialises an empty one.
    pub async fn open(url: &str, pool: NonZeroUsize, creates: bool) -> Result<Self> {
        let target = Target::parse(url)?;
        let upgraded_from = schema::upgrade(&target, creates).await?;
        Ok(Self { pool: Pool::new(target, pool), upgraded_from })
    }

    /// Returns a session that reads. BEGIN is sent with the first query.
    pub async fn read(&self, is_transaction: bool) -> Result<Session> {
        let begin = is_transaction.then_some(BEGIN_READING);
        Ok(Session::new(self.pool.lease(None).await?, begin))
    }

    /// Returns a session that writes, after the changes that waited longer for the same lock. BEGIN
    /// is sent with the first query.
    pub async fn write(&self, lock: &WriteLock) -> Result<Session> {
        Ok(Session::new(self.pool.lease(Some(lock)).await?, Some(BEGIN_WRITING)))
    }

    /// Checks the version of the schema: PostgreSQL itself checks its files.
    pub async fn check(&self) -> Result<CheckReport> {
        let lease = self.pool.lease(None).await?;
        let version = schema::version(&lease.connection).await?.unwrap_or(0);
        lease.put_back();
        let sound = vec![format!("the schema has version {version}")];
        Ok(CheckReport { sound, faults: Vec::new() })
    }
}

/// One transaction, or one statement without a transaction. Without a lease it has ended.
pub struct Session {
    lease: Option<Lease>,
    /// Is sent before the first statement.
    begin: Option<&'static str>,
    has_begun: bool,
    answer_timeout: Duration,
    commit_timeout: Duration,
}

impl Drop for Session {
    fn drop(&mut self) {
        match self.lease.take() {
            Some(lease) if self.has_begun => lease.roll_back_and_put_back(),
            Some(lease) => lease.put_back(),
            None => {}
        }
    }
}

impl Session {
    fn new(lease: Lease, begin: Option<&'static str>) -> Self {
        let (answer_timeout, commit_timeout) = (ANSWER_TIMEOUT, COMMIT_TIMEOUT);
        Self { lease: Some(lease), begin, has_begun: false, answer_timeout, commit_timeout }
    }

    /// Sets how long the server may take to answer, but not to COMMIT; `None` is without limit, for
    /// both.
    pub fn set_timeouts(&mut self, timeout: Option<Duration>) {
        // The server ends statements itself, and its error needs time.
        self.answer_timeout = timeout.map_or(Duration::MAX, |timeout| timeout + ERROR_TIME);
        if timeout.is_none() {
            self.commit_timeout = Duration::MAX;
        }
    }

    /// Runs statements in one round trip. Returns the rows of the last one, converted by `map`. An
    /// error ends the transaction. A connection that is broken or does not answer is closed.
    pub async fn query<T: Send>(
        &mut self,
        mut statements: Vec<Statement>,
        map: impl FnMut(&dyn Row) -> Result<T> + Send,
    ) -> Result<Vec<T>> {
        if statements.is_empty() {
            return Ok(Vec::new());
        }
        let lease = self.begin_with(&mut statements)?;
        // A dropped request drops the connection too: a statement may be running.
        let answer = timeout(self.answer_timeout, lease.connection.query(&statements, map)).await;
        let answer = answer.unwrap_or_else(|_| {
            Err(Error::Unavailable(format!("no answer within {:?}", self.answer_timeout)))
        });
        match &answer {
            Ok(_) => self.lease = Some(lease),
            // The transaction has failed, but the connection can be used again.
            Err(Error::Exists | Error::Contended(_)) => lease.roll_back_and_put_back(),
            Err(_) => {}
        }
        answer
    }

    /// Runs the statements and COMMIT in one round trip.
    pub async fn commit(mut self, mut statements: Vec<Statement>) -> Result<()> {
        let lease = self.begin_with(&mut statements)?;
        // Neither a dropped request nor the timeout cancels this task. It keeps the connection
        // until the database answers.
        let committing = tokio::spawn(async move {
            let committed = lease.connection.commit(&statements).await;
            if matches!(committed, Ok(()) | Err(Error::Exists | Error::Contended(_))) {
                lease.put_back();
            }
            committed
        });
        match timeout(self.commit_timeout, committing).await {
            Ok(Ok(committed)) => committed,
            Ok(Err(_)) => Err(Error::Unknown("the commit panicked".to_owned())),
            Err(_) => {
                let timeout = self.commit_timeout;
                Err(Error::Unknown(format!("no answer to COMMIT within {timeout:?}")))
            }
        }
    }

    /// Takes the connection, and puts BEGIN before the first statements.
    fn begin_with(&mut self, statements: &mut Vec<Statement>) -> Result<Lease> {
        if let Some(begin) = self.begin.take() {
            statements.insert(0, sql!(begin));
            self.has_begun = true;
        }
        self.lease.take().ok_or_else(failed_before)
    }
}
