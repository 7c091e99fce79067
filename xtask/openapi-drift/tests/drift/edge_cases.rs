//! Cases that no single change of the corpus reaches. Each builds documents of one operation, and
//! none repeats a case of the corpus.

use openapi_drift::{Document, Pair};
use serde_json::{Value, json};

use crate::pair::outcome;

/// A document of one operation with this response schema, these headers and parameters.
fn document(schema: &Value, headers: &Value, parameters: &Value) -> Value {
    let content = json!({"application/json": {"schema": schema}});
    let answer = json!({"description": "", "headers": headers, "content": content});
    json!({
        "openapi": "3.0.1",
        "info": {"title": "edge case", "version": "1"},
        "paths": {"/x": {"get": {
            "operationId": "getX", "parameters": parameters, "responses": {"200": answer},
        }}},
    })
}

fn responding(schema: &Value) -> Value {
    document(schema, &json!({}), &json!([]))
}

/// Adds keywords to a schema.
fn merged(mut schema: Value, keywords: Value) -> Value {
    let Value::Object(keywords) = keywords else { panic!("{keywords} is not an object") };
    schema.as_object_mut().unwrap().extend(keywords);
    schema
}

fn differ(documented: Value, served: Value) -> bool {
    !outcome(Pair { documented, served }).unwrap().findings.is_empty()
}

/// More branches than are compared, whose property names end with `suffix`.
fn many_branches(suffix: &str) -> Value {
    let branch = |number: usize| {
        json!({
            "type": "object",
            "required": ["k"],
            "properties": {
                "k": {"enum": [format!("k{number}")]},
                format!("p{number}{suffix}"): {"type": "string"},
            },
        })
    };
    responding(&json!({"oneOf": (0..400).map(branch).collect::<Vec<_>>()}))
}

#[test]
fn schemas_that_are_too_large_agree_only_if_they_are_equal() {
    assert!(!differ(many_branches("a"), many_branches("a")));
    assert!(differ(many_branches("a"), many_branches("b")));
}

#[test]
fn any_number_of_constants_is_an_enumeration() {
    let values: Vec<_> = (0..300).map(|at| format!("v{at}")).collect();
    let constant = |value| json!({"type": "string", "enum": [value]});
    let union = responding(&json!({"oneOf": values.iter().map(constant).collect::<Vec<_>>()}));
    let list = responding(&json!({"type": "string", "enum": values}));
    assert!(!differ(union.clone(), list.clone()));
    assert!(!differ(list, union));
}

#[test]
fn a_header_that_is_serialized_in_another_way_differs() {
    let header = |explode| {
        let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
        let headers = json!({"x-list": {"explode": explode, "schema": schema}});
        document(&json!({"type": "string"}), &headers, &json!([]))
    };
    assert!(differ(header(true), header(false)));
    assert!(!differ(header(true), header(true)));
}

#[test]
fn a_parameter_without_a_name_or_a_location_is_not_ignored() {
    let with = |parameters| document(&json!({"type": "string"}), &json!({}), &parameters);
    for malformed in [json!([{"name": 5, "in": "query"}]), json!([{"name": "q"}])] {
        assert!(differ(with(malformed.clone()), with(json!([]))));
        assert!(!differ(with(malformed.clone()), with(malformed)));
    }
}

#[test]
fn multiples_are_compared_as_decimals() {
    let numbers = |keywords| responding(&merged(json!({"type": "number"}), keywords));
    let (tenths, thirds) = (json!({"multipleOf": 0.1}), json!({"multipleOf": 0.3}));
    assert!(!differ(numbers(tenths.clone()), numbers(thirds.clone())));
    assert!(differ(numbers(thirds), numbers(tenths)));
    let prices = json!({"enum": [0.07, 19.99]});
    assert!(!differ(numbers(json!({"multipleOf": 0.01})), numbers(prices)));
}

