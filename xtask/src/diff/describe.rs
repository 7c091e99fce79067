//! Plain cases in words: what a finding says of either side. Nothing is
//! compared here, and nothing laid out: that is the report's business.

use serde_json::Value;

use super::case::{Case, Kind, is_anything};
use super::expand::width;
use super::finding::Rule;
use super::number::Range;

/// Longer lists end in an ellipsis.
const MOST: usize = 12;

/// Everything that is allowed.
pub fn cases(cases: &[Case<'_>]) -> String {
    if is_anything(cases) {
        return "anything".into();
    }
    let (null, rest): (Vec<_>, Vec<_>) = cases.iter().partition(|case| case.kind == Kind::Null);
    let mut words: Vec<_> = rest.into_iter().chain(null).map(case).collect();
    words.dedup();
    if words.is_empty() { "nothing".into() } else { words.join(" or ") }
}

/// One case.
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

/// One case, as far as it matters to a rule: the rest would only be in the way.
pub fn facet(rule: Rule, case: &Case<'_>) -> String {
    let mut facet = Case { integer: case.integer, ..Case::any(case.kind, &case.from) };
    match rule {
        Rule::Range | Rule::Length | Rule::Count => facet.range = case.range,
        Rule::Format => facet.formats.clone_from(&case.formats),
        Rule::Pattern => facet.patterns.clone_from(&case.patterns),
        Rule::Multiple => facet.multiples.clone_from(&case.multiples),
        Rule::Unique => facet.unique = case.unique,
        _ => return self::case(case),
    }
    self::case(&facet)
}

fn noun(case: &Case<'_>) -> String {
    if let Some(values) = case.values.as_ref().filter(|_| !both_booleans(case)) {
        return self::values(values);
    }
    match case.kind {
        Kind::Null => "null".into(),
        Kind::Boolean => "boolean".into(),
        Kind::Number if case.integer => "integer".into(),
        Kind::Number => "number".into(),
        Kind::String => "string".into(),
        Kind::Array if case.unique => "array of different elements".into(),
        Kind::Array => "array".into(),
        Kind::Object if case.is_free() => "any object".into(),
        Kind::Object => {
            format!("object of {}", names(case.properties.keys().copied()))
        }
    }
}

fn both_booleans(case: &Case<'_>) -> bool {
    case.kind == Kind::Boolean && case.values.as_ref().is_some_and(|values| values.len() == 2)
}

/// The range in words, unless it leaves nothing out.
fn range(case: &Case<'_>) -> Option<String> {
    if let (Kind::Number, Some(width)) = (case.kind, width(case.range)) {
        return Some(format!("({width})"));
    }
    let counted = match case.kind {
        Kind::String => " characters",
        Kind::Array => " elements",
        Kind::Object => " members",
        _ => "",
    };
    let whole = case.range == Case::any(case.kind, &case.from).range;
    (!whole && case.values.is_none()).then(|| format!("({}{counted})", shown(case)))
}

/// Without the lower end that every count has.
fn shown(case: &Case<'_>) -> Range {
    let low =
        case.range.low.filter(|_| case.range.low != Case::any(case.kind, &case.from).range.low);
    Range { low, ..case.range }
}

/// Enumerated values.
pub fn values(values: &[Value]) -> String {
    list(values.iter().map(|value| match value {
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }))
}

/// Names.
pub fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    list(names.map(|name| format!("`{name}`")))
}

fn list(all: impl Iterator<Item = String>) -> String {
    let mut words: Vec<_> = all.take(MOST + 1).collect();
    if words.len() > MOST {
        words[MOST] = "...".into();
    }
    if words.is_empty() { "nothing".into() } else { words.join(", ") }
}
