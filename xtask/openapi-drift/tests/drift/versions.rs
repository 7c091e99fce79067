//! OpenAPI 3.0 and 3.1: the same API in either version is the same, and every keyword of 3.1 counts.

use openapi_drift::Pair;
use serde_json::{Value, json};

use crate::case;
use crate::pair::{outcome, pair};

/// A document of this version, whose operation has this response schema.
fn document(version: &str, schema: &Value) -> Value {
    let content = json!({"application/json": {"schema": schema}});
    let operation = json!({"operationId": "a", "responses": {"200": {"content": content}}});
    let name = json!({"type": "string", "maxLength": 9});
    json!({
        "openapi": version,
        "paths": {"/a": {"get": operation}},
        "components": {"schemas": {
            "Name": name,
            "Other": {"type": "string"},
            "Yes": if version.starts_with("3.1") { json!(true) } else { json!({}) },
            "Anchor": {"$defs": {"a/b": {"$anchor": "nine", "type": "string", "maxLength": 9}}},
            "Pair": {"$defs": {"Left": name}, "properties": {"left": {"$ref": "#/components/schemas/Pair/$defs/Left"}}},
        }},
    })
}

/// Whether a server may send `served` if `documented` is promised.
fn fits(documented: (&str, &Value), served: (&str, &Value)) -> bool {
    let documented = document(documented.0, documented.1);
    let served = document(served.0, served.1);
    outcome(Pair { documented, served }).unwrap().findings.is_empty()
}

/// Asserts that the server may send what it declares in 3.1, and no more than the other says.
fn assert_same(old: &Value, new: &Value) {
    assert!(fits(("3.0.3", old), ("3.1.0", new)), "{new} is not contained in {old}");
    assert!(fits(("3.1.0", new), ("3.0.3", old)), "{old} is not contained in {new}");
}

#[test]
fn each_null_constant_and_bound_of_3_1_means_what_3_0_says() {
    let cases = [
        (json!({"type": "string", "nullable": true}), json!({"type": ["string", "null"]})),
        (
            json!({"type": "string", "nullable": true}),
            json!({"oneOf": [{"type": "string"}, {"type": "null"}]}),
        ),
        (
            json!({"type": "string", "nullable": true}),
            json!({"anyOf": [{"type": "null"}, {"type": "string"}]}),
        ),
        (json!({"type": "string", "enum": ["a"], "nullable": true}), json!({"enum": ["a", null]})),
        (
            json!({"type": "string", "enum": ["a"], "nullable": true}),
            json!({"oneOf": [{"const": "a"}, {"const": null}]}),
        ),
        (
            json!({"type": "string", "enum": ["a"], "nullable": true}),
            json!({"type": ["string", "null"], "enum": ["a", null]}),
        ),
        (json!({"type": "string", "enum": ["a"]}), json!({"const": "a"})),
        (json!({"type": "string", "enum": ["a"]}), json!({"type": "string", "const": "a"})),
        (json!({"enum": ["a"]}), json!({"enum": ["a", "b"], "const": "a"})),
        (json!({"type": "string", "enum": ["a"]}), json!({"type": "string", "enum": ["a", null]})),
        (
            json!({"type": "string", "enum": ["a"]}),
            json!({"type": ["string", "null"], "enum": ["a"]}),
        ),
        (
            json!({"type": "number", "minimum": 1, "exclusiveMinimum": true}),
            json!({"type": "number", "exclusiveMinimum": 1}),
        ),
        (
            json!({"type": "number", "maximum": 1, "exclusiveMaximum": true}),
            json!({"type": "number", "exclusiveMaximum": 1, "maximum": 5}),
        ),
        (
            json!({"oneOf": [{"type": "string"}, {"type": "integer"}]}),
            json!({"type": ["integer", "string"]}),
        ),
    ];
    for (old, new) in &cases {
        assert_same(old, new);
    }
    let same = json!({"type": "string", "nullable": true});
    assert!(!fits(("3.1.0", &same), ("3.0.3", &same)), "the same text means more in 3.0");
}

