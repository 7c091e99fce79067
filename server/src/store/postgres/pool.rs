//! The connections of one server: at most so many, one second to get one.
//!
//! A connection comes back only once its transaction was seen to end; whatever else
//! happens to it, it is closed and another one takes its place.

use super::super::{Error, Result};
use super::link::{ANSWER, Link};
use super::url::Target;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

/// How long a request waits for a connection.
const PATIENCE: Duration = Duration::from_secs(1);

pub struct Pool {
    target: Target,
    size: NonZeroUsize,
    idle: Mutex<Vec<Link>>,
    places: Arc<Semaphore>,
    writers: Arc<Semaphore>,
}

impl Pool {
    pub fn new(target: Target, size: NonZeroUsize) -> Arc<Self> {
        Arc::new(Self {
            target,
            size,
            idle: Mutex::default(),
            places: Arc::new(Semaphore::new(size.get())),
            // Writers wait for locks and for standbys: the other half of the places keeps
            // readers, and so every authentication, going.
            writers: Arc::new(Semaphore::new(size.get().div_ceil(2))),
        })
    }

    pub fn size(&self) -> NonZeroUsize {
        self.size
    }

    /// A connection to read on.
    pub async fn reader(self: &Arc<Self>) -> Result<Lease> {
        patiently(self.lease(None)).await
    }

    /// A connection to write on.
    pub async fn writer(self: &Arc<Self>) -> Result<Lease> {
        patiently(async {
            let turn = permit(&self.writers).await?;
            self.lease(Some(turn)).await
        })
        .await
    }

    async fn lease(self: &Arc<Self>, turn: Option<OwnedSemaphorePermit>) -> Result<Lease> {
        let permits = (permit(&self.places).await?, turn);
        while let Some(link) = self.idle().pop() {
            if !link.is_closed() {
                return Ok(Lease { link, pool: Arc::clone(self), _permits: permits });
            }
        }
        self.open(permits).await
    }

    /// Connecting goes on where the request stops waiting, so that a host is reached in the end
    /// whose turn comes late.
    async fn open(self: &Arc<Self>, permits: Permits) -> Result<Lease> {
        let (sender, receiver) = oneshot::channel();
        let pool = Arc::clone(self);
        tokio::spawn(async move {
            let opened = Link::open(&pool.target).await;
            let leased = opened.map(|link| Lease { link, pool, _permits: permits });
            if let Err(Ok(unclaimed)) = sender.send(leased) {
                unclaimed.put_back();
            }
        });
        receiver.await.unwrap_or_else(|_| Err(Error::Broken("connecting panicked".to_owned())))
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Link>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Permits = (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

async fn permit(semaphore: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit> {
    let permit = Arc::clone(semaphore).acquire_owned().await;
    permit.map_err(|error| Error::Broken(error.to_string()))
}

async fn patiently<T>(wait: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| {
        Err(Error::Unavailable(format!("no connection was free within {PATIENCE:?}")))
    })
}

/// A connection that somebody uses. Dropping it closes it.
pub struct Lease {
    pub link: Link,
    pool: Arc<Pool>,
    _permits: Permits,
}

impl Lease {
    /// Keeps the connection for the next one who asks.
    pub fn put_back(self) {
        let Self { link, pool, _permits } = self;
        pool.idle().push(link);
    }

    /// The same, once its transaction was undone.
    pub fn undo_and_put_back(self) {
        // Without a runtime the program is ending, and closing undoes as well.
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            if let Ok(Ok(())) = timeout(ANSWER, self.link.run("ROLLBACK")).await {
                self.put_back();
            }
        });
    }
}
