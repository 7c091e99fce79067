//! Bounds the memory of responses that wait to be read, per user and in total.
//!
//! A response that does not fit is answered 503, and the connection of the slowest
//! reader is closed. Small responses need no reservation: the cap on connections
//! bounds them.

use super::connections::Connections;
use crate::error::{Error, Result};
use crate::http::Progress;
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
#[derive(Debug)]
pub struct Budget {
    ledger: Mutex<Ledger>,
    connections: Arc<Connections>,
}

impl Budget {
    /// A budget that closes slow readers among `connections`.
    pub fn new(connections: Arc<Connections>) -> Arc<Self> {
        Arc::new(Self { ledger: Mutex::default(), connections })
    }

    /// Reserves memory for a streamed response.
    ///
    /// # Errors
    /// [`Error::Busy`] if it does not fit.
    pub fn reserve_stream(self: &Arc<Self>, user: i64, peer: SocketAddr) -> Result<Reservation> {
        self.reserve(user, peer, STREAM)
    }

    /// Reserves memory for a whole response, unless it is small.
    ///
    /// # Errors
    /// [`Error::Busy`] if it does not fit.
    pub fn reserve_whole(
        self: &Arc<Self>,
        user: i64,
        peer: SocketAddr,
        bytes: usize,
    ) -> Result<Option<Reservation>> {
        (bytes > SMALL).then(|| self.reserve(user, peer, bytes)).transpose()
    }

    /// Reserves `bytes` until the result is dropped. If they do not fit, closes the connection of
    /// the slowest reader.
    ///
    /// # Errors
    /// [`Error::Busy`] if they do not fit.
    pub fn reserve(
        self: &Arc<Self>,
        user: i64,
        peer: SocketAddr,
        bytes: usize,
    ) -> Result<Reservation> {
        let id = self.lock().reserve(user, peer, bytes, Instant::now()).map_err(|slowest| {
            if let Some(peer) = slowest {
                self.connections.close(peer);
            }
            Error::Busy
        })?;
        Ok(Reservation { budget: Arc::clone(self), id })
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of the budget. Dropping it frees the part.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    id: u64,
}

impl Progress for Reservation {
    fn record_progress(&self) {
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

/// The reservations. Pure: the caller passes the time.
#[derive(Debug, Default)]
struct Ledger {
    entries: HashMap<u64, Entry>,
    next_id: u64,
}

#[derive(Debug)]
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
        if self.sum(|entry| entry.user == user) + bytes > PER_USER {
            return Err(self.close_slowest(now, |entry| entry.user == user));
        }
        if self.sum(|_| true) + bytes > TOTAL {
            return Err(self.close_slowest(now, |_| true));
        }
        self.next_id += 1;
        let entry = Entry { user, peer, bytes, progress: now, is_closing: false };
        self.entries.insert(self.next_id, entry);
        Ok(self.next_id)
    }

    fn sum(&self, belongs: impl Fn(&Entry) -> bool) -> usize {
        self.entries.values().filter(|entry| belongs(entry)).map(|entry| entry.bytes).sum()
    }

    fn close_slowest(
        &mut self,
        now: Instant,
        belongs: impl Fn(&Entry) -> bool,
    ) -> Option<SocketAddr> {
        let is_stalled = |entry: &Entry| now.duration_since(entry.progress) >= STALLED;
        let stalled = self
            .entries
            .values_mut()
            .filter(|entry| belongs(entry) && is_stalled(entry) && !entry.is_closing);
        let slowest = stalled.min_by_key(|entry| entry.progress)?;
        slowest.is_closing = true;
        Some(slowest.peer)
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
        let budget = Budget::new(Arc::default());
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
