//! Rows into records. A row that cannot be read means a damaged database: it is an error, never a
//! panic.

use super::access::{Access, FoundToken, Reach, TargetMember};
use super::audit::chain::{AnyChain, CLOSED, Chain, ChainHead, Hash, Link, NamedHead};
use super::connection::Row;
use super::{Error, Result};
use crate::caller::{Binding, Caller, OrganizationId, Origin, Role, UserId};
use crate::name::{Name, Slug};
use crate::records::{AuditLog, Group, Member, OrganizationToken, Token, TokenOwner};
use crate::scope::Scopes;
use crate::token::TokenId;
use chrono::{DateTime, Utc};
use std::str::FromStr;
use uuid::Uuid;

fn corrupt(what: &str) -> Error {
    Error::Broken(format!("the database is damaged: it holds {what} that is none"))
}

/// Reads a name, slug or role.
pub fn parse_text<T: FromStr>(row: &dyn Row, column: usize) -> Result<T> {
    row.text(column)?.parse().map_err(|_| corrupt("a name"))
}

/// Reads columns that are null if there is none.
pub fn optional<T>(
    row: &dyn Row,
    column: usize,
    read: impl FnOnce(&dyn Row, usize) -> Result<T>,
) -> Result<Option<T>> {
    if row.is_null(column) { Ok(None) } else { read(row, column).map(Some) }
}

fn uuid(row: &dyn Row, column: usize) -> Result<Uuid> {
    Uuid::from_slice(row.bytes(column)?).map_err(|_| corrupt("a UUID"))
}

fn time(row: &dyn Row, column: usize) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_millis(row.integer(column)?).ok_or_else(|| corrupt("a time"))
}

fn scopes(row: &dyn Row, column: usize) -> Result<Scopes> {
    Scopes::from_bits(row.integer(column)?).ok_or_else(|| corrupt("a set of scopes"))
}

fn token_id(row: &dyn Row, column: usize) -> Result<TokenId> {
    let bytes = row.bytes(column)?.try_into().map_err(|_| corrupt("a token id"))?;
    Ok(TokenId::from_bytes(bytes))
}

/// Reads a hash of the audit log.
pub fn hash(row: &dyn Row, column: usize) -> Result<Hash> {
    row.bytes(column)?.try_into().map_err(|_| corrupt("a hash"))
}

/// Reads columns: entries, hash.
pub fn head(row: &dyn Row, from: usize, chain: Chain) -> Result<ChainHead> {
    Ok(ChainHead { chain, entries: row.integer(from)?, hash: hash(row, from + 1)? })
}

/// Reads columns: kind of chain, its user's or organization's id and name, entries, hash.
pub fn named_head(row: &dyn Row) -> Result<(AnyChain, NamedHead)> {
    let id = row.integer(1)?;
    let (chain, name) = match row.text(0)? {
        "user" => {
            let name: Name = parse_text(row, 2)?;
            (Some(Chain::User(UserId(id))), format!("user {name}"))
        }
        "organization" => {
            let slug: Slug = parse_text(row, 2)?;
            (Some(Chain::Organization(OrganizationId(id))), format!("organization {slug}"))
        }
        _ => (None, CLOSED.to_owned()),
    };
    Ok((chain, NamedHead { name, entries: row.integer(3)?, hash: hash(row, 4)? }))
}

/// Reads columns: organization, group, scopes. The first two may be null.
fn binding(row: &dyn Row, from: usize) -> Result<Binding> {
    if row.is_null(from) {
        return Ok(Binding::Unrestricted);
    }
    let organization = OrganizationId(row.integer(from)?);
    Ok(match optional(row, from + 1, uuid)? {
        None => Binding::Organization(organization),
        Some(group) => Binding::Group { organization, group, scopes: scopes(row, from + 2)? },
    })
}

/// Reads the columns that `access!` begins with.
pub fn access(row: &dyn Row) -> Result<Access> {
    let user = UserId(row.integer(6)?);
    let caller = Caller {
        token: token_id(row, 0)?,
        token_name: parse_text(row, 1)?,
        binding: binding(row, 2)?,
        expires_at: optional(row, 5, time)?,
        user,
        username: parse_text(row, 7)?,
        email: row.text(8)?.to_owned(),
        origin: Origin::Web,
    };
    let user_head = head(row, 9, Chain::User(user))?;
    let organization = optional(row, 12, reach)?;
    Ok(Access { caller, user_head, organization, foreign_commits: Some(0) })
}

