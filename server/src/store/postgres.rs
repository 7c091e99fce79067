//! The backend for several servers: PostgreSQL, or an engine that speaks its protocol.
//!
//! Writers run at READ COMMITTED under the row locks that the changes of the domain take, so what a
//! change was decided on stays true until its commit. Nothing is cached, and nothing is read from a
//! standby. It knows statements and rows, nothing of the domain.

mod failure;
mod link;
mod pool;
mod schema;
mod tls;
mod turns;
mod url;
mod value;

use super::connection::{Each, Statement};
use super::{CheckReport, Error, Result, Turn};
use link::ANSWER_TIMEOUT;
use pool::{Lease, Pool};
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use turns::{Held, Turns};
use url::Target;

const BEGIN_READING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const BEGIN_WRITING: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// How long a request waits for COMMIT. A standby that does not confirm it delays it without limit.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// A database on another machine, through a pool of connections.
pub struct Postgres {
    pool: Arc<Pool>,
    turns: Arc<Turns>,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL has a password.
        f.debug_struct("Postgres").field("pool", &self.pool.size()).finish_non_exhaustive()
    }
}

impl Postgres {
    /// Opens a database that was initialised.
    pub async fn open(url: &str, pool: NonZeroUsize) -> Result<Self> {
        let target = Target::parse(url)?;
        schema::require(&target).await?;
        Ok(Self { pool: Pool::new(target, pool), turns: Arc::default() })
    }

    /// Makes the tables, or opens the existing ones.
    pub async fn create(url: &str, pool: NonZeroUsize) -> Result<Self> {
        let target = Target::parse(url)?;
        schema::migrate(&target).await?;
        Ok(Self { pool: Pool::new(target, pool), turns: Arc::default() })
    }

    /// Begins to read. BEGIN goes out with the first query.
    pub async fn read(&self, is_transaction: bool) -> Result<Session> {
        let begin = if is_transaction { Begin::Due(BEGIN_READING) } else { Begin::Never };
        Ok(Session { lease: Some(self.pool.reader().await?), begin, _turn: None })
    }

    /// Returns whether another change has this turn.
    pub fn is_busy(&self, turn: &Turn) -> bool {
        self.turns.is_held(turn)
    }

    /// Begins to write, when it is the turn of this change. BEGIN goes out with the first query.
    pub async fn write(&self, turn: &Turn) -> Result<Session> {
        let turn = Turns::take(&self.turns, turn).await?;
        let lease = Some(self.pool.writer().await?);
        Ok(Session { lease, begin: Begin::Due(BEGIN_WRITING), _turn: turn })
    }

    /// Checks what the server does not check itself: the version of the schema.
    pub async fn check(&self) -> Result<CheckReport> {
        let mut lease = self.pool.reader().await?;
        let version = schema::version(&mut lease.link).await?.unwrap_or(0);
        lease.put_back();
        let sound = vec![format!("the schema has version {version}")];
        Ok(CheckReport { sound, faults: Vec::new() })
    }
}

/// Whether a transaction was begun.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// Every statement stands alone.
    Never,
    /// This statement goes out with the next query.
    Due(&'static str),
    Done,
}

/// One transaction. Without its lease it is over.
pub struct Session {
    lease: Option<Lease>,
    begin: Begin,
    _turn: Option<Held>,
}

impl Drop for Session {
    fn drop(&mut self) {
        match self.lease.take() {
            Some(lease) if self.begin == Begin::Done => lease.roll_back_and_put_back(),
            Some(lease) => lease.put_back(),
            None => {}
        }
    }
}

impl Session {
    /// Runs statements without rows, then one with rows, in one round trip. A connection that is
    /// silent or broken is closed, and a failed transaction ends here.
    pub async fn query(
        &mut self,
        before: Vec<Statement>,
        statement: Option<(&Statement, &mut Each<'_>)>,
    ) -> Result<()> {
        let Some(mut lease) = self.lease.take() else { return Err(failed_before()) };
        let begin = if let Begin::Due(begin) = self.begin { Some(begin) } else { None };
        if begin.is_some() {
            self.begin = Begin::Done;
        }
        // If the request is dropped meanwhile, so is the connection: it may be in the middle.
        let answer = timeout(ANSWER_TIMEOUT, lease.link.query(begin, &before, statement)).await;
        let answer = answer.unwrap_or_else(|_| {
            let message = format!("the database did not answer within {ANSWER_TIMEOUT:?}");
            Err(Error::Unavailable(message))
        });
        match &answer {
            Ok(()) => self.lease = Some(lease),
            // The connection is as good as before, the transaction is not.
            Err(Error::Exists | Error::Contended(_)) => lease.roll_back_and_put_back(),
            Err(_) => {}
        }
        answer
    }

    /// Gives ids after those of the rows that came with theirs.
    pub async fn reset_sequences(&mut self) -> Result<()> {
        match &self.lease {
            Some(lease) => lease.link.run(schema::RESET_SEQUENCES).await,
            None => Err(failed_before()),
        }
    }

    /// Runs the statements and COMMIT in one round trip.
    pub async fn commit(mut self, statements: Vec<Statement>) -> Result<()> {
        let Some(lease) = self.lease.take() else { return Err(failed_before()) };
        let begin = if let Begin::Due(begin) = self.begin { Some(begin) } else { None };
        // A task of its own: neither a dropped request nor the end of this wait cancels it. It keeps
        // the connection and its place in the pool until the database has decided.
        let committing = tokio::spawn(commit(lease, begin, statements));
        match timeout(COMMIT_TIMEOUT, committing).await {
            Ok(Ok(committed)) => committed,
            Ok(Err(_)) => Err(Error::Unknown("the commit panicked".to_owned())),
            Err(_) => Err(Error::Unknown(format!("no answer to COMMIT within {COMMIT_TIMEOUT:?}"))),
        }
    }
}

fn failed_before() -> Error {
    Error::Unavailable("the transaction failed before".to_owned())
}

async fn commit(
    mut lease: Lease,
    begin: Option<&'static str>,
    statements: Vec<Statement>,
) -> Result<()> {
    lease.link.take_warning();
    let committed = lease.link.commit(begin, &statements).await;
    // PostgreSQL warns, and reports success, if it stopped waiting for its standby.
    if committed.is_ok() && lease.link.take_warning() {
        return Err(Error::Unknown("the database warned during COMMIT".to_owned()));
    }
    if matches!(committed, Ok(()) | Err(Error::Exists | Error::Contended(_))) {
        lease.put_back();
    }
    committed
}
