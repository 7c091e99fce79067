//! Copies of large databases, which take a minute: run them by name.
//! `cargo nextest run -p orgtokens-server --run-ignored only copying`

use crate::support::database::{Database, text};
use postgres_cluster::Cluster;
use std::process::Command;

const ROWS: u32 = 1_000_000;

/// Copies from one URL to another, and returns the table that the command prints.
fn copy(from: &str, to: &str) -> String {
    let mut copy = Command::new(env!("CARGO_BIN_EXE_orgtokens-server"));
    let output = copy.args(["copy", "--from", from, "--to", to]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "takes minutes: cargo nextest run -p orgtokens-server --run-ignored only copying"]
fn a_million_tokens_and_entries_are_copied_to_postgresql_and_back() {
    let database = Database::new();
    database.add_tokens(ROWS);
    database.tamper(&format!(
        "WITH RECURSIVE n (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n <= {ROWS})
        INSERT INTO audit_log (organization_id, sequence, code, message, origin, author, created_at,
        data, hash) SELECT 1, n, 'user-token-create', 'minted token bulk-' || n || ' of alice', 'cli',
        'operator', 0, '{{\"token\": {{\"name\": \"bulk\"}}}}', randomblob(32) FROM n"
    ));
    let cluster = Cluster::start().unwrap();
    let here = format!("sqlite://{}", database.path().display());
    let back = format!("sqlite://{}", database.folder().join("back.db").display());
    let table = copy(&here, &cluster.url());
    assert_eq!(copy(&cluster.url(), &back), table);
    for (name, rows) in [("tokens", ROWS + 1), ("audit_log", ROWS + 3)] {
        let line = table.lines().find(|line| line.contains(name)).unwrap();
        assert!(line.contains(&format!(" {rows} ")), "{table}");
    }
}
