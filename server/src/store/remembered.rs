//! Who asks, remembered from an earlier request of the same credential.
//!
//! On SQLite an answer is good until another process commits (see `sqlite::commits`), or this one
//! changes what it rests on. A change marks what it touches with the number of its transaction,
//! before the commit. An answer notes how many transactions had ended before it was read. With fewer
//! than the mark it may be older than the commit, and is read again: from the mark on no older answer
//! is good, and after the commit every newer one is.
//!
//! On PostgreSQL an answer only tells what it was last time. Refusals are never remembered.

use super::access::Access;
use crate::caller::{Credential, OrganizationId, UserId};
use crate::name::Slug;
use crate::token::TokenDigest;
use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;
use std::array;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many credentials are remembered, about 600 bytes each.
const CREDENTIALS: usize = 32_768;

/// How many marks there are. Users and organizations that share one are touched together.
const MARKS: usize = 8_192;

/// The state of a database between two commits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Generation {
    /// Grows whenever other processes have committed.
    pub foreign_commits: u64,
    /// How many transactions of this process that may write have ended.
    pub transactions: u64,
}

/// What a statement makes outdated.
#[derive(Clone, Copy, Debug)]
pub enum Touched {
    Nothing,
    /// What rests on a user: their name, tokens and memberships.
    User(UserId),
    /// What rests on an organization: what it is, its members and the tokens that are bound to it.
    Organization(OrganizationId),
    Everything,
}

/// The latest answer for each credential.
pub struct Remembered {
    answers: Cache<TokenDigest, Arc<RememberedAccess>>,
    /// The last transaction that touched a user or an organization.
    marks: Box<[AtomicU64; MARKS]>,
    /// The last transaction that touched everything.
    everything: AtomicU64,
}

/// Who asks, as an earlier request read it.
#[derive(Debug)]
pub struct RememberedAccess {
    pub access: Access,
    /// The organization that the request named.
    slug: Option<Slug>,
    /// The state before it was read, if that can be told.
    generation: Option<Generation>,
}

impl RememberedAccess {
    /// Returns what the answer rests on.
    fn rests_on(&self) -> impl Iterator<Item = Touched> {
        let Access { caller, organization, .. } = &self.access;
        let reached = organization.as_ref().map(|reach| reach.id);
        let organizations = caller.binding.organization().into_iter().chain(reached);
        let organizations = organizations.map(Touched::Organization);
        organizations.chain([Touched::User(caller.user), Touched::Everything])
    }
}

impl Default for Remembered {
    fn default() -> Self {
        let marks = Box::new(array::from_fn(|_| AtomicU64::default()));
        Self { answers: Cache::new(CREDENTIALS), marks, everything: AtomicU64::default() }
    }
}

impl Remembered {
    /// Makes answers outdated that rest on this, unless they are read after an open transaction of
    /// this process.
    pub fn touch(&self, touched: Touched, transaction: u64) {
        if let Some(mark) = self.mark(touched) {
            mark.store(transaction, Ordering::SeqCst);
        }
    }

    fn mark(&self, touched: Touched) -> Option<&AtomicU64> {
        let number = match touched {
            Touched::Nothing => return None,
            Touched::Everything => return Some(&self.everything),
            Touched::User(UserId(id)) => id.wrapping_mul(2),
            Touched::Organization(OrganizationId(id)) => id.wrapping_mul(2).wrapping_add(1),
        };
        let [low, high, ..] = number.to_le_bytes();
        Some(&self.marks[usize::from(u16::from_le_bytes([low, high])) % MARKS])
    }

    /// Returns the latest answer about a credential and an organization, which may be outdated.
    pub fn latest(&self, credential: &Credential, slug: &Slug) -> Option<Arc<RememberedAccess>> {
        let answer = self.answers.get(&credential.digest)?;
        (answer.slug.as_ref() == Some(slug)).then_some(answer)
    }

    /// Returns the answer that the database would give in this state, at this time.
    pub fn current(
        &self,
        credential: &Credential,
        slug: Option<&Slug>,
        generation: Generation,
        now: impl Fn() -> DateTime<Utc>,
    ) -> Option<Arc<RememberedAccess>> {
        let answer = self.answers.get(&credential.digest)?;
        let caller = &answer.access.caller;
        // An answer about an organization tells, too, who asks.
        let is_about = slug.is_none() || answer.slug.as_ref() == slug;
        let is_live = |time| time > now();
        let is_current = is_about
            && caller.origin == credential.origin
            && caller.limits.allow(credential.address)
            && caller.valid_until.is_none_or(is_live)
            && self.is_current(&answer, generation);
        if !is_current {
            return None;
        }
        credential.accept(caller);
        Some(answer)
    }

