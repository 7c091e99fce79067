//! Caches the result of [`Store::access`](super::Store::access) for each credential.
//!
//! On SQLite an entry is valid until another process commits (see `sqlite::commits`), or until this
//! process changes the user or an organization of the entry. Each statement says which of them it
//! invalidates. Before its commit, the cache stores the number of its transaction for them. An
//! entry holds how many transactions had ended before it was read. If that is less than the stored
//! number, the entry may be older than the commit, and the request reads again. Entries that are
//! read after the commit are valid.
//!
//! On PostgreSQL an entry is a guess: another server may have changed something. A change of this
//! process invalidates it too. Refusals are never cached.

use super::access::Access;
use crate::caller::{Credential, OrganizationId, UserId};
use crate::name::Slug;
use crate::token::TokenDigest;
use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;
use std::array;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many entries there are at most, about 600 bytes each.
const CAPACITY: usize = 32_768;

/// How many slots users and organizations share. Those in one slot are invalidated together.
const SLOTS: usize = 8_192;

/// The state of a database between two commits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Generation {
    /// Grows with the commits of other processes.
    pub foreign_commits: u64,
    /// How many write transactions of this process have ended.
    pub transactions: u64,
    /// Whether commits of other processes are not counted: on PostgreSQL.
    pub is_guess: bool,
}

/// The entries that a statement makes outdated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalidation {
    Nothing,
    /// Those of a user: it changes the user, or their tokens or memberships.
    User(UserId),
    /// Those of an organization: it changes the organization, its members or its tokens.
    Organization(OrganizationId),
    Everything,
}

/// The last entry of each credential.
pub struct AccessCache {
    entries: Cache<TokenDigest, Arc<CachedAccess>>,
    /// The last transaction that invalidated the users and organizations of each slot.
    slots: Box<[AtomicU64; SLOTS]>,
    /// The last transaction that invalidated everything.
    everything: AtomicU64,
    /// How many changes this process has sent to PostgreSQL.
    changes: AtomicU64,
}

/// An entry: the access that an earlier request read.
#[derive(Debug)]
pub struct CachedAccess {
    pub access: Access,
    /// The organization that the request named.
    slug: Option<Slug>,
    /// The state before it was read, if that is known.
    generation: Option<Generation>,
}

impl CachedAccess {
    /// Returns each invalidation that makes this entry outdated.
    fn invalidated_by(&self) -> impl Iterator<Item = Invalidation> {
        let Access { caller, organization, .. } = &self.access;
        let reached = organization.as_ref().map(|reach| reach.id);
        let organizations = caller.binding.organization().into_iter().chain(reached);
        let organizations = organizations.map(Invalidation::Organization);
        organizations.chain([Invalidation::User(caller.user), Invalidation::Everything])
    }
}

impl Default for AccessCache {
    fn default() -> Self {
        let slots = Box::new(array::from_fn(|_| AtomicU64::default()));
        Self { entries: Cache::new(CAPACITY), slots, everything: 0.into(), changes: 0.into() }
    }
}

impl AccessCache {
    /// Makes entries outdated, except those that are read after this transaction has ended.
    pub fn invalidate(&self, invalidation: Invalidation, transaction: u64) {
        if let Some(slot) = self.slot(invalidation) {
            slot.store(transaction, Ordering::SeqCst);
        }
    }

    /// Returns the state of a PostgreSQL database, as far as this process changes it.
    pub fn guess(&self) -> Generation {
        let transactions = self.changes.load(Ordering::SeqCst);
        Generation { transactions, is_guess: true, ..Generation::default() }
    }

