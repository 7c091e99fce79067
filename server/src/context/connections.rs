//! Closes connections that are idle too long, and the oldest idle ones above a cap.
//!
//! dropshot has no limit of its own, so a task scans the process's sockets once a
//! second. It closes no connection while a request is handled or a response is being
//! read, except on demand, and it does not look at requests. `to_close` makes the choice.

mod socket;

use parking_lot::Mutex;
use socket::Socket;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// The longest time between two scans.
const PERIOD: Duration = Duration::from_secs(1);

/// How long a connection stays open after [`Connections::close`], so that its response is sent.
const GRACE: Duration = Duration::from_millis(100);

/// How much its peer must read for a connection to count as active. It is more than the
/// acknowledgement of an HTTP/2 ping: a connection that only pings is idle.
const READ_BYTES: u64 = 4 * 1024;

/// The requests of each connection, by the address of its peer.
#[derive(Default)]
pub struct Connections {
    requests: Mutex<HashMap<SocketAddr, Arc<Requests>>>,
    close_demanded: Notify,
}

pub struct Requests {
    /// The peer as a text, which every line of the access log has.
    pub peer: Box<str>,
    state: Mutex<State>,
}

struct State {
    active: u32,
    latest: Instant,
    /// When to close the connection on demand.
    close_at: Option<Instant>,
}

impl Connections {
    /// Counts a request until [`Requests::end`].
    pub fn begin_request(&self, peer: SocketAddr) -> Arc<Requests> {
        self.change(peer, |state| state.active += 1)
    }

    /// Closes the connection of `peer` in a moment, even if it is busy.
    pub fn close(&self, peer: SocketAddr) {
        let at = Instant::now() + GRACE;
        self.change(peer, |state| state.close_at = state.close_at.or(Some(at)));
        self.close_demanded.notify_one();
    }

    fn change(&self, peer: SocketAddr, change: impl FnOnce(&mut State)) -> Arc<Requests> {
        let new = || {
            let state = State { active: 0, latest: Instant::now(), close_at: None };
            Arc::new(Requests { peer: peer.to_string().into(), state: Mutex::new(state) })
        };
        // As long as the map is locked, nothing is forgotten.
        let mut all = self.requests.lock();
        let requests = all.entry(peer).or_insert_with(new);
        change(&mut requests.state.lock());
        Arc::clone(requests)
    }

    /// Starts to close connections that are accepted on `address`, until the result is dropped.
    pub fn start_reaper(
        self: Arc<Self>,
        address: SocketAddr,
        max_connections: NonZeroUsize,
        idle_timeout: Duration,
    ) -> JoinSet<()> {
        socket::raise_descriptor_limit();
        socket::tune_listener(address.port());
        let mut task = JoinSet::new();
        task.spawn(self.reap(address.port(), max_connections, idle_timeout));
        task
    }

    async fn reap(self: Arc<Self>, port: u16, max: NonZeroUsize, idle_timeout: Duration) {
        let mut known: HashMap<u64, Socket> = HashMap::new();
        loop {
            let period = PERIOD.min(idle_timeout / 4);
            if tokio::time::timeout(period, self.close_demanded.notified()).await.is_ok() {
                tokio::time::sleep(GRACE).await;
            }
            let now = Instant::now();
            let mut sockets = socket::accepted(port, now);
            for socket in &mut sockets {
                if let Some(known) = known.get(&socket.cookie)
                    && socket.acknowledged.saturating_sub(known.acknowledged) < READ_BYTES
                {
                    (socket.acknowledged, socket.progress) = (known.acknowledged, known.progress);
                }
            }
            let idle = sockets.iter().map(|socket| self.idle(socket.peer, socket.progress, now));
            for index in to_close(&idle.collect::<Vec<_>>(), max, idle_timeout) {
                sockets[index].close();
            }
            self.forget(idle_timeout, now);
            known = sockets.into_iter().map(|socket| (socket.cookie, socket)).collect();
        }
    }