#[test]
fn the_number_of_properties_follows_from_the_named_ones() {
    let object = |keywords| {
        let schema = json!({"type": "object", "properties": {"a": {}, "b": {}}});
        responding(&merged(schema, keywords))
    };
    let needed = json!({"required": ["a"]});
    for implied in [json!({"minProperties": 1, "required": ["a"]}), json!({"maxProperties": 2})] {
        assert!(!differ(object(implied.clone()), object(needed.clone())), "{implied}");
    }
    for narrower in [json!({"minProperties": 2}), json!({"maxProperties": 1})] {
        assert!(differ(object(narrower.clone()), object(needed.clone())), "{narrower}");
    }
}

#[test]
fn a_reference_that_is_not_a_string_cannot_be_compared() {
    let documents =
        Pair { documented: responding(&json!({"$ref": 5})), served: responding(&json!({})) };
    assert!(outcome(documents).unwrap_err().to_string().contains("`$ref` 5"));
}

#[test]
fn a_branch_that_excludes_something_is_compared_with_its_own_counterpart() {
    let odd = json!({"type": "string", "enum": ["lost"], "oneOf": [{"not": {"maxLength": 4}}]});
    let plain = json!({"type": "string", "enum": ["lost"]});
    let branches = |last| responding(&json!({"oneOf": [{"type": "string", "enum": ["in"]}, last]}));
    assert!(!differ(branches(odd.clone()), branches(odd.clone())));
    assert!(differ(branches(plain.clone()), branches(odd.clone())));
    assert!(differ(responding(&odd), responding(&plain)));
    assert!(differ(branches(odd), branches(plain)));
}

#[test]
fn an_object_of_20_000_properties_agrees_with_itself() {
    let properties = |last: &str| {
        let mut all: serde_json::Map<_, _> =
            (0..20_000).map(|at| (format!("p{at}"), json!({"type": "string"}))).collect();
        all.insert("last".into(), json!({"type": last}));
        responding(&json!({"type": "object", "properties": all}))
    };
    assert!(!differ(properties("string"), properties("string")));
    assert!(differ(properties("string"), properties("integer")));
}

/// A document with a chain of references, each from a property of one schema to the next.
fn chain(length: usize, end: &str) -> Value {
    let to = |at: usize| json!({"$ref": format!("#/components/schemas/S{at}")});
    let mut schemas: serde_json::Map<_, _> = (0..length)
        .map(|at| (format!("S{at}"), json!({"properties": {"next": to(at + 1)}})))
        .collect();
    schemas.insert(format!("S{length}"), json!({"type": end}));
    let mut document = responding(&to(0));
    document["components"] = json!({"schemas": schemas});
    document
}

#[test]
fn references_lead_as_deep_as_documents_need_and_never_out_of_the_stack() {
    assert!(!differ(chain(3000, "string"), chain(3000, "string")));
    assert!(differ(chain(3000, "string"), chain(3000, "integer")));
    // Deeper chains are not decided.
    assert!(differ(chain(5000, "string"), chain(5000, "string")));
}

#[test]
fn the_default_of_a_parameter_that_is_described_by_content_counts() {
    let parameter = |default: u8| {
        let content =
            json!({"application/json": {"schema": {"type": "integer", "default": default}}});
        json!([{"name": "q", "in": "query", "content": content}])
    };
    let with = |default| document(&json!({"type": "string"}), &json!({}), &parameter(default));
    assert!(!differ(with(1), with(1)));
    assert!(differ(with(1), with(2)));
}

#[test]
fn what_both_sides_say_about_the_writing_of_a_parameter_agrees() {
    let parameter = |keywords| {
        let schema = json!({"type": "array", "items": {"type": "string"}});
        let parameter = json!({"name": "q", "in": "cookie", "schema": schema});
        document(&json!({}), &json!({}), &json!([merged(parameter, keywords)]))
    };
    let reserved = || parameter(json!({"allowReserved": true}));
    assert!(!differ(reserved(), reserved()));
    assert!(differ(reserved(), parameter(json!({}))));
    let form = || parameter(json!({"style": "form", "explode": true}));
    assert!(!differ(form(), parameter(json!({}))));
    assert!(differ(form(), parameter(json!({"explode": false}))));
    // A list that may be null is a list, and only a form is exploded without a word.
    let nullable = |explode: bool| {
        let schema = json!({"type": "array", "nullable": true, "items": {"type": "string"}});
        parameter(json!({"schema": schema, "explode": explode}))
    };
    assert!(differ(nullable(true), nullable(false)));
    let header = |keywords| parameter(merged(json!({"in": "header"}), keywords));
    assert!(!differ(header(json!({})), header(json!({"explode": false}))));
}

