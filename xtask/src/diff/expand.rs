//! Schemas into plain cases: the one place that knows what their keywords mean.
//!
//! A condition that cannot be read is kept as it stands and compared for equality, never dropped.
//! Nothing is compared here.

use serde_json::Value;

use super::case::{Case, Further, Kind, Opaque, Schema, contains};
use super::document::Node;
use super::number::{End, Number, Range};

/// More cases than any schema that a person can read.
const MAX_CASES: usize = 200;
/// More schemas in one value than any document holds.
const MAX_SCHEMAS: usize = 2000;
static NULL: Value = Value::Null;

/// Formats of integers, each of which is nothing but a range.
const WIDTHS: [(&str, i128, i128); 11] = [
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

/// The name of the format whose range this is.
pub fn width(range: Range) -> Option<&'static str> {
    let found = WIDTHS.iter().find(|(_, low, high)| Range::whole(*low, *high) == range);
    found.map(|(name, ..)| *name)
}

/// Keywords of later drafts: no 3.0 reader heeds them, and whoever wrote one meant it.
const LATER: [&str; 11] = [
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

/// Everything that a schema allows.
pub fn expand<'d>(schema: &Schema<'d>) -> Vec<Case<'d>> {
    let mut expansion = Expansion::default();
    let mut cases = expansion.all(&schema.all, anything(&schema.here));
    cases.iter_mut().for_each(settle);
    cases.retain(|case| case.values != Some(Vec::new()));
    cases
}

fn anything<'d>(node: &Node<'d>) -> Vec<Case<'d>> {
    Kind::ALL.iter().map(|kind| Case::any(*kind, node)).collect()
}

/// What is known only once all conditions are together.
fn settle(case: &mut Case<'_>) {
    if case.integer {
        if !case.sized {
            case.range = case.range.and(Range::whole(i64::MIN.into(), i64::MAX.into()));
        }
        case.range = case.range.of_integers();
    }
    if case.kind == Kind::Number {
        let (range, integer) = (case.range, case.integer);
        let fits = |number: Number| range.has(number) && (!integer || number.is_whole());
        if let Some(values) = &mut case.values {
            values.retain(|value| Number::of(value).is_some_and(fits));
        }
    }
}

#[derive(Default)]
struct Expansion {
    open: Vec<String>,
    seen: usize,
}

impl Expansion {
    fn all<'d>(&mut self, all: &[Node<'d>], mut cases: Vec<Case<'d>>) -> Vec<Case<'d>> {
        for node in all {
            let more = self.one(node);
            cases = product(node, &cases, &more);
        }
        cases
    }

    fn one<'d>(&mut self, node: &Node<'d>) -> Vec<Case<'d>> {
        self.seen += 1;
        let endless = self.open.contains(&node.pointer) || self.open.len() > 100;
        if endless || self.seen > MAX_SCHEMAS || !node.value.is_object() {
            return unreadable(node, if endless { &NULL } else { node.value });
        }
        self.open.push(node.pointer.clone());
        let cases = self.keywords(node);
        self.open.pop();
        cases
    }

    fn keywords<'d>(&mut self, node: &Node<'d>) -> Vec<Case<'d>> {
        let mut cases = own(node);
        let parts = |keyword| node.get(keyword).map_or(Vec::new(), |all| all.elements().collect());
        let all: Vec<_> = parts("allOf");
        cases = self.all(&all, cases);
        if all.len() > 1 {
            for case in &mut cases {
                case.from = node.clone();
            }
        }
        for branches in ["oneOf", "anyOf"].map(parts).iter().filter(|all| !all.is_empty()) {
            let branches: Vec<_> = branches.iter().flat_map(|one| self.one(one)).collect();
            cases = product(node, &cases, &branches);
        }
        if node.flag("nullable") && !cases.iter().any(|case| case.kind == Kind::Null) {
            cases.push(Case::any(Kind::Null, node));
        }
        cases
    }
}

fn unreadable<'d>(node: &Node<'d>, value: &'d Value) -> Vec<Case<'d>> {
    let mut cases = anything(node);
    for case in &mut cases {
        case.opaque.push(Opaque { keyword: "schema", value });
    }
    cases
}

/// Every case that is in one of `one` and in one of `two`.
fn product<'d>(node: &Node<'d>, one: &[Case<'d>], two: &[Case<'d>]) -> Vec<Case<'d>> {
    let mut cases: Vec<Case<'d>> = Vec::new();
    for case in one.iter().flat_map(|a| two.iter().filter_map(|b| a.and(b))) {
        if cases.len() == MAX_CASES {
            return unreadable(node, node.value);
        }
        match cases.iter_mut().find(|known| known.differs_only_in_values(&case)) {
            Some(known) => unite(known, case),
            None => cases.push(case),
        }
    }
    cases
}

/// Enumerations that agree in all else are one: so are branches with one value each.
fn unite<'d>(known: &mut Case<'d>, case: Case<'d>) {
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

