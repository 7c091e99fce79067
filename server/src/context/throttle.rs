//! Limits how many bad credentials a client may send in a second, and how many leak reports in an
//! hour.
//!
//! This protects the database; tokens are too long to guess. Above the limit of bad credentials a
//! client is refused without a lookup until the second is over, even with a good credential.

mod client;

pub use client::Proxies;

use ipnet::IpNet;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How many clients are kept in memory. Above that, new clients have no allowance.
const MAX_CLIENTS: usize = 16 * 1024;

/// What limits clients.
pub struct Throttle {
    pub proxies: Proxies,
    pub bad_credentials: Allowance,
    pub leak_reports: Allowance,
}

/// How often each client may do something in a period.
pub struct Allowance {
    limit: NonZeroU32,
    /// How long attempts are counted together. `Retry-After` names the same time.
    period: Duration,
    /// Whether any attempt is counted. Mostly none is, and then nothing is locked.
    counts_any: AtomicBool,
    current: Mutex<Period>,
}

struct Period {
    start: Instant,
    counts: HashMap<IpAddr, u32>,
}

impl Allowance {
    /// Allows each client this many attempts in a period.
    pub fn new(limit: NonZeroU32, period: Duration) -> Self {
        let current = Mutex::new(Period { start: Instant::now(), counts: HashMap::new() });
        Self { limit, period, counts_any: AtomicBool::new(false), current }
    }

    /// Counts an attempt, and returns whether it was within the allowance.
    pub fn admits(&self, client: IpAddr, now: Instant) -> bool {
        self.in_period(now, |counts| {
            let network = network(client);
            if counts.len() >= MAX_CLIENTS && !counts.contains_key(&network) {
                return false;
            }
            let count = counts.entry(network).or_default();
            *count = count.saturating_add(1);
            *count <= self.limit.get()
        })
    }

    /// Returns whether this client has used its allowance up.
    pub fn is_spent(&self, client: IpAddr, now: Instant) -> bool {
        let limit = self.limit.get();
        let is_spent =
            |counts: &mut HashMap<_, _>| counts.get(&network(client)).is_some_and(|n| *n >= limit);
        self.counts_any.load(Ordering::SeqCst) && self.in_period(now, is_spent)
    }

    fn in_period<T>(&self, now: Instant, f: impl FnOnce(&mut HashMap<IpAddr, u32>) -> T) -> T {
        let mut current = self.current.lock();
        if now.saturating_duration_since(current.start) >= self.period {
            current.start = now;
            current.counts.clear();
        }
        let result = f(&mut current.counts);
        self.counts_any.store(!current.counts.is_empty(), Ordering::SeqCst);
        result
    }
}

/// Returns what stands for a client: its address, or with IPv6 the /64 that each client has.
fn network(client: IpAddr) -> IpAddr {
    // An IPv4 address has no 64 bits, so it stands for itself.
    IpNet::new(client, 64).map_or(client, |network| network.network())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const ONE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    const PERIOD: Duration = Duration::from_secs(1);

    fn throttle(per_second: u32) -> Allowance {
        Allowance::new(NonZeroU32::new(per_second).unwrap(), PERIOD)
    }

    #[test]
    fn a_client_may_send_the_configured_number_per_second() {
        let (throttle, start) = (throttle(10), Instant::now());
        let admitted = |at| (0..100).filter(|_| throttle.admits(ONE, at)).count();
        assert!(!throttle.is_spent(ONE, start));
        let admitted_of_many = (0..100_000).filter(|_| throttle.admits(ONE, start)).count();
        assert_eq!(admitted_of_many, 10);
        assert!(throttle.is_spent(ONE, start));
        assert_eq!(admitted(start + PERIOD / 2), 0);
        assert!(!throttle.is_spent(ONE, start + PERIOD));
        assert_eq!(admitted(start + PERIOD), 10);
    }

    #[test]
    fn each_client_has_its_own_allowance() {
        let (throttle, now) = (throttle(1), Instant::now());
        assert!(throttle.admits(ONE, now) && !throttle.admits(ONE, now));
        assert!(!throttle.is_spent(OTHER, now) && throttle.admits(OTHER, now));
    }

    #[test]
    fn a_million_clients_take_bounded_memory_and_refuse_no_other() {
        let (throttle, now) = (throttle(1000), Instant::now());
        let client = |index| IpAddr::V6(Ipv6Addr::from_bits(u128::from(index) << 64));
        let admitted = (0..1_000_000_u32).filter(|index| throttle.admits(client(*index), now));
        assert_eq!(admitted.count(), MAX_CLIENTS);
        let kept = throttle.current.lock().counts.capacity();
        assert!(kept < 4 * MAX_CLIENTS, "{kept}");
        // A new client may still send a credential, but a bad one is over the limit.
        assert!(!throttle.is_spent(ONE, now) && !throttle.admits(ONE, now));
        assert!(throttle.admits(ONE, now + PERIOD));
        assert_eq!(throttle.current.lock().counts.len(), 1);
    }

    #[test]
    fn an_ipv6_client_is_a_64_bit_network() {
        let (throttle, now) = (throttle(1), Instant::now());
        let admits = |text: &str| throttle.admits(text.parse().unwrap(), now);
        assert!(admits("2001:db8::1") && !admits("2001:db8::ffff:1"));
        assert!(admits("2001:db8:0:1::1"));
    }
}
