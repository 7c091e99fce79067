//! Lists of tokens, page by page, and their counts.

use super::super::access::{
    Access, TARGET, TargetMember, access, access_to_member, page_with_access,
};
use super::super::statement::{Row, Statement, Value, sql};
use super::super::{Result, Snapshot, Store, View, broken, rows};
use super::Position;
use crate::caller::{Credential, OrganizationId, Role, UserId};
use crate::name::{Name, Slug};
use crate::records::{OrganizationToken, Page, PageRange, Token};
use chrono::{DateTime, Utc};

/// A page of tokens, in the order of minting.
pub struct TokenPage {
    /// The tokens.
    pub tokens: Page<OrganizationToken, Position>,
    /// When the first of the tokens expires, if any does.
    pub valid_until: Option<DateTime<Utc>>,
}

/// How many tokens one statement counts: a worker thread reads them in a third of a millisecond.
const COUNT_BATCH: i64 = 2048;

/// All tokens of an organization. The function that runs it adds the slug.
const ALL_IN_ORGANIZATION: &str =
    "SELECT t.position, t.id, t.name, t.created_at, t.scopes, g.name, u.username, u.email, NULL,
     t.expires_at FROM tokens t JOIN users u ON u.id = t.user_id
     LEFT JOIN organization_groups g ON g.uuid = t.group_uuid
     WHERE t.organization_id = $1 AND t.position > $2
     AND (t.expires_at IS NULL OR t.expires_at > now_ms()) ORDER BY t.position LIMIT $3";

/// The tokens of a user in an organization. With another index SQLite reads those of all members.
const OWN_IN_ORGANIZATION: &str =
    "SELECT t.position, t.id, t.name, t.created_at, t.scopes, g.name, NULL, NULL, o.slug,
     t.expires_at FROM tokens t INDEXED BY tokens_by_user_in_organization
     JOIN organizations o ON o.id = t.organization_id
     LEFT JOIN organization_groups g ON g.uuid = t.group_uuid
     WHERE t.user_id = $1 AND t.organization_id = $2 AND t.position > $3
     AND (t.expires_at IS NULL OR t.expires_at > now_ms()) ORDER BY t.position LIMIT $4";

/// The tokens of a member, with the caller and the member. On SQLite `$index` names the index.
macro_rules! of_member {
    ($index:literal) => {
        page_with_access!(
            access_to_member!(),
            "NULL, NULL, NULL, NULL, ",
            "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
            (
                "p.position, p.id, p.name, p.created_at, p.scopes,
                 (SELECT g.name FROM organization_groups g WHERE g.uuid = p.group_uuid), NULL, NULL,
                 CAST($2 AS TEXT), p.expires_at FROM (SELECT * FROM tokens t",
                $index,
                " WHERE t.user_id = (SELECT member_id FROM c)
                 AND t.organization_id = (SELECT organization_id FROM c) AND t.position > $4
                 AND (t.expires_at IS NULL OR t.expires_at > (SELECT read_at FROM c))
                 ORDER BY t.position LIMIT $5) AS p"
            )
        )
    };
}

/// Where the columns of a token begin: after those of the access and of the member.
const TOKEN_OF_MEMBER: usize = TARGET + 4;

const OF_MEMBER_SQLITE: &str = of_member!(" INDEXED BY tokens_by_user_in_organization");
const OF_MEMBER_POSTGRES: &str = of_member!("");

const OWN: &str =
    "SELECT t.position, t.id, t.name, t.created_at, t.scopes, g.name, NULL, NULL, o.slug,
     t.expires_at FROM tokens t LEFT JOIN organizations o ON o.id = t.organization_id
     LEFT JOIN organization_groups g ON g.uuid = t.group_uuid
     WHERE t.user_id = $1 AND t.position > $2
     AND (t.expires_at IS NULL OR t.expires_at > now_ms()) ORDER BY t.position LIMIT $3";

