//! When credentials are no longer accepted: after a revocation, after they expire, and while their user
//! is disabled.

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
fn a_change_in_the_database_by_hand_shows_in_the_next_list() {
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

#[test]
fn a_token_that_one_process_revokes_is_refused_at_once_by_another_one() {
    alternate_between_processes(150);
}

#[test]
#[ignore = "takes minutes: cargo nextest run -p orgtokens-server --run-ignored only rounds"]
fn no_process_gives_an_outdated_answer_in_10_000_rounds() {
    alternate_between_processes(10_000);
}

/// Mints a token, uses it on both processes, and revokes it on either, so many times.
fn alternate_between_processes(rounds: usize) {
    let database = Database::new();
    let servers = [Running::start(&database, &[]), Running::start(&database, &[])];
    let (path, list) = ("/v1/auth/api-tokens/round", "/v1/organizations/acme/api-tokens");
    for round in 0..rounds {
        let (minting, revoking) = (&servers[round % 2], &servers[round / 2 % 2]);
        let body = r#"{"organization": "acme"}"#;
        let minted = minting.ask_as(&database.token, "POST", path, body).json();
        let key = minted["token"].as_str().unwrap();
        let answers = |asker: &str| {
            servers.each_ref().map(|server| {
                let listed = server.ask_as(asker, "GET", list, "");
                let count = listed.json()["tokens"].as_array().map(Vec::len);
                (listed.status, count, server.ask_as(asker, "GET", "/v1/auth/validate", "").status)
            })
        };
        assert_eq!(answers(key), [(200, Some(1), 200); 2], "round {round}");
        assert_eq!(revoking.ask_as(&database.token, "DELETE", path, "").status, 200);
        assert_eq!(answers(key), [(401, None, 401); 2], "round {round}");
        assert_eq!(answers(&database.token), [(200, Some(0), 200); 2], "round {round}");
    }
}
