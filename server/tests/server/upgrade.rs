//! Databases of older versions, made by the programs of these versions: they are upgraded when they are
//! opened, and all answers are as before. `fixtures` contains the databases, their tokens, and the
//! answers of those programs.

use crate::support::Running;
use crate::support::database::Database;
use serde_json::Value;
use std::iter::repeat;

/// Databases of a version, each with its tokens and answers.
fn fixtures(version: u32) -> Vec<(Database, Value)> {
    let folder = format!("{}/tests/fixtures/version-{version}", env!("CARGO_MANIFEST_DIR"));
    let answers = |backend: &str| {
        let file = std::fs::read_to_string(format!("{folder}/{backend}.json")).unwrap();
        serde_json::from_str(&file).unwrap()
    };
    let mut fixtures = vec![(Database::copy_of(&format!("{folder}/sqlite.db")), answers("sqlite"))];
    if let Some(database) = Database::restored_from(&format!("{folder}/postgres.sql")) {
        fixtures.push((database, answers("postgres")));
    }
    fixtures
}

fn token<'a>(fixture: &'a Value, name: &str) -> &'a str {
    fixture["alive"][name].as_str().unwrap()
}

#[test]
fn a_database_of_an_older_version_answers_as_before() {
    for (database, fixture) in [1, 2, 3].into_iter().flat_map(fixtures) {
        let server = Running::start(&database, &[]);
        for answer in fixture["answers"].as_array().unwrap() {
            let (path, name) =
                (answer["path"].as_str().unwrap(), answer["token"].as_str().unwrap());
            let now = server.ask_as(token(&fixture, name), "GET", path, "");
            assert_eq!((now.status, now.json()), (200, answer["body"].clone()), "{name} {path}");
        }
        let tokens = fixture["alive"].as_object().unwrap().values();
        let revoked = fixture["revoked"].as_array().unwrap().iter();
        for (token, status) in
            tokens.map(|token| (token, 200)).chain(revoked.map(|token| (token, 401)))
        {
            let answer = server.ask_as(token.as_str().unwrap(), "GET", "/v1/auth/validate", "");
            assert_eq!(answer.status, status, "{token}");
        }
    }
}

#[test]
fn the_command_that_upgrades_a_database_says_so_once() {
    for (version, (database, _)) in
        [1, 2, 3].into_iter().flat_map(|version| repeat(version).zip(fixtures(version)))
    {
        let said = || {
            let output = database.command("audit verify").output().unwrap();
            String::from_utf8(output.stderr).unwrap()
        };
        let expected =
            format!("upgraded the database from schema {version}: older programs refuse it now\n");
        assert_eq!((said(), said()), (expected, String::new()));
    }
}

#[test]
fn a_database_of_version_2_or_3_keeps_its_audit_chains() {
    let fixtures = [(2, 3), (3, 2)].map(|(version, chains)| (fixtures(version), chains));
    for ((database, fixture), chains) in
        fixtures.into_iter().flat_map(|(fixtures, chains)| fixtures.into_iter().zip(repeat(chains)))
    {
        let verified = database.run("audit verify", &[]);
        assert_eq!(verified, format!("the audit log is intact: 12 entries in {chains} chains\n"));
        let server = Running::start(&database, &[]);
        let path = "/v1/organizations/acme/api-tokens";
        let body = r#"{"name": "new", "expiration": "1h"}"#;
        assert_eq!(server.ask_as(token(&fixture, "first"), "POST", path, body).status, 200);
        let verified = database.run("audit verify", &[]);
        assert_eq!(verified, format!("the audit log is intact: 13 entries in {chains} chains\n"));
        database.run("check", &[]);
    }
}

#[test]
fn a_database_of_version_1_keeps_its_audit_chains_and_its_server_wide_chain_is_closed() {
    for (database, fixture) in fixtures(1) {
        let verified = database.run("audit verify", &[]);
        assert_eq!(verified, "the audit log is intact: 22 entries in 3 chains\n");
        let before = database.run("audit head", &[]);
        assert!(before.contains("no organization 3 "), "{before}");
        let server = Running::start(&database, &[]);
        let alice = token(&fixture, "first");
        for (path, body) in [("unrestricted", ""), ("bound", r#"{"organization":"acme"}"#)] {
            let path = format!("/v1/auth/api-tokens/{path}");
            assert_eq!(server.ask_as(alice, "POST", &path, body).status, 200);
        }
        database.run("audit verify", &[]);
        let after = database.run("audit head", &[]);
        assert!(after.contains("user alice 1 "), "{after}");
        let acme = "organization acme 17 ";
        assert!(after.contains(acme) && !before.contains(acme), "{after}");
        let closed = |report: &str| {
            report.lines().find(|line| line.starts_with("no organization")).unwrap().to_owned()
        };
        assert_eq!(closed(&after), closed(&before));
        database.run("check", &[]);
    }
}

#[test]
fn tokens_minted_after_the_upgrade_are_listed_last() {
    for (database, fixture) in fixtures(1) {
        let server = Running::start(&database, &[]);
        let alice = token(&fixture, "first");
        let path = "/v1/auth/api-tokens/newest";
        assert_eq!(server.ask_as(alice, "POST", path, r#"{"organization":"acme"}"#).status, 200);
        for list in ["/v1/organizations/acme/api-tokens", "/v1/auth/api-tokens"] {
            let list = server.ask_as(alice, "GET", list, "").json();
            assert_eq!(list["tokens"].as_array().unwrap().last().unwrap()["name"], "newest");
        }
    }
}

#[test]
fn tampering_with_the_closed_chain_is_detected_after_an_upgrade() {
    for (database, _) in fixtures(1) {
        database.run("check", &[]);
        database.tamper("DELETE FROM audit_log WHERE organization_id IS NULL AND sequence = 2");
        let output = database.command("audit verify").output().unwrap();
        let said = crate::support::database::text(&output);
        assert!(!output.status.success() && said.contains("no organization: entry 2 "), "{said}");
    }
}
