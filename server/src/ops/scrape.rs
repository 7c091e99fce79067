//! Writes the metrics in the formats of Prometheus. A metric without a value still has its description.

use super::{NOT_COUNTED, State};
use crate::metrics::{Histogram, Metrics};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The media type of `OpenMetrics` 1.0.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One scrape of the metrics.
#[derive(Debug)]
pub struct Scrape {
    pub state: Arc<State>,
    pub is_ready: bool,
}

impl Scrape {
    /// Returns the text and its media type: `OpenMetrics` if the client accepts it, otherwise the older
    /// text format, which every client can read.
    pub fn text(self, accept: &str) -> (String, &'static str) {
        let (mut registry, mut out) = (Registry::default(), String::new());
        registry.register_collector(Box::new(self));
        let (encoded, kind) = if accept.contains("application/openmetrics-text") {
            (text::encode(&mut out, &registry), OPENMETRICS)
        } else {
            (prometheus_text::encode(&mut out, &registry), prometheus_text::CONTENT_TYPE)
        };
        encoded.expect("a string can be written");
        (out, kind)
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_process(&mut encoder)?;
        self.encode_requests(&mut encoder)?;
        self.encode_webhooks(&mut encoder)?;
        self.encode_database(&mut encoder)
    }
}

impl Scrape {
    fn encode_process(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        // A gauge, because the older text format has no info type.
        to.encode_descriptor("orgtokens_build_info", "The program.", None, MetricType::Gauge)?
            .encode_family(&[("version", env!("CARGO_PKG_VERSION"))])?
            .encode_gauge(&1_i64)?;
        let help = "Whether /readyz answers 200.";
        gauge(to, "orgtokens_ready", help, Some(self.is_ready.into()))?;
        let (name, help) = (
            "orgtokens_certificate_expires_timestamp_seconds",
            "When the TLS certificate that is served expires, in seconds since 1970.",
        );
        let end =
            i64::try_from(self.state.metrics.certificate_expires.load(Ordering::Relaxed)).ok();
        gauge(to, name, help, end.filter(|end| *end != 0))?;
        let help = "Log lines that were lost because the reader of the log was too slow.";
        counter(to, "orgtokens_log_lines_lost", help, Some(self.state.log.lost()))
    }

    fn encode_requests(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Requests in the access log, by operation of the contract and by status.";
        let mut requests =
            to.encode_descriptor("orgtokens_requests", help, None, MetricType::Counter)?;
        for operation in self.state.metrics.operations() {
            for (status, count) in operation.requests() {
                let labels = [("operation", &*operation.id), ("status", &*status.to_string())];
                requests
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
            }
        }
        let (name, help) = (
            "orgtokens_request_duration_seconds",
            "Time until the response of a request began, by operation.",
        );
        let mut durations = to.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for operation in self.state.metrics.operations() {
            if operation.requests().next().is_some() {
                let labels = [("operation", &*operation.id)];
                let latencies = &operation.latencies;
                histogram(&mut durations.encode_family(&labels)?, latencies, 1e6)?;
            }
        }
        let Metrics { refused_credentials, throttled_requests, lost_uses, .. } =
            &*self.state.metrics;
        let help = "Credentials that were looked up and refused.";
        counter(to, "orgtokens_credentials_refused", help, Some(refused_credentials.get()))?;
        let help = "Requests answered 429 because the client sent too many bad credentials.";
        counter(to, "orgtokens_credentials_throttled", help, Some(throttled_requests.get()))?;
        let help = "Uses of tokens that were not recorded because too many tokens were in use.";
        counter(to, "orgtokens_uses_lost", help, Some(lost_uses.get()))
    }

