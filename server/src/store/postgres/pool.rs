//! What requests of one server wait for: a connection, of which there is a limited number, and the
//! turn of a change. Changes that would wait for the same row lock wait for their turn instead, without a
//! connection, so those of one organization cannot use up the pool.

use super::super::{Error, PoolUsage, Result, Turn, broken};
use super::link::{ANSWER_TIMEOUT, Link};
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
/// How long a change waits for its turn: longer than a change of many rows may take.
const TURN_TIMEOUT: Duration = Duration::from_secs(4);
pub struct Pool {
    target: Target,
    pub turns: Turns,
    idle: Mutex<Vec<Link>>,
    places: Arc<Semaphore>,
    writers: Arc<Semaphore>,
    size: usize,
    timeouts: Counter,
}

impl Pool {
    pub fn new(target: Target, size: NonZeroUsize) -> Arc<Self> {
        let size = size.get();
        Arc::new(Self {
            target,
            turns: Turns::default(),
            idle: Mutex::default(),
            size,
            timeouts: Counter::default(),
            places: Arc::new(Semaphore::new(size)),
            // Writers wait for locks and for standbys: a part of the places is for readers.
            writers: Arc::new(Semaphore::new((size * 3 / 4).max(1))),
        })
    }

    /// Waits for a connection, and for a change first for its turn.
    pub async fn lease(self: &Arc<Self>, turn: Option<&Turn>) -> Result<Lease> {
        let turn_held = match turn {
            None | Some(Turn::Free) => None,
            Some(turn) => Some(self.turns.take(turn).await?),
        };
        let leased = timeout(POOL_TIMEOUT, self.wait(turn.is_some())).await;
        let lease = leased.unwrap_or_else(|_| {
            self.timeouts.add(1);
            Err(Error::Unavailable(format!("no connection was free within {POOL_TIMEOUT:?}")))
        });
        Ok(Lease { _turn: turn_held, ..lease? })
    }

    async fn wait(self: &Arc<Self>, is_writer: bool) -> Result<Lease> {
        let writer = if is_writer { Some(permit(&self.writers).await) } else { None };
        let permits = (permit(&self.places).await, writer);
        let pool = Arc::clone(self);
        let lease = |link| Lease { link, pool, _turn: None, _permits: permits };
        let mut idle = iter::from_fn(|| self.idle.lock().pop());
        match idle.find(|link| !link.is_closed()) {
            Some(link) => Ok(lease(link)),
            None => self.open(lease).await,
        }
    }

    /// Returns how much of the pool is in use.
    pub fn usage(&self) -> PoolUsage {
        let (size, idle) = (self.size, self.idle.lock().len());
        let busy = size - self.places.available_permits();
        PoolUsage { size, busy, idle, timeouts: self.timeouts.get() }
    }

    /// Connects. That goes on if the request stops waiting, so that a host late in the list is
    /// reached at last.
    async fn open(
        self: &Arc<Self>,
        lease: impl FnOnce(Link) -> Lease + Send + 'static,
    ) -> Result<Lease> {
        let (sender, receiver) = oneshot::channel();
        let pool = Arc::clone(self);
        tokio::spawn(async move {
            let leased = Link::open(&pool.target).await.map(lease);
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

/// A connection in use. Dropping it closes it, and another one takes its place.
pub struct Lease {
    pub link: Link,
    pool: Arc<Pool>,
    _turn: Option<OwnedMutexGuard<()>>,
    _permits: (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>),
}

impl Lease {
    /// Makes the connection available to the next request. Its transaction must have ended.
    pub fn put_back(self) {
        self.pool.idle.lock().push(self.link);
    }

    /// Like [`Lease::put_back`], after the transaction was rolled back.
    pub fn roll_back_and_put_back(self) {
        // Without a runtime the program is ending, and closing the connection rolls back too.
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            if let Ok(Ok(())) = timeout(ANSWER_TIMEOUT, self.link.run("ROLLBACK")).await {
                self.put_back();
            }
        });
    }
}

/// The turns that are held or waited for. A change that does so has a second reference to its queue.
#[derive(Default)]
pub struct Turns(Mutex<HashMap<Turn, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// Waits for a turn, which ends when the result is dropped.
    async fn take(&self, turn: &Turn) -> Result<OwnedMutexGuard<()>> {
        let queue = {
            let mut turns = self.0.lock();
            turns.retain(|_, queue| Arc::strong_count(queue) > 1);
            Arc::clone(turns.entry(turn.clone()).or_default())
        };
        timeout(TURN_TIMEOUT, queue.lock_owned()).await.map_err(|_| {
            Error::Unavailable(format!("other changes took longer than {TURN_TIMEOUT:?}"))
        })
    }

    /// Returns whether a change has this turn.
    pub fn is_held(&self, turn: &Turn) -> bool {
        self.0.lock().get(turn).is_some_and(|queue| queue.try_lock().is_err())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organization(slug: &str) -> Turn {
        Turn::Organization(slug.parse().unwrap())
    }

    /// Takes another turn, and requires that it is the only one that is remembered.
    async fn require_forgotten(turns: &Turns) {
        let other = organization("other");
        let _held = turns.take(&other).await.unwrap();
        assert_eq!(turns.0.lock().keys().collect::<Vec<_>>(), [&other]);
    }

    #[tokio::test]
    async fn a_turn_is_held_by_one_change_and_forgotten_after_the_last() {
        let turns = Turns::default();
        let turn = organization("acme");
        let first = turns.take(&turn).await.unwrap();
        assert!(turns.is_held(&turn));
        let mut second = Box::pin(turns.take(&turn));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        let second = second.await.unwrap();
        assert!(turns.is_held(&turn));
        drop(second);
        assert!(!turns.is_held(&turn));
        require_forgotten(&turns).await;
    }

    #[tokio::test]
    async fn a_change_that_stops_waiting_leaves_nothing_behind() {
        let turns = Turns::default();
        let turn = organization("acme");
        let first = turns.take(&turn).await.unwrap();
        let mut second = Box::pin(turns.take(&turn));
        assert!(futures::poll!(&mut second).is_pending());
        drop(second);
        drop(first);
        require_forgotten(&turns).await;
    }
}
