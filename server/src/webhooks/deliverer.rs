//! Delivers to a webhook: queues what is new in the audit log, and sends what is due, in order at each
//! place. One server at a time holds a webhook.

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

/// How often the audit log is read.
const TICK: Duration = Duration::from_secs(1);

/// How long the database rests after a failure.
const REST: Duration = Duration::from_secs(5);

/// How long a server holds a webhook after it last said so, and how often it says so.
pub const HOLD: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(3));

/// How long one attempt may take. It ends before another server may hold the webhook.
const ATTEMPT: Duration = Duration::from_secs(10);

/// How many places a webhook is sent to at once.
const CONCURRENT: u32 = 8;

/// How many entries are queued in one transaction.
const BATCH: u32 = 500;

/// The pauses after failures: they double, and each is made longer at random, by up to its length.
const PAUSES: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_secs(1))
    .with_max_delay(Duration::from_mins(30))
    .without_max_times()
    .with_jitter();

/// How long a message is sent again before it is set aside.
const PATIENCE: Duration = Duration::from_hours(3 * 24);

/// How long before an expiry it is announced, and how often that is looked for.
const NOTICES: [Duration; 2] = [Duration::from_hours(7 * 24), Duration::from_hours(24)];
const ANNOUNCE: Duration = Duration::from_mins(1);

const NO_CLIENT: &str = "webhooks cannot be sent: install the certificates of the authorities, or \
    name a file that has them in SSL_CERT_FILE";

/// What delivers to one webhook.
pub struct Deliverer {
    service: Service,
    webhook: Webhook,
    client: Client,
    metrics: Arc<Metrics>,
    log: Logger,
    holder: String,
    /// When this server last said that it holds the webhook, unless another one does.
    held_at: Mutex<Option<Instant>>,
}

impl Deliverer {
    /// Fails if there are no trusted certificates.
    pub fn new(
        service: &Service,
        webhook: &Webhook,
        metrics: &Arc<Metrics>,
        log: &Logger,
        holder: String,
    ) -> anyhow::Result<Self> {
        let client = Client::builder().redirect(redirect::Policy::none()).timeout(ATTEMPT);
        let agent = concat!("orgtokens-server/", env!("CARGO_PKG_VERSION"));
        Ok(Self {
            service: service.clone(),
            webhook: webhook.clone(),
            client: client.user_agent(agent).build().context(NO_CLIENT)?,
            metrics: Arc::clone(metrics),
            log: log.clone(),
            holder,
            held_at: Mutex::default(),
        })
    }

    /// Delivers forever. What fails is tried again.
    pub async fn run(self: Arc<Self>) {
        let (mut senders, mut places) = (JoinSet::new(), HashMap::<Id, String>::new());
        let (mut end, mut queued) = (LogEnd::default(), 0);
        loop {
            let started = Instant::now();
            match self.queue_and_look(&mut end, &mut queued).await {
                Ok(due) => {
                    for place in due {
                        let is_new = !places.values().any(|active| *active == place);
                        if is_new && places.len() < CONCURRENT as usize {
                            let sender = Arc::clone(&self).send_place(place.clone());
                            places.insert(senders.spawn(sender).id(), place);
                        }
                    }
                }
                Err(error) => {
                    warn!(self.log, "webhook events wait for the database";
                        "webhook" => %self.webhook.name, "reason" => %error);
                    sleep(REST).await;
                }
            }
            tokio::select! {
                Some(ended) = senders.join_next_with_id() => {
                    places.remove(&ended.map_or_else(|error| error.id(), |(id, ())| id));
                }
                // A database that is slow is asked less often.
                () = sleep((started.elapsed() * 9).clamp(TICK, HOLD.1)) => {}
            }
        }
    }

    async fn read(&self) -> Result<Snapshot> {
        Ok(self.service.store().read(View::Statement).await?)
    }

    /// Returns whether this server may begin an attempt.
    fn may_send(&self) -> bool {
        self.held_at.lock().is_some_and(|time| time.elapsed() + ATTEMPT < HOLD.0)
    }

