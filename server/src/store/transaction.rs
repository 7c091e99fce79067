//! The changing verbs, all of one transaction; [`Transaction::commit`] makes
//! them durable together. Verbs about tokens are in `tokens`, about the log in
//! `audit`. Nothing here decides who may change what, or writes an audit entry
//! of itself.

use super::connection::{Connection, Value};
use super::{Error, Group, Result, Snapshot, User, rows};
use crate::access::{OrganizationId, Role, UserId};
use crate::name::{Email, Name, Slug};
use std::fmt;
use std::ops::{Deref, DerefMut};
use uuid::Uuid;

/// A transaction. It reads what it wrote, and dropping it undoes everything.
pub struct Transaction(Snapshot);

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transaction(..)")
    }
}

impl Deref for Transaction {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.0
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut Snapshot {
        &mut self.0
    }
}

impl Transaction {
    pub(super) fn new(connection: Box<dyn Connection>) -> Self {
        Self(Snapshot::new(connection))
    }

    /// Makes every change durable; it returns after the sync.
    pub async fn commit(self) -> Result<()> {
        self.0.connection.commit().await
    }

    /// Has every other change of what belongs to an organization wait until this one ends: its
    /// members, groups, audit log, and the tokens that are bound to it. Taken after
    /// [`Transaction::lock_user`], never before it, and never for two, so nobody waits in a circle.
    pub async fn lock_organization(&mut self, organization: OrganizationId) -> Result<()> {
        let statement = "SELECT 1 FROM organizations WHERE id = $1 FOR NO KEY UPDATE";
        self.0.connection.lock(statement, &[organization.0.into()]).await
    }

    /// Has every other change of a user's unrestricted tokens wait until this one ends.
    pub async fn lock_user(&mut self, user: UserId) -> Result<()> {
        let statement = "SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE";
        self.0.connection.lock(statement, &[user.0.into()]).await
    }

    /// Has every other change that fills a whole database wait until this one ends.
    pub async fn lock_database(&mut self) -> Result<()> {
        self.0.connection.lock("SELECT 1 FROM orgtokens_schema FOR UPDATE", &[]).await
    }

    /// Keeps a new user.
    ///
    /// # Errors
    /// [`Error::Exists`] where the username is taken.
    pub async fn insert_user(&mut self, username: &Name, email: &Email) -> Result<User> {
        self.insert(
            "INSERT INTO users (username, email) VALUES ($1, $2) RETURNING id, username, email",
            &[username.as_str().into(), email.as_str().into()],
            |row| rows::user(row, 0),
        )
        .await
    }

    /// Keeps a new organization.
    ///
    /// # Errors
    /// [`Error::Exists`] where the slug is taken.
    pub async fn insert_organization(&mut self, slug: &Slug) -> Result<OrganizationId> {
        self.insert(
            "INSERT INTO organizations (slug, version) VALUES ($1, 0) RETURNING id",
            &[slug.as_str().into()],
            |row| Ok(OrganizationId(row.integer(0)?)),
        )
        .await
    }

    /// Makes a user a member of an organization, or gives a member another role.
    pub async fn put_member(
        &mut self,
        organization: OrganizationId,
        user: UserId,
        role: Role,
    ) -> Result<()> {
        self.change(
            "INSERT INTO members (organization_id, user_id, role) VALUES ($1, $2, $3)
             ON CONFLICT (organization_id, user_id) DO UPDATE SET role = excluded.role",
            &[organization.0.into(), user.0.into(), role.as_str().into()],
        )
        .await?;
        self.bump_version(Some(organization)).await
    }

    /// Removes a member; the member's tokens are another verb's.
    pub async fn delete_member(
        &mut self,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<()> {
        self.change(
            "DELETE FROM members WHERE organization_id = $1 AND user_id = $2",
            &[organization.0.into(), user.0.into()],
        )
        .await?;
        self.bump_version(Some(organization)).await
    }

    /// Keeps a new group.
    ///
    /// # Errors
    /// [`Error::Exists`] where the organization has a group of this name.
    pub async fn insert_group(
        &mut self,
        organization: OrganizationId,
        group: &Group,
    ) -> Result<()> {
        self.change(
            "INSERT INTO organization_groups (uuid, organization_id, name, location, version)
             VALUES ($1, $2, $3, $4, $5)",
            &[
                group.uuid.as_bytes().as_slice().into(),
                organization.0.into(),
                group.name.as_str().into(),
                group.location.as_str().into(),
                group.version.as_str().into(),
            ],
        )
        .await?;
        self.bump_version(Some(organization)).await
    }

    /// Deletes a group that no token is bound to any more.
    pub async fn delete_group(&mut self, organization: OrganizationId, group: Uuid) -> Result<()> {
        self.change(
            "DELETE FROM organization_groups WHERE uuid = $1",
            &[group.as_bytes().as_slice().into()],
        )
        .await?;
        self.bump_version(Some(organization)).await
    }

    /// Counts a change that shows in what an organization's lists answer, so that a copy of
    /// them can be told from what is current.
    pub(super) async fn bump_version(
        &mut self,
        organization: Option<OrganizationId>,
    ) -> Result<()> {
        let Some(organization) = organization else { return Ok(()) };
        let statement = "UPDATE organizations SET version = version + 1 WHERE id = $1";
        self.change(statement, &[organization.0.into()]).await
    }

    pub(super) async fn change(
        &mut self,
        statement: &'static str,
        parameters: &[Value<'_>],
    ) -> Result<()> {
        self.0.connection.query(statement, parameters, &mut |_| Ok(())).await
    }

    pub(super) async fn insert<T: Send>(
        &mut self,
        statement: &'static str,
        parameters: &[Value<'_>],
        map: impl FnMut(&dyn super::connection::Row) -> Result<T> + Send,
    ) -> Result<T> {
        let inserted = self.first(statement, parameters, map).await?;
        inserted.ok_or_else(|| Error::Broken("an insert answered no row".to_owned()))
    }
}
