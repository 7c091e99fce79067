//! A database for one test: a new file, or a new database on the PostgreSQL server that
//! `ORGTOKENS_TEST_POSTGRES` names. It is not initialised.

use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// The URL of a PostgreSQL server for tests. `cargo xtask postgres` sets it.
const VARIABLE: &str = "ORGTOKENS_TEST_POSTGRES";

/// An empty database.
#[derive(Debug)]
pub struct Database {
    pub url: String,
    _folder: Option<TempDir>,
}

/// Returns the URL of the PostgreSQL server for tests, if there is one.
pub fn server() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

impl Database {
    /// Creates one in a temporary file.
    pub fn in_a_file() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        Self { url, _folder: Some(folder) }
    }

    /// Creates one on a PostgreSQL server. It lives as long as the server.
    pub async fn on(server: &str) -> Self {
        let name = format!("test_{}", Uuid::new_v4().simple());
        let statement = format!("CREATE DATABASE {name}");
        connect(server).await.batch_execute(&statement).await.expect("a new database");
        let (base, _) = server.rsplit_once('/').expect("a URL with a database");
        Self { url: format!("{base}/{name}"), _folder: None }
    }
}

/// Connects outside the program, to create a state that the program never creates.
pub async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}
