//! Variants of a union: a change is reported inside its variant, and what `oneOf` forbids because it
//! fits two variants is found. Each test builds documents of one operation.

use openapi_drift::{Document, Pair, Question, compare};
use serde_json::{Value, json};

/// A document with one operation, whose request and response have this schema.
fn document(schema: &Value) -> Document {
    let body = json!({"content": {"application/json": {"schema": schema}}});
    let operation = json!({"operationId": "a", "requestBody": body, "responses": {"200": body}});
    let root = json!({"openapi": "3.0.3", "paths": {"/a": {"put": operation}}});
    Document::new("openapi.yaml", root).unwrap()
}

/// Returns the code and the title of every difference of a response.
fn findings(before: &Value, now: &Value) -> Vec<String> {
    let documents = Pair { documented: document(before), served: document(now) };
    let outcome = compare(Question::Change, &documents);
    let all = outcome.findings.iter().filter(|it| it.places.iter().any(|it| it.contains("200")));
    all.map(|finding| format!("{}: {}", finding.code(), finding.title)).collect()
}

fn object(properties: Value, required: &[&str]) -> Value {
    let mut schema = json!({"type": "object", "required": required, "additionalProperties": false});
    schema["properties"] = properties;
    schema
}

/// An object with a constant, and a member of this type.
fn tagged(kind: &str, name: &str, member: &str) -> Value {
    let kind = json!({"type": "string", "enum": [kind]});
    object(json!({"kind": kind, name: {"type": member}}), &["kind", name])
}

fn one_of(variants: &[Value]) -> Value {
    json!({"oneOf": variants})
}

#[test]
fn a_change_inside_a_variant_with_a_constant_is_reported_inside_it() {
    let waiting = object(json!({"kind": {"type": "string", "enum": ["waiting"]}}), &["kind"]);
    let present = |member| {
        let inner = |name: &str| json!({"type": member, "title": name});
        let value = object(json!({"a": inner("a"), "b": inner("b"), "c": inner("c")}), &["a"]);
        let kind = json!({"type": "string", "enum": ["present"]});
        object(json!({"kind": kind, "value": value}), &["kind", "value"])
    };
    let union = |member| one_of(&[waiting.clone(), present(member)]);
    let found = findings(&union("string"), &union("integer"));
    let titles = ["a", "b", "c"]
        .map(|name| format!("response-type: `{name}` may now be integer (int64), and was string"));
    assert_eq!(found, titles);
}

#[test]
fn a_constant_may_be_what_combined_schemas_leave() {
    let spellings: [fn(&str) -> Value; 4] = [
        |kind| json!({"oneOf": [{"enum": [kind]}, {"type": "string", "enum": [kind, 1]}]}),
        |kind| json!({"type": "string", "anyOf": [{"enum": [kind]}, {"type": "integer"}]}),
        |kind| json!({"type": "string", "allOf": [{"enum": [kind]}]}),
        |kind| json!({"anyOf": [{"enum": [kind]}, {"type": "string"}], "allOf": [{"enum": [kind]}]}),
    ];
    for kind in spellings {
        let waiting = object(json!({"kind": kind("waiting")}), &["kind"]);
        let union = |member| {
            let inner = |name: &str| json!({"type": member, "title": name});
            let value = object(json!({"a": inner("a"), "b": inner("b"), "c": inner("c")}), &["a"]);
            let present = json!({"kind": kind("present"), "value": value});
            json!({"anyOf": [waiting, object(present, &["kind", "value"])]})
        };
        let titles = ["a", "b", "c"].map(|name| {
            format!("response-type: `{name}` may now be integer (int64), and was string")
        });
        assert_eq!(findings(&union("string"), &union("integer")), titles, "{}", kind("k"));
    }
}

