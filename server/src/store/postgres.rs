//! The backend for several servers: PostgreSQL, or an engine that speaks its protocol.
//!
//! Writers run at READ COMMITTED under the row locks that the domain's verbs take, so
//! nothing that was decided on can change before the commit. Nothing is cached, and
//! nothing is read from a standby. It knows statements and rows, nothing of the domain.

mod failure;
mod link;
mod pool;
mod schema;
mod tls;
mod url;
mod value;

use super::connection::{Backend, Connection, Each, Value};
use super::{Error, Result};
use async_trait::async_trait;
use failure::uncommitted;
use link::ANSWER;
use pool::{Lease, Pool};
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use url::Target;

const BEGIN_READING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const BEGIN_WRITING: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// How long a COMMIT is waited for. A standby that does not confirm it holds it for ever.
const COMMIT: Duration = Duration::from_secs(5);

/// A database on another machine, by its pool of connections.
pub struct Postgres {
    pool: Arc<Pool>,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL carries a password.
        f.debug_struct("Postgres").field("pool", &self.pool.size()).finish_non_exhaustive()
    }
}

impl Postgres {
    /// Opens a database that was initialised.
    pub async fn open(url: &str, pool: NonZeroUsize) -> Result<Self> {
        let target = Target::parse(url)?;
        schema::require(&target).await?;
        Ok(Self { pool: Pool::new(target, pool) })
    }

    /// Makes the tables, or opens the ones that are there.
    pub async fn create(url: &str, pool: NonZeroUsize) -> Result<Self> {
        let target = Target::parse(url)?;
        schema::migrate(&target).await?;
        Ok(Self { pool: Pool::new(target, pool) })
    }
}

#[async_trait]
impl Backend for Postgres {
    async fn read(&self) -> Result<Box<dyn Connection>> {
        // The first statement takes BEGIN along: reading one thing is one round trip.
        Ok(Box::new(Session { lease: Some(self.pool.reader().await?), begin: Some(BEGIN_READING) }))
    }

    async fn write(&self) -> Result<Box<dyn Connection>> {
        let mut session = Session { lease: Some(self.pool.writer().await?), begin: None };
        // It has to be known to have begun: outside of a transaction a change stays.
        session.answer(async |lease| lease.link.run(BEGIN_WRITING).await).await?;
        Ok(Box::new(session))
    }
}

/// One transaction. Without its lease it is over.
struct Session {
    lease: Option<Lease>,
    begin: Option<&'static str>,
}

impl Drop for Session {
    fn drop(&mut self) {
        match self.lease.take() {
            Some(lease) if self.begin.is_some() => lease.put_back(),
            Some(lease) => lease.undo_and_put_back(),
            None => {}
        }
    }
}

impl Session {
    /// Waits for the database, but not for ever: a connection that is silent or broken is closed,
    /// and a transaction that failed ends here.
    async fn answer<T>(&mut self, ask: impl AsyncFnOnce(&mut Lease) -> Result<T>) -> Result<T> {
        let Some(lease) = &mut self.lease else {
            return Err(Error::Unavailable("the transaction failed before".to_owned()));
        };
        let answer = timeout(ANSWER, ask(lease)).await.unwrap_or_else(|_| {
            Err(Error::Unavailable(format!("the database did not answer within {ANSWER:?}")))
        });
        match &answer {
            Ok(_) => {}
            // The connection is as good as before, the transaction is not.
            Err(Error::Exists | Error::Contended(_)) => {
                if let Some(lease) = self.lease.take() {
                    lease.undo_and_put_back();
                }
            }
            Err(_) => self.lease = None,
        }
        answer
    }
}

#[async_trait]
impl Connection for Session {
    async fn query(
        &mut self,
        statement: &'static str,
        parameters: &[Value<'_>],
        each: &mut Each<'_>,
    ) -> Result<()> {
        let begin = self.begin.take();
        self.answer(async |lease| lease.link.query(begin, statement, parameters, each).await).await
    }

    async fn repeat(&mut self, statement: &'static str, rows: &[Vec<Value<'_>>]) -> Result<()> {
        self.answer(async |lease| lease.link.repeat(statement, rows).await).await
    }

    async fn lock(&mut self, statement: &'static str, parameters: &[Value<'_>]) -> Result<()> {
        self.query(statement, parameters, &mut |_| Ok(())).await
    }

    async fn settle(&mut self) -> Result<()> {
        self.answer(async |lease| lease.link.run(schema::SETTLE).await).await
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        let Some(lease) = self.lease.take() else {
            return Err(Error::Unavailable("the transaction failed before".to_owned()));
        };
        // A task of its own, which neither a request that is dropped nor the end of this wait
        // cancels: it keeps the connection, and its place, until the database has decided.
        let committing = tokio::spawn(commit(lease));
        match timeout(COMMIT, committing).await {
            Ok(Ok(committed)) => committed,
            Ok(Err(_)) => Err(Error::Unknown("committing panicked".to_owned())),
            Err(_) => Err(Error::Unknown(format!("no answer to COMMIT within {COMMIT:?}"))),
        }
    }
}

async fn commit(lease: Lease) -> Result<()> {
    lease.link.take_warning();
    lease.link.run_raw("COMMIT").await.map_err(uncommitted)?;
    // PostgreSQL warns, and reports success, where it stopped waiting for its standby.
    if lease.link.take_warning() {
        return Err(Error::Unknown("the database warned during COMMIT".to_owned()));
    }
    lease.put_back();
    Ok(())
}
