//! Containment of values: does the larger side allow everything that the smaller side allows?
//!
//! The direction decides which side is smaller. Each case of the smaller side must fit one case of
//! the larger, and is reported against the one that it fits best. This module must not read a
//! schema keyword, and it must not print.

mod addition;
mod exclusion;
mod object;
mod scalar;
mod value;
mod variant;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use indexmap::IndexSet;

use crate::case::{Case, Kind, Schema, Values, allows_everything};
use crate::describe;
use crate::expand::expand;
use crate::finding::{Effect, Finding, Rule};
use crate::location::Location;
use crate::number::Number;
use crate::pair::{Direction, Pair, Question};
use crate::value::Value as Json;
pub use object::visible;
use value::{Fit, Value};
use variant::{Constant, Union};

/// Deeper than the references of any document that people maintain.
pub const MAX_DEPTH: usize = 4000;
/// More pairs than any value of a small document needs.
const MAX_PAIRS: usize = 20_000;

/// More visits of pairs than documents of some megabytes need.
const MAX_VISITED: usize = 50_000;

/// How many findings are kept of a pair that fails.
const MAX_REMEMBERED: usize = 16;

/// What identifies a pair of schemas: where their values are in memory.
type Key = (Pair<Vec<*const Json>>, Direction);

/// A comparison of values, with the pairs of schemas that it has seen. All values of two documents
/// share one, because they share most of their schemas.
#[derive(Debug, Default)]
pub struct Containment {
    /// Pairs that are assumed to hold while they are compared, so that recursion ends, and pairs that
    /// hold under such an assumption. A pair that fails is removed with all that followed it.
    holding: IndexSet<Key>,
    /// Pairs that hold.
    proven: HashSet<Key>,
    /// The first assumption that was used, by its index.
    used: usize,
    /// Findings of pairs that fail, under any assumption. In documents in which most schemas refer to
    /// most others, a difference has more places than can be visited.
    failing: HashMap<Key, Vec<Finding>>,
    depth: usize,
    /// The depth at which nothing more is compared.
    max_depth: usize,
    /// How many pairs each value may take.
    max_pairs: usize,
    compared: usize,
    compared_in_all: usize,
}

/// The comparison that all values of two documents share.
pub type Shared = RefCell<Containment>;

impl Containment {
    /// A comparison of documents that hold `values`, with room on the stack for `max_depth`.
    pub fn new(values: usize, max_depth: usize) -> Self {
        let max_pairs = values.max(MAX_PAIRS);
        Self { max_depth, max_pairs, used: usize::MAX, ..Self::default() }
    }

    /// Compares what both sides declare for one value.
    pub fn compare(&mut self, schemas: &Pair<Schema<'_>>, location: &Location) -> Vec<Finding> {
        if schemas.are_identical() {
            return Vec::new();
        }
        let key = (schemas.as_ref().map(Schema::key), location.direction);
        if let Some(index) = self.holding.get_index_of(&key) {
            self.used = self.used.min(index);
            return Vec::new();
        }
        if self.proven.contains(&key) {
            return Vec::new();
        }
        // In small documents every place of a difference is visited.
        let is_large = self.compared_in_all > MAX_VISITED.min(self.max_pairs / 4);
        if let Some(known) = self.failing.get(&key).filter(|_| is_large) {
            return known.iter().map(|finding| finding.moved(location)).collect();
        }
        if self.depth == 0 {
            self.compared = 0;
        }
        let cases = schemas.as_ref().map(expand);
        let value = Value::new(schemas, &cases, location);
        self.compared += 1;
        self.compared_in_all += 1;
        if self.depth == self.max_depth || self.compared > self.max_pairs {
            return vec![value.undecided("such deep nesting")];
        }
        let (known, used) = (self.holding.len(), self.used);
        let is_held = value.is_held();
        if is_held {
            self.holding.insert(key.clone());
        }
        self.used = usize::MAX;
        self.depth += 1;
        let mut findings = self.value(&value);
        self.depth -= 1;
        findings.extend(variant::discriminator(&value));
        findings.extend(self.additions(&value, &findings));
        if !findings.is_empty() {
            self.holding.truncate(known);
        } else if self.used >= known {
            self.proven.extend(self.holding.drain(known..));
        }
        self.used = self.used.min(used);
        if is_held && !findings.is_empty() {
            let first = findings.iter().take(MAX_REMEMBERED);
            let remember = || first.map(|finding| finding.relative_to(location)).collect();
            self.failing.entry(key).or_insert_with(remember);
        }
        findings
    }

    /// Whether one side may have just another name for what the other side declares: a server may
    /// narrow or widen it as always, and another version of a contract may not.
    pub fn are_alike(&mut self, schemas: &Pair<Schema<'_>>, location: &Location) -> bool {
        match location.question {
            Question::Server => self.compare(schemas, location).is_empty(),
            Question::Change => self.are_equal(schemas, location),
        }
    }

    /// Whether both sides declare the same values.
    pub fn are_equal(&mut self, schemas: &Pair<Schema<'_>>, location: &Location) -> bool {
        self.compare(schemas, location).is_empty()
            && self.compare(schemas, &location.reversed()).is_empty()
    }

