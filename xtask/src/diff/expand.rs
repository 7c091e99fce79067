//! Expands schemas into plain cases: the one place that knows what their keywords mean.
//!
//! A condition that cannot be read is kept and compared for equality, never dropped. This module
//! must not compare.

use serde_json::Value;

use super::case::{AdditionalProperties, Case, Kind, Opaque, Schema, contains};
use super::document::Node;
use super::number::{Bound, Number, Range};

/// More cases than any schema that a person can read.
const MAX_CASES: usize = 200;
/// More schemas in one value than any document holds.
const MAX_SCHEMAS: usize = 2000;
/// Deeper than any value that a person reads.
const MAX_DEPTH: usize = 100;
static NULL: Value = Value::Null;

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

/// Keywords of later drafts. They mean nothing in 3.0, but their author expects an effect, so
/// they are not ignored.
const LATER_KEYWORDS: [&str; 11] = [
    "const",
    "contains",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedProperties",
];

/// Returns everything that a schema allows.
pub fn expand<'d>(schema: &Schema<'d>) -> Vec<Case<'d>> {
    let mut cases = Expansion::default().all(&schema.all, every_case(&schema.shown));
    cases.iter_mut().for_each(restrict_numbers);
    cases.retain(|case| case.values != Some(Vec::new()));
    cases
}

fn every_case<'d>(node: &Node<'d>) -> Vec<Case<'d>> {
    Kind::ALL.iter().map(|kind| Case::any(*kind, node)).collect()
}

/// Applies what is known only after all conditions are combined.
fn restrict_numbers(case: &mut Case<'_>) {
    if case.is_integer {
        if !case.has_integer_format {
            case.range = case.range.intersect(Range::whole(i64::MIN.into(), i64::MAX.into()));
        }
        case.range = case.range.of_integers();
    }
    if case.kind == Kind::Number {
        let (range, is_integer) = (case.range, case.is_integer);
        let fits = |number: Number| range.contains(number) && (!is_integer || number.is_whole());
        if let Some(values) = &mut case.values {
            values.retain(|value| Number::of(value).is_some_and(fits));
        }
    }
}

/// The expansion of one value.
#[derive(Default)]
struct Expansion {
    /// The schemas that are being expanded: the end of recursion.
    in_progress: Vec<String>,
    count: usize,
}

impl Expansion {
    /// Restricts `cases` by every schema.
    fn all<'d>(&mut self, schemas: &[Node<'d>], mut cases: Vec<Case<'d>>) -> Vec<Case<'d>> {
        for node in schemas {
            let more = self.schema(node);
            cases = intersect(node, &cases, &more);
        }
        cases
    }

    fn schema<'d>(&mut self, node: &Node<'d>) -> Vec<Case<'d>> {
        self.count += 1;
        let is_recursive =
            self.in_progress.contains(&node.defined_at) || self.in_progress.len() > MAX_DEPTH;
        if is_recursive || self.count > MAX_SCHEMAS || !node.value.is_object() {
            return unreadable(node, if is_recursive { &NULL } else { node.value });
        }
        self.in_progress.push(node.defined_at.clone());
        let cases = self.combine(node);
        self.in_progress.pop();
        cases
    }

    /// Combines the schema's own keywords with the schemas in it.
    fn combine<'d>(&mut self, node: &Node<'d>) -> Vec<Case<'d>> {
        let all = node.list("allOf");
        let mut cases = self.all(&all, own_cases(node));
        if all.len() > 1 {
            for case in &mut cases {
                case.origin = node.clone();
            }
        }
        let unions = ["oneOf", "anyOf"].map(|keyword| node.list(keyword));
        for branches in unions.iter().filter(|branches| !branches.is_empty()) {
            let branches: Vec<_> = branches.iter().flat_map(|one| self.schema(one)).collect();
            cases = intersect(node, &cases, &branches);
        }
        if node.flag("nullable") && !cases.iter().any(|case| case.kind == Kind::Null) {
            cases.push(Case::any(Kind::Null, node));
        }
        cases
    }
}

/// Returns every case, with the condition that the unread schemas are equal.
fn unreadable<'d>(node: &Node<'d>, value: &'d Value) -> Vec<Case<'d>> {
    let mut cases = every_case(node);
    for case in &mut cases {
        case.opaque.push(Opaque { keyword: "schema", value });
    }
    cases
}

/// Intersects every case of `one` with every case of `two`.
fn intersect<'d>(node: &Node<'d>, one: &[Case<'d>], two: &[Case<'d>]) -> Vec<Case<'d>> {
    let mut cases: Vec<Case<'d>> = Vec::new();
    for case in one.iter().flat_map(|a| two.iter().filter_map(|b| a.intersect(b))) {
        if cases.len() == MAX_CASES {
            return unreadable(node, node.value);
        }
        match cases.iter_mut().find(|known| known.equals_except_values(&case)) {
            Some(known) => add_values(known, case),
            None => cases.push(case),
        }
    }
    cases
}

