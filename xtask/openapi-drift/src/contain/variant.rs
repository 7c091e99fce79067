//! Variants of a union: which variants of the larger side a case of the smaller side must fit.
//!
//! People tell variants apart by a constant: a required property whose values differ, the value that
//! a `discriminator` selects, or the only key of an object. A case is compared with the variants of
//! its constants, so that what changed inside a variant is reported inside it.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::object::visible;
use super::{Containment, Value, breaks, component};
use crate::annotation;
use crate::case::{Case, Kind, Schema, Values};
use crate::describe;
use crate::expand::{expand, expand_roughly, lists_nothing};
use crate::finding::{Finding, Rule};
use crate::location::Location;
use crate::pair::{Direction, Pair, Question};
use crate::value::Value as Json;

/// The constants of a variant: values by the name of the property.
pub type Constants = BTreeMap<String, Rc<Values>>;

/// One constant: its name, and one of its values.
pub type Constant<'a> = (&'a str, &'a Json);

/// The name under which the only key of an object is one of its constants.
const ONLY_KEY: &str = "";

/// Returns the constants by which people tell this object from others.
pub fn constants(case: &Case<'_>, direction: Direction) -> Constants {
    let tag = case.tag.iter().map(|(name, values)| ((*name).to_owned(), Rc::clone(values)));
    let mut constants: Constants = tag.collect();
    let properties = visible(case, direction);
    let lists = |schema: &Schema<'_>| !matches!(&schema.all[..], [only] if lists_nothing(only));
    let required = properties.iter().filter(|(name, _)| case.required.contains(*name));
    for (name, schema) in required.filter(|(_, schema)| lists(schema)) {
        // It takes long to find out what overlaps.
        let values =
            plain_values(expand_roughly(schema)).and_then(|_| plain_values(expand(schema)));
        constants.extend(values.map(|values| ((*name).to_owned(), union(&values))));
    }
    let names: Vec<_> = properties.keys().collect();
    if let (true, [name]) = (constants.is_empty(), &names[..]) {
        let key = case.required.get(*name);
        constants.extend(key.map(|key| (ONLY_KEY.to_owned(), Rc::new([(*key).into()].into()))));
    }
    constants
}

/// Compares what both sides say with a `discriminator`.
pub(super) fn discriminator(value: &Value<'_, '_>) -> Option<Finding> {
    let is_other = annotation::discriminators_differ(value.schemas);
    let other = is_other.then(|| value.undecided("another `discriminator`"));
    other.or_else(|| missing_discriminator(value))
}

/// Reports that only the larger side of two versions has a `discriminator`, if nothing else restricts
/// the values of its property.
fn missing_discriminator(value: &Value<'_, '_>) -> Option<Finding> {
    let Location { question: Question::Change, direction, .. } = *value.location else {
        return None;
    };
    let (small, large) = value.cases.ordered(direction);
    let name = large.iter().find_map(|case| case.tag.as_ref()).map(|(name, _)| *name)?;
    let is_free = |case: &Case<'_>| {
        let untagged = Case { tag: None, ..case.clone() };
        case.kind == Kind::Object && !constants(&untagged, direction).contains_key(name)
    };
    let is_missing = small.iter().any(|case| case.tag.is_none() && is_free(case));
    let tagged = large.iter().filter(|case| is_free(case));
    let values: Vec<_> = tagged.filter_map(|case| Some(Rc::clone(&case.tag.as_ref()?.1))).collect();
    (is_missing && !values.is_empty()).then(|| {
        let known = describe::values(&union(&values));
        let (any, one) =
            (format!("an object with any `{name}`"), format!("an object with {known} as `{name}`"));
        value.differs(Rule::Enum, &any, &one)
    })
}

/// Returns the values of cases that have no other condition.
fn plain_values(cases: Vec<Case<'_>>) -> Option<Vec<Rc<Values>>> {
    let values = |case: Case<'_>| {
        let is_plain =
            case.patterns.is_empty() && case.formats.is_empty() && case.opaque.is_empty();
        case.values.filter(|_| is_plain && case.not.is_empty() && case.rivals.is_empty())
    };
    cases.into_iter().map(values).collect()
}

/// Returns the values that are in any.
fn union(all: &[Rc<Values>]) -> Rc<Values> {
    Rc::new(all.iter().flat_map(|values| values.iter().cloned()).collect())
}

/// A case of the smaller side, and the variants of the larger side.
pub(super) struct Union<'a, 'd> {
    /// The union on both sides.
    pub value: &'a Value<'a, 'd>,
    /// The case, and its number among the cases of its side.
    pub small: (usize, &'a Case<'d>),
    own: OnceCell<Constants>,
}

impl<'a, 'd> Union<'a, 'd> {
    pub fn new(value: &'a Value<'a, 'd>, small: (usize, &'a Case<'d>)) -> Self {
        Self { value, small, own: OnceCell::new() }
    }

    /// Returns the constants of the case. Only the choice between variants needs them.
    fn own(&self) -> &Constants {
        let small = self.small.1;
        self.own.get_or_init(|| match small.kind {
            Kind::Object => constants(small, self.value.location.direction),
            _ => Constants::new(),
        })
    }

    /// Returns the values that a variant has for a constant.
    fn values(&self, variant: usize, name: &str) -> Option<&Rc<Values>> {
        self.value.constants()[variant].get(name)
    }