    /// Returns how long a connection has been idle: for ever if it must be closed, and `None` while
    /// one of its requests is handled. Bytes that arrive but complete no request do not count.
    fn idle(&self, peer: SocketAddr, progress: Instant, now: Instant) -> Option<Duration> {
        let requests = self.requests.lock().get(&peer).cloned();
        match requests.as_ref().map(|requests| requests.state.lock()) {
            Some(state) if state.close_at.is_some_and(|at| at <= now) => Some(Duration::MAX),
            Some(state) if state.active > 0 => None,
            Some(state) => Some(now.duration_since(state.latest.max(progress))),
            None => Some(now.duration_since(progress)),
        }
    }

    /// Forgets idle peers, and demands that are met: a new connection may have the same peer later.
    fn forget(&self, idle_timeout: Duration, now: Instant) {
        self.requests.lock().retain(|_, requests| {
            let mut state = requests.state.lock();
            state.close_at = state.close_at.filter(|at| *at > now);
            let is_recent = now.duration_since(state.latest) < idle_timeout;
            state.active > 0 || state.close_at.is_some() || is_recent
        });
    }
}

impl Requests {
    pub fn end(&self) {
        let mut state = self.state.lock();
        state.active -= 1;
        state.latest = Instant::now();
    }
}

/// Returns the indexes of the connections to close: those that are idle too long, and the longest
/// idle ones above `max`. Busy connections may exceed `max`.
fn to_close(idle: &[Option<Duration>], max: NonZeroUsize, idle_timeout: Duration) -> Vec<usize> {
    let mut closing: Vec<usize> = (0..idle.len()).filter(|index| idle[*index].is_some()).collect();
    closing.sort_by_key(|index| Reverse(idle[*index]));
    let due = closing.partition_point(|index| idle[*index] >= Some(idle_timeout));
    closing.truncate(due.max(idle.len().saturating_sub(max.get())));
    closing
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of these are closed: seconds of being idle, and whether busy.
    fn closed(connections: &[(u64, bool)]) -> Vec<usize> {
        let seconds =
            |(idle, is_busy): &(u64, bool)| (!is_busy).then(|| Duration::from_secs(*idle));
        let idle: Vec<_> = connections.iter().map(seconds).collect();
        to_close(&idle, NonZeroUsize::new(3).unwrap(), Duration::from_secs(30))
    }

    #[test]
    fn only_connections_idle_for_too_long_are_closed() {
        assert_eq!(closed(&[(29, false), (30, false), (0, false)]), [1]);
        assert!(closed(&[]).is_empty());
    }

    #[test]
    fn above_the_cap_the_oldest_idle_ones_are_closed_first() {
        assert_eq!(closed(&[(1, false), (3, false), (2, false), (0, false), (0, false)]), [1, 2]);
    }

    #[test]
    fn a_busy_connection_is_never_closed() {
        assert_eq!(closed(&[(99, true), (99, true), (1, false), (98, true)]), [2]);
        assert!(closed(&[(99, true); 9]).is_empty());
    }

    #[test]
    fn an_expired_connection_counts_toward_the_excess() {
        assert_eq!(closed(&[(1, false), (40, false), (2, false), (3, false)]), [1]);
    }

    #[test]
    fn a_busy_connection_is_closed_on_demand_and_makes_room() {
        let (connections, now) = (Connections::default(), Instant::now());
        let peer = |port| SocketAddr::from(([192, 0, 2, 1], port));
        connections.begin_request(peer(1));
        connections.begin_request(peer(2));
        connections.close(peer(1));
        let idle = |port, now| connections.idle(peer(port), now, now);
        assert_eq!([idle(1, now), idle(2, now)], [None, None]);
        let later = Instant::now() + GRACE;
        let idle = [idle(1, later), idle(2, later), idle(3, later)];
        assert_eq!(idle, [Some(Duration::MAX), None, Some(Duration::ZERO)]);
        let max = NonZeroUsize::new(2).unwrap();
        assert_eq!(to_close(&idle, max, Duration::from_secs(30)), [0]);
    }
}
