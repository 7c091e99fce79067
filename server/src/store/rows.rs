//! Rows into records. A row that cannot be read means a damaged database: it is an error, never a
//! panic.

use super::access::{Access, FoundDetails, FoundToken, Reach, TargetMember};
use super::audit::chain::{AnyChain, CLOSED, Chain, ChainHead, Hash, Link, NamedHead};
use super::connection::Row;
use super::{Error, Result};
use crate::caller::{Binding, Caller, OrganizationId, Origin, Role, UserId};
use crate::limits::Limits;
use crate::name::{Name, Slug};
use crate::records::{
    AuditLog, Group, Member, OrganizationToken, Token, TokenDetails, TokenOwner, TokenPolicy,
};
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

/// Reads milliseconds since the Unix epoch.
pub fn time(row: &dyn Row, column: usize) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_millis(row.integer(column)?).ok_or_else(|| corrupt("a time"))
}

fn scopes(row: &dyn Row, column: usize) -> Result<Scopes> {
    Scopes::from_bits(row.integer(column)?).ok_or_else(|| corrupt("a set of scopes"))
}

/// Reads a token id.
pub fn token_id(row: &dyn Row, column: usize) -> Result<TokenId> {
    let bytes = row.bytes(column)?.try_into().map_err(|_| corrupt("a token id"))?;
    Ok(TokenId::from_bytes(bytes))
}

/// Reads a hash of the audit log.
pub fn hash(row: &dyn Row, column: usize) -> Result<Hash> {
    row.bytes(column)?.try_into().map_err(|_| corrupt("a hash"))
}

/// Reads columns: time, entries, hash.
pub fn head(row: &dyn Row, from: usize, chain: Chain) -> Result<ChainHead> {
    let (time, entries) = (time(row, from)?, row.integer(from + 1)?);
    Ok(ChainHead { chain, time, entries, hash: hash(row, from + 2)? })
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

/// Reads columns: expiry, addresses. Both may be null.
fn limits(row: &dyn Row, from: usize) -> Result<Limits> {
    let (expires_at, allowed_ips) =
        (optional(row, from, time)?, optional(row, from + 1, parse_text)?);
    Ok(Limits { expires_at, allowed_ips })
}

/// Reads the columns that `access!` begins with.
pub fn access(row: &dyn Row) -> Result<Access> {
    let user = UserId(row.integer(8)?);
    let caller = Caller {
        token: token_id(row, 0)?,
        token_name: parse_text(row, 1)?,
        binding: binding(row, 2)?,
        limits: limits(row, 5)?,
        valid_until: optional(row, 7, time)?,
        user,
        username: parse_text(row, 9)?,
        email: row.text(10)?.to_owned(),
        origin: Origin::Web,
    };
    let user_head = head(row, 11, Chain::User(user))?;
    let time = user_head.time;
    let organization = optional(row, 15, |row, _| reach(row, time))?;
    Ok(Access { caller, user_head, organization, time, foreign_commits: Some(0) })
}

fn reach(row: &dyn Row, time: DateTime<Utc>) -> Result<Reach> {
    let id = OrganizationId(row.integer(14)?);
    let (entries, hash) = (row.integer(19)?, hash(row, 20)?);
    let head = ChainHead { chain: Chain::Organization(id), time, entries, hash };
    Ok(Reach { id, role: parse_text(row, 15)?, policy: policy(row, 16)?, head })
}

/// Reads columns: default, maximum, whether unrestricted tokens are allowed.
pub fn policy(row: &dyn Row, from: usize) -> Result<TokenPolicy> {
    Ok(TokenPolicy {
        default_expiration: parse_text(row, from)?,
        maximum_expiration: parse_text(row, from + 1)?,
        allow_unrestricted: row.integer(from + 2)? != 0,
    })
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

/// Reads columns: those of [`token`], user id, those of [`limits`], time of the rotation, end of the
/// previous secret, last use, its address. The last four may be null.
pub fn found_details(row: &dyn Row, from: usize) -> Result<FoundDetails> {
    let OrganizationToken { token, owner } = token(row, from)?;
    let Limits { expires_at, allowed_ips } = limits(row, from + 9)?;
    let details = TokenDetails {
        name: token.name,
        id: token.id,
        organization: parse_text(row, from + 7)?,
        group: token.group,
        scopes: token.scopes,
        owner,
        created_at: token.created_at,
        expires_at,
        allowed_ips,
        rotated_at: optional(row, from + 11, time)?,
        previous_secret_expires_at: optional(row, from + 12, time)?,
        last_used_at: optional(row, from + 13, time)?,
        last_used_ip: optional(row, from + 14, parse_text)?,
    };
    Ok(FoundDetails { details, user: UserId(row.integer(from + 8)?) })
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
pub fn audit_log(row: &dyn Row, from: usize) -> Result<AuditLog> {
    Ok(AuditLog {
        code: row.text(from)?.to_owned(),
        message: row.text(from + 1)?.to_owned(),
        origin: parse_text(row, from + 2)?,
        author: row.text(from + 3)?.to_owned(),
        created_at: time(row, from + 4)?,
        data: serde_json::from_str(row.text(from + 5)?).map_err(|_| corrupt("an audit entry"))?,
    })
}
