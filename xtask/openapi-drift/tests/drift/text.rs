//! The text of a finding, word for word, because its readers did not write the checker. Other
//! modules test what is found.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::pair::{CONTRACT, GENERATED, outcome, pair};
use openapi_drift::{
    Document, Pair, Question, Routes, Style, TrafficOutcome, check_traffic, compare, read_traffic,
    write_github, write_text, write_traffic_github, write_traffic_sarif, write_traffic_text,
};

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

/// A contract with two operations of one schema, and four exchanges that break it.
fn traffic() -> (Document, TrafficOutcome) {
    let schema = "{schema: {$ref: '#/components/schemas/N'}}";
    let responses = format!("responses: {{200: {{content: {{application/json: {schema}}}}}}}");
    let operation = |id: &str| format!("  /{id}: {{get: {{operationId: {id}, {responses}}}}}\n");
    let operations = ["a", "b"].map(operation).concat();
    let components = "components:\n  schemas:\n    N: {type: integer}\n";
    let contract = format!("openapi: 3.0.3\npaths:\n{operations}{components}info: {{}}\n");
    let contract = Document::parse("a.yaml", &contract).unwrap();
    let line = |url| {
        let headers = json!([{"name": "content-type", "value": "application/json"}]);
        let response = json!({"status": 200, "headers": headers, "content": {"text": "\"x\""}});
        let request = json!({"method": "GET", "url": url, "headers": []});
        json!({"request": request, "response": response}).to_string()
    };
    let lines = ["/a", "/a", "/a", "/b"].map(line).join("\n");
    let outcome = check_traffic(&Routes::new(&contract, None), &read_traffic("t", &lines).unwrap());
    (contract, outcome)
}

fn written(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_finding_of_traffic_reads_like_one_of_a_comparison() {
    let (contract, mut outcome) = traffic();
    let text = |outcome: &TrafficOutcome, colour| {
        written(|out| write_traffic_text(out, outcome, Style { colour, note: "" }))
    };
    let expected = r#"error[traffic-response-value]: the response body is documented as integer (int64), and another value was sent
  --> a.yaml:3:77 #/paths/~1a/get/responses/200/content/application~1json/schema -> #/components/schemas/N
   | contract: integer (int64)
   | traffic:  "x"
   = in: a 200, b 200
   = seen: 4 exchanges: first in t #1, t #2, t #3
   = why: a client that accepts only what is documented fails
   = help: send what is documented, or document more

coverage: 2 of 2 operations seen
coverage: 2 of 2 statuses seen
coverage: 0 of 0 optional members seen
error: the traffic breaks a.yaml in 1 place: 4 exchanges checked, 0 skipped
"#;
    assert_eq!(text(&outcome, false), expected);
    assert!(text(&outcome, true).contains("\x1b[1;31merror:\x1b[0m the traffic breaks"));
    // A gap was seen in no exchange.
    outcome.findings = outcome.coverage.gaps(&contract, ("r.txt", "* 404: none")).unwrap();
    let gap = text(&outcome, false);
    assert!(
        gap.contains("   | contract: no gap\n   | traffic:  a reason\n   = in: * 404\n   = why:")
    );
    let annotated = written(|out| write_traffic_github(out, &outcome));
    assert!(!annotated.contains("seen: "), "{annotated}");
}

#[test]
fn the_formats_for_machines_say_the_same_of_traffic() {
    let (_, outcome) = traffic();
    let said = "the response body is documented as integer (int64), and another value was sent|\
                traffic: \"x\"|in: a 200, b 200|seen: 4 exchanges: first in t #1, t #2, t #3|\
                help: send what is documented, or document more";
    let annotated = written(|out| write_traffic_github(out, &outcome));
    let start = "::error file=a.yaml,line=3,col=77,title=traffic-response-value::";
    assert_eq!(annotated, format!("{start}{said}\n").replace('|', "%0A"));
    let sarif = written(|out| write_traffic_sarif(out, &outcome));
    let sarif: Value = serde_json::from_str(&sarif).unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["message"]["text"], said.replace('|', ". "));
}

#[test]
fn an_annotation_of_github_is_escaped_and_names_every_place() {
    let document = |name: &str, property: &str| {
        let schema = json!({"type": "object", "properties": {property: {"type": "string"}}});
        let reference = json!({"$ref": "#/components/schemas/A"});
        let body = json!({"content": {"a/b": {"schema": reference}}});
        let operation = json!({"operationId": "a", "responses": {"200": body, "201": body}});
        let paths = json!({"/a": {"get": operation}});
        let components = json!({"schemas": {"A": schema}});
        let document = json!({"openapi": "3.0.3", "paths": paths, "components": components});
        Document::new(name, document).unwrap()
    };
    let pair = Pair {
        documented: document("a:b,%.yaml", "50%\r\n: a, b"),
        served: document("b", "other"),
    };
    let text = written(|out| write_github(out, &compare(Question::Server, &pair)));
    let line = text.lines().next().unwrap();
    assert!(
        line.starts_with("::error file=a%3Ab%2C%25.yaml,title=missing-property::`50%25"),
        "{text}"
    );
    assert!(line.contains("%0Ain: a 200 a/b `.50%25%0D%0A: a, b`, a 201 a/b `.50%25"), "{text}");
}

#[test]
fn documents_without_a_difference_and_without_a_note_say_only_that() {
    let document = || Document::parse("a.yaml", "{openapi: 3.0.3, info: {}, paths: {}}").unwrap();
    let outcome = compare(Question::Server, &Pair { documented: document(), served: document() });
    let text = written(|out| write_text(out, &outcome, Style { colour: false, note: "a note" }));
    assert_eq!(text, "a.yaml and a.yaml agree: 0 operations compared\nnote: a note\n");
}
