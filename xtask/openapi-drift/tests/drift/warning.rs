//! What is not OpenAPI: unknown keywords of each kind of object, and what is there in place of an object.

use openapi_drift::{Document, Outcome, Pair, Question, Warning, WarningRule, compare};
use openapi_drift::{write_github, write_json, write_sarif, write_warning_explanation};
use serde_json::{Value, json};

use crate::pair::{CONTRACT, GENERATED, pair, report};

/// Every kind of object, with all that holds free names or data.
pub fn every_kind(version: &str) -> Value {
    let schema = json!({
        "type": "object", "xml": {"name": "a"}, "discriminator": {"propertyName": "a", "mapping": {"requird": "b"}},
        "properties": {"requird": {"type": "object", "example": {"requird": 1}, "default": {"requird": 1}, "enum": [{"requird": 1}]}},
        "externalDocs": {"url": "a"}, "x-any": {"requird": 1},
    });
    let header = json!({"description": "a", "schema": {"type": "string"}});
    let server = json!({"url": "a", "variables": {"requird": {"default": "a"}}});
    let media = json!({"schema": schema, "examples": {"requird": {"value": 1}}, "encoding": {"a": {"contentType": "a", "headers": {"requird": header}}}});
    let response = json!({"description": "a", "headers": {"requird": header}, "content": {"a/b": media}, "links": {"requird": {"operationId": "a"}}});
    let operation = json!({"operationId": "a", "parameters": [{"name": "q", "in": "query", "schema": {}}, {"$ref": "#/components/parameters/requird"}],
        "requestBody": {"content": {"a/b": media}}, "responses": {"200": response, "x-any": {"requird": 1}}});
    json!({
        "openapi": version, "info": {"title": "a", "version": "1", "contact": {"name": "a"}, "license": {"name": "a"}},
        "servers": [server], "tags": [{"name": "a"}], "externalDocs": {"url": "a"}, "security": [{"requird": []}],
        "paths": {"/a": {"get": operation}, "x-any": {"requird": 1}},
        "components": {"parameters": {"requird": {"name": "p", "in": "query", "schema": {}}},
            "securitySchemes": {"requird": {"type": "oauth2", "flows": {"implicit": {"authorizationUrl": "a", "scopes": {"requird": "a"}}}}}},
    })
}

/// The pointer of one object of each kind.
pub const PLACES: [&str; 27] = [
    "",
    "/info",
    "/info/contact",
    "/info/license",
    "/servers/0",
    "/servers/0/variables/requird",
    "/tags/0",
    "/externalDocs",
    "/paths/~1a",
    "/paths/~1a/get",
    "/paths/~1a/get/parameters/0",
    "/paths/~1a/get/requestBody",
    "/paths/~1a/get/responses/200",
    "/paths/~1a/get/responses/200/headers/requird",
    "/paths/~1a/get/responses/200/links/requird",
    "/paths/~1a/get/requestBody/content/a~1b",
    "/paths/~1a/get/requestBody/content/a~1b/encoding/a",
    "/paths/~1a/get/requestBody/content/a~1b/schema",
    "/paths/~1a/get/requestBody/content/a~1b/schema/xml",
    "/paths/~1a/get/requestBody/content/a~1b/schema/discriminator",
    "/paths/~1a/get/requestBody/content/a~1b/schema/properties/requird",
    "/components",
    "/components/parameters/requird",
    "/components/securitySchemes/requird",
    "/components/securitySchemes/requird/flows",
    "/components/securitySchemes/requird/flows/implicit",
    "/paths/~1a/get/requestBody/content/a~1b/schema/externalDocs",
];

/// Compares a document with one that has every kind.
pub fn outcome(documented: &Value) -> Outcome {
    let [documented, served] = [documented, &every_kind("3.0.3")]
        .map(|value| Document::new("a.yaml", value.clone()).unwrap());
    compare(Question::Server, &Pair { documented, served })
}

#[test]
fn names_and_data_and_extensions_are_no_keywords() {
    for version in ["3.0.3", "3.1.0"] {
        assert_eq!(outcome(&every_kind(version)).warnings, []);
    }
    assert_eq!(crate::pair::outcome(pair()).unwrap().warnings, []);
}

