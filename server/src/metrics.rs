//! Counters and histograms. A request updates a few relaxed atomics, without locks or allocation.
//! The export to Prometheus is in `ops`.

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

/// The smallest HTTP status, and the number of statuses.
const STATUSES: (u16, u16) = (100, 500);

/// The id and the route of requests without an operation.
const NONE: &str = "-";

/// A counter that only increases.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Increases the counter.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Returns the current value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A histogram: the number of values per bucket, and their sum.
#[derive(Debug)]
pub struct Histogram {
    /// The upper bounds of the buckets, in ascending order.
    bounds: &'static [u64],
    /// One for each bound, and one for values above the last bound.
    counts: Box<[Counter]>,
    sum: Counter,
}

impl Histogram {
    /// Creates a histogram with these upper bounds, in ascending order.
    pub fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| Counter::default()).collect();
        Self { bounds, counts, sum: Counter::default() }
    }

    /// Counts a value.
    pub fn record(&self, value: u64) {
        self.counts[self.bounds.partition_point(|bound| *bound < value)].add(1);
        self.sum.add(value);
    }

    /// Returns the upper bound and the number of values of each bucket. The last bucket has no bound.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        bounds.zip(self.counts.iter().map(Counter::get))
    }

    /// Returns the sum of all values.
    pub fn sum(&self) -> u64 {
        self.sum.get()
    }
}

/// The metrics of the server, except those of the database.
#[derive(Debug)]
pub struct Metrics {
    operations: HashMap<String, Operation>,
    /// The requests without an operation.
    none: Operation,
    /// Credentials that were looked up and refused.
    pub refused_credentials: Counter,
    /// Requests that were answered 429 because the client sent too many bad credentials.
    pub throttled_requests: Counter,
    /// Uses of tokens that were not recorded because the buffer was full.
    pub lost_uses: Counter,
    /// When the TLS certificate expires, in seconds since 1970; 0 without a certificate.
    pub certificate_expires: AtomicU64,
    /// The webhooks, by name. The lock is not on the path of requests.
    pub webhooks: Mutex<BTreeMap<String, WebhookCounts>>,
}

/// The metrics of a webhook.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebhookCounts {
    /// Attempts that the receiver accepted.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Deliveries that wait, at the last count.
    pub waiting: i64,
    /// Deliveries that were set aside after failing for days, at the last count.
    pub set_aside: i64,
}

/// The requests of an operation.
#[derive(Debug)]
pub struct Operation {
    /// Its id in the contract.
    pub id: String,
    /// The path template. The log must not contain the values of its variables.
    pub route: String,
    statuses: Box<[Counter]>,
    /// The time until the response began, in microseconds.
    pub latencies: Histogram,
}

impl Metrics {
    /// Creates the metrics of operations with these ids and routes.
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

    /// Updates the metrics of a webhook.
    pub fn count_webhook(&self, name: &Name, change: impl FnOnce(&mut WebhookCounts)) {
        change(self.webhooks.lock().entry(name.to_string()).or_default());
    }

    /// Returns the metrics of the operation with this id, or those of requests without an operation.
    pub fn operation(&self, id: Option<&str>) -> &Operation {
        id.and_then(|id| self.operations.get(id)).unwrap_or(&self.none)
    }

    /// Returns the metrics of all operations, and those of requests without an operation.
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

    /// Returns the number of requests per status. Statuses without requests are left out.
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
        // The `http` crate accepts statuses up to 999.
        metrics.operation(None).record(StatusCode::from_u16(999).unwrap(), Duration::MAX);
        assert!(metrics.operation(Some("one")).requests().eq([(200, 2), (503, 1)]));
        assert!(metrics.operation(Some("unknown")).requests().eq([(599, 1)]));
        assert_eq!(metrics.operations().count(), 2);
    }
}
