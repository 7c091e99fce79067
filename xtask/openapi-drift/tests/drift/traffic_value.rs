//! Values in traffic: each keyword of a schema, and how a parameter is read. The cases are data in
//! `traffic_value.txt` and `traffic_parameter.txt`.

use openapi_drift::{Document, Routes, check_traffic, read_traffic};
use serde_json::{Value, json};

/// Returns the codes of all findings, or `fits`, and what they say.
fn verdict(operation: &str, entry: &Value) -> (String, String) {
    let text = format!("{{openapi: 3.0.3, paths: {{'/a/{{v}}': {{put: {operation}}}}}}}");
    let contract = Document::parse("openapi.yaml", &text).unwrap();
    let exchanges = read_traffic("f", &entry.to_string()).unwrap();
    let findings = check_traffic(&Routes::new(&contract, None), &exchanges).findings;
    let codes: Vec<_> = findings.iter().map(|finding| finding.rule.to_string()).collect();
    let codes = if codes.is_empty() { "fits".to_owned() } else { codes.join(" ") };
    let said = findings.iter().map(|it| {
        format!("{}\n{}: {}\n{}\n", it.title, it.contract.says, it.sent, it.places.join(", "))
    });
    (codes.replace("traffic-", ""), said.collect())
}

/// Returns the cases that have another verdict.
fn mistakes(cases: &str, verdict: impl Fn(&str, &str) -> Vec<(String, String)>) -> Vec<String> {
    let mut mistakes = Vec::new();
    for line in cases.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut fields = line.split(" | ");
        let [expected, what, sent] = [(); 3].map(|()| fields.next().expect("three fields"));
        let words: Vec<_> = fields.flat_map(|words| words.split("; ")).collect();
        for (found, said) in verdict(what, sent) {
            if found != expected || words.iter().any(|word| !said.contains(word)) {
                mistakes.push(format!("{line}\n{found}: {said}"));
            }
        }
    }
    mistakes
}

#[test]
fn every_value_has_the_expected_verdict_in_both_directions() {
    let mistakes = mistakes(include_str!("traffic_value.txt"), |schema, value| {
        let headers = json!([{"name": "content-type", "value": "application/json"}]);
        let message = json!({"status": 200, "headers": headers, "content": {"text": value}});
        let body = format!("{{content: {{application/json: {{schema: {schema}}}}}}}");
        let of = |side: &str, operation: &str| {
            let mut entry = json!({
                "request": {"method": "PUT", "url": "/a/b", "headers": headers},
                "response": {"status": 200, "headers": []},
            });
            if side == "request" {
                entry["request"]["postData"] = message["content"].clone();
            } else {
                entry["response"] = message.clone();
            }
            let (codes, said) = verdict(operation, &entry);
            (codes.replace(&format!("{side}-"), ""), said)
        };
        vec![
            of("request", &format!("{{requestBody: {body}, responses: {{200: {{}}}}}}")),
            of("response", &format!("{{responses: {{200: {body}}}}}")),
        ]
    });
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn every_parameter_has_the_expected_verdict() {
    let mistakes = mistakes(include_str!("traffic_parameter.txt"), |parameter, sent| {
        let (url, headers) = match sent.chars().next() {
            Some('?') => (format!("/a/b{sent}"), json!([])),
            Some('/') => (format!("/a{sent}"), json!([])),
            _ => ("/a/b".to_owned(), json!([{"name": "X-A", "value": sent}])),
        };
        let entry = json!({
            "request": {"method": "PUT", "url": url, "headers": headers},
            "response": {"status": 200, "headers": []},
        });
        vec![verdict(&format!("{{parameters: [{parameter}], responses: {{200: {{}}}}}}"), &entry)]
    });
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}
