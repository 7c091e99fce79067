//! Containment of objects: names agree on both sides, and each property is contained in turn.
//!
//! Names come before shapes: an object that names properties on one side only is drift in both
//! directions, whatever the other side would take.

use std::collections::BTreeMap;

use super::super::annotation::{self, Unsaid};
use super::super::case::{Case, Schema};
use super::super::describe;
use super::super::finding::{Direction, Finding, Pair, Rule, Side};
use super::super::number::{End, Number, Range};
use super::{Containment, Value};

type Properties<'d> = BTreeMap<&'d str, Schema<'d>>;

/// Both sides of one object.
struct Object<'a, 'd> {
    value: &'a Value<'a, 'd>,
    cases: Pair<&'a Case<'d>>,
    named: Pair<Properties<'d>>,
}

impl Containment {
    /// Compares two objects, property by property.
    pub(super) fn object<'d>(
        &mut self,
        value: &Value<'_, 'd>,
        small: &Case<'d>,
        large: &Case<'d>,
    ) -> Vec<Finding> {
        let direction = value.place.direction;
        let cases = Pair::of(direction, small, large);
        let named = cases.as_ref().map(|case| visible(case, direction));
        let object = Object { value, cases, named };
        if let Some(finding) = object.unnamed() {
            return vec![finding];
        }
        let mut findings = object.missing();
        findings.extend(object.undocumented());
        findings.extend(object.required());
        for (name, documented) in &object.named.documented {
            if let Some(served) = object.named.served.get(name) {
                let schemas = Pair { documented: documented.clone(), served: served.clone() };
                let place = value.place.property(name);
                findings.extend(self.schemas(&schemas, &place));
                findings.extend(annotation::defaults(&schemas, &place, Unsaid::Counts));
            }
        }
        findings.extend(self.further(value, small, large));
        findings
    }

    /// What nobody names.
    fn further(
        &mut self,
        value: &Value<'_, '_>,
        small: &Case<'_>,
        large: &Case<'_>,
    ) -> Vec<Finding> {
        match (small.further(), large.further()) {
            (None, _) | (_, Some([])) => Vec::new(),
            (Some(_), None) => {
                let members = |case: &Case<'_>| match case.further() {
                    Some(_) => "an object with any other members".to_owned(),
                    None => describe::case(case),
                };
                vec![value.differs(Rule::Further, &members(small), &members(large))]
            }
            (Some(some), Some(more)) => {
                let some = Schema::all_of(&small.from, some);
                let more = Schema::all_of(&large.from, more);
                let schemas = Pair::of(value.place.direction, some, more);
                self.schemas(&schemas, &value.place.members())
            }
        }
    }
}

/// The properties that are sent in this direction.
fn visible<'d>(case: &Case<'d>, direction: Direction) -> Properties<'d> {
    let hides = match direction {
        Direction::Request => "readOnly",
        Direction::Response => "writeOnly",
    };
    let properties = case.properties.iter();
    let schemas = properties.map(|(name, all)| (*name, Schema::all_of(&case.from, all)));
    schemas.filter(|(_, schema)| !annotation::flag(schema, hides)).collect()
}

/// How many members the object has, by its bounds and by what it names.
pub fn count(case: &Case<'_>, direction: Direction) -> Range {
    let named = visible(case, direction);
    let is_sent =
        |name: &&&str| named.contains_key(**name) || !case.properties.contains_key(**name);
    let size = |count| Some(End::closed(Number::size(count)));
    let low = size(case.required.iter().filter(is_sent).count());
    let high = if case.further().is_none() { size(named.len()) } else { None };
    case.range.and(Range { low, high })
}

impl Object<'_, '_> {
    /// An object that names nothing on one side only: one finding, not one a name.
    fn unnamed(&self) -> Option<Finding> {
        let (documented, served) = (&self.named.documented, &self.named.served);
        let subject = self.value.place.subject();
        let names = |named: &Properties<'_>| describe::names(named.keys().copied());
        let (rule, title) = if self.cases.served.is_free() && !documented.is_empty() {
            let names = names(documented);
            (
                Rule::MissingProperty,
                format!("{subject} names {names} in the document, and nothing on the server"),
            )
        } else if self.cases.documented.is_free() && !served.is_empty() {
            let names = names(served);
            (
                Rule::UndocumentedProperty,
                format!("{subject} names {names} on the server, and nothing in the document"),
            )
        } else {
            return None;
        };
        Some(Finding { direction: None, ..self.value.finding(rule, title) })
    }

    fn missing(&self) -> Vec<Finding> {
        let missing = lonely(&self.named.documented, &self.named.served);
        let finding = |(name, schema): (&str, &Schema<'_>)| {
            let served = self.cases.served;
            let title = format!("`{name}` is documented, and the server does not declare it");
            Finding {
                documented: Side::new(&schema.here, "a property"),
                served: Side::new(&served.from, describe::case(served)),
                ..self.named(Rule::MissingProperty, name, title)
            }
        };
        missing.map(finding).collect()
    }

    fn undocumented(&self) -> Vec<Finding> {
        let extra = lonely(&self.named.served, &self.named.documented);
        let finding = |(name, schema): (&str, &Schema<'_>)| {
            let documented = self.cases.documented;
            let needs =
                if self.cases.served.required.contains(name) { "required" } else { "declared" };
            let title = format!("`{name}` is {needs} by the server, and not documented");
            Finding {
                documented: Side::new(&documented.from, describe::case(documented)),
                served: Side::new(&schema.here, "a property"),
                ..self.named(Rule::UndocumentedProperty, name, title)
            }
        };
        extra.map(finding).collect()
    }

    /// What the larger side requires, the smaller must require too.
    fn required(&self) -> Vec<Finding> {
        let direction = self.value.place.direction;
        let (small, large) = self.cases.ordered(direction);
        let named = [&self.named.documented, &self.named.served];
        // What only one side names has been reported, and what is hidden is not sent.
        let counts = |name: &&&str| {
            named.iter().all(|all| all.contains_key(**name))
                || !(small.properties.contains_key(**name) || large.properties.contains_key(**name))
        };
        let lacking = large.required.difference(&small.required);
        lacking.filter(counts).map(|name| self.optional(name)).collect()
    }

    fn optional(&self, name: &str) -> Finding {
        let direction = self.value.place.direction;
        let title = match direction {
            Direction::Request => {
                format!("`{name}` is required by the server, and documented as optional")
            }
            Direction::Response => format!("`{name}` may be absent, and is documented as required"),
        };
        let says = Pair::of(direction, "optional", "required");
        let node = |named: &Properties<'_>, case: &Case<'_>, says: &str| {
            Side::new(named.get(name).map_or(&case.from, |schema| &schema.here), says)
        };
        Finding {
            direction: Some(direction),
            documented: node(&self.named.documented, self.cases.documented, says.documented),
            served: node(&self.named.served, self.cases.served, says.served),
            ..self.named(Rule::Required, name, title)
        }
    }

    fn named(&self, rule: Rule, name: &str, title: String) -> Finding {
        let places = vec![self.value.place.property(name).to_string()];
        Finding { direction: None, places, ..self.value.finding(rule, title) }
    }
}

/// The properties that the other side does not name.
fn lonely<'a, 'd>(
    one: &'a Properties<'d>,
    other: &'a Properties<'d>,
) -> impl Iterator<Item = (&'d str, &'a Schema<'d>)> {
    one.iter().filter(|(name, _)| !other.contains_key(*name)).map(|(name, schema)| (*name, schema))
}
