//! Two documents that agree, and the comparison of any two. Tests change copies of the documents.

use std::sync::LazyLock;

use openapi_drift::{Document, Outcome, Pair, ParseError, Question, Style, compare, write_text};
use serde_json::Value;

/// A contract, written by hand.
pub const CONTRACT: &str = include_str!("contract.yaml");
/// The same API, as dropshot emits it.
pub const GENERATED: &str = include_str!("generated.json");

static PAIR: LazyLock<Pair<Value>> = LazyLock::new(|| {
    let value = |text| Document::parse("document", text).unwrap().value().clone();
    Pair { documented: value(CONTRACT), served: value(GENERATED) }
});

/// Returns both documents as plain values.
pub fn pair() -> Pair<Value> {
    PAIR.clone()
}

/// Compares two values. The error is a sentence that says why they cannot be compared.
pub fn outcome(values: Pair<Value>) -> Result<Outcome, ParseError> {
    let documented = Document::new("contract.yaml", values.documented)?;
    let served = Document::new("the server", values.served)?;
    Ok(compare(Question::Server, &Pair { documented, served }))
}

/// Returns the text for people.
pub fn report(outcome: &Outcome) -> String {
    let mut out = Vec::new();
    write_text(&mut out, outcome, Style { colour: false, note: "a note" }).unwrap();
    String::from_utf8(out).unwrap()
}
