//! Bounds the memory of responses that wait to be read, per user and in total.
//!
//! A response that does not fit is answered 503, and the connection of the slowest
//! reader is closed. Small responses need no reservation: the cap on connections
//! bounds them.

use super::connections::Connections;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::net::SocketAddr;
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
    ledger: Mutex<Ledger>,
    connections: Arc<Connections>,
}

impl Budget {
    /// A budget that closes slow readers among `connections`.
    pub fn new(connections: Arc<Connections>) -> Self {
        Self { ledger: Mutex::default(), connections }
    }

    /// Reserves memory for a streamed response, like [`Budget::reserve`].
    pub fn reserve_stream(self: &Arc<Self>, user: i64, peer: SocketAddr) -> Result<Reservation> {
        self.reserve(user, peer, STREAM)
    }

    /// Reserves memory for a whole response, like [`Budget::reserve`], unless it is small.
    pub fn reserve_whole(
        self: &Arc<Self>,
        user: i64,
        peer: SocketAddr,
        bytes: usize,
    ) -> Result<Option<Reservation>> {
        (bytes > SMALL).then(|| self.reserve(user, peer, bytes)).transpose()
    }

    /// Reserves `bytes` until the result is dropped.
    ///
    /// # Errors
    /// [`Error::Busy`] if they do not fit. Then the connection of the slowest reader is closed.
    fn reserve(self: &Arc<Self>, user: i64, peer: SocketAddr, bytes: usize) -> Result<Reservation> {
        let reserved = self.lock().reserve(user, peer, bytes, Instant::now());
        let id = reserved.map_err(|slowest| {
            slowest.inspect(|peer| self.connections.close(*peer));
            Error::Busy
        })?;
        Ok(Reservation { budget: Arc::clone(self), id })
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
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
        if let Some(entry) = self.budget.lock().entries.get_mut(&self.id) {
            entry.progress = Instant::now();
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.lock().entries.remove(&self.id);
    }
}

/// The reservations by their ids.
#[derive(Default)]
struct Ledger {
    entries: HashMap<u64, Entry>,
    next_id: u64,
}

struct Entry {
    user: i64,
    peer: SocketAddr,
    bytes: usize,
    /// When the reader last took a part.
    progress: Instant,
    is_closing: bool,
}

impl Ledger {
    /// Returns the id of the new reservation, or else the peer to close, if any.
    fn reserve(
        &mut self,
        user: i64,
        peer: SocketAddr,
        bytes: usize,
        now: Instant,
    ) -> std::result::Result<u64, Option<SocketAddr>> {
        // A single response may be larger than the share, but only alone.
        let bytes = bytes.min(PER_USER);
        let total: usize = self.entries.values().map(|entry| entry.bytes).sum();
        let own = self.entries.values().filter(|entry| entry.user == user);
        let exceeds_share = own.map(|entry| entry.bytes).sum::<usize>() + bytes > PER_USER;
        if exceeds_share || total + bytes > TOTAL {
            let stalled = self.entries.values_mut().filter(|entry| {
                let may_close = entry.user == user || !exceeds_share;
                may_close && !entry.is_closing && now.duration_since(entry.progress) >= STALLED
            });
            let slowest = stalled.min_by_key(|entry| entry.progress);
            return Err(slowest.map(|entry| {
                entry.is_closing = true;
                entry.peer
            }));
        }
        self.next_id += 1;
        let entry = Entry { user, peer, bytes, progress: now, is_closing: false };
        self.entries.insert(self.next_id, entry);
        Ok(self.next_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn peer(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    #[test]
    fn a_user_gets_a_quarter_and_others_still_get_theirs() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        for port in 0..6 {
            assert!(ledger.reserve(1, peer(port), MIB, now).is_ok());
        }
        assert_eq!(ledger.reserve(1, peer(6), 1, now), Err(None));
        for user in 2..5 {
            assert!(ledger.reserve(user, peer(20), PER_USER, now).is_ok());
        }
        assert_eq!(ledger.reserve(5, peer(30), 1, now), Err(None));
    }

    #[test]
    fn a_response_above_the_share_fits_alone() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        let id = ledger.reserve(1, peer(1), TOTAL, now).unwrap();
        assert_eq!(ledger.reserve(1, peer(2), 1, now), Err(None));
        ledger.entries.remove(&id);
        assert!(ledger.reserve(1, peer(2), 1, now).is_ok());
    }

    #[test]
    fn the_slowest_stalled_reader_of_the_user_is_closed_once() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        ledger.reserve(2, peer(1), MIB, now).unwrap();
        ledger.reserve(1, peer(2), PER_USER / 2, now + STALLED / 2).unwrap();
        ledger.reserve(1, peer(3), PER_USER / 2, now + STALLED).unwrap();
        let mut closed_at = |now| ledger.reserve(1, peer(4), MIB, now).unwrap_err();
        assert_eq!(closed_at(now + STALLED), None);
        assert_eq!(closed_at(now + STALLED * 3 / 2), Some(peer(2)));
        assert_eq!(closed_at(now + STALLED * 3 / 2), None);
        assert_eq!(closed_at(now + STALLED * 2), Some(peer(3)));
    }

    #[test]
    fn above_the_total_the_slowest_reader_of_all_is_closed() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        for user in 1..5 {
            let later = now + STALLED * u32::try_from(user).unwrap();
            ledger.reserve(user, peer(9), PER_USER, later).unwrap();
        }
        assert_eq!(ledger.reserve(5, peer(10), 1, now + STALLED * 9), Err(Some(peer(9))));
        let closing = ledger.entries.values().find(|entry| entry.is_closing);
        assert_eq!(closing.map(|entry| entry.user), Some(1));
    }

    #[test]
    fn progress_is_recorded_and_dropping_a_reservation_frees_it() {
        let budget = Arc::new(Budget::new(Arc::default()));
        let reservation = budget.reserve(1, peer(1), MIB).unwrap();
        let before = budget.lock().entries[&reservation.id].progress;
        reservation.record_progress();
        assert!(budget.lock().entries[&reservation.id].progress > before);
        drop(reservation);
        assert!(budget.lock().entries.is_empty());
        assert!(budget.reserve_whole(1, peer(1), SMALL).unwrap().is_none());
        assert!(budget.reserve_whole(1, peer(1), SMALL + 1).unwrap().is_some());
    }
}
