//! Too many findings: a report lists the first of a code, and says how many more there are.

use openapi_drift::{Document, Effect, Outcome, Pair, Question, compare};
use openapi_drift::{write_github, write_json, write_sarif};
use serde_json::{Map, Value, json};

use crate::pair::report;

const LISTED: usize = 10_000;

/// Returns a document of one object with as many properties.
fn document(count: usize, kind: &str) -> Document {
    let properties: Map<_, _> =
        (0..count).map(|at| (format!("p{at}"), json!({"type": kind}))).collect();
    let schema = json!({"type": "object", "properties": properties});
    let responses = json!({"200": {"content": {"application/json": {"schema": schema}}}});
    let get = json!({"operationId": "get", "responses": responses});
    let document = json!({"openapi": "3.0.3", "paths": {"/x": {"get": get}}});
    Document::new("a.json", document).unwrap()
}

fn changed(count: usize) -> Outcome {
    let documented = document(count, "string");
    compare(Question::Change, &Pair { documented, served: document(count, "boolean") })
}

fn written(write: impl Fn(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn every_finding_is_listed_up_to_the_limit() {
    let outcome = changed(LISTED);
    assert_eq!((outcome.findings.len(), outcome.count()), (LISTED, LISTED));
    assert_eq!(outcome.unlisted, []);
    assert!(!report(&outcome).contains("more of"));
}

#[test]
fn what_is_not_listed_is_counted_in_every_format() {
    let outcome = changed(LISTED + 2);
    assert_eq!((outcome.findings.len(), outcome.count()), (LISTED, LISTED + 2));
    let sentence = "2 more of `response-type` are not listed";
    let text = report(&outcome);
    assert!(text.contains(&format!("\nnote: {sentence}\n")));
    assert!(text.contains("breaks 10002 promises of"));
    let json: Value = written(|out| write_json(out, &outcome)).parse().unwrap();
    let unlisted = json!([{"code": "response-type", "list": "findings", "count": 2}]);
    assert_eq!((&json["unlisted"], &json["conforms"]), (&unlisted, &json!(false)));
    let github = written(|out| write_github(out, &outcome));
    assert!(github.contains(&format!("::warning title=response-type::{sentence}\n")));
    let sarif: Value = written(|out| write_sarif(out, &outcome)).parse().unwrap();
    let said = sarif.pointer(&format!("/runs/0/results/{LISTED}/message/text"));
    assert_eq!(said, Some(&json!(sentence)));
}

#[test]
fn additions_have_a_limit_of_their_own() {
    let documented = document(1, "string");
    let served = document(LISTED + 4, "string");
    let outcome = compare(Question::Change, &Pair { documented, served });
    assert_eq!((outcome.additions.len(), outcome.count()), (LISTED, 0));
    let [unlisted] = &outcome.unlisted[..] else { panic!("{:?}", outcome.unlisted) };
    assert_eq!((unlisted.effect, unlisted.count), (Effect::Adds, 3));
}
