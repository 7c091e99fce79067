//! The text of a finding, word for word: it is read by people who did not write the checker.

use serde_json::json;

use crate::pair::{CONTRACT, GENERATED};
use xtask::diff::{Document, Pair, Style, compare, human};

/// Everything that is printed about the contract and a server that declares null.
fn nullable(style: Style) -> String {
    let documented = Document::parse("contract.yaml", CONTRACT).unwrap();
    let mut served: serde_json::Value = serde_json::from_str(GENERATED).unwrap();
    served["components"]["schemas"]["Author"]["properties"]["born"]["nullable"] = json!(true);
    let served = Document::new("the server", served).unwrap();
    let outcome = compare(&Pair { documented, served });
    let mut out = Vec::new();
    let names = Pair { documented: "contract.yaml", served: "the server" };
    human(&mut out, &outcome, names, style).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_finding_reads_like_a_compilers() {
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
    assert_eq!(nullable(Style { colour: false }), expected);
}

#[test]
fn one_cause_is_one_finding_with_all_its_places() {
    let documented = Document::parse("contract.yaml", CONTRACT).unwrap();
    let mut served: serde_json::Value = serde_json::from_str(GENERATED).unwrap();
    served["components"]["schemas"]["Error"]["properties"]["code"] = json!({"type": "string"});
    let served = Document::new("the server", served).unwrap();
    let findings = compare(&Pair { documented, served }).findings;
    assert_eq!(findings.len(), 1);
    assert_eq!(
        findings[0].places,
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
fn colour_changes_no_word() {
    let coloured = nullable(Style { colour: true });
    let mut plain = coloured.clone();
    for code in ["\x1b[1;31m", "\x1b[1;34m", "\x1b[1m", "\x1b[0m"] {
        assert!(coloured.contains(code));
        plain = plain.replace(code, "");
    }
    assert_eq!(plain, nullable(Style { colour: false }));
}
