//! The statements about tokens: listed page by page, minted, revoked. A revoked token is a deleted
//! row, so no query can forget to leave it out; the audit log says what it was.

mod place;
mod selection;

pub use place::{TokenPlace, read_place};
pub use selection::Selection;

use super::access::{Access, FoundToken, TARGET, accepted, access, has_secret};
use super::connection::{Row, Statement, Value, sql};
use super::remembered::Touched;
use super::{Error, Result, Snapshot, Transaction, broken, rows};
use crate::caller::{Binding, Credential, OrganizationId, Role, UserId};
use crate::limits::Limits;
use crate::name::{Name, Slug};
use crate::records::{OrganizationToken, Page, Token};
use crate::token::{TokenDigest, TokenId};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The place of a token in the order of minting.
pub type Position = i64;

/// A page of tokens, in the order of minting.
pub struct TokenPage {
    /// The tokens.
    pub tokens: Page<OrganizationToken, Position>,
    /// When the first of them expires, if any does.
    pub valid_until: Option<DateTime<Utc>>,
}

/// How many tokens are counted by one statement: as few as a worker thread reads in a third of a
/// millisecond.
const COUNTED: i64 = 2048;

/// All tokens of an organization, without its slug, which the caller knows.
const ALL_IN_ORGANIZATION: &str =
    "SELECT t.position, t.id, t.name, t.created_at, t.scopes, g.name, u.username, u.email, NULL,
     t.expires_at FROM tokens t JOIN users u ON u.id = t.user_id
     LEFT JOIN organization_groups g ON g.uuid = t.group_uuid
     WHERE t.organization_id = $1 AND t.position > $2
     AND (t.expires_at IS NULL OR t.expires_at > now_ms()) ORDER BY t.position LIMIT $3";

/// The tokens of a user in an organization. On SQLite `$from` names the index: without it those of all
/// members would be read.
macro_rules! of_user_in_organization {
    ($from:literal) => {
        concat!(
            "SELECT t.position, t.id, t.name, t.created_at, t.scopes, g.name, NULL, NULL, o.slug,
             t.expires_at FROM tokens t",
            $from,
            " JOIN organizations o ON o.id = t.organization_id
             LEFT JOIN organization_groups g ON g.uuid = t.group_uuid
             WHERE t.user_id = $1 AND t.organization_id = $2 AND t.position > $3
             AND (t.expires_at IS NULL OR t.expires_at > now_ms()) ORDER BY t.position LIMIT $4"
        )
    };
}

const OWN_IN_ORGANIZATION: &str =
    of_user_in_organization!(" INDEXED BY tokens_by_user_in_organization");

/// The same for PostgreSQL.
const OWN_IN_ORGANIZATION_POSTGRES: &str = of_user_in_organization!("");

const OWN: &str =
    "SELECT t.position, t.id, t.name, t.created_at, t.scopes, g.name, NULL, NULL, o.slug,
     t.expires_at FROM tokens t LEFT JOIN organizations o ON o.id = t.organization_id
     LEFT JOIN organization_groups g ON g.uuid = t.group_uuid
     WHERE t.user_id = $1 AND t.position > $2
     AND (t.expires_at IS NULL OR t.expires_at > now_ms()) ORDER BY t.position LIMIT $3";

/// The same lists for PostgreSQL, in one round trip with who asks: `c` is the access, `p` a page of
/// one of two ranges. Subqueries read what belongs to a token, and `OFFSET 0` keeps one apart, so no
/// plan can read a whole table for it.
macro_rules! page_with_access {
    ($columns:literal, $one:literal, $other:literal, $more:literal) => {
        concat!(
            "SELECT c.*, p.position, p.id, p.name, p.created_at, p.scopes,
             (SELECT g.name FROM organization_groups g WHERE g.uuid = p.group_uuid), ",
            $columns,
            ", p.expires_at FROM (",
            access!("", ""),
            ") AS c (token_id, token_name, binding, group_uuid, scopes, expires_at,
             allowed_ips, valid_until, user_id, username, email, read_at, user_entries, user_hash,
             organization_id, role, default_expiration, maximum_expiration, allow_unrestricted,
             entries, hash)
             LEFT JOIN LATERAL ((SELECT * FROM tokens t WHERE ",
            $one,
            " AND t.position > $3 AND (t.expires_at IS NULL OR t.expires_at > c.read_at)
             ORDER BY t.position LIMIT $4) UNION ALL (SELECT * FROM tokens t WHERE ",
            $other,
            " AND t.position > $3 AND (t.expires_at IS NULL OR t.expires_at > c.read_at)
             ORDER BY t.position LIMIT $4)) AS p ON true ",
            $more,
            " ORDER BY p.position"
        )
    };
}