/// What the schema says by itself, without the schemas that it combines.
fn own<'d>(node: &Node<'d>) -> Vec<Case<'d>> {
    let values = node.value.get("enum").and_then(Value::as_array);
    let mut cases = Vec::new();
    for (kind, integer) in kinds(node, values) {
        let mut case = Case { integer, ..Case::any(kind, node) };
        if let (Some(values), true) = (values, kind != Kind::Null) {
            let of_kind = values.iter().filter(|value| Kind::of(value) == kind);
            case.values = Some(of_kind.cloned().collect());
        }
        for (keyword, value) in node.members() {
            if !condition(&mut case, keyword, &value) {
                case.opaque.push(Opaque { keyword, value: value.value });
            }
        }
        cases.push(case);
    }
    cases.retain(|case| case.values != Some(Vec::new()));
    cases
}

/// The kinds that it names or implies, each with whether its numbers are whole.
fn kinds(node: &Node<'_>, values: Option<&Vec<Value>>) -> Vec<(Kind, bool)> {
    let null = node.flag("nullable") || values.is_some_and(|values| values.contains(&NULL));
    let says = |keywords: &[&str]| keywords.iter().any(|word| node.value.get(word).is_some());
    let mut kinds = match node.value.get("type").map(types) {
        Some(Some(kinds)) => kinds,
        Some(None) => Kind::ALL.map(|kind| (kind, false)).to_vec(),
        None if values.is_some() => Kind::ALL[1..].iter().map(|kind| (*kind, false)).collect(),
        None if says(&["properties", "additionalProperties", "required"]) => {
            vec![(Kind::Object, false)]
        }
        None if says(&["items"]) => vec![(Kind::Array, false)],
        None => Kind::ALL.map(|kind| (kind, false)).to_vec(),
    };
    if null && !kinds.contains(&(Kind::Null, false)) {
        kinds.push((Kind::Null, false));
    }
    kinds
}

/// A `type`, also the list of them that later versions allow.
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

/// Adds one keyword to a case; `false` where it cannot be read.
fn condition<'d>(case: &mut Case<'d>, keyword: &'d str, node: &Node<'d>) -> bool {
    let value = node.value;
    match (keyword, case.kind) {
        ("type", _) => types(value).is_some(),
        ("enum", _) => value.is_array(),
        ("allOf" | "oneOf" | "anyOf", _) => value.as_array().is_some_and(|all| !all.is_empty()),
        ("nullable", _) => value.is_boolean(),
        ("not", _) => push(&mut case.not, node),
        ("format", Kind::Number | Kind::String) => format(case, value),
        ("pattern", Kind::String) => value.as_str().map(|it| case.patterns.insert(it)).is_some(),
        ("uniqueItems", Kind::Array) => value.as_bool().map(|it| case.unique |= it).is_some(),
        ("items", Kind::Array) => push(&mut case.items, node),
        ("multipleOf", Kind::Number) => multiple(case, value),
        ("properties", Kind::Object) => properties(case, node),
        ("required", Kind::Object) => required(case, value),
        ("additionalProperties", Kind::Object) => further(case, node),
        ("exclusiveMinimum" | "exclusiveMaximum", Kind::Number) if value.is_boolean() => true,
        (word, kind) => match bound_of(kind, word) {
            Some(low) => bound(case, low, word.starts_with("exclusive"), value),
            None => !LATER.contains(&word),
        },
    }
}

fn push<'d>(all: &mut Vec<Node<'d>>, node: &Node<'d>) -> bool {
    all.push(node.clone());
    node.value.is_object()
}

fn format<'d>(case: &mut Case<'d>, value: &'d Value) -> bool {
    let Some(name) = value.as_str() else { return false };
    let width = WIDTHS.iter().find(|(width, ..)| *width == name);
    match (case.kind, width) {
        (Kind::Number, Some((_, low, high))) => {
            case.range = case.range.and(Range::whole(*low, *high));
            (case.integer, case.sized) = (true, true);
        }
        // What every number is, and a hint to a form: neither leaves anything out.
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

fn further<'d>(case: &mut Case<'d>, node: &Node<'d>) -> bool {
    case.further = match node.value {
        Value::Bool(true) => Further::Open(Vec::new()),
        Value::Bool(false) => Further::Closed,
        _ => Further::Open(vec![node.clone()]),
    };
    node.value.is_boolean() || node.value.is_object()
}

/// Whether a keyword bounds this kind from below (`true`), from above, or not at all.
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

fn bound(case: &mut Case<'_>, low: bool, open: bool, value: &Value) -> bool {
    let Some(at) = Number::of(value) else { return false };
    let word = if low { "exclusiveMinimum" } else { "exclusiveMaximum" };
    let open = open || (case.kind == Kind::Number && case.from.flag(word));
    let end = Some(End { at, open });
    let range = if low { (end, None) } else { (None, end) };
    case.range = case.range.and(Range { low: range.0, high: range.1 });
    true
}