#[test]
fn each_schema_and_reference_of_3_1_means_what_3_0_says() {
    let cases = [
        (json!({}), json!(true)),
        (json!({"type": "array", "items": {}}), json!({"type": "array", "items": true})),
        (
            json!({"type": "array", "items": {}, "maxItems": 0}),
            json!({"type": "array", "items": {}, "maxItems": 0}),
        ),
        (
            json!({"type": "string", "format": "byte"}),
            json!({"type": "string", "contentEncoding": "base64"}),
        ),
        (
            json!({"type": "string", "format": "binary"}),
            json!({"type": "string", "contentMediaType": "application/octet-stream"}),
        ),
        (
            json!({"type": "string", "maxLength": 9}),
            json!({"$ref": "#/components/schemas/Pair/$defs/Left"}),
        ),
        (json!({"type": "string", "maxLength": 9}), json!({"$ref": "#nine"})),
        (
            json!({"type": "string", "maxLength": 5}),
            json!({"$ref": "#/components/schemas/Name", "maxLength": 5}),
        ),
        (
            json!({"type": "string", "minLength": 2, "maxLength": 9}),
            json!({"$ref": "#/components/schemas/Name", "minLength": 2}),
        ),
        // In 3.0 nothing next to `$ref` counts.
        (
            json!({"$ref": "#/components/schemas/Name", "maxLength": 5}),
            json!({"$ref": "#/components/schemas/Name", "description": "A name."}),
        ),
        (json!({"type": "string"}), json!({"type": "string", "nullable": true})),
        (json!({"type": "string"}), json!({"type": "string", "nullable": "yes"})),
        (json!({"type": "string"}), json!({"type": "string", "examples": ["a"]})),
    ];
    for (old, new) in &cases {
        assert_same(old, new);
    }
}

#[test]
fn what_3_1_restricts_is_a_difference_if_the_server_says_less() {
    let cases = [
        (json!({"const": "a"}), json!({"const": "b"})),
        (json!({"const": "a"}), json!({"type": "string"})),
        (json!({"type": "string"}), json!({"type": ["string", "null"]})),
        (json!({"type": "string"}), json!({"enum": ["a", null]})),
        (json!({"type": "string"}), json!({"const": null})),
        (json!(false), json!({"type": "string"})),
        (json!({"type": "array", "items": false}), json!({"type": "array"})),
        (json!({"type": "number", "exclusiveMinimum": 1}), json!({"type": "number", "minimum": 1})),
        (
            json!({"$ref": "#/components/schemas/Name", "maxLength": 5}),
            json!({"$ref": "#/components/schemas/Name"}),
        ),
        (
            json!({"type": "string", "contentEncoding": "base64"}),
            json!({"type": "string", "contentEncoding": "base32"}),
        ),
        (
            json!({"type": "string", "contentMediaType": "application/octet-stream"}),
            json!({"type": "string", "contentMediaType": "image/png"}),
        ),
    ];
    for (documented, served) in cases {
        assert!(!fits(("3.1.0", &documented), ("3.1.0", &served)), "{documented} and {served}");
        assert!(fits(("3.1.0", &served), ("3.1.0", &served)), "{served}");
        assert!(fits(("3.1.0", &documented), ("3.1.0", &documented)), "{documented}");
    }
}

