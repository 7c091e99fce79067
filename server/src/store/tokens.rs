//! The statements about tokens: listed page by page, minted, revoked. A revoked token is a deleted
//! row, so no query can forget to leave it out; the audit log says what it was.

use super::access::{Access, access_columns, parameters};
use super::connection::{Row, Statement, Value, sql};
use super::{Error, Result, Snapshot, Transaction, rows};
use crate::caller::{Binding, Credential, OrganizationId, Role, UserId};
use crate::name::{Name, Slug};
use crate::records::{OrganizationToken, Page, Token};
use crate::token::{TokenDigest, TokenId};
use uuid::Uuid;

/// The place of a token in the order of minting.
pub type Position = i64;

/// A page of tokens, in the order of minting.
pub type TokenPage = Page<OrganizationToken, Position>;

/// Which page of which list, read through a credential.
#[derive(Clone, Copy, Debug)]
pub struct TokenQuery<'a> {
    /// Who asks.
    pub credential: &'a Credential,
    /// Every token after this one.
    pub after: Position,
    /// How many tokens at most.
    pub limit: u32,
}

/// The columns of a page: the position, and those of [`rows::token`].
macro_rules! page {
    ($owner:literal, $organization:literal, $from:literal) => {
        concat!(
            "SELECT t.position, t.id, t.name, t.created_at, t.scopes, g.name, ",
            $owner,
            ", ",
            $organization,
            " FROM ",
            $from
        )
    };
}

/// All tokens of an organization, without its slug, which the caller knows.
const ALL_IN_ORGANIZATION: &str = page!(
    "u.username, u.email",
    "NULL",
    "tokens t JOIN users u ON u.id = t.user_id
     LEFT JOIN organization_groups g ON g.uuid = t.group_uuid
     WHERE t.organization_id = $1 AND t.position > $2 ORDER BY t.position LIMIT $3"
);

const OWN_IN_ORGANIZATION: &str = page!(
    "NULL, NULL",
    "o.slug",
    "tokens t JOIN organizations o ON o.id = t.organization_id
     LEFT JOIN organization_groups g ON g.uuid = t.group_uuid
     WHERE t.user_id = $1 AND t.organization_id = $2 AND t.position > $3
     ORDER BY t.position LIMIT $4"
);

const OWN: &str = page!(
    "NULL, NULL",
    "o.slug",
    "tokens t LEFT JOIN organizations o ON o.id = t.organization_id
     LEFT JOIN organization_groups g ON g.uuid = t.group_uuid
     WHERE t.user_id = $1 AND t.position > $2 ORDER BY t.position LIMIT $3"
);