fn reach(row: &dyn Row, _: usize) -> Result<Reach> {
    let id = OrganizationId(row.integer(11)?);
    let head = head(row, 13, Chain::Organization(id))?;
    Ok(Reach { id, role: parse_text(row, 12)?, head })
}

/// Reads columns: id, name, time, scopes, group's name. The last may be null.
pub fn bound_token(row: &dyn Row, from: usize) -> Result<Token> {
    Ok(Token {
        id: token_id(row, from)?,
        name: parse_text(row, from + 1)?,
        created_at: time(row, from + 2)?,
        organization: None,
        group: optional(row, from + 4, parse_text)?,
        scopes: Some(scopes(row, from + 3)?).filter(|scopes| *scopes != Scopes::default()),
    })
}

/// Reads columns: those of [`bound_token`], owner's name, owner's address, organization. The last
/// three may be null.
pub fn token(row: &dyn Row, from: usize) -> Result<OrganizationToken> {
    let owner = optional(row, from + 5, |row, column| {
        let email = row.text(column + 1)?.to_owned();
        Ok(TokenOwner { username: parse_text(row, column)?, email })
    })?;
    let organization = optional(row, from + 7, parse_text)?;
    Ok(OrganizationToken { token: Token { organization, ..bound_token(row, from)? }, owner })
}

/// Reads columns: those of [`bound_token`], owner's name, organization, organization id, user id. The
/// organization may be null.
pub fn found_token(row: &dyn Row, from: usize) -> Result<FoundToken> {
    let organization = optional(row, from + 6, parse_text)?;
    let token = Token { organization, ..bound_token(row, from)? };
    let organization = optional(row, from + 7, |row, column| row.integer(column))?;
    let (organization, user) = (organization.map(OrganizationId), row.integer(from + 8)?);
    Ok(FoundToken { token, owner: parse_text(row, from + 5)?, organization, user: UserId(user) })
}

/// Reads columns: user id, address, role, other owner. The role may be null.
pub fn target_member(row: &dyn Row, from: usize) -> Result<TargetMember> {
    Ok(TargetMember {
        user: UserId(row.integer(from)?),
        email: row.text(from + 1)?.to_owned(),
        role: optional(row, from + 2, parse_text::<Role>)?,
        has_other_owner: row.integer(from + 3)? != 0,
    })
}

/// Reads columns: username, role, address.
pub fn member(row: &dyn Row) -> Result<Member> {
    let email = row.text(2)?.to_owned();
    Ok(Member { username: parse_text(row, 0)?, role: parse_text(row, 1)?, email })
}

/// Reads columns: uuid, name, location, version.
pub fn group(row: &dyn Row, from: usize) -> Result<Group> {
    let (name, location) = (parse_text(row, from + 1)?, parse_text(row, from + 2)?);
    Ok(Group::new(name, uuid(row, from)?, location, row.text(from + 3)?.to_owned()))
}

/// Reads columns: id, organization, user, sequence, code, message, origin, author, time, data, hash.
/// The organization and the user may be null.
pub fn link(row: &dyn Row) -> Result<(Link<'_>, Hash)> {
    let chain = match (row.is_null(1), row.is_null(2)) {
        (false, _) => Some(Chain::Organization(OrganizationId(row.integer(1)?))),
        (true, false) => Some(Chain::User(UserId(row.integer(2)?))),
        (true, true) => None,
    };
    let link = Link {
        chain,
        sequence: row.integer(3)?,
        code: row.text(4)?,
        message: row.text(5)?,
        origin: row.text(6)?,
        author: row.text(7)?,
        created_at: row.integer(8)?,
        data: row.text(9)?,
    };
    Ok((link, hash(row, 10)?))
}

/// Reads columns: code, message, origin, author, time, data.
pub fn audit_log(row: &dyn Row) -> Result<AuditLog> {
    Ok(AuditLog {
        code: row.text(0)?.to_owned(),
        message: row.text(1)?.to_owned(),
        origin: parse_text(row, 2)?,
        author: row.text(3)?.to_owned(),
        created_at: time(row, 4)?,
        data: serde_json::from_str(row.text(5)?).map_err(|_| corrupt("an audit entry"))?,
    })
}
