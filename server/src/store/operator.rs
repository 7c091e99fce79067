//! The statements of the server's own command line, which has no credential.

use super::access::{Reach, TargetMember};
use super::audit::chain::{Chain, ChainHead};
use super::connection::sql;
use super::{Error, Result, Snapshot, Transaction, rows};
use crate::caller::{OrganizationId, Role, UserId};
use crate::name::{Email, Name, Slug};

/// A user with the end of their audit chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundUser {
    /// The user's key.
    pub id: UserId,
    /// The end of the user's audit chain.
    pub head: ChainHead,
}

impl Snapshot {
    /// Returns whether there is any organization.
    pub async fn is_initialised(&mut self) -> Result<bool> {
        let statement = sql("SELECT 1 FROM organizations LIMIT 1", []);
        Ok(self.first(statement, |_| Ok(())).await?.is_some())
    }

    /// Returns the user of this name.
    pub async fn user(&mut self, username: &Name) -> Result<Option<FoundUser>> {
        let statement = sql(
            "SELECT id, entries, hash FROM users WHERE username = $1",
            [username.as_str().into()],
        );
        self.first(statement, |row| {
            let id = UserId(row.integer(0)?);
            Ok(FoundUser { id, head: rows::head(row, 1, Chain::User(id))? })
        })
        .await
    }

    /// Returns the organization of this slug, as an owner reaches it, and the user of this name.
    pub async fn organization_and_user(
        &mut self,
        slug: &Slug,
        username: &Name,
    ) -> Result<Option<(Reach, Option<TargetMember>)>> {
        let statement = sql(
            "SELECT o.id, o.entries, o.hash, x.id, x.email, y.role,
             (SELECT count(*) FROM members z WHERE z.organization_id = o.id
             AND z.user_id <> x.id AND z.role = 'owner')
             FROM organizations o LEFT JOIN users x ON x.username = $1
             LEFT JOIN members y ON y.organization_id = o.id AND y.username = x.username
             WHERE o.slug = $2",
            [username.as_str().into(), slug.as_str().into()],
        );
        self.first(statement, |row| {
            let id = OrganizationId(row.integer(0)?);
            let head = rows::head(row, 1, Chain::Organization(id))?;
            let reach = Reach { id, role: Role::Owner, head };
            Ok((reach, rows::optional(row, 3, rows::target_member)?))
        })
        .await
    }
}

impl Transaction {
    /// Blocks other changes to this organization until the transaction ends.
    pub fn lock_organization_as_operator(&mut self, slug: &Slug) {
        let statement = "SELECT 1 FROM organizations WHERE slug = $1 FOR NO KEY UPDATE";
        self.lock(sql(statement, [slug.as_str().into()]));
    }

    /// Blocks other changes to the unrestricted tokens of this user until the transaction ends.
    pub fn lock_user_as_operator(&mut self, username: &Name) {
        let statement = "SELECT 1 FROM users WHERE username = $1 FOR NO KEY UPDATE";
        self.lock(sql(statement, [username.as_str().into()]));
    }

    /// Blocks other changes that fill a whole database until the transaction ends.
    pub fn lock_database(&mut self) {
        self.lock(sql("SELECT 1 FROM orgtokens_schema FOR UPDATE", []));
    }

    /// Adds a user.
    ///
    /// # Errors
    /// [`Error::Exists`] if the username is taken.
    pub async fn insert_user(&mut self, username: &Name, email: &Email) -> Result<FoundUser> {
        let statement = "INSERT INTO users (username, email) VALUES ($1, $2) RETURNING id";
        let id = self.insert(statement, username.as_str(), Some(email.as_str())).await?;
        Ok(FoundUser { id: UserId(id), head: ChainHead::start(Chain::User(UserId(id))) })
    }

    /// Adds an organization.
    ///
    /// # Errors
    /// [`Error::Exists`] if the slug is taken.
    pub async fn insert_organization(
        &mut self,
        slug: &Slug,
    ) -> Result<(OrganizationId, ChainHead)> {
        let statement = "INSERT INTO organizations (slug) VALUES ($1) RETURNING id";
        let id = OrganizationId(self.insert(statement, slug.as_str(), None).await?);
        Ok((id, ChainHead::start(Chain::Organization(id))))
    }

    async fn insert(
        &mut self,
        statement: &'static str,
        name: &str,
        more: Option<&str>,
    ) -> Result<i64> {
        let parameters: Vec<_> = [Some(name), more].into_iter().flatten().map(Into::into).collect();
        let inserted = self.first(sql(statement, parameters), |row| row.integer(0)).await?;
        inserted.ok_or_else(|| Error::Broken("an insert returned no row".to_owned()))
    }
}
