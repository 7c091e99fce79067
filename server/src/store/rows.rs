//! Converts rows to records. A malformed row means a damaged database: an error, never a panic.

use super::Result;
use super::access::{Access, FoundDetails, FoundToken, Reach, TargetMember};
use super::audit::chain::{AnyChain, CLOSED, Chain, ChainEntry, ChainHead, Hash, NamedHead};
use super::statement::{Row, corrupt};
use crate::caller::{Binding, Caller, Origin};
use crate::limits::Limits;
use crate::name::{Name, Slug};
use crate::records::{
    AuditLog, Group, Member, OrganizationToken, Token, TokenDetails, TokenOwner, TokenPolicy,
};
use crate::scope::Scopes;
use chrono::{DateTime, Utc};

/// Reads columns, unless the first one is null.
pub fn optional<T>(
    row: &dyn Row,
    column: usize,
    read: impl FnOnce(&dyn Row, usize) -> Result<T>,
) -> Result<Option<T>> {
    if row.is_null(column) { Ok(None) } else { read(row, column).map(Some) }
}

/// Reads columns: time, entries, hash.
pub fn head(row: &dyn Row, from: usize, chain: Chain) -> Result<ChainHead> {
    let (time, entries, hash) = (row.get(from)?, row.get(from + 1)?, row.get(from + 2)?);
    Ok(ChainHead { chain, time, entries, hash })
}

/// Reads columns: kind of chain, id and name of its user or organization, entries, hash.
pub fn named_head(row: &dyn Row) -> Result<(AnyChain, NamedHead)> {
    let (chain, name) = match row.get(0)? {
        "user" => (Some(Chain::User(row.get(1)?)), format!("user {}", row.get::<Name>(2)?)),
        "organization" => {
            let chain = Chain::Organization(row.get(1)?);
            (Some(chain), format!("organization {}", row.get::<Slug>(2)?))
        }
        _ => (None, CLOSED.to_owned()),
    };
    Ok((chain, NamedHead { name, entries: row.get(3)?, hash: row.get(4)? }))
}

/// Reads columns: organization, group, scopes. The first two may be null.
fn binding(row: &dyn Row, from: usize) -> Result<Binding> {
    Ok(match (row.get(from)?, row.get(from + 1)?) {
        (None, _) => Binding::Unrestricted,
        (Some(organization), None) => Binding::Organization(organization),
        (Some(organization), Some(group)) => {
            Binding::Group { organization, group, scopes: row.get(from + 2)? }
        }
    })
}

/// Reads columns: expiry, addresses. Both may be null.
fn limits(row: &dyn Row, from: usize) -> Result<Limits> {
    Ok(Limits { expires_at: row.get(from)?, allowed_ips: row.get(from + 1)? })
}

/// Reads the columns that `access!` begins with.
pub fn access(row: &dyn Row) -> Result<Access> {
    let caller = Caller {
        token: row.get(0)?,
        token_name: row.get(1)?,
        binding: binding(row, 2)?,
        limits: limits(row, 5)?,
        valid_until: row.get(7)?,
        user: row.get(8)?,
        username: row.get(9)?,
        email: row.get(10)?,
        origin: Origin::Web,
    };
    let user_head = head(row, 11, Chain::User(caller.user))?;
    let time = user_head.time;
    let organization = optional(row, 15, |row, _| reach(row, 14, time))?;
    Ok(Access { caller, user_head, organization, time, foreign_commits: Some(0) })
}

/// Reads columns: id, role, default, maximum, whether it allows unrestricted tokens, entries, hash.
pub fn reach(row: &dyn Row, from: usize, time: DateTime<Utc>) -> Result<Reach> {
    let (id, entries, hash) = (row.get(from)?, row.get(from + 5)?, row.get(from + 6)?);
    let policy = TokenPolicy {
        default_expiration: row.get(from + 2)?,
        maximum_expiration: row.get(from + 3)?,
        allow_unrestricted: row.get(from + 4)?,
    };
    let head = ChainHead { chain: Chain::Organization(id), time, entries, hash };
    Ok(Reach { id, role: row.get(from + 1)?, policy, head })
}

