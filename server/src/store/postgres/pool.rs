//! The connections of one server: a limited number, and one second to get one.
//!
//! A connection comes back only after its transaction has ended; in every other case it is closed
//! and another one takes its place.

use super::super::{Error, Result, broken};
use super::link::{ANSWER_TIMEOUT, Link};
use super::url::Target;
use std::iter;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

/// How long a request waits for a connection.
const POOL_TIMEOUT: Duration = Duration::from_secs(1);

pub struct Pool {
    target: Target,
    idle: Mutex<Vec<Link>>,
    places: Arc<Semaphore>,
    writers: Arc<Semaphore>,
}

impl Pool {
    pub fn new(target: Target, size: NonZeroUsize) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(size.get()));
        // Writers wait for locks and for standbys: the other half of the places is for readers.
        let writers = Arc::new(Semaphore::new(size.get().div_ceil(2)));
        Arc::new(Self { target, idle: Mutex::default(), places, writers })
    }

    pub async fn lease(self: &Arc<Self>, is_writer: bool) -> Result<Box<Lease>> {
        timeout(POOL_TIMEOUT, self.wait(is_writer)).await.unwrap_or_else(|_| {
            Err(Error::Unavailable(format!("no connection was free within {POOL_TIMEOUT:?}")))
        })
    }

    async fn wait(self: &Arc<Self>, is_writer: bool) -> Result<Box<Lease>> {
        let writer = if is_writer { Some(permit(&self.writers).await) } else { None };
        let permits = (permit(&self.places).await, writer);
        let pool = Arc::clone(self);
        let idle = iter::from_fn(|| self.idle().pop()).find(|link| !link.is_closed());
        if let Some(link) = idle {
            return Ok(Box::new(Lease { link, pool, _permits: permits }));
        }
        // Connecting goes on if the request stops waiting, so that a host late in the list is reached
        // at last.
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(async move {
            let opened = Link::open(&pool.target).await;
            let leased = opened.map(|link| Box::new(Lease { link, pool, _permits: permits }));
            if let Err(Ok(unclaimed)) = sender.send(leased) {
                unclaimed.put_back();
            }
        });
        receiver.await.unwrap_or_else(|_| Err(broken("connecting panicked")))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Link>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Permits = (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

async fn permit(semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    Arc::clone(semaphore).acquire_owned().await.expect("the semaphore is never closed")
}

/// A connection in use. Dropping it closes it.
pub struct Lease {
    pub link: Link,
    pool: Arc<Pool>,
    _permits: Permits,
}

impl Lease {
    /// Makes the connection available to the next request.
    pub fn put_back(self) {
        let Self { link, pool, _permits } = self;
        pool.idle().push(link);
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
