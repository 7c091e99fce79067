//! Bounds the memory of responses that wait to be read, per user and in total.
//!
//! A response that does not fit is answered 503, and the connection of the slowest
//! reader is closed. Small responses are not counted: the cap on connections bounds them.

use super::connections::Connections;
use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// What all responses may occupy, in bytes. In addition, 1,024 connections with a small response
/// each take about 34 MiB, and over TLS 50 MiB.
const TOTAL: usize = 24 * 1024 * 1024;

/// What the responses to one user may occupy.
const PER_USER: usize = TOTAL / 4;

/// The largest response that needs no reservation.
pub const SMALL: usize = 16 * 1024;

/// Returns what a streamed response occupies: a piece, and the records that it is made of. Over TLS
/// hyper gathers some 400 KiB of pieces in a buffer whose capacity doubles, and rustls 64 KiB.
pub fn stream(using_tls: bool) -> usize {
    if using_tls { 1024 * 1024 } else { 128 * 1024 }
}

/// How long a reader must have taken nothing before its connection may be closed.
const STALLED: Duration = Duration::from_secs(1);

/// The memory for responses that wait to be read.
pub struct Budget {
    reservations: Mutex<Vec<Weak<Reservation>>>,
    connections: Arc<Connections>,
}

/// The memory of one response. Dropping it frees the memory.
pub struct Reservation {
    user: i64,
    peer: SocketAddr,
    bytes: usize,
    reader: Mutex<Reader>,
}

struct Reader {
    /// When it last took a part of the response.
    progress: Instant,
    is_closing: bool,
}

impl Budget {
    /// A budget that closes slow readers among `connections`.
    pub fn new(connections: Arc<Connections>) -> Self {
        Self { reservations: Mutex::default(), connections }
    }

    /// Reserves memory for a response until the result is dropped.
    ///
    /// # Errors
    /// [`Error::Busy`] if it does not fit. Then the connection of the slowest reader is closed.
    pub fn reserve(&self, user: i64, peer: SocketAddr, bytes: usize) -> Result<Arc<Reservation>> {
        let reservation = Reservation::new(user, peer, bytes, Instant::now());
        let Err(slowest) = self.insert(&reservation) else { return Ok(reservation) };
        if let Some(peer) = slowest {
            self.connections.close(peer);
        }
        Err(Error::Busy)
    }

    /// Counts the new reservation, or else returns the peer to close, if any.
    fn insert(&self, new: &Arc<Reservation>) -> std::result::Result<(), Option<SocketAddr>> {
        let mut reservations = self.reservations.lock();
        reservations.retain(|reservation| reservation.strong_count() > 0);
        let all: Vec<_> = reservations.iter().filter_map(Weak::upgrade).collect();
        let total: usize = all.iter().map(|one| one.bytes).sum();
        let own = all.iter().filter(|one| one.user == new.user);
        let exceeds_share = own.map(|one| one.bytes).sum::<usize>() + new.bytes > PER_USER;
        if exceeds_share || total + new.bytes > TOTAL {
            let now = new.reader.lock().progress;
            let candidates = all.iter().filter(|one| one.user == new.user || !exceeds_share);
            let stalled = candidates.filter(|one| {
                let Reader { progress, is_closing } = *one.reader.lock();
                !is_closing && now.duration_since(progress) >= STALLED
            });
            let slowest = stalled.min_by_key(|one| one.reader.lock().progress);
            return Err(slowest.map(|one| {
                one.reader.lock().is_closing = true;
                one.peer
            }));
        }
        reservations.push(Arc::downgrade(new));
        Ok(())
    }
}

impl Reservation {
    fn new(user: i64, peer: SocketAddr, bytes: usize, progress: Instant) -> Arc<Self> {
        let reader = Mutex::new(Reader { progress, is_closing: false });
        // A single response may be larger than the share, but only alone.
        Arc::new(Self { user, peer, bytes: bytes.min(PER_USER), reader })
    }

    /// Records that the reader has taken a part of the response.
    pub fn record_progress(&self) {
        self.reader.lock().progress = Instant::now();
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
    ) -> std::result::Result<Arc<Reservation>, Option<SocketAddr>> {
        let new = Reservation::new(user, peer, bytes, now);
        budget.insert(&new).map(|()| new)
    }

    /// Returns whom a reservation that does not fit closes.
    fn closes(
        budget: &Budget,
        user: i64,
        peer: SocketAddr,
        bytes: usize,
        now: Instant,
    ) -> Option<SocketAddr> {
        insert(budget, user, peer, bytes, now).err().expect("it does not fit")
    }

    #[test]
    fn a_user_gets_a_quarter_and_others_still_get_theirs() {
        let (budget, now) = (Budget::new(Arc::default()), Instant::now());
        let own: Vec<_> = (0..6).map(|port| insert(&budget, 1, peer(port), MIB, now)).collect();
        assert!(own.iter().all(std::result::Result::is_ok));
        assert_eq!(closes(&budget, 1, peer(6), 1, now), None);
        let others: Vec<_> =
            (2..5).map(|user| insert(&budget, user, peer(20), PER_USER, now)).collect();
        assert!(others.iter().all(std::result::Result::is_ok));
        assert_eq!(closes(&budget, 5, peer(30), 1, now), None);
    }

    #[test]
    fn a_response_above_the_share_fits_alone() {
        let (budget, now) = (Budget::new(Arc::default()), Instant::now());
        let large = insert(&budget, 1, peer(1), TOTAL, now);
        assert_eq!(closes(&budget, 1, peer(2), 1, now), None);
        drop(large);
        assert!(insert(&budget, 1, peer(2), 1, now).is_ok());
    }

    #[test]
    fn the_slowest_stalled_reader_of_the_user_is_closed_once() {
        let (budget, now) = (Budget::new(Arc::default()), Instant::now());
        let _other = insert(&budget, 2, peer(1), MIB, now);
        let _slow = insert(&budget, 1, peer(2), PER_USER / 2, now + STALLED / 2);
        let _late = insert(&budget, 1, peer(3), PER_USER / 2, now + STALLED);
        let closed_at = |now| closes(&budget, 1, peer(4), MIB, now);
        assert_eq!(closed_at(now + STALLED), None);
        assert_eq!(closed_at(now + STALLED * 3 / 2), Some(peer(2)));
        assert_eq!(closed_at(now + STALLED * 3 / 2), None);
        assert_eq!(closed_at(now + STALLED * 2), Some(peer(3)));
    }

    #[test]
    fn above_the_total_the_slowest_reader_of_all_is_closed() {
        let (budget, now) = (Budget::new(Arc::default()), Instant::now());
        let _all = [1, 2, 3, 4].map(|user: u16| {
            let later = now + STALLED * user.into();
            insert(&budget, user.into(), peer(user), PER_USER, later)
        });
        assert_eq!(closes(&budget, 5, peer(10), 1, now + STALLED * 9), Some(peer(1)));
    }

    #[test]
    fn progress_is_recorded_and_dropping_a_reservation_frees_it() {
        let budget = Budget::new(Arc::default());
        let reservation = budget.reserve(1, peer(1), PER_USER).unwrap();
        let before = reservation.reader.lock().progress;
        reservation.record_progress();
        assert!(reservation.reader.lock().progress > before);
        assert!(budget.reserve(1, peer(1), 1).is_err());
        drop(reservation);
        assert!(budget.reserve(1, peer(1), 1).is_ok());
    }
}
