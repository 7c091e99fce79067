//! The statement that writes when tokens were last used. Only the details of a token show it.

use super::access_cache::Invalidation;
use super::statement::{hex, sql};
use super::{Result, Transaction};
use crate::token::TokenId;
use serde_json::json;
use std::net::IpAddr;
use std::time::Instant;

/// A use of a token: when, and by which client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenUse {
    pub instant: Instant,
    pub address: IpAddr,
}

/// `$1` are the uses, with their ages in milliseconds: `[["6f1c..", 1500, "192.0.2.7"], ..]`.
const UPDATE_USES: &str = "UPDATE tokens SET last_used_at = u.time, last_used_ip = u.ip
     FROM (SELECT unhex(value ->> 0) AS id, now_ms() - (value ->> 1) AS time,
     value ->> 2 AS ip FROM json_each($1)) AS u
     WHERE tokens.id = u.id AND (last_used_at IS NULL OR last_used_at <= u.time)";

/// The same for PostgreSQL. It waits for no lock, so that it causes no deadlock, and returns the
/// tokens that other transactions have locked.
const UPDATE_UNLOCKED_USES: &str = "WITH u AS MATERIALIZED
     (SELECT decode(value ->> 0, 'hex') AS id, now_ms() - (value ->> 1)::bigint AS time,
     value ->> 2 AS ip FROM json_array_elements($1::text::json) AS value),
     locked AS MATERIALIZED (SELECT id FROM tokens WHERE id = ANY(ARRAY(SELECT id FROM u))
     FOR NO KEY UPDATE SKIP LOCKED),
     updated AS (UPDATE tokens t SET last_used_at = u.time, last_used_ip = u.ip FROM u
     WHERE t.id = u.id AND t.id = ANY(ARRAY(SELECT id FROM locked))
     AND (t.last_used_at IS NULL OR t.last_used_at <= u.time))
     SELECT id FROM tokens WHERE id = ANY(ARRAY(SELECT id FROM u))
     AND id <> ALL(ARRAY(SELECT id FROM locked))";

impl Transaction {
    /// Writes when tokens were last used, unless a later use is already written. Returns the tokens
    /// that another transaction has locked: they are not updated.
    pub async fn update_last_uses(
        &mut self,
        uses: &[(TokenId, TokenUse)],
        now: Instant,
    ) -> Result<Vec<TokenId>> {
        let uses = uses.iter().map(|(token, TokenUse { instant, address })| {
            let age = now.saturating_duration_since(*instant);
            let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
            json!([hex(token.as_bytes()), age, address])
        });
        let uses = uses.collect::<serde_json::Value>().to_string();
        let update = if self.connection.is_postgres() { UPDATE_UNLOCKED_USES } else { UPDATE_USES };
        // Only the details of a token show it, and they are never cached.
        let update = sql!(update, uses).invalidating(Invalidation::Nothing);
        self.execute_bulk(update, |row| row.get(0)).await
    }
}
