//! Lookups of access that share a statement on PostgreSQL.

use crate::database::connect;
use crate::failing::eventually;
use crate::stage::{Backend, Stage, acme, credential, is_a_refusal, name, trials};
use futures::future::{join, join_all};
use libtest_mimic::Trial;
use orgtokens_server::caller::Role;
use orgtokens_server::store::Error;
use orgtokens_server::token::PlainToken;

/// Ends the connections to this database that wait for a lock.
const END_WAITING: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'";

pub fn trials() -> Vec<Trial> {
    trials!(
        [Backend::Postgres],
        if_a_shared_statement_fails_its_lookups_fail_and_the_next_one_succeeds,
        many_lookups_share_a_statement_and_each_has_its_own_answer,
    )
}

async fn if_a_shared_statement_fails_its_lookups_fail_and_the_next_one_succeeds(backend: Backend) {
    let stage = Stage::new(backend).await;
    let (store, url) = (stage.here.store(), &stage.database.url);
    let (mut locker, watcher) = (connect(url).await, connect(url).await);
    let lock = locker.transaction().await.expect("a transaction");
    lock.batch_execute("LOCK TABLE users").await.expect("a lock");
    let ask = || store.access(&stage.owner, None);
    let end = eventually(async || {
        let ended = watcher.query(END_WAITING, &[]).await.expect("an answer");
        !ended.is_empty()
    });
    let (answers, ()) = join(join_all((0..32).map(|_| ask())), end).await;
    let is_unavailable = |answer: &_| matches!(answer, Err(Error::Unavailable(_)));
    assert!(answers.iter().all(is_unavailable), "{answers:?}");
    lock.rollback().await.expect("no lock");
    ask().await.expect("another connection");
}

async fn many_lookups_share_a_statement_and_each_has_its_own_answer(backend: Backend) {
    let stage = Stage::new(backend).await;
    let bob = stage.member("bob", Role::Viewer).await;
    let unknown = credential(&PlainToken::generate().expect("random bytes"));
    let store = stage.here.store();
    let (slug, other) = (acme(), "other".parse().expect("a slug"));
    let before = store.counts().statements.get();
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
        let access = &answer.expect("it is known").access;
        assert_eq!(access.caller.username, name(who));
        let place = access.organization.as_ref().map(|place| place.role);
        assert_eq!(place, (index / 3 % 3 == 1).then_some(role), "{index}");
    }
    let statements = store.counts().statements.get() - before;
    assert!((4..50).contains(&statements), "{statements}");
}
