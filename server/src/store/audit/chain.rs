//! The hash chains of the audit log: what a link covers, and where a chain is broken.
//! Pure: it reads no database. It notices what was changed behind the program's
//! back, but not by somebody who rewrites the chain's head with it: for that compare
//! the heads with a copy of them that is kept elsewhere.

use super::super::Organization;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// SHA-256.
pub type Hash = [u8; 32];

/// What stands before the first entry of every chain.
pub const START: Hash = [0; 32];

/// The chain of the entries that belong to no organization: no key of one is 0.
pub const NO_ORGANIZATION: i64 = 0;

/// An entry, as the database keeps it.
#[derive(Clone, Debug)]
pub struct Link<'a> {
    pub organization: i64,
    pub sequence: i64,
    pub code: &'a str,
    pub message: &'a str,
    pub origin: &'a str,
    pub author: &'a str,
    pub created_at: i64,
    pub data: &'a str,
}

impl Link<'_> {
    /// The hash of this entry after the one before: of every column, each with its length, so
    /// that no two entries spell the same bytes.
    pub fn hash(&self, before: &Hash) -> Hash {
        let mut hash = Sha256::new_with_prefix(b"orgtokens audit entry 1");
        hash.update(before);
        for number in [self.organization, self.sequence, self.created_at] {
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
    /// How many organizations have some.
    pub organizations: usize,
    /// The end of each chain: whoever keeps a copy of it notices whatever is done to the chain.
    pub heads: Vec<AuditHead>,
    /// The first fault of each chain that has one.
    pub faults: Vec<AuditFault>,
}

/// The end of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// The organization, as a person knows it.
    pub organization: String,
    /// How many entries the chain has.
    pub entries: i64,
    /// The hash of the last one, in unpadded base64url.
    pub hash: String,
}

/// Where a chain is broken first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditFault {
    /// The organization, as a person knows it.
    pub organization: String,
    /// Which of its entries, counted from 1.
    pub entry: i64,
    /// What is wrong with it.
    pub what: &'static str,
}

const MOVED: &str = "is missing, or another one stands in its place";
const CHANGED: &str = "was changed, or the one before it was";
const CUT: &str = "is missing, and all after it";
const UNKNOWN: &str = "was added behind the program's back";

/// A walk over all entries, in the order in which they were written.
pub struct Walk {
    organizations: Vec<Organization>,
    chains: BTreeMap<i64, State>,
    report: AuditReport,
}

struct State {
    entries: i64,
    hash: Hash,
    is_broken: bool,
}

const EMPTY: State = State { entries: 0, hash: START, is_broken: false };

impl Walk {
    /// A walk over the chains of these organizations. Each of them has an entry at least, its
    /// first owner's, and so has what belongs to none: the first token, which is unrestricted.
    pub fn new(organizations: Vec<Organization>) -> Self {
        let none = (!organizations.is_empty()).then_some(NO_ORGANIZATION);
        let known = organizations.iter().map(|known| known.id.0);
        let chains = known.chain(none).map(|chain| (chain, EMPTY)).collect();
        Self { organizations, chains, report: AuditReport::default() }
    }

    /// The next entry, with the hash that is kept of it.
    pub fn step(&mut self, link: &Link<'_>, kept: &Hash) {
        self.report.entries += 1;
        let state = self.chains.entry(link.organization).or_insert(EMPTY);
        let expected = state.entries + 1;
        let what = match () {
            () if link.sequence != expected => Some(MOVED),
            () if link.hash(&state.hash) != *kept => Some(CHANGED),
            () => None,
        };
        (state.entries, state.hash) = (link.sequence, *kept);
        if let Some(what) = what {
            self.fault(link.organization, expected, what);
        }
    }

