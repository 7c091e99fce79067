//! The statements about tokens: they list, mint, rotate and revoke them. Revoking deletes the row,
//! so no query can return a revoked token by mistake. The audit log describes the token.

mod list;
mod place;
mod selection;

pub use list::TokenPage;
pub use place::{TokenPlace, read_place};
pub use selection::{Selection, TokensOf};

use super::access::FoundToken;
use super::access_cache::Invalidation;
use super::statement::{Row, Statement, Value, sql};
use super::{Result, Transaction, rows};
use crate::caller::{Binding, OrganizationId, UserId};
use crate::limits::Limits;
use crate::name::{Name, Slug};
use crate::records::Token;
use crate::token::{TokenDigest, TokenId};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The number of a token in the order of minting.
pub type Position = i64;

impl Transaction {
    /// Adds a token.
    ///
    /// # Errors
    /// [`super::Error::Exists`], with the next query or commit, if its user has a live token of
    /// this name.
    pub fn insert_token(
        &mut self,
        token: &Token,
        digest: &TokenDigest,
        user: UserId,
        binding: &Binding,
        limits: &Limits,
    ) {
        let (group, scopes) = match binding {
            Binding::Group { group, scopes, .. } => (Some(*group), scopes.bits()),
            Binding::Unrestricted | Binding::Organization(_) => (None, 0),
        };
        let Token { id, name, created_at: time, .. } = token;
        let (expiry, ips) = (limits.expires_at, limits.allowed_ips.as_ref());
        let bound = binding.organization();
        let text = "INSERT INTO tokens
             (id, digest, name, user_id, organization_id, group_uuid, scopes, created_at, expires_at,
             allowed_ips) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let insert = sql!(text, *id, digest, name, user, bound, group, scopes, *time, expiry, ips);
        self.execute(insert.invalidating(Invalidation::Nothing));
    }

    /// Replaces the secret and the limits of a token of an organization, at this time. The old secret
    /// is accepted until `overlap_ends`, if that is given. Older secrets are refused at once.
    pub fn rotate_token(
        &mut self,
        organization: OrganizationId,
        id: TokenId,
        digest: &TokenDigest,
        limits: &Limits,
        time: DateTime<Utc>,
        overlap_ends: Option<DateTime<Utc>>,
    ) {
        let retire = "INSERT INTO retired_secrets (digest, position)
             SELECT digest, position FROM tokens WHERE id = $1";
        self.execute(sql!(retire, id).invalidating(Invalidation::Nothing));
        let update = "UPDATE tokens SET previous_expires_at = $1,
             previous_digest = CASE WHEN CAST($1 AS BIGINT) IS NULL THEN NULL ELSE digest END,
             digest = $2, rotated_at = $3, expires_at = $4, allowed_ips = $5 WHERE id = $6";
        let Limits { expires_at, allowed_ips } = limits;
        let update =
            sql!(update, overlap_ends, digest, time, *expires_at, allowed_ips.as_ref(), id);
        self.execute(update.invalidating(Invalidation::Organization(organization)));
    }

    /// Revokes a token: once this is committed, no server accepts it.
    pub fn delete_token(&mut self, FoundToken { token, user, organization, .. }: &FoundToken) {
        let delete = sql!("DELETE FROM tokens WHERE id = $1", token.id);
        self.execute(delete.invalidating(match organization {
            Some(id) => Invalidation::Organization(*id),
            None => Invalidation::User(*user),
        }));
    }

    /// Revokes the tokens of a user that are bound to an organization or to its groups, in one
    /// statement. Returns the tokens with their owners, in the order of minting.
    pub async fn delete_member_tokens(
        &mut self,
        slug: &Slug,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<Vec<(Token, Name)>> {
        let parameters = [user.into(), organization.into()];
        let condition = "user_id = $1 AND organization_id = $2";
        self.delete_tokens(Some(slug), condition, parameters, Invalidation::User(user)).await
    }

    /// Like [`Transaction::delete_member_tokens`], for the tokens that are bound to a group.
    pub async fn delete_group_tokens(
        &mut self,
        slug: &Slug,
        organization: OrganizationId,
        group: Uuid,
    ) -> Result<Vec<(Token, Name)>> {
        let parameters = [group.into()];
        let invalidation = Invalidation::Organization(organization);
        self.delete_tokens(Some(slug), "group_uuid = $1", parameters, invalidation).await
    }

    /// Like [`Transaction::delete_member_tokens`], for the unrestricted tokens of a user.
    pub async fn delete_unrestricted_tokens(&mut self, user: UserId) -> Result<Vec<(Token, Name)>> {
        let condition = "user_id = $1 AND organization_id IS NULL";
        self.delete_tokens(None, condition, [user.into()], Invalidation::User(user)).await
    }

    /// Like [`Transaction::delete_member_tokens`], for the tokens that match a condition.
    async fn delete_tokens(
        &mut self,
        slug: Option<&Slug>,
        condition: &str,
        parameters: impl Into<Vec<Value>>,
        invalidation: Invalidation,
    ) -> Result<Vec<(Token, Name)>> {
        let delete = format!(
            "DELETE FROM tokens WHERE {condition} RETURNING position, id, name, created_at, scopes,
             (SELECT g.name FROM organization_groups g WHERE g.uuid = tokens.group_uuid),
             (SELECT u.username FROM users u WHERE u.id = tokens.user_id)"
        );
        let read = |row: &dyn Row| {
            Ok((row.get::<Position>(0)?, rows::bound_token(row, 1)?, row.get::<Name>(6)?))
        };
        let delete = Statement::new(delete, parameters).invalidating(invalidation);
        let mut deleted = self.execute_bulk(delete, read).await?;
        deleted.sort_unstable_by_key(|(position, ..)| *position);
        let with_slug = |(_, token, owner)| (Token { organization: slug.cloned(), ..token }, owner);
        Ok(deleted.into_iter().map(with_slug).collect())
    }
}
