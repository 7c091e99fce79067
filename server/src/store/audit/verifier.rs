//! Finds where a hash chain is broken. Pure: it reads no database. It notices changes that another
//! program made, unless they rewrite the rest of the chain and its head too. To notice those,
//! compare the heads with a copy that is kept elsewhere.

use super::chain::{AnyChain, CLOSED, Chain, ChainEntry, Hash, NamedHead, START};
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::mem;

/// The result of the verification of all chains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// How many entries there are.
    pub entries: u64,
    /// How many chains have entries.
    pub chains: usize,
    /// The first fault of each broken chain, a sentence each. Entries are counted from 1.
    pub faults: Vec<String>,
}

fn sentence(chain: &str, entry: i64, what: &str) -> String {
    format!("{chain}: entry {entry} {what}")
}

const MOVED: &str = "is missing, or another one is in its place";
const CHANGED: &str = "was changed, or the one before it was";
const CUT: &str = "is missing, and all after it";
const FORGED: &str = "was not added by this program";
const REWRITTEN: &str = "is not the one whose hash was kept elsewhere";

/// Verifies all entries, in the order in which they were added.
pub struct Verifier {
    chains: BTreeMap<AnyChain, Verified>,
    /// The names of chains that have a kept head and no longer exist.
    missing: Vec<String>,
    entries: u64,
}

/// The verified part of one chain.
struct Verified {
    /// The head in the database.
    head: NamedHead,
    /// The hashes of the heads that were kept elsewhere, by the number of their entry.
    kept: BTreeMap<i64, Hash>,
    entries: i64,
    hash: Hash,
    /// Later faults are only consequences of the first one.
    first_fault: Option<String>,
}

impl Verified {
    fn new(head: NamedHead) -> Self {
        let kept = BTreeMap::new();
        Self { head, kept, entries: 0, hash: START, first_fault: None }
    }

    fn fault(&mut self, entry: i64, what: &'static str) {
        self.first_fault.get_or_insert_with(|| sentence(&self.head.name, entry, what));
    }

    /// Compares the last entry with the head in the database.
    fn finish(&mut self, must_have_entries: bool) {
        match self.entries.cmp(&self.head.entries) {
            Ordering::Less => self.fault(self.entries + 1, CUT),
            Ordering::Greater => self.fault(self.head.entries + 1, FORGED),
            Ordering::Equal if self.hash != self.head.hash => {
                self.fault(self.entries.max(1), CHANGED);
            }
            Ordering::Equal if must_have_entries && self.entries == 0 => self.fault(1, CUT),
            Ordering::Equal => {}
        }
        if self.kept.last_key_value().is_some_and(|(entry, _)| *entry > self.entries) {
            self.fault(self.entries + 1, CUT);
        }
    }
}

impl Verifier {
    /// Returns a verifier of chains with these heads.
    pub fn new(heads: Vec<(AnyChain, NamedHead)>) -> Self {
        let chains = heads.into_iter().map(|(chain, head)| (chain, Verified::new(head)));
        Self { chains: chains.collect(), missing: Vec::new(), entries: 0 }
    }

    /// Also compares the chains with heads that they had earlier.
    pub fn compare_with(&mut self, kept: &[NamedHead]) {
        let chains = self.chains.values_mut();
        let mut by_name: HashMap<_, _> =
            chains.map(|verified| (verified.head.name.clone(), &mut verified.kept)).collect();
        for NamedHead { name, entries, hash } in kept {
            match by_name.get_mut(name) {
                Some(kept) => drop(kept.insert(*entries, *hash)),
                None => self.missing.push(name.clone()),
            }
        }
    }

    /// Checks the next entry and the hash that the database has for it.
    pub fn check(&mut self, entry: &ChainEntry<'_>, hash: &Hash) {
        self.entries += 1;
        let verified = self.chains.entry(entry.chain).or_insert_with(|| {
            Verified::new(NamedHead { name: unknown_name(entry.chain), entries: 0, hash: START })
        });
        let expected = verified.entries + 1;
        if entry.sequence != expected {
            verified.fault(expected, MOVED);
        } else if entry.hash(&verified.hash) != *hash {
            verified.fault(expected, CHANGED);
        } else if verified.kept.get(&expected).is_some_and(|kept| kept != hash) {
            verified.fault(expected, REWRITTEN);
        }
        (verified.entries, verified.hash) = (entry.sequence, *hash);
    }

    /// Compares the last entries with the heads in the database, and returns all faults.
    ///
    /// Every organization has at least one entry, for its first owner. The first user has at least
    /// one, for the mint of the first token, unless that entry is in the closed chain. So a chain
    /// whose entries are all missing is noticed.
    pub fn finish(self) -> AuditReport {
        let mut report = AuditReport { entries: self.entries, ..AuditReport::default() };
        let mut is_first_user = !self.chains.contains_key(&None);
        for (chain, mut verified) in self.chains {
            let is_organization = matches!(chain, Some(Chain::Organization(_)));
            let is_user = matches!(chain, Some(Chain::User(_)));
            verified.finish(is_organization || is_user && mem::take(&mut is_first_user));
            report.chains += usize::from(verified.entries > 0);
            report.faults.extend(verified.first_fault);
        }
        report.faults.extend(self.missing.iter().map(|chain| sentence(chain, 1, CUT)));
        report
    }
}

