//! Properties of the parsers for any input. The fuzz targets in `server/fuzz/` check the same
//! properties. They need no server and no database.

mod holds;

use orgtokens_server::token::PlainToken;
use proptest::collection::vec;
use proptest::prelude::*;

/// Strings that are almost valid.
fn nearly(pattern: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        pattern,
        ("\\PC{0,4}", pattern, "\\PC{0,4}").prop_map(|(a, b, c)| a + &b + &c)
    ]
}

/// Bodies that are almost a mint request: known and unknown members with values of every type,
/// repeated, nested and cut off.
fn nearly_a_body() -> impl Strategy<Value = String> {
    let name = prop_oneof!["organization", "group", "scopes", "organisation", "[a-z]{0,5}"];
    let value = prop_oneof![
        Just("null".to_owned()),
        Just("[]".to_owned()),
        Just("[\"read\"]".to_owned()),
        Just("[\"full-access\",\"read\"]".to_owned()),
        Just("{}".to_owned()),
        "\"[A-Za-z._-]{0,70}\"",
        "[0-9]{1,5}",
    ];
    let member = (name, value).prop_map(|(name, value)| format!("\"{name}\":{value}"));
    (vec(member, 0..5), prop_oneof!["", " ", "x", "\\{\\}"], 0..200_usize).prop_map(
        |(members, after, cut)| {
            let text = format!("{{{}}}{after}", members.join(","));
            if cut < 20 { text.chars().take(cut).collect() } else { text }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_text_is_a_token_or_it_is_refused(text in nearly("orgt_[0-9A-Za-z]{28}")) {
        holds::token(&text);
    }

    #[test]
    fn a_token_with_any_one_character_changed_is_refused(place in 0..33_usize, digit in "[0-9A-Za-z]") {
        let token = PlainToken::generate().unwrap();
        holds::token(token.reveal());
        let mut changed = token.reveal().to_owned();
        changed.replace_range(place..=place, &digit);
        holds::token(&changed);
        prop_assert_eq!(changed.parse::<PlainToken>().is_ok(), changed == token.reveal());
    }

    #[test]
    fn a_path_segment_is_a_name_a_slug_or_an_id_or_it_is_refused(
        text in nearly("[A-Za-z0-9._-]{1,66}"),
        id in nearly("[A-Za-z0-9_-]{22}"),
    ) {
        holds::segment(&text);
        holds::segment(&id);
    }

    #[test]
    fn a_body_is_a_mint_request_or_it_is_refused(
        text in nearly_a_body(),
        bytes in vec(any::<u8>(), 0..100),
    ) {
        holds::mint_body(text.as_bytes());
        holds::mint_body(&bytes);
    }
}
