//! Delivers to the webhooks, each in a task of its own: it queues what is new in the audit log, and
//! sends what is due, in order at each place. One server at a time holds a webhook.

use super::{Webhook, message};
use crate::clock::system_time;
use crate::error::Result;
use crate::metrics::{Metrics, WebhookCounts};
use crate::service::Service;
use crate::store::{
    DueDelivery, LogEnd, NewDelivery, Purpose, Snapshot, Transaction, Turn, View, WebhookState,
};
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, redirect};
use slog::{Logger, warn};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::{Id, JoinSet};
use tokio::time::sleep;
use uuid::Uuid;

/// How often the audit log is read.
const TICK: Duration = Duration::from_secs(1);

/// How long the database rests after a failure.
const REST: Duration = Duration::from_secs(5);

/// How long a server holds a webhook after it last said so, and how often it says so.
const HOLD: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(3));

/// How long one attempt may take. It ends before another server may hold the webhook.
const ATTEMPT: Duration = Duration::from_secs(10);

/// How many places a webhook is sent to at once.
const CONCURRENT: usize = 8;

/// How many entries are queued in one transaction.
const BATCH: i64 = 500;

/// How much of an answer is read, so that its connection can be used again.
const ANSWER: usize = 4096;

/// The first pause after a failure, the longest one, and the longest that a receiver may ask for, in
/// seconds. Each pause is about twice the one before.
const PAUSES: (i64, i64, i64) = (1, 3600, 6 * 3600);

/// How long a delivery is tried, in milliseconds.
const PATIENCE: i64 = 3 * DAY;
const DAY: i64 = 86_400_000;

/// How long before an expiry it is announced, in milliseconds, and how often that is looked for.
const NOTICES: [i64; 2] = [7 * DAY, DAY];
const ANNOUNCE: i64 = 60_000;

/// What delivers, until it is dropped or closed.
pub struct Deliveries {
    service: Service,
    holder: String,
    tasks: JoinSet<()>,
}

impl Deliveries {
    /// Stops, so that another server goes on at once.
    ///
    /// # Errors
    /// If the database does not answer. Another server goes on after 15 s then.
    pub async fn close(mut self) -> Result<()> {
        if self.tasks.is_empty() {
            return Ok(());
        }
        self.tasks.shutdown().await;
        let holder = &self.holder;
        let release = |mut change: Transaction| async move {
            change.release_webhooks(holder);
            Ok((change, ()))
        };
        self.service.transact(&Turn::Free, Purpose::Change, release).await
    }
}

/// Starts to deliver what happens from now on, or what happened since the server last did.
///
/// # Errors
/// If the database does not accept the webhooks, or there are no trusted certificates.
pub async fn start(
    service: &Service,
    webhooks: &[Webhook],
    metrics: &Arc<Metrics>,
    log: &Logger,
) -> anyhow::Result<Deliveries> {
    let holder = Uuid::new_v4().to_string();
    let mut deliveries = Deliveries { service: service.clone(), holder, tasks: JoinSet::new() };
    if webhooks.is_empty() {
        return Ok(deliveries);
    }
    let agent = concat!("orgtokens-server/", env!("CARGO_PKG_VERSION"));
    let client = Client::builder().redirect(redirect::Policy::none()).timeout(ATTEMPT);
    let client = client.user_agent(agent).build()?;
    let add = |mut change: Transaction| async move {
        for webhook in webhooks {
            change.add_webhook(&webhook.name);
        }
        Ok((change, ()))
    };
    service.transact(&Turn::Free, Purpose::Change, add).await?;
    for webhook in webhooks {
        let deliverer = Deliverer {
            service: service.clone(),
            webhook: webhook.clone(),
            client: client.clone(),
            metrics: Arc::clone(metrics),
            holder: deliveries.holder.clone(),
            held: Mutex::default(),
        };
        deliveries.tasks.spawn(Arc::new(deliverer).run(log.clone()));
    }
    Ok(deliveries)
}

/// What delivers to one webhook.
struct Deliverer {
    service: Service,
    webhook: Webhook,
    client: Client,
    metrics: Arc<Metrics>,
    holder: String,
    /// When the webhook was last held, and how far it was.
    held: Mutex<Option<(Instant, WebhookState)>>,
}

/// Why an attempt failed.
struct Failure {
    reason: String,
    /// How many seconds the receiver wants to rest.
    retry_after: Option<i64>,
}