#[test]
fn a_change_inside_a_variant_with_one_key_is_reported_inside_it() {
    let variant = |key: &str, member| {
        let inner = object(json!({"size": {"type": member}, "name": {"type": member}}), &["size"]);
        object(json!({key: inner}), &[key])
    };
    let simple = json!({"type": "string", "enum": ["none"]});
    let union = |member| {
        let unchanged = object(json!({"disk": {"type": "boolean"}}), &["disk"]);
        one_of(&[simple.clone(), unchanged, variant("memory", member)])
    };
    let found = findings(&union("string"), &union("boolean"));
    let titles = ["size", "name"]
        .map(|name| format!("response-type: `{name}` may now be boolean, and was string"));
    assert_eq!(found, [titles[1].clone(), titles[0].clone()]);
    // A new key is one finding, and so is a new constant.
    let more = one_of(&[simple, variant("disk", "string"), variant("memory", "string")]);
    let fewer = one_of(&[variant("disk", "string"), variant("fan", "string")]);
    let found = findings(&fewer, &more);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("the response body may now be `none`"), "{found:?}");
    assert!(found[1].contains("object of `memory`, and was object of"), "{found:?}");
}

#[test]
fn a_new_variant_is_one_finding_at_its_constant() {
    let old = [tagged("a", "one", "string"), tagged("b", "two", "string")];
    let new = [&old[..], &[tagged("c", "three", "string")]].concat();
    let found = findings(&one_of(&old), &one_of(&new));
    assert_eq!(found, ["response-enum: `kind` may now be `c`, and was `a`, `b`"]);
    assert!(findings(&one_of(&new), &one_of(&old)).is_empty());
}

#[test]
fn a_variant_that_was_split_by_its_constant_means_the_same() {
    let both = object(json!({"kind": {"type": "string", "enum": ["a", "b"]}}), &["kind"]);
    let one = |kind| object(json!({"kind": {"type": "string", "enum": [kind]}}), &["kind"]);
    let split = one_of(&[one("a"), one("b"), tagged("c", "more", "string")]);
    let joined = one_of(&[both.clone(), tagged("c", "more", "string")]);
    assert!(findings(&split, &joined).is_empty());
    assert!(findings(&joined, &split).is_empty());
    let fewer = one_of(&[one("a"), tagged("c", "more", "string")]);
    let title = "response-enum: `kind` may now be `b`, and was `a`, `c`";
    assert_eq!(findings(&fewer, &joined), [title]);
}

#[test]
fn a_union_in_a_variant_has_constants_of_its_own() {
    let inner = |kind: &str, member: &str| {
        let mut schema = tagged("outer", "value", member);
        schema["properties"]["inner"] = json!({"type": "string", "enum": [kind]});
        schema["required"] = json!(["kind", "value", "inner"]);
        schema
    };
    let union = |member| {
        let nested = one_of(&[inner("x", "string"), inner("y", member)]);
        one_of(&[tagged("other", "value", member), nested])
    };
    let found = findings(&union("string"), &union("boolean"));
    let title = "response-type: `value` may now be boolean, and was string".to_owned();
    assert_eq!(found, [title.clone(), title]);
}

#[test]
fn a_discriminator_pairs_variants_without_constants() {
    let variant = |members: &[(&str, &str)]| {
        let mut schema = json!({"type": "object", "properties": {"kind": {"type": "string"}}});
        for (name, member) in members {
            schema["properties"][name] = json!({"type": member});
        }
        schema
    };
    let document = |a: Value, b: Value| {
        let [to_a, to_b] =
            ["A", "B"].map(|it| json!({"$ref": format!("#/components/schemas/{it}")}));
        let mapping = json!({"first": "#/components/schemas/A", "second": "B"});
        let discriminator = json!({"propertyName": "kind", "mapping": mapping});
        let schema = json!({"oneOf": [to_a, to_b], "discriminator": discriminator});
        let body = json!({"content": {"application/json": {"schema": schema}}});
        let operation = json!({"operationId": "a", "responses": {"200": body}});
        let components = json!({"schemas": {"A": a, "B": b}});
        let paths = json!({"/a": {"get": operation}});
        let root = json!({"openapi": "3.0.3", "paths": paths, "components": components});
        Document::new("openapi.yaml", root).unwrap()
    };
    // The response of A is now like that of B, which only the constant tells from A.
    let b = variant(&[("x", "string"), ("y", "string"), ("z", "string")]);
    let a = variant(&[("x", "integer"), ("y", "integer")]);
    let documented = document(a, b.clone());
    let served = document(variant(&[("x", "string"), ("y", "string")]), b);
    let outcome = compare(Question::Change, &Pair { documented, served });
    let titles: Vec<_> = outcome.findings.iter().map(|finding| &*finding.title).collect();
    assert_eq!(
        titles,
        [
            "`x` may now be string, and was integer (int64)",
            "`y` may now be string, and was integer (int64)",
        ]
    );
}

