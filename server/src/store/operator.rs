//! The statements of the server's own command line, which has no credential.
//!
//! A removed user is a row with an empty email address. Its audit chain stays, and a new user with
//! the same name continues it.

use super::access::{FoundToken, Reach, TargetMember};
use super::access_cache::Invalidation;
use super::audit::chain::{Chain, ChainHead};
use super::statement::{Row, Statement, sql};
use super::{Error, Result, Snapshot, Transaction, broken, rows};
use crate::caller::{OrganizationId, UserId};
use crate::name::{Email, Name, Slug};
use crate::records::{AuditLog, Member, Organization, OrganizationToken};
use crate::token::TokenId;
use serde::Serialize;

/// A user with the head of their audit chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundUser {
    /// The primary key of the user.
    pub id: UserId,
    /// The username.
    pub username: Name,
    /// The head of the user's audit chain.
    pub head: ChainHead,
    /// Whether the user's tokens are refused.
    pub is_disabled: bool,
}

/// A user, as lists for the operator show them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedUser {
    /// The username.
    pub username: Name,
    /// The email address.
    pub email: String,
    /// Whether the user's tokens are refused.
    pub disabled: bool,
}

/// How the operator names a token.
#[derive(Clone, Copy, Debug)]
pub enum TokenKey<'a> {
    /// Its id.
    Id(TokenId),
    /// Its user and its name.
    Name(&'a Name, &'a Name),
}

/// An organization, with the access of an owner, and a user who may be a member of it.
#[expect(missing_docs, reason = "the names say it")]
#[derive(Clone, Debug)]
pub struct Membership {
    pub slug: Slug,
    pub reach: Reach,
    /// `None` if there is no such user.
    pub target: Option<TargetMember>,
}

/// Reads columns: id, username, time, entries, hash, disabled.
fn found_user(row: &dyn Row) -> Result<FoundUser> {
    let (id, username) = (row.get(0)?, row.get(1)?);
    let head = rows::head(row, 2, Chain::User(id))?;
    Ok(FoundUser { id, username, head, is_disabled: row.get(5)? })
}

/// The columns of [`membership`], of the organization `o`, the user `x` and the member `y`.
macro_rules! membership {
    ($from:literal) => {
        concat!(
            "SELECT o.slug, now_ms(), o.id, 'owner', o.default_expiration, o.maximum_expiration,
             o.allow_unrestricted, o.entries, o.hash, x.id, x.email, y.role,
             (SELECT count(*) FROM members z JOIN users w ON w.id = z.user_id AND w.disabled = 0
             WHERE z.organization_id = o.id AND z.user_id <> x.id AND z.role = 'owner') ",
            $from
        )
    };
}

fn membership(row: &dyn Row) -> Result<Membership> {
    let reach = rows::reach(row, 2, row.get(1)?)?;
    let target = rows::optional(row, 9, rows::target_member)?;
    Ok(Membership { slug: row.get(0)?, reach, target })
}

impl Snapshot {
    /// Returns whether there is any organization.
    pub async fn is_initialised(&mut self) -> Result<bool> {
        let any = sql!("SELECT 1 FROM organizations LIMIT 1");
        Ok(self.first(any, |_| Ok(())).await?.is_some())
    }

    /// Returns the user of this name, unless the user was removed.
    pub async fn user(&mut self, username: &Name) -> Result<Option<FoundUser>> {
        let text = "SELECT id, username, now_ms(), entries, hash, disabled FROM users
             WHERE username = $1 AND email <> ''";
        self.first(sql!(text, username), found_user).await
    }

    /// Returns the organization of this slug, with the access of an owner.
    pub async fn organization(&mut self, slug: &Slug) -> Result<Option<Reach>> {
        let text = "SELECT now_ms(), id, 'owner', default_expiration, maximum_expiration,
             allow_unrestricted, entries, hash FROM organizations WHERE slug = $1";
        self.first(sql!(text, slug), |row| rows::reach(row, 1, row.get(0)?)).await
    }

    /// Returns the organization of this slug with the user of this name.
    pub async fn membership(&mut self, slug: &Slug, username: &Name) -> Result<Option<Membership>> {
        let statement = membership!(
            "FROM organizations o LEFT JOIN users x ON x.username = $1 AND x.email <> ''
             LEFT JOIN members y ON y.organization_id = o.id AND y.username = x.username
             WHERE o.slug = $2"
        );
        self.first(sql!(statement, username, slug), membership).await
    }

