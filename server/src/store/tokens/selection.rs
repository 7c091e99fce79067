//! The statements that find, and revoke, the tokens of an organization that a request selects.

use super::super::connection::{Row, Statement, Value, hex_list, in_hex_list, sql};
use super::super::remembered::Touched;
use super::super::{Result, Snapshot, Transaction, rows};
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

/// A condition on the tokens `x`, with its parameters.
struct Condition {
    text: String,
    parameters: Vec<Value>,
    is_postgres: bool,
}

impl Condition {
    /// Selects live tokens of an organization: all of them, or those of one user.
    fn new(organization: OrganizationId, user: Option<UserId>, is_postgres: bool) -> Self {
        let text = "x.organization_id = $1 AND (x.expires_at IS NULL OR x.expires_at > now_ms())";
        let parameters = vec![organization.into()];
        let mut condition = Self { text: text.to_owned(), parameters, is_postgres };
        condition.and("x.user_id = ", user.map(|user| user.0), "");
        condition
    }

    /// Adds a condition with a parameter in its middle, if there is one.
    fn and(&mut self, before: &str, parameter: Option<impl Into<Value>>, after: &str) {
        if let Some(parameter) = parameter {
            self.parameters.push(parameter.into());
            let number = self.parameters.len().to_string();
            self.text += &[" AND ", before, "$", &number, after].concat();
        }
    }

    fn select(mut self, selection: Selection<'_>) -> Self {
        match selection {
            Selection::Ids(ids) => {
                self.parameters.push(hex_list(ids.iter().map(TokenId::as_bytes)));
                let list = in_hex_list("x.id", self.parameters.len(), self.is_postgres);
                self.text += &[" AND ", &list].concat();
            }
            Selection::Filter(filter) => {
                let RevocationFilter { owner, group, created_before, .. } = filter;
                let (owner, group) = (owner.as_ref(), group.as_ref());
                let users = "x.user_id = (SELECT u.id FROM users u WHERE u.username = ";
                self.and(users, owner.map(Name::as_str), ")");
                let groups = "x.group_uuid = (SELECT g.uuid FROM organization_groups g
                     WHERE g.organization_id = x.organization_id AND g.name = ";
                self.and(groups, group.map(Name::as_str), ")");
                let time = created_before.map(|time| time.timestamp_millis());
                self.and("x.created_at < ", time, "");
                let time = filter.last_used_before.map(|time| time.timestamp_millis());
                self.and("x.last_used_at < ", time, "");
                self.text += match filter.never_used {
                    Some(true) => " AND x.last_used_at IS NULL",
                    Some(false) => " AND x.last_used_at IS NOT NULL",
                    None => "",
                };
            }
        }
        self
    }

    /// Returns a statement with this condition and a limit between two texts.
    fn statement(mut self, before: &str, limit: usize, after: &str) -> Statement {
        self.parameters.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
        let (condition, number) = (self.text, self.parameters.len());
        let text = format!("{before}{condition} ORDER BY x.position LIMIT ${number}{after}");
        sql(text, self.parameters)
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
        let condition = Condition::new(organization, user, self.connection.is_postgres());
        let select = "SELECT x.id, x.name, x.created_at, x.scopes, g.name, w.username
             FROM tokens x JOIN users w ON w.id = x.user_id
             LEFT JOIN organization_groups g ON g.uuid = x.group_uuid WHERE ";
        let found =
            self.all(condition.select(selection).statement(select, limit, ""), |row: &dyn Row| {
                let token =
                    Token { organization: Some(slug.clone()), ..rows::bound_token(row, 0)? };
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
        let condition = Condition::new(organization, user, self.connection.is_postgres());
        let before = "position IN (SELECT x.position FROM tokens x WHERE ";
        let range = condition.select(selection).statement(before, limit, ")");
        let touched = Touched::Organization(organization);
        self.delete_tokens(Some(slug), &range.sql, range.parameters, touched).await
    }
}
