//! Delivers to one webhook: queues new entries of the audit log, and sends messages that are due. The
//! messages of a place (an organization or a user) are sent in order. A lease lets one server at a time
//! deliver to a webhook.

use super::{TOKEN_EXPIRING, Webhook};
use crate::clock::system_time;
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::service::Service;
use crate::store::{LogEnd, Message, Purpose, Snapshot, Transaction, View, WriteLock};
use anyhow::Context;
use backon::{BackoffBuilder, ExponentialBuilder};
use parking_lot::Mutex;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, redirect};
use serde_json::json;
use slog::{Logger, warn};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::{Id, JoinSet};
use tokio::time::sleep;

/// How often the audit log is polled.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The pause after a failure of the database.
const FAILURE_PAUSE: Duration = Duration::from_secs(5);

/// How long the lease on a webhook lasts, unless it is renewed.
pub const LEASE: Duration = Duration::from_secs(15);

/// How often the lease is renewed.
const LEASE_RENEWAL: Duration = Duration::from_secs(3);

/// How long one attempt may take. It must end before the lease does.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// How many places are sent to concurrently.
const CONCURRENT_PLACES: u32 = 8;

/// How many entries of the audit log one transaction queues.
const BATCH: u32 = 500;

/// The delay after a failure. It doubles with each failure, and jitter adds up to its length.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_secs(1))
    .with_max_delay(Duration::from_mins(30))
    .without_max_times()
    .with_jitter();

/// How long a message is retried before it is set aside.
const GIVE_UP_AFTER: Duration = Duration::from_hours(3 * 24);

/// How long before its expiry a token is announced as expiring.
const EXPIRY_NOTICES: [Duration; 2] = [Duration::from_hours(7 * 24), Duration::from_hours(24)];

/// How often expiring tokens are looked for.
const EXPIRY_CHECK_INTERVAL: Duration = Duration::from_mins(1);

const NO_CLIENT: &str = "webhooks cannot be sent: install the certificates of the authorities, or \
    name a file that has them in SSL_CERT_FILE";

/// The background task that delivers to one webhook.
pub struct Deliverer {
    service: Service,
    webhook: Webhook,
    client: Client,
    metrics: Arc<Metrics>,
    log: Logger,
    /// Identifies this server in the lease.
    holder: String,
    /// When this server last renewed the lease. `None` if another server has it.
    lease_renewed_at: Mutex<Option<Instant>>,
}

impl Deliverer {
    /// # Errors
    /// If there are no trusted certificates.
    pub fn new(
        service: &Service,
        webhook: &Webhook,
        metrics: &Arc<Metrics>,
        log: &Logger,
        holder: String,
    ) -> anyhow::Result<Self> {
        let client = Client::builder().redirect(redirect::Policy::none()).timeout(ATTEMPT_TIMEOUT);
        let agent = concat!("orgtokens-server/", env!("CARGO_PKG_VERSION"));
        Ok(Self {
            service: service.clone(),
            webhook: webhook.clone(),
            client: client.user_agent(agent).build().context(NO_CLIENT)?,
            metrics: Arc::clone(metrics),
            log: log.clone(),
            holder,
            lease_renewed_at: Mutex::default(),
        })
    }

    /// Delivers forever, and retries what fails.
    pub async fn run(self: Arc<Self>) {
        let (mut senders, mut places) = (JoinSet::new(), HashMap::<Id, String>::new());
        let (mut end, mut queued) = (LogEnd::default(), 0);
        loop {
            let started = Instant::now();
            match self.poll(&mut end, &mut queued).await {
                Ok(due) => {
                    for place in due {
                        let is_new = !places.values().any(|active| *active == place);
                        if is_new && places.len() < CONCURRENT_PLACES as usize {
                            let sender = Arc::clone(&self).send_place(place.clone());
                            places.insert(senders.spawn(sender).id(), place);
                        }
                    }
                }
                Err(error) => {
                    warn!(self.log, "webhook events wait for the database";
                        "webhook" => %self.webhook.name, "reason" => %error);
                    sleep(FAILURE_PAUSE).await;
                }
            }
            tokio::select! {
                Some(ended) = senders.join_next_with_id() => {
                    places.remove(&ended.map_or_else(|error| error.id(), |(id, ())| id));
                }
                // A slow database is polled less often.
                () = sleep((started.elapsed() * 9).clamp(POLL_INTERVAL, LEASE_RENEWAL)) => {}
            }
        }
    }

    async fn read(&self) -> Result<Snapshot> {
        Ok(self.service.store().read(View::Statement).await?)
    }

    /// Returns whether an attempt that starts now ends before the lease does.
    fn may_send(&self) -> bool {
        self.lease_renewed_at.lock().is_some_and(|time| time.elapsed() + ATTEMPT_TIMEOUT < LEASE)
    }

