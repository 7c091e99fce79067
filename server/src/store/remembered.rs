//! Who asks, remembered from an earlier request of the same credential.
//!
//! On SQLite an answer is good as long as no process has committed: see `sqlite::wal_index`. On
//! PostgreSQL it only tells what the answer was last time. Refusals are never remembered.

use super::access::Access;
use crate::caller::Credential;
use crate::name::Slug;
use crate::token::TokenDigest;
use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;
use std::sync::Arc;

/// How many credentials are remembered, about 600 bytes each.
const CREDENTIALS: usize = 32_768;

/// The state of a database between two commits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Generation {
    /// Differs between any two states.
    pub header: [u32; 12],
    /// How many commits of other processes led to it, from an arbitrary start.
    pub foreign_commits: u32,
}

/// The latest answer for each credential.
pub struct Remembered(Cache<TokenDigest, Arc<Answer>>);

struct Answer {
    slug: Option<Slug>,
    access: Access,
    /// The state that it was read from, if that can be told.
    generation: Option<Generation>,
}

impl Default for Remembered {
    fn default() -> Self {
        Self(Cache::new(CREDENTIALS))
    }
}

impl Remembered {
    /// Returns the latest answer about a credential and an organization, which may be outdated.
    pub fn latest(&self, credential: &Credential, slug: &Slug) -> Option<Access> {
        let answer = self.0.get(&credential.digest)?;
        (answer.slug.as_ref() == Some(slug)).then(|| answer.access.clone())
    }

    /// Returns the answer that the database would give in this state, at this time.
    pub fn current(
        &self,
        credential: &Credential,
        slug: Option<&Slug>,
        generation: Generation,
        now: DateTime<Utc>,
    ) -> Option<Access> {
        // An answer about an organization tells, too, who asks.
        let answer = self.0.get(&credential.digest)?;
        let is_about = slug.is_none() || answer.slug.as_ref() == slug;
        let is_live = |time| time > now;
        let is_current = is_about
            && answer.generation == Some(generation)
            && answer.access.caller.expires_at.is_none_or(is_live);
        if !is_current {
            return None;
        }
        let mut access = answer.access.clone();
        access.organization = access.organization.filter(|_| slug.is_some());
        access.caller.origin = credential.origin;
        credential.accept(&access.caller);
        Some(access)
    }

    pub fn insert(
        &self,
        credential: &Credential,
        slug: Option<&Slug>,
        access: &Access,
        generation: Option<Generation>,
    ) {
        // Such an answer is never used, but another one about an organization may be.
        if slug.is_none() && generation.is_none() {
            return;
        }
        let answer = Answer { slug: slug.cloned(), access: access.clone(), generation };
        self.0.insert(credential.digest, Arc::new(answer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::{Binding, Caller, OrganizationId, Origin, Role, UserId};
    use crate::store::{Chain, ChainHead, Reach};
    use crate::token::{PlainToken, TokenId};
    use std::time::Duration;

    /// The access of an unrestricted token that expires at a time.
    fn access(expires_at: DateTime<Utc>) -> Access {
        let user = UserId(1);
        let caller = Caller {
            token: TokenId::generate(DateTime::UNIX_EPOCH),
            token_name: "first".parse().unwrap(),
            expires_at: Some(expires_at),
            user,
            username: "alice".parse().unwrap(),
            email: "alice@example.com".to_owned(),
            binding: Binding::Unrestricted,
            origin: Origin::Web,
        };
        let user_head = ChainHead::start(Chain::User(user));
        Access { caller, user_head, organization: None, foreign_commits: 0 }
    }

    #[test]
    fn an_answer_is_good_in_its_generation_until_the_token_expires() {
        let (remembered, expiry) = (Remembered::default(), DateTime::UNIX_EPOCH);
        let credential = Credential::new(&PlainToken::generate().unwrap(), Origin::Cli);
        let generation = |commits| Generation { header: [commits; 12], foreign_commits: 0 };
        remembered.insert(&credential, None, &access(expiry), Some(generation(1)));
        let before = expiry - Duration::from_millis(1);
        let current =
            |commits, now| remembered.current(&credential, None, generation(commits), now);
        assert_eq!(current(1, before).unwrap().caller.origin, Origin::Cli);
        assert!(current(2, before).is_none(), "something was committed");
        assert!(current(1, expiry).is_none(), "the token has expired");
        let slug = "acme".parse().unwrap();
        assert!(remembered.current(&credential, Some(&slug), generation(1), before).is_none());
    }

    #[test]
    fn an_answer_about_an_organization_tells_who_asks() {
        let (remembered, slug) = (Remembered::default(), "acme".parse().unwrap());
        let credential = Credential::new(&PlainToken::generate().unwrap(), Origin::Cli);
        let generation = Generation { header: [0; 12], foreign_commits: 0 };
        let mut access = access(DateTime::UNIX_EPOCH);
        let head = ChainHead::start(Chain::User(UserId(1)));
        access.organization = Some(Reach { id: OrganizationId(1), role: Role::Viewer, head });
        remembered.insert(&credential, Some(&slug), &access, Some(generation));
        let now = DateTime::UNIX_EPOCH - Duration::from_millis(1);
        let current = |slug| remembered.current(&credential, slug, generation, now);
        assert!(current(Some(&slug)).unwrap().organization.is_some());
        assert!(current(None).unwrap().organization.is_none());
        assert!(current(Some(&"other".parse().unwrap())).is_none());
        remembered.insert(&credential, None, &access, None);
        assert!(remembered.latest(&credential, &slug).is_some(), "it was not replaced");
    }

    #[test]
    fn an_answer_of_an_unknown_generation_is_never_current() {
        let (remembered, expiry) = (Remembered::default(), DateTime::UNIX_EPOCH);
        let credential = Credential::new(&PlainToken::generate().unwrap(), Origin::Web);
        remembered.insert(&credential, None, &access(expiry), None);
        let generation = Generation { header: [0; 12], foreign_commits: 0 };
        let before = expiry - Duration::from_millis(1);
        assert!(remembered.current(&credential, None, generation, before).is_none());
    }
}