    /// Returns the memberships of a user, in the order of the organizations' ids.
    pub async fn memberships(&mut self, user: UserId) -> Result<Vec<Membership>> {
        let statement = membership!(
            "FROM members y JOIN organizations o ON o.id = y.organization_id
             JOIN users x ON x.id = y.user_id WHERE y.user_id = $1 ORDER BY o.id"
        );
        self.all(sql!(statement, user), membership).await
    }

    /// Returns a live token and the head of its audit chain.
    pub async fn token(&mut self, key: TokenKey<'_>) -> Result<Option<(FoundToken, ChainHead)>> {
        let (condition, parameters) = match key {
            TokenKey::Id(id) => ("x.id = $1", vec![id.into()]),
            TokenKey::Name(username, name) => {
                ("w.username = $1 AND x.name = $2", vec![username.into(), name.into()])
            }
        };
        let statement = format!(
            "SELECT x.id, x.name, x.created_at, x.scopes, g.name, w.username, o.slug,
             x.organization_id, x.user_id, now_ms(), coalesce(o.entries, w.entries),
             coalesce(o.hash, w.hash)
             FROM tokens x JOIN users w ON w.id = x.user_id
             LEFT JOIN organizations o ON o.id = x.organization_id
             LEFT JOIN organization_groups g ON g.uuid = x.group_uuid WHERE {condition}
             AND (x.expires_at IS NULL OR x.expires_at > now_ms())"
        );
        let found = self.first(Statement::new(statement, parameters), |row| {
            let token = rows::found_token(row, 0)?;
            let chain = token.organization.map_or(Chain::User(token.user), Chain::Organization);
            Ok((token, rows::head(row, 9, chain)?))
        });
        found.await
    }

    /// Returns all users by username.
    pub async fn users(&mut self) -> Result<Vec<ListedUser>> {
        let users =
            "SELECT username, email, disabled FROM users WHERE email <> '' ORDER BY username";
        let read = |row: &dyn Row| {
            Ok(ListedUser { username: row.get(0)?, email: row.get(1)?, disabled: row.get(2)? })
        };
        self.all(sql!(users), read).await
    }

    /// Returns all organizations by slug.
    pub async fn all_organizations(&mut self) -> Result<Vec<Organization>> {
        let slugs = sql!("SELECT slug FROM organizations ORDER BY slug");
        self.all(slugs, |row| Ok(Organization::new(row.get(0)?))).await
    }

    /// Returns all members of an organization, by username.
    pub async fn all_members(&mut self, organization: OrganizationId) -> Result<Vec<Member>> {
        let text =
            "SELECT m.username, m.role, u.email FROM members m JOIN users u ON u.id = m.user_id
             WHERE m.organization_id = $1 ORDER BY m.username";
        self.all(sql!(text, organization), |row| rows::member(row, 0)).await
    }

    /// Returns tokens in the order of minting. `user` and `organization`, if given, select the
    /// tokens of that user, and those that are bound to that organization.
    pub async fn tokens(
        &mut self,
        user: Option<UserId>,
        organization: Option<OrganizationId>,
    ) -> Result<Vec<OrganizationToken>> {
        let (condition, parameters) = match (user, organization) {
            (None, None) => ("", vec![]),
            (Some(user), None) => ("AND t.user_id = $1", vec![user.into()]),
            (None, Some(bound)) => ("AND t.organization_id = $1", vec![bound.into()]),
            (Some(user), Some(bound)) => {
                let both = "AND t.user_id = $1 AND t.organization_id = $2";
                (both, vec![user.into(), bound.into()])
            }
        };
        let statement = format!(
            "SELECT t.id, t.name, t.created_at, t.scopes, g.name, u.username, u.email, o.slug
             FROM tokens t JOIN users u ON u.id = t.user_id
             LEFT JOIN organizations o ON o.id = t.organization_id
             LEFT JOIN organization_groups g ON g.uuid = t.group_uuid
             WHERE (t.expires_at IS NULL OR t.expires_at > now_ms()) {condition} ORDER BY t.position"
        );
        self.all(Statement::new(statement, parameters), |row| rows::token(row, 0)).await
    }

    /// Returns a page of the entries of an organization, newest first, from number `last` on.
    pub async fn organization_audit_page(
        &mut self,
        organization: OrganizationId,
        last: i64,
        limit: u32,
    ) -> Result<Vec<AuditLog>> {
        let text = "SELECT code, message, origin, author, created_at, data FROM audit_log
             WHERE organization_id = $1 AND sequence <= $2 ORDER BY sequence DESC LIMIT $3";
        self.all(sql!(text, organization, last, limit), |row| rows::audit_log(row, 0)).await
    }