    /// Whether the variant has every value of the case for this constant.
    pub fn has_all_values(&self, variant: usize, name: &str) -> bool {
        let values = self.values(variant, name);
        values.is_some_and(|known| self.own()[name].is_subset(known))
    }

    /// Whether each of the variants pairs with another case: one of the same name, or one that says
    /// the same.
    pub fn is_unpaired(&self, variants: &[usize]) -> bool {
        let (small, _) = self.value.cases.ordered(self.value.location.direction);
        let others = || small.iter().enumerate().filter(|(at, _)| *at != self.small.0);
        let is_taken = |at: &usize| others().any(|(_, other)| self.pairs_with(other, *at));
        variants.iter().all(is_taken)
    }

    /// Whether another case of the smaller side is the counterpart of a variant.
    fn pairs_with(&self, other: &Case<'_>, variant: usize) -> bool {
        let (_, large) = self.value.cases.ordered(self.value.location.direction);
        let (own, large) = (self.small.1, &large[variant]);
        let name = component(large).filter(|name| Some(*name) != component(own));
        let has_name = component(own).is_some() && name.is_some() && name == component(other);
        has_name || (own.kind == Kind::Object && other.says_the_same(large))
    }

    /// Chooses the constant that tells the variants apart best.
    fn constant(&self, variants: &[usize], told: &[Constant<'_>]) -> Option<&str> {
        if variants.len() < 2 {
            return None;
        }
        let rank = |name: &str| {
            let having = variants.iter().filter(|at| self.values(**at, name).is_some());
            let (all, some): (Vec<usize>, Vec<usize>) =
                having.copied().partition(|at| self.has_all_values(*at, name));
            let is_tag = self.small.1.tag.as_ref().is_some_and(|(tag, _)| *tag == name);
            (!some.is_empty()).then(|| (is_tag, !all.is_empty(), all.len() + some.len()))
        };
        let is_told = |name: &str| told.iter().any(|(known, _)| *known == name);
        let names = self.own().keys().map(String::as_str).filter(|name| !is_told(name));
        let ranked = names.filter_map(|name| Some((rank(name)?, name)));
        ranked.max_by_key(|(rank, _)| *rank).map(|(_, name)| name)
    }

    /// A finding about values of a constant that no variant has.
    fn unknown(&self, name: &str, values: Values, variants: &[usize]) -> Finding {
        let ((_, small), direction) = (self.small, self.value.location.direction);
        let (_, large) = self.value.cases.ordered(direction);
        let having: Vec<_> =
            variants.iter().filter(|at| self.values(**at, name).is_some()).collect();
        let large: Vec<_> = having.iter().map(|at| large[**at].clone()).collect();
        if name == ONLY_KEY {
            return self.value.differs(
                Rule::Type,
                &describe::case(small),
                &describe::cases(&large),
            );
        }
        let known: Vec<_> =
            having.iter().filter_map(|at| self.values(**at, name)).cloned().collect();
        let schema = |case: &Case<'d>| {
            Schema::all_of(&case.origin, case.properties.get(name).map_or(&[], Vec::as_slice))
        };
        let case = |schema: &Schema<'d>, values: &Rc<Values>| {
            vec![Case { values: Some(Rc::clone(values)), ..Case::any(Kind::String, &schema.shown) }]
        };
        let (small, large) = (schema(small), schema(&large[0]));
        let (known, values) = (union(&known), Rc::new(values));
        let cases = Pair::from_ordered(direction, case(&small, &values), case(&large, &known));
        let schemas = Pair::from_ordered(direction, small, large);
        let location = self.value.location.property(name);
        let value = Value::new(&schemas, &cases, &location);
        value.differs(Rule::Enum, &describe::values(&values), &describe::values(&known))
    }
}

impl Containment {
    /// Compares the case with the variants that have its constants. Those in `told` are known to
    /// agree.
    pub(super) fn variants(
        &mut self,
        union: &Union<'_, '_>,
        variants: &[usize],
        told: &[Constant<'_>],
    ) -> Vec<Finding> {
        let Some(name) = union.constant(variants, told) else {
            return self.best_of(union, variants, told);
        };
        // A variant without the constant may allow this value of it.
        let (having, others): (Vec<_>, Vec<_>) =
            variants.iter().partition(|at| union.values(**at, name).is_some());
        let (mut findings, mut unknown, mut groups) = (Vec::new(), Values::new(), Vec::new());
        for one in union.own()[name].iter() {
            let told = [told, &[(name, one)]].concat();
            let has_value = |at: &usize| union.values(*at, name).is_some_and(|it| it.contains(one));
            let group: Vec<_> = having.iter().copied().filter(has_value).collect();
            if groups.contains(&group) {
                continue;
            }
            let in_group = (!group.is_empty()).then(|| self.variants(union, &group, &told));
            let fits = in_group.as_ref().is_some_and(|findings| !breaks(findings));
            if fits || others.is_empty() || breaks(&self.variants(union, &others, &told)) {
                match in_group {
                    Some(more) => findings.extend(more),
                    None => drop(unknown.insert(one.clone())),
                }
            }
            if !group.is_empty() {
                groups.push(group);
            }
        }
        if !unknown.is_empty() {
            findings.push(union.unknown(name, unknown, variants));
        }
        findings
    }
}
