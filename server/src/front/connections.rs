//! How many connections there are, and which of them are worth keeping.
//!
//! dropshot accepts without end and keeps what is silent, so a guard looks at the
//! process's own sockets once a second: those that were quiet too long are closed,
//! and the oldest idle above a cap. It never cuts a request that is being worked on
//! or an answer that is being read, and it knows nothing of what requests say.

mod plan;
mod socket;

pub use plan::Limits;

use plan::{State, to_close};
use socket::Socket;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

/// How often the guard looks, at least.
const PERIOD: Duration = Duration::from_secs(1);

/// How much of an answer its reader must have taken for it to count as being read. More than the
/// acknowledgement of an HTTP/2 ping: a connection that only pings is idle.
const READ_BYTES: u64 = 4 * 1024;

/// What the front door knows of its connections, by the address of the peer.
#[derive(Debug, Default)]
pub struct Connections(Mutex<HashMap<SocketAddr, Requests>>);

#[derive(Debug)]
struct Requests {
    under_way: u32,
    latest: Instant,
}

impl Connections {
    /// Notes that a request of `peer` is worked on, until what is returned is dropped.
    pub fn begin(self: &Arc<Self>, peer: SocketAddr) -> UnderWay {
        let now = Instant::now();
        let mut known = self.lock();
        let requests = known.entry(peer).or_insert(Requests { under_way: 0, latest: now });
        requests.under_way += 1;
        UnderWay { connections: Arc::clone(self), peer }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, Requests>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is worked on.
#[derive(Debug)]
pub struct UnderWay {
    connections: Arc<Connections>,
    peer: SocketAddr,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(requests) = self.connections.lock().get_mut(&self.peer) {
            requests.under_way = requests.under_way.saturating_sub(1);
            requests.latest = Instant::now();
        }
    }
}

/// The guard at work. Dropping it ends it.
#[derive(Debug)]
pub struct Guard(JoinHandle<()>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Guards the connections that are accepted on `address` from now on.
pub fn guard(address: SocketAddr, limits: Limits, connections: Arc<Connections>) -> Guard {
    socket::raise_descriptor_limit();
    socket::tune_listener(address);
    let mut watch = Watch { port: address.port(), limits, connections, seen: HashMap::new() };
    Guard(tokio::spawn(async move {
        let mut ticks = tokio::time::interval(PERIOD.min(limits.idle / 4));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            watch.look(Instant::now());
        }
    }))
}

struct Watch {
    port: u16,
    limits: Limits,
    connections: Arc<Connections>,
    /// By the kernel's cookie, which no two sockets ever share.
    seen: HashMap<u64, Seen>,
}

struct Seen {
    /// When it was seen first, or its peer had last read a part of an answer.
    progress: Instant,
    acknowledged: u64,
    is_closed: bool,
}

impl Watch {
    fn look(&mut self, now: Instant) {
        let sockets = socket::accepted(self.port);
        self.update(&sockets, now);
        let open: Vec<_> =
            sockets.into_iter().filter(|socket| !self.seen[&socket.cookie].is_closed).collect();
        let states = self.states(&open);
        for index in to_close(&states, self.limits, now) {
            open[index].close();
            if let Some(seen) = self.seen.get_mut(&open[index].cookie) {
                seen.is_closed = true;
            }
        }
    }

    /// Notes new sockets and what was read, and forgets the sockets that are gone.
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
        let idle = self.limits.idle;
        // A request may have come in over a connection that is newer than this look.
        self.connections.lock().retain(|peer, requests| {
            requests.under_way > 0 || peers.contains(peer) || now - requests.latest < idle
        });
    }

    fn states(&self, sockets: &[Socket]) -> Vec<State> {
        let known = self.connections.lock();
        let state = |socket: &Socket| {
            let progress = self.seen[&socket.cookie].progress;
            match known.get(&socket.peer) {
                None => State { is_busy: false, quiet_since: progress },
                Some(requests) => State {
                    is_busy: requests.under_way > 0,
                    quiet_since: progress.max(requests.latest),
                },
            }
        };
        sockets.iter().map(state).collect()
    }
}
