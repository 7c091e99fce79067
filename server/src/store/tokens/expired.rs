//! The statements that find and remove tokens that have expired.

use super::super::audit::chain::{Chain, ChainHead};
use super::super::connection::sql;
use super::super::{Result, Snapshot, Transaction};
use super::place::{TokenPlace, read_place};
use super::{delete_tokens, returning_tokens};
use crate::caller::UserId;
use crate::name::Name;
use crate::records::Token;

/// The place of the expired tokens in a range: one row each.
macro_rules! expired_places {
    ($range:literal) => {
        concat!(
            "SELECT DISTINCT o.slug, CASE WHEN o.slug IS NULL THEN u.username END FROM
             (SELECT organization_id, user_id FROM tokens WHERE expires_at <= now_ms() ",
            $range,
            ") AS t JOIN users u ON u.id = t.user_id
             LEFT JOIN organizations o ON o.id = t.organization_id"
        )
    };
}

impl Snapshot {
    /// Returns the places of the `limit` tokens that have expired first.
    pub async fn expired_places(&mut self, limit: u32) -> Result<Vec<TokenPlace>> {
        let statement = expired_places!("ORDER BY expires_at LIMIT $1");
        self.all(sql(statement, [i64::from(limit).into()]), read_place).await
    }

    /// Returns the place of a user's token of this name, if it has expired.
    pub async fn expired_place(&mut self, user: UserId, name: &Name) -> Result<Option<TokenPlace>> {
        let statement = expired_places!("AND user_id = $1 AND name = $2");
        self.first(sql(statement, [user.0.into(), name.as_str().into()]), read_place).await
    }
}

impl Transaction {
    /// Removes at most `limit` tokens of a place that have expired, under its lock. Returns the end
    /// of its audit chain, and the tokens with their owners, if there are any.
    pub async fn delete_expired_tokens(
        &mut self,
        place: &TokenPlace,
        limit: u32,
    ) -> Result<Option<(ChainHead, Vec<(Token, Name)>)>> {
        let Some(head) = self.lock_place(place).await? else { return Ok(None) };
        let (key, condition) = match head.chain {
            Chain::Organization(id) => (id.0, EXPIRED_IN_ORGANIZATION),
            Chain::User(id) => (id.0, EXPIRED_OF_USER),
        };
        let delete = sql(condition, [key.into(), i64::from(limit).into()]);
        let deleted = self.delete_tokens(place.slug(), delete.touching(head.touched())).await?;
        Ok((!deleted.is_empty()).then_some((head, deleted)))
    }
}

// The `+` keeps the index of an organization or a user out: it may have many tokens that live.
const EXPIRED_IN_ORGANIZATION: &str = delete_tokens!(
    "position IN (SELECT x.position FROM tokens x WHERE +x.organization_id = $1
     AND x.expires_at <= now_ms() ORDER BY x.expires_at LIMIT $2)"
);

const EXPIRED_OF_USER: &str = delete_tokens!(
    "position IN (SELECT x.position FROM tokens x WHERE +x.user_id = $1
     AND x.organization_id IS NULL AND x.expires_at <= now_ms() ORDER BY x.expires_at LIMIT $2)"
);
