//! Tampers with the audit log in the database: `audit verify` must detect it and name the entry. The
//! content of entries is tested elsewhere.

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
fn an_untampered_log_is_intact() {
    for database in logged() {
        let (whole, said) = verify(&database);
        assert!(whole, "{said}");
        assert_eq!(said, "the audit log is intact: 7 entries in 2 chains\n");
        let heads = database.run("audit head", &[]);
        let starts = heads.lines().map(|line| line.rsplit_once(' ').unwrap().0);
        assert_eq!(starts.collect::<Vec<_>>(), ["user alice 2", "organization acme 5"]);
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
fn cutting_off_the_end_of_a_chain_is_detected_with_a_saved_head() {
    let cut = "DELETE FROM audit_log WHERE sequence > 3;
        UPDATE organizations SET entries = 3, hash =
            (SELECT hash FROM audit_log WHERE organization_id = 1 AND sequence = 3)
            WHERE id = 1";
    for database in logged() {
        let file = database.folder().join("heads.txt");
        let file = file.to_str().unwrap();
        let heads = database.run("audit head", &[]).replace('\n', "\r\n");
        std::fs::write(file, format!("\u{feff}{heads}\r\n")).unwrap();
        let compare = || database.command("audit verify").args(["--head", file]).output().unwrap();
        assert!(compare().status.success(), "{}", text(&compare()));
        database.run("user add", &["--username", "bob", "--email", "bob@example.com"]);
        assert!(compare().status.success(), "it may grow: {}", text(&compare()));

        database.tamper(cut);
        let (whole, said) = verify(&database);
        assert!(whole, "every hash in the database matches: {said}");
        let said = text(&compare());
        assert!(!compare().status.success(), "{said}");
        assert!(said.contains("organization acme: entry 4 is missing, and all after it"), "{said}");
        assert!(said.contains("damaged in 1 place:"), "{said}");
    }
}

#[test]
fn a_long_page_is_sent_in_parts_and_equals_short_pages() {
    for database in Database::on_each() {
        database.add_audit_entries(1_000);
        let server = Running::start(&database, &[]);
        let ask = |page: u32, size: u32| {
            let path = format!("/v1/organizations/acme/audit-logs?page={page}&page_size={size}");
            server.ask_as(&database.token, "GET", &path, "")
        };
        let page = |page, size| ask(page, size).json()["audit_logs"].as_array().unwrap().clone();
        let short: Vec<_> = (1..=21).flat_map(|number| page(number, 50)).collect();
        assert!(short.len() > 1_000 && short[0]["message"] == "entry 1000");
        for (number, size) in [(1, 1_000), (2, 1_000), (3, 450), (5, 250), (6, 250), (1, 101)] {
            let expected: Vec<_> = short.chunks(size).nth(number - 1).unwrap_or_default().to_vec();
            let (number, size) = (number.try_into().unwrap(), size.try_into().unwrap());
            assert!(page(number, size) == expected, "{number} {size}");
            let total = ask(number, size).json()["pagination"]["total_rows"].clone();
            assert_eq!(total, short.len());
        }
        let is_in_parts = |size| ask(1, size).header("transfer-encoding").is_some();
        assert!(is_in_parts(101) && !is_in_parts(100));
    }
}

#[test]
fn a_file_without_heads_is_refused() {
    let database = Database::new();
    let file = database.folder().join("heads.txt");
    for (content, says) in [("", "is empty"), ("organization acme: 5\n", "not the head of a chain")]
    {
        std::fs::write(&file, content).unwrap();
        let mut verify = database.command("audit verify");
        let output = verify.args(["--head", file.to_str().unwrap()]).output().unwrap();
        assert!(!output.status.success() && text(&output).contains(says), "{}", text(&output));
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
