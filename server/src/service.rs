//! The domain's verbs. Each takes the caller first, asks the policy, and makes its
//! change in one transaction, audit entry included; the operator's, who needs no
//! credential, are apart in `admin`. No HTTP, no SQL.

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
use crate::store::{self, Organization, Snapshot, Store, Transaction};
use crate::token::{PlainToken, TokenDigest};
use std::sync::Arc;

/// How often a verb is run again after the database undid it for the sake of another change.
const RETRIES: u32 = 3;

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
        self.caller(&token.digest(), origin).await
    }

    /// What a text hears that is no token: the same as a token that is not known, and after the
    /// same time.
    ///
    /// # Errors
    /// [`Error::DeadCredential`], always.
    pub async fn authenticate_nobody(&self, origin: Origin) -> Result<Caller> {
        self.caller(&TokenDigest::NOBODY, origin).await
    }

    async fn caller(&self, digest: &TokenDigest, origin: Origin) -> Result<Caller> {
        self.view(move |mut view| async move { Ok(view.caller(digest, origin).await?) })
            .await?
            .ok_or(Error::DeadCredential)
    }

    /// Runs a verb that reads.
    async fn view<T, F: Future<Output = Result<T>>>(
        &self,
        verb: impl Fn(Snapshot) -> F,
    ) -> Result<T> {
        let verb = &verb;
        retried(move || async move { verb(self.store.read().await?).await }).await
    }

    /// Runs a verb that changes, and commits, for a caller.
    async fn change<T, F: Future<Output = Result<T>>>(
        &self,
        caller: &Caller,
        verb: impl Fn(Transaction) -> F,
    ) -> Result<T> {
        let verb = &verb;
        retried(move || async move { verb(begun(self.store.write().await?, caller).await?).await })
            .await
    }

    /// Runs a verb that takes credentials away: a full disk must not keep one alive, so it is
    /// tried again with the room that was kept for this.
    async fn urgently<T, F: Future<Output = Result<T>>>(
        &self,
        caller: &Caller,
        verb: impl Fn(Transaction) -> F,
    ) -> Result<T> {
        let verb = &verb;
        let attempt = move || async move {
            verb(begun(self.store.write_urgently().await?, caller).await?).await
        };
        match retried(attempt).await {
            Err(Error::Unavailable(store::Error::Full(_))) if self.store.make_room().await => {
                retried(attempt).await
            }
            decided => decided,
        }
    }

    /// Runs a verb that changes, and commits, for the operator.
    async fn operate<T, F: Future<Output = Result<T>>>(
        &self,
        verb: impl Fn(Transaction) -> F,
    ) -> Result<T> {
        let verb = &verb;
        retried(move || async move { verb(self.store.write().await?).await }).await
    }
}

/// A transaction for this caller, whose token may have been revoked since it was authenticated:
/// nothing may be done with it once that was answered. So whatever could revoke it waits from
/// here on.
async fn begun(mut change: Transaction, caller: &Caller) -> Result<Transaction> {
    match caller.binding.organization() {
        None => change.lock_user(caller.user).await?,
        Some(organization) => change.lock_organization(organization).await?,
    }
    if change.is_live(caller.token).await? { Ok(change) } else { Err(Error::DeadCredential) }
}

/// Runs `attempt` again where the database undid it, which it says before anything was answered.
/// A commit whose outcome is unknown is no such case.
async fn retried<T, F: Future<Output = Result<T>>>(attempt: impl Fn() -> F) -> Result<T> {
    for _ in 0..RETRIES {
        match attempt().await {
            Err(Error::Unavailable(store::Error::Contended(_))) => {}
            decided => return decided,
        }
    }
    attempt().await
}

/// As [`reach`], and what was decided on stays so until the transaction ends.
async fn reach_to_change(
    change: &mut Transaction,
    caller: &Caller,
    slug: &Slug,
    action: Action,
) -> Result<(Organization, Extent)> {
    // A bound token's own organization is locked already, and it reaches no other.
    if caller.binding.organization().is_none()
        && let Some(organization) = change.organization(slug).await?
    {
        change.lock_organization(organization.id).await?;
    }
    reach(change, caller, slug, action).await
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// How often `retried` attempts what fails with `error` so many times.
    async fn attempts(failures: u32, error: fn(String) -> store::Error) -> (u32, bool) {
        let count = &AtomicU32::new(0);
        let outcome = retried(move || async move {
            let attempt = count.fetch_add(1, Ordering::SeqCst);
            if attempt < failures { Err(error(String::new()).into()) } else { Ok(()) }
        });
        let succeeds = outcome.await.is_ok();
        (count.load(Ordering::SeqCst), succeeds)
    }

    #[tokio::test]
    async fn what_gave_way_is_run_again_three_times_at_most() {
        assert_eq!(attempts(0, store::Error::Contended).await, (1, true));
        assert_eq!(attempts(3, store::Error::Contended).await, (4, true));
        assert_eq!(attempts(9, store::Error::Contended).await, (4, false));
    }

    #[tokio::test]
    async fn what_may_have_happened_is_never_run_again() {
        assert_eq!(attempts(9, store::Error::Unknown).await, (1, false));
        assert_eq!(attempts(9, store::Error::Unavailable).await, (1, false));
    }
}
