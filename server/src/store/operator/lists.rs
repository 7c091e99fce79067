//! The lists of the operator: they show what is in the whole database.

use super::super::connection::{Value, sql};
use super::super::{Result, Snapshot, rows, tokens};
use crate::caller::{OrganizationId, UserId};
use crate::name::{Name, Slug};
use crate::records::{AuditLog, Organization, OrganizationToken, Page};
use serde::Serialize;

/// A user, as the operator sees them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedUser {
    /// The username.
    pub username: Name,
    /// The email address.
    pub email: String,
    /// Whether the user's tokens are refused.
    pub disabled: bool,
}

/// Which tokens are listed: all of them, those of a user, those bound to an organization, or both.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenFilter {
    /// Only those of this user.
    pub user: Option<UserId>,
    /// Only those bound to this organization.
    pub organization: Option<OrganizationId>,
}

impl Snapshot {
    /// Returns the users by username, after the one named.
    pub async fn users(
        &mut self,
        after: Option<Name>,
        limit: u32,
    ) -> Result<Page<ListedUser, Name>> {
        let statement = sql(
            "SELECT username, email, disabled FROM users WHERE username > $1 AND email <> ''
             ORDER BY username LIMIT $2",
            [after.as_ref().map_or("", Name::as_str).into(), i64::from(limit).into()],
        );
        let users = self.all(statement, |row| {
            let (username, email) = (rows::parse_text(row, 0)?, row.text(1)?.to_owned());
            Ok(ListedUser { username, email, disabled: row.integer(2)? != 0 })
        });
        Ok(Page::new(users.await?, limit, |user| user.username.clone()))
    }

    /// Returns the organization of this slug, and how many audit entries it has.
    pub async fn organization(&mut self, slug: &Slug) -> Result<Option<(OrganizationId, i64)>> {
        let statement = "SELECT id, entries FROM organizations WHERE slug = $1";
        let statement = sql(statement, [slug.as_str().into()]);
        self.first(statement, |row| Ok((OrganizationId(row.integer(0)?), row.integer(1)?))).await
    }

    /// Returns all organizations by slug, after the one named.
    pub async fn all_organizations(
        &mut self,
        after: Option<Slug>,
        limit: u32,
    ) -> Result<Page<Organization, Slug>> {
        let statement = sql(
            "SELECT slug FROM organizations WHERE slug > $1 ORDER BY slug LIMIT $2",
            [after.as_ref().map_or("", Slug::as_str).into(), i64::from(limit).into()],
        );
        let found = self.all(statement, |row| Ok(Organization::new(rows::parse_text(row, 0)?)));
        Ok(Page::new(found.await?, limit, |organization| organization.slug.clone()))
    }

    /// Returns tokens in the order of minting, after the one at this position.
    pub async fn tokens(
        &mut self,
        TokenFilter { user, organization }: TokenFilter,
        after: Option<tokens::Position>,
        limit: u32,
    ) -> Result<Page<OrganizationToken, tokens::Position>> {
        let mut parameters: Vec<Value> = vec![after.unwrap_or(0).into()];
        let mut conditions = vec![
            "t.position > $1".to_owned(),
            "(t.expires_at IS NULL OR t.expires_at > now_ms())".to_owned(),
        ];
        let keys = [
            ("t.user_id", user.map(|user| user.0)),
            ("t.organization_id", organization.map(|organization| organization.0)),
        ];
        for (column, key) in keys {
            if let Some(key) = key {
                parameters.push(key.into());
                conditions.push(format!("{column} = ${}", parameters.len()));
            }
        }
        parameters.push(i64::from(limit).into());
        let statement = format!(
            "SELECT t.position, t.id, t.name, t.created_at, t.scopes, g.name, u.username, u.email,
             o.slug, t.expires_at FROM tokens t JOIN users u ON u.id = t.user_id
             LEFT JOIN organizations o ON o.id = t.organization_id
             LEFT JOIN organization_groups g ON g.uuid = t.group_uuid
             WHERE {} ORDER BY t.position LIMIT ${}",
            conditions.join(" AND "),
            parameters.len()
        );
        Ok(self.page(sql(statement, parameters), limit).await?.tokens)
    }

    /// Returns a page of the entries that belong to no organization, newest first, and how many
    /// there are.
    pub async fn unrestricted_audit_page(
        &mut self,
        skip: i64,
        limit: u32,
    ) -> Result<(Vec<AuditLog>, i64)> {
        let statement = "SELECT count(*) FROM audit_log WHERE organization_id IS NULL";
        let total = self.first(sql(statement, []), |row| row.integer(0)).await?.unwrap_or(0);
        let statement = sql(
            "SELECT code, message, origin, author, created_at, data FROM audit_log
             WHERE organization_id IS NULL ORDER BY id DESC LIMIT $1 OFFSET $2",
            [i64::from(limit).into(), skip.into()],
        );
        Ok((self.all(statement, |row| rows::audit_log(row, 0)).await?, total))
    }
}
