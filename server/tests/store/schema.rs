//! Databases that were never initialised, are newer, or are created by several servers at
//! once. Rows are tested in `storing`.

use crate::database::connect;
use crate::stage::{Backend, Stage, trials};
use futures::future::join_all;
use libtest_mimic::Trial;
use orgtokens_server::store::Store;

pub fn trials() -> Vec<Trial> {
    trials!(
        Backend::BOTH,
        an_uninitialised_database_is_refused_and_init_is_named,
        a_newer_schema_is_refused,
        the_database_of_another_program_is_refused,
        several_servers_may_create_one_database_at_once,
        several_servers_may_start_at_once,
    )
}

async fn an_uninitialised_database_is_refused_and_init_is_named(backend: Backend) {
    let database = backend.database().await;
    let refusal = Store::open(&database.url).await.expect_err("it is empty").to_string();
    assert!(refusal.contains("orgtokens-server init"), "{refusal}");
}

async fn a_newer_schema_is_refused(backend: Backend) {
    let stage = Stage::new(backend).await;
    let url = &stage.database.url;
    if let Some(path) = url.strip_prefix("sqlite://") {
        let file = rusqlite::Connection::open(path).expect("the file");
        file.pragma_update(None, "user_version", 99).expect("a version");
    } else {
        let newer = "UPDATE orgtokens_schema SET version = 99";
        connect(url).await.batch_execute(newer).await.expect("a version");
    }
    for opened in [Store::open(url).await, Store::create(url).await] {
        let refusal = opened.expect_err("it is newer").to_string();
        assert!(refusal.contains("version 99, newer than this program"), "{refusal}");
    }
}

async fn the_database_of_another_program_is_refused(backend: Backend) {
    let database = backend.database().await;
    let table = "CREATE TABLE users (name TEXT)";
    if let Some(path) = database.url.strip_prefix("sqlite://") {
        let file = rusqlite::Connection::open(path).expect("the file");
        file.execute_batch(table).expect("a table");
    } else {
        connect(&database.url).await.batch_execute(table).await.expect("a table");
    }
    for opened in [Store::open(&database.url).await, Store::create(&database.url).await] {
        let refusal = opened.expect_err("it is foreign").to_string();
        assert!(refusal.contains("another program"), "{refusal}");
    }
}

async fn several_servers_may_create_one_database_at_once(backend: Backend) {
    let database = backend.database().await;
    let opened = join_all((0..8).map(|_| Store::create(&database.url))).await;
    for store in opened {
        store.expect("each of them");
    }
}

async fn several_servers_may_start_at_once(backend: Backend) {
    let stage = Stage::new(backend).await;
    let opened = join_all((0..8).map(|_| Store::open(&stage.database.url))).await;
    for store in opened {
        store.expect("each of them");
    }
}