/// The same lists for PostgreSQL, in one round trip with the caller: `p` is a page of one of two
/// ranges. Subqueries read groups, owners and slugs one by one, and `OFFSET 0` stops the planner
/// from joining them, so that no plan reads a whole table.
macro_rules! tokens_with_access {
    ($columns:literal, $one:literal, $other:literal, $more:literal) => {
        page_with_access!(
            access!("", ""),
            "",
            "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
            (
                "p.position, p.id, p.name, p.created_at, p.scopes,
                 (SELECT g.name FROM organization_groups g WHERE g.uuid = p.group_uuid), ",
                $columns,
                ", p.expires_at FROM c CROSS JOIN LATERAL ((SELECT * FROM tokens t WHERE ",
                $one,
                " AND t.position > $3 AND (t.expires_at IS NULL OR t.expires_at > c.read_at)
                 ORDER BY t.position LIMIT $4) UNION ALL (SELECT * FROM tokens t WHERE ",
                $other,
                " AND t.position > $3 AND (t.expires_at IS NULL OR t.expires_at > c.read_at)
                 ORDER BY t.position LIMIT $4)) AS p ",
                $more
            )
        )
    };
}

/// `$2` is the slug, and `$5` are the roles that see all tokens.
const ORGANIZATION_WITH_ACCESS: &str = tokens_with_access!(
    "w.username, w.email, $2::text",
    "c.role = ANY($5) AND t.organization_id = c.organization_id",
    "c.role <> ALL($5) AND t.organization_id = c.organization_id AND t.user_id = c.user_id",
    "LEFT JOIN LATERAL (SELECT w.username, w.email FROM users w
     WHERE w.id = p.user_id AND c.role = ANY($5) OFFSET 0) AS w ON true"
);

/// `$2` is null.
const OWN_WITH_ACCESS: &str = tokens_with_access!(
    "NULL, NULL, (SELECT s.slug FROM organizations s WHERE s.id = p.organization_id)",
    "c.binding IS NULL AND t.user_id = c.user_id",
    "t.organization_id = c.binding AND t.user_id = c.user_id",
    ""
);

impl Store {
    /// Counts the live tokens. Each statement counts few of them, so that requests are not delayed.
    /// Tokens that are minted or revoked meanwhile may or may not be counted.
    pub async fn count_live_tokens(&self) -> Result<i64> {
        let (mut total, mut after) = (0, Some(0));
        while let Some(position) = after {
            let count;
            (count, after) = self.read(View::Statement).await?.live_tokens_after(position).await?;
            total += count;
            // On SQLite the statements block the thread: this lets other requests run.
            tokio::task::yield_now().await;
        }
        Ok(total)
    }
}

