//! The statements that find, and revoke, the tokens of an organization that a request selects.

use super::super::connection::{Row, Value, hex_list, in_hex_list, sql};
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

/// Returns the range of at most `limit` of the selected live tokens `x` of an organization, or of a
/// user's in it, in the order of minting, with its parameters.
fn range(
    (organization, user): (OrganizationId, Option<UserId>),
    selection: Selection<'_>,
    limit: usize,
    is_postgres: bool,
) -> (String, Vec<Value>) {
    let live = "x.organization_id = $1 AND (x.expires_at IS NULL OR x.expires_at > now_ms())";
    let (mut range, mut parameters) = (live.to_owned(), vec![organization.into()]);
    let mut and = |before: &str, parameter: Option<Value>, after: &str| {
        if let Some(parameter) = parameter {
            parameters.push(parameter);
            let number = parameters.len().to_string();
            range += &[" AND ", before, "$", &number, after].concat();
        }
    };
    and("x.user_id = ", user.map(Value::from), "");
    match selection {
        Selection::Ids(ids) => {
            parameters.push(hex_list(ids.iter().map(TokenId::as_bytes)));
            range += &[" AND ", &in_hex_list("x.id", parameters.len(), is_postgres)].concat();
        }
        Selection::Filter(filter) => {
            let RevocationFilter { owner, group, .. } = filter;
            let users = "x.user_id = (SELECT u.id FROM users u WHERE u.username = ";
            and(users, owner.as_ref().map(Value::from), ")");
            let groups = "x.group_uuid = (SELECT g.uuid FROM organization_groups g
                 WHERE g.organization_id = x.organization_id AND g.name = ";
            and(groups, group.as_ref().map(Value::from), ")");
            and("x.created_at < ", filter.created_before.map(Value::from), "");
            and("x.last_used_at < ", filter.last_used_before.map(Value::from), "");
            range += match filter.never_used {
                Some(true) => " AND x.last_used_at IS NULL",
                Some(false) => " AND x.last_used_at IS NOT NULL",
                None => "",
            };
        }
    }
    parameters.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    (format!("{range} ORDER BY x.position LIMIT ${}", parameters.len()), parameters)
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
        let (range, parameters) = range((organization, user), selection, limit, is_postgres);
        let select = format!(
            "SELECT x.id, x.name, x.created_at, x.scopes, g.name, w.username
             FROM tokens x JOIN users w ON w.id = x.user_id
             LEFT JOIN organization_groups g ON g.uuid = x.group_uuid WHERE {range}"
        );
        let read = |row: &dyn Row| {
            let organization = Some(slug.clone());
            let token = Token { organization, ..rows::bound_token(row, 0)? };
            Ok((token, rows::parse_text(row, 5)?))
        };
        self.all(sql(select, parameters), read).await
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
        let (range, parameters) = range((organization, user), selection, limit, is_postgres);
        let range = format!("position IN (SELECT x.position FROM tokens x WHERE {range})");
        let touched = Touched::Organization(organization);
        self.delete_tokens(Some(slug), &range, parameters, touched).await
    }
}