impl Deliverer {
    /// Delivers forever. What fails is tried again.
    async fn run(self: Arc<Self>, log: Logger) {
        let (mut sending, mut places) = (JoinSet::new(), HashMap::<Id, String>::new());
        let (mut end, mut read_at) = (LogEnd::default(), None::<Instant>);
        loop {
            let started = Instant::now();
            let is_tick = read_at.is_none_or(|time| time.elapsed() >= TICK);
            let mut round = async || {
                if is_tick {
                    self.hold().await?;
                    end = self.queue(end).await?;
                }
                self.due_places().await
            };
            match round().await {
                Ok(due) => {
                    for place in due {
                        let is_new = !places.values().any(|active| *active == place);
                        if is_new && places.len() < CONCURRENT {
                            let sender = Arc::clone(&self).send_place(place.clone(), log.clone());
                            places.insert(sending.spawn(sender).id(), place);
                        }
                    }
                }
                Err(error) => {
                    warn!(log, "webhook events wait for the database";
                        "webhook" => %self.webhook.name, "reason" => %error);
                    sleep(REST).await;
                }
            }
            if is_tick {
                read_at = Some(started);
            }
            tokio::select! {
                Some(done) = sending.join_next_with_id() => {
                    places.remove(&done.map_or_else(|error| error.id(), |(id, ())| id));
                }
                // A database that is slow is asked less often.
                () = sleep(TICK.max(started.elapsed() * 9)) => {}
            }
        }
    }

    async fn read(&self) -> Result<Snapshot> {
        Ok(self.service.store().read(View::Statement).await?)
    }

    /// Returns how far the webhook is, if this server may send to it.
    fn state(&self) -> Option<WebhookState> {
        let held = self.held.lock().filter(|(time, _)| time.elapsed() + ATTEMPT < HOLD.0);
        held.map(|(_, state)| state)
    }

    /// Says now and then that this server holds the webhook, and counts what waits.
    async fn hold(&self) -> Result<()> {
        let now = Instant::now();
        if self.held.lock().is_some_and(|(time, _)| time.elapsed() < HOLD.1) {
            return Ok(());
        }
        let milliseconds = i64::try_from(HOLD.0.as_millis()).unwrap_or(i64::MAX);
        let take = |mut change: Transaction| async move {
            let held = change.hold_webhook(&self.webhook.name, &self.holder, milliseconds).await?;
            Ok((change, held))
        };
        let held = self.service.transact(&Turn::Free, Purpose::Change, take).await?;
        *self.held.lock() = held.map(|state| (now, state));
        let counts = self.read().await?.webhook_counts().await?;
        let name = self.webhook.name.as_str();
        let (_, waiting, set_aside) =
            counts.into_iter().find(|(webhook, ..)| webhook == name).unwrap_or_default();
        self.count(|counts| (counts.waiting, counts.set_aside) = (waiting, set_aside));
        Ok(())
    }

    fn count(&self, change: impl FnOnce(&mut WebhookCounts)) {
        let mut webhooks = self.metrics.webhooks.lock();
        change(webhooks.entry(self.webhook.name.to_string()).or_default());
    }

    /// Queues what is new in the audit log up to `end`, and what expires. Returns the next end.
    ///
    /// An id below another one may become visible after it. None does any more when every transaction
    /// that was open at the end has ended.
    async fn queue(&self, end: LogEnd) -> Result<LogEnd> {
        let Some(mut state) = self.state() else { return Ok(end) };
        let now = self.read().await?.log_end().await?;
        if now.oldest < end.next {
            return Ok(end);
        }
        let end = if now.oldest == now.next { now } else { end };
        while state.position < end.id {
            let entries = self.read().await?.entries_between(state.position, end.id, BATCH).await?;
            let is_whole = i64::try_from(entries.len()).is_ok_and(|count| count < BATCH);
            let last = entries.last().filter(|_| !is_whole).map_or(end.id, |entry| entry.id);
            let messages = entries.iter().filter_map(|entry| self.webhook.about_entry(entry));
            let next = WebhookState { position: last, ..state };
            if !self.advance(&mut state, next, &messages.collect::<Vec<_>>()).await? {
                return Ok(now);
            }
        }
        if state.now - state.announced_at >= ANNOUNCE {
            let mut messages = Vec::new();
            let at = DateTime::from_timestamp_millis(state.now).unwrap_or_default();
            for notice in NOTICES {
                let time = (state.announced_at, state.now);
                let tokens = self.read().await?.expiring_tokens(time, notice).await?;
                messages
                    .extend(tokens.iter().filter_map(|token| self.webhook.about_expiry(token, at)));
            }
            let next = WebhookState { announced_at: state.now, ..state };
            self.advance(&mut state, next, &messages).await?;
        }
        Ok(now)
    }

    /// Queues messages and notes how far the webhook is then, unless another server did.
    async fn advance(
        &self,
        state: &mut WebhookState,
        next: WebhookState,
        messages: &[NewDelivery],
    ) -> Result<bool> {
        let (name, from) = (&self.webhook.name, *state);
        let advance = |mut change: Transaction| async move {
            let advanced = change.advance_webhook((name, &self.holder), from, next).await?;
            for message in messages.iter().filter(|_| advanced) {
                change.queue_delivery(name, message);
            }
            Ok((change, advanced))
        };
        let advanced = self.service.transact(&Turn::Free, Purpose::Change, advance).await?;
        *state = next;
        let mut held = self.held.lock();
        *held = held.filter(|_| advanced).map(|(time, _)| (time, next));
        Ok(advanced)
    }

    async fn due_places(&self) -> Result<Vec<String>> {
        if self.state().is_none() {
            return Ok(Vec::new());
        }
        // At most so many of them are being sent to.
        let limit = i64::try_from(2 * CONCURRENT).unwrap_or(i64::MAX);
        Ok(self.read().await?.due_places(&self.webhook.name, limit).await?)
    }