    pub fn insert(
        &self,
        credential: &Credential,
        slug: Option<&Slug>,
        access: Access,
        generation: Option<Generation>,
    ) -> Arc<RememberedAccess> {
        let answer = Arc::new(RememberedAccess { access, slug: slug.cloned(), generation });
        // Without a generation it is never current, so it must not replace one that may be.
        let is_good = |kept: Arc<RememberedAccess>| kept.generation.is_some();
        let replaces = || !self.answers.get(&credential.digest).is_some_and(is_good);
        if generation.is_some() || slug.is_some() && replaces() {
            self.answers.insert(credential.digest, Arc::clone(&answer));
        }
        answer
    }

    fn is_current(&self, answer: &RememberedAccess, now: Generation) -> bool {
        let Some(read) = answer.generation else { return false };
        let is_unmarked = |mark: &AtomicU64| mark.load(Ordering::SeqCst) <= read.transactions;
        read.foreign_commits == now.foreign_commits
            && answer.rests_on().filter_map(|touched| self.mark(touched)).all(is_unmarked)
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

    /// Remembers the access of a token that is bound to organization 1 and expires at `EXPIRY`.
    fn remember(remembered: &Remembered, generation: Option<Generation>) -> Credential {
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
        remembered.insert(&credential, None, access, generation);
        credential
    }

    fn generation(foreign_commits: u64, transactions: u64) -> Generation {
        Generation { foreign_commits, transactions }
    }

    fn before_expiry() -> DateTime<Utc> {
        EXPIRY - Duration::from_millis(1)
    }

    #[test]
    fn an_answer_is_good_until_another_process_commits_or_the_token_expires() {
        let remembered = Remembered::default();
        let credential = &remember(&remembered, Some(generation(1, 1)));
        let current = |commits, now: fn() -> DateTime<Utc>| {
            remembered.current(credential, None, generation(commits, 2), now)
        };
        assert_eq!(current(1, before_expiry).unwrap().access.caller.user, USER);
        assert!(current(2, before_expiry).is_none(), "another process has committed");
        assert!(current(1, || EXPIRY).is_none(), "the token has expired");
        let slug = "acme".parse().unwrap();
        let other = remembered.current(credential, Some(&slug), generation(1, 2), before_expiry);
        assert!(other.is_none());
        let mut elsewhere = credential.clone();
        elsewhere.origin = Origin::Cli;
        assert!(remembered.current(&elsewhere, None, generation(1, 2), before_expiry).is_none());
    }

    #[test]
    fn an_answer_is_good_again_if_it_is_read_after_the_change_of_what_it_rests_on() {
        let acme = Touched::Organization(OrganizationId(1));
        for touched in [acme, Touched::User(USER), Touched::Everything] {
            let remembered = Remembered::default();
            remembered.touch(touched, 8);
            for (read_after, is_good) in [(7, false), (8, true)] {
                let credential = &remember(&remembered, Some(generation(0, read_after)));
                let now = generation(0, 9);
                let current = remembered.current(credential, None, now, before_expiry);
                assert_eq!(current.is_some(), is_good, "{touched:?}");
            }
        }
    }

    #[test]
    fn an_answer_stays_good_if_something_else_is_touched() {
        let remembered = Remembered::default();
        let credential = &remember(&remembered, Some(generation(0, 1)));
        let other = Touched::Organization(OrganizationId(2));
        for touched in [Touched::Nothing, Touched::User(UserId(2)), other] {
            remembered.touch(touched, 2);
        }
        let now = generation(0, 2);
        assert!(remembered.current(credential, None, now, before_expiry).is_some());
    }

    #[test]
    fn an_answer_about_an_organization_tells_who_asks() {
        let remembered = Remembered::default();
        let [slug, other] = ["acme", "other"].map(|slug| slug.parse().unwrap());
        let (now, credential) = (generation(0, 0), &remember(&remembered, Some(generation(0, 0))));
        let current = |slug| remembered.current(credential, slug, now, before_expiry);
        let mut access = current(None).unwrap().access.clone();
        let id = OrganizationId(1);
        let head = ChainHead::start(Chain::Organization(id), EXPIRY);
        access.organization =
            Some(Reach { id, role: Role::Viewer, policy: TokenPolicy::default(), head });
        remembered.insert(credential, Some(&slug), access.clone(), Some(now));
        assert!(current(Some(&slug)).unwrap().access.organization.is_some());
        assert!(current(None).is_some());
        assert!(current(Some(&other)).is_none());
        remembered.insert(credential, None, access.clone(), None);
        remembered.insert(credential, Some(&slug), access, None);
        assert!(current(Some(&slug)).is_some(), "it was not replaced");
    }

    #[test]
    fn an_answer_of_an_unknown_generation_is_never_current() {
        let remembered = Remembered::default();
        let credential = &remember(&remembered, None);
        let now = generation(0, 0);
        assert!(remembered.current(credential, None, now, before_expiry).is_none());
    }
}