    fn encode_webhooks(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let webhooks = self.state.metrics.webhooks.lock().clone();
        let (name, help) =
            ("orgtokens_webhook_attempts", "Delivery attempts, by webhook and outcome.");
        let mut attempts = to.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (name, counts) in &webhooks {
            for (outcome, count) in [("delivered", counts.delivered), ("failed", counts.failed)] {
                let labels = [("webhook", &**name), ("outcome", outcome)];
                attempts
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
            }
        }
        let help = "Deliveries that wait to be sent, by webhook.";
        let mut gauge =
            to.encode_descriptor("orgtokens_webhook_waiting", help, None, MetricType::Gauge)?;
        for (name, counts) in &webhooks {
            gauge.encode_family(&[("webhook", &**name)])?.encode_gauge(&counts.waiting)?;
        }
        let help = "Deliveries that failed for 3 days and are no longer retried, by webhook.";
        let mut gauge =
            to.encode_descriptor("orgtokens_webhook_set_aside", help, None, MetricType::Gauge)?;
        for (name, counts) in &webhooks {
            gauge.encode_family(&[("webhook", &**name)])?.encode_gauge(&counts.set_aside)?;
        }
        Ok(())
    }

    fn encode_database(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let store = self.state.service.store();
        let help = "Tokens that were neither revoked nor expired at the last count.";
        let counted = Some(self.state.tokens.load(Ordering::Relaxed)).filter(|n| *n != NOT_COUNTED);
        gauge(to, "orgtokens_live_tokens", help, counted)?;
        let help = "Expired tokens that this server removed.";
        counter(to, "orgtokens_tokens_swept", help, Some(store.counts().swept_tokens.get()))?;
        let help = "Failed attempts to remove expired tokens.";
        counter(to, "orgtokens_sweep_failures", help, Some(store.counts().failed_sweeps.get()))?;
        let (name, help) = ("orgtokens_commit_changes", "Changes per commit.");
        let commits = &store.counts().commits;
        let mut changes = to.encode_descriptor(name, help, None, MetricType::Histogram)?;
        histogram(&mut changes, commits, 1.0)?;
        let count = commits.buckets().map(|(_, count)| count).sum();
        counter(to, "orgtokens_commits", "Commits of this server.", Some(count))?;
        let pool = store.pool_usage();
        let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let help = "Maximum number of connections to PostgreSQL.";
        gauge(to, "orgtokens_pool_size", help, pool.map(|pool| number(pool.size)))?;
        let help = "Connections to PostgreSQL that are in use or being opened.";
        gauge(to, "orgtokens_pool_busy", help, pool.map(|pool| number(pool.busy)))?;
        let help = "Connections to PostgreSQL that are idle.";
        gauge(to, "orgtokens_pool_idle", help, pool.map(|pool| number(pool.idle)))?;
        let help = "Requests that got no connection to PostgreSQL in time.";
        counter(to, "orgtokens_pool_timeouts", help, pool.map(|pool| pool.timeouts))
    }
}

fn counter(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: Option<u64>,
) -> fmt::Result {
    let mut metric = to.encode_descriptor(name, help, None, MetricType::Counter)?;
    value.map_or(Ok(()), |value| metric.encode_counter::<NoLabelSet, _, u64>(&value, None))
}

fn gauge(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: Option<i64>,
) -> fmt::Result {
    let mut metric = to.encode_descriptor(name, help, None, MetricType::Gauge)?;
    value.map_or(Ok(()), |value| metric.encode_gauge(&value))
}

/// Writes a histogram. Bounds and sum are divided by `scale`, for example from microseconds to seconds.
#[expect(clippy::cast_precision_loss, reason = "the format has floating-point numbers only")]
fn histogram(to: &mut MetricEncoder<'_>, histogram: &Histogram, scale: f64) -> fmt::Result {
    let buckets: Vec<(f64, u64)> = histogram
        .buckets()
        .map(|(bound, count)| (bound.map_or(f64::INFINITY, |bound| bound as f64 / scale), count))
        .collect();
    let count = buckets.iter().map(|(_, count)| count).sum();
    to.encode_histogram::<NoLabelSet>(histogram.sum() as f64 / scale, count, &buckets, None)
}
