//! What holds of any text. The fuzz target runs it without end.

use openapi_drift::{Document, Pair, Question, compare};

const CONTRACT: &str = include_str!("contract.yaml");

/// A text is refused, or it is a document that agrees with itself and can be compared with any other.
pub fn text(text: &str) {
    let parse = |text| Document::parse("document", text);
    if parse(text).is_err() {
        return;
    }
    let pair = |documented, served| {
        let [documented, served] =
            [documented, served].map(|text| parse(text).expect("a document"));
        Pair { documented, served }
    };
    for question in [Question::Server, Question::Change] {
        let outcome = compare(question, &pair(text, text));
        assert!(outcome.findings.is_empty(), "{:?}", outcome.findings);
        compare(question, &pair(text, CONTRACT));
        compare(question, &pair(CONTRACT, text));
    }
}
