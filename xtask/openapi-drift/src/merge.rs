//! The result of a comparison: one finding for one cause, the most severe first.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};

use crate::code::Code;
use crate::finding::{Effect, Finding, Side};

/// More findings of one code than a report can hold. The others are counted.
const MAX_LISTED: usize = 10_000;
/// The index of a finding that is not listed.
const UNLISTED: usize = usize::MAX;

/// How many findings of one code are not listed, because there are too many of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unlisted {
    /// What identifies the kind of finding.
    pub code: Code,
    /// What they do to callers and clients.
    pub effect: Effect,
    /// How many there are besides those that are listed.
    pub count: usize,
}

impl fmt::Display for Unlisted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} more of `{}` are not listed", self.count, self.code)
    }
}

/// Findings with one cause are one. They are merged as they are found, because a difference in a large
/// document has many places.
#[derive(Default)]
pub struct Merged {
    findings: Vec<Finding>,
    /// The index of the finding with a cause.
    by_cause: HashMap<(bool, u64), usize>,
    known_places: HashSet<(usize, u64)>,
    /// How many causes have a code and an effect.
    counts: HashMap<(Code, Effect), usize>,
}

impl Extend<Finding> for Merged {
    fn extend<T: IntoIterator<Item = Finding>>(&mut self, findings: T) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }
}

impl Merged {
    fn add(&mut self, mut finding: Finding) {
        let causes = causes(&finding);
        let known = causes.iter().filter_map(|cause| self.by_cause.get(cause).copied()).min();
        let index = known.unwrap_or_else(|| self.new_index(&finding));
        if known.is_none() {
            self.by_cause.extend(causes.map(|cause| (cause, index)));
        }
        if index == UNLISTED {
            return;
        }
        finding.places.retain(|place| self.known_places.insert((index, hash(place))));
        match self.findings.get_mut(index) {
            Some(listed) => listed.places.append(&mut finding.places),
            None => self.findings.push(finding),
        }
    }

    fn new_index(&mut self, finding: &Finding) -> usize {
        let count = self.counts.entry((finding.code(), finding.effect)).or_default();
        *count += 1;
        if *count > MAX_LISTED { UNLISTED } else { self.findings.len() }
    }

    /// Returns the findings by severity, then by position in the contract, and what is not listed.
    pub fn sorted(mut self) -> (Vec<Finding>, Vec<Unlisted>) {
        self.findings.sort_by_key(|finding| (finding.rule, finding.documented.position));
        let counts = self.counts.into_iter().filter(|(_, count)| *count > MAX_LISTED);
        let unlisted =
            |((code, effect), count)| Unlisted { code, effect, count: count - MAX_LISTED };
        let mut unlisted: Vec<_> = counts.map(unlisted).collect();
        unlisted.sort_by_key(|it| (it.code.rule, it.code.to_string(), it.count));
        (self.findings, unlisted)
    }
}

/// Returns a hash for each side. Findings have one cause if they say the same about the same
/// definition on either side.
fn causes(finding: &Finding) -> [(bool, u64); 2] {
    let Finding { rule, effect, direction, title, documented, served, .. } = finding;
    let hash = |side: &Side| hash(&(rule, effect, direction, title, &side.defined_at, &side.says));
    [(false, hash(documented)), (true, hash(served))]
}

fn hash(value: &impl Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(value)
}
