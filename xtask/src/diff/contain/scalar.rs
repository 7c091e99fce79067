//! Containment of one case in another of its kind, as far as it needs no other
//! schema. What cannot be decided is reported, never taken for contained.

use regex::Regex;
use serde_json::Value as Json;

use super::super::case::{Case, Kind, Opaque, contains};
use super::super::describe;
use super::super::finding::{Finding, Rule};
use super::super::number::Number;
use super::{Value, object};

/// Ranges of so many integers are compared with enumerations value by value.
const MAX_MEMBERS: i128 = 1000;

/// Decides a case of listed values, each of which may fit another case; `None` if it lists none.
pub fn enumerated(
    value: &Value<'_, '_>,
    case: &Case<'_>,
    larger: &[&Case<'_>],
) -> Option<Vec<Finding>> {
    if matches!(case.kind, Kind::Array | Kind::Object) {
        return None;
    }
    let mut refused = case.values.clone().or_else(|| members(case, larger))?;
    refused.retain(|one| larger.iter().all(|other| refusal(one, case, other).is_some()));
    let Some(first) = refused.first() else { return Some(Vec::new()) };
    let rule = match larger {
        [only] => refusal(first, case, only).unwrap_or(Rule::Enum),
        _ => Rule::Enum,
    };
    let known: Vec<_> = larger.iter().map(|case| (*case).clone()).collect();
    let (small, large) = (describe::values(&refused), describe::cases(&known));
    Some(vec![value.differs(rule, &small, &large)])
}

/// The integers of a short range, where the other side enumerates.
fn members(case: &Case<'_>, larger: &[&Case<'_>]) -> Option<Vec<Json>> {
    let enumerates = larger.iter().any(|other| other.values.is_some());
    let members = case.range.members(MAX_MEMBERS).filter(|_| case.integer && enumerates)?;
    members.map(Number::to_json).collect()
}

/// Why the larger case refuses a value of the smaller one, if it does.
fn refusal(value: &Json, small: &Case<'_>, large: &Case<'_>) -> Option<Rule> {
    let number = Number::of(value);
    let size = number.or_else(|| value.as_str().map(|text| Number::size(text.chars().count())));
    let matched = |pattern: &&str| small.patterns.contains(pattern) || matches(pattern, value);
    let rules = [
        (large.values.as_deref().is_none_or(|known| contains(known, value)), Rule::Enum),
        (!large.integer || number.is_some_and(Number::is_whole), Rule::Type),
        (size.is_none_or(|size| large.range.has(size)), range_rule(large.kind)),
        (
            large.multiples.iter().all(|step| number.is_some_and(|n| n.is_multiple_of(*step))),
            Rule::Multiple,
        ),
        (foreign_formats(small, large).is_empty(), Rule::Format),
        (large.patterns.iter().all(matched), Rule::Pattern),
        (foreign_opaque(small, large).is_none(), Rule::Undecided),
    ];
    rules.into_iter().find(|(holds, _)| !holds).map(|(_, rule)| rule)
}

/// A pattern that this engine does not read matches nothing, and so is drift.
fn matches(pattern: &str, value: &Json) -> bool {
    let regex = Regex::new(pattern).ok();
    regex.zip(value.as_str()).is_some_and(|(regex, text)| regex.is_match(text))
}

/// Every condition of the larger case that the smaller does not keep.
pub fn conditions(value: &Value<'_, '_>, small: &Case<'_>, large: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut differs = |holds: bool, rule| {
        if !holds {
            let [small, large] = [small, large].map(|case| describe::facet(rule, case));
            findings.push(value.differs(rule, &small, &large));
        }
    };
    differs(values_hold(small, large), Rule::Enum);
    differs(small.integer || !large.integer, Rule::Type);
    let another_type = large.integer && !small.integer;
    let range = match small.kind {
        Kind::Object => object::count(small, value.place.direction),
        _ => small.range,
    };
    differs(another_type || range.is_within(large.range), range_rule(small.kind));
    differs(large.multiples.iter().all(|step| keeps_step(small, *step)), Rule::Multiple);
    differs(foreign_formats(small, large).is_empty(), Rule::Format);
    let patterns = large.patterns.is_subset(&small.patterns);
    differs(patterns || !small.patterns.is_empty(), Rule::Pattern);
    differs(small.unique || !large.unique || is_short(small), Rule::Unique);
    if !patterns && !small.patterns.is_empty() {
        findings.push(value.undecided("another pattern"));
    }
    if let Some(keyword) = foreign_opaque(small, large) {
        findings.push(value.undecided(&format!("`{keyword}`")));
    }
    findings
}

fn values_hold(small: &Case<'_>, large: &Case<'_>) -> bool {
    match (&small.values, &large.values) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(small), Some(large)) => small.iter().all(|value| contains(large, value)),
    }
}

fn keeps_step(small: &Case<'_>, step: Number) -> bool {
    let whole = Some(Number::Whole(1)).filter(|_| small.integer);
    small.multiples.iter().chain(&whole).any(|kept| kept.is_multiple_of(step))
}

/// No two of at most one element are equal.
fn is_short(case: &Case<'_>) -> bool {
    case.range.high.is_some_and(|end| end.at <= Number::Whole(1))
}

/// What the larger side asks for and the smaller does not say; integers fit every width of floats.
fn foreign_formats<'d>(small: &Case<'d>, large: &Case<'d>) -> Vec<&'d str> {
    if small.kind == Kind::Number && small.integer && !large.integer {
        return Vec::new();
    }
    large.formats.difference(&small.formats).copied().collect()
}

/// A condition that only one side has: what it means is not known, not even that it narrows.
fn foreign_opaque<'d>(small: &Case<'d>, large: &Case<'d>) -> Option<&'d str> {
    let lonely = |one: &Case<'d>, other: &Case<'d>| {
        let known = |opaque: &Opaque<'_>| other.opaque.iter().any(|known| known.is_same(opaque));
        one.opaque.iter().find(|opaque| !known(opaque)).map(|opaque| opaque.keyword)
    };
    lonely(large, small).or_else(|| lonely(small, large))
}

fn range_rule(kind: Kind) -> Rule {
    match kind {
        Kind::Number => Rule::Range,
        Kind::String => Rule::Length,
        _ => Rule::Count,
    }
}