    /// Sends what is due at a place, until something fails.
    async fn send_place(self: Arc<Self>, place: String, log: Logger) {
        while self.state().is_some() {
            match self.send_next(&place, &log).await {
                Ok(true) => {}
                Ok(false) => return,
                // It is sent again, because it is not known whether the database noted it.
                Err(error) => {
                    warn!(log, "the outcome of a webhook's delivery was lost";
                        "webhook" => %self.webhook.name, "reason" => %error);
                    return sleep(REST).await;
                }
            }
        }
    }

    /// Sends the first delivery of a place. Returns whether the next one may be sent.
    async fn send_next(&self, place: &str, log: &Logger) -> Result<bool> {
        let due = self.read().await?.due_delivery(&self.webhook.name, place).await?;
        let Some(due) = due else { return Ok(false) };
        let outcome = self.attempt(&due).await;
        match &outcome {
            Ok(()) => self.count(|counts| counts.delivered += 1),
            Err(Failure { reason, .. }) => {
                self.count(|counts| counts.failed += 1);
                warn!(log, "a webhook's delivery failed"; "webhook" => %self.webhook.name,
                    "message" => &due.id, "attempt" => due.attempts + 1, "reason" => reason);
            }
        }
        let outcome = &outcome;
        let note = |mut change: Transaction| async move {
            match outcome {
                Ok(()) => change.remove_delivery(due.position),
                Err(Failure { reason, retry_after }) => {
                    let pause = pause(due.attempts, *retry_after, getrandom::u32().unwrap_or(0));
                    change.postpone_delivery(due.position, reason, pause, PATIENCE);
                }
            }
            Ok((change, ()))
        };
        self.service.transact(&Turn::Free, Purpose::Change, note).await?;
        Ok(true)
    }

    async fn attempt(&self, due: &DueDelivery) -> std::result::Result<(), Failure> {
        let timestamp = system_time().timestamp();
        let signature = message::sign(&self.webhook.key, &due.id, timestamp, &due.body);
        let request = self.client.post(self.webhook.url.clone());
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &due.id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(due.body.clone());
        let mut response = request.send().await.map_err(|error| {
            // The URL may have a secret.
            let error = anyhow::Error::from(error.without_url());
            Failure { reason: format!("{error:#}"), retry_after: None }
        })?;
        let status = response.status();
        if !status.is_success() {
            let hint =
                if status.is_redirection() { ", and redirects are not followed" } else { "" };
            let reason = format!("the receiver answered {}{hint}", status.as_u16());
            return Err(Failure { reason, retry_after: retry_after(&response, system_time()) });
        }
        let mut read = 0;
        while let Ok(Some(part)) = response.chunk().await
            && read < ANSWER
        {
            read += part.len();
        }
        Ok(())
    }
}

/// Returns how many seconds a response asks to wait, written as a number or as a date.
fn retry_after(response: &Response, now: DateTime<Utc>) -> Option<i64> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let date = || Some((DateTime::parse_from_rfc2822(text).ok()?.to_utc() - now).num_seconds());
    text.parse().ok().or_else(date)
}

/// Returns the pause after so many failures and one more, in milliseconds: at least half of a time that
/// doubles, or what the receiver asks for.
fn pause(failures: i64, retry_after: Option<i64>, random: u32) -> i64 {
    let (first, longest, bound) = PAUSES;
    let doubled = first << failures.clamp(0, 16);
    let milliseconds = doubled.min(longest) * 1000;
    let jittered = milliseconds / 2 + i64::from(random) % (milliseconds / 2 + 1);
    jittered.max(retry_after.unwrap_or(0).clamp(0, bound) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour_and_respect_retry_after_within_bounds() {
        for (failures, least, most) in
            [(0, 500, 1_000), (3, 4_000, 8_000), (99, 1_800_000, 3_600_000)]
        {
            for random in [0, 1, 12_345, u32::MAX] {
                let pause = pause(failures, None, random);
                assert!((least..=most).contains(&pause), "{failures}: {pause}");
            }
            assert_ne!(pause(failures, None, 0), pause(failures, None, 400));
        }
        assert_eq!(pause(0, Some(120), 0), 120_000);
        assert_eq!(pause(0, Some(i64::MAX), 0), 6 * 3_600_000);
        assert_eq!(pause(0, Some(-5), 0), 500);
        assert_eq!(pause(12, Some(1), 0), 1_800_000);
    }

    #[test]
    fn retry_after_is_a_number_of_seconds_or_a_date() {
        let now = DateTime::parse_from_rfc3339("2026-01-31T12:00:00Z").unwrap().to_utc();
        for (text, seconds) in
            [("120", Some(120)), ("Sat, 31 Jan 2026 12:01:00 GMT", Some(60)), ("soon", None)]
        {
            let response = http::Response::builder().header(RETRY_AFTER, text).body("").unwrap();
            assert_eq!(retry_after(&response.into(), now), seconds, "{text}");
        }
    }
}
