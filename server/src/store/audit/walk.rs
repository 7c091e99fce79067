//! Where a hash chain is broken. Pure: it reads no database. It notices changes made behind the
//! program's back, unless they rewrite the end of the chain too: for that, compare the heads with a
//! copy that is kept elsewhere.

use super::chain::{AnyChain, CLOSED, Chain, Hash, Link, NamedHead, START};
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::mem;

/// What a walk over all chains found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// How many entries there are.
    pub entries: u64,
    /// How many chains have entries.
    pub chains: usize,
    /// The first fault of each chain that has one, a sentence each. Entries are counted from 1.
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

/// A walk over all entries, in the order in which they were written.
pub struct Walk {
    chains: BTreeMap<AnyChain, Walked>,
    /// The names of chains that were kept elsewhere, and are gone.
    unknown: Vec<String>,
    entries: u64,
}

/// How far the walk is on one chain.
struct Walked {
    /// The end that the database keeps.
    head: NamedHead,
    /// The hashes of entries that were kept elsewhere.
    kept: BTreeMap<i64, Hash>,
    entries: i64,
    hash: Hash,
    /// Those after the first one follow from it.
    first_fault: Option<String>,
}

impl Walked {
    fn new(head: NamedHead) -> Self {
        let kept = BTreeMap::new();
        Self { head, kept, entries: 0, hash: START, first_fault: None }
    }

    fn fault(&mut self, entry: i64, what: &'static str) {
        self.first_fault.get_or_insert_with(|| sentence(&self.head.name, entry, what));
    }

    /// Compares the end of the walk with the end that the database keeps.
    fn end(&mut self, must_have_entries: bool) {
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

impl Walk {
    /// Starts a walk over chains with these heads.
    pub fn new(heads: Vec<(AnyChain, NamedHead)>) -> Self {
        let chains = heads.into_iter().map(|(chain, head)| (chain, Walked::new(head)));
        Self { chains: chains.collect(), unknown: Vec::new(), entries: 0 }
    }

    /// Compares the chains with heads that they had earlier, too.
    pub fn compare_with(&mut self, kept: &[NamedHead]) {
        let chains = self.chains.values_mut();
        let mut by_name: HashMap<_, _> =
            chains.map(|walked| (walked.head.name.clone(), &mut walked.kept)).collect();
        for NamedHead { name, entries, hash } in kept {
            match by_name.get_mut(name) {
                Some(kept) => drop(kept.insert(*entries, *hash)),
                None => self.unknown.push(name.clone()),
            }
        }
    }

    /// Takes the next entry, with the hash that is kept of it.
    pub fn step(&mut self, link: &Link<'_>, kept: &Hash) {
        self.entries += 1;
        let walked = self.chains.entry(link.chain).or_insert_with(|| {
            Walked::new(NamedHead { name: unknown_name(link.chain), entries: 0, hash: START })
        });
        let expected = walked.entries + 1;
        if link.sequence != expected {
            walked.fault(expected, MOVED);
        } else if link.hash(&walked.hash) != *kept {
            walked.fault(expected, CHANGED);
        } else if walked.kept.get(&expected).is_some_and(|hash| hash != kept) {
            walked.fault(expected, REWRITTEN);
        }
        (walked.entries, walked.hash) = (link.sequence, *kept);
    }

    /// Compares the ends of the chains with those that the database keeps.
    ///
    /// Every organization has an entry at least, its first owner's. The first user has one, the mint
    /// of the first token, unless it is in the closed chain. So a chain that is gone whole shows.
    pub fn end(self) -> AuditReport {
        let mut report = AuditReport { entries: self.entries, ..AuditReport::default() };
        let mut is_first_user = !self.chains.contains_key(&None);
        for (chain, mut walked) in self.chains {
            let is_organization = matches!(chain, Some(Chain::Organization(_)));
            let is_user = matches!(chain, Some(Chain::User(_)));
            walked.end(is_organization || is_user && mem::take(&mut is_first_user));
            report.chains += usize::from(walked.entries > 0);
            report.faults.extend(walked.first_fault);
        }
        report.faults.extend(self.unknown.iter().map(|chain| sentence(chain, 1, CUT)));
        report
    }
}

/// Names a chain that the database has entries of, and no end.
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

    fn link(chain: AnyChain, sequence: i64, message: &str) -> Link<'_> {
        let (code, origin, author, data) = ("group-create", "web", "alice", "{}");
        Link { chain, sequence, code, message, origin, author, created_at: 1, data }
    }