#[test]
fn json_is_the_same_with_its_charset_and_text_is_not() {
    let with = |name: &str| {
        let mut document = responding(&json!({}));
        let content = json!({name: {"schema": {"type": "string"}}});
        document["paths"]["/x"]["get"]["responses"]["200"]["content"] = content;
        document
    };
    for (one, two, is_drift) in [
        ("application/a+json", "application/a+json; charset=utf-8", false),
        ("application/json", "Application/JSON;charset=\"utf-8\"", false),
        ("text/a; charset=utf-8", "text/a;charset=UTF-8", false),
        ("text/a", "text/a; charset=utf-8", true),
        ("application/json", "application/json; charset=latin1", true),
    ] {
        assert_eq!(differ(with(one), with(two)), is_drift, "{one} {two}");
    }
}

#[test]
fn an_encoding_agrees_only_with_its_equal() {
    let with = |encoding: Value| {
        let mut document = responding(&json!({}));
        let media = json!({"schema": {"type": "object"}, "encoding": encoding});
        document["paths"]["/x"]["get"]["responses"]["200"]["content"] = json!({"a/b": media});
        document
    };
    let of = |name: &str| with(json!({"a": {"contentType": name}}));
    assert!(!differ(of("text/plain"), of("text/plain")));
    assert!(differ(of("text/plain"), of("text/html")));
}

#[test]
fn the_places_of_a_difference_are_right_in_a_large_document_too() {
    let document = |kind: &str| {
        let mut properties: serde_json::Map<_, _> =
            (0..6000).map(|at| (format!("p{at}"), json!({}))).collect();
        let to = json!({"$ref": "#/components/schemas/Bad"});
        properties.extend(["x", "y"].map(|name| (name.to_owned(), to.clone())));
        properties.insert("z".to_owned(), json!({"type": "array", "items": to.clone()}));
        let mut document = responding(&json!({"type": "object", "properties": properties}));
        let bad = json!({"type": "object", "properties": {"a": {"type": kind}}});
        document["components"] = json!({"schemas": {"Bad": bad}});
        let body = json!({"content": {"application/json": {"schema": to}}});
        document["paths"]["/a"]["get"] = json!({"operationId": "getA", "responses": {"200": body}});
        document
    };
    let pair = Pair { documented: document("string"), served: document("integer") };
    let findings = outcome(pair).unwrap().findings;
    let places: Vec<_> = findings.iter().map(|finding| finding.places.join(", ")).collect();
    assert_eq!(places, ["getA 200 `.a`, getX 200 `.x.a`, getX 200 `.y.a`, getX 200 `.z[].a`"]);
}

#[test]
fn a_reference_leads_to_any_name() {
    let with = |reference: &str, kind: &str| {
        let to = json!({"$ref": format!("#/components/schemas/{reference}")});
        let mut document = responding(&to);
        let schema = json!({"type": kind});
        document["components"] =
            json!({"schemas": {"a/b": schema, "a~b": schema, "a~1b": schema, "é b": schema}});
        document
    };
    for reference in ["a~1b", "a~0b", "a~01b", "%C3%A9%20b"] {
        assert!(!differ(with(reference, "string"), with(reference, "string")), "{reference}");
        assert!(differ(with(reference, "string"), with(reference, "integer")), "{reference}");
    }
}