/// The same lists for PostgreSQL, in one round trip with who asks: `c` is the access, `p` the page.
/// Subqueries read what belongs to a token, so no plan can read a whole table for it.
macro_rules! page_with_access {
    ($owner:literal, $organization:literal, $first:literal, $second:literal) => {
        concat!(
            "SELECT c.*, p.position, p.id, p.name, p.created_at, p.scopes,
             (SELECT g.name FROM organization_groups g WHERE g.uuid = p.group_uuid), ",
            $owner,
            ", ",
            $organization,
            " FROM (SELECT ",
            access_columns!(),
            " FROM tokens t JOIN users u ON u.id = t.user_id AND t.digest = $1
             AND (t.expires_at IS NULL OR t.expires_at > $2) AND u.disabled = 0
             LEFT JOIN organizations o ON o.slug = $3
             LEFT JOIN members m ON m.organization_id = o.id AND m.user_id = u.id)
             AS c (token_id, token_name, binding, group_uuid, scopes, expires_at, user_id, username,
             email, user_entries, user_hash, organization_id, slug, role, entries, hash)
             LEFT JOIN LATERAL ((SELECT * FROM tokens t WHERE ",
            $first,
            " AND t.position > $4 ORDER BY t.position LIMIT $5)
             UNION ALL (SELECT * FROM tokens t WHERE ",
            $second,
            " AND t.position > $4 ORDER BY t.position LIMIT $5)) AS p ON true ORDER BY p.position"
        )
    };
}

/// `$3` is the slug, `$6` the roles that see all tokens.
const ORGANIZATION_WITH_ACCESS: &str = page_with_access!(
    "CASE WHEN c.role = ANY (string_to_array($6, ','))
     THEN (SELECT w.username FROM users w WHERE w.id = p.user_id) END,
     CASE WHEN c.role = ANY (string_to_array($6, ','))
     THEN (SELECT w.email FROM users w WHERE w.id = p.user_id) END",
    "c.slug",
    "c.role = ANY (string_to_array($6, ',')) AND t.organization_id = c.organization_id",
    "NOT c.role = ANY (string_to_array($6, ',')) AND t.organization_id = c.organization_id
     AND t.user_id = c.user_id"
);

/// `$3` is no slug.
const OWN_WITH_ACCESS: &str = page_with_access!(
    "NULL, NULL",
    "(SELECT s.slug FROM organizations s WHERE s.id = p.organization_id)",
    "c.binding IS NULL AND t.user_id = c.user_id",
    "t.organization_id = c.binding AND t.user_id = c.user_id"
);

impl Snapshot {
    /// Returns who asks and a page of an organization's tokens: all of them with their owners for a
    /// role that `sees_all`, else those of the caller's user. It is one statement on PostgreSQL.
    pub async fn organization_tokens(
        &mut self,
        query: TokenQuery<'_>,
        slug: &Slug,
        sees_all: fn(Role) -> bool,
    ) -> Result<(Access, TokenPage)> {
        if self.connection.is_postgres() {
            let roles = Role::ALL.iter().filter(|role| sees_all(**role));
            let roles: Vec<_> = roles.map(|role| role.as_str()).collect();
            let more = Some(roles.join(",").as_str().into());
            return self.page_with_access(ORGANIZATION_WITH_ACCESS, query, Some(slug), more).await;
        }
        let access = self.access(query.credential, Some(slug)).await?;
        let (after, limit) = (query.after.into(), i64::from(query.limit).into());
        let page = match &access.organization {
            None => TokenPage { items: Vec::new(), next: None },
            Some(reach) if sees_all(reach.role) => {
                let statement = sql(ALL_IN_ORGANIZATION, [reach.id.0.into(), after, limit]);
                let mut page = self.page(statement, query.limit).await?;
                for item in &mut page.items {
                    item.token.organization = Some(slug.clone());
                }
                page
            }
            Some(reach) => self.own_page(access.caller.user, Some(reach.id), query).await?,
        };
        Ok((access, page))
    }

    /// Returns who asks and a page of the tokens of their user, within the token's binding. It is
    /// one statement on PostgreSQL.
    pub async fn own_tokens(
        &mut self,
        query: TokenQuery<'_>,
    ) -> Result<(Access, Page<Token, Position>)> {
        let (access, page) = if self.connection.is_postgres() {
            self.page_with_access(OWN_WITH_ACCESS, query, None, None).await?
        } else {
            let access = self.access(query.credential, None).await?;
            let (user, binding) = (access.caller.user, access.caller.binding);
            (access, self.own_page(user, binding.organization(), query).await?)
        };
        let items = page.items.into_iter().map(|item| item.token).collect();
        Ok((access, Page { items, next: page.next }))
    }

    async fn own_page(
        &mut self,
        user: UserId,
        organization: Option<OrganizationId>,
        query: TokenQuery<'_>,
    ) -> Result<TokenPage> {
        let (after, limit) = (query.after.into(), i64::from(query.limit).into());
        let statement = match organization {
            None => sql(OWN, [user.0.into(), after, limit]),
            Some(bound) => sql(OWN_IN_ORGANIZATION, [user.0.into(), bound.0.into(), after, limit]),
        };
        self.page(statement, query.limit).await
    }

    async fn page(&mut self, statement: Statement, limit: u32) -> Result<TokenPage> {
        let read = |row: &dyn Row| Ok((row.integer(0)?, rows::token(row, 1)?));
        Ok(page_of(self.all(statement, read).await?, limit))
    }

    async fn page_with_access(
        &mut self,
        statement: &'static str,
        query: TokenQuery<'_>,
        slug: Option<&Slug>,
        more: Option<Value>,
    ) -> Result<(Access, TokenPage)> {
        let (after, limit) = (query.after.into(), i64::from(query.limit).into());
        let mut parameters =
            parameters(query.credential, [slug.map(Slug::as_str).into(), after, limit]);
        parameters.extend(more);
        let mut access = None;
        let read = |row: &dyn Row| {
            if access.is_none() {
                access = Some(rows::access(row, query.credential)?);
            }
            // Without a token there is one row, for the access alone.
            let found = |row: &dyn Row| Ok((row.integer(16)?, rows::token(row, 17)?));
            if row.is_null(16) { Ok(None) } else { found(row).map(Some) }
        };
        let tokens = self.all(sql(statement, parameters), read).await?;
        let page = page_of(tokens.into_iter().flatten().collect(), query.limit);
        Ok((access.ok_or(Error::NotAccepted)?, page))
    }
}

fn page_of(rows: Vec<(Position, OrganizationToken)>, limit: u32) -> TokenPage {
    let is_full = rows.len() >= limit as usize;
    let next = rows.last().map(|(position, _)| *position).filter(|_| is_full);
    Page { items: rows.into_iter().map(|(_, token)| token).collect(), next }
}

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
    ) {
        let (group, scopes) = match binding {
            Binding::Group { group, scopes, .. } => {
                (Some(group.as_bytes().as_slice()), scopes.bits())
            }
            Binding::Unrestricted | Binding::Organization(_) => (None, 0),
        };
        self.execute(sql(
            "INSERT INTO tokens
             (id, digest, name, user_id, organization_id, group_uuid, scopes, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            [
                token.id.as_bytes().into(),
                digest.as_bytes().into(),
                token.name.as_str().into(),
                user.0.into(),
                binding.organization().map(|organization| organization.0).into(),
                group.into(),
                scopes.into(),
                token.created_at.timestamp_millis().into(),
            ],
        ));
    }

    /// Revokes a token: once this is committed, no server accepts it.
    pub fn delete_token(&mut self, id: TokenId) {
        self.execute(sql("DELETE FROM tokens WHERE id = $1", [id.as_bytes().into()]));
    }

    /// Revokes the tokens of a user that are bound to an organization or to its groups, in one
    /// statement. Returns them in the order of minting.
    pub async fn delete_member_tokens(
        &mut self,
        organization: OrganizationId,
        user: UserId,
        slug: &Slug,
    ) -> Result<Vec<Token>> {
        let statement = sql(
            "DELETE FROM tokens WHERE user_id = $1 AND organization_id = $2
             RETURNING position, id, name, created_at, scopes,
             (SELECT g.name FROM organization_groups g WHERE g.uuid = tokens.group_uuid)",
            [user.0.into(), organization.0.into()],
        );
        let read = |row: &dyn Row| Ok((row.integer(0)?, rows::bound_token(row, 1)?));
        let mut tokens = self.change_many(statement, read).await?;
        tokens.sort_unstable_by_key(|(position, _)| *position);
        let with_slug = |(_, token)| Token { organization: Some(slug.clone()), ..token };
        Ok(tokens.into_iter().map(with_slug).collect())
    }

    /// Revokes the tokens that are bound to a group, in one statement. Returns them with their
    /// owners, in the order of minting.
    pub async fn delete_group_tokens(
        &mut self,
        uuid: Uuid,
        slug: &Slug,
        group: &Name,
    ) -> Result<Vec<(Token, Name)>> {
        let statement = sql(
            "DELETE FROM tokens WHERE group_uuid = $1
             RETURNING position, id, name, created_at, scopes,
             (SELECT u.username FROM users u WHERE u.id = tokens.user_id)",
            [uuid.as_bytes().as_slice().into()],
        );
        let read = |row: &dyn Row| {
            let owner: Name = rows::parse_text(row, 5)?;
            Ok((row.integer(0)?, rows::bound_token(row, 1)?, owner))
        };
        let mut tokens = self.change_many(statement, read).await?;
        tokens.sort_unstable_by_key(|(position, ..)| *position);
        let with_names = |(_, token, owner)| {
            let (organization, group) = (Some(slug.clone()), Some(group.clone()));
            (Token { organization, group, ..token }, owner)
        };
        Ok(tokens.into_iter().map(with_names).collect())
    }
}