    /// Returns a page of the entries without an organization, newest first, and their number.
    pub async fn unrestricted_audit_page(
        &mut self,
        skip: i64,
        limit: u32,
    ) -> Result<(Vec<AuditLog>, i64)> {
        let statement = "SELECT count(*) FROM audit_log WHERE organization_id IS NULL";
        let total = self.first(sql!(statement), |row| row.get(0)).await?.unwrap_or(0);
        let text = "SELECT code, message, origin, author, created_at, data FROM audit_log
             WHERE organization_id IS NULL ORDER BY id DESC LIMIT $1 OFFSET $2";
        Ok((self.all(sql!(text, limit, skip), |row| rows::audit_log(row, 0)).await?, total))
    }
}

impl Transaction {
    /// Blocks other changes to this organization until the transaction ends.
    pub fn lock_organization_as_operator(&mut self, slug: &Slug) {
        let statement = "SELECT 1 FROM organizations WHERE slug = $1 FOR NO KEY UPDATE";
        self.lock(sql!(statement, slug));
    }

    /// Blocks other changes to the unrestricted tokens of this user until the transaction ends.
    pub fn lock_user_as_operator(&mut self, username: &Name) {
        let statement = "SELECT 1 FROM users WHERE username = $1 FOR NO KEY UPDATE";
        self.lock(sql!(statement, username));
    }

    /// Blocks other changes to this user and to the user's organizations until the transaction
    /// ends. No token and no membership is added to the user meanwhile.
    pub fn lock_user_and_memberships(&mut self, username: &Name) {
        let organizations = "SELECT 1 FROM organizations WHERE id IN
             (SELECT m.organization_id FROM members m JOIN users u ON u.id = m.user_id
             WHERE u.username = $1) ORDER BY id FOR NO KEY UPDATE";
        let user = "SELECT 1 FROM users WHERE username = $1 FOR UPDATE";
        // Every change locks organizations before users. The third statement also locks
        // organizations that the user has joined between the first statement and the second one.
        for statement in [organizations, user, organizations] {
            self.lock(sql!(statement, username));
        }
    }

    /// Blocks other changes that fill an empty database until the transaction ends.
    pub fn lock_database(&mut self) {
        self.lock(sql!("SELECT 1 FROM orgtokens_schema FOR UPDATE"));
    }

    /// Adds a user, or adds a removed one again.
    ///
    /// # Errors
    /// [`Error::Exists`] if the username is taken.
    pub async fn insert_user(&mut self, username: &Name, email: &Email) -> Result<FoundUser> {
        let text = "INSERT INTO users (username, email) VALUES ($1, $2) ON CONFLICT (username)
             DO UPDATE SET email = excluded.email, disabled = 0 WHERE users.email = ''
             RETURNING id, username, now_ms(), entries, hash, disabled";
        let insert = sql!(text, username, email.as_str());
        self.first(insert, found_user).await?.ok_or(Error::Exists)
    }

    /// Disables a user, whose tokens are then refused, or enables the user again.
    pub fn set_disabled(&mut self, user: UserId, is_disabled: bool) {
        let update = sql!("UPDATE users SET disabled = $1 WHERE id = $2", is_disabled, user);
        self.execute(update.invalidating(Invalidation::User(user)));
    }

    /// Removes a user who has no tokens and no memberships.
    pub fn delete_user(&mut self, user: UserId) {
        let statement = "UPDATE users SET disabled = 1, email = '' WHERE id = $1";
        self.execute(sql!(statement, user).invalidating(Invalidation::User(user)));
    }

    /// Adds an organization.
    ///
    /// # Errors
    /// [`Error::Exists`] if the slug is taken.
    pub async fn insert_organization(
        &mut self,
        slug: &Slug,
    ) -> Result<(OrganizationId, ChainHead)> {
        let insert = "INSERT INTO organizations (slug) VALUES ($1) RETURNING id, now_ms()";
        let read = |row: &dyn Row| Ok((row.get(0)?, row.get(1)?));
        let inserted = self.first(sql!(insert, slug), read).await?;
        let (id, time) = inserted.ok_or_else(|| broken("an insert returned no row"))?;
        Ok((id, ChainHead::start(Chain::Organization(id), time)))
    }
}