#[test]
fn without_a_discriminator_its_property_may_have_any_value() {
    let document = |discriminator: bool, kind: Value| {
        let schema = json!({"type": "object", "required": ["kind"], "properties": {"kind": kind}});
        let variants = ["A", "B"].map(|it| json!({"$ref": format!("#/components/schemas/{it}")}));
        let mut union = json!({"anyOf": variants});
        if discriminator {
            union["discriminator"] = json!({"propertyName": "kind"});
        }
        let body = json!({"content": {"application/json": {"schema": union}}});
        let operation =
            json!({"operationId": "a", "requestBody": body, "responses": {"200": body}});
        let components = json!({"schemas": {"A": schema, "B": schema}});
        let paths = json!({"/a": {"put": operation}});
        let root = json!({"openapi": "3.0.3", "paths": paths, "components": components});
        Document::new("openapi.yaml", root).unwrap()
    };
    let titles = |before, now, kind: &Value| {
        let documents = Pair {
            documented: document(before, kind.clone()),
            served: document(now, kind.clone()),
        };
        let findings = compare(Question::Change, &documents).findings;
        findings.into_iter().map(|it| it.title).collect::<Vec<_>>()
    };
    let string = json!({"type": "string"});
    let [any, one] = ["an object with any `kind`", "an object with `A`, `B` as `kind`"];
    let gone = format!("the response body may now be {any}, and was {one}");
    assert_eq!(titles(true, false, &string), [gone]);
    let new = format!("the request body could be {any}, and may now be only {one}");
    assert_eq!(titles(false, true, &string), [new]);
    let listed = json!({"type": "string", "enum": ["A", "B"]});
    assert_eq!(titles(true, false, &listed), Vec::<String>::new());
    assert_eq!(titles(false, true, &listed), Vec::<String>::new());
}

#[test]
fn a_variant_is_compared_with_the_one_of_the_same_name_if_nothing_else_tells() {
    let document = |a: &str, names: [&str; 2]| {
        let variants = names.map(|it| json!({"$ref": format!("#/components/schemas/{it}")}));
        let body = json!({"content": {"application/json": {"schema": {"anyOf": variants}}}});
        let operation = json!({"operationId": "a", "responses": {"200": body}});
        let schemas = json!({"A": open("p", a, &[]), "B": open("p", "integer", &[])});
        let paths = json!({"/a": {"get": operation}});
        let root = json!({"openapi": "3.0.3", "paths": paths, "components": {"schemas": schemas}});
        Document::new("openapi.yaml", root).unwrap()
    };
    let documented = document("string", ["A", "B"]);
    let served = document("boolean", ["B", "A"]);
    let outcome = compare(Question::Change, &Pair { documented, served });
    assert_eq!(outcome.findings.len(), 1);
    assert_eq!(outcome.findings[0].title, "`p` may now be boolean, and was string");
}

