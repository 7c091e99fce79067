//! When credentials stop to be accepted: while a list is read, after they expire, and while their
//! user is disabled.

use crate::support::Running;
use crate::support::database::Database;
use std::io::{Read, Write};

#[test]
fn a_list_ends_early_when_its_token_is_revoked_meanwhile() {
    let database = Database::new();
    database.add_tokens(120_000);
    let reader = database.run("token mint", &["--username", "alice", "--name", "reader"]);
    let server = Running::start(&database, &[]);
    let mut stream = server.connect();
    let request = format!(
        "GET /v1/organizations/acme/api-tokens HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        reader.trim()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut start = [0; 1024];
    stream.read_exact(&mut start).unwrap();
    assert!(start.starts_with(b"HTTP/1.1 200 OK"));
    let revoked = server.ask_as(&database.token, "DELETE", "/v1/auth/api-tokens/reader", "");
    assert_eq!(revoked.status, 200);
    let mut rest = Vec::new();
    // The connection may be reset.
    let _ = stream.read_to_end(&mut rest);
    assert!(!rest.ends_with(b"0\r\n\r\n"), "the whole list was sent");
}

#[test]
fn a_token_is_accepted_until_it_expires() {
    for database in Database::on_each() {
        let server = Running::start(&database, &[]);
        let validate = || server.ask_as(&database.token, "GET", "/v1/auth/validate", "");
        assert_eq!(validate().json()["exp"], -1);
        database.tamper("UPDATE tokens SET expires_at = 4102444800000");
        assert_eq!(validate().json()["exp"], 4_102_444_800_i64);
        database.tamper("UPDATE tokens SET expires_at = 1000");
        assert_eq!(validate().status, 401);
    }
}

#[test]
fn the_tokens_of_a_disabled_user_are_accepted_again_when_the_user_is_enabled() {
    for database in Database::on_each() {
        let server = Running::start(&database, &[]);
        let statuses = || {
            [
                ("GET", "/v1/user"),
                ("POST", "/v1/auth/api-tokens/new"),
                ("DELETE", "/v1/auth/api-tokens/new"),
            ]
            .map(|(method, path)| server.ask_as(&database.token, method, path, "").status)
        };
        database.tamper("UPDATE users SET disabled = 1");
        assert_eq!(statuses(), [401; 3]);
        database.tamper("UPDATE users SET disabled = 0");
        assert_eq!(statuses(), [200; 3]);
    }
}

#[test]
fn a_change_by_hand_shows_in_the_next_list() {
    let database = Database::new();
    let server = Running::start(&database, &[]);
    let ask = |method, path, body| server.ask_as(&database.token, method, path, body).json();
    ask("POST", "/v1/auth/api-tokens/bound", r#"{"organization": "acme"}"#);
    let list = || ask("GET", "/v1/organizations/acme/api-tokens", "")["tokens"].clone();
    assert_eq!(list(), list());
    assert_eq!(list().as_array().unwrap().len(), 1);
    database.tamper("DELETE FROM tokens WHERE name = 'bound'");
    assert_eq!(list().as_array().unwrap().len(), 0);
}
