//! Properties of any document: it agrees with itself, another notation does not change the result,
//! and no content makes the comparison panic or run for ever.

use openapi_drift::{Document, Finding, Pair, Question, Rule, compare};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::case;
use crate::holds;
use crate::pair::pair;

/// Values that mean something to the checker, and some that do not.
fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop_oneof![Just(0), Just(-1), Just(1), Just(i64::MIN), Just(i64::MAX)]
            .prop_map(Value::from),
        prop_oneof![Just(0.5), Just(-1e300), Just(1e300), Just(f64::MIN_POSITIVE)]
            .prop_map(Value::from),
        prop_oneof![
            Just("string"),
            Just("integer"),
            Just("object"),
            Just("array"),
            Just("null"),
            Just("int32"),
            Just("default"),
            Just("4XX"),
            Just(""),
            Just("é"),
            Just("("),
            Just("{a}"),
        ]
        .prop_map(Value::from),
        prop_oneof![
            Just("Book"),
            Just("Section"),
            Just("Price"),
            Just("Loop"),
            Just("Left"),
            Just("Error"),
        ]
        .prop_map(|name| json!({"$ref": format!("#/components/schemas/{name}")})),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        Just("type"),
        Just("properties"),
        Just("items"),
        Just("required"),
        Just("enum"),
        Just("allOf"),
        Just("oneOf"),
        Just("anyOf"),
        Just("not"),
        Just("nullable"),
        Just("format"),
        Just("minimum"),
        Just("additionalProperties"),
        Just("default"),
        Just("schema"),
        Just("content"),
        Just("200"),
        Just("application/json"),
        Just("name"),
        Just("in"),
        Just("$ref"),
        Just("multipleOf"),
        Just("const"),
    ];
    leaf().prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..4).prop_map(|members| {
                members
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect::<Map<_, _>>()
                    .into()
            }),
        ]
    })
}

/// Collects every pointer in a document.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    let mut child = |key: &str, value| {
        pointers(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), all);
    };
    match value {
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(index, value)| child(&index.to_string(), value));
        }
        Value::Object(members) => members.iter().for_each(|(key, value)| child(key, value)),
        _ => {}
    }
}

/// Replaces, removes or adds a value.
fn mutate(document: &mut Value, place: prop::sample::Index, kind: u8, new: Value) {
    let mut all = Vec::new();
    pointers(document, "", &mut all);
    let pointer = place.get(&all);
    let Some((parent, last)) = pointer.rsplit_once('/').filter(|_| kind == 1) else {
        let target = document.pointer_mut(pointer).unwrap();
        match (kind, target) {
            (2, Value::Array(elements)) => elements.push(new),
            (2, Value::Object(members)) => drop(members.insert("oneOf".into(), json!([new]))),
            (3, Value::Object(members)) => drop(members.insert("allOf".into(), json!([new]))),
            (_, target) => *target = new,
        }
        return;
    };
    match document.pointer_mut(parent).unwrap() {
        Value::Array(elements) => drop(elements.remove(last.parse().unwrap())),
        Value::Object(members) => drop(members.remove(&last.replace("~1", "/").replace("~0", "~"))),
        _ => {}
    }
}

/// Adds recursive schemas, to which mutations can refer.
fn with_loops(mut document: Value) -> Value {
    let schemas = document["components"]["schemas"].as_object_mut().unwrap();
    schemas.insert("Loop".into(), json!({"allOf": [{"$ref": "#/components/schemas/Loop"}]}));
    let right = json!([{"$ref": "#/components/schemas/Right"}, {"type": "string"}]);
    let left = json!({"$ref": "#/components/schemas/Left"});
    schemas.insert("Left".into(), json!({"oneOf": right, "nullable": true}));
    schemas.insert("Right".into(), json!({"anyOf": [left, left], "properties": {"a": left}}));
    document
}

/// Replaces references by their targets, as deep as the recursion of the documents needs.
fn inlined(value: &Value, root: &Value, depth: usize) -> Value {
    match value {
        Value::Array(elements) => elements.iter().map(|one| inlined(one, root, depth)).collect(),
        Value::Object(members) => match target(value, root) {
            Some(target) if depth > 0 => inlined(target, root, depth - 1),
            _ => {
                let all = members.iter();
                all.map(|(key, value)| (key.clone(), inlined(value, root, depth)))
                    .collect::<Map<_, _>>()
                    .into()
            }
        },
        other => other.clone(),
    }
}

/// Returns the target of a reference. A reference in an example has none.
fn target<'a>(value: &Value, root: &'a Value) -> Option<&'a Value> {
    root.pointer(value.get("$ref")?.as_str()?.strip_prefix('#')?)
}

