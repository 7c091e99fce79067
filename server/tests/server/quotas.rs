//! Limits on mints with the real binary: options, environment variables, and the answers to a client.

use crate::support::Running;
use crate::support::database::{Database, text};

const BOUND: &str = r#"{"organization": "acme"}"#;

fn mint(server: &Running, database: &Database, name: &str, body: &str) -> (u16, String) {
    let path = format!("/v1/auth/api-tokens/{name}");
    let answer = server.ask_as(&database.token, "POST", &path, body);
    (answer.status, if answer.status == 200 { String::new() } else { answer.error() })
}

#[test]
fn a_mint_above_a_quota_receives_409_until_a_token_is_revoked() {
    let database = Database::new();
    let quotas = ["--max-tokens-per-user", "3", "--max-tokens-per-organization", "1"];
    let server = Running::start(&database, &quotas);
    assert_eq!(mint(&server, &database, "bound", BOUND).0, 200);
    let (status, sentence) = mint(&server, &database, "second", BOUND);
    assert_eq!(status, 409);
    assert!(sentence.contains("an organization is 1") && sentence.contains("revoke"), "{sentence}");
    assert_eq!(mint(&server, &database, "plain", "").0, 200);
    let (status, sentence) = mint(&server, &database, "another", "");
    assert_eq!(status, 409);
    assert!(sentence.contains("a user is 3") && sentence.contains("operator"), "{sentence}");

    let revoked = server.ask_as(&database.token, "DELETE", "/v1/auth/api-tokens/bound", "");
    assert_eq!(revoked.status, 200);
    assert_eq!(mint(&server, &database, "second", BOUND).0, 200);
}

#[test]
fn environment_variables_set_quotas_and_there_are_none_by_default() {
    let database = Database::new();
    let mut command = database.command("serve");
    command.args(["--listen", "127.0.0.1:0"]).env("ORGTOKENS_MAX_TOKENS_PER_USER", "1");
    let server = Running::spawn(&mut command).unwrap();
    assert_eq!(mint(&server, &database, "one", BOUND).0, 409);
    drop(server);
    let mut command = database.command("serve");
    command.args(["--listen", "127.0.0.1:0"]).env("ORGTOKENS_MAX_TOKENS_PER_ORGANIZATION", "1");
    let server = Running::spawn(&mut command).unwrap();
    assert_eq!(mint(&server, &database, "one", BOUND).0, 200);
    assert_eq!(mint(&server, &database, "two", BOUND).0, 409);
    drop(server);
    let server = Running::start(&database, &[]);
    for name in ["two", "three", "four"] {
        assert_eq!(mint(&server, &database, name, BOUND).0, 200);
    }
}

#[test]
fn a_server_may_refuse_to_mint_unrestricted_tokens() {
    let database = Database::new();
    let server = Running::start(&database, &["--refuse-unrestricted-mints"]);
    for body in ["", "{}"] {
        let (status, sentence) = mint(&server, &database, "plain", body);
        assert_eq!((status, sentence.contains("`organization`")), (403, true), "{sentence}");
    }
    assert_eq!(mint(&server, &database, "group", r#"{"group": "a", "scopes": ["read"]}"#).0, 400);
    let path = "/v1/auth/api-tokens/plain";
    assert_eq!(server.ask_as("unknown", "POST", path, "").status, 401);
    assert_eq!(server.ask_as(&database.token, "POST", "/v2/auth/api-tokens/plain", "").status, 403);
    assert_eq!(mint(&server, &database, "bound", BOUND).0, 200);
    let listed = server.ask_as(&database.token, "GET", "/v1/auth/api-tokens", "").json();
    assert_eq!(listed["tokens"].as_array().map(Vec::len), Some(2), "{listed}");
}

#[test]
fn a_quota_of_0_is_refused() {
    let database = Database::new();
    for argument in ["--max-tokens-per-user", "--max-tokens-per-organization"] {
        let refused = database.command("serve").args([argument, "0"]).output().unwrap();
        assert_eq!(refused.status.code(), Some(2));
        assert!(text(&refused).contains(argument), "{}", text(&refused));
    }
}
