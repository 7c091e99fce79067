//! The hash chains of the audit log: what a hash covers, and how the end of a chain is written. Where
//! a chain is broken is found in [`walk`](super::walk).

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

/// A chain that gets new entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chain {
    /// The unrestricted tokens of a user.
    User(UserId),
    /// What belongs to an organization.
    Organization(OrganizationId),
}

/// Any chain. `None` is the closed one: what belonged to no organization before each user had a
/// chain. It gets no more entries.
pub type AnyChain = Option<Chain>;

/// The end of a chain that gets new entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// The key of the chain.
    pub chain: Chain,
    /// When it was read. The next entries are of this time.
    pub time: DateTime<Utc>,
    /// How many entries it has.
    pub entries: i64,
    /// The hash of the last one.
    pub hash: Hash,
}

/// The end of any chain, as it is printed and kept elsewhere: with the hash in unpadded base64url.
#[derive(Clone, Debug, Display, PartialEq, Eq)]
#[display("{name} {entries} {}", URL_SAFE_NO_PAD.encode(hash))]
pub struct NamedHead {
    /// The name of the chain.
    pub name: String,
    /// How many entries it has.
    pub entries: i64,
    /// The hash of the last one.
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
            format!("{} is not the end of a chain: use what `audit head` printed", Quoted(text))
        })
    }
}

impl ChainHead {
    /// Returns the end of a chain without entries, at this time.
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

    /// Moves the end behind a new entry and returns its hash.
    pub(super) fn append(&mut self, author: &Author<'_>, entry: &NewEntry) -> Hash {
        self.entries += 1;
        let link = Link {
            chain: Some(self.chain),
            sequence: self.entries,
            code: entry.code,
            message: &entry.message,
            origin: author.origin.into_str(),
            author: author.name,
            created_at: self.time.timestamp_millis(),
            data: &entry.data,
        };
        self.hash = link.hash(&self.hash);
        self.hash
    }
}

/// An entry, as the database keeps it.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Link<'a> {
    pub chain: AnyChain,
    pub sequence: i64,
    pub code: &'a str,
    pub message: &'a str,
    pub origin: &'a str,
    pub author: &'a str,
    pub created_at: i64,
    pub data: &'a str,
}

impl Link<'_> {
    /// Returns the hash of this entry after the one before. It covers every column with its length,
    /// so no two entries hash the same bytes.
    pub fn hash(&self, before: &Hash) -> Hash {
        // No key is 0 or negative.
        let chain = match self.chain {
            Some(Chain::Organization(id)) => id.0,
            Some(Chain::User(id)) => -id.0,
            None => 0,
        };
        let mut hash = Sha256::new_with_prefix(b"orgtokens audit entry 1");
        hash.update(before);
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
        let one = Link { chain, sequence: 1, code, message, origin, author, created_at: 1, data };
        let two = Link { code: "a", message: "bc", ..one.clone() };
        assert_ne!(one.hash(&START), two.hash(&START));
    }
}
