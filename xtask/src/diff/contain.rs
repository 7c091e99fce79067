//! Containment of values: does the larger side allow everything that the smaller side allows?
//!
//! Which side is smaller follows from the direction alone. Every case of the smaller side must fit
//! one case of the larger, and is reported against the one that it fits best. Nothing here reads a
//! schema keyword or prints.

mod object;
mod scalar;

use std::cell::OnceCell;

use super::annotation;
use super::case::{Case, Kind, Schema, is_anything};
use super::describe;
use super::document::Node;
use super::expand::expand;
use super::finding::{Direction, Finding, Pair, Rule, Side};
use super::number::Number;
use super::place::Place;

/// Deeper than any value that a person reads; recursion ends long before.
const MAX_DEPTH: usize = 100;
/// More pairs than any value has in documents that a person keeps in step.
const MAX_PAIRS: usize = 20_000;

/// The pairs of schemas that have been compared.
#[derive(Default)]
pub struct Containment {
    /// Pairs that hold, or are assumed to while they are looked at: the end of recursion. When one
    /// fails, it goes with all that was found while it was assumed.
    holding: Vec<(Pair<String>, Direction)>,
    depth: usize,
    compared: usize,
}

/// Both sides of one value.
struct Value<'a, 'd> {
    schemas: &'a Pair<Schema<'d>>,
    cases: &'a Pair<Vec<Case<'d>>>,
    place: &'a Place,
    /// Both sides in words, once they are needed.
    says: OnceCell<Pair<String>>,
}

impl Value<'_, '_> {
    /// A finding in the words of the direction: what may come, and what is expected.
    fn differs(&self, rule: Rule, small: &str, large: &str) -> Finding {
        let subject = self.place.subject();
        let title = match self.place.direction {
            Direction::Request => {
                format!("the document allows {small} for {subject}, and the server takes {large}")
            }
            Direction::Response => {
                format!("{subject} may be sent as {small}, and is documented as {large}")
            }
        };
        self.finding(rule, title)
    }

    fn finding(&self, rule: Rule, title: String) -> Finding {
        let describe = || self.cases.as_ref().map(|cases| describe::cases(cases));
        let says = self.says.get_or_init(describe);
        Finding {
            rule,
            direction: Some(self.place.direction),
            title,
            documented: Side::new(&self.schemas.documented.here, &*says.documented),
            served: Side::new(&self.schemas.served.here, &*says.served),
            places: vec![self.place.to_string()],
        }
    }

    fn undecided(&self, what: &str) -> Finding {
        let title = format!("{}: {what} cannot be compared", self.place.subject());
        Finding { direction: None, ..self.finding(Rule::Undecided, title) }
    }
}

impl Containment {
    /// Compares what both sides declare for one value.
    pub fn schemas(&mut self, schemas: &Pair<Schema<'_>>, place: &Place) -> Vec<Finding> {
        let key = (schemas.as_ref().map(Schema::key), place.direction);
        if self.holding.contains(&key) {
            return Vec::new();
        }
        let cases = schemas.as_ref().map(expand);
        let value = Value { schemas, cases: &cases, place, says: OnceCell::new() };
        self.compared += 1;
        if self.depth == MAX_DEPTH || self.compared > MAX_PAIRS {
            return vec![value.undecided("what is nested so deep")];
        }
        let known = self.holding.len();
        self.holding.push(key);
        self.depth += 1;
        let mut findings = self.value(&value);
        self.depth -= 1;
        if annotation::discriminators_differ(schemas) {
            findings.push(value.undecided("another `discriminator`"));
        }
        if !findings.is_empty() {
            self.holding.truncate(known);
        }
        findings
    }