#[test]
fn data_holds_no_reference_and_a_name_is_no_keyword() {
    let is_read = |components: &Value| {
        let document = json!({"openapi": "3.1.0", "paths": {}, "components": components});
        Document::new("a", document).is_ok()
    };
    let nowhere = json!({"$ref": "#/nowhere"});
    for keyword in ["default", "example", "const", "examples", "enum", "x-note"] {
        let data = json!({keyword: nowhere});
        // In a list, in what has a name, and in what is called like a keyword.
        for data in [json!([data]), json!({"properties": {"properties": data}}), data.clone()] {
            assert!(is_read(&json!({"any": data})), "{data}");
        }
        for keyword in [
            "properties",
            "schemas",
            "responses",
            "parameters",
            "headers",
            "requestBodies",
            "content",
            "paths",
            "securitySchemes",
            "$defs",
            "callbacks",
            "definitions",
            "dependentSchemas",
            "pathItems",
            "patternProperties",
        ] {
            assert!(!is_read(&json!({"any": {keyword: data}})), "{keyword}: {data}");
        }
    }
    assert!(is_read(&json!({"properties": {"$ref": {"type": "string"}}})));
    assert!(!is_read(&json!({"any": [nowhere]})));
    let chain = json!({"a": {"$ref": "#/components/b"}, "b": {"$ref": "#/components/c"}, "c": {}});
    assert!(is_read(&chain));
}

#[test]
fn an_error_is_compared_with_the_closest_name_in_the_document() {
    let with = |statuses: &[(&str, &str)]| {
        let mut document = responding(&json!({"type": "string"}));
        for (status, kind) in statuses {
            let content = json!({"application/json": {"schema": {"type": kind}}});
            document["paths"]["/x"]["get"]["responses"][*status] = json!({"content": content});
        }
        document
    };
    let documented = || with(&[("default", "integer"), ("4XX", "string")]);
    for (kind_of_404, kind_of_503, is_drift) in
        [("string", "integer", false), ("integer", "integer", true), ("string", "string", true)]
    {
        let served = [("404", kind_of_404), ("503", kind_of_503), ("default", "integer")];
        let served = with(&[&served[..], &[("4XX", "string")]].concat());
        assert_eq!(differ(documented(), served), is_drift, "{kind_of_404} {kind_of_503}");
    }
    for general in ["4XX", "default"] {
        let same = || with(&[("404", "string"), (general, "integer")]);
        assert!(!differ(same(), same()), "{general}");
    }
}

#[test]
fn a_status_is_a_success_or_an_error_by_what_is_next_to_it() {
    let with = |statuses: &[(&str, Option<&str>)]| {
        let mut document = responding(&json!({}));
        let response = |kind: Option<&str>| match kind {
            Some(kind) => json!({"content": {"application/json": {"schema": {"type": kind}}}}),
            None => json!({"description": ""}),
        };
        let all = statuses.iter().map(|(status, kind)| ((*status).to_owned(), response(*kind)));
        document["paths"]["/x"]["get"]["responses"] = Value::Object(all.collect());
        document
    };
    let codes = |documented, served| {
        let pair = Pair { documented: with(documented), served: with(served) };
        let findings = outcome(pair).unwrap().findings;
        findings.iter().map(|finding| finding.code().to_string()).collect::<Vec<_>>()
    };
    // `default` alone is a success, and must say which body it has; an error need not.
    let media_type = "undocumented-media-type";
    assert_eq!(codes(&[("default", None)], &[("default", Some("string"))]), [media_type]);
    let none: &[&str] = &[];
    assert_eq!(codes(&[("404", None)], &[("404", Some("string"))]), none);
    let success = ("204", None);
    let default = |kind| [success, ("default", kind)];
    let [any, string] = [default(None), default(Some("string"))];
    assert_eq!(codes(&any, &string), none);
    let more = [success, ("206", Some("boolean")), ("default", Some("string"))];
    assert_eq!(codes(&string, &more), ["undocumented-status"]);
    // A success is not what the server declares for errors.
    let moved = [("201", Some("integer")), ("default", Some("boolean"))];
    let expected = ["missing-status", "response-type"];
    assert_eq!(codes(&[("200", Some("string"))], &moved), expected);
    assert_eq!(codes(&[success, ("x-note", None)], &[success]), none);
}