    /// Queues what comes in the audit log after the id `queued`, and what expires soon. Returns the
    /// places that have something to send.
    async fn queue_and_look(&self, end: &mut LogEnd, queued: &mut i64) -> Result<Vec<String>> {
        *end = self.read().await?.log_end(*end).await?;
        let settled = end.settled;
        let is_due = |time: Instant, queued| queued < settled || time.elapsed() >= HOLD.1;
        while self.held_at.lock().is_none_or(|time| is_due(time, *queued)) {
            let now = Instant::now();
            let queue = |change| self.queue(change, settled);
            let position = self.service.transact(&WriteLock::None, Purpose::Change, queue).await?;
            *self.held_at.lock() = position.map(|_| now);
            let Some(position) = position else { return Ok(Vec::new()) };
            *queued = position;
        }
        // At most so many of them are being sent to.
        Ok(self.read().await?.due_places(&self.webhook.name, 2 * CONCURRENT).await?)
    }

    /// Holds the webhook, and queues what comes next in the audit log up to an id, and what expires
    /// soon. Returns which entry was the last, unless another server holds the webhook.
    async fn queue(
        &self,
        mut change: Transaction,
        settled: i64,
    ) -> Result<(Transaction, Option<i64>)> {
        let webhook = &self.webhook;
        let state = change.hold_webhook(&webhook.name, &self.holder, HOLD.0).await?;
        let Some(mut state) = state else { return Ok((change, None)) };
        let entries = change.entries_between(state.position, settled, BATCH).await?;
        let is_whole = entries.len() < BATCH as usize;
        let last = entries.last().filter(|_| !is_whole).map_or(settled, |(id, ..)| *id);
        state.position = last.max(state.position);
        let mut messages = Vec::new();
        for (_, place, entry) in &entries {
            messages.extend(webhook.message(place, &entry.code, entry.created_at, json!(entry)));
        }
        if state.now >= state.announced_at + ANNOUNCE {
            for notice in NOTICES {
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

    /// Sends what is due at a place, until something fails.
    async fn send_place(self: Arc<Self>, place: String) {
        let send = async {
            while self.may_send() && self.send_next(&place).await? {}
            Ok::<_, Error>(())
        };
        // It is sent again, because it is not known whether the database noted it.
        if let Err(error) = send.await {
            warn!(self.log, "the outcome of a webhook's delivery was lost";
                "webhook" => %self.webhook.name, "reason" => %error);
            sleep(REST).await;
        }
    }

    /// Sends the first message of a place. Returns whether the next one may be sent.
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
        let note = |mut change: Transaction| async move {
            match outcome {
                Ok(()) => change.remove_message(id),
                Err(reason) => change.postpone_message(id, reason, pause(failures), PATIENCE),
            }
            Ok((change, ()))
        };
        self.service.transact(&WriteLock::None, Purpose::Change, note).await?;
        Ok(true)
    }

    /// Sends a message. Returns why it did not succeed.
    async fn attempt(&self, message: &Message) -> std::result::Result<(), String> {
        let timestamp = system_time().timestamp();
        let request = self.client.post(self.webhook.url.clone());
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.webhook.sign(message, timestamp))
            .body(message.body.clone());
        // The URL may have a secret.
        let answer = request.send().await.map_err(|error| anyhow::Error::from(error.without_url()));
        let status = answer.map_err(|error| format!("{error:#}"))?.status();
        let hint = if status.is_redirection() { ", and redirects are not followed" } else { "" };
        let failure = || format!("the receiver answered {}{hint}", status.as_u16());
        status.is_success().then_some(()).ok_or_else(failure)
    }
}

/// Returns the pause after so many failures and one more.
fn pause(failures: i64) -> Duration {
    let failures = failures.try_into().unwrap_or(0);
    PAUSES.build().nth(failures).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_a_second_to_an_hour() {
        for (failures, least, most) in [(0, 1, 2), (3, 8, 16), (99, 1800, 3600)] {
            let pauses: Vec<_> = (0..100).map(|_| pause(failures)).collect();
            let seconds = Duration::from_secs(least)..=Duration::from_secs(most);
            assert!(pauses.iter().all(|pause| seconds.contains(pause)), "{failures}: {pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
        }
    }
}
