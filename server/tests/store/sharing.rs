//! Reads that share a connection to PostgreSQL or a statement. A lock on the table that they read
//! makes them wait, while the connection breaks or gives no answer.

use crate::database::connect;
use crate::failing::eventually;
use crate::stage::{Backend, Stage, acme, credential, is_a_refusal, name, trials};
use futures::future::{join, join_all};
use libtest_mimic::Trial;
use orgtokens_server::caller::Role;
use orgtokens_server::store::{Error, Result, Store, View};
use orgtokens_server::token::PlainToken;
use std::sync::atomic::Ordering;
use tokio_postgres::Client;

/// The connections of this database that wait for the lock.
const WAITING: &str = "SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'";

pub fn trials() -> Vec<Trial> {
    trials!(
        [Backend::Postgres],
        reads_on_a_shared_connection_that_breaks_fail_and_the_next_one_succeeds,
        a_shared_connection_that_gives_no_answer_is_replaced,
        many_requests_share_a_statement_and_each_has_its_own_answer,
    )
}

/// Reads so many times at once over one shared connection, whose process `meanwhile` receives once
/// it waits for the lock. No read succeeds; after the lock has ended, one does.
async fn require_failure(
    store: &Store,
    reads: usize,
    url: &str,
    meanwhile: impl AsyncFnOnce(&Client, i32),
) {
    let (mut locker, watcher) = (connect(url).await, connect(url).await);
    let lock = locker.transaction().await.expect("a transaction");
    lock.batch_execute("LOCK TABLE users").await.expect("a lock");
    let waiting = async || watcher.query(WAITING, &[]).await.expect("an answer");
    let meanwhile = async {
        eventually(async || !waiting().await.is_empty()).await;
        let waiting = waiting().await;
        assert_eq!(waiting.len(), 1, "all reads share one connection");
        meanwhile(&watcher, waiting[0].get(0)).await;
    };
    let (answers, ()) = join(join_all((0..reads).map(|_| read(store))), meanwhile).await;
    let is_unavailable = |answer: &_| matches!(answer, Err(Error::Unavailable(_)));
    assert!(answers.iter().all(is_unavailable), "{answers:?}");
    lock.rollback().await.expect("no lock");
    read(store).await.expect("another connection");
}

async fn read(store: &Store) -> Result<()> {
    store.read(View::Statement).await?.user(&name("owner")).await.map(drop)
}

async fn store(stage: &Stage) -> Store {
    let pool = 8.try_into().expect("not 0");
    Store::open_pooled(&stage.database.url, pool).await.expect("the same database")
}

async fn reads_on_a_shared_connection_that_breaks_fail_and_the_next_one_succeeds(backend: Backend) {
    let stage = Stage::new(backend).await;
    let end = async |watcher: &Client, process: i32| {
        let end = "SELECT pg_terminate_backend($1)";
        watcher.execute(end, &[&process]).await.expect("an end");
    };
    require_failure(&store(&stage).await, 32, &stage.database.url, end).await;
}

async fn a_shared_connection_that_gives_no_answer_is_replaced(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (store, url) = (store(&stage).await, &stage.database.url);
    let mut silent = 0;
    // The first read waits until the lock's time-out, the second one for its answer.
    require_failure(&store, 2, url, async |_, process| silent = process).await;
    let watcher = connect(url).await;
    let find = "SELECT 1 FROM pg_stat_activity WHERE pid = $1";
    let is_gone = async || watcher.query(find, &[&silent]).await.expect("an answer").is_empty();
    eventually(is_gone).await;
}

async fn many_requests_share_a_statement_and_each_has_its_own_answer(backend: Backend) {
    let stage = Stage::new(backend).await;
    let bob = stage.member("bob", Role::Viewer).await;
    let unknown = credential(&PlainToken::generate().expect("random bytes"));
    let store = stage.here.store();
    let (slug, other) = (acme(), "other".parse().expect("a slug"));
    let before = store.counts().statements.load(Ordering::Relaxed);
    let answers = join_all((0..100).map(|index| {
        let asked = [&stage.owner, &bob, &unknown][index % 3];
        let slug = [None, Some(&slug), Some(&other)][index / 3 % 3];
        async move { (index, store.access(asked, slug).await) }
    }));
    for (index, answer) in answers.await {
        let (who, role) = match index % 3 {
            0 => ("owner", Role::Owner),
            1 => ("bob", Role::Viewer),
            _ => {
                assert!(is_a_refusal(&answer.expect_err("it is unknown").into()));
                continue;
            }
        };
        let access = answer.expect("it is known");
        assert_eq!(access.caller.username, name(who));
        let place = access.organization.map(|place| place.role);
        assert_eq!(place, (index / 3 % 3 == 1).then_some(role), "{index}");
    }
    let statements = store.counts().statements.load(Ordering::Relaxed) - before;
    assert!((4..50).contains(&statements), "{statements}");
}
