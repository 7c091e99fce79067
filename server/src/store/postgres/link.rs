//! One connection to the database: its settings, the statements prepared on it, and
//! whether the database warned of anything. It knows no transactions.

use super::super::connection::{Each, Value};
use super::super::{Error, Result};
use super::failure::refused;
use super::url::Target;
use futures::future::try_join_all;
use futures::{TryStreamExt, pin_mut, try_join};
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
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Statement};

/// How long one host may take from the first packet to a session that is ready.
const OPEN: Duration = Duration::from_secs(4);
/// How long an answer may take: what the server itself ends at 5 s has a second to arrive.
pub const ANSWER: Duration = Duration::from_secs(6);

/// Statements and locks end at the server, where a lost client cannot end them; locks later than
/// the second after which a deadlock is noticed. Commits are synced even
/// where the database's default is not to wait.
const SETTINGS: &str = "SET statement_timeout = 5000; SET lock_timeout = 2000;
    SET idle_in_transaction_session_timeout = 10000;
    SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') = 'off'";
/// Every hot query is on an index; the default of 4 makes the planner read whole tables instead.
/// Not every engine that speaks the protocol knows it.
const PLANNER: &str = "SET random_page_cost = 1.1";

/// An open connection; dropping it closes it at once.
pub struct Link {
    client: Client,
    prepared: HashMap<&'static str, Statement>,
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
            match timeout(OPEN, Self::open_one(host, target)).await {
                Ok(Ok(link)) => return Ok(link),
                Ok(Err(error)) => failure = error,
                Err(_) => failure = Error::Unavailable("a host does not answer".to_owned()),
            }
        }
        Err(failure)
    }

    async fn open_one(host: &Config, target: &Target) -> Result<Self> {
        let (client, connection) = host.connect(target.tls.clone()).await.map_err(refused)?;
        let has_warned = Arc::new(AtomicBool::new(false));
        let driver = tokio::spawn(drive(connection, Arc::clone(&has_warned))).abort_handle();
        let link = Self { client, prepared: HashMap::new(), has_warned, driver };
        link.run(SETTINGS).await?;
        match link.run(PLANNER).await {
            Ok(()) | Err(Error::Broken(_)) => Ok(link),
            Err(error) => Err(error),
        }
    }

    /// Whether it ended.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Forgets what the database warned of, and says whether there was anything.
    pub fn take_warning(&self) -> bool {
        self.has_warned.swap(false, Ordering::SeqCst)
    }

    /// Runs statements without parameters or rows.
    pub async fn run(&self, statements: &str) -> Result<()> {
        self.run_raw(statements).await.map_err(refused)
    }

    /// The same, with the database's own error.
    pub async fn run_raw(
        &self,
        statements: &str,
    ) -> std::result::Result<(), tokio_postgres::Error> {
        self.client.batch_execute(statements).await
    }

    /// Runs a statement and hands each of its rows to `each`. What begins the transaction goes
    /// out before it, without a round trip of its own.
    pub async fn query(
        &mut self,
        begin: Option<&'static str>,
        statement: &'static str,
        parameters: &[Value<'_>],
        each: &mut Each<'_>,
    ) -> Result<()> {
        let Self { client, prepared, .. } = self;
        let start = async {
            match begin {
                Some(begin) => client.batch_execute(begin).await.map_err(refused),
                None => Ok(()),
            }
        };
        let answers = async {
            let statement = prepare(client, prepared, statement).await?;
            let rows = client.query_raw(&statement, bound(parameters)).await.map_err(refused)?;
            pin_mut!(rows);
            while let Some(row) = rows.try_next().await.map_err(refused)? {
                each(&row)?;
            }
            Ok(())
        };
        // Polled in this order, so sent in this order.
        try_join!(start, answers).map(drop)
    }

    /// Runs a statement once for each of `rows`, without waiting in between.
    pub async fn repeat(&mut self, statement: &'static str, rows: &[Vec<Value<'_>>]) -> Result<()> {
        let Self { client, prepared, .. } = self;
        let statement = prepare(client, prepared, statement).await?;
        let runs = rows.iter().map(|row| client.execute_raw(&statement, bound(row)));
        try_join_all(runs).await.map(drop).map_err(refused)
    }
}

async fn prepare(
    client: &Client,
    known: &mut HashMap<&'static str, Statement>,
    statement: &'static str,
) -> Result<Statement> {
    if let Some(prepared) = known.get(statement) {
        return Ok(prepared.clone());
    }
    let prepared = client.prepare(statement).await.map_err(refused)?;
    known.insert(statement, prepared.clone());
    Ok(prepared)
}

fn bound<'a>(values: &'a [Value<'a>]) -> impl ExactSizeIterator<Item = &'a (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync))
}

/// Moves the connection's messages until it ends. A warning is noted before the answer that it
/// belongs to is handed out.
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
