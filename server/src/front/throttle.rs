//! Limits how many bad credentials a client may send in a second.
//!
//! This protects the database; tokens are too long to guess. A good credential is
//! always accepted, even from a client above the limit.

mod client;

use http::HeaderMap;
use ipnet::IpNet;
use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many clients are kept in memory. Above that, new clients have no allowance.
const MAX_CLIENTS: usize = 16 * 1024;

/// How much of the allowance may be used at once: a second's.
const BURST: Duration = Duration::from_secs(1);

/// Counts bad credentials by client.
pub struct Throttle {
    /// The share of a second that one bad credential uses up.
    cost: Duration,
    trusted_proxies: Vec<IpNet>,
    /// Until when each client has used its allowance. Times in the past mean a full allowance.
    used_until: Mutex<HashMap<IpAddr, Instant>>,
    /// Clients above the limit share one lookup at a time, so their good credentials are still
    /// found.
    pub lookup: tokio::sync::Mutex<()>,
}

impl Throttle {
    /// Allows each client this many bad credentials per second. `trusted` proxies name the client.
    pub fn new(per_second: NonZeroU32, trusted: Vec<IpNet>) -> Self {
        Self {
            cost: Duration::from_secs(1) / per_second.get(),
            trusted_proxies: trusted,
            used_until: Mutex::default(),
            lookup: tokio::sync::Mutex::default(),
        }
    }

    /// Returns the address that stands for a client: with IPv6 each has a whole /64.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let address = client::find(&self.trusted_proxies, peer, headers);
        // An IPv4 address has no 64 bits, so it stands for itself.
        IpNet::new(address, 64).map_or(address, |network| network.network())
    }

    /// Counts a bad credential, and returns whether it was within the allowance.
    pub fn admits(&self, client: IpAddr, now: Instant) -> bool {
        let mut used_until = self.lock();
        if used_until.len() >= MAX_CLIENTS {
            used_until.retain(|_, until| *until > now);
        }
        let until = match used_until.get(&client) {
            Some(until) => now.max(*until),
            None if used_until.len() >= MAX_CLIENTS => return false,
            None => now,
        };
        let admitted = until + self.cost <= now + BURST;
        // A refused credential does not extend the wait.
        if admitted {
            used_until.insert(client, until + self.cost);
        }
        admitted
    }

    /// Returns whether this client has used its allowance up.
    pub fn is_spent(&self, client: IpAddr, now: Instant) -> bool {
        let used_until = self.lock();
        used_until.get(&client).is_some_and(|until| *until + self.cost > now + BURST)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Instant>> {
        self.used_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn throttle(per_second: u32) -> Throttle {
        Throttle::new(NonZeroU32::new(per_second).unwrap(), Vec::new())
    }

    #[test]
    fn a_client_may_send_the_configured_number_per_second() {
        let (throttle, start) = (throttle(10), Instant::now());
        let admitted = |at| (0..100).filter(|_| throttle.admits(ONE, at)).count();
        assert_eq!(admitted(start), 10);
        assert!(throttle.is_spent(ONE, start));
        assert_eq!(admitted(start + Duration::from_millis(500)), 5);
        assert_eq!(admitted(start + Duration::from_mins(1)), 10);
    }

    #[test]
    fn each_client_has_its_own_allowance() {
        let (throttle, now) = (throttle(1), Instant::now());
        assert!(throttle.admits(ONE, now) && !throttle.admits(ONE, now));
        assert!(!throttle.is_spent(OTHER, now) && throttle.admits(OTHER, now));
    }

    #[test]
    fn memory_is_bounded_and_freed() {
        let (throttle, now) = (throttle(1000), Instant::now());
        let client = |index| IpAddr::V4(std::net::Ipv4Addr::from_bits(index));
        let count = u32::try_from(MAX_CLIENTS).unwrap();
        assert!((0..count).all(|index| throttle.admits(client(index), now)));
        assert!(!throttle.admits(client(count), now));
        assert_eq!(throttle.lock().len(), MAX_CLIENTS);
        assert!(throttle.admits(client(count), now + BURST));
        assert_eq!(throttle.lock().len(), 1);
    }

    #[test]
    fn an_ipv6_client_is_a_64_bit_network() {
        let (throttle, headers) = (throttle(1), HeaderMap::new());
        let client = |text: &str| throttle.client(text.parse().unwrap(), &headers);
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:1"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
        assert_eq!(client("::ffff:192.0.2.1"), ONE);
    }
}
