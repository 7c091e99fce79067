//! One value on both sides: each rule of containment, and what is nearly the same and allowed. The
//! cases are data in `schema.txt`.

use openapi_drift::{Document, Finding, Pair, Question, compare};

/// What a case can refer to. Those after `C` contain themselves.
const COMPONENTS: &str = "
    A: {type: object, required: [x], properties: {kind: {type: string}, x: {type: string}}}
    B: {type: object, required: [x], properties: {kind: {type: string}, x: {type: string}}}
    C: {type: object, required: [x], properties: {kind: {type: string}, x: {type: integer}}}
    Tree: {type: array, minItems: 1, items: {$ref: '#/components/schemas/Tree'}}
    Either: {anyOf: [{type: string}, {$ref: '#/components/schemas/Either'}]}
    Short: {anyOf: [{type: string, maxLength: 9}, {$ref: '#/components/schemas/Short'}]}
    Loop: {allOf: [{$ref: '#/components/schemas/Loop'}]}
    Not: {not: {$ref: '#/components/schemas/Not'}}
    Nested: {prefixItems: [{$ref: '#/components/schemas/Nested'}]}
";

/// A document of one operation that sends this schema.
fn document(schema: &str) -> Document {
    let content = format!("{{application/json: {{schema: {schema}}}}}");
    let operation = format!("{{operationId: a, responses: {{'200': {{content: {content}}}}}}}");
    let paths = format!("paths: {{/a: {{get: {operation}}}}}");
    let text = format!("openapi: 3.0.3\n{paths}\ncomponents:\n  schemas:{COMPONENTS}");
    Document::parse("openapi.yaml", &text).unwrap()
}

/// Returns the codes of all findings, or `fits`, and their titles and places.
fn verdict(documented: &str, served: &str) -> (String, String) {
    let documents = Pair { documented: document(documented), served: document(served) };
    let findings = compare(Question::Server, &documents).findings;
    let said = findings.iter().map(|Finding { title, documented, served, .. }| {
        format!("{title} ({} and {})\n", documented.defined_at, served.defined_at)
    });
    let codes: Vec<_> = findings.iter().map(|finding| finding.code().to_string()).collect();
    let codes = if codes.is_empty() { "fits".to_owned() } else { codes.join(" ") };
    (codes, said.collect())
}

#[test]
fn every_pair_of_schemas_has_the_expected_verdict() {
    let lines = include_str!("schema.txt").lines();
    let mut mistakes = Vec::new();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut fields = line.split(" | ");
        let [expected, documented, served] = [(); 3].map(|()| fields.next().expect("three fields"));
        let (found, said) = verdict(documented, served);
        let agree = [documented, served].map(|schema| verdict(schema, schema).0 == "fits");
        let is_said = fields.next().is_none_or(|words| said.contains(words));
        if found != expected || agree != [true; 2] || !is_said {
            mistakes.push(format!("{found} {agree:?}: {line}\n{said}"));
        }
    }
    assert!(mistakes.is_empty(), "{} wrong:\n\n{}", mistakes.len(), mistakes.join("\n"));
}
