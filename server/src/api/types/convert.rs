//! Records of the domain into wire types. Nothing is decided here but how a thing
//! is spelled.

use super::{
    AssignableRole, AuditLog, AuditLogPage, Group, Member, Organization, OrganizationKind,
};
use super::{MintRequest, OrganizationToken, Pagination, Token, TokenOwner, User};
use crate::access::{Caller, Role};
use crate::{service, store};

impl From<MintRequest> for service::MintRequest {
    fn from(MintRequest { organization, group, scopes }: MintRequest) -> Self {
        Self { organization, group, scopes }
    }
}

impl From<AssignableRole> for Role {
    fn from(role: AssignableRole) -> Self {
        match role {
            AssignableRole::Admin => Self::Admin,
            AssignableRole::Member => Self::Member,
            AssignableRole::Viewer => Self::Viewer,
        }
    }
}

impl From<store::Token> for Token {
    fn from(token: store::Token) -> Self {
        let (group, scopes) = token.group.unzip();
        Self {
            name: token.name,
            id: token.id,
            organization: token.organization.map(|organization| organization.slug),
            group,
            scopes: scopes.map(|scopes| scopes.iter().collect()),
            created_at: token.created_at.format("%Y-%m-%d").to_string(),
        }
    }
}

impl OrganizationToken {
    /// A listed token, with who minted it where the caller may see that.
    pub fn new(token: store::Token, with_owner: bool) -> Self {
        let store::User { username, email, .. } = token.owner.clone();
        let owner = with_owner.then_some(TokenOwner { username, email });
        Self { token: token.into(), owner }
    }
}

impl From<Caller> for User {
    fn from(caller: Caller) -> Self {
        Self { username: caller.username, name: None, email: caller.email }
    }
}

impl From<store::Organization> for Organization {
    fn from(store::Organization { slug, .. }: store::Organization) -> Self {
        // Nothing here is metered, so there is no quota to bill or to block for.
        let (overages, blocked_reads, blocked_writes) = (false, false, false);
        let (name, kind) = (slug.clone(), OrganizationKind::Team);
        Self { name, slug, kind, overages, blocked_reads, blocked_writes }
    }
}

impl From<store::Member> for Member {
    fn from(store::Member { user, role }: store::Member) -> Self {
        Self { username: user.username, role, email: user.email }
    }
}

impl From<store::Group> for Group {
    fn from(group: store::Group) -> Self {
        Self {
            name: group.name,
            uuid: group.uuid,
            version: group.version,
            locations: vec![group.location.clone()],
            primary: group.location,
            // No operation of the contract protects a group.
            delete_protection: false,
        }
    }
}

impl From<store::AuditEntry> for AuditLog {
    fn from(entry: store::AuditEntry) -> Self {
        Self {
            code: entry.code,
            message: entry.message,
            origin: entry.origin.as_str().to_owned(),
            author: entry.author,
            created_at: entry.created_at,
            data: entry.data,
        }
    }
}

impl AuditLogPage {
    /// A page as it was asked for.
    pub fn new(found: store::AuditPage, page: u32, page_size: u32) -> Self {
        let total_pages = found.total.div_ceil(u64::from(page_size));
        let pagination = Pagination { page, page_size, total_pages, total_rows: found.total };
        Self { audit_logs: found.entries.into_iter().map(AuditLog::from).collect(), pagination }
    }
}