/// `$2` is the slug, `$5` the roles that see all tokens.
const ORGANIZATION_WITH_ACCESS: &str = page_with_access!(
    "w.username, w.email, $2::text",
    "c.role = ANY($5) AND t.organization_id = c.organization_id",
    "c.role <> ALL($5) AND t.organization_id = c.organization_id AND t.user_id = c.user_id",
    "LEFT JOIN LATERAL (SELECT w.username, w.email FROM users w
     WHERE w.id = p.user_id AND c.role = ANY($5) OFFSET 0) AS w ON true"
);

/// `$2` is no slug.
const OWN_WITH_ACCESS: &str = page_with_access!(
    "NULL, NULL, (SELECT s.slug FROM organizations s WHERE s.id = p.organization_id)",
    "c.binding IS NULL AND t.user_id = c.user_id",
    "t.organization_id = c.binding AND t.user_id = c.user_id",
    ""
);

impl Snapshot {
    /// Returns who asks and at most `limit` tokens of an organization after a position: all of them
    /// with their owners for a role that `sees_all`, else those of the caller's user. It is one
    /// statement on PostgreSQL.
    pub async fn organization_tokens(
        &mut self,
        credential: &Credential,
        slug: &Slug,
        sees_all: fn(Role) -> bool,
        (after, limit): (Position, u32),
    ) -> Result<(Access, TokenPage)> {
        if self.connection.is_postgres() {
            let roles = Role::ALL.iter().filter(|role| sees_all(**role));
            let roles: Vec<_> = roles.map(|role| role.into_str().to_owned()).collect();
            let digest = &credential.digest;
            let statement = sql!(ORGANIZATION_WITH_ACCESS, digest, slug, after, limit, roles);
            let (access, page) = self.page_with_access(statement, credential, limit).await?;
            self.remembered.insert(credential, Some(slug), access.clone(), None);
            return Ok((access, page));
        }
        let access = self.access(credential, Some(slug)).await?;
        let statement = match &access.organization {
            None => {
                let tokens = Page { items: Vec::new(), next: None };
                return Ok((access, TokenPage { tokens, valid_until: None }));
            }
            Some(reach) if sees_all(reach.role) => {
                sql!(ALL_IN_ORGANIZATION, reach.id, after, limit)
            }
            Some(reach) => own(access.caller.user, Some(reach.id), after, limit),
        };
        let mut page = self.page(statement, limit).await?;
        for item in &mut page.tokens.items {
            item.token.organization = Some(slug.clone());
        }
        Ok((access, page))
    }

    /// Returns at most `limit` tokens of a user in an organization after a position.
    pub async fn member_tokens(
        &mut self,
        user: UserId,
        organization: OrganizationId,
        (after, limit): (Position, u32),
    ) -> Result<Page<Token, Position>> {
        let statement = if self.connection.is_postgres() {
            sql!(OWN_IN_ORGANIZATION_POSTGRES, user, organization, after, limit)
        } else {
            own(user, Some(organization), after, limit)
        };
        let page = self.page(statement, limit).await?;
        Ok(page.tokens.map(|item| item.token))
    }

    /// Returns who asks and at most `limit` tokens of their user after a position, within the
    /// token's binding. It is one statement on PostgreSQL.
    pub async fn own_tokens(
        &mut self,
        credential: &Credential,
        (after, limit): (Position, u32),
    ) -> Result<(Access, Page<Token, Position>)> {
        let (access, page) = if self.connection.is_postgres() {
            let statement = sql!(OWN_WITH_ACCESS, &credential.digest, Value::Null, after, limit);
            self.page_with_access(statement, credential, limit).await?
        } else {
            let access = self.access(credential, None).await?;
            let binding = access.caller.binding.organization();
            let statement = own(access.caller.user, binding, after, limit);
            (access, self.page(statement, limit).await?)
        };
        Ok((access, page.tokens.map(|item| item.token)))
    }

