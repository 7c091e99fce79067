//! Who asks, remembered from an earlier request of the same credential.
//!
//! On SQLite an answer is good as long as no process has committed: see `sqlite::wal_index`. On PostgreSQL it only tells what the answer was last time. Refusals are never
//! remembered.

use super::access::Access;
use crate::caller::Credential;
use crate::clock;
use crate::name::Slug;
use crate::token::TokenDigest;
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
        self.find(credential, Some(slug)).map(|answer| answer.access.clone())
    }

    /// Returns the answer that the database would give in this state.
    pub fn current(
        &self,
        credential: &Credential,
        slug: Option<&Slug>,
        generation: Generation,
    ) -> Option<Access> {
        let answer = self.find(credential, slug)?;
        let is_live = |time| time > clock::now();
        let is_current = answer.generation == Some(generation)
            && answer.access.caller.expires_at.is_none_or(is_live);
        if !is_current {
            return None;
        }
        let mut access = answer.access.clone();
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
        let answer = Answer { slug: slug.cloned(), access: access.clone(), generation };
        self.0.insert(credential.digest, Arc::new(answer));
    }

    fn find(&self, credential: &Credential, slug: Option<&Slug>) -> Option<Arc<Answer>> {
        self.0.get(&credential.digest).filter(|answer| answer.slug.as_ref() == slug)
    }
}