    /// Compares one value of the smaller side, because other variants allow the others.
    fn one_of(
        &mut self,
        one: &Json,
        schemas: &Pair<Schema<'_>>,
        location: &Location,
    ) -> Vec<Finding> {
        let (small, large) = schemas.ordered(location.direction);
        let values = Some(Rc::new(Values::from([one.clone()])));
        let only = Case { values, ..Case::any(Kind::of(one), &small.shown) };
        let cases = Pair::from_ordered(location.direction, vec![only], expand(large));
        self.value(&Value::new(schemas, &cases, location))
    }

    fn value(&mut self, value: &Value<'_, '_>) -> Vec<Finding> {
        let (small, large) = value.cases.ordered(value.location.direction);
        if allows_everything(large) {
            return Vec::new();
        }
        let is_matched = |case: &Case<'_>| large.iter().any(|other| other.kind == case.kind);
        let unmatched: Vec<_> = small.iter().filter(|case| !is_matched(case)).cloned().collect();
        let mut findings = Vec::new();
        if !unmatched.is_empty() {
            let is_null = unmatched.iter().all(|case| case.kind == Kind::Null);
            let rule = if is_null { Rule::Null } else { Rule::Type };
            let (some, known) = (describe::cases(&unmatched), describe::cases(large));
            findings.push(value.differs(rule, &some, &known));
        }
        // If the smaller side allows every kind, the finding above says enough.
        if unmatched.is_empty() || small.len() < Kind::ALL.len() {
            let matched = small.iter().enumerate().filter(|(_, case)| is_matched(case));
            findings.extend(matched.flat_map(|(index, case)| self.best_fit(value, case, index)));
        }
        findings
    }

    /// Compares one case of the smaller side with the case that it fits best.
    fn best_fit(&mut self, value: &Value<'_, '_>, case: &Case<'_>, index: usize) -> Vec<Finding> {
        let (_, large) = value.cases.ordered(value.location.direction);
        let larger: Vec<_> = large.iter().filter(|other| other.kind == case.kind).collect();
        if let Some(mut findings) = scalar::enumerated(value, case, &larger) {
            if findings.is_empty() {
                findings.extend(self.excluded_value(value, case, &larger));
            }
            return findings;
        }
        let numbered = large.iter().enumerate().filter(|(_, other)| other.kind == case.kind);
        let variants: Vec<_> = numbered.map(|(at, _)| at).collect();
        self.variants(&Union::new(value, (index, case)), &variants, &[])
    }

    /// Compares a case with each of the variants, and reports against the one that it fits best.
    fn best_of(
        &mut self,
        union: &Union<'_, '_>,
        variants: &[usize],
        told: &[Constant<'_>],
    ) -> Vec<Finding> {
        let (value, (index, small)) = (union.value, union.small);
        let (_, large) = value.cases.ordered(value.location.direction);
        let rank = |at: &usize| (component(small) != component(&large[*at]), at.abs_diff(index));
        let mut ranked = variants.to_vec();
        ranked.sort_by_key(rank);
        let mut best: Option<(_, Vec<Finding>)> = None;
        for at in ranked {
            let spans = |(name, _): &&Constant<'_>| !union.has_all_values(at, name);
            let covered: Vec<_> = told.iter().filter(spans).copied().collect();
            let fit = Fit { value, small, large: &large[at], covered: &covered };
            let findings = self.case(&fit);
            if findings.is_empty() {
                return findings;
            }
            let cost = (component(small) != component(&large[at]), cost(&findings));
            if best.as_ref().is_none_or(|(known, _)| cost < *known) {
                best = Some((cost, findings));
            }
        }
        let findings = best.map_or(Vec::new(), |(_, findings)| findings);
        if breaks(&findings) && union.is_unpaired(variants) {
            let large: Vec<_> = variants.iter().map(|at| large[*at].clone()).collect();
            let [small, large] = [describe::case(small), describe::cases(&large)];
            if small != large {
                return vec![value.differs(Rule::Type, &small, &large)];
            }
        }
        findings
    }

    fn case(&mut self, fit: &Fit<'_, '_>) -> Vec<Finding> {
        let mut findings = scalar::conditions(fit);
        findings.extend(self.exclusions(fit));
        match fit.small.kind {
            Kind::Array => findings.extend(self.items(fit)),
            Kind::Object => findings.extend(self.object(fit)),
            _ => {}
        }
        if !breaks(&findings) {
            findings.extend(self.overlap(fit));
        }
        findings
    }

    fn items(&mut self, fit: &Fit<'_, '_>) -> Vec<Finding> {
        let Fit { value, small, large, .. } = fit;
        if small.range.high.is_some_and(|bound| bound.at == Number::Whole(0)) {
            return Vec::new();
        }
        self.compare(&fit.part(&small.items, &large.items), &value.location.items())
    }
}

fn breaks(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.effect == Effect::Breaks)
}

/// What is added counts only between cases that break the same number of promises.
fn cost(findings: &[Finding]) -> (usize, usize) {
    let breaks = findings.iter().filter(|finding| finding.effect == Effect::Breaks);
    (breaks.count(), findings.len())
}

/// The name of the component that declares a case, if one does. People recognize branches by it.
fn component<'a>(case: &'a Case<'_>) -> Option<&'a str> {
    let place = case.origin.defined_at.rsplit_once("/components/schemas/");
    place.map(|(_, name)| name).filter(|name| !name.contains('/'))
}
