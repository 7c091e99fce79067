//! The texts of token lists, which are given again while a list is unchanged. What a text looks like
//! is the caller's business.

use crate::caller::{OrganizationId, UserId};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// What all texts may occupy, in bytes.
const ROOM: u64 = 16 * 1024 * 1024;

/// How many texts are expected: of about 20 tokens each.
const EXPECTED: usize = 4_096;

/// A list: the tokens of an organization, all of them or those of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct List(pub OrganizationId, pub Option<UserId>);

/// The state of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The end of the organization's audit chain, which every change that shows in the list moves.
    pub hash: [u8; 32],
    /// Grows with the commits of other processes, perhaps by hand.
    pub foreign_commits: u64,
}

/// A text, with the version of its list.
#[derive(Clone, Debug)]
pub struct Text {
    pub version: Version,
    /// When the first token of the list expires, if any does.
    pub valid_until: Option<DateTime<Utc>>,
    pub bytes: Bytes,
}

#[derive(Debug)]
pub struct Texts(Cache<List, Text, Size>);

#[derive(Clone, Debug)]
struct Size;

impl Weighter<List, Text> for Size {
    fn weight(&self, _: &List, Text { bytes, .. }: &Text) -> u64 {
        (bytes.len() + 256) as u64
    }
}

impl Default for Texts {
    fn default() -> Self {
        Self(Cache::with_weighter(EXPECTED, ROOM, Size))
    }
}

impl Texts {
    /// Returns the text of a list, unless the list has changed or one of its tokens has expired.
    pub fn get(
        &self,
        list: &List,
        version: Version,
        now: impl FnOnce() -> DateTime<Utc>,
    ) -> Option<Bytes> {
        let kept = self.0.get(list).filter(|kept| kept.version == version)?;
        kept.valid_until.is_none_or(|time| time > now()).then_some(kept.bytes)
    }

    pub fn insert(&self, list: List, text: Text) {
        self.0.insert(list, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::system_time;

    #[test]
    fn texts_occupy_no_more_than_their_room() {
        let (texts, text) = (Texts::default(), Bytes::from(vec![0; 64 * 1024]));
        let version = Version { hash: [0; 32], foreign_commits: 0 };
        let list = |user| List(OrganizationId(1), Some(UserId(user)));
        let text = Text { version, valid_until: None, bytes: text };
        (0..1_000).for_each(|user| texts.insert(list(user), text.clone()));
        let kept =
            (0..1_000).filter(|user| texts.get(&list(*user), version, system_time).is_some());
        assert!((1..=256).contains(&kept.count()));
    }
}
