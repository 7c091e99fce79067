//! The document itself: it keeps all of the user's own document, and every operation
//! states its security and errors. No server runs.

use crate::support::contract;
use http::{HeaderMap, StatusCode};
use orgtokens_client::{Client, ResponseValue, types};
use orgtokens_server::name::{Name, Slug};
use serde_json::{Value, json};

#[test]
fn everything_that_the_user_documented_stands_unchanged() {
    let text = include_str!("../documented/list-organization-api-tokens.yaml");
    let documented: Value = serde_saphyr::from_str(text).unwrap();
    let mut lost = Vec::new();
    compare(&documented, &contract().document, "", &mut lost);
    assert!(
        lost.is_empty(),
        "openapi.yaml alters or drops what was documented:\n{}",
        lost.join("\n")
    );
}

/// Collects differences. Objects may have further members; all else must be equal.
fn compare(documented: &Value, ours: &Value, at: &str, lost: &mut Vec<String>) {
    match (documented, ours) {
        (Value::Object(documented), Value::Object(ours)) => {
            for (key, value) in documented {
                let at = format!("{at}/{key}");
                match ours.get(key) {
                    Some(ours) => compare(value, ours, &at, lost),
                    None => lost.push(format!("{at} is gone")),
                }
            }
        }
        (documented, ours) if documented == ours => {}
        (documented, ours) => lost.push(format!("{at} was {documented}, is {ours}")),
    }
}

#[test]
fn a_changed_or_dropped_line_of_the_user_is_detected() {
    let documented: Value = serde_json::json!({"a": {"b": [1, 2], "c": "d"}});
    for changed in [
        serde_json::json!({"a": {"b": [1], "c": "d"}}),
        serde_json::json!({"a": {"b": [1, 2], "c": "e"}}),
        serde_json::json!({"a": {"b": [1, 2]}}),
        serde_json::json!({"a": 1}),
    ] {
        let mut lost = Vec::new();
        compare(&documented, &changed, "", &mut lost);
        assert_eq!(lost.len(), 1, "{changed}");
    }
    let mut lost = Vec::new();
    compare(&documented, &serde_json::json!({"a": {"b": [1, 2], "c": "d", "e": 1}}), "", &mut lost);
    assert!(lost.is_empty(), "adding is fine");
}

#[test]
fn every_operation_has_one_tag_and_every_tag_a_description_and_operations() {
    let document = &contract().document;
    let described = |tag: &Value| (tag["name"].clone(), tag["description"].is_string());
    let tags: Vec<_> = document["tags"].as_array().unwrap().iter().map(described).collect();
    let paths = document["paths"].as_object().unwrap().values();
    let operations: Vec<_> = paths.flat_map(|path| path.as_object().unwrap().values()).collect();
    for operation in &operations {
        let [tag] = operation["tags"].as_array().unwrap().as_slice() else { panic!("{operation}") };
        assert!(tags.contains(&(tag.clone(), true)), "{tag}");
    }
    for (tag, _) in tags {
        assert!(operations.iter().any(|operation| operation["tags"][0] == tag), "{tag}");
    }
}

#[test]
fn the_server_accepts_exactly_the_names_that_the_document_allows() {
    let starts = ["", ".", "..", "...", "a", ".a", "..a", "-", "a.", "_.."];
    let longs = [61, 62, 63, 64].map(|length| "x".repeat(length));
    let ends = ["", ".", "..", "x", "/", " ", "\n", "\0", "ä"].into_iter();
    for end in ends.chain(longs.iter().map(String::as_str)) {
        for start in starts {
            let text = format!("{start}{end}");
            let documented = text.parse::<types::Name>().is_ok();
            assert_eq!(documented, text.parse::<Name>().is_ok(), "{text:?}");
            assert_eq!(documented, text.parse::<Slug>().is_ok(), "{text:?}");
        }
    }
}

#[test]
fn no_generated_type_shows_a_secret_in_debug_output() {
    let builder = types::MintedToken::builder().id("id").name("bot").token("orgt_secret");
    let minted = types::MintedToken::try_from(builder.clone()).unwrap();
    let response = ResponseValue::new(minted.clone(), StatusCode::OK, HeaderMap::new());
    for text in [format!("{builder:?}"), format!("{minted:?}"), format!("{response:?}")] {
        assert!(text.contains("MintedToken") && !text.contains("orgt_secret"), "{text}");
    }
    assert_eq!(minted.token, "orgt_secret", "the caller can read it");
    let client = Client::with_token("http://127.0.0.1:1", "orgt_other").unwrap();
    let body = types::LeakReport::builder().credentials(["orgt_secret".to_owned()]);
    let report = client.revoke_credentials().body(body);
    assert!(!format!("{report:?}").contains("orgt_secret"), "{report:?}");
}

#[test]
fn the_document_has_the_27_operations() {
    let mut ids: Vec<_> = contract().operations().iter().map(|operation| operation.id).collect();
    ids.sort_unstable();
    assert_eq!(
        ids,
        [
            "addOrganizationMember",
            "createAPIToken",
            "createGroup",
            "createOrganizationAPIToken",
            "deleteGroup",
            "getCurrentUser",
            "getGroup",
            "getOrganization",
            "getOrganizationAPIToken",
            "getOrganizationMember",
            "getTokenPolicy",
            "listAPITokens",
            "listGroups",
            "listOrganizationAPITokens",
            "listOrganizationAuditLogs",
            "listOrganizationMemberAPITokens",
            "listOrganizationMembers",
            "listOrganizations",
            "removeOrganizationMember",
            "revokeAPIToken",
            "revokeCredentials",
            "revokeOrganizationAPIToken",
            "revokeOrganizationAPITokens",
            "rotateOrganizationAPIToken",
            "updateMemberRole",
            "updateTokenPolicy",
            "validateAPIToken",
        ]
    );
}

#[test]
fn every_operation_names_the_bearer_scheme_one_success_and_the_one_error_schema() {
    let contract = contract();
    assert_eq!(contract.document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    for operation in contract.operations() {
        // Who finds a credential where it should not be has none of their own.
        let is_open = operation.id == "revokeCredentials";
        let security = if is_open { json!([]) } else { json!([{"bearer": []}]) };
        assert_eq!(operation.value["security"], security, "{}", operation.id);
        let success = if is_open { "202" } else { "200" };
        let answers = operation.value["responses"].as_object().unwrap();
        let errors: Vec<_> = answers.iter().filter(|(status, _)| *status != success).collect();
        assert_eq!(errors.len() + 1, answers.len(), "{}", operation.id);
        for needed in ["401", "429", "500", "503"].iter().skip(usize::from(is_open)) {
            assert!(answers.contains_key(*needed), "{} documents no {needed}", operation.id);
        }
        for (status, answer) in errors {
            let answer = answer["$ref"].as_str().unwrap().trim_start_matches('#');
            let schema = contract
                .document
                .pointer(answer)
                .unwrap()
                .pointer("/content/application~1json/schema/$ref");
            assert_eq!(schema.unwrap(), "#/components/schemas/Error", "{} {status}", operation.id);
        }
    }
}

#[test]
fn every_response_schema_that_is_ours_lists_its_required_properties() {
    let schemas = contract().document["components"]["schemas"].as_object().unwrap();
    let optional = [
        "MintRequest",
        "RotateTokenRequest",
        "RevokeTokensRequest",
        "RevocationFilter",
        "Accepted",
    ];
    for (name, schema) in schemas.iter().filter(|(name, _)| !optional.contains(&name.as_str())) {
        let is_object = schema["type"] == "object";
        assert!(!is_object || schema["required"].is_array(), "{name} lists none");
    }
}