#[test]
fn a_variant_that_is_gone_or_new_is_one_finding_if_all_others_have_their_names() {
    let document = |names: &[&str]| {
        let reference = |it: &&str| json!({"$ref": format!("#/components/schemas/{it}")});
        let variants: Vec<_> = names.iter().map(reference).collect();
        let body = json!({"content": {"application/json": {"schema": {"oneOf": variants}}}});
        let operation =
            json!({"operationId": "a", "requestBody": body, "responses": {"200": body}});
        let c = json!({"type": "object", "properties": {"z": {"type": "string"}, "w": {}}});
        let schemas =
            json!({"A": open("x", "string", &["x"]), "B": open("y", "string", &["y"]), "C": c});
        let paths = json!({"/a": {"put": operation}});
        let root = json!({"openapi": "3.0.3", "paths": paths, "components": {"schemas": schemas}});
        Document::new("openapi.yaml", root).unwrap()
    };
    let titles = |before: &[&str], now: &[&str]| {
        let documents = Pair { documented: document(before), served: document(now) };
        let findings = compare(Question::Change, &documents).findings;
        findings.into_iter().map(|it| it.title).collect::<Vec<_>>()
    };
    let gone = "the request body could be object of `w`, `z`, and may now be only object of `x` or object \
                of `y`";
    assert_eq!(titles(&["A", "B", "C"], &["A", "B"]), [gone]);
    let new =
        "the response body may now be object of `w`, `z`, and was object of `x` or object of `y`";
    assert_eq!(titles(&["A", "B"], &["A", "B", "C"]), [new]);
    // What has another name may be the same variant.
    let titles = titles(&["A", "C"], &["A", "B"]);
    assert!(titles.contains(&"`z` is gone".to_owned()), "{titles:?}");
}

#[test]
fn a_variant_without_a_name_is_one_finding_if_all_others_are_unchanged() {
    let pet = |name: &str| json!({"type": "object", "required": [name], "properties": {name: {}, "age": {}}});
    let [few, more] = [&["bark", "meow"][..], &["bark", "meow", "swim"]]
        .map(|names| one_of(&names.iter().map(|name| pet(name)).collect::<Vec<_>>()));
    let titles = |documented, served| {
        let documents = Pair { documented: document(documented), served: document(served) };
        let findings = compare(Question::Change, &documents).findings;
        findings.into_iter().map(|it| it.title).collect::<Vec<_>>()
    };
    let known = "object of `age`, `bark` or object of `age`, `meow`";
    let new = format!("the response body may now be object of `age`, `swim`, and was {known}");
    assert_eq!(titles(&few, &more), [new]);
    let gone =
        format!("the request body could be object of `age`, `swim`, and may now be only {known}");
    assert_eq!(titles(&more, &few), [gone]);
    let new =
        "the response body may now be object of `age`, `meow`, and was object of `age`, `bark`";
    assert_eq!(titles(&pet("bark"), &few), [new]);
}

/// Whether the response may break what `oneOf` promises, if `any_of` replaces the `oneOf`.
fn may_overlap(variants: &[Value]) -> bool {
    let (one_of, any_of) = (one_of(variants), json!({"anyOf": variants}));
    assert!(findings(&one_of, &one_of).is_empty(), "{one_of}");
    assert!(findings(&any_of, &one_of).is_empty(), "{one_of}");
    let found = findings(&one_of, &any_of);
    let is_overlap = |title: &String| title.starts_with("response-overlap: ");
    assert!(found.iter().all(is_overlap), "{found:?}");
    !found.is_empty()
}

fn list(items: &str, least: u8) -> Value {
    json!({"type": "array", "items": {"type": items}, "minItems": least})
}

fn string(keyword: &str, value: impl Into<Value>) -> Value {
    json!({"type": "string", keyword: value.into()})
}

fn in_object(member: &Value) -> Value {
    json!({"type": "object", "properties": {"a": member}, "required": ["a"]})
}

fn in_list(member: &Value) -> Value {
    json!({"type": "array", "items": member, "minItems": 1})
}

fn nested(wrap: fn(&Value) -> Value, depth: usize, member: &str) -> Value {
    (0..depth).fold(json!({"type": member}), |inner, _| wrap(&inner))
}

