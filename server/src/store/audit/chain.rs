//! The hash chains of the audit log: what a hash covers, and where a chain is broken. Pure: it reads
//! no database. It notices changes made behind the program's back, unless they rewrite the end of
//! the chain too: for that, compare the heads with a copy that is kept elsewhere.

use super::{Author, NewEntry};
use crate::caller::{OrganizationId, UserId};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The hash before the first entry of every chain.
const START: Hash = [0; 32];

/// What the entries of a chain are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chain {
    /// What belonged to no organization before each user had a chain. It gets no more entries.
    Closed,
    /// The unrestricted tokens of a user.
    User(UserId),
    /// What belongs to an organization.
    Organization(OrganizationId),
}

impl Chain {
    /// Returns the number that hashes cover. No key is 0 or negative.
    fn number(self) -> i64 {
        match self {
            Self::Organization(id) => id.0,
            Self::User(id) => -id.0,
            Self::Closed => 0,
        }
    }

    /// Returns the organization's and the user's key, for the entries.
    pub(super) fn keys(self) -> (Option<i64>, Option<i64>) {
        match self {
            Self::Organization(id) => (Some(id.0), None),
            Self::User(id) => (None, Some(id.0)),
            Self::Closed => (None, None),
        }
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organization(id) => write!(f, "unknown organization number {}", id.0),
            Self::User(id) => write!(f, "unknown user number {}", id.0),
            Self::Closed => f.write_str("no organization"),
        }
    }
}

/// The end of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// The chain.
    pub chain: Chain,
    /// How many entries it has.
    pub entries: i64,
    /// The hash of the last one.
    pub hash: Hash,
}

impl ChainHead {
    /// Returns the end of a chain without entries.
    pub fn start(chain: Chain) -> Self {
        Self { chain, entries: 0, hash: START }
    }

    /// Moves the end behind a new entry and returns its hash.
    pub(super) fn append(&mut self, author: &Author<'_>, entry: &NewEntry) -> Hash {
        self.entries += 1;
        let link = Link {
            chain: self.chain,
            sequence: self.entries,
            code: entry.code,
            message: &entry.message,
            origin: author.origin.as_str(),
            author: author.name,
            created_at: author.time.timestamp_millis(),
            data: &entry.data,
        };
        self.hash = link.hash(&self.hash);
        self.hash
    }
}

/// An entry, as the database keeps it.
#[derive(Clone, Debug)]
pub struct Link<'a> {
    pub chain: Chain,
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
        let mut hash = Sha256::new_with_prefix(b"orgtokens audit entry 1");
        hash.update(before);
        for number in [self.chain.number(), self.sequence, self.created_at] {
            hash.update(number.to_be_bytes());
        }
        for text in [self.code, self.message, self.origin, self.author, self.data] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        hash.finalize().into()
    }
}

/// What a walk over all chains found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// How many entries there are.
    pub entries: u64,
    /// How many organizations have entries.
    pub organizations: usize,
    /// The end of each chain that has entries: a copy kept elsewhere shows every change of the
    /// chain.
    pub heads: Vec<AuditHead>,
    /// The first fault of each chain that has one.
    pub faults: Vec<AuditFault>,
}

/// The end of a chain, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// What the chain is about.
    pub chain: String,
    /// How many entries the chain has.
    pub entries: i64,
    /// The hash of the last one, in unpadded base64url.
    pub hash: String,
}

/// Where a chain is broken first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditFault {
    /// What the chain is about.
    pub chain: String,
    /// Which of its entries, counted from 1.
    pub entry: i64,
    /// What is wrong with it.
    pub what: &'static str,
}

const MOVED: &str = "is missing, or another one is in its place";
const CHANGED: &str = "was changed, or the one before it was";
const CUT: &str = "is missing, and all after it";
const FORGED: &str = "was not added by this program";

