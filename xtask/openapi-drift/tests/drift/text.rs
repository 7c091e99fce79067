//! The text of a finding, word for word, because its readers did not write the checker. Other
//! modules test what is found.

use serde_json::{Value, json};

use crate::pair::{CONTRACT, GENERATED, outcome, pair};
use openapi_drift::{Document, Pair, Question, Style, compare, write_text};

/// Returns the report about a server that declares null.
fn nullable(style: Style<'_>) -> String {
    let documented = Document::parse("contract.yaml", CONTRACT).unwrap();
    let mut served: Value = serde_json::from_str(GENERATED).unwrap();
    served["components"]["schemas"]["Author"]["properties"]["born"]["nullable"] = json!(true);
    let served = Document::new("the server", served).unwrap();
    let outcome = compare(Question::Server, &Pair { documented, served });
    let mut out = Vec::new();
    write_text(&mut out, &outcome, style).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_finding_reads_like_a_compiler_error() {
    let expected = r#"error[response-null]: `born` may be sent as null, and is documented as integer (int64)
  --> contract.yaml:299:15 #/components/schemas/Book/properties/authors/items/properties/born
  ::: the server #/components/schemas/Author/properties/born
   | documented: integer (int64)
   | server:     integer (int32) or null
   = in: listBooks 200 `.books[].authors[].born`, addBook 201 `.book.authors[].born`, getBook 200 `.authors[].born`, updateBook 200 `.authors[].born`
   = why: a client that reads the documented type fails on null
   = help: if None is skipped, say so: #[serde(default, skip_serializing_if = "Option::is_none")] #[schemars(with = "T")]; if null is meant, document `nullable: true`

error: contract.yaml and the server differ in 1 place
"#;
    assert_eq!(nullable(Style { colour: false, note: "" }), expected);
}

#[test]
fn one_cause_is_one_finding_with_all_its_places() {
    let mut pair = pair();
    let code = json!({"type": "string"});
    pair.served["components"]["schemas"]["Error"]["properties"]["code"] = code;
    assert_eq!(
        places(pair),
        [
            "listBooks 401 `.code`",
            "listBooks 404 `.code`",
            "addBook 400 `.code`",
            "addBook default `.code`",
            "updateBook 4XX `.code`",
            "lendBook 409 `.code`",
        ]
    );
}

#[test]
fn an_object_without_properties_is_one_finding() {
    let mut pair = pair();
    pair.served["components"]["schemas"]["Price"] = json!({"type": "object"});
    assert_eq!(places(pair)[0], "listBooks 200 `.books[].price`");
}

#[test]
fn a_difference_that_occurs_twice_in_a_body_is_reported_twice() {
    let book = |born: &str| {
        let author = json!({"type": "object", "properties": {"born": {"type": born}}});
        let to = json!({"$ref": "#/components/schemas/Author"});
        let book = json!({"type": "object", "properties": {"first": to, "second": to}});
        let content = json!({"application/json": {"schema": book}});
        let operation = json!({"operationId": "a", "requestBody": {"content": content}});
        let components = json!({"schemas": {"Author": author}});
        json!({"openapi": "3.0.3", "paths": {"/a": {"put": operation}}, "components": components})
    };
    let pair = Pair { documented: book("integer"), served: book("string") };
    assert_eq!(places(pair), ["a request `.first.born`", "a request `.second.born`"]);
}

/// Returns the places of the only finding.
fn places(pair: Pair<Value>) -> Vec<String> {
    let findings = outcome(pair).unwrap().findings;
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings[0].places.clone()
}

#[test]
fn colour_does_not_change_the_text() {
    let coloured = nullable(Style { colour: true, note: "" });
    let mut plain = coloured.clone();
    for code in ["\x1b[1;31m", "\x1b[1;34m", "\x1b[1m", "\x1b[0m"] {
        assert!(coloured.contains(code));
        plain = plain.replace(code, "");
    }
    assert_eq!(plain, nullable(Style { colour: false, note: "" }));
}

#[test]
fn documented_errors_that_the_server_declares_by_range_are_listed_if_all_else_agrees() {
    let mut out = Vec::new();
    write_text(&mut out, &outcome(pair()).unwrap(), Style { colour: false, note: "a note" })
        .unwrap();
    let expected = "contract.yaml and the server agree: 7 operations compared
note[error-range]: documented, and declared by the server only as 4XX or 5XX: 400, 401, 404, 409
note: a note
";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
