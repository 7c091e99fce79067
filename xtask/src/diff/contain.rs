//! Containment of values: does the larger side allow everything that the smaller side allows?
//!
//! Which side is smaller follows from the direction alone. Every case of the smaller side must fit
//! one case of the larger, and is reported against the one that it fits best. Nothing here reads a
//! schema keyword or prints.

mod object;
mod scalar;

use super::case::{Case, Kind, Schema};
use super::describe;
use super::expand::expand;
use super::finding::{Direction, Finding, Pair, Rule, Side};
use super::number::Number;
use super::place::Place;

/// Deeper than any value that a person reads; recursion ends long before.
const MAX_DEPTH: usize = 64;
/// More pairs than any two documents have that a person keeps in step.
const MAX_PAIRS: usize = 100_000;

/// The pairs of schemas that are being compared.
#[derive(Default)]
pub struct Containment {
    /// What is assumed to hold while it is being looked at: the end of recursion.
    open: Vec<(Pair<String>, Direction)>,
    compared: usize,
}

/// Both sides of one value.
struct Value<'a, 'd> {
    schemas: &'a Pair<Schema<'d>>,
    cases: &'a Pair<Vec<Case<'d>>>,
    place: &'a Place,
}

impl Value<'_, '_> {
    /// A finding in the words of the direction: what may come, and what is expected.
    fn differs(&self, rule: Rule, small: &str, large: &str) -> Finding {
        let subject = self.place.subject();
        self.finding(
            rule,
            match self.place.direction {
                Direction::Request => {
                    format!("{subject} is documented as {small}, and the server takes {large}")
                }
                Direction::Response => {
                    format!("{subject} may be sent as {small}, and is documented as {large}")
                }
            },
        )
    }

    fn finding(&self, rule: Rule, title: String) -> Finding {
        let says = self.cases.as_ref().map(|cases| describe::cases(cases));
        Finding {
            rule,
            direction: Some(self.place.direction),
            title,
            documented: Side::new(&self.schemas.documented.here, says.documented),
            served: Side::new(&self.schemas.served.here, says.served),
            places: vec![self.place.to_string()],
        }
    }

    fn undecided(&self, what: &str) -> Finding {
        let title = format!("{}: {what} cannot be compared", self.place.subject());
        self.finding(Rule::Undecided, title)
    }
}

impl Containment {
    /// Compares what both sides declare for one value.
    pub fn schemas(&mut self, schemas: &Pair<Schema<'_>>, place: &Place) -> Vec<Finding> {
        let key = schemas.as_ref().map(Schema::key);
        let known = |(open, direction): &(Pair<String>, Direction)| {
            *direction == place.direction
                && open.documented == key.documented
                && open.served == key.served
        };
        if self.open.iter().any(known) {
            return Vec::new();
        }
        self.compared += 1;
        let cases = schemas.as_ref().map(expand);
        let value = Value { schemas, cases: &cases, place };
        if self.open.len() == MAX_DEPTH || self.compared > MAX_PAIRS {
            return vec![value.undecided("what is nested so deep")];
        }
        self.open.push((key, place.direction));
        let findings = self.value(&value);
        self.open.pop();
        findings
    }

    fn value(&mut self, value: &Value<'_, '_>) -> Vec<Finding> {
        let (small, large) = value.cases.ordered(value.place.direction);
        let (fitting, homeless): (Vec<_>, Vec<_>) = small
            .iter()
            .enumerate()
            .partition(|(_, case)| large.iter().any(|other| other.kind == case.kind));
        if homeless.is_empty() {
            return fitting.into_iter().flat_map(|(i, case)| self.fit(value, case, i)).collect();
        }
        let kinds: Vec<_> = homeless.into_iter().map(|(_, case)| case.clone()).collect();
        let null = kinds.iter().all(|case| case.kind == Kind::Null);
        let rule = if null { Rule::Null } else { Rule::Type };
        let mut findings =
            vec![value.differs(rule, &describe::cases(&kinds), &describe::cases(large))];
        if kinds.len() < small.len() && small.len() < Kind::ALL.len() {
            findings.extend(fitting.into_iter().flat_map(|(i, case)| self.fit(value, case, i)));
        }
        findings
    }

    /// The differences of one case of the smaller side from the case that it fits best.
    fn fit(&mut self, value: &Value<'_, '_>, case: &Case<'_>, index: usize) -> Vec<Finding> {
        let (_, large) = value.cases.ordered(value.place.direction);
        let larger: Vec<_> = large.iter().filter(|other| other.kind == case.kind).collect();
        if let Some(finding) = scalar::enumerated(value, case, &larger) {
            return finding.into_iter().collect();
        }
        let mut best: Option<((usize, bool, usize), Vec<Finding>)> = None;
        for (at, other) in larger.into_iter().enumerate() {
            let findings = self.case(value, case, other);
            let rank = (findings.len(), name(case) != name(other), at.abs_diff(index));
            if best.as_ref().is_none_or(|(known, _)| rank < *known) {
                best = Some((rank, findings));
            }
        }
        best.map(|(_, findings)| findings).unwrap_or_default()
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

    /// What the larger side excludes, the smaller must exclude too.
    fn exclusions(
        &mut self,
        value: &Value<'_, '_>,
        small: &Case<'_>,
        large: &Case<'_>,
    ) -> Option<Finding> {
        let place = value.place.reversed();
        let covered = large.not.iter().all(|excluded| {
            let excluded = Schema::all_of(excluded, std::slice::from_ref(excluded));
            small.not.iter().any(|wider| {
                let wider = Schema::all_of(wider, std::slice::from_ref(wider));
                let pair = pair(value.place.direction, wider, excluded.clone());
                self.schemas(&pair, &place).is_empty()
            })
        });
        (!covered).then(|| value.undecided("a `not`"))
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
        let pair = pair(value.place.direction, small, large);
        self.schemas(&pair, &value.place.items())
    }
}

/// Puts the smaller and the larger side back where they came from.
fn pair<T>(direction: Direction, small: T, large: T) -> Pair<T> {
    match direction {
        Direction::Request => Pair { documented: small, served: large },
        Direction::Response => Pair { documented: large, served: small },
    }
}

/// The component that a case comes from, by which people tell branches apart.
fn name<'a>(case: &'a Case<'_>) -> &'a str {
    case.from.pointer.rsplit('/').next().unwrap_or_default()
}
