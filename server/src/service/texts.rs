//! The texts of token lists, which are given again while a list is unchanged. What a text looks like
//! is the caller's business.

use crate::caller::{OrganizationId, UserId};
use crate::store::ChainHead;
use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// What all texts may occupy, in bytes.
const ROOM: u64 = 16 * 1024 * 1024;

/// How many texts are expected: of about 20 tokens each.
const EXPECTED: usize = 4_096;

/// A list: the tokens of an organization, all of them or those of a user.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct List(pub OrganizationId, pub Option<UserId>);

/// The texts, each with the end of the organization's audit chain when it was made: every change
/// that shows in a list moves it.
#[derive(Debug)]
pub struct Texts(Cache<List, (ChainHead, Bytes), Size>);

#[derive(Clone, Debug)]
struct Size;

impl Weighter<List, (ChainHead, Bytes)> for Size {
    fn weight(&self, _: &List, (_, text): &(ChainHead, Bytes)) -> u64 {
        (text.len() + 256) as u64
    }
}

impl Default for Texts {
    fn default() -> Self {
        Self(Cache::with_weighter(EXPECTED, ROOM, Size))
    }
}

impl Texts {
    /// Returns the text of a list, unless it has changed.
    pub fn get(&self, list: &List, head: &ChainHead) -> Option<Bytes> {
        self.0.get(list).filter(|(made_at, _)| made_at == head).map(|(_, text)| text)
    }

    pub fn insert(&self, list: List, head: ChainHead, text: Bytes) {
        self.0.insert(list, (head, text));
    }
}
