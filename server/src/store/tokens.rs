//! The verbs about tokens: found, listed page by page, kept, deleted.
//!
//! A revoked token is a deleted row, so that no query can forget to leave it out;
//! what it was is in the audit log.

use super::connection::Value;
use super::snapshot::Snapshot;
use super::transaction::Transaction;
use super::{NewToken, Result, Token, rows};
use crate::access::{Binding, OrganizationId, UserId};
use crate::name::Name;
use crate::token::TokenId;
use uuid::Uuid;

/// Which live tokens a list is about.
#[derive(Clone, Copy, Debug)]
pub enum TokenFilter {
    /// Those bound to an organization or to its groups.
    Organization(OrganizationId),
    /// Those of a user, whatever they are bound to.
    User(UserId),
    /// Those of a user that are bound to an organization or to its groups.
    UserIn(OrganizationId, UserId),
    /// Those bound to a group.
    Group(Uuid),
}

macro_rules! select_tokens {
    ($condition:literal) => {
        concat!(
            "SELECT t.id, t.name, t.created_at, u.id, u.username, u.email, o.id, o.slug, g.name, t.scopes
             FROM tokens t JOIN users u ON u.id = t.user_id
             LEFT JOIN organizations o ON o.id = t.organization_id
             LEFT JOIN organization_groups g ON g.uuid = t.group_uuid
             WHERE ",
            $condition
        )
    };
}

impl Snapshot {
    /// At most `limit` live tokens of a list, oldest first, after the one that is named.
    pub async fn tokens(
        &mut self,
        filter: TokenFilter,
        after: Option<TokenId>,
        limit: u32,
    ) -> Result<Vec<Token>> {
        // Every id is greater than no bytes at all.
        let after: Value<'_> = after.as_ref().map_or(&[][..], TokenId::as_bytes).into();
        let limit = i64::from(limit).into();
        match filter {
            TokenFilter::Organization(organization) => {
                let statement =
                    select_tokens!("t.organization_id = $1 AND t.id > $2 ORDER BY t.id LIMIT $3");
                self.all(statement, &[organization.0.into(), after, limit], rows::token).await
            }
            TokenFilter::User(user) => {
                let statement =
                    select_tokens!("t.user_id = $1 AND t.id > $2 ORDER BY t.id LIMIT $3");
                self.all(statement, &[user.0.into(), after, limit], rows::token).await
            }
            TokenFilter::Group(group) => {
                let statement =
                    select_tokens!("t.group_uuid = $1 AND t.id > $2 ORDER BY t.id LIMIT $3");
                let parameters = [group.as_bytes().as_slice().into(), after, limit];
                self.all(statement, &parameters, rows::token).await
            }
            TokenFilter::UserIn(organization, user) => {
                let statement = select_tokens!(
                    "t.user_id = $1 AND t.organization_id = $2 AND t.id > $3 ORDER BY t.id LIMIT $4"
                );
                let parameters = [user.0.into(), organization.0.into(), after, limit];
                self.all(statement, &parameters, rows::token).await
            }
        }
    }

    /// The live token of this id.
    pub async fn token(&mut self, id: TokenId) -> Result<Option<Token>> {
        self.first(select_tokens!("t.id = $1"), &[id.as_bytes().into()], rows::token).await
    }

    /// The user's live token of this name.
    pub async fn token_named(&mut self, user: UserId, name: &Name) -> Result<Option<Token>> {
        let statement = select_tokens!("t.user_id = $1 AND t.name = $2");
        self.first(statement, &[user.0.into(), name.as_str().into()], rows::token).await
    }
}

impl Transaction {
    /// Keeps a new token.
    ///
    /// # Errors
    /// [`super::Error::Exists`] where its user has a live token of this name.
    pub async fn insert_token(&mut self, token: &NewToken<'_>) -> Result<()> {
        let (group, scopes) = match &token.binding {
            Binding::Group { group, scopes, .. } => {
                (Some(group.as_bytes().as_slice()), scopes.bits())
            }
            Binding::Unrestricted | Binding::Organization(_) => (None, 0),
        };
        self.change(
            "INSERT INTO tokens (id, digest, name, user_id, organization_id, group_uuid, scopes, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &[
                token.id.as_bytes().into(),
                token.digest.as_bytes().into(),
                token.name.as_str().into(),
                token.user.0.into(),
                token.binding.organization().map(|organization| organization.0).into(),
                group.into(),
                scopes.into(),
                token.created_at.timestamp_millis().into(),
            ],
        )
        .await?;
        self.bump_version(token.binding.organization()).await
    }

    /// Deletes a token: from the commit on it is accepted nowhere.
    pub async fn delete_token(&mut self, token: &Token) -> Result<()> {
        self.change("DELETE FROM tokens WHERE id = $1", &[token.id.as_bytes().into()]).await?;
        self.bump_version(token.organization.as_ref().map(|organization| organization.id)).await
    }
}
