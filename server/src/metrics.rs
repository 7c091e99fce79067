//! What is counted while requests are served: a few relaxed atomics each, without locks or
//! allocation. It knows nothing of what is counted, nor of the text that `ops` makes of it.

use crate::name::Name;
use http::StatusCode;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The bounds of latencies, in microseconds: from 50 us to 10 s.
const LATENCIES: &[u64] = &[
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// The smallest status of HTTP, and how many there are.
const STATUSES: (u16, u16) = (100, 500);

/// What stands for an operation where there is none.
const NONE: &str = "-";

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to the number.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Returns the number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many values there were up to each bound, and their sum.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One for each bound, and one for what is above the last.
    counts: Box<[Counter]>,
    sum: Counter,
}

impl Histogram {
    /// A histogram with these bounds, which grow.
    pub fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| Counter::default()).collect();
        Self { bounds, counts, sum: Counter::default() }
    }

    /// Counts a value.
    pub fn record(&self, value: u64) {
        self.counts[self.bounds.partition_point(|bound| *bound < value)].add(1);
        self.sum.add(value);
    }

    /// Returns how many values are in each bucket, by its bound. The last bucket has none.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        bounds.zip(self.counts.iter().map(Counter::get))
    }

    /// Returns the sum of all values.
    pub fn sum(&self) -> u64 {
        self.sum.get()
    }
}

/// What the front door counts.
#[derive(Debug)]
pub struct Metrics {
    operations: HashMap<String, Operation>,
    /// The requests that found no operation.
    none: Operation,
    /// Credentials that were looked up and not accepted.
    pub refused_credentials: Counter,
    /// Requests that were refused because their client sent too many bad credentials.
    pub throttled_requests: Counter,
    /// Uses of tokens that were not recorded because too many waited.
    pub lost_uses: Counter,
    /// When the TLS certificate expires, in seconds since 1970. Without one it is 0.
    pub certificate_expires: AtomicU64,
    /// The webhooks, by name. No request reads or writes them.
    pub webhooks: Mutex<BTreeMap<String, WebhookCounts>>,
}

/// What is counted of a webhook.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebhookCounts {
    /// Attempts that the receiver accepted.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Deliveries that wait, as they were last counted.
    pub waiting: i64,
    /// Deliveries that were set aside, as they were last counted.
    pub set_aside: i64,
}

/// The requests of an operation.
#[derive(Debug)]
pub struct Operation {
    /// Its id in the contract.
    pub id: String,
    /// The template of its path. The log must not contain the variables' values.
    pub route: String,
    statuses: Box<[Counter]>,
    /// How long they took until the response began, in microseconds.
    pub latencies: Histogram,
}

impl Metrics {
    /// Metrics of the operations with these ids and routes.
    pub fn new(operations: impl IntoIterator<Item = (String, String)>) -> Self {
        let operations = operations.into_iter().map(|(id, route)| {
            let operation = Operation::new(id.clone(), route);
            (id, operation)
        });
        Self {
            operations: operations.collect(),
            none: Operation::new(NONE.to_owned(), NONE.to_owned()),
            refused_credentials: Counter::default(),
            throttled_requests: Counter::default(),
            lost_uses: Counter::default(),
            certificate_expires: AtomicU64::default(),
            webhooks: Mutex::default(),
        }
    }

    /// Changes what is counted of a webhook.
    pub fn count_webhook(&self, name: &Name, change: impl FnOnce(&mut WebhookCounts)) {
        change(self.webhooks.lock().entry(name.to_string()).or_default());
    }

    /// Returns the operation with this id, or what stands for none.
    pub fn operation(&self, id: Option<&str>) -> &Operation {
        id.and_then(|id| self.operations.get(id)).unwrap_or(&self.none)
    }

    /// Returns every operation, and what stands for none.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.values().chain([&self.none])
    }
}

impl Operation {
    fn new(id: String, route: String) -> Self {
        let statuses = (0..STATUSES.1).map(|_| Counter::default()).collect();
        Self { id, route, statuses, latencies: Histogram::new(LATENCIES) }
    }

    /// Counts a request.
    pub fn record(&self, status: StatusCode, latency: Duration) {
        let index = usize::from(status.as_u16() - STATUSES.0);
        if let Some(count) = self.statuses.get(index) {
            count.add(1);
        }
        self.latencies.record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    /// Returns how many requests were answered with each status, unless none was.
    pub fn requests(&self) -> impl Iterator<Item = (u16, u64)> {
        let counts = (STATUSES.0..).zip(self.statuses.iter().map(Counter::get));
        counts.filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_bucket_of_the_first_bound_that_it_does_not_exceed() {
        let histogram = Histogram::new(&[1, 10]);
        for value in [0, 1, 2, 10, 11] {
            histogram.record(value);
        }
        assert!(histogram.buckets().eq([(Some(1), 2), (Some(10), 2), (None, 1)]));
        assert_eq!(histogram.sum(), 24);
    }

    #[test]
    fn requests_are_counted_by_operation_and_status() {
        let metrics = Metrics::new([("one".to_owned(), "/one".to_owned())]);
        for (id, status) in
            [(Some("one"), 200), (Some("one"), 503), (Some("one"), 200), (None, 599)]
        {
            let status = StatusCode::from_u16(status).unwrap();
            metrics.operation(id).record(status, Duration::from_millis(1));
        }
        // HTTP libraries accept statuses that HTTP does not have.
        metrics.operation(None).record(StatusCode::from_u16(999).unwrap(), Duration::MAX);
        assert!(metrics.operation(Some("one")).requests().eq([(200, 2), (503, 1)]));
        assert!(metrics.operation(Some("unknown")).requests().eq([(599, 1)]));
        assert_eq!(metrics.operations().count(), 2);
    }
}
