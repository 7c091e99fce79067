//! Rows into records. A row that does not spell one means a damaged database, and
//! says so; it never panics.

use super::audit::chain::{Hash, Link, NO_ORGANIZATION};
use super::connection::Row;
use super::{AuditEntry, Error, Group, Member, Organization, Result, Token, User};
use crate::access::{Binding, OrganizationId, Origin, Role, UserId};
use crate::scope::Scopes;
use crate::token::TokenId;
use chrono::{DateTime, Utc};
use std::str::FromStr;
use uuid::Uuid;

fn damaged(what: &str) -> Error {
    Error::Broken(format!("the database is damaged: it holds {what} that is none"))
}

/// A name, slug or role: whatever reads itself from text.
pub fn word<T: FromStr>(row: &dyn Row, column: usize) -> Result<T> {
    row.text(column)?.parse().map_err(|_| damaged("a name"))
}

fn uuid(row: &dyn Row, column: usize) -> Result<Uuid> {
    Uuid::from_slice(row.bytes(column)?).map_err(|_| damaged("a UUID"))
}

fn time(row: &dyn Row, column: usize) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_millis(row.integer(column)?).ok_or_else(|| damaged("a time"))
}

fn scopes(row: &dyn Row, column: usize) -> Result<Scopes> {
    Scopes::from_bits(row.integer(column)?).ok_or_else(|| damaged("a set of scopes"))
}

pub fn token_id(row: &dyn Row, column: usize) -> Result<TokenId> {
    let bytes = row.bytes(column)?.try_into().map_err(|_| damaged("a token id"))?;
    Ok(TokenId::from_bytes(bytes))
}

pub fn role(row: &dyn Row, column: usize) -> Result<Role> {
    Role::from_str(row.text(column)?).map_err(|_| damaged("a role"))
}

/// Columns: id, username, email.
pub fn user(row: &dyn Row, from: usize) -> Result<User> {
    Ok(User {
        id: UserId(row.integer(from)?),
        username: word(row, from + 1)?,
        email: row.text(from + 2)?.to_owned(),
    })
}

/// Columns: id, slug.
pub fn organization(row: &dyn Row, from: usize) -> Result<Organization> {
    Ok(Organization { id: OrganizationId(row.integer(from)?), slug: word(row, from + 1)? })
}

/// Columns: those of a user, role.
pub fn member(row: &dyn Row) -> Result<Member> {
    Ok(Member { user: user(row, 0)?, role: role(row, 3)? })
}

/// Columns: uuid, name, location, version.
pub fn group(row: &dyn Row) -> Result<Group> {
    Ok(Group {
        uuid: uuid(row, 0)?,
        name: word(row, 1)?,
        location: word(row, 2)?,
        version: row.text(3)?.to_owned(),
    })
}

/// Columns: organization, group, scopes; the first two may be null.
pub fn binding(row: &dyn Row, from: usize) -> Result<Binding> {
    if row.is_null(from) {
        return Ok(Binding::Unrestricted);
    }
    let organization = OrganizationId(row.integer(from)?);
    if row.is_null(from + 1) {
        return Ok(Binding::Organization(organization));
    }
    Ok(Binding::Group { organization, group: uuid(row, from + 1)?, scopes: scopes(row, from + 2)? })
}

/// Columns: id, name, time, those of a user, those of an organization, group name, scopes; the
/// organization and the group may be null.
pub fn token(row: &dyn Row) -> Result<Token> {
    let group = if row.is_null(8) { None } else { Some((word(row, 8)?, scopes(row, 9)?)) };
    Ok(Token {
        id: token_id(row, 0)?,
        name: word(row, 1)?,
        created_at: time(row, 2)?,
        owner: user(row, 3)?,
        organization: if row.is_null(6) { None } else { Some(organization(row, 6)?) },
        group,
    })
}

/// A hash of the audit log's chains.
pub fn hash(row: &dyn Row, column: usize) -> Result<Hash> {
    row.bytes(column)?.try_into().map_err(|_| damaged("a hash"))
}

/// Columns: id, organization, sequence, those of an audit entry, hash; the organization may be
/// null.
pub fn link(row: &dyn Row) -> Result<(Link<'_>, Hash)> {
    let organization = if row.is_null(1) { NO_ORGANIZATION } else { row.integer(1)? };
    let link = Link {
        organization,
        sequence: row.integer(2)?,
        code: row.text(3)?,
        message: row.text(4)?,
        origin: row.text(5)?,
        author: row.text(6)?,
        created_at: row.integer(7)?,
        data: row.text(8)?,
    };
    Ok((link, hash(row, 9)?))
}

/// Columns: code, message, origin, author, time, data.
pub fn audit_entry(row: &dyn Row) -> Result<AuditEntry> {
    Ok(AuditEntry {
        code: row.text(0)?.to_owned(),
        message: row.text(1)?.to_owned(),
        origin: Origin::from_str(row.text(2)?).map_err(|_| damaged("an origin"))?,
        author: row.text(3)?.to_owned(),
        created_at: time(row, 4)?,
        data: serde_json::from_str(row.text(5)?).map_err(|_| damaged("an audit entry"))?,
    })
}
