//! The operations of the domain. Each takes the credential first, reads who asks and decides by the
//! policy of `access` inside its one transaction, and records its change in the audit log. The
//! operator's operations, which need no credential, are in `operator`. No HTTP, no SQL.
//!
//! An operation may run again inside its transaction: it awaits nothing but the database and has no
//! other effect.

mod audit;
mod expiry;
mod members;
mod minting;
mod operator;
mod organizations;
mod policy;
mod revocation;
mod rotation;
mod texts;
mod tokens;
mod uses;

pub use audit::CODES;
pub use minting::MintPolicy;
pub use operator::{FIRST_TOKEN, Operator};
pub use tokens::TokenCursor;
pub use uses::Pause;

use crate::access::{self, Action, Extent};
use crate::caller::{Caller, Credential};
use crate::error::{Error, Result, StoreError};
use crate::name::Slug;
use crate::records::Page;
use crate::store::{Access, List, Purpose, Reach, Snapshot, Store, Transaction, View, WriteLock};
use std::sync::Arc;
use std::time::Duration;
use texts::Texts;
use tokio::sync::Mutex;
use uses::Uses;

/// How often an operation is run again after the database rolled it back because of another one.
const RETRIES: u32 = 3;

/// How long PostgreSQL may take for each statement of a change that revokes any number of tokens. Half a
/// million take about 5 seconds.
const CASCADE_TIMEOUT: Duration = Duration::from_mins(1);

/// How many items a page of a long list has: as few as a worker thread reads in a third of a
/// millisecond, so that small requests do not wait long for it.
const PAGE: u32 = 64;

/// How many items the first page has. A list that is no longer is answered in one piece.
const FIRST_PAGE: u32 = 256;

/// Returns how many items the page after this position has.
fn page_size<C>(after: Option<&C>) -> u32 {
    if after.is_some() { PAGE } else { FIRST_PAGE }
}

/// The service over one store. A clone is the same service.
#[derive(Clone, Debug)]
pub struct Service {
    store: Arc<Store>,
    texts: Arc<Texts>,
    mint_policy: MintPolicy,
    uses: Option<Arc<Uses>>,
    /// Is held while a refused secret is swept.
    sweeping: Arc<Mutex<()>>,
}

impl Service {
    /// Returns the service over this store, which refuses no mints and records no uses.
    pub fn new(store: Store) -> Self {
        let (texts, mint_policy, uses, sweeping) = Default::default();
        Self { store: Arc::new(store), texts, mint_policy, uses, sweeping }
    }

    /// Returns the same service with this policy for mints.
    #[must_use]
    pub fn with_mint_policy(self, mint_policy: MintPolicy) -> Self {
        Self { mint_policy, ..self }
    }

    /// Returns the same service, which records when and from where tokens are used.
    #[must_use]
    pub fn with_last_use(self) -> Self {
        Self { uses: Some(Arc::default()), ..self }
    }

    /// Returns the store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the operations in an organization.
    pub fn within<'a>(&'a self, credential: &'a Credential, slug: &'a Slug) -> InOrganization<'a> {
        InOrganization { service: self, credential, slug }
    }

    /// Returns the user and the binding behind a credential at this moment.
    ///
    /// # Errors
    /// [`Error::DeadCredential`] if it is unknown, revoked or expired, or its user is disabled.
    pub async fn authenticate(&self, credential: &Credential) -> Result<Caller> {
        Ok(self.store.access(credential, None).await?.access.caller.clone())
    }

    /// Runs an operation that reads.
    async fn read<T, F>(&self, view: View, operation: impl Fn(Snapshot) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let operation = &operation;
        retry(move || async move { operation(self.store.read(view).await?).await }).await
    }

    /// Runs an operation that writes under the lock of `lock`, and commits.
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
        // A dead credential must not wait with others in the queue.
        if self.store.is_busy(lock) && credential.accepted_as().is_none() {
            self.authenticate(credential).await?;
        }
        let locked = |mut change: Transaction| {
            change.lock_as_caller(credential, lock);
            operation(change)
        };
        self.transact(lock, purpose, locked).await
    }

    /// Runs an operation in a transaction, and answers after the commit.
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
            // A refusal too may rest on changes of others that are not committed yet.
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
            // A revocation that finds the disk full runs again with the space that is reserved for it.
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

    /// Returns the page of a list after the item named, if the caller may do `action`.
    async fn list<T: Send, N: AsRef<str> + Clone>(
        &self,
        list: &List<T, N>,
        after: Option<N>,
        action: Action,
    ) -> Result<Page<T, N>> {
        let range = (after.as_ref(), page_size(after.as_ref()));
        self.read(View::Statement, |mut view| async move {
            let (access, page) = view.list(list, self.credential, Some(self.slug), range).await?;
            reach(access, action)?;
            Ok(page)
        })
        .await
    }

    /// Returns who asks, the organization, and how much of `action` the caller may do in it.
    async fn reach(&self, view: &mut Snapshot, action: Action) -> Result<(Caller, Reach, Extent)> {
        reach(view.access(self.credential, Some(self.slug)).await?, action)
    }
}

/// What an operation that writes returns: its transaction, for the commit, and its value.
type Written<T> = Result<(Transaction, T)>;

/// Runs `attempt` again if the database rolled it back. A commit whose outcome is unknown is never
/// run again.
async fn retry<T, F: Future<Output = Result<T>>>(attempt: impl Fn() -> F) -> Result<T> {
    for _ in 0..RETRIES {
        match attempt().await {
            Err(Error::Unavailable(StoreError::Contended(_))) => {}
            outcome => return outcome,
        }
    }
    attempt().await
}

/// Returns the organization that the request names, and how much of `action` the caller may do in
/// it.
fn reach(access: Access, action: Action) -> Result<(Caller, Reach, Extent)> {
    let Access { caller, organization, .. } = access;
    let reach = organization.ok_or(Error::NO_ORGANIZATION)?;
    let extent = access::decide(&caller.binding, reach.place(), reach.role, action)?;
    Ok((caller, reach, extent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Returns how often `retry` attempts what fails so many times with `error`.
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
    async fn a_contended_operation_is_run_again_three_times_at_most() {
        assert_eq!(attempts(0, StoreError::Contended).await, (1, true));
        assert_eq!(attempts(3, StoreError::Contended).await, (4, true));
        assert_eq!(attempts(9, StoreError::Contended).await, (4, false));
    }

    #[tokio::test]
    async fn an_operation_that_may_have_happened_is_never_run_again() {
        assert_eq!(attempts(9, StoreError::Unknown).await, (1, false));
        assert_eq!(attempts(9, StoreError::Unavailable).await, (1, false));
    }
}
