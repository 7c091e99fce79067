//! The properties: each function panics if its property does not hold. The fuzz targets include this
//! file, so it uses only the server's library and `serde_json`.

use orgtokens_server::http::parse_object;
use orgtokens_server::name::{Name, Slug};
use orgtokens_server::records::MintRequest;
use orgtokens_server::token::{MalformedToken, PREFIX, PlainToken, TokenId};
use serde_json::{Map, Value};

/// An accepted token is exactly the parsed text, and similar texts are rejected. Only `reveal`
/// shows the text.
pub fn token(text: &str) {
    let Ok(token) = text.parse::<PlainToken>() else { return };
    assert_eq!(token.reveal(), text);
    assert!(text.is_ascii() && text.starts_with(PREFIX));
    assert!(!format!("{token:?}").contains(text));
    assert_eq!(format!("{text}0").parse::<PlainToken>(), Err(MalformedToken::Length));
    let last = if text.ends_with('0') { "1" } else { "0" };
    let changed = format!("{}{last}", &text[..text.len() - 1]);
    assert_eq!(changed.parse::<PlainToken>(), Err(MalformedToken::Checksum));
}

/// An accepted name, slug or id is exactly the parsed text, and has no special meaning in a path.
pub fn segment(text: &str) {
    let is_safe = |text: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        text.chars().all(allowed) && !matches!(text, "" | "." | "..")
    };
    let name = text.parse::<Name>();
    assert_eq!(name.is_ok(), text.parse::<Slug>().is_ok());
    assert_eq!(name.is_ok(), is_safe(text) && text.len() <= 64);
    match name {
        Ok(name) => assert_eq!(name.to_string(), text),
        // An error quotes even a long, hostile text on one short line.
        Err(error) => assert!(error.len() < 2_000 && !error.contains(['\n', '\0'])),
    }
    if let Ok(id) = text.parse::<TokenId>() {
        assert_eq!(id.to_string(), text);
        assert!(text.len() == 22 && is_safe(text));
    }
}

/// An accepted mint request is one JSON object without unknown members. Every member is kept, so
/// that no restriction is lost.
pub fn mint_body(bytes: &[u8]) {
    let Ok(request) = parse_object::<MintRequest>(bytes) else { return };
    let members: Map<String, Value> = serde_json::from_slice(bytes).expect("one JSON object");
    let known = ["group", "organization", "scopes"];
    assert!(members.keys().all(|name| known.contains(&name.as_str())));
    assert!(members.values().all(|value| !value.is_null()));
    let text = |name| members.get(name).map(|value| value.as_str().expect("a text").to_owned());
    assert_eq!(request.organization.map(|slug| slug.to_string()), text("organization"));
    assert_eq!(request.group.map(|name| name.to_string()), text("group"));
    let scopes = members.get("scopes").map(|value| value.as_array().expect("a list").len());
    assert_eq!(request.scopes.map(|scopes| scopes.len()), scopes);
}
