//! Malformed requests, each wrong in one way, and the answers of the front door. They are sent as raw
//! bytes, so that no HTTP client corrects them. Permissions are tested elsewhere.

use crate::support::Running;
use crate::support::database::Database;
use crate::support::http::{Answer, parse};
use std::fs::{self, File};
use std::io::{Read, Write};

/// Starts a server. Returns it with its database and a valid `Authorization` header.
fn world() -> (Running, Database, String) {
    let database = Database::new();
    let server = Running::start(&database, &[]);
    let header = format!("Authorization: Bearer {}", database.token);
    (server, database, header)
}

/// Sends this head and body. The credential replaces `{auth}` in the head.
fn raw(server: &Running, auth: &str, head: &str, body: &str) -> Answer {
    let head = head.replace("{auth}", auth).replace('\n', "\r\n");
    server.send(format!("{head}\r\n\r\n{body}").as_bytes())
}

#[test]
fn every_refusal_has_the_error_body_of_the_contract() {
    let (server, _database, auth) = world();
    let close = "Connection: close";
    for (status, head) in [
        (404, format!("GET /nowhere HTTP/1.1\nHost: a\n{close}")),
        (404, format!("GET /v1//user HTTP/1.1\nHost: a\n{close}")),
        (404, format!("OPTIONS * HTTP/1.1\nHost: a\n{close}")),
        (405, format!("get /v1/user HTTP/1.1\nHost: a\n{{auth}}\n{close}")),
        (405, format!("PURGE /v1/user HTTP/1.1\nHost: a\n{{auth}}\n{close}")),
        (405, format!("DELETE /v1/user HTTP/1.1\nHost: a\n{{auth}}\n{close}")),
        (400, format!("GET /v1/user HTTP/1.1\n{{auth}}\n{close}")),
        (400, format!("GET /v1/user HTTP/1.1\nHost: a\nHost: a\n{{auth}}\n{close}")),
        (400, format!("GET /v1/user HTTP/1.1\nHost: a b\n{{auth}}\n{close}")),
        (400, format!("GET /v1/user HTTP/1.1\nHost: a\n{{auth}}\n{{auth}}\n{close}")),
        (417, format!("GET /v1/user HTTP/1.1\nHost: a\n{{auth}}\nExpect: more\n{close}")),
        (431, format!("GET / HTTP/1.1\nHost: a\nX-A: {}\n{close}", "a".repeat(65_536))),
        (404, format!("GET /v1/organizations/a%2Fb HTTP/1.1\nHost: a\n{{auth}}\n{close}")),
        (404, format!("GET /v1/organizations/a%00 HTTP/1.1\nHost: a\n{{auth}}\n{close}")),
        (400, format!("DELETE /v1/auth/api-tokens/a%2Fb HTTP/1.1\nHost: a\n{{auth}}\n{close}")),
        (400, format!("DELETE /v1/auth/api-tokens/a%00 HTTP/1.1\nHost: a\n{{auth}}\n{close}")),
        (401, format!("GET /v1/user?token=a HTTP/1.1\nHost: a\n{close}")),
    ] {
        let answer = raw(&server, &auth, &head, "");
        assert_eq!(answer.status, status, "{head}");
        assert!(!answer.error().is_empty());
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{head}");
    }
}

#[test]
fn a_response_that_leaves_the_body_unread_says_that_the_connection_closes() {
    let (server, _database, auth) = world();
    let head = "POST /v1/auth/api-tokens/ci HTTP/1.1\nHost: a\nContent-Length: 2";
    let refused = raw(&server, &auth, head, "");
    assert_eq!((refused.status, refused.header("connection")), (401, Some("close")));
    for (status, request) in
        [(404, "POST /v1/nowhere"), (405, "PUT /v1/user"), (200, "GET /v1/user")]
    {
        let head = format!("{request} HTTP/1.1\nHost: a\n{{auth}}\nContent-Length: 2");
        let answer = raw(&server, &auth, &head, "");
        assert_eq!((answer.status, answer.header("connection")), (status, Some("close")));
    }
    // A body that was read leaves the connection open.
    let taken = [head, "\n{auth}\n\n{}", head, "\n{auth}\nConnection: close"].concat();
    let answers = raw(&server, &auth, &taken, "{}");
    assert_eq!((answers.status, answers.header("connection")), (200, None));
}

