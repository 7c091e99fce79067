//! The statements about webhooks: the position of each in the audit log, and its queue of messages.
//! [`crate::webhooks`] decides which messages to queue and when to retry them.

use super::access_cache::Invalidation;
use super::statement::{Statement, sql};
use super::tokens::{TokenPlace, read_place};
use super::{Result, Snapshot, Transaction, rows};
use crate::clock;
use crate::name::Name;
use crate::records::AuditLog;
use crate::token::TokenId;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::time::Duration;

/// The end of the part of the audit log that can be read without a gap.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogEnd {
    /// No entry with this id or a lower one becomes visible later.
    pub settled: i64,
    /// The newest visible id.
    newest: i64,
    /// The id of the next transaction of PostgreSQL.
    next_transaction: i64,
}

/// A webhook in the database, with the numbers that `check` and the metrics show.
pub struct KnownWebhook {
    pub name: Name,
    pub waiting: i64,
    pub set_aside: i64,
    /// Whether its position is after the end of the audit log, which has then lost entries.
    pub is_ahead: bool,
}

/// The position of a webhook.
#[derive(Clone, Copy, Debug)]
pub struct WebhookState {
    /// The id of the last audit entry that was queued.
    pub position: i64,
    /// The time until which expiries were announced.
    pub announced_at: DateTime<Utc>,
    pub now: DateTime<Utc>,
}

/// A token that will expire.
#[derive(Debug, Serialize)]
pub struct ExpiringToken {
    pub id: TokenId,
    pub name: Name,
    pub owner: Name,
    #[serde(serialize_with = "clock::serialize")]
    pub expires_at: DateTime<Utc>,
}

/// An event, as it is sent. The messages of one place (an organization or a user) keep their order.
#[derive(Debug)]
pub struct Message {
    pub id: String,
    pub place: String,
    pub code: String,
    pub body: String,
}

/// A message that was set aside because it failed for too long: it is not retried automatically.
#[expect(missing_docs, reason = "the names say it")]
#[derive(Debug, Serialize)]
pub struct FailedMessage {
    pub webhook: String,
    pub id: String,
    pub place: String,
    pub code: String,
    #[serde(serialize_with = "clock::serialize")]
    pub queued_at: DateTime<Utc>,
    #[serde(serialize_with = "clock::serialize")]
    pub set_aside_at: DateTime<Utc>,
    pub attempts: i64,
    /// Why the last attempt failed.
    pub failure: String,
}

fn milliseconds(duration: Duration) -> i64 {
    duration.as_millis().try_into().unwrap_or(i64::MAX)
}

impl Snapshot {
    /// Returns the end of the audit log. `before` is the result of the last call.
    ///
    /// On PostgreSQL a lower id may become visible after a higher one. All ids up to the newest one
    /// are visible when every transaction that was open then has ended. SQLite has one writer.
    pub(crate) async fn log_end(&mut self, before: LogEnd) -> Result<LogEnd> {
        let statement = if self.connection.is_postgres() {
            "SELECT coalesce(max(id), 0), pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
             pg_snapshot_xmax(pg_current_snapshot())::text::bigint FROM audit_log"
        } else {
            "SELECT coalesce(max(id), 0), 0, 0 FROM audit_log"
        };
        let end = self.first(sql!(statement), |row| {
            let (newest, oldest_open): (_, i64) = (row.get(0)?, row.get(1)?);
            let next_transaction = row.get(2)?;
            let settled = if oldest_open == next_transaction {
                newest
            } else if oldest_open >= before.next_transaction {
                before.newest
            } else {
                return Ok(before);
            };
            Ok(LogEnd { settled, newest, next_transaction })
        });
        Ok(end.await?.unwrap_or(before))
    }

    /// Returns the first entries with ids above `after` and up to `end`, with ids and places.
    pub(crate) async fn entries_between(
        &mut self,
        after: i64,
        end: i64,
        limit: u32,
    ) -> Result<Vec<(i64, TokenPlace, AuditLog)>> {
        let text =
            "SELECT o.slug, u.username, a.id, a.code, a.message, a.origin, a.author, a.created_at,
             a.data FROM audit_log a LEFT JOIN organizations o ON o.id = a.organization_id
             LEFT JOIN users u ON u.id = a.user_id
             WHERE a.id > $1 AND a.id <= $2 ORDER BY a.id LIMIT $3";
        self.all(sql!(text, after, end, limit), |row| {
            Ok((row.get(2)?, read_place(row)?, rows::audit_log(row, 3)?))
        })
        .await
    }