    /// Entries with their hashes, and the heads of their chains.
    type Log = (Vec<(Link<'static>, Hash)>, Vec<(AnyChain, NamedHead)>);

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
            heads.push((chain, NamedHead { name: name.to_owned(), entries: 3, hash }));
        }
        (entries, heads)
    }

    fn verdict(log: Log) -> Vec<String> {
        compared(log, &[])
    }

    fn compared((entries, heads): Log, kept: &[NamedHead]) -> Vec<String> {
        let mut walk = Walk::new(heads);
        walk.compare_with(kept);
        for (link, hash) in &entries {
            walk.step(link, hash);
        }
        walk.end().faults
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
            assert_eq!(verdict(log), [sentence("organization acme", entry, what)], "{index}");
        }
    }

    /// Removes the last entry of acme, and makes the entry before it the end.
    fn cut_off(log: &mut Log) {
        log.0.pop();
        let (entries, hash) = (2, log.0[4].1);
        log.1[1].1 = NamedHead { name: "organization acme".to_owned(), entries, hash };
    }

    #[test]
    fn an_end_that_is_cut_off_with_its_head_differs_from_what_was_kept() {
        let kept: Vec<_> = log().1.into_iter().map(|(_, head)| head).collect();
        let lines: Vec<_> = kept.iter().map(ToString::to_string).collect();
        let parsed: Vec<NamedHead> = lines.iter().map(|line| line.parse().unwrap()).collect();
        assert_eq!(parsed, kept);
        assert!(compared(log(), &kept).is_empty());
        let acme = "organization acme";
        let mut cut = log();
        cut_off(&mut cut);
        assert!(verdict(cut.clone()).is_empty(), "the database alone does not show it");
        assert_eq!(compared(cut.clone(), &kept), [sentence(acme, 3, CUT)]);
        let other = link(ACME, 3, "other");
        let hash = other.hash(&cut.0[4].1);
        cut.0.push((other, hash));
        cut.1[1].1 = NamedHead { name: acme.to_owned(), entries: 3, hash };
        assert_eq!(compared(cut.clone(), &kept), [sentence(acme, 3, REWRITTEN)]);
        cut.0.truncate(3);
        cut.1.truncate(1);
        assert_eq!(compared(cut, &kept), [sentence(acme, 1, CUT)]);
    }

    #[test]
    fn entries_of_an_organization_that_is_gone_are_noticed() {
        let (entries, mut heads) = log();
        heads.truncate(1);
        let name = "unknown organization number 1";
        assert_eq!(verdict((entries, heads)), [sentence(name, 1, FORGED)]);
    }

    #[test]
    fn a_chain_that_is_gone_whole_is_noticed() {
        for (gone, name) in [(ALICE, "user alice"), (ACME, "organization acme")] {
            let (mut entries, mut heads) = log();
            entries.retain(|(link, _)| link.chain != gone);
            for (_, head) in heads.iter_mut().filter(|(chain, _)| *chain == gone) {
                *head = NamedHead { name: name.to_owned(), entries: 0, hash: START };
            }
            assert_eq!(verdict((entries, heads)), [sentence(name, 1, CUT)]);
        }
    }

    #[test]
    fn an_entry_added_with_its_own_hash_is_beyond_the_head() {
        let (mut entries, heads) = log();
        let forged = link(ACME, 4, "new");
        let hash = forged.hash(&entries[5].1);
        entries.push((forged, hash));
        assert_eq!(verdict((entries, heads)), [sentence("organization acme", 4, FORGED)]);
    }
}
