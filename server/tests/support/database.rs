//! A database for one test: a file of its own, or a new database on the PostgreSQL
//! that `ORGTOKENS_TEST_POSTGRES` names. It is not initialised.

use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// Names a PostgreSQL on which tests may make databases; `cargo xtask postgres` sets it.
const VARIABLE: &str = "ORGTOKENS_TEST_POSTGRES";

/// An empty database.
#[derive(Debug)]
pub struct Database {
    pub url: String,
    _folder: Option<TempDir>,
}

/// The PostgreSQL that tests may use, if there is one.
pub fn server() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

impl Database {
    /// In a file.
    pub fn in_a_file() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        Self { url, _folder: Some(folder) }
    }

    /// On a PostgreSQL. It ends with the server.
    pub async fn on(server: &str) -> Self {
        let name = format!("test_{}", Uuid::new_v4().simple());
        let statement = format!("CREATE DATABASE {name}");
        connect(server).await.batch_execute(&statement).await.expect("a new database");
        let (base, _) = server.rsplit_once('/').expect("a URL with a database");
        Self { url: format!("{base}/{name}"), _folder: None }
    }
}

/// A connection past the program, to set a stage that it does not set itself.
pub async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}
