//! Containment of one case in another of its kind, as far as it needs no other schema. A
//! condition that cannot be decided is reported, never taken for contained.

use std::rc::Rc;

use regex::Regex;

use super::{Fit, Value, object};
use crate::case::{Case, Kind, Opaque, Values};
use crate::describe;
use crate::finding::{Finding, Rule};
use crate::number::Number;
use crate::value::Value as Json;

/// Longer ranges of integers are not compared with enumerations value by value.
const MAX_INTEGERS: i128 = 1000;

/// Compares a case of listed values, each of which may fit another case. Returns `None` if it
/// lists none.
pub fn enumerated(
    value: &Value<'_, '_>,
    case: &Case<'_>,
    larger: &[&Case<'_>],
) -> Option<Vec<Finding>> {
    if matches!(case.kind, Kind::Array | Kind::Object) {
        return None;
    }
    let values = case.values.clone().or_else(|| integers(case, larger).map(Rc::new))?;
    let is_refused = |one: &&Json| larger.iter().all(|other| refusal(one, case, other).is_some());
    let refused: Values = values.iter().filter(is_refused).cloned().collect();
    let Some(first) = refused.first() else { return Some(Vec::new()) };
    let rule = match larger {
        [only] => refusal(first, case, only).unwrap_or(Rule::Enum),
        _ => Rule::Enum,
    };
    let known: Vec<_> = larger.iter().map(|case| (*case).clone()).collect();
    let says = [&*describe::values(&refused), &*describe::cases(&known)];
    Some(vec![value.differs_in(rule, [case, larger.first()?], says)])
}

/// Returns the integers of a short range, if the other side has an enumeration.
fn integers(case: &Case<'_>, larger: &[&Case<'_>]) -> Option<Values> {
    let has_values = larger.iter().any(|other| other.values.is_some());
    let integers = case.range.integers(MAX_INTEGERS).filter(|_| case.is_integer && has_values)?;
    integers.map(|number| number.to_json().map(Json::from)).collect()
}

/// Returns why the larger case refuses a value of the smaller one, if it does.
fn refusal(value: &Json, small: &Case<'_>, large: &Case<'_>) -> Option<Rule> {
    let number = value.as_number();
    let length = || value.as_str().map(|text| Number::from_count(text.chars().count()));
    let size = number.or_else(length);
    let is_multiple = |step: &Number| {
        small.multiples.contains(step) || number.is_some_and(|number| number.is_multiple_of(*step))
    };
    let is_matched = |pattern: &&str| small.patterns.contains(pattern) || matches(pattern, value);
    let rules = [
        (large.values.as_ref().is_none_or(|known| known.contains(value)), Rule::Enum),
        (!large.is_integer || number.is_some_and(Number::is_whole), Rule::Type),
        (size.is_none_or(|size| large.range.contains(size)), range_rule(large.kind)),
        (large.multiples.iter().all(is_multiple), Rule::Multiple),
        (has_formats(small, large), Rule::Format),
        (large.patterns.iter().all(is_matched), Rule::Pattern),
        (unmatched_keyword(small, large).is_none(), Rule::Undecided),
    ];
    rules.into_iter().find(|(holds, _)| !holds).map(|(_, rule)| rule)
}

/// A pattern that this engine cannot read matches nothing, and so is reported.
fn matches(pattern: &str, value: &Json) -> bool {
    let regex = Regex::new(pattern).ok();
    regex.zip(value.as_str()).is_some_and(|(regex, text)| regex.is_match(text))
}

/// Reports every condition of the larger case that the smaller does not satisfy.
pub fn conditions(fit: &Fit<'_, '_>) -> Vec<Finding> {
    let Fit { value, small, large, .. } = fit;
    let mut findings = Vec::new();
    let mut check = |holds: bool, rule| {
        if !holds {
            let [one, two] = [small, large].map(|case| describe::for_rule(rule, case));
            findings.push(value.differs_in(rule, [small, large], [&one, &two]));
        }
    };
    check(has_values(small, large), Rule::Enum);
    let is_other_type = large.is_integer && !small.is_integer;
    check(!is_other_type, Rule::Type);
    let is_in_range = || match small.kind {
        Kind::Object => object::count(small, value.location).is_within(large.range),
        _ => small.range.is_within(large.range),
    };
    // It takes long to count what an object may have, and few say how much that is.
    let is_any = large.range == large.kind.range();
    check(is_other_type || is_any || is_in_range(), range_rule(small.kind));
    check(large.multiples.iter().all(|step| has_step(small, *step)), Rule::Multiple);
    check(has_formats(small, large), Rule::Format);
    let has_patterns = large.patterns.is_subset(&small.patterns);
    check(has_patterns || !small.patterns.is_empty(), Rule::Pattern);
    check(small.is_unique || !large.is_unique || has_at_most_one(small), Rule::Unique);
    if !has_patterns && !small.patterns.is_empty() {
        findings.push(value.undecided("another pattern"));
    }
    if let Some(keyword) = unmatched_keyword(small, large) {
        findings.push(value.undecided(&format!("`{keyword}`")));
    }
    findings
}

fn has_values(small: &Case<'_>, large: &Case<'_>) -> bool {
    match (&small.values, &large.values) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(small), Some(large)) => small.is_subset(large),
    }
}

fn has_step(small: &Case<'_>, step: Number) -> bool {
    let whole = small.is_integer.then_some(Number::Whole(1));
    // No number is a multiple of zero, and yet both sides say the same.
    small.multiples.iter().chain(&whole).any(|it| *it == step || it.is_multiple_of(step))
}

/// One element is always unique.
fn has_at_most_one(case: &Case<'_>) -> bool {
    case.range.high.is_some_and(|bound| bound.at <= Number::Whole(1))
}

/// Whether the smaller case has every format of the larger. Integers fit every float format, and
/// addresses of either version of IP are what schemars calls `ip`.
fn has_formats(small: &Case<'_>, large: &Case<'_>) -> bool {
    let is_integer_in_floats = small.is_integer && !large.is_integer;
    let has = |format: &&str| {
        let versions = if *format == "ip" { &["ipv4", "ipv6"][..] } else { &[] };
        small.formats.contains(format) || versions.iter().any(|it| small.formats.contains(it))
    };
    is_integer_in_floats || large.formats.iter().all(has)
}

/// Returns an opaque keyword that only one side has: nothing is known about its effect.
fn unmatched_keyword<'d>(small: &Case<'d>, large: &Case<'d>) -> Option<&'d str> {
    let unmatched = |one: &Case<'d>, other: &Case<'d>| {
        let is_known = |opaque: &Opaque<'_>| other.opaque.iter().any(|known| known.is_same(opaque));
        one.opaque.iter().find(|opaque| !is_known(opaque)).map(|opaque| opaque.keyword)
    };
    unmatched(large, small).or_else(|| unmatched(small, large))
}

fn range_rule(kind: Kind) -> Rule {
    match kind {
        Kind::Number => Rule::Range,
        Kind::String => Rule::Length,
        _ => Rule::Count,
    }
}
