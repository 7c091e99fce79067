//! Every operation answers the statuses that have nothing to do with what it does: bad requests, too
//! many of them, and a database that fails. What an operation itself refuses is tested elsewhere.

use crate::support::{Operation, World, contract};
use http::{Method, StatusCode};
use orgtokens_server::caller::Role;
use orgtokens_server::server::Settings;
use serde_json::json;
use std::num::NonZeroU32;

/// The operation that needs no credential.
const OPEN: &str = "revokeCredentials";

/// The most requests until a client is refused that sends more than one bad credential in a second.
const MAX_REQUESTS: usize = 100;

/// Returns the path of something that need not be there.
fn path(operation: &Operation<'_>) -> String {
    [
        ("{organizationSlug}", "acme"),
        ("{tokenId}", "clGFZ4STEe6fljpFzIum8A"),
        ("{tokenName}", "none"),
        ("{username}", "none"),
        ("{groupName}", "none"),
    ]
    .iter()
    .fold(operation.path.to_owned(), |path, (name, value)| path.replace(name, value))
}

#[tokio::test]
async fn every_operation_answers_400_to_two_credentials() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    for operation in contract().operations() {
        let second = [("authorization", "Bearer other")];
        let answer =
            owner.send_text(operation.method.clone(), &path(&operation), &second, "").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", operation.id);
    }
}

#[tokio::test]
async fn every_operation_with_a_body_answers_413_and_415() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    let large = " ".repeat(64 * 1024 + 1);
    let mut count = 0;
    for operation in contract().operations() {
        if operation.value["requestBody"].is_null() {
            continue;
        }
        for (media_type, body, status) in [
            ("application/json", large.as_str(), StatusCode::PAYLOAD_TOO_LARGE),
            ("application/xml", "<a/>", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ] {
            let headers = [("content-type", media_type)];
            let method = operation.method.clone();
            let answer =
                owner.send_text(method, &path(&operation), &headers, body.to_owned()).await;
            assert_eq!(answer.status, status, "{}", operation.id);
        }
        count += 1;
    }
    assert_eq!(count, 9);
}

#[tokio::test]
async fn every_operation_answers_429_to_too_many_bad_credentials() {
    let bad_credentials_per_second = NonZeroU32::MIN;
    let settings = Settings { bad_credentials_per_second, ..Settings::default() };
    let world = World::with(&settings).await;
    let stranger = world.with_token("stranger".to_owned(), Some("orgt_bad".to_owned()));
    for operation in contract().operations() {
        let mut statuses = Vec::new();
        while statuses.len() < MAX_REQUESTS && statuses.last() != Some(&429) {
            let method = operation.method.clone();
            statuses.push(stranger.send(method, &path(&operation), None).await.status.as_u16());
        }
        assert_eq!(statuses.last(), Some(&429), "{}", operation.id);
        // A leak report has no credential, and here no body.
        let other = if operation.id == OPEN { 400 } else { 401 };
        assert!(statuses.iter().all(|status| [other, 429].contains(status)), "{statuses:?}");
    }
}

#[tokio::test]
async fn every_operation_answers_500_and_no_detail_if_the_database_is_broken() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    assert_eq!(owner.send(Method::GET, "/v1/user", None).await.status, StatusCode::OK);
    world.break_database().await;
    for operation in contract().operations() {
        let body = (operation.id == OPEN).then(|| json!({"credentials": ["orgt_bad"]}));
        let answer = owner.send(operation.method.clone(), &path(&operation), body).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", operation.id);
        assert!(!answer.text.contains("table"), "{}", answer.text);
    }
}
