//! The domain's verbs. Each takes the caller first, asks the policy, and does what
//! it does in one transaction, its audit entry included. No HTTP, no SQL.

mod admin;
mod audit;
mod groups;
mod members;
mod organizations;
mod tokens;

pub use admin::Operator;
pub use tokens::{MintRequest, Minted, TokenPages};

use crate::access::{self, Action, Caller, Extent, Origin};
use crate::error::{Error, Result};
use crate::name::Slug;
use crate::store::{Organization, Snapshot, Store, Transaction};
use crate::token::PlainToken;
use std::sync::Arc;

/// The service over one store. A clone is the same service.
#[derive(Clone, Debug)]
pub struct Service {
    store: Arc<Store>,
}

impl Service {
    /// The service over this store.
    pub fn new(store: Store) -> Self {
        Self { store: Arc::new(store) }
    }

    /// Who a token acts as, at this moment.
    ///
    /// # Errors
    /// [`Error::DeadCredential`] where it is not, or no longer, known.
    pub async fn authenticate(&self, token: &PlainToken, origin: Origin) -> Result<Caller> {
        let caller = self.store.read().await?.caller(&token.digest(), origin).await?;
        caller.ok_or(Error::DeadCredential)
    }

    /// A transaction for this caller, whose token may have been revoked since it was
    /// authenticated: nothing may be done with it once that was answered.
    async fn begin(&self, caller: &Caller) -> Result<Transaction> {
        let mut change = self.store.write().await?;
        if change.is_live(caller.token).await? { Ok(change) } else { Err(Error::DeadCredential) }
    }
}

/// The organization of this slug and how much of `action` the caller may do in it.
async fn reach(
    view: &mut Snapshot,
    caller: &Caller,
    slug: &Slug,
    action: Action,
) -> Result<(Organization, Extent)> {
    let membership = view.membership(caller.user, slug).await?.ok_or(Error::NO_ORGANIZATION)?;
    let extent =
        access::decide(&caller.binding, membership.organization.id, membership.role, action)?;
    Ok((membership.organization, extent))
}
