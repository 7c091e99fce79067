//! Background work on tokens: a running server sweeps expired tokens and records the use of old secrets.
//! Also leak reports, and addresses that a token is accepted from.

use crate::support::database::Database;
use crate::support::{PATIENCE, Running, eventually};
use serde_json::{Value, json};

const TOKENS: &str = "/v1/organizations/acme/api-tokens";

fn mint(server: &Running, owner: &str, body: &Value) -> Value {
    let answer = server.ask_as(owner, "POST", TOKENS, &body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.error());
    answer.json()
}

/// Returns the entries of the audit log with this code.
fn entries(server: &Running, owner: &str, code: &str) -> Vec<Value> {
    let log = server.ask_as(owner, "GET", "/v1/organizations/acme/audit-logs", "").json();
    let entries = log["audit_logs"].as_array().unwrap().iter();
    entries.filter(|entry| entry["code"] == code).cloned().collect()
}

#[test]
fn an_expired_token_is_swept() {
    let database = Database::new();
    let server = Running::start(&database, &["--ops-listen", "0"]);
    let owner = &database.token;
    let token = mint(&server, owner, &json!({"name": "ci", "expiration": "1s"}));
    let token = token["token"].as_str().unwrap();
    let is_swept = || entries(&server, owner, "user-token-revoke").len() == 1;
    assert!(eventually(PATIENCE, is_swept));
    let entry = entries(&server, owner, "user-token-revoke").remove(0);
    assert_eq!([&entry["author"], &entry["data"]["cause"]], ["expiry", "expired"]);
    let is_counted = || {
        let metrics = server.ask_ops("GET", "/metrics").body;
        String::from_utf8(metrics).unwrap().contains("\norgtokens_tokens_swept_total 1\n")
    };
    assert!(eventually(PATIENCE, is_counted));
    assert_eq!(server.ask_as(token, "GET", "/v1/auth/validate", "").status, 401);
    let listed = server.ask_as(owner, "GET", TOKENS, "").json();
    assert_eq!(listed["tokens"], json!([]));
}

#[test]
fn an_expired_token_is_removed_before_its_refusal_is_answered() {
    for database in Database::on_each() {
        let server = Running::start(&database, &[]);
        let token = mint(&server, &database.token, &json!({"name": "ci", "expiration": "1d"}));
        database.tamper("UPDATE tokens SET expires_at = 1000 WHERE name = 'ci'");
        let token = token["token"].as_str().unwrap();
        assert_eq!(server.ask_as(token, "GET", "/v1/auth/validate", "").status, 401);
        assert_eq!(entries(&server, &database.token, "user-token-revoke").len(), 1);
    }
}

#[test]
fn an_old_secret_is_refused_like_any_dead_token_and_recorded_once() {
    let database = Database::new();
    let server = Running::start(&database, &[]);
    let owner = &database.token;
    let (id, old) = rotated(&server, owner, "ci");
    let dead = server.ask_as("orgt_unknown", "GET", "/v1/auth/validate", "");
    for _ in 0..3 {
        let refused = server.ask_as(&old, "GET", "/v1/auth/validate", "");
        assert_eq!((refused.status, refused.error()), (401, dead.error()));
    }
    // The queue is processed in order: once this use is recorded, the earlier ones are too.
    let (last, old) = rotated(&server, owner, "last");
    server.ask_as(&old, "GET", "/v1/auth/validate", "");
    let noted = || entries(&server, owner, "user-token-reuse");
    let ids =
        || noted().iter().map(|entry| entry["data"]["token"]["id"].clone()).collect::<Vec<_>>();
    assert!(eventually(PATIENCE, || ids().first() == Some(&json!(last))));
    assert_eq!(ids(), [json!(last), json!(id)]);
    assert_eq!([&noted()[0]["author"], &noted()[0]["origin"]], ["old-secret", "web"]);
}

/// Mints a token and gives it another secret. Returns its id and the old secret.
fn rotated(server: &Running, owner: &str, token: &str) -> (String, String) {
    let minted = mint(server, owner, &json!({"name": token}));
    let [id, secret] = ["id", "token"].map(|member| minted[member].as_str().unwrap().to_owned());
    let rotated = server.ask_as(owner, "POST", &format!("{TOKENS}/{id}/rotate"), "");
    assert_eq!(rotated.status, 200, "{}", rotated.error());
    (id, secret)
}

#[test]
fn a_leak_report_revokes_tokens_and_reveals_nothing() {
    let database = Database::new();
    let server = Running::start(&database, &["--leak-reports-per-hour", "3"]);
    let owner = &database.token;
    let leaked = mint(&server, owner, &json!({"name": "ci"}));
    let leaked = leaked["token"].as_str().unwrap();
    let report = |body: &str| server.ask("POST", "/v1/credentials/revoke", &[], body);
    for credentials in [json!([leaked, "orgt_unknown"]), json!(["x"])] {
        let answer = report(&json!({"credentials": credentials}).to_string());
        assert_eq!((answer.status, answer.json()), (202, json!({})));
    }
    assert_eq!(server.ask_as(leaked, "GET", "/v1/auth/validate", "").status, 401);
    let revoked = entries(&server, owner, "user-token-revoke").remove(0);
    assert_eq!(
        (revoked["author"].clone(), revoked["data"]["cause"].clone()),
        (json!("leak-report"), json!("leak-report"))
    );
    assert!(!revoked.to_string().contains(leaked), "{revoked}");
    assert_eq!(report("{}").status, 400);
    let refused = report(&json!({"credentials": [owner]}).to_string());
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("retry-after"), Some("3600"));
    assert_eq!(server.ask_as(owner, "GET", "/v1/auth/validate", "").status, 200);
}

#[test]
fn allowed_ips_are_compared_with_the_address_from_a_trusted_proxy() {
    let database = Database::new();
    let server = Running::start(&database, &["--trusted-proxy", "127.0.0.1"]);
    let limits = json!({"name": "ci", "allowed_ips": ["192.0.2.0/24"]});
    let token = mint(&server, &database.token, &limits);
    let bearer = format!("Authorization: Bearer {}", token["token"].as_str().unwrap());
    for (client, status) in [("192.0.2.7", 200), ("::ffff:192.0.2.7", 200), ("192.0.3.7", 401)] {
        let headers = [bearer.as_str(), &format!("X-Forwarded-For: {client}")];
        let answer = server.ask("GET", "/v1/auth/validate", &headers, "");
        assert_eq!(answer.status, status, "{client}");
    }
    let direct = server.ask_as(token["token"].as_str().unwrap(), "GET", "/v1/auth/validate", "");
    assert_eq!(direct.status, 401);
}
