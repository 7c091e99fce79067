//! A cache of serialized token lists. An entry is valid as long as its list is unchanged. The caller
//! decides the format of the bytes.

use crate::caller::{OrganizationId, UserId};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// The maximum size of the cache, in bytes.
const CAPACITY: u64 = 16 * 1024 * 1024;

/// The expected number of lists, of about 20 tokens each.
const EXPECTED_LISTS: usize = 4_096;

/// The key of a list: the tokens of an organization, all of them or those of one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListKey(pub OrganizationId, pub Option<UserId>);

/// The version of a list. It differs after every change that shows in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The head of the organization's audit chain. Every change of a token moves it.
    pub hash: [u8; 32],
    /// Increases with commits of other processes, which may not write audit entries.
    pub foreign_commits: u64,
}

/// A serialized list.
#[derive(Clone, Debug)]
pub struct CachedList {
    pub version: Version,
    /// When the first token of the list expires, if any.
    pub valid_until: Option<DateTime<Utc>>,
    pub bytes: Bytes,
}

#[derive(Debug)]
pub struct ListCache(Cache<ListKey, CachedList, Size>);

#[derive(Clone, Debug)]
struct Size;

impl Weighter<ListKey, CachedList> for Size {
    fn weight(&self, _: &ListKey, CachedList { bytes, .. }: &CachedList) -> u64 {
        (bytes.len() + 256) as u64
    }
}

impl Default for ListCache {
    fn default() -> Self {
        Self(Cache::with_weighter(EXPECTED_LISTS, CAPACITY, Size))
    }
}

impl ListCache {
    /// Returns a list, unless it has changed or one of its tokens has expired.
    pub fn get(
        &self,
        key: &ListKey,
        version: Version,
        now: impl FnOnce() -> DateTime<Utc>,
    ) -> Option<Bytes> {
        let list = self.0.get(key).filter(|list| list.version == version)?;
        list.valid_until.is_none_or(|time| time > now()).then_some(list.bytes)
    }

    pub fn insert(&self, key: ListKey, list: CachedList) {
        self.0.insert(key, list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::system_time;

    #[test]
    fn the_size_of_the_cache_is_bounded() {
        let (cache, bytes) = (ListCache::default(), Bytes::from(vec![0; 64 * 1024]));
        let version = Version { hash: [0; 32], foreign_commits: 0 };
        let key = |user| ListKey(OrganizationId(1), Some(UserId(user)));
        let list = CachedList { version, valid_until: None, bytes };
        (0..1_000).for_each(|user| cache.insert(key(user), list.clone()));
        let cached =
            (0..1_000).filter(|user| cache.get(&key(*user), version, system_time).is_some());
        assert!((1..=256).contains(&cached.count()));
    }
}