#[test]
fn a_keyword_that_is_not_understood_agrees_only_with_its_equal() {
    let to = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let cases = [
        ("prefixItems", json!([to("Name")]), json!([to("Other")])),
        ("patternProperties", json!({"^x": to("Name")}), json!({"^x": to("Other")})),
        ("if", to("Name"), to("Other")),
        ("then", to("Name"), to("Other")),
        ("else", to("Name"), to("Other")),
        ("unevaluatedProperties", json!(false), json!(true)),
        ("unevaluatedItems", json!(false), json!(true)),
        ("contains", to("Name"), to("Other")),
        ("minContains", json!(1), json!(2)),
        ("maxContains", json!(1), json!(2)),
        ("dependentRequired", json!({"a": ["b"]}), json!({"a": ["c"]})),
        ("dependentSchemas", json!({"a": to("Name")}), json!({"a": to("Other")})),
        ("propertyNames", to("Name"), to("Other")),
        ("contentMediaType", json!("image/png"), json!("image/gif")),
        ("contentSchema", to("Name"), to("Other")),
        ("$dynamicRef", json!("#a"), json!("#b")),
        ("exclusiveMinimum", json!(true), json!(false)),
    ];
    for (keyword, one, two) in cases {
        let schema = |value: &Value| json!({"type": ["array", "object", "string", "number"], keyword: value});
        let [one, two] = [schema(&one), schema(&two)];
        let fits = |one, two| fits(("3.1.0", one), ("3.1.0", two));
        assert!(fits(&one, &one), "{one}");
        assert!(!fits(&one, &two) && !fits(&two, &one), "{keyword}");
        assert!(!fits(&one, &json!({"type": "string"})) || keyword != "contentMediaType");
    }
}

#[test]
fn an_equal_keyword_with_another_target_is_a_difference() {
    let schema = json!({"prefixItems": [{"$ref": "#/components/schemas/Name"}]});
    let [documented, mut served] = [document("3.1.0", &schema), document("3.1.0", &schema)];
    served["components"]["schemas"]["Name"]["maxLength"] = json!(8);
    assert!(!outcome(Pair { documented, served }).unwrap().findings.is_empty());
}

/// Writes a document of 3.0 in 3.1.
fn to_3_1(value: &Value) -> Value {
    let Value::Object(members) = value else {
        let elements = value.as_array();
        return elements.map_or(value.clone(), |all| all.iter().map(to_3_1).collect());
    };
    let mut new: serde_json::Map<_, _> =
        members.iter().map(|(key, value)| (key.clone(), to_3_1(value))).collect();
    if new.contains_key("openapi") {
        new.insert("openapi".into(), json!("3.1.0"));
    }
    if new.contains_key("$ref") {
        new.retain(|key, _| key == "$ref");
    }
    for (flag, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        match new.get(flag) {
            Some(Value::Bool(true)) => {
                let at = new.remove(bound).unwrap_or(Value::Null);
                new.insert(flag.into(), at);
            }
            Some(Value::Bool(false)) => drop(new.remove(flag)),
            _ => {}
        }
    }
    match new.get("nullable") {
        Some(Value::Bool(true)) => {
            new.remove("nullable");
            if let Some(name) = new.get("type").cloned() {
                new.insert("type".into(), json!([name, "null"]));
                if let Some(Value::Array(values)) = new.get_mut("enum") {
                    values.push(Value::Null);
                }
                return new.into();
            }
            json!({"anyOf": [{"type": "null"}, new]})
        }
        Some(Value::Bool(false)) => {
            new.remove("nullable");
            new.into()
        }
        _ => new.into(),
    }
}

#[test]
fn the_corpus_has_the_same_verdicts_if_either_document_is_written_in_3_1() {
    for case in case::all() {
        // These changes mean something else in 3.1.
        if ["nullable | \"yes\"", "nullable | 1", "/const |", "exclusiveM"]
            .iter()
            .any(|it| case.line.contains(it))
        {
            continue;
        }
        let Pair { documented, served } = case.applied(pair());
        let (documented, served) =
            ([documented.clone(), to_3_1(&documented)], [served.clone(), to_3_1(&served)]);
        for (one, two) in [(0, 1), (1, 0)] {
            let pair = Pair { documented: documented[one].clone(), served: served[two].clone() };
            let findings = outcome(pair).unwrap().findings;
            assert_eq!(findings.is_empty(), !case.is_drift(), "{}\n{findings:#?}", case.line);
        }
    }
}