    /// Returns the live tokens whose time to expiry has fallen to `notice` since `after`. Tokens
    /// that were minted with less time are left out.
    pub(crate) async fn expiring_tokens(
        &mut self,
        after: DateTime<Utc>,
        now: DateTime<Utc>,
        notice: Duration,
    ) -> Result<Vec<(TokenPlace, ExpiringToken)>> {
        let [after, now] = [after, now].map(|time| time.timestamp_millis());
        let notice = milliseconds(notice);
        let text = "SELECT o.slug, u.username, t.id, t.name, u.username, t.expires_at FROM tokens t
             JOIN users u ON u.id = t.user_id LEFT JOIN organizations o ON o.id = t.organization_id
             WHERE t.expires_at > $1 AND t.expires_at <= $2 AND t.expires_at > $3
             AND t.created_at < t.expires_at - $4 ORDER BY t.expires_at";
        let statement = sql!(text, after + notice, now + notice, now, notice);
        self.all(statement, |row| {
            let (id, name, owner) = (row.get(2)?, row.get(3)?, row.get(4)?);
            Ok((read_place(row)?, ExpiringToken { id, name, owner, expires_at: row.get(5)? }))
        })
        .await
    }

    /// Returns the places whose first message is due.
    pub(crate) async fn due_places(&mut self, webhook: &Name, limit: u32) -> Result<Vec<String>> {
        let text = "SELECT d.place FROM (SELECT min(position) AS position FROM webhook_deliveries
             WHERE webhook = $1 AND set_aside_at IS NULL GROUP BY place) AS head
             JOIN webhook_deliveries d ON d.position = head.position
             WHERE d.next_at <= now_ms() ORDER BY d.next_at LIMIT $2";
        self.all(sql!(text, webhook, limit), |row| row.get(0)).await
    }

    /// Returns the first message of a place, if it is due, and how often it has failed.
    pub(crate) async fn due_message(
        &mut self,
        webhook: &Name,
        place: &str,
    ) -> Result<Option<(Message, i64)>> {
        let text =
            "SELECT id, place, code, body, attempts FROM (SELECT id, place, code, body, attempts,
             next_at FROM webhook_deliveries WHERE webhook = $1 AND set_aside_at IS NULL
             AND place = $2 ORDER BY position LIMIT 1) AS head WHERE next_at <= now_ms()";
        self.first(sql!(text, webhook, place), |row| {
            let (id, place, code) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((Message { id, place, code, body: row.get(3)? }, row.get(4)?))
        })
        .await
    }

    /// Returns all webhooks in the database.
    pub(crate) async fn webhooks(&mut self) -> Result<Vec<KnownWebhook>> {
        let statement = "SELECT name, count(d.id) - count(set_aside_at), count(set_aside_at),
             CASE WHEN w.position > (SELECT coalesce(max(id), 0) FROM audit_log) THEN w.name END
             FROM webhooks w LEFT JOIN webhook_deliveries d ON d.webhook = w.name
             GROUP BY w.name ORDER BY w.name";
        self.all(sql!(statement), |row| {
            let (name, waiting, set_aside) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(KnownWebhook { name, waiting, set_aside, is_ahead: !row.is_null(3) })
        })
        .await
    }

    /// Returns the messages that were set aside, in the order of the events.
    pub(crate) async fn messages_set_aside(&mut self) -> Result<Vec<FailedMessage>> {
        let statement =
            "SELECT webhook, id, place, code, queued_at, set_aside_at, attempts, failure
             FROM webhook_deliveries WHERE set_aside_at IS NOT NULL ORDER BY position";
        self.all(sql!(statement), |row| {
            Ok(FailedMessage {
                webhook: row.get(0)?,
                id: row.get(1)?,
                place: row.get(2)?,
                code: row.get(3)?,
                queued_at: row.get(4)?,
                set_aside_at: row.get(5)?,
                attempts: row.get(6)?,
                failure: row.get(7)?,
            })
        })
        .await
    }
}

impl Transaction {
    /// Adds a change that invalidates no cache entry.
    fn execute_unread(&mut self, change: Statement) {
        self.execute(change.invalidating(Invalidation::Nothing));
    }

