//! Requests of the vendor's clients that are not in the contract. The tests send them as these clients
//! do, and read the answers as they do.

use crate::support::Running;
use crate::support::database::Database;
use crate::support::http::Answer;
use serde_json::json;

const ADD: &str = "POST /v1/organizations/acme/members/bob";
const REQUESTS: [&str; 5] = [
    ADD,
    "GET /v1/auth/api-tokens/validate",
    "POST /v2/auth/api-tokens/laptop",
    "GET /v2/organizations",
    "GET /v1/current-user",
];

/// A database with the organization acme of the user alice, and the user bob.
fn database() -> Database {
    let database = Database::new();
    database.run("user add", &["--username", "bob", "--email", "bob@example.com"]);
    database
}

/// Sends a request with alice's token. The body is text, as `fetch` declares it.
fn ask(server: &Running, token: &str, request: &str, body: &str) -> Answer {
    let (length, end) = (body.len(), "Connection: close\r\n\r\n");
    server.send(
        format!(
            "{request} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {length}\r\n{end}{body}"
        )
        .as_bytes(),
    )
}

#[test]
fn requests_of_the_vendors_clients_are_answered_as_they_expect() {
    let database = database();
    let server = Running::start(&database, &[]);
    let ask = |request, body| ask(&server, &database.token, request, body);

    let body = r#"{"member":"bob","role":"admin"}"#;
    assert_eq!(ask(ADD, body).json(), json!({"member": "bob", "role": "admin"}));
    let other = ask(ADD, r#"{"member":"carol"}"#);
    assert_eq!((other.status, other.error().contains("carol")), (400, true));
    let undocumented = ask(ADD, r#"{"member":"bob","owner":true}"#);
    assert_eq!(undocumented.status, 400);

    assert_eq!(ask("GET /v1/auth/api-tokens/validate", "").json(), json!({"exp": -1}));
    let organizations = ask("GET /v2/organizations", "").json();
    assert_eq!(organizations["organizations"][0]["slug"], "acme");
    assert_eq!(ask("GET /v1/current-user", "").json()["user"]["username"], "alice");

    let minted = ask("POST /v2/auth/api-tokens/laptop", "").json();
    assert_eq!(minted["token"]["name"], "laptop");
    let secret = minted["token"]["value"].as_str().unwrap();
    assert_eq!(server.ask_as(secret, "GET", "/v1/auth/validate", "").status, 200);
    let again = ask("POST /v2/auth/api-tokens/laptop", "");
    assert_eq!(again.status, 409);
}

#[test]
fn requests_of_the_vendors_clients_need_a_credential() {
    let database = database();
    let server = Running::start(&database, &[]);
    for request in REQUESTS {
        let body = if request == ADD { r#"{"member":"bob"}"# } else { "" };
        assert_eq!(ask(&server, "unknown", request, body).status, 401, "{request}");
    }
}

#[test]
fn with_no_compat_requests_of_the_vendors_clients_are_refused() {
    let database = database();
    let server = Running::start(&database, &["--no-compat"]);
    for (request, status) in REQUESTS.into_iter().zip([405, 405, 404, 404, 404]) {
        assert_eq!(ask(&server, &database.token, request, "").status, status, "{request}");
    }
}

#[test]
fn the_allowed_methods_are_those_of_the_contract() {
    let database = database();
    let server = Running::start(&database, &[]);
    for (path, allowed) in [
        ("/v1/organizations/acme/members/bob", "DELETE, GET, HEAD, PATCH"),
        ("/v1/auth/api-tokens/validate", "DELETE, POST"),
    ] {
        let answer = server.ask_as(&database.token, "PUT", path, "");
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allowed)), "{path}");
    }
}