/// Names a chain that has entries in the database, but no head.
fn unknown_name(chain: AnyChain) -> String {
    match chain {
        Some(Chain::Organization(id)) => format!("unknown organization number {}", id.0),
        Some(Chain::User(id)) => format!("unknown user number {}", id.0),
        None => CLOSED.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::{OrganizationId, UserId};

    const ACME: AnyChain = Some(Chain::Organization(OrganizationId(1)));
    const ALICE: AnyChain = Some(Chain::User(UserId(1)));

    fn entry(chain: AnyChain, sequence: i64, message: &str) -> ChainEntry<'_> {
        let (code, origin, author, data) = ("group-create", "web", "alice", "{}");
        ChainEntry { chain, sequence, code, message, origin, author, created_at: 1, data }
    }

    /// Entries with their hashes, and the heads of their chains.
    type Log = (Vec<(ChainEntry<'static>, Hash)>, Vec<(AnyChain, NamedHead)>);

    /// Changes a log without the program.
    type Tamper = fn(&mut Log);

    /// Returns two chains of three entries.
    fn log() -> Log {
        let (mut entries, mut heads) = (Vec::new(), Vec::new());
        for (chain, name) in [(ALICE, "user alice"), (ACME, "organization acme")] {
            let mut hash = START;
            for sequence in 1..=3 {
                let entry = entry(chain, sequence, "made");
                hash = entry.hash(&hash);
                entries.push((entry, hash));
            }
            heads.push((chain, NamedHead { name: name.to_owned(), entries: 3, hash }));
        }
        (entries, heads)
    }

    fn faults(log: Log) -> Vec<String> {
        faults_with_kept(log, &[])
    }

    fn faults_with_kept((entries, heads): Log, kept: &[NamedHead]) -> Vec<String> {
        let mut verifier = Verifier::new(heads);
        verifier.compare_with(kept);
        for (entry, hash) in &entries {
            verifier.check(entry, hash);
        }
        verifier.finish().faults
    }

    #[test]
    fn an_intact_log_has_no_faults() {
        assert!(faults(log()).is_empty());
    }

    #[test]
    fn a_changed_removed_moved_or_added_entry_is_reported() {
        let tampered: [(Tamper, i64, &str); 7] = [
            (|log| log.0[4].0.message = "forged", 2, CHANGED),
            (|log| log.0[3].0.created_at = 2, 1, CHANGED),
            (|log| log.0.retain(|(entry, _)| (entry.chain, entry.sequence) != (ACME, 2)), 2, MOVED),
            (|log| log.0.truncate(5), 3, CUT),
            (|log| log.0.swap(3, 4), 1, MOVED),
            (|log| log.0.push((entry(ACME, 4, "new"), START)), 4, CHANGED),
            (|log| log.1[1].1.hash = START, 3, CHANGED),
        ];
        for (index, (tamper, entry, what)) in tampered.into_iter().enumerate() {
            let mut log = log();
            tamper(&mut log);
            assert_eq!(faults(log), [sentence("organization acme", entry, what)], "{index}");
        }
    }

    /// Removes the last entry of acme, and rewrites the head to the entry before.
    fn cut_off(log: &mut Log) {
        log.0.pop();
        let (entries, hash) = (2, log.0[4].1);
        log.1[1].1 = NamedHead { name: "organization acme".to_owned(), entries, hash };
    }

    #[test]
    fn a_removed_last_entry_with_a_rewritten_head_differs_from_the_kept_head() {
        let kept: Vec<_> = log().1.into_iter().map(|(_, head)| head).collect();
        let lines: Vec<_> = kept.iter().map(ToString::to_string).collect();
        let parsed: Vec<NamedHead> = lines.iter().map(|line| line.parse().unwrap()).collect();
        assert_eq!(parsed, kept);
        assert!(faults_with_kept(log(), &kept).is_empty());
        let acme = "organization acme";
        let mut cut = log();
        cut_off(&mut cut);
        assert!(faults(cut.clone()).is_empty(), "the database alone does not show it");
        assert_eq!(faults_with_kept(cut.clone(), &kept), [sentence(acme, 3, CUT)]);
        let other = entry(ACME, 3, "other");
        let hash = other.hash(&cut.0[4].1);
        cut.0.push((other, hash));
        cut.1[1].1 = NamedHead { name: acme.to_owned(), entries: 3, hash };
        assert_eq!(faults_with_kept(cut.clone(), &kept), [sentence(acme, 3, REWRITTEN)]);
        cut.0.truncate(3);
        cut.1.truncate(1);
        assert_eq!(faults_with_kept(cut, &kept), [sentence(acme, 1, CUT)]);
    }

    #[test]
    fn entries_of_a_missing_organization_are_reported() {
        let (entries, mut heads) = log();
        heads.truncate(1);
        let name = "unknown organization number 1";
        assert_eq!(faults((entries, heads)), [sentence(name, 1, FORGED)]);
    }

    #[test]
    fn a_chain_without_any_of_its_entries_is_reported() {
        for (gone, name) in [(ALICE, "user alice"), (ACME, "organization acme")] {
            let (mut entries, mut heads) = log();
            entries.retain(|(entry, _)| entry.chain != gone);
            for (_, head) in heads.iter_mut().filter(|(chain, _)| *chain == gone) {
                *head = NamedHead { name: name.to_owned(), entries: 0, hash: START };
            }
            assert_eq!(faults((entries, heads)), [sentence(name, 1, CUT)]);
        }
    }

    #[test]
    fn an_added_entry_with_a_valid_hash_is_after_the_head() {
        let (mut entries, heads) = log();
        let forged = entry(ACME, 4, "new");
        let hash = forged.hash(&entries[5].1);
        entries.push((forged, hash));
        assert_eq!(faults((entries, heads)), [sentence("organization acme", 4, FORGED)]);
    }
}
