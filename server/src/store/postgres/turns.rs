//! The order of changes within this process: those that would wait for the same row lock wait here
//! instead, without a connection. So one organization's changes cannot use up the pool.

use super::super::{Error, Result, Turn};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

/// How long a change waits for its turn: longer than a change of many rows may take.
const TURN_TIMEOUT: Duration = Duration::from_secs(4);

type Queue = tokio::sync::Mutex<()>;

/// The turns that are held or waited for, each as long as a change refers to its queue.
#[derive(Default)]
pub struct Turns(Mutex<HashMap<Turn, Weak<Queue>>>);

impl Turns {
    /// Waits for a turn, which ends when the result is dropped. [`Turn::Free`] is never waited for.
    pub async fn take(&self, turn: &Turn) -> Result<Option<OwnedMutexGuard<()>>> {
        if *turn == Turn::Free {
            return Ok(None);
        }
        let held = timeout(TURN_TIMEOUT, self.queue(turn).lock_owned()).await;
        held.map(Some).map_err(|_| {
            Error::Unavailable(format!("other changes took longer than {TURN_TIMEOUT:?}"))
        })
    }

    /// Returns whether a change has this turn.
    pub fn is_held(&self, turn: &Turn) -> bool {
        let queue = self.lock().get(turn).and_then(Weak::upgrade);
        queue.is_some_and(|queue| queue.try_lock().is_err())
    }

    fn queue(&self, turn: &Turn) -> Arc<Queue> {
        let mut turns = self.lock();
        turns.retain(|_, queue| queue.strong_count() > 0);
        turns.get(turn).and_then(Weak::upgrade).unwrap_or_else(|| {
            let queue = Arc::default();
            turns.insert(turn.clone(), Arc::downgrade(&queue));
            queue
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Turn, Weak<Queue>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert_eq!(turns.lock().keys().collect::<Vec<_>>(), [&other]);
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
        assert!(turns.is_held(&turn) && second.is_some());
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