/// Reads columns: id, name, time, scopes, group's name. The last may be null.
pub fn bound_token(row: &dyn Row, from: usize) -> Result<Token> {
    Ok(Token {
        id: row.get(from)?,
        name: row.get(from + 1)?,
        created_at: row.get(from + 2)?,
        organization: None,
        group: row.get(from + 4)?,
        scopes: Some(row.get(from + 3)?).filter(|scopes| *scopes != Scopes::default()),
    })
}

/// Reads columns: those of [`bound_token`], then nullable owner's name, owner's address,
/// organization.
pub fn token(row: &dyn Row, from: usize) -> Result<OrganizationToken> {
    let owner = optional(row, from + 5, |row, column| {
        Ok(TokenOwner { username: row.get(column)?, email: row.get(column + 1)? })
    })?;
    let organization = row.get(from + 7)?;
    Ok(OrganizationToken { token: Token { organization, ..bound_token(row, from)? }, owner })
}

/// Reads columns: those of [`bound_token`], owner's name, organization, organization id, user id.
/// The organization may be null.
pub fn found_token(row: &dyn Row, from: usize) -> Result<FoundToken> {
    Ok(FoundToken {
        token: Token { organization: row.get(from + 6)?, ..bound_token(row, from)? },
        owner: row.get(from + 5)?,
        organization: row.get(from + 7)?,
        user: row.get(from + 8)?,
    })
}

/// Reads columns: those of [`token`], user id, those of [`limits`], time of the rotation, end of
/// the overlap, time and address of the last use. The last four may be null.
pub fn found_details(row: &dyn Row, from: usize) -> Result<FoundDetails> {
    let OrganizationToken { token, owner } = token(row, from)?;
    let Limits { expires_at, allowed_ips } = limits(row, from + 9)?;
    let details = TokenDetails {
        name: token.name,
        id: token.id,
        organization: row.get(from + 7)?,
        group: token.group,
        scopes: token.scopes,
        owner,
        created_at: token.created_at,
        expires_at,
        allowed_ips,
        rotated_at: row.get(from + 11)?,
        previous_secret_expires_at: row.get(from + 12)?,
        last_used_at: row.get(from + 13)?,
        last_used_ip: row.get(from + 14)?,
    };
    Ok(FoundDetails { details, user: row.get(from + 8)? })
}

/// Reads columns: user id, address, role, whether there is another owner. The role may be null.
pub fn target_member(row: &dyn Row, from: usize) -> Result<TargetMember> {
    Ok(TargetMember {
        user: row.get(from)?,
        email: row.get(from + 1)?,
        role: row.get(from + 2)?,
        has_other_owner: row.get(from + 3)?,
    })
}

/// Reads columns: username, role, address.
pub fn member(row: &dyn Row, from: usize) -> Result<Member> {
    Ok(Member { username: row.get(from)?, role: row.get(from + 1)?, email: row.get(from + 2)? })
}

/// Reads columns: uuid, name, location, version.
pub fn group(row: &dyn Row, from: usize) -> Result<Group> {
    let (name, location) = (row.get(from + 1)?, row.get(from + 2)?);
    Ok(Group::new(name, row.get(from)?, location, row.get(from + 3)?))
}

/// Reads columns: id, organization, user, sequence, code, message, origin, author, time, data,
/// hash. The organization and the user may be null.
pub fn chain_entry(row: &dyn Row) -> Result<(ChainEntry<'_>, Hash)> {
    let organization = row.get::<Option<_>>(1)?.map(Chain::Organization);
    let entry = ChainEntry {
        chain: organization.or(row.get::<Option<_>>(2)?.map(Chain::User)),
        sequence: row.get(3)?,
        code: row.get(4)?,
        message: row.get(5)?,
        origin: row.get(6)?,
        author: row.get(7)?,
        created_at: row.get(8)?,
        data: row.get(9)?,
    };
    Ok((entry, row.get(10)?))
}

/// Reads columns: code, message, origin, author, time, data.
pub fn audit_log(row: &dyn Row, from: usize) -> Result<AuditLog> {
    Ok(AuditLog {
        code: row.get(from)?,
        message: row.get(from + 1)?,
        origin: row.get(from + 2)?,
        author: row.get(from + 3)?,
        created_at: row.get(from + 4)?,
        data: serde_json::from_str(row.get(from + 5)?).map_err(|_| corrupt(from + 5))?,
    })
}
