//! Containment of objects: names agree on both sides, and each property is contained in turn.
//!
//! An object that names nothing is free, and free is a shape like any other: it may be narrowed,
//! never widened.

use std::collections::{BTreeMap, BTreeSet};

use super::super::annotation::{self, Unsaid};
use super::super::case::{Case, Schema};
use super::super::describe;
use super::super::finding::{Direction, Finding, Pair, Rule, Side};
use super::{Containment, Value, pair};

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
        let cases = pair(direction, small, large);
        let named = cases.as_ref().map(|case| visible(case, direction));
        let object = Object { value, cases, named };
        let mut findings = object.missing();
        if object.cases.served.is_free() && !findings.is_empty() {
            return findings;
        }
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
        findings.extend(self.narrowed(&object));
        findings.extend(self.further(value, small, large));
        findings
    }

    /// What the server names of what the document leaves free.
    fn narrowed(&mut self, object: &Object<'_, '_>) -> Vec<Finding> {
        let (documented, served) = (object.cases.documented, object.cases.served);
        let (Some(all), true) = (documented.further(), documented.is_free()) else {
            return Vec::new();
        };
        // A closed object that should be free is one finding, not one a property.
        if object.value.place.direction == Direction::Request && served.further().is_none() {
            return Vec::new();
        }
        let free = Schema::all_of(&documented.from, all);
        let mut findings = Vec::new();
        for (name, schema) in &object.named.served {
            let schemas = Pair { documented: free.clone(), served: schema.clone() };
            findings.extend(self.schemas(&schemas, &object.value.place.property(name)));
        }
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
                self.schemas(&pair(value.place.direction, some, more), &value.place.members())
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

impl Object<'_, '_> {
    fn missing(&self) -> Vec<Finding> {
        let (documented, served) = (&self.named.documented, &self.named.served);
        let names: Vec<_> =
            documented.keys().filter(|name| !served.contains_key(*name)).copied().collect();
        if self.cases.served.is_free() && !names.is_empty() {
            let names = describe::names(names.into_iter());
            let title = format!(
                "the server names no member of {}, and {names} is documented",
                self.value.place.subject()
            );
            return vec![self.value.finding(Rule::MissingProperty, title)];
        }
        let finding = |name: &str| {
            let title = format!("`{name}` is documented, and the server does not declare it");
            let here = documented.get(name).map(|schema| &schema.here);
            Finding {
                documented: Side::new(here.unwrap_or(&self.cases.documented.from), "a property"),
                served: Side::new(
                    &self.cases.served.from,
                    format!("an {}", describe::case(self.cases.served)),
                ),
                ..self.named(Rule::MissingProperty, name, title)
            }
        };
        names.into_iter().map(finding).collect()
    }

    fn undocumented(&self) -> Vec<Finding> {
        if self.cases.documented.is_free() {
            return Vec::new();
        }
        let known = &self.named.documented;
        let extra = self.named.served.iter().filter(|(name, _)| !known.contains_key(*name));
        let finding = |(name, schema): (&&str, &Schema<'_>)| {
            let title = format!("`{name}` is declared by the server, and not documented");
            Finding {
                documented: Side::new(
                    &self.cases.documented.from,
                    format!("an {}", describe::case(self.cases.documented)),
                ),
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
        let on_one_side: BTreeSet<_> = small
            .properties
            .keys()
            .chain(large.properties.keys())
            .filter(|name| {
                let (small, large) = self.named.ordered(direction);
                !(small.contains_key(*name) && large.contains_key(*name))
            })
            .collect();
        let names = large.required.difference(&small.required);
        names
            .filter(|name| !on_one_side.contains(name) || self.cases.documented.is_free())
            .map(|name| self.optional(name))
            .collect()
    }

    fn optional(&self, name: &str) -> Finding {
        let direction = self.value.place.direction;
        let title = match direction {
            Direction::Request => {
                format!("`{name}` is required by the server, and documented as optional")
            }
            Direction::Response => format!("`{name}` may be absent, and is documented as required"),
        };
        let (small, large) = ("optional", "required");
        let says = pair(direction, small, large);
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