/// Returns the text of a document with reversed members in every object.
fn reversed(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members = members.iter().rev();
            let members = members.map(|(key, value)| format!("{}:{}", json!(key), reversed(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::Array(elements) => {
            format!("[{}]", elements.iter().map(reversed).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

/// Whether the documents agree, or `None` if they cannot be compared. If they do, then as versions of
/// a contract they break no promise.
fn agree(pair: Pair<Value>) -> Option<bool> {
    let documents = Pair {
        documented: Document::new("contract.yaml", pair.documented).ok()?,
        served: Document::new("the server", pair.served).ok()?,
    };
    let agree = compare(Question::Server, &documents).findings.is_empty();
    let change = compare(Question::Change, &documents);
    // A server need not read what the contract does not name, and an earlier caller may have sent it.
    let is_of_change = |finding: &Finding| {
        matches!(finding.rule, Rule::Security | Rule::AdditionalProperties)
            || finding.title.contains("another `security`")
            || finding.places.iter().all(|place| place.contains(".*"))
    };
    let mut breaks = change.findings.iter().filter(|finding| !is_of_change(finding));
    assert!(!agree || breaks.next().is_none(), "{:#?}", change.findings);
    Some(agree)
}

/// Whether the document agrees with itself, and adds nothing to itself.
fn agrees_with_itself(document: &Value) -> Option<bool> {
    let twice = Pair { documented: document.clone(), served: document.clone() };
    let versions = twice.as_ref().map(|value| Document::new("contract.yaml", value.clone()));
    let versions = Pair { documented: versions.documented.ok()?, served: versions.served.ok()? };
    let change = compare(Question::Change, &versions);
    Some(agree(twice)? && change.findings.is_empty() && change.additions.is_empty())
}

#[test]
fn every_document_of_the_corpus_agrees_with_itself() {
    for case in case::all() {
        let Pair { documented, served } = case.applied(pair());
        for document in [documented, served] {
            assert_eq!(agrees_with_itself(&document), Some(true), "{}", case.line);
        }
    }
}

#[test]
fn replacing_references_by_their_targets_does_not_change_the_result() {
    for case in case::all() {
        let inlined = case.applied(pair()).map(|document| {
            let mut flat = inlined(&document, &document, 8);
            // The deepest references remain.
            flat["components"] = document["components"].clone();
            flat
        });
        assert_eq!(agree(inlined), Some(!case.is_drift()), "{}", case.line);
    }
}

#[test]
fn the_order_of_keys_does_not_change_the_result() {
    for case in case::all() {
        let reversed = case.applied(pair()).map(|document| reversed(&document));
        let documents = reversed.map(|text| Document::parse("document", &text).unwrap());
        let outcome = compare(Question::Server, &documents);
        assert_eq!(outcome.findings.is_empty(), !case.is_drift(), "{}", case.line);
    }
}

/// A document with one body, whose schema is the component `S0`.
fn body(schemas: &Value) -> Value {
    let content = json!({"application/json": {"schema": {"$ref": "#/components/schemas/S0"}}});
    let responses = json!({"200": {"description": "", "content": content}});
    let operation =
        json!({"operationId": "a", "requestBody": {"content": content}, "responses": responses});
    json!({"openapi": "3.0.3", "paths": {"/a": {"post": operation}}, "components": {"schemas": schemas}})
}

#[test]
fn schemas_that_multiply_without_end_are_compared() {
    let to = |next: usize| json!({"$ref": format!("#/components/schemas/S{}", next % 12)});
    let ten = |next| json!((0..10).map(|_| to(next)).collect::<Vec<_>>());
    let tree = |at: usize| {
        let branch = |tag: usize| {
            let kind = json!({"type": "string", "enum": [tag]});
            json!({"properties": {"kind": kind, "left": to(at + 1), "right": to(at + 5)}})
        };
        json!({"anyOf": (0..10).map(branch).collect::<Vec<_>>()})
    };
    let shapes: [&dyn Fn(usize) -> Value; 4] = [
        &|at| json!({"oneOf": ten(at + 1)}),
        &|at| json!({"allOf": ten(at + 1)}),
        &|at| json!({"properties": {"a": to(at + 1), "b": to(at + 1), "c": to(at + 2)}}),
        &tree,
    ];
    for shape in shapes {
        let schemas = (0..12).map(|at| (format!("S{at}"), shape(at))).collect::<Map<_, _>>();
        let document = body(&schemas.into());
        assert_eq!(agrees_with_itself(&document), Some(true));
    }
}

/// What breaks or changes a text of YAML.
fn piece() -> impl Strategy<Value = String> {
    let known = prop_oneof![
        Just(""),
        Just("\n"),
        Just("  "),
        Just(": "),
        Just("- "),
        Just("&a "),
        Just("*a"),
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just("'"),
        Just("\""),
        Just("!!str "),
        Just("$ref: "),
        Just("null"),
        Just("1e999"),
        Just("oneOf"),
        Just("not: "),
        Just("3.1.0"),
        Just("#"),
        Just("\u{feff}"),
        Just("---\n"),
        Just("<<: "),
    ];
    prop_oneof![3 => known.prop_map(str::to_owned), 1 => any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_panics_and_each_document_agrees_with_itself(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, value(), any::<bool>()), 1..4),
    ) {
        let mut pair = pair().map(with_loops);
        for (place, kind, new, on_server) in changes {
            let document = if on_server { &mut pair.served } else { &mut pair.documented };
            mutate(document, place, kind, new);
        }
        prop_assert_ne!(agrees_with_itself(&pair.served), Some(false));
        agree(pair);
    }

    #[test]
    fn a_text_is_refused_or_agrees_with_itself_and_never_panics(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, piece()), 1..4),
    ) {
        let mut letters: Vec<char> = include_str!("contract.yaml").chars().collect();
        for (place, length, new) in edits {
            let start = place.index(letters.len());
            let end = letters.len().min(start + length);
            letters.splice(start..end, new.chars());
        }
        holds::text(&letters.into_iter().collect::<String>());
    }
}