#[test]
fn an_unknown_keyword_in_every_kind_of_object_is_a_warning() {
    for place in PLACES {
        let mut document = every_kind("3.0.3");
        document.pointer_mut(place).unwrap()["zzzzzz"] = json!(1);
        let warnings = outcome(&document).warnings;
        let pointers: Vec<_> = warnings.iter().map(|warning| &*warning.pointer).collect();
        assert_eq!(pointers, [format!("{place}/zzzzzz")]);
    }
    let mut document = every_kind("3.0.3");
    for place in PLACES {
        document.pointer_mut(place).unwrap()["zzzzzz"] = json!(1);
    }
    let warnings = outcome(&document).warnings;
    assert!(warnings.is_sorted_by_key(|warning| &warning.pointer), "{warnings:#?}");
}

#[test]
fn what_looks_like_an_extension_or_belongs_to_a_reference_is_known_only_there() {
    let warnings = |place: &str, key: &str, value: Value| {
        let mut document = every_kind("3.0.3");
        document.pointer_mut(place).unwrap()[key] = value;
        outcome(&document).warnings.len()
    };
    let [schema, reference] = [PLACES[17], "/paths/~1a/get/parameters/1"];
    // The name of a property is free, and what it names is a schema.
    assert_eq!(warnings(&format!("{schema}/properties"), "x-any", json!({"requird": 1})), 1);
    for (place, key, count) in [
        (reference, "summary", 0),
        (reference, "description", 0),
        (reference, "requird", 1),
        (schema, "summary", 1),
    ] {
        assert_eq!(warnings(place, key, json!("a")), count, "{place}/{key}");
    }
}

fn of_schema(version: &str, keyword: &str) -> Option<Warning> {
    let mut document = every_kind(version);
    document.pointer_mut(PLACES[17]).unwrap()[keyword] = json!(true);
    outcome(&document).warnings.pop()
}

#[test]
fn a_misspelled_keyword_has_the_nearest_known_one() {
    for (keyword, nearest) in [
        ("requird", "required"),
        ("propertys", "properties"),
        ("nullabel", "nullable"),
        ("additnalPropertys", "additionalProperties"),
    ] {
        assert_eq!(of_schema("3.0.3", keyword).unwrap().help, format!("did you mean `{nearest}`?"));
    }
    // What is too far away or unknown in this version is not proposed.
    for keyword in ["zzzzzz", "formxyz", "contain"] {
        assert_eq!(of_schema("3.0.3", keyword).unwrap().help, WarningRule::UNKNOWN_KEYWORD.help);
    }
}

#[test]
fn a_keyword_of_the_other_version_is_a_warning() {
    for (keyword, known, other) in [("const", "3.1.0", "3.0.3"), ("nullable", "3.0.3", "3.1.0")] {
        assert_eq!(of_schema(known, keyword), None);
        assert!(of_schema(other, keyword).unwrap().help.contains("ignores it"));
    }
}

#[test]
fn a_warning_is_in_every_format_and_is_explained() {
    let documented = CONTRACT.replacen("description:", "descripton:", 1);
    let documents = [("a.yaml", &*documented), ("b.json", GENERATED)]
        .map(|(name, text)| Document::parse(name, text).unwrap());
    let [documented, served] = documents;
    let outcome = compare(Question::Server, &Pair { documented, served });
    assert!(outcome.findings.is_empty() && outcome.warnings.len() == 1);
    let text = |write: fn(&mut dyn std::io::Write, &Outcome) -> std::io::Result<()>| {
        let mut out = Vec::new();
        write(&mut out, &outcome).unwrap();
        String::from_utf8(out).unwrap()
    };
    let Warning { pointer, position, help, .. } = &outcome.warnings[0];
    let (line, column) = position.unwrap();
    let place = format!("\n  --> a.yaml:{line}:{column} #{pointer}\n   = help: {help}\n\n");
    let said = report(&outcome);
    assert!(said.starts_with("warning[unknown-keyword]: `descripton` is no keyword"), "{said}");
    assert!(said.contains(&place), "{said}");
    assert!(text(write_github).starts_with("::warning file=a.yaml,line="));
    let json: Value = serde_json::from_str(&text(write_json)).unwrap();
    assert_eq!(
        (&json["conforms"], &json["warnings"][0]["code"]),
        (&json!(true), &json!("unknown-keyword"))
    );
    let sarif: Value = serde_json::from_str(&text(write_sarif)).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["level"], "warning");
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], line);
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(rules.iter().any(|rule| rule["id"] == "unknown-keyword"));
    let explain = |out: &mut dyn std::io::Write, _: &Outcome| {
        WarningRule::ALL.iter().try_for_each(|rule| write_warning_explanation(out, rule))
    };
    let explained = text(explain);
    assert!(explained.starts_with("unknown-keyword: ") && explained.contains("\ninvalid-value: "));
}

