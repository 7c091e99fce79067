//! The reading verbs: what a consistent view of the database answers. Nothing
//! is changed here, and nothing kept from anybody: who may see it is not asked.

use super::connection::{Connection, Row, Value};
use super::rows;
use super::{Group, Member, Membership, Organization, Result, User};
use crate::access::{Caller, OrganizationId, Origin, UserId};
use crate::name::{Name, Slug};
use crate::token::{TokenDigest, TokenId};
use std::fmt;

/// A consistent view, for reading.
pub struct Snapshot {
    pub(super) connection: Box<dyn Connection>,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Snapshot(..)")
    }
}

impl Snapshot {
    pub(super) fn new(connection: Box<dyn Connection>) -> Self {
        Self { connection }
    }

    /// Who a token acts as and where, looked up by its digest.
    pub async fn caller(&mut self, digest: &TokenDigest, origin: Origin) -> Result<Option<Caller>> {
        self.first(
            "SELECT t.id, t.name, u.id, u.username, u.email, t.organization_id, t.group_uuid, t.scopes
             FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.digest = $1",
            &[digest.as_bytes().into()],
            |row| {
                let User { id: user, username, email } = rows::user(row, 2)?;
                let binding = rows::binding(row, 5)?;
                Ok(Caller { token: rows::token_id(row, 0)?, token_name: rows::word(row, 1)?, user, username, email, binding, origin })
            },
        )
        .await
    }

    /// Whether a token is live.
    pub async fn is_live(&mut self, token: TokenId) -> Result<bool> {
        let found = self
            .first("SELECT 1 FROM tokens WHERE id = $1", &[token.as_bytes().into()], |_| Ok(()))
            .await?;
        Ok(found.is_some())
    }

    /// The user of this name.
    pub async fn user(&mut self, username: &Name) -> Result<Option<User>> {
        self.first(
            "SELECT id, username, email FROM users WHERE username = $1",
            &[username.as_str().into()],
            |row| rows::user(row, 0),
        )
        .await
    }

    /// Whether there is any organization at all.
    pub async fn is_initialised(&mut self) -> Result<bool> {
        Ok(self.first("SELECT 1 FROM organizations LIMIT 1", &[], |_| Ok(())).await?.is_some())
    }

    /// The organization of this slug.
    pub async fn organization(&mut self, slug: &Slug) -> Result<Option<Organization>> {
        self.first(
            "SELECT id, slug FROM organizations WHERE slug = $1",
            &[slug.as_str().into()],
            |row| rows::organization(row, 0),
        )
        .await
    }

    /// The organization of this slug, where the user is a member of it.
    pub async fn membership(&mut self, user: UserId, slug: &Slug) -> Result<Option<Membership>> {
        self.first(
            "SELECT o.id, o.slug, m.role FROM organizations o
             JOIN members m ON m.organization_id = o.id WHERE o.slug = $1 AND m.user_id = $2",
            &[slug.as_str().into(), user.0.into()],
            |row| {
                Ok(Membership {
                    organization: rows::organization(row, 0)?,
                    role: rows::role(row, 2)?,
                })
            },
        )
        .await
    }

    /// The organizations that a user is a member of, by slug.
    pub async fn organizations(&mut self, user: UserId) -> Result<Vec<Organization>> {
        self.all(
            "SELECT o.id, o.slug FROM members m JOIN organizations o ON o.id = m.organization_id
             WHERE m.user_id = $1 ORDER BY o.slug",
            &[user.0.into()],
            |row| rows::organization(row, 0),
        )
        .await
    }

    /// The members of an organization, by username.
    pub async fn members(&mut self, organization: OrganizationId) -> Result<Vec<Member>> {
        self.all(
            "SELECT u.id, u.username, u.email, m.role FROM members m JOIN users u ON u.id = m.user_id
             WHERE m.organization_id = $1 ORDER BY u.username",
            &[organization.0.into()],
            rows::member,
        )
        .await
    }

    /// The member of this username.
    pub async fn member(
        &mut self,
        organization: OrganizationId,
        username: &Name,
    ) -> Result<Option<Member>> {
        self.first(
            "SELECT u.id, u.username, u.email, m.role FROM members m JOIN users u ON u.id = m.user_id
             WHERE m.organization_id = $1 AND u.username = $2",
            &[organization.0.into(), username.as_str().into()],
            rows::member,
        )
        .await
    }

    /// Whether an organization has an owner besides this user.
    pub async fn has_other_owner(
        &mut self,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<bool> {
        let found = self
            .first(
                "SELECT 1 FROM members WHERE organization_id = $1 AND user_id <> $2 AND role = 'owner' LIMIT 1",
                &[organization.0.into(), user.0.into()],
                |_| Ok(()),
            )
            .await?;
        Ok(found.is_some())
    }

    /// The groups of an organization, by name.
    pub async fn groups(&mut self, organization: OrganizationId) -> Result<Vec<Group>> {
        self.all(
            "SELECT uuid, name, location, version FROM organization_groups
             WHERE organization_id = $1 ORDER BY name",
            &[organization.0.into()],
            rows::group,
        )
        .await
    }

    /// The group of this name.
    pub async fn group(
        &mut self,
        organization: OrganizationId,
        name: &Name,
    ) -> Result<Option<Group>> {
        self.first(
            "SELECT uuid, name, location, version FROM organization_groups
             WHERE organization_id = $1 AND name = $2",
            &[organization.0.into(), name.as_str().into()],
            rows::group,
        )
        .await
    }

    pub(super) async fn first<T: Send>(
        &mut self,
        statement: &'static str,
        parameters: &[Value<'_>],
        map: impl FnMut(&dyn Row) -> Result<T> + Send,
    ) -> Result<Option<T>> {
        Ok(self.all(statement, parameters, map).await?.into_iter().next())
    }

    pub(super) async fn all<T: Send>(
        &mut self,
        statement: &'static str,
        parameters: &[Value<'_>],
        mut map: impl FnMut(&dyn Row) -> Result<T> + Send,
    ) -> Result<Vec<T>> {
        let mut found = Vec::new();
        let mut each = |row: &dyn Row| {
            found.push(map(row)?);
            Ok(())
        };
        self.connection.query(statement, parameters, &mut each).await?;
        Ok(found)
    }
}
