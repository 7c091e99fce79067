//! How YAML and JSON are read: what a scalar means, what aliases may do, and where a pointer leads.

use openapi_drift::{Document, Pair, Question, compare};
use serde_json::{Value, json};

/// Reads a document with one more member.
fn read(member: &str) -> Result<Value, String> {
    let text = format!("openapi: 3.1.0\npaths: {{}}\nx: {member}\n");
    let document = Document::parse("a", &text).map_err(|error| error.to_string())?;
    Ok(document.value()["x"].clone())
}

#[test]
fn a_scalar_means_what_the_core_schema_of_yaml_says() {
    for text in ["", "~", "null", "Null", "NULL"] {
        assert_eq!(read(text), Ok(json!(null)), "{text}");
    }
    for (texts, value) in [(["true", "True", "TRUE"], true), (["false", "False", "FALSE"], false)] {
        assert_eq!(texts.map(read), [(); 3].map(|()| Ok(json!(value))));
    }
    for (text, value) in [
        ("0x1F", json!(31)),
        ("0o17", json!(15)),
        ("+5", json!(5)),
        ("-5", json!(-5)),
        ("18446744073709551615", json!(u64::MAX)),
        ("1e3", json!(1000.0)),
        (".5", json!(0.5)),
        ("-5.E-1", json!(-0.5)),
    ] {
        assert_eq!(read(text), Ok(value), "{text}");
    }
    for text in [
        "nUll", "yes", "+-5", "0xZ", "0o8", "1_000", ".", "+", "e5", "1.2.3", "12e", "1-2", "5a",
        "inf", "nan", "infinity",
    ] {
        assert_eq!(read(text), Ok(json!(text)));
    }
    for text in ["'5'", "\"5\"", "!!str 5"] {
        assert_eq!(read(text), Ok(json!("5")), "{text}");
    }
    for text in [".inf", "-.INF", "+.Inf", ".NaN"] {
        assert!(read(text).unwrap_err().contains("which JSON cannot hold"), "{text}");
    }
}

#[test]
fn an_alias_is_a_copy_that_is_neither_a_key_nor_endless() {
    assert_eq!(read("{a: &a [1, {b: 2}], c: *a}").unwrap()["c"], json!([1, {"b": 2}]));
    let deep = format!(
        "{{a: &a {}1{}, b: {}*a{}}}",
        "[".repeat(60),
        "]".repeat(60),
        "[".repeat(60),
        "]".repeat(60)
    );
    for (text, why) in [
        ("{a: &a b, *a : c}", "an alias as a key"),
        ("{? [a] : b}", "a key that is not a name"),
        ("&a [*a]", "an alias of itself"),
        (&deep, "nested more than 100 deep"),
    ] {
        assert!(read(text).unwrap_err().contains(why), "{text}: {:?}", read(text));
    }
}

#[test]
fn a_pointer_begins_with_a_slash_and_an_index_has_no_zero_before_it() {
    for (reference, is_there) in
        [("#/y/1", true), ("#/y/01", false), ("#y", false), ("#/y/2", false)]
    {
        let text =
            format!("{{openapi: 3.0.3, paths: {{}}, y: [1, {{}}], a: {{$ref: '{reference}'}}}}");
        assert_eq!(Document::parse("a", &text).is_ok(), is_there, "{reference}");
    }
}

#[test]
fn a_mark_at_the_beginning_is_ignored_and_an_escaped_pair_has_no_lines() {
    let text = |kind: &str, prose: &str| {
        let schema = format!(r#"{{"properties": {{"a~b": {{"type": "{kind}"}}}}}}"#);
        let body = format!(r#"{{"content": {{"a/b": {{"schema": {schema}}}}}}}"#);
        format!(
            "\u{feff}{{\"openapi\": \"3.0.3\", \"x-note\": \"{prose}\", \"paths\": {{\"/a\": {{\"get\": {{\
             \"responses\": {{\"200\": {body}}}}}}}}}}}"
        )
    };
    let documented = Document::parse("a", &text("string", "")).unwrap();
    let served = Document::parse("b", &text("integer", r"\ud83d\udc4d")).unwrap();
    let findings = compare(Question::Server, &Pair { documented, served }).findings;
    let pointer = "/paths/~1a/get/responses/200/content/a~1b/schema/properties/a~0b";
    assert_eq!([&*findings[0].documented.used_at, &*findings[0].served.used_at], [pointer; 2]);
    assert!(findings[0].documented.position.is_some());
    assert_eq!(findings[0].served.position, None);
}