fn open(name: &str, member: &str, required: &[&str]) -> Value {
    json!({"type": "object", "properties": {name: {"type": member}}, "required": required})
}

#[test]
fn variants_that_are_proved_to_be_disjoint_may_be_written_as_any_of() {
    let disjoint = [
        [json!({"type": "integer"}), json!({"type": "string"})],
        [string("enum", json!(["a"])), string("enum", json!(["b"]))],
        [string("enum", json!(["a"])), string("minLength", 2)],
        [string("maxLength", 2), string("minLength", 3)],
        [string("format", "ipv4"), string("format", "ipv6")],
        [json!({"type": "integer", "maximum": 1}), json!({"type": "integer", "minimum": 2})],
        [
            json!({"type": "number", "maximum": 1}),
            json!({"type": "number", "minimum": 1, "exclusiveMinimum": true}),
        ],
        [json!({"type": "integer"}), json!({"type": "number", "enum": [0.5]})],
        [list("string", 1), list("integer", 0)],
        [open("a", "string", &["a"]), open("b", "string", &[])],
        [open("a", "string", &["a"]), open("a", "integer", &[])],
        [tagged("a", "x", "string"), tagged("b", "x", "string")],
        [
            json!({"type": "number", "maximum": 1, "exclusiveMaximum": true}),
            json!({"type": "number", "minimum": 1}),
        ],
        [nested(in_object, 3, "string"), nested(in_object, 3, "integer")],
        [nested(in_list, 3, "string"), nested(in_list, 3, "integer")],
    ];
    for variants in disjoint {
        assert!(!may_overlap(&variants), "{variants:?}");
    }
}

#[test]
fn variants_that_may_overlap_forbid_what_fits_both() {
    let free = json!({"type": "object", "additionalProperties": true, "required": ["a"]});
    let one_way = |flag: &str, member: &str| in_object(&json!({"type": member, flag: true}));
    let overlapping = [
        [json!({"type": "integer"}), json!({"type": "number"})],
        [string("enum", json!(["a", "b"])), string("enum", json!(["b", "c"]))],
        [string("enum", json!(["ab"])), string("minLength", 2)],
        [string("maxLength", 3), string("minLength", 3)],
        [string("format", "ipv4"), string("format", "other")],
        [string("pattern", "^a"), string("pattern", "^b")],
        [json!({"type": "integer", "maximum": 2}), json!({"type": "integer", "minimum": 2})],
        [json!({"type": "integer"}), json!({"type": "number", "enum": [2.0]})],
        [list("string", 0), list("integer", 0)],
        [list("string", 1), json!({"type": "array", "minItems": 1})],
        [open("a", "string", &[]), open("b", "string", &[])],
        [open("a", "string", &["a"]), free],
        [open("a", "string", &[]), open("a", "integer", &[])],
        [one_way("readOnly", "string"), one_way("readOnly", "integer")],
        [one_way("writeOnly", "string"), nested(in_object, 1, "integer")],
        [nested(in_object, 1, "integer"), one_way("readOnly", "string")],
        [string("format", "ipv4"), json!({"type": "string", "format": "ipv4", "maxLength": 9})],
        [string("format", "uuid"), string("maxLength", 9)],
        [json!({"type": "number", "format": "date"}), json!({"type": "number", "format": "uuid"})],
        [json!({"type": "number", "minimum": 0}), json!({"type": "number", "enum": [0.5]})],
        [
            json!({"type": "number", "maximum": 2, "exclusiveMaximum": true}),
            json!({"type": "number", "minimum": 1}),
        ],
        // What is nested deeper is not compared.
        [nested(in_object, 4, "string"), nested(in_object, 4, "integer")],
        [nested(in_list, 4, "string"), nested(in_list, 4, "integer")],
    ];
    for variants in overlapping {
        assert!(may_overlap(&variants), "{variants:?}");
    }
}

