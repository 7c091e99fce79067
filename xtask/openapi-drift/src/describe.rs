//! Describes plain cases in words, for the two sides of a finding. It must not compare, and the
//! layout is the report's.

use crate::case::{Case, Kind, Values, allows_everything};
use crate::expand::integer_format;
use crate::finding::Rule;
use crate::number::Range;

/// Longer lists end in an ellipsis.
const MAX_LISTED: usize = 12;

/// Describes everything that is allowed.
pub fn cases(cases: &[Case<'_>]) -> String {
    if allows_everything(cases) {
        return "anything".into();
    }
    let (null, rest): (Vec<_>, Vec<_>) = cases.iter().partition(|case| case.kind == Kind::Null);
    let mut words: Vec<_> = rest.into_iter().chain(null).map(case).collect();
    words.dedup();
    if words.is_empty() { "nothing".into() } else { words.join(" or ") }
}

/// Describes one case.
pub fn case(case: &Case<'_>) -> String {
    let mut words = vec![noun(case)];
    words.extend(case.formats.iter().map(|format| format!("of format `{format}`")));
    words.extend(case.patterns.iter().map(|pattern| format!("matching `{pattern}`")));
    words.extend(case.multiples.iter().map(|step| format!("in steps of {step}")));
    words.extend(range(case));
    words.extend(case.opaque.iter().map(|opaque| format!("with `{}`", opaque.keyword)));
    words.extend(case.not.iter().map(|_| "with `not`".to_owned()));
    words.join(" ")
}

/// Describes only what a rule is about.
pub fn for_rule(rule: Rule, case: &Case<'_>) -> String {
    let mut part = Case { is_integer: case.is_integer, ..Case::any(case.kind, &case.origin) };
    match rule {
        Rule::Range | Rule::Length | Rule::Count => part.range = case.range,
        Rule::Format => part.formats.clone_from(&case.formats),
        Rule::Pattern => part.patterns.clone_from(&case.patterns),
        Rule::Multiple => part.multiples.clone_from(&case.multiples),
        Rule::Unique => part.is_unique = case.is_unique,
        _ => return self::case(case),
    }
    self::case(&part)
}

fn noun(case: &Case<'_>) -> String {
    if let Some(values) = case.values.as_ref().filter(|_| !allows_both_booleans(case)) {
        return self::values(values);
    }
    match case.kind {
        Kind::Null => "null".into(),
        Kind::Boolean => "boolean".into(),
        Kind::Number if case.is_integer => "integer".into(),
        Kind::Number => "number".into(),
        Kind::String => "string".into(),
        Kind::Array if case.is_unique => "array of different elements".into(),
        Kind::Array => "array".into(),
        Kind::Object if case.is_free_form() => "any object".into(),
        Kind::Object => {
            format!("object of {}", names(case.properties.keys().copied()))
        }
    }
}

fn allows_both_booleans(case: &Case<'_>) -> bool {
    case.kind == Kind::Boolean && case.values.as_ref().is_some_and(|values| values.len() == 2)
}

/// Describes the range, unless every value of the kind is in it.
fn range(case: &Case<'_>) -> Option<String> {
    if let (Kind::Number, Some(format)) = (case.kind, integer_format(case.range)) {
        return Some(format!("({format})"));
    }
    let unit = match case.kind {
        Kind::String => " characters",
        Kind::Array => " elements",
        Kind::Object => " members",
        _ => "",
    };
    let full = Case::any(case.kind, &case.origin).range;
    if case.range == full || case.values.is_some() {
        return None;
    }
    // Every integer is in this one.
    let all = if case.is_integer { Range::whole(i64::MIN.into(), i64::MAX.into()) } else { full };
    let low = case.range.low.filter(|low| Some(*low) != all.low);
    let high = case.range.high.filter(|high| Some(*high) != all.high);
    Some(format!("({}{unit})", Range { low, high }))
}

/// Lists enumerated values.
pub fn values(values: &Values) -> String {
    list(values.iter().map(|value| match value.as_str() {
        Some(text) => format!("`{text}`"),
        None => format!("`{value}`"),
    }))
}

/// Lists names.
pub fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    list(names.map(|name| format!("`{name}`")))
}

fn list(all: impl Iterator<Item = String>) -> String {
    let mut words: Vec<_> = all.take(MAX_LISTED + 1).collect();
    if words.len() > MAX_LISTED {
        words[MAX_LISTED] = "...".into();
    }
    if words.is_empty() { "nothing".into() } else { words.join(", ") }
}