    /// Queues the entries of the audit log after the id `queued`, and notices about expiring tokens.
    /// Returns the places that have messages to send.
    async fn poll(&self, end: &mut LogEnd, queued: &mut i64) -> Result<Vec<String>> {
        *end = self.read().await?.log_end(*end).await?;
        let settled = end.settled;
        let is_due = |time: Instant, queued| queued < settled || time.elapsed() >= LEASE_RENEWAL;
        while self.lease_renewed_at.lock().is_none_or(|time| is_due(time, *queued)) {
            let now = Instant::now();
            let queue = |change| self.queue(change, settled);
            let position = self.service.transact(&WriteLock::None, Purpose::Change, queue).await?;
            *self.lease_renewed_at.lock() = position.map(|_| now);
            let Some(position) = position else { return Ok(Vec::new()) };
            *queued = position;
        }
        // Up to half of these places are being sent to already.
        Ok(self.read().await?.due_places(&self.webhook.name, 2 * CONCURRENT_PLACES).await?)
    }

    /// Renews the lease, and queues the next entries of the audit log up to the id `settled`, and notices
    /// about expiring tokens. Returns the id of the last entry, or `None` if another server has the lease.
    async fn queue(
        &self,
        mut change: Transaction,
        settled: i64,
    ) -> Result<(Transaction, Option<i64>)> {
        let webhook = &self.webhook;
        let state = change.hold_webhook(&webhook.name, &self.holder, LEASE).await?;
        let Some(mut state) = state else { return Ok((change, None)) };
        let entries = change.entries_between(state.position, settled, BATCH).await?;
        let is_whole = entries.len() < BATCH as usize;
        let last = entries.last().filter(|_| !is_whole).map_or(settled, |(id, ..)| *id);
        state.position = last.max(state.position);
        let mut messages = Vec::new();
        for (_, place, entry) in &entries {
            messages.extend(webhook.message(place, &entry.code, entry.created_at, json!(entry)));
        }
        if state.now >= state.announced_at + EXPIRY_CHECK_INTERVAL {
            for notice in EXPIRY_NOTICES {
                let tokens = change.expiring_tokens(state.announced_at, state.now, notice).await?;
                for (place, token) in &tokens {
                    let data = json!({"token": token});
                    messages.extend(webhook.message(place, TOKEN_EXPIRING, state.now, data));
                }
            }
            state.announced_at = state.now;
        }
        change.advance_webhook(&webhook.name, state.position, state.announced_at);
        for message in messages {
            change.queue_message(&webhook.name, &message);
        }
        Ok((change, Some(state.position)))
    }

    /// Sends the due messages of a place in order, until one fails.
    async fn send_place(self: Arc<Self>, place: String) {
        let send = async {
            while self.may_send() && self.send_next(&place).await? {}
            Ok::<_, Error>(())
        };
        // The message is sent again, because the database may not have recorded the outcome.
        if let Err(error) = send.await {
            warn!(self.log, "the outcome of a webhook's delivery was lost";
                "webhook" => %self.webhook.name, "reason" => %error);
            sleep(FAILURE_PAUSE).await;
        }
    }

    /// Sends the first due message of a place. Returns whether there was one.
    async fn send_next(&self, place: &str) -> Result<bool> {
        let due = self.read().await?.due_message(&self.webhook.name, place).await?;
        let Some((message, failures)) = due else { return Ok(false) };
        let outcome = self.attempt(&message).await;
        self.metrics.count_webhook(&self.webhook.name, |counts| match outcome {
            Ok(()) => counts.delivered += 1,
            Err(_) => counts.failed += 1,
        });
        if let Err(reason) = &outcome {
            warn!(self.log, "a webhook's delivery failed"; "webhook" => %self.webhook.name,
                "message" => &message.id, "attempt" => failures + 1, "reason" => reason);
        }
        let (id, outcome) = (&message.id, &outcome);
        let record = |mut change: Transaction| async move {
            match outcome {
                Ok(()) => change.remove_message(id),
                Err(reason) => change.postpone_message(id, reason, delay(failures), GIVE_UP_AFTER),
            }
            Ok((change, ()))
        };
        self.service.transact(&WriteLock::None, Purpose::Change, record).await?;
        Ok(true)
    }

    /// Sends a message. Fails with the reason if the receiver does not accept it.
    async fn attempt(&self, message: &Message) -> std::result::Result<(), String> {
        let timestamp = system_time().timestamp();
        let request = self.client.post(self.webhook.url.clone());
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.webhook.sign(message, timestamp))
            .body(message.body.clone());
        // Without the URL, which may contain a secret.
        let answer = request.send().await.map_err(|error| anyhow::Error::from(error.without_url()));
        let status = answer.map_err(|error| format!("{error:#}"))?.status();
        if status.is_success() {
            return Ok(());
        }
        let hint = if status.is_redirection() { ", and redirects are not followed" } else { "" };
        Err(format!("the receiver answered {}{hint}", status.as_u16()))
    }
}

/// Returns the delay before the next attempt, after another failure.
fn delay(failures: i64) -> Duration {
    let failures = failures.try_into().unwrap_or(0);
    BACKOFF.build().nth(failures).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_from_a_second_to_an_hour() {
        for (failures, least, most) in [(0, 1, 2), (3, 8, 16), (99, 1800, 3600)] {
            let delays: Vec<_> = (0..100).map(|_| delay(failures)).collect();
            let seconds = Duration::from_secs(least)..=Duration::from_secs(most);
            assert!(delays.iter().all(|delay| seconds.contains(delay)), "{failures}: {delays:?}");
            assert!(delays.iter().any(|delay| *delay != delays[0]), "{delays:?}");
        }
    }
}
