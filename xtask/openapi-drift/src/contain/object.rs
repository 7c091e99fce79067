//! Containment of objects: the names must agree on both sides, and each property is contained.
//!
//! If only the contract or only the server names properties, that is a difference in both directions,
//! even if the other side allows any property.

use std::cell::LazyCell;
use std::collections::BTreeMap;

use super::{Containment, Fit, Value};
use crate::annotation;
use crate::case::{AdditionalProperties, Case, Schema};
use crate::describe;
use crate::document::Node;
use crate::finding::{Effect, Finding, Rule, said};
use crate::location::Location;
use crate::number::{Bound, Number, Range};
use crate::pair::{Direction, Pair, Question, renamed};

type Properties<'d> = BTreeMap<&'d str, Schema<'d>>;

/// Both sides of one object.
struct Object<'a, 'd> {
    value: &'a Value<'a, 'd>,
    cases: Pair<&'a Case<'d>>,
    properties: Pair<Properties<'d>>,
}

impl Containment {
    /// Compares two objects, property by property.
    pub(super) fn object(&mut self, fit: &Fit<'_, '_>) -> Vec<Finding> {
        let object = Object::new(fit);
        if let Some(finding) = object.unnamed() {
            return vec![finding];
        }
        let renamed = object.renamed(self);
        let mut findings = object.missing(&renamed);
        findings.extend(object.undocumented(self, &renamed));
        findings.extend(object.required());
        for (name, schemas) in object.properties.matched() {
            let (schemas, location) = (schemas.cloned(), object.value.location.property(name));
            findings.extend(match fit.covered.iter().find(|(covered, _)| covered == name) {
                Some((_, one)) => self.one_of(one, &schemas, &location),
                None => self.compare(&schemas, &location),
            });
            if !object.is_always_sent(name) {
                findings.extend(annotation::compare_defaults(&schemas, &location));
            }
        }
        findings.extend(self.additional_properties(fit));
        findings
    }

    fn additional_properties(&mut self, fit: &Fit<'_, '_>) -> Vec<Finding> {
        let Fit { value, small, large, .. } = fit;
        let question = value.location.question;
        match (additional(small, question), additional(large, question)) {
            (None, _) | (_, Some([])) => Vec::new(),
            (Some(_), None) => {
                let (some, known) = ("an object with any other members", describe::case(large));
                vec![value.differs(Rule::AdditionalProperties, some, &known)]
            }
            (Some(some), Some(more)) => {
                self.compare(&fit.part(some, more), &value.location.additional_properties())
            }
        }
    }
}

/// Returns the keyword of properties that are not sent in this direction.
fn hiding(direction: Direction) -> &'static str {
    match direction {
        Direction::Request => "readOnly",
        Direction::Response => "writeOnly",
    }
}

/// Returns the properties that are sent in this direction.
pub fn visible<'d>(case: &Case<'d>, direction: Direction) -> Properties<'d> {
    let hides = hiding(direction);
    let properties = case.properties.iter();
    let schemas = properties.map(|(name, all)| (*name, Schema::all_of(&case.origin, all)));
    schemas.filter(|(_, schema)| !annotation::flag(schema, hides)).collect()
}

/// Returns the schemas of additional properties, or `None` if those are forbidden. A server sends and
/// reads what it names. But who knows only an earlier version of a contract may send more, unless it
/// forbids that.
fn additional<'a, 'd>(case: &'a Case<'d>, question: Question) -> Option<&'a [Node<'d>]> {
    match (&case.additional, question) {
        (AdditionalProperties::Unspecified, Question::Change) => Some(&[]),
        _ => case.additional_schemas(),
    }
}

/// Returns how many properties the object can have, by its bounds and by what it names.
pub fn count(case: &Case<'_>, location: &Location) -> Range {
    let visible = visible(case, location.direction);
    let is_sent =
        |name: &&&str| visible.contains_key(**name) || !case.properties.contains_key(**name);
    let bound = |count| Bound::inclusive(Number::from_count(count));
    let low = bound(case.required.iter().filter(is_sent).count());
    let high = additional(case, location.question).is_none().then(|| bound(visible.len()));
    case.range.intersect(Range { low: Some(low), high })
}

