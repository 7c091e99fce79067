//! The statements that find, and revoke, the tokens of an organization that a request selects.

use super::super::connection::{Row, Statement, Value, hex_list, in_hex_list, sql};
use super::super::remembered::Touched;
use super::super::{Result, Snapshot, Transaction, rows};
use super::returning_tokens;
use crate::caller::{OrganizationId, UserId};
use crate::name::{Name, Slug};
use crate::records::{RevocationFilter, Token};
use crate::token::TokenId;

/// Which tokens of an organization are meant.
#[derive(Clone, Copy, Debug)]
pub enum Selection<'a> {
    Ids(&'a [TokenId]),
    Filter(&'a RevocationFilter),
}

const BY_USER: &str = " INDEXED BY tokens_by_user_in_organization";

/// A condition on the tokens `x`, with its parameters.
struct Condition {
    text: String,
    parameters: Vec<Value>,
    /// What makes SQLite read no more tokens than it must.
    index: &'static str,
}

impl Condition {
    /// Selects live tokens of an organization: of all its users, or of one.
    fn new(
        (organization, user): (OrganizationId, Option<UserId>),
        selection: Selection<'_>,
        is_postgres: bool,
    ) -> Self {
        let live = "(x.expires_at IS NULL OR x.expires_at > now_ms())";
        let (parameters, user) = (vec![organization.0.into()], user.map(|user| user.0));
        match selection {
            Selection::Ids(ids) => {
                // The `+` keeps the indexes of an organization and a user out.
                let text = [live, " AND +x.organization_id = $1"].concat();
                let mut condition = Self { text, parameters, index: "" };
                condition.and("+x.user_id = ", user, "");
                condition.parameters.push(hex_list(ids.iter().map(TokenId::as_bytes)));
                let list = in_hex_list("x.id", condition.parameters.len(), is_postgres);
                condition.text += &[" AND ", &list].concat();
                condition
            }
            Selection::Filter(filter) => {
                let index = match filter {
                    _ if is_postgres => "",
                    _ if user.is_some() => BY_USER,
                    RevocationFilter { owner: Some(_), .. } => BY_USER,
                    RevocationFilter { group: Some(_), .. } => " INDEXED BY tokens_by_group",
                    _ => "",
                };
                let text = [live, " AND x.organization_id = $1"].concat();
                let mut condition = Self { text, parameters, index };
                condition.and("x.user_id = ", user, "");
                condition.and_filter(filter);
                condition
            }
        }
    }

    /// Adds a condition with a parameter in its middle, if there is one.
    fn and(&mut self, before: &str, parameter: Option<impl Into<Value>>, after: &str) {
        if let Some(parameter) = parameter {
            self.parameters.push(parameter.into());
            let number = self.parameters.len().to_string();
            self.text += &[" AND ", before, "$", &number, after].concat();
        }
    }

    fn and_filter(&mut self, filter: &RevocationFilter) {
        let RevocationFilter { owner, group, created_before, last_used_before, never_used } =
            filter;
        let users = "x.user_id = (SELECT u.id FROM users u WHERE u.username = ";
        self.and(users, owner.as_ref().map(Name::as_str), ")");
        let groups = "x.group_uuid = (SELECT g.uuid FROM organization_groups g
             WHERE g.organization_id = x.organization_id AND g.name = ";
        self.and(groups, group.as_ref().map(Name::as_str), ")");
        let [created_before, last_used_before] =
            [created_before, last_used_before].map(|time| time.map(|time| time.timestamp_millis()));
        self.and("x.created_at < ", created_before, "");
        self.and("x.last_used_at < ", last_used_before, "");
        self.text += match never_used {
            Some(true) => " AND x.last_used_at IS NULL",
            Some(false) => " AND x.last_used_at IS NOT NULL",
            None => "",
        };
    }

    /// Returns a statement with the tokens `x`, this condition and a limit between three texts.
    fn statement(mut self, before: &str, joins: &str, limit: usize, after: &str) -> Statement {
        self.parameters.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
        let Self { text, parameters, index } = self;
        let number = parameters.len();
        let text = format!(
            "{before} FROM tokens x{index} {joins} WHERE {text} ORDER BY x.position
             LIMIT ${number}{after}"
        );
        sql(text, parameters)
    }
}

impl Snapshot {
    /// Returns at most `limit` of the selected tokens of an organization, or of a user's in it, with
    /// their owners, in the order of minting.
    pub async fn selected_tokens(
        &mut self,
        (slug, organization, user): (&Slug, OrganizationId, Option<UserId>),
        selection: Selection<'_>,
        limit: usize,
    ) -> Result<Vec<(Token, Name)>> {
        let is_postgres = self.connection.is_postgres();
        let condition = Condition::new((organization, user), selection, is_postgres);
        let select = "SELECT x.id, x.name, x.created_at, x.scopes, g.name, w.username";
        let joins = "JOIN users w ON w.id = x.user_id
             LEFT JOIN organization_groups g ON g.uuid = x.group_uuid";
        let found = self.all(condition.statement(select, joins, limit, ""), |row: &dyn Row| {
            let token = Token { organization: Some(slug.clone()), ..rows::bound_token(row, 0)? };
            Ok((token, rows::parse_text(row, 5)?))
        });
        found.await
    }
}

impl Transaction {
    /// Revokes what [`Snapshot::selected_tokens`] returns.
    pub async fn delete_selected_tokens(
        &mut self,
        (slug, organization, user): (&Slug, OrganizationId, Option<UserId>),
        selection: Selection<'_>,
        limit: usize,
    ) -> Result<Vec<(Token, Name)>> {
        let is_postgres = self.connection.is_postgres();
        let condition = Condition::new((organization, user), selection, is_postgres);
        let before = "DELETE FROM tokens WHERE position IN (SELECT x.position";
        let delete = condition.statement(before, "", limit, concat!(")", returning_tokens!()));
        let delete = delete.touching(Touched::Organization(organization));
        self.delete_tokens(Some(slug), delete).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sqlite::plan;
    use super::*;

    #[test]
    fn what_a_request_names_is_found_without_reading_the_whole_organization() {
        let empty = || RevocationFilter {
            owner: None,
            group: None,
            created_before: None,
            last_used_before: None,
            never_used: Some(true),
        };
        let name = || "a".parse().ok();
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
            (None, Selection::Filter(&owner), by_user),
            (Some(UserId(0)), Selection::Filter(&empty()), by_user),
            (None, Selection::Filter(&group), "tokens_by_group (group_uuid=?)"),
        ] {
            let condition = Condition::new((OrganizationId(0), user), selection, false);
            let plan = plan(&condition.statement("SELECT x.position", "", 1, ""));
            assert!(plan.contains(&["SEARCH x USING INDEX ", index].concat()), "{plan}");
        }
    }
}
