//! The statements about webhooks: how far each one is, and what waits for it. What is queued, and when
//! it is tried again, is decided in [`crate::webhooks`].

use super::connection::{Row, Statement, Value, sql};
use super::remembered::Touched;
use super::tokens::{TokenPlace, read_place};
use super::{Result, Snapshot, Transaction, rows};
use crate::name::Name;
use crate::records::AuditLog;
use crate::token::TokenId;
use chrono::{DateTime, Utc};
use serde::Serialize;

/// The end of the audit log, as one snapshot saw it.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogEnd {
    /// The newest id.
    pub id: i64,
    /// The oldest transaction that was open.
    pub oldest: i64,
    /// The first transaction that had not started.
    pub next: i64,
}

/// How far a webhook is.
#[derive(Clone, Copy, Debug)]
pub struct WebhookState {
    /// The last audit entry that was queued.
    pub position: i64,
    /// Until when expiries were announced.
    pub announced_at: i64,
    /// The time now.
    pub now: i64,
}

/// An audit entry, and the place whose order it keeps. `None` is the closed chain.
#[derive(Debug)]
pub struct PlacedEntry {
    pub id: i64,
    pub place: Option<TokenPlace>,
    pub entry: AuditLog,
}

/// A token that will expire.
#[derive(Debug)]
pub struct ExpiringToken {
    pub id: TokenId,
    pub name: Name,
    pub owner: Name,
    pub place: TokenPlace,
    pub expires_at: DateTime<Utc>,
}

/// A message for a webhook.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    pub place: String,
    pub code: String,
    pub id: String,
    pub body: String,
}

/// A message that is due.
#[derive(Clone, Debug)]
pub struct DueDelivery {
    pub position: i64,
    pub id: String,
    pub body: String,
    pub attempts: i64,
}

/// A delivery that is no longer tried.
#[expect(missing_docs, reason = "the names say it")]
#[derive(Clone, Debug, Serialize)]
pub struct SetAside {
    pub webhook: String,
    /// The id of the message.
    pub id: String,
    pub place: String,
    pub code: String,
    pub queued_at: DateTime<Utc>,
    pub set_aside_at: DateTime<Utc>,
    pub attempts: i64,
    /// Why the last attempt failed.
    pub failure: String,
}

/// Returns a statement whose changes no request reads.
fn unread(text: &'static str, parameters: impl Into<Vec<Value>>) -> Statement {
    sql(text, parameters).touching(Touched::Nothing)
}

fn state(row: &dyn Row) -> Result<WebhookState> {
    let (position, announced_at) = (row.integer(0)?, row.integer(1)?);
    Ok(WebhookState { position, announced_at, now: row.integer(2)? })
}

impl Snapshot {
    /// Returns the end of the audit log. SQLite has one writer, so no id becomes visible late.
    pub(crate) async fn log_end(&mut self) -> Result<LogEnd> {
        let statement = if self.connection.is_postgres() {
            "SELECT coalesce(max(id), 0), pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
             pg_snapshot_xmax(pg_current_snapshot())::text::bigint FROM audit_log"
        } else {
            "SELECT coalesce(max(id), 0), 0, 0 FROM audit_log"
        };
        let end = self.first(sql(statement, []), |row| {
            Ok(LogEnd { id: row.integer(0)?, oldest: row.integer(1)?, next: row.integer(2)? })
        });
        Ok(end.await?.unwrap_or_default())
    }

    /// Returns the first entries of all chains after one id and up to another.
    pub(crate) async fn entries_between(
        &mut self,
        after: i64,
        end: i64,
        limit: i64,
    ) -> Result<Vec<PlacedEntry>> {
        let statement = sql(
            "SELECT a.code, a.message, a.origin, a.author, a.created_at, a.data, a.id, o.slug,
             u.username FROM audit_log a LEFT JOIN organizations o ON o.id = a.organization_id
             LEFT JOIN users u ON u.id = a.user_id
             WHERE a.id > $1 AND a.id <= $2 ORDER BY a.id LIMIT $3",
            [after.into(), end.into(), limit.into()],
        );
        self.all(statement, |row| {
            let place = match rows::optional(row, 7, rows::parse_text)? {
                Some(slug) => Some(TokenPlace::Organization(slug)),
                None => rows::optional(row, 8, rows::parse_text)?.map(TokenPlace::User),
            };
            Ok(PlacedEntry { id: row.integer(6)?, place, entry: rows::audit_log(row)? })
        })
        .await
    }

