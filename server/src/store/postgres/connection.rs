//! One connection to the database: its settings, its prepared statements, and whether the database
//! sent a warning. Transactions are in [`super::Session`].

use super::super::statement::{Row, Statement};
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

/// How long one host may take to connect, with TLS, authentication and settings.
const OPEN_TIMEOUT: Duration = Duration::from_secs(4);
/// How long an answer may take: the server cancels statements after 5 s, and then sends an error.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(6);

/// Timeouts of the server, so that statements and lock waits end even if this client is lost. The
/// server looks for deadlocks after 1 s, so a lock wait is longer. Commits are synced even if the
/// default of the database is not to wait.
const SETTINGS: &str = "SET statement_timeout = 5000; SET lock_timeout = 4000;
    SET idle_in_transaction_session_timeout = 10000;
    SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') = 'off'";
/// Makes the planner prefer indexes. By default it scans small tables, and a prepared statement
/// keeps its plan while the table grows.
const PLANNER: &str = "SET seq_page_cost = 0; SET random_page_cost = 0; SET enable_seqscan = off;
    SET jit = off";
/// Ends the statement of a client that is gone, which would hold its locks until the timeout.
const LOST_CLIENT: &str = "SET client_connection_check_interval = 1000";

/// The SQL of `now_ms()`: the time of the database, but never before its newest audit entry. So no
/// expired token is accepted again after a failover to a machine whose clock is behind.
const NOW: &str = "greatest((extract(epoch FROM statement_timestamp()) * 1000)::bigint,
    (SELECT created_at FROM audit_log ORDER BY id DESC LIMIT 1))";

/// An open connection; dropping it closes it at once.
pub struct Connection {
    client: Client,
    prepared: Mutex<HashMap<String, Prepared>>,
    has_warned: Arc<AtomicBool>,
    /// Reads and writes the socket.
    _driver: JoinSet<()>,
}

impl Connection {
    /// Connects to the first host that accepts writes.
    pub async fn open(target: &Target) -> Result<Self> {
        let mut failure = Error::Unavailable("the URL names no host".to_owned());
        for host in &target.hosts {
            match timeout(OPEN_TIMEOUT, Self::open_one(host, target)).await {
                Ok(Ok(connection)) => return Ok(connection),
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
                // Set before the client receives the answer that the warning belongs to.
                if let AsyncMessage::Notice(notice) = message
                    && notice.parsed_severity() == Some(Severity::Warning)
                {
                    warned.store(true, Ordering::SeqCst);
                }
            }
        });
        let connection = Self { client, prepared: Mutex::default(), has_warned, _driver: driver };
        connection.run(SETTINGS).await?;
        // Older versions and some compatible engines do not know these settings.
        for settings in [PLANNER, LOST_CLIENT] {
            if let Err(error) = connection.run(settings).await
                && !matches!(error, Error::Broken(_))
            {
                return Err(error);
            }
        }
        Ok(connection)
    }

    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs statements without parameters or rows, as one text.
    pub async fn run(&self, statements: &str) -> Result<()> {
        Ok(self.client.batch_execute(statements).await?)
    }

    /// Runs statements in one round trip. Returns the rows of the last one, converted by `map`.
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
        // `try_join!` polls, and so sends, in this order. The first error wins.
        try_join!(self.run_all(before, &prepared), rows).map(|((), found)| found)
    }

    /// Runs statements without rows and COMMIT, in one round trip.
    ///
    /// # Errors
    /// [`Error::Unknown`] if the change may be committed nevertheless.
    pub async fn commit(&self, statements: &[Statement]) -> Result<()> {
        let prepared = self.prepare(statements).await?;
        self.has_warned.store(false, Ordering::SeqCst);
        let (changed, committed) = join!(self.run_all(statements, &prepared), self.run("COMMIT"));
        // After an error in a statement, COMMIT succeeds as a rollback.
        let is_decided = committed.is_ok();
        match changed.and(committed) {
            // If PostgreSQL stops waiting for its standby, it reports success with a warning.
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
