//! The lists of the operator: they show what is in the whole database.

use super::super::connection::{Row, sql};
use super::super::{Result, Snapshot, rows};
use crate::caller::{OrganizationId, UserId};
use crate::name::Name;
use crate::records::{AuditLog, Organization, OrganizationToken};
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

impl Snapshot {
    /// Returns all users by username.
    pub async fn users(&mut self) -> Result<Vec<ListedUser>> {
        let users =
            "SELECT username, email, disabled FROM users WHERE email <> '' ORDER BY username";
        let read = |row: &dyn Row| {
            let (username, email) = (rows::parse_text(row, 0)?, row.text(1)?.to_owned());
            Ok(ListedUser { username, email, disabled: row.integer(2)? != 0 })
        };
        self.all(sql(users, []), read).await
    }

    /// Returns all organizations by slug.
    pub async fn all_organizations(&mut self) -> Result<Vec<Organization>> {
        let slugs = sql("SELECT slug FROM organizations ORDER BY slug", []);
        self.all(slugs, |row| Ok(Organization::new(rows::parse_text(row, 0)?))).await
    }

    /// Returns tokens in the order of minting: all of them, those of a user, those bound to an
    /// organization, or both.
    pub async fn tokens(
        &mut self,
        user: Option<UserId>,
        organization: Option<OrganizationId>,
    ) -> Result<Vec<OrganizationToken>> {
        let (condition, parameters) = match (user, organization) {
            (None, None) => ("", vec![]),
            (Some(user), None) => ("AND t.user_id = $1", vec![user.0.into()]),
            (None, Some(bound)) => ("AND t.organization_id = $1", vec![bound.0.into()]),
            (Some(user), Some(bound)) => {
                let both = "AND t.user_id = $1 AND t.organization_id = $2";
                (both, vec![user.0.into(), bound.0.into()])
            }
        };
        let statement = format!(
            "SELECT t.id, t.name, t.created_at, t.scopes, g.name, u.username, u.email, o.slug
             FROM tokens t JOIN users u ON u.id = t.user_id
             LEFT JOIN organizations o ON o.id = t.organization_id
             LEFT JOIN organization_groups g ON g.uuid = t.group_uuid
             WHERE (t.expires_at IS NULL OR t.expires_at > now_ms()) {condition} ORDER BY t.position"
        );
        self.all(sql(statement, parameters), |row| rows::token(row, 0)).await
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
        Ok((self.all(statement, rows::audit_log).await?, total))
    }
}