    /// Counts the tokens of a user, and those that are bound to an organization, each up to a limit.
    /// It reads no more of an index than that.
    pub async fn count_tokens(
        &mut self,
        (user, user_limit): (UserId, i64),
        (organization, organization_limit): (Option<OrganizationId>, i64),
    ) -> Result<[i64; 2]> {
        let text = "SELECT
             (SELECT count(*) FROM (SELECT 1 FROM tokens WHERE user_id = $1
             AND (expires_at IS NULL OR expires_at > now_ms()) LIMIT $2) AS u),
             (SELECT count(*) FROM (SELECT 1 FROM tokens WHERE organization_id = $3
             AND (expires_at IS NULL OR expires_at > now_ms()) LIMIT $4) AS o)";
        let statement = sql!(text, user, user_limit, organization, organization_limit);
        let counted = self.first(statement, |row| Ok([row.get(0)?, row.get(1)?])).await?;
        counted.ok_or_else(|| broken("a count returned no row"))
    }

    /// Counts the tokens that have not expired, among [`COUNTED`] after this position. Returns also
    /// after which position to go on, unless there are no more.
    pub(super) async fn live_tokens_after(&mut self, position: i64) -> Result<(i64, Option<i64>)> {
        let text =
            "SELECT count(*) FILTER (WHERE expires_at IS NULL OR expires_at > now_ms()), count(*),
             max(position) FROM (SELECT position, expires_at FROM tokens WHERE position > $1
             ORDER BY position LIMIT $2) AS t";
        let statement = sql!(text, position, COUNTED);
        let counted = self.first(statement, |row| {
            let is_last = row.get::<i64>(1)? < COUNTED;
            Ok((row.get(0)?, if is_last { None } else { Some(row.get(2)?) }))
        });
        counted.await?.ok_or_else(|| broken("a count returned no row"))
    }

    pub(super) async fn page(&mut self, statement: Statement, limit: u32) -> Result<TokenPage> {
        let found = self.all(statement, |row| positioned(row, 0)).await?;
        Ok(TokenPage::new(found, limit))
    }

    async fn page_with_access(
        &mut self,
        statement: Statement,
        credential: &Credential,
        limit: u32,
    ) -> Result<(Access, TokenPage)> {
        let mut access = None;
        let read = |row: &dyn Row| {
            if access.is_none() {
                access = Some(accepted(rows::access(row)?, credential)?);
            }
            // Without a token there is one row, for the access alone.
            rows::optional(row, TARGET, positioned)
        };
        let found: Vec<_> = self.all(statement, read).await?.into_iter().flatten().collect();
        Ok((access.ok_or(Error::NotAccepted)?, TokenPage::new(found, limit)))
    }
}

fn own(user: UserId, bound: Option<OrganizationId>, after: Position, limit: u32) -> Statement {
    match bound {
        None => sql!(OWN, user, after, limit),
        Some(bound) => sql!(OWN_IN_ORGANIZATION, user, bound, after, limit),
    }
}

/// A token of a list, its position, and when it expires.
type PositionedToken = (OrganizationToken, Position, Option<DateTime<Utc>>);

/// Reads columns: position, those of [`rows::token`], expiry.
fn positioned(row: &dyn Row, from: usize) -> Result<PositionedToken> {
    let (position, token) = (row.get(from)?, rows::token(row, from + 1)?);
    Ok((token, position, row.get(from + 9)?))
}

