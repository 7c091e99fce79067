//! The last use of tokens, on a running server. The server writes it when it stops, so no test waits for
//! the next regular write.

use crate::support::database::Database;
use crate::support::{PATIENCE, Running, eventually};
use serde_json::{Value, json};

const TOKENS: &str = "/v1/organizations/acme/api-tokens";

/// Mints a token that is bound to `acme`. Returns its id and its secret.
fn mint(server: &Running, database: &Database) -> (String, String) {
    let body = json!({"name": "ci"}).to_string();
    let minted = server.ask_as(&database.token, "POST", TOKENS, &body).json();
    ["id", "token"].map(|member| minted[member].as_str().unwrap().to_owned()).into()
}

/// Serves the database with these arguments, uses a new token with these header lines, and stops.
/// Returns the details of the token, and the time before its use.
fn details_after_use(database: &Database, arguments: &[&str], headers: &[&str]) -> Value {
    let mut server = Running::start(database, arguments);
    let (id, token) = mint(&server, database);
    let authorization = format!("Authorization: Bearer {token}");
    let lines = [&[authorization.as_str()], headers].concat();
    assert_eq!(server.ask("GET", "/v1/auth/validate", &lines, "").status, 200);
    server.signal(rustix::process::Signal::TERM);
    assert!(server.ended_within(PATIENCE).expect("it stops").success());
    let server = Running::start(database, &["--no-last-use"]);
    let shown = server.ask_as(&database.token, "GET", &format!("{TOKENS}/{id}"), "").json();
    assert_eq!(server.ask_as(&token, "DELETE", &format!("{TOKENS}/{id}"), "").status, 200);
    shown["token"].clone()
}

#[test]
fn the_last_use_is_written_when_the_server_stops() {
    for database in Database::on_each() {
        let shown = details_after_use(&database, &[], &["X-Forwarded-For: 192.0.2.1"]);
        assert_eq!(shown["last_used_ip"], "127.0.0.1", "{shown}");
        let [minted, used] = ["created_at", "last_used_at"].map(|member| {
            let time = shown[member].as_str().expect("a time");
            chrono::DateTime::parse_from_rfc3339(time).expect("RFC 3339")
        });
        let minutes = (used - minted).num_minutes();
        assert_eq!(minutes, 0, "{shown}");
    }
}

#[test]
fn behind_a_trusted_proxy_the_last_use_has_the_address_of_the_client() {
    let (database, trusting) = (Database::new(), ["--trusted-proxy", "127.0.0.0/8"]);
    for (line, expected) in [
        ("X-Forwarded-For: 198.51.100.9, 192.0.2.1", "192.0.2.1"),
        ("X-Forwarded-For: 2001:db8::1", "2001:db8::1"),
        ("Forwarded: for=192.0.2.1", "127.0.0.1"),
    ] {
        let shown = details_after_use(&database, &trusting, &[line]);
        assert_eq!(shown["last_used_ip"], expected, "{line}: {shown}");
    }
}

#[test]
fn with_no_last_use_nothing_is_recorded() {
    let shown = details_after_use(&Database::new(), &["--no-last-use"], &[]);
    assert_eq!((shown.get("last_used_at"), shown.get("last_used_ip")), (None, None), "{shown}");
}

#[test]
fn a_running_server_writes_the_last_use() {
    let database = Database::new();
    let server = Running::start(&database, &[]);
    let (id, token) = mint(&server, &database);
    let path = format!("{TOKENS}/{id}");
    assert_eq!(server.ask_as(&token, "GET", "/v1/auth/validate", "").status, 200);
    assert!(eventually(PATIENCE, || {
        let shown = server.ask_as(&database.token, "GET", &path, "").json();
        shown["token"]["last_used_ip"] == "127.0.0.1"
    }));
}