impl Snapshot {
    /// Returns the caller and at most `limit` tokens of an organization after a position. If the
    /// caller's role `sees_all`, these are all tokens with their owners, else only those of the
    /// caller's user. On PostgreSQL it is one statement.
    pub async fn organization_tokens(
        &mut self,
        credential: &Credential,
        slug: &Slug,
        sees_all: fn(Role) -> bool,
        PageRange { after, limit }: PageRange<Position>,
    ) -> Result<(Access, TokenPage)> {
        if self.connection.is_postgres() {
            let roles = Role::ALL.iter().filter(|role| sees_all(**role));
            let roles: Vec<_> = roles.map(|role| role.into_str().to_owned()).collect();
            let digest = &credential.digest;
            let statement = sql!(ORGANIZATION_WITH_ACCESS, digest, slug, after, limit, roles);
            let listed = self.access_with_page(credential, Some(slug), statement, positioned);
            let (access, found) = listed.await?;
            return Ok((access, TokenPage::new(found, limit)));
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

    /// Returns the caller, a user by name, and at most `limit` tokens of the user in an
    /// organization after a position.
    pub async fn member_tokens(
        &mut self,
        credential: &Credential,
        slug: &Slug,
        username: &Name,
        PageRange { after, limit }: PageRange<Position>,
    ) -> Result<(Access, Option<TargetMember>, Page<Token, Position>)> {
        let is_postgres = self.connection.is_postgres();
        let text = if is_postgres { OF_MEMBER_POSTGRES } else { OF_MEMBER_SQLITE };
        let statement = sql!(text, &credential.digest, slug, username, after, limit);
        let read = |row: &dyn Row| {
            let member = rows::optional(row, TARGET, rows::target_member)?;
            Ok((member, rows::optional(row, TOKEN_OF_MEMBER, positioned)?))
        };
        let (access, _, rows) = self.read_rows(credential, statement, read).await?;
        let (members, found): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let page = TokenPage::new(found.into_iter().flatten().collect(), limit);
        let member = members.into_iter().flatten().next();
        Ok((access, member, page.tokens.map(|item| item.token)))
    }

    /// Returns the caller and at most `limit` tokens of the caller's user after a position, within
    /// the token's binding. On PostgreSQL it is one statement.
    pub async fn own_tokens(
        &mut self,
        credential: &Credential,
        PageRange { after, limit }: PageRange<Position>,
    ) -> Result<(Access, Page<Token, Position>)> {
        let (access, page) = if self.connection.is_postgres() {
            let statement = sql!(OWN_WITH_ACCESS, &credential.digest, Value::Null, after, limit);
            let listed = self.access_with_page(credential, None, statement, positioned);
            let (access, found) = listed.await?;
            (access, TokenPage::new(found, limit))
        } else {
            let access = self.access(credential, None).await?;
            let binding = access.caller.binding.organization();
            let statement = own(access.caller.user, binding, after, limit);
            (access, self.page(statement, limit).await?)
        };
        Ok((access, page.tokens.map(|item| item.token)))
    }

    /// Counts the tokens of a user, and the tokens of an organization, each up to a limit. It reads
    /// no more index entries than that.
    pub async fn count_tokens(
        &mut self,
        user: UserId,
        user_limit: i64,
        organization: Option<OrganizationId>,
        organization_limit: i64,
    ) -> Result<(i64, i64)> {
        let text = "SELECT
             (SELECT count(*) FROM (SELECT 1 FROM tokens WHERE user_id = $1
             AND (expires_at IS NULL OR expires_at > now_ms()) LIMIT $2) AS u),
             (SELECT count(*) FROM (SELECT 1 FROM tokens WHERE organization_id = $3
             AND (expires_at IS NULL OR expires_at > now_ms()) LIMIT $4) AS o)";
        let statement = sql!(text, user, user_limit, organization, organization_limit);
        let counted = self.first(statement, |row| Ok((row.get(0)?, row.get(1)?))).await?;
        counted.ok_or_else(|| broken("a count returned no row"))
    }

    /// Counts the live ones of the next [`COUNT_BATCH`] tokens after this position. Returns also
    /// the position of the last one, unless there are no more tokens.
    async fn live_tokens_after(&mut self, position: i64) -> Result<(i64, Option<i64>)> {
        let text =
            "SELECT count(*) FILTER (WHERE expires_at IS NULL OR expires_at > now_ms()), count(*),
             max(position) FROM (SELECT position, expires_at FROM tokens WHERE position > $1
             ORDER BY position LIMIT $2) AS t";
        let statement = sql!(text, position, COUNT_BATCH);
        let counted = self.first(statement, |row| {
            let is_last = row.get::<i64>(1)? < COUNT_BATCH;
            Ok((row.get(0)?, if is_last { None } else { Some(row.get(2)?) }))
        });
        counted.await?.ok_or_else(|| broken("a count returned no row"))
    }

    async fn page(&mut self, statement: Statement, limit: u32) -> Result<TokenPage> {
        let found = self.all(statement, |row| positioned(row, 0)).await?;
        Ok(TokenPage::new(found, limit))
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
    fn new(mut found: Vec<PositionedToken>, limit: u32) -> Self {
        found.sort_unstable_by_key(|(_, position, _)| *position);
        let valid_until = found.iter().filter_map(|(.., expires_at)| *expires_at).min();
        let tokens = Page::new(found, limit, |(_, position, _)| *position).map(|(token, ..)| token);
        Self { tokens, valid_until }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sqlite::plan;
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
        let plan =
            plan(&sql!(OF_MEMBER_SQLITE, Value::Null, Value::Null, Value::Null, 0_i64, 0_i64));
        assert!(plan.contains(in_organization), "{plan}");
    }
}