    /// Adds a webhook that receives the events from now on, unless it exists.
    pub(crate) fn add_webhook(&mut self, name: &Name) {
        let insert = "INSERT INTO webhooks (name, position, announced_at)
             SELECT $1, coalesce(max(id), 0), now_ms() FROM audit_log WHERE true
             ON CONFLICT (name) DO NOTHING";
        self.execute_unread(sql!(insert, name));
    }

    /// Gives `holder` the lease of a webhook for this time, unless another holder has it. Only the
    /// holder delivers. Blocks other holders until the transaction ends.
    pub(crate) async fn hold_webhook(
        &mut self,
        name: &Name,
        holder: &str,
        time: Duration,
    ) -> Result<Option<WebhookState>> {
        let text = "UPDATE webhooks SET holder = $1, held_until = now_ms() + $2
             WHERE name = $3 AND (holder = $1 OR held_until <= now_ms())
             RETURNING position, announced_at, now_ms()";
        let update = sql!(text, holder, milliseconds(time), name);
        self.first(update.invalidating(Invalidation::Nothing), |row| {
            let (position, announced_at) = (row.get(0)?, row.get(1)?);
            Ok(WebhookState { position, announced_at, now: row.get(2)? })
        })
        .await
    }

    /// Ends the leases of this holder.
    pub(crate) fn release_webhooks(&mut self, holder: &str) {
        let update = "UPDATE webhooks SET held_until = 0 WHERE holder = $1";
        self.execute_unread(sql!(update, holder));
    }

    /// Writes the position of a webhook whose lease was taken in this transaction.
    pub(crate) fn advance_webhook(&mut self, name: &Name, position: i64, announced: DateTime<Utc>) {
        let update = "UPDATE webhooks SET position = $1, announced_at = $2 WHERE name = $3";
        self.execute_unread(sql!(update, position, announced, name));
    }

    /// Removes a webhook whose lease was taken in this transaction, and its messages.
    pub(crate) fn remove_webhook(&mut self, name: &Name) {
        let queued = "DELETE FROM webhook_deliveries WHERE webhook = $1";
        for delete in [queued, "DELETE FROM webhooks WHERE name = $1"] {
            self.execute_unread(sql!(delete, name));
        }
    }

    /// Adds a message to the end of the queue.
    pub(crate) fn queue_message(&mut self, webhook: &Name, message: &Message) {
        let Message { id, place, code, body } = message;
        let insert =
            "INSERT INTO webhook_deliveries (webhook, place, code, id, body, queued_at, next_at)
             VALUES ($1, $2, $3, $4, $5, now_ms(), 0)";
        self.execute_unread(sql!(insert, webhook, place, code, id, body));
    }

    /// Removes a delivered message.
    pub(crate) fn remove_message(&mut self, id: &str) {
        self.execute_unread(sql!("DELETE FROM webhook_deliveries WHERE id = $1", id));
    }

    /// Records a failure. The message is due again after `pause`. If it was queued more than
    /// `patience` ago, it is set aside.
    pub(crate) fn postpone_message(
        &mut self,
        id: &str,
        failure: &str,
        pause: Duration,
        patience: Duration,
    ) {
        let (pause, patience) = (milliseconds(pause), milliseconds(patience));
        let update = "UPDATE webhook_deliveries SET failure = $1, next_at = now_ms() + $2,
             attempts = attempts + 1,
             set_aside_at = CASE WHEN queued_at <= now_ms() - $3 THEN now_ms() END WHERE id = $4";
        self.execute_unread(sql!(update, failure, pause, patience, id));
    }

    /// Puts messages that were set aside back into the queue, as if they were new: all of a
    /// webhook, or the one with this id. Returns how many there were.
    pub(crate) async fn retry_messages(
        &mut self,
        webhook: Option<&Name>,
        id: Option<&str>,
    ) -> Result<usize> {
        let text = "UPDATE webhook_deliveries SET set_aside_at = NULL, queued_at = now_ms(),
             next_at = 0, attempts = 0 WHERE set_aside_at IS NOT NULL AND (webhook = $1 OR id = $2)
             RETURNING position";
        let update = sql!(text, webhook, id).invalidating(Invalidation::Nothing);
        Ok(self.execute_bulk(update, |_| Ok(())).await?.len())
    }
}
