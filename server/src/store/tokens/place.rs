//! The statements about tokens of all users and organizations, for changes without a caller: a
//! token has expired, its secret has leaked, or its old secret was used.

use super::super::access_cache::Invalidation;
use super::super::audit::chain::{Chain, ChainHead};
use super::super::statement::{Row, Statement, Value, hex_list, in_hex_list, sql};
use super::super::{Result, Snapshot, Store, Transaction, View};
use crate::caller::UserId;
use crate::name::{Name, Slug};
use crate::records::Token;
use crate::token::{TokenDigest, TokenId};
use std::time::Duration;

/// The owner of a token's audit chain: its organization, or its user if it is unrestricted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenPlace {
    Organization(Slug),
    User(Name),
}

impl TokenPlace {
    /// Returns the slug, if this is an organization.
    pub fn slug(&self) -> Option<&Slug> {
        let Self::Organization(slug) = self else { return None };
        Some(slug)
    }
}

/// The head of a place's audit chain, and the tokens that were removed there, with their owners.
type Removed = (ChainHead, Vec<(Token, Name)>);

/// Reads columns: organization, user. The first may be null.
pub fn read_place(row: &dyn Row) -> Result<TokenPlace> {
    match row.get(0)? {
        Some(slug) => Ok(TokenPlace::Organization(slug)),
        None => row.get(1).map(TokenPlace::User),
    }
}

/// Returns the condition, and its parameter, that a token `x` is live and accepts such a secret.
fn accepts_one_of(digests: &[TokenDigest], parameter: usize, is_postgres: bool) -> (String, Value) {
    let [current, previous] =
        ["a.digest", "b.previous_digest"].map(|column| in_hex_list(column, parameter, is_postgres));
    let condition = format!(
        "x.position IN (SELECT a.position FROM tokens a WHERE {current} UNION ALL
         SELECT b.position FROM tokens b WHERE {previous} AND b.previous_expires_at > now_ms())
         AND (x.expires_at IS NULL OR x.expires_at > now_ms())"
    );
    (condition, hex_list(digests.iter().map(|digest| digest.as_bytes().as_slice())))
}

impl Store {
    /// Returns the time until the next token expires or the next overlap ends; zero if one has.
    /// Raises the clock to the newest audit entry, which may be of another process.
    pub async fn until_next_end(&self) -> Result<Option<Duration>> {
        let next = "SELECT now_ms(),
             (SELECT expires_at FROM tokens WHERE expires_at IS NOT NULL
             ORDER BY expires_at LIMIT 1),
             (SELECT previous_expires_at FROM tokens WHERE previous_expires_at IS NOT NULL
             ORDER BY previous_expires_at LIMIT 1),
             (SELECT created_at FROM audit_log ORDER BY id DESC LIMIT 1)";
        let read = |row: &dyn Row| {
            let ends = [row.get::<Option<i64>>(1)?, row.get(2)?];
            Ok((row.get::<i64>(0)?, ends, row.get::<Option<i64>>(3)?))
        };
        let found = self.read(View::Statement).await?.first(sql!(next), read).await?;
        let Some((now, ends, newest)) = found else { return Ok(None) };
        self.clock().raise(newest.unwrap_or(0));
        let next = ends.into_iter().flatten().min();
        Ok(next.map(|next| Duration::from_millis((next - now).try_into().unwrap_or(0))))
    }
}

impl Snapshot {
    /// Returns the places of the `limit` tokens that have expired first.
    pub async fn expired_places(&mut self, limit: u32) -> Result<Vec<TokenPlace>> {
        let expired = "x.expires_at <= now_ms() ORDER BY x.expires_at LIMIT $1";
        self.places(expired, [limit.into()]).await
    }

    /// Returns the place of a user's token of this name, if it has expired.
    pub async fn expired_place(&mut self, user: UserId, name: &Name) -> Result<Option<TokenPlace>> {
        let expired = "x.user_id = $1 AND x.name = $2 AND x.expires_at <= now_ms()";
        Ok(self.places(expired, [user.into(), name.into()]).await?.pop())
    }

    /// Returns the place of the token with this secret, if it has expired or its overlap has ended.
    pub async fn place_of_ended(&mut self, secret: &TokenDigest) -> Result<Option<TokenPlace>> {
        let ended = "(x.digest = $1 OR x.previous_digest = $1)
             AND (+x.expires_at <= now_ms() OR +x.previous_expires_at <= now_ms())";
        Ok(self.places(ended, [secret.into()]).await?.pop())
    }

    /// Returns the places of the live tokens that accept one of these secrets.
    pub async fn places_of(&mut self, digests: &[TokenDigest]) -> Result<Vec<TokenPlace>> {
        let (accepts, list) = accepts_one_of(digests, 1, self.connection.is_postgres());
        self.places(&accepts, [list]).await
    }

