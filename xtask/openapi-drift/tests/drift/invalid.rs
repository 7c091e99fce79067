//! Values that a keyword cannot have, and rules that several values keep together.

use openapi_drift::{Document, Pair, Question, WarningRule, compare};
use serde_json::json;

use crate::warning::{OPERATION, SCHEMA, every_kind, outcome, set};

#[test]
fn a_value_that_its_keyword_cannot_have_is_a_warning() {
    let lines = include_str!("invalid.txt").lines();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let fields: Vec<_> = line.split(" | ").collect();
        let [pointer, value, title, help] = fields[..] else { panic!("four fields in `{line}`") };
        let pointer = pointer.replace("OPERATION", OPERATION).replace("SCHEMA", SCHEMA);
        let mut document = every_kind("3.0.3");
        set(&mut document, &pointer, serde_json::from_str(value).unwrap());
        let warnings = outcome(&document).warnings;
        if title == "nothing" {
            assert_eq!(warnings, [], "{line}");
            continue;
        }
        let [warning] = &warnings[..] else { panic!("{line}: {warnings:#?}") };
        assert!(warning.title.starts_with(title), "{line}: {}", warning.title);
        assert!(warning.help.starts_with(help), "{line}: {}", warning.help);
        assert_eq!(*warning.rule, WarningRule::INVALID_VALUE, "{line}");
        let (place, known) = (pointer.strip_suffix("/-").unwrap_or(&pointer), &*warning.pointer);
        assert!(place.starts_with(known) || known.starts_with(place), "{line}: {known}");
    }
}

#[test]
fn a_warning_is_at_the_line_of_the_value() {
    let contract = "
openapi: 3.1.0
paths:
  /a:
    get:
      security:
      - {}
      - key: []
        other: []
      responses:
        '200':
          content:
            a/b:
              schema:
                type: [string, 'null']
                default: 5
                minLength: 3
                enum:
                - a
                - null
                - 7
                maxLength: 2
components:
  securitySchemes: {key: {type: http, scheme: basic}}
";
    let document = Document::parse("a.yaml", contract).unwrap();
    let served = Document::parse("b", "{openapi: 3.0.3, info: {}, paths: {}}").unwrap();
    let outcome = compare(Question::Server, &Pair { documented: document, served });
    let places = outcome.warnings.iter().map(|it| (it.position.unwrap().0, &*it.title));
    let expected = [
        (2, "a document object has no `info`"),
        (9, "no security scheme is named `other`"),
        (16, "`default` is `5`, which is not of type `[string,null]`"),
        (17, "`minLength` is `3`, and must be at most the `maxLength` `2`"),
        (21, "`enum` has `7`, which is not of type `[string,null]`"),
    ];
    assert_eq!(places.collect::<Vec<_>>(), expected);
}

#[test]
fn two_paths_that_match_the_same_are_a_warning() {
    let item = |name: &str| {
        let parameter = json!({"name": name, "in": "path", "schema": {}});
        let operation = json!({"responses": {"200": {}}});
        json!({"parameters": [parameter], "get": operation, "put": operation})
    };
    let mut document = every_kind("3.0.3");
    document["paths"]["/b/{x}"] = item("x");
    assert_eq!(outcome(&document).warnings, []);
    document["paths"]["/b/{y}"] = item("y");
    let warnings = outcome(&document).warnings;
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert_eq!(warnings[0].title, "`/b/{y}` and `/b/{x}` are the same path");
    let strange = json!({"openapi": "3.0.3", "info": {}, "paths": {"a}éé": {"get": {"responses": {"200": {}}}}}});
    let warnings = outcome(&strange).warnings;
    assert_eq!(warnings[0].title, "the path `a}éé` does not begin with `/`", "{warnings:#?}");
}

#[test]
fn what_3_1_allows_is_no_warning_in_3_1() {
    let boolean = json!({"type": ["string", "null"], "exclusiveMinimum": 3, "not": false});
    let mut document = every_kind("3.1.0");
    document["components"]["schemas"] = json!({"A": boolean, "B": true, "C": {"type": "null"}});
    document["paths"]["/b"] = json!({"get": {}});
    assert_eq!(outcome(&document).warnings, []);
    document["components"]["schemas"] = json!({"A": {"type": ["string", "nul"]}});
    assert_eq!(outcome(&document).warnings[0].help, "did you mean `null`?");
    // Some engines know no lookahead, and it is a regular expression.
    document["components"]["schemas"] = json!({"A": {"pattern": "^(?!a)(?<b>.)\\k<b>$"}});
    assert_eq!(outcome(&document).warnings, []);
}

#[test]
fn bounds_and_types_of_3_1_are_read_too() {
    for (schema, titles) in [
        (
            json!({"minimum": 3, "exclusiveMaximum": 2}),
            &["`minimum` is `3`, and must be at most the `exclusiveMaximum` `2`"][..],
        ),
        (
            json!({"exclusiveMinimum": 3, "maximum": 2}),
            &["`exclusiveMinimum` is `3`, and must be at most the `maximum` `2`"],
        ),
        (
            json!({"exclusiveMinimum": 3, "exclusiveMaximum": 2}),
            &["`exclusiveMinimum` is `3`, and must be at most the `exclusiveMaximum` `2`"],
        ),
        (
            json!({"minContains": 3, "maxContains": 2}),
            &["`minContains` is `3`, and must be at most the `maxContains` `2`"],
        ),
        (
            json!({"type": "string", "nullable": true, "default": null}),
            &[
                "`default` is `null`, which is not of type `string`",
                "`nullable` is no keyword of a schema object in OpenAPI 3.1",
            ],
        ),
        (json!({"type": ["integer", "null"], "default": null, "enum": [1.0, null]}), &[]),
    ] {
        let mut document = every_kind("3.1.0");
        document["components"]["schemas"] = json!({"A": schema});
        let warnings = outcome(&document).warnings;
        let found: Vec<_> = warnings.iter().map(|warning| &*warning.title).collect();
        assert_eq!(found, titles, "{schema}");
    }
}