/// A walk over all entries, in the order in which they were written.
pub struct Walk {
    chains: BTreeMap<Chain, Walked>,
    report: AuditReport,
}

/// How far the walk is on one chain.
struct Walked {
    name: String,
    entries: i64,
    hash: Hash,
    is_broken: bool,
    /// The end that the database keeps; `None` for a chain that it does not know.
    head: Option<ChainHead>,
}

impl Walked {
    fn new(name: String, head: Option<ChainHead>) -> Self {
        Self { name, entries: 0, hash: START, is_broken: false, head }
    }
}

impl Walk {
    /// Starts a walk over these chains, each with its name.
    pub fn new(heads: Vec<(String, ChainHead)>) -> Self {
        let chains =
            heads.into_iter().map(|(name, head)| (head.chain, Walked::new(name, Some(head))));
        Self { chains: chains.collect(), report: AuditReport::default() }
    }

    /// Takes the next entry, with the hash that is kept of it.
    pub fn step(&mut self, link: &Link<'_>, kept: &Hash) {
        self.report.entries += 1;
        let unknown = || Walked::new(link.chain.to_string(), None);
        let walked = self.chains.entry(link.chain).or_insert_with(unknown);
        let expected = walked.entries + 1;
        let what = match () {
            () if link.sequence != expected => Some(MOVED),
            () if link.hash(&walked.hash) != *kept => Some(CHANGED),
            () => None,
        };
        (walked.entries, walked.hash) = (link.sequence, *kept);
        if let Some(what) = what {
            walked.fault(expected, what, &mut self.report);
        }
    }

    /// Compares the ends of the chains with those that the database keeps.
    pub fn end(self) -> AuditReport {
        let Self { mut chains, mut report } = self;
        for (chain, walked) in &mut chains {
            let head = walked.head.clone().unwrap_or(ChainHead::start(*chain));
            if head.entries > 0 {
                let hash = URL_SAFE_NO_PAD.encode(head.hash);
                let chain = walked.name.clone();
                report.heads.push(AuditHead { chain, entries: head.entries, hash });
            }
            match walked.entries.cmp(&head.entries) {
                Ordering::Less => walked.fault(walked.entries + 1, CUT, &mut report),
                Ordering::Greater => walked.fault(head.entries + 1, FORGED, &mut report),
                Ordering::Equal if walked.hash != head.hash => {
                    walked.fault(head.entries.max(1), CHANGED, &mut report);
                }
                Ordering::Equal => {}
            }
        }
        require_first_entries(&mut chains, &mut report);
        let has_entries = |(chain, walked): &(&Chain, &Walked)| {
            matches!(chain, Chain::Organization(_)) && walked.entries > 0
        };
        report.organizations = chains.iter().filter(has_entries).count();
        report
    }
}

/// Every organization has an entry at least, its first owner's. The first user has one, the mint of
/// the first token, unless it is in the closed chain. So a chain that is gone whole shows.
fn require_first_entries(chains: &mut BTreeMap<Chain, Walked>, report: &mut AuditReport) {
    let mut is_first_user = !chains.contains_key(&Chain::Closed);
    for (chain, walked) in chains {
        let must_have_entries = match chain {
            Chain::Closed => false,
            Chain::User(_) => std::mem::take(&mut is_first_user),
            Chain::Organization(_) => true,
        };
        if must_have_entries && walked.entries == 0 {
            walked.fault(1, CUT, report);
        }
    }
}

