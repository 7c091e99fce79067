//! The operations of the domain. Each takes a credential first. In one transaction it authenticates the
//! caller, applies the policy of `access`, makes its change and adds an audit entry. The operations of
//! the operator, which need no credential, are in `operator`. No HTTP, no SQL.
//!
//! A transaction may be retried, so an operation inside it awaits only the database and has no other
//! side effects.

mod audit;
mod expiry;
mod list_cache;
mod members;
mod minting;
mod operator;
mod organizations;
mod policy;
mod revocation;
mod rotation;
mod tokens;
mod uses;

pub use audit::CODES;
pub use minting::MintPolicy;
pub use operator::{FIRST_TOKEN, Operator};
pub use tokens::TokenCursor;
pub use uses::Flush;

use crate::access::{self, Action, Extent};
use crate::caller::{Caller, Credential, UserId};
use crate::error::{Error, Result, StoreError};
use crate::name::Slug;
use crate::records::{Page, PageRange};
use crate::store::{Access, List, Purpose, Reach, Snapshot, Store, Transaction, View, WriteLock};
use list_cache::ListCache;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use uses::Uses;

/// How often a transaction is retried after a conflict with another one.
const RETRIES: u32 = 3;

/// How long PostgreSQL may take for each statement of a change that revokes any number of tokens. Half a
/// million take about 5 seconds.
const CASCADE_TIMEOUT: Duration = Duration::from_mins(1);

/// How many items a page of a long list has. A thread reads so many in a third of a millisecond, so
/// that small requests do not wait long.
const PAGE: u32 = 64;

/// How many items the first page of a list has. A list that is not longer is answered in one piece.
const FIRST_PAGE: u32 = 256;

/// Returns the page after a cursor, or the first page. The default of each type of cursor comes before
/// all items.
fn page_after<C: Default>(after: Option<C>) -> PageRange<C> {
    let limit = if after.is_some() { PAGE } else { FIRST_PAGE };
    PageRange { after: after.unwrap_or_default(), limit }
}

/// The service over one store. A clone is the same service.
#[derive(Clone, Debug)]
pub struct Service {
    store: Arc<Store>,
    list_cache: Arc<ListCache>,
    mint_policy: MintPolicy,
    uses: Option<Arc<Uses>>,
    /// Serializes the sweeps for refused secrets.
    refused_sweep: Arc<Mutex<()>>,
}

impl Service {
    /// Creates a service over this store, without limits on mints, and without recording uses of tokens.
    pub fn new(store: Store) -> Self {
        Self {
            store: Arc::new(store),
            list_cache: Arc::default(),
            mint_policy: MintPolicy::default(),
            uses: None,
            refused_sweep: Arc::default(),
        }
    }

    /// Sets the limits on mints.
    #[must_use]
    pub fn with_mint_policy(self, mint_policy: MintPolicy) -> Self {
        Self { mint_policy, ..self }
    }

    /// Makes the service record when and from where tokens are used.
    #[must_use]
    pub fn with_last_use(self) -> Self {
        Self { uses: Some(Arc::default()), ..self }
    }

    /// Returns the store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the operations in an organization, for the holder of this credential.
    pub fn within<'a>(&'a self, credential: &'a Credential, slug: &'a Slug) -> InOrganization<'a> {
        InOrganization { service: self, credential, slug }
    }

    /// Authenticates a credential. Returns its user and binding.
    ///
    /// # Errors
    /// [`Error::DeadCredential`] if it is unknown, revoked or expired, or its user is disabled.
    pub async fn authenticate(&self, credential: &Credential) -> Result<Caller> {
        Ok(self.store.access(credential, None).await?.access.caller.clone())
    }

    /// Runs a read operation, and retries it after a conflict.
    async fn read<T, F>(&self, view: View, operation: impl Fn(Snapshot) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let operation = &operation;
        retry(move || async move { operation(self.store.read(view).await?).await }).await
    }

    /// Runs a write operation in a transaction with `lock`, and commits.
    async fn write<T, F>(
        &self,
        credential: &Credential,
        lock: &WriteLock,
        purpose: Purpose,
        operation: impl Fn(Transaction) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Written<T>>,
    {
        // Rejects a dead credential before it waits for the lock.
        if self.store.is_busy(lock) && credential.accepted_as().is_none() {
            self.authenticate(credential).await?;
        }
        let locked = |mut change: Transaction| {
            change.lock_as_caller(credential, lock);
            operation(change)
        };
        self.transact(lock, purpose, locked).await
    }

    /// Runs an operation in a transaction, commits, and retries after a conflict.
    pub(crate) async fn transact<T, F>(
        &self,
        lock: &WriteLock,
        purpose: Purpose,
        operation: impl Fn(Transaction) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Written<T>>,
    {
        let operation = &operation;
        let run = move |change| async move {
            let (change, value) = operation(change).await?;
            change.commit().await?;
            Ok(value)
        };
        let attempt = move || async move {
            let change = self.store.write(lock, purpose).await?;
            let Some(batch) = change.batch(purpose) else { return run(change).await };
            let outcome = run(change).await;
            // An error may also be based on changes of the same batch that are not committed yet.
            match batch.committed().await {
                Ok(()) => outcome,
                Err(StoreError::Contended(_)) => {
                    batch.wait_for_revocations().await;
                    run(self.store.write_alone(lock, purpose).await?).await
                }
                Err(error) => Err(error.into()),
            }
        };
        match retry(&attempt).await {
            // On a full disk, a revocation is retried with the space that is reserved for it.
            Err(Error::Full(_))
                if purpose == Purpose::Revocation && self.store.release_reserve().await =>
            {
                retry(attempt).await
            }
            outcome => outcome,
        }
    }
}

/// The operations in an organization, for the holder of a credential.
#[derive(Clone, Copy, Debug)]
pub struct InOrganization<'a> {
    service: &'a Service,
    credential: &'a Credential,
    slug: &'a Slug,
}