impl<'a, 'd> Object<'a, 'd> {
    fn new(fit: &Fit<'a, 'd>) -> Self {
        let direction = fit.value.location.direction;
        let cases = Pair::from_ordered(direction, fit.small, fit.large);
        let properties = cases.map(|case| visible(case, direction));
        Self { value: fit.value, cases, properties }
    }

    /// Whether every earlier caller sends the property, so that its default is never used.
    fn is_always_sent(&self, name: &str) -> bool {
        let Location { question, direction, .. } = *self.value.location;
        (question, direction) == (Question::Change, Direction::Request)
            && self.cases.documented.required.contains(name)
    }

    /// Makes one finding, not one for each name, if only one side names properties.
    fn unnamed(&self) -> Option<Finding> {
        let Pair { documented, served } = &self.properties;
        let Location { question, direction, .. } = *self.value.location;
        let subject = self.value.location.subject();
        let names = |properties: &Properties<'_>| describe::names(properties.keys().copied());
        let (rule, title) = if self.cases.served.is_free_form() && !documented.is_empty() {
            let names = names(documented);
            let title = question.words(
                format!("{subject} names {names} in the document, and nothing on the server"),
                format!("{subject} named {names}, and now names nothing"),
            );
            (Rule::MissingProperty, title)
        } else if question == Question::Server
            && self.cases.documented.is_free_form()
            && !served.is_empty()
        {
            let names = names(served);
            let title =
                format!("{subject} names {names} on the server, and nothing in the document");
            (Rule::UndocumentedProperty, title)
        } else {
            return None;
        };
        let Pair { documented: before, served: now } = self.cases;
        let takes_all =
            matches!(&now.additional, AdditionalProperties::Allowed(all) if all.is_empty());
        if question == Question::Change && !takes_all {
            return None;
        }
        let is_wider = direction == Direction::Request && now.required.is_subset(&before.required);
        Some(self.value.finding(rule, title).adds_if(is_wider))
    }

