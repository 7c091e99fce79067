//! Closes connections that are idle too long, and the oldest idle ones above a cap.
//!
//! dropshot has no limit of its own, so the reaper scans the process's sockets once a
//! second. It closes no connection while a request is handled or a response is being
//! read, except on demand, and it does not look at requests. `plan` makes the choice.

mod plan;
mod socket;

use plan::{State, to_close};
use socket::Socket;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

/// The longest time between two scans.
const PERIOD: Duration = Duration::from_secs(1);

/// How long a connection stays open after [`Connections::close`], so that its response is sent.
const GRACE: Duration = Duration::from_millis(100);

/// How much its peer must read for a connection to count as active. It is more than the
/// acknowledgement of an HTTP/2 ping: a connection that only pings is idle.
const READ_BYTES: u64 = 4 * 1024;

/// The requests of each connection, by the address of its peer.
#[derive(Debug, Default)]
pub struct Connections {
    requests: Mutex<HashMap<SocketAddr, Requests>>,
    close_demanded: Notify,
}

#[derive(Debug)]
struct Requests {
    active: u32,
    latest: Instant,
    /// When to close the connection on demand.
    close_at: Option<Instant>,
}

impl Requests {
    fn new() -> Self {
        Self { active: 0, latest: Instant::now(), close_at: None }
    }
}

impl Connections {
    /// Counts a request of `peer` as active until the result is dropped.
    pub fn begin_request(self: &Arc<Self>, peer: SocketAddr) -> ActiveRequest {
        let mut known = self.lock();
        known.entry(peer).or_insert_with(Requests::new).active += 1;
        ActiveRequest { connections: Arc::clone(self), peer }
    }

    /// Closes the connection of `peer` in a moment, even if it is busy.
    pub fn close(&self, peer: SocketAddr) {
        let mut known = self.lock();
        let requests = known.entry(peer).or_insert_with(Requests::new);
        requests.close_at.get_or_insert(Instant::now() + GRACE);
        self.close_demanded.notify_one();
    }

    /// Returns the peers whose connections are to be closed now. Each is returned only once,
    /// because a new connection may have the same peer later.
    fn take_due(&self, now: Instant) -> HashSet<SocketAddr> {
        let is_due = |requests: &mut Requests| requests.close_at.take_if(|at| *at <= now).is_some();
        let mut known = self.lock();
        known.iter_mut().filter_map(|(peer, requests)| is_due(requests).then_some(*peer)).collect()
    }

    /// Starts to close connections that are accepted on `address`.
    pub fn start_reaper(
        self: Arc<Self>,
        address: SocketAddr,
        max_connections: NonZeroUsize,
        idle_timeout: Duration,
    ) -> Reaper {
        socket::raise_descriptor_limit();
        socket::tune_listener(address);
        let (port, seen) = (address.port(), HashMap::new());
        let mut scanner = Scanner { port, max_connections, idle_timeout, connections: self, seen };
        Reaper(tokio::spawn(async move {
            let mut ticks = tokio::time::interval(PERIOD.min(idle_timeout / 4));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = scanner.connections.close_demanded.notified() => {
                        tokio::time::sleep(GRACE).await;
                    }
                }
                scanner.scan(Instant::now());
            }
        }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, Requests>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is being handled.
#[derive(Debug)]
pub struct ActiveRequest {
    connections: Arc<Connections>,
    peer: SocketAddr,
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        if let Some(requests) = self.connections.lock().get_mut(&self.peer) {
            requests.active = requests.active.saturating_sub(1);
            requests.latest = Instant::now();
        }
    }
}

/// The task that closes connections. Dropping it stops the task.
#[derive(Debug)]
pub struct Reaper(JoinHandle<()>);

impl Drop for Reaper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Scanner {
    port: u16,
    max_connections: NonZeroUsize,
    idle_timeout: Duration,
    connections: Arc<Connections>,
    /// By the kernel's socket cookie, which is never reused.
    seen: HashMap<u64, Seen>,
}

struct Seen {
    /// When the peer last read a part of a response, or else when the socket was first seen.
    progress: Instant,
    acknowledged: u64,
    is_closed: bool,
}

impl Scanner {
    fn scan(&mut self, now: Instant) {
        let sockets = socket::accepted(self.port);
        self.update(&sockets, now);
        let open: Vec<_> =
            sockets.into_iter().filter(|socket| !self.seen[&socket.cookie].is_closed).collect();
        let states = self.states(&open, &self.connections.take_due(now));
        for index in to_close(&states, self.max_connections, self.idle_timeout, now) {
            open[index].close();
            if let Some(seen) = self.seen.get_mut(&open[index].cookie) {
                seen.is_closed = true;
            }
        }
    }

    /// Records new sockets and reading progress, and forgets sockets that are gone.
    fn update(&mut self, sockets: &[Socket], now: Instant) {
        for socket in sockets {
            let acknowledged = socket.acknowledged;
            let new = Seen { progress: now, acknowledged, is_closed: false };
            let seen = self.seen.entry(socket.cookie).or_insert(new);
            if acknowledged.saturating_sub(seen.acknowledged) >= READ_BYTES {
                (seen.progress, seen.acknowledged) = (now, acknowledged);
            }
        }
        let cookies: HashSet<_> = sockets.iter().map(|socket| socket.cookie).collect();
        self.seen.retain(|cookie, _| cookies.contains(cookie));
        let peers: HashSet<_> = sockets.iter().map(|socket| socket.peer).collect();
        let idle_timeout = self.idle_timeout;
        // A recent request may belong to a connection that was accepted after this scan began.
        self.connections.lock().retain(|peer, requests| {
            requests.active > 0 || peers.contains(peer) || now - requests.latest < idle_timeout
        });
    }

    fn states(&self, sockets: &[Socket], due: &HashSet<SocketAddr>) -> Vec<State> {
        let known = self.connections.lock();
        let state = |socket: &Socket| {
            let (requests, progress) =
                (known.get(&socket.peer), self.seen[&socket.cookie].progress);
            State {
                must_close: due.contains(&socket.peer),
                is_busy: requests.is_some_and(|requests| requests.active > 0),
                idle_since: requests.map_or(progress, |requests| progress.max(requests.latest)),
            }
        };
        sockets.iter().map(state).collect()
    }
}
