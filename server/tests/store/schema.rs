//! Databases that were never initialised, that are newer, and that several servers create at once.

use crate::stage::{Backend, Stage, execute, trials};
use futures::future::join_all;
use libtest_mimic::Trial;
use orgtokens_server::store::Store;

pub fn trials() -> Vec<Trial> {
    trials!(
        Backend::BOTH,
        an_uninitialised_database_is_refused_and_the_error_names_init,
        a_newer_schema_is_refused,
        the_database_of_another_program_is_refused,
        several_servers_may_create_one_database_at_once,
        several_servers_may_start_at_once,
    )
}

async fn an_uninitialised_database_is_refused_and_the_error_names_init(backend: Backend) {
    let database = backend.database().await;
    let refusal = Store::open(&database.url).await.expect_err("it is empty").to_string();
    assert!(refusal.contains("orgtokens-server init"), "{refusal}");
}

async fn a_newer_schema_is_refused(backend: Backend) {
    let stage = Stage::new(backend).await;
    let url = &stage.database.url;
    let newer = match backend {
        Backend::Sqlite => "PRAGMA user_version = 99",
        Backend::Postgres => "UPDATE orgtokens_schema SET version = 99",
    };
    execute(&stage.database, newer).await;
    for opened in [Store::open(url).await, Store::create(url).await] {
        let refusal = opened.expect_err("it is newer").to_string();
        assert!(refusal.contains("version 99, newer than this program"), "{refusal}");
    }
}

async fn the_database_of_another_program_is_refused(backend: Backend) {
    let database = backend.database().await;
    execute(&database, "CREATE TABLE users (name TEXT)").await;
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
