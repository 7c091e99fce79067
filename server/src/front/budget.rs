//! Bounds the memory of responses that wait to be read, per user and in total.
//!
//! A response that does not fit is answered 503, and the connection of the slowest
//! reader is closed. Small responses need no reservation: the cap on connections
//! bounds them.

use super::connections::Connections;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What all responses may occupy, in bytes. In addition, 1,024 connections with a small response
/// each take about 34 MiB.
const TOTAL: usize = 24 * 1024 * 1024;

/// What the responses to one user may occupy.
const PER_USER: usize = TOTAL / 4;

/// The largest response that needs no reservation.
const SMALL: usize = 16 * 1024;

/// What a streamed response reserves: a piece, and the records that it is made of.
const STREAM: usize = 128 * 1024;

/// How long a reader must have taken nothing before its connection may be closed.
const STALLED: Duration = Duration::from_secs(1);

/// The memory for responses that wait to be read.
pub struct Budget {
    reservations: Mutex<HashMap<u64, Entry>>,
    next_id: AtomicU64,
    connections: Arc<Connections>,
}

struct Entry {
    user: i64,
    peer: SocketAddr,
    bytes: usize,
    /// When the reader last took a part.
    progress: Instant,
    is_closing: bool,
}

impl Budget {
    /// A budget that closes slow readers among `connections`.
    pub fn new(connections: Arc<Connections>) -> Self {
        Self { reservations: Mutex::default(), next_id: AtomicU64::default(), connections }
    }

    /// Reserves memory for a streamed response until the result is dropped.
    ///
    /// # Errors
    /// [`Error::Busy`] if it does not fit. Then the connection of the slowest reader is closed.
    pub fn reserve_stream(self: &Arc<Self>, user: i64, peer: SocketAddr) -> Result<Reservation> {
        self.reserve(user, peer, STREAM)
    }

    /// Reserves memory for a whole response like [`Self::reserve_stream`], unless it is small.
    pub fn reserve_whole(
        self: &Arc<Self>,
        user: i64,
        peer: SocketAddr,
        bytes: usize,
    ) -> Result<Option<Reservation>> {
        (bytes > SMALL).then(|| self.reserve(user, peer, bytes)).transpose()
    }

    fn reserve(self: &Arc<Self>, user: i64, peer: SocketAddr, bytes: usize) -> Result<Reservation> {
        let new = Entry { user, peer, bytes, progress: Instant::now(), is_closing: false };
        let id = self.insert(new).map_err(|slowest| {
            slowest.inspect(|peer| self.connections.close(*peer));
            Error::Busy
        })?;
        Ok(Reservation { budget: Arc::clone(self), id })
    }

    /// Returns the id of the new reservation, or else the peer to close, if any.
    fn insert(&self, mut new: Entry) -> std::result::Result<u64, Option<SocketAddr>> {
        let mut reservations = self.lock();
        // A single response may be larger than the share, but only alone.
        new.bytes = new.bytes.min(PER_USER);
        let total: usize = reservations.values().map(|entry| entry.bytes).sum();
        let own = reservations.values().filter(|entry| entry.user == new.user);
        let exceeds_share = own.map(|entry| entry.bytes).sum::<usize>() + new.bytes > PER_USER;
        if exceeds_share || total + new.bytes > TOTAL {
            let stalled = reservations.values_mut().filter(|entry| {
                let is_stalled = new.progress.duration_since(entry.progress) >= STALLED;
                is_stalled && !entry.is_closing && (entry.user == new.user || !exceeds_share)
            });
            let slowest = stalled.min_by_key(|entry| entry.progress);
            return Err(slowest.map(|entry| {
                entry.is_closing = true;
                entry.peer
            }));
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        reservations.insert(id, new);
        Ok(id)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Entry>> {
        self.reservations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of the budget. Dropping it frees the part.
pub struct Reservation {
    budget: Arc<Budget>,
    id: u64,
}

impl Reservation {
    /// Records that the reader has taken a part of the response.
    pub fn record_progress(&self) {
        self.budget.lock().entry(self.id).and_modify(|entry| entry.progress = Instant::now());
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn peer(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    fn insert(
        budget: &Budget,
        user: i64,
        peer: SocketAddr,
        bytes: usize,
        now: Instant,
    ) -> std::result::Result<u64, Option<SocketAddr>> {
        budget.insert(Entry { user, peer, bytes, progress: now, is_closing: false })
    }

    #[test]
    fn a_user_gets_a_quarter_and_others_still_get_theirs() {
        let (budget, now) = (Budget::new(Arc::default()), Instant::now());
        for port in 0..6 {
            assert!(insert(&budget, 1, peer(port), MIB, now).is_ok());
        }
        assert_eq!(insert(&budget, 1, peer(6), 1, now), Err(None));
        for user in 2..5 {
            assert!(insert(&budget, user, peer(20), PER_USER, now).is_ok());
        }
        assert_eq!(insert(&budget, 5, peer(30), 1, now), Err(None));
    }

    #[test]
    fn a_response_above_the_share_fits_alone() {
        let (budget, now) = (Budget::new(Arc::default()), Instant::now());
        let id = insert(&budget, 1, peer(1), TOTAL, now).unwrap();
        assert_eq!(insert(&budget, 1, peer(2), 1, now), Err(None));
        budget.lock().remove(&id);
        assert!(insert(&budget, 1, peer(2), 1, now).is_ok());
    }

    #[test]
    fn the_slowest_stalled_reader_of_the_user_is_closed_once() {
        let (budget, now) = (Budget::new(Arc::default()), Instant::now());
        insert(&budget, 2, peer(1), MIB, now).unwrap();
        insert(&budget, 1, peer(2), PER_USER / 2, now + STALLED / 2).unwrap();
        insert(&budget, 1, peer(3), PER_USER / 2, now + STALLED).unwrap();
        let closed_at = |now| insert(&budget, 1, peer(4), MIB, now).unwrap_err();
        assert_eq!(closed_at(now + STALLED), None);
        assert_eq!(closed_at(now + STALLED * 3 / 2), Some(peer(2)));
        assert_eq!(closed_at(now + STALLED * 3 / 2), None);
        assert_eq!(closed_at(now + STALLED * 2), Some(peer(3)));
    }

    #[test]
    fn above_the_total_the_slowest_reader_of_all_is_closed() {
        let (budget, now) = (Budget::new(Arc::default()), Instant::now());
        for user in 1..5 {
            let later = now + STALLED * u32::try_from(user).unwrap();
            insert(&budget, user, peer(9), PER_USER, later).unwrap();
        }
        assert_eq!(insert(&budget, 5, peer(10), 1, now + STALLED * 9), Err(Some(peer(9))));
        let reservations = budget.lock();
        let closing = reservations.values().find(|entry| entry.is_closing);
        assert_eq!(closing.map(|entry| entry.user), Some(1));
    }

    #[test]
    fn progress_is_recorded_and_dropping_a_reservation_frees_it() {
        let budget = Arc::new(Budget::new(Arc::default()));
        let reservation = budget.reserve(1, peer(1), MIB).unwrap();
        let before = budget.lock()[&reservation.id].progress;
        reservation.record_progress();
        assert!(budget.lock()[&reservation.id].progress > before);
        drop(reservation);
        assert!(budget.lock().is_empty());
        assert!(budget.reserve_whole(1, peer(1), SMALL).unwrap().is_none());
        assert!(budget.reserve_whole(1, peer(1), SMALL + 1).unwrap().is_some());
    }
}