/// The pointer of an operation of `every_kind`.
pub const OPERATION: &str = "/paths/~1a/get";
/// The pointer of a schema of it.
pub const SCHEMA: &str = PLACES[17];

/// Sets what a pointer names. One that is too long goes on below.
pub fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap();
    match parent.as_array_mut() {
        Some(elements) => elements.push(value),
        None => parent[key.replace("~1", "/")] = value,
    }
}

fn no() -> Value {
    Value::Null
}

#[test]
fn a_document_without_an_object_that_must_be_there_cannot_be_compared() {
    let operation = |rest: &str| format!("{OPERATION}{rest}");
    for (pointer, value, why) in [
        ("/paths/~1a".to_owned(), no(), "has `null` in place of a path object at #/paths/~1a"),
        (
            operation(""),
            json!("hello"),
            "has `\"hello\"` in place of an operation object at #/paths/~1a/get",
        ),
        (operation("/parameters"), json!({}), "has `{}` in place of a list at"),
        (operation("/parameters/-"), json!(1), "has `1` in place of a parameter object at"),
        (operation("/responses"), json!([]), "has `[]` in place of an object at"),
        (operation("/responses/200"), no(), "has `null` in place of a response object at"),
        (operation("/parameters/0/schema"), json!(5), "has `5` in place of a schema object at"),
        (format!("{SCHEMA}/properties"), json!([]), "has `[]` in place of an object at"),
        (format!("{SCHEMA}/allOf"), json!({}), "has `{}` in place of a list at"),
        (format!("{SCHEMA}/items"), json!(true), "has `true` in place of a schema object at"),
        (
            format!("{SCHEMA}/additionalProperties"),
            json!("no"),
            "has `\"no\"` in place of true or false or a schema object at",
        ),
        (
            format!("{SCHEMA}/not"),
            json!({"$ref": "#/components/parameters/requird"}),
            "refers to `#/components/parameters/requird` in place of a schema object at",
        ),
        (
            format!("{SCHEMA}/not"),
            json!({"$ref": "#/info/title"}),
            "has `\"a\"` in place of a schema object at #/info/title",
        ),
        (
            operation("/responses/200/headers"),
            json!({"$ref": "#/info"}),
            "has `\"a\"` in place of a header object at #/info/title",
        ),
    ] {
        let mut document = every_kind("3.0.3");
        set(&mut document, &pointer, value);
        let text = serde_json::to_string_pretty(&document).unwrap();
        let error = Document::parse("a.json", &text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("a.json {why}")), "{error}");
        assert!(error.ends_with(')') && error.contains(" (line "), "{error}");
        let error = Document::new("a.json", document).unwrap_err().to_string();
        assert!(error.starts_with(&format!("a.json {why}")) && !error.contains("line"), "{error}");
    }
}

#[test]
fn another_file_is_searched_too() {
    let contract = "
openapi: 3.0.3
info: {}
paths:
  /a: {get: {responses: {'200': {content: {a/b: {schema: {$ref: 'b.yaml#/A'}}}}}}}
";
    let read = |text: &'static str| {
        Document::parse_with_files("api/a.yaml", contract, &mut |_| Ok(text.to_owned()))
    };
    let outcome = |document| {
        let served = Document::parse("b", "{openapi: 3.0.3, info: {}, paths: {}}").unwrap();
        compare(Question::Server, &Pair { documented: document, served })
    };
    let warnings = outcome(read("A: {requird: [a], allOf: [{$ref: '#/A'}]}").unwrap()).warnings;
    let [Warning { document, pointer, position, .. }] = &warnings[..] else { panic!("one") };
    let place = (&**document, &**pointer, *position);
    assert_eq!(place, ("api/b.yaml", "/A/requird", Some((1, 5))));
    let error = read("\nA: 5").unwrap_err().to_string();
    assert_eq!(
        error,
        "api/a.yaml has `5` in place of a schema object at b.yaml#/A (line 2, column 1)"
    );
}
