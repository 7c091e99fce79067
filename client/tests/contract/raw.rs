//! What a typed client hides: status codes, error bodies, headers, hostile input, and
//! bodies that no client should send. Who may do what is not tested here.

use crate::support::{Answer, Binding, World, contract};
use http::{Method, StatusCode};
use orgtokens_server::caller::Role;
use orgtokens_server::scope::RequestedScope;
use serde_json::json;

const JSON: (&str, &str) = ("content-type", "application/json");

fn is_challenged(answer: &Answer, challenge: &str) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.header("www-authenticate"), challenge);
}

#[tokio::test]
async fn missing_and_invalid_credentials_are_challenged_as_rfc_6750_says() {
    let world = World::new().await;
    is_challenged(&world.anonymous().get("/v1/user").await, "Bearer");
    let gone = world.user(Role::Member);
    gone.send(Method::DELETE, "/v1/auth/api-tokens/laptop", None).await;
    let unknown = orgtokens_server::token::PlainToken::generate().unwrap().reveal().to_owned();
    let mut bodies = Vec::new();
    for token in [gone.token.clone().unwrap(), unknown, "malformed".to_owned()] {
        let answer = world.with_token("dead".to_owned(), Some(token)).get("/v1/user").await;
        is_challenged(&answer, r#"Bearer error="invalid_token""#);
        bodies.push(answer.text);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}

#[tokio::test]
async fn a_missing_credential_is_answered_before_anything_is_parsed() {
    let world = World::new().await;
    let anonymous = world.anonymous();
    for (method, path, body) in [
        (Method::POST, "/v1/auth/api-tokens/new", "not json"),
        (Method::POST, "/v1/auth/api-tokens/a%20b", "{}"),
        (Method::GET, "/v1/organizations/a%20b", ""),
        (Method::GET, "/v1/organizations/acme/audit-logs?page=x", ""),
        (Method::DELETE, "/v1/organizations/acme/api-tokens/x", ""),
    ] {
        let answer = anonymous.send_text(method, path, &[], body).await;
        is_challenged(&answer, "Bearer");
    }
}

#[tokio::test]
async fn a_second_authorization_header_is_refused() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    let second = [("authorization", "Bearer other")];
    let answer = owner.send_text(Method::GET, "/v1/user", &second, "").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn every_answer_is_json_and_must_not_be_stored() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    for answer in [
        owner.get("/v1/user").await,
        world.anonymous().get("/v1/user").await,
        owner.get("/no").await,
    ] {
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(!answer.header("x-request-id").is_empty());
    }
}

#[tokio::test]
async fn an_absent_body_an_empty_one_and_an_empty_object_mint_an_unrestricted_token() {
    let world = World::new().await;
    let member = world.user(Role::Viewer);
    for (name, headers, body) in [
        ("absent", &[][..], ""),
        ("empty", &[JSON, ("content-length", "0")][..], ""),
        ("object", &[JSON][..], " {} "),
        ("charset", &[("content-type", "Application/JSON; charset=utf-8")][..], "{}"),
    ] {
        let path = format!("/v1/auth/api-tokens/{name}");
        let minted = member.send_text(Method::POST, &path, headers, body).await;
        assert_eq!(minted.status, StatusCode::OK, "{name}: {}", minted.text);
        assert_eq!(minted.json()["name"], name);
    }
}

#[tokio::test]
async fn malformed_bodies_are_refused_and_change_nothing() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    for body in [
        "[]",
        "null",
        "\"acme\"",
        "1",
        "{",
        "{}{}",
        "{} garbage",
        "{\"organization\": \"acme\",}",
        "{\"organization\": \"acme\", \"organization\": \"globex\"}",
        "[\"acme\"]",
        "\u{feff}{}",
        "{\"ORGANIZATION\": \"acme\"}",
        "{\"unknown\": 1}",
    ] {
        let answer = owner.send_text(Method::POST, "/v1/auth/api-tokens/new", &[JSON], body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}: {}", answer.text);
    }
    let invalid_utf8 = [b"{\"organization\": \"".as_slice(), b"\xff\"}"].concat();
    let answer =
        owner.send_text(Method::POST, "/v1/auth/api-tokens/new", &[JSON], invalid_utf8).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let deep = format!("{{\"organization\": {}1{}}}", "[".repeat(5_000), "]".repeat(5_000));
    let answer = owner.send_text(Method::POST, "/v1/auth/api-tokens/new", &[JSON], deep).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let list = owner.get("/v1/auth/api-tokens").await.json();
    assert_eq!(list["tokens"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn operations_that_need_a_body_say_so() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    for (path, body, says) in [
        ("/v1/organizations/acme/groups", "", "no body"),
        ("/v1/organizations/acme/groups", "{}", "name"),
        ("/v1/organizations/acme/groups", r#"{"name": "g"}"#, "location"),
        ("/v1/organizations/acme/groups", r#"{"name": "a b", "location": "lhr"}"#, "a b"),
        ("/v1/organizations/acme/members", r#"{"role": "member"}"#, "username"),
        ("/v1/organizations/acme/members", r#"{"username": "founder", "role": null}"#, "role"),
        ("/v1/organizations/acme/members", r#"{"username": "founder", "admin": true}"#, "admin"),
    ] {
        let answer = owner.send_text(Method::POST, path, &[JSON], body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(answer.error().contains(says), "{body}: {}", answer.error());
    }
}

#[tokio::test]
async fn a_body_of_another_media_type_is_415_and_one_over_64_kib_413() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "\"\""] {
        let headers = [("content-type", kind)];
        let answer = owner.send_text(Method::POST, "/v1/auth/api-tokens/new", &headers, "{}").await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    let fits = format!("{{}}{}", " ".repeat(64 * 1024 - 2));
    let answer =
        owner.send_text(Method::POST, "/v1/auth/api-tokens/fits", &[JSON], fits.clone()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer =
        owner.send_text(Method::POST, "/v1/auth/api-tokens/new", &[JSON], fits + " ").await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn malformed_path_segments_and_parameters_are_400_and_the_message_names_them() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    let long = "x".repeat(65);
    for (method, path, says) in [
        (Method::GET, "/v1/organizations/acme/groups/%F0%9F%98%80".to_owned(), "name"),
        (Method::GET, "/v1/organizations/acme/members/a%0Ab".to_owned(), "a\\nb"),
        (Method::POST, format!("/v1/auth/api-tokens/{long}"), "1 to 64"),
        (Method::POST, "/v1/auth/api-tokens/a%20b".to_owned(), "a b"),
        (Method::DELETE, "/v1/auth/api-tokens/a%3Bb".to_owned(), "a;b"),
        (Method::DELETE, "/v1/organizations/acme/api-tokens/short".to_owned(), "22 characters"),
        (
            Method::DELETE,
            "/v1/organizations/acme/api-tokens/clGFZ4STEe6fljpFzIum8B".to_owned(),
            "22",
        ),
        (Method::GET, "/v1/organizations/acme/audit-logs?page=0".to_owned(), "page"),
        (Method::GET, "/v1/organizations/acme/audit-logs?page=-1".to_owned(), "-1"),
        (Method::GET, "/v1/organizations/acme/audit-logs?page=1.5".to_owned(), "1.5"),
        (Method::GET, "/v1/organizations/acme/audit-logs?page=%2B1".to_owned(), "+1"),
        (Method::GET, "/v1/organizations/acme/audit-logs?page_size=0".to_owned(), "page_size"),
        (Method::GET, "/v1/organizations/acme/audit-logs?page_size=1001".to_owned(), "1000"),
        (Method::GET, "/v1/organizations/acme/audit-logs?page=1&page=2".to_owned(), "page"),
    ] {
        let answer = owner.send(method.clone(), &path, None).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{method} {path}: {}", answer.text);
        assert!(answer.error().contains(says), "{method} {path}: {}", answer.error());
    }
}

#[tokio::test]
async fn a_slug_that_cannot_exist_is_answered_like_an_organization_out_of_reach() {
    let world = World::new().await;
    let actors = [
        world.user(Role::Owner),
        world.actor(Role::Owner, Binding::Organization("acme")),
        world.actor(Role::Owner, Binding::Group(&[RequestedScope::ReadOnly])),
        world.anonymous(),
    ];
    let long = "x".repeat(65);
    let mut operations = contract().operations();
    operations.retain(|operation| operation.path.contains("{organizationSlug}"));
    for operation in operations {
        let method = operation.method.clone();
        let path = operation.path.replace("{tokenId}", "clGFZ4STEe6fljpFzIum8A");
        let path = path.replace("{username}", "founder").replace("{groupName}", "default");
        let body = match (operation.id, &method) {
            ("createGroup", _) => Some(json!({"name": "new", "location": "lhr"})),
            ("createOrganizationAPIToken", _) => Some(json!({"name": "new"})),
            ("addOrganizationMember", _) => Some(json!({"username": "founder"})),
            ("revokeOrganizationAPITokens", _) => Some(json!({"filter": {"owner": "founder"}})),
            ("updateTokenPolicy", _) => Some(json!({"default_expiration": "never",
                "maximum_expiration": "never", "allow_unrestricted": true})),
            (_, &Method::PATCH) => Some(json!({"role": "viewer"})),
            _ => None,
        };
        for actor in &actors {
            let ask = async |slug: &str| {
                let path = path.replace("{organizationSlug}", slug);
                let answer = actor.send(method.clone(), &path, body.clone()).await;
                (answer.status, answer.header("www-authenticate").to_owned(), answer.text)
            };
            let unknown = ask("unknown").await;
            let is_known = actor.token.is_some();
            let expected = if is_known { StatusCode::NOT_FOUND } else { StatusCode::UNAUTHORIZED };
            assert_eq!(unknown.0, expected, "{} {path}", actor.username);
            for slug in ["a%20b", "a%2Fb", "%00", "%2e%2e", "%2e", "%F0%9F%98%80", &long] {
                assert_eq!(ask(slug).await, unknown, "{} {path} {slug}", actor.username);
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_path_is_404_and_an_unknown_method_405_with_what_is_allowed() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    for path in ["/", "/v1", "/v1/nothing", "/v2/user", "/v1/auth/api-tokens/a/b"] {
        assert_eq!(owner.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let answer = owner.send(Method::PUT, "/v1/auth/api-tokens/x", None).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("allow"), "DELETE, POST");
    let lower = Method::from_bytes(b"get").unwrap();
    let answer = owner.send(lower, "/v1/user", None).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("allow"), "GET, HEAD");
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let world = World::new().await;
    let owner = world.user(Role::Owner);
    let (get, head) =
        (owner.get("/v1/user").await, owner.send(Method::HEAD, "/v1/user", None).await);
    assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""));
    assert_eq!(head.header("content-length"), get.text.len().to_string());
}