    /// Returns the tokens that live, came within `notice` of their expiry in this time, and were not
    /// minted within it.
    pub(crate) async fn expiring_tokens(
        &mut self,
        (after, until): (i64, i64),
        notice: i64,
    ) -> Result<Vec<ExpiringToken>> {
        let statement = sql(
            "SELECT o.slug, u.username, t.id, t.name, u.username, t.expires_at FROM tokens t
             JOIN users u ON u.id = t.user_id LEFT JOIN organizations o ON o.id = t.organization_id
             WHERE t.expires_at > $1 AND t.expires_at <= $2 AND t.expires_at > $3
             AND t.created_at < t.expires_at - $4 ORDER BY t.expires_at",
            [(after + notice).into(), (until + notice).into(), until.into(), notice.into()],
        );
        self.all(statement, |row| {
            let (id, name) = (rows::token_id(row, 2)?, rows::parse_text(row, 3)?);
            let (owner, expires_at) = (rows::parse_text(row, 4)?, rows::time(row, 5)?);
            Ok(ExpiringToken { id, name, owner, place: read_place(row)?, expires_at })
        })
        .await
    }

    /// Returns the places whose first delivery is due.
    pub(crate) async fn due_places(&mut self, webhook: &Name, limit: i64) -> Result<Vec<String>> {
        let statement = sql(
            "SELECT d.place FROM (SELECT min(position) AS position FROM webhook_deliveries
             WHERE webhook = $1 AND set_aside_at IS NULL GROUP BY place) AS head
             JOIN webhook_deliveries d ON d.position = head.position
             WHERE d.next_at <= now_ms() ORDER BY d.next_at LIMIT $2",
            [webhook.as_str().into(), limit.into()],
        );
        self.all(statement, |row| Ok(row.text(0)?.to_owned())).await
    }

    /// Returns the first delivery of a place, if it is due.
    pub(crate) async fn due_delivery(
        &mut self,
        webhook: &Name,
        place: &str,
    ) -> Result<Option<DueDelivery>> {
        let statement = sql(
            "SELECT position, id, body, attempts FROM (SELECT position, id, body, attempts, next_at
             FROM webhook_deliveries WHERE webhook = $1 AND set_aside_at IS NULL AND place = $2
             ORDER BY position LIMIT 1) AS head WHERE next_at <= now_ms()",
            [webhook.as_str().into(), place.into()],
        );
        self.first(statement, |row| {
            let (id, body) = (row.text(1)?.to_owned(), row.text(2)?.to_owned());
            Ok(DueDelivery { position: row.integer(0)?, id, body, attempts: row.integer(3)? })
        })
        .await
    }

    /// Returns how many deliveries of each webhook wait, and how many were set aside.
    pub async fn webhook_counts(&mut self) -> Result<Vec<(String, i64, i64)>> {
        let statement = "SELECT webhook, count(*) - count(set_aside_at), count(set_aside_at)
             FROM webhook_deliveries GROUP BY webhook ORDER BY webhook";
        let read = |row: &dyn Row| Ok((row.text(0)?.to_owned(), row.integer(1)?, row.integer(2)?));
        self.all(sql(statement, []), read).await
    }

    /// Returns the names of webhooks that are ahead of the audit log, which lost its end then.
    pub(crate) async fn webhooks_ahead(&mut self) -> Result<Vec<String>> {
        let statement = "SELECT name FROM webhooks
             WHERE position > (SELECT coalesce(max(id), 0) FROM audit_log) ORDER BY name";
        self.all(sql(statement, []), |row| Ok(row.text(0)?.to_owned())).await
    }

    /// Returns the deliveries that were set aside, in the order of their events.
    pub(crate) async fn deliveries_set_aside(&mut self) -> Result<Vec<SetAside>> {
        let statement = "SELECT webhook, id, place, code, queued_at, set_aside_at, attempts,
             coalesce(failure, '') FROM webhook_deliveries WHERE set_aside_at IS NOT NULL
             ORDER BY position";
        self.all(sql(statement, []), |row| {
            let text = |index| row.text(index).map(str::to_owned);
            Ok(SetAside {
                webhook: text(0)?,
                id: text(1)?,
                place: text(2)?,
                code: text(3)?,
                queued_at: rows::time(row, 4)?,
                set_aside_at: rows::time(row, 5)?,
                attempts: row.integer(6)?,
                failure: text(7)?,
            })
        })
        .await
    }
}

