//! The order of changes within this process: those that would wait for the same row lock wait here
//! instead, without a connection. So one organization's changes cannot use up the pool.

use super::super::{Error, Result, Turn};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

/// How long a change waits for its turn: longer than a change of many rows may take.
const TURN_TIMEOUT: Duration = Duration::from_secs(4);

type Queue = Arc<tokio::sync::Mutex<()>>;

/// The turns that are held or waited for.
#[derive(Default)]
pub struct Turns(Mutex<HashMap<Turn, Queue>>);

impl Turns {
    /// Waits for a turn. [`Turn::Free`] is never waited for.
    pub async fn take(turns: &Arc<Self>, turn: &Turn) -> Result<Option<Held>> {
        if *turn == Turn::Free {
            return Ok(None);
        }
        let queue = Arc::clone(turns.lock().entry(turn.clone()).or_default());
        let mut held = Held { turns: Arc::clone(turns), turn: turn.clone(), guard: None };
        let guard = timeout(TURN_TIMEOUT, queue.lock_owned()).await.map_err(|_| {
            Error::Unavailable(format!("other changes took longer than {TURN_TIMEOUT:?}"))
        })?;
        held.guard = Some(guard);
        Ok(Some(held))
    }

    /// Returns whether a change has this turn.
    pub fn is_held(&self, turn: &Turn) -> bool {
        self.lock().get(turn).is_some_and(|queue| queue.try_lock().is_err())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Turn, Queue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn, or a place in the queue for it, until this value is dropped.
pub struct Held {
    turns: Arc<Turns>,
    turn: Turn,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.guard = None;
        let mut turns = self.turns.lock();
        // The map has the only reference left if no other change waits.
        if turns.get(&self.turn).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            turns.remove(&self.turn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_turn_is_held_by_one_change_and_forgotten_after_the_last() {
        let turns = Arc::new(Turns::default());
        let turn = Turn::Organization("acme".parse().unwrap());
        let first = Turns::take(&turns, &turn).await.unwrap();
        assert!(turns.is_held(&turn));
        let mut second = Box::pin(Turns::take(&turns, &turn));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        let second = second.await.unwrap();
        assert!(turns.is_held(&turn) && second.is_some());
        drop(second);
        assert!(turns.lock().is_empty());
    }

    #[tokio::test]
    async fn a_change_that_stops_waiting_leaves_nothing_behind() {
        let turns = Arc::new(Turns::default());
        let turn = Turn::Organization("acme".parse().unwrap());
        let first = Turns::take(&turns, &turn).await.unwrap();
        let mut second = Box::pin(Turns::take(&turns, &turn));
        assert!(futures::poll!(&mut second).is_pending());
        drop(second);
        drop(first);
        assert!(turns.lock().is_empty());
    }
}