#[test]
fn a_value_that_avoids_the_overlap_is_allowed() {
    let union = one_of(&[json!({"type": "integer"}), json!({"type": "number"})]);
    let halves = json!({"type": "number", "enum": [0.5, 1.5]});
    assert!(findings(&union, &halves).is_empty());
    let found = findings(&union, &json!({"type": "integer", "enum": [1]}));
    assert_eq!(
        found,
        ["response-overlap: the response body may now fit two variants of the earlier `oneOf`"]
    );
    // What the later union forbids too cannot be sent, and a variant that shrinks lets it through.
    let narrow = one_of(&[json!({"type": "integer", "minimum": 5}), json!({"type": "number"})]);
    assert_eq!(findings(&union, &narrow).len(), 1);
    let wide = one_of(&[json!({"type": "integer"}), json!({"type": "number", "minimum": 5})]);
    assert_eq!(findings(&union, &wide).len(), 1);
    // A property that is new hides no overlap.
    let union = |key: &str, properties: Value| {
        let new = json!({"type": "object", "properties": properties});
        json!({key: [new, open("b", "string", &[])]})
    };
    let before = union("oneOf", json!({"a": {}}));
    assert!(findings(&before, &union("anyOf", json!({"a": {}, "new": {}})))[0].contains("overlap"));
    let one = json!({"type": "object", "properties": {"a": {}, "new": {}}});
    assert!(findings(&before, &one)[0].contains("overlap"));
    // Nor is it an overlap that was not there before.
    assert!(findings(&before, &union("oneOf", json!({"a": {}, "new": {}}))).is_empty());
}

#[test]
fn a_union_with_many_overlaps_is_compared_for_equality() {
    let variants = |count| {
        let variant = |at: usize| json!({"type": "object", "properties": {format!("p{at}"): {}}});
        one_of(&(0..count).map(variant).collect::<Vec<_>>())
    };
    assert!(findings(&variants(9), &variants(9)).is_empty());
    assert!(findings(&variants(9), &variants(8)).iter().any(|it| it.starts_with("undecided: ")));
}

#[test]
fn a_variant_without_the_constant_may_allow_any_value_of_it() {
    let string = json!({"type": "string"});
    let any_kind = object(json!({"kind": string, "name": string}), &["kind", "name"]);
    let union = json!({"anyOf": [tagged("a", "name", "boolean"), any_kind]});
    assert!(findings(&union, &tagged("b", "name", "string")).is_empty());
    assert!(findings(&union, &tagged("a", "name", "string")).is_empty());
    assert_eq!(findings(&union, &tagged("b", "name", "integer")).len(), 1);
}

#[test]
fn a_variant_of_the_same_name_goes_before_one_with_fewer_differences() {
    let document = |kind: &str| {
        let all = |names: &[&str], kind: &str| -> Value {
            let all: serde_json::Map<_, _> =
                names.iter().map(|name| ((*name).to_owned(), json!({"type": kind}))).collect();
            json!({"type": "object", "properties": all})
        };
        let schemas =
            json!({"Card": all(&["a", "b"], kind), "Deleted": all(&["a", "c"], "string")});
        let variants =
            ["Card", "Deleted"].map(|name| json!({"$ref": format!("#/components/schemas/{name}")}));
        let content = json!({"application/json": {"schema": {"anyOf": variants}}});
        let operation = json!({"operationId": "a", "responses": {"200": {"content": content}}});
        let paths = json!({"/a": {"get": operation}});
        let root = json!({"openapi": "3.0.3", "paths": paths, "components": {"schemas": schemas}});
        Document::new("openapi.yaml", root).unwrap()
    };
    let documents = Pair { documented: document("integer"), served: document("string") };
    let outcome = compare(Question::Change, &documents);
    let titles: Vec<_> = outcome.findings.iter().map(|finding| finding.title.as_str()).collect();
    let title = |name| format!("`{name}` may now be string, and was integer (int64)");
    assert_eq!(titles, [title("a"), title("b")]);
}
