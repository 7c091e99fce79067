//! Two versions of one contract: every broken promise is found and named, additions are listed, and
//! nothing else is reported. The cases are data in `change.txt`.

use openapi_drift::{Code, Document, Effect, Outcome, Pair, Question, compare};
use serde_json::{Value, json};

use crate::case::{self, Case};
use crate::pair::{pair, report};

/// Compares an earlier version of a contract with a later one.
fn changed(versions: Pair<Value>) -> Outcome {
    let documented = Document::new("v1:openapi.yaml", versions.documented).unwrap();
    let served = Document::new("openapi.yaml", versions.served).unwrap();
    compare(Question::Change, &Pair { documented, served })
}

fn unchanged() -> Pair<Value> {
    let contract = pair().documented;
    Pair { documented: contract.clone(), served: contract }
}

/// Returns what is wrong with the result of a case, if anything is.
fn mistake(case: &Case) -> Option<String> {
    let outcome = changed(case.applied(unchanged()));
    let (breaks, adds) = (!outcome.findings.is_empty(), !outcome.additions.is_empty());
    let text = format!("{}\n{}", codes(&outcome).join(" "), report(&outcome));
    let expected = (case.verdict == "breaks", case.verdict == "adds");
    if (breaks, adds && !breaks) != expected {
        return Some(format!("wrong verdict: {}\n{text}", case.line));
    }
    let unnamed: Vec<_> = case.names.iter().filter(|name| !text.contains(*name)).collect();
    (!unnamed.is_empty()).then(|| format!("does not name {unnamed:?}: {}\n{text}", case.line))
}

fn codes(outcome: &Outcome) -> Vec<String> {
    let all = outcome.findings.iter().chain(&outcome.additions);
    all.map(|finding| finding.code().to_string()).collect()
}

#[test]
fn a_contract_keeps_its_own_promises() {
    let outcome = changed(unchanged());
    assert!(codes(&outcome).is_empty(), "{}", report(&outcome));
    let sentence = "openapi.yaml keeps every promise of v1:openapi.yaml: 7 operations compared\n";
    assert_eq!(report(&outcome), sentence);
}

#[test]
fn every_change_has_the_expected_verdict() {
    let mistakes: Vec<_> = case::changes().iter().filter_map(mistake).collect();
    assert!(mistakes.is_empty(), "{} wrong:\n\n{}", mistakes.len(), mistakes.join("\n"));
}

#[test]
fn every_code_has_a_change_that_breaks_or_adds() {
    let cases = case::changes();
    let found: Vec<_> =
        cases.iter().flat_map(|case| codes(&changed(case.applied(unchanged())))).collect();
    // Each rule is a rule of changes too, under the name that it has there.
    let all = Code::all().map(|code| Code { question: Question::Change, ..code }.to_string());
    let missing: Vec<_> = all.filter(|code| !found.contains(code)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let compatible = cases.iter().filter(|case| case.verdict != "breaks").count();
    assert!(compatible * 3 >= cases.len(), "{compatible} of {}", cases.len());
}

/// A document with one operation, and these security schemes.
fn secured(schemes: &Value) -> Value {
    let operation = json!({"operationId": "a", "security": [{"login": ["read"]}]});
    json!({
        "openapi": "3.0.3",
        "paths": {"/a": {"get": operation}},
        "components": {"securitySchemes": schemes},
    })
}

#[test]
fn a_security_scheme_is_what_it_does_and_not_its_name() {
    let login = |scheme: &str, prose: &str| {
        secured(&json!({"login": {"type": "http", "scheme": scheme, "description": prose}}))
    };
    let outcome = |one, two| codes(&changed(Pair { documented: one, served: two }));
    assert!(outcome(login("bearer", "one"), login("bearer", "two")).is_empty());
    assert_eq!(outcome(login("bearer", ""), login("basic", "")), ["security"]);
    let flow = |url: &str, scopes| {
        let flow = json!({"clientCredentials": {"tokenUrl": url, "scopes": scopes}});
        secured(&json!({"login": {"type": "oauth2", "flows": flow}}))
    };
    let scopes = json!({"read": "", "write": ""});
    assert!(
        outcome(flow("/token", json!({"read": ""})), flow("/token", scopes.clone())).is_empty()
    );
    assert_eq!(outcome(flow("/token", scopes.clone()), flow("/login", scopes)), ["security"]);
}

#[test]
fn a_property_that_breaks_a_request_is_not_merged_with_one_that_a_response_adds() {
    let body = |properties: Value, required: Value| {
        let schema = json!({"type": "object", "properties": properties, "required": required});
        let body = json!({"content": {"application/json": {"schema": schema}}});
        let operation =
            json!({"operationId": "a", "requestBody": body, "responses": {"200": body}});
        json!({"openapi": "3.0.3", "paths": {"/a": {"put": operation}}})
    };
    let documented = body(json!({"a": {}}), json!([]));
    let served = body(json!({"a": {}, "b": {}}), json!(["b"]));
    let outcome = changed(Pair { documented, served });
    let places = |effect| {
        let all = outcome.findings.iter().chain(&outcome.additions);
        let all = all.filter(move |finding| finding.effect == effect);
        all.flat_map(|finding| finding.places.clone()).collect::<Vec<_>>()
    };
    assert_eq!(places(Effect::Breaks), ["a request `.b`"]);
    assert_eq!(places(Effect::Adds), ["a 200 `.b`"]);
}

#[test]
fn a_branch_of_a_union_that_only_adds_is_compared_with_its_own_counterpart() {
    let branch = |kind: &str, more: Value| {
        let mut properties = json!({"kind": {"type": "string", "enum": [kind]}});
        properties.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"type": "object", "required": ["kind"], "properties": properties})
    };
    let document = |more| {
        let schema = json!({"oneOf": [branch("b", json!({})), branch("a", more)]});
        let content = json!({"content": {"application/json": {"schema": schema}}});
        let operation = json!({"operationId": "x", "responses": {"200": content}});
        json!({"openapi": "3.0.3", "paths": {"/x": {"get": operation}}})
    };
    let documented = document(json!({}));
    let served = document(json!({"one": {}, "two": {}, "three": {}}));
    let outcome = changed(Pair { documented, served });
    assert!(outcome.findings.is_empty(), "{}", report(&outcome));
    assert_eq!(outcome.additions.len(), 3);
}

#[test]
fn a_finding_shows_the_later_version_first() {
    let mut versions = unchanged();
    versions.served["components"]["schemas"]["Book"]["properties"]["subtitle"]["nullable"] =
        json!(true);
    versions.served["components"]["schemas"]["Book"]["properties"]["weight"] = json!({});
    let expected = "error[response-null]: `subtitle` may now be null, and was string
  --> openapi.yaml #/components/schemas/Book/properties/subtitle
  ::: v1:openapi.yaml #/components/schemas/Book/properties/subtitle
   | before: string
   | now:    string or null
   = in: listBooks 200 `.books[].subtitle`, addBook 201 `.book.subtitle`, getBook 200 `.subtitle`, \
updateBook 200 `.subtitle`
   = why: a client that reads the documented type fails on null
   = help: accept all that was allowed and send no more than was promised, or announce the break

added: `weight` is new (in listBooks 200 `.books[].weight`, addBook 201 `.book.weight`, getBook 200 \
`.weight`, updateBook 200 `.weight`)
error: openapi.yaml breaks 1 promise of v1:openapi.yaml
";
    assert_eq!(report(&changed(versions)), expected);
}
