//! Corners that no single change of the corpus' pair reaches: documents of one
//! operation, built for each. It repeats no case of the corpus.

use serde_json::{Value, json};

use crate::pair::outcome;
use xtask::diff::Pair;

/// A document of one operation that answers with this schema, these headers and parameters.
fn document(schema: &Value, headers: &Value, parameters: &Value) -> Value {
    let content = json!({"application/json": {"schema": schema}});
    let answer = json!({"description": "", "headers": headers, "content": content});
    json!({
        "openapi": "3.0.1",
        "info": {"title": "corner", "version": "1"},
        "paths": {"/x": {"get": {
            "operationId": "getX", "parameters": parameters, "responses": {"200": answer},
        }}},
    })
}

fn answering(schema: &Value) -> Value {
    document(schema, &json!({}), &json!([]))
}

fn drifts(documented: Value, served: Value) -> bool {
    !outcome(Pair { documented, served }).unwrap().findings.is_empty()
}

/// More branches than are told apart, whose properties are named with `mark`.
fn many(mark: &str) -> Value {
    let branch = |number: usize| {
        json!({
            "type": "object",
            "required": ["k"],
            "properties": {
                "k": {"enum": [format!("k{number}")]},
                format!("p{number}{mark}"): {"type": "string"},
            },
        })
    };
    answering(&json!({"oneOf": (0..400).map(branch).collect::<Vec<_>>()}))
}

#[test]
fn what_is_too_large_to_be_compared_is_the_same_only_where_it_reads_the_same() {
    assert!(!drifts(many("a"), many("a")));
    assert!(drifts(many("a"), many("b")));
}

#[test]
fn a_header_that_is_written_in_another_way_is_drift() {
    let header = |explode| {
        let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
        let headers = json!({"x-list": {"explode": explode, "schema": schema}});
        document(&json!({"type": "string"}), &headers, &json!([]))
    };
    assert!(drifts(header(true), header(false)));
    assert!(!drifts(header(true), header(true)));
}

#[test]
fn a_parameter_without_a_name_or_a_place_is_not_passed_in_silence() {
    let with = |parameters| document(&json!({"type": "string"}), &json!({}), &parameters);
    for malformed in [json!([{"name": 5, "in": "query"}]), json!([{"name": "q"}])] {
        assert!(drifts(with(malformed.clone()), with(json!([]))));
        assert!(!drifts(with(malformed.clone()), with(malformed)));
    }
}

#[test]
fn steps_are_compared_as_decimals() {
    let numbers = |more: Value| {
        let mut schema = json!({"type": "number"});
        schema.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        answering(&schema)
    };
    let (tenths, thirds) = (json!({"multipleOf": 0.1}), json!({"multipleOf": 0.3}));
    assert!(!drifts(numbers(tenths.clone()), numbers(thirds.clone())));
    assert!(drifts(numbers(thirds), numbers(tenths)));
    let prices = json!({"enum": [0.07, 19.99]});
    assert!(!drifts(numbers(json!({"multipleOf": 0.01})), numbers(prices)));
}

#[test]
fn how_many_members_an_object_has_follows_from_what_it_names() {
    let object = |more: Value| {
        let mut schema = json!({"type": "object", "properties": {"a": {}, "b": {}}});
        schema.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        answering(&schema)
    };
    let needed = json!({"required": ["a"]});
    for implied in [json!({"minProperties": 1, "required": ["a"]}), json!({"maxProperties": 2})] {
        assert!(!drifts(object(implied.clone()), object(needed.clone())), "{implied}");
    }
    for narrower in [json!({"minProperties": 2}), json!({"maxProperties": 1})] {
        assert!(drifts(object(narrower.clone()), object(needed.clone())), "{narrower}");
    }
}

#[test]
fn a_reference_that_is_no_text_cannot_be_compared() {
    let documents =
        Pair { documented: answering(&json!({"$ref": 5})), served: answering(&json!({})) };
    assert!(outcome(documents).unwrap_err().contains("`$ref` 5"));
}
