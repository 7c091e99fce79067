//! The result of a comparison: one finding for one cause, the most severe first.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};

use super::{Effect, Finding, Side};
use crate::code::Code;

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
    by_cause: HashMap<u64, usize>,
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
        let causes = finding.causes();
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
            Some(listed) => listed.add(finding),
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

impl Finding {
    /// Returns hashes, of which findings with one cause share any: they say the same about the same
    /// definition of what is edited or, of a server, on either side, or the same about one definition
    /// that values of several names use.
    fn causes(&self) -> [u64; 3] {
        let cause = |kind: u8, title: &str, sides: &[&Side]| {
            // Each use of a shared definition may say more than that.
            let says = |side: &&Side| (kind != 2).then(|| side.says.clone());
            let said = sides.iter().map(|side| (&side.file, &side.defined_at, says(side)));
            let said: Vec<_> = said.collect();
            hash(&(kind, self.rule, self.effect, self.code().direction, title, said))
        };
        let both = [&*self.documented, &*self.served];
        let (one, two) = both.split_at(1);
        // A parameter of the path has its name in each path.
        let both = if self.renames_path_parameter() { &[] } else { &both[..] };
        let title = self.title.replacen(&self.subject, "", 1);
        let one = self.question.words(one, two);
        [cause(0, &self.title, one), cause(1, &self.title, two), cause(2, &title, both)]
    }

    /// Adds the places of a finding with the same cause. Values of several names are called by that of
    /// their definition.
    fn add(&mut self, other: Self) {
        self.places.extend(other.places);
        self.direction = self.direction.filter(|direction| other.direction == Some(*direction));
        if self.subject != other.subject {
            let definition = self.documented.defined_at.rsplit('/').next().unwrap_or_default();
            let subject = format!("`{}`", definition.trim_end_matches('#'));
            self.title = self.title.replacen(&self.subject, &subject, 1);
            self.subject = subject;
        }
    }
}

fn hash(value: &impl Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(value)
}