    /// Pairs each property that only the document names with the one of the same shape that only
    /// the server names, if there is just one.
    fn renamed(&self, containment: &mut Containment) -> Vec<Pair<&'d str>> {
        let is_required = |case: &Case<'_>, name: &str| case.required.contains(name);
        let Pair { documented: contract, served: server } = self.cases;
        let gone = self.properties.only_documented();
        let gone = gone.filter(|(name, _)| !server.properties.contains_key(*name));
        let new = self.properties.only_served();
        let new = new.filter(|(name, _)| !contract.properties.contains_key(*name));
        let renamed = renamed(gone, new, |(name, documented), (other, served)| {
            let schemas = Pair { documented, served }.cloned();
            let location = self.value.location.property(name);
            is_required(contract, name) == is_required(server, other)
                && annotation::compare_defaults(&schemas, &location).is_none()
                && containment.are_alike(&schemas, &location)
        });
        renamed.into_iter().map(|pair| pair.map(|(name, _)| *name)).collect()
    }

    fn missing(&self, renamed: &[Pair<&str>]) -> Vec<Finding> {
        let server = self.cases.served;
        let server_node = server.origin.as_defined();
        let whole = LazyCell::new(|| describe::case(server));
        let finding = |(name, schema): (&&str, &Schema<'_>)| {
            let location = self.value.location.property(name);
            let instead = renamed.iter().find(|pair| pair.documented == *name);
            let hidden = server.properties.get(name).and_then(|all| all.first());
            let flag = hiding(location.direction);
            let title = match instead {
                _ if hidden.is_some() => location.question.words(
                    format!("`{name}` is documented, and is `{flag}` on the server"),
                    format!("`{name}` is `{flag}` now"),
                ),
                Some(Pair { served, .. }) => location.question.words(
                    format!("`{name}` is documented, and the server declares `{served}` instead"),
                    format!("`{name}` is now `{served}`"),
                ),
                None => location.question.words(
                    format!("`{name}` is documented, and the server does not declare it"),
                    format!("`{name}` is gone"),
                ),
            };
            let other = match (instead, hidden) {
                (_, Some(node)) => (node, format!("a property, `{flag}`")),
                (Some(pair), _) => {
                    (&self.properties.served[pair.served].shown, pair.served.to_owned())
                }
                _ => (&server_node, whole.clone()),
            };
            let says = if instead.is_some() { *name } else { "a property" };
            let sides = said((&schema.shown, says), other);
            let code = (location.question, Rule::MissingProperty);
            let direction = Some(location.direction);
            Finding { direction, ..Finding::new(code, title, sides, &location) }
        };
        self.properties.only_documented().map(finding).collect()
    }

    fn undocumented(&self, containment: &mut Containment, renamed: &[Pair<&str>]) -> Vec<Finding> {
        let Pair { documented: contract, served: server } = self.cases;
        let contract_node = contract.origin.as_defined();
        let whole = LazyCell::new(|| describe::case(contract));
        let finding = |(name, schema): (&&str, &Schema<'_>)| {
            let is_required = server.required.contains(name);
            let needs = if is_required { "required" } else { "declared" };
            let location = self.value.location.property(name);
            let is_change = location.question == Question::Change;
            let adds = is_change && self.fits(name, schema, &location, containment);
            let hidden = contract.properties.get(name).and_then(|all| all.first());
            let flag = hiding(location.direction);
            let (unknown, new) = match hidden {
                Some(_) => (format!("`{flag}` in the document"), format!("no longer `{flag}`")),
                None => ("not documented".to_owned(), "new".to_owned()),
            };
            let how = match location.direction {
                _ if adds => "",
                Direction::Request if is_required => " and required",
                _ => ", and does not fit the earlier `additionalProperties`",
            };
            let title = location.question.words(
                format!("`{name}` is {needs} by the server, and {unknown}"),
                format!("`{name}` is {new}{how}"),
            );
            let earlier = hidden.map(|node| (node, format!("a property, `{flag}`")));
            let earlier = earlier.unwrap_or_else(|| (&contract_node, whole.clone()));
            let sides = said(earlier, (&schema.shown, "a property"));
            let code = (location.question, Rule::UndocumentedProperty);
            Finding::new(code, title, sides, &location).adds_if(adds)
        };
        let is_new = |name: &str| renamed.iter().all(|pair| pair.served != name);
        self.properties.only_served().filter(|(name, _)| is_new(name)).map(finding).collect()
    }

    /// Whether the documented side allows a property that it does not name. If it says nothing about
    /// such properties, a caller need not send them, and a client ignores them.
    fn fits(
        &self,
        name: &str,
        schema: &Schema<'_>,
        location: &Location,
        containment: &mut Containment,
    ) -> bool {
        let Pair { documented: before, served: now } = self.cases;
        if location.direction == Direction::Request && now.required.contains(name) {
            return false;
        }
        match &before.additional {
            AdditionalProperties::Unspecified => true,
            AdditionalProperties::Forbidden => location.direction == Direction::Request,
            AdditionalProperties::Allowed(all) => {
                let documented = Schema::all_of(&before.origin, all);
                let schemas = Pair { documented, served: schema.clone() };
                let findings = containment.compare(&schemas, location);
                findings.iter().all(|finding| finding.effect == Effect::Adds)
            }
        }
    }

    /// Reports what the larger side requires and the smaller does not.
    fn required(&self) -> Vec<Finding> {
        let (small, large) = self.cases.ordered(self.value.location.direction);
        let optional = large.required.difference(&small.required);
        let compared = optional.filter(|name| self.is_compared(name));
        compared.filter_map(|name| self.optional(name)).collect()
    }

    /// Whether both sides send the property, or neither of them names it. A property that only one
    /// side names has a finding already.
    fn is_compared(&self, name: &str) -> bool {
        let is_sent = |properties: &Properties<'_>| properties.contains_key(name);
        let is_named = |case: &Case<'_>| case.properties.contains_key(name);
        let (sent, cases) = (&self.properties, &self.cases);
        (is_sent(&sent.documented) && is_sent(&sent.served))
            || !(is_named(cases.documented) || is_named(cases.served))
    }

    fn optional(&self, name: &str) -> Option<Finding> {
        let (properties, cases) = (&self.properties, &self.cases);
        let (documented, served) = (properties.documented.get(name), properties.served.get(name));
        let nodes = Pair {
            documented: documented.map_or(&cases.documented.origin, |schema| &schema.shown),
            served: served.map_or(&cases.served.origin, |schema| &schema.shown),
        };
        let required = cases.map(|case| case.required.contains(name));
        Finding::required(&nodes, required, &self.value.location.property(name))
    }
}
