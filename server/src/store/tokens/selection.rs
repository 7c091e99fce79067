//! The statements that find and revoke tokens of an organization, selected by ids or by a filter.

use super::super::access_cache::Invalidation;
use super::super::statement::{Row, Statement, Value, hex_list, in_hex_list};
use super::super::{Result, Snapshot, Transaction, rows};
use crate::caller::{OrganizationId, UserId};
use crate::name::{Name, Slug};
use crate::records::{RevocationFilter, Token};
use crate::token::TokenId;

/// Which tokens of an organization are selected.
#[derive(Clone, Copy, Debug)]
pub enum Selection<'a> {
    Ids(&'a [TokenId]),
    /// A filter, and tokens to leave out: their last use is not written yet.
    Filter(&'a RevocationFilter, &'a [TokenId]),
}

/// The tokens that a request selects from: those of an organization, or of one user in it.
#[derive(Clone, Copy, Debug)]
pub struct TokensOf<'a> {
    pub slug: &'a Slug,
    pub organization: OrganizationId,
    pub user: Option<UserId>,
}

const BY_USER: &str = " INDEXED BY tokens_by_user_in_organization";

/// Selected tokens `x`, in the order of minting.
struct Range {
    /// The index that SQLite must use, to read no other tokens.
    index: &'static str,
    /// The text after `WHERE`.
    condition: String,
    parameters: Vec<Value>,
}

/// Selects at most `limit` live tokens.
fn range(
    TokensOf { organization, user, .. }: TokensOf<'_>,
    selection: Selection<'_>,
    limit: usize,
    is_postgres: bool,
) -> Range {
    // With the `+` SQLite looks up ids in their own index.
    let (index, plus) = match selection {
        Selection::Ids(_) => ("", "+"),
        Selection::Filter(..) if is_postgres => ("", ""),
        Selection::Filter(RevocationFilter { owner: Some(_), .. }, _) => (BY_USER, ""),
        Selection::Filter(..) if user.is_some() => (BY_USER, ""),
        Selection::Filter(RevocationFilter { group: Some(_), .. }, _) => {
            (" INDEXED BY tokens_by_group", "")
        }
        Selection::Filter(..) => ("", ""),
    };
    let live = "(x.expires_at IS NULL OR x.expires_at > now_ms())";
    let mut condition = format!("{plus}x.organization_id = $1 AND {live}");
    let mut parameters = vec![organization.into()];
    let mut and = |before: &str, parameter: Option<Value>, after: &str| {
        if let Some(parameter) = parameter {
            parameters.push(parameter);
            let number = parameters.len().to_string();
            condition += &[" AND ", before, "$", &number, after].concat();
        }
    };
    and(&[plus, "x.user_id = "].concat(), user.map(Value::from), "");
    match selection {
        Selection::Ids(ids) => {
            parameters.push(hex_list(ids.iter().map(TokenId::as_bytes)));
            condition += &[" AND ", &in_hex_list("x.id", parameters.len(), is_postgres)].concat();
        }
        Selection::Filter(filter, in_use) => {
            let RevocationFilter { owner, group, .. } = filter;
            let users = "x.user_id = (SELECT u.id FROM users u WHERE u.username = ";
            and(users, owner.as_ref().map(Value::from), ")");
            let groups = "x.group_uuid = (SELECT g.uuid FROM organization_groups g
                 WHERE g.organization_id = x.organization_id AND g.name = ";
            and(groups, group.as_ref().map(Value::from), ")");
            and("x.created_at < ", filter.created_before.map(Value::from), "");
            and("x.last_used_at < ", filter.last_used_before.map(Value::from), "");
            condition += match filter.never_used {
                Some(true) => " AND x.last_used_at IS NULL",
                Some(false) => " AND x.last_used_at IS NOT NULL",
                None => "",
            };
            if !in_use.is_empty() {
                parameters.push(hex_list(in_use.iter().map(TokenId::as_bytes)));
                let list = in_hex_list("x.id", parameters.len(), is_postgres);
                condition += &[" AND NOT (", &list, ")"].concat();
            }
        }
    }
    parameters.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    let condition = format!("{condition} ORDER BY x.position LIMIT ${}", parameters.len());
    Range { index, condition, parameters }
}

impl Snapshot {
    /// Returns at most `limit` selected tokens with their owners, in the order of minting.
    pub async fn selected_tokens(
        &mut self,
        of: TokensOf<'_>,
        selection: Selection<'_>,
        limit: usize,
    ) -> Result<Vec<(Token, Name)>> {
        let Range { index, condition, parameters } =
            range(of, selection, limit, self.connection.is_postgres());
        let select = format!(
            "SELECT x.id, x.name, x.created_at, x.scopes, g.name, w.username
             FROM tokens x{index} JOIN users w ON w.id = x.user_id
             LEFT JOIN organization_groups g ON g.uuid = x.group_uuid WHERE {condition}"
        );
        let read = |row: &dyn Row| {
            let organization = Some(of.slug.clone());
            let token = Token { organization, ..rows::bound_token(row, 0)? };
            Ok((token, row.get(5)?))
        };
        self.all(Statement::new(select, parameters), read).await
    }
}

impl Transaction {
    /// Revokes the tokens that [`Snapshot::selected_tokens`] returns, and returns them.
    pub async fn delete_selected_tokens(
        &mut self,
        of: TokensOf<'_>,
        selection: Selection<'_>,
        limit: usize,
    ) -> Result<Vec<(Token, Name)>> {
        let Range { index, condition, parameters } =
            range(of, selection, limit, self.connection.is_postgres());
        let range =
            format!("position IN (SELECT x.position FROM tokens x{index} WHERE {condition})");
        let invalidation = Invalidation::Organization(of.organization);
        self.delete_tokens(Some(of.slug), &range, parameters, invalidation).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sqlite::plan;
    use super::*;

    #[test]
    fn selected_tokens_are_found_without_reading_the_whole_organization() {
        let empty = || RevocationFilter {
            owner: None,
            group: None,
            created_before: None,
            last_used_before: None,
            never_used: Some(true),
        };
        let (slug, name) = ("a".parse().unwrap(), || "a".parse().ok());
        let (owner, group) = (
            RevocationFilter { owner: name(), ..empty() },
            RevocationFilter { group: name(), ..empty() },
        );
        let (by_user, by_id) = (
            "tokens_by_user_in_organization (user_id=? AND organization_id=?)",
            "sqlite_autoindex_tokens_1 (id=?)",
        );
        for (user, selection, index) in [
            (None, Selection::Ids(&[]), by_id),
            (Some(UserId(0)), Selection::Ids(&[]), by_id),
            (None, Selection::Filter(&owner, &[]), by_user),
            (Some(UserId(0)), Selection::Filter(&empty(), &[]), by_user),
            (None, Selection::Filter(&group, &[]), "tokens_by_group (group_uuid=?)"),
        ] {
            let of = TokensOf { slug: &slug, organization: OrganizationId(0), user };
            let Range { index: hint, condition, parameters } = range(of, selection, 1, false);
            let select = format!("SELECT x.position FROM tokens x{hint} WHERE {condition}");
            let plan = plan(&Statement::new(select, parameters));
            assert!(plan.contains(&["SEARCH x USING INDEX ", index].concat()), "{plan}");
        }
    }
}