#[test]
fn a_documented_error_that_the_server_declares_by_its_range_is_a_note() {
    let with = |statuses: &[&str]| {
        let mut document = responding(&json!({"type": "string"}));
        for status in statuses {
            document["paths"]["/x"]["get"]["responses"][*status] = json!({"description": ""});
        }
        document
    };
    let notes = |documented: &[&str], served: &[&str]| {
        let outcome = outcome(Pair { documented: with(documented), served: with(served) }).unwrap();
        assert!(outcome.findings.is_empty(), "{:#?}", outcome.findings);
        outcome.notes.into_iter().map(|note| note.title).collect::<Vec<_>>()
    };
    let title = |status: &str, range: &str| {
        format!("{status} is documented, and the server declares only {range}")
    };
    let found = notes(&["404", "429", "503"], &["4XX", "5XX", "429"]);
    assert_eq!(found, [title("404", "4XX"), title("503", "5XX")]);
    assert_eq!(notes(&["4XX", "404"], &["4XX", "404"]), Vec::<String>::new());
    assert_eq!(notes(&["404"], &["default"]), Vec::<String>::new());
    assert_eq!(notes(&["4XX"], &["4XX"]), Vec::<String>::new());
    assert_eq!(notes(&["4xx"], &["4XX"]), Vec::<String>::new());
}

#[test]
fn a_value_is_compared_as_if_it_were_the_only_one() {
    let to = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let with = |paths: &[&str], kind: &str| {
        let mut document = responding(&json!({}));
        let operation = document["paths"]["/x"].take();
        document["paths"] = json!({});
        for name in paths {
            let mut operation = operation.clone();
            operation["get"]["operationId"] = json!(name);
            operation["get"]["responses"]["200"]["content"]["application/json"]["schema"] =
                to(name);
            document["paths"][format!("/{name}")] = operation;
        }
        document["components"] = json!({"schemas": {
            "Outer": {"properties": {"inner": to("Inner"), "size": {"type": kind}}},
            "Inner": {"properties": {"outer": to("Outer"), "same": {"type": "string"}}},
            "Same": {"properties": {"next": to("Same")}},
        }});
        document
    };
    let places = |names: &[&str]| {
        let pair = Pair { documented: with(names, "string"), served: with(names, "integer") };
        let findings = outcome(pair).unwrap().findings;
        let mut places: Vec<_> = findings.into_iter().flat_map(|it| it.places).collect();
        places.sort();
        places
    };
    assert_eq!(places(&["Outer"]), ["Outer 200 `.size`"]);
    assert_eq!(places(&["Inner"]), ["Inner 200 `.outer.size`"]);
    assert_eq!(places(&["Same"]), Vec::<String>::new());
    for names in [["Outer", "Inner", "Same"], ["Same", "Inner", "Outer"]] {
        assert_eq!(places(&names), ["Inner 200 `.outer.size`", "Outer 200 `.size`"]);
    }
}

