//! The keywords of one schema, without the schemas that it combines.
//!
//! A keyword that cannot be read stays in the case as an opaque condition.

use std::rc::Rc;

use crate::case::{AdditionalProperties, Case, Kind, Opaque, Values};
use crate::document::{Node, Version};
use crate::number::{Bound, Range};
use crate::value::Value;

/// Formats of integers. Each of them means a range and nothing else.
const INTEGER_FORMATS: [(&str, i128, i128); 11] = [
    ("int8", i8::MIN as i128, i8::MAX as i128),
    ("int16", i16::MIN as i128, i16::MAX as i128),
    ("int32", i32::MIN as i128, i32::MAX as i128),
    ("int64", i64::MIN as i128, i64::MAX as i128),
    ("int", i64::MIN as i128, i64::MAX as i128),
    ("uint8", 0, u8::MAX as i128),
    ("uint16", 0, u16::MAX as i128),
    ("uint32", 0, u32::MAX as i128),
    ("uint64", 0, u64::MAX as i128),
    ("uint", 0, u64::MAX as i128),
    ("int128", i128::MIN, i128::MAX),
];

/// Returns the integer format that has this range.
pub fn integer_format(range: Range) -> Option<&'static str> {
    let found = INTEGER_FORMATS.iter().find(|(_, low, high)| Range::whole(*low, *high) == range);
    found.map(|(name, ..)| *name)
}

/// Keywords of JSON Schema that only equality decides. They mean nothing in 3.0, but their author
/// expects an effect, so they are not ignored.
const UNREAD_KEYWORDS: [&str; 20] = [
    "$dynamicRef",
    "additionalItems",
    "const",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "maxContains",
    "minContains",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// How 3.1 spells the format `binary` of 3.0.
const BINARY: &str = "application/octet-stream";

/// Returns what the schema says by itself, without the schemas that it combines.
pub fn own_cases<'d>(node: &Node<'d>) -> Vec<Case<'d>> {
    let values = values(node);
    let values = values.as_ref();
    let mut cases = Vec::new();
    for (kind, is_integer) in kinds(node, values) {
        let mut case = Case { is_integer, ..Case::any(kind, node) };
        if let (Some(values), true) = (values, kind != Kind::Null) {
            let of_kind = values.iter().filter(|value| Kind::of(value) == kind);
            case.values = Some(Rc::new(of_kind.cloned().collect()));
        }
        for (keyword, value) in node.value.as_object().into_iter().flatten() {
            if !apply_keyword(&mut case, node, (keyword, value)) {
                case.opaque.push(Opaque { keyword, node: Some(node.child(keyword, value)) });
            }
        }
        cases.push(case);
    }
    cases.retain(Case::is_possible);
    cases
}

/// Returns the values that the schema lists: `const` is a list of one.
fn values(node: &Node<'_>) -> Option<Values> {
    let listed = node.value.get("enum").and_then(Value::as_array);
    let only = node.value.get("const").filter(|_| node.version() == Version::V3_1);
    let listed = listed.or(only.map(std::slice::from_ref))?.iter();
    Some(listed.filter(|value| only.is_none_or(|only| *value == only)).cloned().collect())
}

/// Whether it shows without an expansion that the schema allows values which it does not list.
pub fn lists_nothing(node: &Node<'_>) -> bool {
    let variants = [node.list("oneOf"), node.list("anyOf")];
    match &variants {
        [one, two] if one.is_empty() && two.is_empty() => is_open(node),
        // Nothing else restricts a variant.
        [one, two] if one.is_empty() != two.is_empty() => {
            let restricts = ["type", "properties", "additionalProperties", "required", "items"];
            is_plain(node)
                && !restricts.iter().any(|keyword| node.value.get(keyword).is_some())
                && variants.iter().flatten().any(is_open)
        }
        _ => false,
    }
}

