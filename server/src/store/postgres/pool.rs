//! The connection pool, and a queue for each row lock. Changes that need the same lock wait in its
//! queue, without a connection, so that the changes of one organization cannot use up the pool.

use super::super::{Error, PoolUsage, Result, WriteLock, broken};
use super::connection::{ANSWER_TIMEOUT, Connection};
use super::url::Target;
use crate::metrics::Counter;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::iter;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

/// How long a request waits for a connection.
const POOL_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a change waits in a queue: longer than a change of many rows may take.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(4);

pub struct Pool {
    target: Target,
    pub queues: LockQueues,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    writer_permits: Arc<Semaphore>,
    size: usize,
    timeouts: Counter,
}

impl Pool {
    pub fn new(target: Target, size: NonZeroUsize) -> Arc<Self> {
        let size = size.get();
        Arc::new(Self {
            target,
            queues: LockQueues::default(),
            idle: Mutex::default(),
            size,
            timeouts: Counter::default(),
            permits: Arc::new(Semaphore::new(size)),
            // Writers wait for locks and for standbys: a quarter of the connections is for readers.
            writer_permits: Arc::new(Semaphore::new((size * 3 / 4).max(1))),
        })
    }

    /// Waits for a connection. A writer has a lock, and waits in its queue first.
    pub async fn lease(self: &Arc<Self>, lock: Option<&WriteLock>) -> Result<Lease> {
        let queue = match lock {
            None | Some(WriteLock::None) => None,
            Some(lock) => Some(self.queues.enter(lock).await?),
        };
        let leased = timeout(POOL_TIMEOUT, self.take_connection(lock.is_some())).await;
        let lease = leased.unwrap_or_else(|_| {
            self.timeouts.add(1);
            Err(Error::Unavailable(format!("no connection was free within {POOL_TIMEOUT:?}")))
        });
        Ok(Lease { _queue: queue, ..lease? })
    }

    async fn take_connection(self: &Arc<Self>, is_writer: bool) -> Result<Lease> {
        let writer = if is_writer { Some(permit(&self.writer_permits).await) } else { None };
        let permits = (permit(&self.permits).await, writer);
        let pool = Arc::clone(self);
        let lease = |connection| Lease { connection, pool, _queue: None, _permits: permits };
        let mut idle = iter::from_fn(|| self.idle.lock().pop());
        match idle.find(|connection| !connection.is_closed()) {
            Some(connection) => Ok(lease(connection)),
            None => self.open(lease).await,
        }
    }

    /// Returns how much of the pool is in use.
    pub fn usage(&self) -> PoolUsage {
        let (size, idle) = (self.size, self.idle.lock().len());
        let busy = size - self.permits.available_permits();
        PoolUsage { size, busy, idle, timeouts: self.timeouts.get() }
    }

    /// Connects in a task that continues if the request stops waiting. Otherwise the timeout of the
    /// request would end before the last hosts of the list are tried.
    async fn open(
        self: &Arc<Self>,
        lease: impl FnOnce(Connection) -> Lease + Send + 'static,
    ) -> Result<Lease> {
        let (sender, receiver) = oneshot::channel();
        let pool = Arc::clone(self);
        tokio::spawn(async move {
            let leased = Connection::open(&pool.target).await.map(lease);
            if let Err(Ok(unclaimed)) = sender.send(leased) {
                unclaimed.put_back();
            }
        });
        receiver.await.unwrap_or_else(|_| Err(broken("connecting panicked")))
    }
}

async fn permit(semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    Arc::clone(semaphore).acquire_owned().await.expect("the semaphore is never closed")
}

/// A connection in use. Dropping it closes the connection, and the pool may open another one.
pub struct Lease {
    pub connection: Connection,
    pool: Arc<Pool>,
    _queue: Option<OwnedMutexGuard<()>>,
    _permits: (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>),
}

impl Lease {
    /// Returns the connection to the pool. Its transaction must have ended.
    pub fn put_back(self) {
        self.pool.idle.lock().push(self.connection);
    }

    /// Rolls the transaction back, and returns the connection to the pool.
    pub fn roll_back_and_put_back(self) {
        // Without a runtime the program is ending, and closing the connection rolls back too.
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            if let Ok(Ok(())) = timeout(ANSWER_TIMEOUT, self.connection.run("ROLLBACK")).await {
                self.put_back();
            }
        });
    }
}

/// The queue of each lock that a change holds or waits for. Each such change has a reference.
#[derive(Default)]
pub struct LockQueues(Mutex<HashMap<WriteLock, Arc<tokio::sync::Mutex<()>>>>);

impl LockQueues {
    /// Waits until no other change holds the lock. Dropping the result releases it.
    async fn enter(&self, lock: &WriteLock) -> Result<OwnedMutexGuard<()>> {
        let queue = {
            let mut queues = self.0.lock();
            queues.retain(|_, queue| Arc::strong_count(queue) > 1);
            Arc::clone(queues.entry(lock.clone()).or_default())
        };
        timeout(QUEUE_TIMEOUT, queue.lock_owned()).await.map_err(|_| {
            Error::Unavailable(format!("other changes took longer than {QUEUE_TIMEOUT:?}"))
        })
    }

    /// Returns whether a change holds this lock.
    pub fn is_held(&self, lock: &WriteLock) -> bool {
        self.0.lock().get(lock).is_some_and(|queue| queue.try_lock().is_err())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organization(slug: &str) -> WriteLock {
        WriteLock::Organization(slug.parse().unwrap())
    }

    /// Enters the queue of another lock, and requires that no other queue is left.
    async fn require_empty(queues: &LockQueues) {
        let other = organization("other");
        let _held = queues.enter(&other).await.unwrap();
        assert_eq!(queues.0.lock().keys().collect::<Vec<_>>(), [&other]);
    }

    #[tokio::test]
    async fn one_change_holds_a_lock_and_the_queue_is_removed_after_the_last() {
        let queues = LockQueues::default();
        let lock = organization("acme");
        let first = queues.enter(&lock).await.unwrap();
        assert!(queues.is_held(&lock));
        let mut second = Box::pin(queues.enter(&lock));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        let second = second.await.unwrap();
        assert!(queues.is_held(&lock));
        drop(second);
        assert!(!queues.is_held(&lock));
        require_empty(&queues).await;
    }

    #[tokio::test]
    async fn a_change_that_stops_waiting_leaves_no_queue() {
        let queues = LockQueues::default();
        let lock = organization("acme");
        let first = queues.enter(&lock).await.unwrap();
        let mut second = Box::pin(queues.enter(&lock));
        assert!(futures::poll!(&mut second).is_pending());
        drop(second);
        drop(first);
        require_empty(&queues).await;
    }
}
