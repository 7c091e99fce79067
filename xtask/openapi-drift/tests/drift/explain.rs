//! Every code has an explanation, and its example really is what the code is about.

use openapi_drift::{Code, Document, Outcome, Pair, Question, compare};
use serde_json::{Value, json};

use crate::case::{self, Case};
use crate::pair::{outcome, pair};

/// Returns the document around a fragment of an example.
fn document(name: &str, fragment: &str) -> Document {
    // The reader of documents reads the fragment too.
    let text = format!("{{openapi: 3.0.3, paths: {{}}, x-example: {fragment}}}");
    let value = Document::parse(name, &text).unwrap().value()["x-example"].clone();
    let operation = match value.as_object().unwrap().iter().next().unwrap() {
        (key, paths) if key == "paths" => {
            return Document::new(name, json!({"openapi": "3.0.3", "paths": paths})).unwrap();
        }
        (key, operation) if key == "operation" => operation.clone(),
        (key, schema) if key == "parameter" => {
            json!({"parameters": [{"name": "q", "in": "query", "schema": schema}]})
        }
        (key, schema) if key == "request" => json!({"requestBody": body(schema)}),
        (key, schema) if key == "response" => json!({"responses": {"200": body(schema)}}),
        (key, _) => panic!("an example of `{key}`"),
    };
    Document::new(name, json!({"openapi": "3.0.3", "paths": {"/x": {"put": operation}}})).unwrap()
}

fn body(schema: &Value) -> Value {
    json!({"content": {"application/json": {"schema": schema}}})
}

fn codes(outcome: &Outcome) -> Vec<String> {
    outcome
        .findings
        .iter()
        .chain(&outcome.additions)
        .chain(&outcome.notes)
        .map(|finding| finding.code().to_string())
        .collect()
}

#[test]
fn the_example_of_every_code_has_this_one_difference() {
    for code in Code::all() {
        let Pair { documented, served } = code.example();
        assert!(!documented.is_empty() && !served.is_empty(), "{code} has no example");
        let documents = Pair {
            documented: document("contract", documented),
            served: document("server", served),
        };
        let outcome = compare(code.question, &documents);
        assert_eq!(codes(&outcome), [code.to_string()], "{documented}\n{served}");
    }
}

#[test]
fn every_code_is_found_by_its_name_and_has_words_of_its_own() {
    for code in Code::all() {
        assert_eq!(Code::find(&code.to_string()), Some(code));
        assert!([code.summary(), code.why(), code.help()].iter().all(|text| !text.is_empty()));
    }
    assert!(Code::find("security").is_some());
    assert_eq!(Code::find("no-such-code"), None);
    // Who sends the value decides who fails.
    for rule in ["required", "null", "type", "enum", "further-members"] {
        let [one, two] = ["request", "response"].map(|side| Code::find(&format!("{side}-{rule}")));
        let [one, two] = [one.unwrap(), two.unwrap()];
        assert!(one.why() != two.why() && (one.help() != two.help() || rule == "further-members"));
    }
}

#[test]
fn the_words_for_a_value_or_a_server_are_not_used_for_anything_else() {
    for code in Code::all() {
        let words = [code.summary(), code.why(), code.help()].join("; ");
        let of_a_value =
            ["what the document allows", "no more than is documented", "all that was allowed"];
        let is_of_value = of_a_value.iter().any(|part| words.contains(part));
        assert!(code.direction.is_some() || !is_of_value, "{code}: {words}");
        let words = [code.summary(), code.help()].join("; ");
        let of_a_server = ["server", "served", "declared", "not documented", "only the versions"];
        let is_of_server = of_a_server.iter().any(|part| words.contains(part));
        assert!(code.question == Question::Server || !is_of_server, "{code}: {words}");
    }
}

#[test]
fn every_code_is_in_the_corpus_and_no_other_is() {
    let all = Code::all().filter(|code| code.question == Question::Server);
    let all: Vec<_> = all.map(|code| code.to_string()).collect();
    let drifts = case::all().into_iter().filter(Case::is_drift);
    let found: Vec<_> =
        drifts.flat_map(|case| codes(&outcome(case.applied(pair())).unwrap())).collect();
    for code in &all {
        assert!(found.contains(code), "no case of the corpus has the code {code}");
    }
    let unknown: Vec<_> = found.iter().filter(|code| !all.contains(code)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
