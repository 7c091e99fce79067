//! Batches lookups of access: many requests share one statement on PostgreSQL. Lookups queue until
//! one of few statements may run, and then run together. So no answer is older than its request.

use super::super::postgres::Postgres;
use super::super::snapshot::Counts;
use super::super::statement::{Row, sql};
use super::super::{Error, Result, broken, rows};
use super::{Access, TARGET, access};
use crate::caller::Credential;
use crate::name::Slug;
use crate::token::TokenDigest;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

/// How many statements run at once. More statements have fewer lookups each, and take more CPU.
const MAX_STATEMENTS: usize = 2;

/// How long lookups wait in the queue.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(1);

/// How many lookups share a statement. A silent connection delays no more of them.
const BATCH_SIZE: usize = 32;

const STATEMENT: &str = access!(
    ", q.number",
    "unnest($1::bytea[], $2::text[]) WITH ORDINALITY AS q (digest, slug, number) CROSS JOIN",
    "q.digest",
    "LEFT JOIN organizations o ON o.slug = q.slug",
    ""
);

pub struct AccessBatcher {
    queue: Mutex<Vec<Lookup>>,
    permits: Semaphore,
}

struct Lookup {
    digest: TokenDigest,
    /// Empty if the request names no organization: no slug is empty.
    slug: String,
    answer: oneshot::Sender<Result<Access>>,
}

impl Default for AccessBatcher {
    fn default() -> Self {
        Self { queue: Mutex::default(), permits: Semaphore::new(MAX_STATEMENTS) }
    }
}

impl AccessBatcher {
    /// Returns what [`Store::access`](super::super::Store::access) does.
    pub async fn look_up(
        self: &Arc<Self>,
        postgres: &Postgres,
        counts: &Arc<Counts>,
        credential: &Credential,
        slug: Option<&Slug>,
    ) -> Result<Access> {
        let (sender, answer) = oneshot::channel();
        let slug = slug.map_or_else(String::new, |slug| slug.as_str().to_owned());
        let length = {
            let mut queue = self.queue.lock();
            queue.push(Lookup { digest: credential.digest, slug, answer: sender });
            queue.len()
        };
        // The first lookup of a batch starts the statement for all of them.
        if length % BATCH_SIZE == 1 {
            let (batcher, postgres) = (Arc::clone(self), postgres.clone());
            let counts = Arc::clone(counts);
            tokio::spawn(async move { batcher.run_batch(&postgres, &counts).await });
        }
        answer.await.unwrap_or_else(|_| Err(broken("a statement panicked")))
    }

    async fn run_batch(&self, postgres: &Postgres, counts: &Counts) {
        let permit = timeout(QUEUE_TIMEOUT, self.permits.acquire()).await;
        let batch: Vec<_> = {
            let mut queue = self.queue.lock();
            let length = queue.len().min(BATCH_SIZE);
            queue.drain(..length).collect()
        };
        counts.add(1);
        let answers = match permit {
            Ok(_) => answers(postgres, &batch).await,
            Err(_) => {
                Err(Error::Unavailable(format!("no statement ended within {QUEUE_TIMEOUT:?}")))
            }
        };
        let answers = answers.unwrap_or_else(|error| vec![Err(error); batch.len()]);
        for (lookup, answer) in batch.into_iter().zip(answers) {
            // It fails if the request has ended.
            let _ = lookup.answer.send(answer);
        }
    }
}

/// Returns the answers in the order of the lookups.
async fn answers(postgres: &Postgres, batch: &[Lookup]) -> Result<Vec<Result<Access>>> {
    let digests: Vec<_> = batch.iter().map(|lookup| *lookup.digest.as_bytes()).collect();
    let slugs: Vec<_> = batch.iter().map(|lookup| lookup.slug.clone()).collect();
    let read = |row: &dyn Row| Ok((row.get::<i64>(TARGET)?, rows::access(row)));
    let statements = vec![sql!(STATEMENT, digests, slugs)];
    let found = postgres.read(false).await?.query(statements, read).await?;
    let mut answers = vec![Err(Error::NotAccepted); batch.len()];
    for (number, access) in found {
        let index = usize::try_from(number - 1).ok();
        if let Some(answer) = index.and_then(|index| answers.get_mut(index)) {
            *answer = access;
        }
    }
    Ok(answers)
}
