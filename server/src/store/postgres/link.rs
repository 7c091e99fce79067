//! One connection to the database: its settings, its prepared statements, and whether the database
//! sent a warning. It knows no transactions.

use super::super::connection::{Each, Statement};
use super::super::{Error, Result};
use super::failure::{map_commit_error, map_error};
use super::url::Target;
use futures::future::try_join_all;
use futures::{TryStreamExt, join, pin_mut, try_join};
use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::error::Severity;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Statement as Prepared};

/// How long one host may take from the first packet to a ready session.
const OPEN_TIMEOUT: Duration = Duration::from_secs(4);
/// How long an answer may take: the server ends statements at 5 s, and the error needs time to
/// arrive.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(6);

/// The server ends statements and lock waits itself, also for a lost client; lock waits end later
/// than the second after which it notices a deadlock. Commits are synced even if the database's
/// default is not to wait.
const SETTINGS: &str = "SET statement_timeout = 5000; SET lock_timeout = 4000;
    SET idle_in_transaction_session_timeout = 10000;
    SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') = 'off'";
/// Every hot query uses an index; the default of 4 makes the planner read whole tables instead. Not
/// every engine that speaks the protocol knows this setting.
const PLANNER: &str = "SET random_page_cost = 1.1";

/// An open connection; dropping it closes it at once.
pub struct Link {
    client: Client,
    prepared: HashMap<&'static str, Prepared>,
    has_warned: Arc<AtomicBool>,
    driver: AbortHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
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
        let (client, connection) = host.connect(target.tls.clone()).await.map_err(map_error)?;
        let has_warned = Arc::new(AtomicBool::new(false));
        let driver = tokio::spawn(drive(connection, Arc::clone(&has_warned))).abort_handle();
        let link = Self { client, prepared: HashMap::new(), has_warned, driver };
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

    /// Forgets the warnings of the database, and returns whether there were any.
    pub fn take_warning(&self) -> bool {
        self.has_warned.swap(false, Ordering::SeqCst)
    }

    /// Runs one text of statements without parameters or rows.
    pub async fn run(&self, statements: &str) -> Result<()> {
        self.client.batch_execute(statements).await.map_err(map_error)
    }

    /// Runs statements without rows, then one whose rows go to its `Each`, in one round trip. `begin`
    /// goes out before them.
    pub async fn query(
        &mut self,
        begin: Option<&'static str>,
        before: &[Statement],
        statement: Option<(&Statement, &mut Each<'_>)>,
    ) -> Result<()> {
        let main = statement.as_ref().map(|(statement, _)| *statement);
        let prepared = self.prepare_all(before.iter().chain(main)).await?;
        let client = &self.client;
        let rows = async {
            let Some(((statement, each), prepared)) = statement.zip(prepared.last()) else {
                return Ok(());
            };
            let rows = client.query_raw(prepared, bind(statement)).await.map_err(map_error)?;
            pin_mut!(rows);
            while let Some(row) = rows.try_next().await.map_err(map_error)? {
                each(&row)?;
            }
            Ok(())
        };
        // Polled in this order, so sent in this order; the first error is the first one's.
        try_join!(begin_with(client, begin), run_all(client, before, &prepared), rows).map(drop)
    }

    /// Runs statements without rows and COMMIT, in one round trip. `begin` goes out before them.
    ///
    /// # Errors
    /// [`Error::Unknown`] if the commit may have happened nevertheless.
    pub async fn commit(
        &mut self,
        begin: Option<&'static str>,
        statements: &[Statement],
    ) -> Result<()> {
        let prepared = self.prepare_all(statements.iter()).await?;
        let client = &self.client;
        let (started, changed, committed) = join!(
            begin_with(client, begin),
            run_all(client, statements, &prepared),
            client.batch_execute("COMMIT")
        );
        match started.and(changed) {
            Ok(()) => committed.map_err(map_commit_error),
            // After an error that the database itself reported, COMMIT rolls back.
            Err(error) if committed.is_ok() => Err(error),
            Err(error @ (Error::Exists | Error::Contended(_))) => Err(error),
            Err(error) => Err(Error::Unknown(error.to_string())),
        }
    }

    async fn prepare_all<'a>(
        &mut self,
        statements: impl Iterator<Item = &'a Statement>,
    ) -> Result<Vec<Prepared>> {
        let mut all = Vec::new();
        for Statement { sql, .. } in statements {
            let prepared = match self.prepared.get(sql) {
                Some(prepared) => prepared.clone(),
                None => self.client.prepare(sql).await.map_err(map_error)?,
            };
            self.prepared.entry(sql).or_insert_with(|| prepared.clone());
            all.push(prepared);
        }
        Ok(all)
    }
}

async fn begin_with(client: &Client, begin: Option<&'static str>) -> Result<()> {
    match begin {
        Some(begin) => client.batch_execute(begin).await.map_err(map_error),
        None => Ok(()),
    }
}

async fn run_all(client: &Client, statements: &[Statement], prepared: &[Prepared]) -> Result<()> {
    let runs = statements.iter().zip(prepared);
    let runs = runs.map(|(statement, prepared)| client.execute_raw(prepared, bind(statement)));
    try_join_all(runs).await.map(drop).map_err(map_error)
}

fn bind(statement: &Statement) -> impl ExactSizeIterator<Item = &(dyn ToSql + Sync)> {
    statement.parameters.iter().map(|value| value as &(dyn ToSql + Sync))
}

/// Moves the messages of a connection until it ends. It notes a warning before it passes on the
/// answer that the warning belongs to.
async fn drive<S, T>(mut connection: Connection<S, T>, has_warned: Arc<AtomicBool>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notice(notice) = message
            && notice.parsed_severity() == Some(Severity::Warning)
        {
            has_warned.store(true, Ordering::SeqCst);
        }
    }
}
