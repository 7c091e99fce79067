//! Findings with one cause become one, with all their places.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Finding, Side};

/// Merges findings with one cause, and sorts them by severity, then by position in the contract.
pub fn merge(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::new();
    let mut by_cause = HashMap::new();
    let mut known_places = HashSet::new();
    for mut finding in findings {
        let causes = finding.causes();
        let known = causes.iter().filter_map(|cause| by_cause.get(cause).copied()).min();
        let index = known.unwrap_or(merged.len());
        finding.places.retain(|place| known_places.insert((index, place.clone())));
        if known.is_some() {
            merged[index].add(finding);
        } else {
            by_cause.extend(causes.map(|cause| (cause, index)));
            merged.push(finding);
        }
    }
    merged.sort_by_key(|finding| (finding.rule, finding.documented.position));
    merged
}

impl Finding {
    /// Returns hashes, of which findings with one cause share any: they say the same about the same
    /// definition on either side, or the same about one definition that values of several names use.
    fn causes(&self) -> [u64; 3] {
        let hash = |kind: u8, title: &str, sides: &[&Side]| {
            let mut hasher = DefaultHasher::new();
            (kind, self.rule, self.effect, self.code().direction, title).hash(&mut hasher);
            let said = sides.iter().map(|side| (&side.file, &side.defined_at, &side.says));
            said.for_each(|said| said.hash(&mut hasher));
            hasher.finish()
        };
        let both = [&self.documented, &self.served];
        let (one, two) = both.split_at(1);
        // A parameter of the path has its name in each path.
        let both = if self.renames_path_parameter() { &[] } else { &both[..] };
        let title = self.title.replacen(&self.subject, "", 1);
        [hash(0, &self.title, one), hash(1, &self.title, two), hash(2, &title, both)]
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
