//! Tampers with the audit log outside the program: `audit verify` must detect it and
//! name the entry. What an entry says about a change is not tested here.

use crate::support::Running;
use crate::support::database::{Database, text};

/// Returns databases whose organization has five audit entries.
fn logged() -> Vec<Database> {
    let databases = Database::on_each();
    for database in &databases {
        let server = Running::start(database, &[]);
        for name in ["a", "b", "c", "d"] {
            let body = r#"{"organization":"acme"}"#;
            let path = format!("/v1/auth/api-tokens/{name}");
            assert_eq!(server.ask_as(&database.token, "POST", &path, body).status, 200);
        }
    }
    databases
}

/// Runs `audit verify`. Returns whether it succeeded, and what it printed.
fn verify(database: &Database) -> (bool, String) {
    let output = database.command("audit verify").output().unwrap();
    (output.status.success(), text(&output))
}

#[test]
fn an_untouched_log_is_intact() {
    for database in logged() {
        let (whole, said) = verify(&database);
        assert!(whole, "{said}");
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines.len(), 3, "{said}");
        assert_eq!(lines[0], "7 entries of 1 organizations are whole");
        assert!(lines[1].starts_with("user alice: 2 entries end in "), "{said}");
        assert!(lines[2].starts_with("organization acme: 5 entries end in "), "{said}");
    }
}

#[test]
fn tampering_with_an_entry_is_detected_and_the_entry_is_named() {
    for (statement, place) in [
        ("UPDATE audit_log SET message = 'x' WHERE sequence = 3", "acme: entry 3 "),
        ("UPDATE audit_log SET data = '{}' WHERE sequence = 3", "acme: entry 3 "),
        ("UPDATE audit_log SET author = 'x' WHERE sequence = 5", "acme: entry 5 "),
        ("UPDATE audit_log SET created_at = 0 WHERE sequence = 2", "acme: entry 2 "),
        (
            "UPDATE audit_log SET hash = (SELECT hash FROM users WHERE username = 'alice') WHERE sequence = 4",
            "acme: entry 4 ",
        ),
        ("DELETE FROM audit_log WHERE sequence = 3", "acme: entry 3 "),
        ("DELETE FROM audit_log WHERE sequence = 5", "acme: entry 5 "),
        ("DELETE FROM audit_log WHERE organization_id = 1", "acme: entry 1 "),
        ("DELETE FROM audit_log WHERE organization_id IS NULL", "user alice: entry 1 "),
        (
            "DELETE FROM audit_log WHERE organization_id IS NULL; UPDATE users SET entries = 0",
            "user alice: entry 1 ",
        ),
        (
            "DELETE FROM audit_log WHERE organization_id = 1; UPDATE organizations SET entries = 0",
            "acme: entry 1 ",
        ),
        ("UPDATE audit_log SET id = -id", "acme: entry 1 "),
        ("UPDATE audit_log SET id = 99 WHERE sequence = 3", "acme: entry 3 "),
        ("UPDATE audit_log SET organization_id = NULL WHERE sequence = 3", "acme: entry 3 "),
    ] {
        for database in logged() {
            database.tamper(statement);
            let (whole, said) = verify(&database);
            assert!(!whole && said.contains(place), "{statement}: {said}");
        }
    }
}

#[test]
fn cutting_the_end_and_rewriting_the_head_changes_the_printed_head() {
    let cut = "DELETE FROM audit_log WHERE sequence > 3;
        UPDATE organizations SET entries = 3, hash =
            (SELECT hash FROM audit_log WHERE organization_id = 1 AND sequence = 3)
            WHERE id = 1";
    for database in logged() {
        let (_, before) = verify(&database);
        database.tamper(cut);
        let (whole, after) = verify(&database);
        assert!(whole, "every hash in the database matches: {after}");
        assert_ne!(before, after);
    }
}

#[test]
fn the_log_can_be_verified_while_it_grows() {
    for database in logged() {
        let server = Running::start(&database, &[]);
        for count in 0..5 {
            let path = format!("/v1/auth/api-tokens/n{count}");
            assert_eq!(server.ask_as(&database.token, "POST", &path, "").status, 200);
            let (whole, said) = verify(&database);
            assert!(whole, "{said}");
        }
    }
}
