//! The hash chains of the audit log: what a hash covers, and how the head of a chain is printed.
//! [`verifier`](super::verifier) finds the entries at which a chain is broken.

use super::super::access_cache::Invalidation;
use super::{Author, NewEntry};
use crate::caller::{OrganizationId, UserId};
use crate::name::Quoted;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use derive_more::Display;
use sha2::{Digest, Sha256};
use std::str::FromStr;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The hash before the first entry of every chain.
pub(super) const START: Hash = [0; 32];

/// The name of the closed chain.
pub const CLOSED: &str = "no organization";

/// A chain to which entries are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chain {
    /// The unrestricted tokens of a user.
    User(UserId),
    /// Everything that belongs to an organization.
    Organization(OrganizationId),
}

/// Any chain. `None` is the closed chain: it has the entries about unrestricted tokens from before
/// each user had a chain, and no entry is added to it.
pub type AnyChain = Option<Chain>;

/// The head of a chain: the last entry, after which new entries are added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// The key of the chain.
    pub chain: Chain,
    /// When the head was read. New entries have this time.
    pub time: DateTime<Utc>,
    /// How many entries the chain has.
    pub entries: i64,
    /// The hash of the last entry.
    pub hash: Hash,
}

/// The head of any chain, as it is printed: with the hash in unpadded base64url.
#[derive(Clone, Debug, Display, PartialEq, Eq)]
#[display("{name} {entries} {}", URL_SAFE_NO_PAD.encode(hash))]
pub struct NamedHead {
    /// The name of the chain.
    pub name: String,
    /// How many entries the chain has.
    pub entries: i64,
    /// The hash of the last entry.
    pub hash: Hash,
}

impl FromStr for NamedHead {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.rsplitn(3, ' ');
        let mut parse = || {
            let hash = URL_SAFE_NO_PAD.decode(words.next()?).ok()?.try_into().ok()?;
            let entries = words.next()?.parse().ok().filter(|entries| *entries > 0)?;
            Some(Self { name: words.next()?.to_owned(), entries, hash })
        };
        parse().ok_or_else(|| {
            format!(
                "{} is not the head of a chain: use a line that `audit head` printed",
                Quoted(text)
            )
        })
    }
}

impl ChainHead {
    /// Returns the head of a chain without entries, at this time.
    pub fn start(chain: Chain, time: DateTime<Utc>) -> Self {
        Self { chain, time, entries: 0, hash: START }
    }

    /// Returns the cache entries that a change with an entry in this chain invalidates.
    pub(in crate::store) fn invalidation(&self) -> Invalidation {
        match self.chain {
            Chain::Organization(id) => Invalidation::Organization(id),
            Chain::User(id) => Invalidation::User(id),
        }
    }

    /// Adds an entry to the chain and returns its hash.
    pub(super) fn append(&mut self, author: &Author<'_>, entry: &NewEntry) -> Hash {
        self.entries += 1;
        let added = ChainEntry {
            chain: Some(self.chain),
            sequence: self.entries,
            code: entry.code,
            message: &entry.message,
            origin: author.origin.into_str(),
            author: author.name,
            created_at: self.time.timestamp_millis(),
            data: &entry.data,
        };
        self.hash = added.hash(&self.hash);
        self.hash
    }
}

/// An entry with the columns that its hash covers.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct ChainEntry<'a> {
    pub chain: AnyChain,
    pub sequence: i64,
    pub code: &'a str,
    pub message: &'a str,
    pub origin: &'a str,
    pub author: &'a str,
    pub created_at: i64,
    pub data: &'a str,
}

impl ChainEntry<'_> {
    /// Returns the hash of this entry, which covers the hash of the `previous` entry. Each text is
    /// hashed with its length, so no two entries hash the same bytes.
    pub fn hash(&self, previous: &Hash) -> Hash {
        // Ids are positive.
        let chain = match self.chain {
            Some(Chain::Organization(id)) => id.0,
            Some(Chain::User(id)) => -id.0,
            None => 0,
        };
        let mut hash = Sha256::new_with_prefix(b"orgtokens audit entry 1");
        hash.update(previous);
        for number in [chain, self.sequence, self.created_at] {
            hash.update(number.to_be_bytes());
        }
        for text in [self.code, self.message, self.origin, self.author, self.data] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_was_not_printed_is_refused() {
        for text in ["", "user alice", "user alice 3 x", "user alice 0 ", "3 AAAA"] {
            assert!(text.parse::<NamedHead>().unwrap_err().contains("audit head"), "{text}");
        }
    }

    #[test]
    fn text_that_moves_from_one_column_to_the_next_changes_the_hash() {
        let (code, message, origin, author, data) = ("ab", "c", "web", "alice", "{}");
        let chain = Some(Chain::Organization(OrganizationId(1)));
        let one =
            ChainEntry { chain, sequence: 1, code, message, origin, author, created_at: 1, data };
        let two = ChainEntry { code: "a", message: "bc", ..one.clone() };
        assert_ne!(one.hash(&START), two.hash(&START));
    }
}
