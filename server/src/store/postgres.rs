//! The backend for several servers: PostgreSQL, or an engine that speaks its protocol.
//!
//! Writers run at READ COMMITTED under the row locks that the changes of the domain take, so what a
//! change was decided on stays true until its commit. Nothing is cached, and nothing is read from a
//! standby. It knows statements and rows, nothing of the domain.

mod convert;
mod link;
mod pool;
mod schema;
mod tls;
mod url;

use super::connection::{Row, Statement, failed_before, sql};
use super::{CheckReport, Error, Result, Turn};
use link::ANSWER_TIMEOUT;
use pool::{Lease, Pool};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use url::Target;

const BEGIN_READING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const BEGIN_WRITING: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// How long a request waits for COMMIT. A standby that does not confirm it delays it without limit.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// A database on another machine, through a pool of connections.
#[derive(Clone)]
pub struct Postgres {
    pub pool: Arc<Pool>,
    /// The version of the schema before it was upgraded.
    pub upgraded_from: Option<usize>,
}

impl Postgres {
    /// Fails unless the URL says where a database is, and how to connect.
    pub fn check_url(url: &str) -> Result<()> {
        Target::parse(url).map(drop)
    }

    /// Opens a database that was initialised, or with `creates` any that may be.
    pub async fn open(url: &str, pool: NonZeroUsize, creates: bool) -> Result<Self> {
        let target = Target::parse(url)?;
        let upgraded_from = schema::upgrade(&target, creates).await?;
        Ok(Self { pool: Pool::new(target, pool), upgraded_from })
    }

    /// Begins to read. BEGIN goes out with the first query.
    pub async fn read(&self, is_transaction: bool) -> Result<Session> {
        let begin = is_transaction.then_some(BEGIN_READING);
        Ok(Session::new(self.pool.lease(None).await?, begin))
    }

    /// Begins to write, when it is the turn of this change. BEGIN goes out with the first query.
    pub async fn write(&self, turn: &Turn) -> Result<Session> {
        Ok(Session::new(self.pool.lease(Some(turn)).await?, Some(BEGIN_WRITING)))
    }

    /// Checks what the server does not check itself: the version of the schema.
    pub async fn check(&self) -> Result<CheckReport> {
        let lease = self.pool.lease(None).await?;
        let version = schema::version(&lease.link).await?.unwrap_or(0);
        lease.put_back();
        let sound = vec![format!("the schema has version {version}")];
        Ok(CheckReport { sound, faults: Vec::new() })
    }
}

/// One transaction, or a statement that stands alone. Without its lease it is over.
pub struct Session {
    lease: Option<Lease>,
    /// Goes out before the first statement.
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

    /// Waits for answers as long as they take.
    pub fn lift_timeouts(&mut self) {
        (self.answer_timeout, self.commit_timeout) = (Duration::MAX, Duration::MAX);
    }

    /// Runs statements in one round trip, and returns what `map` makes of the rows of the last one.
    /// A connection that is silent or broken is closed, and a failed transaction ends here.
    pub async fn query<T: Send>(
        &mut self,
        mut statements: Vec<Statement>,
        map: impl FnMut(&dyn Row) -> Result<T> + Send,
    ) -> Result<Vec<T>> {
        if statements.is_empty() {
            return Ok(Vec::new());
        }
        let lease = self.begin_with(&mut statements)?;
        // If the request is dropped meanwhile, so is the connection: it may be in the middle.
        let answer = timeout(self.answer_timeout, lease.link.query(&statements, map)).await;
        let answer = answer.unwrap_or_else(|_| {
            Err(Error::Unavailable(format!("no answer within {:?}", self.answer_timeout)))
        });
        match &answer {
            Ok(_) => self.lease = Some(lease),
            // The connection is as good as before, the transaction is not.
            Err(Error::Exists | Error::Contended(_)) => lease.roll_back_and_put_back(),
            Err(_) => {}
        }
        answer
    }

    /// Runs the statements and COMMIT in one round trip.
    pub async fn commit(mut self, mut statements: Vec<Statement>) -> Result<()> {
        let lease = self.begin_with(&mut statements)?;
        // A task of its own: neither a dropped request nor the end of this wait cancels it. It keeps
        // the connection and its place in the pool until the database has decided.
        let committing = tokio::spawn(async move {
            let committed = lease.link.commit(&statements).await;
            if matches!(committed, Ok(()) | Err(Error::Exists | Error::Contended(_))) {
                lease.put_back();
            }
            committed
        });
        match timeout(self.commit_timeout, committing).await {
            Ok(Ok(committed)) => committed,
            Ok(Err(_)) => Err(Error::Unknown("the commit panicked".to_owned())),
            Err(_) => Err(Error::Unknown(format!("no answer to COMMIT within {COMMIT_TIMEOUT:?}"))),
        }
    }

    /// Takes the connection. BEGIN goes out with the first statements.
    fn begin_with(&mut self, statements: &mut Vec<Statement>) -> Result<Lease> {
        if let Some(begin) = self.begin.take() {
            statements.insert(0, sql!(begin));
            self.has_begun = true;
        }
        self.lease.take().ok_or_else(failed_before)
    }
}