#[test]
fn a_wrong_method_receives_405_with_the_allowed_methods() {
    let (server, _database, _) = world();
    let answer = server.ask("PATCH", "/v1/auth/api-tokens/a", &[], "");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("DELETE, POST")));
    let answer = server.ask("POST", "/v1/user", &[], "");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn equivalent_forms_of_a_request_are_accepted() {
    let (server, _database, auth) = world();
    for head in [
        "GET http://localhost/v1/user HTTP/1.1\nHost: localhost\n{auth}\nConnection: close",
        "GET /v1/user HTTP/1.0\n{auth}",
        "GET /v1/user?anything HTTP/1.1\nHost: localhost\n{auth}\nConnection: close",
    ] {
        let answer = raw(&server, &auth, head, "");
        assert_eq!(answer.json()["user"]["username"], "alice", "{head}");
    }
}

#[test]
fn head_is_get_without_the_body() {
    let (server, database, _) = world();
    let get = server.ask_as(&database.token, "GET", "/v1/user", "");
    let head = server.ask_as(&database.token, "HEAD", "/v1/user", "");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), get.header("content-length"));
}

#[test]
fn the_credential_is_checked_before_anything_is_parsed() {
    let (server, _database, _) = world();
    let bare = server.ask("POST", "/v1/auth/api-tokens/a", &[], "");
    assert_eq!((bare.status, bare.header("www-authenticate")), (401, Some("Bearer")));
    for (path, headers, body) in [
        ("/v1/auth/api-tokens/%2F", &[][..], ""),
        ("/v1/auth/api-tokens/a", &[], "{} garbage"),
        ("/v1/auth/api-tokens/a", &["Content-Encoding: gzip"], "[]"),
        ("/v1/auth/api-tokens/a", &["Expect: 100-continue"], "{"),
    ] {
        let answer = server.ask("POST", path, headers, body);
        assert_eq!((answer.status, answer.body), (401, bare.body.clone()), "{path} {body}");
    }
}

