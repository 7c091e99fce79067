//! What requests of one server wait for: a connection, of which there is a limited number, and the
//! turn of a change. Reads of one statement share a few connections; every other request has one of
//! its own. Changes that would wait for the same row lock wait for their turn instead, without a
//! connection, so those of one organization cannot use up the pool.

use super::super::{Error, Result, Turn, broken};
use super::link::{ANSWER_TIMEOUT, Link};
use super::url::Target;
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
/// How many statements wait for an answer on a shared connection.
const SHARERS: usize = 32;

/// A connection that many requests use at once, when it is open.
type SharedLink = Arc<tokio::sync::Mutex<Option<Arc<Link>>>>;

pub struct Pool {
    target: Target,
    pub turns: Turns,
    idle: Mutex<Vec<Arc<Link>>>,
    places: Arc<Semaphore>,
    writers: Arc<Semaphore>,
    shared: Vec<SharedLink>,
    sharers: Arc<Semaphore>,
}

impl Pool {
    pub fn new(target: Target, size: NonZeroUsize) -> Arc<Self> {
        // Below 8 there are too few to set one apart.
        let shared = size.get() / 8;
        let own = size.get() - shared;
        Arc::new(Self {
            target,
            turns: Turns::default(),
            idle: Mutex::default(),
            places: Arc::new(Semaphore::new(own)),
            // Writers wait for locks and for standbys: a part of the places is for readers.
            writers: Arc::new(Semaphore::new((own * 3 / 4).max(1))),
            shared: iter::repeat_with(SharedLink::default).take(shared).collect(),
            sharers: Arc::new(Semaphore::new(shared * SHARERS)),
        })
    }

    /// Waits for a connection that other requests use at the same time, for one statement.
    pub async fn share(self: &Arc<Self>) -> Result<Lease> {
        if self.shared.is_empty() {
            self.lease(None).await
        } else {
            in_time(self.wait_shared()).await
        }
    }

    /// Waits for a connection of its own, and for a change first for its turn.
    pub async fn lease(self: &Arc<Self>, turn: Option<&Turn>) -> Result<Lease> {
        let turn_held = match turn {
            None | Some(Turn::Free) => None,
            Some(turn) => Some(self.turns.take(turn).await?),
        };
        let lease = in_time(self.wait(turn.is_some())).await?;
        Ok(Lease { _turn: turn_held, ..lease })
    }

    async fn wait_shared(self: &Arc<Self>) -> Result<Lease> {
        let permits = (permit(&self.sharers).await, None);
        // Each lease has a reference to its connection's place. A silent one keeps them.
        let least_used = self.shared.iter().min_by_key(|place| Arc::strong_count(place));
        let place = least_used.unwrap_or(&self.shared[0]);
        let home = Home::Shared(Arc::clone(place));
        let mut shared = Arc::clone(place).lock_owned().await;
        let lease = |link| Lease { link, home, _turn: None, _permits: permits };
        if let Some(link) = shared.as_ref().filter(|link| !link.is_closed()) {
            return Ok(lease(Arc::clone(link)));
        }
        self.open(move |link| {
            *shared = Some(Arc::clone(&link));
            lease(link)
        })
        .await
    }

    async fn wait(self: &Arc<Self>, is_writer: bool) -> Result<Lease> {
        let writer = if is_writer { Some(permit(&self.writers).await) } else { None };
        let permits = (permit(&self.places).await, writer);
        let home = Home::Pool(Arc::clone(self));
        let lease = |link| Lease { link, home, _turn: None, _permits: permits };
        let mut idle = iter::from_fn(|| self.idle.lock().pop());
        match idle.find(|link| !link.is_closed()) {
            Some(link) => Ok(lease(link)),
            None => self.open(lease).await,
        }
    }

    /// Connects. That goes on if the request stops waiting, so that a host late in the list is
    /// reached at last.
    async fn open(
        self: &Arc<Self>,
        lease: impl FnOnce(Arc<Link>) -> Lease + Send + 'static,
    ) -> Result<Lease> {
        let (sender, receiver) = oneshot::channel();
        let pool = Arc::clone(self);
        tokio::spawn(async move {
            let leased = Link::open(&pool.target).await.map(|link| lease(Arc::new(link)));
            if let Err(Ok(unclaimed)) = sender.send(leased) {
                unclaimed.put_back();
            }
        });
        receiver.await.unwrap_or_else(|_| Err(broken("connecting panicked")))
    }
}

async fn in_time(wait: impl Future<Output = Result<Lease>>) -> Result<Lease> {
    timeout(POOL_TIMEOUT, wait).await.unwrap_or_else(|_| {
        Err(Error::Unavailable(format!("no connection was free within {POOL_TIMEOUT:?}")))
    })
}

async fn permit(semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    Arc::clone(semaphore).acquire_owned().await.expect("the semaphore is never closed")
}

/// Where a connection comes from.
enum Home {
    Pool(Arc<Pool>),
    Shared(#[expect(dead_code, reason = "it is counted")] SharedLink),
}

/// A connection in use. Dropping one that is not shared closes it, and another one takes its place.
pub struct Lease {
    pub link: Arc<Link>,
    home: Home,
    _turn: Option<OwnedMutexGuard<()>>,
    _permits: (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>),
}

impl Lease {
    /// Makes the connection available to the next request. Its transaction must have ended.
    pub fn put_back(self) {
        if let Home::Pool(pool) = self.home {
            pool.idle.lock().push(self.link);
        }
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
