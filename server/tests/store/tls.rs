//! TLS to PostgreSQL: whether each `sslmode` encrypts, and which certificates it accepts. The
//! server's certificate is for `localhost`, and no system authority has signed it. Error texts are
//! not tested here.

use crate::database::{Database, connect};
use crate::stage::{Backend, trials};
use libtest_mimic::Trial;
use orgtokens_server::store::{Result, Store, View};

pub fn trials() -> Vec<Trial> {
    trials!(
        [Backend::Postgres],
        connections_are_encrypted_unless_tls_is_disabled,
        a_certificate_is_verified_as_far_as_sslmode_asks,
    )
}

async fn open(database: &Database, host: &str, options: &str) -> Result<Store> {
    let url = database.url.replace("127.0.0.1", host);
    Store::create(&format!("{url}?{options}")).await
}

async fn connections_are_encrypted_unless_tls_is_disabled(backend: Backend) {
    for (options, expected) in [("", true), ("sslmode=require", true), ("sslmode=disable", false)] {
        let database = backend.database().await;
        let store = open(&database, "127.0.0.1", options).await.expect("a store");
        // The connection of this read stays open in the pool.
        store
            .read(View::Snapshot)
            .await
            .expect("a view")
            .is_initialised()
            .await
            .expect("an answer");
        let question = "SELECT bool_or(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                        WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let watcher = connect(&database.url).await;
        let is_encrypted: bool = watcher.query_one(question, &[]).await.expect("an answer").get(0);
        assert_eq!(is_encrypted, expected, "{options}");
    }
}

async fn a_certificate_is_verified_as_far_as_sslmode_asks(backend: Backend) {
    let database = backend.database().await;
    let read = "SELECT pg_read_file('server.crt')";
    let client = connect(&database.url).await;
    let certificate: String = client.query_one(read, &[]).await.expect("an answer").get(0);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("root.crt");
    std::fs::write(&file, certificate).expect("a file");
    let root = format!("sslrootcert={}", file.display());
    for (host, mode, root, is_trusted) in [
        ("127.0.0.1", "", "sslrootcert=system", false),
        ("127.0.0.1", "sslmode=require", "sslrootcert=system", false),
        ("127.0.0.1", "sslmode=verify-ca", "sslrootcert=system", false),
        ("localhost", "sslmode=verify-full", "sslrootcert=system", false),
        ("127.0.0.1", "sslmode=require", "", true),
        ("127.0.0.1", "sslmode=verify-ca", "", false),
        ("127.0.0.1", "sslmode=verify-ca", &root, true),
        ("127.0.0.1", "sslmode=require", &root, true),
        ("localhost", "sslmode=verify-full", &root, true),
        ("127.0.0.1", "sslmode=verify-full", &root, false),
    ] {
        let opened = open(&database, host, &format!("{mode}&{root}")).await;
        assert_eq!(opened.is_ok(), is_trusted, "{host} {mode} {root}: {opened:?}");
    }
}