/// Merges two enumerations, because a union of constants is an enumeration.
fn add_values<'d>(known: &mut Case<'d>, case: Case<'d>) {
    let (Some(values), Some(more)) = (&mut known.values, case.values) else {
        known.values = None;
        return;
    };
    for value in more {
        if !contains(values, &value) {
            values.push(value);
        }
    }
}

/// Returns what the schema says by itself, without the schemas that it combines.
fn own_cases<'d>(node: &Node<'d>) -> Vec<Case<'d>> {
    let values = node.value.get("enum").and_then(Value::as_array);
    let mut cases = Vec::new();
    for (kind, is_integer) in kinds(node, values) {
        let mut case = Case { is_integer, ..Case::any(kind, node) };
        if let (Some(values), true) = (values, kind != Kind::Null) {
            let of_kind = values.iter().filter(|value| Kind::of(value) == kind);
            case.values = Some(of_kind.cloned().collect());
        }
        for (keyword, value) in node.members() {
            if !apply_keyword(&mut case, keyword, &value) {
                case.opaque.push(Opaque { keyword, value: value.value });
            }
        }
        cases.push(case);
    }
    cases.retain(|case| case.values != Some(Vec::new()));
    cases
}

/// Returns the kinds that the schema names or implies, and whether their numbers are integers.
fn kinds(node: &Node<'_>, values: Option<&Vec<Value>>) -> Vec<(Kind, bool)> {
    let null = node.flag("nullable") || values.is_some_and(|values| values.contains(&NULL));
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
    kinds
}

/// Reads a `type`, or a list of them as later versions allow.
fn types(value: &Value) -> Option<Vec<(Kind, bool)>> {
    let names = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
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
fn apply_keyword<'d>(case: &mut Case<'d>, keyword: &'d str, node: &Node<'d>) -> bool {
    let value = node.value;
    match (keyword, case.kind) {
        ("type", _) => types(value).is_some(),
        ("enum", _) => value.is_array(),
        ("allOf" | "oneOf" | "anyOf", _) => value.as_array().is_some_and(|all| !all.is_empty()),
        ("nullable", _) => value.is_boolean(),
        ("not", _) => add_schema(&mut case.not, node),
        ("format", Kind::Number | Kind::String) => format(case, value),
        ("pattern", Kind::String) => value.as_str().map(|it| case.patterns.insert(it)).is_some(),
        ("uniqueItems", Kind::Array) => value.as_bool().map(|it| case.is_unique |= it).is_some(),
        ("items", Kind::Array) => add_schema(&mut case.items, node),
        ("multipleOf", Kind::Number) => multiple(case, value),
        ("properties", Kind::Object) => properties(case, node),
        ("required", Kind::Object) => required(case, value),
        ("additionalProperties", Kind::Object) => additional_properties(case, node),
        ("exclusiveMinimum" | "exclusiveMaximum", Kind::Number) if value.is_boolean() => true,
        (keyword, kind) => match bound_of(kind, keyword) {
            Some(is_low) => bound(case, is_low, keyword.starts_with("exclusive"), value),
            None => !LATER_KEYWORDS.contains(&keyword),
        },
    }
}

fn add_schema<'d>(all: &mut Vec<Node<'d>>, node: &Node<'d>) -> bool {
    all.push(node.clone());
    node.value.is_object()
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
    Number::of(value).map(|step| case.multiples.push(step)).is_some()
}

fn properties<'d>(case: &mut Case<'d>, node: &Node<'d>) -> bool {
    case.properties.extend(node.members().map(|(name, schema)| (name, vec![schema])));
    node.value.is_object()
}

fn required<'d>(case: &mut Case<'d>, value: &'d Value) -> bool {
    let names = value.as_array().into_iter().flatten();
    case.required.extend(names.filter_map(Value::as_str));
    value.as_array().is_some_and(|names| names.iter().all(Value::is_string))
}

fn additional_properties<'d>(case: &mut Case<'d>, node: &Node<'d>) -> bool {
    case.additional = match node.value {
        Value::Bool(true) => AdditionalProperties::Allowed(Vec::new()),
        Value::Bool(false) => AdditionalProperties::Forbidden,
        _ => AdditionalProperties::Allowed(vec![node.clone()]),
    };
    node.value.is_boolean() || node.value.is_object()
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

fn bound(case: &mut Case<'_>, is_low: bool, is_exclusive: bool, value: &Value) -> bool {
    let Some(at) = Number::of(value) else { return false };
    let flag = if is_low { "exclusiveMinimum" } else { "exclusiveMaximum" };
    let is_exclusive = is_exclusive || (case.kind == Kind::Number && case.origin.flag(flag));
    let bound = Some(Bound { at, is_exclusive });
    let (low, high) = if is_low { (bound, None) } else { (None, bound) };
    case.range = case.range.intersect(Range { low, high });
    true
}
