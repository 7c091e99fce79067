//! Proofs that two cases have no value in common. Without a proof they are taken to overlap.
//!
//! Each proof names a condition that every value of one case satisfies and no value of the other:
//!
//! - They are of different kinds, or the `discriminator` selects them by different values.
//! - One enumerates values, and the other refuses each of them by its own enumeration or its range.
//! - Their ranges do not meet, or their formats are never written alike.
//! - Both arrays have an element, and no value is an element of both.
//! - One object requires a property that the other forbids, or both name it and no value fits both.
//!   The other need not require it: without the property a value is not in the first case.
//!
//! A nested `oneOf` is read as `anyOf`, which allows more: what has nothing in common then has
//! nothing in common at all. This also ends recursion.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::expand_roughly;
use crate::annotation;
use crate::case::{Case, Kind, Schema};
use crate::document::Node;
use crate::number::{Bound, Number, Range};
use crate::value::Value;

/// Deeper properties prove nothing.
const MAX_DEPTH: usize = 3;
/// No string has two of these formats.
const FORMATS: [&str; 5] = ["date", "date-time", "ipv4", "ipv6", "uuid"];

/// Whether it is proved that no value is in both.
pub fn are_disjoint(one: &Case<'_>, two: &Case<'_>) -> bool {
    !Variant::new(one).overlaps(&Variant::new(two))
}

/// A case with its properties expanded once, because it is compared with every other variant.
pub struct Variant<'a, 'd> {
    case: &'a Case<'d>,
    depth: usize,
    properties: BTreeMap<&'d str, OnceCell<Vec<Case<'d>>>>,
}

impl<'a, 'd> Variant<'a, 'd> {
    pub fn new(case: &'a Case<'d>) -> Self {
        Self::at(case, 0)
    }

    fn at(case: &'a Case<'d>, depth: usize) -> Self {
        let properties = case.properties.keys().map(|name| (*name, OnceCell::new())).collect();
        Self { case, depth, properties }
    }

    /// Whether a value may be in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (one, two) = (self.case, other.case);
        one.kind == two.kind
            && one.values.as_ref().is_none_or(|values| values.iter().any(|it| admits(two, it)))
            && two.values.as_ref().is_none_or(|values| values.iter().any(|it| admits(one, it)))
            && !is_empty(one.range.intersect(two.range))
            && !have_other_formats(one, two)
            && !have_other_tags(one, two)
            && !self.have_other_elements(other)
            && !self.refuses(other)
            && !other.refuses(self)
    }

    fn have_other_elements(&self, other: &Self) -> bool {
        let (one, two) = (self.case, other.case);
        let zero = Range { low: None, high: Some(Bound::inclusive(Number::Whole(0))) };
        one.kind == Kind::Array
            && is_empty(one.range.intersect(two.range).intersect(zero))
            && self.depth < MAX_DEPTH
            && self.lack_common(&elements(one), &elements(two))
    }

    /// Whether this object requires a property that the other cannot have.
    fn refuses(&self, other: &Self) -> bool {
        // A property of one direction is not there in the other.
        let is_sent = |name: &&&str| !self.is_one_way(name) && !other.is_one_way(name);
        let mut required = self.case.required.iter().filter(is_sent);
        required.any(|name| match (self.property(name), other.property(name)) {
            (_, None) => {
                other.case.additional_schemas().is_none()
                    && !other.case.properties.contains_key(name)
            }
            (Some(one), Some(two)) => self.lack_common(one, two),
            (None, Some(_)) => false,
        })
    }

    fn lack_common(&self, one: &[Case<'d>], two: &[Case<'d>]) -> bool {
        let depth = self.depth + 1;
        let overlaps = |one, two| Variant::at(one, depth).overlaps(&Variant::at(two, depth));
        !one.iter().any(|one| two.iter().any(|two| overlaps(one, two)))
    }

    fn is_one_way(&self, name: &str) -> bool {
        let Some(all) = self.case.properties.get(name) else { return false };
        let schema = Schema::all_of(&self.case.origin, all);
        ["readOnly", "writeOnly"].iter().any(|flag| annotation::flag(&schema, flag))
    }

    fn property(&self, name: &str) -> Option<&[Case<'d>]> {
        if self.depth == MAX_DEPTH {
            return None;
        }
        let (cell, all) = (self.properties.get(name)?, &self.case.properties[name]);
        Some(cell.get_or_init(|| cases(&self.case.origin, all)))
    }
}

fn elements<'d>(case: &Case<'d>) -> Vec<Case<'d>> {
    cases(&case.origin, &case.items)
}

fn cases<'d>(owner: &Node<'d>, all: &[Node<'d>]) -> Vec<Case<'d>> {
    expand_roughly(&Schema::all_of(owner, all))
}

fn admits(case: &Case<'_>, value: &Value) -> bool {
    let number = value.as_number();
    let length = || value.as_str().map(|text| Number::from_count(text.chars().count()));
    number.or_else(length).is_none_or(|size| case.range.contains(size))
        && (!case.is_integer || number.is_none_or(Number::is_whole))
        && case.values.as_ref().is_none_or(|values| values.contains(value))
}

fn is_empty(range: Range) -> bool {
    let (Some(low), Some(high)) = (range.low, range.high) else { return false };
    low.at > high.at || (low.at == high.at && (low.is_exclusive || high.is_exclusive))
}

fn have_other_formats(one: &Case<'_>, two: &Case<'_>) -> bool {
    let differ = |known| one.formats.contains(known) && !two.formats.contains(known);
    let is_known = two.formats.iter().any(|format| FORMATS.contains(format));
    one.kind == Kind::String && is_known && FORMATS.iter().any(differ)
}

fn have_other_tags(one: &Case<'_>, two: &Case<'_>) -> bool {
    let tags = one.tag.as_ref().zip(two.tag.as_ref());
    tags.is_some_and(|((property, values), (other, more))| {
        property == other && values.is_disjoint(more)
    })
}