#[test]
fn unknown_malformed_and_revoked_tokens_receive_the_same_answer() {
    let (server, database, _) = world();
    let mint = server.ask_as(&database.token, "POST", "/v1/auth/api-tokens/short", "");
    let revoked = mint.json()["token"].as_str().unwrap().to_owned();
    server.ask_as(&database.token, "DELETE", "/v1/auth/api-tokens/short", "");
    let other = Database::new();
    let answers = [&revoked, &other.token, "orgt_", "x"].map(|token| {
        let answer = server.ask_as(token, "GET", "/v1/user", "");
        let challenge = answer.header("www-authenticate").map(ToOwned::to_owned);
        (answer.status, challenge, answer.body)
    });
    assert_eq!(answers[0].1.as_deref(), Some(r#"Bearer error="invalid_token""#));
    assert!(answers.iter().all(|one| *one == answers[0]), "{answers:?}");
}

#[test]
fn a_body_is_exactly_one_object_with_known_members() {
    let (server, database, _) = world();
    for body in [
        "{} {}",
        "{}x",
        "[]",
        "[null,null,null]",
        "null",
        "\"a\"",
        "{\"a\":1}",
        "{\"organization\":\"acme\",\"organization\":\"acme\"}",
        "{\"organization\":null}",
        "{\"organization\":\"a\\u0000\"}",
        "{\"Organization\":\"acme\"}",
        "\u{feff}{}",
        "{",
        &"[".repeat(60_000),
        &format!("{{\"organization\":{}", "[".repeat(60_000)),
    ] {
        let answer = server.ask_as(&database.token, "POST", "/v1/auth/api-tokens/a", body);
        assert_eq!(answer.status, 400, "{body}");
        assert!(!answer.error().is_empty());
    }
    let tokens = server.ask_as(&database.token, "GET", "/v1/auth/api-tokens", "").json();
    assert_eq!(tokens["tokens"].as_array().map(Vec::len), Some(1), "none of them minted");
}

#[test]
fn the_content_type_of_a_body_is_json_or_absent() {
    let (server, _database, auth) = world();
    for (status, lines) in [
        (200, ""),
        (200, "Content-Type: Application/JSON; charset=\"UTF-8\"\n"),
        (415, "Content-Type: text/plain\n"),
        (415, "Content-Type: application/json; charset=latin1\n"),
        (415, "Content-Type: application/json\nContent-Encoding: gzip\n"),
        (400, "Content-Type: application/json\nContent-Type: text/plain\n"),
    ] {
        let name = format!("n{}", lines.len());
        let head = format!(
            "POST /v1/auth/api-tokens/{name} HTTP/1.1\nHost: a\n{{auth}}\n{lines}Content-Length: 2\nConnection: close"
        );
        assert_eq!(raw(&server, &auth, &head, "{}").status, status, "{lines}");
    }
}

#[test]
fn a_body_above_64_kib_is_refused_and_the_connection_closes() {
    let (server, _database, auth) = world();
    let post = "POST /v1/auth/api-tokens/a HTTP/1.1\nHost: a\n{auth}";
    let fits = format!("{}{{}}", " ".repeat(65_534));
    let head = format!("{post}\nConnection: close\nContent-Length: {}", fits.len());
    assert_eq!(raw(&server, &auth, &head, &fits).status, 200);
    // Announced and never sent: the server does not wait for it.
    let announced = raw(&server, &auth, &format!("{post}\nContent-Length: 9999999"), "");
    assert_eq!(announced.status, 413);
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(65_536));
    let chunked = format!("{post}\nTransfer-Encoding: chunked");
    assert_eq!(raw(&server, &auth, &chunked, &chunk.repeat(2)).status, 413);
}

#[test]
fn expect_100_continue_is_answered_if_the_credential_is_valid() {
    let (server, database, _) = world();
    let mut stream = server.connect();
    let head = format!(
        "POST /v1/auth/api-tokens/a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n",
        database.token
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut bytes = [0; 25];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{}").unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(parse(&rest).unwrap().status, 200);
}

#[test]
fn a_body_that_does_not_arrive_in_time_receives_408() {
    let (server, _database, auth) = world();
    let head = "POST /v1/auth/api-tokens/a HTTP/1.1\nHost: a\n{auth}\nContent-Length: 9";
    let answer = raw(&server, &auth, head, "{");
    assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
}

#[test]
fn the_access_log_has_one_line_per_request_and_no_secret() {
    let database = Database::new();
    let path = database.folder().join("log");
    let mut command = database.command("serve");
    command.args(["--listen", "127.0.0.1:0"]).stderr(File::create(&path).unwrap());
    let mut server = Running::spawn_logging(&mut command).unwrap();
    let body = r#"{"organization":"acme"}"#;
    let minted = server.ask_as(&database.token, "POST", "/v1/auth/api-tokens/a?q=hidden", body);
    server.ask("GET", "/nowhere?q=hidden", &[], "");
    server.signal(rustix::process::Signal::TERM);
    assert!(server.ended_within(crate::support::PATIENCE).is_some());
    let log = fs::read_to_string(path).unwrap();
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let requests: Vec<_> = lines.iter().filter(|line| line["msg"] == "request").collect();
    assert_eq!(requests.len(), 2, "{log}");
    assert_eq!(requests[0]["method"], "POST");
    assert_eq!(requests[0]["route"], "/v1/auth/api-tokens/{tokenName}");
    assert_eq!(requests[0]["status"], 200);
    assert_eq!(requests[0]["request_id"], minted.header("x-request-id").unwrap());
    assert!(requests[0]["latency_us"].is_u64() && requests[0]["token_id"] != "-");
    assert_eq!(requests[1]["status"], 404);
    for secret in [&database.token, "hidden", "acme", minted.json()["token"].as_str().unwrap()] {
        assert!(!log.contains(secret), "{log}");
    }
}
