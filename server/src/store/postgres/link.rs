//! One connection to the database: its settings, its prepared statements, and whether the database
//! sent a warning. It knows no transactions.

use super::super::connection::{Row, Statement};
use super::super::{Error, Result};
use super::url::Target;
use futures::future::try_join_all;
use futures::{TryStreamExt, join, pin_mut, try_join};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::error::Severity;
use tokio_postgres::{AsyncMessage, Client, Config, Statement as Prepared};

/// How long one host may take from the first packet to a ready session.
const OPEN_TIMEOUT: Duration = Duration::from_secs(4);
/// How long an answer may take: the server ends statements at 5 s, and its error needs time.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(6);

/// The server ends statements and lock waits itself, also for a lost client; lock waits end later
/// than the second after which it notices a deadlock. Commits are synced even if the database's
/// default is not to wait.
const SETTINGS: &str = "SET statement_timeout = 5000; SET lock_timeout = 4000;
    SET idle_in_transaction_session_timeout = 10000;
    SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') = 'off'";
/// Every hot query uses an index. By default the planner reads whole tables while they are small, and
/// a prepared statement keeps such a plan while they grow. Not every engine that speaks the protocol
/// knows these settings.
const PLANNER: &str = "SET random_page_cost = 1.1; SET enable_seqscan = off; SET jit = off";

/// What `now_ms()` means: the time of the database, but never below the newest one that it holds, so
/// that nothing that has expired is accepted again after a failover to a machine whose clock is behind.
const NOW: &str = "greatest((extract(epoch FROM statement_timestamp()) * 1000)::bigint,
    (SELECT created_at FROM audit_log ORDER BY id DESC LIMIT 1))";

/// An open connection; dropping it closes it at once.
pub struct Link {
    client: Client,
    prepared: Mutex<HashMap<String, Prepared>>,
    has_warned: Arc<AtomicBool>,
    /// Moves the messages of the connection.
    _driver: JoinSet<()>,
}

impl Link {
    /// Connects to the first host that takes writes.
    pub async fn open(target: &Target) -> Result<Self> {
        let mut failure = Error::Unavailable("the URL names no host".to_owned());
        for host in &target.hosts {
            match timeout(OPEN_TIMEOUT, Self::open_one(host, target)).await {
                Ok(Ok(link)) => return Ok(link),
                Ok(Err(error)) => failure = error,
                Err(_) => failure = Error::Unavailable("a host does not answer".to_owned()),
            }
        }
        Err(failure)
    }

    async fn open_one(host: &Config, target: &Target) -> Result<Self> {
        let (client, mut connection) = host.connect(target.tls.clone()).await?;
        let has_warned = Arc::new(AtomicBool::new(false));
        let warned = Arc::clone(&has_warned);
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await
            {
                // It is noted before the answer that it belongs to is passed on.
                if let AsyncMessage::Notice(notice) = message
                    && notice.parsed_severity() == Some(Severity::Warning)
                {
                    warned.store(true, Ordering::SeqCst);
                }
            }
        });
        let link = Self { client, prepared: Mutex::default(), has_warned, _driver: driver };
        link.run(SETTINGS).await?;
        match link.run(PLANNER).await {
            Ok(()) | Err(Error::Broken(_)) => Ok(link),
            Err(error) => Err(error),
        }
    }

    /// Returns whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs one text of statements without parameters or rows.
    pub async fn run(&self, statements: &str) -> Result<()> {
        Ok(self.client.batch_execute(statements).await?)
    }

    /// Runs statements in one round trip, and returns what `map` makes of the rows of the last one.
    pub async fn query<T: Send>(
        &self,
        statements: &[Statement],
        mut map: impl FnMut(&dyn Row) -> Result<T> + Send,
    ) -> Result<Vec<T>> {
        let prepared = self.prepare(statements).await?;
        let Some((last, before)) = statements.split_last() else { return Ok(Vec::new()) };
        let rows = async {
            let rows = self.client.query_raw(&prepared[before.len()], &last.parameters).await?;
            pin_mut!(rows);
            let mut found = Vec::new();
            while let Some(row) = rows.try_next().await? {
                found.push(map(&row)?);
            }
            Ok(found)
        };
        // Polled in this order, so sent in this order; the first error is the first one's.
        try_join!(self.run_all(before, &prepared), rows).map(|((), found)| found)
    }

    /// Runs statements without rows and COMMIT, in one round trip. It is [`Error::Unknown`] if the
    /// commit may have happened nevertheless.
    pub async fn commit(&self, statements: &[Statement]) -> Result<()> {
        let prepared = self.prepare(statements).await?;
        self.has_warned.store(false, Ordering::SeqCst);
        let (changed, committed) = join!(self.run_all(statements, &prepared), self.run("COMMIT"));
        // After an error that the database itself reported, COMMIT rolls back.
        let is_decided = committed.is_ok();
        match changed.and(committed) {
            // PostgreSQL warns, and reports success, if it stopped waiting for its standby.
            Ok(()) if self.has_warned.load(Ordering::SeqCst) => {
                Err(Error::Unknown("the database warned during COMMIT".to_owned()))
            }
            Err(error) if !is_decided && !matches!(error, Error::Exists | Error::Contended(_)) => {
                Err(Error::Unknown(error.to_string()))
            }
            outcome => outcome,
        }
    }

    async fn prepare(&self, statements: &[Statement]) -> Result<Vec<Prepared>> {
        let mut all = Vec::with_capacity(statements.len());
        for Statement { sql, .. } in statements {
            let known = self.prepared.lock().get(sql.as_ref()).cloned();
            all.push(if let Some(prepared) = known {
                prepared
            } else {
                let prepared = self.client.prepare(&sql.replace("now_ms()", NOW)).await?;
                self.prepared.lock().insert(sql.to_string(), prepared.clone());
                prepared
            });
        }
        Ok(all)
    }

    async fn run_all(&self, statements: &[Statement], prepared: &[Prepared]) -> Result<()> {
        let runs = statements.iter().zip(prepared);
        let runs = runs.map(|(run, prepared)| self.client.execute_raw(prepared, &run.parameters));
        Ok(try_join_all(runs).await.map(drop)?)
    }
}