    /// Returns the place of the token that refuses this old secret, unless a use of it is recorded.
    pub async fn retired_from(&mut self, digest: &TokenDigest) -> Result<Option<TokenPlace>> {
        let had = "x.position = (SELECT r.position FROM retired_secrets r
             WHERE r.digest = $1 AND r.is_reused = 0)
             AND NOT coalesce(x.previous_digest = $1 AND x.previous_expires_at > now_ms(), false)";
        Ok(self.places(had, [digest.into()]).await?.pop())
    }

    /// Returns the places of the tokens `x` that match a condition.
    async fn places<const N: usize>(
        &mut self,
        condition: &str,
        parameters: [Value; N],
    ) -> Result<Vec<TokenPlace>> {
        let statement = format!(
            "SELECT DISTINCT o.slug, CASE WHEN o.slug IS NULL THEN u.username END
             FROM (SELECT x.organization_id, x.user_id FROM tokens x WHERE {condition}) AS t
             JOIN users u ON u.id = t.user_id LEFT JOIN organizations o ON o.id = t.organization_id"
        );
        self.all(Statement::new(statement, parameters), read_place).await
    }
}

impl Transaction {
    /// Locks a place and removes at most `limit` of its expired tokens, if it has any.
    pub async fn delete_expired_tokens(
        &mut self,
        place: &TokenPlace,
        limit: u32,
    ) -> Result<Option<Removed>> {
        let expired = "x.expires_at <= now_ms() ORDER BY x.expires_at LIMIT $2";
        self.delete_at(place, expired, limit.into()).await
    }

    /// Makes the end of an overlap permanent: removes the old secret, if its overlap has ended. If
    /// its token has expired, removes the token, like [`Transaction::delete_expired_tokens`].
    pub async fn end_secret(
        &mut self,
        place: &TokenPlace,
        secret: &TokenDigest,
    ) -> Result<Option<Removed>> {
        let expired = "(x.digest = $2 OR x.previous_digest = $2) AND +x.expires_at <= now_ms()";
        let removed = self.delete_at(place, expired, secret.into()).await?;
        let end = "UPDATE tokens SET previous_digest = NULL, previous_expires_at = NULL
             WHERE previous_digest = $1 AND previous_expires_at <= now_ms()";
        self.execute(sql!(end, secret).invalidating(Invalidation::Nothing));
        Ok(removed)
    }

    /// Removes at most `limit` old secrets whose overlaps have ended, so that they stay refused if
    /// the clock is set back. Skips rows that others have locked. Returns how many it removed.
    pub async fn end_overlaps(&mut self, limit: u32) -> Result<usize> {
        let skip =
            if self.connection.is_postgres() { " FOR NO KEY UPDATE SKIP LOCKED" } else { "" };
        let end = format!(
            "UPDATE tokens SET previous_digest = NULL, previous_expires_at = NULL
             WHERE position IN (SELECT position FROM tokens WHERE previous_expires_at <= now_ms()
             LIMIT $1{skip}) RETURNING position"
        );
        let end = sql!(end, limit).invalidating(Invalidation::Nothing);
        Ok(self.execute_bulk(end, |_| Ok(())).await?.len())
    }

    /// Locks a place and removes its tokens that accept one of these secrets, if it has any.
    pub async fn delete_leaked_tokens(
        &mut self,
        place: &TokenPlace,
        digests: &[TokenDigest],
    ) -> Result<Option<Removed>> {
        let (accepts, list) = accepts_one_of(digests, 2, self.connection.is_postgres());
        self.delete_at(place, &accepts, list).await
    }

    async fn delete_at(
        &mut self,
        place: &TokenPlace,
        condition: &str,
        parameter: Value,
    ) -> Result<Option<Removed>> {
        let Some(head) = self.lock_place(place).await? else { return Ok(None) };
        // The `+` avoids the index of an organization or user, which may have many other tokens.
        let (id, at_place) = match head.chain {
            Chain::Organization(id) => (id.0, "+x.organization_id = $1"),
            Chain::User(id) => (id.0, "+x.user_id = $1 AND x.organization_id IS NULL"),
        };
        let range = format!(
            "position IN (SELECT x.position FROM tokens x WHERE {at_place} AND {condition})"
        );
        let (parameters, invalidation) = ([id.into(), parameter], head.invalidation());
        let removed = self.delete_tokens(place.slug(), &range, parameters, invalidation).await?;
        Ok((!removed.is_empty()).then_some((head, removed)))
    }

    /// Records that a retired secret was used. Returns its token, the first time.
    pub async fn note_reuse(&mut self, digest: &TokenDigest) -> Result<Option<TokenId>> {
        let statement =
            "UPDATE retired_secrets SET is_reused = 1 WHERE digest = $1 AND is_reused = 0
             RETURNING (SELECT t.id FROM tokens t WHERE t.position = retired_secrets.position)";
        let note = sql!(statement, digest);
        self.first(note.invalidating(Invalidation::Nothing), |row| row.get(0)).await
    }

    /// Blocks other changes at a place until the transaction ends. Returns the head of its audit
    /// chain, if the place exists.
    pub async fn lock_place(&mut self, place: &TokenPlace) -> Result<Option<ChainHead>> {
        match place {
            TokenPlace::Organization(slug) => {
                self.lock_organization_as_operator(slug);
                Ok(self.organization(slug).await?.map(|organization| organization.head))
            }
            TokenPlace::User(name) => {
                self.lock_user_as_operator(name);
                Ok(self.user(name).await?.map(|user| user.head))
            }
        }
    }
}