impl Walked {
    /// Notes the first fault of a chain; those after it follow from it.
    fn fault(&mut self, entry: i64, what: &'static str, report: &mut AuditReport) {
        if !std::mem::replace(&mut self.is_broken, true) {
            report.faults.push(AuditFault { chain: self.name.clone(), entry, what });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACME: Chain = Chain::Organization(OrganizationId(1));
    const ALICE: Chain = Chain::User(UserId(1));

    fn link(chain: Chain, sequence: i64, message: &str) -> Link<'_> {
        let (code, origin, author, data) = ("group-create", "web", "alice", "{}");
        Link { chain, sequence, code, message, origin, author, created_at: 1, data }
    }

    /// Entries with their hashes, and the heads of their chains.
    type Log = (Vec<(Link<'static>, Hash)>, Vec<(String, ChainHead)>);

    /// Changes a log behind the program's back.
    type Tamper = fn(&mut Log);

    /// Returns two chains of three entries.
    fn log() -> Log {
        let (mut entries, mut heads) = (Vec::new(), Vec::new());
        for (chain, name) in [(ALICE, "user alice"), (ACME, "organization acme")] {
            let mut hash = START;
            for sequence in 1..=3 {
                let link = link(chain, sequence, "made");
                hash = link.hash(&hash);
                entries.push((link, hash));
            }
            heads.push((name.to_owned(), ChainHead { chain, entries: 3, hash }));
        }
        (entries, heads)
    }

    fn verdict((entries, heads): Log) -> Vec<(String, i64, &'static str)> {
        let mut walk = Walk::new(heads);
        for (link, hash) in &entries {
            walk.step(link, hash);
        }
        let faults = walk.end().faults.into_iter();
        faults.map(|fault| (fault.chain, fault.entry, fault.what)).collect()
    }

    #[test]
    fn a_whole_log_has_no_faults() {
        assert!(verdict(log()).is_empty());
    }

    #[test]
    fn an_entry_that_is_changed_removed_moved_or_added_is_named() {
        let tampered: [(Tamper, i64, &str); 7] = [
            (|log| log.0[4].0.message = "forged", 2, CHANGED),
            (|log| log.0[3].0.created_at = 2, 1, CHANGED),
            (|log| log.0.retain(|(link, _)| (link.chain, link.sequence) != (ACME, 2)), 2, MOVED),
            (|log| log.0.truncate(5), 3, CUT),
            (|log| log.0.swap(3, 4), 1, MOVED),
            (|log| log.0.push((link(ACME, 4, "new"), START)), 4, CHANGED),
            (|log| log.1[1].1.hash = START, 3, CHANGED),
        ];
        for (index, (tamper, entry, what)) in tampered.into_iter().enumerate() {
            let mut log = log();
            tamper(&mut log);
            assert_eq!(verdict(log), [("organization acme".to_owned(), entry, what)], "{index}");
        }
    }

    #[test]
    fn entries_of_an_organization_that_is_gone_are_noticed() {
        let (entries, mut heads) = log();
        heads.truncate(1);
        let name = "unknown organization number 1".to_owned();
        assert_eq!(verdict((entries, heads)), [(name, 1, FORGED)]);
    }

    #[test]
    fn a_chain_that_is_gone_whole_is_noticed() {
        for (gone, name) in [(ALICE, "user alice"), (ACME, "organization acme")] {
            let (mut entries, mut heads) = log();
            entries.retain(|(link, _)| link.chain != gone);
            for (_, head) in heads.iter_mut().filter(|(_, head)| head.chain == gone) {
                *head = ChainHead::start(gone);
            }
            assert_eq!(verdict((entries, heads)), [(name.to_owned(), 1, CUT)]);
        }
    }

    #[test]
    fn an_entry_added_with_its_own_hash_is_beyond_the_head() {
        let (mut entries, heads) = log();
        let forged = link(ACME, 4, "new");
        let hash = forged.hash(&entries[5].1);
        entries.push((forged, hash));
        assert_eq!(verdict((entries, heads)), [("organization acme".to_owned(), 4, FORGED)]);
    }

    #[test]
    fn text_that_moves_from_one_column_to_the_next_changes_the_hash() {
        let one = Link { code: "ab", message: "c", ..link(ACME, 1, "") };
        let two = Link { code: "a", message: "bc", ..link(ACME, 1, "") };
        assert_ne!(one.hash(&START), two.hash(&START));
    }
}
