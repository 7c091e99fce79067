//! The statements that give a token a new secret, and notice the use of an old one.

use super::super::connection::sql;
use super::super::remembered::Touched;
use super::super::{Result, Transaction, rows};
use crate::caller::OrganizationId;
use crate::limits::Limits;
use crate::token::{TokenDigest, TokenId};
use chrono::{DateTime, Utc};

impl Transaction {
    /// Gives a token of an organization a new secret and other limits. The one before is accepted
    /// until `overlap_ends`, if that is given; a secret before that one no longer is.
    pub fn rotate_token(
        &mut self,
        (organization, id): (OrganizationId, TokenId),
        digest: &TokenDigest,
        limits: &Limits,
        (now, overlap_ends): (DateTime<Utc>, Option<DateTime<Utc>>),
    ) {
        let retire = "INSERT INTO retired_secrets (digest, position)
             SELECT digest, position FROM tokens WHERE id = $1";
        self.execute(sql(retire, [id.as_bytes().into()]).touching(Touched::Nothing));
        let update = "UPDATE tokens SET previous_expires_at = $1,
             previous_digest = CASE WHEN CAST($1 AS BIGINT) IS NULL THEN NULL ELSE digest END,
             digest = $2, rotated_at = $3, expires_at = $4, allowed_ips = $5 WHERE id = $6";
        let parameters = [
            overlap_ends.map(|time| time.timestamp_millis()).into(),
            digest.as_bytes().as_slice().into(),
            now.timestamp_millis().into(),
            limits.expires_at.map(|time| time.timestamp_millis()).into(),
            limits.allowed_ips.as_ref().map(ToString::to_string).as_deref().into(),
            id.as_bytes().into(),
        ];
        self.execute(sql(update, parameters).touching(Touched::Organization(organization)));
    }

    /// Notes that a retired secret was used. Returns its token, the first time.
    pub async fn note_reuse(&mut self, digest: &TokenDigest) -> Result<Option<TokenId>> {
        let statement =
            "UPDATE retired_secrets SET is_reused = 1 WHERE digest = $1 AND is_reused = 0
             RETURNING (SELECT t.id FROM tokens t WHERE t.position = retired_secrets.position)";
        let note = sql(statement, [digest.as_bytes().as_slice().into()]);
        self.first(note.touching(Touched::Nothing), |row| rows::token_id(row, 0)).await
    }
}
