//! The statements that find and revoke tokens by their secrets.

use super::super::audit::chain::{Chain, ChainHead};
use super::super::connection::{Value, hex_list, in_hex_list, sql};
use super::super::{Result, Snapshot, Transaction};
use super::place::{TokenPlace, read_place};
use super::returning_tokens;
use crate::name::Name;
use crate::records::Token;
use crate::token::TokenDigest;

/// Returns the condition that `position` is that of a token which accepts one of the secrets `$1`.
fn has_one_of(is_postgres: bool) -> String {
    let [current, previous] =
        ["a.digest", "b.previous_digest"].map(|column| in_hex_list(column, 1, is_postgres));
    format!(
        "position IN (SELECT a.position FROM tokens a WHERE {current} UNION ALL
         SELECT b.position FROM tokens b WHERE {previous} AND b.previous_expires_at > now_ms())"
    )
}

fn digest_list(digests: &[TokenDigest]) -> Value {
    hex_list(digests.iter().map(|digest| digest.as_bytes().as_slice()))
}

impl Snapshot {
    /// Returns the places of the live tokens that accept one of these secrets.
    pub async fn places_of(&mut self, digests: &[TokenDigest]) -> Result<Vec<TokenPlace>> {
        let statement = format!(
            "SELECT DISTINCT o.slug, CASE WHEN o.slug IS NULL THEN u.username END
             FROM tokens t JOIN users u ON u.id = t.user_id
             LEFT JOIN organizations o ON o.id = t.organization_id
             WHERE t.{} AND (t.expires_at IS NULL OR t.expires_at > now_ms())",
            has_one_of(self.connection.is_postgres())
        );
        self.all(sql(statement, [digest_list(digests)]), read_place).await
    }
}

impl Transaction {
    /// Revokes the tokens at a locked place that accept one of these secrets. Returns them with their
    /// owners.
    pub async fn delete_leaked_tokens(
        &mut self,
        head: &ChainHead,
        place: &TokenPlace,
        digests: &[TokenDigest],
    ) -> Result<Vec<(Token, Name)>> {
        let (key, chained) = match head.chain {
            Chain::Organization(id) => (id.0, "organization_id = $2"),
            Chain::User(id) => (id.0, "user_id = $2 AND organization_id IS NULL"),
        };
        let secrets = has_one_of(self.connection.is_postgres());
        let delete = format!(
            "DELETE FROM tokens WHERE {secrets} AND {chained}
             AND (expires_at IS NULL OR expires_at > now_ms()){}",
            returning_tokens!()
        );
        let delete = sql(delete, [digest_list(digests), key.into()]).touching(head.touched());
        self.delete_tokens(place.slug(), delete).await
    }
}
