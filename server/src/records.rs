//! The types of the contract, named as its schemas. The store reads them, the service returns them,
//! and the API declares them. They have no primary keys. Only [`MintedToken`] has a plain token.

#![expect(missing_docs, reason = "openapi.yaml describes the members")]

mod audit;
mod organizations;
mod revocation;
mod tokens;

pub use audit::{AuditLog, AuditLogPage, PageQuery, Pagination};
pub use organizations::{Group, Member, Organization, OrganizationKind, TokenPolicy, User};
pub use revocation::{
    LeakReport, RevocationFilter, RevokeTokensRequest, RevokedTokenItem, RevokedTokens,
};
pub(crate) use tokens::reveal;
pub use tokens::{
    CreateTokenRequest, CreatedToken, MintRequest, MintedToken, OrganizationToken,
    RotateTokenRequest, RotatedToken, Token, TokenDetails, TokenOwner,
};

/// A page of a list, and the cursor of the next page.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T, C> {
    pub items: Vec<T>,
    /// The cursor of the next page; `None` after the last page.
    pub next: Option<C>,
}

/// Which page of a list to read.
#[derive(Clone, Copy, Debug)]
pub struct PageRange<C> {
    /// The cursor of the page: its items come after this one.
    pub after: C,
    /// The maximum number of items.
    pub limit: u32,
}

impl<T, C> Page<T, C> {
    /// Returns a page. It is the last one if it has fewer than `limit` items.
    pub(crate) fn new(items: Vec<T>, limit: u32, cursor: impl FnOnce(&T) -> C) -> Self {
        let next = items.last().filter(|_| items.len() >= limit as usize).map(cursor);
        Self { items, next }
    }

    pub(crate) fn map<U>(self, item: impl FnMut(T) -> U) -> Page<U, C> {
        Page { items: self.items.into_iter().map(item).collect(), next: self.next }
    }
}