    /// Holds the ends of the chains against what is kept of them.
    pub fn end(mut self, heads: &[(i64, i64, Hash)]) -> AuditReport {
        for (organization, entries, hash) in heads {
            self.report.heads.push(AuditHead {
                organization: self.name(*organization),
                entries: *entries,
                hash: URL_SAFE_NO_PAD.encode(hash),
            });
            let state = self.chains.entry(*organization).or_insert(EMPTY);
            let (last, what) = match state.entries.cmp(entries) {
                std::cmp::Ordering::Less => (state.entries + 1, CUT),
                std::cmp::Ordering::Greater => (entries + 1, UNKNOWN),
                std::cmp::Ordering::Equal if state.hash != *hash => (*entries, CHANGED),
                std::cmp::Ordering::Equal => continue,
            };
            self.fault(*organization, last, what);
        }
        let has_head = |chain: &i64| heads.iter().any(|(organization, ..)| organization == chain);
        let headless: Vec<_> = self.chains.keys().copied().filter(|key| !has_head(key)).collect();
        for organization in headless {
            self.fault(organization, 1, CUT);
        }
        self.report.organizations =
            self.chains.keys().filter(|chain| **chain != NO_ORGANIZATION).count();
        self.report
    }

    /// Notes the first fault of a chain; what follows from it is not told.
    fn fault(&mut self, organization: i64, entry: i64, what: &'static str) {
        let state = self.chains.entry(organization).or_insert(EMPTY);
        if std::mem::replace(&mut state.is_broken, true) {
            return;
        }
        let organization = self.name(organization);
        self.report.faults.push(AuditFault { organization, entry, what });
    }

    fn name(&self, organization: i64) -> String {
        match self.organizations.iter().find(|known| known.id.0 == organization) {
            Some(known) => format!("organization {}", known.slug),
            None if organization == NO_ORGANIZATION => "no organization".to_owned(),
            None => format!("organization number {organization}, which is unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::OrganizationId;

    fn link(organization: i64, sequence: i64, message: &str) -> Link<'_> {
        let (code, origin, author, data) = ("group-create", "web", "alice", "{}");
        Link { organization, sequence, code, message, origin, author, created_at: 1, data }
    }

    /// Two chains of three entries, their hashes, and their heads.
    type Log = (Vec<(Link<'static>, Hash)>, Vec<(i64, i64, Hash)>);

    /// What is done to a log behind the program's back.
    type Tamper = fn(&mut Log);

    fn log() -> Log {
        let (mut entries, mut heads) = (Vec::new(), Vec::new());
        for organization in [NO_ORGANIZATION, 1] {
            let mut hash = START;
            for sequence in 1..=3 {
                let link = link(organization, sequence, "made");
                hash = link.hash(&hash);
                entries.push((link, hash));
            }
            heads.push((organization, 3, hash));
        }
        (entries, heads)
    }

    fn verdict((entries, heads): Log) -> Vec<(String, i64, &'static str)> {
        let slug = "acme".parse().unwrap();
        let mut walk = Walk::new(vec![Organization { id: OrganizationId(1), slug }]);
        for (link, hash) in &entries {
            walk.step(link, hash);
        }
        let faults = walk.end(&heads).faults.into_iter();
        faults.map(|fault| (fault.organization, fault.entry, fault.what)).collect()
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
            (
                |log| log.0.retain(|(link, _)| (link.organization, link.sequence) != (1, 2)),
                2,
                MOVED,
            ),
            (|log| log.0.truncate(5), 3, CUT),
            (|log| log.0.swap(3, 4), 1, MOVED),
            (|log| log.0.push((link(1, 4, "new"), START)), 4, CHANGED),
            (|log| log.1.truncate(1), 1, CUT),
        ];
        for (index, (tamper, entry, what)) in tampered.into_iter().enumerate() {
            let mut log = log();
            tamper(&mut log);
            assert_eq!(verdict(log), [("organization acme".to_owned(), entry, what)], "{index}");
        }
    }

    #[test]
    fn a_log_that_is_gone_whole_is_noticed() {
        let faults = verdict((log().0.drain(..3).collect(), log().1[..1].to_vec()));
        assert_eq!(faults, [("organization acme".to_owned(), 1, CUT)]);
    }

    #[test]
    fn an_entry_added_with_its_own_hash_is_beyond_the_head() {
        let (mut entries, heads) = log();
        let forged = link(1, 4, "new");
        let hash = forged.hash(&entries[5].1);
        entries.push((forged, hash));
        assert_eq!(verdict((entries, heads)), [("organization acme".to_owned(), 4, UNKNOWN)]);
    }

    #[test]
    fn what_moves_from_one_text_to_the_next_changes_the_hash() {
        let one = Link { code: "ab", message: "c", ..link(1, 1, "") };
        let two = Link { code: "a", message: "bc", ..link(1, 1, "") };
        assert_ne!(one.hash(&START), two.hash(&START));
    }
}