    /// Returns the number of a change that is sent to PostgreSQL, for [`Self::invalidate`].
    pub fn next_change(&self) -> u64 {
        self.changes.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn slot(&self, invalidation: Invalidation) -> Option<&AtomicU64> {
        let number = match invalidation {
            Invalidation::Nothing => return None,
            Invalidation::Everything => return Some(&self.everything),
            Invalidation::User(UserId(id)) => id.wrapping_mul(2),
            Invalidation::Organization(OrganizationId(id)) => id.wrapping_mul(2).wrapping_add(1),
        };
        let [low, high, ..] = number.to_le_bytes();
        Some(&self.slots[usize::from(u16::from_le_bytes([low, high])) % SLOTS])
    }

    /// Returns the entry for a credential and an organization, unless this process has made it
    /// outdated.
    pub fn last_known(&self, credential: &Credential, slug: &Slug) -> Option<Arc<CachedAccess>> {
        let entry = self.entries.get(&credential.digest)?;
        let read = entry.generation?;
        (entry.slug.as_ref() == Some(slug) && self.is_unchanged(&entry, read)).then_some(entry)
    }

    /// Returns the entry if the database would give the same answer in this state, at this time.
    pub fn get(
        &self,
        credential: &Credential,
        slug: Option<&Slug>,
        generation: Generation,
        now: impl Fn() -> DateTime<Utc>,
    ) -> Option<Arc<CachedAccess>> {
        let entry = self.entries.get(&credential.digest)?;
        let caller = &entry.access.caller;
        // An entry with an organization also answers a request without one.
        let has_organization = slug.is_none() || entry.slug.as_ref() == slug;
        let is_live = |time| time > now();
        let is_valid = has_organization
            && caller.origin == credential.origin
            && caller.limits.allow(credential.address)
            && caller.valid_until.is_none_or(is_live)
            && self.is_valid(&entry, generation);
        if !is_valid {
            return None;
        }
        credential.mark_accepted(caller);
        Some(entry)
    }

    pub fn insert(
        &self,
        credential: &Credential,
        slug: Option<&Slug>,
        access: Access,
        generation: Option<Generation>,
    ) -> Arc<CachedAccess> {
        let entry = Arc::new(CachedAccess { access, slug: slug.cloned(), generation });
        // A guess, or an entry without a generation, must not replace one that may be valid.
        let is_exact = |of: Option<Generation>| of.is_some_and(|generation| !generation.is_guess);
        let may_be_valid = |old: Arc<CachedAccess>| is_exact(old.generation);
        let replaces = || !self.entries.get(&credential.digest).is_some_and(may_be_valid);
        if is_exact(generation) || slug.is_some() && replaces() {
            self.entries.insert(credential.digest, Arc::clone(&entry));
        }
        entry
    }

    fn is_valid(&self, entry: &CachedAccess, now: Generation) -> bool {
        let Some(read) = entry.generation else { return false };
        read.foreign_commits == now.foreign_commits && self.is_unchanged(entry, read)
    }

    /// Returns whether this process has not invalidated an entry that was read in this state.
    fn is_unchanged(&self, entry: &CachedAccess, read: Generation) -> bool {
        let is_older = |slot: &AtomicU64| slot.load(Ordering::SeqCst) <= read.transactions;
        entry.invalidated_by().filter_map(|by| self.slot(by)).all(is_older)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::{Binding, Caller, Origin, Role};
    use crate::limits::Limits;
    use crate::records::TokenPolicy;
    use crate::store::{Chain, ChainHead, Reach};
    use crate::token::{PlainToken, TokenId};
    use std::time::Duration;

    const USER: UserId = UserId(1);
    const EXPIRY: DateTime<Utc> = DateTime::UNIX_EPOCH;

    /// Caches the access of a token that is bound to organization 1 and expires at `EXPIRY`.
    fn insert(cache: &AccessCache, generation: Option<Generation>) -> Credential {
        let caller = Caller {
            token: TokenId::generate(DateTime::UNIX_EPOCH),
            token_name: "first".parse().unwrap(),
            limits: Limits::default(),
            valid_until: Some(EXPIRY),
            user: USER,
            username: "alice".parse().unwrap(),
            email: "alice@example.com".to_owned(),
            binding: Binding::Organization(OrganizationId(1)),
            origin: Origin::Web,
        };
        let user_head = ChainHead::start(Chain::User(USER), EXPIRY);
        let (organization, foreign_commits) = (None, Some(0));
        let access = Access { caller, user_head, organization, time: EXPIRY, foreign_commits };
        let credential = Credential::new(&PlainToken::generate().unwrap(), Origin::Web);
        cache.insert(&credential, None, access, generation);
        credential
    }

    fn generation(foreign_commits: u64, transactions: u64) -> Generation {
        Generation { foreign_commits, transactions, is_guess: false }
    }

    fn before_expiry() -> DateTime<Utc> {
        EXPIRY - Duration::from_millis(1)
    }

    #[test]
    fn an_entry_is_valid_until_another_process_commits_or_the_token_expires() {
        let cache = AccessCache::default();
        let credential = &insert(&cache, Some(generation(1, 1)));
        let get = |commits, now: fn() -> DateTime<Utc>| {
            cache.get(credential, None, generation(commits, 2), now)
        };
        assert_eq!(get(1, before_expiry).unwrap().access.caller.user, USER);
        assert!(get(2, before_expiry).is_none(), "another process has committed");
        assert!(get(1, || EXPIRY).is_none(), "the token has expired");
        let slug = "acme".parse().unwrap();
        let other = cache.get(credential, Some(&slug), generation(1, 2), before_expiry);
        assert!(other.is_none());
        let mut elsewhere = credential.clone();
        elsewhere.origin = Origin::Cli;
        assert!(cache.get(&elsewhere, None, generation(1, 2), before_expiry).is_none());
    }

    #[test]
    fn an_entry_that_is_read_after_the_invalidating_transaction_is_valid() {
        let acme = Invalidation::Organization(OrganizationId(1));
        for invalidation in [acme, Invalidation::User(USER), Invalidation::Everything] {
            let cache = AccessCache::default();
            cache.invalidate(invalidation, 8);
            for (read_after, is_valid) in [(7, false), (8, true)] {
                let credential = &insert(&cache, Some(generation(0, read_after)));
                let now = generation(0, 9);
                let entry = cache.get(credential, None, now, before_expiry);
                assert_eq!(entry.is_some(), is_valid, "{invalidation:?}");
            }
        }
    }

    #[test]
    fn an_entry_stays_valid_if_something_else_is_invalidated() {
        let cache = AccessCache::default();
        let credential = &insert(&cache, Some(generation(0, 1)));
        let other = Invalidation::Organization(OrganizationId(2));
        for invalidation in [Invalidation::Nothing, Invalidation::User(UserId(2)), other] {
            cache.invalidate(invalidation, 2);
        }
        let now = generation(0, 2);
        assert!(cache.get(credential, None, now, before_expiry).is_some());
    }

    #[test]
    fn an_entry_with_an_organization_also_answers_requests_without_one() {
        let cache = AccessCache::default();
        let [slug, other] = ["acme", "other"].map(|slug| slug.parse().unwrap());
        let (now, credential) = (generation(0, 0), &insert(&cache, Some(generation(0, 0))));
        let get = |slug| cache.get(credential, slug, now, before_expiry);
        let mut access = get(None).unwrap().access.clone();
        let id = OrganizationId(1);
        let head = ChainHead::start(Chain::Organization(id), EXPIRY);
        access.organization =
            Some(Reach { id, role: Role::Viewer, policy: TokenPolicy::default(), head });
        cache.insert(credential, Some(&slug), access.clone(), Some(now));
        assert!(get(Some(&slug)).unwrap().access.organization.is_some());
        assert!(get(None).is_some());
        assert!(get(Some(&other)).is_none());
        cache.insert(credential, None, access.clone(), None);
        cache.insert(credential, Some(&slug), access, None);
        assert!(get(Some(&slug)).is_some(), "it was not replaced");
    }

    #[test]
    fn an_entry_of_an_unknown_generation_is_never_valid() {
        let cache = AccessCache::default();
        let credential = &insert(&cache, None);
        let now = generation(0, 0);
        assert!(cache.get(credential, None, now, before_expiry).is_none());
    }
}
