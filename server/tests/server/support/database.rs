//! A database created by the real command line: a file in a temporary folder, or on the
//! PostgreSQL server for tests. Rows are written only by the program, unless a test
//! tampers with them.

#[path = "../../support/database.rs"]
#[expect(dead_code, reason = "the command line creates the files here")]
mod empty;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const FILE: &str = "orgtokens.db";

/// An initialised database. Dropping it deletes its folder.
pub struct Database {
    folder: TempDir,
    url: String,
    /// An unrestricted token of the owner, alice, of the organization `acme`.
    pub token: String,
}

impl Database {
    pub fn new() -> Self {
        Self::within(tempfile::tempdir().unwrap())
    }

    /// Creates a database on the disk of `parent`.
    pub fn new_in(parent: &Path) -> Self {
        Self::within(tempfile::tempdir_in(parent).unwrap())
    }

    /// Creates one in a file and, if a PostgreSQL server is available, one on it.
    pub fn on_each() -> Vec<Self> {
        let Some(server) = empty::server() else {
            eprintln!("no PostgreSQL server is available: only SQLite is tested");
            return vec![Self::new()];
        };
        let url = Runtime::new().unwrap().block_on(empty::Database::on(&server)).url;
        vec![Self::new(), Self::at(url, tempfile::tempdir().unwrap())]
    }

    /// Copies a database file. No token of it is known.
    pub fn copy_of(file: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(file, folder.path().join(FILE)).unwrap();
        let url = format!("sqlite://{}", folder.path().join(FILE).display());
        Self { folder, url, token: String::new() }
    }

    /// Runs the statements of a file on a new database on PostgreSQL, if that is available. No token
    /// of it is known.
    pub fn restored_from(file: &str) -> Option<Self> {
        let (server, folder) = (empty::server()?, tempfile::tempdir().unwrap());
        let url = Runtime::new().unwrap().block_on(empty::Database::on(&server)).url;
        let database = Self { folder, url, token: String::new() };
        database.tamper(&std::fs::read_to_string(file).unwrap());
        Some(database)
    }

    fn within(folder: TempDir) -> Self {
        let url = format!("sqlite://{}", folder.path().join(FILE).display());
        Self::at(url, folder)
    }

    fn at(url: String, folder: TempDir) -> Self {
        let mut database = Self { folder, url, token: String::new() };
        let made = database.run("init", &["--organization", "acme", "--username", "alice"]);
        made.trim_end().clone_into(&mut database.token);
        database
    }

    pub fn is_in_a_file(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self) -> PathBuf {
        self.folder().join(FILE)
    }

    /// Adds tokens of alice's for the organization, faster than requests could mint them.
    pub fn add_tokens(&self, count: u32) {
        self.add_tokens_of(1, count);
    }

    /// Like `add_tokens`, for the user with this key.
    pub fn add_tokens_of(&self, user: u32, count: u32) {
        let statement =
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
            INSERT INTO tokens (id, digest, name, user_id, organization_id, scopes, created_at)
            SELECT randomblob(16), randomblob(32), 'bulk-' || n, ?2, 1, 0, 0 FROM n";
        rusqlite::Connection::open(self.path()).unwrap().execute(statement, [count, user]).unwrap();
    }

    /// Adds entries to the audit log of the organization, faster than requests could.
    pub fn add_audit_entries(&self, count: u32) {
        self.tamper(&format!(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count})
            INSERT INTO audit_log (organization_id, sequence, code, message, origin, author,
                created_at, data, hash)
            SELECT organization_id, entries + n, code, 'entry ' || n, origin, author, created_at,
                data, a.hash FROM n, audit_log a JOIN organizations o ON o.id = organization_id
            WHERE sequence = 1 ORDER BY n;
            UPDATE organizations SET entries = entries + {count}"
        ));
    }

    /// Runs a statement directly on the database.
    pub fn tamper(&self, statement: &str) {
        match self.url.strip_prefix("sqlite://") {
            Some(path) => {
                rusqlite::Connection::open(path).unwrap().execute_batch(statement).unwrap();
            }
            None => Runtime::new().unwrap().block_on(async {
                empty::connect(&self.url).await.batch_execute(statement).await.unwrap();
            }),
        }
    }

    /// Runs a statement directly on PostgreSQL, in a transaction that stays open.
    pub fn open_transaction(&self, statement: &str) -> OpenTransaction {
        let runtime = Runtime::new().unwrap();
        let client = runtime.block_on(async {
            let client = empty::connect(&self.url).await;
            client.batch_execute(&format!("BEGIN; {statement}")).await.unwrap();
            client
        });
        OpenTransaction { client, runtime }
    }

    /// Returns the value that a query selects.
    pub fn ask<T>(&self, question: &str) -> T
    where
        T: rusqlite::types::FromSql + for<'a> tokio_postgres::types::FromSql<'a>,
    {
        match self.url.strip_prefix("sqlite://") {
            Some(path) => {
                let file = rusqlite::Connection::open(path).unwrap();
                file.query_row(question, [], |row| row.get(0)).unwrap()
            }
            None => Runtime::new().unwrap().block_on(async {
                empty::connect(&self.url).await.query_one(question, &[]).await.unwrap().get(0)
            }),
        }
    }

    /// A command of the real binary on this database.
    pub fn command(&self, name: &str) -> Command {
        command_on(name, &self.url)
    }

    /// Runs a command that must succeed. Returns its stdout.
    pub fn run(&self, name: &str, arguments: &[&str]) -> String {
        let mut command = self.command(name);
        if name == "init" {
            command.args(["--email", "alice@example.com"]);
        }
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{name}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// An open transaction.
pub struct OpenTransaction {
    client: tokio_postgres::Client,
    runtime: Runtime,
}

impl OpenTransaction {
    pub fn commit(self) {
        self.runtime.block_on(self.client.batch_execute("COMMIT")).unwrap();
    }
}

/// A command of the real binary on the database at `path`.
pub fn command(name: &str, path: &Path) -> Command {
    command_on(name, &format!("sqlite://{}", path.display()))
}

fn command_on(name: &str, url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orgtokens-server"));
    command.args(name.split(' ')).args(["--database", url]);
    command
}

/// Returns everything that a command printed.
pub fn text(output: &Output) -> String {
    let (out, error) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{out}{error}")
}