/// Whether the schema is of a kind with values that it does not list, and combines no schemas.
fn is_open(node: &Node<'_>) -> bool {
    let combines = ["oneOf", "anyOf"].iter().any(|keyword| node.value.get(keyword).is_some());
    let kind = node.text("type");
    is_plain(node) && !combines && kind.is_some_and(|kind| kind != "boolean")
}

fn is_plain(node: &Node<'_>) -> bool {
    let listed = ["$ref", "allOf", "const", "enum"];
    !listed.iter().any(|keyword| node.value.get(keyword).is_some())
}

/// Whether null is allowed apart from the type, which only 3.0 can say.
pub fn is_nullable(node: &Node<'_>) -> bool {
    node.version() == Version::V3_0 && node.flag("nullable")
}

/// Returns the kinds that the schema names or implies, and whether their numbers are integers.
fn kinds(node: &Node<'_>, values: Option<&Values>) -> Vec<(Kind, bool)> {
    let lists_null = values.is_some_and(|values| values.iter().any(Value::is_null));
    // In 3.1 `type` restricts what is listed; in 3.0 the two are often written apart.
    let is_restricted = node.version() == Version::V3_1 && node.value.get("type").is_some();
    let null = is_nullable(node) || (lists_null && !is_restricted);
    let has = |keywords: &[&str]| keywords.iter().any(|keyword| node.value.get(keyword).is_some());
    let mut kinds = match node.value.get("type").map(types) {
        Some(Some(kinds)) => kinds,
        Some(None) => Kind::ALL.map(|kind| (kind, false)).to_vec(),
        None if values.is_some() => Kind::ALL[1..].iter().map(|kind| (*kind, false)).collect(),
        None if has(&["properties", "additionalProperties", "required"]) => {
            vec![(Kind::Object, false)]
        }
        None if has(&["items"]) => vec![(Kind::Array, false)],
        None => Kind::ALL.map(|kind| (kind, false)).to_vec(),
    };
    if null && !kinds.contains(&(Kind::Null, false)) {
        kinds.push((Kind::Null, false));
    }
    if values.is_some() && !lists_null && is_restricted {
        kinds.retain(|(kind, _)| *kind != Kind::Null);
    }
    kinds
}

/// Reads a `type`, or a list of them as later versions allow. A number may have to be an integer.
pub fn types(value: &Value) -> Option<Vec<(Kind, bool)>> {
    let names = value.as_array().unwrap_or(std::slice::from_ref(value));
    let kind = |name: &Value| {
        Some(match name.as_str()? {
            "null" => (Kind::Null, false),
            "boolean" => (Kind::Boolean, false),
            "integer" => (Kind::Number, true),
            "number" => (Kind::Number, false),
            "string" => (Kind::String, false),
            "array" => (Kind::Array, false),
            "object" => (Kind::Object, false),
            _ => return None,
        })
    };
    names.iter().map(kind).collect()
}

/// Applies one keyword to a case. Returns `false` if it cannot be read.
fn apply_keyword<'d>(
    case: &mut Case<'d>,
    owner: &Node<'d>,
    (keyword, value): (&'d str, &'d Value),
) -> bool {
    // It takes long to make one, and few keywords need it.
    let node = || owner.child(keyword, value);
    let is_later = owner.version() == Version::V3_1;
    match (keyword, case.kind) {
        ("const", _) if is_later => true,
        ("contentEncoding", Kind::String) if is_later && value.as_str() == Some("base64") => {
            case.formats.insert("byte");
            true
        }
        ("contentMediaType", Kind::String) if is_later && value.as_str() == Some(BINARY) => {
            case.formats.insert("binary");
            true
        }
        ("type", _) => types(value).is_some(),
        ("enum", _) => value.as_array().is_some(),
        ("allOf" | "oneOf" | "anyOf", _) => value.as_array().is_some_and(|all| !all.is_empty()),
        ("nullable", _) => is_later || value.as_bool().is_some(),
        ("not", _) => add_schema(&mut case.not, node()),
        ("format", Kind::Number | Kind::String) => format(case, value),
        ("pattern", Kind::String) => value.as_str().map(|it| case.patterns.insert(it)).is_some(),
        ("uniqueItems", Kind::Array) => value.as_bool().map(|it| case.is_unique |= it).is_some(),
        ("items", Kind::Array) => add_schema(&mut case.items, node()),
        ("multipleOf", Kind::Number) => multiple(case, value),
        ("properties", Kind::Object) => properties(case, &node()),
        ("required", Kind::Object) => required(case, value),
        ("additionalProperties", Kind::Object) => additional_properties(case, &node()),
        ("exclusiveMinimum" | "exclusiveMaximum", Kind::Number) if value.as_bool().is_some() => {
            !is_later
        }
        (keyword, kind) => match bound_of(kind, keyword) {
            Some(is_low) => limit(case, is_low, keyword.starts_with("exclusive"), value),
            None => !UNREAD_KEYWORDS.contains(&keyword),
        },
    }
}