impl InOrganization<'_> {
    async fn read<T, F>(&self, view: View, operation: impl Fn(Snapshot) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        self.service.read(view, operation).await
    }

    async fn write<T, F>(&self, purpose: Purpose, operation: impl Fn(Transaction) -> F) -> Result<T>
    where
        F: Future<Output = Written<T>>,
    {
        let lock = WriteLock::Organization(self.slug.clone());
        self.service.write(self.credential, &lock, purpose, operation).await
    }

    /// Returns the page of a list after an item, if the policy allows `action`.
    async fn list<T: Send, N: AsRef<str> + Clone>(
        &self,
        list: &List<T, N>,
        after: Option<N>,
        action: Action,
    ) -> Result<Page<T, N>> {
        let range = page_after(after.as_ref().map(N::as_ref));
        self.read(View::Statement, |mut view| async move {
            let (access, page) = view.list(list, self.credential, Some(self.slug), range).await?;
            authorize(access, action)?;
            Ok(page)
        })
        .await
    }

    /// Authorizes `action`. Returns the caller, the organization, and the extent that is allowed.
    async fn authorize(
        &self,
        view: &mut Snapshot,
        action: Action,
    ) -> Result<(Caller, Reach, Extent)> {
        authorize(view.access(self.credential, Some(self.slug)).await?, action)
    }
}

/// The result of a write operation: its transaction, to commit, and its value.
type Written<T> = Result<(Transaction, T)>;

/// Runs `attempt`, and retries it if the database rolled it back because of a conflict. A commit with an
/// unknown outcome is never retried.
async fn retry<T, F: Future<Output = Result<T>>>(attempt: impl Fn() -> F) -> Result<T> {
    for _ in 0..RETRIES {
        match attempt().await {
            Err(Error::Unavailable(StoreError::Contended(_))) => {}
            outcome => return outcome,
        }
    }
    attempt().await
}

/// Authorizes `action` in the organization that the request names. Returns the caller, the organization,
/// and the extent that is allowed.
fn authorize(access: Access, action: Action) -> Result<(Caller, Reach, Extent)> {
    let Access { caller, organization, .. } = access;
    let reach = organization.ok_or(Error::NO_ORGANIZATION)?;
    let extent = access::decide(&caller.binding, reach.place(), reach.role, action)?;
    Ok((caller, reach, extent))
}

/// Returns the caller if the policy allows only the caller's own tokens, or `None` if it allows all.
fn only_user(extent: Extent, caller: &Caller) -> Option<UserId> {
    (extent == Extent::Own).then_some(caller.user)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Returns how often `retry` runs an attempt that fails `failures` times, and whether it succeeds.
    async fn attempts(failures: u32, error: fn(String) -> StoreError) -> (u32, bool) {
        let count = &AtomicU32::new(0);
        let outcome = retry(move || async move {
            let attempt = count.fetch_add(1, Ordering::SeqCst);
            if attempt < failures { Err(error(String::new()).into()) } else { Ok(()) }
        });
        let succeeds = outcome.await.is_ok();
        (count.load(Ordering::SeqCst), succeeds)
    }

    #[tokio::test]
    async fn a_conflict_is_retried_three_times_at_most() {
        assert_eq!(attempts(0, StoreError::Contended).await, (1, true));
        assert_eq!(attempts(3, StoreError::Contended).await, (4, true));
        assert_eq!(attempts(9, StoreError::Contended).await, (4, false));
    }

    #[tokio::test]
    async fn an_unknown_outcome_is_never_retried() {
        assert_eq!(attempts(9, StoreError::Unknown).await, (1, false));
        assert_eq!(attempts(9, StoreError::Unavailable).await, (1, false));
    }
}