impl TokenPage {
    fn new(found: Vec<PositionedToken>, limit: u32) -> Self {
        let valid_until = found.iter().filter_map(|(.., expires_at)| *expires_at).min();
        let tokens = Page::new(found, limit, |(_, position, _)| *position).map(|(token, ..)| token);
        Self { tokens, valid_until }
    }
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
        limits: &Limits,
    ) {
        let (group, scopes) = match binding {
            Binding::Group { group, scopes, .. } => (Some(*group), scopes.bits()),
            Binding::Unrestricted | Binding::Organization(_) => (None, 0),
        };
        let Token { id, name, created_at, .. } = token;
        let Limits { expires_at, allowed_ips } = limits;
        let (bound, ips) = (binding.organization(), allowed_ips.as_ref());
        let text = "INSERT INTO tokens
             (id, digest, name, user_id, organization_id, group_uuid, scopes, created_at, expires_at,
             allowed_ips) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let insert = sql!(
            text,
            *id,
            digest,
            name,
            user,
            bound,
            group,
            scopes,
            *created_at,
            *expires_at,
            ips
        );
        self.execute(insert.touching(Touched::Nothing));
    }

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
        self.execute(sql!(retire, id).touching(Touched::Nothing));
        let update = "UPDATE tokens SET previous_expires_at = $1,
             previous_digest = CASE WHEN CAST($1 AS BIGINT) IS NULL THEN NULL ELSE digest END,
             digest = $2, rotated_at = $3, expires_at = $4, allowed_ips = $5 WHERE id = $6";
        let Limits { expires_at, allowed_ips } = limits;
        let update = sql!(update, overlap_ends, digest, now, *expires_at, allowed_ips.as_ref(), id);
        self.execute(update.touching(Touched::Organization(organization)));
    }

    /// Revokes a token: once this is committed, no server accepts it.
    pub fn delete_token(&mut self, FoundToken { token, user, organization, .. }: &FoundToken) {
        let delete = sql!("DELETE FROM tokens WHERE id = $1", token.id);
        self.execute(delete.touching(match organization {
            Some(id) => Touched::Organization(*id),
            None => Touched::User(*user),
        }));
    }

    /// Revokes the tokens of a user that are bound to an organization or to its groups, in one
    /// statement. Returns them with their owners, in the order of minting.
    pub async fn delete_member_tokens(
        &mut self,
        slug: &Slug,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<Vec<(Token, Name)>> {
        let parameters = [user.into(), organization.into()];
        let range = "user_id = $1 AND organization_id = $2";
        self.delete_tokens(Some(slug), range, parameters, Touched::User(user)).await
    }

    /// Like [`Transaction::delete_member_tokens`], for the tokens that are bound to a group.
    pub async fn delete_group_tokens(
        &mut self,
        slug: &Slug,
        organization: OrganizationId,
        group: Uuid,
    ) -> Result<Vec<(Token, Name)>> {
        let parameters = [group.into()];
        let touched = Touched::Organization(organization);
        self.delete_tokens(Some(slug), "group_uuid = $1", parameters, touched).await
    }

    /// Like [`Transaction::delete_member_tokens`], for the unrestricted tokens of a user.
    pub async fn delete_unrestricted_tokens(&mut self, user: UserId) -> Result<Vec<(Token, Name)>> {
        let range = "user_id = $1 AND organization_id IS NULL";
        self.delete_tokens(None, range, [user.into()], Touched::User(user)).await
    }

    /// Like [`Transaction::delete_member_tokens`], for the tokens in a range.
    async fn delete_tokens(
        &mut self,
        slug: Option<&Slug>,
        range: &str,
        parameters: impl Into<Vec<Value>>,
        touched: Touched,
    ) -> Result<Vec<(Token, Name)>> {
        let delete = format!(
            "DELETE FROM tokens WHERE {range} RETURNING position, id, name, created_at, scopes,
             (SELECT g.name FROM organization_groups g WHERE g.uuid = tokens.group_uuid),
             (SELECT u.username FROM users u WHERE u.id = tokens.user_id)"
        );
        let read = |row: &dyn Row| {
            Ok((row.get::<Position>(0)?, rows::bound_token(row, 1)?, row.get::<Name>(6)?))
        };
        let delete = Statement::new(delete, parameters).touching(touched);
        let mut deleted = self.change_many(delete, read).await?;
        deleted.sort_unstable_by_key(|(position, ..)| *position);
        let with_slug = |(_, token, owner)| (Token { organization: slug.cloned(), ..token }, owner);
        Ok(deleted.into_iter().map(with_slug).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::sqlite::plan;
    use super::*;

    #[test]
    fn no_list_of_a_user_reads_the_tokens_of_others() {
        let in_organization = "tokens_by_user_in_organization (user_id=? AND organization_id=?";
        for (bound, index) in [
            (Some(OrganizationId(0)), in_organization),
            (None, "tokens_by_user (user_id=? AND position>?)"),
        ] {
            let plan = plan(&own(UserId(0), bound, 0, 0));
            assert!(plan.contains(index), "{plan}");
        }
    }
}