fn add_schema<'d>(all: &mut Vec<Node<'d>>, node: Node<'d>) -> bool {
    all.push(node);
    true
}

fn format<'d>(case: &mut Case<'d>, value: &'d Value) -> bool {
    let Some(name) = value.as_str() else { return false };
    let integer = INTEGER_FORMATS.iter().find(|(known, ..)| *known == name);
    match (case.kind, integer) {
        (Kind::Number, Some((_, low, high))) => {
            case.range = case.range.intersect(Range::whole(*low, *high));
            (case.is_integer, case.has_integer_format) = (true, true);
        }
        // Every number is a double, and `password` is a hint for forms: neither restricts.
        (Kind::Number, None) if name == "double" => {}
        (Kind::String, _) if name == "password" => {}
        _ => {
            case.formats.insert(name);
        }
    }
    true
}

fn multiple(case: &mut Case<'_>, value: &Value) -> bool {
    value.as_number().map(|step| case.multiples.push(step)).is_some()
}

fn properties<'d>(case: &mut Case<'d>, node: &Node<'d>) -> bool {
    case.properties.extend(node.members().map(|(name, schema)| (name, vec![schema])));
    true
}

fn required<'d>(case: &mut Case<'d>, value: &'d Value) -> bool {
    let names = value.as_array().into_iter().flatten();
    case.required.extend(names.filter_map(Value::as_str));
    value.as_array().is_some_and(|names| names.iter().all(|name| name.as_str().is_some()))
}

fn additional_properties<'d>(case: &mut Case<'d>, node: &Node<'d>) -> bool {
    case.additional = match node.value.as_bool() {
        Some(true) => AdditionalProperties::Allowed(Vec::new()),
        Some(false) => AdditionalProperties::Forbidden,
        None => AdditionalProperties::Allowed(vec![node.clone()]),
    };
    true
}

/// Whether the keyword is a lower bound (`true`) or an upper bound of this kind, if it is any.
fn bound_of(kind: Kind, keyword: &str) -> Option<bool> {
    match (kind, keyword) {
        (Kind::Number, "minimum" | "exclusiveMinimum")
        | (Kind::String, "minLength")
        | (Kind::Array, "minItems")
        | (Kind::Object, "minProperties") => Some(true),
        (Kind::Number, "maximum" | "exclusiveMaximum")
        | (Kind::String, "maxLength")
        | (Kind::Array, "maxItems")
        | (Kind::Object, "maxProperties") => Some(false),
        _ => None,
    }
}

fn limit(case: &mut Case<'_>, is_low: bool, is_exclusive: bool, value: &Value) -> bool {
    let Some(at) = value.as_number() else { return false };
    let flag = if is_low { "exclusiveMinimum" } else { "exclusiveMaximum" };
    let is_exclusive = is_exclusive || (case.kind == Kind::Number && case.origin.flag(flag));
    let bound = Some(Bound { at, is_exclusive });
    let (low, high) = if is_low { (bound, None) } else { (None, bound) };
    case.range = case.range.intersect(Range { low, high });
    true
}
