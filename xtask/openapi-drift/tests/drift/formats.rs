//! The formats for machines that others define: annotations of GitHub Actions, and SARIF.

use std::sync::Arc;

use openapi_drift::{Document, Outcome, Pair, Question, compare, write_github, write_sarif};
use serde_json::Value;

use crate::pair::{CONTRACT, GENERATED};

/// Returns the outcome of a contract with a larger maximum, in files with these names.
fn drifted(contract: &str, generated: &str) -> Outcome {
    let text = CONTRACT.replace("maximum: 100", "maximum: 200");
    let documented = Document::parse(contract, &text).unwrap();
    let served = Document::parse(generated, GENERATED).unwrap();
    compare(Question::Server, &Pair { documented, served })
}

fn sarif(outcome: &Outcome) -> Value {
    let mut out = Vec::new();
    write_sarif(&mut out, outcome).unwrap();
    let report = serde_json::from_slice(&out).unwrap();
    let schema = serde_json::from_str(include_str!("sarif.json")).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    report
}

#[test]
fn an_annotation_is_one_line_at_the_line_of_the_contract() {
    let mut out = Vec::new();
    write_github(&mut out, &drifted("api/a, b.yaml", "generated.json")).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    let start =
        "::error file=api/a%2C b.yaml,line=20,col=13,title=request-range::the document allows";
    assert!(text.starts_with(start), "{text}");
    assert!(text.contains("%0Ain: listBooks query `limit`%0Awhy: "), "{text}");
}

#[test]
fn a_result_of_sarif_has_its_rule_its_line_and_the_other_side() {
    let report = sarif(&drifted("api/a b.yaml", "/tmp/generated.json"));
    let run = &report["runs"][0];
    let result = &run["results"][0];
    assert_eq!(result["ruleId"], "request-range");
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(rules.iter().any(|rule| rule["id"] == result["ruleId"]));
    let place = |location: &Value| {
        let physical = &location["physicalLocation"];
        (physical["artifactLocation"]["uri"].clone(), physical["region"]["startLine"].clone())
    };
    assert_eq!(place(&result["locations"][0]), ("api/a%20b.yaml".into(), 20.into()));
    let related = place(&result["relatedLocations"][0]);
    assert_eq!(related, ("file:///tmp/generated.json".into(), 28.into()));
}

#[test]
fn a_server_without_a_file_has_no_place_in_sarif() {
    let mut outcome = drifted("openapi.yaml", "the server");
    Arc::make_mut(&mut outcome.findings[0].served).position = None;
    assert_eq!(sarif(&outcome)["runs"][0]["results"][0].get("relatedLocations"), None);
    outcome.findings.clear();
    assert_eq!(sarif(&outcome)["runs"][0]["results"], serde_json::json!([]));
}

#[test]
fn a_revision_is_no_part_of_a_path_in_sarif() {
    let earlier = Document::parse("v1.0.0:api/contract.yaml", CONTRACT).unwrap();
    let text = CONTRACT.replace("info:\n", "x-note: ''\ninfo:\n");
    let text = text.replace("maximum: 100", "maximum: 50");
    let later = Document::parse("api/contract.yaml", &text).unwrap();
    let outcome = compare(Question::Change, &Pair { documented: earlier, served: later });
    let result = &sarif(&outcome)["runs"][0]["results"][0];
    let [place, other] = ["locations", "relatedLocations"].map(|key| &result[key][0]);
    assert_eq!(place["physicalLocation"]["region"]["startLine"], 21);
    let expected = serde_json::json!({"artifactLocation": {"uri": "api/contract.yaml"}});
    assert_eq!(other["physicalLocation"], expected);
    let text = "integer (1 to 100) (line 20 in revision v1.0.0)";
    assert_eq!(other["message"]["text"], text);
}