#[test]
fn a_json_document_of_one_line_has_the_same_columns_as_its_text() {
    let twice = r#"{"openapi": "3.0.1", "paths": {}, "a": 1, "a": 2}"#;
    let broken = r#"{"openapi": "3.0.1", "paths": ]}"#;
    for (text, part) in [(twice, r#""a": 2"#), (broken, "]}")] {
        let column = text.find(part).unwrap() + 1;
        let error = Document::parse("a.json", text).unwrap_err().to_string();
        assert!(error.ends_with(&format!("(line 1, column {column})")), "{error}");
    }
}

#[test]
fn thousands_of_values_and_of_findings_are_compared() {
    let listed = |values: Vec<u16>| responding(&json!({"enum": values}));
    let (all, most): (Vec<_>, Vec<_>) = ((0..20_000).collect(), (1..20_000).collect());
    let reversed = listed(all.iter().rev().copied().collect());
    assert!(!differ(listed(all), reversed.clone()));
    assert!(differ(listed(most), reversed));
    let properties = |kind: &str| {
        let all: serde_json::Map<_, _> =
            (0..5000).map(|at| (format!("p{at}"), json!({"type": kind}))).collect();
        responding(&json!({"type": "object", "properties": all}))
    };
    let pair = Pair { documented: properties("string"), served: properties("integer") };
    assert_eq!(outcome(pair).unwrap().findings.len(), 5000);
}

#[test]
fn a_difference_in_schemas_that_all_refer_to_each_other_is_one_finding() {
    let reference = |at: usize| json!({"$ref": format!("#/components/schemas/S{at}")});
    let document = |kind: &str| {
        let properties: serde_json::Map<_, _> =
            (0..24).map(|at| (format!("p{at}"), reference(at))).collect();
        let schema = json!({"type": "object", "properties": properties});
        let mut schemas: serde_json::Map<_, _> =
            (0..24).map(|at| (format!("S{at}"), schema.clone())).collect();
        schemas["S3"]["properties"]["size"] = json!({"type": kind});
        let mut document = responding(&reference(0));
        document["components"] = json!({"schemas": schemas});
        document
    };
    let pair = Pair { documented: document("string"), served: document("integer") };
    assert_eq!(outcome(pair).unwrap().findings.len(), 1);
}

#[test]
fn an_address_of_one_version_of_ip_is_an_address() {
    let address = |format: &str| responding(&json!({"type": "string", "format": format}));
    assert!(!differ(address("ip"), address("ipv4")));
    assert!(!differ(address("ip"), address("ipv6")));
    assert!(differ(address("ipv4"), address("ip")));
}

#[test]
fn what_agrees_only_while_it_contains_itself_is_compared_at_every_place() {
    let document = |kind: &str| {
        let object = |properties: Value| json!({"type": "object", "properties": properties});
        let to = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
        let schemas = json!({
            "A": object(json!({"b": to("B"), "x": {"type": kind}})),
            "B": object(json!({"c": to("C"), "d": to("D")})),
            "C": object(json!({"a": to("A")})),
            "D": object(json!({"e": {"type": "string"}})),
        });
        let operation = |name: &str| {
            let body = json!({"content": {"application/json": {"schema": to(name)}}});
            json!({"get": {"operationId": name, "responses": {"200": body}}})
        };
        let paths = json!({"/a": operation("A"), "/b": operation("B"), "/c": operation("C")});
        json!({"openapi": "3.0.3", "paths": paths, "components": {"schemas": schemas}})
    };
    let pair = Pair { documented: document("integer"), served: document("string") };
    let findings = outcome(pair).unwrap().findings;
    let places: Vec<_> = findings.iter().map(|finding| finding.places.join(", ")).collect();
    assert_eq!(places, ["A 200 `.x`, B 200 `.c.a.x`, C 200 `.a.x`"]);
}

#[test]
fn a_schema_that_contains_itself_through_a_not_agrees_with_itself() {
    for union in ["oneOf", "anyOf"] {
        let book = |state: &str| {
            let object = json!({"type": "object", "properties": {"book": {"$ref": "#/components/schemas/Book"}}});
            let state = json!({"type": "string", "enum": [state]});
            let not_a_book = json!({"not": {"$ref": "#/components/schemas/Book"}});
            let mut document = responding(&json!({"$ref": "#/components/schemas/Book"}));
            document["components"] = json!({"schemas": {
                "Book": {"type": "object", "properties": {"state": {"$ref": "#/components/schemas/State"}}},
                "State": {union: [state, object, not_a_book]},
            }});
            document
        };
        assert!(!differ(book("in"), book("in")), "{union}");
        // All strings fit `not_a_book`, and `oneOf` excludes the one that fits both.
        assert_eq!(differ(book("in"), book("out")), union == "oneOf");
    }
}