impl Transaction {
    /// Adds a webhook that receives what happens from now on, unless it is known.
    pub(crate) fn add_webhook(&mut self, name: &Name) {
        self.execute(unread(
            "INSERT INTO webhooks (name, position, announced_at)
             SELECT $1, coalesce(max(id), 0), now_ms() FROM audit_log WHERE true
             ON CONFLICT (name) DO NOTHING",
            [name.as_str().into()],
        ));
    }

    /// Makes `holder` the one that delivers to a webhook for so many milliseconds, unless it is
    /// another one.
    pub(crate) async fn hold_webhook(
        &mut self,
        name: &Name,
        holder: &str,
        milliseconds: i64,
    ) -> Result<Option<WebhookState>> {
        let update = unread(
            "UPDATE webhooks SET holder = $1, held_until = now_ms() + $2
             WHERE name = $3 AND (holder = $1 OR held_until <= now_ms())
             RETURNING position, announced_at, now_ms()",
            [holder.into(), milliseconds.into(), name.as_str().into()],
        );
        Ok(self.change_many(update, state).await?.pop())
    }

    /// Lets any other holder take the webhooks of this one.
    pub(crate) fn release_webhooks(&mut self, holder: &str) {
        let update = "UPDATE webhooks SET held_until = 0 WHERE holder = $1";
        self.execute(unread(update, [holder.into()]));
    }

    /// Moves a webhook that this holder has on to another state. Returns whether it did.
    pub(crate) async fn advance_webhook(
        &mut self,
        (name, holder): (&Name, &str),
        from: WebhookState,
        to: WebhookState,
    ) -> Result<bool> {
        let update = unread(
            "UPDATE webhooks SET position = $1, announced_at = $2 WHERE name = $3 AND holder = $4
             AND position = $5 AND announced_at = $6 RETURNING position, announced_at, now_ms()",
            [
                to.position.into(),
                to.announced_at.into(),
                name.as_str().into(),
                holder.into(),
                from.position.into(),
                from.announced_at.into(),
            ],
        );
        Ok(!self.change_many(update, state).await?.is_empty())
    }

    /// Adds a delivery behind all others.
    pub(crate) fn queue_delivery(&mut self, webhook: &Name, delivery: &NewDelivery) {
        let NewDelivery { place, code, id, body } = delivery;
        let texts = [webhook.as_str(), place, code, id, body];
        self.execute(unread(
            "INSERT INTO webhook_deliveries (webhook, place, code, id, body, queued_at, next_at)
             VALUES ($1, $2, $3, $4, $5, now_ms(), 0)",
            texts.map(Value::from),
        ));
    }

    /// Removes what was delivered.
    pub(crate) fn remove_delivery(&mut self, position: i64) {
        let delete = "DELETE FROM webhook_deliveries WHERE position = $1";
        self.execute(unread(delete, [position.into()]));
    }

    /// Notes a failure. The delivery is due again after `pause`, or it is set aside if it was queued
    /// `patience` ago; both are milliseconds.
    pub(crate) fn postpone_delivery(
        &mut self,
        position: i64,
        failure: &str,
        pause: i64,
        patience: i64,
    ) {
        self.execute(unread(
            "UPDATE webhook_deliveries SET failure = $1, next_at = now_ms() + $2,
             attempts = attempts + 1,
             set_aside_at = CASE WHEN queued_at <= now_ms() - $3 THEN now_ms() END
             WHERE position = $4",
            [failure.into(), pause.into(), patience.into(), position.into()],
        ));
    }

    /// Makes the deliveries of a webhook that were set aside, or the one with this id, due as if they
    /// were new. Returns how many there were.
    pub(crate) async fn retry_deliveries(
        &mut self,
        webhook: Option<&Name>,
        id: Option<&str>,
    ) -> Result<usize> {
        let update = unread(
            "UPDATE webhook_deliveries SET set_aside_at = NULL, queued_at = now_ms(), next_at = 0,
             attempts = 0 WHERE set_aside_at IS NOT NULL AND (webhook = $1 OR id = $2)
             RETURNING position",
            [webhook.map(Name::as_str).into(), id.into()],
        );
        Ok(self.change_many(update, |row| row.integer(0)).await?.len())
    }
}