    fn value(&mut self, value: &Value<'_, '_>) -> Vec<Finding> {
        let (small, large) = value.cases.ordered(value.place.direction);
        if is_anything(large) {
            return Vec::new();
        }
        let has_home = |case: &Case<'_>| large.iter().any(|other| other.kind == case.kind);
        let homeless: Vec<_> = small.iter().filter(|case| !has_home(case)).cloned().collect();
        let mut findings = Vec::new();
        if !homeless.is_empty() {
            let null = homeless.iter().all(|case| case.kind == Kind::Null);
            let rule = if null { Rule::Null } else { Rule::Type };
            let (some, known) = (describe::cases(&homeless), describe::cases(large));
            findings.push(value.differs(rule, &some, &known));
        }
        // Of a value of any kind, only that is worth a word.
        if homeless.is_empty() || small.len() < Kind::ALL.len() {
            let fitting = small.iter().enumerate().filter(|(_, case)| has_home(case));
            findings.extend(fitting.flat_map(|(index, case)| self.fit(value, case, index)));
        }
        findings
    }

    /// The differences of one case of the smaller side from the case that it fits best.
    fn fit(&mut self, value: &Value<'_, '_>, case: &Case<'_>, index: usize) -> Vec<Finding> {
        let (_, large) = value.cases.ordered(value.place.direction);
        let larger: Vec<_> = large.iter().filter(|other| other.kind == case.kind).collect();
        if let Some(mut findings) = scalar::enumerated(value, case, &larger) {
            findings.extend(self.exclusions(value, case, larger[0]));
            return findings;
        }
        let rank =
            |(at, other): &(usize, &Case<'_>)| (name(case) != name(other), at.abs_diff(index));
        let mut larger: Vec<_> = larger.into_iter().enumerate().collect();
        larger.sort_by_key(rank);
        let mut best: Option<Vec<Finding>> = None;
        for (_, other) in larger {
            let findings = self.case(value, case, other);
            if findings.is_empty() {
                return findings;
            }
            if best.as_ref().is_none_or(|known| findings.len() < known.len()) {
                best = Some(findings);
            }
        }
        best.unwrap_or_default()
    }

    fn case(&mut self, value: &Value<'_, '_>, small: &Case<'_>, large: &Case<'_>) -> Vec<Finding> {
        let mut findings = scalar::conditions(value, small, large);
        findings.extend(self.exclusions(value, small, large));
        match small.kind {
            Kind::Array => findings.extend(self.items(value, small, large)),
            Kind::Object => findings.extend(self.object(value, small, large)),
            _ => {}
        }
        findings
    }

    /// What one side excludes by `not`, the other must exclude in the same words.
    fn exclusions(
        &mut self,
        value: &Value<'_, '_>,
        small: &Case<'_>,
        large: &Case<'_>,
    ) -> Option<Finding> {
        let mut same = |one: &Node<'_>, two: &Node<'_>| {
            let schemas = [one, two].map(|node| Schema::all_of(node, std::slice::from_ref(node)));
            let [one, two] = schemas;
            let pair = Pair::of(value.place.direction, one, two);
            self.schemas(&pair, value.place).is_empty()
                && self.schemas(&pair, &value.place.reversed()).is_empty()
        };
        let agree = small.not.iter().all(|one| large.not.iter().any(|two| same(one, two)))
            && large.not.iter().all(|two| small.not.iter().any(|one| same(one, two)));
        (!agree).then(|| value.undecided("a `not`"))
    }

    fn items<'d>(
        &mut self,
        value: &Value<'_, 'd>,
        small: &Case<'d>,
        large: &Case<'d>,
    ) -> Vec<Finding> {
        if large.items.is_empty() || small.range.high.is_some_and(|end| end.at == Number::Whole(0))
        {
            return Vec::new();
        }
        let small = Schema::all_of(&small.from, &small.items);
        let large = Schema::all_of(&large.from, &large.items);
        let pair = Pair::of(value.place.direction, small, large);
        self.schemas(&pair, &value.place.items())
    }
}

/// The component that a case comes from, by which people tell branches apart.
fn name<'a>(case: &'a Case<'_>) -> &'a str {
    case.from.pointer.rsplit('/').next().unwrap_or_default()
}
